"""The commands that run the job over dates, ``backfill`` and ``daily``; how any command runs it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from pipeline.commands.console import add_command, emit_json, emit_report, say, say_report
from pipeline.commands.progress import show_progress
from pipeline.options import (
    BACKFILL,
    DAILY,
    BackfillConfig,
    add_mode_flags,
    add_plan_flags,
    read_config,
    read_daily_dates,
)
from pipeline.outlook import look_ahead
from pipeline.preflight import Preflight
from pipeline.progress import COMMIT_SHARE, advance_run, list_run_steps
from pipeline.report_run import describe_plan, describe_run, summarize_run
from pipeline.startup import pause_collector


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "backfill",
        run_backfill,
        "Compute features for every player row of a date range, and commit rows and gaps.",
        "feature-store backfill --start-date 2018-10-16 --end-date 2019-06-13 --parallel 2\n\n"
        "Any Beam option may follow, such as --direct_running_mode=multi_processing.",
        beam_flags=True,
    )
    add_mode_flags(parser, BACKFILL)
    add_plan_flags(parser)
    parser = add_command(
        commands,
        "daily",
        run_daily,
        "Compute today's games and, again, those of the last days: rows that were written before a game are "
        "replaced after it, and who did not come becomes a gap.",
        "feature-store daily --date 2024-03-01\n\nAny Beam option may follow.",
        beam_flags=True,
    )
    add_mode_flags(parser, DAILY)
    add_plan_flags(parser)


def run_backfill(arguments: argparse.Namespace, beam_args: Sequence[str]) -> int:
    return execute(read_config(arguments, beam_args), BACKFILL, arguments)


def run_daily(arguments: argparse.Namespace, beam_args: Sequence[str]) -> int:
    read_daily_dates(arguments, datetime.now(UTC))
    return execute(read_config(arguments, beam_args), DAILY, arguments)


def execute(
    config: BackfillConfig, mode: str, arguments: argparse.Namespace, requested: pa.Table | None = None
) -> int:
    """Runs the job, or prints its plan, and tells what became of it; ``requested`` as in ``run_job``."""
    if arguments.dry_run:
        return _print_plan(config, requested, arguments)
    # Beam takes seconds to import: commands that do not run the job do without
    with pause_collector():
        from pipeline.main import run_job
        from transforms.timing import listen

    with ExitStack() as display:

        def show(preflight: Preflight) -> None:
            say_report(describe_plan(preflight) + "\n")
            steps = list_run_steps(preflight.plan.rows, preflight.plan.target_rows)
            progress = display.enter_context(show_progress(steps, COMMIT_SHARE, quiet=arguments.debug))
            display.enter_context(listen(partial(advance_run, progress)))

        report = run_job(config, mode, requested, on_plan=show, on_submit=_tell_job)
    if report.row is None:
        _tell_handed_over(report.run_id, arguments.json)
    elif arguments.json:
        emit_json(summarize_run(report.row, report.preflight, config.warehouse))
    else:
        emit_report(describe_run(report.row, report.preflight, config.warehouse))
    return 0


def _tell_job(job_id: str) -> None:
    say(f"job {job_id}: it goes on when this command is interrupted; `feature-store watch` follows it")


def _tell_handed_over(run_id: str, as_json: bool) -> None:
    if as_json:
        emit_json({"run_id": run_id, "status": "handed over", "exit_code": 0})
    else:
        emit_report(f"Run {run_id} is handed over: the service runs its job")


def _print_plan(config: BackfillConfig, requested: pa.Table | None, arguments: argparse.Namespace) -> int:
    outlook = look_ahead(config, requested, config.parallel, datetime.now(UTC))
    if arguments.json:
        emit_json(outlook.as_json(arguments.price_per_tib))
    else:
        for part in outlook.describe(arguments.price_per_tib):
            emit_report(part)
    return 0
