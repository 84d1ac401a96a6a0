"""A run, before and after: the plan, what became of it, and what to do next. Texts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.options import DAILY
from pipeline.plan import Plan
from pipeline.preflight import Preflight
from pipeline.report import (
    count,
    escape_cell,
    escape_controls,
    format_fields,
    list_commands,
    suggest_command,
)
from pipeline.report_costs import costs_as_json
from pipeline.season import DateRange
from pipeline.warehouse.base import Loss, ReadCost, RunRow
from transforms.gaps import BOOTSTRAP, REASONS
from transforms.schema import Table
from transforms.side_tables import INJURY_REPORT, POINTS_LINES
from transforms.vector import FEATURES, INJURY, LINES

SOURCE_TABLES = {INJURY: INJURY_REPORT, LINES: POINTS_LINES}
"""The side tables without which all features of a source are missing."""

MOST_DATES = 20

ODD_ROWS = {
    "box scores": {
        "rows_dropped": "exhibition",
        "rows_duplicate": "duplicate",
        "rows_invalid": "invalid",
        "rows_rejected": "without a player",
        "numbers_not_finite": "not finite",
        "keys_shared": "of several people",
    },
    "upcoming": {
        "upcoming_postponed": "postponed",
        "upcoming_exhibitions": "exhibition",
        "upcoming_duplicates": "duplicate",
        "upcoming_rejected": "without a player",
    },
    "schedule": {
        "schedule_rejected": "without a game id",
        "schedule_tipoffs_off_date": "with a tip-off on another date",
    },
    "registry": {"registry_duplicates": "duplicate", "registry_rejected": "without a player"},
    "aliases": {
        "aliases_circular": "in a circle",
        "aliases_ambiguous": "with several canonical lookups",
        "aliases_rejected": "incomplete",
    },
    "injuries": {
        "reports_unknown_status": "of unknown status",
        "reports_rejected": "without player or time",
    },
    "lines": {"lines_not_positive": "not positive", "lines_rejected": "without player or time"},
}
"""What a run passes over or wonders at, by input: the count of a stage, and its words."""


def describe_plan(preflight: Preflight, more: Sequence[tuple[str, str]] = ()) -> str:
    """What a run will do, and ``more`` fields."""
    plan = preflight.plan
    return format_fields(
        "Plan",
        [
            ("targets", f"{_count_targets(plan)} on {count(len(plan.game_days))} dates"),
            ("target dates", str(plan.dates)),
            ("read window", ", ".join(map(str, plan.windows)) + ", both bounds in every read"),
            ("to read", f"{count(plan.rows)} rows, about {plan.bytes / 1e6:,.1f} MB"),
            ("cut into", f"{len(plan.chunks)} chunk(s) of dates, {plan.buckets} bucket(s) of players"),
            *(("note", escape_controls(note)) for note in preflight.notes),
            *more,
        ],
    )


def _count_targets(plan: Plan) -> str:
    if plan.requested is not None:
        return f"{count(plan.requested.num_rows)} open gaps"
    upcoming = f" and {count(plan.upcoming_rows)} upcoming rows" if plan.upcoming_rows else ""
    return f"{count(plan.target_rows)} player rows{upcoming}"


def describe_absent(absent: Sequence[Table]) -> list[tuple[str, str]]:
    """The side tables that do not exist, and the features that are missing for it."""
    if not absent:
        return []
    gone = [source for source, table in SOURCE_TABLES.items() if table in absent]
    features = ", ".join(feature.name for feature in FEATURES if feature.source in gone)
    fields = [("absent", ", ".join(table.name for table in absent))]
    return [*fields, *([("", f"so {features} are missing")] if features else [])]


def plan_as_json(
    preflight: Preflight, deletions: Sequence[Loss], costs: Sequence[ReadCost], price: float
) -> dict[str, Any]:
    plan = preflight.plan
    return {
        "dry_run": True,
        "start_date": plan.dates.start,
        "end_date": plan.dates.last,
        "dates": len(plan.game_days),
        "targets": plan.target_rows,
        "upcoming": plan.upcoming_rows,
        "absent": [table.path for table in preflight.absent],
        "notes": list(preflight.notes),
        "window_start": plan.window.start,
        "window_end": plan.window.last,
        "chunks": [list(chunk) for chunk in plan.chunks],
        "buckets": plan.buckets,
        "rows": plan.rows,
        "bytes": plan.bytes,
        **(costs_as_json(costs, price) if costs else {}),
        "deletions": [
            {"date": day, "stored": stored, "found": found, "deleted": gone}
            for day, stored, found, gone in deletions
        ],
        "exit_code": 0,
    }


def describe_deletions(deletions: Sequence[Loss]) -> str:
    gone = sum(loss[3] for loss in deletions)
    if not gone:
        return "  would delete  no stored row loses its player row"
    lines = [f"  would delete  {count(gone)} stored rows whose player rows are gone"]
    lines += [
        f"    {day}  stored {stored}, found {found}, delete {lost}"
        for day, stored, found, lost in deletions[:MOST_DATES]
    ]
    return "\n".join(lines)


def gaps_by_reason(row: RunRow) -> dict[str, int]:
    """Open gaps of the run's keys by reason, most first."""
    calculate = row["timing_breakdown"]["detail"].get("calculate", {})
    found = {reason: calculate.get(f"gaps_{reason}", 0) for reason in REASONS}
    return {r: n for r, n in sorted(found.items(), key=lambda item: -item[1]) if n}


def summarize_run(row: RunRow, preflight: Preflight | None, warehouse: str) -> dict[str, Any]:
    """The machine-readable summary of a committed run, as :func:`describe_run` tells it."""
    clean = row["timing_breakdown"]["detail"].get("clean", {})
    return {
        **row,
        "gaps_by_reason": gaps_by_reason(row),
        "dates": None if preflight is None else len(preflight.plan.game_days),
        "rejected": clean.get("targets_rejected", 0),
        "duplicates": clean.get("rows_duplicate", 0),
        "passed_over": list_odd_rows(row),
        "absent": [] if preflight is None else [table.path for table in preflight.absent],
        "notes": [*(preflight.notes if preflight else ()), *list_notes(row)],
        "exit_code": 0,
        "next": suggest_next(row, warehouse),
    }


def suggest_next(row: RunRow, warehouse: str) -> list[str]:
    """The commands that one would run now, ready for a shell."""
    commands = []
    dates = f"--start-date {row['start_date']} --end-date {row['end_date']}"
    if gaps_by_reason(row).get(BOOTSTRAP) and row["options"].get("bootstrap_days"):
        commands.append(f"{suggest_command('fill-gaps', warehouse)} {dates} --bootstrap-days 0")
    if row["gaps_open"]:
        commands.append(f"{suggest_command('gaps', warehouse)} {dates}")
    elif row["records_expected"]:
        commands.append(suggest_command("runs", warehouse))
    return commands


def describe_counts(row: RunRow) -> list[tuple[str, str]]:
    """What became of a run's targets, as fields."""
    expected = row["records_expected"]
    kept = row["records_created"] + row["records_updated"] + row["records_unchanged"]
    share = f" ({floor_percent(kept, expected)} have a row)" if expected else ""
    reasons = ", ".join(f"{name} {count(n)}" for name, n in gaps_by_reason(row).items())
    return [
        ("targets", f"{count(expected)} = {count(kept)} rows + {count(row['gaps_open'])} gaps{share}"),
        (
            "rows",
            f"{count(row['records_created'])} created, {count(row['records_updated'])} updated, "
            f"{count(row['records_unchanged'])} unchanged, {count(row['records_deleted'])} deleted",
        ),
        (
            "gaps",
            f"{count(row['gaps_opened'])} opened, {count(row['gaps_resolved'])} resolved, "
            f"{count(row['gaps_open'])} open" + (f": {reasons}" if reasons else ""),
        ),
    ]


def floor_percent(part: int, whole: int) -> str:
    """The share in per cent, never rounded up: 100 % is all of them."""
    return f"{part * 1000 // whole / 10:g} %"


def list_odd_rows(row: RunRow) -> dict[str, dict[str, int]]:
    """How many rows of each input a run passed over or wondered at, by what was odd."""
    detail = row["timing_breakdown"]["detail"]
    counts = {**detail.get("references", {}), **detail.get("clean", {})}
    found = {
        name: {words: counts[key] for key, words in kinds.items() if counts.get(key)}
        for name, kinds in ODD_ROWS.items()
    }
    return {name: odd for name, odd in found.items() if odd}


def list_notes(row: RunRow) -> list[str]:
    """What the stages of a run want a person to look at."""
    stages = row["timing_breakdown"]["detail"].values()
    return [note for stage in stages for note in stage.get("notes", [])]


def describe_run(row: RunRow, preflight: Preflight | None, warehouse: str) -> str:
    """The summary of a committed run; without a ``preflight``, what the history alone tells."""
    clean: Mapping[str, int] = row["timing_breakdown"]["detail"].get("clean", {})
    dates = DateRange.inclusive(row["start_date"], row["end_date"])
    days = None if preflight is None else preflight.plan.game_days
    told = str(dates) if days is None else f"{count(len(days))} with games, {dates}"
    fields = [("dates", told), *describe_counts(row)]
    named = {"upcoming": clean.get("targets_announced", 0), "injured": clean.get("targets_injured", 0)}
    if any(named.values()):
        kinds_of = ", ".join(f"{count(n)} {name}" for name, n in named.items() if n)
        fields.append(("", f"of them without a player row: {kinds_of}"))
    odd = [
        f"{name}: {', '.join(f'{count(n)} {words}' for words, n in kinds.items())}"
        for name, kinds in list_odd_rows(row).items()
    ]
    fields += [("passed over" if number == 0 else "", text) for number, text in enumerate(odd)]
    if clean.get("rows_renamed"):
        fields.append(("renamed", f"{count(clean['rows_renamed'])} player rows counted under another lookup"))
    fields += [] if preflight is None else describe_absent(preflight.absent)
    fields += [("note", escape_cell(note)) for note in list_notes(row)]
    fields.append(("time", describe_times(row)))
    title = f"Run {row['run_id']} is committed and reconciled"
    if not row["records_expected"]:
        title += ": there were no games in these dates"
    elif row["mode"] == DAILY and days is not None and row["end_date"] not in days:
        title += f": no games on {row['end_date']}"
    text = format_fields(title, fields)
    return "\n".join([text, *list_commands(suggest_next(row, warehouse))])


def describe_times(row: RunRow) -> str:
    times = row["timing_breakdown"]
    names = {
        "check": "dependency_check_time",
        "extract": "extract_time",
        "calculate": "calculate_time",
        "save": "save_time",
    }
    parts = ", ".join(f"{label} {times[name]:.2f}" for label, name in names.items())
    return f"{times['total_runtime']:.2f} s ({parts})"
