"""Whole jobs: ours against each baseline, ours at several sizes, ours for one date, and its stages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from benchmarks.contenders import NAIVE, OURS, SQL_FREE, SQL_SAME, Contender, measure, measure_in_turn
from benchmarks.figures import fit_exponent
from benchmarks.leagues import MOST_SEASONS, LeagueFile, Size, copy_warehouse, provide_league
from benchmarks.processes import run_child
from benchmarks.report import Report, compare, describe_league, describe_samples
from benchmarks.verify import compare_warehouses
from transforms.windows import AS_OF_DAYS

IMPORTS = (
    "from pipeline.startup import pause_collector\n"
    "with pause_collector(): import pipeline.commands.app, pipeline.main"
)


def compare_with_sql(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    # beyond one league the SQL runs out of memory within the job's limit
    return [
        _compare(
            "hand-written SQL",
            work,
            n,
            (OURS, SQL_SAME, SQL_FREE) if n <= MOST_SEASONS else (OURS, SQL_FREE),
            repeat,
        )
        for n in seasons
    ]


def compare_with_naive(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    return [_compare("naive Beam", work, n, (OURS, NAIVE), repeat) for n in seasons]


def _compare(title: str, work: Path, seasons: int, contenders: Sequence[Contender], repeat: int) -> Report:
    league = provide_league(work, Size.of(seasons))
    return compare(title, league, measure_in_turn(contenders, league, repeat))


def verify_baselines(work: Path, seasons: Sequence[int], contenders: Sequence[Contender]) -> list[Report]:
    """Whether each baseline gives our rows; raises ``RuntimeError`` when one does not."""
    reports = []
    for total in seasons:
        league = provide_league(work, Size.of(total))
        with copy_warehouse(league.path, work, "ours") as ours:
            run_child(OURS.command(ours, league.first, league.last))
            for contender in contenders:
                with copy_warehouse(league.path, work, contender.name) as theirs:
                    run_child(contender.command(theirs, league.first, league.last))
                    reports.append(_verify(contender.name, league, ours, theirs))
    return reports


def _verify(name: str, league: LeagueFile, ours: Path, theirs: Path) -> Report:
    found = compare_warehouses(str(ours), str(theirs))
    if found.broken:
        raise RuntimeError(f"{name} does not give our rows: {'; '.join(found.broken[:5])}")
    rows = [(f"feature {n}", f"{found.values[n]:,}", f"{found.largest[n]:.1e}") for n in found.values]
    return Report(
        f"{name}, {league.size.total} seasons: {found.rows:,} rows and {found.gaps:,} gaps agree with ours",
        ("values that differ in some bit", "rows", "largest difference"),
        rows or [("none", "", "")],
        {"league": describe_league(league), "differing": found.values, "largest": found.largest},
    )


def measure_sizes(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """Memory and cost over the size of the league, and the exponent of the cost."""
    leagues = [provide_league(work, Size.of(total)) for total in seasons]
    runs = [measure_in_turn([OURS], league, repeat)[OURS.name] for league in leagues]
    described = [describe_samples(samples) for samples in runs]
    rows = [
        (
            str(league.size.total),
            f"{league.rows:,}",
            f"{found['median']['wall']:.1f}",
            f"{found['median']['cpu']:.1f}",
            f"{found['median']['peak_mb']:.0f}",
        )
        for league, found in zip(leagues, described, strict=True)
    ]
    exponents = {}
    if len(leagues) > 1:
        sizes = [league.rows for league in leagues]
        exponents = {
            part: fit_exponent(sizes, [found["median"][part] for found in described])
            for part in ("wall", "cpu")
        }
    title = "backfill by size" + "".join(f", {part} exponent {e:.2f}" for part, e in exponents.items())
    sizes_found = [
        {"league": describe_league(league), **found} for league, found in zip(leagues, described, strict=True)
    ]
    columns = ("seasons", "rows", "wall s", "CPU s", "peak MB")
    return [Report(title, columns, rows, {"sizes": sizes_found, "exponents": exponents})]


def measure_one_date(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """One date in the middle of a long warehouse, whole process."""
    reports = []
    for total in seasons:
        league = provide_league(work, Size.of(total))
        day, held = _find_middle(league)
        samples = [measure(OURS, league, day, day) for _ in range(repeat)]
        read = samples[0].answer["timing_breakdown"]["detail"]["extract"]["rows"]
        found = describe_samples(samples)
        row = (f"{day}", f"{found['median']['wall']:.2f}", f"{read:,}", f"{held:,}", f"{league.rows:,}")
        reports.append(
            Report(
                f"one date of {total} seasons",
                ("date", "wall s", "rows read", "rows of its window", "rows stored"),
                [row],
                {"league": describe_league(league), "read": read, "window": held, **found},
            )
        )
    return reports


def _find_middle(league: LeagueFile) -> tuple[date, int]:
    """The median of the dates with games, and the rows that its read window holds."""
    with duckdb.connect(str(league.path), read_only=True) as connection:
        days = connection.execute(
            "SELECT DISTINCT game_date FROM nba_analytics.player_game_summary ORDER BY game_date"
        ).fetchall()
        day: date = days[len(days) // 2][0]
        held = connection.execute(
            "SELECT count(*) FROM nba_analytics.player_game_summary WHERE game_date BETWEEN ? AND ?",
            [day - timedelta(days=AS_OF_DAYS), day],
        ).fetchall()[0][0]
    return day, held


def divide_stages(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """Where the wall time of a backfill goes; what no stage claims is Beam's own and waiting.

    Stages of several workers run beside each other, so a stage counts with its busy seconds a worker.
    """
    imports = median(run_child([sys.executable, "-c", IMPORTS]).wall for _ in range(repeat))
    reports = []
    for total in seasons:
        league = provide_league(work, Size.of(total))
        samples = [measure(OURS, league) for _ in range(repeat)]
        parts: dict[str, list[float]] = {}
        for sample in samples:
            for name, seconds in _divide_run(sample.wall, imports, sample.answer).items():
                parts.setdefault(name, []).append(seconds)
        wall = median(sample.wall for sample in samples)
        found = {name: median(seconds) for name, seconds in parts.items()}
        rows = [(name, f"{s:.2f}", f"{s / wall:.0%}") for name, s in found.items()]
        reports.append(
            Report(
                f"where the time goes, {total} seasons, {wall:.1f} s",
                ("stage", "wall s", "share"),
                rows,
                {"league": describe_league(league), "wall": wall, "stages": found},
            )
        )
    return reports


def _divide_run(wall: float, imports: float, answer: dict[str, Any]) -> dict[str, float]:
    times, workers = answer["timing_breakdown"], answer["options"]["parallel"]
    detail, commit = times["detail"], times["detail"]["commit"]
    busy = {stage: figures["busy_seconds"] / workers for stage, figures in detail.items()}
    audit = commit["audit_seconds"] + commit["identities_seconds"]
    stages = {
        "start and imports": imports,
        "plan": times["dependency_check_time"],
        "read": busy["extract"],
        "clean and team games": busy["clean"],
        "shuffle": busy["shuffle"],
        "team context": detail["teams"]["wall_seconds"],
        "player kernels": busy["calculate"],
        "stage files": busy["save"],
        "audit": audit,
        "commit": commit["wall_seconds"] - audit,
    }
    stages["Beam's own work, waiting, exit"] = wall - sum(stages.values())
    return stages
