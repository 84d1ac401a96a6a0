"""The tables of the embedded warehouse, made where they do not exist."""

from __future__ import annotations

import duckdb

from pipeline.warehouse.duckdb_connection import describe_table, transaction
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.initializing import INITIAL_TABLES, plan_initialization


def initialize(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """See ``Warehouse.initialize``."""
    with transaction(connection):
        plan = plan_initialization({table: describe_table(connection, table) for table in INITIAL_TABLES})
        for dataset in sorted({table.dataset for table in INITIAL_TABLES}):
            connection.execute(sql.create_schema(dataset))
        for table in plan.create:
            connection.execute(sql.create_table(table))
        for table, field in plan.add:
            connection.execute(sql.add_column(table, field))
        for statement in sql.create_views():
            connection.execute(statement)
    return plan.describe()
