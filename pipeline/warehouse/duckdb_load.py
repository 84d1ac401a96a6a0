"""Loading input tables of the embedded warehouse: rows meet those stored, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from pipeline.errors import BadInput
from pipeline.warehouse import sql
from pipeline.warehouse.duckdb_connection import (
    describe_table,
    fetch_one,
    read_version,
    transaction,
)
from transforms.schema import PLAYER_GAME_SUMMARY, TABLE_VERSIONS

IMPORTED, GENERATED = "import", "demo"
TABLE = PLAYER_GAME_SUMMARY
_NAME = sql.name_table(TABLE)
_SAME_KEY = " AND ".join(f"s.{sql.quote(k)} = i.{sql.quote(k)}" for k in TABLE.key)
_CONTENT = [n for n in TABLE.schema.names if n not in (*TABLE.key, "processed_at")]
_SAME_CONTENT = " AND ".join(f"s.{sql.quote(n)} IS NOT DISTINCT FROM i.{sql.quote(n)}" for n in _CONTENT)


@dataclass(frozen=True)
class LoadOutcome:
    """What became of the rows of a load."""

    added: int
    replaced: int
    unchanged: int
    older: int
    removed: int
    version: int


def load_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    loaded_at: datetime,
    *,
    replace_dates: bool,
) -> LoadOutcome:
    """Stores the rows of an import; ``rows`` has one row per key.

    An incoming row replaces the stored one, unless both carry ``processed_at`` and the incoming
    one is older; a row whose content is unchanged stays as it is. ``replace_dates`` first
    removes the stored rows of every incoming date that are not among the incoming keys.
    """
    with transaction(connection):
        create_input(connection)
        connection.register("incoming", rows)
        removed = 0
        if replace_dates:
            removed = fetch_one(
                connection,
                f"DELETE FROM {_NAME} s WHERE game_date IN (SELECT DISTINCT game_date FROM incoming) "
                f"AND NOT EXISTS (SELECT 1 FROM incoming i WHERE {_SAME_KEY})",
            )[0]
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE met AS SELECT i.player_lookup, i.game_date, "
            f"BOOL_AND({_SAME_CONTENT}) AS same, "
            "COALESCE(BOOL_OR(i.processed_at < s.processed_at), FALSE) AS older "
            f"FROM incoming i JOIN {_NAME} s ON {_SAME_KEY} GROUP BY ALL"
        )
        unchanged, older, replaced = fetch_one(
            connection,
            "SELECT COUNT(*) FILTER (WHERE same), COUNT(*) FILTER (WHERE older AND NOT same), "
            "COUNT(*) FILTER (WHERE NOT older AND NOT same) FROM met",
        )
        connection.execute(
            f"DELETE FROM {_NAME} s USING met i WHERE {_SAME_KEY} AND NOT i.same AND NOT i.older"
        )
        added = insert_incoming(connection, loaded_at, "ANTI JOIN met i ON " + _SAME_KEY)
        insert_incoming(connection, loaded_at, f"JOIN met i ON {_SAME_KEY} AND NOT i.same AND NOT i.older")
        version = raise_version(connection, IMPORTED)
    return LoadOutcome(added, replaced, unchanged, older, removed, version)


def insert_incoming(connection: duckdb.DuckDBPyConnection, loaded_at: datetime, joined: str = "") -> int:
    """Inserts from the registered ``incoming``, ordered by date so that windows prune."""
    names = [name for name in TABLE.schema.names if name != "processed_at"]
    count = fetch_one(
        connection,
        f"INSERT INTO {_NAME} ({sql.list_columns(names)}, processed_at) "
        f"SELECT {sql.list_columns(names, 's')}, "
        f"COALESCE(s.processed_at, {sql.time_literal(loaded_at)}) "
        f"FROM incoming s {joined} ORDER BY s.game_date, s.player_lookup",
    )[0]
    return int(count)


def replace_generated(
    connection: duckdb.DuckDBPyConnection, seasons: Iterable[pa.Table], loaded_at: datetime
) -> int:
    """Stores a generated league in place of an earlier one; refuses rows it did not generate."""
    with transaction(connection):
        create_input(connection)
        version = read_version(connection, TABLE)
        origin = version[1] if version else None
        stored = fetch_one(connection, f"SELECT COUNT(*) FROM {_NAME}")[0]
        if stored and origin != GENERATED:
            raise BadInput(
                f"this warehouse holds {stored} rows in {TABLE.path} that the demo did not "
                "generate; give the demo a warehouse of its own with --warehouse"
            )
        connection.execute(f"DELETE FROM {_NAME}")
        rows = 0
        for season in seasons:
            connection.register("incoming", season)
            rows += insert_incoming(connection, loaded_at)
        raise_version(connection, GENERATED)
    return rows


def create_input(connection: duckdb.DuckDBPyConnection) -> None:
    for table in (TABLE, TABLE_VERSIONS):
        if describe_table(connection, table) is None:
            connection.execute(sql.create_schema(table))
            connection.execute(sql.create_table(table))


def raise_version(connection: duckdb.DuckDBPyConnection, origin: str) -> int:
    """The next input version; a table that an import touched is never a demo's again."""
    found = read_version(connection, TABLE)
    version = (found[0] if found else 0) + 1
    versions = sql.name_table(TABLE_VERSIONS)
    connection.execute(f"DELETE FROM {versions} WHERE table_name = ?", [TABLE.path])
    connection.execute(f"INSERT INTO {versions} VALUES (?, ?, ?)", [TABLE.path, version, origin])
    return version
