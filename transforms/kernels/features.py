"""The vector of every target: each feature under its registered name, put in index order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from transforms.arrays import Floats, single_chunk, to_known
from transforms.kernels import matchup, player
from transforms.kernels.player_windows import Windows
from transforms.kernels.team_context import DEFENCE
from transforms.vector import FEATURES

NUMBERS = ("age", "playoff", "injury_risk", "line", "opening_line", "has_line")
"""The facts of a target that are numbers, NaN where unknown."""


def compute_values(
    w: Windows, targets: pa.Table, own: dict[str, Floats], opponent: dict[str, Floats]
) -> Floats:
    """The vector of every target: float64[features, targets], NaN where NULL.

    ``targets`` gives only what features may use of the target itself: its home flag and its facts
    (``facts.FACT_FIELDS``).
    """
    home = to_known(single_chunk(targets, "is_home"))
    fact = {name: single_chunk(targets, name).to_numpy() for name in NUMBERS}
    zones = [opponent[name] for name in DEFENCE]
    v: dict[str, Floats] = {
        "points_avg_last_5": player.points_avg_last_5(w),
        "points_avg_last_10": player.points_avg_last_10(w),
        "points_avg_season": player.points_avg_season(w),
        "points_std_last_10": player.points_std_last_10(w),
        "games_in_last_7_days": player.games_in_last_7_days(w),
        "fatigue_score": player.fatigue_score(w, own["played_yesterday"], fact["age"]),
        "shot_zone_mismatch_score": matchup.shot_zone_mismatch_score(w, zones),
        "pace_score": matchup.pace_score(own["pace_last_10"], opponent["pace_last_15"]),
        "usage_spike_score": player.usage_spike_score(w),
        "rest_advantage": matchup.rest_advantage(own["rest_days"], opponent["rest_days"]),
        "injury_risk": fact["injury_risk"],
        "recent_trend": player.recent_trend(w),
        "minutes_change": player.minutes_change(w),
        "opponent_def_rating": opponent["defensive_rating_last_15"],
        "opponent_pace": opponent["pace_last_15"],
        "home_away": np.where(home.known, home.values, np.nan),
        "back_to_back": own["played_yesterday"],
        "playoff_game": fact["playoff"],
        "pct_paint": player.pct_paint(w),
        "pct_mid_range": player.pct_mid_range(w),
        "pct_three": player.pct_three(w),
        "pct_free_throw": player.pct_free_throw(w),
        "team_pace": own["pace_last_10"],
        "team_off_rating": own["offensive_rating_last_10"],
        "team_win_pct": own["win_pct"],
        "vegas_points_line": fact["line"],
        "vegas_opening_line": fact["opening_line"],
        "vegas_line_move": fact["line"] - fact["opening_line"],
        "has_vegas_line": fact["has_line"],
        "avg_points_vs_opponent": player.avg_points_vs_opponent(w),
        "games_vs_opponent": player.games_vs_opponent(w),
        "minutes_avg_last_10": player.minutes_avg_last_10(w),
        "ppm_avg_last_10": player.ppm_avg_last_10(w),
        "dnp_rate": player.dnp_rate(w),
        "pts_slope_10g": player.pts_slope_10g(w),
    }
    relative = (v["points_avg_last_5"], v["points_avg_season"], v["points_std_last_10"])
    v["pts_vs_season_zscore"] = player.pts_vs_season_zscore(*relative)
    v["breakout_flag"] = player.breakout_flag(*relative)
    # adding 0.0 turns -0.0 into 0.0 and leaves everything else
    return np.stack([v[feature.name] + 0.0 for feature in FEATURES])
