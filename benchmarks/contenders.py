"""Who is measured: a name, and the command that does the whole job over a warehouse."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.leagues import PROGRAM, LeagueFile, copy_warehouse
from benchmarks.processes import Sample, run_child
from pipeline.warehouse.duckdb_connection import MEMORY_LIMIT


@dataclass(frozen=True)
class Contender:
    """``command`` takes the warehouse and the first and last target date."""

    name: str
    command: Callable[[Path, date, date], list[str]]


def _backfill(warehouse: Path, first: date, last: date) -> list[str]:
    flags = ["--warehouse", str(warehouse), "--start-date", str(first), "--end-date", str(last), "--json"]
    return [PROGRAM, "backfill", *flags]


def _baseline(name: str, *flags: str) -> Callable[[Path, date, date], list[str]]:
    def command(warehouse: Path, first: date, last: date) -> list[str]:
        module = [sys.executable, "-m", "benchmarks.baselines", name]
        return [*module, str(warehouse), str(first), str(last), *flags]

    return command


OURS = Contender("backfill", _backfill)
SQL_SAME = Contender("sql-same-memory", _baseline("sql", "--memory-limit", MEMORY_LIMIT))
SQL_FREE = Contender("sql-default-memory", _baseline("sql"))
NAIVE = Contender("naive-beam", _baseline("naive", "--memory-limit", MEMORY_LIMIT))


def measure(
    contender: Contender, league: LeagueFile, first: date | None = None, last: date | None = None
) -> Sample:
    """One run over a fresh copy of the league: all its dates, or those given."""
    with copy_warehouse(league.path, league.path.parent, contender.name) as copy:
        return run_child(contender.command(copy, first or league.first, last or league.last))


def measure_in_turn(
    contenders: Sequence[Contender], league: LeagueFile, repeat: int
) -> dict[str, list[Sample]]:
    """``repeat`` rounds, in each of which every contender runs once, in the same order."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for _ in range(repeat):
        for contender in contenders:
            samples[contender.name].append(measure(contender, league))
    return samples
