"""The coverage of some dates: a line a group and a total, and what to run next. Texts only."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Any

import pyarrow as pa

from pipeline.ledger.coverage import Counts, Coverage, check_coverage
from pipeline.report import (
    count,
    escape_cell,
    format_fields,
    list_commands,
    suggest_backfills,
    suggest_command,
)
from pipeline.report_parts import fold_fields
from pipeline.report_run import floor_percent
from pipeline.report_runs import TableText
from pipeline.season import merge_days

UNEXPLAINED = "unexplained"
EXTRA = "extra"
MOST_NAMED = 200
OTHERS_UNEXPLAINED = "neither"
ALARMING = (UNEXPLAINED, EXTRA, OTHERS_UNEXPLAINED)
"""The columns in which only 0 is right."""

IDENTITIES = (
    "player_rows = feature_rows + missing",
    "missing = open_gaps + unexplained",
    "others = other_rows + other_gaps + others_unexplained",
    "feature rows stored = feature_rows + other_rows + extra_rows",
    "open gaps in the ledger = open_gaps + other_gaps + extra_gaps",
)
"""What holds of every line."""


def describe_coverage(coverage: Coverage) -> str:
    """What stands above the table."""
    total = coverage.total
    title = f"Coverage of {coverage.dates} by {coverage.by}"
    told = (
        f"{count(total.player_rows)} = {count(total.feature_rows)} feature rows + "
        f"{count(total.open_gaps)} open gaps + {count(total.unexplained)} unexplained"
    )
    fields = [("player rows", told)]
    if total.others:
        told = (
            f"{count(total.others)} targets without a player row = {count(total.other_rows)} feature rows + "
            f"{count(total.other_gaps)} open gaps + {count(total.others_unexplained)} with neither"
        )
        fields.append(("others", told))
    if total.extra:
        fields.append((EXTRA, f"{count(total.extra_rows)} feature rows, {count(total.extra_gaps)} open gaps"))
    return format_fields(title, fields)


def tabulate_coverage(coverage: Coverage) -> TableText:
    """A line for every group, and the total; the targets without a player row only where there are any."""
    lines = [*coverage.groups.values(), coverage.total]
    columns = {
        coverage.by: [*(escape_cell(name) for name in coverage.groups), "total"],
        "player rows": [count(line.player_rows) for line in lines],
        "feature rows": [count(line.feature_rows) for line in lines],
        "missing": [count(line.missing) for line in lines],
        "open gaps": [count(line.open_gaps) for line in lines],
        UNEXPLAINED: [count(line.unexplained) for line in lines],
        "coverage": [describe_share(line) for line in lines],
    }
    if coverage.total.others:
        columns |= {
            "others": [count(line.others) for line in lines],
            "with row": [count(line.other_rows) for line in lines],
            "with gap": [count(line.other_gaps) for line in lines],
            OTHERS_UNEXPLAINED: [count(line.others_unexplained) for line in lines],
        }
    if coverage.total.extra:
        columns[EXTRA] = [count(line.extra) for line in lines]
    numbers = [name != coverage.by for name in columns]
    return list(columns), list(columns.values()), numbers


def describe_share(line: Counts) -> str:
    return floor_percent(line.feature_rows, line.player_rows) if line.player_rows else "-"


def count_open_gaps(gaps: pa.Table) -> dict[str, dict[str, int]]:
    """Open gaps (``FEATURE_STORE_GAPS``) by reason and player, most first."""
    named = pa.table({name: gaps.column(name).cast(pa.string()) for name in ("skip_reason", "player_lookup")})
    groups = named.group_by(named.column_names, use_threads=False).aggregate([([], "count_all")])
    order = [("count_all", "descending"), ("player_lookup", "ascending")]
    found: dict[str, dict[str, int]] = {}
    for row in groups.sort_by(order).to_pylist():
        found.setdefault(row["skip_reason"], {})[row["player_lookup"]] = row["count_all"]
    return dict(sorted(found.items()))


def name_open_gaps(gaps: pa.Table) -> str:
    """Who the open gaps are, so that a coverage below 100 % names everybody who is missing."""
    fields = []
    for reason, players in count_open_gaps(gaps).items():
        names = [name if n == 1 else f"{name} {n}" for name, n in list(players.items())[:MOST_NAMED]]
        more = len(players) - MOST_NAMED
        names += [f"and {count(more)} more, see `feature-store gaps --list`"] if more > 0 else []
        fields.append((reason, ", ".join(names)))
    return fold_fields("Open gaps by player", fields) if fields else ""


def describe_next(coverage: Coverage, warehouse: str) -> str:
    return "\n".join(list_commands(suggest_next(coverage, warehouse)))


def suggest_next(coverage: Coverage, warehouse: str) -> list[str]:
    """The commands that one would run now: for what is unexplained, for open gaps, for what is extra."""
    total, dates = coverage.total, f"--start-date {coverage.dates.start} --end-date {coverage.dates.last}"
    commands = suggest_backfills(merge_days(coverage.unexplained), warehouse)
    if total.open_gaps or total.other_gaps:
        commands.append(f"{suggest_command('gaps', warehouse)} {dates}")
    if total.extra:
        commands.append(f"{suggest_command('audit', warehouse)} {dates}")
    return commands


def coverage_as_json(
    coverage: Coverage, gaps: pa.Table, least: Fraction | None, warehouse: str
) -> dict[str, Any]:
    failure = check_coverage(coverage.total, least)
    return {
        "start_date": coverage.dates.start,
        "end_date": coverage.dates.last,
        "by": coverage.by,
        "groups": [{coverage.by: name, **_count_line(line)} for name, line in coverage.groups.items()],
        "total": _count_line(coverage.total),
        "open_gaps_by_player": count_open_gaps(gaps),
        "identities": IDENTITIES,
        "reconciled": coverage.total.is_reconciled,
        "fail_under": None if least is None else float(least),
        **({"error": str(failure)} if failure else {}),
        "exit_code": failure.exit_code if failure else 0,
        "next": suggest_next(coverage, warehouse),
    }


def _count_line(line: Counts) -> dict[str, Any]:
    """The numbers of a line; the coverage in per cent, rounded down to a tenth."""
    share = line.feature_rows * 1000 // line.player_rows / 10 if line.player_rows else None
    return {**asdict(line), "missing": line.missing, "extra": line.extra, "coverage": share}
