"""The generated league keeps the rules of the game, of the calendar and of the input table, and its
figures lie where the NBA's do."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hamcrest import (
    all_of,
    assert_that,
    calling,
    close_to,
    contains_exactly,
    empty,
    equal_to,
    greater_than,
    greater_than_or_equal_to,
    has_item,
    has_length,
    is_,
    is_in,
    less_than,
    less_than_or_equal_to,
    matches_regexp,
    not_,
    only_contains,
    raises,
)

from pipeline.demo import LeagueSpec, generate_seasons
from pipeline.demo_players import EAST, make_lookup
from transforms.schema import PLAYER_GAME_SUMMARY

STATISTICS = """points minutes_played fg_attempts fg_makes three_pt_attempts three_pt_makes ft_attempts
ft_makes offensive_rebounds turnovers paint_attempts paint_makes mid_range_attempts mid_range_makes"""


class League:
    """Tables of generated seasons, asked in SQL: ``lines`` holds every row, ``team_games`` the sums."""

    def __init__(self, spec: LeagueSpec) -> None:
        self.seasons = list(generate_seasons(spec))
        self.connection = duckdb.connect()
        self.connection.register("tables", pa.concat_tables(self.seasons))
        self.connection.execute("CREATE TABLE lines AS SELECT * FROM tables")
        self.connection.execute(
            """CREATE TABLE team_games AS
            SELECT season_year AS season, season_type, game_id, game_date, team_abbr AS team,
                   opponent_team_abbr AS opponent, bool_and(is_home) AS is_home,
                   count(points) AS played, sum(round(60 * minutes_played))::INT AS seconds,
                   sum(points)::INT AS points, sum(fg_attempts)::INT AS shots, sum(fg_makes)::INT AS makes,
                   sum(three_pt_attempts)::INT AS threes, sum(three_pt_makes)::INT AS three_makes,
                   sum(ft_attempts)::INT AS free_throws, sum(ft_makes)::INT AS free_throw_makes,
                   sum(turnovers)::INT AS turnovers, sum(offensive_rebounds)::INT AS rebounds
            FROM lines GROUP BY ALL"""
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def column(self, query: str) -> list[Any]:
        return [row[0] for row in self.rows(query)]

    def value(self, query: str) -> Any:
        return self.rows(query)[0][0]


@pytest.fixture(scope="module")
def nba() -> Iterator[League]:
    league = League(LeagueSpec(seasons=3))
    yield league
    league.connection.close()


@pytest.fixture(scope="module", params=[4, 10, 22])
def small(request: pytest.FixtureRequest) -> Iterator[League]:
    league = League(LeagueSpec(seasons=1, teams=request.param))
    yield league
    league.connection.close()


# ---- the table


def test_columns_are_those_of_the_input_table(nba: League) -> None:
    for table in nba.seasons:
        assert_that(table.schema, equal_to(PLAYER_GAME_SUMMARY.schema))


def test_rows_are_ordered_by_date_game_team_and_player(nba: League) -> None:
    for table in nba.seasons:
        keys = table.select(["game_date", "game_id", "team_abbr", "player_lookup"]).to_pydict().values()
        rows = list(zip(*keys, strict=True))
        assert_that(rows, equal_to(sorted(rows)))


def test_a_player_has_one_row_a_date_and_a_season_about_32_thousand_rows(nba: League) -> None:
    twice = "SELECT 1 FROM lines GROUP BY player_lookup, game_date HAVING count(*) > 1"
    assert_that(nba.rows(twice), empty())
    sizes = [table.num_rows for table in nba.seasons]
    assert_that(sizes, only_contains(all_of(greater_than(31_000), less_than(34_500))))


def test_what_says_who_and_where_is_never_null(nba: League) -> None:
    for name in set(PLAYER_GAME_SUMMARY.schema.names) - {*STATISTICS.split(), "dnp_reason"}:
        assert_that([table[name].null_count for table in nba.seasons], only_contains(0), name)


def test_rows_are_processed_at_ten_the_morning_after(nba: League) -> None:
    delay = "SELECT DISTINCT processed_at AT TIME ZONE 'UTC' - game_date::TIMESTAMP FROM lines"
    assert_that([span.total_seconds() for span in nba.column(delay)], contains_exactly(34 * 3600))


# ---- the calendar


@pytest.mark.parametrize("home", [True, False])
def test_every_team_has_82_games_half_of_them_at_home(nba: League, home: bool) -> None:
    games = f"""SELECT count(*) FROM team_games WHERE season_type = 'Regular Season' AND is_home = {home}
                GROUP BY season, team"""
    assert_that(nba.column(games), equal_to([41] * 90))


def test_small_leagues_play_82_games_a_team_too(small: League) -> None:
    games = """SELECT count(*), count_if(is_home) FROM team_games WHERE season_type = 'Regular Season'
               GROUP BY team"""
    assert_that(small.rows(games), only_contains((82, 41)))


def test_conferences_meet_their_own_teams_more_often(nba: League) -> None:
    meetings = nba.rows(
        """SELECT team, opponent, count(*) FROM team_games WHERE season_type = 'Regular Season'
           GROUP BY season, team, opponent"""
    )
    east = EAST.split()
    inside = [count for team, opponent, count in meetings if (team in east) == (opponent in east)]
    across = [count for team, opponent, count in meetings if (team in east) != (opponent in east)]
    assert_that(inside, all_of(has_length(3 * 30 * 14), only_contains(3, 4)))
    assert_that(across, all_of(has_length(3 * 30 * 15), only_contains(1, 2)))


def test_seasons_run_from_october_to_april_and_the_playoffs_into_june(nba: League) -> None:
    spans = nba.rows(
        """SELECT season, season_type, strftime(min(game_date), '%m-%d'), strftime(max(game_date), '%m-%d'),
                  min(year(game_date) - season) FROM team_games GROUP BY season, season_type"""
    )
    assert_that(spans, has_length(9))
    for _, kind, first, last, later in spans:
        window = {
            "Regular Season": ("10-18", "10-24", "04-07", "04-16", 0),
            "PlayIn": ("04-10", "04-18", "04-12", "04-20", 1),
            "Playoffs": ("04-14", "04-23", "05-28", "06-22", 1),
        }[kind]
        assert_that(window[0] <= first <= window[1] and window[2] <= last <= window[3], is_(True), kind)
        assert_that(later, equal_to(window[4]))


def test_nobody_plays_during_the_all_star_break(nba: League) -> None:
    breaks = nba.column(
        """SELECT max(gap) FROM (SELECT season, game_date - lag(game_date) OVER
               (PARTITION BY season ORDER BY game_date) AS gap, game_date
             FROM (SELECT DISTINCT season, game_date FROM team_games WHERE season_type = 'Regular Season'))
           WHERE month(game_date) = 2 GROUP BY season"""
    )
    assert_that(breaks, only_contains(all_of(greater_than_or_equal_to(7), less_than(9))))


REST = """SELECT season, team, count_if(rest = 1) AS short, count_if(rest = 1 AND before = 1) AS three_nights,
                 min(rest) AS least, max(rest) AS most
          FROM (SELECT *, lag(rest) OVER (PARTITION BY season, team ORDER BY game_date) AS before
                FROM (SELECT *, game_date - lag(game_date) OVER
                          (PARTITION BY season, team ORDER BY game_date) AS rest FROM team_games))
          GROUP BY ALL"""


def test_back_to_backs_are_as_frequent_as_in_the_nba(nba: League) -> None:
    short = nba.column(f"SELECT short FROM ({REST})")
    assert_that(sum(short) / len(short), close_to(13.7, 1.2))
    assert_that(short, only_contains(all_of(greater_than(9), less_than(18))))


def test_no_team_plays_twice_on_a_date_or_three_nights_running(nba: League, small: League) -> None:
    for league in (nba, small):
        assert_that(league.value(f"SELECT min(least) FROM ({REST})"), equal_to(1))
        assert_that(league.value(f"SELECT max(three_nights) FROM ({REST})"), equal_to(0))


# ---- the game


def test_makes_never_exceed_attempts_and_nothing_is_negative(nba: League) -> None:
    worst = nba.rows(
        """SELECT max(fg_makes - fg_attempts), max(three_pt_makes - three_pt_attempts),
                  max(ft_makes - ft_attempts), max(paint_makes - paint_attempts),
                  max(mid_range_makes - mid_range_attempts) FROM lines"""
    )
    assert_that(worst[0], only_contains(0))
    least = ", ".join(f"min({name}) >= 0" for name in STATISTICS.split())
    assert_that(nba.rows(f"SELECT {least} FROM lines")[0], only_contains(True))


def test_points_and_zones_add_up(nba: League) -> None:
    wrong = """SELECT 1 FROM lines WHERE points <> 2 * fg_makes + three_pt_makes + ft_makes
               OR paint_attempts + mid_range_attempts + three_pt_attempts <> fg_attempts
               OR paint_makes + mid_range_makes + three_pt_makes <> fg_makes"""
    assert_that(nba.rows(wrong), empty())


def test_minutes_are_whole_seconds_and_add_up_to_five_players(nba: League) -> None:
    assert_that(
        nba.value("SELECT max(abs(60 * minutes_played - round(60 * minutes_played))) FROM lines"),
        close_to(0, 1e-9),
    )
    assert_that(nba.value("SELECT min(minutes_played) FROM lines"), greater_than(0))
    games = dict(nba.rows("SELECT seconds / 60, count(*) FROM team_games GROUP BY ALL"))
    assert_that(games, has_length(greater_than(2)))
    assert_that([minutes - 240 for minutes in games], only_contains(is_in([0, 25, 50, 75, 100])))
    overtimes = 1 - games[240] / sum(games.values())
    assert_that(overtimes, close_to(0.058, 0.015))


def test_both_teams_play_equally_long_and_never_level(nba: League) -> None:
    pairs = nba.rows(
        """SELECT count(*), count(DISTINCT points), count(DISTINCT seconds), count_if(is_home),
                  bool_and(seconds = 14400 OR margin <= 15)
           FROM (SELECT *, max(points) OVER game - min(points) OVER game AS margin FROM team_games
                 WINDOW game AS (PARTITION BY game_id)) GROUP BY game_id"""
    )
    assert_that(set(pairs), equal_to({(2, 2, 1, 1, True)}))


def test_teams_use_eight_to_thirteen_players(nba: League) -> None:
    played = nba.column("SELECT played FROM team_games")
    assert_that(played, only_contains(all_of(greater_than_or_equal_to(8), less_than_or_equal_to(13))))
    assert_that(sum(played) / len(played), close_to(10.5, 0.3))


@pytest.mark.parametrize(
    ("figure", "expected", "tolerance"),
    [
        ("avg(points)", 113, 2.5),
        ("stddev(points)", 12.5, 1.5),
        ("avg(shots)", 88.2, 1.5),
        ("sum(makes) / sum(shots)", 0.47, 0.012),
        ("sum(threes) / sum(shots)", 0.39, 0.02),
        ("sum(three_makes) / sum(threes)", 0.358, 0.012),
        ("avg(free_throws)", 22.6, 1),
        ("sum(free_throw_makes) / sum(free_throws)", 0.78, 0.015),
        ("avg(turnovers)", 13.3, 0.6),
        ("stddev(turnovers)", 3.7, 0.4),
        ("avg(rebounds)", 10.4, 0.5),
        ("stddev(rebounds)", 3.8, 0.6),
        ("avg(shots + 0.44 * free_throws - rebounds + turnovers)", 100.7, 1.2),
        ("stddev(CASE WHEN is_home THEN margin END)", 14.6, 1.2),
        ("avg(CASE WHEN is_home THEN margin END)", 2.1, 1.2),
    ],
)
def test_team_games_look_like_the_seasons_2021_and_2022(
    nba: League, figure: str, expected: float, tolerance: float
) -> None:
    found = nba.value(
        f"""SELECT {figure} FROM (SELECT *, 2 * points - sum(points) OVER (PARTITION BY game_id) AS margin
            FROM team_games WHERE season_type = 'Regular Season')"""
    )
    assert_that(float(found), close_to(expected, tolerance))


# ---- players and teams


AVERAGES = """SELECT season_year AS season, player_lookup, count(DISTINCT team_abbr) AS teams,
                     count(points) AS games, avg(points) AS points, avg(minutes_played) AS minutes
              FROM lines WHERE season_type = 'Regular Season' AND NOT is_dnp GROUP BY ALL"""


def test_there_are_stars_and_a_bench(nba: League) -> None:
    counts = nba.rows(
        f"""SELECT count(*), count_if(points >= 10), count_if(points >= 20), max(points),
                   count_if(minutes < 12) FROM ({AVERAGES}) GROUP BY season"""
    )
    for players, tens, twenties, best, bench in counts:
        assert_that(players, all_of(greater_than(520), less_than(600)))
        assert_that(tens, all_of(greater_than(150), less_than(210)))
        assert_that(twenties, all_of(greater_than(25), less_than(60)))
        assert_that(best, all_of(greater_than(26), less_than(38)))
        assert_that(bench, greater_than(80))


def test_strength_lasts_over_seasons_but_moves(nba: League) -> None:
    players = nba.value(
        f"""SELECT corr(a.points, b.points) FROM ({AVERAGES}) a JOIN ({AVERAGES}) b
            ON a.player_lookup = b.player_lookup AND b.season = a.season + 1
            AND a.games > 40 AND b.games > 40"""
    )
    assert_that(players, all_of(greater_than(0.75), less_than(0.99)))
    wins = """SELECT season, team, avg((margin > 0)::INT) AS share, avg(pace) AS pace FROM
              (SELECT *, 2 * points - sum(points) OVER (PARTITION BY game_id) AS margin,
                      14400 * (shots + 0.44 * free_throws - rebounds + turnovers) / seconds AS pace
               FROM team_games WHERE season_type = 'Regular Season') GROUP BY ALL"""
    spreads = nba.rows(
        f"SELECT stddev(share), min(share), max(share), stddev(pace) FROM ({wins}) GROUP BY season"
    )
    for spread, least, most, pace in spreads:
        assert_that(spread, close_to(0.12, 0.045))
        assert_that((least, most), contains_exactly(greater_than(0.1), less_than(0.9)))
        assert_that(pace, close_to(1.9, 0.7))
    teams = nba.value(
        f"""SELECT corr(a.share, b.share) FROM ({wins}) a JOIN ({wins}) b
            ON a.team = b.team AND b.season = a.season + 1"""
    )
    assert_that(teams, all_of(greater_than(0.3), less_than(0.98)))


def test_players_are_traded_and_meet_their_old_team(nba: League) -> None:
    traded = nba.column(f"SELECT count_if(teams > 1) FROM ({AVERAGES}) GROUP BY season")
    assert_that(traded, only_contains(all_of(greater_than(50), less_than(110))))
    reunions = nba.value(
        """SELECT count(DISTINCT (late.season_year, late.player_lookup)) FROM lines early JOIN lines late
           ON early.player_lookup = late.player_lookup AND early.season_year = late.season_year
           AND early.game_date < late.game_date AND early.team_abbr = late.opponent_team_abbr
           AND early.team_abbr <> late.team_abbr AND NOT early.is_dnp AND NOT late.is_dnp"""
    )
    assert_that(reunions, greater_than(40))


def test_rookies_arrive_and_players_retire_every_season(nba: League) -> None:
    years = nba.rows("SELECT min(season_year), max(season_year) FROM lines GROUP BY player_lookup")
    firsts, lasts = [first for first, _ in years], [last for _, last in years]
    assert_that(
        [firsts.count(2022), firsts.count(2023)], only_contains(all_of(greater_than(50), less_than(160)))
    )
    assert_that(
        [lasts.count(2021), lasts.count(2022)], only_contains(all_of(greater_than(50), less_than(160)))
    )


def test_regulars_stay_away_for_stretches_without_a_row(nba: League) -> None:
    missed = nba.column(
        """WITH numbered AS (
             SELECT *, row_number() OVER (PARTITION BY season, team ORDER BY game_date) AS number
             FROM team_games),
           regulars AS (
             SELECT season_year, player_lookup FROM lines GROUP BY ALL
             HAVING avg(minutes_played) >= 24 AND count(*) > 20)
           SELECT number - lag(number) OVER stay - 1 AS gap
           FROM lines JOIN regulars USING (season_year, player_lookup)
           JOIN numbered ON numbered.game_id = lines.game_id AND team = team_abbr
           WINDOW stay AS (PARTITION BY season_year, player_lookup, team_abbr ORDER BY number)
           QUALIFY gap > 0"""
    )
    assert_that(missed, has_length(greater_than(1000)))
    assert_that(sum(gap >= 10 for gap in missed), greater_than(80))
    assert_that(max(missed), greater_than(30))


def test_who_did_not_play_has_a_reason_and_no_statistics(nba: League) -> None:
    known = " + ".join(f"({name} IS NOT NULL)::INT" for name in STATISTICS.split())
    kinds = nba.rows(f"SELECT DISTINCT is_dnp, dnp_reason IS NOT NULL, {known} FROM lines")
    assert_that(set(kinds), equal_to({(True, True, 0), (False, False, len(STATISTICS.split()))}))
    reasons = dict(nba.rows("SELECT dnp_reason, count(*) FROM lines WHERE is_dnp GROUP BY ALL"))
    assert_that(reasons, has_length(5))
    assert_that(reasons["DNP - Coach's Decision"], greater_than(reasons["Inactive - Injury/Illness"]))
    assert_that(reasons["Inactive - Injury/Illness"], greater_than(1000))


def test_names_make_their_lookups_and_hold_the_awkward_cases(nba: League) -> None:
    who = "player_full_name, player_lookup, universal_player_id"
    for season in (2021, 2022, 2023):
        people = nba.rows(f"SELECT DISTINCT {who} FROM lines WHERE season_year = {season}")
        for index in range(3):
            assert_that({person[index] for person in people}, has_length(len(people)))
    people = nba.rows(f"SELECT DISTINCT {who} FROM lines")
    assert_that([make_lookup(name) for name, _, _ in people], equal_to([lookup for _, lookup, _ in people]))
    assert_that([lookup for _, lookup, _ in people], only_contains(matches_regexp("^[a-z]+$")))
    names = [name for name, _, _ in people]
    for awkward in (r" Jr\.$", r" I+$", "'", "-", r"[^\x00-\x7f]"):
        assert_that(names, has_item(matches_regexp(awkward)))


def test_lookup_drops_accents_and_signs_but_keeps_the_suffix() -> None:
    assert_that(make_lookup("José O'Neal-Dončić Jr."), equal_to("joseonealdoncicjr"))


# ---- the postseason


def test_game_ids_tell_what_the_game_was(nba: League) -> None:
    starts = nba.rows("SELECT DISTINCT season_type, season, left(game_id, 5) FROM team_games")
    expected = {
        (kind, year, f"{prefix}{year % 100}")
        for kind, prefix in [("Regular Season", "002"), ("PlayIn", "005"), ("Playoffs", "004")]
        for year in (2021, 2022, 2023)
    }
    assert_that(set(starts), equal_to(expected))
    ids = nba.column("SELECT DISTINCT game_id FROM lines")
    assert_that(ids, only_contains(matches_regexp(r"^\d{10}$")))
    assert_that(
        nba.value("SELECT max(n) FROM (SELECT count(*) AS n FROM team_games GROUP BY game_id)"), equal_to(2)
    )


def test_playoffs_are_won_by_four_games_and_narrow_to_one_team(nba: League) -> None:
    series = nba.rows(
        """WITH results AS (
             SELECT *, 2 * points > sum(points) OVER (PARTITION BY game_id) AS won, left(game_id, 9) AS series
             FROM team_games WHERE season_type = 'Playoffs'),
           sides AS (SELECT series, team, count_if(won) AS wins, count(*) AS games,
                            last(won ORDER BY game_date) AS won_last FROM results GROUP BY series, team)
           SELECT series, count(*), max(wins), min(wins), min(games), max(games),
                  bool_and(won_last = (wins = 4)), arg_max(team, wins), string_agg(team)
           FROM sides GROUP BY series"""
    )
    assert_that(series, has_length(3 * 15))
    for _, sides, most, least, fewest, games, ended_with_the_fourth, _, _ in series:
        assert_that((sides, most, ended_with_the_fourth), equal_to((2, 4, True)))
        assert_that((fewest, games), equal_to((4 + least, 4 + least)))
    winners = {(name[3:5], int(name[7]), winner) for name, *_, winner, _ in series}
    for name, *_, teams in series:
        stage = int(name[7])
        if stage > 1:
            for team in teams.split(","):
                assert_that(winners, has_item((name[3:5], stage - 1, team)))
    assert_that({games for *_, games, _, _, _ in series}, has_length(greater_than(2)))


def test_series_go_two_two_one_one_one(nba: League) -> None:
    hosts = nba.rows(
        """SELECT left(game_id, 9), string_agg(team, ' ' ORDER BY game_date) FROM team_games
           WHERE season_type = 'Playoffs' AND is_home GROUP BY ALL"""
    )
    for _, line in hosts:
        teams = line.split()
        first, second = teams[0], teams[2]
        assert_that(teams, equal_to([first, first, second, second, first, second, first][: len(teams)]))


def test_the_play_in_gives_the_last_two_places_of_each_conference(nba: League) -> None:
    for season in (2021, 2022, 2023):
        here = f"FROM team_games WHERE season = {season} AND season_type"
        entrants = set(nba.column(f"SELECT team {here} = 'PlayIn'"))
        field = set(nba.column(f"SELECT team {here} = 'Playoffs'"))
        assert_that(nba.value(f"SELECT count(DISTINCT game_id) {here} = 'PlayIn'"), equal_to(6))
        assert_that((len(entrants), len(field), len(entrants & field)), equal_to((8, 16, 4)))


def test_small_leagues_have_playoffs_too(small: League) -> None:
    series = small.column("SELECT DISTINCT left(game_id, 9) FROM team_games WHERE season_type = 'Playoffs'")
    assert_that(len(series), is_in([3, 7, 15]))
    assert_that(small.column("SELECT DISTINCT season_type FROM lines"), has_item("Playoffs"))


# ---- the specification


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_league() -> None:
    def draw(seed: int) -> bytes:
        table = next(generate_seasons(LeagueSpec(seed=seed, teams=6)))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    assert_that(draw(3), equal_to(draw(3)))
    assert_that(draw(4), not_(equal_to(draw(3))))


def test_first_seasons_do_not_depend_on_how_many_follow_or_on_other_leagues() -> None:
    alone = list(generate_seasons(LeagueSpec(seasons=2, teams=6)))
    longer = list(itertools.islice(generate_seasons(LeagueSpec(seasons=900, teams=6)), 2))
    beside = list(generate_seasons(LeagueSpec(seasons=2, teams=6, leagues=2)))
    assert_that([a.equals(b) for a, b in zip(alone, longer, strict=True)], only_contains(True))
    assert_that([a.equals(b) for a, b in zip(alone, beside[::2], strict=True)], only_contains(True))


def test_leagues_share_no_team_player_or_game() -> None:
    first, second = generate_seasons(LeagueSpec(seasons=1, teams=6, leagues=2))
    for name in ("team_abbr", "player_lookup", "universal_player_id", "game_id"):
        assert_that(set(first[name].to_pylist()) & set(second[name].to_pylist()), empty(), name)
    assert_that(set(second["team_abbr"].to_pylist()), has_item("ATL2"))
    assert_that(second["player_lookup"].to_pylist(), only_contains(matches_regexp("^[a-z]+l2$")))
    assert_that(set(second["game_id"].to_pylist()), only_contains(matches_regexp(r"^L2-00[245]\d{7}$")))


def test_game_ids_stay_unique_after_a_hundred_years() -> None:
    seen: set[str] = set()
    for index, table in enumerate(generate_seasons(LeagueSpec(seasons=102, teams=4))):
        ids = set(table["game_id"].to_pylist())
        assert_that(ids & seen, empty())
        assert_that({len(game_id) for game_id in ids}, equal_to({10 if index < 100 else 12}))
        seen |= ids
    assert_that(seen, has_item(matches_regexp("^0022121")))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"teams": 5}, "teams: expected an even number from 4 to 30, found 5"),
        ({"teams": 2}, "found 2"),
        ({"teams": 32}, "found 32"),
        ({"seasons": 0}, "seasons: expected 1 to 900, found 0"),
        ({"seasons": 901}, "found 901"),
        ({"leagues": 0}, "leagues: expected 1 to"),
        ({"seed": -1}, "seed: expected 0 to"),
        ({"first_season": 99}, "first_season: expected 100 to"),
    ],
)
def test_impossible_leagues_are_refused(wrong: dict[str, int], message: str) -> None:
    assert_that(calling(LeagueSpec).with_args(**wrong), raises(ValueError, re.escape(message)))
