"""The registry of the feature vector ``v3_37features``: one entry a feature, in index order.

Models index by position, so features are appended, never inserted or renumbered. Column names,
provenance, the optional set, the ranges that the audit checks, the named view and what ``explain``
shows all come from here; how a value is computed stands in ``transforms.kernels``, under the name
given here.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms import basis
from transforms.basis import Basis

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

    ``missing_when`` ends the sentence "the value is missing when ...".
    ``low`` and ``high`` bound every value, inclusive (None: unbounded on that side); the audit
    refuses what lies outside. ``optional``: its absence does not lower readiness.
    """

    index: int
    name: str
    source: str
    definition: str
    missing_when: str
    basis: Basis
    low: float | None = None
    high: float | None = None
    optional: bool = False

    @property
    def value_column(self) -> str:
        return f"feature_{self.index}_value"

    @property
    def source_column(self) -> str:
        return f"feature_{self.index}_source"


NO_GAME = "there is no game"
NO_LINE = "there is no line before tip-off"
NO_ZONES = "no game has shots by zone, or there was no shot"
NO_PACE = "no pace of these games is known"
NO_RATING = "no rating of these games is known"
TOO_FEW = "there are fewer than 5 games"

FEATURES: tuple[Feature, ...] = (
    Feature(0, "points_avg_last_5", PLAYER, "points a game, last 5", NO_GAME, basis.LAST_5, 0),
    Feature(1, "points_avg_last_10", PLAYER, "points a game, last 10", NO_GAME, basis.LAST_10, 0),
    Feature(
        2,
        "points_avg_season",
        PLAYER,
        "points a game, season so far",
        "there is no game of the season yet",
        basis.SEASON,
        0,
    ),
    Feature(
        3,
        "points_std_last_10",
        PLAYER,
        "sample standard deviation of points, last 10",
        "there are fewer than 2 games",
        basis.LAST_10,
        0,
    ),
    Feature(
        4, "games_in_last_7_days", PLAYER, "games played in the 7 days before", "never", basis.LAST_WEEK, 0, 7
    ),
    Feature(
        5,
        "fatigue_score",
        PLAYER,
        "100 = fresh; back-to-back, load, rest and age",
        "there is no game in the 365 days before",
        basis.LOAD,
        0,
        100,
    ),
    Feature(
        6,
        "shot_zone_mismatch_score",
        MATCHUP,
        "opponent's defence of the player's primary zone against the league's",
        "the zone columns are absent, or either side has no shots by zone",
        basis.ZONES,
        -10,
        10,
        optional=True,
    ),
    Feature(
        7,
        "pace_score",
        TEAM,
        "half the opponent's pace above the team's own",
        "either pace is unknown",
        basis.PACES,
        -3,
        3,
    ),
    Feature(
        8,
        "usage_spike_score",
        PLAYER,
        "0.3 x usage of last 3 above last 10",
        "there are fewer than 3 games, or no usage of the last 3 is known",
        basis.USAGE,
        -3,
        3,
    ),
    Feature(
        9,
        "rest_advantage",
        TEAM,
        "team's rest days minus the opponent's",
        "either team has no earlier game in the 365 days before",
        basis.RESTS,
        -2,
        2,
    ),
    Feature(
        10,
        "injury_risk",
        INJURY,
        "0 available to 3 out, newest report before tip-off",
        "no report of the date is there before tip-off, or its text is not known",
        basis.REPORT,
        0,
        3,
        optional=True,
    ),
    Feature(
        11,
        "recent_trend",
        PLAYER,
        "newest two of the last 5 against the older three",
        TOO_FEW,
        basis.TREND,
        -2,
        2,
    ),
    Feature(
        12,
        "minutes_change",
        PLAYER,
        "minutes of last 10 against the season's",
        "no minutes are known in the last 10 or in the season",
        basis.MINUTES_CHANGE,
        -2,
        2,
    ),
    Feature(
        13,
        "opponent_def_rating",
        TEAM,
        "opponent's defensive rating, last 15",
        NO_RATING,
        basis.OPPONENT_DEFENCE,
    ),
    Feature(14, "opponent_pace", TEAM, "opponent's pace, last 15", NO_PACE, basis.OPPONENT_PACE),
    Feature(15, "home_away", SCHEDULE, "1 home, 0 away", "is_home is unknown", basis.HOME, 0, 1),
    Feature(
        16,
        "back_to_back",
        TEAM,
        "1 if the team played the day before",
        "the team has no game in the 365 days before",
        basis.YESTERDAY,
        0,
        1,
    ),
    Feature(
        17,
        "playoff_game",
        SCHEDULE,
        "1 in play-in and playoffs",
        "neither season_type, schedule nor game_id tells",
        basis.KIND_OF_GAME,
        0,
        1,
        optional=True,
    ),
    Feature(
        18,
        "pct_paint",
        PLAYER,
        "share of shots from the paint, last 10",
        NO_ZONES,
        basis.SHOTS,
        0,
        optional=True,
    ),
    Feature(
        19,
        "pct_mid_range",
        PLAYER,
        "share of mid-range shots, last 10",
        NO_ZONES,
        basis.SHOTS,
        0,
        optional=True,
    ),
    Feature(
        20,
        "pct_three",
        PLAYER,
        "share of three-point shots, last 10",
        "there was no shot, or they are unknown",
        basis.THREES,
        0,
    ),
    Feature(
        21,
        "pct_free_throw",
        PLAYER,
        "share of points from the line, last 10",
        "there are fewer than 5 games in which both are known, or no points",
        basis.FREE_THROWS,
        0,
    ),
    Feature(22, "team_pace", TEAM, "team's pace, last 10", NO_PACE, basis.OWN_PACE),
    Feature(23, "team_off_rating", TEAM, "team's offensive rating, last 10", NO_RATING, basis.OWN_OFFENCE),
    Feature(
        24,
        "team_win_pct",
        TEAM,
        "team's share of wins, season so far",
        "no game of the team's season has a result yet",
        basis.OWN_RESULTS,
        0,
        1,
    ),
    Feature(
        25,
        "vegas_points_line",
        LINES,
        "newest points line before tip-off",
        NO_LINE,
        basis.LINE,
        0,
        optional=True,
    ),
    Feature(
        26, "vegas_opening_line", LINES, "oldest points line", NO_LINE, basis.OPENING_LINE, 0, optional=True
    ),
    Feature(
        27, "vegas_line_move", LINES, "newest minus oldest line", NO_LINE, basis.LINE_MOVE, optional=True
    ),
    Feature(
        28,
        "has_vegas_line",
        LINES,
        "1 if a line is known",
        "no line of the date is there before tip-off",
        basis.LINE_OFFERED,
        0,
        1,
        optional=True,
    ),
    Feature(
        29,
        "avg_points_vs_opponent",
        PLAYER,
        "points a game against this opponent",
        "there is no game against this opponent",
        basis.POINTS_AGAINST,
        0,
        optional=True,
    ),
    Feature(
        30,
        "games_vs_opponent",
        PLAYER,
        "games played against this opponent",
        "the opponent is unknown",
        basis.GAMES_AGAINST,
        0,
    ),
    Feature(
        31,
        "minutes_avg_last_10",
        PLAYER,
        "minutes a game, last 10",
        "no minutes are known",
        basis.MINUTES,
        0,
        100,
    ),
    Feature(
        32,
        "ppm_avg_last_10",
        PLAYER,
        "points a minute, last 10",
        "no game has known minutes above 0",
        basis.POINTS_AND_MINUTES,
        0,
    ),
    Feature(
        33,
        "dnp_rate",
        PLAYER,
        "share of games not played, last 10 rows",
        "there are fewer than 3 rows",
        basis.ROWS,
        0,
        1,
    ),
    Feature(34, "pts_slope_10g", PLAYER, "least-squares slope of points, last 10", TOO_FEW, basis.LAST_10),
    Feature(
        35,
        "pts_vs_season_zscore",
        PLAYER,
        "last 5 above the season, in deviations",
        "one of the three is missing, or the deviation is 0",
        basis.FORM,
        -3,
        3,
    ),
    Feature(
        36,
        "breakout_flag",
        PLAYER,
        "1 if last 5 is 1.5 deviations above the season",
        "one of the three is missing",
        basis.FORM,
        0,
        1,
    ),
)

FEATURE_COUNT = len(FEATURES)
REQUIRED = tuple(feature.index for feature in FEATURES if not feature.optional)
