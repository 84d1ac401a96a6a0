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
from pipeline.costs import list_reads, refuse_costly
from pipeline.options import (
    BACKFILL,
    DAILY,
    BackfillConfig,
    add_mode_flags,
    add_plan_flags,
    read_config,
    read_daily_dates,
)
from pipeline.preflight import Preflight
from pipeline.progress import COMMIT_SHARE, advance_run, list_run_steps
from pipeline.report_costs import describe_costs
from pipeline.report_run import (
    describe_absent,
    describe_deletions,
    describe_plan,
    describe_run,
    plan_as_json,
    summarize_run,
)
from pipeline.startup import pause_collector
from pipeline.warehouse.opening import open_warehouse


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
            steps = list_run_steps(preflight.plan)
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
    from pipeline.preflight import check_dependencies, plan_deletions

    warehouse = open_warehouse(config.warehouse, config.lock_timeout)
    preflight = check_dependencies(
        warehouse,
        config.make_targets(datetime.now(UTC)),
        requested=requested,
        workers=config.parallel,
        skip_checks=config.skip_preflight,
    )
    deletions = plan_deletions(warehouse, preflight.plan)
    costs = warehouse.estimate(list_reads(preflight.plan))
    refuse_costly(preflight.plan, costs, config.max_bytes)
    if arguments.json:
        emit_json(plan_as_json(preflight, deletions, costs, arguments.price_per_tib))
    else:
        emit_report(describe_plan(preflight, describe_absent(preflight.absent)))
        if costs:
            emit_report("\n" + describe_costs(costs, arguments.price_per_tib) + "\n")
        emit_report(describe_deletions(deletions))
    return 0
