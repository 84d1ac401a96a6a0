"""Questions to the embedded warehouse: one SELECT in BigQuery's dialect, read-only.

The statement is checked on its syntax tree and translated by ``dialect``; the connection that runs it
can reach neither files nor the network, whatever the statement says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches

import duckdb
import pyarrow as pa

from pipeline.errors import BadInput, FeatureStoreError, WrongShape
from pipeline.warehouse.base import Answer
from pipeline.warehouse.dialect.functions import TESTED
from pipeline.warehouse.dialect.macros import FAILURE, PREFIX
from pipeline.warehouse.dialect.translate import translate_query
from pipeline.warehouse.duckdb_connection import connect

_FAILED = re.compile(rf"'{FAILURE}(.*)' to INT64", re.DOTALL)
_NO_COLUMN = re.compile(
    r"Referenced (?:column|table) \"(?P<a>.+?)\" (?:was )?not found|column named \"(?P<b>.+?)\"", re.DOTALL
)
_CANDIDATES = re.compile(r"Candidate (?:bindings|tables)[: ]+(.*)")
_WRONG_CALL = re.compile(rf"Macro {PREFIX}(\w+)\(\) does not support")
_LONGEST = 300


def answer_query(path: str, lock_timeout: float, text: str) -> Answer:
    """What the statement asks for.

    Raises ``BadInput`` when it is not exactly one SELECT, cannot be answered rightly, or fails;
    ``WrongShape`` when it names a table, column or function that does not exist.
    """
    with connect(path, lock_timeout, read_only=True) as connection:
        translated = translate_query(text, list_tables(connection))
        _check_untested(connection, translated.untested)
        for macro in translated.macros:
            connection.execute(macro)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            rows = _fetch(connection, translated.text)
        except duckdb.Error as error:
            raise explain_failure(error) from error
    twice = sorted(name for name, count in Counter(rows.column_names).items() if count > 1)
    if twice:
        raise BadInput(f"two columns of the answer are named {twice[0][:80]!r}: name them apart with AS")
    return Answer(_narrow_integers(rows), translated.warnings)


def _fetch(connection: duckdb.DuckDBPyConnection, statement: str) -> pa.Table:
    """The statement's rows; a signal's exception ends the statement, however long it would run.

    DuckDB looks for signals only between pieces of work, which may take minutes, so another thread
    runs the statement and this one waits where Python handles them.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        rows = pool.submit(lambda: connection.sql(statement).to_arrow_table())
        try:
            return rows.result()
        except BaseException:
            connection.interrupt()
            raise


def list_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Every table and view of the file, as ``dataset.name``."""
    rows = connection.execute(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE table_catalog = current_database() ORDER BY ALL"
    ).fetchall()
    return [str(row[0]) for row in rows]


def _check_untested(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Refuses what DuckDB lacks, and what tells of the process or changes something."""
    for name in names:
        found = connection.execute(
            "SELECT COUNT(*) FROM duckdb_functions() WHERE function_name = ? "
            "AND function_type IN ('scalar', 'aggregate') AND stability = 'CONSISTENT'",
            [name.lower()],
        ).fetchall()
        if not found[0][0]:
            near = get_close_matches(name, sorted(TESTED), 1, cutoff=0.7)
            hint = f". Did you mean {near[0]}?" if near else "; docs/sql.md lists those that are answered"
            raise WrongShape(f"there is no function {name[:80]}{hint}")


def explain_failure(error: duckdb.Error) -> FeatureStoreError:
    """The error in the words of the statement that was asked, not of its translation."""
    text = str(error)
    failed = _FAILED.search(text)
    if failed:
        return BadInput(f"the statement failed while it ran: {failed[1][:_LONGEST]}")
    called = _WRONG_CALL.search(text)
    if called:
        return BadInput(
            f"{called[1].upper()} cannot be called with these arguments: check their number and types"
        )
    missing = _NO_COLUMN.search(text)
    if missing:
        near = _CANDIDATES.search(text)
        hint = f". Nearest are {near[1].strip(': ')[:_LONGEST]}" if near else ""
        return WrongShape(f"there is no column or alias {(missing['a'] or missing['b'])[:80]!r}{hint}")
    kind, _, reason = (text.splitlines() or [type(error).__name__])[0].partition(": ")
    reason = (reason or kind).replace(PREFIX, "")[:_LONGEST]
    if isinstance(error, duckdb.CatalogException):
        return WrongShape(reason)
    return BadInput(f"the statement cannot be answered: {reason}")


def _narrow_integers(rows: pa.Table) -> pa.Table:
    """The rows with INT64 where DuckDB counts in other widths; a value beyond is an overflow."""
    for index, field in enumerate(rows.schema):
        kind = _narrow_type(field.type)
        if kind != field.type:
            try:
                rows = rows.set_column(index, field.name, rows.column(index).cast(kind))
            except pa.ArrowInvalid as error:
                raise BadInput(f"INT64 overflow in the column {field.name[:80]!r}") from error
    return rows


def _narrow_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return pa.int64()
    if pa.types.is_list(kind):
        return pa.list_(_narrow_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_narrow_type(field.type)) for field in kind])
    return kind
