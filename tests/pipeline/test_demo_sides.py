"""The side tables of a generated league agree with its box scores, with each other and with the date on
which they are told."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hamcrest import (
    all_of,
    assert_that,
    calling,
    close_to,
    empty,
    equal_to,
    greater_than,
    has_items,
    has_length,
    is_in,
    less_than,
    less_than_or_equal_to,
    not_,
    only_contains,
    raises,
)

from pipeline.demo import LeagueSpec, generate_seasons, generate_tables, play_seasons
from pipeline.demo_identities import INITIALS, change_name
from pipeline.demo_market import RATED_GAMES, estimate_levels
from pipeline.demo_players import FIRST_NAMES, SURNAME_HEADS, SURNAME_TAILS, make_lookup
from pipeline.errors import UsageError
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import (
    INJURY_REPORT,
    INPUTS,
    PLAYER_ALIASES,
    POINTS_LINES,
    REGISTRY,
    SCHEDULE,
    SIDE_TABLES,
    UPCOMING,
)

EASTERN = ZoneInfo("America/New_York")
END = date(2023, 2, 1)
"""A day with games in the second season."""


def make_spec(**changes: Any) -> LeagueSpec:
    return LeagueSpec(**{"seasons": 2, "teams": 12, **changes})


class Told:
    """A generated league, asked in SQL by the tables' own names; ``box`` are the box scores."""

    def __init__(self, spec: LeagueSpec) -> None:
        self.pairs = list(generate_tables(spec))
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        for table in INPUTS:
            rows = pa.concat_tables([rows for t, rows in self.pairs if t is table])
            self.connection.register("found", rows)
            name = "box" if table is PLAYER_GAME_SUMMARY else table.name
            self.connection.execute(f"CREATE TABLE {name} AS SELECT * FROM found")
        self.connection.execute(
            """CREATE VIEW tipoffs AS SELECT game_date, team, tipoff_at FROM nba_schedule,
               UNNEST([home_team_abbr, away_team_abbr]) AS t(team) WHERE game_status IN (1, 3)"""
        )

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, parameters).fetchall()

    def column(self, query: str, **parameters: Any) -> list[Any]:
        return [row[0] for row in self.rows(query, **parameters)]

    def value(self, query: str, **parameters: Any) -> Any:
        return self.rows(query, **parameters)[0][0]


Tell = Callable[..., Told]


@pytest.fixture(scope="module")
def tell() -> Iterator[Tell]:
    """Generates a league, every one once."""
    made: dict[LeagueSpec, Told] = {}

    def find(**changes: Any) -> Told:
        spec = make_spec(**changes)
        if spec not in made:
            made[spec] = Told(spec)
        return made[spec]

    yield find
    for told in made.values():
        told.connection.close()


@pytest.fixture
def whole(tell: Tell) -> Told:
    return tell()


@pytest.fixture
def cut(tell: Tell) -> Told:
    return tell(end_date=END)


# ---- the tables


def test_every_table_comes_in_its_schema_and_the_box_scores_last_of_a_season(whole: Told) -> None:
    for table, rows in whole.pairs:
        assert_that(rows.schema, equal_to(table.schema), table.path)
    order = [REGISTRY, PLAYER_ALIASES, SCHEDULE, UPCOMING, INJURY_REPORT, POINTS_LINES, PLAYER_GAME_SUMMARY]
    assert_that([table for table, _ in whole.pairs] == [*order, *order])
    assert_that(set(order) == set(INPUTS))


@pytest.mark.parametrize("table", SIDE_TABLES, ids=lambda table: table.name)
def test_keys_are_unique_and_nothing_is_null(cut: Told, table: Any) -> None:
    keys = ", ".join(table.key)
    assert_that(cut.rows(f"SELECT {keys} FROM {table.name} GROUP BY {keys} HAVING count(*) > 1"), empty())
    for name in table.schema.names:
        assert_that(cut.value(f"SELECT count_if({name} IS NULL) FROM {table.name}"), equal_to(0), name)
    assert_that(cut.value(f"SELECT count(*) FROM {table.name}"), greater_than(0))


def test_box_scores_are_as_without_side_tables_but_for_the_names_of_those_who_change_them() -> None:
    own = ("player_lookup", "player_full_name")
    by = [("game_id", "ascending"), ("universal_player_id", "ascending")]
    renamed = set()
    plain = generate_seasons(make_spec(side_tables=False))
    for bare, named in zip(plain, generate_seasons(make_spec()), strict=True):
        bare, named = bare.sort_by(by), named.sort_by(by)
        assert_that(named.drop_columns(own).equals(bare.drop_columns(own)))
        lookups = zip(bare["player_lookup"].to_pylist(), named["player_lookup"].to_pylist(), strict=True)
        renamed |= {old for old, new in lookups if old != new}
    assert_that(renamed, has_length(all_of(greater_than(1), less_than(30))))
    tables = [table for table, _ in generate_tables(make_spec(side_tables=False))]
    assert_that(tables == [PLAYER_GAME_SUMMARY] * 2)


def test_the_same_seed_tells_the_same() -> None:
    first, again = (list(generate_tables(make_spec(teams=4, end_date=END))) for _ in range(2))
    assert_that([a[1].equals(b[1]) for a, b in zip(first, again, strict=True)], only_contains(True))


def test_a_season_does_not_depend_on_how_many_follow_or_on_other_leagues(whole: Told) -> None:
    longer = itertools.islice(generate_tables(make_spec(seasons=3)), 7)
    for (table, rows), (_, found) in zip(longer, whole.pairs, strict=False):
        assert_that(rows.equals(found), table.path)
    beside = list(generate_tables(make_spec(leagues=2)))
    for (table, rows), (_, found) in zip(beside[:7] + beside[14:21], whole.pairs, strict=True):
        assert_that(rows.equals(found), table.path)


def test_leagues_share_no_team_player_or_game() -> None:
    pairs = list(generate_tables(make_spec(teams=6, seasons=1, leagues=2)))
    for (table, first), (_, second) in zip(pairs[:7], pairs[7:], strict=True):
        for name in table.schema.names:
            if name.endswith(("lookup", "_abbr", "player_id", "game_id", "team")):
                values = set(first[name].to_pylist()), set(second[name].to_pylist())
                assert_that(values[0] & values[1], empty(), f"{table.path}.{name}")
                assert_that(values[1], not_(empty()), f"{table.path}.{name}")


# ---- the schedule


def test_every_game_with_a_box_score_is_final_in_the_schedule_with_the_same_teams(cut: Told) -> None:
    played = set(cut.rows("SELECT DISTINCT game_id, game_date, season_type, team_abbr, is_home FROM box"))
    told = cut.rows(
        "SELECT game_id, game_date, game_type, home_team_abbr, away_team_abbr FROM nba_schedule "
        "WHERE game_status = 3"
    )
    assert_that({(*game, home, True) for *game, home, _ in told}, equal_to({g for g in played if g[-1]}))
    assert_that({(*game, away, False) for *game, _, away in told}, equal_to({g for g in played if not g[-1]}))
    assert_that({kind for _, _, kind, *_ in told}, equal_to({"Regular Season", "PlayIn", "Playoffs"}))


def test_games_begin_on_their_own_date_in_the_east_at_a_likely_hour(cut: Told) -> None:
    times = set()
    for day, tipoff in cut.rows("SELECT game_date, tipoff_at FROM nba_schedule"):
        local = tipoff.astimezone(EASTERN)
        assert_that(local.date(), equal_to(day))
        is_afternoon = local.time() < time(19)
        assert_that(not is_afternoon or day.weekday() >= 5, f"{day} {local}")
        times.add(local.time())
    assert_that((min(times), max(times)), equal_to((time(12, 30), time(22, 30))))


@pytest.fixture(scope="module")
def moves(tell: Tell) -> dict[str, tuple[date, date]]:
    """The games of the second season that are postponed: first date and date."""
    query = "SELECT game_id, game_date FROM nba_schedule WHERE game_status <> 9 AND game_date > '2022-09-01'"
    before, after = dict(tell(end_date=date(2022, 9, 1)).rows(query)), dict(tell().rows(query))
    return {game: (day, after[game]) for game, day in before.items() if day != after[game]}


def test_about_one_game_in_a_hundred_is_postponed_to_a_later_date(
    whole: Told, moves: dict[str, tuple[date, date]]
) -> None:
    assert_that(moves, has_length(5))
    for first, then in moves.values():
        assert_that(first, less_than(then))
    marked = dict(whole.rows("SELECT game_id, game_date FROM nba_schedule WHERE game_status = 9"))
    # of every three the third leaves no trace
    assert_that([game for game in moves if game not in marked], has_length(1))
    for game, (first, _) in moves.items():
        assert_that(marked.get(game, first), equal_to(first))


def test_on_the_first_date_neither_team_plays(whole: Told, moves: dict[str, tuple[date, date]]) -> None:
    for game, (first, then) in moves.items():
        teams = whole.column("SELECT DISTINCT team_abbr FROM box WHERE game_id = $game", game=game)
        for day, count in ((first, 0), (then, 2)):
            busy = whole.value(
                "SELECT count(DISTINCT team_abbr) FROM box WHERE game_date = $day AND team_abbr IN $teams",
                day=day,
                teams=teams,
            )
            assert_that(busy, equal_to(count))


@pytest.mark.parametrize("is_silent", [False, True], ids=["marked", "silent"])
def test_a_postponed_game_stands_on_its_first_date_until_then_and_upcoming_rows_are_left_there(
    tell: Tell, whole: Told, moves: dict[str, tuple[date, date]], is_silent: bool
) -> None:
    marked = whole.column("SELECT game_id FROM nba_schedule WHERE game_status = 9")
    game, (first, then) = next(item for item in moves.items() if (item[0] not in marked) == is_silent)
    scheduled = "SELECT game_date, game_status FROM nba_schedule WHERE game_id = $game ORDER BY 1"
    named = "SELECT DISTINCT game_date FROM upcoming_player_game_context WHERE game_id = $game ORDER BY 1"

    before = tell(end_date=first - timedelta(days=1))
    assert_that(before.rows(scheduled, game=game), equal_to([(first, 1)]))
    assert_that(before.column(named, game=game), equal_to([first]))
    lines = before.rows("SELECT 1 FROM odds_api_player_points_props WHERE game_date = $day", day=first)
    assert_that(lines, not_(empty()))

    after = tell(end_date=first)
    expected = [(first, 9)] * (not is_silent) + [(then, 1)]
    assert_that(after.rows(scheduled, game=game), equal_to(expected))
    near = [then] if then <= first + timedelta(days=7) else []
    assert_that(after.column(named, game=game), equal_to([first, *near]))


@pytest.mark.parametrize("kind", ["PlayIn", "Playoffs"])
def test_of_the_postseason_only_near_games_of_a_round_that_has_begun_are_known(
    tell: Tell, whole: Told, kind: str
) -> None:
    first = whole.value(
        "SELECT min(game_date) FROM box WHERE season_year = 2022 AND season_type = $kind", kind=kind
    )
    later = "FROM nba_schedule WHERE game_date > $day"
    assert_that(tell(end_date=first - timedelta(days=1)).rows(f"SELECT 1 {later}", day=first), empty())
    told = tell(end_date=first)
    # in the ids 00522001 is the first stage of the play-in, 00422001 the first round of the playoffs
    rounds = (
        "SELECT DISTINCT left(game_id, 8) FROM nba_schedule WHERE game_type = $kind AND game_date >= $day"
    )
    assert_that(told.column(rounds, kind=kind, day=first), has_length(1))
    found = told.column(f"SELECT game_date {later}", day=first)
    assert_that(found, not_(empty()))
    assert_that(found, only_contains(less_than_or_equal_to(first + timedelta(days=7))))
    if kind == "Playoffs":
        in_round = "SELECT count(*) FROM nba_schedule WHERE game_id LIKE '00422001%'"
        assert_that(whole.value(in_round), greater_than(told.value(in_round)))


# ---- the end date


def test_nothing_is_told_of_games_after_the_end_date_but_that_they_are_scheduled(
    cut: Told, whole: Told
) -> None:
    assert_that(cut.value("SELECT max(game_date) FROM box"), equal_to(END))
    for season in (0, 1):
        rows, found = whole.pairs[7 * season + 6][1], cut.pairs[7 * season + 6][1]
        assert_that(rows.slice(0, found.num_rows).equals(found))
    to_come = "SELECT game_status, game_type, count(DISTINCT game_id) FROM nba_schedule {} GROUP BY ALL"
    left = whole.value(
        "SELECT count(DISTINCT game_id) FROM box WHERE game_date > $day AND season_type = 'Regular Season'",
        day=END,
    )
    found = cut.rows(to_come.format("WHERE game_date > $day"), day=END)
    assert_that(found, equal_to([(1, "Regular Season", left)]))
    past = cut.column("SELECT DISTINCT game_status FROM nba_schedule WHERE game_date <= $day", day=END)
    assert_that(sorted(past), equal_to([3, 9]))


@pytest.mark.parametrize("table", [INJURY_REPORT, POINTS_LINES], ids=lambda table: table.name)
def test_reports_and_lines_are_those_known_on_the_morning_after_the_end(
    cut: Told, whole: Told, table: Any
) -> None:
    instant = table.schema.names[-1]
    clock = datetime.combine(END + timedelta(days=1), time(10), UTC)
    assert_that(cut.value(f"SELECT max({instant}) FROM {table.name}"), less_than_or_equal_to(clock))
    dates = set(cut.column(f"SELECT DISTINCT game_date FROM {table.name}"))
    assert_that(max(dates), equal_to(END + timedelta(days=2)))
    # who is named without a box score has lines only around the end
    early = END - timedelta(days=15)
    query = f"SELECT * FROM {table.name} WHERE game_date <= $early ORDER BY ALL"
    assert_that(cut.rows(query, early=early) == whole.rows(query, early=early))


def test_the_default_end_is_the_last_game(tell: Tell, whole: Told) -> None:
    last = whole.value("SELECT max(game_date) FROM box")
    told = tell(end_date=last)
    assert_that(
        [a[1].equals(b[1]) for a, b in zip(whole.pairs, told.pairs, strict=True)], only_contains(True)
    )
    assert_that(whole.rows("SELECT 1 FROM nba_schedule WHERE game_status = 1"), empty())


@pytest.mark.parametrize(("teams", "seed"), [(4, 2), (12, 7)], ids=["opening day without a game", "with"])
def test_an_end_date_outside_the_seasons_is_refused_with_their_range(teams: int, seed: int) -> None:
    box = pa.concat_tables(generate_seasons(make_spec(teams=teams, seed=seed)))["game_date"].to_pylist()
    first, last = min(box), max(box)
    message = re.escape(f"expected an end date from {first} to {last}")
    for wrong in (first - timedelta(days=1), last + timedelta(days=1)):
        spec = make_spec(teams=teams, seed=seed, end_date=wrong)
        for generate in (generate_tables, generate_seasons):
            assert_that(calling(generate).with_args(spec), raises(UsageError, message))
    for right in (first, last):
        spec = make_spec(teams=teams, seed=seed, end_date=right)
        found = pa.concat_tables(generate_seasons(spec))["game_date"].to_pylist()
        assert_that(max(found), equal_to(right))


def test_a_summer_knows_the_next_schedule_two_months_before_it_begins(tell: Tell) -> None:
    opening = tell().value("SELECT min(game_date) FROM box WHERE season_year = 2022")
    assert_that(tell(end_date=date(2022, 7, 1)).pairs, has_length(7))
    september = tell(end_date=date(2022, 9, 1))
    assert_that(september.value("SELECT count(*) FROM nba_schedule WHERE game_status = 1"), equal_to(41 * 12))
    assert_that(september.value("SELECT count(*) FROM upcoming_player_game_context"), equal_to(0))
    eve = tell(end_date=opening - timedelta(days=1))
    assert_that(eve.value("SELECT min(game_date) FROM upcoming_player_game_context"), equal_to(opening))
    assert_that(eve.value("SELECT count(*) FROM box WHERE season_year = 2022"), equal_to(0))


# ---- who is to play


def test_upcoming_rows_cover_two_weeks_before_the_end_and_one_after_it(cut: Told) -> None:
    span = "BETWEEN $first AND $last"
    days = {"first": END - timedelta(days=14), "last": END + timedelta(days=7)}
    scheduled = cut.rows(
        f"SELECT game_id, game_date FROM nba_schedule WHERE game_date {span} AND game_status <> 9", **days
    )
    named = "SELECT DISTINCT game_id, game_date FROM upcoming_player_game_context"
    assert_that(cut.rows(named), has_items(*scheduled))
    assert_that(cut.rows(f"{named} WHERE NOT game_date {span}", **days), empty())
    people = "SELECT DISTINCT n FROM (SELECT count(*) AS n FROM ({}) GROUP BY game_id, game_date, team_abbr)"
    assert_that(cut.column(people.format("FROM upcoming_player_game_context")), equal_to([17]))


def test_everybody_who_played_was_named_and_some_who_were_named_did_not_show(cut: Told) -> None:
    keys = "player_lookup, game_id, game_date, team_abbr, opponent_team_abbr"
    listed = set(
        cut.rows(f"SELECT {keys}, is_home FROM box WHERE game_date >= $day", day=END - timedelta(days=14))
    )
    named = set(
        cut.rows(
            f"SELECT {keys}, home_game FROM upcoming_player_game_context WHERE game_date <= $day", day=END
        )
    )
    assert_that(listed - named, empty())
    assert_that(named - listed, has_length(greater_than(50)))


# ---- names


def resolve(told: Told) -> Callable[[str], str]:
    aliases = dict(told.rows("FROM player_aliases"))

    def follow(lookup: str) -> str:
        while lookup in aliases:
            lookup = aliases[lookup]
        return lookup

    return follow


def test_every_lookup_leads_to_a_registered_person_with_the_same_id(cut: Told) -> None:
    follow = resolve(cut)
    registry = dict(cut.rows("SELECT player_lookup, universal_player_id FROM nba_players_registry"))
    people = cut.rows("SELECT DISTINCT player_lookup, universal_player_id FROM box")
    for lookup, person in people:
        assert_that(registry[follow(lookup)], equal_to(person))
    owners = {person: lookup for lookup, person in registry.items()}
    assert_that(owners, has_length(len(registry)))
    for name in ("upcoming_player_game_context", "nbac_injury_report", "odds_api_player_points_props"):
        for lookup in cut.column(f"SELECT DISTINCT player_lookup FROM {name}"):
            assert_that(follow(lookup), is_in(registry), name)


def test_some_change_their_name_between_seasons_and_nobody_else_bears_either(tell: Tell) -> None:
    three = tell(seasons=3)
    names = three.rows(
        """SELECT universal_player_id, list(DISTINCT player_lookup ORDER BY player_lookup),
                  count(DISTINCT season_year), count(DISTINCT (season_year, player_lookup))
           FROM box GROUP BY ALL"""
    )
    assert_that([spelt for *_, seasons, spelt in names if spelt != seasons], empty())
    found = [len(lookups) for _, lookups, *_ in names]
    assert_that(found, has_items(2, 3))
    lookups = [lookup for _, lookups, *_ in names for lookup in lookups]
    assert_that(lookups, has_length(len(set(lookups))))
    aliases = three.column("SELECT alias_lookup FROM player_aliases")
    registered = three.column("SELECT player_lookup FROM nba_players_registry")
    assert_that(set(aliases) & set(registered), empty())
    chained = three.column(
        "SELECT a.alias_lookup FROM player_aliases a JOIN player_aliases b "
        "ON a.nba_canonical_lookup = b.alias_lookup"
    )
    assert_that(chained, has_length(1))


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_league_has_a_player_who_changes_his_name_too(seed: int) -> None:
    first, second = generate_seasons(make_spec(teams=4, seed=seed))
    people = [
        dict(zip(t["universal_player_id"].to_pylist(), t["player_lookup"].to_pylist(), strict=True))
        for t in (first, second)
    ]
    assert_that([p for p, lookup in people[0].items() if people[1].get(p, lookup) != lookup], not_(empty()))


def test_about_one_player_in_a_hundred_changes_his_name() -> None:
    pairs = list(generate_tables(LeagueSpec(seasons=3)))
    registered, aliases = (
        sum(rows.num_rows for table, rows in pairs if table is kind) for kind in (REGISTRY, PLAYER_ALIASES)
    )
    assert_that(aliases / registered, all_of(greater_than(0.004), less_than(0.025)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("José O'Neal", "José O'Neal Sr."),
        ("José O'Neal L2", "José O'Neal Sr. L2"),
        ("Eli Lang Jr.", "Eli X. Lang Jr."),
        ("Eli X. Lang III L12", "Eli Q. X. Lang III L12"),
    ],
)
def test_a_changed_name_is_told_from_every_generated_one(name: str, expected: str) -> None:
    assert_that(change_name(name, 7), equal_to(expected))


def test_no_generated_name_has_what_a_change_adds() -> None:
    words = [make_lookup(word) for word in (SURNAME_HEADS + " " + SURNAME_TAILS).split()]
    for initial in INITIALS:
        letter = initial[0].lower()
        assert_that([word for word in words if letter in word], empty())
        assert_that([name for name in FIRST_NAMES.split() if letter in name[1:].lower()], empty())
    assert_that([word for word in words if word.endswith("sr")], empty())


def test_birth_dates_give_the_ages_of_the_season_in_which_a_player_comes(whole: Told) -> None:
    born = dict(whole.rows("SELECT universal_player_id, birth_date FROM nba_players_registry"))
    assert_that({day.month for day in born.values()}, has_length(12))
    for played in play_seasons(make_spec()):
        first = date(played.year, 10, 1)
        for position, age in zip(
            played.newcomers, played.season.players["age"][played.newcomers], strict=True
        ):
            birth = born[played.person_ids[position]]
            years = first.year - birth.year - ((birth.month, birth.day) > (first.month, first.day))
            assert_that(years, equal_to(age))


# ---- injury reports


NEWEST = """(SELECT *, lower(trim(injury_status)) AS status, reported_at > tipoff_at AS is_late
             FROM nbac_injury_report JOIN tipoffs USING (game_date, team))"""


def test_reports_are_made_before_and_some_after_tip_off_by_the_players_team(cut: Told) -> None:
    late, early = cut.rows(f"SELECT count_if(is_late), count_if(NOT is_late) FROM {NEWEST}")[0]
    assert_that(early + late, equal_to(cut.value("SELECT count(*) FROM nbac_injury_report")))
    assert_that(late / early, all_of(greater_than(0.01), less_than(0.1)))
    teams = "SELECT count(*) FROM nbac_injury_report r JOIN box b USING (player_lookup, game_date)"
    assert_that(cut.value(f"{teams} WHERE r.team <> b.team_abbr"), equal_to(0))


def test_the_newest_report_before_tip_off_tells_and_a_late_one_contradicts_it(cut: Told) -> None:
    told = cut.rows(
        f"""SELECT coalesce(points IS NOT NULL, FALSE), arg_max(status, reported_at) FILTER (NOT is_late),
                   count(DISTINCT status) FILTER (NOT is_late), arg_max(status, reported_at) FILTER (is_late)
            FROM {NEWEST} r LEFT JOIN box b USING (player_lookup, game_date) WHERE game_date <= $day
            GROUP BY player_lookup, game_date, points IS NOT NULL""",
        day=END,
    )
    played, absent = ({row[1] for row in told if row[0] == did} for did in (True, False))
    assert_that(absent, equal_to({"out", "doubtful"}))
    assert_that(played - absent, equal_to({"available", "probable", "questionable"}))
    # the last eight of a team play even when they are hurt
    hurt = sum(row[0] and row[1] in absent for row in told) / len(told)
    assert_that(hurt, less_than(0.02))
    assert_that([row for row in told if row[2] > 1], not_(empty()))
    assert_that([row for row in told if row[3] == row[1]], empty())
    assert_that({row[3] for row in told}, has_items("out", "available"))


def test_most_of_the_listed_absent_are_on_the_report_and_its_text_is_untidy(cut: Told) -> None:
    reported = cut.value(
        """SELECT avg((EXISTS (FROM nbac_injury_report r WHERE r.player_lookup = b.player_lookup
                               AND r.game_date = b.game_date))::INT)
           FROM box b WHERE dnp_reason LIKE 'Inactive%'"""
    )
    assert_that(reported, close_to(0.9, 0.05))
    texts = set(cut.column("SELECT DISTINCT injury_status FROM nbac_injury_report"))
    assert_that(texts, has_items("Out", "Out ", "OUT", "Questionable "))
    assert_that({text.strip().lower() for text in texts}, has_length(5))
    a_day = "SELECT count(*) AS n FROM nbac_injury_report GROUP BY player_lookup, game_date"
    assert_that(cut.value(f"SELECT avg(n) FROM ({a_day})"), all_of(greater_than(1.5), less_than(4)))


# ---- betting lines


def test_everybody_listed_has_a_line_before_tip_off_also_two_days_ahead(cut: Told) -> None:
    without = cut.rows(
        """WITH listed AS (
                  SELECT player_lookup, game_date, team_abbr AS team FROM box UNION
                  SELECT player_lookup, u.game_date, team_abbr FROM upcoming_player_game_context u
                  JOIN nba_schedule s ON s.game_id = u.game_id AND s.game_date = u.game_date
                  AND s.game_status <> 9 AND u.game_date <= $last)
                SELECT player_lookup, game_date FROM listed JOIN tipoffs USING (game_date, team)
                ANTI JOIN odds_api_player_points_props l ON l.player_lookup = listed.player_lookup
                AND l.game_date = listed.game_date AND snapshot_timestamp <= tipoff_at""",
        last=END + timedelta(days=2),
    )
    assert_that(without, empty())


def test_lines_end_in_a_half_and_lie_near_what_the_player_scores(whole: Told) -> None:
    worst = "SELECT count_if(points_line % 1 <> 0.5 OR points_line < 0.5) FROM odds_api_player_points_props"
    assert_that(whole.value(worst), equal_to(0))
    of_player = whole.value(
        """SELECT corr(points, line) FROM (SELECT player_lookup, avg(points) AS points FROM box GROUP BY ALL)
           JOIN (SELECT player_lookup, avg(points_line) AS line FROM odds_api_player_points_props
                 GROUP BY ALL) USING (player_lookup)"""
    )
    assert_that(of_player, greater_than(0.9))


def test_bookmakers_differ_and_lines_move_until_and_after_tip_off(whole: Told) -> None:
    kept = whole.rows(
        """SELECT bookmaker, count(*) AS n, count(DISTINCT points_line) AS lines,
                  count_if(snapshot_timestamp > tipoff_at) AS late,
                  arg_max(points_line, snapshot_timestamp)
                    FILTER (snapshot_timestamp <= tipoff_at) AS closed,
                  any_value(points_line) FILTER (snapshot_timestamp > tipoff_at) AS live
           FROM odds_api_player_points_props l JOIN box USING (player_lookup, game_date)
           JOIN tipoffs t ON t.game_date = l.game_date AND team = team_abbr
           GROUP BY bookmaker, player_lookup, l.game_date"""
    )
    assert_that({row[0] for row in kept}, equal_to({"draftkings", "fanduel", "betmgm"}))
    people = whole.value("SELECT count(*) FROM box")
    assert_that(sum(row[1] for row in kept) / people, all_of(greater_than(4), less_than(5.5)))
    share = sum(row[0] == "draftkings" for row in kept) / people
    assert_that(share, close_to(0.88, 0.03))
    assert_that(sum(row[2] > 1 for row in kept) / len(kept), greater_than(0.3))
    live = [row for row in kept if row[3] and row[4] == row[5]]
    # without a closing line, the opening one may be what the game comes to
    assert_that(len(live) / sum(row[3] > 0 for row in kept), less_than(0.03))
    assert_that(sum(row[3] for row in kept) / len(kept), close_to(0.15, 0.02))


def test_the_level_of_a_line_rests_on_the_games_before_it_only() -> None:
    rng = np.random.default_rng(1)
    who = np.stack([rng.permutation(8).reshape(2, 4) for _ in range(20)])
    points, plays = rng.integers(0, 30, who.shape), rng.random(who.shape) < 0.7
    prior = rng.random(8) * 10
    found = estimate_levels(who, points * plays, plays, prior)
    before: dict[int, list[int]] = {player: [] for player in range(8)}
    for game in range(20):
        for place in np.ndindex(2, 4):
            player = int(who[game][place])
            mine = before[player]
            expected = (RATED_GAMES * prior[player] + sum(mine)) / (RATED_GAMES + len(mine))
            assert_that(found[game][place], close_to(expected, 1e-9))
        for place in np.ndindex(2, 4):
            if plays[game][place]:
                before[int(who[game][place])].append(int(points[game][place]))
