"""Features that set a player or team against an opponent.

``own`` and ``opponent`` are the team-context figures of the target's team and of its opponent,
float64[targets], NaN where unknown. The definitions are features.md, sections 2 and 2.2.
"""

from __future__ import annotations

import numpy as np

from transforms.arrays import Floats, divide
from transforms.kernels.player import zone_attempts
from transforms.kernels.player_windows import Windows


def pace_score(own_pace: Floats, opponent_pace: Floats) -> Floats:
    """From features 22 and 14."""
    return np.clip((opponent_pace - own_pace) / 2, -3, 3)


def rest_advantage(own_rest: Floats, opponent_rest: Floats) -> Floats:
    return np.clip(own_rest - opponent_rest, -2, 2)


def shot_zone_mismatch_score(w: Windows, defence: list[Floats]) -> Floats:
    """``defence``: the opponent's figure in paint, mid-range and threes (section 2.2)."""
    zones, given = zone_attempts(w)
    tried = [
        w.total(f"zone {index}", np.where(given, zone.values, 0), w.last_10)
        for index, zone in enumerate(zones)
    ]
    everywhere = tried[0] + tried[1] + tried[2]
    paint, mid_range, three = tried
    chosen = np.select(
        [100 * paint >= 40 * everywhere, 100 * three >= 40 * everywhere],
        [0, 2],
        np.where(100 * mid_range >= 35 * everywhere, 1, 0),
    )
    rate = divide(100 * np.choose(chosen, tried), everywhere)
    score = np.choose(chosen, defence) * np.minimum(rate / 50, 1)
    score = np.where(np.abs(score) > 5, score * 1.2, score)
    return np.clip(score, -10, 10)
