"""Output rows: computed values -> ``STAGED_FEATURES``, skipped targets -> ``STAGED_GAPS``.

Adds what follows from the values alone: provenance, quality, completeness and the digest
(features.md, section 3).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import Bools, Floats, Ints, from_days, single_chunk, to_nullable
from transforms.gaps import REASONS
from transforms.hashing import hash_rows
from transforms.kernels.player_windows import Windows
from transforms.schema import LABEL, STAGED_FEATURES, STAGED_GAPS
from transforms.vector import (
    FEATURE_COUNT,
    FEATURE_VERSION,
    FEATURES,
    MISSING,
    REQUIRED,
    SOURCES,
)
from transforms.windows import Window, gather

GAMES_EXPECTED = 10
TIERS = ((95, "gold"), (85, "silver"), (70, "bronze"), (50, "poor"))
LOWEST_TIER = "critical"
TIER_NAMES = (*(name for _, name in TIERS), LOWEST_TIER)


def build_features(w: Windows, rows: pa.Table, kept: Ints, values: Floats, early: Bools) -> pa.Table:
    missing = np.isnan(values)
    sources = np.array([SOURCES.index(f.source) for f in FEATURES], dtype=np.int8)[:, None]
    sources = np.where(missing, np.int8(SOURCES.index(MISSING)), sources)
    lacking = missing[list(REQUIRED)].sum(axis=0)
    score = QUALITY_SCORES[lacking]
    window = Window(w.last_10.low[kept], w.last_10.high[kept])
    rest = w.days_rest[kept]
    size = len(kept)
    columns: dict[str, pa.Array] = {
        name: single_chunk(rows, name)
        for name in (
            "player_lookup",
            "universal_player_id",
            "game_id",
            "game_date",
            "season_year",
            "team_abbr",
            "opponent_team_abbr",
            "is_home",
        )
    }
    columns["days_rest"] = to_nullable(rest).cast(pa.int64())
    columns["feature_version"] = pa.array([FEATURE_VERSION] * size, pa.string())
    columns["feature_count"] = pa.array(np.full(size, FEATURE_COUNT))
    for feature in FEATURES:
        columns[feature.value_column] = to_nullable(values[feature.index])
        columns[feature.source_column] = _label(sources[feature.index], SOURCES)
    columns["missing_required_count"] = pa.array(lacking.astype(np.int64))
    columns["feature_quality_score"] = pa.array(score)
    columns["quality_tier"] = _label(TIER_CODES[lacking], TIER_NAMES)
    columns["is_quality_ready"] = pa.array(lacking == 0)
    columns["early_season_flag"] = pa.array(early)
    columns["historical_completeness"] = _describe_completeness(w, window)
    columns["data_hash"] = hash_rows(values, sources)
    return pa.table({name: columns[name] for name in STAGED_FEATURES.names}).cast(STAGED_FEATURES)


def _score_quality(lacking: int) -> float:
    return round(100 * (len(REQUIRED) - lacking) / len(REQUIRED), 2)


QUALITY_SCORES = np.array([_score_quality(lacking) for lacking in range(len(REQUIRED) + 1)])
"""``feature_quality_score`` by the number of required features that are missing."""
TIER_CODES = np.array(
    [sum(score < low for low, _ in TIERS) for score in QUALITY_SCORES],
    dtype=np.int8,
)


def _label(codes: npt.NDArray[np.int8], texts: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(texts)).cast(LABEL)


def _describe_completeness(w: Windows, window: Window) -> pa.StructArray:
    found = window.size
    positions, offsets = gather(window)
    dates = from_days(w.rows.day[w.games][positions])
    return pa.StructArray.from_arrays(
        [
            pa.array(found),
            pa.array(np.full(len(found), GAMES_EXPECTED)),
            pa.array(found == GAMES_EXPECTED),
            pa.array(found < GAMES_EXPECTED),
            pa.ListArray.from_arrays(pa.array(offsets), dates),
        ],
        fields=list(STAGED_FEATURES.field("historical_completeness").type),
    )


def build_gaps(rows: pa.Table, reasons: npt.NDArray[np.int8], details: pa.Array) -> pa.Table:
    columns = {name: single_chunk(rows, name) for name in STAGED_GAPS.names if not name.startswith("skip_")}
    columns["skip_reason"] = _label(reasons, REASONS)
    columns["skip_detail"] = details
    return pa.table({name: columns[name] for name in STAGED_GAPS.names}).cast(STAGED_GAPS)
