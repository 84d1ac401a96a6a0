"""Generated warehouses to measure on, made once and kept; every run starts from a fresh copy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.processes import run_child

FIRST_SEASON = 2000
MOST_SEASONS = 24
PROGRAM = str(Path(sys.executable).with_name("feature-store"))


@dataclass(frozen=True)
class Size:
    """A size in seasons: up to 24 of one league, or several leagues of 24 side by side."""

    seasons: int
    leagues: int = 1

    @classmethod
    def of(cls, total: int) -> Size:
        if 1 <= total <= MOST_SEASONS:
            return cls(total)
        if total > 0 and total % MOST_SEASONS == 0:
            return cls(MOST_SEASONS, total // MOST_SEASONS)
        raise ValueError(
            f"expected 1 to {MOST_SEASONS} seasons or a multiple of {MOST_SEASONS}, found {total}"
        )

    @property
    def total(self) -> int:
        return self.seasons * self.leagues


@dataclass(frozen=True)
class LeagueFile:
    """A warehouse without results: the dates of its box scores, and their number."""

    path: Path
    size: Size
    first: date
    last: date
    rows: int


def provide_league(work: Path, size: Size) -> LeagueFile:
    """The box scores of this size in the work directory, generated where they are not there yet."""
    return _provide(work, f"box-scores-s{size.seasons}x{size.leagues}", size, ["--box-scores-only"])


def provide_league_with_sides(work: Path, size: Size, end: date | None = None) -> LeagueFile:
    """The same league with all side tables; where ``end`` is given, later games are still to come."""
    name = f"side-tables-s{size.seasons}x{size.leagues}" + (f"-{end}" if end else "")
    return _provide(work, name, size, ["--end-date", str(end)] if end else [])


def _provide(work: Path, name: str, size: Size, more: list[str]) -> LeagueFile:
    path = work / f"{name}.duckdb"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.duckdb")
        partial.unlink(missing_ok=True)
        flags = [*more, "--first-season", str(FIRST_SEASON), "--seasons", str(size.seasons)]
        flags += ["--leagues", str(size.leagues)] if size.leagues > 1 else []
        run_child([PROGRAM, "demo", "--warehouse", str(partial), *flags])
        os.replace(partial, path)
    with duckdb.connect(str(path), read_only=True) as connection:
        first, last, rows = connection.execute(
            "SELECT min(game_date), max(game_date), count(*) FROM nba_analytics.player_game_summary"
        ).fetchall()[0]
    return LeagueFile(path, size, first, last, rows)


@contextmanager
def copy_warehouse(source: Path, work: Path, name: str) -> Iterator[Path]:
    """A fresh copy for one run, removed at the end with whatever the run left beside it."""
    copy = work / f"run-{name}.duckdb"
    _remove(copy)
    shutil.copyfile(source, copy)
    try:
        yield copy
    finally:
        _remove(copy)


def _remove(path: Path) -> None:
    for leftover in (path, path.with_name(f"{path.name}.wal")):
        leftover.unlink(missing_ok=True)
    for directory in (f"{path.name}.staging", f"{path.name}.tmp"):
        shutil.rmtree(path.with_name(directory), ignore_errors=True)
