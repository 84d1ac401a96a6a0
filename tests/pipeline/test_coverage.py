"""``coverage``: every target is a row, an open gap or unexplained, in every group and in total."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hamcrest import (
    all_of,
    assert_that,
    contains_exactly,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_item,
    has_length,
    has_properties,
    not_,
)
from terminal import Run
from warehouse import LEDGER, STORE, House, Row, list_dates, make_league, make_row

from pipeline.commands import console
from pipeline.commands.app import main
from pipeline.ledger.coverage import Counts, Coverage, check_coverage, measure_coverage
from pipeline.season import DateRange, merge_days
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import INJURY_REPORT, PLAYER_ALIASES, SCHEDULE, UPCOMING

REAL = Path(__file__).parents[3] / "shared" / "data" / "player_game_summary"
ROWS = make_league(dates=16, players=3)
DAYS = list_dates(ROWS)
LAST = DAYS[-1]
NEXT = LAST + timedelta(days=1)
LONG_AFTER = date(2024, 7, 3)


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> House:
    made = House(str(tmp_path_factory.mktemp("coverage") / "w.duckdb"), DAYS)
    made.put(ROWS)
    made.commit()
    return made


@pytest.fixture
def house(backfilled: House, tmp_path: Path) -> House:
    return backfilled.copy(tmp_path / "w.duckdb")


def change(house: House, *statements: str) -> None:
    with house.warehouse.open(read_only=False) as connection:
        for statement in statements:
            connection.execute(statement)


def measure(
    house: House,
    by: str = "month",
    first: date | None = None,
    last: date | None = None,
    today: date = LONG_AFTER,
) -> Coverage:
    found = measure_coverage(house.warehouse, first, last, by, today)
    for line in (*found.groups.values(), found.total):
        assert line.player_rows == line.feature_rows + line.open_gaps + line.unexplained
        assert line.others == line.other_rows + line.other_gaps + line.others_unexplained
    assert sum(found.groups.values(), Counts()) == found.total
    return found


def announce(player: str, day: date, **changes: Any) -> Row:
    row = {"player_lookup": player, "game_id": f"g{day:%m%d}", "game_date": day, "team_abbr": "BOS"}
    return row | {"opponent_team_abbr": "CHI", "home_game": False} | changes


# What is counted


def test_before_any_run_every_player_row_is_unexplained(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(ROWS)
    found = measure(house)
    assert_that(found.total, equal_to(Counts(player_rows=len(ROWS), unexplained=len(ROWS))))
    assert_that(found.unexplained, contains_exactly(*DAYS))
    assert_that(found.dates, equal_to(DateRange.inclusive(DAYS[0], LAST)))


def test_after_a_backfill_nothing_is_unexplained(backfilled: House) -> None:
    tables, found = backfilled.read(), measure(backfilled)
    expected = Counts(len(ROWS), len(tables.features), len(tables.open_gaps))
    assert_that(found, has_properties(total=expected, unexplained=()))
    assert expected.open_gaps > 0


@pytest.mark.parametrize(
    ("by", "name"),
    [
        ("month", lambda row: f"{row['game_date']:%Y-%m}"),
        ("date", lambda row: str(row["game_date"])),
        ("team", lambda row: row["team_abbr"]),
    ],
)
def test_every_grouping_counts_the_same_keys(by: str, name: Any, backfilled: House) -> None:
    tables, found = backfilled.read(), measure(backfilled, by)
    for counted, rows in (
        ("player_rows", ROWS),
        ("feature_rows", tables.features.values()),
        ("open_gaps", tables.open_gaps.values()),
    ):
        expected = Counter(name(row) for row in rows)
        counts = {group: getattr(line, counted) for group, line in found.groups.items()}
        assert_that({group: n for group, n in counts.items() if n}, equal_to(dict(expected)))
    assert_that(list(found.groups), equal_to(sorted(found.groups)))


def test_player_rows_are_counted_by_the_rules_of_the_job(tmp_path: Path) -> None:
    house, other = House(str(tmp_path / "w.duckdb"), DAYS), LAST + timedelta(days=30)
    loser = ROWS[-1] | {"points": 0, "team_abbr": "ZZZ", "is_dnp": True}
    exhibition = make_row("bos9", LAST, "BOS", "CHI", season_type="Pre Season")
    alias = make_row(f"{ROWS[0]['player_lookup']}jr", DAYS[0], "BOS", "CHI", is_dnp=True)
    nobody = make_row("x", other, "BOS", "CHI") | {"player_lookup": None}
    house.put([*ROWS, loser, exhibition, alias, nobody])
    canonical = {"alias_lookup": alias["player_lookup"], "nba_canonical_lookup": ROWS[0]["player_lookup"]}
    house.put_side(PLAYER_ALIASES, [canonical])
    found = measure(house, "team")
    assert_that(found.total.player_rows, equal_to(len(ROWS)))
    assert "ZZZ" not in found.groups


def test_a_missing_row_without_an_open_gap_is_unexplained(house: House) -> None:
    change(
        house,
        f"DELETE FROM {STORE} WHERE game_date = DATE '{LAST}'",
        f"UPDATE {LEDGER} SET withdrawn_at = detected_at WHERE player_lookup = 'bos0'",
    )
    withdrawn = [gap for gap in house.read().gaps.values() if gap["withdrawn_at"]]
    found = measure(house, "date")
    assert_that(found.groups[str(LAST)], equal_to(Counts(player_rows=12, unexplained=12)))
    assert_that(found.total.unexplained, equal_to(12 + len(withdrawn)))
    assert_that(found.unexplained, equal_to((*sorted(gap["game_date"] for gap in withdrawn), LAST)))


def test_what_answers_no_target_is_extra(house: House) -> None:
    gone = {("bos0", DAYS[0]), ("bos0", LAST)}
    house.put([row for row in ROWS if (row["player_lookup"], row["game_date"]) not in gone])
    assert_that(measure(house).total, has_properties(extra_rows=1, extra_gaps=1, is_reconciled=False))
    change(
        house,
        f"INSERT INTO {STORE} SELECT * FROM {STORE} "
        f"WHERE game_date = DATE '{LAST}' AND player_lookup = 'bos1'",
        f"INSERT INTO {LEDGER} SELECT * REPLACE (DATE '{LAST}' AS game_date) FROM {LEDGER} "
        f"WHERE game_date = DATE '{DAYS[0]}' AND player_lookup = 'bos1'",
    )
    found = measure(house, "team")
    assert_that(found.total, has_properties(extra_rows=2, extra_gaps=2, unexplained=0))
    assert_that(found.groups["BOS"].extra, equal_to(4))


def test_who_is_announced_is_no_player_row(house: House) -> None:
    house.put_side(UPCOMING, [announce(player, NEXT) for player in ("bos0", "bos1")])
    house.put_side(SCHEDULE, [])
    assert_that(measure(house).total, has_properties(others=2, others_unexplained=2, player_rows=len(ROWS)))
    house.commit(NEXT, NEXT, as_of=NEXT)
    assert_that(measure(house).total, has_properties(others=2, other_rows=2, is_reconciled=True))
    house.commit(NEXT, NEXT)
    assert_that(measure(house).total, has_properties(others=2, other_gaps=2, is_reconciled=True))


def test_the_injured_count_once_a_run_has_admitted_them(house: House) -> None:
    game = {"game_id": "g1", "game_date": NEXT, "home_team_abbr": "CHI", "away_team_abbr": "BOS"}
    house.put_side(SCHEDULE, [game])
    report = {"player_lookup": "bos0", "game_date": NEXT, "team": "BOS", "injury_status": "out"}
    other = report | {"player_lookup": "stranger"}
    at = {"reported_at": datetime(NEXT.year, NEXT.month, NEXT.day, 9, tzinfo=UTC)}
    house.put_side(INJURY_REPORT, [report | at, other | at])
    assert_that(measure(house, last=NEXT).total.others, equal_to(0))
    house.commit(NEXT, NEXT, include_injured=True)
    assert_that(
        measure(house).total, has_properties(others=2, other_rows=1, other_gaps=1, is_reconciled=True)
    )


# The dates


def test_upcoming_rows_count_until_yesterday_unless_asked_for(house: House) -> None:
    house.put_side(UPCOMING, [announce("bos0", NEXT), announce("bos0", NEXT + timedelta(days=5))])
    assert_that(measure(house, today=NEXT).total.others, equal_to(0))
    assert_that(measure(house, today=NEXT + timedelta(days=1)).total.others, equal_to(1))
    assert_that(measure(house, last=NEXT + timedelta(days=5), today=NEXT).total.others, equal_to(2))


def test_where_only_games_to_come_are_known_it_is_today(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put([])
    house.put_side(UPCOMING, [announce("bos0", NEXT)])
    assert_that(measure(house, today=LAST).dates, equal_to(DateRange.inclusive(LAST, LAST)))


def test_one_bound_takes_the_other_from_the_tables(backfilled: House) -> None:
    assert_that(measure(backfilled, first=DAYS[3]).dates, equal_to(DateRange.inclusive(DAYS[3], LAST)))
    assert_that(measure(backfilled, last=DAYS[3]).dates, equal_to(DateRange.inclusive(DAYS[0], DAYS[3])))
    later = LAST + timedelta(days=99)
    assert_that(measure(backfilled, first=later).dates, equal_to(DateRange.inclusive(later, later)))


def test_days_share_a_range_where_their_windows_overlap() -> None:
    day = date(2020, 1, 1)
    near, far = day + timedelta(days=366), day + timedelta(days=733)
    ranges = [DateRange.inclusive(day, near), DateRange.inclusive(far, far)]
    assert_that(merge_days([far, near, day]), equal_to(ranges))
    assert_that(merge_days([]), empty())


def test_dates_are_cut_without_a_trace(backfilled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [measure(backfilled, by) for by in ("month", "date", "team")]
    monkeypatch.setattr("pipeline.plan.CHUNK_ROWS", 25)
    assert_that([measure(backfilled, by) for by in ("month", "date", "team")], equal_to(whole))


# The threshold


@pytest.mark.parametrize(
    ("rows", "of", "least", "passes"),
    [
        (99_999, 100_000, "100", False),
        (100_000, 100_000, "100", True),
        (95, 100, "95", True),
        (9_499_999, 10_000_000, "95", False),
        (0, 0, "100", True),
        (0, 7, "0", True),
    ],
)
def test_the_threshold_is_compared_exactly(rows: int, of: int, least: str, passes: bool) -> None:
    found = check_coverage(Counts(player_rows=of, feature_rows=rows), Fraction(least))
    assert_that(found is None, equal_to(passes))


@pytest.mark.parametrize("text", ["101", "-1", "1e1", "nan", "100.1", "95%", ""])
def test_a_threshold_that_is_no_per_cent_is_refused(text: str, run: Run, backfilled: House) -> None:
    found = run("coverage", f"--warehouse={backfilled.path}", f"--fail-under={text}")
    assert_that(found, has_properties(code=2, err=contains_string("expected a number from 0 to 100")))


# The command


def test_the_command_prints_the_table_and_what_to_run(run: Run, house: House) -> None:
    change(house, f"DELETE FROM {STORE} WHERE game_date = DATE '{LAST}'")
    found = run("coverage", f"--warehouse={house.path}")
    assert_that(found, has_properties(code=0, err=""))
    lines = found.out.splitlines()
    assert_that(lines[0], equal_to(f"Coverage of {DAYS[0]} to {LAST} by month"))
    names = "month player rows feature rows missing open gaps unexplained coverage"
    assert_that([" ".join(line.split()) for line in lines], has_item(names))
    assert_that([" ".join(line.split()) for line in lines], has_item("total 192 120 72 60 12 62.5 %"))
    assert_that(lines[-3], equal_to("Next"))
    assert_that(lines[-2], contains_string(f"backfill --warehouse {house.path} --start-date {LAST} --end-"))
    assert_that(lines[-1], contains_string("feature-store gaps "))


def test_below_the_threshold_the_result_still_stands_on_stdout(run: Run, backfilled: House) -> None:
    command = ["coverage", f"--warehouse={backfilled.path}", "--fail-under=99.5"]
    found = run(*command)
    assert_that(found, has_properties(code=8, out=contains_string("total")))
    assert_that(found.err, contains_string("132 of 192 player rows have a feature row, fewer than"))
    assert_that(run(*command, "--json").json, has_entries(exit_code=8, fail_under=99.5, reconciled=True))
    assert_that(run(*command[:2], "--fail-under=68.75").code, equal_to(0))


def test_the_json_reconciles(run: Run, house: House) -> None:
    change(house, f"DELETE FROM {STORE} WHERE game_date = DATE '{LAST}' AND player_lookup <> 'bos0'")
    found = run("coverage", f"--warehouse={house.path}", "--json", "--by=date").json
    assert_that(found, has_entries(by="date", exit_code=0, reconciled=False, start_date=str(DAYS[0])))
    assert_that(found["groups"], has_length(len(DAYS)))
    expected = {"player_rows": 12, "feature_rows": 1, "missing": 11, "open_gaps": 0, "unexplained": 11}
    assert_that(found["groups"][-1], has_entries(date=str(LAST), coverage=8.3, extra=0, **expected))
    assert_that(found["identities"], has_item("missing = open_gaps + unexplained"))


def test_hostile_names_of_teams_are_escaped(run: Run, tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), [LAST])
    house.put(
        [make_row("a", LAST, "\x1b[31mRED\n", "CHI"), make_row("b", LAST, "CHI", "X") | {"team_abbr": ""}]
    )
    found = run("coverage", f"--warehouse={house.path}", "--by=team")
    assert_that(found.out, all_of(contains_string("\\x1b[31mRED"), contains_string("(none)")))
    assert_that(found.printed, not_(contains_string("\x1b")))


def test_unexplained_rows_stand_in_red_on_a_terminal() -> None:
    styled = [console._style_cell(text, True).style for text in ("0", "12", "")]
    assert_that(styled, contains_exactly("", "report.bad", ""))
    assert_that(console._style_cell("12", False).style, equal_to(""))


def test_without_box_scores_the_table_is_named(run: Run, tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    with house.warehouse.open(read_only=False):
        pass
    found = run("coverage", f"--warehouse={house.path}")
    assert_that(found, has_properties(code=4, err=contains_string(f"{PLAYER_GAME_SUMMARY.path} is missing")))


def test_an_empty_table_is_covered_and_says_so(run: Run, tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put([])
    found = run("coverage", f"--warehouse={house.path}", "--fail-under=100", "--json")
    assert_that(found, has_properties(code=0, err=""))
    assert_that(found.json["total"], has_entries(player_rows=0, coverage=None))
    assert_that(run("coverage", f"--warehouse={house.path}").out.split("total")[1].split()[-1], equal_to("-"))


def test_dates_in_the_wrong_order_are_refused(run: Run, backfilled: House) -> None:
    dates = ("--start-date=2024-02-02", "--end-date=2024-02-01")
    assert_that(run("coverage", f"--warehouse={backfilled.path}", *dates).code, equal_to(2))


@pytest.mark.parametrize("command", ["coverage", "audit"])
def test_the_command_does_not_import_beam_and_writes_nothing(command: str, house: House) -> None:
    program = (
        "import sys; from pipeline.commands.app import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 'apache_beam' in sys.modules)"
    )
    before = Path(house.path).read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", program, command, "--warehouse", house.path],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert_that((done.returncode, done.stderr), contains_exactly(0, b""))
    assert_that(Path(house.path).read_bytes() == before)


# The real box scores


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> str:
    if not REAL.is_dir():
        pytest.skip("the real box scores are not beside the project")
    path = str(tmp_path_factory.mktemp("real") / "w.duckdb")
    files = [str(REAL / f"season_{year}.parquet") for year in (2020, 2021)]
    assert main(["import", "--warehouse", path, *files]) == 0
    assert main(["backfill", "--warehouse", path, "--start-date=2021-10-19", "--end-date=2022-06-16"]) == 0
    return path


@pytest.mark.slow
def test_the_real_season_reconciles_by_month_and_its_audit_is_clean(run: Run, real: str) -> None:
    command = [f"--warehouse={real}", "--start-date=2021-10-19", "--json"]
    found = run("coverage", *command).json
    months = {line["month"]: line for line in found["groups"]}
    assert_that(list(months), contains_exactly(*(f"2021-{n}" for n in (10, 11, 12)), *_spring()))
    assert_that(found, has_entries(reconciled=True, exit_code=0))
    assert_that(months["2021-10"], has_entries(player_rows=2071, missing=206, open_gaps=206, coverage=90.0))
    for line in (*found["groups"], found["total"]):
        assert line["player_rows"] == line["feature_rows"] + line["open_gaps"] + line["unexplained"]
    assert_that(run("coverage", *command, "--fail-under=98.9").code, equal_to(0))
    assert_that(run("coverage", *command, "--fail-under=99").code, equal_to(8))
    audit = run("audit", *command)
    assert_that(audit.json, has_entries(exit_code=0, next=empty()))
    assert_that([check["violations"] for check in audit.json["checks"]], equal_to([0] * 14))


def _spring() -> list[str]:
    return [f"2022-{n:02}" for n in range(1, 7)]
