"""A run as one row of the history: what is known of it at its start, and how it ended. No Beam here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipeline.errors import describe_error
from pipeline.season import DateRange
from pipeline.warehouse.base import CommitOutcome, InputState, RunRow
from pipeline.warehouse.sql import PROCESSOR_NAME
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
