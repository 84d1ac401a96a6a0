"""The one definition of every table: its Arrow schema, its key and its physical layout.

Each warehouse derives its DDL from here, each reader the columns it asks for, each writer the
shape it promises. What the columns mean is not here but in the documentation of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from transforms.vector import FEATURES

DATE = pa.date32()
TIMESTAMP = pa.timestamp("us", tz="UTC")
INT = pa.int64()
FLOAT = pa.float64()
TEXT = pa.string()
BOOL = pa.bool_()
LABEL = pa.dictionary(pa.int8(), pa.string())
"""Text of few distinct values, dictionary-encoded on its way; plain text in the warehouse."""


@dataclass(frozen=True)
class Table:
    """A table of the warehouse: ``dataset.name``, columns, key, layout.

    ``partition`` names the date column that every statement must bound on both sides;
    ``required`` the columns without which an input cannot be read (an output requires all).
    ``json_columns`` hold JSON text in Arrow and the JSON type in the warehouse.
    """

    dataset: str
    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    partition: str | None = None
    cluster: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    json_columns: frozenset[str] = field(default_factory=frozenset)

    @property
    def path(self) -> str:
        """``dataset.name``, as it is written in messages."""
        return f"{self.dataset}.{self.name}"


COUNTS = (
    "fg_attempts",
    "fg_makes",
    "three_pt_attempts",
    "three_pt_makes",
    "ft_attempts",
    "ft_makes",
)
OPTIONAL_COUNTS = (
    "offensive_rebounds",
    "turnovers",
    "paint_attempts",
    "paint_makes",
    "mid_range_attempts",
    "mid_range_makes",
)
INTEGER_STATISTICS = ("points", *COUNTS, *OPTIONAL_COUNTS)
"""The statistics that are whole numbers; minutes_played is the one that is not."""

PLAYER_GAME_SUMMARY = Table(
    dataset="nba_analytics",
    name="player_game_summary",
    schema=pa.schema(
        [
            pa.field("player_lookup", TEXT),
            pa.field("game_id", TEXT),
            pa.field("game_date", DATE),
            pa.field("team_abbr", TEXT),
            pa.field("opponent_team_abbr", TEXT),
            pa.field("points", INT),
            pa.field("minutes_played", FLOAT),
            *(pa.field(name, INT) for name in COUNTS),
            pa.field("universal_player_id", TEXT),
            pa.field("player_full_name", TEXT),
            pa.field("season_year", INT),
            pa.field("season_type", TEXT),
            pa.field("is_home", BOOL),
            pa.field("is_dnp", BOOL),
            pa.field("dnp_reason", TEXT),
            *(pa.field(name, INT) for name in OPTIONAL_COUNTS),
            pa.field("processed_at", TIMESTAMP),
        ]
    ),
    key=("player_lookup", "game_date"),
    partition="game_date",
    cluster=("player_lookup", "team_abbr"),
    required=(
        "player_lookup",
        "game_id",
        "game_date",
        "team_abbr",
        "opponent_team_abbr",
        "points",
        "minutes_played",
        *COUNTS,
    ),
)

COMPLETENESS = pa.struct(
    [
        pa.field("games_found", INT),
        pa.field("games_expected", INT),
        pa.field("is_complete", BOOL),
        pa.field("is_bootstrap", BOOL),
        pa.field("contributing_game_dates", pa.list_(DATE)),
    ]
)

FEATURE_STORE = Table(
    dataset="nba_predictions",
    name="ml_feature_store_v2",
    schema=pa.schema(
        [
            pa.field("player_lookup", TEXT, nullable=False),
            pa.field("universal_player_id", TEXT),
            pa.field("game_id", TEXT),
            pa.field("game_date", DATE, nullable=False),
            pa.field("season_year", INT),
            pa.field("team_abbr", TEXT),
            pa.field("opponent_team_abbr", TEXT),
            pa.field("is_home", BOOL),
            pa.field("days_rest", INT),
            pa.field("feature_version", TEXT),
            pa.field("feature_count", INT),
            *(pa.field(feature.value_column, FLOAT) for feature in FEATURES),
            *(pa.field(feature.source_column, LABEL, nullable=False) for feature in FEATURES),
            pa.field("missing_required_count", INT),
            pa.field("feature_quality_score", FLOAT),
            pa.field("quality_tier", LABEL),
            pa.field("is_quality_ready", BOOL),
            pa.field("early_season_flag", BOOL),
            pa.field("historical_completeness", COMPLETENESS),
            pa.field("data_hash", TEXT),
            pa.field("run_id", TEXT),
            pa.field("created_at", TIMESTAMP),
            pa.field("updated_at", TIMESTAMP),
        ]
    ),
    key=("player_lookup", "game_date"),
    partition="game_date",
    cluster=("game_date", "player_lookup"),
)
RUN_COLUMNS = ("run_id", "created_at", "updated_at")
"""The columns of a feature row that say when it was written, not what it says."""

STAGED_FEATURES = pa.schema([f for f in FEATURE_STORE.schema if f.name not in RUN_COLUMNS])
"""A feature row before the commit gives it its run and its instants."""

FEATURE_STORE_GAPS = Table(
    dataset="nba_predictions",
    name="feature_store_gaps",
    schema=pa.schema(
        [
            pa.field("player_lookup", TEXT, nullable=False),
            pa.field("game_date", DATE, nullable=False),
            pa.field("skip_reason", LABEL, nullable=False),
            pa.field("detected_at", TIMESTAMP),
            pa.field("resolved_at", TIMESTAMP),
            pa.field("skip_detail", TEXT),
            pa.field("game_id", TEXT),
            pa.field("team_abbr", TEXT),
            pa.field("opponent_team_abbr", TEXT),
            pa.field("season_year", INT),
            pa.field("detected_run_id", TEXT),
            pa.field("resolved_run_id", TEXT),
            pa.field("attempt_count", INT),
            pa.field("last_attempt_at", TIMESTAMP),
            pa.field("reopened_at", TIMESTAMP),
            pa.field("withdrawn_at", TIMESTAMP),
        ]
    ),
    key=("player_lookup", "game_date"),
    partition="game_date",
    cluster=("skip_reason", "player_lookup"),
)
STAGED_GAPS = pa.schema(
    [
        FEATURE_STORE_GAPS.schema.field(name)
        for name in (
            "player_lookup",
            "game_date",
            "skip_reason",
            "skip_detail",
            "game_id",
            "team_abbr",
            "opponent_team_abbr",
            "season_year",
        )
    ]
)
"""A gap before the commit gives it its place in the ledger."""

STAGED_TARGETS = pa.schema(
    [pa.field("player_lookup", TEXT, nullable=False), pa.field("game_date", DATE, nullable=False)]
)
"""The keys for which a row is wanted: what the audit holds features and gaps against."""

STAGED_PASSED = pa.schema([*STAGED_TARGETS, pa.field("detail", TEXT)])
"""Keys that a source names and that are no targets, and why; a key may be there several times."""

RUN_HISTORY = Table(
    dataset="nba_reference",
    name="processor_run_history",
    schema=pa.schema(
        [
            pa.field("processor_name", TEXT),
            pa.field("run_id", TEXT, nullable=False),
            pa.field("mode", TEXT),
            pa.field("status", TEXT),
            pa.field("data_date", DATE),
            pa.field("start_date", DATE),
            pa.field("end_date", DATE),
            pa.field("duration_seconds", FLOAT),
            *(
                pa.field(name, INT)
                for name in (
                    "records_expected",
                    "records_created",
                    "records_updated",
                    "records_unchanged",
                    "records_deleted",
                    "gaps_opened",
                    "gaps_resolved",
                    "gaps_open",
                )
            ),
            pa.field("timing_breakdown", TEXT),
            pa.field("options", TEXT),
            pa.field("feature_version", TEXT),
            pa.field("runner", TEXT),
            pa.field("error", TEXT),
            pa.field("started_at", TIMESTAMP),
            pa.field("processed_at", TIMESTAMP),
        ]
    ),
    key=("run_id",),
    partition="data_date",
    json_columns=frozenset({"timing_breakdown", "options"}),
)

TABLE_VERSIONS = Table(
    dataset="nba_processing",
    name="table_versions",
    schema=pa.schema(
        [
            pa.field("table_name", TEXT, nullable=False),
            pa.field("input_version", INT, nullable=False),
            pa.field("origin", TEXT, nullable=False),
        ]
    ),
    key=("table_name",),
)
"""What the embedded warehouse remembers of its inputs: a version that every import raises, and
who wrote the rows (``import`` or ``demo``)."""

INPUT_CHANGES = Table(
    dataset="nba_processing",
    name="input_changes",
    schema=pa.schema(
        [
            pa.field("table_name", TEXT, nullable=False),
            pa.field("input_version", INT, nullable=False),
            pa.field("changed_at", TIMESTAMP, nullable=False),
            pa.field("first_date", DATE),
            pa.field("last_date", DATE),
        ]
    ),
    key=("table_name", "input_version"),
)
"""When an import changed which dates of an input; without dates it may have been any of them."""

OUTPUTS = (FEATURE_STORE, FEATURE_STORE_GAPS, RUN_HISTORY)
