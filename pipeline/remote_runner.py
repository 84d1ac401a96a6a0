"""The job on a service: submitted by Beam's own runner for it, awaited unless it is only described.

A template's launch describes the job (``--template_location``) and ends; the service runs it afterwards,
so nothing that must happen may be left to the process that built the graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.runner import PipelineState
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError

from pipeline.dataflow.naming import PREFIX, make_labels
from pipeline.errors import FeatureStoreError, RemoteFailure, UsageError
from pipeline.local_runner import LOCAL_NAMES, restore_worker_error
from pipeline.options import COMMANDS
from pipeline.plan import Plan
from pipeline.run_rows import RunSpec

MOST_GRAPH_BYTES = 10_000_000
"""What Dataflow takes of a job's graph."""

WORKER_MEMORY = "4GB"
"""What a worker needs for a chunk or a bucket (``pipeline.plan``), and Beam."""

LAST_LINES = 5


def count_workers(options: PipelineOptions) -> int:
    """How many bundles the most workers of a service compute at once; 0 where that is not said.

    A machine runs a process a core, as far as the name of its type tells how many it has.
    """
    worker = options.view_as(WorkerOptions)
    if options.view_as(StandardOptions).runner in LOCAL_NAMES or not worker.max_num_workers:
        return 0
    cores = re.search(r"-([0-9]+)$", worker.machine_type or "")
    return int(worker.max_num_workers) * (int(cores[1]) if cores else 1)


def label_job(options: PipelineOptions, run: RunSpec, plan: Plan) -> None:
    """Gives the job a name, if it has none, and labels from which its run is found again.

    The memory that a worker must have is said of the whole job: what is said of one step gives that step
    a container of its own beside the others.
    """
    standard = options.view_as(StandardOptions)
    hints = standard.resource_hints or []
    if not any("min_ram" in hint for hint in hints):
        standard.resource_hints = [*hints, f"min_ram={WORKER_MEMORY}"]
    cloud = options.view_as(GoogleCloudOptions)
    cloud.job_name = cloud.job_name or f"{PREFIX}{COMMANDS[run.mode]}-{run.run_id.lower()}"
    labels = make_labels(run.run_id, run.mode, plan, run.options["warehouse"])
    cloud.labels = [*(cloud.labels or []), *(f"{name}={value}" for name, value in labels.items())]


def run_remotely(pipeline: beam.Pipeline, on_submit: Iterable[Callable[[str], None]]) -> bool:
    """Submits the pipeline and waits for its end; False where it was only described.

    Raises ``RemoteFailure`` where the service refuses the job, or the job does not end well.
    """
    size = pipeline.to_runner_api().ByteSize()
    if size > MOST_GRAPH_BYTES:
        raise UsageError(
            f"the job's graph has {size:,} bytes, and the service takes {MOST_GRAPH_BYTES:,}: choose fewer "
            "gaps at a time, by --start-date and --end-date"
        )
    try:
        result = pipeline.run()
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise RemoteFailure(f"the job could not be submitted: {_first_line(error)}") from error
    if not getattr(result, "has_job", True):
        return False
    job_id = result.job_id()
    for tell in on_submit:
        tell(job_id)
    try:
        state = result.wait_until_finish()
    except Exception as error:
        restored = restore_worker_error(RuntimeError(_find_traceback(str(error))))
        if type(restored) in (RuntimeError, FeatureStoreError):
            lines = [line for line in str(error).splitlines() if line.strip()][-LAST_LINES:]
            raise RemoteFailure(f"the job {job_id} did not end well:\n" + "\n".join(lines)) from error
        raise restored from error
    if state != PipelineState.DONE:
        raise RemoteFailure(f"the job {job_id} ended as {state}; nothing was published by it")
    return True


def _find_traceback(text: str) -> str:
    """What a worker raised, of the text that a service wraps around it."""
    found = re.search(r"^Traceback .*", text, re.DOTALL | re.MULTILINE)
    return found[0] if found else text


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"
