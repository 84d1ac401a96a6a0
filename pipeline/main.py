"""The job as a function: options -> plan -> graph -> run -> report. No printing, no parsing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from pipeline.commit import now
from pipeline.costs import list_reads, refuse_costly
from pipeline.dataflow.naming import OURS
from pipeline.errors import Conflict, FeatureStoreError, UsageError, restore_error, shorten_reason
from pipeline.graph import build_graph
from pipeline.local_runner import LOCAL_NAMES, LocalRunner, parallel_flags, run_watched
from pipeline.options import BACKFILL, BackfillConfig
from pipeline.preflight import Preflight, check_dependencies
from pipeline.remote_runner import count_workers, label_job, run_remotely
from pipeline.run_ids import make_run_id
from pipeline.run_rows import RunSpec, build_failed_row
from pipeline.warehouse.base import RunRow, Warehouse
from pipeline.warehouse.bigquery_address import parse_address
from pipeline.warehouse.opening import open_warehouse

SETTLE_SECONDS = 5.0
"""How long a run that failed waits for the warehouse to write that down."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunReport:
    """A committed run: its stored history row, and what the preflight noted.

    ``row`` is None where the job was only described, for a service that runs it later (a template's
    launch): then the run is not over, and not in the history.
    """

    run_id: str
    row: RunRow | None
    preflight: Preflight


def run_job(
    config: BackfillConfig,
    mode: str = BACKFILL,
    requested: pa.Table | None = None,
    clock: Callable[[], datetime] = now,
    on_plan: Callable[[Preflight], None] = lambda preflight: None,
    on_submit: Callable[[str], None] = lambda job_id: None,
) -> RunReport:
    """Plans, runs and commits; returns only when the run is committed and reconciled, or handed over.

    ``requested`` (``STAGED_TARGETS``) are the only keys that the run computes and touches; None: every
    key of the dates. ``on_submit`` hears the id of a job that a service runs: whoever is interrupted
    after that leaves the job as it is.

    Raises one of ``pipeline.errors``; the run then has a ``failed`` history row and nothing that
    readers see has changed.
    """
    run_at = clock()
    run_id = config.run_id or make_run_id(run_at)
    warehouse = open_warehouse(
        config.warehouse, config.lock_timeout, asked_by=run_id, max_bytes=config.max_bytes
    )
    options = make_pipeline_options(config, warehouse)
    if config.run_id and (known := warehouse.read_run(run_id)):
        raise Conflict(f"run {run_id} is on record already, as {known['status']}: launch with another id")
    with warehouse.share_reader():
        inputs = warehouse.read_input_state(config.dates)
        preflight = check_dependencies(
            warehouse,
            config.make_targets(run_at),
            requested=requested,
            workers=count_workers(options) or config.parallel,
            skip_checks=config.skip_preflight,
        )
        if config.max_bytes is not None:
            refuse_costly(preflight.plan, warehouse.estimate(list_reads(preflight.plan)), config.max_bytes)
    on_plan(preflight)
    run = RunSpec(
        run_id=run_id,
        run_at=run_at,
        mode=mode,
        targets=config.dates,
        windows=preflight.plan.windows,
        requested=requested,
        inputs=inputs,
        options=config.describe(),
        runner=options.view_as(StandardOptions).runner or "",
        allow_deletes=config.allow_deletes,
        max_error_rate=config.max_error_rate,
        dependency_check=(clock() - run_at).total_seconds(),
    )
    settling = open_warehouse(config.warehouse, min(config.lock_timeout, SETTLE_SECONDS), asked_by=run_id)
    jobs: list[str] = []
    handed_over = False
    try:
        handed_over = not _run_pipeline(preflight, warehouse, run, options, [jobs.append, on_submit])
    except Exception as error:
        row = _record_failure(settling, run, error, clock())
        if row is None or row["status"] != "success":
            explained = _explain_failure(row, error, run.run_id)
            if explained is error:
                raise
            raise explained from error
        _log.warning("run %s is committed, but its pipeline ended badly: %s", run.run_id, error)
    except BaseException as error:
        handed_over = bool(jobs)
        if not handed_over:
            _record_failure(settling, run, error, clock())
        raise
    finally:
        if not handed_over:
            _close_staging(warehouse, run.run_id)
    if handed_over:
        return RunReport(run_id, None, preflight)
    row = _read_outcome(warehouse, run.run_id)
    if row is None or row["status"] != "success":
        raise FeatureStoreError(f"the pipeline ended, but run {run.run_id} is not committed")
    return RunReport(run_id, row, preflight)


def make_pipeline_options(config: BackfillConfig, warehouse: Warehouse) -> PipelineOptions:
    """Beam's options; the runner is always named, and local unless another one is asked for."""
    options = PipelineOptions([*config.beam_args])
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or "DirectRunner"
    if standard.runner not in LOCAL_NAMES:
        if not warehouse.is_remote:
            raise UsageError(
                f"--runner={standard.runner} cannot reach the embedded warehouse "
                f"{config.warehouse}: leave the flag out, or use DirectRunner"
            )
        if parse_address(config.warehouse).temp is None:
            raise UsageError(
                f"the workers of --runner={standard.runner} share no disk: name a folder for the files of a "
                "run, --warehouse='bigquery://PROJECT?temp=gs://BUCKET/PATH'"
            )
        return options
    options = PipelineOptions([*parallel_flags(config.parallel), *config.beam_args])
    options.view_as(StandardOptions).runner = standard.runner
    if options.view_as(DirectOptions).direct_running_mode == "multi_threading":
        raise UsageError(
            "--direct_running_mode=multi_threading loses and damages rows in Beam 2.77, which sends what "
            "is half written once a second: use --parallel N, which has threads of its own"
        )
    return options


def hand_over_nothing(beam_args: Sequence[str]) -> None:
    """A job with nothing to do, for a template's launch, which fails unless it gets one."""
    labels = [f"--labels={name}={value}" for name, value in OURS.items()]
    pipeline = beam.Pipeline(options=PipelineOptions([*beam_args, *labels]))
    _ = pipeline | "NothingToDo" >> beam.Create(["nothing to do"])
    run_remotely(pipeline, ())


def _run_pipeline(
    preflight: Preflight,
    warehouse: Warehouse,
    run: RunSpec,
    options: PipelineOptions,
    on_submit: Sequence[Callable[[str], None]],
) -> bool:
    """Whether the pipeline has run to its end; else it was handed over."""
    if run.runner in LOCAL_NAMES:
        pipeline = beam.Pipeline(runner=LocalRunner(), options=options)
        build_graph(pipeline, preflight.plan, warehouse, run)
        run_watched(pipeline)
        return True
    label_job(options, run, preflight.plan)
    pipeline = beam.Pipeline(options=options)
    build_graph(pipeline, preflight.plan, warehouse, run)
    return run_remotely(pipeline, on_submit)


def _record_failure(
    warehouse: Warehouse, run: RunSpec, error: BaseException, ended: datetime
) -> RunRow | None:
    """The row that the run has now: its commit's, else a failed one; None when none can be written.

    Nothing that goes wrong here may hide the error itself.
    """
    _log.debug("the pipeline failed", exc_info=error)
    try:
        return warehouse.record_failure(build_failed_row(run, error, ended))
    except Exception:
        _log.debug("the failure of run %s could not be recorded", run.run_id, exc_info=True)
        return None


def _close_staging(warehouse: Warehouse, run_id: str) -> None:
    """Removes the run's files; what cannot be removed now is no failure of the run."""
    try:
        warehouse.close_staging(run_id)
    except Exception as error:
        _log.warning("the files of run %s could not be removed: %s", run_id, error)


def _read_outcome(warehouse: Warehouse, run_id: str) -> RunRow | None:
    """The history row of a run whose pipeline came to its end; a read that fails is tried once more."""
    try:
        return warehouse.read_run(run_id)
    except Exception:
        _log.debug("the history row of run %s could not be read", run_id, exc_info=True)
    try:
        return warehouse.read_run(run_id)
    except Exception as error:
        kind = type(error) if isinstance(error, FeatureStoreError) else FeatureStoreError
        raise kind(
            f"run {run_id} is committed, but its history row could not be read: {error}\n"
            f"Look at it with `feature-store runs {run_id}`"
        ) from error


def _explain_failure(row: RunRow | None, error: Exception, run_id: str) -> FeatureStoreError:
    """The error to raise: the one that the commit stored, however a runner wrapped it."""
    stored = restore_error(row["error"]) if row is not None else None
    if stored is not None and type(stored) is not FeatureStoreError:
        return stored
    if isinstance(error, FeatureStoreError):
        return error
    # Beam wraps what it cannot build anew in a RuntimeError whose text begins with the real name
    reason = shorten_reason(str(error))
    named = reason if type(error) is RuntimeError else f"{type(error).__name__}: {reason}"
    if row is None:
        return FeatureStoreError(
            f"the pipeline failed: {named}\nWhat became of it could not be read: if "
            f"`feature-store runs {run_id}` knows no such run, nothing was published"
        )
    return FeatureStoreError(f"the pipeline failed, nothing was published: {named}")
