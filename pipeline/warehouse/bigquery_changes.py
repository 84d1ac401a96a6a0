"""What changed in the inputs of a BigQuery project since an instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from pipeline.season import DateRange
from pipeline.warehouse.base import InputChange
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.bigquery_tables import Tables
from transforms.schema import INPUT_CHANGES, PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import INPUTS

FindBounds = Callable[[Table], tuple[date, date] | None]


def list_changes(jobs: Jobs, sql: BigQuerySql, find_bounds: FindBounds, since: datetime) -> list[InputChange]:
    """Imports after ``since``, box scores whose ``processed_at`` is later, and tables that no import wrote
    and that the service says were written later."""
    tables = Tables(jobs)
    log = tables.find(INPUT_CHANGES)
    logged = jobs.ask(sql.select_whole(INPUT_CHANGES, INPUT_CHANGES.schema.names)).to_pylist() if log else []
    found = [
        InputChange(row["table_name"], row["changed_at"], _read_dates(row))
        for row in logged
        if row["changed_at"] > since
    ]
    imported = {row["table_name"] for row in logged}
    for table in INPUTS:
        there = tables.find(table)
        if there is None:
            continue
        if table == PLAYER_GAME_SUMMARY and "processed_at" in {column.name for column in there.schema}:
            found += _list_processed(jobs, sql, find_bounds, since)
        elif table.path not in imported and there.modified > since:
            found.append(InputChange(table.path, there.modified, None))
    return found


def _read_dates(row: dict[str, date | None]) -> DateRange | None:
    first, last = row["first_date"], row["last_date"]
    return None if first is None or last is None else DateRange.spanning(first, last)


def _list_processed(
    jobs: Jobs, sql: BigQuerySql, find_bounds: FindBounds, since: datetime
) -> list[InputChange]:
    table = PLAYER_GAME_SUMMARY
    bounds = find_bounds(table)
    if bounds is None:
        return []
    query = sql.list_changed_dates(table, DateRange.spanning(*bounds))
    days, instants = (column.to_pylist() for column in jobs.ask(query, {"since": since}).columns)
    return [
        InputChange(table.path, at, DateRange.spanning(day, day))
        for day, at in zip(days, instants, strict=True)
    ]
