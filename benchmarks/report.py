"""What a benchmark says: one table to read, one object to keep. No path and no host name in either."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.figures import divide_pairs
from benchmarks.leagues import LeagueFile
from benchmarks.processes import Sample

PACKAGES = ("apache-beam", "duckdb", "numpy", "pyarrow", "polars")


@dataclass(frozen=True)
class Report:
    """``columns`` and ``rows`` are printed, ``data`` is written."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    data: dict[str, Any] = field(default_factory=dict)


def show(report: Report) -> None:
    table = Table(title=report.title, title_justify="left")
    for number, column in enumerate(report.columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in report.rows:
        table.add_row(*row)
    Console().print(table)


def write_json(path: Path, reports: Sequence[Report]) -> None:
    found = {"machine": describe_machine(), "results": [{"title": r.title, **r.data} for r in reports]}
    path.write_text(json.dumps(found, indent=2) + "\n")


def describe_machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: _find_version(name) for name in PACKAGES},
    }


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def describe_league(league: LeagueFile) -> dict[str, Any]:
    return {"seasons": league.size.total, "leagues": league.size.leagues, "rows": league.rows}


def describe_samples(samples: Sequence[Sample]) -> dict[str, Any]:
    measured = [{k: v for k, v in asdict(sample).items() if k != "answer"} for sample in samples]
    medians = {name: median(sample[name] for sample in measured) for name in measured[0]}
    return {"samples": measured, "median": medians}


def compare(title: str, league: LeagueFile, samples: Mapping[str, Sequence[Sample]]) -> Report:
    """The first contender against each other one: medians, and the median ratio of the pairs."""
    ours = next(iter(samples))
    described = {name: describe_samples(runs) for name, runs in samples.items()}
    ratios = {
        name: {
            part: divide_pairs([getattr(s, part) for s in samples[ours]], [getattr(s, part) for s in runs])
            for part in ("wall", "cpu")
        }
        for name, runs in samples.items()
        if name != ours
    }
    rows = [
        (
            name,
            f"{found['median']['wall']:.2f}",
            f"{found['median']['cpu']:.2f}",
            f"{found['median']['peak_mb']:.0f}",
            f"{ratios[name]['wall']:.2f}" if name in ratios else "",
            f"{ratios[name]['cpu']:.2f}" if name in ratios else "",
        )
        for name, found in described.items()
    ]
    rounds = len(samples[ours])
    return Report(
        f"{title}: {league.size.total} seasons, {league.rows:,} rows, {rounds} rounds in turn",
        ("", "wall s", "CPU s", "peak MB", f"{ours} / this, wall", "CPU"),
        rows,
        {"league": describe_league(league), "contenders": described, "ratios": ratios},
    )
