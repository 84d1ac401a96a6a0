"""Whether a stored feature row agrees with itself: values, sources, quality and digest.

Nothing is computed again from box scores here: a row that holds is what some run wrote, or was
changed by somebody who knows the digest. What the kernels give today is ``explain``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, single_chunk
from transforms.hashing import hash_rows
from transforms.rows import QUALITY_SCORES, TIER_CODES, TIER_NAMES
from transforms.vector import FEATURES, MISSING, REQUIRED, SOURCES

_MISSING = SOURCES.index(MISSING)
_OWN = np.array([SOURCES.index(feature.source) for feature in FEATURES], dtype=np.int8)[:, None]
_LOW, _HIGH = (
    np.array([[np.nan if bound is None else bound] for bound in bounds])
    for bounds in ([feature.low for feature in FEATURES], [feature.high for feature in FEATURES])
)


@dataclass(frozen=True)
class Verdict:
    """Which rows break what; bool[features, rows] for values and sources, bool[rows] else.

    ``quality`` by column.
    """

    values: Bools
    sources: Bools
    quality: Mapping[str, Bools]
    hashes: Bools


def verify_rows(vectors: pa.Table) -> Verdict:
    """What the rows (``ledger_rows.STORED_VECTORS``) break."""
    columns = [single_chunk(vectors, feature.value_column) for feature in FEATURES]
    values = np.array([column.to_numpy(zero_copy_only=False) for column in columns], dtype=np.float64)
    known = np.array([column.is_valid().to_numpy(zero_copy_only=False) for column in columns], dtype=bool)
    sources = np.array(
        [single_chunk(vectors, feature.source_column).to_numpy(zero_copy_only=False) for feature in FEATURES],
        dtype=np.int8,
    )
    lacking = (sources[list(REQUIRED)] == _MISSING).sum(axis=0)
    follows = {
        "missing_required_count": pa.array(lacking, pa.int64()),
        "feature_quality_score": pa.array(QUALITY_SCORES[lacking]),
        "quality_tier": pa.array(TIER_NAMES).take(pa.array(TIER_CODES[lacking])),
        "is_quality_ready": pa.array(lacking == 0),
    }
    return Verdict(
        values=known & (~np.isfinite(values) | (values < _LOW) | (values > _HIGH)),
        sources=sources != np.where(known, _OWN, np.int8(_MISSING)),
        quality={name: _differ(single_chunk(vectors, name), right) for name, right in follows.items()},
        # an unknown source is packed as 0, which no known one is
        hashes=_differ(single_chunk(vectors, "data_hash"), hash_rows(values, sources)),
    )


def _differ(stored: pa.Array, right: pa.Array) -> Bools:
    same = pc.fill_null(pc.equal(stored, right), False)
    differ: Bools = ~same.to_numpy(zero_copy_only=False)
    return differ
