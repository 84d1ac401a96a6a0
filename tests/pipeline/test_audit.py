"""``audit``: each check is broken by hand and named, and what it says to run mends it."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hamcrest import (
    all_of,
    assert_that,
    contains_exactly,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_length,
    has_properties,
    not_,
)
from terminal import Run
from warehouse import (
    HISTORY,
    LEDGER,
    STORE,
    House,
    Key,
    Row,
    key_of,
    list_dates,
    make_league,
    make_row,
)

from pipeline.ledger import auditing
from pipeline.ledger.auditing import Audit, audit_tables
from pipeline.ledger.findings import CHECKS, Finding
from pipeline.ledger.staleness import NEVER, greatest_over
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import PLAYER_ALIASES, UPCOMING
from transforms.windows import Window

ROWS = make_league(dates=16, players=3)
DAYS = list_dates(ROWS)
EARLY, LAST = DAYS[0], DAYS[-1]
TODAY = date(2024, 7, 3)
BOX = PLAYER_GAME_SUMMARY.path
ROW = f"game_date = DATE '{LAST}' AND player_lookup = 'bos1'"
GAP = f"game_date = DATE '{EARLY}' AND player_lookup = 'bos1'"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> House:
    made = House(str(tmp_path_factory.mktemp("audit") / "w.duckdb"), DAYS)
    made.put(ROWS)
    made.commit()
    return made


@pytest.fixture
def house(clean: House, tmp_path: Path) -> House:
    return clean.copy(tmp_path / "w.duckdb")


def change(house: House, *statements: str) -> None:
    with house.warehouse.open(read_only=False) as connection:
        for statement in statements:
            connection.execute(statement)


def audit(house: House, first: date | None = None, last: date | None = None) -> Audit:
    return audit_tables(house.warehouse, first, last, TODAY)


def broken(house: House) -> dict[str, Finding]:
    return {finding.check.name: finding for finding in audit(house).broken}


def examples(finding: Finding) -> list[tuple[str | None, date]]:
    return [(example.player, example.day) for example in finding.examples]


def test_a_house_after_its_backfill_is_clean(clean: House) -> None:
    found = audit(clean)
    assert_that(found, has_properties(broken=empty(), notes=(), days_to_recompute=set()))
    assert_that([finding.check for finding in found.findings], equal_to(list(CHECKS)))


def test_runs_of_every_kind_leave_it_clean(house: House) -> None:
    day = LAST + timedelta(days=1)
    named = {"player_lookup": "bos0", "game_id": "g", "game_date": day, "team_abbr": "BOS"}
    house.put_side(UPCOMING, [named | {"opponent_team_abbr": "CHI", "home_game": False}])
    house.commit(day, day, as_of=day)
    house.commit(keys=sorted(house.read().open_gaps)[:7], bootstrap_days=0)
    house.commit(bootstrap_days=0)
    house.commit(day, day)
    assert_that(audit(house).broken, empty())


MOVED = f"SELECT * REPLACE (DATE '{LAST}' AS game_date) FROM {LEDGER} WHERE {GAP}"
CLOSED = f"SELECT * REPLACE (detected_at AS withdrawn_at) FROM {LEDGER} WHERE {GAP}"
NEWER = "processed_at = TIMESTAMPTZ '2025-01-01 00:00:00Z'"
STATEMENTS: dict[str, tuple[str, str]] = {
    "both": (f"INSERT INTO {LEDGER} {MOVED}", "rows 1, open gaps 1"),
    "unexplained": (f"DELETE FROM {STORE} WHERE {ROW}", "a player row"),
    "rows_without_target": (f"DELETE FROM {BOX} WHERE {ROW}", "no source names it"),
    "gaps_unnamed": (f"DELETE FROM {BOX} WHERE {GAP}", "no source names it"),
    "gaps_without_target": (
        f"UPDATE {BOX} SET season_type = 'Pre-Season' WHERE {GAP}",
        "a preseason or all-star game",
    ),
    "duplicate_rows": (f"INSERT INTO {STORE} SELECT * FROM {STORE} WHERE {ROW}", "rows 2"),
    "duplicate_gaps": (f"INSERT INTO {LEDGER} {CLOSED}", "rows in the ledger 2"),
    "hashes": (f"UPDATE {STORE} SET feature_0_value = feature_0_value + 1 WHERE {ROW}", "data_hash "),
    "quality": (f"UPDATE {STORE} SET quality_tier = 'poor' WHERE {ROW}", "quality_tier poor"),
    "runs": (f"UPDATE {HISTORY} SET records_unchanged = 3", "unchanged 3"),
    "stale": (f"UPDATE {BOX} SET {NEWER} WHERE {ROW}", "an input of 2025-01-01 00:00:00"),
}
"""For each check: what breaks it once and nothing else, and what is said of the example."""


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_check_names_what_breaks_it_and_nothing_else_is_broken(name: str, house: House) -> None:
    statement, what = STATEMENTS[name]
    change(house, statement)
    found = broken(house)
    assert_that(found.keys(), contains_exactly(name))
    assert_that(found[name], has_properties(violations=1, examples=has_length(1)))
    assert_that(found[name].examples[0].what, contains_string(what))
    key = (None, LAST) if name == "runs" else ("bos1", EARLY if "gap" in name else LAST)
    assert_that(examples(found[name]), contains_exactly(key))


@pytest.mark.parametrize(
    ("assignment", "names", "what"),
    [
        ("feature_0_source = 'team_history'", {"sources", "hashes"}, "points_avg_last_5 "),
        ("feature_0_source = 'nonsense'", {"sources", "hashes"}, "from unknown"),
        ("feature_5_value = NULL", {"sources", "hashes"}, "fatigue_score NULL from player_history"),
        ("feature_25_value = 7", {"sources", "hashes"}, "vegas_points_line 7.0 from missing"),
        ("feature_5_value = 101", {"values", "hashes"}, "fatigue_score 101.0"),
        ("feature_3_value = 'NaN'", {"values", "hashes"}, "points_std_last_10 nan"),
        ("feature_3_value = 'Infinity'", {"values", "hashes"}, "points_std_last_10 inf"),
        ("data_hash = NULL", {"hashes"}, "data_hash None"),
        ("missing_required_count = 1", {"quality"}, "missing_required_count 1"),
        ("feature_quality_score = 99.99", {"quality"}, "feature_quality_score 99.99"),
        ("is_quality_ready = NULL", {"quality"}, "is_quality_ready None"),
    ],
)
def test_a_row_that_does_not_agree_with_itself_is_named(
    assignment: str, names: set[str], what: str, house: House
) -> None:
    change(house, f"UPDATE {STORE} SET {assignment} WHERE {ROW}")
    found = broken(house)
    assert_that(set(found), equal_to(names))
    assert_that(found[min(names - {"hashes"} or names)].examples[0].what, contains_string(what))


def test_the_next_commands_mend_what_no_hand_has_to(house: House) -> None:
    names = [name for name in STATEMENTS if not name.startswith("duplicate") and name != "runs"]
    players = [f"{team}{n}" for team in ("bos", "chi", "den", "lal") for n in range(3)]
    for name, player in zip(names, players, strict=False):
        change(house, STATEMENTS[name][0].replace("bos1", player))
    found = audit(house)
    assert_that({finding.check.name for finding in found.broken}, equal_to(set(names)))
    days = found.days_to_recompute
    house.commit(min(days), max(days), allow_deletes=True)
    # the input of the future stays newer than every run
    change(house, f"UPDATE {BOX} SET processed_at = NULL")
    assert_that(audit(house).broken, empty())


def test_a_key_that_became_an_alias_says_whose(house: House) -> None:
    house.put_side(PLAYER_ALIASES, [{"alias_lookup": "bos1", "nba_canonical_lookup": "boston1"}])
    found = broken(house)
    assert_that(set(found), equal_to({"unexplained", "rows_without_target", "gaps_without_target"}))
    assert_that(found["rows_without_target"].examples[0].what, equal_to("an alias of boston1"))


# What is stale


def touch(house: House, key: Key, at: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> None:
    player, day = key
    change(
        house,
        f"UPDATE {BOX} SET processed_at = TIMESTAMPTZ '{at.isoformat()}' "
        f"WHERE player_lookup = '{player}' AND game_date = DATE '{day}'",
    )


def list_stale(house: House, monkeypatch: pytest.MonkeyPatch) -> set[Key]:
    monkeypatch.setattr("pipeline.ledger.findings.MOST_EXAMPLES", 10_000)
    found = broken(house)
    assert set(found) <= {"stale"}
    return {(e.player or "", e.day) for e in found["stale"].examples} if found else set()


def expect_stale(house: House, row: Row, rows: list[Row], back: int = 365) -> set[Key]:
    """Plainly: its own key; later, within a year, its player, its teams and whoever meets them."""
    teams = {row["team_abbr"], row["opponent_team_abbr"]}
    day: date = row["game_date"]
    held = house.read()
    return {
        key_of(other)
        for other in rows
        if key_of(other) in held.features or key_of(other) in held.open_gaps
        if key_of(other) == key_of(row)
        or (
            day < other["game_date"] <= day + timedelta(days=back)
            and (
                other["player_lookup"] == row["player_lookup"]
                or teams & {other["team_abbr"], other["opponent_team_abbr"]}
            )
        )
    }


@pytest.mark.parametrize("seed", range(4))
def test_what_a_corrected_row_reaches_is_stale_to_the_key(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Teams that never meet, a trade, two seasons a year apart."""
    rng = random.Random(seed)
    first = make_league(dates=8, players=2, seed=seed)
    gap = timedelta(days=365 - rng.randint(0, 12))
    second = [row | {"game_date": row["game_date"] + gap} for row in first]
    far = [make_row(f"nyk{n}", row["game_date"], "NYK", "MIA") for n, row in enumerate(first[::9])]
    rows = [*first, *second, *far]
    traded = rng.randrange(len(rows))
    rows[traded] = rows[traded] | {"team_abbr": "NYK", "opponent_team_abbr": "MIA"}
    rows = list({key_of(row): row for row in rows}.values())
    house = House(str(tmp_path / "w.duckdb"), list_dates(rows))
    house.put(rows)
    house.commit()
    monkeypatch.setattr("pipeline.plan.CHUNK_ROWS", 40)
    for row in rng.sample(rows, 3):
        copy = house.copy(tmp_path / f"{key_of(row)}.duckdb")
        touch(copy, key_of(row))
        assert_that(list_stale(copy, monkeypatch), equal_to(expect_stale(copy, row, rows)))


def test_a_run_makes_fresh_what_it_covers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(r for r in ROWS if key_of(r) == ("bos1", DAYS[8]))
    touch(house, key_of(row), house.read().runs[-1]["started_at"] + timedelta(microseconds=1))
    stale = list_stale(house, monkeypatch)
    assert_that(stale, equal_to(expect_stale(house, row, ROWS)))
    house.commit(DAYS[8], DAYS[10])
    assert_that(list_stale(house, monkeypatch), equal_to({key for key in stale if key[1] > DAYS[10]}))
    house.commit(DAYS[11], LAST)
    assert_that(list_stale(house, monkeypatch), empty())


def test_an_input_of_the_very_instant_of_the_run_is_not_newer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(house, ("bos1", DAYS[8]), house.read().runs[-1]["started_at"])
    assert_that(list_stale(house, monkeypatch), empty())
    house.commit(LAST, LAST)
    touch(house, ("bos1", LAST), house.read().runs[-1]["started_at"])
    assert_that(list_stale(house, monkeypatch), empty())


def test_a_gap_run_covers_the_keys_that_it_wrote_or_attempted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(house, ("bos1", DAYS[1]), house.read().runs[-1]["started_at"] + timedelta(microseconds=1))
    stale = list_stale(house, monkeypatch)
    gaps = sorted(stale & house.read().open_gaps.keys())
    assert len(gaps) > 5
    house.commit(keys=gaps[:2], bootstrap_days=0)
    assert_that(list_stale(house, monkeypatch), equal_to(stale - set(gaps[:2])))
    house.commit(keys=gaps[2:4])
    assert_that(list_stale(house, monkeypatch), equal_to(stale - set(gaps[:4])))


def test_a_failed_run_covers_nothing(house: House) -> None:
    change(house, f"UPDATE {HISTORY} SET status = 'failed'")
    tables = house.read()
    found = broken(house)
    assert_that(set(found), equal_to({"uncovered"}))
    # an attempt on record is an attempt, whoever made it
    assert_that(found["uncovered"].violations, equal_to(len(tables.features)))


def test_under_an_alias_a_row_reaches_the_player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {"player_lookup": " bosone ", "team_abbr": "XXX", "opponent_team_abbr": "YYY"}
    rows = [row | moved if key_of(row) == ("bos1", DAYS[9]) else row for row in ROWS]
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(rows)
    house.put_side(PLAYER_ALIASES, [{"alias_lookup": "bosone", "nba_canonical_lookup": "bos1"}])
    house.commit()
    touch(house, (" bosone ", DAYS[9]))
    assert_that(list_stale(house, monkeypatch), equal_to({("bos1", day) for day in DAYS[9:]}))


def test_the_dates_to_recompute_are_ranges(run: Run, house: House) -> None:
    touch(house, ("bos1", DAYS[-3]))
    found = run("audit", f"--warehouse={house.path}", "--json")
    assert_that(found.code, equal_to(5))
    command = f"feature-store backfill --warehouse {house.path} --start-date {DAYS[-3]} --end-date {LAST}"
    assert_that(found.json["next"], contains_exactly(command))


def test_side_tables_and_box_scores_without_instants_are_told_once(house: House) -> None:
    house.put_side(UPCOMING, [])
    touch(house, ("bos1", DAYS[8]))
    change(house, f"ALTER TABLE {BOX} DROP COLUMN processed_at")
    assert_that(audit(house), has_properties(broken=empty(), notes=has_length(2)))
    assert_that(audit(house).notes[1], contains_string("whether a key is stale cannot be told"))


@pytest.mark.parametrize("seed", range(5))
def test_the_greatest_of_each_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1000, 60)
    low = rng.integers(0, 61, 200)
    high = np.minimum(low + rng.integers(0, 50, 200), 60)
    expected = [max(values[a:b], default=NEVER) for a, b in zip(low, high, strict=True)]
    assert_that(greatest_over(values, Window(low, high)).tolist(), equal_to(expected))
    assert_that(greatest_over(values[:0], Window(low * 0, low * 0)).tolist(), equal_to([NEVER] * 200))


# Parts and dates


def test_the_audit_does_not_depend_on_how_it_is_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hashes", "unexplained", "stale", "gaps_unnamed"):
        change(house, STATEMENTS[name][0])
    change(house, f"UPDATE {STORE} SET data_hash = 'x' WHERE game_date > DATE '{DAYS[6]}'")
    whole = audit(house)
    monkeypatch.setattr("pipeline.plan.CHUNK_ROWS", 25)
    monkeypatch.setattr(auditing, "VECTOR_ROWS", 10)
    assert_that(audit(house), equal_to(whole))
    assert_that([example.day for example in whole.findings[10].examples], equal_to([DAYS[7]] * 5))


def test_only_the_dates_asked_for_are_audited(house: House) -> None:
    change(house, STATEMENTS["hashes"][0], STATEMENTS["gaps_unnamed"][0])
    assert_that(audit(house, DAYS[1], DAYS[-2]).broken, empty())
    assert_that([f.check.name for f in audit(house, first=LAST).broken], contains_exactly("hashes"))
    assert_that([f.check.name for f in audit(house, last=EARLY).broken], contains_exactly("gaps_unnamed"))


# The command


def test_the_command_lists_every_check_examples_and_what_to_run(run: Run, house: House) -> None:
    change(house, STATEMENTS["duplicate_rows"][0])
    change(house, f"UPDATE {STORE} SET data_hash = 'x' WHERE game_date = DATE '{LAST}'")
    found = run("audit", f"--warehouse={house.path}")
    assert_that(found.code, equal_to(5))
    assert_that(
        found.err, contains_string("2 checks are broken, of 14: 1 keys with several feature rows; 13 ")
    )
    for check in CHECKS:
        assert_that(found.out, contains_string(check.title))
    assert_that(found.out, contains_string("and 8 more"))
    assert_that(found.out, contains_string("to do"))
    assert_that(found.out.splitlines()[-1], contains_string(f"--start-date {LAST} --end-date {LAST}"))


def test_a_clean_house_exits_with_0(run: Run, clean: House) -> None:
    found = run("audit", f"--warehouse={clean.path}")
    assert_that(found, has_properties(code=0, err="", out=not_(contains_string("Next"))))
    assert_that(run("audit", f"--warehouse={clean.path}", "--json").json, has_entries(exit_code=0, next=[]))


def test_hostile_names_are_escaped(run: Run, tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), [LAST])
    house.put([make_row("\x1b[31mred\n\u202e", LAST, "BOS", "CHI")])
    found = run("audit", f"--warehouse={house.path}")
    assert_that(found.out, all_of(contains_string("\\x1b[31mred"), contains_string("\\u202e")))
    assert_that(found.printed, not_(contains_string("\x1b")))
    assert_that(run("audit", f"--warehouse={house.path}", "--json").out, not_(contains_string("\x1b")))


def test_before_any_run_every_target_is_unexplained(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(ROWS)
    found = broken(house)
    assert_that(found["unexplained"].violations, equal_to(len(ROWS)))
    assert_that(found["unexplained"].examples[0].what, equal_to("a player row, no run covered the date"))
    assert_that(set(found), equal_to({"unexplained"}))


def test_without_box_scores_the_table_is_named_and_an_empty_one_is_clean(run: Run, tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    with house.warehouse.open(read_only=False):
        pass
    assert_that(run("audit", f"--warehouse={house.path}"), has_properties(code=4, err=contains_string(BOX)))
    house.put([])
    assert_that(run("audit", f"--warehouse={house.path}"), has_properties(code=0, err=""))
