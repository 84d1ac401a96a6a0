"""What a run would make of some keys today: the job's own rules up to the reason, without the values.

Exact for every key, because the stages of the job read, clean and weigh; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.plan import Plan, list_days
from pipeline.warehouse.base import Warehouse
from transforms.arrays import Bools, Ints, codes_among, single_chunk, to_day, to_days, trim_text
from transforms.compute import see_targets, weigh_targets
from transforms.gaps import NO_GAP, NO_HISTORY, REASONS, Admission, Evidence, describe_gaps, find_gaps
from transforms.history import PLAYER_HISTORY, HistoryChunk, join_team_parts, prepare_chunk, read_chunk
from transforms.kernels.player_windows import sort_rows
from transforms.kernels.team_figures import TeamFigures
from transforms.people import INJURED, PLAYER_ROW, rename_players
from transforms.references import References, read_references
from transforms.schema import STAGED_PASSED, STAGED_TARGETS

NEVER = to_day(date.max)

VERDICTS = pa.schema(
    [
        *STAGED_TARGETS,
        pa.field("verdict", pa.string()),
        pa.field("verdict_detail", pa.string()),
        pa.field("unbarred", pa.string()),
        pa.field("injured", pa.bool_()),
        pa.field("games", pa.int64()),
        pa.field("team_listed", pa.bool_()),
        pa.field("player_seen", pa.bool_()),
        pa.field("team_played", pa.bool_()),
    ]
)
"""A key that a source names and that some options make a target. ``verdict`` under the given admission,
of those on the injury report as if they were asked for: a reason, or NULL for a row; its detail as a gap
would have it. ``unbarred``: the verdict were everybody admitted. ``injured``: on the injury report alone.
``games``: in the last-10 window. ``team_listed``: the box scores of the date have rows of the team;
``team_played``: it has a game in the as-of window; ``player_seen``: the box scores of any earlier date have
rows of the player, asked only where there is no history."""


@dataclass(frozen=True)
class Judgement:
    """``verdicts`` (:data:`VERDICTS`); ``passed`` (``STAGED_PASSED``), the keys that a source names and
    that no options make targets, and why. A key in neither is named by nothing."""

    verdicts: pa.Table
    passed: pa.Table


def judge_keys(warehouse: Warehouse, plan: Plan, admission: Admission) -> Judgement:
    """The verdict on every key of ``plan.requested``; reads the windows of the plan, whose own admission
    does not count."""
    everybody = Admission(bootstrap_days=0, min_games=admission.min_games, include_injured=True)
    plan = replace(plan, targets=replace(plan.targets, admission=everybody))
    reader = warehouse.open_reader(plan.columns)
    tables = read_references(reader, plan.schedule.start, plan.schedule.end).tables
    references = References.from_tables(tables)
    found = _Collected(plan)
    for low, high in plan.chunks:
        start, end = date.fromisoformat(low), date.fromisoformat(high)
        raw = read_chunk(reader, start, end, plan.targets, plan.requested)
        found.add(prepare_chunk(raw, plan.targets, 1, references))
    if not found.rows:
        return Judgement(VERDICTS.empty_table(), found.passed)
    figures = TeamFigures(join_team_parts(found.team_parts))
    seen = see_targets(sort_rows(pa.concat_tables(found.rows)), figures, plan.targets)
    evidence = weigh_targets(seen, plan.targets)
    reasons, unbarred = find_gaps(evidence, admission), find_gaps(evidence, everybody)
    is_new = unbarred == REASONS.index(NO_HISTORY)
    columns = {
        **{name: _decode(single_chunk(seen.rows, name)) for name in STAGED_TARGETS.names},
        "verdict": _name_reasons(reasons),
        "verdict_detail": _describe(reasons, evidence, admission),
        "unbarred": _name_reasons(unbarred),
        "injured": pa.array(single_chunk(seen.rows, "origin").to_numpy() == INJURED),
        "games": pa.array(evidence.games),
        "team_listed": pa.array(found.is_listed(seen.rows)),
        "player_seen": _was_seen(warehouse, references, seen.rows, is_new),
        "team_played": pa.array(figures.games(*seen.own) > 0),
    }
    return Judgement(pa.table(columns).select(VERDICTS.names).cast(VERDICTS), found.passed)


def _was_seen(warehouse: Warehouse, references: References, rows: pa.Table, asked: Bools) -> pa.Array:
    """Whether the box scores of any date before a row's have its player; NULL where not asked."""
    if not asked.any():
        return pa.nulls(rows.num_rows, pa.bool_())
    stored = warehouse.find_first_dates()
    stored = stored.set_column(0, "player_lookup", trim_text(single_chunk(stored, "player_lookup")))
    renamed, _ = rename_players(stored, references.aliases)
    plain = renamed.set_column(0, "player_lookup", _decode(single_chunk(renamed, "player_lookup")))
    firsts = plain.group_by("player_lookup", use_threads=False).aggregate([("game_date", "min")])
    position = codes_among(single_chunk(rows, "player_lookup"), single_chunk(firsts, "player_lookup"))
    # -1 takes the last one
    first = np.append(to_days(single_chunk(firsts, "game_date_min")), NEVER)[position]
    return pa.array(first < to_days(single_chunk(rows, "game_date")), mask=~asked)


class _Collected:
    """What the verdicts rest on, of all chunks: the rows of the players in question and no others."""

    def __init__(self, plan: Plan) -> None:
        requested = STAGED_TARGETS.empty_table() if plan.requested is None else plan.requested
        self._players = pc.unique(requested.column("player_lookup").combine_chunks())
        self._days = pa.array(list_days(requested), pa.date32())
        self.rows: list[pa.Table] = []
        self.team_parts: list[tuple[str, pa.RecordBatch]] = []
        self._listed: set[tuple[str, int]] = set()
        self._passed: list[pa.Table] = []

    def add(self, chunk: HistoryChunk) -> None:
        self.team_parts += chunk.team_parts.items()
        self._passed.append(pa.table(chunk.passed))
        for _, batch in chunk.rows:
            rows = pa.table(batch)
            mine = codes_among(single_chunk(rows, "player_lookup"), self._players) >= 0
            self.rows.append(rows.filter(pa.array(mine)).select(PLAYER_HISTORY.names))
            self._list_teams(rows)

    def _list_teams(self, rows: pa.Table) -> None:
        present = pc.and_(
            pc.equal(rows.column("origin"), PLAYER_ROW), pc.is_in(rows.column("game_date"), self._days)
        )
        teams = rows.filter(present).select(["team_abbr", "game_date"])
        teams = teams.group_by(teams.column_names, use_threads=False).aggregate([])
        self._listed.update(_list_team_days(teams))

    def is_listed(self, rows: pa.Table) -> Bools:
        """Whether the box scores of each row's date have rows of its team."""
        return np.array([key in self._listed for key in _list_team_days(rows)], dtype=bool)

    @property
    def passed(self) -> pa.Table:
        return pa.concat_tables([STAGED_PASSED.empty_table(), *self._passed])


def _list_team_days(rows: pa.Table) -> Iterator[tuple[str, int]]:
    teams = _decode(single_chunk(rows, "team_abbr")).to_pylist()
    return zip(teams, to_days(single_chunk(rows, "game_date")).tolist(), strict=True)


def _name_reasons(reasons: npt.NDArray[np.int8]) -> pa.Array:
    """The reasons by name; NULL where there is none."""
    return pa.array(REASONS).take(pa.array(reasons, pa.int8(), mask=reasons == NO_GAP))


def _describe(reasons: npt.NDArray[np.int8], evidence: Evidence, admission: Admission) -> pa.Array:
    """The detail of each gap, NULL for a row."""
    skipped: Ints = np.flatnonzero(reasons != NO_GAP)
    details = describe_gaps(reasons, evidence, admission).take(pa.array(skipped)).dictionary_decode()
    position = np.full(len(reasons), -1)
    position[skipped] = np.arange(len(skipped))
    return details.take(pa.array(position, mask=position < 0))


def _decode(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
