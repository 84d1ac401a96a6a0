"""The registry of the feature vector ``v3_37features``: one entry a feature, in index order.

Models index by position, so features are appended, never inserted or renumbered. Column names,
provenance, the optional set, the ranges that the audit checks and the named view all come from
here; how a value is computed stands in ``transforms.kernels``, under the name given here.
"""

from __future__ import annotations

from dataclasses import dataclass

FEATURE_VERSION = "v3_37features"

PLAYER = "player_history"
TEAM = "team_history"
MATCHUP = "matchup"
SCHEDULE = "schedule"
INJURY = "injury_report"
LINES = "betting_lines"
MISSING = "missing"
SOURCES = (PLAYER, TEAM, MATCHUP, SCHEDULE, INJURY, LINES, MISSING)


@dataclass(frozen=True)
class Feature:
    """One position of the vector.

    ``low`` and ``high`` bound every value, inclusive (None: unbounded on that side); the audit
    refuses what lies outside. ``optional``: its absence does not lower readiness.
    """

    index: int
    name: str
    source: str
    definition: str
    low: float | None = None
    high: float | None = None
    optional: bool = False

    @property
    def value_column(self) -> str:
        return f"feature_{self.index}_value"

    @property
    def source_column(self) -> str:
        return f"feature_{self.index}_source"


FEATURES: tuple[Feature, ...] = (
    Feature(0, "points_avg_last_5", PLAYER, "points a game, last 5", 0),
    Feature(1, "points_avg_last_10", PLAYER, "points a game, last 10", 0),
    Feature(2, "points_avg_season", PLAYER, "points a game, season so far", 0),
    Feature(3, "points_std_last_10", PLAYER, "sample standard deviation of points, last 10", 0),
    Feature(4, "games_in_last_7_days", PLAYER, "games played in the 7 days before", 0, 7),
    Feature(5, "fatigue_score", PLAYER, "100 = fresh; back-to-back, load and rest", 0, 100),
    Feature(
        6,
        "shot_zone_mismatch_score",
        MATCHUP,
        "opponent's defence of the player's primary zone against the league's",
        -10,
        10,
        optional=True,
    ),
    Feature(7, "pace_score", TEAM, "half the opponent's pace above the team's own", -3, 3),
    Feature(8, "usage_spike_score", PLAYER, "0.3 x usage of last 3 above last 10", -3, 3),
    Feature(9, "rest_advantage", TEAM, "team's rest days minus the opponent's", -2, 2),
    Feature(10, "injury_risk", INJURY, "0 available to 3 out", 0, 3, optional=True),
    Feature(11, "recent_trend", PLAYER, "newest two of the last 5 against the older three", -2, 2),
    Feature(12, "minutes_change", PLAYER, "minutes of last 10 against the season's", -2, 2),
    Feature(13, "opponent_def_rating", TEAM, "opponent's defensive rating, last 15"),
    Feature(14, "opponent_pace", TEAM, "opponent's pace, last 15"),
    Feature(15, "home_away", SCHEDULE, "1 home, 0 away", 0, 1),
    Feature(16, "back_to_back", TEAM, "1 if the team played the day before", 0, 1),
    Feature(17, "playoff_game", SCHEDULE, "1 in play-in and playoffs", 0, 1, optional=True),
    Feature(18, "pct_paint", PLAYER, "share of shots from the paint, last 10", 0, optional=True),
    Feature(19, "pct_mid_range", PLAYER, "share of mid-range shots, last 10", 0, optional=True),
    Feature(20, "pct_three", PLAYER, "share of three-point shots, last 10", 0),
    Feature(21, "pct_free_throw", PLAYER, "share of points from the line, last 10", 0),
    Feature(22, "team_pace", TEAM, "team's pace, last 10"),
    Feature(23, "team_off_rating", TEAM, "team's offensive rating, last 10"),
    Feature(24, "team_win_pct", TEAM, "team's share of wins, season so far", 0, 1),
    Feature(25, "vegas_points_line", LINES, "newest points line before tip-off", 0, optional=True),
    Feature(26, "vegas_opening_line", LINES, "oldest points line", 0, optional=True),
    Feature(27, "vegas_line_move", LINES, "newest minus oldest line", optional=True),
    Feature(28, "has_vegas_line", LINES, "1 if a line is known", 0, 1, optional=True),
    Feature(29, "avg_points_vs_opponent", PLAYER, "points a game against this opponent", 0, optional=True),
    Feature(30, "games_vs_opponent", PLAYER, "games played against this opponent", 0),
    Feature(31, "minutes_avg_last_10", PLAYER, "minutes a game, last 10", 0, 100),
    Feature(32, "ppm_avg_last_10", PLAYER, "points a minute, last 10", 0),
    Feature(33, "dnp_rate", PLAYER, "share of games not played, last 10 rows", 0, 1),
    Feature(34, "pts_slope_10g", PLAYER, "least-squares slope of points, last 10"),
    Feature(35, "pts_vs_season_zscore", PLAYER, "last 5 above the season, in deviations", -3, 3),
    Feature(36, "breakout_flag", PLAYER, "1 if last 5 is 1.5 deviations above the season", 0, 1),
)

FEATURE_COUNT = len(FEATURES)
REQUIRED = tuple(feature.index for feature in FEATURES if not feature.optional)
