"""The job as a function: options -> plan -> graph -> run -> report. No printing, no parsing."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipeline.commit import RunSpec, build_failed_row, now
from pipeline.errors import FeatureStoreError, UsageError, restore_error
from pipeline.graph import build_graph
from pipeline.local_runner import LOCAL_NAMES, LocalRunner, parallel_flags, run_watched
from pipeline.options import BackfillConfig
from pipeline.preflight import Preflight, check_dependencies
from pipeline.warehouse.base import RunRow, Warehouse
from pipeline.warehouse.duckdb import DuckDBWarehouse

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunReport:
    """A committed run: its stored history row, and what the preflight noted."""

    row: RunRow
    preflight: Preflight


def open_warehouse(config: BackfillConfig) -> Warehouse:
    return DuckDBWarehouse(config.warehouse, config.lock_timeout)


def make_run_id(run_at: datetime) -> str:
    return f"{run_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def run_job(
    config: BackfillConfig,
    mode: str = "backfill",
    clock: Callable[[], datetime] = now,
    on_plan: Callable[[Preflight], None] = lambda preflight: None,
) -> RunReport:
    """Plans, runs and commits; returns only when the run is committed and reconciled.

    Raises one of ``pipeline.errors``; the run then has a ``failed`` history row and nothing that
    readers see has changed.
    """
    run_at = clock()
    warehouse = open_warehouse(config)
    options = make_pipeline_options(config)
    inputs = warehouse.read_input_state(config.dates)
    preflight = check_dependencies(
        warehouse, config.targets, workers=config.parallel, skip_checks=config.skip_preflight
    )
    on_plan(preflight)
    run = RunSpec(
        run_id=make_run_id(run_at),
        run_at=run_at,
        mode=mode,
        targets=config.dates,
        window=preflight.plan.window,
        inputs=inputs,
        options=config.describe(),
        runner=options.view_as(StandardOptions).runner or "",
        allow_deletes=config.allow_deletes,
        max_error_rate=config.max_error_rate,
        dependency_check=(clock() - run_at).total_seconds(),
    )
    try:
        _run_pipeline(preflight, warehouse, run, options)
    except BaseException as error:
        raise _settle_failure(warehouse, run, error, clock()) from error
    finally:
        warehouse.close_staging(run.run_id)
    row = warehouse.read_run(run.run_id)
    if row is None or row["status"] != "success":
        raise FeatureStoreError(f"the pipeline ended, but run {run.run_id} is not committed")
    return RunReport(row, preflight)


def make_pipeline_options(config: BackfillConfig) -> PipelineOptions:
    """Beam's options; the runner is always named, and local unless another one is asked for."""
    options = PipelineOptions([*parallel_flags(config.parallel), *config.beam_args])
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or "DirectRunner"
    if standard.runner not in LOCAL_NAMES:
        raise UsageError(
            f"--runner={standard.runner} cannot reach the embedded warehouse "
            f"{config.warehouse}: leave the flag out, or use DirectRunner"
        )
    return options


def _run_pipeline(preflight: Preflight, warehouse: Warehouse, run: RunSpec, options: PipelineOptions) -> None:
    pipeline = beam.Pipeline(runner=LocalRunner(), options=options)
    build_graph(pipeline, preflight.plan, warehouse, run)
    run_watched(pipeline)


def _settle_failure(
    warehouse: Warehouse, run: RunSpec, error: BaseException, ended: datetime
) -> BaseException:
    """The error to raise: what the commit stored, else the error itself, which is stored now."""
    stored: RunRow | None = None
    with contextlib.suppress(FeatureStoreError):
        stored = warehouse.read_run(run.run_id)
    if stored is not None and stored["status"] == "failed":
        return restore_error(stored["error"])
    if stored is None:
        with contextlib.suppress(FeatureStoreError):
            warehouse.record_failure(build_failed_row(run, error, ended))
    if isinstance(error, Exception) and not isinstance(error, FeatureStoreError):
        _log.debug("the pipeline failed", exc_info=error)
        return FeatureStoreError(f"the pipeline failed: {type(error).__name__}: {error}")
    return error
