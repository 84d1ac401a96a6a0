"""Columns of a public export -> columns of ``player_game_summary``, by pure functions.

A derivation takes the texts of its source columns and gives its target columns and the mask of the
rows whose source says something it cannot read; those rows are rejected, never guessed. Which export
derives what is not here but in :mod:`pipeline.imports.export_catalog`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.imports.minutes import is_absence
from pipeline.imports.parsing import parse_distinct
from pipeline.imports.team_codes import (
    ALL_STAR,
    ALL_STAR_TEAMS,
    ESPN_SEASON_TYPES,
    NBA_SEASON_TYPES,
    TEAM_CODES,
)
from transforms.arrays import Bools

Derived = tuple[tuple[pa.Array, ...], Bools]
"""The target columns, and the mask of the rows that could not be read."""

Derivation = Callable[..., Derived]

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WHOLE = re.compile(r"([0-9]+)(?:\.0+)?")
_SEASON = re.compile(r"([0-9]{4})-([0-9]{2})")
_MATCHUP = re.compile(r"([A-Z]{2,5}) (@|vs\.?) ([A-Z]{2,5})")
_WRITTEN_DATE = re.compile(r"([A-Z]{3}) ([0-9]{1,2}), ([0-9]{4})")


def reading(read: Callable[[str], Any], kind: pa.DataType | None = None) -> Derivation:
    """The derivation that reads each distinct text of one column by ``read``."""

    def derive(column: pa.Array) -> Derived:
        values, unread = parse_distinct(column, read, kind or pa.string())
        return (values,), unread

    return derive


def read_digits(text: str) -> str:
    """An id as digits; ``2544.0`` is what becomes of one in a column with gaps."""
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        raise ValueError(text)
    return whole[1]


def name_nba_person(text: str) -> str:
    return f"nba_{read_digits(text)}"


def name_espn_person(text: str) -> str:
    return f"espn_{read_digits(text)}"


def pad_game_id(text: str) -> str:
    """An NBA game id with the two zeros that are lost when it is read as a number."""
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return text
    return f"00{whole[1]}" if len(whole[1]) == 8 else whole[1]


def read_game_type(text: str) -> str | None:
    """The kind of season that an NBA game id tells, None for another league's."""
    game = pad_game_id(text)
    return NBA_SEASON_TYPES.get(game[:3]) if len(game) == 10 else None


def read_season(text: str) -> int:
    """2018 of ``2018-19`` or ``2018``: the year in which the season starts."""
    if season := _SEASON.fullmatch(text):
        start = int(season[1])
        if (start + 1) % 100 == int(season[2]):
            return start
        raise ValueError(text)
    return _read_year(text)


def read_season_id(text: str) -> int:
    """2018 of ``22018``, whose first digit is the kind of season."""
    digits = read_digits(text)
    if len(digits) != 5:
        raise ValueError(text)
    return _read_year(digits[1:])


def read_end_year(text: str) -> int:
    """2018 of ``2019``, the year in which the season ends."""
    return _read_year(text) - 1


def _read_year(text: str) -> int:
    digits = read_digits(text)
    if len(digits) != 4:
        raise ValueError(text)
    return int(digits)


def read_written_date(text: str) -> str:
    """``2018-10-16`` of ``OCT 16, 2018``; any other form is left to whoever parses dates."""
    written = _WRITTEN_DATE.fullmatch(text.upper())
    if written is None or written[1] not in MONTHS:
        return text
    return f"{written[3]}-{MONTHS.index(written[1]) + 1:02}-{int(written[2]):02}"


def read_side(text: str) -> bool:
    """Whether ``home`` or ``away`` is home."""
    if text.lower() not in ("home", "away"):
        raise ValueError(text)
    return text.lower() == "home"


def translate_code(text: str) -> str:
    """The NBA's code of a team; a code that is not listed stays."""
    return TEAM_CODES.get(text, text)


def split_matchup(text: str) -> tuple[str, str, str]:
    """(team, away, home) of ``BOS vs. PHI`` or ``PHI @ BOS``, in the NBA's codes."""
    sides = _MATCHUP.fullmatch(text)
    if sides is None:
        raise ValueError(text)
    first, second = translate_code(sides[1]), translate_code(sides[3])
    return (first, first, second) if sides[2] == "@" else (first, second, first)


def read_matchup(matchups: pa.Array) -> Derived:
    """Team, opponent and home; the team stands first."""
    teams, _ = parse_distinct(matchups, lambda text: split_matchup(text)[0], pa.string())
    (opponents, is_home), unread = read_opponents(matchups, teams)
    return (teams, opponents, is_home), unread


def read_opponents(matchups: pa.Array, teams: pa.Array) -> Derived:
    """Opponent and home of these teams; unread where the matchup does not name the team.

    The order is not trusted: at neutral courts both teams' rows can carry the same text.
    """
    away, unread = parse_distinct(matchups, lambda text: split_matchup(text)[1], pa.string())
    home, _ = parse_distinct(matchups, lambda text: split_matchup(text)[2], pa.string())
    teams, _ = parse_distinct(teams, translate_code, pa.string())
    is_home = pc.equal(teams, home)
    known = pc.or_(is_home, pc.equal(teams, away))
    opponents = pc.if_else(is_home, away, home)
    strange = ~pc.fill_null(known, True).to_numpy(zero_copy_only=False)
    return (opponents, is_home), unread | strange


def find_opponents(games: pa.Array, teams: pa.Array) -> Derived:
    """The other team of the same game in this file; NULL unless the game has exactly two teams."""
    pairs = pa.table({"game": games, "team": teams})
    playing: dict[str, list[str]] = defaultdict(list)
    for pair in pairs.group_by(["game", "team"]).aggregate([]).to_pylist():
        if pair["game"] is not None and pair["team"] is not None:
            playing[pair["game"]].append(pair["team"])
    faced = [
        {"game": game, "team": team, "other": other}
        for game, two in playing.items()
        if len(two) == 2
        for team, other in (two, two[::-1])
    ]
    text = pa.string()
    known = pa.Table.from_pylist(faced, pa.schema({"game": text, "team": text, "other": text}))
    rows = pairs.append_column("row", pa.array(np.arange(len(games))))
    joined = rows.join(known, ["game", "team"]).sort_by("row")
    return (joined.column("other").combine_chunks(),), np.zeros(len(games), dtype=bool)


def join_names(first: pa.Array, family: pa.Array) -> Derived:
    """``LeBron James`` of ``LeBron`` and ``James``; a player may have one of the two only."""
    names = pc.binary_join_element_wise(first, family, " ", null_handling="skip")
    return (names,), np.zeros(len(first), dtype=bool)


def judge_comments(comments: pa.Array, minutes: pa.Array) -> Derived:
    """``is_dnp`` and its reason; minutes without a comment were played, anything else is unknown."""
    reasons, unread = parse_distinct(comments, str, pa.string())
    absent, _ = parse_distinct(comments, lambda text: True if is_absence(text) else None, pa.bool_())
    times, _ = parse_distinct(minutes, str, pa.string())
    present = pc.and_(pc.is_null(reasons), pc.is_valid(times))
    return (pc.if_else(present, False, absent), reasons), unread


def keep_reasons(reasons: pa.Array, did_not_play: pa.Array) -> Derived:
    """The reason of those who did not play; ESPN gives one to those who did, too."""
    absent = pc.match_substring_regex(pc.ascii_trim_whitespace(did_not_play), r"(?i)^(true|t|1|1\.0)$")
    kept = pc.if_else(pc.fill_null(absent, False), reasons, pa.scalar(None, pa.string()))
    return (kept,), np.zeros(len(reasons), dtype=bool)


def read_espn_season_type(numbers: pa.Array, team_names: pa.Array) -> Derived:
    """The kind of season by ESPN's number, and All-Star by the name of the team."""
    (kinds,), unread = reading(lambda text: ESPN_SEASON_TYPES.get(read_digits(text), text))(numbers)
    exhibition = pc.is_in(pc.ascii_trim_whitespace(team_names), pa.array(sorted(ALL_STAR_TEAMS)))
    return (pc.if_else(exhibition, ALL_STAR, kinds),), unread
