"""Which rows count: hand-made rows for each rule of the specification, section 1.1."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hamcrest import assert_that, contains_exactly, has_entries

from transforms.cleaning import INVALID_RULES, CleanRows, clean_rows
from transforms.schema import PLAYER_GAME_SUMMARY

SCHEMA = PLAYER_GAME_SUMMARY.schema
DAY = date(2021, 11, 5)
PLAIN: dict[str, Any] = {
    "player_lookup": "stephencurry",
    "game_id": "0022100130",
    "game_date": DAY,
    "team_abbr": "GSW",
    "opponent_team_abbr": "NOP",
    "points": 20,
    "minutes_played": 30.0,
    "fg_attempts": 15,
    "fg_makes": 7,
    "three_pt_attempts": 8,
    "three_pt_makes": 3,
    "ft_attempts": 4,
    "ft_makes": 3,
}


def clean(*rows: dict[str, Any], schema: pa.Schema = SCHEMA) -> CleanRows:
    return clean_rows(pa.Table.from_pylist([PLAIN | row for row in rows], schema=schema))


def only(cleaned: CleanRows) -> dict[str, Any]:
    rows: list[dict[str, Any]] = cleaned.table.to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_texts_are_trimmed_of_ascii_white_space_and_blank_is_null() -> None:
    row = only(
        clean({"player_lookup": "\t stephencurry\n", "opponent_team_abbr": " \v", "team_abbr": " GSW "})
    )
    assert_that(
        row, has_entries(player_lookup="stephencurry", opponent_team_abbr=None, team_abbr="GSW", invalid=0)
    )
    assert only(clean({"team_abbr": "\u00a0GSW"}))["team_abbr"] == "\u00a0GSW"


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [(30.0, 1800), (0.5 / 60, 0), (1.5 / 60, 2), (2.5 / 60, 2), (None, None), (float("nan"), None),
     (float("-inf"), None), (-0.001, 0), (100.0, 6000)],
)  # fmt: skip
def test_minutes_become_whole_seconds_half_to_even(minutes: float | None, seconds: int | None) -> None:
    row = only(clean({"minutes_played": minutes}))
    assert (row["seconds"], row["invalid"]) == (seconds, 0)


def test_numbers_that_are_not_finite_are_counted() -> None:
    rows = [
        {"minutes_played": m, "player_lookup": f"p{i}"}
        for i, m in enumerate([float("nan"), float("inf"), 1.0])
    ]
    assert clean(*rows).non_finite == 2


def test_decimal_minutes_and_short_integers_are_read() -> None:
    schema = pa.schema(
        [
            field.with_type(pa.decimal128(10, 3) if field.name == "minutes_played" else
                            pa.int16() if field.type == pa.int64() else field.type)
            for field in SCHEMA
        ]
    )  # fmt: skip
    row = only(clean({"minutes_played": Decimal("30.125")}, schema=schema))
    assert_that(row, has_entries(seconds=1808, points=20))


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        ({"season_type": "Pre Season"}, True),
        ({"season_type": "ALL-STAR game"}, True),
        ({"game_id": "0012100001"}, True),
        ({"game_id": "0032100001"}, True),
        ({"game_id": "00121000011"}, False),
        ({"game_id": "0022100001", "season_type": "Regular Season"}, False),
        ({"season_type": None}, False),
    ],
)
def test_exhibition_games_are_dropped_and_counted(change: dict[str, Any], dropped: bool) -> None:
    cleaned = clean(change)
    assert (cleaned.dropped, cleaned.table.num_rows) == (int(dropped), int(not dropped))


@pytest.mark.parametrize(
    ("change", "played"),
    [
        ({}, True),
        ({"is_dnp": True}, False),
        ({"is_dnp": None}, True),
        ({"points": 0}, True),
        ({"points": 0, "minutes_played": 0.0}, False),
        ({"points": 0, "minutes_played": None}, False),
        ({"points": 2, "minutes_played": None}, True),
        ({"points": None}, False),
    ],
)
def test_who_played(change: dict[str, Any], played: bool) -> None:
    assert only(clean(change))["played"] is played


EARLY, LATE = datetime(2022, 1, 1, tzinfo=UTC), datetime(2022, 1, 2, tzinfo=UTC)
BETTER_FIRST: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"points": 1}, {"points": 50, "is_dnp": True, "processed_at": LATE}),
    ({"processed_at": LATE, "points": 1}, {"processed_at": EARLY}),
    ({"processed_at": EARLY, "points": 1}, {"processed_at": None}),
    ({"game_id": "0022100131", "points": 1}, {}),
    ({"game_id": "a", "points": 1}, {"game_id": "Z"}),
    ({"team_abbr": "LAL", "points": 1}, {}),
    ({"opponent_team_abbr": "A", "points": 1}, {"opponent_team_abbr": None}),
    ({"points": 21}, {"points": 20}),
    ({"minutes_played": 30.02, "fg_attempts": 1, "fg_makes": 0}, {}),
    ({"is_home": True}, {"is_home": False}),
    ({"is_home": False}, {"is_home": None}),
    ({"turnovers": 0}, {"turnovers": None}),
    ({"season_year": 0}, {"season_year": None}),
]  # fmt: skip


@pytest.mark.parametrize(("better", "worse"), BETTER_FIRST)
def test_of_two_rows_for_one_key_the_better_counts_whatever_the_order(
    better: dict[str, Any], worse: dict[str, Any]
) -> None:
    winner = only(clean(better))
    for rows in itertools.permutations([better, worse, worse]):
        cleaned = clean(*rows)
        assert only(cleaned) == winner
        assert cleaned.duplicates == 2


def test_rows_without_a_player_are_no_duplicates_but_rejected() -> None:
    cleaned = clean({"player_lookup": None}, {"player_lookup": " "}, {})
    assert (cleaned.duplicates, cleaned.rejected, cleaned.invalid, cleaned.table.num_rows) == (0, 2, 2, 3)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"player_lookup": None}, "player_lookup is missing"),
        ({"game_id": " "}, "game_id is missing"),
        ({"team_abbr": None}, "team_abbr is missing"),
        ({"opponent_team_abbr": "GSW "}, "team_abbr equals opponent_team_abbr"),
        ({"opponent_team_abbr": None}, ""),
        ({"minutes_played": 100.01}, "minutes_played above 100"),
        ({"minutes_played": 100.004}, ""),
        ({"minutes_played": 1e308}, "minutes_played above 100"),
        ({"minutes_played": -1.0}, "seconds is negative"),
        ({"points": -1}, "points is negative"),
        ({"turnovers": -1}, "turnovers is negative"),
        ({"mid_range_makes": -1}, "mid_range_makes is negative"),
        ({"points": 2**62}, "points above 1000000"),
        ({"fg_makes": 16}, "fg_makes above fg_attempts"),
        ({"three_pt_makes": 9}, "three_pt_makes above three_pt_attempts"),
        ({"ft_makes": 5}, "ft_makes above ft_attempts"),
        ({"paint_makes": 1, "paint_attempts": 0}, "paint_makes above paint_attempts"),
        ({"paint_makes": 1, "paint_attempts": None}, ""),
        ({"is_dnp": True, "points": None}, ""),
    ],
)
def test_what_makes_a_row_invalid(change: dict[str, Any], rule: str) -> None:
    assert INVALID_RULES[only(clean(change))["invalid"]] == rule


@pytest.mark.parametrize(
    ("day", "season"),
    [
        (date(2021, 10, 1), 2021),
        (date(2021, 9, 30), 2020),
        (date(2020, 10, 11), 2019),
        (date(2020, 10, 12), 2020),
        (date(2020, 8, 1), 2019),
        (date(2019, 10, 5), 2019),
        (date(1969, 12, 31), 1969),
        (date(1970, 1, 1), 1969),
    ],
)
def test_the_season_comes_from_the_date_where_it_is_null(day: date, season: int) -> None:
    assert only(clean({"game_date": day}))["season_year"] == season
    assert only(clean({"game_date": day, "season_year": 1999}))["season_year"] == 1999


def test_home_is_derived_only_where_the_column_is_absent() -> None:
    without = pa.schema([field for field in SCHEMA if field.name != "is_home"])
    rows = [
        {"player_lookup": name, "game_id": game, "team_abbr": team}
        for name, game, team in [
            ("away", "20211105_GSW_NOP", "GSW"),
            ("home", "20211105_LAL_GSW", "GSW"),
            ("neither", "20211105_LAL_BOS", "GSW"),
            ("both", "20211105_GSW_GSW", "GSW"),
            ("other", "0022100130", "GSW"),
            ("none", None, "GSW"),
        ]
    ]
    derived = {row["player_lookup"]: row["is_home"] for row in clean(*rows, schema=without).table.to_pylist()}
    assert derived == {
        "away": False, "home": True, "neither": None, "both": None, "other": None, "none": None
    }  # fmt: skip
    assert {row["is_home"] for row in clean(*rows).table.to_pylist()} == {None}


def test_an_empty_chunk_is_clean() -> None:
    cleaned = clean_rows(SCHEMA.empty_table())
    assert_that([cleaned.read, cleaned.table.num_rows, cleaned.invalid], contains_exactly(0, 0, 0))
