"""How the embedded warehouse's file is opened, and the few questions every opener asks.

While one process writes, no other can open the file, so connections are short: :func:`connect`
opens with the one fixed configuration, waits for a holder and names it, and closes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.errors import BadInput, FeatureStoreError, WarehouseLocked
from pipeline.warehouse import sql
from transforms.schema import TABLE_VERSIONS, Table

MEMORY_LIMIT = "1GB"
CONFIGURATION = {
    "memory_limit": MEMORY_LIMIT,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""The one configuration: DuckDB refuses a second one inside a process."""

RETRY_SECONDS = 0.1
_HOLDER = re.compile(r"Conflicting lock is held in (.*?)\. See also", re.DOTALL)


@contextmanager
def connect(
    path: str,
    lock_timeout: float,
    *,
    read_only: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the file, closed at the end; waits for another process that holds it."""
    deadline = time.monotonic() + lock_timeout
    while True:
        try:
            connection = duckdb.connect(path, read_only=read_only, config=dict(CONFIGURATION))
            break
        except duckdb.IOException as error:
            holder = _HOLDER.search(str(error))
            if holder is None:
                raise BadInput(_explain_unopened(path, error)) from error
            if time.monotonic() >= deadline:
                raise WarehouseLocked(
                    f"the warehouse {path} is held by {Path(holder[1]).name}; waited "
                    f"{lock_timeout:g} s. Let it finish, or give more time with --lock-timeout"
                ) from error
        sleep(RETRY_SECONDS)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _explain_unopened(path: str, error: duckdb.Error) -> str:
    if not Path(path).exists():
        return f"there is no warehouse at {path}: load one with `feature-store import` or `demo`"
    first = str(error).splitlines()[0]
    return f"the warehouse {path} cannot be opened as a DuckDB file: {first}"


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """BEGIN, then COMMIT, or ROLLBACK when the block raises."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def describe_table(connection: duckdb.DuckDBPyConnection, table: Table) -> pa.Schema | None:
    try:
        return connection.sql(f"SELECT * FROM {sql.name_table(table)} LIMIT 0").to_arrow_table().schema
    except duckdb.CatalogException:
        return None


def fetch_one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    rows = connection.execute(query).fetchall()
    if not rows:
        raise FeatureStoreError(f"a query that always has a row returned none: {query[:200]}")
    return tuple(rows[0])


def read_version(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, str] | None:
    """(input version, origin) of a table, None before its first import."""
    if describe_table(connection, TABLE_VERSIONS) is None:
        return None
    rows = connection.execute(
        f"SELECT input_version, origin FROM {sql.name_table(TABLE_VERSIONS)} WHERE table_name = ?",
        [table.path],
    ).fetchall()
    return (int(rows[0][0]), str(rows[0][1])) if rows else None
