"""The oracle's reading of who is a target and why one is skipped, by worked examples with optional tables.

Upcoming rows, postponed games, reports that alone name a player, and the first day of a season.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from leagues import COLUMNS
from oracle import Sides, compute
from side_examples import (
    DAY,
    HISTORY,
    HOUR,
    JUST,
    NOON,
    TIP,
    UPCOMING,
    Row,
    birth,
    coming,
    game,
    play,
    reason_of,
    report,
    row_of,
    run,
)


# Upcoming targets
def test_an_upcoming_target_knows_its_own_facts_and_the_history() -> None:
    row = row_of(Sides(upcoming=UPCOMING))
    facts = ("game_id", "team_abbr", "opponent_team_abbr", "is_home", "season_year", "days_rest")
    assert [row.context[name] for name in facts] == ["g1", "ATL", "BOS", True, 2023, 2]
    assert (row.values[0], row.values[9], row.values[15], row.values[30]) == (10, 0, 1, 3)


def test_an_upcoming_row_is_no_history() -> None:
    """It counts for no window, no rest, no dnp_rate and no first day of a season."""
    first, late = date(2023, 12, 20), DAY + timedelta(days=1)
    rows = [*HISTORY, play("ann", late)]
    before = [coming(game_date=day) for day in (first, DAY)]
    alone, beside = (
        compute(rows, COLUMNS, first, late, sides=Sides(upcoming=upcoming), bootstrap_days=0)
        for upcoming in (None, before)
    )
    assert beside.features.keys() - alone.features.keys() == {("ann", DAY)}
    assert beside.features["ann", late] == alone.features["ann", late]
    assert alone.features["ann", late].context["early_season_flag"] is True


@pytest.mark.parametrize(
    ("row", "known"),
    [
        (coming(game_id="20240110_BOS_ATL"), True),
        (coming(game_id="20240110_BOS_ATL", home_game=None), None),
        ({k: v for k, v in coming(game_id="20240110_BOS_ATL").items() if k != "home_game"}, True),
        ({k: v for k, v in coming(game_id="20240110_ATL_BOS").items() if k != "home_game"}, False),
        ({k: v for k, v in coming(game_id="0022300001").items() if k != "home_game"}, None),
    ],
)
def test_home_is_derived_only_where_the_column_is_absent(row: Row, known: bool | None) -> None:
    found = row_of(Sides(upcoming=[row]))
    assert (found.context["is_home"], found.values[15]) == (known, known)


def test_a_key_in_both_tables_takes_its_facts_from_the_player_row() -> None:
    found = run(Sides(upcoming=[coming(opponent_team_abbr="CHI")]), [*HISTORY, play("ann", DAY)])
    assert found.origins == {("ann", DAY): "player row"}
    assert found.features["ann", DAY].context["opponent_team_abbr"] == "BOS"


@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        ({"game_id": "g1", "opponent_team_abbr": "DEN"}, {"game_id": "g2", "opponent_team_abbr": "BOS"}),
        ({"opponent_team_abbr": "DEN"}, {"team_abbr": "CHI", "opponent_team_abbr": "ATL"}),
        ({"opponent_team_abbr": "BOS"}, {"opponent_team_abbr": "DEN"}),
        ({"opponent_team_abbr": None}, {"opponent_team_abbr": "BOS"}),
        ({"home_game": None}, {"home_game": False}),
        ({"home_game": False}, {"home_game": True}),
    ],
)
def test_the_greater_of_two_upcoming_rows_counts(loser: Row, winner: Row) -> None:
    rows = [coming(**winner), coming(**loser)]
    for order in (rows, rows[::-1]):
        found = run(Sides(upcoming=order))
        assert found.features["ann", DAY] == row_of(Sides(upcoming=[coming(**winner)]))
        assert found.counts["upcoming_duplicates"] == 1


@pytest.mark.parametrize("spoilt", [{"game_id": " "}, {"team_abbr": None}, {"opponent_team_abbr": "ATL "}])
def test_an_upcoming_row_without_a_game_is_invalid(spoilt: Row) -> None:
    assert reason_of(Sides(upcoming=[coming(**spoilt)], registry=[])) == "invalid_input"


def test_upcoming_rows_that_are_no_targets_are_counted() -> None:
    rows = [coming(player_lookup="\t"), coming(game_id="0012300001"), coming(game_id="0032300001")]
    found = run(Sides(upcoming=[*rows, coming(game_date=DAY + timedelta(days=1))]))
    assert found.origins == {}
    assert (found.counts["upcoming_rejected"], found.counts["upcoming_dropped"]) == (1, 2)


# Postponed games
@pytest.mark.parametrize(
    ("games", "is_target"),
    [
        ([game()], True),
        ([game(game_status=9)], False),
        ([game(), game(game_status=9)], False),
        ([game(), game(game_id="g2", game_status=9)], True),
        ([game(game_date=date(2024, 1, 12))], False),
        ([game(game_date=DAY + timedelta(days=365))], False),
        ([game(game_date=DAY - timedelta(days=365))], False),
        ([game(game_date=DAY + timedelta(days=366))], True),
        ([game(), game(game_date=date(2024, 1, 12))], True),
        ([game(game_date=date(2024, 1, 12)), game(game_id="g2")], False),
        ([game(game_id="g2", game_status=9)], False),
        ([game(game_id=None, game_status=9)], True),
        ([game(game_id="g2", game_status=9), game(game_id="g3", away_team_abbr="CHI")], True),
        ([game(game_id="g2", game_status=9, home_team_abbr="CHI")], True),
        ([game(game_status=None)], True),
    ],
)
def test_upcoming_rows_of_postponed_games_are_no_targets(games: list[Row], is_target: bool) -> None:
    found = run(Sides(upcoming=UPCOMING, schedule=games))
    assert (bool(found.origins), found.counts["upcoming_postponed"]) == (is_target, int(not is_target))


def test_a_postponed_row_does_not_win_over_one_that_stands() -> None:
    rows = [coming(game_id="g2"), coming(game_id="g1")]
    row = row_of(Sides(upcoming=rows, schedule=[game(), game(game_id="g2", game_status=9)]))
    assert row.context["game_id"] == "g1"


def test_a_player_row_of_a_postponed_game_stays_a_target() -> None:
    sides = Sides(schedule=[game(game_id="g0110", game_status=9)])
    assert ("ann", DAY) in run(sides, [*HISTORY, play("ann", DAY)]).features


# Skips
def test_a_registry_that_does_not_know_a_player_makes_a_gap() -> None:
    assert reason_of(Sides(upcoming=UPCOMING, registry=[birth(None, "bob")])) == "unregistered_player"
    assert reason_of(Sides(upcoming=UPCOMING, registry=[])) == "unregistered_player"
    assert reason_of(Sides(upcoming=UPCOMING, registry=[birth(None)])) is None
    assert reason_of(Sides(upcoming=UPCOMING)) is None


def test_an_upcoming_row_of_a_past_date_without_a_player_row_makes_a_gap() -> None:
    sides, after = Sides(upcoming=UPCOMING), DAY + timedelta(days=1)
    assert reason_of(sides, today=DAY) is None
    assert reason_of(sides, today=after) == "no_game_summary"
    assert reason_of(sides, today=after, stored_keys={("ann", DAY)}) == "no_game_summary"
    assert reason_of(sides, [*HISTORY, play("ann", DAY)], today=after) is None
    exhibition = play("ann", DAY, season_type="All-Star")
    assert reason_of(sides, [*HISTORY, exhibition], today=after) == "no_game_summary"


def test_the_first_reason_that_applies_is_given() -> None:
    early, spoilt = (
        {"bootstrap_days": 99, "min_games": 9, "today": DAY + timedelta(days=1)},
        coming(team_abbr=""),
    )
    assert reason_of(Sides(upcoming=[spoilt], registry=[]), **early) == "invalid_input"
    assert reason_of(Sides(upcoming=UPCOMING, registry=[]), **early) == "unregistered_player"
    assert reason_of(Sides(upcoming=UPCOMING), **early) == "no_game_summary"
    assert reason_of(Sides(upcoming=UPCOMING), **(early | {"today": DAY})) == "bootstrap"
    stored = {"today": DAY, "stored_keys": {("ann", DAY)}}
    assert reason_of(Sides(upcoming=UPCOMING), **(early | stored)) is None


# The first day of a season, 4 January by the player rows
@pytest.mark.parametrize(
    ("changes", "bootstrap_days"),
    [
        ({"game_date": date(2024, 1, 2), "game_type": "Regular Season"}, 8),
        ({"game_date": date(2024, 1, 2), "game_type": "NBA Cup", "game_status": 9}, 8),
        ({"game_date": date(2024, 1, 2), "game_id": "0022300001"}, 8),
        ({"game_date": date(2024, 1, 2), "game_id": "0042300001", "game_type": "regular"}, 8),
        ({"game_date": date(2024, 1, 2), "game_id": "0022300001", "game_type": "Playoffs"}, 6),
        ({"game_date": date(2024, 1, 2), "game_id": "0042300001"}, 6),
        ({"game_date": date(2024, 1, 2)}, 6),
        ({"game_date": date(2024, 1, 5), "game_type": "Regular Season"}, 6),
        ({"game_date": date(2023, 10, 1), "game_type": "Regular Season"}, 101),
        ({"game_date": date(2023, 9, 30), "game_type": "Regular Season"}, 6),
    ],
)
def test_a_season_begins_with_its_first_regular_game_in_the_schedule(
    changes: Row, bootstrap_days: int
) -> None:
    """`first + bootstrap_days` is the first date outside; the tenth of January is just outside or just in."""
    sides = Sides(upcoming=[coming(game_id="u1")], schedule=[game(**changes)])
    assert reason_of(sides, bootstrap_days=bootstrap_days) is None
    assert reason_of(sides, bootstrap_days=bootstrap_days + 1) == "bootstrap"


def test_games_of_the_schedule_before_the_window_do_not_begin_a_season() -> None:
    """A leap year: 1 October 2019 is 366 days before 1 October 2020, which belongs to season 2019."""
    day = date(2020, 10, 1)
    for before, bootstrap_days in ((366, 0), (365, 365)):
        opener = game(game_date=day - timedelta(days=before), game_type="Regular Season")
        sides = Sides(upcoming=[coming(game_date=day, game_id="u1")], schedule=[opener])
        for days, reason in ((bootstrap_days, "no_history"), (bootstrap_days + 1, "bootstrap")):
            found = compute(HISTORY, COLUMNS, day, day, sides=sides, bootstrap_days=days)
            assert found.gaps["ann", day].reason == reason


def test_the_early_season_flag_follows_the_schedule() -> None:
    opener = {"game_id": "g0", "game_type": "Regular Season"}
    for first, is_early in ((date(2023, 12, 28), True), (date(2023, 12, 27), False)):
        sides = Sides(upcoming=UPCOMING, schedule=[game(**opener, game_date=first)])
        assert row_of(sides).context["early_season_flag"] is is_early


# Injured targets
def test_a_player_whom_only_a_report_names_is_a_target_when_asked_for_or_stored() -> None:
    sides = Sides(schedule=[game(game_type="Playoffs")], injuries=[report("GTD", team=" ATL")])
    assert run(sides).origins == {}
    assert run(sides, stored_keys={("ann", DAY)}).origins == {("ann", DAY): "injured"}
    row = row_of(sides, include_injured=True)
    facts = ("game_id", "team_abbr", "opponent_team_abbr", "is_home", "season_year")
    assert [row.context[name] for name in facts] == ["g1", "ATL", "BOS", True, 2023]
    assert (row.values[0], row.values[10], row.values[17]) == (10, None, 1)


def test_an_injured_target_is_skipped_for_the_reasons_of_any_other_but_a_missing_summary() -> None:
    options = {"include_injured": True, "today": DAY + timedelta(days=1)}
    sides = Sides(schedule=[game()], injuries=[report("out")])
    assert run(sides, **options).features.keys() == {("ann", DAY)}
    assert reason_of(sides, bootstrap_days=7, **options) == "bootstrap"
    assert reason_of(Sides(schedule=[game()], injuries=[report("out")], registry=[]), **options) == (
        "unregistered_player"
    )
    twins = Sides(schedule=[game(away_team_abbr="ATL")], injuries=[report("out")])
    assert reason_of(twins, **options) == "invalid_input"


@pytest.mark.parametrize(
    ("games", "reports"),
    [
        (None, [report("out")]),
        ([game(game_date=date(2024, 1, 11))], [report("out")]),
        ([game(home_team_abbr="CHI")], [report("out")]),
        ([game(game_status=9)], [report("out")]),
        ([game(game_id=" ")], [report("out")]),
        ([game(game_id="0012300001")], [report("out")]),
        ([game(game_id="0032300001")], [report("out")]),
        ([game(game_type="Pre-Season")], [report("out")]),
        ([game(game_type="ALL STAR")], [report("out")]),
        ([game()], [report("out", NOON + JUST)]),
        ([game()], [report("out", None)]),
        ([game()], [report("out", team=None)]),
        ([game()], [{k: v for k, v in report("out").items() if k != "team"}]),
    ],
)
def test_a_report_counts_when_its_team_plays_that_day_and_it_came_in_time(
    games: list[Row] | None, reports: list[Row]
) -> None:
    assert run(Sides(schedule=games, injuries=reports), include_injured=True).origins == {}


def test_a_report_up_to_the_tip_off_names_a_target() -> None:
    sides = Sides(schedule=[game(tipoff_at=TIP)], injuries=[report("out", TIP)])
    assert run(sides, include_injured=True).origins == {("ann", DAY): "injured"}


@pytest.mark.parametrize(
    ("games", "reports", "game_id", "team"),
    [
        ([game()], [report("out", NOON - HOUR, team="BOS"), report("out")], "g1", "ATL"),
        ([game()], [report("out", team="BOS"), report("out")], "g1", "ATL"),
        ([game()], [report("out", NOON - HOUR, team="BOS"), report("out", team="CHI")], "g1", "BOS"),
        ([game(tipoff_at=TIP), game(game_id="g2", tipoff_at=TIP - HOUR)], [report("out")], "g2", "ATL"),
        ([game(game_id="g0"), game(tipoff_at=TIP)], [report("out")], "g1", "ATL"),
        ([game(game_id="g2"), game()], [report("out")], "g1", "ATL"),
        ([game(game_id="g0", game_status=9), game()], [report("out")], "g1", "ATL"),
    ],
)
def test_the_newest_report_gives_the_team_and_the_schedule_its_game(
    games: list[Row], reports: list[Row], game_id: str, team: str
) -> None:
    row = row_of(Sides(schedule=games, injuries=reports), include_injured=True)
    assert (row.context["game_id"], row.context["team_abbr"]) == (game_id, team)


def test_players_named_elsewhere_are_not_named_by_reports() -> None:
    named = {"schedule": [game(game_id="g0")], "injuries": [report("out")]}
    found = run(Sides(upcoming=UPCOMING, **named), include_injured=True)
    assert found.origins == {("ann", DAY): "upcoming"}
    found = run(Sides(**named), [*HISTORY, play("ann", DAY)], include_injured=True)
    assert found.origins == {("ann", DAY): "player row"}
    # A postponed or an exhibition row names nobody, so the report does.
    for row, schedule in (
        (coming(), [game(game_status=9), game(game_id="g0")]),
        (coming(game_id="0012300001"), [game(game_id="g0")]),
    ):
        sides = Sides(upcoming=[row], schedule=schedule, injuries=[report("out")])
        assert run(sides, include_injured=True).origins == {("ann", DAY): "injured"}
