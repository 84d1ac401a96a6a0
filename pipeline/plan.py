"""What a run will compute, read and write, and what it costs. Decided before anything runs.

:func:`make_plan` is pure: counts of rows by date in, chunks and buckets out. Looking the counts up
is ``pipeline.preflight``'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.season import DateRange
from transforms.contracts import Chunk, TargetSpec

CHUNK_ROWS = 100_000
"""Rows read and cleaned at a time: bounds the memory of the first half of the job."""

BUCKET_ROWS = 75_000
"""Rows of whole players computed at a time: bounds the memory of the second half."""


@dataclass(frozen=True)
class Plan:
    """``chunks`` cover ``window`` without overlap; ``rows`` and ``bytes`` are what they hold."""

    targets: TargetSpec
    dates: DateRange
    window: DateRange
    columns: tuple[str, ...]
    chunks: tuple[Chunk, ...]
    buckets: int
    game_dates: int
    target_rows: int
    rows: int
    bytes: int


def make_plan(
    spec: TargetSpec,
    columns: Sequence[str],
    counts: Sequence[tuple[date, int]],
    row_bytes: float,
    workers: int = 1,
) -> Plan:
    """The plan for the targets of ``spec``, from the (date, rows) of its read window.

    Every one of ``workers`` gets a chunk and a bucket, where there are rows enough.
    """
    dates = DateRange(spec.start, spec.end)
    window = dates.with_history()
    rows = sum(count for _, count in counts)
    on_dates = [count for day, count in counts if day in dates]
    return Plan(
        targets=spec,
        dates=dates,
        window=window,
        columns=tuple(columns),
        chunks=tuple(cut_chunks(window, counts, min(CHUNK_ROWS, -(-rows // workers)))),
        buckets=max(workers, -(-rows // BUCKET_ROWS)),
        game_dates=len(on_dates),
        target_rows=sum(on_dates),
        rows=rows,
        bytes=round(rows * row_bytes),
    )


def cut_chunks(window: DateRange, counts: Sequence[tuple[date, int]], chunk_rows: int) -> list[Chunk]:
    """Half-open chunks of whole dates that cover the window, each of about ``chunk_rows`` rows.

    There is always at least one, so that a window without rows is read and found empty.
    """
    cuts = [window.start]
    held = 0
    for day, count in counts:
        if held and held + count > chunk_rows:
            cuts.append(day)
            held = 0
        held += count
    return [
        (start.isoformat(), end.isoformat()) for start, end in zip(cuts, [*cuts[1:], window.end], strict=True)
    ]
