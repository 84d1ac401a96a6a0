"""Player features: windows over a player's own games, for every target of a bucket at once.

The input is one bucket of clean rows, whole players, sorted here by player and date. Every
feature is one function named after it, from :class:`Windows` to float64[targets], NaN where the
value is NULL. The definitions are features.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from transforms.arrays import (
    Bools,
    Floats,
    Ints,
    Known,
    divide,
    single_chunk,
    to_codes,
    to_days,
    to_known,
)
from transforms.kernels.team_games import ZONES
from transforms.windows import (
    AS_OF_DAYS,
    Window,
    mean_over,
    order_key,
    running_sum,
    sum_over,
    window_bounds,
)

HISTORY_STATISTICS = (
    "points",
    "seconds",
    "fg_attempts",
    "three_pt_attempts",
    "ft_makes",
    "paint_attempts",
    "mid_range_attempts",
)


@dataclass(frozen=True)
class PlayerRows:
    """The rows of whole players, sorted by (player, date); arrays of one length.

    ``opponent`` is a code of the opponents' dictionary, -1 where unknown. A player has at most
    one row a date.
    """

    player: Ints
    day: Ints
    season: Ints
    opponent: Ints
    valid: Bools
    played: Bools
    usage: Floats
    statistics: dict[str, Known]

    @classmethod
    def from_table(cls, rows: pa.Table) -> PlayerRows:
        """The arrays of a table that :func:`sort_rows` has sorted."""
        valid = single_chunk(rows, "invalid").to_numpy() == 0
        return cls(
            player=to_codes(single_chunk(rows, "player_lookup")).astype(np.int64),
            day=to_days(single_chunk(rows, "game_date")),
            season=to_known(single_chunk(rows, "season_year")).values,
            opponent=to_codes(single_chunk(rows, "opponent_team_abbr")).astype(np.int64),
            valid=valid,
            played=valid & to_known(single_chunk(rows, "played")).values.astype(bool),
            usage=single_chunk(rows, "usage").to_numpy(),
            statistics={n: to_known(single_chunk(rows, n)) for n in HISTORY_STATISTICS},
        )


def sort_rows(rows: pa.Table) -> pa.Table:
    """The rows by player and date, in one contiguous chunk."""
    rows = rows.unify_dictionaries().combine_chunks()
    player = to_codes(single_chunk(rows, "player_lookup")).astype(np.int64)
    order = np.argsort(order_key(player, to_days(single_chunk(rows, "game_date"))))
    return rows.take(order).combine_chunks()


class Windows:
    """The windows of every target over the games of its player, and sums over them.

    ``targets`` are positions in ``rows``. A *game* is a valid row that played; ``games`` are
    their positions, and every window is over them except :attr:`listed`.
    """

    def __init__(self, rows: PlayerRows, targets: Ints) -> None:
        self.rows, self.targets = rows, targets
        self.games = np.flatnonzero(rows.played)
        self.player, self.day = rows.player[targets], rows.day[targets]
        self._keys = order_key(rows.player[self.games], rows.day[self.games])
        self._running: dict[str, Ints] = {}

    def back(self, days: int) -> Window:
        """The games of the last ``days`` days before the target."""
        return window_bounds(self._keys, self.player, self.day, days)

    @cached_property
    def as_of(self) -> Window:
        return self.back(AS_OF_DAYS)

    @cached_property
    def last_10(self) -> Window:
        return self.as_of.last(10)

    @cached_property
    def last_5(self) -> Window:
        return self.as_of.last(5)

    @cached_property
    def last_week(self) -> Window:
        return self.back(7)

    def game_values(self, name: str) -> Known:
        """A statistic of every game, in the order of :attr:`games`."""
        return self.rows.statistics[name].take(self.games)

    def total(self, name: str, values: Ints | Bools, window: Window) -> Ints:
        """The sum over each window of ``values`` (one a game), remembered under ``name``."""
        if name not in self._running:
            self._running[name] = running_sum(values)
        return sum_over(self._running[name], window)

    def points(self, window: Window) -> Ints:
        return self.total("points", self.game_values("points").values, window)

    def seconds(self, window: Window) -> tuple[Ints, Ints]:
        """Seconds played, and in how many games they are known."""
        seconds = self.game_values("seconds")
        return (
            self.total("seconds", seconds.values, window),
            self.total("seconds known", seconds.known, window),
        )

    def _within(self, codes: Ints, wanted: Ints) -> PartitionedWindow:
        distinct, code = np.unique(np.concatenate([codes, wanted]), return_inverse=True)
        group = self.rows.player[self.games] * len(distinct) + code[: len(codes)]
        keys = order_key(group, self.rows.day[self.games])
        order = np.argsort(keys, kind="stable")
        window = window_bounds(
            keys[order], self.player * len(distinct) + code[len(codes) :], self.day, AS_OF_DAYS
        )
        return PartitionedWindow(order, window)

    @cached_property
    def season(self) -> PartitionedWindow:
        """The games of the target's own season in the as-of window."""
        return self._within(self.rows.season[self.games], self.rows.season[self.targets])

    @cached_property
    def against(self) -> PartitionedWindow:
        """The games against the target's opponent in the as-of window."""
        return self._within(self.rows.opponent[self.games], self.rows.opponent[self.targets])

    @cached_property
    def days_rest(self) -> Floats:
        """Days since the latest game in the window; NaN when there is none."""
        if len(self.games) == 0:
            return np.full(len(self.targets), np.nan)
        latest = self.rows.day[self.games][np.maximum(self.as_of.high - 1, 0)]
        return np.where(self.as_of.size > 0, self.day - latest, np.nan)


@dataclass(frozen=True)
class PartitionedWindow:
    """A window over the games in another order (by season, by opponent)."""

    order: Ints
    window: Window

    def sum(self, values: Ints | Bools) -> Ints:
        return sum_over(running_sum(values[self.order]), self.window)


def points_avg_last_5(w: Windows) -> Floats:
    return divide(w.points(w.last_5), w.last_5.size)


def points_avg_last_10(w: Windows) -> Floats:
    return divide(w.points(w.last_10), w.last_10.size)


def points_avg_season(w: Windows) -> Floats:
    return divide(w.season.sum(w.game_values("points").values), w.season.window.size)


def points_std_last_10(w: Windows) -> Floats:
    points = w.game_values("points").values
    n, total = w.last_10.size, w.points(w.last_10)
    squares = w.total("points squared", points * points, w.last_10)
    return np.sqrt(divide(n * squares - total * total, n * (n - 1)))


def games_in_last_7_days(w: Windows) -> Floats:
    return w.last_week.size.astype(np.float64)


def fatigue_score(w: Windows, played_yesterday: Floats) -> Floats:
    """100 is fresh; ``played_yesterday`` is feature 16 (section 2.1)."""
    seconds, known = w.seconds(w.last_week)
    back_to_back = played_yesterday == 1
    pairs = _count_consecutive_days(w)
    score = 100.0 - 15.0 * back_to_back
    score += 5.0 * (~back_to_back & (w.days_rest >= 3))
    score -= 10.0 * (w.last_week.size >= 4)
    score -= 10.0 * (seconds > 14_400)
    score -= 8.0 * (seconds > 2_100 * known)
    score -= np.where(pairs >= 2, 12.0, np.where(pairs == 1, 5.0, 0.0))
    return np.where(w.as_of.size > 0, np.clip(score, 0, 100), np.nan)


def _count_consecutive_days(w: Windows) -> Ints:
    """Pairs of consecutive dates in the last 14 days on both of which the player played."""
    player, day = w.rows.player[w.games], w.rows.day[w.games]
    follows = np.zeros(len(w.games), dtype=bool)
    follows[1:] = (player[1:] == player[:-1]) & (day[1:] == day[:-1] + 1)
    window = w.back(14)
    # a pair counts where its later game stands, so the window's first game closes none
    later = Window(np.minimum(window.low + 1, window.high), window.high)
    return w.total("consecutive days", follows, later)


def usage_spike_score(w: Windows) -> Floats:
    usage = w.rows.usage[w.games]
    last_3 = w.as_of.last(3)
    spike = 0.3 * (mean_over(usage, last_3, 3) - mean_over(usage, w.last_10, 10))
    return np.where(last_3.size == 3, np.clip(spike, -3, 3), np.nan)


def recent_trend(w: Windows) -> Floats:
    newest = w.as_of.last(2)
    older = Window(w.last_5.low, np.maximum(w.last_5.low, newest.low))
    d = 3 * w.points(newest) - 2 * w.points(older)
    trend = (d >= 12) * 1 + (d >= 30) * 1 - (d <= -12) * 1 - (d <= -30) * 1
    return np.where(w.last_5.size == 5, trend, np.nan)


def minutes_change(w: Windows) -> Floats:
    s10, n10 = w.seconds(w.last_10)
    seconds = w.game_values("seconds")
    ss, ns = w.season.sum(seconds.values), w.season.sum(seconds.known)
    above, base = s10 * ns - ss * n10, ss * n10
    change = (
        (10 * above >= base) * 1
        + (5 * above >= base) * 1
        - (10 * above <= -base) * 1
        - (5 * above <= -base) * 1
    )
    return np.where((n10 > 0) & (ns > 0) & (ss > 0), change, np.nan)


def zone_attempts(w: Windows) -> tuple[list[Known], Bools]:
    """Attempts of each zone in every game, and in which games all three are known."""
    zones = [w.game_values(f"{zone}_attempts") for zone in ZONES]
    return zones, np.logical_and.reduce([zone.known for zone in zones])


def _share(w: Windows, name: str, part: Known, whole: Known, given: Bools) -> Floats:
    """Sum of ``part`` / sum of ``whole`` over last-10 games in which both are known."""
    both = part.known & whole.known & given
    top = w.total(f"{name} part", np.where(both, part.values, 0), w.last_10)
    bottom = w.total(f"{name} whole", np.where(both, whole.values, 0), w.last_10)
    return divide(top, bottom)


def pct_paint(w: Windows) -> Floats:
    zones, given = zone_attempts(w)
    return _share(w, "paint", zones[0], w.game_values("fg_attempts"), given)


def pct_mid_range(w: Windows) -> Floats:
    zones, given = zone_attempts(w)
    return _share(w, "mid-range", zones[1], w.game_values("fg_attempts"), given)


def pct_three(w: Windows) -> Floats:
    threes, shots = w.game_values("three_pt_attempts"), w.game_values("fg_attempts")
    return _share(w, "three", threes, shots, threes.known)


def pct_free_throw(w: Windows) -> Floats:
    makes, points = w.game_values("ft_makes"), w.game_values("points")
    share = _share(w, "free throw", makes, points, makes.known)
    known = w.total("free throws known", makes.known & points.known, w.last_10)
    return np.where(known >= 5, share, np.nan)


def avg_points_vs_opponent(w: Windows) -> Floats:
    points = w.against.sum(w.game_values("points").values)
    return np.where(_opponent_known(w), divide(points, w.against.window.size), np.nan)


def games_vs_opponent(w: Windows) -> Floats:
    return np.where(_opponent_known(w), w.against.window.size, np.nan)


def _opponent_known(w: Windows) -> Bools:
    known: Bools = w.rows.opponent[w.targets] >= 0
    return known


def minutes_avg_last_10(w: Windows) -> Floats:
    seconds, known = w.seconds(w.last_10)
    return divide(seconds, 60 * known)


def ppm_avg_last_10(w: Windows) -> Floats:
    seconds, points = w.game_values("seconds"), w.game_values("points")
    timed = seconds.known & (seconds.values > 0)
    scored = w.total("points with time", np.where(timed, points.values, 0), w.last_10)
    time = w.total("time of points", np.where(timed, seconds.values, 0), w.last_10)
    return divide(60 * scored, time)


def dnp_rate(w: Windows) -> Floats:
    """Over the last 10 valid rows of the player, played or not."""
    rows = w.rows
    listed = np.flatnonzero(rows.valid)
    keys = order_key(rows.player[listed], rows.day[listed])
    window = window_bounds(keys, w.player, w.day, AS_OF_DAYS).last(10)
    absent = sum_over(running_sum(~rows.played[listed]), window)
    return np.where(window.size >= 3, divide(absent, window.size), np.nan)


def pts_slope_10g(w: Windows) -> Floats:
    """Least squares over i = 0..n-1: with positions p = low + i, sum(i x) = sum(p x) - low sum(x)."""
    points = w.game_values("points").values
    n, total = w.last_10.size, w.points(w.last_10)
    placed = w.total("points by position", np.arange(len(points)) * points, w.last_10)
    weighted = placed - w.last_10.low * total
    first, second = n * (n - 1) // 2, (n - 1) * n * (2 * n - 1) // 6
    slope = divide(n * weighted - first * total, n * second - first * first)
    return np.where(n >= 5, slope, np.nan)


def pts_vs_season_zscore(last_5: Floats, season: Floats, deviation: Floats) -> Floats:
    """From features 0, 2 and 3."""
    return np.clip(divide(last_5 - season, deviation), -3, 3)


def breakout_flag(last_5: Floats, season: Floats, deviation: Floats) -> Floats:
    """From features 0, 2 and 3."""
    threshold = season + 1.5 * deviation
    return np.where(np.isnan(last_5 - threshold), np.nan, last_5 > threshold)
