"""The commands that fill the inputs: ``import`` and ``demo``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pipeline.commands.console import add_command, emit_json, emit_report
from pipeline.commands.progress import show_progress
from pipeline.demo import LeagueSpec, generate_seasons
from pipeline.errors import BadInput, UsageError
from pipeline.importing import read_files
from pipeline.options import add_warehouse_flags, whole_number
from pipeline.progress import Step
from pipeline.report import (
    count,
    describe_import,
    escape_controls,
    format_fields,
    suggest_aliases,
    suggest_command,
)
from pipeline.season import DateRange
from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import INPUTS


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "import",
        run_import,
        "Load Parquet or CSV files: box scores, or with --table one of the tables beside them.",
        "feature-store import season_2018.parquet season_2019.csv\n"
        "  feature-store import --table nba_schedule schedule.csv",
    )
    parser.epilog = (
        f"{parser.epilog}\n\ntables:\n"
        + "\n".join(f"  {table.path}" for table in INPUTS)
        + "\n\nTheir columns, and the exports of nba_api and hoopR that are read: docs/import.md"
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a .parquet or .csv file")
    parser.add_argument(
        "--table",
        type=find_table,
        default=PLAYER_GAME_SUMMARY,
        metavar="NAME",
        help=f"what the files hold (default: {PLAYER_GAME_SUMMARY.name})",
    )
    parser.add_argument(
        "--replace-dates",
        action="store_true",
        help="first remove the stored rows of every date in the files",
    )
    parser.add_argument(
        "--write-aliases",
        action="store_true",
        help="record the lookups of one person in nba_reference.player_aliases",
    )
    add_warehouse_flags(parser)

    spec = LeagueSpec()
    parser = add_command(
        commands,
        "demo",
        run_demo,
        "Generate a league that looks like the NBA into a warehouse of its own.",
        "feature-store demo --warehouse demo.duckdb --seasons 3",
    )
    parser.add_argument(
        "--seed", type=whole_number(0, 10**9 - 1), default=spec.seed, help="(default: %(default)s)"
    )
    parser.add_argument(
        "--first-season",
        type=whole_number(1950, 2100),
        default=spec.first_season,
        metavar="YEAR",
        help="the year in which the first season starts (default: %(default)s)",
    )
    parser.add_argument(
        "--seasons", type=whole_number(1, 300), default=spec.seasons, help="(default: %(default)s)"
    )
    parser.add_argument(
        "--teams",
        type=whole_number(4, 30),
        default=spec.teams,
        help="an even number (default: %(default)s)",
    )
    parser.add_argument(
        "--leagues",
        type=whole_number(1, 99),
        default=spec.leagues,
        help="leagues side by side, each with teams and players of its own (default: %(default)s)",
    )
    add_warehouse_flags(parser)


def open_for_loading(arguments: argparse.Namespace) -> DuckDBWarehouse:
    """The warehouse, which need not exist yet; its directory must."""
    directory = Path(arguments.warehouse).parent
    if not directory.is_dir():
        raise BadInput(f"there is no directory {directory} for the warehouse: make it first")
    return DuckDBWarehouse(arguments.warehouse, arguments.lock_timeout)


def find_table(name: str) -> Table:
    """An argparse type: the input table of a name, with its dataset or without."""
    named = {found: table for table in INPUTS for found in (table.name, table.path)}
    if name not in named:
        near = get_close_matches(name.lower(), named, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]}? " if near else ""
        raise argparse.ArgumentTypeError(
            f"there is no input table {name[:40]!r}: {meant}The tables are "
            + ", ".join(table.path for table in INPUTS)
        )
    return named[name]


def run_import(arguments: argparse.Namespace) -> int:
    table: Table = arguments.table
    if arguments.write_aliases and table.path != PLAYER_GAME_SUMMARY.path:
        raise UsageError(
            f"--write-aliases finds the lookups of one person in box scores; leave it out for {table.path}"
        )
    if arguments.replace_dates and table.partition is None:
        raise UsageError(f"--replace-dates needs rows with a date, which {table.path} has not: leave it out")
    steps = [Step("files", len(arguments.files)), Step("store")]
    with show_progress(steps, quiet=arguments.debug) as progress:
        rows, report = read_files(progress.track("files", arguments.files), table)
        warehouse = open_for_loading(arguments)
        outcome = warehouse.load(
            rows,
            datetime.now(UTC),
            replace_dates=arguments.replace_dates,
            write_aliases=arguments.write_aliases,
            table=table,
        )
    commands = suggest_aliases(arguments.files, outcome, arguments.warehouse)
    if arguments.json:
        emit_json({**vars(report), **vars(outcome), "next": commands, "exit_code": 0})
    else:
        emit_report(describe_import(report, outcome))
        if commands:
            emit_report("\n".join(["", "Next", *(f"  {escape_controls(c)}" for c in commands)]))
    return 0


def run_demo(arguments: argparse.Namespace) -> int:
    spec = LeagueSpec(
        seed=arguments.seed,
        first_season=arguments.first_season,
        seasons=arguments.seasons,
        teams=arguments.teams,
        leagues=arguments.leagues,
    )
    warehouse = open_for_loading(arguments)
    seasons = spec.seasons * spec.leagues
    with show_progress([Step("seasons", seasons)], quiet=arguments.debug) as progress:
        generated = progress.track("seasons", generate_seasons(spec))
        rows, dates = warehouse.load_generated(generated, datetime.now(UTC))
    command = (
        f"{suggest_command('backfill', arguments.warehouse)} "
        f"--start-date {dates.start} --end-date {dates.last}"
    )
    if arguments.json:
        found = {"rows": rows, "start_date": dates.start, "end_date": dates.last}
        emit_json({**found, "next": [command], "exit_code": 0})
    else:
        emit_report(_describe_demo(spec, rows, dates))
        emit_report(f"\nNext\n  {command}")
    return 0


def _describe_demo(spec: LeagueSpec, rows: int, dates: DateRange) -> str:
    return format_fields(
        f"Generated a league from seed {spec.seed}",
        [
            ("seasons", f"{spec.seasons}, {spec.teams} teams, {dates}"),
            *([("leagues", f"{spec.leagues}, side by side")] if spec.leagues > 1 else []),
            ("player rows", count(rows)),
        ],
    )
