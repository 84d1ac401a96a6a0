"""Loading input tables of the embedded warehouse: rows meet those stored, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.aliases import NO_ALIASES, AliasProposal, find_circles, propose_aliases
from pipeline.errors import WrongShape
from pipeline.season import DateRange
from pipeline.warehouse.base import NOTHING, LoadOutcome
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
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.load_rules import LOAD_RULES
from transforms.aliases import Pair
from transforms.schema import INPUT_CHANGES, PLAYER_GAME_SUMMARY, TABLE_VERSIONS, Table
from transforms.side_tables import PLAYER_ALIASES

IMPORTED, GENERATED = "import", "demo"
TABLE = PLAYER_GAME_SUMMARY
_NAME = sql.name_table(TABLE)


def load_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    loaded_at: datetime,
    *,
    replace_dates: bool,
    write_aliases: bool = False,
    table: Table = PLAYER_GAME_SUMMARY,
) -> LoadOutcome:
    """Stores the rows of an import; ``rows`` has one row per key of ``table``.

    An incoming row replaces the stored one of its key, unless both carry the stamp of the table's
    rule and the incoming one is older; a row whose content is unchanged stays as it is. With
    ``replace_dates`` the stored rows of every incoming date give way, however new they are; only
    those that have no incoming row are counted as removed. ``write_aliases`` records the lookups of
    one person as aliases. Raises ``WrongShape`` when a stored table lacks columns.
    """
    with transaction(connection):
        create_input(connection, table)
        connection.register("incoming", rows)
        outcome = NOTHING
        if rows.num_rows:
            outcome = meet_stored(connection, rows, loaded_at, table, replace_dates=replace_dates)
        if LOAD_RULES[table.path].stamp is None:
            outcome = replace(outcome, older=None)
        version = raise_version(connection, IMPORTED, table)
        if outcome.added or outcome.replaced or outcome.removed:
            log_change(connection, table, version, loaded_at, outcome.changed)
        outcome = replace(outcome, version=version, aliases_written=write_aliases)
        look = _AFTERWARDS.get(table.path)
        return look(connection, outcome, loaded_at) if look else outcome


def meet_stored(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    loaded_at: datetime,
    table: Table,
    *,
    replace_dates: bool,
) -> LoadOutcome:
    """Stores the registered ``incoming`` as the table's rule says; the outcome lacks its version."""
    rule, name = LOAD_RULES[table.path], sql.name_table(table)
    content = [column for column in table.schema.names if column not in (*table.key, rule.stamp)]
    same_key = _agree([k for k in table.key if k in rule.identity], "=")
    if nullable := [k for k in table.key if k not in rule.identity]:
        same_key += f" AND {_agree(nullable)}"
    dates = _find_dates(rows, table)
    within = _bound(table, dates)
    removed = 0
    if set(rule.scope) != set(table.key):
        everywhere = _bound(table, find_stored_dates(connection, table) or dates)
        removed += _remove_others(connection, f"{name} s", everywhere, _agree(rule.scope), same_key)
    if replace_dates:
        same_date = _agree([table.partition or ""], "=")
        removed += _remove_others(connection, f"{name} s", within, same_date, same_key)
    is_older = "FALSE"
    if rule.stamp and not replace_dates:
        stamp = sql.quote(rule.stamp)
        is_older = f"COALESCE(BOOL_OR(i.{stamp} < s.{stamp}), FALSE)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE met AS SELECT {sql.list_columns(table.key, 'i')}, "
        f"BOOL_AND({_agree(content) or 'TRUE'}) AS same, {is_older} AS older "
        f"FROM incoming i JOIN {name} s ON {same_key} WHERE {within} GROUP BY ALL"
    )
    unchanged, older, replaced = fetch_one(
        connection,
        "SELECT COUNT(*) FILTER (WHERE same), COUNT(*) FILTER (WHERE older AND NOT same), "
        "COUNT(*) FILTER (WHERE NOT older AND NOT same) FROM met",
    )
    changed = None if removed else _find_changed(connection, table, same_key)
    connection.execute(
        f"DELETE FROM {name} s USING met i WHERE {within} AND {same_key} AND NOT i.same AND NOT i.older"
    )
    added = insert_incoming(connection, loaded_at, f"ANTI JOIN met i ON {same_key}", table)
    insert_incoming(connection, loaded_at, f"JOIN met i ON {same_key} AND NOT i.same AND NOT i.older", table)
    return LoadOutcome(added, replaced, unchanged, older, removed, version=0, changed=changed)


def _find_changed(connection: duckdb.DuckDBPyConnection, table: Table, same_key: str) -> DateRange | None:
    """The dates of the incoming rows that are not stored as they are; None without any, or a date."""
    if table.partition is None:
        return None
    day = sql.quote(table.partition)
    first, last = fetch_one(
        connection,
        f"SELECT MIN(s.{day}), MAX(s.{day}) FROM incoming s LEFT JOIN met i ON {same_key} "
        "WHERE i.same IS NULL OR NOT (i.same OR i.older)",
    )
    return None if first is None else DateRange(first, last + timedelta(days=1))


def _remove_others(
    connection: duckdb.DuckDBPyConnection, stored: str, within: str, alike: str, same_key: str
) -> int:
    """Deletes the stored rows that are alike to an incoming row, unless one has their key; how many."""
    return int(
        fetch_one(
            connection,
            f"DELETE FROM {stored} WHERE {within} AND EXISTS (SELECT 1 FROM incoming i WHERE {alike}) "
            f"AND NOT EXISTS (SELECT 1 FROM incoming i WHERE {same_key})",
        )[0]
    )


def _agree(columns: Iterable[str], operator: str = "IS NOT DISTINCT FROM") -> str:
    """That a stored row ``s`` and another ``i`` have the same values; two NULLs are the same."""
    return " AND ".join(f"s.{sql.quote(name)} {operator} i.{sql.quote(name)}" for name in columns)


def _find_dates(rows: pa.Table, table: Table) -> DateRange | None:
    """The dates of the rows, None for a table without a date."""
    if table.partition is None:
        return None
    days = pc.min_max(rows.column(table.partition)).as_py()
    return DateRange(days["min"], days["max"] + timedelta(days=1))


def _bound(table: Table, dates: DateRange | None) -> str:
    """Both bounds of a stored table ``s``; a table without a date has none."""
    return "TRUE" if dates is None else sql.bound_dates(table, dates, "s")


def _name_people(
    connection: duckdb.DuckDBPyConnection, outcome: LoadOutcome, loaded_at: datetime
) -> LoadOutcome:
    """With the people of the import, seen in all that is stored; records their aliases when asked."""
    dates = find_stored_dates(connection)
    if dates is None:
        return outcome
    return replace(
        outcome,
        several_lookups=list_several(connection, dates, "universal_player_id", "player_lookup"),
        several_people=list_several(connection, dates, "player_lookup", "universal_player_id"),
        aliases=_meet_aliases(connection, dates, loaded_at, write=outcome.aliases_written),
    )


def _name_circles(
    connection: duckdb.DuckDBPyConnection, outcome: LoadOutcome, loaded_at: datetime
) -> LoadOutcome:
    return replace(outcome, circles=find_circles(read_pairs(connection)))


_AFTERWARDS = {PLAYER_GAME_SUMMARY.path: _name_people, PLAYER_ALIASES.path: _name_circles}
"""What is looked for in the whole table once the rows are there."""


def _meet_aliases(
    connection: duckdb.DuckDBPyConnection, dates: DateRange, loaded_at: datetime, *, write: bool
) -> AliasProposal:
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
        version = raise_version(connection, IMPORTED, PLAYER_ALIASES)
        log_change(connection, PLAYER_ALIASES, version, loaded_at)
    return proposal


def find_stored_dates(
    connection: duckdb.DuckDBPyConnection, table: Table = PLAYER_GAME_SUMMARY
) -> DateRange | None:
    """The dates that the stored rows cover, None for an empty table and one without dates."""
    if table.partition is None:
        return None
    first, last = fetch_one(connection, sql.find_date_bounds(table))
    return None if first is None else DateRange.spanning(first, last)


def insert_incoming(
    connection: duckdb.DuckDBPyConnection,
    loaded_at: datetime,
    joined: str = "",
    table: Table = PLAYER_GAME_SUMMARY,
) -> int:
    """Inserts from the registered ``incoming``, ordered by date so that windows prune; how many."""
    stamp = LOAD_RULES[table.path].stamp
    names = [name for name in table.schema.names if name != stamp]
    columns, values = sql.list_columns(names), sql.list_columns(names, "s")
    if stamp is not None:
        columns += f", {sql.quote(stamp)}"
        values += f", COALESCE(s.{sql.quote(stamp)}, {sql.time_literal(loaded_at)})"
    order = dict.fromkeys([table.partition or table.key[0], *table.key])
    count = fetch_one(
        connection,
        f"INSERT INTO {sql.name_table(table)} ({columns}) SELECT {values} "
        f"FROM incoming s {joined} ORDER BY {sql.list_columns(order, 's')}",
    )[0]
    return int(count)


def create_input(connection: duckdb.DuckDBPyConnection, table: Table = PLAYER_GAME_SUMMARY) -> None:
    """The tables that an import into ``table`` writes, where they do not exist."""
    for needed in (table, TABLE_VERSIONS):
        ensure_table(connection, needed)


def ensure_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Makes the table where it does not exist; ``WrongShape`` when it lacks columns."""
    stored = describe_table(connection, table)
    if stored is None:
        connection.execute(sql.create_schema(table.dataset))
        connection.execute(sql.create_table(table))
        return
    missing = [name for name in table.schema.names if name not in stored.names]
    if missing:
        raise WrongShape(
            f"{table.path} lacks the column(s) {', '.join(missing)}; nothing was loaded. "
            "Add them, or import into a new warehouse with --warehouse"
        )


def log_change(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    version: int,
    changed_at: datetime,
    dates: DateRange | None = None,
) -> None:
    """Remembers when which dates of an input changed; without dates it may have been any."""
    ensure_table(connection, INPUT_CHANGES)
    days = [dates.start, dates.last] if dates else [None, None]
    connection.execute(
        f"INSERT INTO {sql.name_table(INPUT_CHANGES)} VALUES (?, ?, ?, ?, ?)",
        [table.path, version, changed_at, *days],
    )


def raise_version(
    connection: duckdb.DuckDBPyConnection, origin: str, table: Table = PLAYER_GAME_SUMMARY
) -> int:
    """The table's next input version; a table that an import touched is never a demo's again."""
    found = read_version(connection, table)
    version = (found[0] if found else 0) + 1
    versions = sql.name_table(TABLE_VERSIONS)
    connection.execute(f"DELETE FROM {versions} WHERE table_name = ?", [table.path])
    connection.execute(f"INSERT INTO {versions} VALUES (?, ?, ?)", [table.path, version, origin])
    return version
