"""A house under a BigQuery address, and a service that does the launched jobs' work in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from dataflow.fake_dataflow import FakeJob
from terminal import Finished
from warehouse import list_dates, make_league

from pipeline.commands.app import build_parser
from pipeline.main import run_job
from pipeline.options import normalize_flags, read_config, read_daily_dates, take_mode
from pipeline.warehouse.duckdb import DuckDBWarehouse

ROWS = make_league(dates=40, players=4)
DAYS = list_dates(ROWS)
ADDRESS = "bigquery://some-project?temp=gs://some-bucket/temp"
IMAGE = "us-docker.pkg.dev/some-project/images/feature-store:1"


@dataclass(frozen=True)
class Disguised(DuckDBWarehouse):
    """A file under the address of a project."""

    is_remote: ClassVar[bool] = True

    @property
    def address(self) -> str:
        return ADDRESS


def work(job: FakeJob) -> None:
    """What a worker would do: the job with the parameters of its launch."""
    parameters = job.request["launchParameter"]["parameters"]
    argv = take_mode([f"--{name}={value}" for name, value in parameters.items()])
    arguments = build_parser().parse_args(normalize_flags(argv, "-"))
    if arguments.command == "daily":
        read_daily_dates(arguments, datetime.now(UTC))
    report = run_job(read_config(arguments, ()), parameters["mode"])
    job.counters = {"extract_rows": report.preflight.plan.rows}


Launch = Callable[..., Finished]


def dates(first: int = 0, last: int = -1) -> tuple[str, ...]:
    return ("--start-date", str(DAYS[first]), "--end-date", str(DAYS[last]))
