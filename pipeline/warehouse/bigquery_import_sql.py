"""The script of an import on BigQuery: incoming rows meet those stored, by the rule of their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.season import DateRange
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.load_rules import LOAD_RULES, LoadRule
from transforms.schema import INPUT_CHANGES, TABLE_VERSIONS, Table

COUNTS = ("added", "replaced", "unchanged", "older", "removed", "version", "first_date", "last_date")
"""What the last SELECT of the script says."""


@dataclass(frozen=True)
class ImportSql:
    """``incoming`` is the full name of the staging table; ``dates`` its dates, ``everywhere`` those of the
    stored rows and its own together; both None for a table without a date. ``casts`` are the types of stored
    columns that are others than the incoming ones."""

    sql: BigQuerySql
    table: Table
    incoming: str
    loaded_at: datetime
    dates: DateRange | None
    everywhere: DateRange | None
    replace_dates: bool
    casts: Mapping[str, str]

    @property
    def _rule(self) -> LoadRule:
        return LOAD_RULES[self.table.path]

    @property
    def _stored(self) -> str:
        return self.sql.name_table(self.table)

    def _bound(self, dates: DateRange | None) -> str:
        return "TRUE" if dates is None else self.sql.bound_dates(self.table, dates, "s")

    def _same_key(self) -> str:
        """That the rows ``s`` and ``i`` have one key; of a nullable part of it, two NULLs are the same."""
        rule = self._rule
        exact = [
            f"s.{self.sql.quote(k)} = i.{self.sql.quote(k)}" for k in self.table.key if k in rule.identity
        ]
        return " AND ".join([*exact, *self._agree(k for k in self.table.key if k not in rule.identity)])

    def _agree(self, columns: Iterable[str]) -> list[str]:
        return [f"s.{self.sql.quote(name)} IS NOT DISTINCT FROM i.{self.sql.quote(name)}" for name in columns]

    def make_script(self) -> str:
        """One transaction; its last SELECT has the columns :data:`COUNTS`."""
        statements = [
            "DECLARE added, replaced, unchanged, older, removed, version INT64 DEFAULT 0",
            "DECLARE first_date, last_date DATE",
            "BEGIN TRANSACTION",
            *self._remove_others(),
            f"CREATE TEMP TABLE met AS {self._meet()}",
            "SET unchanged = (SELECT COUNTIF(same) FROM met)",
            "SET older = (SELECT COUNTIF(outdated AND NOT same) FROM met)",
            "SET replaced = (SELECT COUNTIF(NOT outdated AND NOT same) FROM met)",
            *self._find_changed(),
            f"DELETE FROM {self._stored} s WHERE {self._bound(self.dates)} AND EXISTS "
            f"(SELECT 1 FROM met i WHERE {self._same_key()} AND NOT i.same AND NOT i.outdated)",
            self._insert(f"NOT EXISTS (SELECT 1 FROM met i WHERE {self._same_key()})"),
            "SET added = @@row_count",
            self._insert(
                f"EXISTS (SELECT 1 FROM met i WHERE {self._same_key()} AND NOT i.same AND NOT i.outdated)"
            ),
            *self._raise_version(),
            "COMMIT TRANSACTION",
            f"SELECT {', '.join(f'{name} AS {name}' for name in COUNTS)}",
        ]
        return ";\n".join(statements) + ";"

    def _remove_others(self) -> list[str]:
        """Deletes what gives way to the incoming rows and has none of their keys, and counts it."""
        rule, alike = self._rule, []
        if set(rule.scope) != set(self.table.key):
            alike.append((self._bound(self.everywhere), self._agree(rule.scope)))
        if self.replace_dates:
            day = self.sql.quote(self.table.partition or "")
            alike.append((self._bound(self.dates), [f"s.{day} = i.{day}"]))
        statements = []
        for within, same in alike:
            statements += [
                f"DELETE FROM {self._stored} s WHERE {within} "
                f"AND EXISTS (SELECT 1 FROM {self.incoming} i WHERE {' AND '.join(same)}) "
                f"AND NOT EXISTS (SELECT 1 FROM {self.incoming} i WHERE {self._same_key()})",
                "SET removed = removed + @@row_count",
            ]
        return statements

    def _meet(self) -> str:
        """The incoming keys that are stored: whether the row is the same, and whether it is older."""
        stamp, key = self._rule.stamp, self.table.key
        content = [name for name in self.table.schema.names if name not in (*key, stamp)]
        same = " AND ".join(self._agree(content)) or "TRUE"
        older = "FALSE"
        if stamp is not None and not self.replace_dates:
            older = f"COALESCE(LOGICAL_OR(i.{stamp} < s.{stamp}), FALSE)"
        keys = self.sql.list_columns(key, "i")
        return (
            f"SELECT {keys}, LOGICAL_AND({same}) AS same, {older} AS outdated "
            f"FROM {self.incoming} i JOIN {self._stored} s ON {self._same_key()} "
            f"WHERE {self._bound(self.dates)} GROUP BY {keys}"
        )

    def _find_changed(self) -> list[str]:
        """Sets the first and last date of the incoming rows that are not stored as they are."""
        if self.table.partition is None:
            return []
        day = self.sql.quote(self.table.partition)
        changed = (
            f"FROM {self.incoming} s LEFT JOIN met i ON {self._same_key()} "
            "WHERE i.same IS NULL OR NOT (i.same OR i.outdated)"
        )
        return [
            f"SET first_date = (SELECT MIN(s.{day}) {changed})",
            f"SET last_date = (SELECT MAX(s.{day}) {changed})",
            "IF removed > 0 THEN SET first_date = NULL; SET last_date = NULL; END IF",
        ]

    def _insert(self, condition: str) -> str:
        columns, stamp = self.table.schema.names, self._rule.stamp
        values = []
        for name in columns:
            value = f"s.{self.sql.quote(name)}"
            if name == stamp:
                value = f"COALESCE({value}, {self.sql.time_literal(self.loaded_at)})"
            values.append(f"CAST({value} AS {self.casts[name]})" if name in self.casts else value)
        return (
            f"INSERT INTO {self._stored} ({self.sql.list_columns(columns)}) "
            f"SELECT {', '.join(values)} FROM {self.incoming} s WHERE {condition}"
        )

    def _raise_version(self) -> list[str]:
        """The table's next version, and what changed with it."""
        return [
            *raise_version(self.sql, self.table, "import"),
            "IF added + replaced + removed > 0 THEN "
            f"{log_change(self.sql, self.table, self.loaded_at, 'first_date', 'last_date')}; END IF",
        ]


def raise_version(sql: BigQuerySql, table: Table, origin: str) -> list[str]:
    """Statements that raise the input version of a table and put it into the variable ``version``."""
    versions, name = sql.name_table(TABLE_VERSIONS), sql.text_literal(table.path)
    return [
        f"MERGE INTO {versions} s USING (SELECT {name} AS table_name) n ON s.table_name = n.table_name "
        "WHEN MATCHED THEN UPDATE SET input_version = s.input_version + 1, "
        f"origin = {sql.text_literal(origin)} "
        "WHEN NOT MATCHED THEN INSERT (table_name, input_version, origin) "
        f"VALUES (n.table_name, 1, {sql.text_literal(origin)})",
        f"SET version = (SELECT MAX(input_version) FROM {versions} WHERE table_name = {name})",
    ]


def log_change(
    sql: BigQuerySql, table: Table, changed_at: datetime, first: str = "NULL", last: str = "NULL"
) -> str:
    """Remembers when which dates of an input changed, in the version ``version``."""
    columns = sql.list_columns(INPUT_CHANGES.schema.names)
    return (
        f"INSERT INTO {sql.name_table(INPUT_CHANGES)} ({columns}) VALUES ("
        f"{sql.text_literal(table.path)}, version, {sql.time_literal(changed_at)}, {first}, {last})"
    )
