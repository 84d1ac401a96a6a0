"""``init`` in a project: what it makes, adds and refuses; what a run wants of it."""

from __future__ import annotations

from typing import Any

import pytest
from emulators.faults import Call
from emulators.launch import Emulators
from emulators.rest_faults import RestProxy
from google.cloud import bigquery
from hamcrest import assert_that, contains_string, empty, equal_to, has_length
from twins import Cloud, make_address
from warehouse import SCHEMA, list_dates, make_league

from pipeline.errors import WrongShape
from pipeline.main import run_job
from pipeline.warehouse.bigquery_tables import Tables as StoredTables
from pipeline.warehouse.bigquery_tables import make_fields, read_fields
from pipeline.warehouse.initializing import INITIAL_TABLES
from transforms.schema import (
    FEATURE_STORE,
    FEATURE_STORE_GAPS,
    OUTPUTS,
    PLAYER_GAME_SUMMARY,
    RUN_HISTORY,
    Table,
)
from transforms.side_tables import SIDE_TABLES

GAPS = FEATURE_STORE_GAPS


@pytest.fixture
def cloud(emulators: Emulators, rest_proxy: RestProxy, project: str) -> Cloud:
    return Cloud(make_address(emulators, project, api=rest_proxy.url))


def find(cloud: Cloud, table: Table) -> bigquery.Table:
    found = StoredTables(cloud.jobs).find(table)
    assert found is not None
    return found


def create(cloud: Cloud, table: Table, fields: list[bigquery.SchemaField], **layout: Any) -> None:
    cloud.client.create_dataset(table.dataset, exists_ok=True)
    made = bigquery.Table(cloud.sql.name_table(table).strip("`"), fields)
    if layout:
        made.time_partitioning = bigquery.TimePartitioning(**layout)
    cloud.client.create_table(made)


def list_changes(calls: list[Call]) -> list[str]:
    """The calls that make or change something by another way than a job."""
    paths = ((call.method, call.path.partition("?")[0]) for call in calls)
    return [f"{method} {path}" for method, path in paths if method != "GET" and not path.endswith("/jobs")]


def test_init_makes_the_tables_of_the_definition_and_again_nothing(
    cloud: Cloud, rest_proxy: RestProxy
) -> None:
    made = cloud.warehouse.initialize()
    assert_that(made[-len(INITIAL_TABLES) :], equal_to([f"created {t.path}" for t in INITIAL_TABLES]))
    assert_that(made[: -len(INITIAL_TABLES)], has_length(5))
    for table in INITIAL_TABLES:
        found = find(cloud, table)
        expected = make_fields(table.schema, table.json_columns)
        assert_that(read_fields(found.schema), equal_to(read_fields(expected)), table.path)
        json_columns = {field.name for field in found.schema if field.field_type == "JSON"}
        assert_that(json_columns, equal_to(set(table.json_columns)))
        if table.partition is None:
            assert_that(found.time_partitioning, equal_to(None))
        else:
            layout = (found.time_partitioning.type_, found.time_partitioning.field)
            assert_that(layout, equal_to(("MONTH", table.partition)), table.path)
        assert_that(tuple(found.clustering_fields or ()), equal_to(table.cluster))
        assert_that(found.expires, equal_to(None))
    for table in SIDE_TABLES:
        assert_that(cloud.warehouse.describe(table), equal_to(None))
    for view in ("nba_predictions.ml_feature_vectors", "nba_processing.precompute_failures"):
        assert_that(
            cloud.warehouse.query(f"SELECT COUNT(*) AS n FROM {view}").rows.to_pylist(), has_length(1)
        )
    seen = len(rest_proxy.plan.calls)
    assert_that(cloud.warehouse.initialize(), empty())
    others = [
        c for c in list_changes(rest_proxy.plan.calls[seen:]) if not c.partition("?")[0].endswith("/jobs")
    ]
    assert_that(others, empty())


def test_init_adds_a_column_that_is_new_and_keeps_the_rows(cloud: Cloud) -> None:
    fields = [f for f in make_fields(GAPS.schema) if f.name not in ("withdrawn_at", "season_year")]
    create(cloud, GAPS, fields, type_="MONTH", field="game_date")
    cloud.client.query_and_wait(
        f"INSERT INTO {GAPS.path} (player_lookup, game_date, skip_reason) VALUES ('a', '2024-01-01', 'x')"
    )
    made = cloud.warehouse.initialize()
    added = [line for line in made if line.startswith("added")]
    assert_that(added, equal_to([f"added {GAPS.path}.season_year", f"added {GAPS.path}.withdrawn_at"]))
    (row,) = cloud.read_rows(GAPS)
    assert_that((row["player_lookup"], row["withdrawn_at"]), equal_to(("a", None)))
    assert_that({field.name for field in find(cloud, GAPS).schema}, equal_to(set(GAPS.schema.names)))


def test_init_refuses_what_is_of_another_shape_and_changes_nothing(
    cloud: Cloud, rest_proxy: RestProxy
) -> None:
    ledger = [
        bigquery.SchemaField("player_lookup", "INT64"),
        bigquery.SchemaField("game_date", "DATE"),
        bigquery.SchemaField("odd_one", "STRING"),
    ]
    create(cloud, GAPS, ledger, type_="DAY", field="game_date")
    create(cloud, FEATURE_STORE, make_fields(FEATURE_STORE.schema))
    create(cloud, RUN_HISTORY, make_fields(RUN_HISTORY.schema, RUN_HISTORY.json_columns), type_="MONTH")
    box = [bigquery.SchemaField("player_lookup", "STRING"), bigquery.SchemaField("game_date", "STRING")]
    create(cloud, PLAYER_GAME_SUMMARY, box)
    seen = len(rest_proxy.plan.calls)
    with pytest.raises(WrongShape) as refused:
        cloud.warehouse.initialize()
    for problem in (
        "feature_store_gaps.player_lookup must be string, found int64",
        "feature_store_gaps has the foreign column odd_one",
        "feature_store_gaps must be partitioned by MONTH of game_date, found DAY",
        "ml_feature_store_v2 must be partitioned by game_date, found not at all",
        "processor_run_history must be partitioned by data_date, found by the time of ingestion",
        "player_game_summary lacks the column points",
        "player_game_summary.game_date must be a date, found string",
        "player_game_summary must be partitioned by game_date, found not at all",
    ):
        assert_that(str(refused.value), contains_string(problem))
    assert_that(list_changes(rest_proxy.plan.calls[seen:]), empty())


@pytest.mark.parametrize("kind", ["DAY", "MONTH", "YEAR"])
def test_box_scores_may_be_partitioned_by_any_stretch_of_their_date(cloud: Cloud, kind: str) -> None:
    fields = [*make_fields(SCHEMA), bigquery.SchemaField("note", "STRING")]
    create(cloud, PLAYER_GAME_SUMMARY, fields, type_=kind, field="game_date")
    assert_that([line for line in cloud.warehouse.initialize() if "player_game_summary" in line], empty())
    rows = make_league(dates=3, players=1)
    cloud.put(rows)
    days = list_dates(rows)
    assert_that(cloud.warehouse.find_date_bounds(PLAYER_GAME_SUMMARY), equal_to((days[0], days[-1])))


def test_staging_tables_carry_an_expiry_and_go_with_their_run(cloud: Cloud) -> None:
    rows = make_league(dates=4, players=1)
    cloud.warehouse.initialize()
    cloud.put(rows)
    cloud = Cloud(cloud.path, list_dates(rows))
    staged = cloud.stage()
    seen: list[Any] = []
    close = type(cloud.warehouse).close_staging

    def look(warehouse: Any, run_id: str) -> None:
        tables = list(cloud.client.list_tables("feature_store_staging"))
        seen.extend(cloud.client.get_table(table.reference) for table in tables)
        close(warehouse, run_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(cloud.warehouse), "close_staging", look)
        cloud.publish(staged)
    names = {table.table_id for table in seen}
    assert_that(
        names, equal_to({f"{staged.run.run_id}_{k}" for k in ("features", "gaps", "targets", "passed")})
    )
    hours = [(table.expires - table.created).total_seconds() / 3600 for table in seen]
    assert_that([hour for hour in hours if not 23 < hour < 25], empty())
    assert_that(list(cloud.client.list_tables("feature_store_staging")), empty())


def test_a_run_is_not_begun_where_nothing_could_be_published(cloud: Cloud, rest_proxy: RestProxy) -> None:
    rows = make_league(dates=4, players=1)
    cloud.put(rows)
    days = list_dates(rows)
    seen = len(rest_proxy.plan.calls)
    with pytest.raises(WrongShape, match=r"lacks nba_predictions.ml_feature_store_v2, .*feature-store init"):
        run_job(cloud.config(days[0], days[-1]))
    missing = {table.path for table in OUTPUTS if cloud.warehouse.describe(table) is None}
    assert_that(missing, has_length(len(OUTPUTS)))
    assert_that(
        [call for call in list_changes(rest_proxy.plan.calls[seen:]) if "DELETE" not in call], empty()
    )


def test_nothing_is_made_while_the_graph_is_built(
    cloud: Cloud, rest_proxy: RestProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_league(dates=4, players=1)
    cloud.warehouse.initialize()
    cloud.put(rows)
    days = list_dates(rows)
    built: list[list[str]] = []

    class Built(Exception):
        """The graph is there."""

    def stop(pipeline: Any) -> None:
        built.append(list_changes(rest_proxy.plan.calls[seen:]))
        raise Built

    seen = len(rest_proxy.plan.calls)
    monkeypatch.setattr("pipeline.main.run_watched", stop)
    with pytest.raises(Exception, match="Built"):
        run_job(cloud.config(days[0], days[-1]))
    assert_that(built, equal_to([[]]))
