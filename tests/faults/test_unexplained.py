"""Rows that go for a reason that a source gives: they need no permission, and the gap says why."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hamcrest import assert_that, empty, equal_to, has_entries, is_
from scenes import DAYS, ROWS, TODAY, announce, schedule
from warehouse import House, make_row

from pipeline.errors import DeletionRefused
from transforms.side_tables import PLAYER_ALIASES, SCHEDULE, UPCOMING

MANY = [f"bos{n}x" for n in range(30)]
"""More than a run may delete unasked."""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A warehouse in which many are announced for today, and have their rows."""
    made = House(str(tmp_path / "w.duckdb"), list(DAYS))
    made.put([*ROWS, *(make_row(player, DAYS[-1], "BOS", "CHI") for player in MANY)])
    made.put_side(UPCOMING, [announce(player, TODAY) for player in MANY])
    run_day(made)
    return made


def run_day(house: House, **options: bool) -> dict[str, int]:
    row = house.commit(TODAY, TODAY, as_of=TODAY, bootstrap_days=0, **options)
    return {name: row[name] for name in ("records_created", "records_deleted", "gaps_open")}


def test_rows_of_a_postponed_date_go_without_permission(house: House) -> None:
    assert_that([day for _, day in house.read().features].count(TODAY), is_(len(MANY)))
    house.put_side(SCHEDULE, [schedule(TODAY) | {"game_status": 9}])
    assert_that(run_day(house), equal_to({"records_created": 0, "records_deleted": 30, "gaps_open": 0}))
    assert_that([key for key in house.read().features if key[1] == TODAY], empty())


def test_rows_of_lookups_that_became_aliases_go_without_permission(house: House) -> None:
    pairs = [{"alias_lookup": player, "nba_canonical_lookup": f"the{player}"} for player in MANY]
    house.put_side(PLAYER_ALIASES, pairs)
    assert_that(run_day(house), has_entries(records_created=30, records_deleted=30))
    assert_that({player for player, day in house.read().features if day == TODAY},
                equal_to({f"the{player}" for player in MANY}))  # fmt: skip


def test_the_same_rows_do_not_go_where_nothing_explains_it(house: House) -> None:
    house.put_side(UPCOMING, [announce(MANY[0], TODAY)])
    with pytest.raises(DeletionRefused, match="--allow-deletes"):
        run_day(house)
    house.put_side(UPCOMING, [announce(player, TODAY + timedelta(days=1)) for player in MANY])
    with pytest.raises(DeletionRefused, match="--allow-deletes"):
        run_day(house)
    assert_that(run_day(house, allow_deletes=True), has_entries(records_deleted=30))
