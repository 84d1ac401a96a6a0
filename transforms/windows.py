"""Point-in-time windows: which earlier games a target sees, and exact sums over them.

A window is a half-open range ``[low, high)`` of positions in an array of games sorted by
(group, date). Every function takes and returns whole arrays. The bound that keeps the game date
and everything later out of every feature is :func:`window_bounds`, and it is the only one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Floats, Ints

AS_OF_DAYS = 365
"""How far back a window may look, in days before the target."""

_DAY_BITS = 32
_DAY_ZERO = 2**31


class Window(NamedTuple):
    """Positions ``[low, high)`` of the games that each target sees; int64[targets] each."""

    low: Ints
    high: Ints

    @property
    def size(self) -> Ints:
        return self.high - self.low

    def last(self, count: int) -> Window:
        """The newest ``count`` games of each window, or all of them when there are fewer."""
        return Window(np.maximum(self.low, self.high - count), self.high)


def order_key(group: npt.NDArray[Any], days: Ints) -> Ints:
    """One integer that sorts by group (0 <= group < 2**31), then by day."""
    return (group.astype(np.int64) << _DAY_BITS) + (days + _DAY_ZERO)


def read_day(keys: Ints) -> Ints:
    """The day of each :func:`order_key`."""
    day: Ints = (keys & (2**_DAY_BITS - 1)) - _DAY_ZERO
    return day


def window_bounds(keys: Ints, group: npt.NDArray[Any], days: Ints, back: int) -> Window:
    """The games of ``group`` with ``day - back <= game day < day``.

    ``keys`` are the sorted :func:`order_key` values of the games, ``group`` and ``days`` the
    targets'. The upper bound is exclusive: a game on the target's own day is never seen.
    """
    low = np.searchsorted(keys, order_key(group, days - back), side="left")
    high = np.searchsorted(keys, order_key(group, days), side="left")
    return Window(low, high)


def running_sum(values: npt.NDArray[Any]) -> Ints:
    """``out[i]`` = sum of ``values[:i]``, int64[n + 1]: a window sum is one difference."""
    out = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=out[1:])
    return out


def sum_over(running: Ints, window: Window) -> Ints:
    """The sum of each window, exact, from :func:`running_sum`."""
    return running[window.high] - running[window.low]


def mean_over(values: Floats, window: Window, longest: int) -> Floats:
    """The mean of each window's known values, NaN when none is known.

    ``values`` are binary64, NaN where unknown; they are summed from oldest to newest, so that
    the same games give the same bits. No window may be longer than ``longest``.
    """
    total = np.zeros(len(window.low))
    count = np.zeros(len(window.low), dtype=np.int64)
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    if len(values):
        for step in range(longest):
            position = window.low + step
            inside = position < window.high
            position = np.minimum(position, len(values) - 1)
            total += np.where(inside, filled[position], 0.0)
            count += inside & known[position]
    out = np.full(len(total), np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out


@dataclass(frozen=True)
class OrderedWindow:
    """A window over rows in an order of their own; ``order`` are positions in those rows."""

    order: Ints
    window: Window

    def sum(self, values: npt.NDArray[Any]) -> Ints:
        """The sum of each window, exact; ``values`` are integers or flags, one a row."""
        return sum_over(running_sum(values[self.order]), self.window)

    def positions(self, target: int) -> Ints:
        """Which rows one target's window holds, in order."""
        low, high = self.window.low[target], self.window.high[target]
        return self.order[low:high]


def gather(window: Window) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Every position of every window, one after the other, and the offsets of the windows."""
    offsets = np.zeros(len(window.low) + 1, dtype=np.int64)
    np.cumsum(window.size, out=offsets[1:])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], window.size)
    return np.repeat(window.low, window.size) + within, offsets.astype(np.int32)


def find_rows(sorted_keys: Ints, wanted: Ints) -> tuple[Ints, Bools]:
    """The position of each wanted key in sorted keys, and whether it is there."""
    position = np.searchsorted(sorted_keys, wanted)
    inside = position < len(sorted_keys)
    position = np.where(inside, position, 0)
    found = inside & (sorted_keys[position] == wanted) if len(sorted_keys) else inside
    return position, found
