"""``fill-gaps``: a run whose targets are open gaps and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.commands.console import add_command, emit_json, emit_report
from pipeline.commands.run import execute
from pipeline.ledger.attempts import Attempts, choose_attempts
from pipeline.ledger.gap_choice import GapChoice
from pipeline.options import GAPS, add_mode_flags, add_plan_flags, check_beam_args, read_config
from pipeline.plan import list_days
from pipeline.report import count, suggest_command
from pipeline.warehouse.opening import open_warehouse
from transforms.gaps import Admission


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "fill-gaps",
        run_fill_gaps,
        "Compute the open gaps that can be filled now, read only their windows, touch only their keys. "
        "Nothing to fill is a success.",
        "feature-store fill-gaps --start-date 2021-10-01 --end-date 2021-11-30 --bootstrap-days 0",
        beam_flags=True,
    )
    add_mode_flags(parser, GAPS)
    add_plan_flags(parser)


def run_fill_gaps(arguments: argparse.Namespace, beam_args: Sequence[str]) -> int:
    attempts = read_attempts(arguments)
    if attempts.keys.num_rows == 0:
        if any(argument.startswith("--template_location") for argument in check_beam_args(beam_args)):
            from pipeline.main import hand_over_nothing

            hand_over_nothing(check_beam_args(beam_args))
        tell_idle(attempts, arguments)
        return 0
    days = list_days(attempts.keys)
    arguments.start_date, arguments.end_date = days[0], days[-1]
    return execute(read_config(arguments, beam_args), GAPS, arguments, attempts.keys)


def read_attempts(arguments: argparse.Namespace) -> Attempts:
    """The gaps that the flags of a gap run mean, as things are now."""
    admission = Admission(arguments.bootstrap_days, arguments.min_games, arguments.include_injured)
    return choose_attempts(
        open_warehouse(arguments.warehouse, arguments.lock_timeout),
        GapChoice(arguments.start_date, arguments.end_date, arguments.reason, arguments.player),
        admission,
        datetime.now(UTC),
        everything=arguments.all,
        gaps_table=arguments.gaps_table,
    )


def tell_idle(attempts: Attempts, arguments: argparse.Namespace) -> None:
    commands = [suggest_command("gaps", arguments.warehouse)] if attempts.asked else []
    if arguments.json:
        told = {"mode": GAPS, "attempted": 0, "gaps_open": attempts.asked, "looked_at": attempts.looked_at}
        emit_json({**told, "next": commands, "exit_code": 0})
        return
    found = f"{count(attempts.asked)} open, none can be filled now" if attempts.asked else "no open gap"
    emit_report(f"Nothing to do: {found}")
    if commands:
        emit_report(f"\nNext\n  {commands[0]}")
