"""The same rows give the same bytes, however the work is cut."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pyarrow as pa
import pytest
from leagues import Computed, League, make_league, run_kernels

from transforms.contracts import TargetSpec

Said = dict[tuple[str, date], object]
"""What is said of every key: its row or its gap."""


def digest(computed: Computed) -> Said:
    """All of every row and gap, so that more than the hash is compared."""
    return dict(computed.features) | dict(computed.gaps)


def to_bytes(table: pa.Table) -> list[bytes]:
    """Every buffer of the table: NaN compares equal to itself here."""
    return [b.to_pybytes() for c in table.columns for k in c.chunks for b in k.buffers() if b is not None]


@pytest.fixture(scope="module")
def league() -> League:
    return make_league(5)


@pytest.fixture(scope="module")
def spec(league: League) -> TargetSpec:
    days = sorted({row["game_date"] for row in league.rows})
    return TargetSpec(days[len(days) // 3], days[-1] + timedelta(days=1), today=days[-1])


@pytest.fixture(scope="module")
def expected(league: League, spec: TargetSpec) -> Said:
    found = digest(run_kernels(league.table(), spec))
    assert len(found) > 300
    return found


@pytest.mark.parametrize("buckets", [2, 7, 64])
def test_buckets_do_not_matter(league: League, spec: TargetSpec, expected: Said, buckets: int) -> None:
    assert digest(run_kernels(league.table(), spec, buckets=buckets)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_chunks_and_order_do_not_matter(league: League, spec: TargetSpec, expected: Said, seed: int) -> None:
    rng = random.Random(seed)
    rows = list(league.rows)
    rng.shuffle(rows)
    cuts = rng.sample(sorted({row["game_date"] for row in rows}), 9)
    shuffled = League(rows, league.columns).table()
    assert digest(run_kernels(shuffled, spec, cuts=cuts, buckets=3)) == expected


def test_one_run_a_date_gives_what_one_run_gives(league: League, spec: TargetSpec, expected: Said) -> None:
    found: Said = {}
    for offset in range((spec.end - spec.start).days):
        day = spec.start + timedelta(days=offset)
        found |= digest(run_kernels(league.table(), TargetSpec(day, day + timedelta(days=1), today=day)))
    assert found == expected


def test_running_twice_leaves_no_state(league: League, spec: TargetSpec, expected: Said) -> None:
    table = league.table()
    before = to_bytes(table)
    assert digest(run_kernels(table, spec)) == expected
    assert digest(run_kernels(table, spec)) == expected
    assert to_bytes(table) == before
