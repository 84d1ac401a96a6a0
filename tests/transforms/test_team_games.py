"""Team games and what they say of a date, computed by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from transforms.cleaning import clean_rows
from transforms.kernels.team_context import build_team_context, list_season_days, list_team_days
from transforms.kernels.team_games import sum_team_games
from transforms.schema import PLAYER_GAME_SUMMARY

DAY = date(2021, 11, 5)


def player(name: str, team: str, opponent: str, points: int | None, **changes: Any) -> dict[str, Any]:
    return {
        "player_lookup": name,
        "game_id": "g1",
        "game_date": DAY,
        "team_abbr": team,
        "opponent_team_abbr": opponent,
        "points": points,
        "minutes_played": 48.0,
        "fg_attempts": 20,
        "fg_makes": 10,
        "three_pt_attempts": 4,
        "three_pt_makes": 1,
        "ft_attempts": 5,
        "ft_makes": 4,
        "offensive_rebounds": 2,
        "turnovers": 3,
    } | changes


BOTH = [
    player("a", "AAA", "BBB", 20), player("b", "AAA", "BBB", 15),
    player("c", "BBB", "AAA", 30), player("d", "BBB", "AAA", 4),
]  # fmt: skip


def sum_games(rows: list[dict[str, Any]]) -> tuple[dict[tuple[str, date], dict[str, Any]], list[float]]:
    clean = clean_rows(pa.Table.from_pylist(rows, schema=PLAYER_GAME_SUMMARY.schema)).table
    games, usage = sum_team_games(clean)
    return {(row["team_abbr"], row["game_date"]): row for row in games.to_pylist()}, usage.tolist()


def test_pace_ratings_and_result() -> None:
    games, usage = sum_games(BOTH)
    possessions = 2 * (100 * 20 + 44 * 5 - 100 * 2 + 100 * 3)  # a hundred times the possessions
    first, second = games["AAA", DAY], games["BBB", DAY]
    assert first["pace"] == 144 * possessions / (2 * 48 * 60)
    assert (first["offensive_rating"], first["defensive_rating"]) == (
        350_000 / possessions,
        340_000 / possessions,
    )
    assert (second["offensive_rating"], second["defensive_rating"]) == (
        340_000 / possessions,
        350_000 / possessions,
    )
    assert (first["win"], second["win"]) == (1.0, 0.0)
    own = 100 * 20 + 44 * 5 + 100 * 3
    assert usage == [20 * own * 5760 / (2880 * 2 * own)] * 4


def known(game: dict[str, Any]) -> set[str]:
    figures = ("pace", "offensive_rating", "defensive_rating", "win")
    return {name for name in figures if game[name] == game[name]}


ALL = {"pace", "offensive_rating", "defensive_rating", "win"}


@pytest.mark.parametrize(
    ("change", "own", "opponent"),
    [
        ({}, ALL, ALL),
        ({"minutes_played": None}, ALL - {"pace"}, ALL),
        ({"turnovers": None}, {"defensive_rating", "win"}, ALL - {"defensive_rating"}),
        ({"points": None}, ALL, ALL),  # the row did not play: what it lacks counts 0
        ({"is_dnp": True, "turnovers": None}, ALL, ALL),
        ({"fg_makes": 99}, {"defensive_rating"}, {"pace", "offensive_rating"}),
        ({"player_lookup": None}, {"defensive_rating"}, {"pace", "offensive_rating"}),
    ],
)
def test_what_voids_a_total(change: dict[str, Any], own: set[str], opponent: set[str]) -> None:
    games, _ = sum_games([BOTH[0] | change, *BOTH[1:]])
    assert (known(games["AAA", DAY]), known(games["BBB", DAY])) == (own, opponent)


def test_a_level_score_is_no_result_and_one_team_has_no_opponent() -> None:
    level, _ = sum_games([BOTH[0], BOTH[2] | {"points": 20}])
    assert "win" not in known(level["AAA", DAY])
    alone, _ = sum_games(BOTH[:2])
    assert known(alone["AAA", DAY]) == {"pace", "offensive_rating"}


def test_three_teams_behind_one_id_have_no_opponents() -> None:
    games, _ = sum_games([*BOTH, player("e", "CCC", "AAA", 9)])
    assert [known(game) for game in games.values()] == [{"pace", "offensive_rating"}] * 3


def test_a_team_that_nobody_played_for_has_no_game_but_is_an_opponent() -> None:
    absent = player("e", "BBB", "AAA", None, is_dnp=True)
    games, _ = sum_games([*BOTH[:2], absent])
    assert set(games) == {("AAA", DAY)}
    assert games["AAA", DAY]["league_three_pt_attempts"] == 8


def test_each_date_of_one_id_is_a_game_of_its_own() -> None:
    later = DAY + timedelta(days=1)
    games, _ = sum_games([*BOTH, *(row | {"game_date": later, "points": 7} for row in BOTH[:2])])
    assert known(games["AAA", later]) == {"pace", "offensive_rating"}
    assert "win" in known(games["AAA", DAY])


def test_the_context_of_a_date() -> None:
    """Two games in three days, then the date: rest, back-to-back, means, wins, season's start."""
    games = []
    for back, scores in ((3, (35, 34)), (1, (20, 40))):
        day = DAY - timedelta(days=back)
        for row, points in zip((BOTH[0], BOTH[2]), scores, strict=True):
            games.append(row | {"game_date": day, "game_id": f"g{back}", "points": points})
    target = BOTH[0] | {"opponent_team_abbr": "CCC"}
    clean = clean_rows(pa.Table.from_pylist([*games, target], schema=PLAYER_GAME_SUMMARY.schema)).table
    is_target = clean.column("game_date").to_numpy() == DAY
    context = build_team_context(
        sum_team_games(clean)[0], list_team_days(clean, is_target), list_season_days(clean)
    ).to_pylist()
    assert [row["team_abbr"] for row in context] == ["AAA", "CCC"]
    own, other = context
    assert (own["games"], own["rest_days"], own["played_yesterday"], own["win_pct"]) == (2, 1.0, 1.0, 0.5)
    possessions = 100 * 20 + 44 * 5 - 100 * 2 + 100 * 3
    assert own["offensive_rating_last_10"] == (350_000 / possessions + 200_000 / possessions) / 2
    assert own["defensive_rating_last_15"] == (340_000 / possessions + 400_000 / possessions) / 2
    assert own["season_first"] == DAY - timedelta(days=3)
    assert other["games"] == 0
    assert other["win_pct"] != other["win_pct"]
