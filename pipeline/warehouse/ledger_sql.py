"""The questions of whoever holds the tables of the embedded warehouse against each other.

Read-only. Nothing is judged here; what is a violation is decided in ``pipeline.ledger.auditing``.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.season import DateRange
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.ledger_rows import CHANGED_ROWS, STORED_VECTORS, UNKNOWN_SOURCE
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY
from transforms.vector import FEATURES, SOURCES


def select_vectors(dates: DateRange) -> str:
    """``STORED_VECTORS`` of the rows in a window."""
    sources = {feature.source_column for feature in FEATURES}
    columns = [_number_source(name) if name in sources else sql.quote(name) for name in STORED_VECTORS.names]
    return (
        f"SELECT {', '.join(columns)} FROM {sql.name_table(FEATURE_STORE)} "
        f"WHERE {sql.bound_dates(FEATURE_STORE, dates)}"
    )


def _number_source(name: str) -> str:
    cases = " ".join(f"WHEN {sql.text_literal(source)} THEN {n}" for n, source in enumerate(SOURCES))
    return f"CAST(CASE {sql.quote(name)} {cases} ELSE {UNKNOWN_SOURCE} END AS TINYINT) AS {sql.quote(name)}"


def select_changed(dates: DateRange, since: datetime) -> str:
    """``CHANGED_ROWS`` of the box scores in a window that were processed after an instant."""
    plain = sql.list_columns(name for name in CHANGED_ROWS.names if name != "processed_at")
    return (
        f"SELECT {plain}, CAST(processed_at AS TIMESTAMPTZ) AS processed_at "
        f"FROM {sql.name_table(PLAYER_GAME_SUMMARY)} WHERE {sql.bound_dates(PLAYER_GAME_SUMMARY, dates)} "
        f"AND processed_at > {sql.time_literal(since)}"
    )
