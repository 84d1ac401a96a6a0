"""The arithmetic that ``explain`` prints, typed again."""

from __future__ import annotations

import math
from typing import Any


def step(x: float, low: float, high: float) -> int:
    size = (abs(x) >= low) + (abs(x) >= high)
    return int(math.copysign(size, x))


WORDS: dict[str, Any] = {
    "__builtins__": {},
    "sqrt": math.sqrt,
    "min": min,
    "step": step,
    "clamp": lambda x, low, high: min(max(x, low), high),
}


def calculate(expression: str) -> float:
    """What the printed arithmetic gives when it is typed again."""
    return float(eval(expression.replace("^", "**"), dict(WORDS)))  # noqa: S307
