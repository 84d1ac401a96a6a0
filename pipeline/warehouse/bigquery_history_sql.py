"""The history row of a run as literals of BigQuery, and the statement that puts it into its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from pipeline.season import DateRange
from pipeline.warehouse.base import RunRow
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.publishing import encode_run
from transforms.schema import RUN_HISTORY

_COMMIT_SPANS = ("wall_seconds", "busy_seconds")


def write_run(sql: BigQuerySql, row: RunRow) -> dict[str, str]:
    """Each column of a history row as a literal."""
    return {name: _write_value(sql, name, value) for name, value in encode_run(row).items()}


def write_timed_run(sql: BigQuerySql, row: RunRow, since: str) -> dict[str, str]:
    """The same as expressions that add the time of the script, which began at ``since``, to the row's own."""
    texts = write_run(sql, row)
    spent = f"TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), {since}, MICROSECOND) / 1e6"
    texts["duration_seconds"] += f" + {spent}"
    texts["processed_at"] = "CURRENT_TIMESTAMP()"
    for path, seconds in _list_spans(row["timing_breakdown"]):
        later = f"JSON_SET({texts['timing_breakdown']}, '{path}', {seconds!r} + {spent})"
        texts["timing_breakdown"] = later
    return texts


def _list_spans(timing: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The times (JSON path, seconds) of a history row in which the script's own belongs, too."""
    yield from ((f"$.{name}", float(timing[name])) for name in ("total_runtime", "save_time"))
    commit = timing["detail"].get("commit", {})
    yield from ((f"$.detail.commit.{name}", float(commit[name])) for name in _COMMIT_SPANS if name in commit)


def merge_run(sql: BigQuerySql, texts: Mapping[str, str], data_date: date) -> str:
    """Puts a history row, each column as an expression, into the table unless its run has one.

    Unlike INSERTs, two MERGEs at a time conflict: a run that is committed twice at once has one row.
    """
    selected = ", ".join(f"{text} AS {sql.quote(name)}" for name, text in texts.items())
    day = DateRange.inclusive(data_date, data_date)
    return (
        f"MERGE INTO {sql.name_table(RUN_HISTORY)} s USING (SELECT {selected}) n "
        f"ON s.run_id = n.run_id AND {sql.bound_dates(RUN_HISTORY, day, 's')} "
        f"WHEN NOT MATCHED THEN INSERT ({sql.list_columns(texts)}) VALUES ({sql.list_columns(texts, 'n')})"
    )


def _write_value(sql: BigQuerySql, name: str, value: Any) -> str:
    """A value of a column of ``processor_run_history`` as a literal."""
    kind = RUN_HISTORY.schema.field(name).type
    if value is None:
        return f"CAST(NULL AS {'JSON' if name in RUN_HISTORY.json_columns else sql.name_type(kind)})"
    if name in RUN_HISTORY.json_columns:
        return f"PARSE_JSON({sql.text_literal(value)})"
    if isinstance(value, datetime):
        return sql.time_literal(value)
    if isinstance(value, date):
        return sql.date_literal(value)
    if isinstance(value, str):
        return sql.text_literal(value)
    return f"CAST({value!r} AS {sql.name_type(kind)})"
