"""The job as a function: options -> plan -> graph -> run -> report. No printing, no parsing."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from pipeline.commit import RunSpec, build_failed_row, now
from pipeline.costs import list_reads, refuse_costly
from pipeline.errors import FeatureStoreError, UsageError, restore_error
from pipeline.graph import build_graph
from pipeline.local_runner import LOCAL_NAMES, LocalRunner, parallel_flags, run_watched
from pipeline.options import BACKFILL, BackfillConfig
from pipeline.preflight import Preflight, check_dependencies
from pipeline.warehouse.base import RunRow, Warehouse
from pipeline.warehouse.opening import open_warehouse

SETTLE_SECONDS = 5.0
"""How long a run that failed waits for the warehouse to write that down."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunReport:
    """A committed run: its stored history row, and what the preflight noted."""

    row: RunRow
    preflight: Preflight


def make_run_id(run_at: datetime) -> str:
    return f"{run_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def run_job(
    config: BackfillConfig,
    mode: str = BACKFILL,
    requested: pa.Table | None = None,
    clock: Callable[[], datetime] = now,
    on_plan: Callable[[Preflight], None] = lambda preflight: None,
) -> RunReport:
    """Plans, runs and commits; returns only when the run is committed and reconciled.

    ``requested`` (``STAGED_TARGETS``) are the only keys that the run computes and touches; None: every
    key of the dates.

    Raises one of ``pipeline.errors``; the run then has a ``failed`` history row and nothing that
    readers see has changed.
    """
    run_at = clock()
    run_id = make_run_id(run_at)
    warehouse = open_warehouse(
        config.warehouse, config.lock_timeout, asked_by=run_id, max_bytes=config.max_bytes
    )
    options = make_pipeline_options(config, warehouse)
    with warehouse.share_reader():
        inputs = warehouse.read_input_state(config.dates)
        preflight = check_dependencies(
            warehouse,
            config.make_targets(run_at),
            requested=requested,
            workers=config.parallel,
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
    try:
        _run_pipeline(preflight, warehouse, run, options)
    except Exception as error:
        row = _record_failure(settling, run, error, clock())
        if row is None or row["status"] != "success":
            explained = _explain_failure(row, error)
            if explained is error:
                raise
            raise explained from error
        _log.warning("run %s is committed, but its pipeline ended badly: %s", run.run_id, error)
    except BaseException as error:
        _record_failure(settling, run, error, clock())
        raise
    finally:
        _close_staging(warehouse, run.run_id)
    row = warehouse.read_run(run.run_id)
    if row is None or row["status"] != "success":
        raise FeatureStoreError(f"the pipeline ended, but run {run.run_id} is not committed")
    return RunReport(row, preflight)


def make_pipeline_options(config: BackfillConfig, warehouse: Warehouse) -> PipelineOptions:
    """Beam's options; the runner is always named, and local unless another one is asked for."""
    options = PipelineOptions([*parallel_flags(config.parallel), *config.beam_args])
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or "DirectRunner"
    if standard.runner not in LOCAL_NAMES and not warehouse.is_remote:
        raise UsageError(
            f"--runner={standard.runner} cannot reach the embedded warehouse "
            f"{config.warehouse}: leave the flag out, or use DirectRunner"
        )
    if options.view_as(DirectOptions).direct_running_mode == "multi_threading":
        raise UsageError(
            "--direct_running_mode=multi_threading loses and damages rows in Beam 2.77, which sends what "
            "is half written once a second: use --parallel N, which has threads of its own"
        )
    return options


def _run_pipeline(preflight: Preflight, warehouse: Warehouse, run: RunSpec, options: PipelineOptions) -> None:
    pipeline = beam.Pipeline(runner=LocalRunner(), options=options)
    build_graph(pipeline, preflight.plan, warehouse, run)
    run_watched(pipeline)


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
    """What stays of a run's files changes neither its success nor its error: both are told already."""
    try:
        warehouse.close_staging(run_id)
    except Exception as error:
        _log.warning("the staged files of run %s could not all be removed: %s", run_id, error)


def _explain_failure(row: RunRow | None, error: Exception) -> FeatureStoreError:
    """The error to raise: the one that the commit stored, however a runner wrapped it."""
    stored = restore_error(row["error"]) if row is not None else None
    if stored is not None and type(stored) is not FeatureStoreError:
        return stored
    if isinstance(error, FeatureStoreError):
        return error
    # Beam wraps what it cannot build anew in a RuntimeError whose text begins with the real name
    named = str(error) if type(error) is RuntimeError else f"{type(error).__name__}: {error}"
    return FeatureStoreError(f"the pipeline failed, nothing was published: {named}")
