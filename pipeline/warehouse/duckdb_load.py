"""Loading input tables of the embedded warehouse: rows meet those stored, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.aliases import NO_ALIASES, AliasProposal, propose_aliases
from pipeline.errors import BadInput, WrongShape
from pipeline.season import DateRange
from pipeline.warehouse import sql
from pipeline.warehouse.duckdb_aliases import (
    find_contested,
    find_people,
    insert_pairs,
    list_several,
    read_pairs,
)
from pipeline.warehouse.duckdb_connection import (
    describe_table,
    fetch_one,
    read_version,
    transaction,
)
from transforms.aliases import Pair
from transforms.schema import PLAYER_GAME_SUMMARY, TABLE_VERSIONS, Table
from transforms.side_tables import INPUTS, PLAYER_ALIASES

IMPORTED, GENERATED = "import", "demo"
TABLE = PLAYER_GAME_SUMMARY
_NAME = sql.name_table(TABLE)
_SAME_KEY = " AND ".join(f"s.{sql.quote(k)} = i.{sql.quote(k)}" for k in TABLE.key)
_CONTENT = [n for n in TABLE.schema.names if n not in (*TABLE.key, "processed_at")]
_SAME_CONTENT = " AND ".join(f"s.{sql.quote(n)} IS NOT DISTINCT FROM i.{sql.quote(n)}" for n in _CONTENT)


@dataclass(frozen=True)
class LoadOutcome:
    """What became of the rows of a load.

    ``several_lookups`` names the incoming people who are stored under several lookups,
    ``several_people`` the incoming lookups that are stored with several people. ``aliases`` would
    make the former one person; they are recorded when ``aliases_written``.
    """

    added: int
    replaced: int
    unchanged: int
    older: int
    removed: int
    version: int
    several_lookups: tuple[str, ...] = ()
    several_people: tuple[str, ...] = ()
    aliases: AliasProposal = NO_ALIASES
    aliases_written: bool = False


NOTHING = LoadOutcome(added=0, replaced=0, unchanged=0, older=0, removed=0, version=0)


def load_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    loaded_at: datetime,
    *,
    replace_dates: bool,
    write_aliases: bool = False,
) -> LoadOutcome:
    """Stores the rows of an import; ``rows`` has one row per key.

    An incoming row replaces the stored one, unless both carry ``processed_at`` and the incoming
    one is older; a row whose content is unchanged stays as it is. With ``replace_dates`` the
    stored rows of every incoming date give way, however new they are; only those that have no
    incoming row are counted as removed. ``write_aliases`` records the lookups of one person as
    aliases. Raises ``WrongShape`` when a stored table lacks columns.
    """
    with transaction(connection):
        create_input(connection)
        connection.register("incoming", rows)
        outcome = _meet_stored(connection, rows, loaded_at, replace_dates) if rows.num_rows else NOTHING
        version = raise_version(connection, IMPORTED)
        outcome = replace(outcome, version=version, aliases_written=write_aliases)
        dates = find_stored_dates(connection)
        if dates is None:
            return outcome
        return replace(
            outcome,
            several_lookups=list_several(connection, dates, "universal_player_id", "player_lookup"),
            several_people=list_several(connection, dates, "player_lookup", "universal_player_id"),
            aliases=_meet_aliases(connection, dates, write=write_aliases),
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


def _meet_aliases(connection: duckdb.DuckDBPyConnection, dates: DateRange, *, write: bool) -> AliasProposal:
    """The aliases that the stored rows suggest beside those recorded; with ``write`` they are, too."""
    people = find_people(connection, dates)
    if not people:
        return NO_ALIASES
    stored: list[Pair] = []
    if write or describe_table(connection, PLAYER_ALIASES) is not None:
        ensure_table(connection, PLAYER_ALIASES)
        stored = read_pairs(connection)
    proposal = propose_aliases(people, find_contested(connection, dates), stored)
    if write and proposal.pairs:
        insert_pairs(connection, proposal.pairs)
    return proposal


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
    connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[Table, pa.Table]]
) -> dict[str, int]:
    """Stores a generated league in place of an earlier one: how many rows, by the table's path.

    Every pair adds its rows to its table. Refuses, whole, when an input table holds rows that the demo
    did not generate. Tables of an earlier league are gone even where this one has none, since a table
    that is there but empty says something else than one that is not.
    """
    counts: dict[str, int] = {}
    with transaction(connection):
        ensure_table(connection, TABLE_VERSIONS)
        replaced = [table for table in INPUTS if _drop_generated(connection, table)]
        for table, rows in tables:
            if table.path not in counts:
                ensure_table(connection, table)
            counts[table.path] = counts.get(table.path, 0) + _append_rows(connection, table, rows)
        for table in INPUTS:
            if table in replaced or table.path in counts:
                raise_version(connection, GENERATED, table)
    return counts


def _drop_generated(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Whether there was a table to drop; ``BadInput`` when its rows are not of the demo."""
    if describe_table(connection, table) is None:
        return False
    version = read_version(connection, table)
    is_empty = connection.execute(f"SELECT 1 FROM {sql.name_table(table)} LIMIT 1").fetchone() is None
    if not is_empty and (version is None or version[1] != GENERATED):
        dates = ""
        if table.partition is not None:
            first, last = fetch_one(connection, sql.find_date_bounds(table))
            dates = f" from {first} to {last}"
        raise BadInput(
            f"this warehouse holds rows{dates} in {table.path} that the demo did not generate; "
            "give the demo a warehouse of its own with --warehouse"
        )
    connection.execute(f"DROP TABLE {sql.name_table(table)}")
    return True


def _append_rows(connection: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table) -> int:
    """Inserts rows of the table's schema, ordered by date where it has one so that windows prune."""
    # what is registered is kept until the transaction ends, so it must be something used up
    batches = iter(rows.to_batches())
    connection.register("generated", pa.RecordBatchReader.from_batches(rows.schema, batches))
    order = dict.fromkeys([table.partition, *table.key] if table.partition else table.key)
    names = sql.list_columns(table.schema.names)
    count = fetch_one(
        connection,
        f"INSERT INTO {sql.name_table(table)} ({names}) SELECT {names} FROM generated "
        f"ORDER BY {sql.list_columns(order)}",
    )[0]
    return int(count)


def create_input(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables that an import writes, where they do not exist."""
    for table in (TABLE, TABLE_VERSIONS):
        ensure_table(connection, table)


def ensure_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Makes the table where it does not exist; ``WrongShape`` when it lacks columns."""
    stored = describe_table(connection, table)
    if stored is None:
        connection.execute(sql.create_schema(table))
        connection.execute(sql.create_table(table))
        return
    missing = [name for name in table.schema.names if name not in stored.names]
    if missing:
        raise WrongShape(
            f"{table.path} lacks the column(s) {', '.join(missing)}; nothing was loaded. "
            "Add them, or import into a new warehouse with --warehouse"
        )


def raise_version(connection: duckdb.DuckDBPyConnection, origin: str, table: Table = TABLE) -> int:
    """The table's next input version; one that an import touched is never a demo's again."""
    found = read_version(connection, table)
    version = (found[0] if found else 0) + 1
    versions = sql.name_table(TABLE_VERSIONS)
    connection.execute(f"DELETE FROM {versions} WHERE table_name = ?", [table.path])
    connection.execute(f"INSERT INTO {versions} VALUES (?, ?, ?)", [table.path, version, origin])
    return version
