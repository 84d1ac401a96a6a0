"""Runs whose targets are single keys: what they read, compute, write and leave alone."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest
from hamcrest import assert_that, contains_exactly, empty, equal_to, has_entries, has_entry, is_in
from warehouse import (
    House,
    Key,
    differences,
    drop,
    invalidate,
    key_of,
    list_dates,
    make_league,
    make_row,
)

from pipeline.plan import merge_windows
from pipeline.season import DateRange
from transforms.side_tables import UPCOMING

ROWS = make_league(dates=30, players=4)
DAYS = list_dates(ROWS)
OPTIONS = {"bootstrap_days": 0}


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A season, backfilled with the bootstrap rule: its first dates are open gaps."""
    made = House(str(tmp_path / "w.duckdb"), DAYS)
    made.put(ROWS)
    made.commit()
    return made


def sample(house: House, count: int) -> list[Key]:
    keys = [key for key in house.read().open_gaps if key[1] > DAYS[1]]
    return random.Random(3).sample(sorted(keys), count)


@pytest.mark.parametrize("through_beam", [False, True])
def test_what_it_fills_is_what_a_full_backfill_would_write(
    house: House, tmp_path: Path, through_beam: bool
) -> None:
    keys, whole = sample(house, 9), house.copy(tmp_path / "whole.duckdb")
    whole.commit(**OPTIONS)
    before = house.read()
    row = house.run_keys(keys, **OPTIONS).row if through_beam else house.commit(keys=keys, **OPTIONS)
    after = house.read()
    assert_that(row, has_entries(mode="gaps", records_expected=9, records_created=9, gaps_resolved=9))
    filled = {key: row for key, row in after.content["features"].items() if key not in before.features}
    assert_that(filled, equal_to({key: whole.read().content["features"][key] for key in keys}))
    for key, gap in after.gaps.items():
        if key in keys:
            assert_that(gap, has_entry("resolved_run_id", row["run_id"]))
        else:
            assert_that(gap, equal_to(before.gaps[key]), str(key))
    assert_that({key: after.features[key] for key in before.features}, equal_to(before.features))


def test_all_gaps_filled_one_by_one_give_the_tables_of_one_backfill(house: House, tmp_path: Path) -> None:
    house.put([row for row in ROWS if row["player_lookup"][-1] in "01"])
    house.commit(allow_deletes=True)
    whole = house.copy(tmp_path / "whole.duckdb")
    whole.commit(**OPTIONS)
    for key in sorted(house.read().open_gaps, key=lambda key: random.Random(str(key)).random()):
        house.commit(keys=[key], **OPTIONS)
    found, expected = house.read(), whole.read()
    assert_that(found.content["features"], equal_to(expected.content["features"]))
    assert_that(differences(found, expected), empty())


def test_nothing_beside_its_keys_is_touched_though_it_would_change(house: House) -> None:
    """Rows of the same dates that a backfill would rewrite, delete, open or withdraw stay."""
    (player, day), *_ = sample(house, 1)
    others = [row for row in ROWS if row["game_date"] == day and row["player_lookup"] != player]
    gone, spoilt = key_of(others[0]), others[1]
    late = next(row for row in ROWS if row["game_date"] == DAYS[3])
    rows = [row for row in ROWS if key_of(row) != gone and row is not spoilt and row is not late]
    house.put([*rows, invalidate(spoilt), late | {"points": late["points"] + 40}])
    before = house.read()
    house.commit(keys=[(player, day)], **OPTIONS)
    after = house.read()
    assert_that({key: after.features[key] for key in before.features}, equal_to(before.features))
    assert_that(
        {key: gap for key, gap in after.gaps.items() if key != (player, day)},
        equal_to({key: gap for key, gap in before.gaps.items() if key != (player, day)}),
    )
    assert_that((player, day), is_in(after.features))


def test_a_key_that_is_skipped_again_stays_open_with_one_more_attempt(house: House) -> None:
    key = sample(house, 1)[0]
    before = house.read().gaps[key]
    row = house.commit(keys=[key])
    after = house.read().gaps[key]
    assert_that(row, has_entries(records_created=0, gaps_opened=0, gaps_open=1))
    assert_that(after["attempt_count"], equal_to(before["attempt_count"] + 1))
    assert_that(after["resolved_at"], equal_to(None))
    changed = ("attempt_count", "last_attempt_at")
    assert_that(drop(after, changed), equal_to(drop(before, changed)))


def test_a_key_that_is_no_target_any_more_is_withdrawn_and_others_are_not(house: House) -> None:
    key, other = sample(house, 2)
    house.put([row for row in ROWS if key_of(row) not in (key, other)])
    house.commit(keys=[key], **OPTIONS)
    gaps = house.read().gaps
    assert_that(gaps[key]["withdrawn_at"] is not None)
    assert_that(gaps[key]["skip_detail"], equal_to("no target any more: nothing names this player and date"))
    assert_that(gaps[other]["withdrawn_at"], equal_to(None))


def test_announced_players_that_are_not_asked_for_are_no_targets(house: House) -> None:
    key = sample(house, 1)[0]
    names = {"game_id": "g", "game_date": key[1], "team_abbr": "BOS", "opponent_team_abbr": "CHI"}
    house.put_side(UPCOMING, [{"player_lookup": "newcomer", **names, "home_game": True}])
    row = house.commit(keys=[key], **OPTIONS)
    assert_that(row, has_entries(records_expected=1, records_created=1))
    assert_that(("newcomer", key[1]) in house.read().gaps, equal_to(False))


def test_it_reads_the_windows_of_its_dates_and_nothing_between(tmp_path: Path) -> None:
    early, late = date(2020, 3, 1), date(2023, 3, 1)
    rows = [
        make_row(player, day - timedelta(days=back), *teams)
        for day in (early, late)
        for back in (0, 1, 30, 364, 365, 366, 500)
        for player, teams in (("a", ("BOS", "CHI")), ("b", ("CHI", "BOS")))
    ]
    house = House(str(tmp_path / "w.duckdb"), list_dates(rows))
    house.put(rows)
    row = house.commit(keys=[("a", early), ("b", late)], **OPTIONS)
    assert_that(row["timing_breakdown"]["detail"]["extract"]["rows"], equal_to(20))
    assert_that(house.read().features.keys(), contains_exactly(("a", early), ("b", late)))
    assert_that(row, has_entries(start_date=early, end_date=late))


@pytest.mark.parametrize(
    ("gaps", "merged"),
    [([0], [(-365, 1)]), ([0, 1], [(-365, 2)]), ([0, 365], [(-365, 366)]), ([0, 366], [(-365, 367)]),
     ([0, 367], [(-365, 1), (2, 368)]), ([0, 900, 901], [(-365, 1), (535, 902)]), ([5, 0, 5], [(-365, 6)])],
)  # fmt: skip
def test_windows_are_merged_where_they_overlap_or_touch(
    gaps: list[int], merged: list[tuple[int, int]]
) -> None:
    zero = date(2020, 1, 1)
    expected = [DateRange(*(zero + timedelta(days=day) for day in window)) for window in merged]
    assert_that(merge_windows([zero + timedelta(days=day) for day in gaps]), equal_to(expected))
