"""The 37 values of one target in plain Python, from its player's list of games."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date

from benchmarks.baselines.naive_rows import DAY, ZONES, Row, clamp, mean, ratio, read_letters
from transforms.vector import FEATURE_COUNT

Figure = float | None


def compute_vector(target: Row, listed: Sequence[Row], own: Row, opponent: Row) -> tuple[list[Figure], Row]:
    """The values, and the facts that other columns are made of.

    ``listed`` are the player's valid rows of the year before the date, in order; ``own`` and ``opponent`` the
    team contexts of the target's two teams.
    """
    day = target["game_date"]
    games = [row for row in listed if row["played"]]
    last_10, last_5 = games[-10:], games[-5:]
    season = [game for game in games if game["season_year"] == target["season_year"]]
    facing = target["opponent_team_abbr"]
    met = [game for game in games if game["opponent_team_abbr"] == facing]
    rest = (day - games[-1]["game_date"]).days if games else None

    v: list[Figure] = [None] * FEATURE_COUNT
    v[0], v[1], v[2] = (average_points(part) for part in (last_5, last_10, season))
    v[3] = deviate(last_10)
    v[4] = sum(game["game_date"] >= day - 7 * DAY for game in games)
    v[5] = rate_fatigue(games, day, rest, own["yesterday"])
    v[6] = rate_mismatch(last_10, opponent)
    if None not in (opponent["pace_15"], own["pace_10"]):
        v[7] = clamp((opponent["pace_15"] - own["pace_10"]) / 2, 3)
    v[8] = measure_spike(games)
    if None not in (own["rest"], opponent["rest"]):
        v[9] = clamp(own["rest"] - opponent["rest"], 2)
    v[11] = find_trend(last_5)
    v[12] = compare_minutes(last_10, season)
    v[13], v[14] = opponent["defence_15"], opponent["pace_15"]
    v[15] = None if target["is_home"] is None else int(target["is_home"])
    v[16] = own["yesterday"]
    v[17] = tell_playoff(target)
    charted = [game for game in last_10 if None not in [game[f"{zone}_attempts"] for zone in ZONES]]
    v[18] = share(charted, "paint_attempts", "fg_attempts")
    v[19] = share(charted, "mid_range_attempts", "fg_attempts")
    v[20] = share(last_10, "three_pt_attempts", "fg_attempts")
    if sum(game["ft_makes"] is not None for game in last_10) >= 5:
        v[21] = share(last_10, "ft_makes", "points")
    v[22], v[23], v[24] = own["pace_10"], own["rating_10"], own["win_pct"]
    if facing is not None:
        v[29], v[30] = average_points(met), len(met)
    timed = [game for game in last_10 if game["seconds"] is not None]
    v[31] = ratio(total(timed, "seconds"), 60 * len(timed))
    running = [game for game in timed if game["seconds"] > 0]
    v[32] = ratio(60 * total(running, "points"), total(running, "seconds"))
    rows = listed[-10:]
    v[33] = sum(not row["played"] for row in rows) / len(rows) if len(rows) >= 3 else None
    v[34] = fit_slope([game["points"] for game in last_10])
    five, so_far, spread = v[0], v[2], v[3]
    if five is not None and so_far is not None and spread is not None:
        v[35] = clamp((five - so_far) / spread, 3) if spread else None
        v[36] = int(five > so_far + 1.5 * spread)
    return v, {"days_rest": rest, "dates": [game["game_date"] for game in last_10]}


def total(games: Sequence[Row], name: str) -> int:
    return sum(game[name] for game in games)


def average_points(games: Sequence[Row]) -> Figure:
    return ratio(total(games, "points"), len(games))


def deviate(games: Sequence[Row]) -> Figure:
    n, points = len(games), [game["points"] for game in games]
    if n < 2:
        return None
    return math.sqrt((n * sum(x * x for x in points) - sum(points) ** 2) / (n * (n - 1)))


def rate_fatigue(games: Sequence[Row], day: date, rest: int | None, yesterday: int | None) -> Figure:
    if not games or rest is None:
        return None
    week = [game for game in games if game["game_date"] >= day - 7 * DAY]
    known = [game["seconds"] for game in week if game["seconds"] is not None]
    nights = {game["game_date"] for game in games if game["game_date"] >= day - 14 * DAY}
    pairs = sum(night - DAY in nights for night in nights)
    score = 100
    score += -15 if yesterday == 1 else 5 if rest >= 3 else 0
    score -= 10 if len(week) >= 4 else 0
    score -= 10 if sum(known) > 14_400 else 0
    score -= 8 if sum(known) > 2_100 * len(known) else 0
    score -= 12 if pairs >= 2 else 5 if pairs == 1 else 0
    return max(0, min(100, score))


def rate_mismatch(games: Sequence[Row], opponent: Row) -> Figure:
    tried = dict.fromkeys(ZONES, 0)
    for game in games:
        attempts = [game[f"{zone}_attempts"] for zone in ZONES]
        if None not in attempts:
            for zone, count in zip(ZONES, attempts, strict=True):
                tried[zone] += count
    everywhere = sum(tried.values())
    if not everywhere:
        return None
    zone = "paint"
    if 100 * tried["paint"] < 40 * everywhere:
        if 100 * tried["three_pt"] >= 40 * everywhere:
            zone = "three_pt"
        elif 100 * tried["mid_range"] >= 35 * everywhere:
            zone = "mid_range"
    if opponent[zone] is None:
        return None
    score: float = opponent[zone] * min(100 * tried[zone] / everywhere / 50, 1)
    return clamp(score * 1.2 if abs(score) > 5 else score, 10)


def measure_spike(games: Sequence[Row]) -> Figure:
    newest, usual = (mean(game["usage"] for game in games[-n:]) for n in (3, 10))
    if len(games) < 3 or newest is None or usual is None:
        return None
    return clamp(0.3 * (newest - usual), 3)


def find_trend(last_5: Sequence[Row]) -> Figure:
    if len(last_5) < 5:
        return None
    d = 3 * total(last_5[3:], "points") - 2 * total(last_5[:3], "points")
    return 2 if d >= 30 else 1 if d >= 12 else -2 if d <= -30 else -1 if d <= -12 else 0


def compare_minutes(last_10: Sequence[Row], season: Sequence[Row]) -> Figure:
    recent = [game["seconds"] for game in last_10 if game["seconds"] is not None]
    whole = [game["seconds"] for game in season if game["seconds"] is not None]
    base = sum(whole) * len(recent)
    if not recent or not base:
        return None
    above = sum(recent) * len(whole) - base
    for step, bound in ((2, 5), (1, 10)):
        if bound * above >= base:
            return step
        if bound * above <= -base:
            return -step
    return 0


def tell_playoff(target: Row) -> Figure:
    letters = read_letters(target["season_type"])
    if any(word in letters for word in ("playoff", "playin", "postseason")):
        return 1
    if any(word in letters for word in ("regular", "cup", "tournament")):
        return 0
    numbered = re.fullmatch("00([2456])[0-9]{7}", target["game_id"])
    return None if numbered is None else int(numbered[1] in "45")


def share(games: Sequence[Row], part: str, whole: str) -> Figure:
    both = [game for game in games if game[part] is not None and game[whole] is not None]
    return ratio(total(both, part), total(both, whole))


def fit_slope(points: Sequence[int]) -> Figure:
    n = len(points)
    if n < 5:
        return None
    places = n * (n - 1) // 2
    weighted = sum(i * x for i, x in enumerate(points))
    squares = sum(i * i for i in range(n))
    return (n * weighted - places * sum(points)) / (n * squares - places * places)
