"""The digest, against its documented layout spelt out with Python integers."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from transforms import hashing
from transforms.hashing import assign_buckets, hash_rows
from transforms.vector import FEATURE_COUNT, FEATURES, MISSING, SOURCES

MASK = 2**64 - 1
Vectors = tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]


def hash_one(values: list[float | None], sources: list[str], version: str) -> str:
    words = [int.from_bytes(hashlib.sha256(version.encode()).digest()[:8], "little")]
    words += [0 if v is None else int.from_bytes(struct.pack("<d", v), "little") for v in values]
    packed = [0, 0, 0]
    for index, source in enumerate(sources):
        packed[index // 16] |= (SOURCES.index(source) + 1) << (4 * (index % 16))
    digest = ""
    for seed, prime in (
        (0x243F6A8885A308D3, 0x9E3779B97F4A7C15),
        (0x13198A2E03707344, 0xC2B2AE3D27D4EB4F),
    ):
        lane = seed
        for word in [*words, *packed]:
            lane = ((lane ^ word) * prime) & MASK
            lane ^= lane >> 32
        lane = (lane * 0xD6E8FEB86659FD93) & MASK
        lane ^= lane >> 29
        digest += f"{lane:016x}"
    return digest


@pytest.fixture
def vectors() -> Vectors:
    rng = np.random.default_rng(11)
    values = rng.normal(10, 5, (FEATURE_COUNT, 200))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, 0] = 0.0
    own = np.array([SOURCES.index(feature.source) for feature in FEATURES], dtype=np.int8)
    sources = np.where(np.isnan(values), SOURCES.index(MISSING), own[:, None]).astype(np.int8)
    return values, sources


def test_the_digest_is_the_documented_one(vectors: Vectors) -> None:
    values, sources = vectors
    expected = [
        hash_one(
            [None if np.isnan(v) else float(v) for v in values[:, row]],
            [SOURCES[ordinal] for ordinal in sources[:, row]],
            "v3_37features",
        )
        for row in range(values.shape[1])
    ]
    assert hash_rows(values, sources).to_pylist() == expected
    assert hash_rows(np.empty((FEATURE_COUNT, 0)), np.empty((FEATURE_COUNT, 0), np.int8)).to_pylist() == []


def test_every_value_source_and_the_version_reach_the_digest(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, sources = (array[:, :1] for array in vectors)
    seen = {hash_rows(values, sources)[0].as_py()}
    for index in range(FEATURE_COUNT):
        other = values.copy()
        other[index] = np.nextafter(other[index], np.inf) if not np.isnan(other[index]).any() else 1.0
        seen.add(hash_rows(other, sources)[0].as_py())
        named = sources.copy()
        named[index] = (named[index] + 1) % len(SOURCES)
        seen.add(hash_rows(values, named)[0].as_py())
    monkeypatch.setattr(hashing, "VERSION_WORD", hashing.VERSION_WORD ^ 1)
    seen.add(hash_rows(values, sources)[0].as_py())
    assert len(seen) == 2 * FEATURE_COUNT + 2


def test_buckets_are_stable_and_spread() -> None:
    names = pa.array([f"player{n}" for n in range(1000)] + [None])
    buckets = assign_buckets(names, 7)
    assert buckets[:6].tolist() == [3, 0, 4, 0, 2, 1]
    assert np.array_equal(buckets, assign_buckets(names, 7))
    assert np.bincount(buckets).min() > 100
    assert set(assign_buckets(names, 1).tolist()) == {0}
