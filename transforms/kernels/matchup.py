"""Features that set a player or team against an opponent, and those of the game itself.

``own`` and ``opponent`` are the team-context figures of the target's team and of its opponent,
float64[targets], NaN where unknown. The definitions are features.md, sections 2, 2.2 and 2.6.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, Floats, divide, to_codes
from transforms.cleaning import read_letters
from transforms.kernels.player import zone_attempts
from transforms.kernels.player_windows import Windows

PLAYOFF_TYPES = "playoff|playin|postseason"
REGULAR_TYPES = "regular|cup|tournament"
PLAYOFF_IDS, REGULAR_IDS = "^00[45][0-9]{7}$", "^00[26][0-9]{7}$"


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


def tell_playoff(season_type: pa.DictionaryArray, game_id: pa.DictionaryArray) -> Floats:
    """1 in play-in and playoffs, 0 in the regular season, NaN when nothing tells.

    The season type tells first, then an NBA game id of ten digits.
    """
    letters = read_letters(season_type.dictionary)
    by_type = _tell(season_type, letters, PLAYOFF_TYPES, REGULAR_TYPES)
    by_id = _tell(game_id, game_id.dictionary, PLAYOFF_IDS, REGULAR_IDS)
    return np.where(np.isnan(by_type), by_id, by_type)


def _tell(column: pa.DictionaryArray, texts: pa.Array, yes: str, no: str) -> Floats:
    codes = to_codes(column)
    told = np.full(len(texts) + 1, np.nan)
    told[:-1][_matches(texts, no)] = 0.0
    told[:-1][_matches(texts, yes)] = 1.0
    values: Floats = told[codes]
    return values


def _matches(texts: pa.Array, pattern: str) -> Bools:
    flags = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    matched: Bools = flags.to_numpy(zero_copy_only=False)
    return matched
