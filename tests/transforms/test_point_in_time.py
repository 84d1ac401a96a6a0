"""Nothing from the game date or later reaches a feature, and nothing older than the window."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from leagues import League, Row, make_league, run_kernels

from transforms.contracts import TargetSpec
from transforms.gaps import Admission

OWN_FACTS = ("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr")
STATISTICS = ("points", "fg_attempts", "ft_attempts", "turnovers", "paint_attempts", "offensive_rebounds")


def compute_date(rows: list[Row], columns: tuple[str, ...], day: date) -> dict[str, Any]:
    """What is said of every target of one date: its row or its gap, without its key."""
    table = League(rows, columns).table()
    computed = run_kernels(table, TargetSpec(day, day + timedelta(days=1), today=day), buckets=2)
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
    days = sorted({row["game_date"] for row in league.rows})
    compared = 0
    for day in rng.sample(days[len(days) // 3 :], 4):
        expected = compute_date(league.rows, league.columns, day)
        disturbed = disturb_from(rng, league.rows, league.columns, day)
        found = compute_date(disturbed, league.columns, day)
        valid = {player for player, said in expected.items() if said.get("skip_reason") != "invalid_input"}
        assert {player: found[player] for player in valid} == {player: expected[player] for player in valid}
        compared += len(valid)
    assert compared > 20


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
