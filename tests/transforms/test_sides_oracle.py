"""The oracle's reading of aliases, cut-offs, reports, lines, kinds of games and ages, by worked examples.

The kernels are held against the oracle elsewhere; here it is held against values found by hand.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from oracle import Sides
from side_examples import (
    DAY,
    HISTORY,
    HOUR,
    JUST,
    NOON,
    TIP,
    UPCOMING,
    Row,
    alias,
    birth,
    coming,
    game,
    line,
    play,
    report,
    row_of,
    run,
)


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
        ([report("out", NOON - HOUR), report("available", player_lookup="bob")], 3),
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
