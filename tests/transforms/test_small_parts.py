"""The registry, the windows, the coder, the reasons and the timers."""

from __future__ import annotations

import ast
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam import coders
from hamcrest import assert_that, close_to, has_entries

import transforms
from transforms import arrow
from transforms.arrays import to_batch
from transforms.gaps import NO_GAP, REASONS, Admission, Evidence, describe_gaps, find_gaps
from transforms.kernels import features, matchup, player
from transforms.timing import StageTimer, summarize_stages
from transforms.vector import FEATURES, REQUIRED
from transforms.windows import Window, mean_over, order_key, running_sum, sum_over, window_bounds


def test_the_registry_is_the_contract() -> None:
    assert [feature.index for feature in FEATURES] == list(range(37))
    assert len({feature.name for feature in FEATURES}) == 37
    assert {feature.index for feature in FEATURES if feature.optional} == {
        6,
        10,
        17,
        18,
        19,
        25,
        26,
        27,
        28,
        29,
    }
    assert len(REQUIRED) == 27


def test_every_name_in_the_vector_is_registered() -> None:
    """A value computed under a misspelt name would silently be missing."""
    tree = ast.parse(Path(features.__file__).read_text(encoding="utf-8"))
    used = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier()
    }
    names = {feature.name for feature in FEATURES}
    assert names & used == names
    functions = {name for module in (player, matchup) for name in vars(module)}
    assert {"points_std_last_10", "fatigue_score", "shot_zone_mismatch_score", "breakout_flag"} <= functions


ON_BEAM = ("arrow.py", "stages.py", "staging.py", "timing.py")


def test_the_ground_floor_imports_nothing_from_above() -> None:
    for path in Path(transforms.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] == "pipeline" for name in names), path
            if path.name not in ON_BEAM:
                assert not any(name.startswith("apache_beam") for name in names), path


def test_a_window_holds_its_first_day_and_not_its_target() -> None:
    days = np.array([0, 10, 364, 365, 366, 0])
    keys = order_key(np.array([0, 0, 0, 0, 0, 1]), days)
    window = window_bounds(keys, np.array([0, 1, 2]), np.array([365, 365, 365]), 365)
    assert (window.low.tolist(), window.high.tolist()) == ([0, 5, 6], [3, 6, 6])
    assert window.last(2).low.tolist() == [1, 5, 6]
    assert sum_over(running_sum(days), window).tolist() == [374, 0, 0]


def test_a_mean_skips_what_is_unknown_and_sums_from_the_oldest() -> None:
    values = np.array([1e16, 1.0, 1.0, np.nan, -1e16])
    window = Window(np.array([0, 3, 1, 4]), np.array([5, 4, 4, 4]))
    means = mean_over(values, window, 5)
    assert means[0] == ((1e16 + 1.0) + 1.0 - 1e16) / 4
    assert np.isnan(means[1])
    assert means[2] == 1.0
    assert np.isnan(means[3])
    assert mean_over(np.array([]), Window(np.array([0]), np.array([0])), 3).tolist() != [0.0]


def test_batches_travel_as_arrow_and_a_slice_carries_only_itself() -> None:
    coder = coders.registry.get_coder(pa.RecordBatch)
    assert isinstance(coder, arrow.RecordBatchCoder)
    table = pa.table({"n": range(100_000), "label": pa.array(["a", "b"] * 50_000).dictionary_encode()})
    batch = to_batch(table)
    part = batch.slice(500, 10)
    encoded = coder.encode(part)
    assert len(encoded) < 2_000
    assert coder.decode(encoded).equals(part)
    assert to_batch(table.slice(0, 0)).num_rows == 0


def test_the_shuffle_uses_the_arrow_coder() -> None:
    with beam.Pipeline("FnApiRunner") as pipeline:
        pairs = pipeline | beam.Create([1]) | beam.Map(_pair).with_output_types(tuple[int, pa.RecordBatch])
        grouped = pairs | beam.GroupByKey()
        assert "RecordBatchCoder" in repr(coders.registry.get_coder(pairs.element_type))
        assert grouped.element_type is not None


def _pair(number: int) -> tuple[int, pa.RecordBatch]:
    return number, pa.RecordBatch.from_pydict({"n": [number]})


def test_the_first_reason_that_applies_is_given() -> None:
    rows = [  # invalid, stored, days after the season's first, games, team games, registered, no-show
        (3, False, 0, 0, False, False, True), (0, False, 13, 4, True, True, False),
        (0, False, 14, 4, True, True, False), (0, False, 0, 5, True, True, False),
        (0, True, 0, 4, True, True, False), (0, True, 0, 0, True, True, False),
        (0, False, 20, 0, False, True, False), (0, False, 20, 3, False, True, False),
        (0, True, 0, 4, True, False, True), (0, True, 20, 10, True, True, True),
    ]  # fmt: skip
    columns = list(zip(*rows, strict=True))
    evidence = Evidence(
        invalid=np.array(columns[0], dtype=np.int8),
        registered=np.array(columns[5]),
        no_show=np.array(columns[6]),
        stored=np.array(columns[1]),
        season_first=np.full(len(rows), 100),
        day=100 + np.array(columns[2]),
        games=np.array(columns[3]),
        team_games=np.array(columns[4]),
    )
    reasons = find_gaps(evidence, Admission())
    names = [REASONS[code] if code != NO_GAP else "" for code in reasons]
    assert names == [
        "invalid_input", "bootstrap", "", "", "", "no_history", "no_history", "missing_dependency",
        "unregistered_player", "no_game_summary",
    ]  # fmt: skip
    details = describe_gaps(reasons, evidence, Admission()).to_pylist()
    assert details[0] == "team_abbr is missing"
    assert details[1] == "4 of 5 games, in the season's first 14 days"
    assert "neither team" in details[7]
    off = find_gaps(evidence, Admission(bootstrap_days=0))
    assert off[1] == NO_GAP


def test_wall_time_counts_once_what_workers_share() -> None:
    ticks = iter([1_000_000, 3_000_000, 2_000_000, 5_000_000, 7_000_000, 8_000_000])
    timer = StageTimer("read", clock=lambda: next(ticks) * 1000)
    records = []
    for rows in (5, 7, 1):
        with timer.measure() as counts:
            counts["rows"] = rows
        records.append(timer.record())
    summary = summarize_stages(reversed(records))["read"]
    assert_that(summary, has_entries(rows=13, wall_seconds=close_to(5, 1e-9), busy_seconds=close_to(6, 1e-9)))


def test_a_block_that_fails_leaves_no_record() -> None:
    timer = StageTimer("read")
    with pytest.raises(ValueError, match="no"), timer.measure():
        raise ValueError("no")
    assert timer.record()[1:4] == (0, 0, 0)
