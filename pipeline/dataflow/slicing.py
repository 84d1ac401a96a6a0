"""A large backfill as several: its dates cut into slices, and which of them are committed already. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa

from pipeline.options import BACKFILL
from pipeline.season import DateRange
from pipeline.warehouse.base import InputChange, RunRow
from transforms.cleaning import season_of_dates
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.vector import FEATURE_VERSION

DECISIVE = ("bootstrap_days", "min_games", "include_injured")
"""The options that decide what a run computes."""


def cut_slices(dates: DateRange, split: str) -> list[DateRange]:
    """The dates in order, one range a season or month."""
    days = list(dates)
    if split == "season":
        starts: Sequence[Any] = season_of_dates(pa.array(days, pa.date32())).tolist()
    else:
        starts = [(day.year, day.month) for day in days]
    grouped = groupby(zip(starts, days, strict=True), key=lambda pair: pair[0])
    parts = [[day for _, day in group] for _, group in grouped]
    return [DateRange.inclusive(part[0], part[-1]) for part in parts]


def find_committed(
    dates: DateRange,
    options: Mapping[str, Any],
    runs: Iterable[RunRow],
    list_changes: Callable[[RunRow], Sequence[InputChange]],
) -> RunRow | None:
    """The newest successful backfill that covers the dates with these options, and what it read is unchanged.

    A change counts whose dates meet the slice's window; box scores that changed on unknown dates count,
    too. Side tables whose dates nobody knows do not: where every night renews one, no slice would ever be
    done (``--again`` launches all of them).
    """
    window = dates.with_history()
    for row in sorted(runs, key=lambda run: run["started_at"], reverse=True):
        if not _covers(row, dates, options):
            continue
        changes = list_changes(row)
        return None if any(_concerns(change, window) for change in changes) else row
    return None


def _covers(row: RunRow, dates: DateRange, options: Mapping[str, Any]) -> bool:
    return (
        row["status"] == "success"
        and row["mode"] == BACKFILL
        and row["feature_version"] == FEATURE_VERSION
        and row["start_date"] <= dates.start
        and row["end_date"] >= dates.last
        and all(row["options"].get(name) == options[name] for name in DECISIVE)
    )


def _concerns(change: InputChange, window: DateRange) -> bool:
    if change.dates is None:
        return change.path == PLAYER_GAME_SUMMARY.path
    return change.dates.start < window.end and window.start < change.dates.end
