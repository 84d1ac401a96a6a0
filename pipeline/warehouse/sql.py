"""The only place that makes SQL: validated identifiers and typed values in, text out.

Every read of a table that is partitioned by a date carries both bounds of that date: there is no
function here that makes one without. The statements of the commit are in ``commit_sql``, which
builds them from the pieces given here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

import pyarrow as pa

from pipeline.errors import FeatureStoreError
from pipeline.season import DateRange
from transforms.gaps import MISSING_DEPENDENCY
from transforms.schema import FEATURE_STORE, FEATURE_STORE_GAPS, Table
from transforms.vector import FEATURES

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_IS_PLAYER = "player_lookup = $player"
OPEN = "resolved_at IS NULL AND withdrawn_at IS NULL"
"""Of a gap in the ledger."""

PROCESSOR_NAME = "MLFeatureStoreProcessor"
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def quote(name: str) -> str:
    """The identifier in double quotes; refuses what is not a plain ASCII identifier."""
    if not _IDENTIFIER.fullmatch(name):
        raise FeatureStoreError(f"expected a plain SQL identifier, found {name[:80]!r}")
    return f'"{name}"'


def name_table(table: Table) -> str:
    return f"{quote(table.dataset)}.{quote(table.name)}"


def list_columns(names: Iterable[str], prefix: str = "") -> str:
    lead = f"{quote(prefix)}." if prefix else ""
    return ", ".join(lead + quote(name) for name in names)


def text_literal(text: str) -> str:
    if "\x00" in text:
        raise FeatureStoreError("a SQL text cannot hold a NUL character")
    return "'" + text.replace("'", "''") + "'"


def date_literal(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def time_literal(instant: datetime) -> str:
    return f"TIMESTAMPTZ '{instant.isoformat()}'"


def bound_dates(table: Table, dates: DateRange, alias: str = "") -> str:
    """Both bounds of the table's partition column."""
    if table.partition is None:
        raise FeatureStoreError(f"{table.path} is not partitioned by a date")
    column = list_columns([table.partition], alias)
    return f"{column} >= {date_literal(dates.start)} AND {column} < {date_literal(dates.end)}"


def select_window(table: Table, columns: Sequence[str], dates: DateRange) -> str:
    """The named columns of the rows in a date window."""
    return f"SELECT {list_columns(columns)} FROM {name_table(table)} WHERE {bound_dates(table, dates)}"


def select_whole(table: Table, columns: Sequence[str]) -> str:
    """The named columns of every row of a table that is not partitioned by a date."""
    if table.partition is not None:
        raise FeatureStoreError(f"{table.path} is read by date: give both bounds of {table.partition}")
    return f"SELECT {list_columns(columns)} FROM {name_table(table)}"


def select_row(table: Table, day: date) -> str:
    """Every column of the row of a day and of the parameter ``player``."""
    columns, dates = table.schema.names, DateRange.inclusive(day, day)
    return f"{select_window(table, columns, dates)} AND {_IS_PLAYER}"


def list_dates(table: Table, dates: DateRange) -> str:
    """The dates in a window on which the parameter ``player`` has rows, in order."""
    day = quote(table.partition or "")
    return (
        f"SELECT DISTINCT {day} FROM {name_table(table)} "
        f"WHERE {bound_dates(table, dates)} AND {_IS_PLAYER} ORDER BY {day}"
    )


def list_players(table: Table, dates: DateRange) -> str:
    """The lookups that have rows in a window, in order."""
    return (
        f"SELECT DISTINCT player_lookup FROM {name_table(table)} "
        f"WHERE {bound_dates(table, dates)} AND player_lookup IS NOT NULL ORDER BY player_lookup"
    )


def count_by_date(table: Table, dates: DateRange) -> str:
    """(date, rows) of the dates in a window that have rows, in order."""
    day = quote(table.partition or "")
    return (
        f"SELECT {day}, COUNT(*) FROM {name_table(table)} "
        f"WHERE {bound_dates(table, dates)} GROUP BY {day} ORDER BY {day}"
    )


def list_changed_dates(table: Table, dates: DateRange) -> str:
    """(date, newest ``processed_at``) of a window's dates with rows newer than the parameter ``since``."""
    day = quote(table.partition or "")
    return (
        f"SELECT {day}, MAX(processed_at) FROM {name_table(table)} WHERE {bound_dates(table, dates)} "
        f"AND processed_at > $since GROUP BY {day} ORDER BY {day}"
    )


def count_window(table: Table, dates: DateRange) -> str:
    return f"SELECT COUNT(*) FROM {name_table(table)} WHERE {bound_dates(table, dates)}"


def find_date_bounds(table: Table) -> str:
    """First and last date, answered from the file's statistics: no row is read."""
    day = quote(table.partition or "")
    return f"SELECT MIN({day}), MAX({day}) FROM {name_table(table)}"


def find_first_dates(table: Table, dates: DateRange) -> str:
    """(lookup, first date) of each lookup that has rows in a window."""
    day = quote(table.partition or "")
    return (
        f"SELECT player_lookup, MIN({day}) AS {day} FROM {name_table(table)} "
        f"WHERE {bound_dates(table, dates)} AND player_lookup IS NOT NULL GROUP BY player_lookup"
    )


def select_open_gaps(dates: DateRange) -> str:
    """Every column of the open gaps of a window, of the parameters ``reason`` and ``player`` unless these
    are NULL, in order."""
    columns = FEATURE_STORE_GAPS.schema.names
    return (
        f"{select_window(FEATURE_STORE_GAPS, columns, dates)} AND {OPEN} "
        "AND ($reason IS NULL OR skip_reason = $reason) "
        "AND ($player IS NULL OR player_lookup = $player) ORDER BY game_date, player_lookup"
    )


def count_runs_over(dates: DateRange, history: Table) -> str:
    """How many successful runs published keys of these dates."""
    return (
        f"SELECT COUNT(*) FROM {name_table(history)} WHERE status = 'success' "
        f"AND start_date < {date_literal(dates.end)} AND end_date >= {date_literal(dates.start)}"
    )


def create_schema(table: Table) -> str:
    return f"CREATE SCHEMA IF NOT EXISTS {quote(table.dataset)}"


def create_table(table: Table) -> str:
    """DDL for the embedded warehouse, from the one definition of the table."""
    lines = []
    for field in table.schema:
        kind = "JSON" if field.name in table.json_columns else duckdb_type(field.type)
        lines.append(f"{quote(field.name)} {kind}{'' if field.nullable else ' NOT NULL'}")
    return f"CREATE TABLE IF NOT EXISTS {name_table(table)} ({', '.join(lines)})"


def duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return duckdb_type(kind.value_type)
    if pa.types.is_struct(kind):
        inner = ", ".join(f"{quote(f.name)} {duckdb_type(f.type)}" for f in kind)
        return f"STRUCT({inner})"
    if pa.types.is_list(kind):
        return f"{duckdb_type(kind.value_type)}[]"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    names = {
        pa.string(): "VARCHAR",
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
    }
    return names[kind]


def create_views() -> list[str]:
    """The named vectors, and the gaps as the two failure views that people query."""
    store, gaps = name_table(FEATURE_STORE), name_table(FEATURE_STORE_GAPS)
    values = {feature.value_column: feature.name for feature in FEATURES}
    named = ", ".join(
        f"{quote(name)} AS {quote(values[name])}" if name in values else quote(name)
        for name in FEATURE_STORE.schema.names
    )
    closed = "COALESCE(resolved_at, withdrawn_at) AS resolved_at"
    processor = f"{text_literal(PROCESSOR_NAME)} AS processor_name"
    return [
        f"CREATE OR REPLACE VIEW nba_predictions.ml_feature_vectors AS SELECT {named} FROM {store}",
        "CREATE SCHEMA IF NOT EXISTS nba_processing",
        "CREATE OR REPLACE VIEW nba_processing.precompute_failures AS SELECT "
        f"{processor}, detected_run_id AS run_id, game_date AS analysis_date, "
        "player_lookup AS entity_id, "
        f"CASE skip_reason WHEN {text_literal(MISSING_DEPENDENCY)} THEN 'MISSING_DEPENDENCIES' "
        "ELSE UPPER(skip_reason) END AS failure_category, "
        "skip_detail AS failure_reason, skip_reason <> 'invalid_input' AS can_retry, "
        f"detected_at AS created_at, {closed} FROM {gaps}",
        "CREATE OR REPLACE VIEW nba_processing.registry_failures AS SELECT "
        f"player_lookup, game_date, {processor}, detected_at AS created_at, {closed} "
        f"FROM {gaps} WHERE skip_reason = 'unregistered_player'",
    ]
