"""``explain``: the kernels again, the games a value rests on, what was passed over, and the gaps."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from arithmetic import calculate
from hamcrest import (
    all_of,
    assert_that,
    contains_exactly,
    contains_string,
    empty,
    equal_to,
    greater_than,
    has_entries,
    has_item,
    has_items,
    has_length,
    has_properties,
    is_not,
    not_,
)
from leagues import make_league as make_wild_league
from warehouse import FIRST, STORE, House, Key, Row, invalidate, make_league, make_row

from pipeline.commands.app import main
from pipeline.errors import BadInput, UsageError
from pipeline.explaining import (
    Explanation,
    FeatureExplanation,
    digest_stored,
    explain_feature,
    explain_key,
    find_feature,
)
from pipeline.formulas import FORMULAS
from pipeline.report_explain import describe_explanation, describe_feature
from pipeline.report_parts import WIDTH, Grid
from transforms.vector import FEATURES, INJURY, LINES

REAL = Path(__file__).parents[3] / "shared" / "data" / "player_game_summary"
AVERAGES = {"points_avg_last_5": 5, "points_avg_last_10": 10}
TEAM_MEANS = ("opponent_def_rating", "opponent_pace", "team_pace", "team_off_rating")
BY_NAME = {feature.name: feature for feature in FEATURES}


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Finished]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command on a house's key, in this process."""

    def call(house: House, player: str, day: date, *more: str) -> Finished:
        capsys.readouterr()
        key = ["--player", player, "--date", str(day)]
        code = main(["explain", "--warehouse", house.path, *key, *more])
        return Finished(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> list[House]:
    """Generated leagues with everything that a history should not hold, backfilled."""
    houses = []
    for seed in (1, 4, 8):
        rows = [row for row in make_wild_league(seed).rows if row["game_date"] is not None]
        days = sorted({row["game_date"] for row in rows})
        house = House(str(tmp_path_factory.mktemp("wild") / "house.duckdb"), days)
        house.put(rows)
        house.commit(days[len(days) // 3], days[-1])
        houses.append(house)
    return houses


@pytest.fixture(scope="module")
def tame(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Four teams without flaws, backfilled; tests that change it take a copy."""
    house = House(str(tmp_path_factory.mktemp("tame") / "house.duckdb"))
    rows = make_league(dates=30, players=5)
    house.put(rows)
    house.days.extend(sorted({row["game_date"] for row in rows}))
    house.commit()
    return house


def sample(house: House, count: int) -> list[Key]:
    return random.Random(5).sample(sorted(house.read().features), count)


@pytest.fixture(scope="module")
def explained(wild: list[House]) -> list[Explanation]:
    """Some stored rows of every league."""
    return [explain_key(house.warehouse, *key, NOW) for house in wild for key in sample(house, 6)]


@pytest.fixture(scope="module")
def items(explained: list[Explanation]) -> list[tuple[Explanation, FeatureExplanation]]:
    """Every feature of those rows."""
    return [(found, explain_feature(found, feature)) for found in explained for feature in FEATURES]


def build(house: House, path: Path, rows: list[Row], **options: Any) -> House:
    """A house of its own with these rows, backfilled over all their dates."""
    days = sorted({row["game_date"] for row in rows})
    other = House(str(path / "other.duckdb"), days)
    other.put(rows)
    other.commit(**options)
    return other


def write(house: House, statement: str) -> None:
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(statement)


# what is stored and what the kernels make of it


def test_every_stored_value_is_computed_again_to_the_bit(
    explained: list[Explanation], items: list[tuple[Explanation, FeatureExplanation]]
) -> None:
    for found in explained:
        assert_that(found, has_properties(is_same=True, differences=empty()))
        assert_that(digest_stored(found.stored or {}), equal_to(found.identity["data_hash"]))
    assert_that([item for _, item in items if not item.is_same], empty())


def test_the_printed_arithmetic_gives_the_value(
    items: list[tuple[Explanation, FeatureExplanation]],
) -> None:
    told: set[str] = set()
    for found, item in items:
        name = item.feature.name
        assert_that(bool(item.formula), equal_to(item.recomputed.value is not None), name)
        for part in item.formula:
            where = f"{name} of {found.player} on {found.day}: {part}"
            assert part.value == pytest.approx(calculate(part.expression), rel=1e-4, abs=1e-4), where
        if item.formula:
            told.add(name)
            assert_that(item.formula[-1].value, equal_to(item.stored.value), name)
    # those of the side tables are told in test_explain_sides
    assert_that({BY_NAME[name].source for name in set(FORMULAS) - told}, equal_to({INJURY, LINES}))


def test_the_listed_games_make_the_averages(items: list[tuple[Explanation, FeatureExplanation]]) -> None:
    for found, item in items:
        longest = AVERAGES.get(item.feature.name)
        if longest:
            points = [row["points"] for row in item.games]
            assert_that(len(points) <= longest)
            assert_that(sum(points) / len(points), equal_to(item.stored.value))
            assert_that(max(row["game_date"] for row in item.games) < found.day)


def test_the_listed_team_games_make_the_means(items: list[tuple[Explanation, FeatureExplanation]]) -> None:
    compared = 0
    for _, item in items:
        if item.feature.name in TEAM_MEANS:
            (team,) = item.teams
            figures = [game[team.columns[0]] for game in team.games]
            known = [figure for figure in figures if figure is not None]
            assert_that(sum(known) / len(known) if known else None, equal_to(item.stored.value))
            compared += len(known)
    assert_that(compared, greater_than(300))


def test_games_and_rows_passed_over_are_all_the_rows_before(
    wild: list[House], items: list[tuple[Explanation, FeatureExplanation]]
) -> None:
    """Nothing that was read is left untold, whatever the windows of the feature."""
    stored: dict[str, list[date]] = {}
    for house in wild:
        with house.warehouse.open() as connection:
            for player, day in connection.execute(
                "SELECT TRIM(player_lookup), game_date FROM nba_analytics.player_game_summary"
            ).fetchall():
                stored.setdefault(f"{house.path} {player}", []).append(day)
    told = 0
    for number, (found, item) in enumerate(items):
        if item.feature.basis.windows:
            house = wild[number * len(wild) // len(items)]
            days = stored[f"{house.path} {found.player}"]
            before = sorted(day for day in days if found.window.start <= day < found.day)
            listed = sorted(row["game_date"] for row in (*item.games, *item.passed_over))
            assert_that(listed, equal_to(before), item.feature.name)
            told += len(listed)
    assert_that(told, greater_than(1_000))


def test_every_computed_feature_has_a_formula() -> None:
    assert_that(set(FORMULAS), equal_to({feature.name for feature in FEATURES}))


def test_a_missing_value_says_why_and_no_other_does(
    items: list[tuple[Explanation, FeatureExplanation]],
) -> None:
    for _, item in items:
        assert_that(bool(item.missing), equal_to(item.recomputed.source == "missing"), item.feature.name)


def test_a_missing_value_names_what_lacked(tmp_path: Path) -> None:
    rows = [row | {"offensive_rebounds": None} for row in make_league(dates=8, players=3)]
    house = build(House(""), tmp_path, rows, bootstrap_days=0)
    found = explain_key(house.warehouse, "bos0", house.days[-1], NOW)
    pace = explain_feature(found, BY_NAME["team_pace"])
    assert_that(pace.missing, has_item(contains_string("pace known in 0")))
    score = explain_feature(found, BY_NAME["pace_score"])
    assert_that(score.missing, has_items("opponent_pace is missing", "team_pace is missing"))
    injury = explain_feature(found, BY_NAME["injury_risk"])
    assert_that(injury.missing, has_item("there is no table of injury reports"))


def test_a_value_altered_by_hand_is_said_to_differ(tame: House, tmp_path: Path, explain: Run) -> None:
    house = tame.copy(tmp_path / "copy.duckdb")
    player, day = sample(house, 1)[0]
    key = f"player_lookup = '{player}' AND game_date = DATE '{day}'"
    write(house, f"UPDATE {STORE} SET feature_1_value = feature_1_value + 1 WHERE {key}")
    found = explain_key(house.warehouse, player, day, NOW)
    assert_that(found.is_same, equal_to(False))
    assert_that([difference.column for difference in found.differences], contains_exactly("feature_1_value"))
    text = explain(house, player, day).out
    assert_that(
        text,
        all_of(
            contains_string("DIFFERS in 1 column"), contains_string("not the digest of the stored values")
        ),
    )
    (line,) = [line for line in text.splitlines() if re.search(r" 1 +points_avg_last_10", line)]
    assert_that(line, contains_string("DIFFERS"))
    assert_that(text, contains_string(f"feature-store backfill --warehouse {house.path} --start-date {day}"))
    assert_that(
        explain(house, player, day, "--feature", "points_avg_last_10").out, contains_string("DIFFERS")
    )
    assert_that(
        explain(house, player, day, "--feature", "points_avg_last_5").out,
        contains_string("player_history: same"),
    )
    assert_that(explain(house, player, day, "--json").json["same"], equal_to(False))


def test_a_source_that_no_run_writes_is_said_to_differ(tame: House, tmp_path: Path, explain: Run) -> None:
    house = tame.copy(tmp_path / "copy.duckdb")
    player, day = sample(house, 1)[0]
    key = f"player_lookup = '{player}' AND game_date = DATE '{day}'"
    write(house, f"UPDATE {STORE} SET feature_0_source = 'guess' WHERE {key}")
    found = explain(house, player, day)
    assert_that(found.out, contains_string("stored guess, recomputed player_history"))
    assert_that(found.out, contains_string("not the digest of the stored values"))


def test_a_row_whose_box_score_is_gone_is_said_to_differ(tame: House, tmp_path: Path, explain: Run) -> None:
    house = tame.copy(tmp_path / "copy.duckdb")
    player, day = sample(house, 1)[0]
    write(
        house,
        "DELETE FROM nba_analytics.player_game_summary "
        f"WHERE player_lookup = '{player}' AND game_date = DATE '{day}'",
    )
    found = explain(house, player, day)
    assert_that(found.code, equal_to(0))
    assert_that(" ".join(found.out.split()), contains_string("give no row (no target any more)"))
    assert_that(found.out, all_of(not_(contains_string(" 0 games")), not_(contains_string("not read yet"))))
    assert_that(explain(house, player, day, "--json").json, has_entries(same=False, recomputed=None))


def test_an_altered_input_is_said_to_differ_and_the_digest_to_hold(tame: House, tmp_path: Path) -> None:
    house = tame.copy(tmp_path / "copy.duckdb")
    player, day = sample(house, 1)[0]
    write(
        house,
        "UPDATE nba_analytics.player_game_summary SET points = points + 40 "
        f"WHERE player_lookup = '{player}' AND game_date < DATE '{day}'",
    )
    found = explain_key(house.warehouse, player, day, NOW)
    columns = [difference.column for difference in found.differences]
    assert_that(columns, has_items("feature_0_value", "feature_1_value", "data_hash"))
    assert_that(digest_stored(found.stored or {}), equal_to(found.identity["data_hash"]))


def test_the_admission_is_that_of_the_run_that_wrote_the_row(tame: House, tmp_path: Path) -> None:
    house = tame.copy(tmp_path / "copy.duckdb")
    gaps = house.read().gaps.items()
    player, day = next(key for key, gap in gaps if gap["skip_detail"].startswith("4 of 5 games"))
    assert_that(explain_key(house.warehouse, player, day, NOW).admission.bootstrap_days, equal_to(14))
    run = house.commit(bootstrap_days=0, min_games=3)
    found = explain_key(house.warehouse, player, day, NOW)
    assert_that(found.admission, has_properties(bootstrap_days=0, min_games=3))
    assert_that((found.run or {})["run_id"], equal_to(run["run_id"]))
    assert_that(found.is_same)
    assert_that(found.gap, has_entries(resolved_run_id=run["run_id"]))


# what was passed over


def make_flawed(days: int = 9) -> tuple[list[Row], list[date]]:
    """One player's flawed rows among plain ones, three days apart, and the dates."""
    dates = [FIRST + timedelta(days=3 * number) for number in range(days)]
    rows = [
        make_row(f"{team.lower()}{number}", day, team, {"BOS": "CHI", "CHI": "BOS"}[team])
        for day in dates
        for team in ("BOS", "CHI")
        for number in range(3)
    ]
    mine = {row["game_date"]: row for row in rows if row["player_lookup"] == "bos0"}
    mine[dates[1]].update(is_dnp=True, points=None, minutes_played=None, dnp_reason="coach")
    mine[dates[2]].update(invalidate(mine[dates[2]]))
    mine[dates[3]].update(season_type="Pre Season")
    mine[dates[4]].update(points=0, minutes_played=0.0)
    rows.append({**mine[dates[5]], "points": 1, "game_id": "00000000_a"})
    return rows, dates


def test_rows_passed_over_are_listed_with_their_reasons(tmp_path: Path, explain: Run) -> None:
    rows, dates = make_flawed()
    house = build(House(""), tmp_path, rows, bootstrap_days=0)
    found = explain_key(house.warehouse, "bos0", dates[-1], NOW)
    assert_that(found.is_same)
    item = explain_feature(found, BY_NAME["points_avg_last_10"])
    assert_that([row["game_date"] for row in item.games], contains_exactly(dates[0], *dates[5:8]))
    told = {row["game_date"]: (row["reason"], row["detail"]) for row in item.passed_over}
    assert_that(
        told,
        equal_to(
            {
                dates[1]: ("did not play", "DNP: coach"),
                dates[2]: ("invalid", "fg_makes above fg_attempts"),
                dates[3]: ("exhibition", "preseason or all-star game"),
                dates[4]: ("did not play", "no minutes and no points"),
                dates[5]: ("duplicate", "lost against another row of the date"),
            }
        ),
    )
    text = explain(house, "bos0", dates[-1], "--feature", "points_avg_last_10").out
    for reason in ("DNP: coach", "fg_makes above fg_attempts", "exhibition", "duplicate"):
        assert_that(text, contains_string(reason))
    rate = explain_feature(found, BY_NAME["dnp_rate"])
    assert_that([row["played"] for row in rate.games], contains_exactly(True, False, False, *[True] * 3))


def test_what_is_out_of_bound_is_told_from_what_did_not_count(tame: House, explain: Run) -> None:
    player, day = "bos0", tame.days[-1]
    found = explain_key(tame.warehouse, player, day, NOW)
    last_5 = explain_feature(found, BY_NAME["points_avg_last_5"])
    assert_that({row["detail"] for row in last_5.passed_over}, contains_exactly("older than the last 5"))
    against = explain_feature(found, BY_NAME["avg_points_vs_opponent"])
    opponents = {row["opponent_team_abbr"] for row in against.games}
    assert_that(opponents, contains_exactly(found.identity["opponent_team_abbr"]))
    assert_that({row["detail"] for row in against.passed_over}, contains_exactly("against others"))
    text = explain(tame, player, day, "--feature", "0").out
    assert_that(text, contains_string("24 older than the last 5"))


def test_a_row_too_old_to_be_read_is_counted(tmp_path: Path, explain: Run) -> None:
    rows, dates = make_flawed()
    old = make_row("bos0", dates[-1] - timedelta(days=366), "BOS", "CHI")
    house = build(House(""), tmp_path, [*rows, old], bootstrap_days=0)
    text = explain(house, "bos0", dates[-1], "--feature", "points_avg_season").out
    assert_that(text, contains_string(f"1 older than {dates[-1] - timedelta(days=365)}"))


# gaps


def test_each_reason_for_a_gap_is_explained(tmp_path: Path, explain: Run) -> None:
    rows = make_league(dates=12, players=3)
    days = sorted({row["game_date"] for row in rows})
    late = days[-1] + timedelta(days=30)
    plain = make_row("chi0", late, "CHI", "BOS")
    rows += [
        make_row("bos0", late, "BOS", "CHI", fg_makes=50, fg_attempts=9),
        make_row("novice", late, "BOS", "CHI"),
        make_row("chi1", late, "AAA", "BBB", game_id="elsewhere"),
        plain,
    ]
    house = build(House(""), tmp_path, rows)
    expected = {
        ("bos0", late): ("invalid_input", "fg_makes above fg_attempts: fg_makes is 50, fg_attempts is 9"),
        ("novice", late): ("no_history", "it needs a played game"),
        ("chi1", late): ("missing_dependency", "box scores of AAA or BBB"),
        ("bos0", days[2]): ("bootstrap", "--bootstrap-days 0"),
    }
    gaps = house.read().open_gaps
    for (player, day), (reason, words) in expected.items():
        assert_that(gaps[player, day]["skip_reason"], equal_to(reason))
        found = explain(house, player, day)
        assert_that(found.code, equal_to(0))
        assert_that(" ".join(found.out.split()), all_of(contains_string(reason), contains_string(words)))
        assert_that(found.out, contains_string("open"))
        answer = explain(house, player, day, "--json").json
        assert_that(answer, has_entries(stored=None, same=True, gap=has_entries(skip_reason=reason)))
        assert_that(answer["to_fill"], contains_string(words))
        one = explain(house, player, day, "--feature", "points_avg_last_5")
        assert_that(one.out, contains_string(f"reason      {reason}"))


def test_a_gap_of_a_computation_that_failed_asks_for_another_run(tame: House, tmp_path: Path) -> None:
    house = tame.copy(tmp_path / "copy.duckdb")
    player, day = sample(house, 1)[0]
    key = f"player_lookup = '{player}' AND game_date = DATE '{day}'"
    write(house, f"DELETE FROM {STORE} WHERE {key}")
    write(
        house,
        "INSERT INTO nba_predictions.feature_store_gaps "
        "(player_lookup, game_date, skip_reason, skip_detail, detected_at, attempt_count, last_attempt_at) "
        f"VALUES ('{player}', DATE '{day}', 'processing_error', 'KeyError: x', NOW(), 1, NOW())",
    )
    found = explain_key(house.warehouse, player, day, NOW)
    text = "\n".join(part for part in describe_explanation(found, house.path) if isinstance(part, str))
    assert_that(text, all_of(contains_string("processing_error"), contains_string("KeyError: x")))
    assert_that(" ".join(text.split()), contains_string("run backfill for the date again"))


def test_a_withdrawn_gap_is_called_withdrawn(tmp_path: Path, explain: Run) -> None:
    rows = make_league(dates=12, players=3)
    day = rows[-1]["game_date"]
    house = build(House(""), tmp_path, [*rows, make_row("novice", day, "BOS", "CHI")])
    house.put(rows)
    house.commit()
    found = explain(house, "novice", day)
    assert_that(found.out, all_of(contains_string("withdrawn 20"), contains_string("no target any more")))
    assert_that(explain(house, "novice", day, "--json").json, has_entries(to_fill=None, same=None))


def test_a_key_that_no_run_has_met_shows_what_it_would_be(tmp_path: Path, explain: Run) -> None:
    rows = make_league(dates=12, players=3)
    house = House(str(tmp_path / "house.duckdb"))
    house.put(rows)
    day = rows[-1]["game_date"]
    found = explain(house, "bos0", day)
    assert_that(found.out, all_of(contains_string("no run has stored it"), contains_string("would be")))
    assert_that(found.out, contains_string(f"backfill --warehouse {house.path} --start-date {day}"))
    answer = explain(house, "bos0", day, "--json").json
    assert_that(answer, has_entries(stored=None, gap=None, run=None, same=None))
    assert_that(answer["recomputed"]["feature_0_value"], is_not(None))


# no target


def test_an_unknown_player_gets_the_nearest_lookups(tame: House, explain: Run) -> None:
    found = explain(tame, "bo0", tame.days[-1])
    assert_that(found.code, equal_to(3))
    assert_that(found.err, all_of(contains_string("no player 'bo0'"), contains_string("bos0")))
    assert_that(explain(tame, "BOS 0", tame.days[-1]).err, contains_string("bos0"))
    far = explain(tame, "zzzzzzzzzz", tame.days[-1])
    assert_that(far.err, contains_string("No lookup is near"))
    assert_that(explain(tame, "bo0", tame.days[-1], "--json").json, has_entries(exit_code=3))


def test_a_date_without_a_game_gets_the_nearest_dates(tame: House, explain: Run) -> None:
    first, last = tame.days[0], tame.days[-1]
    found = explain(tame, "bos0", first - timedelta(days=1))
    assert_that(found.code, equal_to(3))
    assert_that(found.err, all_of(contains_string(f"{first} after"), not_(contains_string("before"))))
    assert_that(explain(tame, "bos0", last + timedelta(days=1)).err, contains_string(f"{last} before"))


def test_an_exhibition_game_is_no_target(tmp_path: Path) -> None:
    rows, dates = make_flawed()
    house = build(House(""), tmp_path, rows)
    with pytest.raises(BadInput, match="preseason or all-star"):
        explain_key(house.warehouse, "bos0", dates[3], NOW)


@pytest.mark.parametrize("name", ["points_avg_last_5", "0", "feature_0_value"])
def test_a_feature_is_found_by_name_and_by_index(name: str) -> None:
    assert_that(find_feature(name), equal_to(FEATURES[0]))


def test_an_unknown_feature_gets_the_nearest_names() -> None:
    with pytest.raises(UsageError, match="did you mean fatigue_score"):
        find_feature("fatige_score")
    with pytest.raises(UsageError, match="0 to 36"):
        find_feature("37")


def test_an_unknown_feature_is_a_usage_error_before_anything_is_read(explain: Run, tmp_path: Path) -> None:
    found = explain(House(str(tmp_path / "absent.duckdb")), "x", date(2024, 1, 1), "--feature", "nonsense")
    assert_that(found.code, equal_to(2))


def test_a_warehouse_without_box_scores_is_named(tmp_path: Path, explain: Run) -> None:
    house = House(str(tmp_path / "empty.duckdb"))
    write(house, "CREATE TABLE other (n INTEGER)")
    found = explain(house, "bos0", date(2024, 1, 1))
    assert_that(
        (found.code, found.err), contains_exactly(4, contains_string("player_game_summary is missing"))
    )


# the terminal


def test_nothing_is_wider_than_80_columns_but_commands(
    explained: list[Explanation], items: list[tuple[Explanation, FeatureExplanation]]
) -> None:
    described = [describe_explanation(found, "w.duckdb") for found in explained]
    described += [describe_feature(found, item, "w.duckdb") for found, item in items]
    for part in (part for parts in described for part in parts):
        if isinstance(part, Grid):
            widths = [max(map(len, (n, *c))) for n, c in zip(part.names, part.columns, strict=True)]
            assert_that(sum(widths) + 2 * (len(widths) - 1) <= WIDTH, f"{part.names}: {widths}")
        else:
            lines = [line for line in part.splitlines() if not line.startswith("  feature-store")]
            assert_that([line for line in lines if len(line) > WIDTH], empty())


def test_hostile_names_do_not_steer_the_terminal(tmp_path: Path, explain: Run) -> None:
    rows = make_league(dates=10, players=3)
    hostile = "e\x1b[31mvil\n'; DROP"
    rows = [
        row | {"player_lookup": hostile, "dnp_reason": "\x07bell"} if row["player_lookup"] == "bos0" else row
        for row in rows
    ]
    mine = [row for row in rows if row["player_lookup"] == hostile]
    mine[3].update(is_dnp=True, points=None, minutes_played=None)
    mine[-1].update(game_id="\x1b]0;owned\x07")
    house = build(House(""), tmp_path, rows, bootstrap_days=0)
    day = mine[-1]["game_date"]
    for more in ((), ("--feature", "points_avg_last_10")):
        found = explain(house, hostile, day, *more)
        assert_that(found.code, equal_to(0))
        assert_that(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", found.out), empty())
        assert_that(found.out, contains_string("\\x1b[31mvil"))
    assert_that(explain(house, hostile, day, "--json").json["player_lookup"], equal_to(hostile))
    lost = explain(house, "nobody\x1b[2J", day)
    assert_that(lost.err, not_(contains_string("\x1b")))


def test_json_holds_the_whole_vector_or_everything_of_one_feature(tame: House, explain: Run) -> None:
    player, day = sample(tame, 1)[0]
    whole = explain(tame, player, day, "--json").json
    assert_that(whole, has_entries(player_lookup=player, game_date=str(day), same=True, exit_code=0))
    assert_that(whole["features"], has_length(len(FEATURES)))
    assert_that(whole["run"], has_entries(mode="backfill", status="success"))
    one = explain(tame, player, day, "--feature", "team_win_pct", "--json").json["feature"]
    (team,) = one["teams"]
    wins = [game["win"] for game in team["games"]]
    assert_that(one["stored"]["value"], equal_to(sum(wins) / len(wins)))
    assert_that(one, has_entries(name="team_win_pct", same=True, games=empty(), missing=empty()))


def test_a_feature_made_of_others_names_them_and_how_to_go_on(tame: House, explain: Run) -> None:
    player, day = "bos0", tame.days[-1]
    found = explain(tame, player, day, "--feature", "pts_vs_season_zscore")
    assert_that(found.out, contains_string("made of     points_avg_last_5"))
    assert_that(found.out, contains_string("--feature points_std_last_10"))


def test_what_a_feature_takes_from_the_target_itself_is_shown(tame: House, explain: Run) -> None:
    player, day = "bos0", tame.days[-1]
    rest = tame.read().features[player, day]["days_rest"]
    assert_that(explain(tame, player, day, "--feature", "5").out, contains_string(f"days rest   {rest}\n"))
    kind = explain(tame, player, day, "--feature", "playoff_game").out
    assert_that(kind, contains_string("season type 'Regular Season'"))


@pytest.mark.parametrize("day", [date.min, date(2300, 1, 1)])
def test_any_date_is_answered(day: date, tame: House, explain: Run) -> None:
    found = explain(tame, "bos0", day)
    assert_that((found.code, found.err), contains_exactly(3, contains_string("Nearest game dates")))


def test_the_command_does_not_import_beam(tame: House) -> None:
    program = (
        "import sys; from pipeline.commands.app import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 'apache_beam' in sys.modules)"
    )
    key = ["--player", "bos0", "--date", str(tame.days[-1])]
    command = [sys.executable, "-c", program, "explain", "--warehouse", tame.path, *key]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert_that((done.returncode, done.stderr), contains_exactly(0, b""))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real box scores are not beside the project")
@pytest.mark.slow
def test_a_known_player_of_the_real_box_scores(tmp_path: Path, explain: Run) -> None:
    house = House(str(tmp_path / "real.duckdb"), [date(2018, 12, 25)])
    files = [str(REAL / f"season_{year}.parquet") for year in (2017, 2018)]
    assert_that(main(["import", "--warehouse", house.path, *files]), equal_to(0))
    house.commit()
    found = explain(house, "lebronjames", house.days[0], "--feature", "points_avg_last_5")
    assert_that(found.out, contains_string("(24 + 13 + 36 + 22 + 22) / 5 = 23.4"))
    assert_that(found.out, contains_string("same in every column, data_hash too"))
    games = explain(house, "lebronjames", house.days[0], "--feature", "0", "--json").json["feature"]["games"]
    assert_that([game["points"] for game in games], contains_exactly(24, 13, 36, 22, 22))
