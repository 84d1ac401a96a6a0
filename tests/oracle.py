"""The features once more, slowly and plainly, to compare the vectorised kernels with.

The feature specification restated over short lists of games: Python integers, one true division where the
page writes one, no code in common with the pipeline. Rows and their arithmetic are in ``oracle_rows``,
the optional tables in ``oracle_sides`` and ``oracle_schedule``. Numbers in comments are sections of that
page.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from oracle_rows import (
    DAY,
    WINDOW,
    ZONES,
    Figure,
    Row,
    Stats,
    clamp,
    is_exhibition,
    knowing,
    known,
    mean,
    ratio,
    read_row,
    share,
    step,
    told_by_id,
    told_by_type,
    total,
)
from oracle_sides import NO_SIDES, Facts, Sides

ZONE_ATTEMPTS = tuple(f"{zone}_attempts" for zone in ZONES)
OPTIONAL = frozenset({6, 10, 17, 18, 19, 25, 26, 27, 28, 29})
TIERS = ((95, "gold"), (85, "silver"), (70, "bronze"), (50, "poor"), (0, "critical"))
HISTORY, TEAM, SCHEDULE = ["player_history"], ["team_history"], ["schedule"]
SOURCES = 6 * HISTORY + ["matchup"] + TEAM + HISTORY + TEAM + ["injury_report"] + 2 * HISTORY + 2 * TEAM
SOURCES += SCHEDULE + TEAM + SCHEDULE + 4 * HISTORY + 3 * TEAM + 4 * ["betting_lines"] + 8 * HISTORY


@dataclass(frozen=True)
class OracleRow:
    values: tuple[float | None, ...]
    sources: tuple[str, ...]
    context: dict[str, object]


@dataclass(frozen=True)
class OracleGap:
    reason: str


@dataclass
class OracleResult:
    features: dict[tuple[str, date], OracleRow] = field(default_factory=dict)
    gaps: dict[tuple[str, date], OracleGap] = field(default_factory=dict)
    dropped: int = 0
    duplicates: int = 0
    rejected: int = 0
    origins: dict[tuple[str, date], str] = field(default_factory=dict)
    """Of every target: ``player row``, ``upcoming`` or ``injured``."""
    counts: Counter[str] = field(default_factory=Counter)
    """Of the optional tables' rows on the targets' dates; of all aliases."""


# 1.3 Team games
def makes_and_attempts(rows: Iterable[Row], zone: str) -> tuple[int, int]:
    charted = knowing(rows, f"{zone}_makes", f"{zone}_attempts")
    return total(charted, f"{zone}_makes"), total(charted, f"{zone}_attempts")


@dataclass(frozen=True)
class TeamGame:
    day: date
    game_id: str
    opponent: str | None
    season: int
    total: Stats
    zone: dict[str, tuple[int, int]]

    def poss100(self) -> int | None:
        parts = known(self.total, "fg_attempts", "ft_attempts", "offensive_rebounds", "turnovers")
        return None if parts is None else 100 * parts[0] + 44 * parts[1] - 100 * parts[2] + 100 * parts[3]

    @cached_property
    def pace(self) -> Figure:
        poss100, seconds = self.poss100() or 0, self.total["seconds"] or 0
        return 144 * poss100 / seconds if poss100 > 0 and seconds > 0 else None

    @cached_property
    def offensive_rating(self) -> Figure:
        poss100, points = self.poss100() or 0, self.total["points"]
        return 10000 * points / poss100 if poss100 > 0 and points is not None else None


class League:
    """Every row left after rule 4, by player, by team game and by season."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.history: dict[str | None, list[Row]] = defaultdict(list)
        self.team_game: dict[tuple[str | None, date, str | None], TeamGame] = {}
        self.games_of: dict[str | None, list[TeamGame]] = defaultdict(list)
        self.season_days: dict[int, set[date]] = defaultdict(set)
        self.zone_cache: dict[tuple[str, date], tuple[int, int]] = {}
        members: dict[tuple[str, date], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for row in sorted(rows, key=lambda row: (row.day, row.game_id or "")):
            if row.valid:
                self.history[row.player].append(row)
            # 5.3: a row that names no team game affects nothing else, the season's first day included.
            if row.game_id is not None and row.team is not None:
                members[row.game_id, row.day][row.team].append(row)
                self.season_days[row.season].add(row.day)
        for (game_id, day), teams in members.items():
            for team, group in teams.items():
                valid = [row for row in group if row.valid]
                played = [row for row in valid if row.played]
                if played:
                    opponent = next(other for other in teams if other != team) if len(teams) == 2 else None
                    season, void = max(row.season for row in valid), len(valid) < len(group)
                    unknown = [n for n in group[0].stat if void or len(knowing(played, n)) < len(played)]
                    totals = {n: None if n in unknown else total(group, n) for n in group[0].stat}
                    zones = {zone: makes_and_attempts(played, zone) for zone in ZONES}
                    game = TeamGame(day, game_id, opponent, season, totals, zones)
                    self.team_game[game_id, day, team] = game
                    self.games_of[team].append(game)

    def faced(self, game: TeamGame) -> TeamGame | None:
        return None if game.opponent is None else self.team_game.get((game.game_id, game.day, game.opponent))

    def defensive_rating(self, game: TeamGame) -> Figure:
        return other.offensive_rating if (other := self.faced(game)) else None

    def win(self, game: TeamGame) -> bool | None:
        ours, theirs = game.total["points"], other.total["points"] if (other := self.faced(game)) else None
        return None if ours is None or theirs is None or ours == theirs else ours > theirs

    def zone_sums(self, zone: str, day: date) -> tuple[int, int]:
        if (zone, day) not in self.zone_cache:
            games = [game for game in self.team_game.values() if game.opponent is not None]
            sums = [game.zone[zone] for game in games if day - WINDOW <= game.day < day]
            self.zone_cache[zone, day] = sum(makes for makes, _ in sums), sum(tries for _, tries in sums)
        return self.zone_cache[zone, day]


class View:
    """What is known of one target before its date: its own facts and its windows (1.2), oldest first."""

    def __init__(self, target: Row, league: League, facts: Facts) -> None:
        self.target, self.league, self.facts, self.day = target, league, facts, target.day
        oldest, today, days = target.day - WINDOW, target.day, league.season_days[target.season]
        ours, theirs = league.games_of.get(target.team, ()), league.games_of.get(target.opponent, ())
        self.rows = [row for row in league.history.get(target.player, ()) if oldest <= row.day < today]
        self.games = [row for row in self.rows if row.played]
        self.last3, self.last5, self.last10 = self.games[-3:], self.games[-5:], self.games[-10:]
        self.season = [game for game in self.games if game.season == target.season]
        self.last_week = [game for game in self.games if today - 7 * DAY <= game.day]
        self.days_rest = (today - self.games[-1].day).days if self.games else None
        self.team = [game for game in ours if oldest <= game.day < today]
        self.opponent = [game for game in theirs if oldest <= game.day < today]
        played = [day for day in days if oldest <= day < today]
        self.first = min([today, *played, *facts.regular_days(target.season, today)])

    def fatigue_score(self) -> Figure:
        if self.days_rest is None:
            return None
        score = 100 - (15 if self.back_to_back() == 1 else -5 if self.days_rest >= 3 else 0)
        score -= 10 if len(self.last_week) >= 4 else 0
        timed, seconds = len(knowing(self.last_week, "seconds")), total(self.last_week, "seconds")
        score -= (10 if seconds > 14_400 else 0) + (8 if seconds > 2_100 * timed else 0)
        fortnight = {game.day for game in self.games if self.day - 14 * DAY <= game.day}
        pairs = sum(day + DAY in fortnight for day in fortnight)
        age = self.facts.age(self.target.player, self.day) or 0
        score -= 10 if age >= 35 else 5 if age >= 30 else 0
        return clamp(score - (12 if pairs >= 2 else 5 * pairs), 0, 100)

    def shot_zone_mismatch_score(self) -> Figure:
        charted = knowing(self.last10, *ZONE_ATTEMPTS)
        attempts = {zone: total(charted, f"{zone}_attempts") for zone in ZONES}
        every = sum(attempts.values())
        floors = (("paint", 40), ("three_pt", 40), ("mid_range", 35))
        zone = next((zone for zone, floor in floors if 100 * attempts[zone] >= floor * every), "paint")
        faced = [other.zone[zone] for game in self.opponent[-15:] if (other := self.league.faced(game))]
        allowed = ratio(100 * sum(makes for makes, _ in faced), sum(tries for _, tries in faced))
        league_makes, league_attempts = self.league.zone_sums(zone, self.day)
        usual, rate = ratio(100 * league_makes, league_attempts), ratio(100 * attempts[zone], every)
        if allowed is None or usual is None or rate is None:
            return None
        score = (allowed - usual) * min(rate / 50, 1)
        return clamp(score * 1.2 if abs(score) > 5 else score, -10, 10)

    def usage(self, game: Row) -> Figure:
        both = game.stat, self.league.team_game[game.game_id, game.day, game.team].total
        own, team = (known(stat, "fg_attempts", "ft_attempts", "turnovers", "seconds") for stat in both)
        if own is None or team is None or own[3] <= 0:
            return None
        u, team_u = (100 * part[0] + 44 * part[1] + 100 * part[2] for part in (own, team))
        return ratio(20 * u * team[3], own[3] * team_u)

    def usage_spike_score(self) -> Figure:
        m3, m10 = mean(map(self.usage, self.last3)), mean(map(self.usage, self.last10))
        return None if len(self.last3) < 3 or m3 is None or m10 is None else clamp(0.3 * (m3 - m10), -3, 3)

    def rest_advantage(self) -> Figure:
        rest = [(self.day - games[-1].day).days for games in (self.team, self.opponent) if games]
        return clamp(rest[0] - rest[1], -2, 2) if len(rest) == 2 else None

    def minutes_change(self) -> Figure:
        last10, season = knowing(self.last10, "seconds"), knowing(self.season, "seconds")
        s10, n10, ss, ns = total(last10, "seconds"), len(last10), total(season, "seconds"), len(season)
        # 10 r, with the denominator carried to the other side.
        return step(10 * (s10 * ns - ss * n10), 2 * ss * n10, ss * n10) if n10 and ns and ss else None

    def back_to_back(self) -> Figure:
        return any(game.day == self.day - DAY for game in self.team) if self.team else None

    def team_win_pct(self) -> Figure:
        results = [self.league.win(game) for game in self.team if game.season == self.target.season]
        return ratio(results.count(True), results.count(True) + results.count(False))


# 2 The vector
def points_std(points: Sequence[int]) -> Figure:
    n = len(points)
    return math.sqrt((n * sum(x * x for x in points) - sum(points) ** 2) / (n * (n - 1))) if n >= 2 else None


def points_slope(points: Sequence[int]) -> Figure:
    n, i = len(points), range(len(points))
    top = n * sum(at * x for at, x in zip(i, points, strict=True)) - sum(i) * sum(points)
    return top / (n * sum(at * at for at in i) - sum(i) ** 2) if n >= 5 else None


def playoff_game(target: Row, facts: Facts) -> Figure:
    """2.6: the first that tells."""
    told = (told_by_type(target.season_type), facts.schedule.playoff_game(target), told_by_id(target.game_id))
    return next((kind for kind in told if kind is not None), None)


def vector(view: View) -> list[Figure]:
    target, last10, rows, season = view.target, view.last10, view.rows[-10:], view.season
    points = [value for game in last10 if (value := game.stat["points"]) is not None]
    f0, f2 = ratio(total(view.last5, "points"), len(view.last5)), ratio(total(season, "points"), len(season))
    ours, theirs = view.team[-10:], view.opponent[-15:]
    f14, f22 = mean(game.pace for game in theirs), mean(game.pace for game in ours)
    f7 = None if f14 is None or f22 is None else clamp((f14 - f22) / 2, -3, 3)
    f35, f36 = None, None
    if f0 is not None and f2 is not None and (f3 := points_std(points)) is not None:
        f35, f36 = clamp((f0 - f2) / f3, -3, 3) if f3 != 0 else None, f0 > f2 + 1.5 * f3
    charted, timed = knowing(last10, *ZONE_ATTEMPTS), knowing(last10, "seconds")
    on_court = [game for game in last10 if (game.stat["seconds"] or 0) > 0]
    met = [game for game in view.games if target.opponent is not None and game.opponent == target.opponent]
    return [
        f0, ratio(sum(points), len(points)), f2, points_std(points),  # 0-3
        len(view.last_week), view.fatigue_score(), view.shot_zone_mismatch_score(), f7,  # 4-7
        view.usage_spike_score(), view.rest_advantage(), view.facts.injury_risk(target),  # 8-10
        step(3 * sum(points[-2:]) - 2 * sum(points[-5:-2]), 30, 12) if len(points) >= 5 else None,  # 11
        view.minutes_change(), mean(map(view.league.defensive_rating, theirs)), f14,  # 12-14
        target.is_home, view.back_to_back(), playoff_game(target, view.facts),  # 15-17
        share(charted, "paint_attempts", "fg_attempts"), share(charted, "mid_range_attempts", "fg_attempts"),
        share(last10, "three_pt_attempts", "fg_attempts"),  # 20
        share(last10, "ft_makes", "points") if len(knowing(last10, "ft_makes")) >= 5 else None,  # 21
        f22, mean(game.offensive_rating for game in ours), view.team_win_pct(),  # 22-24
        *view.facts.betting_lines(target), ratio(total(met, "points"), len(met)),  # 25-29
        len(met) if target.opponent is not None else None,  # 30
        ratio(total(timed, "seconds"), 60 * len(timed)),  # 31
        ratio(60 * total(on_court, "points"), total(on_court, "seconds")),  # 32
        sum(not row.played for row in rows) / len(rows) if len(rows) >= 3 else None,  # 33
        points_slope(points), f35, f36,  # 34-36
    ]  # fmt: skip


# 3 Provenance
def feature_row(view: View) -> OracleRow:
    values = tuple(None if value is None else value + 0.0 for value in vector(view))  # -0.0 + 0.0 is 0.0
    missing = sum(value is None for index, value in enumerate(values) if index not in OPTIONAL)
    score = round(100 * (27 - missing) / 27, 2)
    context: dict[str, object] = {
        "game_id": view.target.game_id, "team_abbr": view.target.team, "is_home": view.target.is_home,
        "opponent_team_abbr": view.target.opponent, "season_year": view.target.season,
        "days_rest": view.days_rest, "missing_required_count": missing, "feature_quality_score": score,
        "quality_tier": next(tier for floor, tier in TIERS if score >= floor),
        "is_quality_ready": missing == 0, "early_season_flag": view.day < view.first + 14 * DAY,
        "games_found": len(view.last10), "contributing_game_dates": [game.day for game in view.last10],
    }  # fmt: skip
    sources = ("missing" if value is None else name for value, name in zip(values, SOURCES, strict=True))
    return OracleRow(values, tuple(sources), context)


# 4 Skips
def skip_reason(view: View, bootstrap_days: int, min_games: int, today: date) -> str | None:
    target = view.target
    if not target.valid:
        return "invalid_input"
    if view.facts.is_unregistered(target.player):
        return "unregistered_player"
    # Reading: also when the key has a stored row, since nothing says any more that the player was there.
    if target.origin == "upcoming" and target.day < today:
        return "no_game_summary"
    if view.day < view.first + bootstrap_days * DAY and len(view.last10) < min_games:
        return "bootstrap"
    if not view.games:
        return "no_history"
    return None if view.team or view.opponent else "missing_dependency"


def compute(
    rows: Iterable[Mapping[str, Any]], columns: Collection[str], start: date, end: date, *,
    bootstrap_days: int = 14, min_games: int = 5, stored_keys: Collection[tuple[str, date]] = frozenset(),
    sides: Sides = NO_SIDES, today: date = date.min, include_injured: bool = False,
) -> OracleResult:  # fmt: skip
    """One feature row or one gap for every target of the dates `[start, end]`, both inclusive.

    `columns` are those of the player rows' table; `stored_keys` have a feature row already; `today` is the
    run's date in US Eastern time.
    """
    facts = Facts(sides, start, end)
    read: list[Row] = []
    for raw in rows:
        day = raw.get("game_date")
        if day is not None and start - WINDOW <= day <= end:
            read.append(read_row(raw, columns, day, facts.name_player))
    official = [row for row in read if not is_exhibition(row.season_type, row.game_id)]
    # The greatest rank is written last and stays; rows without a lookup are never duplicates.
    ranked = sorted(official, key=lambda row: row.rank)
    kept = list({(row.player or object(), row.day): row for row in ranked}.values())
    result = OracleResult(dropped=len(read) - len(official), duplicates=len(official) - len(kept))
    result.rejected = sum(row.player is None for row in kept)
    targets = {(row.player, row.day): row for row in kept if row.player is not None and start <= row.day}
    targets = facts.find_upcoming() | targets  # 5.5: the player row's facts
    injured = facts.find_injured(targets)
    # Reading: a stored row admits a key that a report alone names.
    targets |= {key: row for key, row in injured.items() if include_injured or key in stored_keys}
    league, result.counts = League(kept), facts.counts
    for key, target in targets.items():
        view = View(target, league, facts)
        # Options admit, they never take away.
        reason = skip_reason(view, 0 if key in stored_keys else bootstrap_days, min_games, today)
        result.origins[key] = target.origin
        if reason is None:
            result.features[key] = feature_row(view)
        else:
            result.gaps[key] = OracleGap(reason)
    return result
