"""The same rows give the same bytes, however the work is cut."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pytest
from leagues import Computed, League, make_league, run_kernels
from side_tables import make_sides, to_tables

from transforms.contracts import TargetSpec
from transforms.gaps import Admission
from transforms.side_tables import SIDE_TABLES

SEED = 2
Tables = dict[str, pa.Table]
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
    return make_league(SEED)


@pytest.fixture(scope="module")
def sides(league: League) -> Tables:
    """Side tables of every kind."""
    tables = to_tables(make_sides(SEED, league))
    assert len(tables) == len(SIDE_TABLES)
    return tables


@pytest.fixture(scope="module")
def spec(league: League) -> TargetSpec:
    days = sorted({row["game_date"] for row in league.rows})
    admission = Admission(include_injured=True)
    return TargetSpec(days[len(days) // 3], days[-1] + timedelta(days=6), admission, today=days[-1])


@pytest.fixture(scope="module")
def expected(league: League, sides: Tables, spec: TargetSpec) -> Said:
    found = digest(run_kernels(league.table(), spec, sides=sides))
    assert len(found) > 300
    return found


def shuffle(rng: random.Random, table: pa.Table) -> pa.Table:
    return table.take(rng.sample(range(table.num_rows), table.num_rows))


@pytest.mark.parametrize("buckets", [2, 7, 64])
def test_buckets_do_not_matter(
    league: League, sides: Tables, spec: TargetSpec, expected: Said, buckets: int
) -> None:
    assert digest(run_kernels(league.table(), spec, buckets=buckets, sides=sides)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_chunks_and_order_do_not_matter(
    league: League, sides: Tables, spec: TargetSpec, expected: Said, seed: int
) -> None:
    rng = random.Random(seed)
    rows = list(league.rows)
    rng.shuffle(rows)
    cuts = rng.sample(sorted({row["game_date"] for row in rows}), 9)
    shuffled = League(rows, league.columns).table()
    mixed = {path: shuffle(rng, table) for path, table in sides.items()}
    assert digest(run_kernels(shuffled, spec, cuts=cuts, buckets=3, sides=mixed)) == expected


def test_one_run_a_date_gives_what_one_run_gives(
    league: League, sides: Tables, spec: TargetSpec, expected: Said
) -> None:
    found: Said = {}
    for offset in range((spec.end - spec.start).days):
        day = spec.start + timedelta(days=offset)
        alone = replace(spec, start=day, end=day + timedelta(days=1))
        found |= digest(run_kernels(league.table(), alone, sides=sides))
    assert found == expected


def test_running_twice_leaves_no_state(
    league: League, sides: Tables, spec: TargetSpec, expected: Said
) -> None:
    table = league.table()
    before = [to_bytes(read) for read in (table, *sides.values())]
    assert digest(run_kernels(table, spec, sides=sides)) == expected
    assert digest(run_kernels(table, spec, sides=sides)) == expected
    assert [to_bytes(read) for read in (table, *sides.values())] == before
