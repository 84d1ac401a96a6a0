"""The people of a generated league: names, abilities, rosters and absences.

A league changes between seasons (:func:`turn_over`) and within one, by round
(:func:`plan_rosters`, :func:`plan_absences`). Games and box scores are not here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.demo_schedule import ALL_ROUNDS, ROUNDS, Rows
from transforms.arrays import Floats, Ints

Statuses = npt.NDArray[np.int8]

EAST = "ATL BOS BKN CHA CHI CLE DET IND MIA MIL NYK ORL PHI TOR WAS"
WEST = "DAL DEN GSW HOU LAC LAL MEM MIN NOP OKC PHX POR SAC SAS UTA"

FREE = -1
ROSTER = 17
FREE_AGENTS = 2
"""Players under contract with a team at a time (two of them two-way), and those without, per team."""

TRADES, TRADE_ROUNDS = 1.1, (15, 55)
SIGNINGS, SIGNING_ROUNDS = 2.0, (8, 78)
"""Each per team and season: swaps of two players, and free agents signed in place of somebody."""

INJURY, HIDDEN = 3, 7
REASON_RATES = (0.84, 0.09, 0.05, 0.02)
ABSENCES, LONG_RATE, LONG_GAMES, SHORT_GAMES = 4.5, 0.25, 18.0, 1.6
LISTED_ABSENT = 1
"""Absences per player and season: how often for an injury and for other reasons, how many of the
injuries are long, the mean length of the long and the others, and how many games long the absent
player is still listed, with the reason's code, before he is hidden."""

WARM_UP = 16
"""Off-seasons without games before the first season: the ages of a league need a generation."""

GROWTH = {22: 0.35, 26: 0.12, 30: 0.0, 99: -0.25}
GROWTH_NOISE = 0.3
LEAVE_WORST, LEAVE_AGED, LEAVE_FREE = 0.33, (0.07, 31), 0.2
MOVE_RATE = 0.22
"""Yearly change of ability up to an age; a rookie's has mean 0 and spread 1. The chance to leave the
league: of the weakest player (falling with the square of the rank), per year above an age, without
a team. The chance to look for another team in summer."""

STRENGTHS = {"attack": 0.011, "defence": 0.023, "pace": 1.6}
STRENGTH_MEMORY = 0.7
"""What a team adds to its shooting, takes from its opponents' and adds to the possessions: the spread over
teams, and the correlation from season to season. Shooting is in makes per attempt."""

TRAITS = {
    "three_share": (0.44, 0.45, 0.19, 0.25),
    "paint_share": (0.70, 0.76, 0.86, 0.08),
    "free_throws": (1.0, 0.9, 1.2, 0.25),
    "turnovers": (1.2, 0.85, 0.95, 0.15),
    "rebounds": (0.4, 0.8, 2.2, 0.25),
    "usage": (1.05, 0.95, 1.0, 0.1),
    "three_pt_pct": (0.364, 0.364, 0.344, 0.05),
    "paint_pct": (0.552, 0.567, 0.615, 0.04),
    "mid_range_pct": (0.42, 0.41, 0.42, 0.05),
    "free_throw_pct": (0.82, 0.79, 0.71, 0.06),
}
POSITIONS = (0.4, 0.36, 0.24)
"""A player's ways: of a guard, a wing, a big man, and the log-normal spread; how many there are of each.
The share of the paint is of two-point attempts; free throws to usage count against the average player's."""

FIRST_NAMES = """Aaron Adrian Alec Alonzo Amir Andre Anton Austin Avery Ben Bogdan Brandon Bryce Caleb Cam
Carlos Cedric Chris Cole Corey Damian Dante Darius David De'Andre De'Marcus Dennis Derrick Devin Dillon
Domantas Donovan Drew Dwayne Eli Elijah Eric Evan Frank Gabe Garrett Gary Goran Grant Greg Harrison Hasan
Ignas Isaac Isaiah Ivan Jabari Jaden Jalen Jamal James Jaylen Jean-Luc Jeremy Jerome Joel Jonas Jordan José
Josh Juan Julius Justin Karl-Anton Keegan Keldon Kelly Kevin Kris Kyle Lamar Landry Luc Luka Malik Marcus
Mario Markus Mason Mike Miles Moritz Myles Naz Nikola Noah Onyeka Otto Pascal Patrick Paul Quentin Rashad
Raúl Ricky Rodney Royce Sam Shane Spencer Tari Terence Théo Tobias Trey Tyler Victor Vít Walker Will Zach"""
SURNAME_HEADS = """Al Ander Ash Bar Bel Ben Black Bran Brad Cal Car Chan Col Cran Dal Daw Den Dor Ed El Fair
Fen Gar Gil Gran Hal Ham Har Haw Hol Hud Jack Jen John Kel Kin Lan Lin Mar Mat Mel Mor Nel Nor Oak Par Pat
Pem Ran Rich Rob Rod Sand Shel Stan Ster Tal Thorn Tor Van Wal War Wat Wel Whit Wil Win"""
SURNAME_TAILS = """son son son ton ton ley man field ford wood well ster mond dale ers by rick bert ing low
ham worth den land gate don ović ūnas ez eau"""
SUFFIXES = [""] * 93 + [" Jr."] * 4 + [" II", " III", " III"]
PREFIXES = [""] * 98 + ["O'"] * 2
DOUBLE_SURNAMES = 0.03

PLAYER = np.dtype(
    [("number", np.int64), ("team", np.int64), ("age", np.int64), ("ability", np.float64)]
    + [(trait, np.float64) for trait in TRAITS]
)
"""A player; ``number`` is his place in the league's names."""


@dataclass
class League:
    """A league on its way through the seasons: its active players, and the name of everybody so far."""

    number: int
    teams: list[str]
    players: Rows
    strength: dict[str, Floats]
    names: list[str] = field(default_factory=list)
    lookups: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)


def make_lookup(name: str) -> str:
    """The player lookup of a name: NFKD, ASCII, lower case, letters and digits only."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return "".join(filter(str.isalnum, plain.lower()))


def found_league(seed: int, number: int, size: int) -> League:
    """League ``number`` of ``size`` teams before its first season; no two numbers share a team or a name."""
    half = size // 2
    suffix = str(number) if number > 1 else ""
    teams = [team + suffix for team in EAST.split()[:half] + WEST.split()[:half]]
    rng = np.random.default_rng([seed, number])
    strength = {name: rng.normal(0, spread, size) for name, spread in STRENGTHS.items()}
    league = League(number, teams, np.zeros(0, dtype=PLAYER), strength)
    for _ in range(WARM_UP):
        turn_over(rng, league)
    return league


def turn_over(rng: np.random.Generator, league: League) -> None:
    """The summer: players age, leave, move and arrive, until every roster is full again."""
    teams, players = len(league.teams), league.players
    players["age"] += 1
    players["ability"] += np.array([*GROWTH.values()])[np.searchsorted([*GROWTH], players["age"])]
    players["ability"] += rng.normal(0, GROWTH_NOISE, players.size)
    standing = rank_values(players["ability"]) / max(players.size, 1)
    rate, age = LEAVE_AGED
    leaving = LEAVE_WORST * (1 - standing) ** 2 + rate * np.maximum(players["age"] - age, 0)
    leaving += LEAVE_FREE * (players["team"] == FREE)
    players = players[rng.random(players.size) >= leaving]
    players["team"][rng.random(players.size) < MOVE_RATE] = FREE
    rookies = _draft_players(rng, league, teams * (ROSTER + FREE_AGENTS) - players.size)
    league.players = players = np.concatenate([players, rookies])
    signed = np.bincount(players["team"] - FREE, minlength=teams + 1)[1:]
    places = rng.permutation(np.repeat(np.arange(teams), ROSTER - signed))
    free = np.flatnonzero(players["team"] == FREE)
    wanted = free[np.argsort(-players["ability"][free])]
    players["team"][wanted[: places.size]] = places
    for name, spread in STRENGTHS.items():
        change = rng.normal(0, spread * np.sqrt(1 - STRENGTH_MEMORY**2), teams)
        strength = STRENGTH_MEMORY * league.strength[name] + change
        # About zero, or the league as a whole would drift from its calibration.
        league.strength[name] = strength - strength.mean()


def _draft_players(rng: np.random.Generator, league: League, count: int) -> Rows:
    """Rookies (PLAYER[count]) without a team; a name whose lookup is taken is drawn again."""
    out = np.zeros(count, dtype=PLAYER)
    out["number"] = len(league.names) + np.arange(count)
    out["team"] = FREE
    out["age"] = rng.integers(19, 24, count)
    out["ability"] = rng.normal(0, 1, count)
    position = rng.choice(3, count, p=POSITIONS)
    for trait, (*typical, spread) in TRAITS.items():
        out[trait] = np.array(typical)[position] * rng.lognormal(0, spread, count)
    for share in ("three_share", "paint_share", "free_throw_pct"):
        np.minimum(out[share], 0.96, out=out[share])
    wanted = len(league.names) + count
    while len(league.names) < wanted:
        name = _draw_name(rng) + (f" L{league.number}" if league.number > 1 else "")
        lookup = make_lookup(name)
        if lookup not in league.taken:
            league.taken.add(lookup)
            league.names.append(name)
            league.lookups.append(lookup)
    return out


def _draw_name(rng: np.random.Generator) -> str:
    def pick(words: list[str]) -> str:
        return words[int(rng.integers(len(words)))]

    heads, tails = SURNAME_HEADS.split(), SURNAME_TAILS.split()
    surname = pick(heads) + pick(tails)
    if rng.random() < DOUBLE_SURNAMES:
        surname += "-" + pick(heads) + pick(tails)
    return f"{pick(FIRST_NAMES.split())} {pick(PREFIXES)}{surname}{pick(SUFFIXES)}"


def plan_rosters(rng: np.random.Generator, team: Ints, ability: Floats, teams: int) -> Ints:
    """Who is with which team in each round, int64[82, teams, ROSTER], after trades and signings.

    A trade swaps players of like ability; a signing replaces one of the five weakest.
    """
    order = np.argsort(team, kind="stable")
    free = order[: order.size - teams * ROSTER].copy()
    roster = np.tile(order[free.size :].reshape(teams, ROSTER), (ROUNDS, 1, 1))
    trades = rng.integers(*TRADE_ROUNDS, size=round(TRADES * teams))
    signings = rng.integers(*SIGNING_ROUNDS, size=round(SIGNINGS * teams))
    # In order of time, since a move rewrites its team's roster in all later rounds.
    for when, is_trade in sorted([(w, True) for w in trades] + [(w, False) for w in signings]):
        one, other = rng.choice(teams, 2, replace=False)
        mine, theirs = roster[when, one], roster[when, other]
        if is_trade:
            slot = rng.integers(ROSTER)
            match = np.abs(ability[theirs] - ability[mine[slot]]).argmin()
            roster[when:, one, slot], roster[when:, other, match] = theirs[match], mine[slot]
        else:
            slot, place = rng.choice(np.argsort(ability[mine])[:5]), rng.integers(free.size)
            roster[when:, one, slot], free[place] = free[place], mine[slot]
    return roster


def plan_absences(rng: np.random.Generator, count: int) -> Statuses:
    """Who cannot play in which round, int8[ALL_ROUNDS, count]: 0, a listed reason, or HIDDEN."""
    rounds = np.arange(ALL_ROUNDS)[:, None]
    status = np.zeros((ALL_ROUNDS, count), dtype=np.int8)
    spells = 2 * round(ABSENCES)
    for _ in range(spells):
        reason = INJURY + rng.choice(len(REASON_RATES), count, p=REASON_RATES)
        is_long = (rng.random(count) < LONG_RATE) & (reason == INJURY)
        length = 1 + rng.exponential(np.where(is_long, LONG_GAMES, SHORT_GAMES - 1))
        length *= rng.random(count) < ABSENCES / spells
        since = rounds - rng.integers(-10, ALL_ROUNDS, count)
        said = np.where(since < LISTED_ABSENT, reason, HIDDEN).astype(np.int8)
        np.copyto(status, said, where=(since >= 0) & (since < length))
    return status


def rank_values(values: Sequence[str] | Floats) -> Ints:
    """The place of each value in ascending order; texts by code point."""
    return np.argsort(np.argsort(np.asarray(values)))
