"""The commands that only look: ``sql`` and ``runs``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from pipeline.commands.console import add_command, emit, emit_json, say
from pipeline.options import add_warehouse_flags, whole_number
from pipeline.report import count, escape_controls, to_json
from pipeline.warehouse.duckdb import DuckDBWarehouse

PIPE_WIDTH = 1_000
"""Characters of a line that is read by a program: nothing is cut or wrapped."""

FORMATS = ("table", "csv", "json")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


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

    parser = add_command(
        commands,
        "runs",
        run_runs,
        "List the newest runs with what they did and how long they took.",
        "feature-store runs --limit 5",
    )
    parser.add_argument("--limit", type=whole_number(1, 10_000), default=20, help="(default: %(default)s)")
    add_warehouse_flags(parser)


def run_sql(arguments: argparse.Namespace) -> int:
    warehouse = DuckDBWarehouse(arguments.warehouse, arguments.lock_timeout)
    rows = warehouse.query(arguments.query)
    if arguments.out is not None:
        write_rows(rows, Path(arguments.out))
        say(f"wrote {count(rows.num_rows)} rows to {arguments.out}")
    elif arguments.json or arguments.format == "json":
        emit_json(rows.to_pylist())
    elif arguments.format == "csv":
        emit(format_csv(rows))
    else:
        print_table(rows)
    return 0


def write_rows(rows: pa.Table, path: Path) -> None:
    """Writes a new Parquet file; never replaces one."""
    from pipeline.errors import BadInput

    if path.suffix.lower() != ".parquet":
        raise BadInput(f"{path}: --out writes Parquet, give a name that ends in .parquet")
    try:
        with path.open("xb") as sink:
            pq.write_table(rows, sink)
    except FileExistsError as error:
        raise BadInput(f"{path}: exists already, choose another name") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return to_json(value).replace("\n", "")
    return str(value)


def format_csv(rows: pa.Table) -> str:
    """CSV in which no cell starts a formula: such text gets a leading apostrophe."""

    def guard(value: object) -> str | None:
        text = _cell(value)
        is_text = not isinstance(value, int | float)
        return f"'{text}" if is_text and text.startswith(_FORMULA_STARTS) else text

    columns = {
        name: pa.array([guard(v) for v in rows.column(i).to_pylist()], pa.string())
        for i, name in enumerate(rows.column_names)
    }
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(list(columns.values()), names=list(columns)), sink)
    return bytes(sink.getvalue()).decode().rstrip("\n")


def print_table(rows: pa.Table) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for field in rows.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(Text(escape_controls(field.name)), justify="right" if number else "left")
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        table.add_row(*(Text(escape_controls(_cell(value))) for value in row))
    console.print(table)


def run_runs(arguments: argparse.Namespace) -> int:
    warehouse = DuckDBWarehouse(arguments.warehouse, arguments.lock_timeout)
    runs = warehouse.list_runs(arguments.limit)
    if arguments.json:
        emit_json(runs)
        return 0
    shown = [
        {
            "run": row["run_id"],
            "status": row["status"],
            "from": row["start_date"],
            "to": row["end_date"],
            "targets": row["records_expected"],
            "written": row["records_created"] + row["records_updated"],
            "gaps": row["gaps_open"],
            "seconds": round(row["duration_seconds"], 1),
        }
        for row in runs
    ]
    if not shown:
        emit("no run yet")
    else:
        print_table(pa.Table.from_pylist(shown))
    return 0
