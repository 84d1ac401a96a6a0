"""Storing a generated league in the embedded warehouse, in place of an earlier one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import duckdb
import pyarrow as pa

from pipeline.errors import BadInput
from pipeline.warehouse.duckdb_connection import describe_table, fetch_one, read_version, transaction
from pipeline.warehouse.duckdb_load import GENERATED, ensure_table, log_change, raise_version
from pipeline.warehouse.duckdb_sql import sql
from transforms.schema import TABLE_VERSIONS, Table
from transforms.side_tables import INPUTS


def replace_generated(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[Table, pa.Table]], generated_at: datetime
) -> dict[str, int]:
    """Stores a generated league in place of an earlier one: how many rows, by the table's path.

    Every pair adds its rows to its table. Refuses, whole, when an input table holds rows that the demo
    did not generate. Tables of an earlier league are gone even where this one has none, since a table
    that is there but empty says something else than one that is not.
    """
    counts: dict[str, int] = {}
    with transaction(connection):
        ensure_table(connection, TABLE_VERSIONS)
        replaced = [table for table in INPUTS if _drop_generated(connection, table)]
        for table, rows in tables:
            if table.path not in counts:
                ensure_table(connection, table)
            counts[table.path] = counts.get(table.path, 0) + _append_rows(connection, table, rows)
        for table in INPUTS:
            if table in replaced or table.path in counts:
                version = raise_version(connection, GENERATED, table)
                log_change(connection, table, version, generated_at)
    return counts


def _drop_generated(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Whether there was a table to drop; ``BadInput`` when its rows are not of the demo."""
    if describe_table(connection, table) is None:
        return False
    version = read_version(connection, table)
    is_empty = connection.execute(f"SELECT 1 FROM {sql.name_table(table)} LIMIT 1").fetchone() is None
    if not is_empty and (version is None or version[1] != GENERATED):
        dates = ""
        if table.partition is not None:
            first, last = fetch_one(connection, sql.find_date_bounds(table))
            dates = f" from {first} to {last}"
        raise BadInput(
            f"this warehouse holds rows{dates} in {table.path} that the demo did not generate; "
            "give the demo a warehouse of its own with --warehouse"
        )
    connection.execute(f"DROP TABLE {sql.name_table(table)}")
    return True


def _append_rows(connection: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table) -> int:
    """Inserts rows of the table's schema, ordered by date where it has one so that windows prune."""
    # what is registered is kept until the transaction ends, so it must be something used up
    batches = iter(rows.to_batches())
    connection.register("generated", pa.RecordBatchReader.from_batches(rows.schema, batches))
    order = dict.fromkeys([table.partition, *table.key] if table.partition else table.key)
    names = sql.list_columns(table.schema.names)
    count = fetch_one(
        connection,
        f"INSERT INTO {sql.name_table(table)} ({names}) SELECT {names} FROM generated "
        f"ORDER BY {sql.list_columns(order)}",
    )[0]
    return int(count)
