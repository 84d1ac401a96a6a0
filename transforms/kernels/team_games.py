"""Team games: the player rows of one (game, team, date), summed.

Local to a date, so any chunk of whole dates gives its own team games. The rules are features.md,
sections 1.3, 2.3 and 5.1 to 5.4; what a team's recent games say is in ``team_context``.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from transforms.arrays import (
    Bools,
    Floats,
    Ints,
    Known,
    divide,
    from_days,
    from_known,
    single_chunk,
    to_codes,
    to_days,
    to_known,
)

ZONES = ("paint", "mid_range", "three_pt")
LABEL32 = pa.dictionary(pa.int32(), pa.string())
ALLOWED = tuple(f"allowed_{zone}_{part}" for zone in ZONES for part in ("makes", "attempts"))
LEAGUE = tuple(f"league_{zone}_{part}" for zone in ZONES for part in ("makes", "attempts"))

TEAM_GAMES = pa.schema(
    [
        pa.field("game_date", pa.date32()),
        pa.field("game_id", LABEL32),
        pa.field("team_abbr", LABEL32),
        pa.field("season_year", pa.int64()),
        pa.field("pace", pa.float64()),
        pa.field("offensive_rating", pa.float64()),
        pa.field("defensive_rating", pa.float64()),
        pa.field("win", pa.float64()),
        *(pa.field(name, pa.int64()) for name in (*ALLOWED, *LEAGUE)),
    ]
)
"""One row per team game. ``win`` is 1, 0 or NaN; unknown figures are NaN. ``allowed_*`` are the
zone sums of those who faced the team, ``league_*`` its own, given only against an opponent."""

TEAM_TOTALS = pa.schema(
    [
        *TEAM_GAMES,
        pa.field("opponent_abbr", LABEL32),
        *(
            pa.field(name, pa.int64())
            for name in ("points", "possessions100", "seconds", "opponent_points", "opponent_possessions100")
        ),
    ]
)
"""A team game with the totals that its figures are made of, NULL where unknown."""


def sum_team_games(rows: pa.Table) -> tuple[pa.Table, Floats]:
    """Team games (:data:`TEAM_TOTALS`) of some whole dates, and every row's usage.

    ``rows`` are clean rows (``cleaning.CleanRows.table``). Usage is float64[rows], NaN where
    unknown: ``20 * u * S / (s * U)`` with ``u = 100 FGA + 44 FTA + 100 TOV`` of the player (s
    seconds) and U, S of the team.
    """
    team = to_codes(single_chunk(rows, "team_abbr")).astype(np.int64)
    game = to_codes(single_chunk(rows, "game_id")).astype(np.int64)
    days = to_days(single_chunk(rows, "game_date"))
    keyed = np.flatnonzero((team >= 0) & (game >= 0))
    _, day = np.unique(days, return_inverse=True)
    n_games, n_teams = game.max(initial=0) + 1, team.max(initial=0) + 1
    meeting = (day * n_games + game)[keyed]
    groups, first, group = np.unique(meeting * n_teams + team[keyed], return_index=True, return_inverse=True)
    sums = _GroupSums(rows.take(keyed), group, len(groups))
    partner = _find_partners(groups // n_teams)
    has_partner = partner >= 0

    points, seconds = sums.total("points"), sums.total("seconds")
    fga, fta, turnovers = (sums.total(n) for n in ("fg_attempts", "ft_attempts", "turnovers"))
    rebounds = sums.total("offensive_rebounds")
    possessions = Known(
        100 * fga.values + 44 * fta.values - 100 * rebounds.values + 100 * turnovers.values,
        fga.known & fta.known & rebounds.known & turnovers.known,
    )
    positive = possessions.known & (possessions.values > 0)
    pace = _where(
        positive & seconds.known & (seconds.values > 0),
        divide(144 * possessions.values, seconds.values),
    )
    rating = _where(positive & points.known & sums.exists, divide(10000 * points.values, possessions.values))
    decided = (
        has_partner
        & points.known
        & points.known[partner]
        & sums.exists[partner]
        & (points.values != points.values[partner])
    )
    win = _where(decided, (points.values > points.values[partner]).astype(np.float64))
    columns: dict[str, pa.Array] = {
        "game_date": from_days(days[keyed][first]),
        "game_id": single_chunk(rows, "game_id").take(keyed[first]),
        "team_abbr": single_chunk(rows, "team_abbr").take(keyed[first]),
        "season_year": pa.array(sums.greatest_season()),
        "pace": pa.array(pace),
        "offensive_rating": pa.array(rating),
        "defensive_rating": pa.array(_where(has_partner, rating[partner])),
        "win": pa.array(win),
        "points": from_known(points),
        "possessions100": from_known(possessions),
        "seconds": from_known(seconds),
    }
    has_figures = has_partner & sums.exists[partner]
    columns["opponent_abbr"] = columns["team_abbr"].take(pa.array(partner, mask=~has_partner))
    for name, total in (("points", points), ("possessions100", possessions)):
        facing = total.take(partner)
        columns[f"opponent_{name}"] = from_known(Known(facing.values, facing.known & has_figures))
    for own, allowed, league in zip(sums.zones(), ALLOWED, LEAGUE, strict=True):
        columns[allowed] = pa.array(np.where(has_partner, own[partner], 0))
        columns[league] = pa.array(np.where(has_partner, own, 0))
    games = pa.table(columns).select(TEAM_TOTALS.names).cast(TEAM_TOTALS).filter(pa.array(sums.exists))

    usage = np.full(rows.num_rows, np.nan)
    usage[keyed] = _compute_usage(sums, group, seconds, (fga, fta, turnovers))
    return games, usage


def _where(known: Bools, values: Floats) -> Floats:
    return np.where(known, values, np.nan)


def _find_partners(meeting: Ints) -> Ints:
    """For groups sorted by meeting: the other group of the meeting when there are exactly two."""
    partner = np.full(len(meeting), -1, dtype=np.int64)
    _, start, count = np.unique(meeting, return_index=True, return_counts=True)
    pairs = start[count == 2]
    partner[pairs], partner[pairs + 1] = pairs + 1, pairs
    return partner


class _GroupSums:
    """Sums of statistics by team game, with the rules for what is unknown."""

    def __init__(self, rows: pa.Table, group: Ints, size: int) -> None:
        self.rows, self.group, self.size = rows, group, size
        self.valid = single_chunk(rows, "invalid").to_numpy() == 0
        self.played = self.valid & to_known(single_chunk(rows, "played")).values.astype(bool)
        self.exists = self._any(self.played)
        self.voided = self._any(~self.valid)

    def _any(self, flags: Bools) -> Bools:
        return np.bincount(self.group[flags], minlength=self.size) > 0

    def _sum(self, values: Ints, counted: Bools) -> Ints:
        # bincount adds in binary64: exact, because valid statistics are at most a million
        weights = values[counted].astype(np.float64)
        sums = np.bincount(self.group[counted], weights=weights, minlength=self.size)
        return sums.astype(np.int64)

    def statistic(self, name: str) -> Known:
        return to_known(single_chunk(self.rows, name))

    def total(self, name: str) -> Known:
        """The total of each team game; unknown when a row that played lacks it, or it is void."""
        column = self.statistic(name)
        unknown = self._any(self.played & ~column.known) | self.voided
        return Known(self._sum(column.values, self.valid & column.known), ~unknown)

    def zones(self) -> list[Ints]:
        """Makes and attempts of each zone, over played rows in which both are known."""
        out = []
        for zone in ZONES:
            makes, attempts = self.statistic(f"{zone}_makes"), self.statistic(f"{zone}_attempts")
            counted = self.played & makes.known & attempts.known
            out += [self._sum(makes.values, counted), self._sum(attempts.values, counted)]
        return out

    def greatest_season(self) -> Ints:
        """The greatest ``season_year`` of each team game's valid rows."""
        season = self.statistic("season_year").values
        out = np.full(self.size, np.iinfo(np.int64).min)
        np.maximum.at(out, self.group[self.valid], season[self.valid])
        return out


def _compute_usage(
    sums: _GroupSums, group: Ints, seconds: Known, parts: tuple[Known, Known, Known]
) -> Floats:
    weights = (100, 44, 100)
    own = [sums.statistic(name) for name in ("fg_attempts", "ft_attempts", "turnovers")]
    time = sums.statistic("seconds")
    u = np.sum([w * c.values for w, c in zip(weights, own, strict=True)], axis=0)
    team_u = np.sum([w * c.values for w, c in zip(weights, parts, strict=True)], axis=0)
    known = sums.played & time.known & (time.values > 0)
    for column in own:
        known = known & column.known
    team_known = seconds.known.copy()
    for column in parts:
        team_known &= column.known
    usage = divide(20 * u * seconds.values[group], time.values * team_u[group])
    return _where(known & team_known[group], usage)
