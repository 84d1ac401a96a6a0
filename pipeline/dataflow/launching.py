"""One launch, ready to be asked for: what it would do, and the request for it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from pipeline.dataflow.naming import JobRun, make_labels, name_job, name_place
from pipeline.dataflow.request import Request, build_request, list_parameters
from pipeline.dataflow.target import Target
from pipeline.errors import UsageError
from pipeline.options import BackfillConfig
from pipeline.outlook import Outlook, look_ahead
from pipeline.report import count
from pipeline.run_ids import make_run_id

MOST_PARTITIONS = 4_000
"""How many partitions of a table one BigQuery job may change."""


@dataclass(frozen=True)
class Launch:
    """A run that is not launched yet: its request, and the ``outlook`` as things are now."""

    run: JobRun
    request: Request
    outlook: Outlook

    @property
    def name(self) -> str:
        name: str = self.request["launchParameter"]["jobName"]
        return name

    @property
    def partitions(self) -> int:
        """How many partitions of each table the commit changes."""
        return self.outlook.preflight.plan.months


def prepare_launch(
    target: Target,
    mode: str,
    arguments: argparse.Namespace,
    config: BackfillConfig,
    requested: pa.Table | None,
    now: datetime,
) -> Launch:
    """The launch that parsed flags mean. Raises what the run would, before anything is asked for."""
    outlook = look_ahead(config, requested, target.cores, now)
    plan = outlook.preflight.plan
    if plan.months > MOST_PARTITIONS:
        raise UsageError(
            f"{plan.dates} are {count(plan.months)} months, and one job may change {count(MOST_PARTITIONS)} "
            "partitions of a table: launch fewer dates, or --split season"
        )
    run_id = config.run_id or make_run_id(now)
    parameters = list_parameters(mode, arguments, run_id)
    labels = make_labels(run_id, mode, plan, config.warehouse)
    request = build_request(target, name_job(mode, plan.dates, parameters), parameters, labels)
    place = name_place(config.warehouse)
    run = JobRun(run_id, mode, plan.dates, plan.rows, plan.target_rows, place)
    return Launch(run, request, outlook)


def describe_partitions(launch: Launch) -> tuple[str, str]:
    """The field of a plan that says what the commit changes."""
    return (
        "partitions",
        f"{count(launch.partitions)} of the feature table and as many of the gaps, by month "
        f"(a job may change {count(MOST_PARTITIONS)} of a table)",
    )
