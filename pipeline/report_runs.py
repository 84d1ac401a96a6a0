"""The run history, for a person: a line a run, and one run in detail."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.report import count, escape_cell, format_fields
from pipeline.report_run import describe_counts, describe_times
from pipeline.season import DateRange
from pipeline.warehouse.base import RunRow
from transforms.contracts import STAGES

TableText = tuple[list[str], list[list[str]], list[bool]]
"""Names, columns of texts, and which of them are numbers: what ``console.emit_table`` takes."""

SHOWN_ERROR = 100


def tabulate_runs(runs: Sequence[RunRow]) -> TableText:
    """A line for every run; the errors only where there are any."""
    columns = {
        "run": [row["run_id"] for row in runs],
        "status": [row["status"] for row in runs],
        "mode": [row["mode"] for row in runs],
        "dates": [str(_dates(row)) for row in runs],
        "rows": [count(row["records_created"] + row["records_updated"]) for row in runs],
        "gaps": [count(row["gaps_open"]) for row in runs],
        "took": [f"{row['duration_seconds']:.1f} s" for row in runs],
    }
    errors = [escape_cell((row["error"] or "").partition("\n")[0][:SHOWN_ERROR]) for row in runs]
    if any(errors):
        columns["error"] = errors
    numbers = {"rows", "gaps", "took"}
    return list(columns), [list(texts) for texts in columns.values()], [name in numbers for name in columns]


def _dates(row: RunRow) -> DateRange:
    return DateRange.inclusive(row["start_date"], row["end_date"])


def describe_one_run(row: RunRow) -> str:
    """Everything that is on record about a run, but for its stages."""
    error = row["error"] or ""
    return format_fields(
        f"Run {row['run_id']}, {row['status']}",
        [
            ("mode", f"{row['mode']} on {row['runner']}, features {row['feature_version']}"),
            ("dates", str(_dates(row))),
            ("started", f"{row['started_at']:%Y-%m-%d %H:%M:%S} UTC"),
            *describe_counts(row),
            ("time", describe_times(row)),
            ("options", ", ".join(f"{k} {escape_cell(json.dumps(v))}" for k, v in row["options"].items())),
            *(("error", escape_cell(line)) for line in error.splitlines()),
        ],
    )


def list_stages(row: RunRow) -> TableText | None:
    """The stages of a run: seconds in which some worker was at it, the sum over workers, rows."""
    detail = row["timing_breakdown"].get("detail", {})
    if not detail:
        return None
    lines = [_describe_stage(stage, detail[stage]) for stage in STAGES if stage in detail]
    lines += [
        [f"  {name.removesuffix('_seconds')}", f"{seconds:.2f}", "", "", ""]
        for name, seconds in detail.get("commit", {}).items()
        if name.endswith("_seconds") and name not in ("wall_seconds", "busy_seconds")
    ]
    names = ["stage", "seconds", "busy", "rows", "rows/s"]
    return names, [list(texts) for texts in zip(*lines, strict=True)], [False, True, True, True, True]


def _describe_stage(stage: str, figures: dict[str, float]) -> list[str]:
    wall, busy = figures.get("wall_seconds", 0.0), figures.get("busy_seconds", 0.0)
    rows = figures.get("rows", figures.get("rows_in"))
    if rows is None:
        rows = sum(number for name, number in figures.items() if name.endswith("_rows"))
    speed = count(round(rows / busy)) if rows and busy else ""
    return [stage, f"{wall:.2f}", f"{busy:.2f}", count(int(rows)) if rows else "", speed]
