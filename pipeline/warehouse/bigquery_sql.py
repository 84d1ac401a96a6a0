"""The statements in BigQuery's dialect: full names, one snapshot time, both bounds of every date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from pipeline.errors import FeatureStoreError
from pipeline.season import DateRange
from pipeline.warehouse.sql import OPEN, Sql, check_identifier
from transforms.schema import Table

ALL_DATES = DateRange(date.min, date.max)
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(1, 32), 127)} | {ord("\\"): "\\\\", ord("'"): "\\'"}


@dataclass(frozen=True)
class BigQuerySql(Sql):
    """Statements over the datasets of ``project``; reads see the tables as of ``snapshot``."""

    project: str
    snapshot: datetime | None = None

    def quote(self, name: str) -> str:
        return f"`{check_identifier(name)}`"

    def name_object(self, dataset: str, name: str) -> str:
        return f"`{self.project}.{check_identifier(dataset)}.{check_identifier(name)}`"

    def name_source(self, table: Table) -> str:
        name = self.name_table(table)
        if self.snapshot is None:
            return name
        return f"{name} FOR SYSTEM_TIME AS OF {self.time_literal(self.snapshot)}"

    def text_literal(self, text: str) -> str:
        if "\x00" in text:
            raise FeatureStoreError("a SQL text cannot hold a NUL character")
        return f"'{text.translate(_ESCAPES)}'"

    def time_literal(self, instant: datetime) -> str:
        return f"TIMESTAMP '{instant.isoformat()}'"

    def parameter(self, name: str) -> str:
        return f"@{check_identifier(name)}"

    def restrict(self, table: Table, dates: DateRange | None, *conditions: str) -> str:
        """What a read session asks for: both bounds of a table that has a date, and other conditions."""
        if (dates is None) != (table.partition is None):
            raise FeatureStoreError(f"{table.path} is read by both bounds of its date, or has none")
        bounds = [] if dates is None else [self.bound_dates(table, dates)]
        return " AND ".join([*bounds, *conditions])

    def restrict_open_gaps(self, reason: str | None, player: str | None) -> list[str]:
        """The conditions of the open gaps of one reason and one player, where they are given."""
        given = {"skip_reason": reason, "player_lookup": player}
        named = [f"{name} = {self.text_literal(text)}" for name, text in given.items() if text is not None]
        return [OPEN, *named]

    def find_server_time(self) -> str:
        return "SELECT CURRENT_TIMESTAMP() AS instant"

    def find_partitions(self, table: Table) -> str:
        """First and last partition of a table that hold rows; answered from metadata."""
        return (
            "SELECT MIN(partition_id) AS first, MAX(partition_id) AS last "
            f"FROM `{self.project}.{check_identifier(table.dataset)}.INFORMATION_SCHEMA.PARTITIONS` "
            f"WHERE table_name = {self.text_literal(table.name)} AND total_rows > 0 "
            "AND partition_id NOT IN ('__NULL__', '__UNPARTITIONED__')"
        )

    def find_extremes(self, table: Table, first: DateRange, last: DateRange) -> str:
        """The first date within ``first``, the last one within ``last``."""
        day, source = self.quote(table.partition or ""), self.name_source(table)
        return (
            f"SELECT (SELECT MIN({day}) FROM {source} WHERE {self.bound_dates(table, first)}) AS first, "
            f"(SELECT MAX({day}) FROM {source} WHERE {self.bound_dates(table, last)}) AS last"
        )

    def select_runs(self, history: Table, condition: str) -> str:
        columns = history.schema.names
        return f"{self.select_window(history, columns, ALL_DATES)} AND {condition}"

    def name_type(self, kind: pa.DataType) -> str:
        if pa.types.is_dictionary(kind):
            return self.name_type(kind.value_type)
        if pa.types.is_timestamp(kind):
            return "TIMESTAMP"
        return TYPES[kind]


TYPES = {
    pa.string(): "STRING",
    pa.int64(): "INT64",
    pa.float64(): "FLOAT64",
    pa.bool_(): "BOOL",
    pa.date32(): "DATE",
}
"""The scalar types, by the type of an Arrow column."""
