"""The side tables of some dates as read -> the rows that count: upcoming games, injury reports, lines.

Everything here is local to a date. What is made of the rows is in ``targets`` and ``kernels.market``;
the rules are features.md, sections 1.1, 2.4, 2.5 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Ints, read_column, single_chunk, to_days, trim_text
from transforms.cleaning import derive_is_home
from transforms.kernels.market import UNKNOWN_SEVERITY, Lines, Reports
from transforms.people import RENAMED, rename_players
from transforms.references import References, to_instants
from transforms.schema import Table
from transforms.side_tables import INJURY_REPORT, POINTS_LINES, UPCOMING

DATED_TABLES = (UPCOMING, INJURY_REPORT, POINTS_LINES)
"""The side tables that are read with the dates of the targets."""
SEVERITIES = {"available": 0, "probable": 1, "questionable": 2, "doubtful": 3, "out": 3}
PREFERRED_BOOKMAKER = "draftkings"


@dataclass(frozen=True)
class Sides:
    """The side tables of some dates; None where a table does not exist.

    ``upcoming`` has the columns of its table, ``home_game`` derived where the table lacks it.
    ``renamed`` are the keys in which an alias stood (``people.RENAMED``).
    """

    upcoming: pa.Table | None = None
    reports: Reports | None = None
    lines: Lines | None = None
    renamed: pa.Table = field(default_factory=RENAMED.empty_table)
    counts: Mapping[str, int] = field(default_factory=dict)


NO_SIDES = Sides()


def clean_sides(raw: Mapping[str, pa.Table], references: References) -> Sides:
    """The side tables as read, by name (``Table.name``); those that do not exist are not in ``raw``."""
    counts: dict[str, int] = {}
    upcoming = reports = lines = None
    renamed = RENAMED.empty_table()
    if UPCOMING.name in raw:
        table = raw[UPCOMING.name]
        rows, rejected = _take_keyed(table, UPCOMING)
        if "home_game" not in table.column_names:
            home = derive_is_home(single_chunk(rows, "game_id"), single_chunk(rows, "team_abbr"))
            rows = rows.set_column(rows.column_names.index("home_game"), "home_game", home)
        upcoming, renamed = rename_players(rows, references.aliases)
        counts["upcoming_rejected"] = rejected
    if INJURY_REPORT.name in raw:
        rows, counts["reports_rejected"] = _take_keyed(raw[INJURY_REPORT.name], INJURY_REPORT, "reported_at")
        reports = _read_reports(rename_players(rows, references.aliases)[0])
        counts["reports_unknown_status"] = int(np.count_nonzero(reports.severity == UNKNOWN_SEVERITY))
    if POINTS_LINES.name in raw:
        rows, rejected = _take_keyed(raw[POINTS_LINES.name], POINTS_LINES, "snapshot_timestamp")
        lines = _read_lines(rename_players(rows, references.aliases)[0])
        counts["lines_rejected"] = rejected
        counts["lines_not_positive"] = int(np.count_nonzero(~(lines.line > 0)))
    return Sides(upcoming, reports, lines, renamed, counts)


def _take_keyed(raw: pa.Table, table: Table, *needed: str) -> tuple[pa.Table, int]:
    """Typed and trimmed rows that have a player, a date and what else is ``needed``; how many have not."""
    columns = {}
    for column in table.schema:
        values = read_column(raw, column)
        columns[column.name] = trim_text(values) if column.type == pa.string() else values
    rows = pa.table(columns)
    usable = np.ones(rows.num_rows, dtype=bool)
    for name in ("player_lookup", "game_date", *needed):
        usable &= pc.is_valid(single_chunk(rows, name)).to_numpy(zero_copy_only=False)
    return rows.filter(pa.array(usable)), int(np.count_nonzero(~usable))


def _read_reports(rows: pa.Table) -> Reports:
    status = single_chunk(rows, "injury_status")
    known = [SEVERITIES.get(text.lower(), UNKNOWN_SEVERITY) for text in status.dictionary.to_pylist()]
    return Reports(
        single_chunk(rows, "player_lookup"),
        to_days(single_chunk(rows, "game_date")),
        to_instants(single_chunk(rows, "reported_at")).values,
        _by_code(status, known, UNKNOWN_SEVERITY),
        single_chunk(rows, "team"),
    )


def _read_lines(rows: pa.Table) -> Lines:
    bookmaker = single_chunk(rows, "bookmaker")
    names = [name.lower() for name in bookmaker.dictionary.to_pylist()]
    ranked = sorted(set(names), key=lambda name: (name != PREFERRED_BOOKMAKER, name))
    line = pc.fill_null(single_chunk(rows, "points_line"), np.nan).to_numpy(zero_copy_only=False)
    return Lines(
        single_chunk(rows, "player_lookup"),
        to_days(single_chunk(rows, "game_date")),
        to_instants(single_chunk(rows, "snapshot_timestamp")).values,
        np.where(np.isfinite(line), line, np.nan),
        _by_code(bookmaker, [ranked.index(name) for name in names], len(ranked)),
    )


def _by_code(column: pa.DictionaryArray, values: list[int], otherwise: int) -> Ints:
    """The value of each row's text; ``otherwise`` where it is NULL."""
    codes = pc.fill_null(column.indices.cast(pa.int32()), len(values)).to_numpy(zero_copy_only=False)
    found: Ints = np.array([*values, otherwise], dtype=np.int64)[codes]
    return found
