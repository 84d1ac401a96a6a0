"""One target computed again by the job's own kernels, and what its values rest on.

Which rows a feature uses is read off the kernels' windows, never decided here: the registry names
the windows and figures (``Feature.basis``), the kernels say which positions they hold. Only why
the other rows were passed over is put into words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.statements import Statements, collect_statements, read_instant
from transforms.arrays import single_chunk
from transforms.cleaning import (
    DUPLICATE,
    EXHIBITION,
    INVALID_RULES,
    KEPT,
    find_passed_over,
    normalize_columns,
)
from transforms.compute import Targets, compute_bucket, see_targets
from transforms.contracts import TargetSpec
from transforms.gaps import PROCESSING_ERROR
from transforms.history import DAYS, HistoryChunk, RawChunk, join_team_parts, prepare_chunk
from transforms.kernels.player_windows import sort_rows
from transforms.kernels.team_context import FIGURES
from transforms.kernels.team_figures import TeamFigures
from transforms.kernels.team_windows import TeamWindows
from transforms.people import rename_players
from transforms.references import References
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.vector import FEATURES

Row = dict[str, Any]

PASSED_OVER = {
    EXHIBITION: ("exhibition", "preseason or all-star game"),
    DUPLICATE: ("duplicate", "lost against another row of the date"),
}
OUTSIDE = {
    "season": "of another season",
    "against": "against others",
    "last_7_days": "more than 7 days before",
    "last_14_days": "more than 14 days before",
    "last_10_rows": "older than the last 10 rows",
    **{f"last_{n}": f"older than the last {n}" for n in (2, 3, 5, 10)},
}
"""Why a game is in no window of a feature, by the last of them, which reaches farthest."""


@dataclass(frozen=True)
class TeamEvidence:
    """A figure of the team context: of whose games (``own`` or ``opponent``), and which they are.

    ``games`` are rows of ``TEAM_TOTALS``, oldest first; ``columns`` those that enter the figure.
    """

    side: str
    team: str | None
    figure: str
    value: float | None
    window: str
    columns: tuple[str, ...]
    games: list[Row]


class Evidence:
    """What the kernels saw of one target."""

    def __init__(
        self, target: Targets, rows: pa.Table, teams: TeamWindows, history: pa.Table, said: Statements
    ) -> None:
        self._target, self._rows, self._teams, self._history = target, rows, teams, history
        self.said = said
        self.absent_columns = frozenset(PLAYER_GAME_SUMMARY.schema.names) - frozenset(history.column_names)
        self._windows: dict[str, list[Row]] = {}

    @property
    def day(self) -> date:
        day: date = self._target.rows.column("game_date")[0].as_py()
        return day

    @cached_property
    def facts(self) -> Row:
        """What is known of the target itself: its own row as it was read, cleaned, where it has one, and
        the facts that the kernels got."""
        (target,) = _list_rows(self._target.rows)
        own = (row for row, code in self._listed if code == KEPT and row["game_date"] == self.day)
        return {"season_type": None, **next(own, {}), **target, "cutoff": read_instant(target["cutoff"])}

    @property
    def days_rest(self) -> float | None:
        return _to_figure(self._target.windows.days_rest[0])

    def rows(self, window: str) -> list[Row]:
        """The player's rows that a window holds, oldest first."""
        if window not in self._windows:
            days = self._rows.column("game_date").take(self._target.windows.positions(window, 0))
            self._windows[window] = [self._judged[day] for day in days.to_pylist()]
        return self._windows[window]

    def known(self, window: str, figure: str) -> list[Any]:
        """A figure of a window's rows, where it is known."""
        return [row[figure] for row in self.rows(window) if row[figure] is not None]

    def list_games(self, windows: tuple[str, ...]) -> list[Row]:
        """The rows of all these windows once, oldest first, each with the ``windows`` it is in."""
        found: dict[date, Row] = {}
        for window in windows:
            for row in self.rows(window):
                found.setdefault(row["game_date"], {**row, "windows": []})["windows"].append(window)
        return [found[day] for day in sorted(found)]

    def list_passed_over(self, windows: tuple[str, ...]) -> list[Row]:
        """The player's other rows before the target, oldest first, each with ``reason``, ``detail``.

        Rows that are too old for any window (``windows.AS_OF_DAYS``) are not read at all.
        """
        inside = {row["game_date"] for window in windows for row in self.rows(window)}
        passed = []
        for row, code in self._listed:
            if row["game_date"] >= self.day or (code == KEPT and row["game_date"] in inside):
                continue
            reason, detail = PASSED_OVER.get(code) or _judge(row, self._judged[row["game_date"]], windows)
            passed.append({**row, "reason": reason, "detail": detail})
        return passed

    @cached_property
    def _listed(self) -> list[tuple[Row, int]]:
        """The player's rows as they were read, in order, each with what became of it."""
        table = self._history
        codes = find_passed_over(table).tolist()
        return sorted(zip(_list_rows(table), codes, strict=True), key=lambda pair: pair[0]["game_date"])

    @cached_property
    def _judged(self) -> dict[date, Row]:
        """The player's rows that count, as the kernels got them."""
        return {row["game_date"]: row for row in _list_rows(self._rows)}

    def read_team(self, side: str, figure: str) -> TeamEvidence:
        """A figure of the target's ``own`` team or of its ``opponent``."""
        declared = FIGURES[figure]
        name = "team_abbr" if side == "own" else "opponent_team_abbr"
        row, found = self._target.own if side == "own" else self._target.opponent
        value = self._target.figures.figure(figure, row, found)[0]
        games: list[Row] = []
        if found[0]:
            games = _list_rows(self._teams.games.take(self._teams.positions(declared.window, int(row[0]))))
        team = self._target.rows.column(name)[0].as_py()
        return TeamEvidence(side, team, figure, _to_figure(value), declared.window, declared.columns, games)

    def sum_league(self, column: str) -> int:
        """The sum over the games of all teams in the as-of window."""
        row = int(self._target.opponent[0][0])
        return int(self._teams.league.sum(self._teams.counts(column))[row])


@dataclass(frozen=True)
class Recomputed:
    """What the kernels make of one target today: a feature row or a gap, and the evidence, which
    lacks only where the computation failed or there is no target; ``passed`` says why a source that
    names the key makes no target of it."""

    feature: Row | None
    gap: Row | None
    evidence: Evidence | None
    passed: tuple[str, ...] = ()

    def value(self, name: str) -> float | None:
        """A feature's value by its name."""
        (feature,) = (feature for feature in FEATURES if feature.name == name)
        found: float | None = self.feature[feature.value_column] if self.feature else None
        return found


def recompute(raw: RawChunk, references: References, spec: TargetSpec, player: str) -> Recomputed:
    """The player's target of the one date of ``spec``; both None when the player is no target.

    ``raw`` is the read window as a reader gives it.
    """
    chunk = prepare_chunk(raw, spec, 1, references)
    rows = _select_player(chunk, player)
    passed = [row["detail"] for row in chunk.passed.to_pylist() if row["player_lookup"] == player]
    if rows is None:
        return Recomputed(None, None, None, tuple(passed))
    figures = TeamFigures(join_team_parts(chunk.team_parts.items()))
    features, gaps, _ = compute_bucket(rows, figures, spec)
    feature, gap = ((table.to_pylist() or [None])[0] for table in (features, gaps))
    if (feature is None and gap is None) or (gap and gap["skip_reason"] == PROCESSING_ERROR):
        return Recomputed(feature, gap, None, tuple(passed))
    rows = sort_rows(rows)
    evidence = Evidence(
        see_targets(rows, figures, spec),
        rows,
        TeamWindows(chunk.team_games, pa.Table.from_batches([chunk.team_parts[DAYS]])),
        select_history(raw.history, references, player),
        collect_statements(raw.sides, references, player),
    )
    return Recomputed(feature, gap, evidence, tuple(passed))


def select_history(raw: pa.Table, references: References, player: str) -> pa.Table:
    """The player's rows among those read, under any of his lookups, normalized."""
    rows, _ = rename_players(normalize_columns(raw)[0], references.aliases)
    mine: pa.Table = rows.filter(pc.equal(single_chunk(rows, "player_lookup").dictionary_decode(), player))
    return mine


def _select_player(chunk: HistoryChunk, player: str) -> pa.Table | None:
    """The rows of one player; None when there are none."""
    for _, batch in chunk.rows:
        rows = pa.table(batch)
        mine = rows.filter(pc.equal(single_chunk(rows, "player_lookup").dictionary_decode(), player))
        if mine.num_rows:
            return mine
    return None


def _list_rows(table: pa.Table) -> list[Row]:
    """The rows as Python values, None for NaN."""
    return [
        {name: _to_figure(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]


def _to_figure(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _judge(row: Row, judged: Row, windows: tuple[str, ...]) -> tuple[str, str]:
    """Why a row that counts is in none of the windows."""
    if judged["invalid"]:
        return "invalid", INVALID_RULES[judged["invalid"]]
    if not judged["played"] and "last_10_rows" not in windows:
        return "did not play", _explain_absence(row)
    return "outside", OUTSIDE[windows[-1]]


def _explain_absence(row: Row) -> str:
    if row["is_dnp"]:
        return f"DNP: {row['dnp_reason']}" if row["dnp_reason"] else "DNP"
    return "points unknown" if row["points"] is None else "no minutes and no points"
