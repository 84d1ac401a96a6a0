"""A league and side tables small enough to work out by hand what the specification makes of them.

Ann (ATL) and Bob (BOS) have met three times; what is asked is Ann's row of 10 January 2024, on which noon
US Eastern is 17:00 UTC. Each function makes one row of one table; :func:`run` asks the oracle
and the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from agreement import find_differences
from leagues import COLUMNS, League, run_kernels
from oracle import OracleResult, OracleRow, Sides, compute
from side_tables import to_tables

from transforms.contracts import TargetSpec
from transforms.gaps import Admission

Row = dict[str, Any]
DAY = date(2024, 1, 10)
NOON = datetime(2024, 1, 10, 17, tzinfo=UTC)
TIP = datetime(2024, 1, 11, 0, 30, tzinfo=UTC)
JUST = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
EARLIER = (date(2024, 1, 4), date(2024, 1, 6), date(2024, 1, 8))


def play(player: str, day: date, **changes: Any) -> Row:
    """A player row: 10 points in half an hour."""
    team, opponent = ("BOS", "ATL") if player == "bob" else ("ATL", "BOS")
    row: Row = dict.fromkeys(COLUMNS) | {
        "player_lookup": player, "game_id": f"g{day:%m%d}", "game_date": day, "team_abbr": team,
        "opponent_team_abbr": opponent, "points": 10, "minutes_played": 30.0, "fg_attempts": 10,
        "fg_makes": 5, "three_pt_attempts": 0, "three_pt_makes": 0, "ft_attempts": 0, "ft_makes": 0,
    }  # fmt: skip
    return row | changes


def coming(**changes: Any) -> Row:
    """An upcoming row: Ann at home against BOS."""
    return {
        "player_lookup": "ann", "game_id": "g1", "game_date": DAY, "team_abbr": "ATL",
        "opponent_team_abbr": "BOS", "home_game": True,
    } | changes  # fmt: skip


def game(**changes: Any) -> Row:
    """A row of the schedule for the same game."""
    return {
        "game_id": "g1", "game_date": DAY, "home_team_abbr": "ATL", "away_team_abbr": "BOS", "game_status": 1,
        "game_type": None, "tipoff_at": None,
    } | changes  # fmt: skip


def report(status: str | None, at: datetime | None = NOON, **changes: Any) -> Row:
    row: Row = {"player_lookup": "ann", "game_date": DAY, "team": "ATL", "injury_status": status}
    return row | {"reported_at": at} | changes


def line(
    points: float | None, at: datetime | None = NOON, book: str | None = "FanDuel", **changes: Any
) -> Row:
    row: Row = {"player_lookup": "ann", "game_date": DAY, "bookmaker": book, "points_line": points}
    return row | {"snapshot_timestamp": at} | changes


def alias(name: str | None, canonical: str | None) -> Row:
    return {"alias_lookup": name, "nba_canonical_lookup": canonical}


def birth(day: date | None, player: str = "ann") -> Row:
    return {"player_lookup": player, "birth_date": day}


HISTORY = [play(player, day) for player in ("ann", "bob") for day in EARLIER]
UPCOMING = [coming()]


def run(sides: Sides, rows: Iterable[Row] = HISTORY, day: date = DAY, **options: Any) -> OracleResult:
    """Every target of one date, without the bootstrap rule unless asked for: the kernels must agree."""
    rows, options = list(rows), {"bootstrap_days": 0} | options
    expected = compute(rows, COLUMNS, day, day, sides=sides, **options)
    admission = Admission(*(options.get(name, value) for name, value in vars(Admission()).items()))
    computed = run_kernels(
        League(rows, COLUMNS).table(),
        TargetSpec(day, day + timedelta(days=1), admission, today=options.get("today", date.min)),
        stored=options.get("stored_keys", ()),
        sides=to_tables(sides),
    )
    assert find_differences(computed, expected) == []
    return expected


def row_of(sides: Sides, rows: Iterable[Row] = HISTORY, day: date = DAY, **options: Any) -> OracleRow:
    return run(sides, rows, day, **options).features["ann", day]


def reason_of(sides: Sides, rows: Iterable[Row] = HISTORY, **options: Any) -> str | None:
    gap = run(sides, rows, **options).gaps.get(("ann", DAY))
    return gap.reason if gap else None
