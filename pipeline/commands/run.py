"""The commands that run the job: ``backfill``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from pipeline.commands.console import add_command, emit_json, emit_report, say_report
from pipeline.commands.progress import show_progress
from pipeline.options import BackfillConfig, add_job_flags, read_config
from pipeline.preflight import Preflight
from pipeline.progress import COMMIT_SHARE, advance_run, list_run_steps
from pipeline.report import (
    describe_deletions,
    describe_plan,
    describe_run,
    plan_as_json,
    summarize_run,
)
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
    add_job_flags(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")


def run_backfill(arguments: argparse.Namespace, beam_args: Sequence[str]) -> int:
    config = read_config(arguments, beam_args)
    if arguments.dry_run:
        return _print_plan(config, arguments.json)
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

        report = run_job(config, on_plan=show)
    plan = report.preflight.plan
    if arguments.json:
        emit_json(summarize_run(report.row, plan, config.warehouse))
    else:
        emit_report(describe_run(report.row, plan, config.warehouse))
    return 0


def _print_plan(config: BackfillConfig, as_json: bool) -> int:
    from pipeline.main import open_warehouse
    from pipeline.preflight import check_dependencies, plan_deletions

    warehouse = open_warehouse(config)
    preflight = check_dependencies(
        warehouse, config.targets, workers=config.parallel, skip_checks=config.skip_preflight
    )
    deletions = plan_deletions(warehouse, preflight.plan)
    if as_json:
        emit_json(plan_as_json(preflight.plan, deletions))
    else:
        emit_report(describe_plan(preflight))
        emit_report(describe_deletions(deletions))
    return 0
