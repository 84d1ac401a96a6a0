"""Who is stored under which lookups, and the pairs that make several lookups one person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

import duckdb

from pipeline.aliases import join_names
from pipeline.season import DateRange
from pipeline.warehouse.duckdb_sql import sql
from transforms.aliases import Pair
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import PLAYER_ALIASES

ID_SOURCE = "REGEXP_EXTRACT(universal_player_id, '^([a-z]+)_', 1)"
"""Who gave a person the id: ``nba`` of ``nba_2544``. Ids of two sources are no two people."""

_ROWS = f"{sql.name_table(PLAYER_GAME_SUMMARY)} s"


def list_several(
    connection: duckdb.DuckDBPyConnection, dates: DateRange, one: str, many: str
) -> tuple[str, ...]:
    """``one: many, many`` for each incoming ``one`` that the whole table has with several ``many``."""
    key, other = sql.quote(one), sql.quote(many)
    found = connection.execute(
        f"SELECT {key}, LIST(DISTINCT {other} ORDER BY {other}) FROM {_ROWS} "
        f"WHERE {_bound(dates)} AND {key} IN (SELECT {key} FROM incoming) AND {other} IS NOT NULL "
        f"GROUP BY {key}, {ID_SOURCE} HAVING COUNT(DISTINCT {other}) > 1 ORDER BY ALL"
    ).fetchall()
    return tuple(f"{name}: {join_names(names)}" for name, names in found)


def find_people(connection: duckdb.DuckDBPyConnection, dates: DateRange) -> dict[str, dict[str, date]]:
    """Person -> lookup -> newest date, of the incoming people that are stored under several lookups."""
    people: dict[str, dict[str, date]] = defaultdict(dict)
    for person, lookup, newest in connection.execute(
        f"SELECT universal_player_id, player_lookup, MAX(game_date) FROM {_ROWS} "
        f"WHERE {_bound(dates)} AND universal_player_id IN (SELECT universal_player_id FROM incoming) "
        "GROUP BY universal_player_id, player_lookup "
        "QUALIFY COUNT(*) OVER (PARTITION BY universal_player_id) > 1"
    ).fetchall():
        people[person][lookup] = newest
    return dict(people)


def find_contested(connection: duckdb.DuckDBPyConnection, dates: DateRange) -> set[str]:
    """The lookups that several people carry."""
    found = connection.execute(
        f"SELECT player_lookup FROM {_ROWS} WHERE {_bound(dates)} GROUP BY player_lookup, {ID_SOURCE} "
        "HAVING COUNT(DISTINCT universal_player_id) > 1"
    ).fetchall()
    return {lookup for (lookup,) in found}


def read_pairs(connection: duckdb.DuckDBPyConnection) -> list[Pair]:
    """The recorded pairs; the table must exist."""
    return connection.execute(
        f"SELECT alias_lookup, nba_canonical_lookup FROM {sql.name_table(PLAYER_ALIASES)} "
        "WHERE alias_lookup IS NOT NULL AND nba_canonical_lookup IS NOT NULL"
    ).fetchall()


def insert_pairs(connection: duckdb.DuckDBPyConnection, pairs: Sequence[Pair]) -> None:
    columns = sql.list_columns(PLAYER_ALIASES.schema.names)
    connection.executemany(
        f"INSERT INTO {sql.name_table(PLAYER_ALIASES)} ({columns}) VALUES (?, ?)", [list(p) for p in pairs]
    )


def _bound(dates: DateRange) -> str:
    return sql.bound_dates(PLAYER_GAME_SUMMARY, dates, "s")
