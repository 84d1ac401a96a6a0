"""Questions to the embedded warehouse: one SELECT in BigQuery's dialect, read-only.

The statement is checked on its syntax tree, and the connection can reach neither files nor the
network, whatever the statement says.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from pipeline.errors import BadInput, WrongShape
from pipeline.warehouse.duckdb_connection import connect


def answer_query(path: str, lock_timeout: float, text: str) -> pa.Table:
    """The rows of the statement. Raises ``BadInput`` when it is not exactly one SELECT."""
    query = translate_query(text)
    with connect(path, lock_timeout, read_only=True) as connection:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            return connection.sql(query).to_arrow_table()
        except duckdb.CatalogException as error:
            raise WrongShape(_first_line(error)) from error
        except duckdb.Error as error:
            raise BadInput(_first_line(error)) from error


def translate_query(text: str) -> str:
    """DuckDB's form of one BigQuery SELECT or WITH statement."""
    try:
        statements = sqlglot.parse(text, read="bigquery")
    except SqlglotError as error:
        raise BadInput(f"the statement cannot be parsed: {_first_line(error)}") from error
    found = [statement for statement in statements if statement is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise BadInput("expected exactly one SELECT or WITH statement")
    return found[0].sql(dialect="duckdb")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
