"""Nothing from the game date or later reaches a feature, and nothing older than the window."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from leagues import League, Row, make_league, run_kernels
from oracle import NO_SIDES, Sides
from side_examples import NOON, UPCOMING, game, line, report, row_of
from side_tables import EASTERN, make_sides, to_tables

from transforms.contracts import TargetSpec
from transforms.gaps import Admission

OWN_FACTS = ("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr")
STATISTICS = ("points", "fg_attempts", "ft_attempts", "turnovers", "paint_attempts", "offensive_rebounds")


def compute_date(
    rows: list[Row], columns: tuple[str, ...], day: date, sides: Sides = NO_SIDES
) -> dict[str, Any]:
    """What is said of every target of one date: its row or its gap, without its key."""
    table = League(rows, columns).table()
    spec = TargetSpec(day, day + timedelta(days=1), today=day)
    computed = run_kernels(table, spec, buckets=2, sides=to_tables(sides))
    return {player: found for (player, _), found in (computed.features | computed.gaps).items()}


def disturb_from(rng: random.Random, rows: list[Row], columns: tuple[str, ...], day: date) -> list[Row]:
    """Adds, alters and deletes records of ``day`` and later; targets of ``day`` keep their facts."""
    out = []
    for row in rows:
        if row["game_date"] < day:
            out.append(row)
        elif row["game_date"] == day:
            # the score of the game itself: greater attempts keep the row valid and played
            changed = {
                name: row[name] + rng.randint(1, 30)
                for name in STATISTICS
                if name in columns and row[name] is not None and rng.random() < 0.7
            }
            out.append(row | changed)
        elif rng.random() < 0.5:
            out.append(row | {"points": rng.randint(0, 60), "is_dnp": rng.choice([True, False, None])})
    later = rng.choices([row for row in rows if row["game_date"] >= day], k=20)
    for number, row in enumerate(later):
        stranger = {"player_lookup": f"stranger{number}", "points": 50, "minutes_played": 40.0}
        out.append(row | stranger | {"game_date": max(day, row["game_date"])})
    for number in range(10):
        known = rng.choice(rows)["player_lookup"]
        future = {"player_lookup": known, "game_date": day + timedelta(days=rng.randint(1, 400))}
        out.append(rng.choice(later) | future | {"game_id": f"future{number}"})
    rng.shuffle(out)
    return out


@pytest.mark.parametrize("seed", range(8))
def test_records_of_the_date_and_later_move_no_value(seed: int) -> None:
    league, rng = make_league(seed), random.Random(seed)
    sides = make_sides(seed, league)
    days = sorted({row["game_date"] for row in league.rows})
    compared = 0
    for day in rng.sample(days[len(days) // 3 :], 4):
        expected = compute_date(league.rows, league.columns, day, sides)
        disturbed = disturb_from(rng, league.rows, league.columns, day)
        found = compute_date(disturbed, league.columns, day, sides)
        valid = {player for player, said in expected.items() if said.get("skip_reason") != "invalid_input"}
        assert {player: found[player] for player in valid} == {player: expected[player] for player in valid}
        compared += len(valid)
    assert compared > 20


@pytest.mark.parametrize("seed", range(8))
def test_what_is_said_after_the_tip_off_moves_no_value(seed: int) -> None:
    """Reports and snapshots of the date that come later are altered, taken away and added to."""
    league, rng = make_league(seed), random.Random(seed)
    sides = make_sides(seed, league)
    days = sorted({row["game_date"] for row in league.rows})
    moved = 0
    for day in rng.sample(days[len(days) // 3 :], 4):
        tips = [row.get("tipoff_at") for row in sides.schedule or () if row["game_date"] == day]
        latest = max([datetime.combine(day, time(12), tzinfo=EASTERN), *(tip for tip in tips if tip)])
        expected = compute_date(league.rows, league.columns, day, sides)
        reports = disturb_after(
            rng, sides.injuries, latest, day, "reported_at", "injury_status", ["out", "x"]
        )
        lines = disturb_after(rng, sides.lines, latest, day, "snapshot_timestamp", "points_line", [3.5, 99.5])
        later = replace(sides, injuries=reports, lines=lines)
        assert compute_date(league.rows, league.columns, day, later) == expected
        moved += later != sides
    assert moved or (sides.injuries is None and sides.lines is None)


def disturb_after(
    rng: random.Random,
    rows: Sequence[Row] | None,
    latest: datetime,
    day: date,
    instant: str,
    told: str,
    values: list[Any],
) -> list[Row] | None:
    """The rows, those of ``day`` after ``latest`` altered or gone, and others of after it added."""
    if rows is None:
        return None
    out = []
    for row in rows:
        late = row["game_date"] == day and row[instant] is not None and row[instant] > latest
        if not late:
            out.append(row)
        elif rng.random() < 0.5:
            out.append(row | {told: rng.choice(values)})
    named = [row for row in rows if row["game_date"] == day]
    for row in named:
        at = latest + timedelta(microseconds=rng.choice([1, 10**6, 3600 * 10**6, 10 * 86_400 * 10**6]))
        out.append(row | {instant: at, told: rng.choice(values)})
    rng.shuffle(out)
    return out


@pytest.mark.parametrize("by", ["tip-off", "noon"])
@pytest.mark.parametrize("late", [-1, 0, 1])
def test_the_cut_off_itself_is_in_time_and_a_microsecond_later_is_not(by: str, late: int) -> None:
    """The other side of the property above, which would hold if nothing counted at all."""
    tip = datetime(2024, 1, 11, 0, 30, tzinfo=UTC)
    at = (tip if by == "tip-off" else NOON) + timedelta(microseconds=late)
    schedule = [game(tipoff_at=tip)] if by == "tip-off" else None
    sides = Sides(UPCOMING, schedule, injuries=[report("out", at)], lines=[line(20.5, at)])
    values = row_of(sides).values
    told = [values[index] for index in (10, 25, 26, 27, 28)]
    assert told == ([3, 20.5, 20.5, 0, 1] if late <= 0 else [None] * 5)


@pytest.mark.parametrize("seed", range(4))
def test_records_before_the_window_move_no_value(seed: int) -> None:
    league, rng = make_league(seed), random.Random(seed)
    day = rng.choice(sorted({row["game_date"] for row in league.rows})[12:])
    expected = compute_date(league.rows, league.columns, day)
    old = [
        row | {"game_date": day - timedelta(days=366 + n), "game_id": f"old{n}"}
        for n, row in enumerate(rng.choices(league.rows, k=40))
    ]
    kept = [row for row in league.rows if row["game_date"] >= day - timedelta(days=365)]
    assert compute_date(kept + old, league.columns, day) == expected


def test_a_game_on_the_day_before_and_on_the_windows_first_day_counts() -> None:
    """The other side of both bounds: the property tests would pass if nothing counted at all."""
    league = make_league(3)
    template = next(row for row in league.rows if row["points"] and (row["minutes_played"] or 0) > 1)
    day = date(2021, 3, 1)
    for back, games in ((1, 1), (365, 1), (366, 0)):
        rows = [
            template | {"game_date": day - timedelta(days=back), "game_id": "g1"},
            template | {"game_date": day, "game_id": "g2"},
        ]
        spec = TargetSpec(day, day + timedelta(days=1), Admission(bootstrap_days=0), today=day)
        computed = run_kernels(League(rows, league.columns).table(), spec)
        found = [row["historical_completeness"]["games_found"] for row in computed.features.values()]
        assert found == [1] * games, back
