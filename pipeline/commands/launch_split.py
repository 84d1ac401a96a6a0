"""``launch backfill --split``: a launch for every season or month, a few at a time, resumable.

What is committed is not launched again, and what still runs is found by its name: so the same command
again goes on where it ended.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from pipeline.commands.console import emit_json, emit_report, emit_table, say
from pipeline.commands.runs import MOST_RUNS
from pipeline.commands.watch import start_job, suggest_watch
from pipeline.dataflow.following import settle_run
from pipeline.dataflow.launching import MOST_PARTITIONS, Launch, prepare_launch
from pipeline.dataflow.service import DataflowService
from pipeline.dataflow.slicing import cut_slices, find_committed
from pipeline.dataflow.target import Target
from pipeline.dataflow.waves import Active, Crew, Outcome, run_waves
from pipeline.errors import FeatureStoreError, UsageError
from pipeline.options import BACKFILL, BackfillConfig, read_config
from pipeline.report import count
from pipeline.report_costs import sum_costs
from pipeline.report_run import describe_counts
from pipeline.season import DateRange
from pipeline.warehouse.base import InputChange, RunRow, Warehouse
from pipeline.warehouse.opening import open_warehouse


@dataclass(frozen=True)
class Slice:
    """Some of the dates: committed by a run, or to be launched."""

    dates: DateRange
    committed: RunRow | None
    launch: Launch | None


def run_split(target: Target, arguments: Namespace, now: datetime) -> int:
    if arguments.run_id is not None:
        raise UsageError("--run-id names one run, and --split makes several: leave it out")
    config = read_config(arguments, ())
    warehouse = open_warehouse(config.warehouse, config.lock_timeout)
    slices = plan_slices(target, arguments, config, warehouse, now)
    launches = [part.launch for part in slices if part.launch]
    if not arguments.json:
        _tell_slices(slices, arguments)
    elif arguments.dry_run:
        emit_json({"dry_run": True, "slices": _list_slices(slices), "exit_code": 0})
    if arguments.dry_run:
        return 0
    outcomes = _run_launches(launches, target, warehouse, arguments.max_jobs)
    return _tell_outcomes(slices, outcomes, arguments.json)


def plan_slices(
    target: Target, arguments: Namespace, config: BackfillConfig, warehouse: Warehouse, now: datetime
) -> list[Slice]:
    """The slices of the dates; a launch for each that no run has committed as it would be now."""
    runs = [] if arguments.again else warehouse.list_runs(MOST_RUNS)

    @cache
    def changed_since(started_at: datetime) -> Sequence[InputChange]:
        return warehouse.list_changes(started_at)

    slices = []
    for dates in cut_slices(config.dates, arguments.split):
        mine = Namespace(**{**vars(arguments), "start_date": dates.start, "end_date": dates.last})
        committed = find_committed(
            dates, config.describe(), runs, lambda row: changed_since(row["started_at"])
        )
        launch = None
        if committed is None:
            launch = prepare_launch(target, BACKFILL, mine, read_config(mine, ()), None, now)
        slices.append(Slice(dates, committed, launch))
    return slices


def _run_launches(
    launches: Sequence[Launch], target: Target, warehouse: Warehouse, limit: int
) -> list[Outcome]:
    service = DataflowService(target.service)
    running: list[Active] = []

    def remember(active: Sequence[Active]) -> None:
        running[:] = active

    crew = Crew(
        start=lambda launch: Active(*start_job(service, launch)),
        look=service.read_job,
        settle=lambda found, job: settle_run(warehouse, service, job, found.run),
        tell=say,
    )
    try:
        return run_waves(launches, limit, crew, remember)
    except BaseException:
        for found in running:
            say(f"the job goes on: {suggest_watch(service.place, found.job.job_id, warehouse)}")
        raise


def _tell_slices(slices: Sequence[Slice], arguments: Namespace) -> None:
    columns: dict[str, list[str]] = {
        "dates": [str(part.dates) for part in slices],
        "player rows": [count(_count_rows(part)) for part in slices],
        "partitions": [str(part.launch.partitions) if part.launch else "" for part in slices],
        "standing": [
            f"committed by run {part.committed['run_id']}" if part.committed else "to launch"
            for part in slices
        ],
    }
    launches = [part.launch for part in slices if part.launch]
    emit_table(list(columns), list(columns.values()), [False, True, True, False])
    told = (
        f"{len(launches)} launches, at most {arguments.max_jobs} at once, each with a commit of its own; "
        f"partitions are those of the feature table and of the gaps, of which a job may change "
        f"{count(MOST_PARTITIONS)}"
    )
    costs = [cost for launch in launches for cost in launch.outlook.costs]
    priced = [f"  reads  {text}" for text in sum_costs(costs, arguments.price_per_tib)]
    emit_report("\n".join(["", told, *priced]))


def _count_rows(part: Slice) -> int | None:
    if part.launch is not None:
        return part.launch.outlook.preflight.plan.target_rows
    return part.committed["records_expected"] if part.committed else None


def _list_slices(slices: Sequence[Slice]) -> list[dict[str, object]]:
    return [
        {
            "start_date": part.dates.start,
            "end_date": part.dates.last,
            "rows": _count_rows(part),
            "committed_by": part.committed["run_id"] if part.committed else None,
            "partitions": part.launch.partitions if part.launch else 0,
            "request": part.launch.request if part.launch else None,
        }
        for part in slices
    ]


def _tell_outcomes(slices: Sequence[Slice], outcomes: Sequence[Outcome], as_json: bool) -> int:
    launched = [part for part in slices if part.launch]
    rows = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    failures = [
        (part.dates, outcome)
        for part, outcome in zip(launched, outcomes, strict=True)
        if isinstance(outcome, FeatureStoreError)
    ]
    if failures:
        left = len(outcomes) - len(rows)
        dates, error = failures[0]
        raise type(error)(
            f"{left} of {len(launched)} slices are not committed; {dates}: {error}\n"
            "The same command again launches what is not committed, and nothing else"
        )
    if as_json:
        emit_json({"runs": rows, "committed_before": len(slices) - len(launched), "exit_code": 0})
        return 0
    for row in rows:
        fields = "\n".join(f"  {name:<8} {text}" for name, text in describe_counts(row))
        emit_report(f"Run {row['run_id']} is committed and reconciled\n  dates    {_dates(row)}\n{fields}")
    emit_report(f"All {len(slices)} slices are committed, {len(rows)} of them now")
    return 0


def _dates(row: RunRow) -> DateRange:
    return DateRange.inclusive(row["start_date"], row["end_date"])
