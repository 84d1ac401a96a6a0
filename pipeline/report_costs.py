"""What the reads of a plan cost, for a person and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.report import format_fields
from pipeline.warehouse.base import ReadCost

TIB = 1024**4


def describe_costs(costs: Sequence[ReadCost], price: float) -> str:
    """The bytes of every read, with and without a lower bound, and what they cost a TiB."""
    lines = [
        (f"{cost.read.table.name}", f"{_size(cost.bytes)}, without a lower bound {_size(cost.unbounded)}")
        for cost in costs
    ]
    total, unbounded = (sum(found) for found in zip(*((c.bytes, c.unbounded) for c in costs), strict=True))
    both = f"{_size(total)} ({_price(total, price)}), without lower bounds {_size(unbounded)}"
    return format_fields("Cost of the reads", [*lines, ("all", f"{both} ({_price(unbounded, price)})")])


def _size(found: int) -> str:
    return f"{found / 1e6:,.1f} MB"


def _price(found: int, price: float) -> str:
    return f"{found / TIB * price:,.4f} USD at {price:g} USD/TiB"


def costs_as_json(costs: Sequence[ReadCost], price: float) -> dict[str, Any]:
    return {
        "reads": [
            {
                "table": cost.read.table.path,
                "start_date": cost.read.dates and cost.read.dates.start,
                "end_date": cost.read.dates and cost.read.dates.last,
                "bytes": cost.bytes,
                "bytes_without_lower_bound": cost.unbounded,
            }
            for cost in costs
        ],
        "price_per_tib": price,
        "price": sum(cost.bytes for cost in costs) / TIB * price,
        "price_without_lower_bound": sum(cost.unbounded for cost in costs) / TIB * price,
    }


def sum_costs(costs: Sequence[ReadCost], price: float) -> list[str]:
    """One line for all of them; none where nothing is billed."""
    total = sum(cost.bytes for cost in costs)
    return [f"{_size(total)}, {_price(total, price)}"] if costs else []
