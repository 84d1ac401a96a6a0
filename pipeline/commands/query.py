"""``sql``: questions to the warehouse, answered as a table, CSV, JSON or a file."""

from __future__ import annotations

import argparse
import base64
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.commands.console import add_command, emit, emit_json, emit_table, say
from pipeline.commands.progress import show_progress
from pipeline.errors import BadInput, UsageError
from pipeline.options import add_warehouse_flags
from pipeline.progress import Step
from pipeline.report import count, escape_cell, escape_controls, to_json
from pipeline.warehouse.opening import open_warehouse

FORMATS = ("table", "csv", "json")
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for a formula, the last four for the full width forms."""


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "sql",
        run_sql,
        "Answer one SELECT, read-only, in BigQuery's dialect.",
        'feature-store sql "SELECT COUNT(*) AS still_missing '
        'FROM nba_predictions.ml_feature_store_v2 WHERE feature_1_source IS NULL"',
    )
    parser.add_argument("query", help="one SELECT or WITH statement")
    parser.add_argument("--format", choices=FORMATS, default="table", help="(default: table)")
    parser.add_argument("--out", metavar="FILE.parquet", help="write the rows to a new file")
    add_warehouse_flags(parser)


def run_sql(arguments: argparse.Namespace) -> int:
    warehouse = open_warehouse(arguments.warehouse, arguments.lock_timeout)
    with show_progress([Step("answer")], quiet=arguments.debug):
        answer = warehouse.query(arguments.query)
    rows, warned = answer.rows, {"warnings": answer.warnings} if answer.warnings else {}
    for warning in answer.warnings:
        say(f"warning: {escape_cell(warning)}")
    if arguments.out is not None:
        write_rows(rows, Path(arguments.out))
        say(f"wrote {count(rows.num_rows)} rows to {escape_cell(arguments.out)}")
        if arguments.json:
            emit_json({"out": arguments.out, "rows_written": rows.num_rows, **warned, "exit_code": 0})
    elif arguments.json:
        emit_json({"rows": list_rows(rows), **warned, "exit_code": 0})
    elif arguments.format == "json":
        emit(to_json(list_rows(rows)))
    elif arguments.format == "csv":
        emit(format_csv(rows))
    else:
        print_table(rows)
    return 0


def write_rows(rows: pa.Table, path: Path) -> None:
    """Writes a new Parquet file, whole or not at all; never replaces one."""
    if path.suffix.lower() != ".parquet":
        raise UsageError(f"{path}: --out writes Parquet, give a name that ends in .parquet")
    try:
        sink = path.open("xb")
    except FileExistsError as error:
        raise BadInput(f"{path}: exists already, choose another name") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from error
    try:
        with sink:
            pq.write_table(rows, sink)
    except (OSError, pa.ArrowException) as error:
        path.unlink()
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: cannot be written ({reason}); nothing is left of it") from error
    except BaseException:
        path.unlink()
        raise


def list_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """The rows as Python values by column name."""
    values = [_list_values(rows, name) for name in rows.column_names]
    return [dict(zip(rows.column_names, row, strict=True)) for row in zip(*values, strict=True)]


def _list_values(rows: pa.Table, name: str) -> list[Any]:
    try:
        return list(rows.column(name).to_pylist())
    except (OverflowError, ValueError) as error:
        raise BadInput(
            f"the column {name[:80]!r} holds a time that cannot be shown: select CAST(... AS STRING)"
        ) from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return to_json(value).replace("\n", "")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def format_csv(rows: pa.Table) -> str:
    """CSV in which no cell starts a formula and no character steers a terminal.

    A text that a spreadsheet would compute, in a row or as a column's name, gets a leading
    apostrophe; control characters are spelt out; NULL is an empty cell without quotes.
    """
    columns = [
        pa.array([_guard(value) for value in _list_values(rows, name)], pa.string())
        for name in rows.column_names
    ]
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(columns, names=[_guard(name) for name in rows.column_names]), sink)
    return bytes(sink.getvalue()).decode().removesuffix("\n")


def _guard(value: object) -> str | None:
    if value is None:
        return None
    text = _cell(value)
    if not isinstance(value, int | float | Decimal) and text.lstrip().startswith(_FORMULA_STARTS):
        text = f"'{text}"
    return escape_controls(text)


def print_table(rows: pa.Table) -> None:
    kinds = [field.type for field in rows.schema]
    emit_table(
        [escape_cell(name) for name in rows.column_names],
        [[escape_cell(_cell(value)) for value in _list_values(rows, name)] for name in rows.column_names],
        [pa.types.is_integer(k) or pa.types.is_floating(k) or pa.types.is_decimal(k) for k in kinds],
    )
