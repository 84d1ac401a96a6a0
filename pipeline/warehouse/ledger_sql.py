"""The questions of whoever holds the tables against each other: rows of a window, as they are stored.

Read-only. Nothing is judged here; what is a violation is decided in ``pipeline.ledger.auditing``.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from pipeline.season import DateRange
from pipeline.warehouse.duckdb_sql import sql
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY, TIMESTAMP
from transforms.vector import FEATURES, SOURCES

QUALITY_COLUMNS = (
    "missing_required_count",
    "feature_quality_score",
    "quality_tier",
    "is_quality_ready",
)
UNKNOWN_SOURCE = -1
STORED_VECTORS = pa.schema(
    [
        pa.field("player_lookup", pa.string()),
        pa.field("game_date", pa.date32()),
        *(pa.field(feature.value_column, pa.float64()) for feature in FEATURES),
        *(pa.field(feature.source_column, pa.int8()) for feature in FEATURES),
        pa.field("missing_required_count", pa.int64()),
        pa.field("feature_quality_score", pa.float64()),
        pa.field("quality_tier", pa.string()),
        pa.field("is_quality_ready", pa.bool_()),
        pa.field("data_hash", pa.string()),
    ]
)
"""A stored vector and what follows from it. A source is its ordinal in ``vector.SOURCES``, or
:data:`UNKNOWN_SOURCE` where it is none of them."""

CHANGED_ROWS = pa.schema(
    [
        *(
            PLAYER_GAME_SUMMARY.schema.field(name)
            for name in ("player_lookup", "game_date", "team_abbr", "opponent_team_abbr")
        ),
        pa.field("processed_at", TIMESTAMP),
    ]
)
"""A box score, by what it names, and when it was processed."""


def select_vectors(dates: DateRange) -> str:
    """:data:`STORED_VECTORS` of the rows in a window."""
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
    """:data:`CHANGED_ROWS` of the box scores in a window that were processed after an instant."""
    plain = sql.list_columns(name for name in CHANGED_ROWS.names if name != "processed_at")
    return (
        f"SELECT {plain}, CAST(processed_at AS TIMESTAMPTZ) AS processed_at "
        f"FROM {sql.name_table(PLAYER_GAME_SUMMARY)} WHERE {sql.bound_dates(PLAYER_GAME_SUMMARY, dates)} "
        f"AND processed_at > {sql.time_literal(since)}"
    )
