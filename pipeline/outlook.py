"""What a run would do, before it is asked to: its plan, what it would delete, and what its reads cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipeline.costs import list_reads, refuse_costly
from pipeline.options import BackfillConfig
from pipeline.preflight import Preflight, check_dependencies, plan_deletions
from pipeline.report_costs import describe_costs
from pipeline.report_run import describe_absent, describe_deletions, describe_plan, plan_as_json
from pipeline.warehouse.base import Loss, ReadCost
from pipeline.warehouse.opening import open_warehouse


@dataclass(frozen=True)
class Outlook:
    """A plan and what follows from it."""

    preflight: Preflight
    deletions: Sequence[Loss]
    costs: Sequence[ReadCost]

    def describe(self, price: float, more: Sequence[tuple[str, str]] = ()) -> list[str]:
        """The parts of the report; ``more`` fields of the plan, ``price`` of a TiB."""
        preflight = self.preflight
        costs = ["\n" + describe_costs(self.costs, price) + "\n"] if self.costs else []
        plan = describe_plan(preflight, [*describe_absent(preflight.absent), *more])
        return [plan, *costs, describe_deletions(self.deletions)]

    def as_json(self, price: float) -> dict[str, Any]:
        return plan_as_json(self.preflight, self.deletions, self.costs, price)


def look_ahead(config: BackfillConfig, requested: pa.Table | None, workers: int, run_at: datetime) -> Outlook:
    """The outlook of a run. Raises what the run itself would, ``UsageError`` for one that costs too much."""
    warehouse = open_warehouse(config.warehouse, config.lock_timeout)
    with warehouse.share_reader():
        preflight = check_dependencies(
            warehouse,
            config.make_targets(run_at),
            requested=requested,
            workers=workers,
            skip_checks=config.skip_preflight,
        )
        deletions = plan_deletions(warehouse, preflight.plan)
        costs = warehouse.estimate(list_reads(preflight.plan))
    refuse_costly(preflight.plan, costs, config.max_bytes)
    return Outlook(preflight, deletions, costs)
