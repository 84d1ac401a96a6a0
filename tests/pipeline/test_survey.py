"""Where open gaps stand: every place provoked, and a survey held against what a run then does."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hamcrest import (
    assert_that,
    contains_exactly,
    empty,
    equal_to,
    has_entries,
    has_items,
    is_in,
    only_contains,
)
from leagues import make_league as make_wild_league
from side_tables import TABLES, make_sides
from warehouse import (
    LEDGER,
    House,
    Key,
    Row,
    invalidate,
    key_of,
    list_dates,
    make_league,
    make_row,
)

from pipeline.errors import UsageError, WrongShape
from pipeline.ledger import survey
from pipeline.ledger.gap_choice import ALL_GAPS, GapChoice
from pipeline.ledger.survey import (
    CLOSING,
    FILLABLE,
    OPTIONAL,
    PLACES,
    RUN_CLOSES,
    STANDINGS,
    SURVEYED,
    Place,
    Survey,
    survey_gaps,
)
from transforms.gaps import REASONS, Admission
from transforms.schema import FEATURE_STORE_GAPS, STAGED_TARGETS, Table
from transforms.side_tables import INJURY_REPORT, PLAYER_ALIASES, REGISTRY, SCHEDULE, UPCOMING

ROWS = make_league(dates=30, players=4)
DAYS = list_dates(ROWS)
EARLY, LATE, LAST = DAYS[2], DAYS[20], DAYS[-1]
TODAY = LAST + timedelta(days=1)
NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)
OLD = datetime(2020, 1, 1, tzinfo=UTC)
PLAYER = "bos1"
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A season, backfilled with the bootstrap rule: its first dates are open gaps."""
    made = House(str(tmp_path_factory.mktemp("survey") / "w.duckdb"), DAYS)
    made.put(ROWS)
    made.commit()
    return made


@pytest.fixture
def house(backfilled: House, tmp_path: Path) -> House:
    return backfilled.copy(tmp_path / "w.duckdb")


def look(house: House, now: datetime = NOW, choice: GapChoice = ALL_GAPS, **options: Any) -> Survey:
    return survey_gaps(house.warehouse, choice, Admission(**options), now)


def places(found: Survey) -> dict[Key, Place]:
    return {key_of(gap): Place(*(gap[name] for name in Place._fields)) for gap in found.gaps.to_pylist()}


def place(house: House, key: Key, **options: Any) -> Place:
    return places(look(house, **options))[key]


def keys_of(found: Survey, *standings: str) -> set[Key]:
    return {key_of(row) for row in found.select_keys(*standings).to_pylist()}


def row_of(key: Key) -> Row:
    return next(row for row in ROWS if key_of(row) == key)


def change(key: Key, **facts: Any) -> list[Row]:
    return [row | facts if key_of(row) == key else row for row in ROWS]


def drop(*keys: Key) -> list[Row]:
    return [row for row in ROWS if key_of(row) not in keys]


def debut(day: date = LATE, player: str = "rookie") -> Row:
    """A box score of somebody new, on the team of :data:`PLAYER`."""
    return row_of((PLAYER, day)) | {"player_lookup": player}


def announce(player: str, day: date = TODAY, **facts: Any) -> Row:
    row = {"player_lookup": player, "game_id": f"g{day:%m%d}", "game_date": day, "team_abbr": "BOS"}
    return row | {"opponent_team_abbr": "CHI", "home_game": False} | facts


def play(player: str, day: date = TODAY) -> Row:
    return make_row(player, day, "BOS", "CHI", game_id=f"g{day:%m%d}")


def register(*lookups: str) -> list[Row]:
    return [{"player_lookup": lookup} for lookup in lookups]


def alias(lookup: str, canonical: str) -> Row:
    return {"alias_lookup": lookup, "nba_canonical_lookup": canonical}


NAMES = sorted({row["player_lookup"] for row in ROWS})


# Bootstrap


def test_few_games_in_the_first_days_are_filled_by_an_option(house: House) -> None:
    assert_that(place(house, (PLAYER, EARLY)), equal_to(survey.FEW_GAMES))
    assert_that(survey.FEW_GAMES, has_items(OPTIONAL, "--bootstrap-days 0"))


@pytest.mark.parametrize("options", [{"bootstrap_days": 0}, {"bootstrap_days": 2}, {"min_games": 0}], ids=str)
def test_options_given_here_admit_it(house: House, options: dict[str, int]) -> None:
    assert_that(place(house, (PLAYER, EARLY), **options).standing, equal_to(FILLABLE))


def test_the_days_and_the_games_given_decide_as_in_a_run(house: House) -> None:
    first = places(look(house, bootstrap_days=0))
    assert_that(
        {why for _, why, _ in first.values()}, has_items(survey.ADMITTED.why, survey.NO_TEAM_HISTORY.why)
    )
    assert_that(place(house, (PLAYER, EARLY), min_games=2), equal_to(survey.ENOUGH_GAMES))
    assert_that(place(house, (PLAYER, EARLY), min_games=3), equal_to(survey.FEW_GAMES))


def test_a_season_nobody_has_seen_the_beginning_of_needs_data(house: House) -> None:
    """Of the first dates of all it cannot be known who is new."""
    assert_that(place(house, (PLAYER, DAYS[0])), equal_to(survey.NO_TEAM_HISTORY))


@pytest.mark.parametrize("processed_at", [None, OLD], ids=["new stamps", "old stamps"])
def test_an_earlier_season_that_arrives_fills_gaps_whatever_its_rows_say_of_their_age(
    house: House, processed_at: datetime | None
) -> None:
    before = [
        make_row(
            PLAYER,
            DAYS[0] - timedelta(days=200 + n),
            "BOS",
            "CHI",
            processed_at=processed_at,
            season_year=2022,
        )
        for n in range(5)
    ]
    house.put([*ROWS, *before])
    found = places(look(house))
    assert_that(found[PLAYER, EARLY], equal_to(survey.ENOUGH_GAMES))
    assert_that(found[PLAYER, DAYS[0]], equal_to(survey.ENOUGH_GAMES))
    assert_that(found["bos2", DAYS[0]], equal_to(survey.FIRST_GAME))
    house.put([*ROWS, *before[1:]])
    assert_that(place(house, (PLAYER, DAYS[0])), equal_to(survey.FEW_GAMES))


def test_who_sat_out_the_season_before_has_no_history(house: House) -> None:
    absent = make_row(PLAYER, DAYS[0] - timedelta(days=200), "BOS", "CHI", is_dnp=True, points=None)
    played = make_row("bos2", DAYS[0] - timedelta(days=200), "BOS", "CHI")
    house.put([*ROWS, absent, played])
    assert_that(place(house, (PLAYER, DAYS[0])), equal_to(survey.LONG_ABSENCE))


# Rookies


@pytest.fixture
def rookie(house: House) -> House:
    house.put([*ROWS, debut()])
    house.commit()
    return house


def test_a_first_game_is_expected_and_no_option_changes_that(rookie: House) -> None:
    key = ("rookie", LATE)
    for options in ({}, {"bootstrap_days": 0}, {"bootstrap_days": 300}):
        assert_that(place(rookie, key, **options), equal_to(survey.FIRST_GAME))


def test_a_first_game_in_the_first_days_is_expected_too(house: House) -> None:
    house.put([*ROWS, debut(EARLY)])
    house.commit()
    gap = look(house, choice=GapChoice(player="rookie")).gaps.to_pylist()[0]
    assert_that(gap, has_entries(skip_reason="bootstrap", verdict="bootstrap", why=survey.FIRST_GAME.why))


@pytest.mark.parametrize(
    ("back", "stands"),
    [
        (1, survey.FILLABLE_NOW["no_history"]),
        (365, survey.FILLABLE_NOW["no_history"]),
        (366, survey.LONG_ABSENCE),
    ],
)
def test_an_earlier_game_fills_it_when_it_is_in_the_window(rookie: House, back: int, stands: Place) -> None:
    game = make_row("rookie", LATE - timedelta(days=back), "DEN", "LAL", processed_at=OLD)
    rookie.put([*ROWS, debut(), game])
    assert_that(place(rookie, ("rookie", LATE)), equal_to(stands))


@pytest.mark.parametrize(
    "facts", [{"is_dnp": True}, {"points": None}, {"fg_makes": 99}, {"season_type": "Pre Season"}], ids=str
)
def test_an_earlier_row_that_is_no_game_fills_nothing(rookie: House, facts: Row) -> None:
    rookie.put([*ROWS, debut(), make_row("rookie", LATE - YEAR, "DEN", "LAL") | facts])
    assert_that(place(rookie, ("rookie", LATE)), equal_to(survey.LONG_ABSENCE))


@pytest.mark.parametrize(
    "pairs", [[("rook", "rookie")], [("rook", "r.o.o.k"), ("r.o.o.k", "rookie")]], ids=str
)
def test_a_game_under_another_lookup_counts_once_the_alias_is_known(
    rookie: House, pairs: list[tuple[str, str]]
) -> None:
    other = debut(DAYS[19], "rook")
    rookie.put([*ROWS, debut(), other])
    assert_that(place(rookie, ("rookie", LATE)), equal_to(survey.FIRST_GAME))
    rookie.put_side(PLAYER_ALIASES, [alias(*pair) for pair in pairs])
    assert_that(place(rookie, ("rookie", LATE)), equal_to(survey.FILLABLE_NOW["no_history"]))


@pytest.mark.parametrize("lookup", ["rookie", " rookie ", "rook"])
def test_who_was_listed_long_ago_under_any_lookup_is_nobody_new(rookie: House, lookup: str) -> None:
    rookie.put_side(PLAYER_ALIASES, [alias("rook", "rookie")])
    rookie.put([*ROWS, debut(), make_row(lookup, LATE - 2 * YEAR, "DEN", "LAL")])
    assert_that(place(rookie, ("rookie", LATE)), equal_to(survey.LONG_ABSENCE))


def test_a_later_row_under_any_lookup_is_no_earlier_box_score(rookie: House) -> None:
    rookie.put([*ROWS, debut(), debut(DAYS[22]), debut(DAYS[23], " rookie ")])
    assert_that(place(rookie, ("rookie", LATE)), equal_to(survey.FIRST_GAME))


# The other reasons


def test_an_invalid_box_score_needs_mending_until_it_is_valid(house: House) -> None:
    key = (PLAYER, LATE)
    house.put([invalidate(row) if key_of(row) == key else row for row in ROWS])
    house.commit(allow_deletes=True)
    assert_that(place(house, key), equal_to(survey.MEND))
    house.put(ROWS)
    assert_that(place(house, key), equal_to(survey.FILLABLE_NOW["invalid_input"]))


def test_a_mended_row_that_is_a_first_game_is_not_fillable(house: House) -> None:
    house.put([*ROWS, invalidate(debut())])
    house.commit()
    house.put([*ROWS, debut()])
    gap = look(house, choice=GapChoice(player="rookie")).gaps.to_pylist()[0]
    assert_that(
        gap, has_entries(skip_reason="invalid_input", verdict="no_history", why=survey.FIRST_GAME.why)
    )


def test_an_unregistered_player_waits_for_the_registry(house: House) -> None:
    key = (PLAYER, LATE)
    others = [name for name in NAMES if name != PLAYER]
    house.put_side(REGISTRY, register(*others))
    house.commit(allow_deletes=True)
    assert_that(place(house, key), equal_to(survey.REGISTER))
    known = survey.FILLABLE_NOW["unregistered_player"]
    for table, rows in ((REGISTRY, register(*others, "b.o.s")), (PLAYER_ALIASES, [alias("b.o.s", "bos1")])):
        assert_that(place(house, key), equal_to(survey.REGISTER))
        house.put_side(table, rows)
    assert_that(place(house, key), equal_to(known))
    house.put_side(PLAYER_ALIASES, [])
    house.put_side(REGISTRY, register(*NAMES))
    assert_that(place(house, key), equal_to(known))
    remove_table(house, REGISTRY)
    assert_that(place(house, key), equal_to(known))


def remove_table(house: House, table: Table) -> None:
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(f"DROP TABLE {table.path}")


def test_who_did_not_come_is_expected_where_the_game_has_box_scores(house: House) -> None:
    house.put_side(UPCOMING, [announce("bos0"), announce("bos1")])
    house.commit(TODAY, TODAY)
    assert_that(set(places(look(house, choice=GapChoice(TODAY))).values()), equal_to({survey.NO_BOX_SCORES}))
    house.put([*ROWS, play("bos1")])
    found = places(look(house))
    assert_that(found["bos0", TODAY], equal_to(survey.NO_SHOW))
    assert_that(found["bos1", TODAY], equal_to(survey.FILLABLE_NOW["no_game_summary"]))


def test_neither_team_has_a_game_until_one_is_imported(house: House) -> None:
    stranger = make_row(PLAYER, TODAY, "XXX", "YYY")
    house.put([*ROWS, stranger])
    house.commit(TODAY, TODAY)
    assert_that(place(house, (PLAYER, TODAY)), equal_to(survey.NO_TEAM_GAMES))
    house.put([*ROWS, stranger, make_row("other", LATE, "YYY", "ZZZ", processed_at=OLD)])
    assert_that(place(house, (PLAYER, TODAY)), equal_to(survey.FILLABLE_NOW["missing_dependency"]))


def test_a_failed_computation_is_worth_another_try(house: House) -> None:
    key = (PLAYER, LATE)
    house.put([invalidate(row) if key_of(row) == key else row for row in ROWS])
    house.commit(allow_deletes=True)
    house.put(ROWS)
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(
            f"UPDATE {LEDGER} SET skip_reason = 'processing_error' WHERE game_date = ?", [LATE]
        )
    assert_that(place(house, key), equal_to(survey.FILLABLE_NOW["processing_error"]))


# Keys that are no targets any more


@pytest.mark.parametrize(
    ("rows", "stands"),
    [
        (drop((PLAYER, EARLY)), survey.UNNAMED),
        (change((PLAYER, EARLY), season_type="Pre Season"), survey.PASSED_OVER),
        (change((PLAYER, EARLY), player_lookup=None), survey.UNNAMED),
    ],
    ids=["row removed", "an exhibition now", "lookup lost"],
)
def test_a_key_that_nothing_names_is_closing(house: House, rows: list[Row], stands: Place) -> None:
    house.put(rows)
    assert_that(place(house, (PLAYER, EARLY)), equal_to(stands))


def test_a_lookup_that_became_an_alias_is_closing_and_says_of_whom(house: House) -> None:
    house.put_side(PLAYER_ALIASES, [alias(PLAYER, "b.o.s")])
    (gap,) = look(house, choice=GapChoice(EARLY, EARLY, player=PLAYER)).gaps.to_pylist()
    assert_that(gap, has_entries(standing=CLOSING, verdict=None, verdict_detail="an alias of b.o.s"))


@pytest.mark.parametrize(
    "facts", [{"game_status": 9}, {"game_date": TODAY + timedelta(days=30)}], ids=["status 9", "moved"]
)
def test_a_postponed_game_is_closing(house: House, facts: Row) -> None:
    house.put_side(UPCOMING, [announce("bos0")])
    house.commit(TODAY, TODAY)
    game = {"game_id": f"g{TODAY:%m%d}", "game_date": TODAY, "home_team_abbr": "CHI", "away_team_abbr": "BOS"}
    house.put_side(SCHEDULE, [game | facts])
    assert_that(place(house, ("bos0", TODAY)), equal_to(survey.PASSED_OVER))


def injure(house: House, day: date, team: str = "BOS") -> None:
    """A game and the word that somebody is out, who is in nobody's rows."""
    game = {"game_id": "x1", "game_date": day, "home_team_abbr": "CHI", "away_team_abbr": team}
    said = {"player_lookup": "hurt", "game_date": day, "team": team, "injury_status": "Out"}
    house.put_side(SCHEDULE, [game])
    house.put_side(INJURY_REPORT, [said | {"reported_at": OLD}])


def test_the_injured_are_filled_by_an_option_where_they_have_history(house: House) -> None:
    injure(house, TODAY)
    house.commit(TODAY, TODAY, include_injured=True)
    key = ("hurt", TODAY)
    assert_that(place(house, key), equal_to(survey.INJURED_ALONE))
    assert_that(place(house, key, include_injured=True), equal_to(survey.FIRST_GAME))
    house.put([*ROWS, *(play("hurt", day) for day in DAYS[:5])])
    assert_that(place(house, key), equal_to(survey.ASK_INJURED))
    assert_that(place(house, key, include_injured=True).standing, equal_to(FILLABLE))
    assert_that(place(house, key, bootstrap_days=200, min_games=10), equal_to(survey.ASK_BOTH))


# What a survey promises, held against what runs do


def apply(house: House, keys: Iterable[Key], now: datetime, **options: Any) -> Row:
    return house.commit(keys=keys, as_of=now.date(), **options)


def put_world(house: House, rows: list[Row], sides: Any) -> None:
    house.put(rows)
    for name, table in TABLES.items():
        found = getattr(sides, name)
        if found is not None:
            house.put_side(table, found)
        elif house.warehouse.describe(table) is not None:
            remove_table(house, table)


def draw_options(rng: random.Random) -> dict[str, Any]:
    return {
        "bootstrap_days": rng.choice([0, 5, 14, 60]),
        "min_games": rng.choice([0, 3, 5, 10]),
        "include_injured": rng.random() < 0.5,
    }


SEEDS = [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 40))]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_does_with_every_gap_what_the_survey_said(seed: int, tmp_path: Path) -> None:
    """A world that changes between the run that opened the gaps and the survey."""
    rng = random.Random(f"survey {seed}")
    league = make_wild_league(seed)
    days = sorted({row["game_date"] for row in league.rows})
    house = House(str(tmp_path / "w.duckdb"), days)
    rows = [dict.fromkeys(SURVEYED_ROW) | row for row in league.rows]
    put_world(house, [row for row in rows if rng.random() < 0.8], make_sides(seed, league))
    house.commit(days[len(days) // 3], days[-1] + timedelta(days=6), **draw_options(rng))
    put_world(house, [row for row in rows if rng.random() < 0.95], make_sides(seed + 1000, league))
    options = draw_options(rng)
    now = datetime.combine(days[-1] + timedelta(days=rng.randint(0, 9)), time(17), UTC)
    found = look(house, now, **options)
    check_promises(house, found, options, now, tmp_path)


SURVEYED_ROW = list(ROWS[0])


def check_promises(house: House, found: Survey, options: Row, now: datetime, directory: Path) -> None:
    gaps = house.read().open_gaps
    stands = places(found)
    assert_that(stands.keys(), equal_to(gaps.keys()))
    assert_that({p.standing for p in stands.values()}, only_contains(is_in(STANDINGS)))
    injured = {key for key, p in stands.items() if "--include-injured" in p.option}
    done = house.copy(directory / "done.duckdb")
    apply(done, gaps, now, **options)
    after = done.read()
    resolved = {key for key in gaps if after.gaps[key]["resolved_at"]}
    assert_that(resolved, equal_to(keys_of(found, FILLABLE)))
    withdrawn = {key for key in gaps if after.gaps[key]["withdrawn_at"]}
    assert_that(withdrawn, equal_to(keys_of(found, CLOSING) | injured))
    said = {key_of(gap): (gap["verdict"], gap["verdict_detail"]) for gap in found.gaps.to_pylist()}
    for key in gaps.keys() & after.open_gaps.keys():
        gap = after.gaps[key]
        assert_that(said[key], equal_to((gap["skip_reason"], gap["skip_detail"])))
    again = look(done, now, **options)
    assert_that(keys_of(again, *RUN_CLOSES), empty())

    admitted = house.copy(directory / "admitted.duckdb")
    apply(admitted, gaps, now, **options | {"bootstrap_days": 0, "include_injured": True})
    after = admitted.read()
    resolved = {key for key in gaps if after.gaps[key]["resolved_at"]}
    assert_that(resolved, equal_to(keys_of(found, FILLABLE, OPTIONAL)))


def test_what_was_attempted_after_the_import_is_not_fillable_again(rookie: House) -> None:
    """A nightly run does not try every rookie for ever."""
    rookie.put([*ROWS, debut(), play("bos0")])
    assert_that(keys_of(look(rookie), *RUN_CLOSES), empty())
    rookie.commit(keys=rookie.read().open_gaps)
    assert_that(keys_of(look(rookie), *RUN_CLOSES), empty())


# Choosing, and looking alone


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (GapChoice(start_date=EARLY), lambda player, day: day >= EARLY),
        (GapChoice(end_date=EARLY), lambda player, day: day <= EARLY),
        (GapChoice(EARLY, EARLY), lambda player, day: day == EARLY),
        (GapChoice(player=PLAYER), lambda player, day: player == PLAYER),
        (GapChoice(reason="no_history"), lambda player, day: player == "rookie"),
        (GapChoice(EARLY, reason="bootstrap", player="den0"), lambda p, day: p == "den0" and day >= EARLY),
        (GapChoice(start_date=date(2300, 1, 1)), lambda player, day: False),
        (GapChoice(end_date=date.min), lambda player, day: False),
        (GapChoice(player=""), lambda player, day: False),
    ],
    ids=range(9),
)
def test_a_choice_takes_what_it_names(rookie: House, choice: GapChoice, chosen: Any) -> None:
    expected = {key for key in rookie.read().open_gaps if chosen(*key)}
    found = look(rookie, choice=choice)
    assert_that(places(found).keys(), equal_to(expected))
    assert_that(found.gaps.schema, equal_to(SURVEYED))


def test_gaps_are_in_the_order_of_dates_and_players(rookie: House) -> None:
    keys = [(day, player) for player, day in map(key_of, look(rookie).gaps.to_pylist())]
    assert_that(keys, equal_to(sorted(keys)))


def test_dates_in_the_wrong_order_are_refused(house: House) -> None:
    with pytest.raises(UsageError, match="give the earlier date first"):
        look(house, choice=GapChoice(LATE, EARLY))


def test_closed_gaps_are_not_looked_at(house: House) -> None:
    house.commit(bootstrap_days=0)
    open_gaps = house.read().open_gaps
    assert_that(len(house.read().gaps) > len(open_gaps) > 0)
    assert_that(places(look(house)).keys(), equal_to(open_gaps.keys()))


def test_without_a_ledger_nothing_is_read(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(ROWS)
    assert_that(look(house).gaps.num_rows, equal_to(0))
    keys = STAGED_TARGETS.empty_table()
    assert_that(look(house).select_keys(FILLABLE).schema, equal_to(keys.schema))


def test_gaps_without_box_scores_cannot_be_judged(house: House) -> None:
    with house.warehouse.open(read_only=False) as connection:
        connection.execute("DROP TABLE nba_analytics.player_game_summary")
    with pytest.raises(WrongShape, match="player_game_summary is missing"):
        look(house)


def test_a_survey_changes_nothing(rookie: House) -> None:
    before = rookie.read()
    look(rookie, bootstrap_days=0)
    assert_that(rookie.read(), equal_to(before))


@pytest.mark.parametrize("name", ["o'neal; DROP TABLE x", "\x1b[31mred", "名前", "$player", "a\nb", "%"])
def test_any_name_is_only_a_name(house: House, name: str) -> None:
    house.put([*ROWS, debut(player=name)])
    house.commit()
    found = look(house, choice=GapChoice(player=name))
    assert_that(places(found), equal_to({(name, LATE): survey.FIRST_GAME}))


def test_no_place_is_without_a_rule_and_no_reason_without_a_place() -> None:
    declared = {value for value in vars(survey).values() if isinstance(value, Place)}
    declared |= set(survey.FILLABLE_NOW.values())
    assert_that(set(PLACES), equal_to(declared))
    assert_that(len(PLACES), equal_to(len(declared)))
    assert_that({*survey.FILLABLE_NOW, "bootstrap"}, equal_to(set(REASONS)))
    assert_that(
        [name for name in FEATURE_STORE_GAPS.key if name in SURVEYED.names],
        contains_exactly(*FEATURE_STORE_GAPS.key),
    )
