"""The oracle's reading of the optional tables, by examples small enough to work out by hand.

Ann (ATL) and Bob (BOS) have met three times; what is asked is Ann's row of 10 January 2024, on which noon
US Eastern is 17:00 UTC. The last test guards the random side tables against growing tame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from leagues import COLUMNS, make_league
from oracle import Facts, OracleResult, OracleRow, Sides, compute
from side_tables import TABLES, make_sides, to_tables

Row = dict[str, Any]
DAY = date(2024, 1, 10)
NOON = datetime(2024, 1, 10, 17, tzinfo=UTC)
TIP = datetime(2024, 1, 11, 0, 30, tzinfo=UTC)
JUST = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
EARLIER = (date(2024, 1, 4), date(2024, 1, 6), date(2024, 1, 8))


def play(player: str, day: date, **changes: Any) -> Row:
    """A player row: 10 points in half an hour."""
    team, opponent = ("BOS", "ATL") if player == "bob" else ("ATL", "BOS")
    row: Row = dict.fromkeys(COLUMNS) | {
        "player_lookup": player, "game_id": f"g{day:%m%d}", "game_date": day, "team_abbr": team,
        "opponent_team_abbr": opponent, "points": 10, "minutes_played": 30.0, "fg_attempts": 10,
        "fg_makes": 5, "three_pt_attempts": 0, "three_pt_makes": 0, "ft_attempts": 0, "ft_makes": 0,
    }  # fmt: skip
    return row | changes


def coming(**changes: Any) -> Row:
    """An upcoming row: Ann at home against BOS."""
    return {
        "player_lookup": "ann", "game_id": "g1", "game_date": DAY, "team_abbr": "ATL",
        "opponent_team_abbr": "BOS", "home_game": True,
    } | changes  # fmt: skip


def game(**changes: Any) -> Row:
    """A row of the schedule for the same game."""
    return {
        "game_id": "g1", "game_date": DAY, "home_team_abbr": "ATL", "away_team_abbr": "BOS", "game_status": 1,
        "game_type": None, "tipoff_at": None,
    } | changes  # fmt: skip


def report(status: str | None, at: datetime | None = NOON, **changes: Any) -> Row:
    row: Row = {"player_lookup": "ann", "game_date": DAY, "team": "ATL", "injury_status": status}
    return row | {"reported_at": at} | changes


def line(
    points: float | None, at: datetime | None = NOON, book: str | None = "FanDuel", **changes: Any
) -> Row:
    row: Row = {"player_lookup": "ann", "game_date": DAY, "bookmaker": book, "points_line": points}
    return row | {"snapshot_timestamp": at} | changes


def alias(name: str | None, canonical: str | None) -> Row:
    return {"alias_lookup": name, "nba_canonical_lookup": canonical}


def birth(day: date | None, player: str = "ann") -> Row:
    return {"player_lookup": player, "birth_date": day}


HISTORY = [play(player, day) for player in ("ann", "bob") for day in EARLIER]
UPCOMING = [coming()]


def run(sides: Sides, rows: Iterable[Row] = HISTORY, day: date = DAY, **options: Any) -> OracleResult:
    """Every target of one date, without the bootstrap rule unless asked for."""
    return compute(rows, COLUMNS, day, day, sides=sides, **({"bootstrap_days": 0} | options))


def row_of(sides: Sides, rows: Iterable[Row] = HISTORY, day: date = DAY, **options: Any) -> OracleRow:
    return run(sides, rows, day, **options).features["ann", day]


def reason_of(sides: Sides, rows: Iterable[Row] = HISTORY, **options: Any) -> str | None:
    gap = run(sides, rows, **options).gaps.get(("ann", DAY))
    return gap.reason if gap else None


# Aliases
def test_a_chain_of_aliases_leads_every_table_to_the_canonical_lookup() -> None:
    rows = [row | {"player_lookup": " annie "} if row["player_lookup"] == "ann" else row for row in HISTORY]
    spelt = {"player_lookup": "a"}
    sides = Sides(
        aliases=[alias("annie", "a"), alias("a ", "ann")],
        upcoming=[coming(**spelt)],
        registry=[birth(date(1980, 1, 1), "annie")],
        injuries=[report("out", **spelt)],
        lines=[line(20.5, **spelt)],
    )
    row = row_of(sides, rows)
    assert (row.values[0], row.values[5], row.values[10], row.values[25]) == (10, 90, 3, 20.5)


def test_rows_of_one_player_under_two_lookups_on_one_date_are_duplicates() -> None:
    rows = [play("ann", DAY, points=10), play("annie", DAY, points=12)]
    found = run(Sides(aliases=[alias("annie", "ann")]), [*HISTORY, *rows])
    assert (list(found.features), found.duplicates) == ([("ann", DAY)], 1)


@pytest.mark.parametrize(
    ("pairs", "name", "canonical"),
    [
        ([("a", "b"), ("b", "a")], "a", "a"),
        ([("a", "b"), ("b", "a"), ("c", "a")], "c", "c"),
        ([("a", "z"), ("a", "y")], "a", "y"),
        ([("a", "z"), ("a", "y"), ("y", "x")], "a", "x"),
        ([("a", "a")], "a", "a"),
        ([("b", "b"), ("a", "b")], "a", "b"),
        ([("a", None), ("a", " "), (None, "a")], "a", "a"),
    ],
)
def test_circles_stay_and_the_smaller_of_two_canonical_names_wins(
    pairs: list[tuple[str | None, str | None]], name: str, canonical: str
) -> None:
    sides = Sides(upcoming=[coming(player_lookup=name)], aliases=[alias(*pair) for pair in pairs])
    assert list(run(sides).origins) == [(canonical, DAY)]


def test_circles_and_ambiguous_aliases_are_counted() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "a"), ("d", "x"), ("d", "y"), ("e", "x")]
    counts = run(Sides(aliases=[alias(*pair) for pair in pairs])).counts
    assert (counts["aliases_circular"], counts["aliases_ambiguous"]) == (3, 1)


# Upcoming targets
def test_an_upcoming_target_knows_its_own_facts_and_the_history() -> None:
    row = row_of(Sides(upcoming=UPCOMING))
    facts = ("game_id", "team_abbr", "opponent_team_abbr", "is_home", "season_year", "days_rest")
    assert [row.context[name] for name in facts] == ["g1", "ATL", "BOS", True, 2023, 2]
    assert (row.values[0], row.values[9], row.values[15], row.values[30]) == (10, 0, 1, 3)


def test_an_upcoming_row_is_no_history() -> None:
    """It counts for no window, no rest, no dnp_rate and no first day of a season."""
    late, options = DAY + timedelta(days=1), {"bootstrap_days": 4, "min_games": 9}
    before = [coming(game_date=day) for day in (DAY, date(2024, 1, 1))]
    rows = [*HISTORY, play("ann", late)]
    alone, beside = (
        compute(rows, COLUMNS, late, late, sides=Sides(upcoming=upcoming), **options)
        for upcoming in (None, before)
    )
    assert alone.features["ann", late] == beside.features["ann", late]
    assert compute(rows, COLUMNS, DAY, late, sides=Sides(upcoming=before), **options).features.keys() == {
        ("ann", DAY), ("ann", late)
    }  # fmt: skip


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
        ([game(game_id=None, game_status=9)], False),
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


# Cut-offs
@pytest.mark.parametrize(
    ("games", "cut_off"),
    [
        (None, NOON),
        ([], NOON),
        ([game()], NOON),
        ([game(tipoff_at=TIP)], TIP),
        ([game(tipoff_at=TIP), game(tipoff_at=TIP - HOUR)], TIP - HOUR),
        ([game(tipoff_at=TIP), game(game_id="g2", tipoff_at=TIP - HOUR)], TIP),
        ([game(game_id="g2", tipoff_at=TIP)], TIP),
        ([game(), game(game_id="g2", tipoff_at=TIP)], TIP),
        ([game(game_id="g2", tipoff_at=TIP), game(game_id="g3", tipoff_at=TIP - HOUR)], TIP - HOUR),
        ([game(game_id="g2", home_team_abbr="CHI", tipoff_at=TIP)], NOON),
        ([game(game_id="g2", home_team_abbr="CHI", away_team_abbr=" ATL", tipoff_at=TIP)], TIP),
        ([game(tipoff_at=TIP.replace(tzinfo=None))], TIP),
    ],
)
def test_what_is_known_at_the_tip_off_counts_and_nothing_after_it(
    games: list[Row] | None, cut_off: datetime
) -> None:
    for at, is_known in ((cut_off - JUST, True), (cut_off, True), (cut_off + JUST, False)):
        sides = Sides(upcoming=UPCOMING, schedule=games, injuries=[report("out", at)], lines=[line(9.5, at)])
        values = row_of(sides).values
        assert (values[10], values[25], values[28]) == ((3, 9.5, 1) if is_known else (None, None, None))


def test_noon_is_eastern_in_summer_and_in_winter() -> None:
    for day, hour in ((date(2024, 3, 9), 17), (date(2024, 3, 10), 16)):
        noon = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        for at, risk in ((noon, 2), (noon + JUST, None)):
            sides = Sides(
                upcoming=[coming(game_date=day)], injuries=[report("Questionable", at, game_date=day)]
            )
            assert row_of(sides, day=day).values[10] == risk


# Injury reports
@pytest.mark.parametrize(
    ("text", "risk"),
    [("available", 0), (" PROBABLE\t", 1), ("Questionable", 2), ("doubtful", 3), ("Out", 3), ("GTD", None),
     (None, None), (" ", None)],
)  # fmt: skip
def test_a_status_is_read_without_case_and_blanks(text: str | None, risk: int | None) -> None:
    row = row_of(Sides(upcoming=UPCOMING, injuries=[report(text)]))
    assert (row.values[10], row.sources[10]) == (risk, "missing" if risk is None else "injury_report")


@pytest.mark.parametrize(
    ("reports", "risk"),
    [
        ([report("out", NOON - HOUR), report("probable")], 1),
        ([report("probable"), report("doubtful"), report("available")], 3),
        ([report("GTD"), report("probable"), report(None)], 1),
        ([report("out", NOON - HOUR), report("GTD")], None),
        ([report("out", NOON.replace(tzinfo=None))], 3),
        ([report("out", player_lookup="bob")], 0),
        ([report("GTD", player_lookup="bob")], 0),
        ([report("out", NOON + JUST, player_lookup="bob")], None),
        ([report("out", game_date=date(2024, 1, 9))], None),
        ([report("out", None), report("out", player_lookup=" ")], None),
        ([], None),
        (None, None),
    ],
)
def test_the_newest_report_decides_and_at_one_instant_the_worst(
    reports: list[Row] | None, risk: int | None
) -> None:
    assert row_of(Sides(upcoming=UPCOMING, injuries=reports)).values[10] == risk


def test_reports_that_cannot_be_used_are_counted() -> None:
    rows = [
        report("out", None),
        report("out", player_lookup=None),
        report("GTD"),
        report(None),
        report("out"),
    ]
    counts = run(Sides(injuries=[*rows, report("GTD", game_date=date(2024, 1, 9))])).counts
    assert (counts["reports_rejected"], counts["reports_unknown"]) == (2, 2)


# Betting lines
@pytest.mark.parametrize(
    ("lines", "values"),
    [
        (None, (None, None, None, None)),
        ([], (None, None, None, None)),
        ([line(20.5, NOON - HOUR), line(22.0)], (22.0, 20.5, 1.5, 1)),
        ([line(20.5), line(19.5), line(23.5)], (19.5, 19.5, 0.0, 1)),
        ([line(21.5), line(22.5), line(25.5, NOON - HOUR), line(24.5, NOON - HOUR)], (21.5, 24.5, -3.0, 1)),
        ([line(20.5, book="BetMGM"), line(9.5, NOON - HOUR, " DRAFTKINGS ")], (9.5, 9.5, 0.0, 1)),
        ([line(20.5, book="FanDuel"), line(9.5, book="betMGM")], (9.5, 9.5, 0.0, 1)),
        ([line(20.5, book="betmgm"), line(19.5, NOON - HOUR, "BetMGM")], (20.5, 19.5, 1.0, 1)),
        ([line(20.5, book=None), line(9.5, book="zeta")], (9.5, 9.5, 0.0, 1)),
        ([line(20.5, book=None), line(9.5, NOON - HOUR, " ")], (20.5, 9.5, 11.0, 1)),
        ([line(0.0, book="draftkings"), line(9.5)], (9.5, 9.5, 0.0, 1)),
        ([line(30.5, NOON + JUST, "draftkings"), line(9.5)], (9.5, 9.5, 0.0, 1)),
        ([line(-1.5), line(float("nan")), line(float("inf")), line(None)], (None, None, None, 0)),
        ([line(9.5, player_lookup="bob")], (None, None, None, 0)),
        ([line(9.5, NOON + JUST, player_lookup="bob")], (None, None, None, None)),
        ([line(9.5, None), line(9.5, player_lookup=" ")], (None, None, None, None)),
    ],
)
def test_one_bookmakers_newest_and_oldest_lines_count(
    lines: list[Row] | None, values: tuple[float | None, ...]
) -> None:
    row = row_of(Sides(upcoming=UPCOMING, lines=lines))
    assert row.values[25:29] == values
    assert row.sources[25:29] == tuple("missing" if v is None else "betting_lines" for v in values)


def test_lines_that_cannot_be_used_are_counted() -> None:
    rows = [
        line(9.5, None),
        line(9.5, player_lookup=None),
        line(float("nan")),
        line(float("-inf")),
        line(None),
    ]
    counts = run(Sides(lines=rows)).counts
    assert (counts["lines_rejected"], counts["lines_not_finite"]) == (2, 2)


# Playoff games
@pytest.mark.parametrize(
    ("season_type", "games", "game_id", "told"),
    [
        ("Regular Season", [game(game_type="Playoffs")], "g1", 0),
        (None, [game(game_type="Playoffs")], "g1", 1),
        ("Gala", [game(game_type="play-in")], "g1", 1),
        (None, [game(game_type="NBA Cup"), game(game_type="Post Season")], "g1", 1),
        (None, [game(game_type="Gala"), game(game_id="g2", game_type="Playoffs")], "g1", 1),
        (None, [game(game_type="regular"), game(game_id="g2", game_type="Playoffs")], "g1", 0),
        (None, [game(game_id="0042300001", game_type="Tournament")], "0042300001", 0),
        (None, [game(game_id="g2", home_team_abbr="CHI", game_type="Playoffs")], "g1", None),
        (None, [game(game_type="Gala")], "0052300001", 1),
        (None, None, "0062300001", 0),
        (None, None, "g1", None),
    ],
)
def test_the_first_that_tells_a_playoff_game(
    season_type: str | None, games: list[Row] | None, game_id: str, told: int | None
) -> None:
    target = play("ann", DAY, season_type=season_type, game_id=game_id)
    row = row_of(Sides(schedule=games), [*HISTORY, target])
    assert (row.values[17], row.sources[17]) == (told, "missing" if told is None else "schedule")


# Ages
@pytest.mark.parametrize(
    ("births", "score"),
    [
        ([date(1994, 1, 11)], 100),
        ([date(1994, 1, 10)], 95),
        ([date(1989, 1, 11)], 95),
        ([date(1989, 1, 10)], 90),
        ([date(1980, 1, 1), date(1994, 6, 1), None], 100),
        ([None], 100),
    ],
)
def test_age_tires_in_whole_years_and_the_latest_birth_date_counts(
    births: list[date | None], score: int
) -> None:
    assert row_of(Sides(upcoming=UPCOMING, registry=[birth(day) for day in births])).values[5] == score


def test_a_birthday_on_29_february_is_reached_on_1_march_in_common_years() -> None:
    """Born in 1992, thirty in 2022. The game the day before takes 15, an age of 30 takes 5."""
    for day, score in ((date(2022, 2, 28), 85), (date(2022, 3, 1), 80)):
        rows = [play("ann", day - timedelta(days=1))]
        sides = Sides(upcoming=[coming(game_date=day)], registry=[birth(date(1992, 2, 29))])
        assert row_of(sides, rows, day).values[5] == score


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
    for spoilt in ({"game_id": " "}, {"away_team_abbr": "ATL"}):
        schedule = [game(**spoilt)]
        assert reason_of(Sides(schedule=schedule, injuries=[report("out")]), **options) == "invalid_input"


@pytest.mark.parametrize(
    ("games", "reports"),
    [
        (None, [report("out")]),
        ([game(game_date=date(2024, 1, 11))], [report("out")]),
        ([game(home_team_abbr="CHI")], [report("out")]),
        ([game(game_status=9)], [report("out")]),
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


# The random side tables
def test_side_tables_become_arrow_tables_of_the_columns_they_have() -> None:
    row = {k: v for k, v in coming().items() if k != "home_game"}
    tables = to_tables(Sides(upcoming=[row], registry=[], injuries=[report("out")]))
    assert set(tables) == {TABLES[name].path for name in ("upcoming", "registry", "injuries")}
    assert tables[TABLES["upcoming"].path].schema == pa.schema(
        [column for column in TABLES["upcoming"].schema if column.name != "home_game"]
    )
    assert tables[TABLES["registry"].path].schema == TABLES["registry"].schema
    assert tables[TABLES["injuries"].path].to_pylist() == [report("out")]


def test_side_tables_are_determined_by_their_seed() -> None:
    assert make_sides(3, make_league(3)) == make_sides(3, make_league(3)) != make_sides(4, make_league(3))


def test_the_random_side_tables_hold_what_they_should() -> None:
    reasons: set[str] = set()
    origins: set[tuple[str, bool]] = set()
    values: dict[int, set[float | None]] = {index: set() for index in (10, 17, 28)}
    known: set[tuple[int, bool]] = set()
    ages: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    renamed, told_by_schedule = 0, 0
    for seed in range(12):
        league = make_league(seed)
        sides = make_sides(seed, league)
        absent.update(name for name in TABLES if getattr(sides, name) is None)
        days = sorted({row["game_date"] for row in league.rows})
        start, end, today = days[len(days) // 3], days[-1] + timedelta(days=6), days[-3]
        found = compute(
            league.rows, league.columns, start, end, sides=sides, today=today, include_injured=True
        )  # fmt: skip
        reasons |= {gap.reason for gap in found.gaps.values()}
        origins |= {(origin, key in found.features) for key, origin in found.origins.items()}
        counts += found.counts
        facts = Facts(sides, start, end)
        for key, row in found.features.items():
            for index in values:
                values[index].add(row.values[index])
            known |= {(index, row.values[index] is not None) for index in (25, 26, 27)}
            age = facts.age(*key)
            ages["unknown" if age is None else "35" if age >= 35 else "30" if age >= 30 else "young"] += 1
            ages["birthday"] += age in (30, 35) and facts.age(key[0], key[1] - timedelta(days=1)) != age
            # Neither the type of the season nor the id tells anything of these.
            if found.origins[key] != "player row" and not str(row.context["game_id"]).startswith("00"):
                told_by_schedule += row.values[17] is not None
        lookups = {(row["player_lookup"] or "").strip() for row in league.rows}
        aliases = {(row["alias_lookup"] or "").strip() for row in sides.aliases or ()} & lookups
        renamed += len(aliases - {player for player, _ in found.origins})
    assert reasons == {
        "invalid_input", "unregistered_player", "no_game_summary", "bootstrap", "no_history",
        "missing_dependency",
    }  # fmt: skip
    kinds = ("player row", "upcoming", "injured")
    assert origins == {(kind, is_row) for kind in kinds for is_row in (True, False)}
    assert values == {10: {0, 1, 2, 3, None}, 17: {0, 1, None}, 28: {0, 1, None}}
    assert known == {(index, is_known) for index in (25, 26, 27) for is_known in (True, False)}
    assert min(ages[age] for age in ("unknown", "young", "30", "35")) > 100
    assert ages["birthday"] > 5
    assert told_by_schedule > 50
    assert renamed > 20
    assert set(counts) == {
        "aliases_ambiguous", "aliases_circular", "reports_rejected", "reports_unknown", "lines_rejected",
        "lines_not_finite", "upcoming_dropped", "upcoming_postponed", "upcoming_rejected",
        "upcoming_duplicates",
    }  # fmt: skip
    assert set(absent) == set(TABLES)
    assert max(absent.values()) < 6
