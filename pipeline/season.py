"""Date ranges: half-open inside the project, inclusive on the command line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.errors import UsageError
from transforms.contracts import Chunk
from transforms.windows import AS_OF_DAYS

LONGEST_RANGE_DAYS = 366 * 300
LAST_DAY = date.max - timedelta(days=1)
"""The last day that a half-open range can hold."""
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class DateRange:
    """``start <= date < end``."""

    start: date
    end: date

    @classmethod
    def inclusive(cls, first: date, last: date) -> DateRange:
        """The range that the flags ``--start-date`` and ``--end-date`` name."""
        check_order(first, last)
        if (last - first).days >= LONGEST_RANGE_DAYS:
            raise UsageError(f"{first} to {last} is more than {LONGEST_RANGE_DAYS} days: check the years")
        if last > LAST_DAY:
            raise UsageError(f"expected a last date of {LAST_DAY} at most, found {last}")
        return cls(first, last + timedelta(days=1))

    @classmethod
    def spanning(cls, first: date, last: date) -> DateRange:
        """From the first to the last date that a table holds, however far apart one absurd row puts them.

        Without the last day of the calendar, which no half-open range can hold.
        """
        start = min(first, LAST_DAY)
        return cls(start, max(start, min(last, LAST_DAY)) + timedelta(days=1))

    @property
    def last(self) -> date:
        return self.end - timedelta(days=1)

    def with_history(self) -> DateRange:
        """The dates that must be read so that every target sees its as-of window."""
        earliest = date.min + timedelta(days=AS_OF_DAYS)
        return DateRange(max(self.start, earliest) - timedelta(days=AS_OF_DAYS), self.end)

    def extend(self, days: int) -> DateRange:
        """The dates and so many days after them, as far as there are dates."""
        room = (date.max - self.end).days
        return DateRange(self.start, self.end + timedelta(days=min(days, room)))

    def as_chunk(self) -> Chunk:
        """The dates as an element of a pipeline."""
        return self.start.isoformat(), self.end.isoformat()

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __iter__(self) -> Iterator[date]:
        return (self.start + timedelta(days=n) for n in range((self.end - self.start).days))

    def __str__(self) -> str:
        return f"{self.start} to {self.last}"


def check_order(first: date, last: date) -> None:
    """Raises ``UsageError`` when ``--start-date`` is after ``--end-date``."""
    if first > last:
        raise UsageError(f"--start-date {first} is after --end-date {last}: give the earlier date first")


def merge_days(days: Iterable[date]) -> list[DateRange]:
    """Ranges that hold the days, in order: two days share one where their as-of windows overlap, so that
    no history is read twice."""
    merged: list[DateRange] = []
    for day in sorted(days):
        alone = DateRange.inclusive(day, day)
        if merged and alone.with_history().start <= merged[-1].end:
            merged[-1] = DateRange(merged[-1].start, alone.end)
        else:
            merged.append(alone)
    return merged


def parse_date(text: str) -> date:
    """The day that ``YYYY-MM-DD`` names; any other text is refused."""
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise UsageError(f"expected a date as YYYY-MM-DD, found {text[:40]!r}")
