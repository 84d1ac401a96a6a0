"""What a run will compute, read and write, and what it costs. Decided before anything runs.

:func:`make_plan` is pure: counts of rows by date in, chunks and buckets out. Looking the counts up
is ``pipeline.preflight``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pipeline.season import DateRange
from transforms.contracts import Chunk, TargetSpec
from transforms.kernels.schedule import MOVED_DAYS

CHUNK_ROWS = 100_000
"""Rows read and cleaned at a time: bounds the memory of the first half of the job."""

BUCKET_ROWS = 75_000
"""Rows of whole players computed at a time: bounds the memory of the second half."""


@dataclass(frozen=True)
class Plan:
    """``chunks`` cover ``windows`` without overlap; ``rows`` and ``bytes`` are what they hold.

    ``windows`` are the dates to read, ``window`` the range from the first to the last of them.
    ``requested`` (``STAGED_TARGETS``) are the only keys that may be targets; None: all of the dates.
    ``columns`` are those to read of every input that exists, by ``Table.path``; ``schedule`` are the
    dates of the schedule to read. ``game_days`` are the target dates that have player rows
    (``target_rows``) or upcoming ones (``upcoming_rows``).
    """

    targets: TargetSpec
    dates: DateRange
    windows: tuple[DateRange, ...]
    requested: pa.Table | None
    schedule: DateRange
    columns: Mapping[str, tuple[str, ...]]
    chunks: tuple[Chunk, ...]
    buckets: int
    game_days: tuple[date, ...]
    target_rows: int
    upcoming_rows: int
    rows: int
    bytes: int

    @property
    def months(self) -> int:
        """How many months the run's keys are in: the partitions that its commit changes in each table."""
        days = self.dates if self.requested is None else list_days(self.requested)
        return len({(day.year, day.month) for day in days})

    @property
    def window(self) -> DateRange:
        return DateRange(self.windows[0].start, self.windows[-1].end)


def make_plan(
    spec: TargetSpec,
    columns: Mapping[str, tuple[str, ...]],
    counts: Sequence[tuple[date, int]],
    row_bytes: float,
    workers: int = 1,
    upcoming: Sequence[tuple[date, int]] = (),
    requested: pa.Table | None = None,
) -> Plan:
    """The plan for the targets of ``spec``, from the (date, rows) of its read window and the upcoming
    rows of its dates.

    Every one of ``workers`` gets as many chunks and buckets, where there are rows enough.
    """
    dates = DateRange(spec.start, spec.end)
    windows = [dates.with_history()] if requested is None else merge_windows(list_days(requested))
    counts = [(day, count) for day, count in counts if any(day in window for window in windows)]
    rows = sum(count for _, count in counts)
    on_dates = {day: count for day, count in counts if day in dates}
    if requested is not None:
        on_dates, upcoming = count_days(requested), ()
    return Plan(
        targets=spec,
        dates=dates,
        windows=tuple(windows),
        requested=requested,
        schedule=DateRange(windows[0].start, windows[-1].end).extend(MOVED_DAYS),
        columns=columns,
        chunks=tuple(cut_windows(windows, counts, share_out(rows, CHUNK_ROWS, workers))),
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


def merge_windows(days: Sequence[date]) -> list[DateRange]:
    """The as-of windows of some dates, each with its date, merged where they overlap or touch."""
    merged: list[DateRange] = []
    for day in sorted(days):
        window = DateRange.inclusive(day, day).with_history()
        if merged and window.start <= merged[-1].end:
            merged[-1] = DateRange(merged[-1].start, window.end)
        else:
            merged.append(window)
    return merged


def count_days(keys: pa.Table) -> dict[date, int]:
    """How many keys (``STAGED_TARGETS``) each date has."""
    counts = keys.column("game_date").value_counts().to_pylist()
    return {entry["values"]: entry["counts"] for entry in counts}


def list_days(keys: pa.Table) -> list[date]:
    return sorted(count_days(keys))


def cut_windows(windows: Sequence[DateRange], counts: Sequence[tuple[date, int]], parts: int) -> list[Chunk]:
    """About ``parts`` chunks of the windows, none over the end of one."""
    total = sum(count for _, count in counts)
    chunks: list[Chunk] = []
    for window in windows:
        mine = [(day, count) for day, count in counts if day in window]
        share = sum(count for _, count in mine) / total if total else 0.0
        chunks += cut_chunks(window, mine, max(1, round(parts * share)))
    return chunks


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
