"""The digest of a feature row, and the stable hash that assigns players to buckets.

``data_hash`` is a 128-bit digest written as 32 lower-case hex digits. It covers 40 unsigned
64-bit words, in this order:

====== =====================================================================================
word   content
====== =====================================================================================
0      the first 8 bytes, little-endian, of SHA-256 of the feature version in UTF-8
1-37   the binary64 bits of features 0-36; 0 where the value is NULL
38-40  the sources: feature i's ordinal in ``vector.SOURCES`` plus 1, as 4 bits at bit
       ``4 * (i % 16)`` of word ``38 + i // 16``
====== =====================================================================================

Two lanes start at ``LANE_SEEDS``. Each word w updates a lane h by
``h = (h ^ w) * LANE_PRIMES[lane]; h ^= h >> 32`` (modulo 2**64); at the end each lane is finished
by ``h *= FINISH; h ^= h >> 29``. The digest is lane 0 then lane 1, each as 16 hex digits, most
significant first. Every step is a bijection of the lane for a given word, so rows that differ in
one word never collide in that lane. It guards against change, not against an adversary.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import Codes, Floats
from transforms.vector import FEATURE_VERSION

LANE_SEEDS = (0x243F6A8885A308D3, 0x13198A2E03707344)
LANE_PRIMES = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
FINISH = 0xD6E8FEB86659FD93
VERSION_WORD = int.from_bytes(hashlib.sha256(FEATURE_VERSION.encode()).digest()[:8], "little")

Words = npt.NDArray[np.uint64]
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def hash_rows(values: Floats, sources: npt.NDArray[np.int8]) -> pa.Array:
    """``data_hash`` of each row.

    ``values`` float64[features, rows], NaN where NULL and without -0.0; ``sources``
    int8[features, rows], ordinals in ``vector.SOURCES``.
    """
    rows = values.shape[1]
    words = [np.full(rows, VERSION_WORD, dtype=np.uint64)]
    words += [np.where(np.isnan(v), 0.0, v).view(np.uint64) for v in values]
    words += _pack_sources(sources)
    lanes = [_mix(words, seed, prime) for seed, prime in zip(LANE_SEEDS, LANE_PRIMES, strict=True)]
    return _to_hex(np.stack(lanes, axis=1))


def _pack_sources(sources: npt.NDArray[np.int8]) -> list[Words]:
    packed = [np.zeros(sources.shape[1], dtype=np.uint64) for _ in range(-(-len(sources) // 16))]
    for index, ordinal in enumerate(sources):
        shift = np.uint64(4 * (index % 16))
        packed[index // 16] |= (ordinal + 1).astype(np.uint64) << shift
    return packed


def _mix(words: Sequence[Words], seed: int, prime: int) -> Words:
    lane = np.full(len(words[0]), seed, dtype=np.uint64)
    spare = np.empty_like(lane)
    for word in words:
        lane ^= word
        lane *= np.uint64(prime)
        np.right_shift(lane, np.uint64(32), out=spare)
        lane ^= spare
    lane *= np.uint64(FINISH)
    lane ^= lane >> np.uint64(29)
    return lane


def _to_hex(lanes: Words) -> pa.Array:
    """Text of 16 hex digits a lane; ``lanes`` uint64[rows, lanes]."""
    octets = lanes.astype(">u8").view(np.uint8).reshape(len(lanes), 8 * lanes.shape[1])
    digits = np.empty((len(octets), octets.shape[1] * 2), dtype=np.uint8)
    digits[:, 0::2] = _HEX[octets >> 4]
    digits[:, 1::2] = _HEX[octets & 15]
    width = digits.shape[1]
    offsets = np.arange(len(octets) + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(len(octets), pa.py_buffer(offsets), pa.py_buffer(digits.reshape(-1)))


def assign_buckets(names: pa.Array, buckets: int) -> Codes:
    """The bucket of each distinct name: CRC-32 of its UTF-8 bytes modulo ``buckets``.

    The same on every machine and in every process. ``names`` are distinct values (hundreds), not
    rows; a NULL gets bucket 0.
    """
    crcs = [zlib.crc32(name.encode()) if name is not None else 0 for name in names.to_pylist()]
    return (np.array(crcs, dtype=np.int64) % buckets).astype(np.int32)
