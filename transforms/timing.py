"""Stage timers: Beam metrics for those who watch a job, the same figures as data for the commit.

A stage's DoFn measures each element, emits one ``StageRecord`` for it, and publishes the sums
of the bundle as Beam counters and a distribution of microseconds. Nothing measured here ever
reaches a feature row.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from apache_beam.metrics import Metrics

from transforms.contracts import StageRecord

NAMESPACE = "feature_store"
MOST_NOTES = 20
"""Notes kept of a stage; its counts say how many there were."""

Listener = Callable[[str, Mapping[str, int]], None]
_LISTENERS: list[Listener] = []


@contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Inside the block, ``listener(stage, counts)`` hears of every element that is finished.

    Stages in other processes are not heard.
    """
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


class StageTimer:
    """Measures the elements of one stage in one DoFn instance."""

    def __init__(self, stage: str, clock: Callable[[], int] = time.time_ns) -> None:
        self._stage = stage
        self._clock = clock
        self._record: StageRecord = (stage, 0, 0, 0, {}, [])
        self._busy = 0
        self._counts: Counter[str] = Counter()
        self._counters: dict[str, Any] = {}
        self._microseconds = Metrics.distribution(NAMESPACE, f"{stage}_microseconds")

    @contextmanager
    def measure(self) -> Iterator[dict[str, int]]:
        """Times the block; what it writes into the mapping becomes the element's counts."""
        counts: dict[str, int] = {}
        started = self._clock() // 1000
        yield counts
        ended = self._clock() // 1000
        self._record = (self._stage, started, ended, ended - started, counts, [])
        self._busy += ended - started
        self._counts.update(counts)
        for listener in _LISTENERS:
            listener(self._stage, counts)

    def record(self, notes: Sequence[str] = ()) -> StageRecord:
        """The figures of the element measured last, and what a person should know of it."""
        return (*self._record[:-1], list(notes))

    def publish(self) -> None:
        """Updates the Beam metrics with what the bundle added; called once a bundle."""
        for name, count in self._counts.items():
            if name not in self._counters:
                self._counters[name] = Metrics.counter(NAMESPACE, f"{self._stage}_{name}")
            self._counters[name].inc(count)
        self._microseconds.update(self._busy)
        self._busy = 0
        self._counts.clear()


def summarize_stages(records: Iterable[StageRecord]) -> dict[str, dict[str, Any]]:
    """Per stage, in the order of their first starts: wall and busy seconds, counts, and notes if any.

    ``wall_seconds`` is the time in which at least one worker was in the stage, ``busy_seconds``
    the sum over the workers; ``notes`` are sorted, and at most :data:`MOST_NOTES`.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    busy: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {}
    notes: dict[str, set[str]] = {}
    for stage, started, ended, spent, found, told in sorted(records, key=lambda record: record[1]):
        spans.setdefault(stage, []).append((started, ended))
        busy[stage] += spent
        counts.setdefault(stage, Counter()).update(found)
        notes.setdefault(stage, set()).update(told)
    return {
        stage: {
            "wall_seconds": measure_union(spans[stage]) / 1e6,
            "busy_seconds": busy[stage] / 1e6,
            **dict(sorted(counts[stage].items())),
            **({"notes": sorted(notes[stage])[:MOST_NOTES]} if notes[stage] else {}),
        }
        for stage in spans
    }


def measure_union(spans: Iterable[tuple[int, int]]) -> int:
    """The length that the spans (sorted by start) cover together."""
    covered, reached = 0, 0
    for started, ended in spans:
        covered += max(0, ended - max(started, reached))
        reached = max(reached, ended)
    return covered
