"""The vectorised kernels against the slow, plain restatement: every value, source and reason."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from leagues import Computed, make_league, run_kernels
from oracle import OracleResult, compute

from transforms.contracts import TargetSpec
from transforms.gaps import Admission

REAL = Path(__file__).parents[3] / "shared" / "data" / "player_game_summary"
CONTEXT_IN_COMPLETENESS = ("games_found", "contributing_game_dates")


def find_differences(computed: Computed, expected: OracleResult) -> list[str]:
    """Every difference in keys, values (bit for bit), sources and context, in words."""
    found = [f"row {key}" for key in computed.features.keys() ^ expected.features.keys()]
    reasons = {key: gap.reason for key, gap in expected.gaps.items()}
    given = {key: gap["skip_reason"] for key, gap in computed.gaps.items()}
    found += [f"gap {key}: {given.get(key)} for {reasons.get(key)}" for key in given.keys() | reasons.keys()
              if given.get(key) != reasons.get(key)]  # fmt: skip
    for key in computed.features.keys() & expected.features.keys():
        row, wanted = computed.features[key], expected.features[key]
        for index, (value, source) in enumerate(zip(wanted.values, wanted.sources, strict=True)):
            got = (row[f"feature_{index}_value"], row[f"feature_{index}_source"])
            if repr(got) != repr((None if value is None else float(value), source)):
                found.append(f"{key} feature {index}: {got} for {(value, source)}")
        completeness = row["historical_completeness"]
        for name, value in wanted.context.items():
            got = completeness[name] if name in CONTEXT_IN_COMPLETENESS else row[name]
            if got != value:
                found.append(f"{key} {name}: {got!r} for {value!r}")
    return found


@pytest.mark.parametrize("seed", range(12))
def test_random_leagues_agree_with_the_oracle(seed: int) -> None:
    league = make_league(seed)
    rng = random.Random(seed)
    days = sorted({row["game_date"] for row in league.rows})
    start = rng.choice(days[len(days) // 3 :])
    end = days[-1] + timedelta(days=1)
    admission = Admission(rng.choice([0, 5, 14, 30]), rng.choice([0, 3, 5]))
    everyone = [(row["player_lookup"], row["game_date"]) for row in league.rows if row["player_lookup"]]
    stored = rng.sample(everyone, 40)
    computed = run_kernels(
        league.table(),
        TargetSpec(start, end, admission, today=end),
        cuts=rng.sample(days, 3),
        buckets=rng.choice([1, 3, 7]),
        stored=stored,
    )
    expected = compute(
        league.rows,
        set(league.columns),
        start,
        days[-1],
        bootstrap_days=admission.bootstrap_days,
        min_games=admission.min_games,
        stored_keys=frozenset(stored),
    )
    assert find_differences(computed, expected) == []
    assert sorted(computed.targets) == sorted([*expected.features, *expected.gaps])
    assert expected.features
    assert (computed.counts["rows_dropped"], computed.counts["rows_duplicate"]) == (
        expected.dropped,
        expected.duplicates,
    )
    assert computed.counts["rows_rejected"] == expected.rejected


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
