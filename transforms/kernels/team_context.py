"""Team context: what a team's recent games say about a date, for each date that targets name.

Needs every team game of the read window; the answer is one small table, broadcast to the player
kernels. The rules are features.md, sections 1.3 and 2.2 and the table rows with source
``team_history``.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import (
    Bools,
    Codes,
    Floats,
    Ints,
    divide,
    from_codes,
    from_days,
    single_chunk,
    to_codes,
    to_days,
    to_known,
)
from transforms.kernels.team_games import LABEL32, ZONES
from transforms.windows import (
    AS_OF_DAYS,
    Window,
    mean_over,
    order_key,
    running_sum,
    sum_over,
    window_bounds,
)

TEAM_DAYS = pa.schema(
    [
        pa.field("team_abbr", LABEL32),
        pa.field("game_date", pa.date32()),
        pa.field("season_year", pa.int64()),
    ]
)
"""The (team, date, season) that targets name, as their team or as their opponent."""

SEASON_DAYS = pa.schema([pa.field("season_year", pa.int64()), pa.field("game_date", pa.date32())])
"""The dates on which a season has player rows."""

DEFENCE = tuple(f"defence_{zone}" for zone in ZONES)
FIGURES = (
    "rest_days",
    "played_yesterday",
    "pace_last_10",
    "offensive_rating_last_10",
    "pace_last_15",
    "defensive_rating_last_15",
    "win_pct",
    *DEFENCE,
)
TEAM_CONTEXT = pa.schema(
    [
        *TEAM_DAYS,
        pa.field("games", pa.int64()),
        pa.field("season_first", pa.date32()),
        *(pa.field(name, pa.float64()) for name in FIGURES),
    ]
)
"""One row per (team, date, season): the number of its games in the as-of window, the season's
first date, and the figures, NaN where unknown. ``defence_*`` is the allowed percentage less the
league's, in percentage points."""

RECENT, LONG = 10, 15


def list_team_days(rows: pa.Table, targets: Bools) -> pa.Table:
    """The distinct (team, date, season) that valid targets name (:data:`TEAM_DAYS`)."""
    chosen = rows.filter(pa.array(targets & (single_chunk(rows, "invalid").to_numpy() == 0)))
    sides = []
    for side in ("team_abbr", "opponent_team_abbr"):
        table = chosen.select([side, "game_date", "season_year"]).rename_columns(TEAM_DAYS.names)
        sides.append(table.filter(pc.is_valid(table.column("team_abbr"))).cast(TEAM_DAYS))
    both = pa.concat_tables(sides).unify_dictionaries()
    return both.group_by(TEAM_DAYS.names, use_threads=False).aggregate([]).cast(TEAM_DAYS)


def list_season_days(rows: pa.Table) -> pa.Table:
    """The distinct (season, date) of player rows that name a team game (:data:`SEASON_DAYS`)."""
    names = SEASON_DAYS.names
    named = pc.and_(pc.is_valid(rows.column("game_id")), pc.is_valid(rows.column("team_abbr")))
    rows = rows.filter(named)
    return rows.select(names).group_by(names, use_threads=False).aggregate([]).cast(SEASON_DAYS)


def build_team_context(games: pa.Table, days: pa.Table, season_days: pa.Table) -> pa.Table:
    """:data:`TEAM_CONTEXT` for every distinct (team, date, season) of ``days``, sorted by them.

    ``games`` are all :data:`TEAM_GAMES` of the read window, in any order. The dictionary of
    ``team_abbr`` is sorted, so that its codes order like the names.
    """
    names = _team_names(games, days)
    history = _TeamHistory(games, names)
    wanted = _WantedDays(days, names)
    window = window_bounds(history.keys, wanted.team, wanted.day, AS_OF_DAYS)
    has_games = window.size > 0
    latest = history.day[np.maximum(window.high - 1, 0)] if len(history.day) else wanted.day
    rest = np.where(has_games, wanted.day - latest, np.nan)
    recent, long = window.last(RECENT), window.last(LONG)
    figures: dict[str, Floats] = {
        "rest_days": rest,
        "played_yesterday": np.where(has_games, rest == 1, np.nan),
        "pace_last_10": mean_over(history.figure("pace"), recent, RECENT),
        "offensive_rating_last_10": mean_over(history.figure("offensive_rating"), recent, RECENT),
        "pace_last_15": mean_over(history.figure("pace"), long, LONG),
        "defensive_rating_last_15": mean_over(history.figure("defensive_rating"), long, LONG),
        "win_pct": history.win_pct(wanted),
        **_compute_defence(history, wanted, long),
    }
    return pa.table(
        {
            "team_abbr": from_codes(wanted.team, names),
            "game_date": from_days(wanted.day),
            "season_year": pa.array(wanted.season),
            "games": pa.array(window.size),
            "season_first": from_days(_find_season_first(season_days, wanted)),
            **{name: pa.array(values) for name, values in figures.items()},
        },
        schema=TEAM_CONTEXT,
    )


def _team_names(games: pa.Table, days: pa.Table) -> pa.Array:
    names = [pc.unique(t.column("team_abbr").cast(pa.string())) for t in (games, days)]
    both = pc.unique(pa.concat_arrays(names))
    return both.take(pc.sort_indices(both))


def _codes_among(column: pa.DictionaryArray, names: pa.Array) -> Codes:
    position = pc.index_in(column.dictionary, names).to_numpy(zero_copy_only=False)
    codes: Codes = position[to_codes(column)].astype(np.int32)
    return codes


class _WantedDays:
    """Distinct (team, date, season), sorted."""

    def __init__(self, days: pa.Table, names: pa.Array) -> None:
        team = _codes_among(single_chunk(days, "team_abbr"), names)
        day = to_days(single_chunk(days, "game_date"))
        season = to_known(single_chunk(days, "season_year")).values
        order = np.lexsort((season, day, team))
        rows = np.stack([team[order], day[order], season[order]])
        fresh = np.ones(len(order), dtype=bool)
        fresh[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
        self.team: Codes = rows[0, fresh].astype(np.int32)
        self.day: Ints = rows[1, fresh]
        self.season: Ints = rows[2, fresh]


class _TeamHistory:
    """Team games sorted by (team, date, game id)."""

    def __init__(self, games: pa.Table, names: pa.Array) -> None:
        ids = single_chunk(games, "game_id")
        rank = np.argsort(pc.sort_indices(ids.dictionary).to_numpy())
        team = _codes_among(single_chunk(games, "team_abbr"), names)
        day = to_days(single_chunk(games, "game_date"))
        order = np.lexsort((rank[to_codes(ids)], day, team))
        self.games = games.take(order)
        self.team, self.day = team[order], day[order]
        self.keys = order_key(self.team, self.day)

    def figure(self, name: str) -> Floats:
        values: Floats = single_chunk(self.games, name).to_numpy()
        return values

    def counts(self, name: str) -> Ints:
        return to_known(single_chunk(self.games, name)).values

    def win_pct(self, wanted: _WantedDays) -> Floats:
        """Wins / games with a result, of the target's season in the as-of window."""
        seasons, code = np.unique(
            np.concatenate([self.counts("season_year"), wanted.season]), return_inverse=True
        )
        mine, theirs = code[: len(self.day)], code[len(self.day) :]
        group = self.team.astype(np.int64) * len(seasons) + mine
        keys = order_key(group, self.day)
        order = np.argsort(keys, kind="stable")
        win = self.figure("win")[order]
        window = window_bounds(
            keys[order],
            wanted.team.astype(np.int64) * len(seasons) + theirs,
            wanted.day,
            AS_OF_DAYS,
        )
        wins, results = running_sum(win == 1.0), running_sum(~np.isnan(win))
        return divide(sum_over(wins, window), sum_over(results, window))


def _compute_defence(history: _TeamHistory, wanted: _WantedDays, long: Window) -> dict[str, Floats]:
    """Allowed percentage in each zone, last 15, less the whole league's in the window."""
    by_day = np.argsort(history.day, kind="stable")
    days = history.day[by_day]
    everyone = Window(
        np.searchsorted(days, wanted.day - AS_OF_DAYS, side="left"),
        np.searchsorted(days, wanted.day, side="left"),
    )
    out = {}
    for zone, name in zip(ZONES, DEFENCE, strict=True):
        made, tried = (
            sum_over(running_sum(history.counts(f"allowed_{zone}_{part}")), long)
            for part in ("makes", "attempts")
        )
        league_made, league_tried = (
            sum_over(running_sum(history.counts(f"league_{zone}_{part}")[by_day]), everyone)
            for part in ("makes", "attempts")
        )
        out[name] = divide(100 * made, tried) - divide(100 * league_made, league_tried)
    return out


def _find_season_first(season_days: pa.Table, wanted: _WantedDays) -> Ints:
    """The season's earliest date in the as-of window of each date, or the date itself."""
    season = to_known(single_chunk(season_days, "season_year")).values
    day = to_days(single_chunk(season_days, "game_date"))
    _, code = np.unique(np.concatenate([season, wanted.season]), return_inverse=True)
    keys = np.sort(order_key(code[: len(season)], day))
    window = window_bounds(keys, code[len(season) :], wanted.day, AS_OF_DAYS)
    if len(keys) == 0:
        return wanted.day
    first = (keys[np.minimum(window.low, len(keys) - 1)] & (2**32 - 1)) - 2**31
    earliest: Ints = np.where(window.size > 0, first, wanted.day)
    return earliest
