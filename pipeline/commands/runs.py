"""``runs``: the history of runs, and one of them in detail."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.console import add_command, emit, emit_json, emit_report, emit_table
from pipeline.errors import BadInput
from pipeline.flags import whole_number
from pipeline.options import add_warehouse_flags
from pipeline.report import escape_cell, suggest_command
from pipeline.report_runs import describe_one_run, list_stages, tabulate_runs
from pipeline.warehouse.base import RunRow, Warehouse
from pipeline.warehouse.opening import open_warehouse

MOST_RUNS = 10_000


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "runs",
        run_runs,
        "List the newest runs with what they did and how long they took, or show one in detail.",
        "feature-store runs 20261121T234030",
    )
    parser.add_argument(
        "run_id", nargs="?", default="", metavar="RUN_ID", help="one run; the beginning of its id is enough"
    )
    parser.add_argument("--limit", type=whole_number(1, MOST_RUNS), default=20, help="(default: %(default)s)")
    add_warehouse_flags(parser)


def run_runs(arguments: argparse.Namespace) -> int:
    warehouse = open_warehouse(arguments.warehouse, arguments.lock_timeout)
    if arguments.run_id:
        return _show_run(pick_run(warehouse, arguments.run_id), arguments.json)
    runs = warehouse.list_runs(arguments.limit)
    if arguments.json:
        emit_json({"runs": runs, "exit_code": 0})
    elif not runs:
        emit("no run yet")
    else:
        emit_table(*tabulate_runs(runs))
    return 0


def pick_run(warehouse: Warehouse, beginning: str) -> RunRow:
    """The only run whose id begins so. Raises ``BadInput`` when there is none, or another."""
    found = warehouse.list_runs(2, beginning)
    if len(found) == 1:
        return found[0]
    what = "several runs have ids that begin" if found else "no run has an id that begins"
    command = suggest_command("runs", warehouse.address)
    raise BadInput(f"{what} with {escape_cell(beginning)[:80]!r}: `{command}` lists them")


def _show_run(row: RunRow, as_json: bool) -> int:
    if as_json:
        emit_json({**row, "exit_code": 0})
        return 0
    emit_report(describe_one_run(row))
    stages = list_stages(row)
    if stages is not None:
        emit("")
        emit_table(*stages)
    return 0
