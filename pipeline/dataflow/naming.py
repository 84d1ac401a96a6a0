"""The names and labels of a job: how a run is found again from its job, and a job from what it does.

Two launches of the same thing have the same name, and the service refuses a second active job of a name:
so a launch whose reply was lost, or that is repeated, finds the job that runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pipeline.options import COMMANDS, MODES
from pipeline.plan import Plan
from pipeline.run_ids import RUN_ID
from pipeline.season import DateRange, parse_date
from pipeline.warehouse.bigquery_address import BIGQUERY, parse_address

PREFIX = "feature-store-"
OURS = {"application": "feature-store"}
"""The label of every job of this project, with a run or without work."""

_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class JobRun:
    """What a job's labels say of its run; ``rows`` to read and ``targets`` are those of the plan.

    ``place`` is the project that has the tables, as far as a label can spell it.
    """

    run_id: str
    mode: str
    dates: DateRange
    rows: int
    targets: int
    place: str


def name_job(mode: str, dates: DateRange, parameters: Mapping[str, str]) -> str:
    """The name of every job that does this, whatever its run."""
    told = sorted((name, value) for name, value in parameters.items() if name != "run_id")
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:8]
    return f"{PREFIX}{COMMANDS[mode]}-{dates.start:%Y%m%d}-{dates.last:%Y%m%d}-{digest}"


def name_place(warehouse: str) -> str:
    """A label's word for the project of a warehouse; of a local one, none."""
    project = parse_address(warehouse).project if warehouse.startswith(BIGQUERY) else ""
    return re.sub("[^a-z0-9_-]", "_", project)[:63]


def make_labels(run_id: str, mode: str, plan: Plan, warehouse: str) -> dict[str, str]:
    """The labels of a run's job."""
    told = {
        "place": name_place(warehouse),
        "run": run_id.lower(),
        "mode": mode,
        "start": str(plan.dates.start),
        "end": str(plan.dates.last),
        "rows": str(plan.rows),
        "targets": str(plan.target_rows),
    }
    return {**OURS, **{PREFIX + name: value for name, value in told.items()}}


def read_labels(labels: Mapping[str, str]) -> JobRun | None:
    """The run of a job; None where its labels do not tell one."""
    told = {
        name: labels.get(PREFIX + name, "") for name in ("run", "mode", "start", "end", "rows", "targets")
    }
    run_id = told["run"].replace("t", "T")
    if not re.fullmatch(RUN_ID, run_id) or told["mode"] not in MODES:
        return None
    if not all(re.fullmatch("[0-9]{1,15}", told[name]) for name in ("rows", "targets")):
        return None
    days: list[date] = [parse_date(told[name]) for name in ("start", "end")]
    numbers = int(told["rows"]), int(told["targets"])
    return JobRun(
        run_id, told["mode"], DateRange.inclusive(*days), *numbers, place=labels.get(PREFIX + "place", "")
    )


def is_idle(labels: Mapping[str, str]) -> bool:
    """Whether a job that ended well is one that had nothing to do."""
    return OURS.items() <= labels.items() and read_labels(labels) is None


def is_label(value: str) -> bool:
    return _LABEL_VALUE.fullmatch(value) is not None
