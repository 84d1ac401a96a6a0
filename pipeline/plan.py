"""What a run will compute, read and write, and what it costs. Decided before anything runs.

:func:`make_plan` is pure: counts of rows by date in, chunks and buckets out. Looking the counts up
is ``pipeline.preflight``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.season import DateRange
from transforms.contracts import Chunk, TargetSpec
from transforms.kernels.schedule import MOVED_DAYS

CHUNK_ROWS = 100_000
"""Rows read and cleaned at a time: bounds the memory of the first half of the job."""

BUCKET_ROWS = 75_000
"""Rows of whole players computed at a time: bounds the memory of the second half."""


@dataclass(frozen=True)
class Plan:
    """``chunks`` cover ``window`` without overlap; ``rows`` and ``bytes`` are what they hold.

    ``columns`` are those to read of every input that exists, by ``Table.path``; ``schedule`` are the
    dates of the schedule to read. ``game_days`` are the target dates that have player rows
    (``target_rows``) or upcoming ones (``upcoming_rows``).
    """

    targets: TargetSpec
    dates: DateRange
    window: DateRange
    schedule: DateRange
    columns: Mapping[str, tuple[str, ...]]
    chunks: tuple[Chunk, ...]
    buckets: int
    game_days: tuple[date, ...]
    target_rows: int
    upcoming_rows: int
    rows: int
    bytes: int


def make_plan(
    spec: TargetSpec,
    columns: Mapping[str, tuple[str, ...]],
    counts: Sequence[tuple[date, int]],
    row_bytes: float,
    workers: int = 1,
    upcoming: Sequence[tuple[date, int]] = (),
) -> Plan:
    """The plan for the targets of ``spec``, from the (date, rows) of its read window and the upcoming
    rows of its dates.

    Every one of ``workers`` gets as many chunks and buckets, where there are rows enough.
    """
    dates = DateRange(spec.start, spec.end)
    window = dates.with_history()
    rows = sum(count for _, count in counts)
    on_dates = {day: count for day, count in counts if day in dates}
    return Plan(
        targets=spec,
        dates=dates,
        window=window,
        schedule=window.extend(MOVED_DAYS),
        columns=columns,
        chunks=tuple(cut_chunks(window, counts, share_out(rows, CHUNK_ROWS, workers))),
        buckets=share_out(rows, BUCKET_ROWS, workers),
        game_days=tuple(sorted({*on_dates, *(day for day, _ in upcoming)})),
        target_rows=sum(on_dates.values()),
        upcoming_rows=sum(count for _, count in upcoming),
        rows=rows,
        bytes=round(rows * row_bytes),
    )


def share_out(rows: int, most: int, workers: int) -> int:
    """How many parts of about ``most`` rows at most: the same number for every worker."""
    return workers * max(1, -(-rows // (most * workers)))


def cut_chunks(window: DateRange, counts: Sequence[tuple[date, int]], parts: int) -> list[Chunk]:
    """At most ``parts`` half-open chunks of whole dates that cover the window, with like many rows.

    There is always at least one, so that a window without rows is read and found empty.
    """
    total = sum(count for _, count in counts)
    cuts = [window.start]
    before = 0
    for day, count in counts:
        if before * parts >= len(cuts) * total:
            cuts.append(day)
        before += count
    return [
        (start.isoformat(), end.isoformat()) for start, end in zip(cuts, [*cuts[1:], window.end], strict=True)
    ]
