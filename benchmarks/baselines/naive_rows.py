"""The features in plain Python over dictionaries: what the naive pipeline's functions do.

Rows, games and figures are dictionaries, histories are lists in order of date, ``None`` is unknown.
"""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from transforms.cleaning import INVALID_RULES, LARGEST_STATISTIC, MAKES_AND_ATTEMPTS
from transforms.schema import INTEGER_STATISTICS, PLAYER_GAME_SUMMARY
from transforms.vector import FEATURE_COUNT, FEATURE_VERSION, FEATURES, MISSING, REQUIRED

Row = dict[str, Any]
YEAR = timedelta(days=365)
DAY = timedelta(days=1)
TEXTS = tuple(
    name
    for name in PLAYER_GAME_SUMMARY.schema.names
    if PLAYER_GAME_SUMMARY.schema.field(name).type == "string"
)
ZONES = ("paint", "mid_range", "three_pt")
ZONE_PARTS = tuple(f"{zone}_{part}" for zone in ZONES for part in ("makes", "attempts"))


def clean_row(raw: Row) -> Row:
    """Trimmed texts, whole seconds, and whether the player played."""
    row = dict(raw)
    for name in TEXTS:
        text = row[name]
        row[name] = None if text is None else (text.strip(" \t\n\r\v\f") or None)
    minutes = row.pop("minutes_played")
    known = minutes is not None and math.isfinite(minutes)
    row["seconds"] = round(max(min(minutes * 60, 1e15), -1e15)) if known else None
    row["played"] = (
        row["points"] is not None
        and row["is_dnp"] is not True
        and ((row["seconds"] or 0) > 0 or row["points"] > 0)
    )
    return row


def is_exhibition(row: Row) -> bool:
    letters = read_letters(row["season_type"])
    numbered = re.fullmatch("00[13][0-9]{7}", row["game_id"] or "")
    return "preseason" in letters or "allstar" in letters or numbered is not None


def read_letters(text: str | None) -> str:
    return "".join(c for c in (text or "").lower() if c.isalpha())


def rank_row(row: Row) -> tuple[Any, ...]:
    """The greatest of the rows of one (player, date) counts."""
    names = ("processed_at", "game_id", *PLAYER_GAME_SUMMARY.schema.names)
    values = (row["seconds" if name == "minutes_played" else name] for name in names)
    return row["played"], *((value is not None, value) for value in values)


def find_broken_rule(row: Row) -> str:
    """The first rule that the row breaks; empty for a valid row."""
    broken = {
        "player_lookup is missing": row["player_lookup"] is None,
        "game_id is missing": row["game_id"] is None,
        "team_abbr is missing": row["team_abbr"] is None,
        "team_abbr equals opponent_team_abbr": row["team_abbr"] == row["opponent_team_abbr"],
        "minutes_played above 100": (row["seconds"] or 0) > 6000,
    }
    for name in ("seconds", *INTEGER_STATISTICS):
        broken[f"{name} is negative"] = (row[name] or 0) < 0
    for name in INTEGER_STATISTICS:
        broken[f"{name} above {LARGEST_STATISTIC}"] = (row[name] or 0) > LARGEST_STATISTIC
    for makes, attempts in MAKES_AND_ATTEMPTS:
        both = row[makes] is not None and row[attempts] is not None
        broken[f"{makes} above {attempts}"] = both and row[makes] > row[attempts]
    return next((rule for rule in INVALID_RULES if rule and broken[rule]), "")


def settle_date(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of one date that count, with their usage; and the date's team games."""
    best: dict[str, Row] = {}
    kept = []
    for row in rows:
        player = row["player_lookup"]
        if player is None:
            kept.append(row)
        elif player not in best or rank_row(row) > rank_row(best[player]):
            best[player] = row
    kept += best.values()
    for row in kept:
        row["broken"] = find_broken_rule(row)
        row["played"] = row["played"] and not row["broken"]
        if row["season_year"] is None:
            row["season_year"] = derive_season(row["game_date"])
    return kept, _sum_games(kept)


def derive_season(day: date) -> int:
    bubble = date(2020, 10, 1) <= day < date(2020, 10, 12)
    return day.year if day.month >= 10 and not bubble else day.year - 1


def _sum_games(rows: Sequence[Row]) -> list[Row]:
    members: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        row["usage"] = None
        if row["game_id"] is not None and row["team_abbr"] is not None:
            members[row["game_id"]][row["team_abbr"]].append(row)
    found = []
    for game_id, teams in members.items():
        sides = {team: _sum_side(game_id, team, group) for team, group in teams.items()}
        for team, side in sides.items():
            others = [other for name, other in sides.items() if name != team]
            if side["exists"]:
                _face(side, others[0] if len(sides) == 2 else None)
                found.append(side)
                for row in teams[team]:
                    row["usage"] = _compute_usage(row, side)
    return found


def _sum_side(game_id: str, team: str, group: Sequence[Row]) -> Row:
    played = [row for row in group if row["played"]]
    valid = [row for row in group if not row["broken"]]
    side: Row = {"game_id": game_id, "team": team, "day": group[0]["game_date"], "exists": bool(played)}
    side["season"] = max((row["season_year"] for row in valid), default=None)
    for name in ("points", "seconds", "fg_attempts", "ft_attempts", "offensive_rebounds", "turnovers"):
        unknown = len(valid) < len(group) or any(row[name] is None for row in played)
        side[name] = None if unknown else sum(row[name] or 0 for row in valid)
    for zone in ZONES:
        names = (f"{zone}_makes", f"{zone}_attempts")
        charted = [row for row in played if None not in (row[names[0]], row[names[1]])]
        for name in names:
            side[name] = sum(row[name] for row in charted)
    side["used"] = _use(side)
    poss100 = 0
    if side["used"] is not None and side["offensive_rebounds"] is not None:
        poss100 = side["used"] - 100 * side["offensive_rebounds"]
    timed = poss100 > 0 and (side["seconds"] or 0) > 0
    rated = poss100 > 0 and played and side["points"] is not None
    side["pace"] = 144 * poss100 / side["seconds"] if timed else None
    side["offensive_rating"] = 10000 * side["points"] / poss100 if rated else None
    return side


def _use(row: Row) -> int | None:
    parts = (row["fg_attempts"], row["ft_attempts"], row["turnovers"])
    return None if None in parts else 100 * parts[0] + 44 * parts[1] + 100 * parts[2]


def _face(side: Row, other: Row | None) -> None:
    side["defensive_rating"] = other["offensive_rating"] if other else None
    side["faced"] = other is not None
    decided = other is not None and other["exists"] and None not in (side["points"], other["points"])
    side["win"] = None
    if other is not None and decided and side["points"] != other["points"]:
        side["win"] = side["points"] > other["points"]
    for name in ZONE_PARTS:
        side[f"allowed_{name}"] = other[name] if other else 0


def _compute_usage(row: Row, side: Row) -> float | None:
    own = _use(row)
    if not row["played"] or own is None or not row["seconds"] or row["seconds"] < 0:
        return None
    if not side["used"] or side["seconds"] is None:
        return None
    usage: float = 20 * own * side["seconds"] / (row["seconds"] * side["used"])
    return usage


def describe_team(games: Sequence[Row], day: date, season: int, league: Mapping[str, tuple[int, int]]) -> Row:
    """What a team's games (in order) say about a date; ``league``: makes and attempts by zone."""
    window = games[bisect_left(games, day - YEAR, key=_day) : bisect_left(games, day, key=_day)]
    recent, long = window[-10:], window[-15:]
    rest = (day - window[-1]["day"]).days if window else None
    results = [game["win"] for game in window if game["season"] == season and game["win"] is not None]
    context: Row = {
        "games": len(window),
        "rest": rest,
        "yesterday": None if rest is None else int(rest == 1),
        "pace_10": mean(game["pace"] for game in recent),
        "rating_10": mean(game["offensive_rating"] for game in recent),
        "pace_15": mean(game["pace"] for game in long),
        "defence_15": mean(game["defensive_rating"] for game in long),
        "win_pct": ratio(sum(results), len(results)),
    }
    for zone in ZONES:
        made = sum(game[f"allowed_{zone}_makes"] for game in long)
        tried = sum(game[f"allowed_{zone}_attempts"] for game in long)
        allowed, everywhere = ratio(100 * made, tried), ratio(100 * league[zone][0], league[zone][1])
        context[zone] = None if allowed is None or everywhere is None else allowed - everywhere
    return context


def _day(game: Row) -> date:
    day: date = game["day"]
    return day


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    total = 0.0
    for value in known:
        total += value
    return total / len(known) if known else None


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def clamp(value: float | None, bound: float) -> float | None:
    return None if value is None else max(-bound, min(bound, value))


def finish_row(target: Row, values: Sequence[float | None], facts: Row) -> Row:
    """A row of the feature store: values, sources, quality and digest."""
    row = {
        name: target[name]
        for name in (
            "player_lookup",
            "universal_player_id",
            "game_id",
            "game_date",
            "season_year",
            "team_abbr",
            "opponent_team_abbr",
            "is_home",
        )
    }
    sources = []
    for feature, value in zip(FEATURES, values, strict=True):
        row[feature.value_column] = None if value is None else float(value) + 0.0
        row[feature.source_column] = MISSING if value is None else feature.source
        sources.append(row[feature.source_column])
    lacking = sum(values[index] is None for index in REQUIRED)
    score = round(100 * (len(REQUIRED) - lacking) / len(REQUIRED), 2)
    tiers = ((95, "gold"), (85, "silver"), (70, "bronze"), (50, "poor"), (0, "critical"))
    found = len(facts["dates"])
    return row | {
        "days_rest": facts["days_rest"],
        "feature_version": FEATURE_VERSION,
        "feature_count": FEATURE_COUNT,
        "missing_required_count": lacking,
        "feature_quality_score": score,
        "quality_tier": next(tier for low, tier in tiers if score >= low),
        "is_quality_ready": lacking == 0,
        "early_season_flag": facts["early"],
        "historical_completeness": {
            "games_found": found,
            "games_expected": 10,
            "is_complete": found == 10,
            "is_bootstrap": found < 10,
            "contributing_game_dates": facts["dates"],
        },
        "data_hash": hashlib.md5(repr((FEATURE_VERSION, values, sources)).encode()).hexdigest(),  # noqa: S324
    }
