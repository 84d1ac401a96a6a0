"""``launch``: the job on Dataflow, from its plan to its summary."""

from __future__ import annotations

import argparse
from argparse import Namespace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.commands.console import add_command, emit, emit_json, emit_report, say_report
from pipeline.commands.fill import read_attempts, tell_idle
from pipeline.commands.watch import follow_to_end, start_job, tell_run
from pipeline.dataflow.target import (
    Target,
    add_target_flags,
    read_target,
)
from pipeline.flags import whole_number
from pipeline.options import (
    BACKFILL,
    COMMANDS,
    DAILY,
    GAPS,
    BackfillConfig,
    add_mode_flags,
    add_plan_flags,
    read_config,
    read_daily_dates,
)
from pipeline.plan import list_days
from pipeline.report import to_json
from pipeline.report_run import describe_plan
from pipeline.warehouse.opening import open_warehouse

if TYPE_CHECKING:
    # Google's clients take half a second to import
    from pipeline.dataflow.launching import Launch

HELP = {
    BACKFILL: "Launch a backfill on Dataflow and follow it to its commit.",
    DAILY: "Launch a daily run on Dataflow and follow it to its commit.",
    GAPS: "Launch a run over the open gaps on Dataflow and follow it to its commit.",
}
SPLITS = ("season", "month")
MOST_JOBS = 25
EXAMPLE = (
    "--region us-central1 --template gs://my-bucket/feature-store.json "
    "--image us-central1-docker.pkg.dev/my-project/images/feature-store:1 "
    "--warehouse 'bigquery://my-project?temp=gs://my-bucket/temp'"
)
DATES = {BACKFILL: "--start-date 2018-10-16 --end-date 2019-06-13 ", DAILY: "", GAPS: ""}


def add_commands(commands: Any) -> None:
    parser = commands.add_parser(
        "launch", help="Run the job on Dataflow.", description="Run the job on Dataflow, from its template."
    )
    modes = parser.add_subparsers(title="what to run", dest="launched", required=True)
    for mode, name in COMMANDS.items():
        example = f"feature-store launch {name} {DATES[mode]}{EXAMPLE}"
        launched = add_command(modes, name, partial(run_launch, mode), HELP[mode], example)
        add_mode_flags(launched, mode, local=False)
        add_plan_flags(launched)
        add_target_flags(launched)
        if mode == BACKFILL:
            add_split_flags(launched)


def add_split_flags(parser: argparse.ArgumentParser) -> None:
    """A backfill as several launches."""
    parser.add_argument("--split", choices=SPLITS, help="launch a job for every season or month of the dates")
    parser.add_argument(
        "--max-jobs",
        type=whole_number(1, MOST_JOBS),
        default=3,
        metavar="N",
        help="how many of them run at once (default: %(default)s)",
    )
    parser.add_argument(
        "--again", action="store_true", help="launch those too that a run with these options has committed"
    )


def run_launch(mode: str, arguments: Namespace) -> int:
    target, now = read_target(arguments), datetime.now(UTC)
    if mode == BACKFILL and arguments.split:
        from pipeline.commands.launch_split import run_split

        return run_split(target, arguments, now)
    from pipeline.dataflow.launching import prepare_launch

    requested: pa.Table | None = None
    dates = Namespace(**vars(arguments))
    if mode == DAILY:
        read_daily_dates(dates, now)
        # the job starts later, and must mean the same day
        arguments.date = dates.end_date
    elif mode == GAPS:
        attempts = read_attempts(arguments)
        if attempts.keys.num_rows == 0:
            tell_idle(attempts, arguments)
            return 0
        requested = attempts.keys
        days = list_days(requested)
        dates.start_date, dates.end_date = days[0], days[-1]
    config = read_config(dates, ())
    launch = prepare_launch(target, mode, arguments, config, requested, now)
    if arguments.dry_run:
        return print_launch(launch, arguments)
    return _launch_and_follow(launch, target, config, arguments)


def print_launch(launch: Launch, arguments: Namespace) -> int:
    """What would be asked for, and what it would do."""
    from pipeline.dataflow.launching import describe_partitions

    price, outlook = arguments.price_per_tib, launch.outlook
    if arguments.json:
        emit_json({**outlook.as_json(price), "partitions": launch.partitions, "request": launch.request})
        return 0
    for part in outlook.describe(price, [describe_partitions(launch)]):
        emit_report(part)
    emit_report("\nRequest")
    emit(to_json(launch.request))
    return 0


def _launch_and_follow(launch: Launch, target: Target, config: BackfillConfig, arguments: Namespace) -> int:
    from pipeline.dataflow.launching import describe_partitions
    from pipeline.dataflow.service import DataflowService

    service = DataflowService(target.service)
    warehouse = open_warehouse(config.warehouse, config.lock_timeout)
    say_report(describe_plan(launch.outlook.preflight, [describe_partitions(launch)]) + "\n")
    job, run = start_job(service, launch)
    row = follow_to_end(service, warehouse, job, run, quiet=arguments.debug)
    return tell_run(row, launch.outlook.preflight, config.warehouse, job.job_id, arguments.json)
