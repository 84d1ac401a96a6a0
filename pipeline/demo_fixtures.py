"""When the games of a generated season are played: tip-offs, postponements, and what the schedule and
the upcoming-games table know of them on the date up to which the season is told.

A postponed game is announced on its first date. Until then the schedule names that date; afterwards
the row of the first date is marked, or, for every third of these games, gone without a trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline import demo_schedule as calendar
from pipeline.demo_columns import Instants, build_rows, take_texts, to_timestamps
from pipeline.demo_games import KINDS, NO_ROW, PlayedSeason
from pipeline.demo_players import ROSTER, Statuses
from pipeline.demo_schedule import Days, Rows
from transforms.arrays import Bools, Ints
from transforms.eastern import noon_instants
from transforms.schema import Table
from transforms.side_tables import SCHEDULE, UPCOMING

MOVES = 2
"""The topic of the draws."""

MOVE_RATE, FEWEST_MOVES, LONGEST_WAIT, SILENT_SHARE = 0.01, 3, 30, 3
"""Of the regular season's games, how many are postponed, by how many game days at most, and the share
(one in three) that leaves no marked row."""

EAST_STARTS = (7 * 60, 7 * 60 + 30, 8 * 60)
WEST_STARTS = (8 * 60, 9 * 60, 10 * 60, 10 * 60 + 30)
MATINEES = (30, 60, 3 * 60 + 30)
MATINEE_RATE = 0.25
"""Tip-offs in minutes after noon US Eastern, by the home team's conference; and on Saturdays and
Sundays, how often a game is played in the afternoon."""

DAYS_BEFORE, DAYS_AFTER = 14, 7
"""The dates around the end that the upcoming-games table covers; the latter also for how long before
a postseason game its date is known."""

UNKNOWN, SCHEDULED, FINAL, POSTPONED, DROPPED = 0, 1, 3, 9, -1
"""What is known of a fixture: nothing yet, or its ``game_status``, or that its row is gone."""

FIXTURE = np.dtype(
    [
        ("game", np.int64),
        ("date", "datetime64[D]"),
        ("tipoff", "datetime64[us]"),
        ("round", np.int64),
        ("status", np.int64),
    ]
)
"""A game and a date for it; ``game`` is a position in the season's games, ``round`` the roster's."""


@dataclass(frozen=True)
class Fixtures:
    """The season's games, one row each, then the dates that were given up; and who is with the teams.

    ``who``, ``line_status`` and ``absence`` are [fixtures, 2, ROSTER], home team first: positions in the
    season's players, what became of each (``NO_ROW`` where nothing did), and why he cannot play.
    """

    rows: Rows  # FIXTURE[fixtures]
    who: Ints
    line_status: Ints
    absence: Statuses
    games: int

    @property
    def is_kept(self) -> Bools:
        """The fixtures that were played or are to be played."""
        return np.isin(self.rows["status"], (SCHEDULED, FINAL))


def list_fixtures(played: PlayedSeason) -> Fixtures:
    """What is known of the season's games on its end date."""
    games, days = played.games, calendar.list_game_days(played.year)
    rng = played.start_rng(MOVES)
    moved, first_dates = plan_moves(rng, games[games["kind"] == calendar.REGULAR], days, len(played.teams))
    rows = np.zeros(games.size + moved.size, dtype=FIXTURE)
    kept, given_up = rows[: games.size], rows[games.size :]
    rows["game"] = np.concatenate([np.arange(games.size), moved])
    kept["date"], given_up["date"] = games["date"], first_dates
    # a round is two game days, see demo_schedule
    kept["round"], given_up["round"] = games["round"], np.searchsorted(days, first_dates) // 2
    is_western = games["home"][rows["game"]] >= len(played.teams) // 2
    rows["tipoff"] = draw_tipoffs(rng, rows["date"], is_western)
    kept["status"] = np.where(games["date"] <= played.end, FINAL, SCHEDULED * _is_announced(played))
    is_silent = np.arange(moved.size) % SILENT_SHARE == SILENT_SHARE - 1
    is_told = first_dates <= played.end
    given_up["status"] = np.where(is_told, np.where(is_silent, DROPPED, POSTPONED), UNKNOWN)

    teams = np.stack([games["home"], games["away"]], axis=1)
    at_first = played.season.roster[given_up["round"][:, None], teams[moved]]
    who = np.concatenate([played.lines["player"], at_first])
    line_status = np.concatenate([played.lines["status"], np.full_like(at_first, NO_ROW)])
    untold = moved[~is_told]
    for name in ("date", "tipoff", "round"):
        kept[name][untold] = given_up[name][~is_told]
    who[untold], line_status[untold] = at_first[~is_told], NO_ROW
    absence = played.season.absences[rows["round"][:, None, None], who]
    return Fixtures(rows, who, line_status, absence, games.size)


def plan_moves(rng: np.random.Generator, games: Rows, days: Days, teams: int) -> tuple[Ints, Days]:
    """Which of the regular season's games were postponed, and their first dates.

    A first date is a game day before the game's own on which neither team plays.
    """
    day = np.searchsorted(days, games["date"])
    pairs = np.stack([games["home"], games["away"]], axis=1)
    is_busy = np.zeros((days.size, teams), dtype=bool)
    is_busy[day[:, None], pairs] = True
    wanted = max(FEWEST_MOVES, round(MOVE_RATE * games.size))
    moved: list[int] = []
    first_days: list[int] = []
    for game in rng.permutation(games.size):
        earliest = max(0, day[game] - LONGEST_WAIT)
        free = earliest + np.flatnonzero(~is_busy[earliest : day[game], pairs[game]].any(axis=1))
        if free.size and len(moved) < wanted:
            first = rng.choice(free)
            is_busy[first, pairs[game]] = True
            moved.append(int(game))
            first_days.append(int(first))
    return np.array(moved), days[np.array(first_days)]


def draw_tipoffs(rng: np.random.Generator, dates: Days, is_western: Bools) -> Instants:
    """When each game begins, in UTC: in the evening US Eastern, at weekends now and then earlier."""
    evening = np.where(is_western, rng.choice(WEST_STARTS, dates.size), rng.choice(EAST_STARTS, dates.size))
    is_weekend = ~np.is_busday(dates)
    is_matinee = is_weekend & (rng.random(dates.size) < MATINEE_RATE)
    minutes = np.where(is_matinee, rng.choice(MATINEES, dates.size), evening)
    noons = noon_instants(dates.astype(np.int64)).astype("datetime64[us]")
    tipoffs: Instants = noons + minutes.astype("timedelta64[m]")
    return tipoffs


def _is_announced(played: PlayedSeason) -> Bools:
    """Whether the date of a game is known on the end date: of the postseason only the next games of a
    stage that has begun."""
    games, end = played.games, played.end
    series_round = (games["round"] - calendar.PLAYOFF_ROUND) // calendar.SERIES_GAMES
    stage = np.where(games["kind"] == calendar.PLAYOFF, calendar.PLAYOFF_ROUND + series_round, games["round"])
    has_begun = np.isin(stage, stage[games["date"] <= end])
    is_near = games["date"] <= end + DAYS_AFTER
    is_announced: Bools = (games["kind"] == calendar.REGULAR) | has_begun & is_near
    return is_announced


def is_upcoming(played: PlayedSeason, fixtures: Fixtures) -> Bools:
    """The fixtures that the upcoming-games table names, those given up included."""
    rows, end = fixtures.rows, played.end
    in_span = (rows["date"] >= end - DAYS_BEFORE) & (rows["date"] <= end + DAYS_AFTER)
    is_named: Bools = in_span & (rows["status"] != UNKNOWN)
    return is_named


def is_listed(played: PlayedSeason, fixtures: Fixtures) -> Bools:
    """Who has a box score or is still named as one who is to play, bool[fixtures, 2, ROSTER]."""
    has_row = (fixtures.line_status != NO_ROW) & (fixtures.rows["status"] == FINAL)[:, None, None]
    named = is_upcoming(played, fixtures) & fixtures.is_kept
    listed: Bools = has_row | named[:, None, None]
    return listed


def build_schedule(played: PlayedSeason, fixtures: Fixtures) -> tuple[Table, pa.Table]:
    rows = fixtures.rows[fixtures.rows["status"] > UNKNOWN]
    rows = rows[np.lexsort([rows["game"], rows["date"]])]
    games = played.games[rows["game"]]
    columns = {
        "game_id": take_texts(played.ids, rows["game"]),
        "game_date": pa.array(rows["date"]),
        "home_team_abbr": take_texts(played.teams, games["home"]),
        "away_team_abbr": take_texts(played.teams, games["away"]),
        "game_status": pa.array(rows["status"]),
        "game_type": take_texts([name for _, name in KINDS], games["kind"]),
        "tipoff_at": to_timestamps(rows["tipoff"]),
    }
    return SCHEDULE, build_rows(SCHEDULE, columns)


def build_upcoming(played: PlayedSeason, fixtures: Fixtures) -> tuple[Table, pa.Table]:
    """Everybody on the two rosters, whether he then played or not."""
    named = np.flatnonzero(is_upcoming(played, fixtures))
    named = named[np.argsort(fixtures.rows["date"][named], kind="stable")]
    games = played.games[fixtures.rows["game"][named]]
    teams = np.stack([games["home"], games["away"]], axis=1)
    columns = {
        "player_lookup": take_texts(played.lookups, fixtures.who[named].ravel()),
        "game_id": take_texts(played.ids, np.repeat(fixtures.rows["game"][named], 2 * ROSTER)),
        "game_date": pa.array(np.repeat(fixtures.rows["date"][named], 2 * ROSTER)),
        "team_abbr": take_texts(played.teams, np.repeat(teams.ravel(), ROSTER)),
        "opponent_team_abbr": take_texts(played.teams, np.repeat(teams[:, ::-1].ravel(), ROSTER)),
        "home_game": pa.array(np.tile(np.repeat([True, False], ROSTER), named.size)),
    }
    return UPCOMING, build_rows(UPCOMING, columns)
