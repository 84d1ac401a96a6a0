"""Rows of the plain-Python oracle: what one player row says, and integer arithmetic over lists of rows.

Sections 1.1 and 1.4 of the feature specification. What is made of the rows is in ``oracle``, the other
tables are in ``oracle_sides``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

Figure = float | None
Stats = dict[str, int | None]
Name = Callable[[Any], str | None]
"""A lookup as it stands in a table to the canonical one, or None for a blank."""
DAY = timedelta(days=1)
WINDOW = 365 * DAY
ZONES = ("paint", "mid_range", "three_pt")
TRIMMED = ("player_lookup", "game_id", "team_abbr", "opponent_team_abbr", "season_type")
# The order decides between duplicates.
COLUMNS = (
    "player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr", "points", "minutes_played",
    "fg_attempts", "fg_makes", "three_pt_attempts", "three_pt_makes", "ft_attempts", "ft_makes",
    "universal_player_id", "player_full_name", "season_year", "season_type", "is_home", "is_dnp",
    "dnp_reason", "offensive_rebounds", "turnovers", "paint_attempts", "paint_makes", "mid_range_attempts",
    "mid_range_makes", "processed_at",
)  # fmt: skip
COUNTED = [c for c in COLUMNS if c.endswith(("points", "_attempts", "_makes", "_rebounds", "turnovers"))]


# 1.1 Rows
@dataclass(frozen=True)
class Row:
    player: str | None
    game_id: str | None
    day: date
    team: str | None
    opponent: str | None
    season_type: str | None
    season: int
    is_home: bool | None
    stat: Stats
    played: bool
    valid: bool
    rank: tuple[object, ...]
    origin: str = "player row"


def trimmed(value: Any) -> str | None:
    return None if value is None else str(value).strip(" \t\n\r\v\f") or None


def finite(value: Any) -> Any:
    return None if isinstance(value, float | Decimal) and not math.isfinite(value) else value


def whole(value: Any) -> int | None:
    assert value is None or value == int(value), "the import rejects fractions"
    return None if value is None else int(value)


def whole_seconds(value: Any) -> int | None:
    minutes = float(value or 0)
    # A finite figure whose product overflows is still "more than 100 minutes", not an unknown.
    seconds = round(minutes * 60) if math.isfinite(minutes * 60) else int(minutes) * 60
    return None if value is None else seconds


def derived_season(day: date) -> int:
    is_bubble = date(2020, 10, 1) <= day < date(2020, 10, 12)
    return day.year if day.month >= 10 and not is_bubble else day.year - 1


def derived_is_home(game_id: str | None, team: str | None) -> bool | None:
    match = re.fullmatch(r"[0-9]{8}_([^_]+)_([^_]+)", game_id or "")
    return team == match[2] if match and team in match.groups() else None


def names_a_game(player: str | None, game_id: str | None, team: str | None, opponent: str | None) -> bool:
    return None not in (player, game_id, team) and team != opponent


def is_possible(stat: Stats) -> bool:
    # No box score holds a million, and below it the integer arithmetic is exact everywhere.
    in_range = all(value is None or 0 <= value <= 1_000_000 for value in stat.values())
    pairs = [known(stat, f"{kind}_makes", f"{kind}_attempts") for kind in ("fg", "ft", *ZONES)]
    in_order = all(pair is None or pair[0] <= pair[1] for pair in pairs)
    return in_range and in_order and (stat["seconds"] or 0) <= 6000


def instant(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def read_row(raw: Mapping[str, Any], columns: Collection[str], day: date, name_player: Name) -> Row:
    cell = {name: finite(raw.get(name)) if name in columns else None for name in COLUMNS}
    cell |= {name: trimmed(cell[name]) for name in (*TRIMMED, "universal_player_id")}
    cell["player_lookup"] = name_player(cell["player_lookup"])
    player, game_id, team, opponent, season_type = (cell[name] for name in TRIMMED)
    stat: Stats = {name: whole(cell[name]) for name in COUNTED}
    stat["seconds"] = seconds = whole_seconds(cell["minutes_played"])
    points, is_dnp = stat["points"], cell["is_dnp"] is True
    played = points is not None and not is_dnp and ((seconds or 0) > 0 or points > 0)
    season = derived_season(day) if cell["season_year"] is None else int(cell["season_year"])
    cell |= stat | {"game_date": day, "minutes_played": seconds}
    cell["processed_at"] = instant(cell["processed_at"])
    rank = (played, *((cell[name] is not None, cell[name]) for name in ("processed_at", "game_id", *COLUMNS)))
    is_home = cell["is_home"] if "is_home" in columns else derived_is_home(game_id, team)
    valid = names_a_game(player, game_id, team, opponent) and is_possible(stat)
    return Row(player, game_id, day, team, opponent, season_type, season, is_home, stat, played, valid, rank)


def letters(text: str | None) -> str:
    return "".join(character for character in text or "" if character.isalpha()).lower()


def nba_prefix(game_id: str | None) -> str:
    return game_id[:3] if game_id is not None and re.fullmatch("[0-9]{10}", game_id) else ""


def is_exhibition(kind: str | None, game_id: str | None) -> bool:
    is_named = any(word in letters(kind) for word in ("preseason", "allstar"))
    return is_named or nba_prefix(game_id) in ("001", "003")


# 2.6
def told_by_type(kind: str | None) -> int | None:
    if any(word in letters(kind) for word in ("playoff", "playin", "postseason")):
        return 1
    return 0 if any(word in letters(kind) for word in ("regular", "cup", "tournament")) else None


def told_by_id(game_id: str | None) -> int | None:
    return {"004": 1, "005": 1, "002": 0, "006": 0}.get(nba_prefix(game_id))


# 1.4 Arithmetic
def known(stat: Mapping[str, Any], *names: str) -> list[int] | None:
    values = [stat[name] for name in names]
    return None if None in values else values


def knowing(games: Iterable[Row], *names: str) -> list[Row]:
    return [game for game in games if known(game.stat, *names) is not None]


def total(games: Iterable[Row], name: str) -> int:
    return sum(value for game in games if (value := game.stat[name]) is not None)


def ratio(part: int, everything: int) -> Figure:
    return part / everything if everything != 0 else None


def share(games: Iterable[Row], part: str, everything: str) -> Figure:
    both = knowing(games, part, everything)
    return ratio(total(both, part), total(both, everything))


def mean(figures: Iterable[Figure]) -> Figure:
    present = [figure for figure in figures if figure is not None]
    # sum() compensates from Python 3.12 on, and then gives other bits.
    return reduce(add, present) / len(present) if present else None


def clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def step(change: int, large: int, small: int) -> int:
    size = 2 if abs(change) >= large else 1 if abs(change) >= small else 0
    return size if change > 0 else -size
