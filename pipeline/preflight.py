"""The dependency check: are the tables there, do they fit, do they cover the window.

Looks only at columns and at counts by date, so it takes seconds on any history. What it finds
wrong is raised with every problem at once; what is worth knowing becomes notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pipeline.errors import WrongShape
from pipeline.naming import WHAT_NAMES, name_keys
from pipeline.plan import Plan, count_days, make_plan
from pipeline.season import DateRange
from pipeline.shapes import find_output_problems, find_shape_problems
from pipeline.warehouse.base import Loss, Warehouse
from transforms.contracts import TargetSpec
from transforms.schema import OUTPUTS, PLAYER_GAME_SUMMARY, STAGED_TARGETS, Table
from transforms.side_tables import INPUTS, SIDE_TABLES, UPCOMING


@dataclass(frozen=True)
class Preflight:
    """The plan, what a person should know before it runs, and the side tables that do not exist."""

    plan: Plan
    notes: tuple[str, ...]
    absent: tuple[Table, ...]


def check_dependencies(
    warehouse: Warehouse,
    spec: TargetSpec,
    *,
    requested: pa.Table | None = None,
    workers: int = 1,
    skip_checks: bool = False,
) -> Preflight:
    """The plan of a run, after checking what it depends on; ``requested`` as in :class:`~.plan.Plan`.

    Raises ``WrongShape`` naming every missing table, column and unfit type. ``skip_checks``
    leaves out the type checks and the coverage notes; the columns must be looked up anyway.
    """
    found = {table: warehouse.describe(table) for table in INPUTS}
    present = {table: schema for table, schema in found.items() if schema is not None}
    problems = find_shape_problems(PLAYER_GAME_SUMMARY, found[PLAYER_GAME_SUMMARY])
    for table in SIDE_TABLES:
        problems += find_shape_problems(table, present[table]) if table in present else []
    if not skip_checks:
        for table in OUTPUTS:
            problems += find_output_problems(table, warehouse.describe(table))
    if PLAYER_GAME_SUMMARY not in present or (problems and not skip_checks):
        raise WrongShape(
            "the dependency check failed:\n"
            + "\n".join(f"  {problem}" for problem in problems)
            + "\nLoad box scores with `feature-store import FILE...`, or mend the table."
        )
    columns = {
        table.path: tuple(name for name in table.schema.names if name in schema.names)
        for table, schema in present.items()
    }
    dates = DateRange(spec.start, spec.end)
    counts = warehouse.count_by_date(PLAYER_GAME_SUMMARY, dates.with_history())
    upcoming = warehouse.count_by_date(UPCOMING, dates)
    row_bytes = measure_row(warehouse, columns, counts)
    plan = make_plan(spec, columns, counts, row_bytes, workers, upcoming, requested)
    notes = () if skip_checks else tuple(describe_coverage(warehouse, plan))
    return Preflight(plan, notes, tuple(table for table in SIDE_TABLES if table not in present))


def measure_row(
    warehouse: Warehouse, columns: Mapping[str, tuple[str, ...]], counts: list[tuple[date, int]]
) -> float:
    """Bytes a row takes when it is read, measured on the window's last date."""
    if not counts:
        return 0.0
    sample = DateRange.inclusive(counts[-1][0], counts[-1][0])
    table = warehouse.open_reader(columns).read_history(sample.start, sample.end)
    return float(table.nbytes / max(1, table.num_rows))


def describe_coverage(warehouse: Warehouse, plan: Plan) -> list[str]:
    """What the window lacks, one sentence each."""
    notes = []
    bounds = warehouse.find_date_bounds(PLAYER_GAME_SUMMARY)
    if bounds is None:
        return [f"{PLAYER_GAME_SUMMARY.path} is empty"]
    if plan.target_rows == 0:
        others = f", but {plan.upcoming_rows} upcoming rows" if plan.upcoming_rows else ""
        notes.append(f"no player rows from {plan.dates}{others}; the table covers {bounds[0]} to {bounds[1]}")
    elif bounds[0] > plan.window.start:
        notes.append(
            f"history begins on {bounds[0]}, the window on {plan.window.start}: early targets see fewer games"
        )
    for table in INPUTS:
        columns = plan.columns.get(table.path, table.schema.names)
        lacking = [name for name in table.schema.names if name not in columns]
        if lacking:
            notes.append(f"{table.path} has no {', '.join(lacking)}: what is built on them is NULL")
    return notes


def plan_deletions(warehouse: Warehouse, plan: Plan) -> list[Loss]:
    """The dates that would lose rows because nothing names their keys any more.

    A key that will be skipped instead loses its row too; only the run itself can tell those.
    """
    losses: list[Loss] = []
    for keys in name_keys(warehouse, plan, WHAT_NAMES):
        lost = keys.stored
        for named in (keys.targets, keys.passed):
            lost = lost.join(named.select(STAGED_TARGETS.names), STAGED_TARGETS.names, join_type="left anti")
        kept, found, gone = (count_days(table) for table in (keys.stored, keys.targets, lost))
        losses += [(day, kept[day], found.get(day, 0), gone[day]) for day in sorted(gone)]
    return losses
