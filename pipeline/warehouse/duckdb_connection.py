"""How the embedded warehouse's file is opened, and the few questions every opener asks.

While one process writes, no other can open the file, so connections are short: :func:`connect`
opens with the one fixed configuration, waits for a holder and names it, and closes. Inside a
process the same holds: DuckDB refuses a reader beside a writer there, and two writers, whom it
would let in, wait for each other here.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.errors import BadInput, FeatureStoreError, WarehouseLocked
from pipeline.warehouse.duckdb_sql import sql
from transforms.schema import TABLE_VERSIONS, Table

MEMORY_LIMIT = "1GB"
CONFIGURATION = {
    "memory_limit": MEMORY_LIMIT,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""The one configuration: DuckDB refuses a second one inside a process."""

RETRY_SECONDS = 0.1
_LOCKED = "Could not set lock on file"
_HOLDER = re.compile(r"lock is (?:already )?held in (.*?)(?:\. See also|, likely|$)", re.I | re.DOTALL)
_OTHER_MODE = "different configuration than existing connections"
_NO_PATH = re.compile(r":memory:.*|[a-z0-9]+://.*|.*[?\\].*|", re.DOTALL)
_WRITERS: dict[str, threading.Lock] = {}
_SHARED = threading.local()


@contextmanager
def connect(
    path: str,
    lock_timeout: float,
    *,
    read_only: bool,
    create: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    open_file: Callable[..., duckdb.DuckDBPyConnection] = duckdb.connect,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the file, closed at the end; waits for whoever holds it.

    Raises ``WarehouseLocked``, naming the holder, after ``lock_timeout`` seconds, and ``BadInput``
    when there is no such file (unless ``create``) or none that DuckDB can open.
    """
    if _NO_PATH.fullmatch(path):
        raise BadInput(f"expected the path of a local file without '?' and '\\', found {path[:200]!r}")
    shared = vars(_SHARED).get(path)
    if read_only and shared is not None:
        yield shared
        return
    waiting = _Waiting(lock_timeout, clock() + lock_timeout, sleep, clock)
    with nullcontext() if read_only else _claim_writing(path, lock_timeout):
        connection = _open(path, waiting, open_file, read_only=read_only, create=create)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()


@contextmanager
def share_reader(path: str, lock_timeout: float) -> Iterator[None]:
    """Inside the block every read of this thread uses one connection.

    Opening takes longer than most questions; and all of them see the same state.
    """
    with connect(path, lock_timeout, read_only=True) as connection:
        outer = vars(_SHARED).get(path)
        vars(_SHARED)[path] = connection
        try:
            yield
        finally:
            vars(_SHARED)[path] = outer


@contextmanager
def _claim_writing(path: str, lock_timeout: float) -> Iterator[None]:
    lock = _WRITERS.setdefault(str(Path(path).resolve()), threading.Lock())
    if not lock.acquire(timeout=min(lock_timeout, threading.TIMEOUT_MAX)):
        raise WarehouseLocked(_explain_locked(path, "another run of this process", lock_timeout))
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Waiting:
    """How long a connection waits for a holder, and by which clock."""

    timeout: float
    deadline: float
    sleep: Callable[[float], None]
    clock: Callable[[], float]


def _open(
    path: str,
    waiting: _Waiting,
    open_file: Callable[..., duckdb.DuckDBPyConnection],
    *,
    read_only: bool,
    create: bool,
) -> duckdb.DuckDBPyConnection:
    while True:
        try:
            if not create and not Path(path).exists():
                raise BadInput(
                    f"there is no warehouse at {path}: load one with `feature-store import` or `demo`"
                )
            if create and not Path(path).parent.is_dir():
                raise BadInput(f"there is no directory {Path(path).parent} for the warehouse: make it first")
            return open_file(path, read_only=read_only, config=dict(CONFIGURATION))
        except (duckdb.Error, OSError) as error:
            holder = find_holder(error)
            if holder is None:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                raise BadInput(f"the warehouse {path} cannot be opened as a DuckDB file: {first}") from error
            if waiting.clock() >= waiting.deadline:
                raise WarehouseLocked(_explain_locked(path, holder, waiting.timeout)) from error
        waiting.sleep(RETRY_SECONDS)


def find_holder(error: Exception) -> str | None:
    """Who holds the file, when that is why it could not be opened."""
    text = str(error)
    # the latter where a thread opens the file at the moment in which another one closes it
    is_ours = isinstance(error, duckdb.ConnectionException) and _OTHER_MODE in text
    if is_ours or isinstance(error, duckdb.ResourceInUseException):
        return "another connection of this process"
    if not isinstance(error, duckdb.IOException) or _LOCKED not in text:
        return None
    found = _HOLDER.search(text)
    return Path(found[1]).name if found else "another process"


def _explain_locked(path: str, holder: str, lock_timeout: float) -> str:
    return (
        f"the warehouse {path} is held by {holder}; waited {lock_timeout:g} s. "
        "Let it finish, or give more time with --lock-timeout"
    )


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """BEGIN, then COMMIT, or ROLLBACK when the block raises."""
    try:
        connection.execute("BEGIN TRANSACTION")
        yield
        connection.execute("COMMIT")
    except BaseException:
        # the first error is the one to tell; a failed COMMIT leaves nothing to roll back
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise


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
