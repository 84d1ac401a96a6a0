"""What fits a table of BigQuery, and what of it is read back: types, layout, partitions, labels."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from google.cloud import bigquery
from hamcrest import assert_that, contains_string, empty, equal_to

from pipeline.errors import WrongShape
from pipeline.season import DateRange
from pipeline.warehouse.bigquery import number_sources, read_partition
from pipeline.warehouse.bigquery_address import parse_address
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_tables import check_loadable, find_layout, make_fields, read_fields
from pipeline.warehouse.ledger_rows import STORED_VECTORS, UNKNOWN_SOURCE
from transforms.schema import FEATURE_STORE, OUTPUTS, PLAYER_GAME_SUMMARY, STAGED_FEATURES, TABLE_VERSIONS
from transforms.vector import FEATURES, SOURCES

Field = bigquery.SchemaField


def refuse(found: pa.Schema, *fields: bigquery.SchemaField) -> str:
    with pytest.raises(WrongShape) as refused:
        check_loadable(found, fields)
    return str(refused.value)


@pytest.mark.parametrize(
    ("kind", "field", "told"),
    [
        (pa.float64(), Field("x", "INT64"), "x is FLOAT64, the table has INT64"),
        (pa.int64(), Field("x", "FLOAT64"), "x is INT64, the table has FLOAT64"),
        (pa.string(), Field("x", "INTEGER"), "x is STRING, the table has INT64"),
        (pa.string(), Field("x", "JSON"), "x is STRING, the table has JSON"),
        (pa.list_(pa.string()), Field("x", "STRING"), "x is ARRAY<STRING>, the table has STRING"),
        (pa.string(), Field("x", "STRING", "REPEATED"), "x is STRING, the table has ARRAY<STRING>"),
        (
            pa.list_(pa.date32()),
            Field("x", "STRING", "REPEATED"),
            "x is ARRAY<DATE>, the table has ARRAY<STRING>",
        ),
        (
            pa.struct([("a", pa.int64())]),
            Field("x", "RECORD", fields=[Field("a", "FLOAT64")]),
            "x is STRUCT<a INT64>, the table has STRUCT<a FLOAT64>",
        ),
        (pa.date32(), Field("x", "TIMESTAMP"), "x is DATE, the table has TIMESTAMP"),
        (pa.string(), Field("y", "STRING", "REQUIRED"), "x is no column of the table; y is missing"),
    ],
)
def test_nothing_is_loaded_into_a_column_of_another_type(
    kind: pa.DataType, field: bigquery.SchemaField, told: str
) -> None:
    assert_that(refuse(pa.schema([("x", kind)]), field), contains_string(told))


def test_every_problem_is_named_at_once() -> None:
    found = pa.schema([("a", pa.float64()), ("b", pa.string()), ("c", pa.string())])
    told = refuse(found, Field("a", "INT64"), Field("b", "DATE"), Field("d", "STRING", "REQUIRED"))
    for name in ("a is", "b is", "c is no column", "d is missing"):
        assert_that(told, contains_string(name))


def test_what_fits_is_let_through() -> None:
    fields = [*make_fields(STAGED_FEATURES), Field("more", "STRING")]
    check_loadable(STAGED_FEATURES, fields)
    check_loadable(pa.schema([("x", pa.dictionary(pa.int8(), pa.string()))]), [Field("x", "STRING")])
    for old, new in (("INTEGER", "INT64"), ("FLOAT", "FLOAT64"), ("BOOLEAN", "BOOL")):
        kind = {"INTEGER": pa.int64(), "FLOAT": pa.float64(), "BOOLEAN": pa.bool_()}[old]
        for name in (old, new):
            check_loadable(pa.schema([("x", kind)]), [Field("x", name)])


def test_a_definition_comes_back_from_the_services_columns() -> None:
    for table in (*OUTPUTS, PLAYER_GAME_SUMMARY):
        found = read_fields(make_fields(table.schema, table.json_columns))
        assert_that(found.names, equal_to(table.schema.names))
        assert_that([f.nullable for f in found], equal_to([f.nullable for f in table.schema]))
        for field in table.schema:
            kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            assert_that(found.field(field.name).type, equal_to(kind), field.name)
    assert_that(read_fields([Field("x", "GEOGRAPHY")]).field("x").type, equal_to(pa.null()))


def stored(**layout: Any) -> bigquery.Table:
    made = bigquery.Table("p.d.t")
    if layout:
        made.time_partitioning = bigquery.TimePartitioning(**layout)
    return made


@pytest.mark.parametrize(
    ("layout", "own", "any_input"),
    [
        ({"type_": "MONTH", "field": "game_date"}, True, True),
        ({"type_": "DAY", "field": "game_date"}, False, True),
        ({"type_": "YEAR", "field": "game_date"}, False, True),
        ({"type_": "MONTH", "field": "created_at"}, False, False),
        ({"type_": "DAY"}, False, False),
        ({}, False, False),
    ],
)
def test_outputs_are_partitioned_by_month_inputs_by_any_stretch(
    layout: dict[str, str], own: bool, any_input: bool
) -> None:
    assert_that(not find_layout(FEATURE_STORE, stored(**layout)), equal_to(own))
    assert_that(not find_layout(PLAYER_GAME_SUMMARY, stored(**layout)), equal_to(any_input))
    assert_that(find_layout(TABLE_VERSIONS, stored(**layout)), empty())


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("20240229", date(2024, 2, 29), date(2024, 3, 1)),
        ("20231231", date(2023, 12, 31), date(2024, 1, 1)),
        ("202402", date(2024, 2, 1), date(2024, 3, 1)),
        ("202312", date(2023, 12, 1), date(2024, 1, 1)),
        ("2024", date(2024, 1, 1), date(2025, 1, 1)),
    ],
)
def test_a_partition_is_its_dates(name: str, start: date, end: date) -> None:
    assert_that(read_partition(name), equal_to(DateRange(start, end)))


def test_sources_become_their_ordinals() -> None:
    rows = {name: [None] * 3 for name in STORED_VECTORS.names}
    first, last = FEATURES[0].source_column, FEATURES[-1].source_column
    rows[first] = [SOURCES[0], SOURCES[-1], "nobody knows"]
    types = {field.name: field.type for field in STORED_VECTORS}
    sources = {feature.source_column for feature in FEATURES}
    table = pa.table(
        {name: pa.array(rows[name], pa.string() if name in sources else types[name]) for name in rows}
    )
    found = number_sources(table)
    assert_that(found.schema, equal_to(STORED_VECTORS))
    assert_that(found.column(first).to_pylist(), equal_to([0, len(SOURCES) - 1, UNKNOWN_SOURCE]))
    assert_that(found.column(last).to_pylist(), equal_to([UNKNOWN_SOURCE] * 3))


@pytest.mark.parametrize(
    ("asked_by", "label"),
    [("20240101T000000-ab12", "20240101t000000-ab12"), ("A B/ü", "a_b__"), ("x" * 100, "x" * 63)],
)
def test_a_label_is_what_the_service_takes(asked_by: str, label: str) -> None:
    jobs = Jobs(parse_address("bigquery://my-project"), asked_by, max_bytes=5, seconds=2.5)
    config = jobs.configure_query({"a": 1, "d": date(2024, 1, 2), "t": "x"}).to_api_repr()
    assert_that(config["labels"], equal_to({"component": "feature-store", "run": label}))
    assert_that((config["query"]["maximumBytesBilled"], config["jobTimeoutMs"]), equal_to(("5", "2500")))
    kinds = [p["parameterType"]["type"] for p in config["query"]["queryParameters"]]
    assert_that(kinds, equal_to(["INT64", "DATE", "STRING"]))
