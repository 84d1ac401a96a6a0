"""Runs one baseline over a warehouse: ``python -m benchmarks.baselines sql WAREHOUSE FIRST LAST``."""

from __future__ import annotations

import argparse
import json
from datetime import date


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines")
    parser.add_argument("baseline", choices=["sql", "naive"])
    parser.add_argument("warehouse")
    parser.add_argument("first", type=date.fromisoformat)
    parser.add_argument("last", type=date.fromisoformat)
    parser.add_argument("--memory-limit", help="DuckDB's memory_limit; its own default when left out")
    arguments = parser.parse_args()
    where = (arguments.warehouse, arguments.first, arguments.last, arguments.memory_limit)
    # each pays for its own imports only
    if arguments.baseline == "sql":
        from benchmarks.baselines.duckdb_sql import run_sql_job

        seconds = run_sql_job(*where)
    else:
        from benchmarks.baselines.naive_beam import run_naive_job

        seconds = run_naive_job(*where)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
