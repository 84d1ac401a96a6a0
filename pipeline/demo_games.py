"""A season of a generated league is played: lineups and minutes, then the totals of each team game and
their division among its players, then the makes; all of it on whole arrays.

The players are in :mod:`pipeline.demo_players`, the calendar in :mod:`pipeline.demo_schedule`; what
becomes of a season played is in :mod:`pipeline.demo`. The rates were calibrated on the NBA's seasons
2021 and 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline import demo_players as people
from pipeline import demo_schedule as calendar
from pipeline.demo_players import FREE, HIDDEN, ROSTER, League, Statuses, rank_values
from pipeline.demo_schedule import Rows
from transforms.arrays import Bools, Floats, Ints

KINDS = (("002", "Regular Season"), ("005", "PlayIn"), ("004", "Playoffs"))
"""How a game id begins and what the season type is called, by a game's ``kind``."""

TOP_RATING = 3.4
CHOICE_NOISE = 0.25
"""Ratings have mean 0 and an exponential tail; the noise is in the coach's order of his players."""

LISTED, FEWEST = 12, 8
ROTATION = (0.04, 0.15, 0.28, 0.28, 0.18, 0.07)
PLAYOFF_ROTATION = (0.15, 0.3, 0.27, 0.15, 0.1, 0.03)
"""Players listed as fit in a game, and how often a team uses 8, 9 .. 13 of them."""

MINUTES = np.array([35.8, 34.4, 33, 31, 28.5, 24.5, 20.5, 16.5, 12.5, 9, 6.5, 5, 4, 4, 4, 4, 4])
MINUTES_NOISE = np.linspace(0.09, 0.6, ROSTER)
MOST_MINUTES = 45
PLAYOFF_STEEPNESS = 1.2
"""Expected minutes by rank among those at hand, before they are scaled to the team's total, and their
log-normal noise; nobody plays more than the most and the overtimes. Playoffs take a power of them."""

REGULATION_SECONDS, OVERTIME_SECONDS = 5 * 48 * 60, 5 * 5 * 60
OVERTIME_RATE, MORE_OVERTIME_RATE, MAX_OVERTIME_MARGIN = 0.058, 0.14, 13

POSSESSIONS, TURNOVERS, FREE_THROWS, REBOUNDS = (99.7, 2.9), (13.2, 3.6), (22.6, 6.4), (10.3, 3.5)
"""Mean of a team game's totals, and the spread that the two teams do not explain."""

HOME_EDGE = 0.0075
EASE_PER_POINT = 0.0035
"""The home team's shooting, in makes per attempt, the visitors' loses as much; what a team that leads at
half time loses per point."""

USAGE_PER_RATING, FOULS_PER_RATING, SKILL_PER_RATING = 0.32, 0.1, 0.005
TOUCH_NOISE = 0.15
PAIRED_FREE_THROWS = 0.42
"""Of the free throws, this share counts the pairs: twice as many are shot two by two."""

NO_ROW, PLAYED, COACH = 0, 1, 2
PROCESSED_AFTER = np.timedelta64(34, "h")
"""A game's rows are written at 10:00 UTC of the next day."""

ZONES = {"three_pt": 3, "paint": 2, "mid_range": 2}
STATISTICS = (
    *("seconds", "points", "fg_attempts", "fg_makes", "ft_attempts", "ft_makes"),
    *(f"{zone}_{what}" for zone in ZONES for what in ("attempts", "makes")),
    *("offensive_rebounds", "turnovers"),
)
LINE = np.dtype([(name, np.int64) for name in ("player", "status", *STATISTICS)])
"""One player's line in a game; ``player`` is a position in the season's players."""


@dataclass(frozen=True)
class Season:
    """What box scores are drawn from."""

    players: Rows
    rating: Floats  # [players]
    roster: Ints  # [82, teams, ROSTER], positions in players
    absences: Statuses  # [ALL_ROUNDS, players], 0 for who can play
    strength: dict[str, Floats]  # [teams] each


@dataclass(frozen=True)
class PlayedSeason:
    """A season played to its end, and the date up to which it is told.

    What a table says of it follows from the season alone, drawn on whole arrays; ``end`` then decides
    what is known. So a league that ends later repeats what one that ends earlier says of the past.
    """

    seed: int
    number: int  # the league's
    teams: list[str]
    index: int  # the season's, from 1
    year: int
    end: np.datetime64  # date
    season: Season
    games: Rows  # GAME[games], by date
    lines: Rows  # LINE[games, 2, ROSTER], home team first
    ids: list[str]  # of the games
    person_ids: list[str]  # these three of the players
    names: list[str]
    lookups: list[str]
    all_names: list[list[str]]  # of each player, first to last
    newcomers: Ints  # positions of the players who are on a roster for the first time

    def start_rng(self, topic: int) -> np.random.Generator:
        """A generator of the topic's own, so that what it draws changes nothing else."""
        return np.random.default_rng([self.seed, self.number, self.index, topic])

    @property
    def clock(self) -> np.datetime64:
        """The instant in UTC at which the season is told: when the rows of ``end`` are written."""
        clock: np.datetime64 = self.end.astype("datetime64[us]") + PROCESSED_AFTER
        return clock


def gather_season(rng: np.random.Generator, league: League) -> Season:
    """The season of a league whose summer is over; leaves every player with his last team of it."""
    players, teams = league.players, len(league.teams)
    # By rank, so that a league has as many stars after a hundred seasons as in its first.
    share_below = (rank_values(players["ability"]) + 0.5) / players.size
    rating = np.minimum(-np.log1p(-share_below) - 1, TOP_RATING)
    roster = people.plan_rosters(rng, players["team"], players["ability"], teams)
    absences = people.plan_absences(rng, players.size)
    players["team"] = FREE
    players["team"][roster[-1]] = np.arange(teams)[:, None]
    return Season(players.copy(), rating, roster, absences, dict(league.strength))


def play_season(rng: np.random.Generator, season: Season, year: int) -> tuple[Rows, Rows]:
    """The season's games (GAME[games], by date) and box scores (LINE[games, 2, ROSTER])."""
    teams = season.roster.shape[1]
    games = calendar.schedule_season(rng, year, teams)
    lines = _play_games(rng, season, games)
    wins = np.bincount(_find_winners(games, lines)[0], minlength=teams)
    # Less than a win decides between level teams, by lot.
    standing = wins + rng.permutation(teams) / teams
    parts = [(games, lines), *_play_postseason(rng, season, standing, games["date"][-1])]
    games, lines = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    order = np.argsort(games["date"], kind="stable")
    return games[order], lines[order]


def _play_postseason(
    rng: np.random.Generator, season: Season, standing: Floats, last: np.datetime64
) -> list[tuple[Rows, Rows]]:
    """Play-in and playoffs, as (games, lines) of each stage.

    The best 8, 4 or 2 of a conference qualify, as many as it can fill. Where two more teams are
    left, the last two of 8 or 4 places are played for, as in the NBA.
    """
    half = standing.size // 2
    seeds = np.argsort(-standing.reshape(2, half), axis=1) + np.array([[0], [half]])
    size = min(8, 1 << (half.bit_length() - 1))
    parts = []
    if size >= 4 and half >= size + 2:
        home, away = seeds[:, [size - 2, size]], seeds[:, [size - 1, size + 1]]
        games = calendar.schedule_playins(home.ravel(), away.ravel(), last, 0)
        lines = _play_games(rng, season, games)
        won, lost = (side.reshape(2, 2) for side in _find_winners(games, lines))
        deciders = calendar.schedule_playins(lost[:, 0], won[:, 1], last, 1)
        decided = _play_games(rng, season, deciders)
        seeds[:, size - 2], seeds[:, size - 1] = won[:, 0], _find_winners(deciders, decided)[0]
        parts = [(games, lines), (deciders, decided)]
    alive = seeds[:, calendar.order_bracket(size)].ravel()
    for stage in range(size.bit_length()):
        first, second = alive[0::2], alive[1::2]
        better = np.where(standing[first] > standing[second], first, second)
        worse = first + second - better
        series = calendar.schedule_series(better, worse, last, stage)
        games = series.ravel()
        lines = _play_games(rng, season, games)
        better_won = _find_winners(games, lines)[0].reshape(series.shape) == better[:, None]
        played, goes_on = calendar.cut_series(better_won)
        parts.append((games[played.ravel()], lines[played.ravel()]))
        alive = np.where(goes_on, better, worse)
    return parts


def _find_winners(games: Rows, lines: Rows) -> tuple[Ints, Ints]:
    """The winning and the losing team of each game."""
    points = lines["points"].sum(axis=2)
    winner = np.where(points[:, 0] > points[:, 1], games["home"], games["away"])
    return winner, games["home"] + games["away"] - winner


def _play_games(rng: np.random.Generator, season: Season, games: Rows) -> Rows:
    """Box scores, LINE[games, 2, ROSTER], home team first. Sets the games' overtimes.

    A game that ends level, or an overtime that ends far apart, is drawn again.
    """
    is_overtime = rng.random(games.size) < OVERTIME_RATE
    games["overtimes"] = is_overtime * rng.geometric(1 - MORE_OVERTIME_RATE, games.size)
    lines = _draw_lines(rng, season, games)
    while True:
        margin = np.diff(lines["points"].sum(axis=2))[:, 0]
        again = (margin == 0) | is_overtime & (np.abs(margin) > MAX_OVERTIME_MARGIN)
        if not again.any():
            return lines
        lines[again] = _draw_lines(rng, season, games[again])


def _draw_lines(rng: np.random.Generator, season: Season, games: Rows) -> Rows:
    teams = np.stack([games["home"], games["away"]], axis=1)
    who, status = _choose_lineups(rng, season, games, teams)
    lines = np.zeros(who.shape, dtype=LINE)
    lines["player"], lines["status"] = who, status
    lines["seconds"] = _share_minutes(rng, status == PLAYED, games)
    _draw_attempts(rng, season, games, teams, lines)
    _draw_makes(rng, season, teams, lines)
    return lines


def _choose_lineups(rng: np.random.Generator, season: Season, games: Rows, teams: Ints) -> tuple[Ints, Ints]:
    """Each team's players from first to last choice, and their status; int64[games, 2, ROSTER]."""
    rounds = games["round"][:, None]
    who = season.roster[np.minimum(rounds, calendar.ROUNDS - 1), teams]
    absence = season.absences[rounds[:, :, None], who]
    is_fit = absence == 0
    choice = np.where(is_fit, season.rating[who] + rng.normal(0, CHOICE_NOISE, who.shape), -np.inf)
    order = np.argsort(-choice, axis=2, kind="stable")
    who, absence, is_fit = (np.take_along_axis(part, order, axis=2) for part in (who, absence, is_fit))
    is_regular = games["kind"] == calendar.REGULAR
    limits = np.where(is_regular[:, None], np.cumsum(ROTATION)[:-1], np.cumsum(PLAYOFF_ROTATION)[:-1])
    size = FEWEST + (rng.random(teams.shape)[:, :, None] > limits[:, None]).sum(axis=2)
    rank = np.arange(ROSTER)
    absent = np.where(absence == HIDDEN, NO_ROW, absence)
    status = np.where(is_fit, np.where(rank < LISTED, COACH, NO_ROW), absent)
    # The absent stand last: they play only where fewer than the fewest are left.
    plays = (rank < FEWEST) | is_fit & (rank < size[:, :, None])
    return who, np.where(plays, PLAYED, status)


def _share_minutes(rng: np.random.Generator, plays: Bools, games: Rows) -> Ints:
    """Whole seconds that add up to the time of five players; int64[games, 2, ROSTER]."""
    overtimes = games["overtimes"][:, None, None]
    total = REGULATION_SECONDS + OVERTIME_SECONDS * overtimes
    most = MOST_MINUTES * 60 + OVERTIME_SECONDS * overtimes / 5
    steepness = np.where(games["kind"] == calendar.REGULAR, 1.0, PLAYOFF_STEEPNESS)[:, None, None]
    share = plays * MINUTES**steepness * rng.lognormal(0, MINUTES_NOISE, plays.shape)
    for _ in range(5):
        share = np.minimum(share * (total / share.sum(axis=2, keepdims=True)), most)
    share *= total / share.sum(axis=2, keepdims=True)
    # Rounding the running sum, not the shares, keeps the total exact.
    edges = np.rint(np.cumsum(share, axis=2)).astype(np.int64)
    seconds: Ints = np.diff(edges, axis=2, prepend=np.int64(0))
    return seconds


def _draw_attempts(rng: np.random.Generator, season: Season, games: Rows, teams: Ints, lines: Rows) -> None:
    """Fills shots, free throws, turnovers and offensive rebounds: a team's totals, then whose they are."""
    players, rating = season.players[lines["player"]], season.rating[lines["player"]]
    length = 1 + games["overtimes"][:, None] * (OVERTIME_SECONDS / REGULATION_SECONDS)
    pace = season.strength["pace"][teams].sum(axis=1, keepdims=True)
    possessions = (pace + rng.normal(*POSSESSIONS, (games.size, 1))) * length
    turnovers, free_throws, rebounds = (
        np.maximum(np.rint(rng.normal(mean, spread, teams.shape) * length), 2).astype(np.int64)
        for mean, spread in (TURNOVERS, FREE_THROWS, REBOUNDS)
    )
    shots = np.rint(possessions - turnovers - 0.44 * free_throws + rebounds).astype(np.int64)
    pairs = (PAIRED_FREE_THROWS * free_throws).astype(np.int64)
    noise = rng.lognormal(0, TOUCH_NOISE, lines.shape)
    touches = lines["seconds"] * players["usage"] * (1 + USAGE_PER_RATING * rating) * noise
    fouled = touches * players["free_throws"] * (1 + FOULS_PER_RATING * rating)
    lines["fg_attempts"] = _share_out(rng, shots, touches)
    lines["ft_attempts"] = 2 * _share_out(rng, pairs, fouled)
    lines["ft_attempts"] += _share_out(rng, free_throws - 2 * pairs, fouled)
    lines["turnovers"] = _share_out(rng, turnovers, touches * players["turnovers"])
    lines["offensive_rebounds"] = _share_out(rng, rebounds, lines["seconds"] * players["rebounds"])
    lines["three_pt_attempts"] = rng.binomial(lines["fg_attempts"], players["three_share"])
    twos = lines["fg_attempts"] - lines["three_pt_attempts"]
    lines["paint_attempts"] = rng.binomial(twos, players["paint_share"])
    lines["mid_range_attempts"] = twos - lines["paint_attempts"]


def _draw_makes(rng: np.random.Generator, season: Season, teams: Ints, lines: Rows) -> None:
    """Fills makes and points, half by half: the margins of the NBA show that a lead makes a team ease off."""
    players, rating = season.players[lines["player"]], season.rating[lines["player"]]
    lift = season.strength["attack"][teams] - season.strength["defence"][teams[:, ::-1]]
    lift = lift + np.array([HOME_EDGE, -HOME_EDGE])
    for half in (0, 1):
        for zone, worth in ZONES.items():
            shots = (lines[f"{zone}_attempts"] + half) // 2
            chance = players[f"{zone}_pct"] + SKILL_PER_RATING * rating + lift[:, :, None]
            makes = rng.binomial(shots, np.clip(chance, 0.02, 0.98))
            lines[f"{zone}_makes"] += makes
            lines["fg_makes"] += makes
            lines["points"] += worth * makes
        points = lines["points"].sum(axis=2)
        lift = lift - EASE_PER_POINT * (points - points[:, ::-1])
    lines["ft_makes"] = rng.binomial(lines["ft_attempts"], players["free_throw_pct"])
    lines["points"] += lines["ft_makes"]


def _share_out(rng: np.random.Generator, totals: Ints, weights: Floats) -> Ints:
    """``totals`` (int64[games, 2]) divided at random by ``weights`` (float64[games, 2, ROSTER])."""
    shared: Ints = rng.multinomial(totals, weights / weights.sum(axis=2, keepdims=True))
    return shared
