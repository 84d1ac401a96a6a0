"""The betting lines of a generated season: what bookmakers expected of whom, and when.

Every player who is listed has a line that was open before tip-off. What the bookmakers know is his
rating and the games that he has played in the season before.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.demo_columns import build_rows, take_texts, to_timestamps
from pipeline.demo_fixtures import Fixtures, is_listed
from pipeline.demo_games import PLAYED, PlayedSeason
from transforms.arrays import Bools, Floats, Ints
from transforms.schema import Table
from transforms.side_tables import POINTS_LINES

LINES = 4
"""The topic of the draws."""

BOOKMAKERS = {"draftkings": 0.88, "fanduel": 0.8, "betmgm": 0.5}
"""Who offers lines, and on what share of the players; the last takes everybody whom the others leave."""

SNAPSHOTS = ((42, 54, 1.0), (0.2, 1.5, 0.9), (-2.5, -0.1, 0.15))
OPENING, CLOSING, LIVE = range(len(SNAPSHOTS))
"""Between how many hours before tip-off a line is seen, and how often it is."""

LEAST_RATED, POINTS_PER_RATING, RATED_GAMES = 3.0, 6.0, 4
"""The points of a player of rating -1, what more a rating of one more brings, and for how many games
this counts beside those played."""

PLAYER_NOISE, BOOK_NOISE, PLAYER_DRIFT, BOOK_DRIFT = 0.8, 0.4, 0.7, 0.3
LIVE_MOVES = (-4, -3, -2, -1, 1, 2, 3, 4)
"""Spreads in points: of the opening lines about the level, over players and over bookmakers, and of the
closing lines about the opening ones; how far a line is off the closing one when the game has begun."""


def build_lines(played: PlayedSeason, fixtures: Fixtures) -> tuple[Table, pa.Table]:
    """The lines that were seen by the season's clock, in the order of the games."""
    rng = played.start_rng(LINES)
    count = fixtures.games
    rows, who = fixtures.rows[:count], fixtures.who[:count]
    points = played.lines["points"] * (fixtures.line_status[:count] == PLAYED)
    prior = LEAST_RATED + POINTS_PER_RATING * (played.season.rating + 1)
    level = estimate_levels(who, points, fixtures.line_status[:count] == PLAYED, prior)
    line, seen_at, is_seen = _draw_lines(rng, level)
    seen_at = rows["tipoff"][:, None, None, None, None] - seen_at
    is_seen &= is_listed(played, fixtures)[:count, :, :, None, None] & (seen_at <= played.clock)
    game, side, slot, book, snapshot = np.nonzero(is_seen)
    columns = {
        "player_lookup": take_texts(played.lookups, who[game, side, slot]),
        "game_date": pa.array(rows["date"][game]),
        "bookmaker": take_texts([*BOOKMAKERS], book),
        "points_line": pa.array(line[game, side, slot, book, snapshot]),
        "snapshot_timestamp": to_timestamps(seen_at[game, side, slot, book, snapshot]),
    }
    return POINTS_LINES, build_rows(POINTS_LINES, columns)


def estimate_levels(who: Ints, points: Ints, plays: Bools, prior: Floats) -> Floats:
    """Points to expect of each player in each game, from the games before it.

    ``who``, ``points`` and ``plays`` have the games as their first axis, in order of time; ``prior`` is
    by player and counts as :data:`RATED_GAMES` games.
    """
    player = who.ravel()
    order = np.argsort(player, kind="stable")
    player = player[order]
    start = np.searchsorted(player, player)
    before = []
    for values in (points, plays.astype(np.int64)):
        values = values.ravel()[order]
        running = np.cumsum(values) - values
        before.append(running - running[start])
    level = np.empty(player.size)
    level[order] = (RATED_GAMES * prior[player] + before[0]) / (RATED_GAMES + before[1])
    return level.reshape(who.shape)


def _draw_lines(rng: np.random.Generator, level: Floats) -> tuple[Floats, npt.NDArray[np.timedelta64], Bools]:
    """Lines, how long before tip-off and whether they are seen, each [*level, BOOKMAKERS, SNAPSHOTS]."""
    books, shape = len(BOOKMAKERS), level.shape
    opening = level + rng.normal(0, PLAYER_NOISE, shape)
    opening = opening[..., None] + rng.normal(0, BOOK_NOISE, (*shape, books))
    closing = opening + rng.normal(0, PLAYER_DRIFT, shape)[..., None]
    closing += rng.normal(0, BOOK_DRIFT, (*shape, books))
    opening, closing = (np.floor(np.maximum(line, 0)) + 0.5 for line in (opening, closing))
    move = rng.choice(LIVE_MOVES, (*shape, books))
    live = np.where(closing + move > 0, closing + move, closing - move)
    nearest, farthest, rate = np.array(SNAPSHOTS).T
    all_shape = (*shape, books, len(SNAPSHOTS))
    lead = np.rint(rng.uniform(nearest * 60, farthest * 60, all_shape)).astype("timedelta64[m]")
    has_line = rng.random((*shape, books)) < [*BOOKMAKERS.values()]
    has_line[..., -1] |= ~has_line.any(axis=-1)
    is_seen = has_line[..., None] & (rng.random(all_shape) < rate)
    return np.stack([opening, closing, live], axis=-1), lead, is_seen
