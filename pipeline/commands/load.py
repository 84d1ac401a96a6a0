"""The commands that fill the inputs: ``import`` and ``demo``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.commands.console import add_command, emit_json, emit_report
from pipeline.commands.progress import show_progress
from pipeline.demo import LeagueSpec, generate_tables, list_years
from pipeline.errors import UsageError
from pipeline.flags import day, local_path, whole_number
from pipeline.imports.importing import read_files
from pipeline.options import add_warehouse_flags
from pipeline.progress import Progress, Step
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
from pipeline.warehouse.opening import open_warehouse
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import INPUTS, SCHEDULE

SEASONS = "seasons"
"""The step of a demo's progress."""


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
    parser.add_argument(
        "--end-date",
        type=day,
        metavar="YYYY-MM-DD",
        help="the last date with results; later games are still to come (default: the last game's)",
    )
    parser.add_argument(
        "--box-scores-only",
        action="store_true",
        help="without schedule, upcoming games, registry, aliases, injury reports and betting lines",
    )
    add_warehouse_flags(parser, address=local_path)


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
        warehouse = open_warehouse(arguments.warehouse, arguments.lock_timeout)
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
    try:
        spec = LeagueSpec(
            seed=arguments.seed,
            first_season=arguments.first_season,
            seasons=arguments.seasons,
            teams=arguments.teams,
            leagues=arguments.leagues,
            end_date=arguments.end_date,
            side_tables=not arguments.box_scores_only,
        )
    except ValueError as error:
        raise UsageError(f"a demo league: {error}") from error
    tables = generate_tables(spec)
    warehouse = DuckDBWarehouse(arguments.warehouse, arguments.lock_timeout)
    watch = _Watch()
    steps = [Step(SEASONS, len(list_years(spec)) * spec.leagues)]
    with show_progress(steps, quiet=arguments.debug) as progress:
        rows, dates = warehouse.load_generated(watch.pass_on(tables, progress), datetime.now(UTC))
    last = spec.end_date or dates.last
    commands = [
        f"{suggest_command('backfill', arguments.warehouse)} --start-date {dates.start} --end-date {last}"
    ]
    if watch.games_to_come:
        daily = suggest_command("daily", arguments.warehouse)
        commands += [f"{daily} --date {last + timedelta(days=after)}" for after in (0, 1)]
    if arguments.json:
        found = {"rows": rows[PLAYER_GAME_SUMMARY.path], "tables": rows, "games_to_come": watch.games_to_come}
        emit_json({**found, "start_date": dates.start, "end_date": last, "next": commands, "exit_code": 0})
    else:
        emit_report(_describe_demo(spec, rows, dates, watch.games_to_come))
        emit_report("\n".join(["", "Next", *(f"  {command}" for command in commands)]))
    return 0


@dataclass
class _Watch:
    """What is worth telling of generated tables while they are stored."""

    games_to_come: int = 0

    def pass_on(
        self, tables: Iterator[tuple[Table, pa.Table]], progress: Progress
    ) -> Iterator[tuple[Table, pa.Table]]:
        for table, rows in tables:
            if table is SCHEDULE:
                self.games_to_come += pc.sum(pc.equal(rows["game_status"], 1)).as_py() or 0
            yield table, rows
            # of every season the box scores come last
            if table is PLAYER_GAME_SUMMARY:
                progress.advance(SEASONS, 1)


def _describe_demo(spec: LeagueSpec, rows: dict[str, int], dates: DateRange, games_to_come: int) -> str:
    to_come = [("games to come", count(games_to_come))] if games_to_come else []
    about = [
        ("seasons", f"{len(list_years(spec))}, {spec.teams} teams, {dates}"),
        *([("leagues", f"{spec.leagues}, side by side")] if spec.leagues > 1 else []),
        ("player rows", count(rows[PLAYER_GAME_SUMMARY.path])),
        *to_come,
    ]
    stored = sorted((path, count(number)) for path, number in rows.items())
    return "\n".join(
        [
            format_fields(f"Generated a league from seed {spec.seed}", about),
            "",
            format_fields("Rows by table", stored),
        ]
    )
