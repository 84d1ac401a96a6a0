"""Questions to the embedded warehouse: one SELECT in BigQuery's dialect, read-only.

The statement is checked on its syntax tree, and the connection can reach neither files nor the
network, whatever the statement says.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from pipeline.errors import BadInput, WrongShape
from pipeline.warehouse.duckdb_connection import connect

CHANGES = (exp.DML, exp.DDL, exp.Into)
"""What a statement may hold nowhere, not even inside a WITH."""


def answer_query(path: str, lock_timeout: float, text: str) -> pa.Table:
    """The rows of the statement, every column with a name of its own.

    Raises ``BadInput`` when it is not exactly one SELECT, or fails; ``WrongShape`` when it names
    a table or function that does not exist.
    """
    query = translate_query(text)
    with connect(path, lock_timeout, read_only=True) as connection:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            rows = connection.sql(query).to_arrow_table()
        except duckdb.CatalogException as error:
            raise WrongShape(_first_line(error)) from error
        except duckdb.Error as error:
            raise BadInput(_first_line(error)) from error
    twice = sorted(name for name, count in Counter(rows.column_names).items() if count > 1)
    if twice:
        raise BadInput(f"two columns of the answer are named {twice[0][:80]!r}: name them apart with AS")
    return _narrow_integers(rows)


def _narrow_integers(rows: pa.Table) -> pa.Table:
    """The rows with INT64 where DuckDB sums and counts in 128 bits, unless a value needs them."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            with suppress(pa.ArrowInvalid):
                rows = rows.set_column(index, field.name, rows.column(index).cast(pa.int64()))
    return rows


def translate_query(text: str) -> str:
    """DuckDB's form of one BigQuery SELECT or WITH statement."""
    try:
        statements = sqlglot.parse(text, read="bigquery")
        found = [s for s in statements if s is not None and not isinstance(s, exp.Semicolon)]
        if len(found) == 1 and isinstance(found[0], exp.Query) and not found[0].find(*CHANGES):
            return found[0].sql(dialect="duckdb")
    except ParseError as error:
        where = error.errors[0] if error.errors else {}
        raise BadInput(
            f"the statement cannot be parsed in BigQuery's dialect: {where.get('description')} "
            f"(line {where.get('line')}, column {where.get('col')})"
        ) from error
    except (SqlglotError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else _first_line(error)
        raise BadInput(f"the statement cannot be parsed in BigQuery's dialect: {reason[:300]}") from error
    if len(found) != 1:
        raise BadInput(f"expected exactly one SELECT or WITH statement, found {len(found)}")
    raise BadInput(
        "expected a SELECT or WITH statement that changes nothing, "
        f"found one that begins with {text.split()[0][:20].upper()!r}"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
