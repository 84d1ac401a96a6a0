"""``fill-gaps``: which gaps it attempts, and that it can be called blindly."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hamcrest import assert_that, contains_exactly, contains_string, empty, equal_to, has_entries, has_item
from terminal import Run
from warehouse import House, Row, invalidate, key_of, list_dates, make_league

from transforms.side_tables import REGISTRY

ROWS = make_league(dates=20, players=3)
DAYS = list_dates(ROWS)
PLAYER = "bos1"


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(str(tmp_path / "w.duckdb"), DAYS)
    made.put(ROWS)
    made.commit()
    return made


def fill(run: Run, house: House, *flags: str) -> Row:
    ended = run("fill-gaps", f"--warehouse={house.path}", "--json", *flags)
    assert_that((ended.code, ended.json["exit_code"]), equal_to((0, 0)), ended.err)
    found: Row = ended.json
    return found


def test_nothing_to_do_is_a_success_without_a_run(house: House, run: Run) -> None:
    runs = len(house.read().runs)
    found = fill(run, house)
    assert_that(found, has_entries(attempted=0, looked_at=0, next=has_item(contains_string("gaps"))))
    assert_that(found["gaps_open"], equal_to(len(house.read().open_gaps)))
    assert_that(len(house.read().runs), equal_to(runs))
    told = run("fill-gaps", f"--warehouse={house.path}")
    assert_that(told.out, contains_string("Nothing to do"))


def test_no_ledger_and_no_gap_are_successes_too(tmp_path: Path, run: Run) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(ROWS)
    assert_that(fill(run, house), has_entries(attempted=0, gaps_open=0))
    assert_that(run("fill-gaps", f"--warehouse={house.path}").out, contains_string("no open gap"))


def test_an_option_fills_what_it_admits_and_leaves_who_has_no_history(house: House, run: Run) -> None:
    opened = house.read().open_gaps
    found = fill(run, house, "--bootstrap-days=0")
    left = house.read().open_gaps
    assert_that({day for _, day in left}, equal_to({DAYS[0]}))
    assert_that(found, has_entries(mode="gaps", gaps_resolved=len(opened) - len(left)))
    assert_that(found["records_expected"], equal_to(len(opened) - len(left)))
    assert_that(fill(run, house, "--bootstrap-days=0"), has_entries(attempted=0))


def test_a_corrected_box_score_is_filled_without_being_told(house: House, run: Run) -> None:
    bad = next(row for row in ROWS if key_of(row) == (PLAYER, DAYS[12]))
    house.put([invalidate(row) if row is bad else row for row in ROWS])
    house.commit(allow_deletes=True)
    assert_that(house.read().open_gaps[PLAYER, DAYS[12]], has_entries(skip_reason="invalid_input"))
    assert_that(fill(run, house), has_entries(attempted=0))
    house.put(ROWS)
    assert_that(fill(run, house), has_entries(records_expected=1, gaps_resolved=1))
    assert_that((PLAYER, DAYS[12]) in house.read().features)


def test_the_registered_are_filled_and_nobody_else_is_read_around(house: House, run: Run) -> None:
    names = sorted({row["player_lookup"] for row in ROWS})
    house.put_side(REGISTRY, [{"player_lookup": name} for name in names if name != PLAYER])
    house.commit(allow_deletes=True)
    gaps = house.read().open_gaps
    missed = {key for key in gaps if gaps[key]["skip_reason"] == "unregistered_player"}
    assert_that({player for player, _ in missed}, equal_to({PLAYER}))
    house.put_side(REGISTRY, [{"player_lookup": name} for name in names])
    found = fill(run, house)
    left = missed & house.read().open_gaps.keys()
    assert_that(found, has_entries(gaps_resolved=len(missed) - len(left)))
    # the season's first dates fall under the bootstrap rule now: only an option would admit them
    assert_that(max(day for _, day in left) < DAYS[0] + timedelta(days=14))
    assert_that(len(missed) - len(left) > 8)


def test_what_was_attempted_after_the_news_is_not_attempted_again(house: House, run: Run) -> None:
    house.put([row | {"points": row["points"] + 1} for row in ROWS])
    looked = fill(run, house)
    assert_that(looked, has_entries(attempted=0))
    assert_that(looked["looked_at"] > 0)
    house.commit()
    assert_that(fill(run, house), has_entries(attempted=0, looked_at=0))


def test_all_attempts_the_rest_and_closes_nothing_that_cannot_be(house: House, run: Run) -> None:
    before = house.read().open_gaps
    found = fill(run, house, "--all")
    after = house.read().open_gaps
    assert_that(found, has_entries(records_expected=len(before), gaps_resolved=0, gaps_open=len(before)))
    assert_that({gap["attempt_count"] for gap in after.values()}, equal_to({2}))


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ([f"--start-date={DAYS[2]}", f"--end-date={DAYS[2]}"], lambda key: key[1] == DAYS[2]),
        ([f"--player={PLAYER}"], lambda key: key[0] == PLAYER),
        (["--reason=bootstrap", f"--end-date={DAYS[1]}"], lambda key: key[1] <= DAYS[1]),
    ],
)
def test_gaps_can_be_chosen(house: House, run: Run, flags: list[str], chosen: object) -> None:
    before = house.read()
    fill(run, house, "--all", *flags)
    after = house.read()
    attempted = {key for key, gap in after.gaps.items() if gap != before.gaps[key]}
    assert callable(chosen)
    assert_that(attempted, equal_to({key for key in before.open_gaps if chosen(key)}))
    assert attempted


def test_a_table_of_keys_narrows_the_choice(house: House, run: Run) -> None:
    wanted = [(PLAYER, DAYS[1]), (PLAYER, DAYS[2]), ("stranger", DAYS[2]), (PLAYER, DAYS[15])]
    with house.warehouse.open(read_only=False) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute("CREATE TABLE mine.list (player_lookup VARCHAR, game_date DATE, note VARCHAR)")
        connection.executemany("INSERT INTO mine.list VALUES (?, ?, 'x')", [list(key) for key in wanted])
        connection.execute("CREATE TABLE mine.wrong (player_lookup INTEGER)")
    found = fill(run, house, "--bootstrap-days=0", "--gaps-table=mine.list")
    assert_that(found, has_entries(records_expected=2, records_created=2))
    for name, code, told in (
        ("mine.absent", 4, "table mine.absent is missing"),
        ("mine.wrong", 4, "lacks the column game_date"),
        ("mine", 2, "expected DATASET.TABLE"),
        ("a.b; DROP TABLE x", 2, "expected DATASET.TABLE"),
        ("a.b.c", 2, "expected DATASET.TABLE"),
    ):
        ended = run("fill-gaps", f"--warehouse={house.path}", "--bootstrap-days=0", f"--gaps-table={name}")
        assert_that((ended.code, ended.err), contains_exactly(code, contains_string(told)))


def test_a_dry_run_shows_the_plan_and_changes_nothing(house: House, run: Run) -> None:
    before = house.read()
    told = run("fill-gaps", f"--warehouse={house.path}", "--bootstrap-days=0", "--dry-run")
    assert_that((told.code, told.out), contains_exactly(0, contains_string("open gaps on")))
    assert_that(house.read(), equal_to(before))


def test_a_launcher_takes_the_gaps_table_as_its_input(house: House) -> None:
    command = [sys.executable, "-m", "pipeline", "--mode=gaps", f"--warehouse={house.path}"]
    command += ["--gaps_table=nba_predictions.feature_store_gaps", "--bootstrap_days=0", "--json"]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert_that(ended.returncode, equal_to(0), ended.stderr)
    assert_that({day for _, day in house.read().open_gaps}, equal_to({DAYS[0]}))
    assert_that(house.read().runs[-1], has_entries(mode="gaps", status="success"))


def test_removed_rows_are_withdrawn_by_the_next_fill(house: House, run: Run) -> None:
    house.put([row for row in ROWS if key_of(row) != (PLAYER, DAYS[1])])
    fill(run, house)
    gap = house.read().gaps[PLAYER, DAYS[1]]
    assert_that(gap["withdrawn_at"] is not None)
    assert_that(gap["resolved_at"], equal_to(None))


def test_a_date_far_from_all_gaps_is_nothing_to_do(house: House, run: Run) -> None:
    late = DAYS[-1] + timedelta(days=500)
    assert_that(fill(run, house, f"--start-date={late}"), has_entries(attempted=0, gaps_open=0))
    ended = run("fill-gaps", f"--warehouse={house.path}", f"--start-date={late}", f"--end-date={date.min}")
    assert_that(ended.code, equal_to(2))
    assert_that(house.read().runs[1:], empty())
