"""Whole runs at the edges: names, types, dates, zones, clocks, amounts, and no network at all.

Rows 14, 22 to 26, 30 and 33 of the fault matrix, as far as no other file has them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow as pa
import pytest
from children import FORKS, Child
from hamcrest import (
    assert_that,
    contains_string,
    empty,
    equal_to,
    greater_than,
    has_entries,
    has_length,
    is_,
    less_than,
    not_,
)
from leagues import make_league as make_wild_league
from leagues import run_kernels
from scenes import DAYS, PREPARE, ROWS, TODAY, announce, make_scene, put_sides, schedule, take_snapshot, write
from terminal import Run, spawn
from warehouse import SCHEMA, House, differences, list_dates, make_league, make_row

from pipeline.commands.app import main
from pipeline.main import run_job
from transforms.contracts import TargetSpec
from transforms.gaps import Admission
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import INJURY_REPORT, POINTS_LINES, REGISTRY, SCHEDULE, UPCOMING

NUL = "bos\0nul"
YESTERDAY = DAYS[-1]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(str(tmp_path / "w.duckdb"), list(DAYS))


def run_day(house: House, *flags: str) -> list[str]:
    return ["daily", "--warehouse", house.path, "--date", str(TODAY), "--bootstrap-days", "0", *flags]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    from terminal import Finished

    def call(*arguments: object) -> Finished:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Finished(code, *capsys.readouterr())

    return call


# 22, 23: names and types


def test_a_nul_in_every_name_goes_through_a_day_and_every_question(house: House, run: Run) -> None:
    """DuckDB keeps a NUL in a text, and a SQL literal cannot hold one."""
    history = [make_row(NUL, day, "BOS", "CHI", universal_player_id="1\0") for day in DAYS[-7:-1]]
    house.put([*ROWS, *history, make_row("o\0ther", DAYS[0], "B\0S", "CHI", game_id="g\0")])
    put_sides(house)
    house.put_side(UPCOMING, [announce(NUL, TODAY)])
    house.put_side(REGISTRY, [{"player_lookup": NUL, "birth_date": date(1990, 1, 1)}])
    noon = datetime(TODAY.year, TODAY.month, TODAY.day, 17, tzinfo=UTC)
    line = {"player_lookup": NUL, "game_date": TODAY, "bookmaker": "fan\0duel", "points_line": 9.5}
    house.put_side(POINTS_LINES, [line | {"snapshot_timestamp": noon}])
    report = {"player_lookup": NUL, "game_date": TODAY, "team": "BOS", "injury_status": "Out\0"}
    house.put_side(INJURY_REPORT, [report | {"reported_at": noon}])

    told = run(*run_day(house, "--json"))
    assert_that(told.code, equal_to(0), told.err)
    row = house.read().features[NUL, TODAY]
    assert_that(row, has_entries(feature_25_value=9.5, feature_28_value=1.0))
    for question in (
        ["explain", "--player", "bos0", "--date", str(YESTERDAY)],
        ["gaps", "--list"],
        ["coverage", "--by", "team"],
        ["audit", "--start-date", str(YESTERDAY), "--end-date", str(TODAY)],
        ["runs"],
        ["sql", "SELECT player_lookup FROM nba_predictions.ml_feature_store_v2"],
        ["sql", "--format=csv", "SELECT player_lookup FROM nba_predictions.ml_feature_store_v2"],
        ["fill-gaps", "--all"],
    ):
        ended = run(*question, "--warehouse", house.path)
        assert_that(ended.code, equal_to(0), ended.err)
        assert_that(ended.printed, not_(contains_string("\0")), str(question))
    assert_that(run(*run_day(house)).code, equal_to(0))


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        (POINTS_LINES, "points_line", "INTEGER"),
        (POINTS_LINES, "points_line", "BIGINT"),
        (POINTS_LINES, "points_line", "UTINYINT"),
        (POINTS_LINES, "points_line", "DECIMAL(38, 10)"),
        (POINTS_LINES, "snapshot_timestamp", "TIMESTAMP_S"),
        (POINTS_LINES, "snapshot_timestamp", "TIMESTAMP_MS"),
        (POINTS_LINES, "snapshot_timestamp", "TIMESTAMP_NS"),
        (INJURY_REPORT, "reported_at", "TIMESTAMP_S"),
        (INJURY_REPORT, "reported_at", "TIMESTAMP_NS"),
        (SCHEDULE, "game_status", "UINTEGER"),
        (PLAYER_GAME_SUMMARY, "points", "TINYINT"),
        (PLAYER_GAME_SUMMARY, "minutes_played", "DECIMAL(38, 20)"),
        (PLAYER_GAME_SUMMARY, "minutes_played", "REAL"),
    ],
    ids=str,
)
def test_columns_of_other_types_that_fit_give_the_same_day(
    house: House, tmp_path: Path, table: Table, column: str, kind: str
) -> None:
    """Every figure of the scene is one that each of the types can hold."""
    house.put([row | {"minutes_played": float(int(row["minutes_played"]))} for row in ROWS])
    put_sides(house)
    house.put_side(UPCOMING, [announce(player, TODAY) for player in ("bos0", "chi0")])
    noon = datetime(TODAY.year, TODAY.month, TODAY.day, 17, tzinfo=UTC)
    line = {"player_lookup": "chi0", "game_date": TODAY, "bookmaker": "fanduel", "points_line": 21.0}
    house.put_side(POINTS_LINES, [line | {"snapshot_timestamp": noon}])
    other = house.copy(tmp_path / "other.duckdb")
    with other.warehouse.open(read_only=False) as connection:
        connection.execute(f"ALTER TABLE {table.path} ALTER {column} TYPE {kind}")
    for one in (house, other):
        one.commit(YESTERDAY, TODAY, as_of=TODAY, bootstrap_days=0)
    assert_that(differences(other.read(), house.read()), empty())
    assert_that(house.read().features["chi0", TODAY]["feature_25_value"], equal_to(21.0))


# 24, 26: dates


def test_rows_at_both_ends_of_the_calendar_disturb_nobody(house: House, tmp_path: Path, run: Run) -> None:
    house.put(ROWS)
    put_sides(house)
    plain = house.copy(tmp_path / "plain.duckdb")
    ends = (date(1, 1, 1), date(1, 1, 2), date(9999, 12, 30))
    house.put([*ROWS, *(make_row(f"old{n}", day, "BOS", "CHI") for day in ends for n in range(2))])
    games = [
        schedule(day, datetime(day.year, day.month, day.day, 23, tzinfo=UTC)) for day in (YESTERDAY, TODAY)
    ]
    house.put_side(SCHEDULE, [*games, *(schedule(day) for day in ends)])
    for one in (house, plain):
        one.commit()
    assert_that(differences(house.read(), plain.read()), empty())
    for day in ends:
        dates = ["--start-date", str(day), "--end-date", str(day)]
        ended = run("backfill", "--warehouse", house.path, "--json", *dates)
        assert_that(ended.code, equal_to(0), ended.err)
        kept = ended.json["records_created"] + ended.json["gaps_open"]
        assert_that((kept, ended.json["records_expected"]), equal_to((2, 2)))


@pytest.mark.parametrize("ends", [(date(1, 1, 1), date(9999, 12, 30)), (date(9999, 12, 31),)], ids=str)
def test_one_absurd_date_in_a_table_makes_no_command_unusable(
    house: House, run: Run, ends: tuple[date, ...]
) -> None:
    """Other loaders may store what the import refuses; a limit is for the flags that a person gives."""
    house.put([*ROWS, *(make_row("far", day, "BOS", "CHI") for day in ends)])
    put_sides(house)
    house.put_side(UPCOMING, [announce("bos0", day) for day in (TODAY, *ends)])
    rows = write(house, PLAYER_GAME_SUMMARY, ROWS[:5])
    games = write(house, SCHEDULE, [schedule(DAYS[0])])
    for command, code in (
        (["backfill", "--start-date", str(DAYS[0]), "--end-date", str(DAYS[-1])], 0),
        (["daily", "--date", str(TODAY)], 0),
        (["gaps"], 0),
        (["fill-gaps"], 0),
        (["fill-gaps", "--all", "--bootstrap-days", "0"], 0),
        (["coverage"], 0),
        (["audit"], 5 if len(ends) == 2 else 0),  # targets that no run has met; one no range can hold
        (["explain", "--player", "bos0", "--date", str(YESTERDAY)], 0),
        (["explain", "--player", "nobody", "--date", str(YESTERDAY)], 3),
        (["import", rows], 0),
        (["import", "--replace-dates", rows], 0),
        (["import", "--table", SCHEDULE.name, games], 0),
    ):
        ended = run(*command, "--warehouse", house.path)
        assert_that(ended.code, equal_to(code), f"{command}: {ended.err}")
        assert_that(ended.err, not_(contains_string("internal error")))


@pytest.mark.parametrize(
    "first",
    [date(2024, 2, 26), date(2023, 12, 28), date(2024, 3, 8), date(2023, 9, 28), date(2023, 11, 3)],
    ids=["leap day", "year end", "clocks forward", "season boundary", "clocks back"],
)
def test_edges_of_the_calendar_are_days_like_others(house: House, first: date) -> None:
    days = [first + timedelta(days=n) for n in range(6)]
    rows = [make_row(f"{team.lower()}0", day, team, other, season_year=None) for day in days
            for team, other in (("BOS", "CHI"), ("CHI", "BOS"))]  # fmt: skip
    house.put(rows)
    house.commit(days[0], days[-1], bootstrap_days=0)
    features = house.read().features
    for before, day in pairwise(days):
        row = features["bos0", day]
        assert_that(row["days_rest"], equal_to((day - before).days))
        season = day.year if day.month >= 10 else day.year - 1
        assert_that(row["season_year"], is_(season))
    alone = House(house.path, house.days)
    for day in reversed(days):
        assert_that(alone.commit(day, day, bootstrap_days=0)["records_unchanged"] in (0, 2))
    assert_that({key: row["data_hash"] for key, row in alone.read().features.items()},
                equal_to({key: row["data_hash"] for key, row in features.items()}))  # fmt: skip


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2024-01-01T04:59:59.999999", date(2023, 12, 31)),
        ("2024-01-01T05:00:00", date(2024, 1, 1)),
        ("2024-07-01T03:59:59.999999", date(2024, 6, 30)),
        ("2024-07-01T04:00:00", date(2024, 7, 1)),
        ("2024-03-10T04:59:59", date(2024, 3, 9)),
        ("2024-03-11T04:00:00", date(2024, 3, 11)),
        ("2024-11-03T03:59:59", date(2024, 11, 2)),
        ("2024-11-04T04:59:59", date(2024, 11, 3)),
    ],
)
def test_a_run_takes_the_leagues_date_for_today(house: House, instant: str, day: date) -> None:
    """Midnight in US Eastern, in winter, in summer, and where the clocks change."""
    spec = house.config().make_targets(datetime.fromisoformat(f"{instant}+00:00"))
    assert_that(spec.today, equal_to(day))


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Anchorage", "Not/AZone"])
def test_a_machine_of_another_zone_writes_the_same_tables(
    tmp_path: Path, zone: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A daily run with tip-offs and reports around midnight in US Eastern."""
    scene = make_scene("daily run", tmp_path_factory.mktemp("zone"))
    house = scene.house.copy(tmp_path / "w.duckdb")
    ended = spawn(*scene.command(house), env={"TZ": zone})
    assert_that(ended.returncode, equal_to(0), ended.stderr.decode())
    assert_that(take_snapshot(house).tables, equal_to(scene.after.tables))


# 30: clocks


def tick(instants: list[datetime]) -> Iterator[datetime]:
    yield from instants[:-1]
    while True:
        yield instants[-1]


@pytest.mark.parametrize(
    "instants",
    [
        [datetime(1970, 1, 1, tzinfo=UTC)],
        [datetime(2200, 1, 1, tzinfo=UTC)],
        [datetime(2026, 1, 1, tzinfo=UTC) - timedelta(hours=n) for n in range(50)],
    ],
    ids=["long ago", "far ahead", "backwards"],
)
def test_a_wrong_clock_is_written_and_changes_nothing_else(
    house: House, tmp_path: Path, instants: list[datetime]
) -> None:
    house.put(ROWS)
    right = house.copy(tmp_path / "right.duckdb")
    for number in range(3):
        right.commit()
        clock = tick(instants[5 * number :] or instants)
        row = run_job(house.config(), clock=lambda clock=clock: next(clock)).row  # type: ignore[misc]
        assert_that(row["started_at"] in instants)
    assert_that(differences(house.read(), right.read()), empty())
    assert_that(house.read().successes, has_length(3))
    corrected = [row | {"points": row["points"] + 1} for row in ROWS]
    for one in (house, right):
        one.put(corrected)
        one.commit()
    assert_that(differences(house.read(), right.read()), empty())


# 25: amounts


def run_measured(arguments: list[str], channel: Connection) -> int:
    """The command; sends by how many bytes it raised the peak of the process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = main(arguments)
    channel.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    return code


@pytest.mark.slow
@pytest.mark.parametrize(("dates", "ceiling"), [(20, 500e6), (1, 1.3e9)], ids=["on 20 dates", "on one"])
def test_a_player_with_a_million_rows_stays_under_a_ceiling(
    house: House, tmp_path: Path, dates: int, ceiling: float
) -> None:
    """All rows are of the keys of one player; those that lose are counted. A date is read at once."""
    house.put(ROWS)
    mine = [row for row in ROWS if row["player_lookup"] == "bos0"][-dates:]
    times = 1_000_000 // len(mine)
    with house.warehouse.open(read_only=False) as connection:
        connection.register("mine", pa.Table.from_pylist(mine, schema=SCHEMA))
        connection.execute(
            f"INSERT INTO {PLAYER_GAME_SUMMARY.path} SELECT mine.* REPLACE (points + (n % 5) AS points, "
            "TIMESTAMPTZ '2024-08-01' + to_seconds(n) AS processed_at) FROM mine, "
            f"range({times}) AS numbers(n)"
        )
    here, there = FORKS.Pipe(duplex=False)
    period = ["--start-date", str(DAYS[0]), "--end-date", str(DAYS[-1])]
    arguments = ["backfill", "--warehouse", house.path, "--parallel", "1", "--json", *period]
    child = Child(run_measured, arguments, there, log=tmp_path / "log")
    assert_that(child.wait(120), equal_to(0), child.output)
    peak = here.recv()
    summary = json.loads(child.output[child.output.index("{") :])
    assert_that(summary["duplicates"], equal_to(times * len(mine)))
    assert_that(len(house.read().features), greater_than(150))
    assert_that(peak, less_than(ceiling), f"{peak / 1e6:.0f} MB")


def test_very_wide_rows_and_very_long_texts_are_only_rows(house: House, tmp_path: Path) -> None:
    house.put(ROWS)
    plain = house.copy(tmp_path / "plain.duckdb")
    with house.warehouse.open(read_only=False) as connection:
        for number in range(300):
            connection.execute(
                f"ALTER TABLE {PLAYER_GAME_SUMMARY.path} ADD COLUMN wide{number} VARCHAR DEFAULT 'xxxxxxxx'"
            )
        connection.execute(f"UPDATE {PLAYER_GAME_SUMMARY.path} SET dnp_reason = repeat('x', 100000)")
    for one in (house, plain):
        one.commit()
    assert_that(differences(house.read(), plain.read()), empty())


# 14: what a transform is given


def test_the_kernels_leave_their_inputs_as_they_were() -> None:
    """Arrow's buffers cannot be written through NumPy; and their content is the same afterwards."""
    league = make_wild_league(3)
    table = league.table()
    before = repr(table.to_pylist())
    days = sorted({row["game_date"] for row in league.rows if row["game_date"]})
    spec = TargetSpec(days[-20], days[-1] + timedelta(days=1), Admission(), today=date.min)
    first = run_kernels(table, spec, buckets=3)
    assert repr(table.to_pylist()) == before
    assert repr(run_kernels(table, spec, buckets=3)) == repr(first)
    column = table.column("points").combine_chunks().drop_null()
    with pytest.raises(ValueError, match="read-only"):
        column.to_numpy(zero_copy_only=True)[0] = 1


# 33: no network


NO_NETWORK = """
import sys
from pipeline.commands.app import main

reached = []

def hear(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        reached.append(f"{event} {arguments[-1]}")

sys.addaudithook(hear)
codes = [main(arguments) for arguments in ARGUMENTS]
sys.exit(str(reached) if reached else max(codes))
"""


@pytest.mark.slow
def test_no_command_reaches_for_the_network(tmp_path: Path) -> None:
    scene = make_scene("import", tmp_path)
    at = ["--warehouse", scene.house.path]
    arguments = [
        scene.command(scene.house),
        ["backfill", *at, "--start-date", str(DAYS[0]), "--end-date", str(DAYS[-1])],
        ["fill-gaps", *at, "--bootstrap-days", "0"],
        ["audit", *at],
        ["sql", *at, "SELECT COUNT(*) FROM nba_predictions.ml_feature_store_v2"],
    ]
    program = NO_NETWORK.replace("ARGUMENTS", repr(arguments))
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
    )
    assert_that(ended.returncode, equal_to(0), ended.stderr)


def test_the_scenes_are_those_that_have_a_name() -> None:
    assert_that(set(PREPARE), has_length(6))
    assert_that(list_dates(make_league(dates=20, players=3)), equal_to(DAYS))
