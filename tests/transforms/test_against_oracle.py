"""The vectorised kernels against the slow, plain restatement: every value, source and reason."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from agreement import find_differences
from leagues import Computed, League, make_league, run_kernels
from oracle import OracleResult, Sides, compute
from side_tables import make_sides, to_tables

from transforms.contracts import TargetSpec
from transforms.gaps import Admission

REAL = Path(__file__).parents[3] / "shared" / "data" / "player_game_summary"
COUNTS = {
    "upcoming_rejected": "upcoming_rejected",
    "upcoming_exhibitions": "upcoming_dropped",
    "upcoming_postponed": "upcoming_postponed",
    "upcoming_duplicates": "upcoming_duplicates",
    "reports_rejected": "reports_rejected",
    "reports_unknown_status": "reports_unknown",
    "lines_rejected": "lines_rejected",
    "aliases_ambiguous": "aliases_ambiguous",
    "aliases_circular": "aliases_circular",
}
"""Our counts and the oracle's."""


def compare(league: League, sides: Sides, rng: random.Random) -> tuple[Computed, OracleResult]:
    """The same random request to the kernels, cut at random, and to the oracle."""
    days = sorted({row["game_date"] for row in league.rows})
    start, last = rng.choice(days[len(days) // 3 :]), days[-1] + timedelta(days=6)
    admission = Admission(rng.choice([0, 5, 14, 30]), rng.choice([0, 3, 5]), rng.random() < 0.5)
    today = days[-1] + timedelta(days=rng.randint(0, 5))
    options = {
        "bootstrap_days": admission.bootstrap_days,
        "min_games": admission.min_games,
        "sides": sides,
        "today": today,
    }
    known = compute(league.rows, set(league.columns), start, last, include_injured=True, **options)
    injured = [key for key, origin in known.origins.items() if origin == "injured"]
    everyone = [(row["player_lookup"], row["game_date"]) for row in league.rows if row["player_lookup"]]
    stored = [*rng.sample(everyone, 40), *rng.sample(injured, len(injured) // 3)]
    computed = run_kernels(
        league.table(),
        TargetSpec(start, last + timedelta(days=1), admission, today=today),
        cuts=rng.sample(days, 3),
        buckets=rng.choice([1, 3, 7]),
        stored=stored,
        sides=to_tables(sides),
    )
    expected = compute(
        league.rows,
        set(league.columns),
        start,
        last,
        stored_keys=frozenset(stored),
        include_injured=admission.include_injured,
        **options,
    )
    return computed, expected


@pytest.mark.parametrize("with_sides", [True, False], ids=["side tables", "box scores alone"])
@pytest.mark.parametrize("seed", range(12))
def test_random_leagues_agree_with_the_oracle(seed: int, with_sides: bool) -> None:
    league = make_league(seed)
    sides = make_sides(seed, league) if with_sides else Sides()
    computed, expected = compare(league, sides, random.Random(seed))
    assert find_differences(computed, expected) == []
    assert sorted(computed.targets) == sorted([*expected.features, *expected.gaps])
    assert expected.features
    assert (computed.counts["rows_dropped"], computed.counts["rows_duplicate"]) == (
        expected.dropped,
        expected.duplicates,
    )
    assert computed.counts["rows_rejected"] == expected.rejected
    counts = {ours: computed.counts.get(ours, 0) for ours in COUNTS}
    assert counts == {ours: expected.counts[theirs] for ours, theirs in COUNTS.items()}


def test_the_random_leagues_hold_what_they_should() -> None:
    """Guards the tests above against leagues that grew tame."""
    spec = [make_league(seed) for seed in range(12)]
    results = [
        run_kernels(league.table(), TargetSpec(date(2017, 1, 1), date(2022, 1, 1), today=date(2022, 1, 1)))
        for league in spec
    ]
    reasons = {gap["skip_reason"] for result in results for gap in result.gaps.values()}
    assert reasons == {"invalid_input", "bootstrap", "no_history", "missing_dependency"}
    for name in ("rows_dropped", "rows_duplicate", "rows_invalid", "rows_rejected", "numbers_not_finite"):
        assert sum(result.counts[name] for result in results) > 0, name
    sources = {
        index: {row[f"feature_{index}_source"] for result in results for row in result.features.values()}
        for index in range(37)
    }
    never_known = [index for index, found in sources.items() if found == {"missing"}]
    assert never_known == [10, 25, 26, 27, 28]
    details = {gap["skip_detail"] for result in results for gap in result.gaps.values()}
    assert len(details) > 10


@pytest.mark.skipif(not REAL.is_dir(), reason="the real box scores are not beside the project")
@pytest.mark.slow
@pytest.mark.parametrize("year", [2018, 2021])
def test_every_target_of_a_real_season_agrees_with_the_oracle(year: int) -> None:
    rows = pa.concat_tables([pq.read_table(REAL / f"season_{y}.parquet") for y in (year - 1, year)])
    start, end = date(year, 10, 1), date(year + 1, 7, 31)
    window = pc.greater_equal(rows.column("game_date"), pa.scalar(start - timedelta(days=365)))
    rows = rows.filter(window)
    computed = run_kernels(rows, TargetSpec(start, end + timedelta(days=1), today=end), buckets=3)
    expected = compute(rows.to_pylist(), set(rows.column_names), start, end)
    assert find_differences(computed, expected) == []
    assert len(expected.features) > 20_000
