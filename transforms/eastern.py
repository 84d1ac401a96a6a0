"""US Eastern time: noon of a date as an instant, and the date of an instant.

The zone comes from the ``tzdata`` package alone, so that every machine gives the same instants.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import numpy as np

from transforms.arrays import Ints

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@cache
def load_zone() -> ZoneInfo:
    """America/New_York."""
    with resources.files("tzdata").joinpath("zoneinfo", "America", "New_York").open("rb") as file:
        return ZoneInfo.from_file(file, key="America/New_York")


def eastern_date(instant: datetime) -> date:
    """The date in US Eastern at an instant (with a zone)."""
    return instant.astimezone(load_zone()).date()


def noon_instants(days: Ints) -> Ints:
    """12:00 US Eastern of each day (days since 1970-01-01), in microseconds since then, UTC."""
    distinct, code = np.unique(days, return_inverse=True)
    first = _EPOCH.date().toordinal()
    noons = [find_noon(date.fromordinal(first + int(day))) for day in distinct]
    instants: Ints = np.array(noons, dtype=np.int64)[code]
    return instants


def find_noon(day: date) -> int:
    """12:00 US Eastern of a date, in microseconds since 1970-01-01 UTC."""
    return (datetime.combine(day, time(12), tzinfo=load_zone()) - _EPOCH) // _MICROSECOND
