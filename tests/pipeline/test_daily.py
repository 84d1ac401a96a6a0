"""The daily run and the side tables, from the command line to what readers see."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hamcrest import (
    all_of,
    assert_that,
    contains_exactly,
    contains_inanyorder,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_entry,
    has_item,
    has_items,
    not_,
    only_contains,
)
from terminal import Run
from warehouse import House, Row, list_dates, make_league, make_row, to_keys

from pipeline.errors import Conflict, UsageError, WrongShape
from pipeline.main import run_job
from pipeline.options import BackfillConfig, take_mode
from transforms.eastern import eastern_date
from transforms.schema import Table
from transforms.side_tables import (
    INJURY_REPORT,
    PLAYER_ALIASES,
    POINTS_LINES,
    REGISTRY,
    SCHEDULE,
    SIDE_TABLES,
    UPCOMING,
)

ROWS = make_league(dates=12, players=3)
DAYS = list_dates(ROWS)
LAST = DAYS[-1]
TODAY = LAST + timedelta(days=1)
PLAYERS = ("bos0", "bos1", "chi0")
NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 17, tzinfo=UTC)


def announce(player: str, day: date = TODAY, **changes: Any) -> Row:
    """An upcoming row of the game BOS at CHI."""
    team, opponent = ("BOS", "CHI") if player.startswith("bos") else ("CHI", "BOS")
    row = {"player_lookup": player, "game_id": f"g{day:%m%d}", "game_date": day, "team_abbr": team}
    return row | {"opponent_team_abbr": opponent, "home_game": team == "CHI"} | changes


def play(player: str, day: date = TODAY, **changes: Any) -> Row:
    team, opponent = ("BOS", "CHI") if player.startswith("bos") else ("CHI", "BOS")
    return make_row(player, day, team, opponent, game_id=f"g{day:%m%d}") | changes


def game(day: date = TODAY, **changes: Any) -> Row:
    row = {"game_id": f"g{day:%m%d}", "game_date": day, "home_team_abbr": "CHI", "away_team_abbr": "BOS"}
    return row | {"game_status": 1, "game_type": "Regular Season", "tipoff_at": None} | changes


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A league until yesterday; three players are announced for today."""
    made = House(str(tmp_path / "w.duckdb"), DAYS)
    made.put(ROWS)
    made.put_side(UPCOMING, [announce(player) for player in PLAYERS])
    return made


def daily(house: House, day: date = TODAY, lookback: int = 3, **options: Any) -> Any:
    """A daily run, in process, as of its date."""
    config = BackfillConfig(
        house.path, day - timedelta(days=lookback), day, as_of=day, bootstrap_days=0, **options
    )
    return run_job(config, "daily")


def test_who_is_announced_for_today_gets_a_row_before_the_game(house: House) -> None:
    report = daily(house)
    assert_that(report.row, has_entries(mode="daily", status="success", data_date=TODAY))
    rows = {player: row for (player, day), row in house.read().features.items() if day == TODAY}
    assert_that(rows.keys(), contains_inanyorder(*PLAYERS))
    assert_that(
        rows["chi0"],
        has_entries(game_id=f"g{TODAY:%m%d}", team_abbr="CHI", opponent_team_abbr="BOS", is_home=True),
    )
    assert_that(rows["chi0"]["historical_completeness"]["games_found"], equal_to(10))


def test_after_the_game_rows_are_replaced_and_who_did_not_come_is_a_gap(house: House) -> None:
    daily(house)
    house.put([*ROWS, play("bos0", is_home=None), play("chi0")])
    report = daily(house, TODAY + timedelta(days=1))
    tables = house.read()
    assert_that(report.row, has_entries(records_updated=2, records_deleted=1, gaps_opened=1))
    assert_that(tables.features["bos0", TODAY]["is_home"], equal_to(None))
    assert_that(tables.open_gaps.keys(), contains_exactly(("bos1", TODAY)))
    assert_that(tables.open_gaps["bos1", TODAY]["skip_reason"], equal_to("no_game_summary"))
    # and should the box score come late, the gap is filled
    house.put([*ROWS, *(play(player) for player in PLAYERS)])
    daily(house, TODAY + timedelta(days=1))
    assert_that(house.read().open_gaps, empty())
    assert_that(("bos1", TODAY) in house.read().features)


def test_many_who_did_not_come_need_no_permission_to_lose_their_rows(house: House) -> None:
    house.put_side(UPCOMING, [announce(f"bos{n}x") for n in range(40)] + [announce("bos0")])
    house.put([*ROWS, *(play(f"bos{n}x", LAST) for n in range(40))])
    daily(house)
    assert_that(daily(house, TODAY + timedelta(days=1)).row, has_entries(records_deleted=41, gaps_opened=41))


def test_a_row_whose_announcement_is_gone_is_a_loss_that_needs_permission(house: House) -> None:
    house.put_side(UPCOMING, [announce(f"bos{n}x") for n in range(40)])
    house.put([*ROWS, *(play(f"bos{n}x", LAST) for n in range(40))])
    daily(house)
    house.put_side(UPCOMING, [announce("bos0x")])
    with pytest.raises(Exception, match="--allow-deletes"):
        daily(house)


def test_a_later_date_than_today_makes_nobody_a_no_show_of_today(house: House) -> None:
    """The date given never counts as later than the clock's."""
    now = datetime.now(UTC)
    today = eastern_date(now)
    house.put([play(player, today - timedelta(days=2)) for player in PLAYERS])
    house.put_side(UPCOMING, [announce(player, today) for player in PLAYERS])
    daily(house, today + timedelta(days=1))
    tables = house.read()
    assert_that([day for _, day in tables.features].count(today), equal_to(len(PLAYERS)))
    daily(house, today - timedelta(days=1), lookback=0)
    assert_that([day for _, day in house.read().features].count(today), equal_to(len(PLAYERS)))


def test_a_backfill_takes_the_clocks_date_for_today(house: House) -> None:
    house.run(TODAY, TODAY)
    reasons = [gap["skip_reason"] for gap in house.read().open_gaps.values()]
    assert_that(reasons, equal_to(["no_game_summary"] * len(PLAYERS)))


@pytest.mark.parametrize(
    ("schedule", "detail"),
    [
        ([game(game_status=9)], "the game is not played on this date"),
        ([game(TODAY + timedelta(days=30), game_id=f"g{TODAY:%m%d}")], "it stands on "),
    ],
    ids=["status 9", "moved"],
)
def test_a_postponed_game_leaves_no_row_and_no_gap_on_its_old_date(
    house: House, schedule: list[Row], detail: str
) -> None:
    house.put_side(UPCOMING, [*(announce(player) for player in PLAYERS), announce("bosnew")])
    daily(house)
    assert_that(house.read().open_gaps.keys(), contains_exactly(("bosnew", TODAY)))
    house.put_side(SCHEDULE, schedule)
    report = daily(house)
    tables = house.read()
    assert_that([key for key in tables.features if key[1] == TODAY], empty())
    assert_that(tables.open_gaps, empty())
    gap = tables.gaps["bosnew", TODAY]
    assert_that(gap["skip_detail"], all_of(contains_string("no target any more"), contains_string(detail)))
    assert_that(report.row["timing_breakdown"]["detail"]["clean"], has_entry("upcoming_postponed", 4))


def test_a_run_reads_its_window_and_nothing_else(house: House) -> None:
    old = [play("bos0", LAST - timedelta(days=400 + n)) for n in range(5)]
    house.put([*ROWS, *old])
    house.put_side(POINTS_LINES, [offer(20.5), offer(9.5, game_date=LAST - timedelta(days=9))])
    detail = daily(house).row["timing_breakdown"]["detail"]
    assert_that(detail["extract"]["rows"], equal_to(len(ROWS)))
    assert_that(detail["extract"][f"{POINTS_LINES.name}_rows"], equal_to(1))


def offer(line: float, at: datetime = NOON, **changes: Any) -> Row:
    row = {"player_lookup": "bos0", "game_date": TODAY, "bookmaker": "fanduel", "points_line": line}
    return row | {"snapshot_timestamp": at} | changes


def report_injury(player: str, status: str, at: datetime = NOON, **changes: Any) -> Row:
    row = {"player_lookup": player, "game_date": TODAY, "team": "BOS", "injury_status": status}
    return row | {"reported_at": at} | changes


def test_without_games_a_daily_run_is_a_success_that_says_so(house: House, run: Run) -> None:
    idle = TODAY + timedelta(days=30)
    ended = run("daily", f"--warehouse={house.path}", f"--date={idle}", "--lookback-days=0")
    assert_that((ended.code, ended.out), contains_exactly(0, contains_string("there were no games in these")))
    ended = run("daily", f"--warehouse={house.path}", f"--date={TODAY + timedelta(days=1)}")
    assert_that(
        ended.out, contains_string(f"is committed and reconciled: no games on {TODAY + timedelta(days=1)}")
    )
    ended = run("daily", f"--warehouse={house.path}", f"--date={TODAY}")
    assert_that(ended.out, not_(contains_string("no games")))


def test_a_daily_run_covers_its_date_and_the_days_before_by_default_three(house: House, run: Run) -> None:
    summary = run("daily", f"--warehouse={house.path}", f"--date={TODAY}", "--json").json
    assert_that(
        summary,
        has_entries(
            mode="daily", start_date=str(TODAY - timedelta(days=3)), end_date=str(TODAY), exit_code=0
        ),
    )
    summary = run("daily", f"--warehouse={house.path}", "--json", "--lookback-days=1").json
    today = eastern_date(datetime.now(UTC))
    # the clock may pass midnight between the two
    assert_that([str(today), str(today - timedelta(days=1))], has_item(summary["end_date"]))
    assert_that(
        date.fromisoformat(summary["start_date"]),
        equal_to(date.fromisoformat(summary["end_date"]) - timedelta(days=1)),
    )


@pytest.mark.parametrize(
    ("given", "command"),
    [
        (["--mode=daily", "--date", "2024-01-01"], ["daily", "--date", "2024-01-01"]),
        (["--parallel=2", "--mode", "backfill"], ["backfill", "--parallel=2"]),
        (["--parallel=2"], ["backfill", "--parallel=2"]),
    ],
)
def test_a_launcher_names_the_mode_of_the_job(given: list[str], command: list[str]) -> None:
    assert_that(take_mode(given), equal_to(command))
    with pytest.raises(UsageError, match="--mode"):
        take_mode(["--mode=nonsense"])


def test_the_first_of_all_days_has_no_days_before_it(house: House, run: Run) -> None:
    plan = run("daily", f"--warehouse={house.path}", f"--date={date.min}", "--dry-run", "--json").json
    assert_that(plan, has_entries(start_date=str(date.min), end_date=str(date.min)))


def test_who_is_counted_as_announced_is_a_target(house: House) -> None:
    detail = daily(house).row["timing_breakdown"]["detail"]["clean"]
    assert_that(detail, has_entries(targets_announced=3, targets_injured=0))
    house.put_side(UPCOMING, [announce(player) for player in (*PLAYERS, "late")])
    config = BackfillConfig(house.path, TODAY, TODAY, as_of=TODAY)
    requested = to_keys([("late", TODAY)])
    detail = run_job(config, "gaps", requested).row["timing_breakdown"]["detail"]["clean"]
    assert_that(detail, has_entries(targets=1, targets_announced=1))


def test_a_dry_run_of_a_day_shows_what_is_announced(house: House, run: Run) -> None:
    plan = run("daily", f"--warehouse={house.path}", f"--date={TODAY}", "--dry-run", "--json").json
    assert_that(plan, has_entries(upcoming=3, end_date=str(TODAY)))
    shown = run("daily", f"--warehouse={house.path}", f"--date={TODAY}", "--dry-run").out
    assert_that(shown, all_of(contains_string("3 upcoming rows"), contains_string("absent")))


def test_what_is_absent_is_said_once_and_its_features_are_missing(house: House, run: Run) -> None:
    ended = run("daily", f"--warehouse={house.path}", f"--date={TODAY}")
    assert_that((ended.out + ended.err).count(INJURY_REPORT.name), equal_to(1))
    assert_that(ended.out, contains_string("so injury_risk, vegas_points_line"))
    rows = house.read().features.values()
    for index in (10, 25, 26, 27, 28):
        assert_that({row[f"feature_{index}_source"] for row in rows}, equal_to({"missing"}))
    # a missing optional feature lowers neither quality nor readiness
    assert_that({row["missing_required_count"] for row in rows}, has_item(0))


NAMES = sorted({row["player_lookup"] for row in ROWS})
FULL: dict[Table, list[Row]] = {
    UPCOMING: [announce(player) for player in PLAYERS],
    SCHEDULE: [game(day) for day in (*DAYS, TODAY)],
    REGISTRY: [{"player_lookup": p, "birth_date": date(1988, 1, 1)} for p in NAMES],
    PLAYER_ALIASES: [],
    INJURY_REPORT: [
        report_injury("bos1", "Questionable"), report_injury("bos1", "Out", NOON + timedelta(hours=1)),
    ],
    POINTS_LINES: [
        offer(21.5), offer(20.5, NOON - timedelta(hours=2)), offer(30.5, NOON + timedelta(seconds=1)),
        offer(8.5, bookmaker="zebra", at=NOON - timedelta(hours=9)),
    ],
}  # fmt: skip


def fill(house: House, without: tuple[Table, ...] = ()) -> None:
    for table, rows in FULL.items():
        if table not in without:
            house.put_side(table, rows)


def test_every_feature_of_a_player_with_history_and_lines_is_known(house: House) -> None:
    fill(house)
    daily(house)
    row = house.read().features["bos0", TODAY]
    assert_that([n for n in range(37) if row[f"feature_{n}_source"] == "missing"], empty())
    assert_that([row[f"feature_{n}_value"] for n in (10, 25, 26, 27, 28)], equal_to([0, 21.5, 20.5, 1.0, 1]))
    assert_that(house.read().features["bos1", TODAY]["feature_10_value"], equal_to(2))
    assert_that(house.read().features["bos1", TODAY]["feature_28_value"], equal_to(0))


@pytest.mark.parametrize("without", range(2 ** len(SIDE_TABLES)))
def test_quality_and_readiness_hold_with_every_combination_of_side_tables(
    without: int, tmp_path: Path
) -> None:
    gone = tuple(table for bit, table in enumerate(SIDE_TABLES) if without >> bit & 1)
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(ROWS)
    fill(house, gone)
    house.commit(TODAY - timedelta(days=4), TODAY, as_of=TODAY, bootstrap_days=0)
    rows = house.read().features
    assert_that(bool([key for key in rows if key[1] == TODAY]), equal_to(UPCOMING not in gone))
    lacking = {index for index, table in ((10, INJURY_REPORT), (28, POINTS_LINES)) if table in gone}
    for (player, day), row in rows.items():
        missing = {n for n in range(37) if row[f"feature_{n}_source"] == "missing"}
        assert_that({n for n in range(37) if row[f"feature_{n}_value"] is None}, equal_to(missing))
        assert_that(missing >= lacking)
        assert_that(row, has_entries(missing_required_count=0, feature_quality_score=100.0))
        assert_that(row, has_entries(quality_tier="gold", is_quality_ready=True))
        assert_that(10 in missing, equal_to(INJURY_REPORT in gone or day != TODAY), f"{player} {day}")
        aged = REGISTRY not in gone
        assert_that(
            row["feature_5_value"] % 5,
            equal_to(0 if row["feature_5_value"] == 100 else row["feature_5_value"] % 5),
        )
        assert_that(aged or row["feature_5_value"] is not None)


def test_the_same_tables_again_change_nothing(house: House) -> None:
    fill(house)
    daily(house)
    before = house.read()
    row = daily(house).row
    assert_that(row, has_entries(records_created=0, records_updated=0, records_deleted=0))
    assert_that(house.read().content, equal_to(before.content))


def test_a_side_table_that_changes_under_a_run_is_a_conflict(house: House) -> None:
    fill(house)
    for table in SIDE_TABLES:
        staged = house.stage(LAST, TODAY)
        house.put_side(table, FULL[table])
        with pytest.raises(Conflict, match=f"inputs changed, run again: {table.path}"):
            house.publish(staged)


def test_a_side_table_of_another_shape_is_refused_with_every_problem(house: House, run: Run) -> None:
    with house.warehouse.open(read_only=False) as connection:
        connection.execute("CREATE SCHEMA nba_raw")
        connection.execute(f"CREATE TABLE {INJURY_REPORT.path} (player_lookup VARCHAR, game_date VARCHAR)")
        connection.execute("CREATE SCHEMA IF NOT EXISTS nba_reference")
        connection.execute(f"CREATE TABLE {REGISTRY.path} (player_lookup VARCHAR, birth_date VARCHAR)")
    with pytest.raises(WrongShape) as wrong:
        daily(house)
    for problem in (
        f"{INJURY_REPORT.path}.game_date must be a date, found string",
        f"{INJURY_REPORT.path} lacks the column injury_status",
        f"{REGISTRY.path}.birth_date must be a date, found string",
    ):
        assert_that(str(wrong.value), contains_string(problem))
    assert_that(run("daily", f"--warehouse={house.path}", f"--date={TODAY}").code, equal_to(4))


def test_columns_that_a_side_table_lacks_are_noted(house: House, run: Run) -> None:
    house.put_side(SCHEDULE, [game()])
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(f"ALTER TABLE {SCHEDULE.path} DROP COLUMN tipoff_at")
    summary = run("daily", f"--warehouse={house.path}", f"--date={TODAY}", "--json").json
    assert_that(summary["notes"], has_item(contains_string(f"{SCHEDULE.path} has no tipoff_at")))


def test_rows_that_cannot_be_used_are_counted_by_input(house: House, run: Run) -> None:
    fill(house)
    house.put_side(
        UPCOMING, [*FULL[UPCOMING], announce("bos0"), announce(" "), announce("bos2", game_id="0012300001")]
    )
    house.put_side(INJURY_REPORT, [report_injury("bos0", "GTD"), report_injury("bos0", "Out", at=None)])  # type: ignore[arg-type]
    house.put_side(POINTS_LINES, [offer(-1.0), offer(20.5, player_lookup=None)])
    house.put_side(SCHEDULE, [game(), game(game_id=None), game(LAST, tipoff_at=NOON + timedelta(days=3))])
    house.put_side(REGISTRY, [*FULL[REGISTRY], {"player_lookup": None}, {"player_lookup": "bos0"}])
    house.put_side(
        PLAYER_ALIASES,
        [name_alias("a", "b"), name_alias("b", "a"), name_alias("c", "d"), name_alias("c", "e")],
    )
    summary = run("daily", f"--warehouse={house.path}", f"--date={TODAY}", "--json").json
    assert_that(
        summary["passed_over"],
        has_entries(
            upcoming={"exhibition": 1, "duplicate": 1, "without a player": 1},
            injuries={"of unknown status": 1, "without player or time": 1},
            lines={"not positive": 1, "without player or time": 1},
            schedule={"without a game id": 1, "with a tip-off on another date": 1},
            registry={"duplicate": 1, "without a player": 1},
            aliases={"in a circle": 2, "with several canonical lookups": 1},
        ),
    )
    assert_that(
        summary["notes"],
        has_items(
            "an alias that leads into a circle, it is not resolved: a",
            "an alias with several canonical lookups, the smallest counts: c",
            contains_string("a tip-off on another date than its game"),
        ),
    )


def name_alias(alias: str, canonical: str) -> Row:
    return {"alias_lookup": alias, "nba_canonical_lookup": canonical}


def test_a_renamed_player_keeps_one_history(house: House, run: Run) -> None:
    old = [row | ({"player_lookup": "bosold"} if row["player_lookup"] == "bos0" else {}) for row in ROWS]
    house.put(
        [row if row["game_date"] > DAYS[6] else changed for row, changed in zip(ROWS, old, strict=True)]
    )
    daily(house)
    short = house.read().features["bos0", TODAY]["historical_completeness"]["games_found"]
    house.put_side(PLAYER_ALIASES, [name_alias("bosold", "bosmid"), name_alias("bosmid", "bos0")])
    summary = run("daily", f"--warehouse={house.path}", f"--date={TODAY}", "--json").json
    found = house.read().features["bos0", TODAY]["historical_completeness"]["games_found"]
    assert_that((short < 10, found), equal_to((True, 10)))
    assert_that(summary["timing_breakdown"]["detail"]["clean"]["rows_renamed"], equal_to(7))


def test_the_gap_of_a_lookup_that_became_an_alias_is_withdrawn_with_the_reason(house: House) -> None:
    house.put_side(UPCOMING, [announce("bosold")])
    daily(house)
    assert_that(house.read().open_gaps.keys(), contains_exactly(("bosold", TODAY)))
    house.put_side(PLAYER_ALIASES, [name_alias("bosold", "bos0")])
    daily(house)
    tables = house.read()
    assert_that(tables.gaps["bosold", TODAY]["skip_detail"], equal_to("no target any more: an alias of bos0"))
    assert_that((tables.open_gaps, ("bos0", TODAY) in tables.features), contains_exactly({}, True))


def test_two_people_behind_one_lookup_on_one_date_are_named(house: House, run: Run) -> None:
    twins = [play("bos0", universal_player_id=f"nba_{n}", points=n) for n in (7, 8)]
    house.put([*ROWS, *twins])
    ended = run("daily", f"--warehouse={house.path}", f"--date={TODAY}")
    assert_that(
        ended.out.replace("\n", " "),
        contains_string(f"rows of several people: bos0 on {TODAY}: nba_7, nba_8"),
    )
    assert_that(ended.out, contains_string("1 of several people"))


def test_whom_the_registry_does_not_know_is_a_gap_that_its_view_shows(house: House) -> None:
    known = [{"player_lookup": row["player_lookup"]} for row in ROWS if row["player_lookup"] != "bos1"]
    house.put_side(REGISTRY, known)
    daily(house)
    gaps = house.read().open_gaps
    assert_that({gap["skip_reason"] for gap in gaps.values()}, equal_to({"unregistered_player"}))
    assert_that({player for player, _ in gaps}, equal_to({"bos1"}))
    answer = house.warehouse.query("SELECT player_lookup, resolved_at FROM nba_processing.registry_failures")
    assert_that(answer.rows.num_rows, equal_to(len(gaps)))
    assert_that(answer.rows.column("resolved_at").to_pylist(), only_contains(equal_to(None)))
    house.put_side(REGISTRY, [*known, {"player_lookup": "bos1"}])
    daily(house)
    assert_that(house.read().open_gaps, empty())


def test_the_injured_are_targets_only_where_they_are_asked_for(house: House) -> None:
    fill(house)
    house.put_side(INJURY_REPORT, [report_injury("bos2", "Out"), report_injury("bos1", "Out")])
    daily(house)
    assert_that(("bos2", TODAY) in house.read().features, equal_to(False))
    row = daily(house, include_injured=True).row
    assert_that(row, has_entries(records_created=1, options=has_entry("include_injured", True)))
    stored = house.read().features["bos2", TODAY]
    assert_that(stored, has_entries(team_abbr="BOS", opponent_team_abbr="CHI", is_home=False))
    assert_that(stored["feature_10_value"], equal_to(3))
    # options admit, they never take away
    assert_that(
        daily(house).row, has_entries(records_unchanged=row["records_created"] + row["records_unchanged"])
    )
    house.put_side(INJURY_REPORT, [report_injury("bos1", "Out")])
    daily(house)
    assert_that(("bos2", TODAY) in house.read().features, equal_to(False))
