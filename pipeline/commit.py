"""The end of a run, inside the pipeline: everything staged -> one commit, or one failed row.

The only element behind the barrier. What the pipeline can see going wrong (an audit, the error
rate, a conflict) is written as the run's ``failed`` row, then raised. How rows become visible is
the warehouse's business; what a run reports about itself is decided here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam

from pipeline.errors import FeatureStoreError, TooManyFailures, WarehouseLocked
from pipeline.run_rows import RunSpec, build_failed_row, build_run_row
from pipeline.warehouse.base import CommitOutcome, CommitRequest, RunRow, Warehouse
from transforms.contracts import StagedFile, StageRecord
from transforms.timing import summarize_stages


def now() -> datetime:
    return datetime.now(UTC)


class _CommitFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, warehouse: Warehouse, run: RunSpec, clock: Callable[[], datetime] = now) -> None:
        self._warehouse, self._run, self._clock = warehouse, run, clock

    def process(self, files: list[StagedFile], records: Iterable[StageRecord]) -> Iterator[str]:
        commit_staged(self._warehouse, self._run, files, summarize_stages(records), self._clock)
        if self._warehouse.is_remote:
            # whoever launched the job may be gone; what is left here is found by its age
            with contextlib.suppress(Exception):
                self._warehouse.close_staging(self._run.run_id)
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
