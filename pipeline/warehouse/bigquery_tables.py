"""The tables of a BigQuery project: their columns and layout, made and compared.

Every table that is made is partitioned by month: a job may modify 4,000 partitions, and the seasons since
1996 touch more days than that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
from google.api_core import exceptions
from google.cloud import bigquery

from pipeline.errors import WrongShape
from pipeline.warehouse.bigquery_address import BigQueryAddress
from pipeline.warehouse.bigquery_clients import CALL_SECONDS, make_retry, open_client, translating
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_sql import TYPES, BigQuerySql
from pipeline.warehouse.initializing import INITIAL_TABLES, OWN_TABLES, plan_initialization
from transforms.schema import Table

MONTH = bigquery.TimePartitioningType.MONTH

_ARROW = {
    "STRING": pa.string(),
    "JSON": pa.string(),
    "INTEGER": pa.int64(),
    "INT64": pa.int64(),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "DATETIME": pa.timestamp("us"),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "BYTES": pa.binary(),
    "TIME": pa.time64("us"),
}

_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
"""The types that the service has two names for, as SQL calls them."""


def make_fields(
    schema: Iterable[pa.Field], json_columns: frozenset[str] = frozenset()
) -> list[bigquery.SchemaField]:
    """The columns of an Arrow schema as the service names them."""
    return [_make_field(field, json_columns) for field in schema]


def _make_field(field: pa.Field, json_columns: frozenset[str]) -> bigquery.SchemaField:
    kind, mode = field.type, "NULLABLE" if field.nullable else "REQUIRED"
    if pa.types.is_list(kind):
        kind, mode = kind.value_type, "REPEATED"
    if pa.types.is_struct(kind):
        return bigquery.SchemaField(field.name, "RECORD", mode, fields=make_fields(kind))
    name = "JSON" if field.name in json_columns else name_type(kind)
    return bigquery.SchemaField(field.name, name, mode)


def name_type(kind: pa.DataType) -> str:
    """The service's name of a scalar type."""
    if pa.types.is_dictionary(kind):
        return name_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    return TYPES[kind]


def read_fields(fields: Iterable[bigquery.SchemaField]) -> pa.Schema:
    """The columns of a stored table as an Arrow schema; a type that is not known is ``null``."""
    return pa.schema([_read_field(field) for field in fields])


def _read_field(field: bigquery.SchemaField) -> pa.Field:
    if field.field_type in ("RECORD", "STRUCT"):
        kind: pa.DataType = pa.struct([_read_field(inner) for inner in field.fields])
    else:
        kind = _ARROW.get(field.field_type, pa.null())
    if field.mode == "REPEATED":
        kind = pa.list_(kind)
    return pa.field(field.name, kind, nullable=field.mode != "REQUIRED")


def check_loadable(found: pa.Schema, fields: Iterable[bigquery.SchemaField]) -> None:
    """Raises ``WrongShape`` unless the service would take Parquet of these columns into a table of those.

    The service converts nothing: a number with decimals never becomes a whole one, nor a text a number.
    """
    expected = {field.name: field for field in fields}
    problems = []
    for field in make_fields(found):
        wanted = expected.pop(field.name, None)
        if wanted is None:
            problems.append(f"{field.name} is no column of the table")
        elif _describe(field) != _describe(wanted):
            problems.append(f"{field.name} is {_describe(field)}, the table has {_describe(wanted)}")
    problems += [f"{name} is missing" for name, field in expected.items() if field.mode == "REQUIRED"]
    if problems:
        raise WrongShape(f"a file does not fit its table, nothing was loaded: {'; '.join(problems)}")


def _describe(field: bigquery.SchemaField) -> str:
    inner = ", ".join(f"{f.name} {_describe(f)}" for f in field.fields)
    kind = f"STRUCT<{inner}>" if inner else _STANDARD.get(field.field_type, field.field_type)
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind


class Tables:
    """The tables of one project."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs, self._address = jobs, jobs.address

    def find(self, table: Table) -> bigquery.Table | None:
        """The stored table; None when it, or its dataset, does not exist."""
        with translating(f"looking for {table.path}"):
            try:
                return open_client(self._address).get_table(
                    name_table(self._address, table.dataset, table.name),
                    retry=make_retry(),
                    timeout=CALL_SECONDS,
                )
            except exceptions.NotFound:
                return None

    def initialize(self) -> list[str]:
        """See ``Warehouse.initialize``."""
        found = {table: self.find(table) for table in INITIAL_TABLES}
        plan = plan_initialization(
            {
                table: None if stored is None else read_fields(stored.schema)
                for table, stored in found.items()
            },
            [problem for table, stored in found.items() if stored for problem in find_layout(table, stored)],
        )
        datasets = {*(table.dataset for table in INITIAL_TABLES), self._address.staging}
        made = [f"created dataset {name}" for name in sorted(datasets) if self._create_dataset(name)]
        for table in plan.create:
            self.create(table)
        for table, field in plan.add:
            self._add_column(table, field)
        for statement in BigQuerySql(self._address.project).create_views():
            self._jobs.ask(statement)
        return made + plan.describe()

    def ensure(self, table: Table) -> None:
        """Makes an input table where it does not exist; ``WrongShape`` when it lacks columns."""
        stored = self.find(table)
        if stored is None:
            self._create_dataset(table.dataset)
            self.create(table)
            return
        missing = [name for name in table.schema.names if name not in {f.name for f in stored.schema}]
        if missing:
            raise WrongShape(
                f"{table.path} lacks the column(s) {', '.join(missing)}; nothing was loaded. Add them"
            )

    def ensure_staging(self) -> None:
        """Makes the dataset of the staging tables where it does not exist."""
        self._create_dataset(self._address.staging)

    def require(self, tables: Iterable[Table]) -> None:
        """Raises ``WrongShape`` naming the tables that do not exist."""
        missing = [table.path for table in tables if self.find(table) is None]
        if missing:
            raise WrongShape(
                f"{self._address.project} lacks {', '.join(missing)}: make datasets and tables with "
                "`feature-store init`; nothing was run"
            )

    def create(self, table: Table) -> None:
        """Makes a table from its one definition."""
        made = bigquery.Table(
            name_table(self._address, table.dataset, table.name),
            make_fields(table.schema, table.json_columns),
        )
        if table.partition is not None:
            made.time_partitioning = bigquery.TimePartitioning(MONTH, table.partition)
        if table.cluster:
            made.clustering_fields = list(table.cluster)
        with translating(f"creating {table.path}"):
            open_client(self._address).create_table(made, True, retry=make_retry(), timeout=CALL_SECONDS)

    def create_scratch(self, name: str, schema: pa.Schema, expires: datetime) -> bigquery.Table:
        """A table of one run in the staging dataset; the one that exists where it does."""
        made = bigquery.Table(
            name_table(self._address, self._address.staging, name),
            [
                bigquery.SchemaField(f.name, f.field_type, _relax(f.mode), fields=f.fields)
                for f in make_fields(schema)
            ],
        )
        made.expires = expires
        with translating(f"creating the staging table {name}"):
            return open_client(self._address).create_table(
                made, True, retry=make_retry(), timeout=CALL_SECONDS
            )

    def drop_scratch(self, name: str) -> None:
        client, full = open_client(self._address), name_table(self._address, self._address.staging, name)
        with translating(f"removing the staging table {name}"):
            client.delete_table(full, retry=make_retry(), timeout=CALL_SECONDS, not_found_ok=True)

    def _create_dataset(self, name: str) -> bool:
        """Whether the dataset had to be made."""
        client = open_client(self._address)
        dataset = bigquery.Dataset(f"{self._address.project}.{name}")
        dataset.location = self._address.location
        with translating(f"creating the dataset {name}"):
            try:
                client.get_dataset(dataset.reference, retry=make_retry(), timeout=CALL_SECONDS)
            except exceptions.NotFound:
                client.create_dataset(dataset, True, timeout=CALL_SECONDS, retry=make_retry())
                return True
        return False

    def _add_column(self, table: Table, field: pa.Field) -> None:
        client = open_client(self._address)
        stored = self.find(table)
        if stored is None:
            return
        added = make_fields([field.with_nullable(True)], table.json_columns)
        stored.schema = [*stored.schema, *added]
        with translating(f"adding {table.path}.{field.name}"):
            client.update_table(stored, ["schema"], retry=make_retry(), timeout=CALL_SECONDS)


def name_table(address: BigQueryAddress, dataset: str, name: str) -> str:
    return f"{address.project}.{dataset}.{name}"


def find_layout(table: Table, stored: bigquery.Table) -> list[str]:
    """What of the stored table's layout is another than the definition's.

    An input may be partitioned by any stretch of its date, by whoever writes it.
    """
    if table.partition is None:
        return []
    found = stored.time_partitioning
    if found is None or found.field != table.partition:
        kind = "not at all" if found is None else f"by {found.field or 'the time of ingestion'}"
        return [f"{table.path} must be partitioned by {table.partition}, found {kind}"]
    if table in OWN_TABLES and found.type_ != MONTH:
        return [f"{table.path} must be partitioned by MONTH of {table.partition}, found {found.type_}"]
    return []


def _relax(mode: str) -> str:
    return "NULLABLE" if mode == "REQUIRED" else mode
