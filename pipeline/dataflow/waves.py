"""Several launches, a few at a time: as one ends the next begins, and after a failure none does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.dataflow.following import POLL_SECONDS
from pipeline.dataflow.launching import Launch
from pipeline.dataflow.naming import JobRun
from pipeline.dataflow.service import Job
from pipeline.errors import FeatureStoreError
from pipeline.warehouse.base import RunRow


@dataclass(frozen=True)
class Active:
    """A job that was launched, or found, and the run that it does."""

    job: Job
    run: JobRun


Outcome = RunRow | FeatureStoreError | None
"""The history row of a run that is committed, why it failed, or None where it was not launched."""


@dataclass(frozen=True)
class Crew:
    """What launches, looks at jobs, and settles what became of them; ``tell`` hears a line at a time."""

    start: Callable[[Launch], Active]
    look: Callable[[str], Job]
    settle: Callable[[Active, Job], RunRow]
    tell: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep


def run_waves(
    launches: Sequence[Launch],
    limit: int,
    crew: Crew,
    on_active: Callable[[Sequence[Active]], None] = lambda active: None,
) -> list[Outcome]:
    """What became of every launch, at most ``limit`` of them active; ``on_active`` hears which are."""
    outcomes: list[Outcome] = [None] * len(launches)
    waiting = list(enumerate(launches))
    active: dict[int, Active] = {}
    failed = False
    while active or (waiting and not failed):
        while waiting and len(active) < limit and not failed:
            index, launch = waiting.pop(0)
            try:
                active[index] = crew.start(launch)
            except FeatureStoreError as error:
                outcomes[index], failed = error, True
                crew.tell(f"{launch.run.dates}  not launched: {error}")
            on_active(list(active.values()))
        for index, found in list(active.items()):
            job = crew.look(found.job.job_id)
            if job.state != found.job.state:
                active[index] = Active(job, found.run)
                crew.tell(f"{found.run.dates}  {job.state.lower().replace('_', ' ')}, job {job.job_id}")
            if job.is_over:
                del active[index]
                outcomes[index] = outcome = _settle(crew, found, job)
                failed = failed or isinstance(outcome, FeatureStoreError)
                on_active(list(active.values()))
        if active:
            crew.sleep(POLL_SECONDS)
    return outcomes


def _settle(crew: Crew, found: Active, job: Job) -> Outcome:
    try:
        row = crew.settle(found, job)
    except FeatureStoreError as error:
        crew.tell(f"{found.run.dates}  failed: {error}")
        return error
    crew.tell(f"{found.run.dates}  committed by run {row['run_id']}")
    return row
