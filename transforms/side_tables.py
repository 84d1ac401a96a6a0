"""The optional input tables: who plays next, when and where games are, who people are, what is said of them.

Absent, their features are missing. What counts of their rows is in ``sides``; the definitions of the
other tables are in ``schema``.
"""

from __future__ import annotations

import pyarrow as pa

from transforms.schema import BOOL, DATE, FLOAT, INT, PLAYER_GAME_SUMMARY, TEXT, TIMESTAMP, Table

UPCOMING = Table(
    dataset="nba_analytics",
    name="upcoming_player_game_context",
    schema=pa.schema(
        [
            pa.field("player_lookup", TEXT),
            pa.field("game_id", TEXT),
            pa.field("game_date", DATE),
            pa.field("team_abbr", TEXT),
            pa.field("opponent_team_abbr", TEXT),
            pa.field("home_game", BOOL),
        ]
    ),
    key=("player_lookup", "game_date"),
    partition="game_date",
    cluster=("player_lookup",),
    required=("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr"),
)
"""The targets of dates not yet played."""

SCHEDULE = Table(
    dataset="nba_reference",
    name="nba_schedule",
    schema=pa.schema(
        [
            pa.field("game_id", TEXT),
            pa.field("game_date", DATE),
            pa.field("home_team_abbr", TEXT),
            pa.field("away_team_abbr", TEXT),
            pa.field("game_status", INT),
            pa.field("game_type", TEXT),
            pa.field("tipoff_at", TIMESTAMP),
        ]
    ),
    key=("game_id", "game_date"),
    partition="game_date",
    required=("game_id", "game_date", "home_team_abbr", "away_team_abbr"),
)
"""``game_status``: 1 scheduled, 2 live, 3 final, 9 postponed."""

REGISTRY = Table(
    dataset="nba_reference",
    name="nba_players_registry",
    schema=pa.schema(
        [
            pa.field("player_lookup", TEXT),
            pa.field("universal_player_id", TEXT),
            pa.field("birth_date", DATE),
        ]
    ),
    key=("player_lookup",),
    required=("player_lookup",),
)

PLAYER_ALIASES = Table(
    dataset="nba_reference",
    name="player_aliases",
    schema=pa.schema([pa.field("alias_lookup", TEXT), pa.field("nba_canonical_lookup", TEXT)]),
    key=("alias_lookup",),
    required=("alias_lookup", "nba_canonical_lookup"),
)

INJURY_REPORT = Table(
    dataset="nba_raw",
    name="nbac_injury_report",
    schema=pa.schema(
        [
            pa.field("player_lookup", TEXT),
            pa.field("game_date", DATE),
            pa.field("team", TEXT),
            pa.field("injury_status", TEXT),
            pa.field("reported_at", TIMESTAMP),
        ]
    ),
    key=("player_lookup", "game_date", "team", "injury_status", "reported_at"),
    partition="game_date",
    cluster=("player_lookup",),
    required=("player_lookup", "game_date", "injury_status", "reported_at"),
)
"""A log: a row is a report, and two rows that are alike in everything are one."""

POINTS_LINES = Table(
    dataset="nba_raw",
    name="odds_api_player_points_props",
    schema=pa.schema(
        [
            pa.field("player_lookup", TEXT),
            pa.field("game_date", DATE),
            pa.field("bookmaker", TEXT),
            pa.field("points_line", FLOAT),
            pa.field("snapshot_timestamp", TIMESTAMP),
        ]
    ),
    key=("player_lookup", "game_date", "bookmaker", "points_line", "snapshot_timestamp"),
    partition="game_date",
    cluster=("player_lookup",),
    required=("player_lookup", "game_date", "points_line", "snapshot_timestamp"),
)
"""A log, as the injury reports are."""

SIDE_TABLES = (UPCOMING, SCHEDULE, REGISTRY, PLAYER_ALIASES, INJURY_REPORT, POINTS_LINES)
INPUTS = (PLAYER_GAME_SUMMARY, *SIDE_TABLES)
