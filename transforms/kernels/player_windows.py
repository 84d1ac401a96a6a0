"""A bucket's player rows as sorted arrays, and every target's windows over them.

What a feature makes of a window is in ``player`` and ``matchup``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from transforms.arrays import (
    Bools,
    Floats,
    Ints,
    Known,
    single_chunk,
    to_codes,
    to_days,
    to_known,
)
from transforms.people import PLAYER_ROW
from transforms.windows import (
    AS_OF_DAYS,
    OrderedWindow,
    Window,
    order_key,
    running_sum,
    sum_over,
    window_bounds,
)

HISTORY_STATISTICS = (
    "points",
    "seconds",
    "fg_attempts",
    "three_pt_attempts",
    "ft_makes",
    "paint_attempts",
    "mid_range_attempts",
)


@dataclass(frozen=True)
class PlayerRows:
    """The rows of whole players, sorted by (player, date); arrays of one length.

    ``opponent`` is a code of the opponents' dictionary, -1 where unknown. A player has at most
    one row a date. Targets that have no player row are never valid here: they are no history.
    """

    player: Ints
    day: Ints
    season: Ints
    opponent: Ints
    valid: Bools
    played: Bools
    usage: Floats
    statistics: dict[str, Known]

    @classmethod
    def from_table(cls, rows: pa.Table) -> PlayerRows:
        """The arrays of a table that :func:`sort_rows` has sorted."""
        is_history = single_chunk(rows, "origin").to_numpy() == PLAYER_ROW
        valid = is_history & (single_chunk(rows, "invalid").to_numpy() == 0)
        return cls(
            player=to_codes(single_chunk(rows, "player_lookup")).astype(np.int64),
            day=to_days(single_chunk(rows, "game_date")),
            season=to_known(single_chunk(rows, "season_year")).values,
            opponent=to_codes(single_chunk(rows, "opponent_team_abbr")).astype(np.int64),
            valid=valid,
            played=valid & to_known(single_chunk(rows, "played")).values.astype(bool),
            usage=single_chunk(rows, "usage").to_numpy(),
            statistics={n: to_known(single_chunk(rows, n)) for n in HISTORY_STATISTICS},
        )


def sort_rows(rows: pa.Table) -> pa.Table:
    """The rows by player and date, in one contiguous chunk."""
    rows = rows.unify_dictionaries().combine_chunks()
    player = to_codes(single_chunk(rows, "player_lookup")).astype(np.int64)
    order = np.argsort(order_key(player, to_days(single_chunk(rows, "game_date"))))
    return rows.take(order).combine_chunks()


class Windows:
    """The windows of every target over the games of its player, and sums over them.

    ``targets`` are positions in ``rows``. A *game* is a valid row that played; ``games`` are
    their positions, and every window is over them except :attr:`last_10_rows`. The windows that
    features declare in ``vector`` are the attributes of those names.
    """

    def __init__(self, rows: PlayerRows, targets: Ints) -> None:
        self.rows, self.targets = rows, targets
        self.games = np.flatnonzero(rows.played)
        self.player, self.day = rows.player[targets], rows.day[targets]
        self._keys = order_key(rows.player[self.games], rows.day[self.games])
        self._running: dict[str, Ints] = {}

    def back(self, days: int) -> Window:
        """The games of the last ``days`` days before the target."""
        return window_bounds(self._keys, self.player, self.day, days)

    @cached_property
    def as_of(self) -> Window:
        return self.back(AS_OF_DAYS)

    @cached_property
    def last_10(self) -> Window:
        return self.as_of.last(10)

    @cached_property
    def last_5(self) -> Window:
        return self.as_of.last(5)

    @cached_property
    def last_3(self) -> Window:
        return self.as_of.last(3)

    @cached_property
    def last_2(self) -> Window:
        return self.as_of.last(2)

    @cached_property
    def last_7_days(self) -> Window:
        return self.back(7)

    @cached_property
    def last_14_days(self) -> Window:
        return self.back(14)

    def game_values(self, name: str) -> Known:
        """A statistic of every game, in the order of :attr:`games`."""
        return self.rows.statistics[name].take(self.games)

    def total(self, name: str, values: Ints | Bools, window: Window) -> Ints:
        """The sum over each window of ``values`` (one a game), remembered under ``name``."""
        if name not in self._running:
            self._running[name] = running_sum(values)
        return sum_over(self._running[name], window)

    def points(self, window: Window) -> Ints:
        return self.total("points", self.game_values("points").values, window)

    def seconds(self, window: Window) -> tuple[Ints, Ints]:
        """Seconds played, and in how many games they are known."""
        seconds = self.game_values("seconds")
        return (
            self.total("seconds", seconds.values, window),
            self.total("seconds known", seconds.known, window),
        )

    def _within(self, codes: Ints) -> OrderedWindow:
        """The games whose code is the target's own; ``codes`` are one a row."""
        distinct, code = np.unique(codes, return_inverse=True)
        group = self.rows.player * len(distinct) + code
        keys = order_key(group[self.games], self.rows.day[self.games])
        order = np.argsort(keys, kind="stable")
        window = window_bounds(keys[order], group[self.targets], self.day, AS_OF_DAYS)
        return OrderedWindow(self.games[order], window)

    @cached_property
    def season(self) -> OrderedWindow:
        """The games of the target's own season in the as-of window."""
        return self._within(self.rows.season)

    @cached_property
    def against(self) -> OrderedWindow:
        """The games against the target's opponent in the as-of window."""
        return self._within(self.rows.opponent)

    @cached_property
    def last_10_rows(self) -> OrderedWindow:
        """The player's last 10 valid rows in the as-of window, played or not."""
        rows = np.flatnonzero(self.rows.valid)
        keys = order_key(self.rows.player[rows], self.rows.day[rows])
        return OrderedWindow(rows, window_bounds(keys, self.player, self.day, AS_OF_DAYS).last(10))

    def positions(self, name: str, target: int) -> Ints:
        """Which of :attr:`rows` the window of this name holds for one target, oldest first."""
        found = getattr(self, name)
        if isinstance(found, Window):
            found = OrderedWindow(self.games, found)
        positions: Ints = found.positions(target)
        return positions

    @cached_property
    def days_rest(self) -> Floats:
        """Days since the latest game in the window; NaN when there is none."""
        if len(self.games) == 0:
            return np.full(len(self.targets), np.nan)
        latest = self.rows.day[self.games][np.maximum(self.as_of.high - 1, 0)]
        return np.where(self.as_of.size > 0, self.day - latest, np.nan)
