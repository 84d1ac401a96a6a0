"""The statements in DuckDB's dialect, and the DDL of the embedded warehouse."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from pipeline.errors import FeatureStoreError
from pipeline.warehouse.sql import Sql, check_identifier
from transforms.schema import Table


class DuckDBSql(Sql):
    """Datasets are the schemas of one file."""

    def quote(self, name: str) -> str:
        return f'"{check_identifier(name)}"'

    def name_object(self, dataset: str, name: str) -> str:
        return f"{self.quote(dataset)}.{self.quote(name)}"

    def text_literal(self, text: str) -> str:
        if "\x00" in text:
            raise FeatureStoreError("a SQL text cannot hold a NUL character")
        return "'" + text.replace("'", "''") + "'"

    def time_literal(self, instant: datetime) -> str:
        return f"TIMESTAMPTZ '{instant.isoformat()}'"

    def parameter(self, name: str) -> str:
        return f"${check_identifier(name)}"

    def create_schema(self, dataset: str) -> str:
        return f"CREATE SCHEMA IF NOT EXISTS {self.quote(dataset)}"

    def create_table(self, table: Table) -> str:
        """DDL from the one definition of the table."""
        lines = [
            f"{self.describe_column(table, field)}{'' if field.nullable else ' NOT NULL'}"
            for field in table.schema
        ]
        return f"CREATE TABLE IF NOT EXISTS {self.name_table(table)} ({', '.join(lines)})"

    def add_column(self, table: Table, field: pa.Field) -> str:
        """DDL for a column that the stored table lacks; its rows have NULL there."""
        return f"ALTER TABLE {self.name_table(table)} ADD COLUMN {self.describe_column(table, field)}"

    def describe_column(self, table: Table, field: pa.Field) -> str:
        kind = "JSON" if field.name in table.json_columns else self.name_type(field.type)
        return f"{self.quote(field.name)} {kind}"

    def find_date_bounds(self, table: Table) -> str:
        """First and last date, answered from the file's statistics: no row is read."""
        day = self.quote(table.partition or "")
        return f"SELECT MIN({day}), MAX({day}) FROM {self.name_source(table)}"

    def name_type(self, kind: pa.DataType) -> str:
        if pa.types.is_dictionary(kind):
            return self.name_type(kind.value_type)
        if pa.types.is_struct(kind):
            inner = ", ".join(f"{self.quote(f.name)} {self.name_type(f.type)}" for f in kind)
            return f"STRUCT({inner})"
        if pa.types.is_list(kind):
            return f"{self.name_type(kind.value_type)}[]"
        if pa.types.is_timestamp(kind):
            return "TIMESTAMPTZ"
        names = {
            pa.string(): "VARCHAR",
            pa.int64(): "BIGINT",
            pa.float64(): "DOUBLE",
            pa.bool_(): "BOOLEAN",
            pa.date32(): "DATE",
        }
        return names[kind]


sql = DuckDBSql()
