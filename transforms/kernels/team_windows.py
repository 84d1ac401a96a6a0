"""Team games as sorted arrays, and the windows of every (team, date, season) over them.

What a figure makes of a window is in ``team_context``.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Codes, Floats, Ints, codes_among, single_chunk, to_codes, to_days, to_known
from transforms.kernels.team_games import LABEL32
from transforms.windows import AS_OF_DAYS, OrderedWindow, Window, order_key, window_bounds

TEAM_DAYS = pa.schema(
    [
        pa.field("team_abbr", LABEL32),
        pa.field("game_date", pa.date32()),
        pa.field("season_year", pa.int64()),
    ]
)
"""The (team, date, season) that targets name, as their team or as their opponent."""

RECENT, LONG = 10, 15


class TeamWindows:
    """The windows of every distinct (team, date, season) of ``days``, sorted by them.

    ``games`` (at least ``TEAM_GAMES``) hold every team game of the read window, in any order;
    :attr:`games` are the same sorted by (team, date, game id), and every window is over them.
    ``team`` are codes of ``names``, which are sorted.
    """

    def __init__(self, games: pa.Table, days: pa.Table) -> None:
        self.names = _list_names(games, days)
        self.team, self.day, self.season_year = _sort_distinct(days, self.names)
        ids = single_chunk(games, "game_id")
        rank = np.argsort(pc.sort_indices(ids.dictionary).to_numpy())
        team = codes_among(single_chunk(games, "team_abbr"), self.names)
        game_day = to_days(single_chunk(games, "game_date"))
        order = np.lexsort((rank[to_codes(ids)], game_day, team))
        self.games = games.take(order)
        self._game_team, self._game_day = team[order], game_day[order]

    def figure(self, name: str) -> Floats:
        """A figure of every game, NaN where unknown."""
        values: Floats = single_chunk(self.games, name).to_numpy()
        return values

    def counts(self, name: str) -> Ints:
        """An integer of every game."""
        return to_known(single_chunk(self.games, name)).values

    @cached_property
    def as_of(self) -> Window:
        return window_bounds(order_key(self._game_team, self._game_day), self.team, self.day, AS_OF_DAYS)

    @cached_property
    def latest(self) -> Window:
        return self.as_of.last(1)

    @cached_property
    def last_10(self) -> Window:
        return self.as_of.last(RECENT)

    @cached_property
    def last_15(self) -> Window:
        return self.as_of.last(LONG)

    @cached_property
    def season(self) -> OrderedWindow:
        """The team's games of the wanted season in the as-of window."""
        season = self.counts("season_year")
        distinct, code = np.unique(np.concatenate([season, self.season_year]), return_inverse=True)
        mine, wanted = code[: len(season)], code[len(season) :]
        keys = order_key(self._game_team.astype(np.int64) * len(distinct) + mine, self._game_day)
        order = np.argsort(keys, kind="stable")
        group = self.team.astype(np.int64) * len(distinct) + wanted
        return OrderedWindow(order, window_bounds(keys[order], group, self.day, AS_OF_DAYS))

    @cached_property
    def league(self) -> OrderedWindow:
        """The games of all teams in the as-of window."""
        order = np.argsort(self._game_day, kind="stable")
        days, alike = self._game_day[order], np.zeros(len(order), dtype=np.int64)
        window = window_bounds(order_key(alike, days), np.zeros_like(self.day), self.day, AS_OF_DAYS)
        return OrderedWindow(order, window)

    @cached_property
    def rest_days(self) -> Floats:
        """Days since the team's latest game in the window; NaN when there is none."""
        if len(self._game_day) == 0:
            return np.full(len(self.day), np.nan)
        latest = self._game_day[np.maximum(self.as_of.high - 1, 0)]
        return np.where(self.as_of.size > 0, self.day - latest, np.nan)

    def positions(self, name: str, wanted: int) -> Ints:
        """Which of :attr:`games` the window of this name holds for one of ``days``, oldest first."""
        found = getattr(self, name)
        if isinstance(found, Window):
            found = OrderedWindow(np.arange(self.games.num_rows), found)
        positions: Ints = found.positions(wanted)
        return positions


def _list_names(games: pa.Table, days: pa.Table) -> pa.Array:
    names = [pc.unique(t.column("team_abbr").cast(pa.string())) for t in (games, days)]
    both = pc.unique(pa.concat_arrays(names))
    return both.take(pc.sort_indices(both))


def _sort_distinct(days: pa.Table, names: pa.Array) -> tuple[Codes, Ints, Ints]:
    """The distinct (team, date, season), sorted."""
    team = codes_among(single_chunk(days, "team_abbr"), names)
    day = to_days(single_chunk(days, "game_date"))
    season = to_known(single_chunk(days, "season_year")).values
    order = np.lexsort((season, day, team))
    rows = np.stack([team[order], day[order], season[order]])
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
    return rows[0, fresh].astype(np.int32), rows[1, fresh], rows[2, fresh]
