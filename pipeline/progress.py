"""How far a run is: rows done of rows planned, step by step, and how long the rest may take.

Pure: what is shown, and when, is the business of ``pipeline.commands.progress``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Step:
    """One step of the work: ``planned`` units of it, each costing ``cost`` relative to other steps.

    A step without units (``planned`` 0) is known to run or not, but not how far it is.
    """

    name: str
    planned: int = 0
    cost: float = 1.0


def list_run_steps(rows: int, targets: int) -> list[Step]:
    """The steps of a run that reads and writes so many rows; costs are seconds a million rows on one core
    (docs/benchmarks.md)."""
    return [
        Step("read", rows, 1.1),
        Step("clean", rows, 2.5),
        Step("compute", rows, 3.8),
        Step("stage", targets, 1.6),
        Step("commit"),
    ]


COMMIT_SHARE = 0.35
"""What part of a run its commit takes, as measured: it cannot say how far it is."""


class Progress:
    """What is done of each step; may be advanced from any thread.

    ``note`` is a word on the whole; ``idle`` the seconds before the work began, which say nothing of how
    long it takes.
    """

    note = ""
    idle = 0.0

    def __init__(self, steps: Iterable[Step], unseen_share: float = 0.0) -> None:
        self.steps = tuple(steps)
        self._unseen = unseen_share
        self._done = {step.name: 0 for step in self.steps}
        self._complete_at: float | None = None
        self._lock = Lock()

    def advance(self, name: str, units: int) -> None:
        with self._lock:
            self._done[name] += units

    def reach(self, name: str, units: int) -> None:
        """At least so many units of a step are done, as somebody else has counted."""
        with self._lock:
            self._done[name] = max(self._done[name], units)

    def track(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; each is done when the next one is asked for."""
        for item in items:
            yield item
            self.advance(name, 1)

    def done(self, name: str) -> int:
        return self._done[name]

    def estimate_left(self, elapsed: float) -> float | None:
        """Seconds that the rest may take after ``elapsed`` of them; None while nothing is done."""
        work = sum(step.planned * step.cost for step in self.steps)
        done = sum(min(self._done[step.name], step.planned) * step.cost for step in self.steps)
        if not done:
            return None
        elapsed = max(0.0, elapsed - self.idle)
        if done < work:
            return elapsed * (work / (1 - self._unseen) / done - 1)
        self._complete_at = self._complete_at or elapsed
        return max(0.0, self._complete_at / (1 - self._unseen) - elapsed)


COUNTED = {
    "read": ("extract_rows",),
    "clean": ("clean_rows_in",),
    "compute": ("calculate_rows_in",),
    "stage": ("save_features_rows", "save_gaps_rows"),
}
"""The counters of the job that count the units of a run's steps."""


def count_run(progress: Progress, counters: Mapping[str, int]) -> bool:
    """Takes over the job's counters; whether anything is done yet."""
    found = {step: sum(counters.get(name, 0) for name in names) for step, names in COUNTED.items()}
    for step, units in found.items():
        progress.reach(step, units)
    return any(found.values())


def advance_run(progress: Progress, stage: str, counts: Mapping[str, int]) -> None:
    """Counts an element that a stage of the pipeline has finished."""
    match stage:
        case "extract":
            progress.advance("read", counts["rows"])
        case "clean":
            progress.advance("clean", counts["rows_in"])
        case "calculate":
            progress.advance("compute", counts["rows_in"])
        case "save":
            progress.advance("stage", counts.get("features_rows", 0) + counts.get("gaps_rows", 0))
