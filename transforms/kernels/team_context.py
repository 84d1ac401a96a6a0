"""Team context: what a team's recent games say about a date, for each date that targets name.

Needs every team game of the read window; the answer is one small table, broadcast to the player
kernels. Which games a window holds is in ``team_windows``. The rules are features.md, sections
1.3 and 2.2 and the table rows with source ``team_history``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import (
    Bools,
    Floats,
    Ints,
    divide,
    from_codes,
    from_days,
    single_chunk,
    to_days,
    to_known,
)
from transforms.kernels.schedule import Schedule
from transforms.kernels.team_games import ZONES
from transforms.kernels.team_windows import LONG, TEAM_DAYS, TeamWindows
from transforms.windows import (
    AS_OF_DAYS,
    mean_over,
    order_key,
    read_day,
    running_sum,
    sum_over,
    window_bounds,
)

SEASON_DAYS = pa.schema([pa.field("season_year", pa.int64()), pa.field("game_date", pa.date32())])
"""The dates on which a season has player rows, or regular-season games in the schedule."""


@dataclass(frozen=True)
class TeamFigure:
    """A figure of the context: the window that it is made over (an attribute of
    :class:`~.team_windows.TeamWindows`), and the columns of its games that enter."""

    window: str
    columns: tuple[str, ...] = ()


DEFENCE = tuple(f"defence_{zone}" for zone in ZONES)
MEANS = {
    "pace_last_10": TeamFigure("last_10", ("pace",)),
    "offensive_rating_last_10": TeamFigure("last_10", ("offensive_rating",)),
    "pace_last_15": TeamFigure("last_15", ("pace",)),
    "defensive_rating_last_15": TeamFigure("last_15", ("defensive_rating",)),
}
FIGURES = {
    "rest_days": TeamFigure("latest"),
    "played_yesterday": TeamFigure("latest"),
    **MEANS,
    "win_pct": TeamFigure("season", ("win",)),
    **{
        name: TeamFigure("last_15", tuple(f"allowed_{zone}_{part}" for part in ("makes", "attempts")))
        for name, zone in zip(DEFENCE, ZONES, strict=True)
    },
}
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


def list_team_days(rows: pa.Table, targets: Bools) -> pa.Table:
    """The distinct (team, date, season) that valid targets name (:data:`TEAM_DAYS`)."""
    chosen = rows.filter(pa.array(targets & (single_chunk(rows, "invalid").to_numpy() == 0)))
    sides = []
    for side in ("team_abbr", "opponent_team_abbr"):
        table = chosen.select([side, "game_date", "season_year"]).rename_columns(TEAM_DAYS.names)
        sides.append(table.filter(pc.is_valid(table.column("team_abbr"))).cast(TEAM_DAYS))
    both = pa.concat_tables(sides).unify_dictionaries()
    return both.group_by(TEAM_DAYS.names, use_threads=False).aggregate([]).cast(TEAM_DAYS)


def list_season_days(rows: pa.Table, schedule: Schedule | None = None) -> pa.Table:
    """The distinct (season, date) of player rows that name a team game, and of the regular-season games of
    the schedule (:data:`SEASON_DAYS`)."""
    names = SEASON_DAYS.names
    named = pc.and_(pc.is_valid(rows.column("game_id")), pc.is_valid(rows.column("team_abbr")))
    days = rows.filter(named).select(names)
    if schedule is not None:
        season, day = schedule.list_season_days()
        days = pa.concat_tables([days, pa.table([pa.array(season), from_days(day)], names=names)])
    return days.group_by(names, use_threads=False).aggregate([]).cast(SEASON_DAYS)


def build_team_context(games: pa.Table, days: pa.Table, season_days: pa.Table) -> pa.Table:
    """:data:`TEAM_CONTEXT` for every distinct (team, date, season) of ``days``, sorted by them.

    ``games`` are all :data:`TEAM_GAMES` of the read window, in any order. The dictionary of
    ``team_abbr`` is sorted, so that its codes order like the names.
    """
    w = TeamWindows(games, days)
    figures: dict[str, Floats] = {
        "rest_days": w.rest_days,
        "played_yesterday": np.where(np.isnan(w.rest_days), np.nan, w.rest_days == 1),
        **{name: _compute_mean(w, figure) for name, figure in MEANS.items()},
        "win_pct": _compute_win_pct(w),
        **{name: _compute_defence(w, zone) for name, zone in zip(DEFENCE, ZONES, strict=True)},
    }
    return pa.table(
        {
            "team_abbr": from_codes(w.team, w.names),
            "game_date": from_days(w.day),
            "season_year": pa.array(w.season_year),
            "games": pa.array(w.as_of.size),
            "season_first": from_days(_find_season_first(season_days, w)),
            **{name: pa.array(figures[name]) for name in FIGURES},
        },
        schema=TEAM_CONTEXT,
    )


def _compute_mean(w: TeamWindows, figure: TeamFigure) -> Floats:
    (column,) = figure.columns
    return mean_over(w.figure(column), getattr(w, figure.window), LONG)


def _compute_win_pct(w: TeamWindows) -> Floats:
    """Wins / games with a result."""
    win = w.figure("win")
    return divide(w.season.sum(win == 1.0), w.season.sum(~np.isnan(win)))


def _compute_defence(w: TeamWindows, zone: str) -> Floats:
    """Allowed percentage in the zone, last 15, less the whole league's in the as-of window."""
    parts = ("makes", "attempts")
    made, tried = (sum_over(running_sum(w.counts(f"allowed_{zone}_{part}")), w.last_15) for part in parts)
    league_made, league_tried = (w.league.sum(w.counts(f"league_{zone}_{part}")) for part in parts)
    return divide(100 * made, tried) - divide(100 * league_made, league_tried)


def _find_season_first(season_days: pa.Table, w: TeamWindows) -> Ints:
    """The season's earliest date in the as-of window of each date, or the date itself."""
    season = to_known(single_chunk(season_days, "season_year")).values
    day = to_days(single_chunk(season_days, "game_date"))
    _, code = np.unique(np.concatenate([season, w.season_year]), return_inverse=True)
    keys = np.sort(order_key(code[: len(season)], day))
    window = window_bounds(keys, code[len(season) :], w.day, AS_OF_DAYS)
    if len(keys) == 0:
        return w.day
    first = read_day(keys[np.minimum(window.low, len(keys) - 1)])
    earliest: Ints = np.where(window.size > 0, first, w.day)
    return earliest
