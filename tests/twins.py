"""One league in two warehouses: a DuckDB file and a BigQuery project on the emulators, held together.

:class:`Cloud` is a :class:`warehouse.House` in a project; :class:`Twins` does everything on both and
compares every column of the output tables afterwards.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
from emulators.launch import Emulators
from google.cloud import bigquery
from hamcrest import assert_that, empty, equal_to
from warehouse import (
    LOADED_AT,
    SCHEMA,
    House,
    Row,
    Tables,
    drop,
    next_instant,
    tabulate,
)

from pipeline.warehouse.bigquery import BigQueryWarehouse
from pipeline.warehouse.bigquery_address import parse_address
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_sql import ALL_DATES, BigQuerySql
from pipeline.warehouse.bigquery_tables import Tables as StoredTables
from transforms.schema import (
    FEATURE_STORE,
    FEATURE_STORE_GAPS,
    INPUT_CHANGES,
    PLAYER_GAME_SUMMARY,
    RUN_HISTORY,
    Table,
)

MOMENTS = ("started_at", "processed_at", "duration_seconds", "timing_breakdown")
"""Columns of a history row that no two runs have in common."""


def make_address(emulators: Emulators, project: str, **parts: str) -> str:
    """The ``--warehouse`` of a project on the emulators."""
    services = {"api": emulators.rest, "storage_api": emulators.storage_api}
    return f"bigquery://{project}?{urlencode(services | parts, safe=':/')}"


@dataclass(frozen=True)
class Cloud(House):
    """A project; ``path`` is its address."""

    @cached_property
    def warehouse(self) -> BigQueryWarehouse:  # type: ignore[override]
        return BigQueryWarehouse(parse_address(self.path))

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.warehouse.place)

    @property
    def sql(self) -> BigQuerySql:
        return BigQuerySql(self.warehouse.place.project)

    @property
    def client(self) -> bigquery.Client:
        from pipeline.warehouse.bigquery_clients import open_client

        return open_client(self.warehouse.place)

    def put(self, rows: Iterable[Row]) -> None:
        stamped = [row | {"processed_at": row["processed_at"] or LOADED_AT} for row in rows]
        self._replace(PLAYER_GAME_SUMMARY, pa.Table.from_pylist(stamped, schema=SCHEMA))

    def put_side(self, table: Table, rows: Iterable[Row]) -> None:
        self._replace(table, pa.Table.from_pylist(list(rows), schema=table.schema))

    def _replace(self, table: Table, rows: pa.Table) -> None:
        """Makes these the rows of an input, and writes down that any date may have changed."""
        tables = StoredTables(self.jobs)
        for needed in (table, INPUT_CHANGES):
            tables.ensure(needed)
        file = io.BytesIO()
        pq.write_table(rows, file)
        config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
        target = self.sql.name_table(table).strip("`")
        self.client.load_table_from_file(file, target, rewind=True, job_config=config).result()
        self.client.query_and_wait(
            f"INSERT INTO {self.sql.name_table(INPUT_CHANGES)} (table_name, input_version, changed_at) "
            f"VALUES ('{table.path}', 1, {self.sql.time_literal(next_instant())})"
        )

    def read(self) -> Tables:
        store, ledger, runs = (
            self.read_rows(table) for table in (FEATURE_STORE, FEATURE_STORE_GAPS, RUN_HISTORY)
        )
        return tabulate(store, ledger, runs)

    def read_rows(self, table: Table) -> list[Row]:
        """Every row of a table, every column; none where it does not exist."""
        if StoredTables(self.jobs).find(table) is None:
            return []
        bounds = f" WHERE {self.sql.bound_dates(table, ALL_DATES)}" if table.partition else ""
        found = self.client.query_and_wait(f"SELECT * FROM {self.sql.name_table(table)}{bounds}")
        return [dict(row) for row in found]


def number_runs(tables: Tables) -> dict[str, Any]:
    """Every column of the output tables, with each run's id and instant as its number in the history."""
    ids = {run["run_id"]: number for number, run in enumerate(tables.runs)}
    instants = {run["started_at"]: number for number, run in enumerate(tables.runs)}

    def number(row: Row) -> Row:
        return {
            name: ids.get(value, value)
            if name.endswith("run_id")
            else instants.get(value, value)
            if isinstance(value, datetime)
            else value
            for name, value in row.items()
        }

    return {
        "features": {key: number(row) for key, row in tables.features.items()},
        "gaps": {key: number(gap) for key, gap in tables.gaps.items()},
        "runs": [number(_strip(run)) for run in tables.runs],
    }


def _strip(run: Row) -> Row:
    """A history row without its times, warehouse and workers, with what its commit counted besides."""
    timing, options = (
        json.loads(run[name]) if isinstance(run[name], str) else run[name]
        for name in ("timing_breakdown", "options")
    )
    withdrawn = timing["detail"].get("commit", {}).get("gaps_withdrawn")
    return drop(run, MOMENTS) | {
        "options": drop(options, ("warehouse", "lock_timeout", "parallel", "beam_args")),
        "gaps_withdrawn": withdrawn,
    }


def compare(found: Tables, expected: Tables) -> None:
    """Fails with the first differences of the output tables."""
    here, there = number_runs(found), number_runs(expected)
    lines = []
    for name in ("features", "gaps"):
        for key in sorted(here[name].keys() | there[name].keys()):
            one, other = here[name].get(key), there[name].get(key)
            if one is None or other is None:
                lines.append(f"{name} {key}: only in {'the file' if one is None else 'the project'}")
            elif one != other:
                assert one.keys() == other.keys(), name
                lines.append(
                    f"{name} {key}: {[(c, one[c], other[c]) for c in one if one[c] != other[c]][:4]}"
                )
    assert_that(lines[:5], empty())
    assert_that(here["runs"], equal_to(there["runs"]))
