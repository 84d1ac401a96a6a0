"""The command that takes one value apart: ``explain``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from pipeline.commands.console import add_command, emit_json, emit_report, emit_table
from pipeline.explaining import explain_feature, explain_key, find_feature
from pipeline.flags import day
from pipeline.options import add_warehouse_flags
from pipeline.report_explain import describe_explanation, describe_feature, explanation_as_json
from pipeline.report_parts import Part
from pipeline.warehouse.opening import open_warehouse


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "explain",
        run_explain,
        "Take one value apart: its games, what was passed over, its run; or why there is no row.",
        "feature-store explain --player lebronjames --date 2018-12-25 --feature points_avg_last_5",
    )
    parser.add_argument("--player", required=True, metavar="LOOKUP", help="a player_lookup")
    parser.add_argument("--date", type=day, required=True, metavar="YYYY-MM-DD", help="the game's date")
    parser.add_argument("--feature", metavar="NAME", help="one feature, by name or index (default: all)")
    add_warehouse_flags(parser)


def run_explain(arguments: argparse.Namespace) -> int:
    feature = find_feature(arguments.feature) if arguments.feature is not None else None
    path = arguments.warehouse
    found = explain_key(
        open_warehouse(path, arguments.lock_timeout), arguments.player, arguments.date, datetime.now(UTC)
    )
    item = explain_feature(found, feature) if feature else None
    if arguments.json:
        emit_json(explanation_as_json(found, path, item))
    elif item is not None:
        _print_parts(describe_feature(found, item, path))
    else:
        _print_parts(describe_explanation(found, path))
    return 0


def _print_parts(parts: list[Part]) -> None:
    """The parts one after the other, texts apart from what stands before."""
    for number, part in enumerate(parts):
        if isinstance(part, str):
            emit_report(f"\n{part}" if number else part)
        else:
            emit_table(part.names, part.columns, part.numbers)
