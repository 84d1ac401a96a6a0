"""The baselines give the job's rows, also where box scores are unknown in part, odd or invalid."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
from hamcrest import assert_that, calling, contains_string, equal_to, greater_than, has_item, raises
from leagues import make_league as make_dirty_league
from warehouse import House, list_dates, make_league

from benchmarks.baselines.duckdb_sql import run_sql_job, run_statements
from benchmarks.verify import compare_warehouses
from transforms.vector import FEATURES


def store_dirty_league(path: Path, seed: int, days: int) -> tuple[House, date, date]:
    """A random league, and a range whose first targets have history before them."""
    house = House(str(path / "ours.duckdb"))
    league = make_dirty_league(seed, days)
    house.put(league.rows)
    dates = list_dates(league.rows)
    return house, dates[len(dates) // 3], dates[-1]


@pytest.mark.parametrize("seed", range(4))
def test_the_sql_baseline_gives_the_rows_of_the_job(tmp_path: Path, seed: int) -> None:
    ours, first, last = store_dirty_league(tmp_path, seed, days=60)
    theirs = ours.copy(tmp_path / "sql.duckdb")
    ours.commit(first, last)
    run_sql_job(theirs.path, first, last, "1GB")
    agreement = compare_warehouses(ours.path, theirs.path)
    assert_that(agreement.broken, equal_to([]))
    assert_that(agreement.rows, greater_than(100))
    assert_that(agreement.gaps, greater_than(10))


def test_a_second_run_of_the_sql_baseline_changes_only_what_changed(tmp_path: Path) -> None:
    house = House(str(tmp_path / "sql.duckdb"))
    rows = make_league(dates=30)
    house.put(rows)
    first, last = list_dates(rows)[0], list_dates(rows)[-1]
    run_sql_job(house.path, first, last)
    before = house.read()
    latest = max(rows, key=lambda row: row["game_date"])
    house.put([row | {"is_home": not row["is_home"]} if row is latest else row for row in rows])
    run_sql_job(house.path, first, last)
    after = house.read()
    run = after.runs[-1]
    found = (run["records_created"], run["records_updated"], run["records_unchanged"], run["records_deleted"])
    assert_that(found, equal_to((0, 1, len(before.features) - 1, 0)))
    assert_that({gap["attempt_count"] for gap in after.gaps.values()}, equal_to({2}))


@pytest.mark.slow
def test_the_naive_baseline_gives_the_rows_of_the_job(tmp_path: Path) -> None:
    from benchmarks.baselines.naive_beam import run_naive_job

    ours, first, last = store_dirty_league(tmp_path, seed=5, days=30)
    theirs = ours.copy(tmp_path / "naive.duckdb")
    ours.commit(first, last)
    run_naive_job(theirs.path, first, last)
    agreement = compare_warehouses(ours.path, theirs.path)
    assert_that(agreement.broken, equal_to([]))
    assert_that(agreement.rows, greater_than(100))


def test_the_comparison_sees_another_value_another_source_and_a_lost_row(tmp_path: Path) -> None:
    ours = House(str(tmp_path / "ours.duckdb"))
    rows = make_league(dates=20)
    ours.put(rows)
    ours.commit(list_dates(rows)[0], list_dates(rows)[-1])
    theirs = ours.copy(tmp_path / "theirs.duckdb")
    key = "WHERE (player_lookup, game_date) IN (SELECT (player_lookup, game_date) FROM {table} LIMIT 1)"
    with theirs.warehouse.open(read_only=False) as connection:
        store = "nba_predictions.ml_feature_store_v2"
        connection.execute(
            f"UPDATE {store} SET feature_1_value = feature_1_value + 1e-6, feature_2_source = 'x'"
        )
        connection.execute(f"DELETE FROM {store} {key.format(table=store)}")
    broken = compare_warehouses(ours.path, theirs.path).broken
    for part in ("rows: ", "feature_1 differs by", "differ in feature_2_source"):
        assert_that(broken, has_item(contains_string(part)))


def test_the_audit_of_the_sql_baseline_refuses_a_lost_target() -> None:
    columns = ", ".join(f"1.0 AS {feature.value_column}" for feature in FEATURES)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE staged_targets AS SELECT 'ann' AS player_lookup, DATE '2023-11-01' AS game_date"
        )
        connection.execute(
            f"CREATE TABLE staged_features AS SELECT *, {columns} FROM staged_targets WHERE false"
        )
        connection.execute("CREATE TABLE staged_gaps AS FROM staged_targets WHERE false")
        assert_that(
            calling(run_statements).with_args(connection, "audit"),
            raises(duckdb.InvalidInputException, "ann on 2023-11-01"),
        )
