"""The daily run on a long warehouse, and what the side tables cost a backfill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.contenders import OURS, measure
from benchmarks.leagues import (
    FIRST_SEASON,
    PROGRAM,
    LeagueFile,
    Size,
    copy_warehouse,
    provide_league,
    provide_league_with_sides,
)
from benchmarks.processes import Sample, run_child
from benchmarks.report import Report, compare, describe_league, describe_samples
from transforms.windows import AS_OF_DAYS

LOOKBACK_DAYS = 3


def measure_daily(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """Whole processes over a warehouse that is backfilled: the last date, the day after, that day again."""
    reports = []
    for total in seasons:
        league = provide_league_with_sides(work, Size.of(total), end=_pick_end(total))
        backfilled = _provide_backfilled(work, league)
        days = {
            "last date": league.last,
            "day after": league.last + timedelta(days=1),
            "that day again": league.last + timedelta(days=1),
        }
        samples: dict[str, list[Sample]] = {name: [] for name in days}
        for _ in range(repeat):
            with copy_warehouse(backfilled, work, "daily") as copy:
                for name, day in days.items():
                    flags = ["--warehouse", str(copy), "--date", str(day), "--json"]
                    samples[name].append(run_child([PROGRAM, "daily", *flags]))
        found = {name: describe_samples(runs) for name, runs in samples.items()}
        rows = [
            (
                f"{days[name]}, {name}",
                f"{found[name]['median']['wall']:.2f}",
                f"{found[name]['median']['cpu']:.2f}",
                f"{found[name]['median']['peak_mb']:.0f}",
                f"{_count_read(runs[0]):,}",
                f"{_count_window(league, days[name]):,}",
                f"{runs[0].answer['records_expected']:,}",
            )
            for name, runs in samples.items()
        ]
        reports.append(
            Report(
                f"daily on {total} seasons, {league.rows:,} box scores",
                ("date", "wall s", "CPU s", "peak MB", "rows read", "rows of its window", "targets"),
                rows,
                {"league": describe_league(league), "runs": found},
            )
        )
    return reports


def compare_sides(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """The same league with all side tables and with box scores alone, in turn."""
    reports = []
    for total in seasons:
        plain, full = provide_league(work, Size.of(total)), provide_league_with_sides(work, Size.of(total))
        contenders = (replace(OURS, name="with-side-tables"), replace(OURS, name="box-scores-alone"))
        samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
        for _ in range(repeat):
            for contender, league in zip(contenders, (full, plain), strict=True):
                samples[contender.name].append(measure(contender, league))
        reports.append(compare("box scores alone", full, samples))
    return reports


def _pick_end(total: int) -> date:
    """The middle of the last season."""
    return date(FIRST_SEASON + Size.of(total).seasons, 3, 1)


def _provide_backfilled(work: Path, league: LeagueFile) -> Path:
    path = league.path.with_name(f"backfilled-{league.path.name}")
    if not path.exists():
        with copy_warehouse(league.path, work, "backfilled") as copy:
            run_child(OURS.command(copy, league.first, league.last))
            copy.rename(path)
    return path


def _count_read(sample: Sample) -> int:
    return int(sample.answer["timing_breakdown"]["detail"]["extract"]["rows"])


def _count_window(league: LeagueFile, day: date) -> int:
    """The box scores of the read window of a daily run."""
    first = day - timedelta(days=LOOKBACK_DAYS + AS_OF_DAYS)
    with duckdb.connect(str(league.path), read_only=True) as connection:
        query = "SELECT count(*) FROM nba_analytics.player_game_summary WHERE game_date BETWEEN ? AND ?"
        return int(connection.execute(query, [first, day]).fetchall()[0][0])
