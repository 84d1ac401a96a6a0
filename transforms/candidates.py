"""Who is named besides the player rows: by the upcoming games, and by the injury report.

Candidates are tables with the key and :data:`FACTS`, one row a key; whether they are targets is
decided in ``targets``. The rules are features.md, sections 1.1 and 5.5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import from_days, single_chunk
from transforms.game_types import find_exhibition_ids
from transforms.kernels.market import Reports
from transforms.kernels.schedule import Schedule
from transforms.people import KEY, choose_rows
from transforms.references import References
from transforms.schema import STAGED_PASSED
from transforms.side_tables import UPCOMING

FACTS = ("game_id", "team_abbr", "opponent_team_abbr", "is_home")
EXHIBITION = "a preseason or all-star game"


class Announced(NamedTuple):
    """``rows``: candidates; ``passed``: those that are none, and why; how many rows were passed over."""

    rows: pa.Table
    passed: pa.Table
    exhibitions: int
    postponed: int
    duplicates: int


def list_announced(upcoming: pa.Table, schedule: Schedule | None) -> Announced:
    """The candidates of the upcoming games (columns of that table): not exhibitions, not postponed.

    Of several rows of a key the greater game id counts, then the greater values in column order.
    """
    exhibition = find_exhibition_ids(single_chunk(upcoming, "game_id"))
    passed = [pass_over(upcoming.filter(pa.array(exhibition)), EXHIBITION)]
    postponed = np.zeros(upcoming.num_rows, dtype=bool)
    if schedule is not None:
        postponed, other = schedule.find_postponed(upcoming)
        postponed &= ~exhibition
        dates = from_days(other.values).cast(pa.string())
        elsewhere = pc.binary_join_element_wise(": it stands on", dates, " ")
        details = pc.if_else(pa.array(other.known), elsewhere, "")
        details = pc.binary_join_element_wise("the game is not played on this date", details, "")
        gone = pa.array(postponed)
        passed.append(pass_over(upcoming.filter(gone), details.filter(gone)))
    kept = upcoming.filter(pa.array(~exhibition & ~postponed))
    columns = [name for name in ("game_id", *UPCOMING.schema.names) if name not in KEY]
    rows = choose_rows(kept, [(name, "descending") for name in columns])
    rows = rows.rename_columns(["is_home" if name == "home_game" else name for name in rows.column_names])
    return Announced(
        rows.select([*KEY, *FACTS]),
        pa.concat_tables(passed),
        exhibitions=int(np.count_nonzero(exhibition)),
        postponed=int(np.count_nonzero(postponed)),
        duplicates=kept.num_rows - rows.num_rows,
    )


def list_injured(reports: Reports, references: References, schedule: Schedule) -> pa.Table:
    """The candidates of the injury report: reported before the cut-off of a game that their team plays.

    The newest report tells the team, of several at one instant the smaller name.
    """
    row = schedule.find_games(reports.team, reports.day)
    plays = pa.array(np.flatnonzero(row >= 0))
    games = schedule.games.take(pa.array(row[row >= 0]))
    team = reports.team.take(plays)
    home, away = (single_chunk(games, f"{side}_team_abbr").dictionary_decode() for side in ("home", "away"))
    is_home = pc.fill_null(pc.equal(team.dictionary_decode(), home), False)
    rows = pa.table(
        {
            "player_lookup": reports.player.take(plays),
            "game_date": from_days(reports.day).take(plays),
            "game_id": single_chunk(games, "game_id"),
            "team_abbr": team,
            "opponent_team_abbr": pc.if_else(is_home, away, home).dictionary_encode(),
            "is_home": is_home,
            "at": pa.array(reports.at).take(plays),
        }
    )
    in_time = single_chunk(rows, "at").to_numpy() <= references.find_cutoffs(rows)
    newest = choose_rows(rows.filter(pa.array(in_time)), [("at", "descending"), ("team_abbr", "ascending")])
    return newest.select([*KEY, *FACTS])


def pass_over(rows: pa.Table, detail: pa.Array | pa.ChunkedArray | str) -> pa.Table:
    """The keys of rows that name a player and make no target of him (``STAGED_PASSED``)."""
    if isinstance(detail, str):
        detail = pa.array([detail] * rows.num_rows, pa.string())
    named = rows.select(KEY).append_column("detail", detail)
    return named.filter(pc.is_valid(named.column("player_lookup"))).cast(STAGED_PASSED)
