"""The kernels alone, in one process and without IO: ours against Polars over the same clean rows.

Both start from the rows that ``transforms.cleaning`` left, in memory. Ours ends with whole rows and
gaps, which is more than the baseline gives: it has no gaps, no quality columns and no digest.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.figures import divide_pairs
from benchmarks.leagues import Size, provide_league
from benchmarks.processes import run_child
from benchmarks.report import Report, describe_league
from benchmarks.verify import TOLERANCE
from pipeline.options import count_cores
from pipeline.plan import BUCKET_ROWS, share_out
from transforms.cleaning import CleanRows, clean_rows
from transforms.compute import compute_bucket
from transforms.contracts import TargetSpec
from transforms.history import join_team_parts, split_clean
from transforms.kernels.team_figures import TeamFigures
from transforms.references import NO_REFERENCES
from transforms.schema import PLAYER_GAME_SUMMARY, STAGED_TARGETS
from transforms.sides import NO_SIDES
from transforms.vector import FEATURES

THREADS = {"all threads": ([], count_cores()), "one thread": (["env", "POLARS_MAX_THREADS=1"], 1)}
"""What sets Polars' threads, and how many ours get."""


def compare_kernels(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """Seconds of both, on the default threads of either and on one."""
    reports = []
    for total in seasons:
        league = provide_league(work, Size.of(total))
        rows, data = [], {}
        for name, (prefix, threads) in THREADS.items():
            module = [sys.executable, "-m", "benchmarks.kernels", str(league.path), str(repeat), str(threads)]
            found = run_child([*prefix, *module]).answer
            (wall, cpu), (their_wall, their_cpu) = (
                zip(*found[who], strict=True) for who in ("ours", "polars")
            )
            ratios = {"wall": divide_pairs(wall, their_wall), "cpu": divide_pairs(cpu, their_cpu)}
            data[name] = {**found, "ratios": ratios}
            figures = [median(part) for part in (wall, cpu, their_wall, their_cpu)] + list(ratios.values())
            rows.append((name, *(f"{figure:.2f}" for figure in figures), f"{found['largest']:.1e}"))
        title = f"kernels, {total} seasons, {league.rows:,} rows, {repeat} rounds in turn"
        columns = (
            *("on", "ours wall s", "CPU s", "Polars wall s", "CPU s"),
            *("ours / Polars, wall", "CPU", "largest difference"),
        )
        reports.append(Report(title, columns, rows, {"league": describe_league(league), **data}))
    return reports


def compute_ours(clean: CleanRows, spec: TargetSpec, buckets: int, threads: int) -> pa.Table:
    """Feature rows from clean rows: what the stages of the job do, as plain calls, buckets in threads."""
    chunk = split_clean(clean, NO_SIDES, NO_REFERENCES, STAGED_TARGETS.empty_table(), spec, buckets)
    figures = TeamFigures(join_team_parts(chunk.team_parts.items()))

    def compute(part: tuple[int, pa.RecordBatch]) -> pa.Table:
        return compute_bucket(pa.Table.from_batches([part[1]]), figures, spec)[0]

    with ThreadPoolExecutor(threads) as pool:
        return pa.concat_tables(pool.map(compute, chunk.rows))


def measure_kernels(clean: CleanRows, spec: TargetSpec, repeat: int, threads: int) -> dict[str, object]:
    """Samples of both in turn; raises ``RuntimeError`` when they do not agree.

    Ours runs with the better of one bucket a thread and the job's own number of buckets.
    """
    # imported here, for it starts its threads when it is imported
    from benchmarks.baselines.polars_kernels import compute_features

    choices = {threads, share_out(clean.table.num_rows, BUCKET_ROWS, threads)}
    buckets = min(choices, key=lambda n: _time(lambda: compute_ours(clean, spec, n, threads)))
    largest = _find_largest_difference(
        compute_ours(clean, spec, buckets, threads),
        compute_features(clean.table, spec.start, spec.end).to_arrow(),
    )
    ours: list[tuple[float, float]] = []
    polars: list[tuple[float, float]] = []
    for _ in range(repeat):
        ours.append(_time(lambda: compute_ours(clean, spec, buckets, threads)))
        polars.append(_time(lambda: compute_features(clean.table, spec.start, spec.end)))
    return {"ours": ours, "polars": polars, "buckets": buckets, "largest": largest}


def _find_largest_difference(ours: pa.Table, theirs: pa.Table) -> float:
    """The greatest difference, relative to the larger value or 1, over our rows."""
    with duckdb.connect() as connection:
        connection.register("o", ours)
        connection.register("t", theirs)
        unequal = " OR ".join(
            f"o.{f.source_column} IS DISTINCT FROM t.{f.source_column} "
            f"OR (o.{f.value_column} IS NULL) <> (t.{f.value_column} IS NULL)"
            for f in FEATURES
        )
        gaps = ", ".join(
            f"abs(o.{f.value_column} - t.{f.value_column}) "
            f"/ greatest(abs(o.{f.value_column}), abs(t.{f.value_column}), 1)"
            for f in FEATURES
        )
        found, broken, largest = connection.execute(
            f"SELECT count(*), count(*) FILTER ({unequal}), max(coalesce(greatest({gaps}), 0)) "
            "FROM o JOIN t USING (player_lookup, game_date)"
        ).fetchall()[0]
    if found != ours.num_rows or broken or largest > TOLERANCE:
        raise RuntimeError(
            f"Polars does not give our rows: {found:,} of {ours.num_rows:,} found, {broken:,} with other "
            f"sources, largest difference {largest:.2g}"
        )
    return float(largest)


def _time(run: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds, those of all threads."""
    wall, cpu = perf_counter(), process_time()
    run()
    return perf_counter() - wall, process_time() - cpu


def read_clean(warehouse: str) -> tuple[CleanRows, TargetSpec]:
    """The clean rows of a whole warehouse, and all its dates as targets."""
    names = ", ".join(PLAYER_GAME_SUMMARY.schema.names)
    with duckdb.connect(warehouse, read_only=True) as connection:
        raw = connection.sql(f"SELECT {names} FROM {PLAYER_GAME_SUMMARY.path}").to_arrow_table()
    days = pc.min_max(raw.column("game_date")).as_py()
    return clean_rows(raw), TargetSpec(days["min"], days["max"] + timedelta(days=1), today=days["max"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels")
    parser.add_argument("warehouse")
    parser.add_argument("repeat", type=int)
    parser.add_argument("threads", type=int)
    arguments = parser.parse_args()
    clean, spec = read_clean(arguments.warehouse)
    print(json.dumps(measure_kernels(clean, spec, arguments.repeat, arguments.threads)))


if __name__ == "__main__":
    main()
