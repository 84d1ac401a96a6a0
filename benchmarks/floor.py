"""The floor: the same bytes read and written with nothing in between.

Three parts, each in a fresh process: reading the job's input columns to Arrow, writing already
computed rows into the store in one transaction with a checkpoint, and importing Beam.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.contenders import OURS, measure
from benchmarks.leagues import LeagueFile, Size, copy_warehouse, provide_league
from benchmarks.processes import run_child
from benchmarks.report import Report, describe_league
from pipeline.season import DateRange
from pipeline.warehouse.duckdb_connection import CONFIGURATION
from pipeline.warehouse.duckdb_sql import sql
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY

ORDERED = ("true", "false")
"""DuckDB's preserve_insertion_order; without it all threads write. The faster one is the floor."""


def measure_floor(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """The floor's parts and ours, at each size; every part is the median of its runs."""
    reports = []
    imports = [run_child([sys.executable, "-c", "import apache_beam"]).wall for _ in range(repeat)]
    for total in seasons:
        league = provide_league(work, Size.of(total))
        computed = work / f"computed-{total}.parquet"
        export_rows(league, computed)
        writes = [_time_writing(league, computed, ordered, repeat) for ordered in ORDERED]
        parts = {
            "start Python, import apache_beam": imports,
            "read the input columns to Arrow": [_time_part("read", league.path) for _ in range(repeat)],
            "write the computed rows": min(writes, key=median),
        }
        computed.unlink()
        ours = [measure(OURS, league).wall for _ in range(repeat)]
        floor = sum(median(samples) for samples in parts.values())
        rows = [(name, f"{median(samples):.2f}") for name, samples in parts.items()]
        rows += [("floor", f"{floor:.2f}"), ("backfill", f"{median(ours):.2f}")]
        rows += [("backfill / floor", f"{median(ours) / floor:.2f}")]
        data = {"league": describe_league(league), "parts": parts, "ours": ours, "floor": floor}
        reports.append(Report(f"the floor, {total} seasons", ("part", "wall s"), rows, data))
    return reports


def export_rows(league: LeagueFile, target: Path) -> None:
    """The feature rows of the whole league as one Parquet file, computed by a run of ours."""
    with copy_warehouse(league.path, league.path.parent, "export") as copy:
        run_child(OURS.command(copy, league.first, league.last))
        with duckdb.connect(str(copy), read_only=True) as connection:
            connection.execute(f"COPY {sql.name_table(FEATURE_STORE)} TO '{target}' (COMPRESSION lz4)")


def _time_writing(league: LeagueFile, computed: Path, ordered: str, repeat: int) -> list[float]:
    samples = []
    for _ in range(repeat):
        with copy_warehouse(league.path, league.path.parent, "floor") as copy:
            samples.append(_time_part("write", copy, str(computed), ordered))
    return samples


def _time_part(part: str, warehouse: Path, *arguments: str) -> float:
    command = [sys.executable, "-m", "benchmarks.floor", part, str(warehouse), *arguments]
    return float(run_child(command).answer["seconds"])


def read_input(warehouse: str) -> None:
    with duckdb.connect(warehouse, read_only=True, config=dict(CONFIGURATION)) as connection:
        bounds = connection.execute(
            f"SELECT min(game_date), max(game_date) FROM {sql.name_table(PLAYER_GAME_SUMMARY)}"
        ).fetchall()[0]
        columns = PLAYER_GAME_SUMMARY.schema.names
        query = sql.select_window(PLAYER_GAME_SUMMARY, columns, DateRange.inclusive(*bounds))
        connection.sql(query).to_arrow_table()


def write_rows(warehouse: str, computed: str, ordered: str) -> None:
    with duckdb.connect(warehouse, config=dict(CONFIGURATION)) as connection:
        connection.execute(f"SET preserve_insertion_order = {ordered}")
        connection.execute("BEGIN TRANSACTION")
        connection.execute(sql.create_schema(FEATURE_STORE.dataset))
        connection.execute(sql.create_table(FEATURE_STORE))
        connection.execute(
            f"INSERT INTO {sql.name_table(FEATURE_STORE)} SELECT * FROM read_parquet(?)", [computed]
        )
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor")
    parser.add_argument("part", choices=["read", "write"])
    parser.add_argument("arguments", nargs="+")
    arguments = parser.parse_args()
    part = read_input if arguments.part == "read" else write_rows
    started = time.perf_counter()
    part(*arguments.arguments)
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
