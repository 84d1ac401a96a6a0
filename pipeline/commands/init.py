"""``init``: makes what a warehouse needs before its first import and its first run."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.console import add_command, emit_json, emit_report
from pipeline.commands.progress import show_progress
from pipeline.options import add_warehouse_flags
from pipeline.progress import Step
from pipeline.report import escape_controls, format_fields, suggest_command
from pipeline.warehouse.opening import open_warehouse


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "init",
        run_init,
        "Create the datasets, tables and views of a warehouse. What exists stays as it is, columns that are "
        "new are added, and a table of another shape is refused.",
        "feature-store init --warehouse bigquery://my-project?location=US",
    )
    add_warehouse_flags(parser)


def run_init(arguments: argparse.Namespace) -> int:
    warehouse = open_warehouse(arguments.warehouse, arguments.lock_timeout)
    with show_progress([Step("tables")], quiet=arguments.debug):
        made = warehouse.initialize()
    commands = [f"{suggest_command('import', arguments.warehouse)} FILE..."]
    if arguments.json:
        emit_json({"made": made, "next": commands, "exit_code": 0})
        return 0
    title = "The warehouse is ready" if made else "The warehouse was ready: nothing to make"
    emit_report(format_fields(title, [("", line) for line in made]) if made else title)
    emit_report("\n".join(["", "Next", *(f"  {escape_controls(command)}" for command in commands)]))
    return 0
