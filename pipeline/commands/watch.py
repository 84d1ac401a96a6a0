"""``watch``: follows a job on Dataflow, and tells what became of its run."""

from __future__ import annotations

import shlex
import time
from argparse import Namespace
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeline.commands.console import add_command, emit_json, emit_report, say
from pipeline.commands.progress import show_progress
from pipeline.dataflow.naming import JobRun, is_idle, name_place, read_labels
from pipeline.dataflow.target import Service, add_service_flags, read_service
from pipeline.errors import BadInput, FeatureStoreError, RemoteFailure, UsageError
from pipeline.options import GAPS, BackfillConfig, add_warehouse_flags
from pipeline.preflight import Preflight, check_dependencies
from pipeline.progress import COMMIT_SHARE, count_run, list_run_steps
from pipeline.report import suggest_command
from pipeline.report_run import describe_run, summarize_run
from pipeline.warehouse.base import RunRow, Warehouse
from pipeline.warehouse.opening import open_warehouse

if TYPE_CHECKING:
    # Google's clients take half a second to import
    from pipeline.dataflow.launching import Launch
    from pipeline.dataflow.service import DataflowService, Job


def add_commands(commands: Any) -> None:
    watch = add_command(
        commands,
        "watch",
        run_watch,
        "Follow a job on Dataflow to its end, and tell what became of its run.",
        "feature-store watch 2026-11-21_02_06_04-1234567890 --region us-central1 "
        "--warehouse bigquery://my-project",
    )
    watch.add_argument("job_id", metavar="JOB", help="the id of the job")
    add_warehouse_flags(watch)
    add_service_flags(watch)


def start_job(service: DataflowService, launch: Launch) -> tuple[Job, JobRun]:
    """The job of a launch and its run; those of an earlier launch of the same where that still runs."""
    job, is_new = service.launch(launch.request)
    if is_new:
        say(f"launched job {job.job_id}, run {launch.run.run_id}")
        say(f"  {_name_page(service.place, job.job_id)}")
        return job, launch.run
    run = read_labels(job.labels)
    if run is None:
        raise RemoteFailure(
            f"job {job.job_id} of the name {launch.name} runs already, and does not say yet which run it is: "
            "repeat the command in some minutes"
        )
    say(f"job {job.job_id} does this already, as run {run.run_id}")
    return job, run


def _name_page(place: Service, job_id: str) -> str:
    """Where the service shows a job."""
    project = quote(place.project, safe=":")
    return f"https://console.cloud.google.com/dataflow/jobs/{place.region}/{job_id}?project={project}"


def follow_to_end(
    service: DataflowService, warehouse: Warehouse, job: Job, run: JobRun, *, quiet: bool = False
) -> RunRow:
    """The history row of the run when its job is over; raises why it failed.

    Whoever is interrupted leaves the job as it is, and is told how to come back.
    """
    from pipeline.dataflow.following import follow_job, settle_run

    began = time.monotonic()
    try:
        with show_progress(list_run_steps(run.rows, run.targets), COMMIT_SHARE, quiet=quiet) as progress:
            for look in follow_job(service, job.job_id):
                progress.note = look.note
                if not count_run(progress, look.counters):
                    progress.idle = time.monotonic() - began
                job = look.job
    except BaseException:
        say(f"the job goes on; come back with\n  {suggest_watch(service.place, job.job_id, warehouse)}")
        raise
    return settle_run(warehouse, service, job, run)


def suggest_watch(place: Service, job_id: str, warehouse: Warehouse) -> str:
    """The command that follows a job again."""
    words = [job_id, "--region", place.region, "--project", place.project]
    if place.endpoint:
        words += ["--dataflow-endpoint", place.endpoint]
    return f"{suggest_command('watch', warehouse.address)} {shlex.join(words)}"


def run_watch(arguments: Namespace) -> int:
    from pipeline.dataflow.service import DataflowService

    service = DataflowService(read_service(arguments))
    warehouse = open_warehouse(arguments.warehouse, arguments.lock_timeout)
    job, run = _await_run(service, arguments.job_id)
    if run is None:
        _tell_nothing(job, arguments.json)
        return 0
    if run.place != name_place(arguments.warehouse):
        there = run.place or "another warehouse"
        raise UsageError(f"job {job.job_id} writes to {there}: name it by --warehouse")
    row = follow_to_end(service, warehouse, job, run, quiet=arguments.debug)
    return tell_run(row, _recall_preflight(warehouse, row), arguments.warehouse, job.job_id, arguments.json)


def _await_run(service: DataflowService, job_id: str) -> tuple[Job, JobRun | None]:
    """A job and its run, which a job of the schedule tells when its template has been launched; None for
    a job that had nothing to do."""
    from pipeline.dataflow.following import explain_job, follow_job

    for look in follow_job(service, job_id):
        run = read_labels(look.job.labels)
        if run is not None:
            return look.job, run
        say(f"job {job_id} is {look.note} and does not say yet which run it is")
    if look.job.state == "DONE" and is_idle(look.job.labels):
        return look.job, None
    if look.job.state == "DONE":
        raise BadInput(f"job {job_id} ended well and has no run: it had nothing to do, or is another's")
    raise explain_job(service, look.job)


def _tell_nothing(job: Job, as_json: bool) -> None:
    if as_json:
        emit_json({"job_id": job.job_id, "run_id": None, "exit_code": 0})
    else:
        emit_report(f"Nothing to do: job {job.job_id} found no gap that can be filled")


def _recall_preflight(warehouse: Warehouse, row: RunRow) -> Preflight | None:
    """The preflight of a run over dates, as things are now; None for one over single gaps, and where the
    tables have become others."""
    if row["mode"] == GAPS:
        return None
    config = BackfillConfig(warehouse.address, row["start_date"], row["end_date"])
    with suppress(FeatureStoreError):
        return check_dependencies(warehouse, config.make_targets(row["started_at"]), skip_checks=True)
    return None


def tell_run(row: RunRow, preflight: Preflight | None, warehouse: str, job_id: str, as_json: bool) -> int:
    if as_json:
        emit_json({**summarize_run(row, preflight, warehouse), "job_id": job_id})
    else:
        emit_report(describe_run(row, preflight, warehouse))
    return 0
