"""The team context, looked up for targets: the broadcast table on the players' side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import Bools, Floats, Ints, codes_among, single_chunk, to_codes, to_days, to_known
from transforms.windows import find_rows, order_key


class TeamFigures:
    """The team context, looked up for targets by (team, date, season)."""

    def __init__(self, context: pa.Table) -> None:
        self._context = context
        self._teams = single_chunk(context, "team_abbr")
        season = to_known(single_chunk(context, "season_year")).values
        self._seasons = np.unique(season)
        team = to_codes(self._teams)
        keys = self._keys(team, season, to_days(single_chunk(context, "game_date")))
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]

    def _keys(self, team: npt.NDArray[np.int32], season: Ints, day: Ints) -> Ints:
        code = np.searchsorted(self._seasons, season)
        return order_key(np.maximum(team, 0) * (len(self._seasons) + 1) + code, day)

    def find(self, teams: pa.DictionaryArray, season: Ints, day: Ints) -> tuple[Ints, Bools]:
        """The context row of each target, and whether there is one (no team: none)."""
        team = codes_among(teams, self._teams.dictionary)
        row, found = find_rows(self._sorted, self._keys(team, season, day))
        found &= team >= 0
        return (self._order[row] if len(self._order) else row), found

    def figure(self, name: str, row: Ints, found: Bools) -> Floats:
        values = single_chunk(self._context, name).to_numpy()
        return np.where(found, values[row], np.nan) if len(values) else np.full(len(row), np.nan)

    def games(self, row: Ints, found: Bools) -> Ints:
        values = to_known(single_chunk(self._context, "games")).values
        return np.where(found, values[row], 0) if len(values) else np.zeros(len(row), np.int64)

    def season_first(self, row: Ints, found: Bools, day: Ints) -> Ints:
        values = to_days(single_chunk(self._context, "season_first"))
        return np.where(found, values[row], day) if len(values) else day
