"""``python -m benchmarks``: measures, prints a table each, and writes one JSON file."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import jobs
from benchmarks.bigquery import measure_bigquery
from benchmarks.contenders import NAIVE, SQL_SAME
from benchmarks.daily import compare_sides, measure_daily
from benchmarks.floor import measure_floor
from benchmarks.kernels import compare_kernels
from benchmarks.report import Report, show, write_json

Measure = Callable[[Path, Sequence[int], int], list[Report]]


@dataclass(frozen=True)
class Benchmark:
    """``usual`` and ``full`` are the sizes in seasons without and with ``--full``."""

    measure: Measure
    usual: tuple[int, ...]
    full: tuple[int, ...]
    repeat: int


def _verify(work: Path, seasons: Sequence[int], _repeat: int) -> list[Report]:
    large = [n for n in seasons if n > 6]
    reports = jobs.verify_baselines(work, [n for n in seasons if n <= 6], (SQL_SAME, NAIVE))
    return reports + jobs.verify_baselines(work, large, (SQL_SAME,))


BENCHMARKS = {
    "verify": Benchmark(_verify, (2,), (2, 24), 1),
    "sql": Benchmark(jobs.compare_with_sql, (24,), (24, 240), 3),
    "naive": Benchmark(jobs.compare_with_naive, (2,), (2, 6), 1),
    "polars": Benchmark(compare_kernels, (24,), (24,), 3),
    "memory": Benchmark(jobs.measure_sizes, (24, 48), (24, 48, 96, 240), 1),
    "scaling": Benchmark(jobs.measure_sizes, (3, 6, 12, 24), (6, 24, 96, 240), 1),
    "one-date": Benchmark(jobs.measure_one_date, (24,), (24, 240), 3),
    "daily": Benchmark(measure_daily, (24,), (24,), 3),
    "sides": Benchmark(compare_sides, (24,), (24,), 3),
    "bigquery": Benchmark(measure_bigquery, (24,), (24,), 3),
    "floor": Benchmark(measure_floor, (24,), (24, 240), 1),
    "stages": Benchmark(jobs.divide_stages, (24,), (24, 240), 1),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=["all", *BENCHMARKS])
    parser.add_argument("--seasons", help="sizes, such as 6,24,240 (default: those of the benchmark)")
    parser.add_argument("--repeat", type=int, help="rounds (default: those of the benchmark)")
    parser.add_argument("--full", action="store_true", help="the large sizes too; takes hours")
    parser.add_argument("--json", type=Path, help="write every sample to this file")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "feature-store-benchmarks",
        help="where generated leagues are kept (default: below the system's temporary directory)",
    )
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    reports: list[Report] = []
    for name, benchmark in BENCHMARKS.items():
        if arguments.what not in ("all", name):
            continue
        seasons = benchmark.full if arguments.full else benchmark.usual
        if arguments.seasons:
            seasons = tuple(int(n) for n in arguments.seasons.split(","))
        for report in benchmark.measure(work, seasons, arguments.repeat or benchmark.repeat):
            show(report)
            reports.append(report)
        if arguments.json:
            write_json(arguments.json, reports)
    return 0


if __name__ == "__main__":
    sys.exit(main())
