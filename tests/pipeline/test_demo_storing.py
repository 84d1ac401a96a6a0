"""How a generated league comes into a warehouse, and what the command says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from boxscores import make_rows, read_stored, write_file
from hamcrest import (
    assert_that,
    contains_exactly,
    contains_string,
    equal_to,
    greater_than,
    has_entries,
    has_length,
    has_properties,
    is_,
    none,
    not_,
)
from terminal import Run

from benchmarks.leagues import Size, provide_league
from pipeline.errors import BadInput
from pipeline.imports.importing import read_files
from pipeline.warehouse import duckdb_load
from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import INJURY_REPORT, INPUTS, REGISTRY

BOX = PLAYER_GAME_SUMMARY.path

NOW = datetime(2024, 7, 1, tzinfo=UTC)


@pytest.fixture
def box(tmp_path: Path) -> tuple[Table, pa.Table]:
    """24 box scores of three dates."""
    rows, _ = read_files([write_file(make_rows(), tmp_path / "rows.parquet")])
    return PLAYER_GAME_SUMMARY, rows


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(str(tmp_path / "w.duckdb"))


def make_injuries(*texts: str) -> tuple[Table, pa.Table]:
    """Reports of two dates, the later first."""
    days = [date(2024, 1, 10 + index) for index in reversed(range(len(texts)))]
    columns = {
        "player_lookup": ["bos1"] * len(texts),
        "game_date": days,
        "team": ["BOS"] * len(texts),
        "injury_status": list(texts),
        "reported_at": [datetime(2024, 1, 9, tzinfo=UTC)] * len(texts),
    }
    return INJURY_REPORT, pa.table(columns).cast(INJURY_REPORT.schema)


def read_versions(warehouse: DuckDBWarehouse) -> dict[str, tuple[int, str]]:
    with warehouse.open() as connection:
        rows = connection.execute("FROM nba_processing.table_versions").fetchall()
    return {path: (version, origin) for path, version, origin in rows}


def test_a_generated_league_brings_tables_of_its_own_and_takes_those_of_an_earlier_one(
    warehouse: DuckDBWarehouse, box: tuple[Table, pa.Table]
) -> None:
    found, _ = warehouse.load_generated(
        [make_injuries("Out", "Probable"), box, make_injuries("Doubtful")], NOW
    )
    assert_that(found, equal_to({BOX: 24, INJURY_REPORT.path: 3}))
    assert_that(read_versions(warehouse), equal_to({BOX: (1, "demo"), INJURY_REPORT.path: (1, "demo")}))
    with warehouse.open() as connection:
        stored = connection.execute(f"SELECT injury_status FROM {INJURY_REPORT.path} ORDER BY rowid")
        # by date within what comes together
        assert_that(stored.fetchall(), equal_to([("Probable",), ("Out",), ("Doubtful",)]))
    warehouse.load_generated([make_injuries("Available"), box], NOW)
    with warehouse.open() as connection:
        stored = connection.execute(f"SELECT injury_status FROM {INJURY_REPORT.path}")
        assert_that(stored.fetchall(), equal_to([("Available",)]))
    warehouse.load_generated([box], NOW)
    assert_that(warehouse.describe(INJURY_REPORT), is_(none()))
    assert_that(read_versions(warehouse)[INJURY_REPORT.path], equal_to((3, "demo")))


@pytest.mark.parametrize("found", [make_injuries("Out"), (REGISTRY, None)], ids=["dated", "undated"])
def test_rows_of_others_in_any_input_table_stop_a_generated_league(
    warehouse: DuckDBWarehouse, box: tuple[Table, pa.Table], found: tuple[Table, pa.Table | None]
) -> None:
    table, foreign = found
    warehouse.load_generated([box], NOW)
    with warehouse.open(read_only=False) as connection:
        duckdb_load.ensure_table(connection, table)
        if foreign is not None:
            connection.register("foreign_rows", foreign)
            connection.execute(f"INSERT INTO {table.path} FROM foreign_rows")
        else:
            connection.execute(f"INSERT INTO {table.path} VALUES ('bos1', '1', DATE '2000-01-01')")
    dates = " from 2024-01-10 to 2024-01-10" if table.partition else ""
    message = f"holds rows{dates} in {table.path} that the demo did not generate"
    with pytest.raises(BadInput, match=re.escape(message)):
        warehouse.load_generated([box], NOW)
    assert_that(read_stored(warehouse.path, ["player_lookup"]), has_length(24))


def test_a_generated_league_that_breaks_off_leaves_the_earlier_one(
    warehouse: DuckDBWarehouse, box: tuple[Table, pa.Table]
) -> None:
    warehouse.load_generated([make_injuries("Out"), box], NOW)

    def break_off() -> Iterator[tuple[Table, pa.Table]]:
        yield make_injuries("Doubtful")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.load_generated(break_off(), NOW)
    assert_that(read_stored(warehouse.path, ["player_lookup"]), has_length(24))
    assert_that(set(read_versions(warehouse).values()), equal_to({(1, "demo")}))
    with warehouse.open() as connection:
        stored = connection.execute(f"SELECT injury_status FROM {INJURY_REPORT.path}")
        assert_that(stored.fetchall(), equal_to([("Out",)]))


# ---- the command


DEMO = ("demo", "--warehouse=d.duckdb", "--seasons=1", "--teams=4")


@pytest.fixture(autouse=True)
def directory(in_directory: Path) -> Path:
    return in_directory


def test_the_command_names_the_rows_of_every_table(run: Run) -> None:
    found = run(*DEMO, "--json").json
    assert_that(found["tables"], has_entries({table.path: greater_than(0) for table in INPUTS}))
    assert_that(found, has_entries(rows=found["tables"][BOX], games_to_come=0, next=has_length(1)))
    shown = run(*DEMO).out
    for path, rows in found["tables"].items():
        assert_that(re.search(rf"^  {re.escape(path)} +{rows:,}$", shown, re.M), is_(not_(none())), path)
    assert_that(shown, not_(contains_string("games to come")))


def test_games_to_come_suggest_a_daily_run_of_the_end_date_and_of_the_next_day(run: Run) -> None:
    found = run(*DEMO, "--end-date=2022-01-05", "--json").json
    where = "--warehouse d.duckdb"
    commands = (
        f"feature-store backfill {where} --start-date {found['start_date']} --end-date 2022-01-05",
        f"feature-store daily {where} --date 2022-01-05",
        f"feature-store daily {where} --date 2022-01-06",
    )
    assert_that(found, has_entries(end_date="2022-01-05", next=contains_exactly(*commands)))
    shown = run(*DEMO, "--end-date=2022-01-05").out
    for text in (*commands, f"games to come  {found['games_to_come']}"):
        assert_that(shown, contains_string(text))


def test_box_scores_alone_bring_no_other_table(run: Run) -> None:
    assert_that(run(*DEMO).code, equal_to(0))
    found = run(*DEMO, "--box-scores-only", "--json").json
    assert_that(found["tables"], equal_to({BOX: found["rows"]}))
    warehouse = DuckDBWarehouse("d.duckdb")
    there = [table.path for table in INPUTS if warehouse.describe(table) is not None]
    assert_that(there, equal_to([BOX]))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--end-date=2021-01-05"], "expected an end date from 2021-1"),
        (["--end-date=2023-01-05"], "first and the last game of the 1 season(s), found 2023-01-05"),
        (["--end-date=soon"], "expected a date as YYYY-MM-DD"),
        (["--teams=5"], "teams: expected an even number from 4 to 30, found 5"),
    ],
)
def test_a_league_that_cannot_be_is_refused_before_a_file_is_made(
    run: Run, directory: Path, flags: list[str], message: str
) -> None:
    ended = run("demo", "--warehouse=d.duckdb", "--seasons=1", *flags)
    assert_that(ended, has_properties(code=2, out="", err=contains_string(message)))
    assert_that(list(directory.iterdir()), equal_to([]))


def test_benchmarks_measure_on_box_scores_alone_and_keep_older_files_apart(directory: Path) -> None:
    (directory / "league-s1x1.duckdb").touch()
    league = provide_league(directory, Size(1))
    tables = [table.path for table in INPUTS if DuckDBWarehouse(str(league.path)).describe(table) is not None]
    assert_that(tables, equal_to([BOX]))
