"""Side tables under fault: repeated bundles, workers, other loaders' types, hostile values, no zone data."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hamcrest import assert_that, empty, equal_to, greater_than
from leagues import make_league as make_wild_league
from side_tables import TABLES, make_sides, to_tables
from warehouse import House, Row, differences, list_dates, make_league, make_row

from transforms.side_tables import INJURY_REPORT, PLAYER_ALIASES, POINTS_LINES, REGISTRY, SCHEDULE, UPCOMING

SEED = 2
ROWS = make_league(dates=12, players=3)
DAYS = list_dates(ROWS)
TODAY = DAYS[-1] + timedelta(days=1)
TIP = datetime(TODAY.year, TODAY.month, TODAY.day, 23, 30, tzinfo=UTC)
RIGHT_TO_LEFT, QUOTES = "\u202eevil\u05d0", "o'brien\"; DROP TABLE x --"


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A league with side tables that hold everything that they should not."""
    league = make_wild_league(SEED)
    rows = [row for row in league.rows if row["game_date"] is not None]
    house = House(str(tmp_path_factory.mktemp("wild") / "w.duckdb"), sorted({r["game_date"] for r in rows}))
    house.put(rows)
    for table in TABLES.values():
        house.put_side(table, to_tables(make_sides(SEED, league))[table.path].to_pylist())
    return house


def backfill(house: House, **options: Any) -> None:
    days = house.days
    house.run(days[len(days) // 2], days[-1] + timedelta(days=5), as_of=days[-1], **options)


@pytest.mark.parametrize(
    "options",
    [{"parallel": 2}, {"parallel": 7}, {"beam_args": ("--direct_runner_bundle_repeat=2",)}],
    ids=lambda options: str(options),
)
def test_workers_and_repeated_bundles_write_the_same_tables(
    wild: House, tmp_path: Path, options: dict[str, Any]
) -> None:
    one, other = wild.copy(tmp_path / "one.duckdb"), wild.copy(tmp_path / "other.duckdb")
    backfill(one, include_injured=True)
    backfill(other, include_injured=True, **options)
    assert_that(differences(other.read(), one.read()), empty())
    assert_that(len(one.read().features), greater_than(100))


def announce(player: str) -> Row:
    row: Row = {"player_lookup": player, "game_id": "g1", "game_date": TODAY, "team_abbr": "BOS"}
    return row | {"opponent_team_abbr": "CHI", "home_game": True}


def report(status: str, at: datetime, player: str = "bos0", **changes: Any) -> Row:
    row: Row = {"player_lookup": player, "game_date": TODAY, "team": "BOS", "injury_status": status}
    return row | {"reported_at": at} | changes


def offer(points: float, at: datetime, player: str = "bos0", bookmaker: str = "fanduel") -> Row:
    row: Row = {"player_lookup": player, "game_date": TODAY, "bookmaker": bookmaker}
    return row | {"points_line": points, "snapshot_timestamp": at}


def game(**changes: Any) -> Row:
    row: Row = {"game_id": "g1", "game_date": TODAY, "home_team_abbr": "BOS", "away_team_abbr": "CHI"}
    return row | {"game_status": 1, "game_type": "Regular Season", "tipoff_at": TIP} | changes


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(str(tmp_path / "w.duckdb"), DAYS)
    made.put(ROWS)
    made.put_side(UPCOMING, [announce("bos0")])
    made.put_side(SCHEDULE, [game()])
    made.put_side(INJURY_REPORT, [report("Doubtful", TIP), report("Out", TIP + timedelta(microseconds=1))])
    made.put_side(POINTS_LINES, [offer(20.5, TIP), offer(99.5, TIP + timedelta(microseconds=1))])
    return made


def read_today(house: House, player: str = "bos0") -> list[float | None]:
    house.commit(TODAY, TODAY, as_of=TODAY, bootstrap_days=0)
    row = house.read().features[player, TODAY]
    return [row[f"feature_{index}_value"] for index in (10, 25, 26, 27, 28)]


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        (SCHEDULE, "tipoff_at", "TIMESTAMP"),
        (SCHEDULE, "tipoff_at", "TIMESTAMP_NS"),
        (SCHEDULE, "tipoff_at", "TIMESTAMP_S"),
        (SCHEDULE, "game_status", "SMALLINT"),
        (INJURY_REPORT, "reported_at", "TIMESTAMP"),
        (INJURY_REPORT, "reported_at", "TIMESTAMP_NS"),
        (POINTS_LINES, "snapshot_timestamp", "TIMESTAMP"),
        (POINTS_LINES, "points_line", "DECIMAL(9, 2)"),
        (POINTS_LINES, "points_line", "REAL"),
    ],
    ids=str,
)
def test_columns_of_types_that_fit_give_the_same_values(
    house: House, table: Any, column: str, kind: str
) -> None:
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(f"ALTER TABLE {table.path} ALTER {column} TYPE {kind}")
    assert_that(read_today(house), equal_to([3, 20.5, 20.5, 0, 1]))


@pytest.mark.parametrize("kind", ["VARCHAR", "DATE"])
def test_a_tip_off_that_is_no_instant_is_refused(house: House, kind: str) -> None:
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(f"ALTER TABLE {SCHEDULE.path} ALTER tipoff_at TYPE {kind}")
    with pytest.raises(Exception, match=r"nba_schedule.tipoff_at must be a timestamp"):
        house.commit(TODAY, TODAY, as_of=TODAY)


@pytest.mark.parametrize("name", [RIGHT_TO_LEFT, QUOTES, "Z\u0301oe", "\U0001f3c0", "x" * 5000])
def test_hostile_names_travel_through_every_table(house: House, name: str) -> None:
    history = [make_row("hostile", day, "BOS", "CHI") for day in DAYS[-6:]]
    house.put([*ROWS, *history])
    house.put_side(UPCOMING, [announce(name)])
    house.put_side(PLAYER_ALIASES, [{"alias_lookup": "hostile", "nba_canonical_lookup": name}])
    house.put_side(REGISTRY, [{"player_lookup": "hostile", "birth_date": date(1980, 1, 1)}])
    house.put_side(INJURY_REPORT, [report("Out", TIP, "hostile")])
    house.put_side(POINTS_LINES, [offer(7.5, TIP, "hostile", bookmaker=name)])
    assert_that(read_today(house, name), equal_to([3, 7.5, 7.5, 0, 1]))


def test_absurd_figures_and_instants_are_no_values_of_others(house: House) -> None:
    far = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]
    house.put_side(INJURY_REPORT, [report("Probable", at) for at in far] + [report("x" * 9999, TIP, "other")])
    crowd = [offer(10 + n / 2, TIP - timedelta(seconds=n)) for n in range(20_000)]
    odd = [offer(x, TIP - timedelta(days=1)) for x in (float("nan"), float("inf"), -1e308, 0.0, -0.0)]
    house.put_side(POINTS_LINES, [*crowd, *odd, offer(1e308, far[0]), offer(5.5, far[1])])
    assert_that(read_today(house), equal_to([1, 10.0, 1e308, 10.0 - 1e308, 1]))


@pytest.mark.parametrize("bogus", [False, True], ids=["no zone data", "bogus zone data"])
def test_the_cut_off_does_not_depend_on_the_machines_zone_data(tmp_path: Path, bogus: bool) -> None:
    if bogus:
        (tmp_path / "America").mkdir()
        (tmp_path / "America" / "New_York").write_bytes(b"no zone")
    program = "import datetime, transforms.eastern as e; print(e.find_noon(datetime.date(2024, 7, 1)))"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    noon = datetime(2024, 7, 1, 16, tzinfo=UTC)
    assert_that(int(ended.stdout), equal_to(int(noon.timestamp()) * 10**6))
