"""What a load job of Parquet refuses in the service and local-bigquery would take.

* A column of another type than its field: DuckDB casts, 1.7 to 2 and '7' to 7.
* A list without `enable_list_inference`: the service sees a record of records.
* A field of type JSON, which Parquet cannot fill.
* NULL in, or the lack of, a REQUIRED field; and a field stays REQUIRED in a table that is written anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from local_bigquery.catalog import tables
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, runner
from local_bigquery.models import JobConfigurationLoad, TableFieldSchema
from pyarrow import types as arrow

KINDS = {
    "INTEGER": arrow.is_integer,
    "FLOAT": arrow.is_floating,
    "BOOLEAN": arrow.is_boolean,
    "STRING": lambda kind: arrow.is_string(kind) or arrow.is_large_string(kind),
    "BYTES": lambda kind: arrow.is_binary(kind) or arrow.is_large_binary(kind),
    "DATE": arrow.is_date,
    "TIME": arrow.is_time,
    "TIMESTAMP": lambda kind: arrow.is_timestamp(kind) and kind.tz is not None,
    "DATETIME": lambda kind: arrow.is_timestamp(kind) and kind.tz is None,
    "NUMERIC": arrow.is_decimal,
    "BIGNUMERIC": arrow.is_decimal,
}
SAME = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}


def install() -> None:
    """Look at the files before upstream reads them."""
    inner = load.run

    def run(cursor, config: JobConfigurationLoad, upload: str | None):
        if config.sourceFormat != "PARQUET":
            return inner(cursor, config, upload)
        uris = config.sourceUris or []
        files = [upload] if upload else [path for uri in uris for path in load.paths(cursor, uri)]
        fields = _fields(config)
        for file in filter(Path.exists, map(Path, files)):
            _check(file, fields, config)
        statistics = inner(cursor, config, upload)
        _require(cursor, config, fields)
        return statistics

    runner.HANDLERS["load"] = run


def _fields(config: JobConfigurationLoad) -> list[TableFieldSchema]:
    """The fields that are to be filled: the job's, else those of the table that rows are added to."""
    if config.schema_ and config.schema_.fields:
        return config.schema_.fields
    reference = tables.reference(config.destinationTable)
    if config.writeDisposition == "WRITE_TRUNCATE" or not tables.exists(*reference):
        return []
    return tables.fields(tables.load(*reference))


def _check(path: Path, fields: list[TableFieldSchema], config: JobConfigurationLoad) -> None:
    file = pq.ParquetFile(path)
    columns = {column.name.casefold(): column for column in file.schema_arrow}
    inference = bool(config.parquetOptions and config.parquetOptions.enableListInference)
    for field in fields:
        column = columns.get(field.name.casefold())
        if column is not None:
            for problem in _problems(column.type, field, inference):
                raise BigQueryError("invalid", f"Error while reading data, error message: {problem}")
        if field.mode == "REQUIRED" and (column is None or _has_null(file, column.name)):
            raise BigQueryError(
                "invalid", f"Only optional fields can be set to NULL. Field: {field.name}; Value: NULL"
            )


def _problems(kind: pa.DataType, field: TableFieldSchema, inference: bool) -> Iterator[str]:
    wanted = SAME.get(field.type, field.type)
    if field.mode == "REPEATED":
        if not arrow.is_list(kind) and not arrow.is_large_list(kind):
            yield f"Field {field.name} has changed mode from REPEATED to NULLABLE"
            return
        if not inference:
            yield f"Field {field.name} has changed type from {wanted} to RECORD"
            return
        kind = kind.value_type
    if wanted == "JSON":
        yield "Unsupported field type: JSON"
    elif wanted == "RECORD":
        if not arrow.is_struct(kind):
            yield f"Field {field.name} has changed type from RECORD to {kind}"
            return
        inner = {child.name.casefold(): child for child in field.fields or []}
        for child in kind:
            if child.name.casefold() not in inner:
                yield f"Field {field.name}.{child.name} is not in the schema"
            else:
                yield from _problems(child.type, inner[child.name.casefold()], inference)
    elif wanted in KINDS and not arrow.is_null(kind) and not KINDS[wanted](kind):
        yield f"Field {field.name} has changed type from {wanted} to {kind}"


def _has_null(file: pq.ParquetFile, name: str) -> bool:
    return any(batch.column(0).null_count for batch in file.iter_batches(columns=[name]))


def _require(cursor, config: JobConfigurationLoad, fields: list[TableFieldSchema]) -> None:
    reference = tables.reference(config.destinationTable)
    stored = {field.name.casefold(): field.mode for field in tables.columns(*reference)}
    for field in fields:
        if field.mode == "REQUIRED" and stored.get(field.name.casefold()) == "NULLABLE":
            column = quote(field.name)
            cursor.execute(f"ALTER TABLE {tables.name(*reference)} ALTER COLUMN {column} SET NOT NULL")
