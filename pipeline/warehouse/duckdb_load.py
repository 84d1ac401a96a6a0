"""Loading input tables of the embedded warehouse: rows meet those stored, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import BadInput, WrongShape
from pipeline.season import DateRange
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


SHOWN_NAMES = 5


@dataclass(frozen=True)
class LoadOutcome:
    """What became of the rows of a load.

    ``several_lookups`` names the incoming people who are stored under several lookups,
    ``several_people`` the incoming lookups that are stored with several people.
    """

    added: int
    replaced: int
    unchanged: int
    older: int
    removed: int
    version: int
    several_lookups: tuple[str, ...] = ()
    several_people: tuple[str, ...] = ()


NOTHING = LoadOutcome(added=0, replaced=0, unchanged=0, older=0, removed=0, version=0)


def load_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    loaded_at: datetime,
    *,
    replace_dates: bool,
) -> LoadOutcome:
    """Stores the rows of an import; ``rows`` has one row per key.

    An incoming row replaces the stored one, unless both carry ``processed_at`` and the incoming
    one is older; a row whose content is unchanged stays as it is. With ``replace_dates`` the
    stored rows of every incoming date give way, however new they are; only those that have no
    incoming row are counted as removed. Raises ``WrongShape`` when the stored table lacks columns.
    """
    with transaction(connection):
        create_input(connection)
        connection.register("incoming", rows)
        outcome = _meet_stored(connection, rows, loaded_at, replace_dates) if rows.num_rows else NOTHING
        return replace(
            outcome,
            version=raise_version(connection, IMPORTED),
            several_lookups=list_several(connection, "universal_player_id", "player_lookup"),
            several_people=list_several(connection, "player_lookup", "universal_player_id"),
        )


def _meet_stored(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, loaded_at: datetime, replace_dates: bool
) -> LoadOutcome:
    days = pc.min_max(rows.column("game_date")).as_py()
    dates = DateRange(days["min"], days["max"] + timedelta(days=1))
    within = sql.bound_dates(TABLE, dates, "s")
    removed = 0
    if replace_dates:
        removed = fetch_one(
            connection,
            f"DELETE FROM {_NAME} s WHERE {within} "
            "AND game_date IN (SELECT DISTINCT game_date FROM incoming) "
            f"AND NOT EXISTS (SELECT 1 FROM incoming i WHERE {_SAME_KEY})",
        )[0]
    is_older = "FALSE" if replace_dates else "COALESCE(BOOL_OR(i.processed_at < s.processed_at), FALSE)"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE met AS SELECT i.player_lookup, i.game_date, "
        f"BOOL_AND({_SAME_CONTENT}) AS same, {is_older} AS older "
        f"FROM incoming i JOIN {_NAME} s ON {_SAME_KEY} WHERE {within} GROUP BY ALL"
    )
    unchanged, older, replaced = fetch_one(
        connection,
        "SELECT COUNT(*) FILTER (WHERE same), COUNT(*) FILTER (WHERE older AND NOT same), "
        "COUNT(*) FILTER (WHERE NOT older AND NOT same) FROM met",
    )
    connection.execute(
        f"DELETE FROM {_NAME} s USING met i WHERE {within} AND {_SAME_KEY} AND NOT i.same AND NOT i.older"
    )
    added = insert_incoming(connection, loaded_at, "ANTI JOIN met i ON " + _SAME_KEY)
    insert_incoming(connection, loaded_at, f"JOIN met i ON {_SAME_KEY} AND NOT i.same AND NOT i.older")
    return LoadOutcome(added, replaced, unchanged, older, removed, version=0)


def list_several(connection: duckdb.DuckDBPyConnection, one: str, many: str) -> tuple[str, ...]:
    """``one: many, many`` for each incoming ``one`` that the whole table has with several ``many``."""
    dates = find_stored_dates(connection)
    if dates is None:
        return ()
    key, other = sql.quote(one), sql.quote(many)
    found = connection.execute(
        f"SELECT {key}, LIST(DISTINCT {other} ORDER BY {other}) FROM {_NAME} s "
        f"WHERE {sql.bound_dates(TABLE, dates, 's')} AND {key} IN (SELECT {key} FROM incoming) "
        f"AND {other} IS NOT NULL GROUP BY {key} HAVING COUNT(DISTINCT {other}) > 1 ORDER BY {key}"
    ).fetchall()
    return tuple(f"{name}: {_join_names(names)}" for name, names in found)


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more


def find_stored_dates(connection: duckdb.DuckDBPyConnection) -> DateRange | None:
    """The dates that the stored rows cover, None for an empty table."""
    first, last = fetch_one(connection, sql.find_date_bounds(TABLE))
    return None if first is None else DateRange(first, last + timedelta(days=1))


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
        dates = find_stored_dates(connection)
        if dates is not None and origin != GENERATED:
            raise BadInput(
                f"this warehouse holds rows from {dates} in {TABLE.path} that the demo did not "
                "generate; give the demo a warehouse of its own with --warehouse"
            )
        if dates is not None:
            connection.execute(f"DELETE FROM {_NAME} WHERE {sql.bound_dates(TABLE, dates)}")
        rows = 0
        for season in seasons:
            # what is registered is kept until the transaction ends, so it must be something used up
            batches = iter(season.to_batches())
            connection.register("incoming", pa.RecordBatchReader.from_batches(season.schema, batches))
            del season
            rows += insert_incoming(connection, loaded_at)
        raise_version(connection, GENERATED)
    return rows


def create_input(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables that an import writes, where they do not exist."""
    for table in (TABLE, TABLE_VERSIONS):
        stored = describe_table(connection, table)
        if stored is None:
            connection.execute(sql.create_schema(table))
            connection.execute(sql.create_table(table))
            continue
        missing = [name for name in table.schema.names if name not in stored.names]
        if missing:
            raise WrongShape(
                f"{table.path} lacks the column(s) {', '.join(missing)}; nothing was loaded. "
                "Add them, or import into a new warehouse with --warehouse"
            )


def raise_version(connection: duckdb.DuckDBPyConnection, origin: str) -> int:
    """The next input version; a table that an import touched is never a demo's again."""
    found = read_version(connection, TABLE)
    version = (found[0] if found else 0) + 1
    versions = sql.name_table(TABLE_VERSIONS)
    connection.execute(f"DELETE FROM {versions} WHERE table_name = ?", [TABLE.path])
    connection.execute(f"INSERT INTO {versions} VALUES (?, ?, ?)", [TABLE.path, version, origin])
    return version
