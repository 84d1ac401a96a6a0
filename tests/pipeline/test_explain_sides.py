"""``explain`` where there are side tables: reports and lines, announced targets, renamed players."""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from arithmetic import calculate
from hamcrest import (
    all_of,
    assert_that,
    contains_exactly,
    contains_inanyorder,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_length,
)
from leagues import make_league as make_wild_league
from side_tables import TABLES, make_sides, to_tables
from terminal import Finished, Run
from warehouse import House, Row, list_dates, make_league, make_row

from pipeline.explaining import explain_feature, explain_key, find_feature, is_same
from pipeline.formulas import FORMULAS
from transforms.side_tables import (
    INJURY_REPORT,
    PLAYER_ALIASES,
    POINTS_LINES,
    REGISTRY,
    SCHEDULE,
    UPCOMING,
)
from transforms.vector import FEATURES

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ROWS = make_league(dates=12, players=3)
DAYS = list_dates(ROWS)
TODAY = DAYS[-1] + timedelta(days=1)
TIP = datetime(TODAY.year, TODAY.month, TODAY.day, 23, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def announce(player: str, game_id: str = "g1") -> Row:
    row: Row = {"player_lookup": player, "game_id": game_id, "game_date": TODAY, "team_abbr": "BOS"}
    return row | {"opponent_team_abbr": "CHI", "home_game": True}


def schedule(game_id: str, **changes: object) -> Row:
    row: Row = {"game_id": game_id, "game_date": TODAY, "home_team_abbr": "BOS", "away_team_abbr": "CHI"}
    return row | {"game_status": 1, "game_type": "Regular Season", "tipoff_at": TIP} | changes


def report(status: str, at: datetime) -> Row:
    row: Row = {"player_lookup": "bos0", "game_date": TODAY, "team": "BOS"}
    return row | {"injury_status": status, "reported_at": at}


def offer(bookmaker: str, points: float, at: datetime) -> Row:
    row: Row = {"player_lookup": "bos0", "game_date": TODAY, "bookmaker": bookmaker}
    return row | {"points_line": points, "snapshot_timestamp": at}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two are announced for today, another for a game that is postponed; one has an older name."""
    made = House(str(tmp_path_factory.mktemp("sides") / "w.duckdb"), DAYS)
    mine = [row for row in ROWS if row["player_lookup"] == "bos0" and row["game_date"] < DAYS[4]]
    old = [row | {"player_lookup": "bosold"} for row in mine]
    kept = [row for row in ROWS if row not in mine]
    preseason = make_row("bos2", TODAY, "BOS", "CHI", season_type="Pre Season", game_id="p1")
    made.put([*kept, *old, preseason])
    made.put_side(PLAYER_ALIASES, [{"alias_lookup": "bosold", "nba_canonical_lookup": "bos0"}])
    made.put_side(UPCOMING, [announce("bos0"), announce("bos1", "g9"), announce("stranger")])
    made.put_side(SCHEDULE, [schedule("g1"), schedule("g9", game_status=9)])
    names = sorted({row["player_lookup"] for row in ROWS})
    made.put_side(REGISTRY, [{"player_lookup": name, "birth_date": date(1988, 2, 29)} for name in names])
    made.put_side(INJURY_REPORT, [report("Questionable", TIP - HOUR), report("Out", TIP + HOUR)])
    early, late = offer("draftkings", 20.5, TIP - 9 * HOUR), offer("DraftKings ", 21.5, TIP)
    offers = [early, late, offer("zebra", 9.5, TIP - HOUR)]
    made.put_side(POINTS_LINES, [*offers, offer("draftkings", 30.5, TIP + HOUR)])
    made.commit(DAYS[8], TODAY, as_of=TODAY, bootstrap_days=0)
    return made


def explain(run: Run, house: House, player: str, *more: str, day: date = TODAY) -> Finished:
    return run("explain", f"--warehouse={house.path}", f"--player={player}", f"--date={day}", *more)


@pytest.mark.parametrize("seed", [2, 8, 5, 4])
def test_every_sampled_row_is_computed_again_to_the_bit(seed: int, tmp_path: Path) -> None:
    league = make_wild_league(seed)
    rows = [row for row in league.rows if row["game_date"] is not None]
    days = sorted({row["game_date"] for row in rows})
    house = House(str(tmp_path / "w.duckdb"), days)
    house.put(rows)
    for path, table in to_tables(make_sides(seed, league)).items():
        (definition,) = (found for found in TABLES.values() if found.path == path)
        house.put_side(definition, table.to_pylist())
    house.commit(days[len(days) // 2], days[-1] + timedelta(days=5), as_of=days[-1], include_injured=True)
    keys = random.Random(seed).sample(sorted(house.read().features), 12)
    for key in keys:
        found = explain_key(house.warehouse, *key, NOW)
        assert_that(found.is_same, equal_to(True), str(key))
        for feature in FEATURES:
            item = explain_feature(found, feature)
            assert_that(item.is_same, f"{key} {feature.name}")
            for part in item.formula:
                # half a difference of figures that are printed to six digits
                assert part.value == pytest.approx(calculate(part.expression), rel=1e-4, abs=2e-3), part


def test_the_formulas_of_reports_lines_and_age_are_told(house: House) -> None:
    found = explain_key(house.warehouse, "bos0", TODAY, NOW)
    told = {}
    for name in FORMULAS:
        item = explain_feature(found, find_feature(name))
        assert is_same(item.stored, item.recomputed)
        for part in item.formula:
            assert part.value == pytest.approx(calculate(part.expression), rel=1e-4, abs=1e-4), part
        told[name] = " / ".join(part.what for part in item.formula)
    assert_that([name for name, text in told.items() if not text], empty())
    assert_that(told["injury_risk"], contains_string("22:30 UTC: Questionable"))
    assert_that(told["fatigue_score"], contains_string("35 years or older"))


def test_what_was_said_is_listed_with_whether_it_came_in_time(house: House, run: Run) -> None:
    text = explain(run, house, "bos0", "--feature", "vegas_points_line").out
    listed = [line for line in text.splitlines() if re.match(r"\d{4}-\d\d-\d\d \d\d:", line)]
    in_time = [line.split()[-1] for line in listed]
    assert_that(in_time, equal_to(["yes", "yes", "yes", "no"]))
    assert_that(text, contains_string(f"cut off at {TIP:%Y-%m-%d %H:%M:%S} UTC"))
    said = explain(run, house, "bos0", "--feature", "injury_risk", "--json").json["feature"]["said"]
    assert_that([row["injury_status"] for row in said], equal_to(["Questionable", "Out"]))
    whole = explain(run, house, "bos0").out
    assert_that(whole, all_of(contains_string("2 reports"), contains_string("4 lines")))


def test_an_announced_target_is_explained_without_a_box_score(house: House, run: Run) -> None:
    answer = explain(run, house, "bos0", "--json").json
    assert_that(answer, has_entries(same=True, differences=empty()))
    text = explain(run, house, "bos0", "--feature", "points_avg_last_5").out
    assert_that(text, contains_string("recomputed"))


def test_rows_under_an_older_name_are_among_the_games(house: House) -> None:
    found = explain_key(house.warehouse, "bos0", DAYS[8], NOW)
    item = explain_feature(found, find_feature("points_avg_last_10"))
    assert_that([row["game_date"] for row in item.games], equal_to(DAYS[:8]))


@pytest.mark.parametrize(
    ("player", "reason"),
    [
        ("bos1", "the game is not played on this date"),
        ("bosold", "an alias of bos0"),
        ("bos2", "a preseason or all-star game"),
    ],
)
def test_who_is_named_and_no_target_is_told_why(house: House, run: Run, player: str, reason: str) -> None:
    day = DAYS[3] if player == "bosold" else TODAY
    ended = explain(run, house, player, day=day)
    assert_that((ended.code, ended.err), contains_exactly(3, contains_string(reason)))


def test_who_is_not_registered_and_who_did_not_come_are_told_what_would_fill_it(
    house: House, run: Run, tmp_path: Path
) -> None:
    text = explain(run, house, "stranger").out.replace("\n", " ")
    assert_that(text, all_of(contains_string("unregistered_player"), contains_string(REGISTRY.path)))
    later = house.copy(tmp_path / "later.duckdb")
    later.commit(TODAY, TODAY, as_of=TODAY + timedelta(days=1))
    found = explain_key(later.warehouse, "bos0", TODAY, NOW)
    assert_that((found.gap or {})["skip_reason"], equal_to("no_game_summary"))
    assert_that(found.is_same, equal_to(True))
    text = " ".join(explain(run, later, "bos0").out.split())
    assert_that(text, contains_string("import the box scores of the date"))


def test_the_run_is_asked_what_it_took_for_today(house: House) -> None:
    """Today, by the clock, the announced game is long over."""
    found = explain_key(house.warehouse, "bos0", TODAY, NOW)
    assert_that((found.found.gap, found.is_same), contains_exactly(None, True))


def test_without_their_tables_reports_and_lines_are_said_to_have_none(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(ROWS)
    house.commit(bootstrap_days=0)
    found = explain_key(house.warehouse, "bos0", DAYS[-1], NOW)
    for name, kind in (("injury_risk", "injury report"), ("vegas_points_line", "betting line")):
        missing = explain_feature(found, find_feature(name)).missing
        assert_that(missing, has_length(2))
        assert_that(missing[-1], equal_to(f"there is no table of {kind}s"))


def test_a_player_without_lines_on_a_date_that_has_some_is_told_so(house: House) -> None:
    found = explain_key(house.warehouse, "bos1", DAYS[-1], NOW)
    missing = explain_feature(found, find_feature("vegas_points_line")).missing
    assert_that(missing, contains_inanyorder(contains_string("it is missing when"), "rows of the player: 0"))
