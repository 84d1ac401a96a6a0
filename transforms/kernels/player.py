"""Player features: windows over a player's own games, for every target of a bucket at once.

Every feature is one function named after it, from :class:`~.player_windows.Windows` to
float64[targets], NaN where the value is NULL. The definitions are features.md, section 2.
"""

from __future__ import annotations

import numpy as np

from transforms.arrays import Bools, Floats, Ints, Known, divide
from transforms.kernels.player_windows import Windows
from transforms.kernels.team_games import ZONES
from transforms.windows import Window, mean_over


def points_avg_last_5(w: Windows) -> Floats:
    return divide(w.points(w.last_5), w.last_5.size)


def points_avg_last_10(w: Windows) -> Floats:
    return divide(w.points(w.last_10), w.last_10.size)


def points_avg_season(w: Windows) -> Floats:
    return divide(w.season.sum(w.rows.statistics["points"].values), w.season.window.size)


def points_std_last_10(w: Windows) -> Floats:
    points = w.game_values("points").values
    n, total = w.last_10.size, w.points(w.last_10)
    squares = w.total("points squared", points * points, w.last_10)
    return np.sqrt(divide(n * squares - total * total, n * (n - 1)))


def games_in_last_7_days(w: Windows) -> Floats:
    return w.last_7_days.size.astype(np.float64)


def fatigue_score(w: Windows, played_yesterday: Floats, age: Floats) -> Floats:
    """100 is fresh; ``played_yesterday`` is feature 16, ``age`` whole years or NaN (section 2.1)."""
    seconds, known = w.seconds(w.last_7_days)
    back_to_back = played_yesterday == 1
    pairs = _count_consecutive_days(w)
    score = 100.0 - 15.0 * back_to_back
    score += 5.0 * (~back_to_back & (w.days_rest >= 3))
    score -= 10.0 * (w.last_7_days.size >= 4)
    score -= 10.0 * (seconds > 14_400)
    score -= 8.0 * (seconds > 2_100 * known)
    score -= np.where(pairs >= 2, 12.0, np.where(pairs == 1, 5.0, 0.0))
    score -= np.where(age >= 35, 10.0, np.where(age >= 30, 5.0, 0.0))
    return np.where(w.as_of.size > 0, np.clip(score, 0, 100), np.nan)


def _count_consecutive_days(w: Windows) -> Ints:
    """Pairs of consecutive dates in the last 14 days on both of which the player played."""
    player, day = w.rows.player[w.games], w.rows.day[w.games]
    follows = np.zeros(len(w.games), dtype=bool)
    follows[1:] = (player[1:] == player[:-1]) & (day[1:] == day[:-1] + 1)
    window = w.last_14_days
    # a pair counts where its later game stands, so the window's first game closes none
    later = Window(np.minimum(window.low + 1, window.high), window.high)
    return w.total("consecutive days", follows, later)


def usage_spike_score(w: Windows) -> Floats:
    usage = w.rows.usage[w.games]
    spike = 0.3 * (mean_over(usage, w.last_3, 3) - mean_over(usage, w.last_10, 10))
    return np.where(w.last_3.size == 3, np.clip(spike, -3, 3), np.nan)


def recent_trend(w: Windows) -> Floats:
    older = Window(w.last_5.low, np.maximum(w.last_5.low, w.last_2.low))
    d = 3 * w.points(w.last_2) - 2 * w.points(older)
    trend = (d >= 12) * 1 + (d >= 30) * 1 - (d <= -12) * 1 - (d <= -30) * 1
    return np.where(w.last_5.size == 5, trend, np.nan)


def minutes_change(w: Windows) -> Floats:
    s10, n10 = w.seconds(w.last_10)
    seconds = w.rows.statistics["seconds"]
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
    points = w.against.sum(w.rows.statistics["points"].values)
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
    listed = w.last_10_rows
    return np.where(listed.window.size >= 3, divide(listed.sum(~w.rows.played), listed.window.size), np.nan)


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
