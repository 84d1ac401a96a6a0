"""A job from its launch to its end: how far it is, and what became of its run.

What a run did is read from the run history, never from the job: a job can end badly after its commit,
and a commit can be refused in a job that goes on for a while.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.dataflow.naming import JobRun
from pipeline.dataflow.service import DataflowService, Job
from pipeline.errors import FeatureStoreError, RemoteFailure, restore_error
from pipeline.run_rows import RunSpec, build_failed_row
from pipeline.warehouse.base import InputState, RunRow, Warehouse

POLL_SECONDS = 10.0
MOST_LINES = 12
_OURS = re.compile(r"^pipeline\.errors\.([A-Za-z]+: .*?)(?: \[while running .*\])?$", re.MULTILINE)


@dataclass(frozen=True)
class Look:
    """A job at an instant: its counters, and how many of its stages are done."""

    job: Job
    counters: dict[str, int]
    stages: tuple[int, int]

    @property
    def note(self) -> str:
        done, planned = self.stages
        told = self.job.state.lower().replace("_", " ")
        return f"{told}, stages {done} of {planned} done" if planned else told


def follow_job(
    service: DataflowService,
    job_id: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Look]:
    """Looks at a job again and again; the last one sees its end."""
    while True:
        job = service.read_job(job_id)
        counters: dict[str, int] = {}
        stages = (0, 0)
        # what is only told along the way must not end the following
        with suppress(FeatureStoreError):
            counters = service.read_counters(job_id)
            stages = service.read_stages(job_id)
        yield Look(job, counters, stages)
        if job.is_over:
            return
        sleep(POLL_SECONDS)


def settle_run(
    warehouse: Warehouse,
    service: DataflowService,
    job: Job,
    run: JobRun,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RunRow:
    """The history row of a run whose job is over.

    Where the job ended without one, the run failed: that is written down, so that nothing of the run can
    be committed afterwards, and its files are removed. Raises the error of a run that failed.
    """
    row = warehouse.read_run(run.run_id)
    if row is None:
        error = explain_job(service, job)
        row = warehouse.record_failure(build_failed_row(_describe(run, job), error, clock()))
        with suppress(FeatureStoreError):
            warehouse.close_staging(run.run_id)
    if row["status"] == "success":
        return row
    raise restore_error(row["error"] or f"run {run.run_id} failed and does not say why")


def explain_job(service: DataflowService, job: Job) -> FeatureStoreError:
    """Why a job ended: the error of ours that a worker raised, else what the service says."""
    messages = service.read_errors(job.job_id)
    ours = [found for message in messages for found in _OURS.findall(message)]
    if ours:
        return restore_error(ours[-1])
    if job.state == "DONE":
        return FeatureStoreError(f"the job {job.job_id} ended well, but its run is not committed")
    lines = [line.rstrip() for message in messages for line in message.splitlines() if line.strip()]
    told = "".join(f"\n  {line[:300]}" for line in lines[-MOST_LINES:])
    return RemoteFailure(f"the job {job.job_id} ended as {job.state}; nothing was published{told}")


def _describe(run: JobRun, job: Job) -> RunSpec:
    """What is known from outside of a run that left no row."""
    return RunSpec(
        run_id=run.run_id,
        run_at=job.created or datetime.now(UTC),
        mode=run.mode,
        targets=run.dates,
        windows=(),
        requested=None,
        inputs=InputState({}, 0),
        options={},
        runner="DataflowRunner",
        allow_deletes=False,
        max_error_rate=0.0,
        dependency_check=0.0,
    )
