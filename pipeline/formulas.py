"""Each feature's formula with the numbers of one target filled in.

The expressions are arithmetic that anyone can type again: ``^`` is a power, ``clamp(x, low, high)``
keeps x inside the bounds, ``step(x, a, b)`` is 1 from a, 2 from b and likewise below 0. They are
made of the rows that the kernels' windows hold; the value at the end is the kernels' own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from pipeline.evidence import Recomputed, Row
from transforms.kernels.team_games import ZONES
from transforms.vector import Feature

ZONE_ATTEMPTS = tuple(f"{zone}_attempts" for zone in ZONES)
PRIMARY_ZONES = (("paint", 40), ("three_pt", 40), ("mid_range", 35))
"""The zones in the order of preference, and the percentage that each must reach."""

MOST_TERMS = 10
"""A sum of more terms is given as one number."""


@dataclass(frozen=True)
class Step:
    """``what`` is ``expression`` is ``value``."""

    what: str
    expression: str
    value: float | None


class Given:
    """A target's numbers as the formulas ask for them."""

    def __init__(self, found: Recomputed) -> None:
        if found.evidence is None:
            raise ValueError("a formula needs the evidence of a feature row")
        self.found, self.evidence = found, found.evidence

    def known(self, window: str, figure: str) -> list[Any]:
        return self.evidence.known(window, figure)

    def pairs(self, *figures: str) -> list[Row]:
        """The last-10 games in which all these figures are known."""
        rows = self.evidence.rows("last_10")
        return [row for row in rows if all(row[figure] is not None for figure in figures)]

    def value(self, feature: str) -> float:
        return _sure(self.found.value(feature))

    def team(self, side: str, figure: str) -> float:
        return _sure(self.evidence.read_team(side, figure).value)


Formula = Callable[[Given], list[Step]]


def write_formula(feature: Feature, found: Recomputed) -> list[Step]:
    """The steps to a feature's value, which is the last one's; none when it is missing."""
    value = found.value(feature.name)
    if value is None:
        return []
    *steps, last = FORMULAS[feature.name](Given(found))
    return [*steps, Step(last.what, last.expression, value)]


def _sure(value: float | None) -> float:
    if value is None:
        raise ValueError("a value that is not missing rests on one that is")
    return value


def write_number(number: float) -> str:
    """Whole numbers in full, others to six figures."""
    return str(number) if isinstance(number, int) else f"{number:.6g}"


def write_sum(numbers: Sequence[float]) -> str:
    if 1 <= len(numbers) <= MOST_TERMS:
        return f"({' + '.join(write_number(n) for n in numbers)})"
    return write_number(sum(numbers))


def _end(expression: str, what: str = "value") -> Step:
    return Step(what, expression, None)


def _mean(window: str, figure: str, given: Given) -> list[Step]:
    numbers = given.known(window, figure)
    return [_end(f"{write_sum(numbers)} / {len(numbers)}", f"{figure} a game")]


def _count_games(window: str, given: Given) -> list[Step]:
    return [_end(str(len(given.evidence.rows(window))), "games")]


def _deviation(given: Given) -> list[Step]:
    x = given.known("last_10", "points")
    n, total, squares = len(x), sum(x), sum(number * number for number in x)
    return [
        Step("sum of points", write_sum(x), total),
        Step("sum of squares", write_sum([number * number for number in x]), squares),
        _end(f"sqrt(({n} * {squares} - {total}^2) / ({n} * {n - 1}))"),
    ]


def _fatigue(given: Given) -> list[Step]:
    week = given.evidence.rows("last_7_days")
    seconds = given.known("last_7_days", "seconds")
    days = [row["game_date"] for row in given.evidence.rows("last_14_days")]
    pairs = sum((later - day).days == 1 for day, later in pairwise(days))
    rested = (given.evidence.days_rest or 0) >= 3
    age = given.evidence.facts["age"] or 0
    yesterday = given.evidence.read_team("own", "played_yesterday").value == 1
    found = [
        ("the team played the day before", -15, yesterday),
        ("3 days of rest or more", 5, rested and not yesterday),
        ("4 games or more in 7 days", -10, len(week) >= 4),
        ("more than 240 minutes in 7 days", -10, sum(seconds) > 14_400),
        ("more than 35 minutes a game in 7 days", -8, sum(seconds) > 2_100 * len(seconds)),
        ("one pair of consecutive dates in 14 days", -5, pairs == 1),
        ("two pairs of consecutive dates or more in 14 days", -12, pairs >= 2),
        ("30 years or older", -5, 30 <= age < 35),
        ("35 years or older", -10, age >= 35),
    ]
    steps = [Step(what, f"{points:+}", points) for what, points, applies in found if applies]
    terms = "".join(f" {step.expression[0]} {step.expression[1:]}" for step in steps)
    return [Step("fresh", "100", 100), *steps, _end(f"clamp(100{terms}, 0, 100)")]


def _zone_mismatch(given: Given) -> list[Step]:
    games = given.pairs(*ZONE_ATTEMPTS)
    tried = {zone: sum(row[f"{zone}_attempts"] for row in games) for zone in ZONES}
    everywhere = sum(tried.values())
    primary = next((z for z, least in PRIMARY_ZONES if 100 * tried[z] >= least * everywhere), "paint")
    share = 100 * tried[primary] / everywhere
    defence = given.evidence.read_team("opponent", f"defence_{primary}")
    above, parts = _sure(defence.value), ("makes", "attempts")
    made, faced = (sum(game[f"allowed_{primary}_{part}"] for game in defence.games) for part in parts)
    league_made, league_faced = (given.evidence.sum_league(f"league_{primary}_{part}") for part in parts)
    score = f"{above:.6g} * min({share:.6g} / 50, 1)"
    beyond = abs(above * min(share / 50, 1)) > 5
    return [
        *(
            Step(f"{zone} share in percent", f"100 * {count} / {everywhere}", 100 * count / everywhere)
            for zone, count in tried.items()
        ),
        Step(
            f"percent allowed in the primary zone, {primary}, above the league's",
            f"100 * {made} / {faced} - 100 * {league_made} / {league_faced}",
            above,
        ),
        _end(f"clamp({score}{' * 1.2' if beyond else ''}, -10, 10)"),
    ]


def _pace_score(given: Given) -> list[Step]:
    opponent, own = given.value("opponent_pace"), given.value("team_pace")
    return [_end(f"clamp(({opponent:.6g} - {own:.6g}) / 2, -3, 3)")]


def _usage_spike(given: Given) -> list[Step]:
    means, steps = [], []
    for window in ("last_3", "last_10"):
        usage = given.known(window, "usage")
        means.append(sum(usage) / len(usage))
        words = window.replace("_", " ")
        steps.append(Step(f"mean usage, {words}", f"{write_sum(usage)} / {len(usage)}", means[-1]))
    return [*steps, _end(f"clamp(0.3 * ({means[0]:.6g} - {means[1]:.6g}), -3, 3)")]


def _rest_advantage(given: Given) -> list[Step]:
    own, opponent = (given.team(side, "rest_days") for side in ("own", "opponent"))
    return [_end(f"clamp({own:g} - {opponent:g}, -2, 2)")]


def _trend(given: Given) -> list[Step]:
    points = given.known("last_5", "points")
    d = 3 * sum(points[3:]) - 2 * sum(points[:3])
    expression = f"3 * {write_sum(points[3:])} - 2 * {write_sum(points[:3])}"
    return [
        Step("d, six times the difference of the means", expression, d),
        _end(f"step({d}, 12, 30)", "1 from 12, 2 from 30, likewise below 0"),
    ]


def _minutes_change(given: Given) -> list[Step]:
    recent, season = (given.known(window, "seconds") for window in ("last_10", "season"))
    s10, n10, ss, ns = sum(recent), len(recent), sum(season), len(season)
    change = 100 * (s10 * ns - ss * n10) / (ss * n10)
    return [
        Step("seconds a game, last 10", f"{s10} / {n10}", s10 / n10),
        Step("seconds a game, season", f"{ss} / {ns}", ss / ns),
        Step("change in percent", f"100 * ({s10} * {ns} - {ss} * {n10}) / ({ss} * {n10})", change),
        _end(f"step({change:.6g}, 10, 20)", "1 from 10, 2 from 20, likewise below 0"),
    ]


def _team_mean(side: str, figure: str, given: Given) -> list[Step]:
    found = given.evidence.read_team(side, figure)
    (column,) = found.columns
    known = [game[column] for game in found.games if game[column] is not None]
    return [_end(f"{write_sum(known)} / {len(known)}", f"{column.replace('_', ' ')} a game")]


def _home(given: Given) -> list[Step]:
    return [_end("1" if given.evidence.facts["is_home"] else "0", "home")]


def _back_to_back(given: Given) -> list[Step]:
    (latest,) = given.evidence.read_team("own", "played_yesterday").games
    days = (given.evidence.day - latest["game_date"]).days
    return [
        Step("days since the team's latest game", str(days), days),
        _end("1" if days == 1 else "0", "played the day before"),
    ]


def _playoff(given: Given) -> list[Step]:
    facts = given.evidence.facts
    own = f"season type {facts['season_type']!r}" if facts["season_type"] else "no season type"
    told = f"{own}, the schedule, game id {facts['game_id']!r}: the first that tells"
    return [_end(f"{given.value('playoff_game'):g}", told)]


def _injury(given: Given) -> list[Step]:
    cutoff = given.evidence.facts["cutoff"]
    reports = [row for row in given.evidence.said.reports or () if row["reported_at"] <= cutoff]
    if not reports:
        return [_end("0", "not on the report of the date")]
    newest = max(row["reported_at"] for row in reports)
    texts = sorted({str(row["injury_status"]).strip() for row in reports if row["reported_at"] == newest})
    return [_end(f"{given.value('injury_risk'):g}", f"newest report, {newest:%H:%M} UTC: {', '.join(texts)}")]


def _line(which: str, what: str, given: Given) -> list[Step]:
    return [_end(f"{given.value(which):.10g}", what)]


def _line_move(given: Given) -> list[Step]:
    newest, opening = (given.value(name) for name in ("vegas_points_line", "vegas_opening_line"))
    return [_end(f"{newest:.10g} - {opening:.10g}")]


def _share(part: str, whole: str, known: tuple[str, ...], given: Given) -> list[Step]:
    games = given.pairs(part, whole, *known)
    top, bottom = ([row[name] for row in games] for name in (part, whole))
    return [_end(f"{write_sum(top)} / {write_sum(bottom)}", f"{part} / {whole}")]


def _win_share(given: Given) -> list[Step]:
    games = given.evidence.read_team("own", "win_pct").games
    results = [game["win"] for game in games if game["win"] is not None]
    return [_end(f"{sum(results):g} / {len(results)}", "wins / games with a result")]


def _minutes(given: Given) -> list[Step]:
    seconds = given.known("last_10", "seconds")
    return [_end(f"{write_sum(seconds)} / (60 * {len(seconds)})", "seconds, as minutes a game")]


def _points_a_minute(given: Given) -> list[Step]:
    games = [row for row in given.pairs("points", "seconds") if row["seconds"] > 0]
    points, seconds = ([row[name] for row in games] for name in ("points", "seconds"))
    return [_end(f"60 * {write_sum(points)} / {write_sum(seconds)}", "60 * points / seconds")]


def _dnp_rate(given: Given) -> list[Step]:
    played = given.known("last_10_rows", "played")
    return [_end(f"{len(played) - sum(played)} / {len(played)}", "rows not played / rows")]


def _slope(given: Given) -> list[Step]:
    x = given.known("last_10", "points")
    n, total, weighted = len(x), sum(x), sum(i * number for i, number in enumerate(x))
    first, second = sum(range(n)), sum(i * i for i in range(n))
    return [
        Step("sum of points", write_sum(x), total),
        Step("sum of i * points, i from 0", f"{weighted}", weighted),
        _end(f"({n} * {weighted} - {first} * {total}) / ({n} * {second} - {first}^2)"),
    ]


def _form(given: Given) -> tuple[str, str, str]:
    names = ("points_avg_last_5", "points_avg_season", "points_std_last_10")
    last_5, season, deviation = (f"{given.value(name):.10g}" for name in names)
    return last_5, season, deviation


def _zscore(given: Given) -> list[Step]:
    last_5, season, deviation = _form(given)
    return [_end(f"clamp(({last_5} - {season}) / {deviation}, -3, 3)")]


def _breakout(given: Given) -> list[Step]:
    last_5, season, deviation = _form(given)
    return [_end(f"{last_5} > {season} + 1.5 * {deviation}", "1 if true, else 0")]


FORMULAS: dict[str, Formula] = {
    "points_avg_last_5": partial(_mean, "last_5", "points"),
    "points_avg_last_10": partial(_mean, "last_10", "points"),
    "points_avg_season": partial(_mean, "season", "points"),
    "points_std_last_10": _deviation,
    "games_in_last_7_days": partial(_count_games, "last_7_days"),
    "fatigue_score": _fatigue,
    "shot_zone_mismatch_score": _zone_mismatch,
    "pace_score": _pace_score,
    "usage_spike_score": _usage_spike,
    "rest_advantage": _rest_advantage,
    "injury_risk": _injury,
    "recent_trend": _trend,
    "minutes_change": _minutes_change,
    "opponent_def_rating": partial(_team_mean, "opponent", "defensive_rating_last_15"),
    "opponent_pace": partial(_team_mean, "opponent", "pace_last_15"),
    "home_away": _home,
    "back_to_back": _back_to_back,
    "playoff_game": _playoff,
    "pct_paint": partial(_share, "paint_attempts", "fg_attempts", ZONE_ATTEMPTS),
    "pct_mid_range": partial(_share, "mid_range_attempts", "fg_attempts", ZONE_ATTEMPTS),
    "pct_three": partial(_share, "three_pt_attempts", "fg_attempts", ()),
    "pct_free_throw": partial(_share, "ft_makes", "points", ()),
    "team_pace": partial(_team_mean, "own", "pace_last_10"),
    "team_off_rating": partial(_team_mean, "own", "offensive_rating_last_10"),
    "team_win_pct": _win_share,
    "vegas_points_line": partial(
        _line, "vegas_points_line", "the newest line in time, of the first bookmaker in preference"
    ),
    "vegas_opening_line": partial(_line, "vegas_opening_line", "the oldest line of the same bookmaker"),
    "vegas_line_move": _line_move,
    "has_vegas_line": partial(_line, "has_vegas_line", "1 if a line is known, else 0"),
    "avg_points_vs_opponent": partial(_mean, "against", "points"),
    "games_vs_opponent": partial(_count_games, "against"),
    "minutes_avg_last_10": _minutes,
    "ppm_avg_last_10": _points_a_minute,
    "dnp_rate": _dnp_rate,
    "pts_slope_10g": _slope,
    "pts_vs_season_zscore": _zscore,
    "breakout_flag": _breakout,
}
"""By the names of ``vector.FEATURES``."""
