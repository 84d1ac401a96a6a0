"""What the reads of a plan cost, where a warehouse bills by the byte."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.plan import Plan
from pipeline.season import DateRange
from pipeline.warehouse.base import Read, ReadCost
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import PLAYER_ALIASES, REGISTRY, SCHEDULE
from transforms.sides import DATED_TABLES


def list_reads(plan: Plan) -> list[Read]:
    """What the workers of a plan read: the windows, the side tables, and the keys that have rows."""

    def read(table: Table, dates: DateRange | None) -> list[Read]:
        columns = plan.columns.get(table.path)
        return [] if columns is None else [Read(table, columns, dates)]

    reads = [part for window in plan.windows for part in read(PLAYER_GAME_SUMMARY, window)]
    for table in DATED_TABLES:
        reads += read(table, plan.dates)
    reads += [*read(SCHEDULE, plan.schedule), *read(REGISTRY, None), *read(PLAYER_ALIASES, None)]
    return [*reads, Read(FEATURE_STORE, FEATURE_STORE.key, plan.dates)]


def refuse_costly(plan: Plan, costs: Sequence[ReadCost], max_bytes: int | None) -> None:
    """Raises ``UsageError`` when the plan's reads take more bytes than permitted."""
    planned = sum(cost.bytes for cost in costs) or plan.bytes
    if max_bytes is not None and planned > max_bytes:
        raise UsageError(
            f"the plan reads {planned:,} bytes, more than --max-bytes {max_bytes:,} permits; nothing was "
            "read. Run fewer dates at a time, or permit more"
        )
