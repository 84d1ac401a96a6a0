"""Rows of the tables as whoever holds them against each other reads them: which columns, of which types."""

from __future__ import annotations

import pyarrow as pa

from transforms.schema import PLAYER_GAME_SUMMARY, TIMESTAMP
from transforms.vector import FEATURES

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
