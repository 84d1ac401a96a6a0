"""The same league in both warehouses gives the same tables, column by column, however the job runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from emulators.launch import Emulators
from google.cloud import storage
from hamcrest import assert_that, empty, equal_to, greater_than, has_entries
from terminal import spawn
from twins import Cloud, compare, make_address
from warehouse import House, Row, Tables, invalidate, list_dates, make_league, to_keys

from pipeline.main import run_job
from pipeline.plan import list_days
from pipeline.warehouse.staging import find_cache
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import (
    INJURY_REPORT,
    PLAYER_ALIASES,
    POINTS_LINES,
    REGISTRY,
    SCHEDULE,
    UPCOMING,
)

League = dict[Table, list[Row]]
ODD_NAMES = ("o'neal", 'quo"te', "back\\slash", "new\nline", "tab\t", "名前😀", "@x%s`{}", "a" * 300)


def make_odd_league() -> League:
    """Names, values and pairs of rows that a statement, a file or a join could stumble over."""
    plain = make_league(dates=14, players=3)
    days = list_dates(plain)
    names = dict(zip(sorted({row["player_lookup"] for row in plain}), ODD_NAMES, strict=False))
    rows = [row | {"player_lookup": names.get(row["player_lookup"], row["player_lookup"])} for row in plain]
    some = iter(range(5, len(rows), 11))
    for change in (
        {"points": None},
        {"minutes_played": float("nan")},
        {"minutes_played": float("inf")},
        {"minutes_played": -0.0, "is_dnp": True},
        {"team_abbr": None},
        {"opponent_team_abbr": "'; DROP TABLE x; --"},
        {"season_type": "Pre Season"},
        {"game_id": None, "is_home": None},
        {"points": 2**62},
        {"player_full_name": "\\x00", "dnp_reason": "é\u2028"},
    ):
        index = next(some)
        rows[index] = rows[index] | change
    rows += [rows[1] | {"points": 1}, rows[2] | {"is_dnp": True}, invalidate(rows[40])]
    tipped = datetime(2023, 11, 1, 23, tzinfo=UTC)
    games = {row["game_id"]: row for row in plain}
    later = days[-1] + timedelta(days=2)
    return {
        PLAYER_GAME_SUMMARY: rows,
        SCHEDULE: [
            {
                "game_id": name,
                "game_date": row["game_date"],
                "home_team_abbr": row["team_abbr"],
                "away_team_abbr": row["opponent_team_abbr"],
                "game_status": 9 if row["game_date"] == days[9] else 3,
                "game_type": "Regular Season",
                "tipoff_at": tipped if number % 3 else None,
            }
            for number, (name, row) in enumerate(games.items())
        ],
        REGISTRY: [
            {
                "player_lookup": row["player_lookup"],
                "universal_player_id": "x",
                "birth_date": date(1999, 2, 3),
            }
            for row in rows[:8]
        ],
        PLAYER_ALIASES: [
            {"alias_lookup": ODD_NAMES[0], "nba_canonical_lookup": ODD_NAMES[5]},
            {"alias_lookup": "round", "nba_canonical_lookup": "about"},
            {"alias_lookup": "about", "nba_canonical_lookup": "round"},
            {"alias_lookup": None, "nba_canonical_lookup": "nobody"},
        ],
        INJURY_REPORT: [
            {"player_lookup": name, "game_date": day, "injury_status": status, "reported_at": tipped}
            for name, status in zip(ODD_NAMES, ("OUT", None, "gtd", "Doubtful "), strict=False)
            for day in days[-3:]
        ],
        POINTS_LINES: [
            {
                "player_lookup": name,
                "game_date": days[-1],
                "bookmaker": "DraftKings",
                "points_line": line,
                "snapshot_timestamp": tipped,
            }
            for name, line in zip(ODD_NAMES, (12.5, float("nan"), None, -3.0), strict=False)
        ],
        UPCOMING: [
            {
                "player_lookup": name,
                "game_id": "later",
                "game_date": later,
                "team_abbr": "BOS",
                "opponent_team_abbr": "CHI",
                "home_game": None,
            }
            for name in (*ODD_NAMES, "stranger")
        ],
    }


def fill_inputs(house: House, league: League) -> None:
    for table, rows in league.items():
        if table is PLAYER_GAME_SUMMARY:
            house.put(rows)
        else:
            house.put_side(table, rows)


def tell(house: House, **options: Any) -> Tables:
    """What becomes of a backfill, of today's and the last days' games, and of a run over the early gaps."""
    last = house.days[-1]
    today = datetime(last.year, last.month, last.day, 18, tzinfo=UTC) + timedelta(days=2)

    def run(mode: str, first: date, until: date, requested: pa.Table | None = None, **more: Any) -> None:
        nonlocal today
        today += timedelta(minutes=1)
        config = house.config(first, until, **options, **more)
        run_job(config, mode, requested, clock=lambda: today)

    run("backfill", house.days[0], last)
    run("daily", last - timedelta(days=1), today.date(), as_of=today.date())
    early = [key for key, gap in house.read().open_gaps.items() if gap["skip_reason"] == "bootstrap"]
    keys = to_keys(early)
    days = list_days(keys)
    run("gaps", days[0], days[-1], keys, bootstrap_days=0)
    return house.read()


@pytest.fixture(scope="module")
def league() -> League:
    return make_odd_league()


@pytest.fixture
def temp(bucket: storage.Bucket, emulators: Emulators, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of Cloud Storage for the files of runs."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulators.gcs)
    return f"gs://{bucket.name}/some/folder"


@pytest.fixture
def cloud(emulators: Emulators, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An empty project, whose runs keep their files in a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Cloud(make_address(emulators, project))
    made.warehouse.initialize()
    return made


@pytest.mark.slow
def test_three_workers_that_repeat_bundles_and_keep_files_in_a_bucket_make_the_same_tables(
    league: League, cloud: Cloud, temp: str, bucket: storage.Bucket, tmp_path: Path
) -> None:
    days = list_dates(league[PLAYER_GAME_SUMMARY])
    house = House(str(tmp_path / "w.duckdb"), days)
    cloud = replace(cloud, path=f"{cloud.path}&temp={temp}", days=days)
    for place in (house, cloud):
        fill_inputs(place, league)
    expected = tell(house, parallel=1)
    found = tell(cloud, parallel=3, beam_args=("--direct_runner_bundle_repeat=2",))
    compare(found, expected)
    assert_that([run["mode"] for run in found.runs], equal_to(["backfill", "daily", "gaps"]))
    assert_that(found.runs[2], has_entries(gaps_resolved=greater_than(5)))
    assert_that(len({row["data_hash"] for row in found.features.values()}), greater_than(80))
    assert_that(len({gap["skip_reason"] for gap in found.gaps.values()}), greater_than(1))
    # nothing of the runs is left but what they published
    assert_that([table.table_id for table in cloud.client.list_tables("feature_store_staging")], empty())
    assert_that([blob.name for blob in bucket.list_blobs()], empty())
    assert_that(list(find_cache().iterdir()), empty())


@pytest.mark.slow
def test_worker_processes_read_and_commit_the_same(
    league: League, cloud: Cloud, temp: str, tmp_path: Path
) -> None:
    days = list_dates(league[PLAYER_GAME_SUMMARY])
    house = House(str(tmp_path / "w.duckdb"), days)
    cloud = replace(cloud, path=f"{cloud.path}&temp={temp}", days=days)
    dates = [f"--start-date={days[0]}", f"--end-date={days[-1]}"]
    for place in (house, cloud):
        fill_inputs(place, league)
    house.run()
    ended = spawn(
        "backfill",
        f"--warehouse={cloud.path}",
        *dates,
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=2",
        timeout=120,
    )
    assert_that(ended.returncode, equal_to(0), ended.stderr.decode())
    compare(cloud.read(), house.read())
