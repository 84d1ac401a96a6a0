"""The end of a run, inside the pipeline: everything staged -> one commit, or one failed row.

The only element behind the barrier. What the pipeline can see going wrong (an audit, the error
rate, a conflict) is written as the run's ``failed`` row, then raised. How rows become visible is
the warehouse's business; what a run reports about itself is decided here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import pyarrow as pa

from pipeline.errors import FeatureStoreError, TooManyFailures, WarehouseLocked, describe_error
from pipeline.season import DateRange
from pipeline.warehouse.base import CommitOutcome, CommitRequest, InputState, RunRow, Warehouse
from pipeline.warehouse.sql import PROCESSOR_NAME
from transforms.contracts import StagedFile, StageRecord
from transforms.timing import summarize_stages
from transforms.vector import FEATURE_VERSION


@dataclass(frozen=True)
class RunSpec:
    """What is known of a run when it is launched: plain values that travel to the commit.

    ``targets`` and ``windows`` are the dates computed and read, ``requested`` the only keys that the run
    may touch (None: all of the dates); ``dependency_check`` the seconds that planning took.
    """

    run_id: str
    run_at: datetime
    mode: str
    targets: DateRange
    windows: tuple[DateRange, ...]
    requested: pa.Table | None
    inputs: InputState
    options: Mapping[str, Any]
    runner: str
    allow_deletes: bool
    max_error_rate: float
    dependency_check: float


def now() -> datetime:
    return datetime.now(UTC)


class _CommitFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, warehouse: Warehouse, run: RunSpec, clock: Callable[[], datetime] = now) -> None:
        self._warehouse, self._run, self._clock = warehouse, run, clock

    def process(self, files: list[StagedFile], records: Iterable[StageRecord]) -> Iterator[str]:
        commit_staged(self._warehouse, self._run, files, summarize_stages(records), self._clock)
        yield self._run.run_id


class CommitRun(beam.PTransform):  # type: ignore[misc]
    """Staged files of a whole run -> its id, once everything is committed."""

    def __init__(self, warehouse: Warehouse, run: RunSpec, timings: beam.PCollection) -> None:
        super().__init__()
        self._warehouse, self._run, self._timings = warehouse, run, timings

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        return (
            files
            | "AllStaged" >> beam.combiners.ToList()
            | "OneTransaction"
            >> beam.ParDo(_CommitFn(self._warehouse, self._run), beam.pvalue.AsList(self._timings))
        )


def commit_staged(
    warehouse: Warehouse,
    run: RunSpec,
    files: Iterable[StagedFile],
    stages: dict[str, dict[str, Any]],
    clock: Callable[[], datetime] = now,
) -> RunRow:
    """Commits a run, or writes its failed row and raises."""
    began = clock()
    request = CommitRequest(
        run_id=run.run_id,
        run_at=run.run_at,
        targets=run.targets,
        windows=run.windows,
        requested=run.requested,
        inputs=run.inputs,
        rows_read=stages.get("extract", {}).get("rows", 0),
        allow_deletes=run.allow_deletes,
        files=tuple(sorted(files)),
    )

    def build_row(outcome: CommitOutcome) -> RunRow:
        ended = clock()
        detail = {**stages, "commit": _describe_commit(outcome, (ended - began).total_seconds())}
        return build_run_row(run, outcome, detail, ended)

    try:
        check_error_rate(run, stages.get("calculate", {}))
        return warehouse.commit(request, build_row)
    except WarehouseLocked:
        # a record would have to wait for the same lock; the driver tries once more
        raise
    except FeatureStoreError as error:
        # the failure itself is the one to tell, whatever becomes of its record
        with contextlib.suppress(Exception):
            warehouse.record_failure(build_failed_row(run, error, clock(), stages))
        raise


def check_error_rate(run: RunSpec, counts: Mapping[str, Any]) -> None:
    failed, players = counts.get("players_failed", 0), counts.get("players", 0)
    if failed > run.max_error_rate * players:
        raise TooManyFailures(
            f"the computation failed for {failed} of {players} players, more than "
            f"--max-error-rate {run.max_error_rate:g} permits; nothing was published"
        )


def _describe_commit(outcome: CommitOutcome, seconds: float) -> dict[str, Any]:
    steps = {f"{name}_seconds": value for name, value in outcome.steps.items()}
    return {
        "wall_seconds": seconds,
        "busy_seconds": seconds,
        **steps,
        "gaps_withdrawn": outcome.gaps_withdrawn,
    }


def build_run_row(
    run: RunSpec, outcome: CommitOutcome, stages: Mapping[str, Mapping[str, Any]], ended: datetime
) -> RunRow:
    """The history row of a run that succeeds."""
    return {
        **_describe_run(run, ended, stages),
        "status": "success",
        "records_expected": stages.get("clean", {}).get("targets", 0),
        "records_created": outcome.created,
        "records_updated": outcome.updated,
        "records_unchanged": outcome.unchanged,
        "records_deleted": outcome.deleted,
        "gaps_opened": outcome.gaps_opened,
        "gaps_resolved": outcome.gaps_resolved,
        "gaps_open": outcome.gaps_open,
        "error": None,
    }


def build_failed_row(
    run: RunSpec,
    error: BaseException,
    ended: datetime,
    stages: Mapping[str, Mapping[str, Any]] | None = None,
) -> RunRow:
    """The history row of a run that published nothing."""
    found = stages or {}
    return {
        **_describe_run(run, ended, found),
        "status": "failed",
        "records_expected": found.get("clean", {}).get("targets"),
        **dict.fromkeys(("records_created", "records_updated", "records_unchanged"), 0),
        **dict.fromkeys(("records_deleted", "gaps_opened", "gaps_resolved"), 0),
        "gaps_open": None,
        "error": describe_error(error)[:2000],
    }


def _describe_run(run: RunSpec, ended: datetime, stages: Mapping[str, Mapping[str, Any]]) -> RunRow:
    def wall(*names: str) -> float:
        return float(sum(stages.get(name, {}).get("wall_seconds", 0.0) for name in names))

    total = (ended - run.run_at).total_seconds()
    return {
        "processor_name": PROCESSOR_NAME,
        "run_id": run.run_id,
        "mode": run.mode,
        "data_date": run.targets.last,
        "start_date": run.targets.start,
        "end_date": run.targets.last,
        "duration_seconds": total,
        "timing_breakdown": {
            "total_runtime": total,
            "dependency_check_time": run.dependency_check,
            "extract_time": wall("extract", "clean"),
            "calculate_time": wall("teams", "calculate"),
            "save_time": wall("save", "commit"),
            "detail": dict(stages),
        },
        "options": dict(run.options),
        "feature_version": FEATURE_VERSION,
        "runner": run.runner,
        "started_at": run.run_at,
        "processed_at": ended,
    }
