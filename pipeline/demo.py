"""A generated league that looks like the NBA: input tables to try and to test the project with.

Everything follows from the seed, season by season: games are played (:mod:`pipeline.demo_games`), then
each table tells of them what is known on the end date: box scores here, the schedule and who is to play
in :mod:`pipeline.demo_fixtures`, names in :mod:`pipeline.demo_identities`, injury reports in
:mod:`pipeline.demo_reports`, betting lines in :mod:`pipeline.demo_market`. Nothing here writes a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from pipeline import demo_games
from pipeline import demo_players as people
from pipeline.demo_columns import build_rows, take_texts, to_timestamps
from pipeline.demo_fixtures import build_schedule, build_upcoming, list_fixtures
from pipeline.demo_games import KINDS, NO_ROW, PLAYED, PROCESSED_AFTER, STATISTICS, PlayedSeason
from pipeline.demo_identities import Identities, build_aliases, build_registry
from pipeline.demo_market import build_lines
from pipeline.demo_players import HIDDEN, INJURY, League, make_lookup, rank_values
from pipeline.demo_reports import build_reports
from pipeline.demo_schedule import Rows, list_game_days
from pipeline.errors import UsageError
from transforms.schema import PLAYER_GAME_SUMMARY, Table

REASONS = {
    demo_games.COACH: "DNP - Coach's Decision",
    INJURY: "Inactive - Injury/Illness",
    4: "Inactive - Rest",
    5: "Inactive - Personal",
    6: "Inactive - League Suspension",
}

ANNOUNCED_DAYS = 60
"""How long before its first game a season's schedule is known."""

NO_END = np.datetime64("9999-12-31", "D")
"""The end date of a season that others follow: all of it is known, and nothing is still to come."""


@dataclass(frozen=True)
class LeagueSpec:
    """What to generate. Raises ValueError, which names the expected and the found value.

    The first k seasons depend neither on ``seasons`` nor on ``leagues``. ``end_date`` is the last date
    of which the results are known, by default that of the last game; ``side_tables`` adds the optional
    input tables and lets some players change their names.
    """

    seed: int = 7
    first_season: int = 2021
    seasons: int = 3
    teams: int = 30
    leagues: int = 1
    end_date: date | None = None
    side_tables: bool = True

    def __post_init__(self) -> None:
        if self.teams % 2 or not 4 <= self.teams <= 30:
            raise ValueError(f"teams: expected an even number from 4 to 30, found {self.teams}")
        bounds = {
            "seed": (0, 2**32 - 1),
            "first_season": (100, 9000),  # the players' births are dates too
            "seasons": (1, 900),
            "leagues": (1, 999),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected {low} to {high}, found {getattr(self, name)}")


def generate_tables(spec: LeagueSpec) -> Iterator[tuple[Table, pa.Table]]:
    """(table, rows) for each season and league, season by season; the box scores come last.

    Several pairs may belong to one table. Each holds rows of its own, in the table's schema and, where
    the table has a date, in the order of time but for games that wait to be postponed. Raises
    ``UsageError`` at once when the end date lies outside the seasons.
    """
    check_end_date(spec)
    return _generate_tables(spec)


def generate_seasons(spec: LeagueSpec) -> Iterator[pa.Table]:
    """The box scores alone: one table for each season and league, season by season.

    The columns are those of ``PLAYER_GAME_SUMMARY``, the rows ordered by date, game id, team and
    player. No more than one season is held at a time. Game ids have ten digits like the NBA's; a
    season that starts a hundred years or more after the first writes its year with four digits,
    since two would repeat: such an id is no NBA id, and ``season_type`` alone tells what the game
    was. Further leagues have team codes, players and game ids of their own (``ATL2``, ``L2-002...``).
    """
    check_end_date(spec)
    return (build_box_scores(played) for played in play_seasons(spec))


def list_years(spec: LeagueSpec) -> range:
    """The years in which the seasons start of which something is known on the end date."""
    years = range(spec.first_season, spec.first_season + spec.seasons)
    if spec.end_date is None:
        return years
    known = np.datetime64(spec.end_date) + ANNOUNCED_DAYS
    return years[: sum(bool(list_game_days(year)[0] <= known) for year in years)]


def check_end_date(spec: LeagueSpec) -> None:
    """Raises ``UsageError`` when the end date is before the first game or after the last."""
    if spec.end_date is None:
        return
    end = np.datetime64(spec.end_date)
    opening, closing = (list_game_days(y) for y in (spec.first_season, spec.first_season + spec.seasons - 1))
    # the first round has two days, and the playoffs follow the last day of the regular season
    if opening[1] <= end <= closing[-1]:
        return
    first, last = _find_game_dates(spec)
    if not first <= spec.end_date <= last:
        raise UsageError(
            f"expected an end date from {first} to {last}, the first and the last game of the "
            f"{spec.seasons} season(s), found {spec.end_date}: give another, or more seasons"
        )


def _find_game_dates(spec: LeagueSpec) -> tuple[date, date]:
    """The first and the last game date of all leagues; the seasons between are not played."""
    firsts, lasts = [], []
    for number in range(1, spec.leagues + 1):
        league = people.found_league(spec.seed, number, spec.teams)
        for index in range(1, spec.seasons + 1):
            rng = np.random.default_rng([spec.seed, number, index])
            people.turn_over(rng, league)
            season = demo_games.gather_season(rng, league)
            if index in (1, spec.seasons):
                games, _ = demo_games.play_season(rng, season, spec.first_season + index - 1)
                firsts.append(games["date"][0])
                lasts.append(games["date"][-1])
    return min(firsts).item(), max(lasts).item()


def play_seasons(spec: LeagueSpec) -> Iterator[PlayedSeason]:
    """Every season of every league as it was played."""
    leagues = [people.found_league(spec.seed, number, spec.teams) for number in range(1, spec.leagues + 1)]
    identities = [Identities(spec.seed, league.number, league.names) for league in leagues]
    for index, year in enumerate(list_years(spec), start=1):
        for league, known in zip(leagues, identities, strict=True):
            rng = np.random.default_rng([spec.seed, league.number, index])
            people.turn_over(rng, league)
            season = demo_games.gather_season(rng, league)
            games, lines = demo_games.play_season(rng, season, year)
            # whoever was never welcomed keeps his first name
            newcomers = known.welcome(index, season) if spec.side_tables else np.zeros(0, dtype=np.int64)
            numbers = season.players["number"].tolist()
            all_names = [known.list_names(number) for number in numbers]
            changes = [known.count_changes(number, index) for number in numbers]
            names = [his[begun] for his, begun in zip(all_names, changes, strict=True)]
            yield PlayedSeason(
                seed=spec.seed,
                number=league.number,
                teams=league.teams,
                index=index,
                year=year,
                end=_find_end(spec, index, games),
                season=season,
                games=games,
                lines=lines,
                ids=_number_games(league, index, year, games),
                person_ids=[f"demo_{league.number}_{number:05}" for number in numbers],
                names=names,
                lookups=[make_lookup(name) for name in names],
                all_names=all_names,
                newcomers=newcomers,
            )


def _find_end(spec: LeagueSpec, index: int, games: Rows) -> np.datetime64:
    if spec.end_date is not None:
        return np.datetime64(spec.end_date)
    last: np.datetime64 = games["date"][-1]
    return NO_END if index < spec.seasons else last


def _number_games(league: League, index: int, year: int, games: Rows) -> list[str]:
    prefix = f"L{league.number}-" if league.number > 1 else ""
    digits = f"{year % 100:02}" if index <= 100 else f"{year:04}"
    numbers = zip(games["kind"].tolist(), games["code"].tolist(), strict=True)
    return [f"{prefix}{KINDS[kind][0]}{digits}{code:05}" for kind, code in numbers]


def _generate_tables(spec: LeagueSpec) -> Iterator[tuple[Table, pa.Table]]:
    for played in play_seasons(spec):
        if spec.side_tables:
            yield build_registry(played)
            yield build_aliases(played)
            fixtures = list_fixtures(played)
            for build in (build_schedule, build_upcoming, build_reports, build_lines):
                yield build(played, fixtures)
        yield PLAYER_GAME_SUMMARY, build_box_scores(played)


def build_box_scores(played: PlayedSeason) -> pa.Table:
    """The rows of everybody listed up to the end; the statistics of those who did not play are NULL."""
    games, is_over = played.games, played.games["date"] <= played.end
    game, side, slot = np.nonzero((played.lines["status"] != NO_ROW) & is_over[:, None, None])
    rows = played.lines[game, side, slot]
    teams = np.stack([games["home"], games["away"]], axis=1)
    by_team = rank_values(played.teams)[teams[game, side]]
    by_player = rank_values(played.lookups)[rows["player"]]
    order = np.lexsort([by_player, by_team, rank_values(played.ids)[game], games["date"][game]])
    game, side, rows = game[order], side[order], rows[order]
    is_dnp = rows["status"] != PLAYED
    dates = games["date"][game]
    columns = {name: pa.array(rows[name], mask=is_dnp) for name in STATISTICS}
    columns |= {
        "player_lookup": take_texts(played.lookups, rows["player"]),
        "player_full_name": take_texts(played.names, rows["player"]),
        "universal_player_id": take_texts(played.person_ids, rows["player"]),
        "game_id": take_texts(played.ids, game),
        "game_date": pa.array(dates),
        "season_year": pa.array(np.full(rows.size, played.year)),
        "season_type": take_texts([name for _, name in KINDS], games["kind"][game]),
        "team_abbr": take_texts(played.teams, teams[game, side]),
        "opponent_team_abbr": take_texts(played.teams, teams[game, 1 - side]),
        "is_home": pa.array(side == 0),
        "is_dnp": pa.array(is_dnp),
        "dnp_reason": take_texts([REASONS.get(status) for status in range(HIDDEN)], rows["status"]),
        "minutes_played": pa.array(rows["seconds"] / 60, mask=is_dnp),
        "processed_at": to_timestamps(dates.astype("datetime64[us]") + PROCESSED_AFTER),
    }
    return build_rows(PLAYER_GAME_SUMMARY, columns)
