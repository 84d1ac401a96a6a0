"""However a run is cut, ordered, spread and repeated, by seed: the same tables, gaps included."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hamcrest import assert_that, empty, equal_to, greater_than, has_length
from leagues import make_league as make_wild_league
from side_tables import TABLES, make_sides, to_tables
from warehouse import House, Tables, differences

from pipeline import plan, preflight
from pipeline.warehouse.duckdb import DuckDBReader
from transforms.schema import PLAYER_GAME_SUMMARY, Table

LEAGUE = 2
"""The seed of a league whose side tables hold everything that they should not."""


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> House:
    league = make_wild_league(LEAGUE)
    rows = [row for row in league.rows if row["game_date"] is not None]
    house = House(str(tmp_path_factory.mktemp("wild") / "w.duckdb"), sorted({r["game_date"] for r in rows}))
    house.put(rows)
    for table in TABLES.values():
        house.put_side(table, to_tables(make_sides(LEAGUE, league))[table.path].to_pylist())
    return house


def find_targets(house: House) -> tuple[date, date]:
    """From the first date after the pause of a year, where the bootstrap rule holds back most."""
    days = house.days
    first = next(day for before, day in pairwise(days) if (day - before).days > 30)
    return first, days[-1] + timedelta(days=5)


def options(house: House) -> dict[str, Any]:
    return {"as_of": house.days[-1], "include_injured": True, "allow_deletes": True}


@pytest.fixture(scope="module")
def expected(wild: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tables]:
    """The tables of one plain run, and of one more that fills its gaps with the bootstrap rule off."""
    house = wild.copy(tmp_path_factory.mktemp("plain") / "w.duckdb")
    house.run(*find_targets(house), **options(house))
    plain = house.read()
    house.run_keys(plain.open_gaps, bootstrap_days=0, **options(house))
    return {"run": plain, "filled": house.read()}


def shuffle_rows(rng: random.Random, house: House, table: Table) -> None:
    """Stores the rows of a table in another order."""
    with house.warehouse.open(read_only=False) as connection:
        rows = connection.sql(f"SELECT * FROM {table.path}").to_arrow_table()
        order = list(range(rows.num_rows))
        rng.shuffle(order)
        connection.register("shuffled", rows.take(order))
        connection.execute(f"DELETE FROM {table.path}")
        connection.execute(f"INSERT INTO {table.path} SELECT * FROM shuffled")


def draw_modes(rng: random.Random) -> dict[str, Any]:
    repeat = f"--direct_runner_bundle_repeat={rng.choice([0, 0, 1, 2])}"
    return {"parallel": rng.choice([1, 2, 3, 7]), "beam_args": (repeat,)}


def cut_otherwise(rng: random.Random, patch: pytest.MonkeyPatch) -> None:
    """Chunks and buckets of another size, and the chunks in another order."""
    patch.setattr(plan, "CHUNK_ROWS", rng.choice([30, 100, 700, 5000]))
    patch.setattr(plan, "BUCKET_ROWS", rng.choice([30, 100, 700, 5000]))
    make = plan.make_plan

    def make_shuffled(*given: Any, **more: Any) -> plan.Plan:
        made = make(*given, **more)
        return replace(made, chunks=tuple(rng.sample(made.chunks, len(made.chunks))))

    patch.setattr(preflight, "make_plan", make_shuffled)


@pytest.mark.seeds(3, 40)
def test_no_cut_order_worker_or_repeat_shows_in_the_tables(
    wild: House, expected: dict[str, Tables], tmp_path: Path, fault_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(f"shuffled {fault_seed}")
    house = wild.copy(tmp_path / "w.duckdb")
    for table in (PLAYER_GAME_SUMMARY, *TABLES.values()):
        shuffle_rows(rng, house, table)
    cut_otherwise(rng, monkeypatch)
    first, last = find_targets(house)
    middle = first + (last - first) * rng.random()
    parts = rng.choice([[(first, last)], [(first, middle), (middle + timedelta(days=1), last)]])
    for part in rng.sample(parts, len(parts)):
        house.run(*part, **draw_modes(rng), **options(house))
    assert_that(differences(house.read(), expected["run"]), empty())

    gaps = rng.sample(sorted(house.read().open_gaps), len(house.read().open_gaps))
    some = rng.randint(1, len(gaps) - 1)
    for keys in (gaps[:some], gaps[some:]):
        house.run_keys(keys, bootstrap_days=0, **draw_modes(rng), **options(house))
    assert_that(differences(house.read(), expected["filled"]), empty())


def test_the_league_is_worth_shuffling(expected: dict[str, Tables]) -> None:
    run, filled = expected["run"], expected["filled"]
    assert_that(run.features, has_length(greater_than(100)))
    assert_that({gap["skip_reason"] for gap in run.open_gaps.values()}, has_length(greater_than(3)))
    assert_that(len(filled.features), greater_than(len(run.features)))


@pytest.mark.parametrize("repeat", [0, 2])
def test_bundles_are_really_repeated(
    wild: House, tmp_path: Path, repeat: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chunk is read once, and again for each repetition that a flag or ``--bundle-repeat`` asks for."""
    reads: Counter[date] = Counter()
    read = DuckDBReader.read_history

    def count(self: DuckDBReader, start: date, end: date) -> Any:
        reads[start] += 1
        return read(self, start, end)

    house = wild.copy(tmp_path / "w.duckdb")
    first, last = find_targets(house)
    monkeypatch.setattr(DuckDBReader, "read_history", count)
    flags = (f"--direct_runner_bundle_repeat={repeat}",) if repeat else ()
    house.run(first, last, beam_args=flags, **options(house))
    times = 1 + max(repeat, request.config.getoption("--bundle-repeat"))
    whole = first - timedelta(days=365)
    assert_that(reads[whole], equal_to(times))
