"""The schedule, asked by game or by team: tip-offs, kinds of game, postponed games, who meets whom.

A question is asked for the rows of a table with ``game_id``, ``team_abbr`` (dictionary-encoded) and
``game_date``: first of the schedule's rows with that game id and date, then, where these do not
tell, of the team's rows on the date. The rules are features.md, sections 1.1, 2.4, 2.6 and 5.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import (
    Bools,
    Codes,
    Floats,
    Ints,
    Known,
    codes_among,
    single_chunk,
    to_codes,
    to_days,
    to_known,
)
from transforms.cleaning import season_of_dates
from transforms.kernels.team_games import LABEL32
from transforms.windows import AS_OF_DAYS, find_rows, order_key, read_day

GAMES = pa.schema(
    [
        pa.field("game_date", pa.date32()),
        pa.field("game_id", LABEL32),
        pa.field("home_team_abbr", LABEL32),
        pa.field("away_team_abbr", LABEL32),
        pa.field("postponed", pa.bool_()),
        pa.field("exhibition", pa.bool_()),
        pa.field("playoff", pa.float64()),
        pa.field("regular", pa.bool_()),
        pa.field("tipoff", pa.int64()),
    ]
)
"""One row of the schedule, cleaned: ``playoff`` is what its type tells (1, 0 or NaN), ``regular``
whether type or id tell a regular-season game, ``tipoff`` microseconds since 1970 UTC or NULL."""

MOVED_DAYS = AS_OF_DAYS
"""How far from its date a game may have been moved, in days either way."""

_NEVER = np.iinfo(np.int64).max


class _Group:
    """Rows of the schedule by one key: the earliest tip-off, what the types tell, whether postponed."""

    def __init__(self, key: Ints, tipoff: Known, playoff: Floats, postponed: Bools) -> None:
        self.keys, group = np.unique(key, return_inverse=True)
        size = len(self.keys)
        self.tipoff = np.full(size, _NEVER)
        np.minimum.at(self.tipoff, group[tipoff.known], tipoff.values[tipoff.known])
        self.playoff = np.full(size, np.nan)
        np.fmax.at(self.playoff, group, playoff)
        self.any_postponed = np.bincount(group[postponed], minlength=size) > 0
        self.all_postponed = np.bincount(group[~postponed], minlength=size) == 0


def _look_up(keys: Ints, code: Codes, day: Ints) -> Ints:
    """Where the key of each (code, day) stands among sorted keys; -1 where it does not."""
    row, found = find_rows(keys, order_key(np.maximum(code, 0), day))
    return np.where(found & (code >= 0), row, -1)


def _pick(values: npt.NDArray[Any], place: Ints, otherwise: float) -> npt.NDArray[Any]:
    """The value at each place, ``otherwise`` at -1."""
    picked: npt.NDArray[Any] = np.append(values, np.array([otherwise], dtype=values.dtype))[place]
    return picked


class Schedule:
    """``games`` (:data:`GAMES`) made ready for questions."""

    def __init__(self, games: pa.Table) -> None:
        self.games = games
        self._day = to_days(single_chunk(games, "game_date"))
        tipoff = to_known(single_chunk(games, "tipoff"))
        playoff = single_chunk(games, "playoff").to_numpy()
        postponed = _flags(games, "postponed")
        ids = single_chunk(games, "game_id")
        self._ids = ids.dictionary
        self._game = to_codes(ids)
        self._by_game = _Group(order_key(self._game, self._day), tipoff, playoff, postponed)
        home, away = (single_chunk(games, f"{side}_team_abbr") for side in ("home", "away"))
        self._teams = pa.concat_arrays([home.dictionary, away.dictionary]).unique()
        sides = np.concatenate([codes_among(home, self._teams), codes_among(away, self._teams)])
        named = sides >= 0
        twice = np.tile(np.arange(games.num_rows), 2)[named]
        self._side_key = order_key(sides[named], self._day[twice])
        self._side_game = twice
        self._by_team = _Group(self._side_key, tipoff.take(twice), playoff[twice], postponed[twice])

    def _ask_games(self, rows: pa.Table) -> Ints:
        """The place in ``_by_game`` of each row's game, -1 where the schedule has no row of it."""
        game = codes_among(single_chunk(rows, "game_id"), self._ids)
        return _look_up(self._by_game.keys, game, to_days(single_chunk(rows, "game_date")))

    def _ask_teams(self, rows: pa.Table) -> Ints:
        team = codes_among(single_chunk(rows, "team_abbr"), self._teams)
        return _look_up(self._by_team.keys, team, to_days(single_chunk(rows, "game_date")))

    def find_tipoffs(self, rows: pa.Table) -> Known:
        """The tip-off of each row's game, else of its team's earliest on the date."""
        by_game = _pick(self._by_game.tipoff, self._ask_games(rows), _NEVER)
        by_team = _pick(self._by_team.tipoff, self._ask_teams(rows), _NEVER)
        tipoff = np.where(by_game != _NEVER, by_game, by_team)
        return Known(np.where(tipoff != _NEVER, tipoff, 0), tipoff != _NEVER)

    def tell_playoff(self, rows: pa.Table) -> Floats:
        """What the type of each row's game tells, else of its team's games on the date; NaN: nothing."""
        by_game = _pick(self._by_game.playoff, self._ask_games(rows), np.nan)
        by_team = _pick(self._by_team.playoff, self._ask_teams(rows), np.nan)
        return np.where(np.isnan(by_game), by_team, by_game)

    def find_postponed(self, rows: pa.Table) -> tuple[Bools, Known]:
        """Which rows name a game that is not played on their date, and another day that it has.

        Told by the game's own rows of the date; else the game stands on other dates within
        :data:`MOVED_DAYS` only; else, where the schedule does not know the game, by the team's games.
        """
        here, other = self._ask_games(rows), self._find_other_days(rows)
        postponed = _pick(self._by_game.any_postponed, here, False)
        moved = (here < 0) & other.known
        by_team = _pick(self._by_team.all_postponed, self._ask_teams(rows), False)
        return postponed | moved | ((here < 0) & ~other.known & by_team), other

    def _find_other_days(self, rows: pa.Table) -> Known:
        """The latest day within reach on which the schedule has each row's game, if it is not the row's."""
        keys, day = self._by_game.keys, to_days(single_chunk(rows, "game_date"))
        game = codes_among(single_chunk(rows, "game_id"), self._ids)
        code = np.maximum(game, 0)
        low = np.searchsorted(keys, order_key(code, day - MOVED_DAYS), side="left")
        high = np.searchsorted(keys, order_key(code, day + MOVED_DAYS), side="right")
        latest = read_day(_pick(keys, high - 1, 0))
        return Known(latest, (game >= 0) & (high > low) & (latest != day))

    def find_games(self, teams: pa.DictionaryArray, day: Ints) -> Ints:
        """The row of :attr:`games` that each team plays on a day, -1 where it does not play.

        Not one that is postponed, nor an exhibition. Of several the earliest, then the smaller id.
        """
        game = self._side_game
        plays = ~(_flags(self.games, "postponed") | _flags(self.games, "exhibition"))[game]
        tipoff = to_known(single_chunk(self.games, "tipoff"))
        start = np.where(tipoff.known, tipoff.values, _NEVER)
        rank = np.argsort(pc.sort_indices(self._ids).to_numpy())[self._game]
        order = np.lexsort((rank[game], start[game], self._side_key))
        order = order[plays[order]]
        keys, first = np.unique(self._side_key[order], return_index=True)
        return _pick(game[order][first], _look_up(keys, codes_among(teams, self._teams), day), -1)

    def list_season_days(self) -> tuple[Ints, Ints]:
        """(season, day) of every regular-season game, postponed ones too; the season of its date."""
        days = single_chunk(self.games, "game_date").filter(single_chunk(self.games, "regular"))
        return season_of_dates(days), to_days(days)


def _flags(games: pa.Table, name: str) -> Bools:
    flags: Bools = single_chunk(games, name).to_numpy(zero_copy_only=False)
    return flags
