"""The calendar of a generated season: who meets whom, where and on which date.

Time runs in rounds. In a round every team plays exactly once, on the first or the second of the
round's two days: a late game followed by an early one is a back-to-back, and three nights running
cannot happen. Players, results and who advances are not here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Ints

Rows = npt.NDArray[Any]
"""A structured array."""

Days = npt.NDArray[np.datetime64]

GAME = np.dtype(
    [
        ("home", np.int64),
        ("away", np.int64),
        ("date", "datetime64[D]"),
        ("round", np.int64),
        ("overtimes", np.int64),
        ("kind", np.int64),
        ("code", np.int64),
    ]
)
"""One game. Teams are numbers: ``0 .. teams / 2 - 1`` one conference, the rest the other; ``round``
counts on through the postseason (:data:`PLAYIN_ROUND`, :data:`PLAYOFF_ROUND`); ``kind`` is one of
the three below, ``code`` the last five digits of the game id."""

REGULAR, PLAYIN, PLAYOFF = 0, 1, 2

ROUNDS = 82
PLAYIN_ROUND = ROUNDS
PLAYOFF_ROUND = ROUNDS + 2
SERIES_GAMES = 7
ALL_ROUNDS = PLAYOFF_ROUND + 4 * SERIES_GAMES

CONFERENCE_WEIGHT = 1.85
"""Meetings with a team of the own conference per meeting with one of the other (NBA: 3.7 to 2)."""

BACK_TO_BACKS = 14.7
"""Pulled for, a team and season; 13.9 come of it, from 11 to 16 (NBA 2021 and 2022: 13.7, from 11 to 17)."""

EARLY_CHANCE = np.array([0.82, 0.45, 0.15])
"""Chance of the round's first day when none, one or both teams played late in the last round."""

BACK_TO_BACK_PULL = 0.3
"""What one back-to-back too few adds to that chance for a team that played late, and takes from it for
one that played early; one too many does the contrary."""

SEASON_DAYS = 174
SERIES_DAYS = np.array([0, 2, 5, 7, 10, 12, 14])
PLAYOFF_STARTS = np.array([6, 23, 39, 55])
"""First day of each playoff round, in days after the regular season's last."""

HOME_IN_SERIES = np.array([True, True, False, False, True, False, True])


def list_game_days(year: int) -> Days:
    """The 164 dates on which the regular season plays, ascending, datetime64[D].

    From the Tuesday of 18 to 24 October 25 weeks to a Sunday in mid April, without election day,
    Thanksgiving, the eve of Christmas, the six days of the all-star break and the college final.
    """
    opening = _find_weekday(f"{year:04}-10-18", "Tue")
    break_start = _find_weekday(f"{year + 1:04}-02-15", "Sun") - 2
    closed = [
        _find_weekday(f"{year:04}-11-02", "Tue"),
        _find_weekday(f"{year:04}-11-22", "Thu"),
        np.datetime64(f"{year:04}-12-24", "D"),
        _find_weekday(f"{year + 1:04}-04-01", "Mon"),
        *(break_start + np.arange(6)),
    ]
    return np.setdiff1d(opening + np.arange(SEASON_DAYS), np.array(closed))


def schedule_season(rng: np.random.Generator, year: int, teams: int) -> Rows:
    """The regular season: ``82 * teams / 2`` games by date and home team, overtimes unset.

    Every team has 82 games, 41 of them at home, whatever the (even) number of teams.
    """
    pairs = pair_teams(rng, teams)
    late = choose_late(rng, pairs)
    rounds, games = late.shape
    out = np.zeros(rounds * games, dtype=GAME)
    out["home"], out["away"] = assign_homes(rng, pairs.reshape(-1, 2), teams).T
    out["round"] = np.repeat(np.arange(rounds), games)
    out["date"] = list_game_days(year)[2 * out["round"] + late.ravel()]
    out["kind"] = REGULAR
    out = out[np.lexsort([out["home"], out["date"]])]
    out["code"] = 1 + np.arange(out.size)
    return out


def schedule_playins(home: Ints, away: Ints, last: np.datetime64, stage: int) -> Rows:
    """The play-in games of a stage: 0 on the two days after the next, 1 two days later."""
    out = np.zeros(home.size, dtype=GAME)
    out["home"], out["away"] = home, away
    out["round"] = PLAYIN_ROUND + stage
    out["date"] = last + 2 + 3 * stage + (np.arange(home.size) % 2) * (1 - stage)
    out["kind"] = PLAYIN
    out["code"] = 101 + 100 * stage + np.arange(home.size)
    return out


def schedule_series(better: Ints, worse: Ints, last: np.datetime64, stage: int) -> Rows:
    """All seven games of each series of a playoff round; [series, 7], ``better`` starts at home.

    Every second series starts a day later, so that a round fills most nights.
    """
    out = np.zeros((better.size, SERIES_GAMES), dtype=GAME)
    out["home"] = np.where(HOME_IN_SERIES, better[:, None], worse[:, None])
    out["away"] = np.where(HOME_IN_SERIES, worse[:, None], better[:, None])
    out["round"] = PLAYOFF_ROUND + stage * SERIES_GAMES + np.arange(SERIES_GAMES)
    start = PLAYOFF_STARTS[stage] + np.arange(better.size)[:, None] % 2
    out["date"] = last + start + SERIES_DAYS
    out["kind"] = PLAYOFF
    series, game = np.indices(out.shape)
    out["code"] = 100 * (stage + 1) + 10 * series + game + 1
    return out


def pair_teams(rng: np.random.Generator, teams: int) -> Ints:
    """Who meets in each round, int64[82, teams / 2, 2]: each round holds every team once.

    Rounds inside the conferences come from the circle method; where a conference is odd, the two
    teams that it leaves over meet each other. The other rounds shift one conference against the
    other. With 30 teams that gives two meetings across and three or four inside, as in the NBA.
    """
    half = teams // 2
    inner = _pair_conference(half)
    cycle = len(inner)
    inside = CONFERENCE_WEIGHT * (half - 1)
    inside_rounds = round(ROUNDS * inside / (inside + half) * cycle / max(half - 1, 1))
    cycles = -(-inside_rounds // cycle)
    shifts = (cycles + np.arange(ROUNDS - inside_rounds)) % half
    rounds = []
    for index in range(inside_rounds):
        east, west = index % cycle, (index + index // cycle) % cycle
        left_over = np.array([[east, half + west]])[: half % 2]
        rounds.append(np.concatenate([inner[east], half + inner[west], left_over]))
    across = np.arange(half)
    rounds.extend(np.stack([across, half + (across + shift) % half], axis=1) for shift in shifts)
    names = np.concatenate([rng.permutation(half), half + rng.permutation(half)])
    pairs: Ints = names[np.array(rounds)[rng.permutation(ROUNDS)]]
    return pairs


def assign_homes(rng: np.random.Generator, pairs: Ints, teams: int) -> Ints:
    """``pairs`` (int64[games, 2], in order of time) with the home team first; 41 home games a team.

    Two teams host each other in turn. The odd meetings that are left over are walked along closed
    trails, host to guest, so that every team hosts as often as it visits.
    """
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    key = low * teams + high
    meetings = np.bincount(key, minlength=teams * teams)
    low_first = rng.random(teams * teams) < 0.5
    odd = (meetings % 2 == 1).reshape(teams, teams)
    open_pairs = odd | odd.T
    for host in range(teams):
        while open_pairs[host].any():
            guest = int(open_pairs[host].argmax())
            open_pairs[host, guest] = open_pairs[guest, host] = False
            low_first[min(host, guest) * teams + max(host, guest)] = host < guest
            host = guest
    order = np.argsort(key, kind="stable")
    start = np.cumsum(meetings) - meetings
    occurrence = np.empty_like(key)
    occurrence[order] = np.arange(key.size) - start[key[order]]
    low_hosts = low_first[key] == (occurrence % 2 == 0)
    return np.stack([np.where(low_hosts, low, high), np.where(low_hosts, high, low)], axis=1)


def choose_late(rng: np.random.Generator, pairs: Ints) -> Ints:
    """0 or 1 for each game of ``pairs`` (int64[rounds, games, 2]): on which of its round's days.

    A team mostly keeps its rhythm of a game every second day. One that has fewer back-to-backs than
    are due by then is pulled out of it, so that all come near :data:`BACK_TO_BACKS`.
    """
    rounds, games, _ = pairs.shape
    late = np.zeros((rounds, games), dtype=np.int64)
    team_late = np.zeros(2 * games, dtype=np.int64)
    short_rests = np.zeros(2 * games)
    for index, pair in enumerate(pairs):
        lacking = BACK_TO_BACKS * index / rounds - short_rests
        pull = BACK_TO_BACK_PULL * np.where(team_late, lacking, -lacking)
        chance = EARLY_CHANCE[team_late[pair].sum(axis=1)] + pull[pair].sum(axis=1)
        late[index] = rng.random(games) >= (chance if index else 0.5)
        short_rests[pair] += team_late[pair] > late[index][:, None]
        team_late[pair] = late[index][:, None]
    return late


def cut_series(better_won: Bools) -> tuple[Bools, Bools]:
    """Which of the seven games are played (bool[series, 7]), and where the better team goes on."""
    wins = np.cumsum(better_won, axis=1)
    most = np.maximum(wins, np.arange(1, SERIES_GAMES + 1) - wins)
    played = np.roll(most, 1, axis=1) < 4
    played[:, 0] = True
    return played, wins[:, -1] >= 4


def order_bracket(size: int) -> Ints:
    """Seeds from 0 in the order of the bracket: neighbours meet, then the winners of neighbours."""
    order = [0]
    while len(order) < size:
        order = [seed for best in order for seed in (best, 2 * len(order) - 1 - best)]
    return np.array(order)


def _pair_conference(size: int) -> Ints:
    """Rounds of a single round robin by the circle method, int64[rounds, size // 2, 2].

    In round r, team r sits out where ``size`` is odd and meets the last team where it is even.
    """
    circle = size - 1 + size % 2
    seat = np.arange(circle)[:, None]
    step = np.arange(1, (circle + 1) // 2)
    pairs = np.stack([(seat + step) % circle, (seat - step) % circle], axis=-1)
    if size % 2:
        return pairs
    fixed = np.stack([seat, np.full_like(seat, circle)], axis=-1)
    return np.concatenate([pairs, fixed], axis=1)


def _find_weekday(date: str, weekday: str) -> np.datetime64:
    """The first ``weekday`` on or after ``date``."""
    found: np.datetime64 = np.busday_offset(date, 0, roll="forward", weekmask=weekday)
    return found
