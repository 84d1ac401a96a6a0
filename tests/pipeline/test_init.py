"""``init``: what it makes, that it changes nothing that is there, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hamcrest import assert_that, contains_string, empty, equal_to, has_items

from pipeline.errors import WrongShape
from pipeline.warehouse.duckdb import DuckDBWarehouse
from pipeline.warehouse.initializing import INITIAL_TABLES
from transforms.schema import FEATURE_STORE_GAPS, PLAYER_GAME_SUMMARY
from transforms.side_tables import SIDE_TABLES


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(str(tmp_path / "w.duckdb"))


def test_init_makes_every_table_but_those_whose_emptiness_would_say_something(
    warehouse: DuckDBWarehouse,
) -> None:
    made = warehouse.initialize()
    assert_that(made, equal_to([f"created {table.path}" for table in INITIAL_TABLES]))
    assert_that([warehouse.describe(table) for table in SIDE_TABLES], equal_to([None] * len(SIDE_TABLES)))
    rows = warehouse.query("SELECT COUNT(*) AS n FROM nba_processing.precompute_failures").rows
    assert_that(rows.to_pylist(), equal_to([{"n": 0}]))


def test_init_again_makes_nothing(warehouse: DuckDBWarehouse) -> None:
    warehouse.initialize()
    assert_that(warehouse.initialize(), empty())


def test_init_adds_a_column_that_is_new_and_keeps_the_rows(warehouse: DuckDBWarehouse) -> None:
    warehouse.initialize()
    with warehouse.open(read_only=False) as connection:
        connection.execute("DROP VIEW nba_processing.precompute_failures")
        connection.execute("DROP VIEW nba_processing.registry_failures")
        ledger = "nba_predictions.feature_store_gaps"
        connection.execute(f"ALTER TABLE {ledger} DROP COLUMN withdrawn_at")
        connection.execute(
            f"INSERT INTO {ledger} (player_lookup, game_date, skip_reason) "
            "VALUES ('a', DATE '2024-01-01', 'bootstrap')"
        )
    assert_that(warehouse.initialize(), equal_to([f"added {FEATURE_STORE_GAPS.path}.withdrawn_at"]))
    assert_that(warehouse.describe(FEATURE_STORE_GAPS).names, has_items("withdrawn_at"))
    rows = warehouse.query("SELECT entity_id, resolved_at FROM nba_processing.precompute_failures").rows
    assert_that(rows.to_pylist(), equal_to([{"entity_id": "a", "resolved_at": None}]))


def test_init_refuses_tables_of_another_shape_and_names_every_difference(warehouse: DuckDBWarehouse) -> None:
    with warehouse.open(read_only=False) as connection:
        connection.execute("CREATE SCHEMA nba_predictions")
        connection.execute("CREATE SCHEMA nba_analytics")
        connection.execute(
            "CREATE TABLE nba_predictions.feature_store_gaps (player_lookup BIGINT, odd_one VARCHAR)"
        )
        connection.execute("CREATE TABLE nba_analytics.player_game_summary (player_lookup VARCHAR)")
    with pytest.raises(WrongShape) as refused:
        warehouse.initialize()
    for problem in (
        "feature_store_gaps.player_lookup must be string, found int64",
        "feature_store_gaps has the foreign column odd_one",
        "player_game_summary lacks the column game_date",
    ):
        assert_that(str(refused.value), contains_string(problem))
    assert_that(warehouse.describe(FEATURE_STORE_GAPS).names, equal_to(["player_lookup", "odd_one"]))
    assert_that(warehouse.describe(PLAYER_GAME_SUMMARY).names, equal_to(["player_lookup"]))
