"""``gaps``: the open gaps, what can be done about them, and by which commands."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from pipeline.commands.console import add_command, emit, emit_json, emit_report, emit_table
from pipeline.ledger.fills import suggest_fills
from pipeline.ledger.gap_choice import GapChoice
from pipeline.ledger.survey import survey_gaps
from pipeline.options import add_admission_flags, add_gap_flags, add_warehouse_flags
from pipeline.report_gaps import (
    describe_fills,
    describe_places,
    group_gaps,
    list_gaps,
    list_places,
    survey_as_json,
    tabulate_groups,
)
from pipeline.warehouse.opening import open_warehouse
from transforms.gaps import Admission


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "gaps",
        run_gaps,
        "Show the open gaps by reason and month: which can be filled now, which an option would fill, which "
        "are expected and which need data; and the commands that fill them.",
        "feature-store gaps --start-date 2021-10-01 --end-date 2021-11-30 --reason bootstrap",
    )
    add_gap_flags(parser)
    add_warehouse_flags(parser)
    add_admission_flags(parser)
    parser.add_argument("--list", action="store_true", help="name every gap")


def run_gaps(arguments: argparse.Namespace) -> int:
    warehouse = open_warehouse(arguments.warehouse, arguments.lock_timeout)
    choice = GapChoice(arguments.start_date, arguments.end_date, arguments.reason, arguments.player)
    admission = Admission(arguments.bootstrap_days, arguments.min_games, arguments.include_injured)
    survey = survey_gaps(warehouse, choice, admission, datetime.now(UTC))
    fills = suggest_fills(survey, warehouse.address)
    if arguments.json:
        emit_json(survey_as_json(survey, fills, listed=arguments.list))
        return 0
    if survey.gaps.num_rows == 0:
        emit("no open gaps" + ("" if choice == GapChoice() else " among those asked for"))
        return 0
    grid = tabulate_groups(group_gaps(survey))
    emit_table(grid.names, grid.columns, grid.numbers)
    for text in (*describe_places(list_places(survey)), *describe_fills(fills)):
        emit_report(f"\n{text}")
    if arguments.list:
        emit("")
        grid = list_gaps(survey)
        emit_table(grid.names, grid.columns, grid.numbers)
    return 0
