"""What changed in the inputs of the embedded warehouse since an instant."""

from __future__ import annotations

from datetime import datetime

import duckdb

from pipeline.season import DateRange
from pipeline.warehouse.base import InputChange
from pipeline.warehouse.duckdb_connection import describe_table, fetch_one
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.sql import END_OF_TIME
from transforms.schema import INPUT_CHANGES, PLAYER_GAME_SUMMARY
from transforms.side_tables import INPUTS


def list_changes(connection: duckdb.DuckDBPyConnection, since: datetime) -> list[InputChange]:
    """Imports after ``since``, box scores whose ``processed_at`` is later, and inputs that no import wrote,
    of which nothing is known: they count as changed at the end of time."""
    found: list[InputChange] = []
    logged: set[str] = set()
    if describe_table(connection, INPUT_CHANGES) is not None:
        log = sql.name_table(INPUT_CHANGES)
        rows = connection.execute(
            f"SELECT table_name, changed_at, first_date, last_date FROM {log}"
        ).fetchall()
        logged = {path for path, *_ in rows}
        found = [
            InputChange(path, at, None if first is None else DateRange.spanning(first, last))
            for path, at, first, last in rows
            if at > since
        ]
    present = [table for table in INPUTS if describe_table(connection, table) is not None]
    found += [InputChange(table.path, END_OF_TIME, None) for table in present if table.path not in logged]
    return found + _list_processed(connection, since)


def _list_processed(connection: duckdb.DuckDBPyConnection, since: datetime) -> list[InputChange]:
    table = PLAYER_GAME_SUMMARY
    stored = describe_table(connection, table)
    if stored is None or "processed_at" not in stored.names:
        return []
    first, last = fetch_one(connection, sql.find_date_bounds(table))
    if first is None:
        return []
    dates = DateRange.spanning(first, last)
    rows = connection.execute(sql.list_changed_dates(table, dates), {"since": since}).fetchall()
    return [InputChange(table.path, at, DateRange.spanning(day, day)) for day, at in rows]
