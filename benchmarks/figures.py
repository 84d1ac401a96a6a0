"""Medians, ratios of pairs and the cost exponent. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median


def divide_pairs(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours / theirs over pairs that ran one after the other.

    A machine that slows down for a while slows both halves of a pair, so the ratio of a pair is
    steadier than either of its halves.
    """
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def fit_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The least-squares slope of log(cost) over log(size): 1 is linear cost."""
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    if spread == 0:
        raise ValueError(f"expected several sizes, found only {sizes[0]:g}")
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
