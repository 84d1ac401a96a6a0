"""Rows that wait on the disk while what stands for them crosses a shuffle."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hamcrest import assert_that, empty, equal_to, has_length, is_

from pipeline.warehouse.staging import LocalStager
from transforms.arrow import RecordBatchCoder


@pytest.fixture
def stager(tmp_path: Path) -> LocalStager:
    return LocalStager.create(str(tmp_path / "w.duckdb"), "run")


def make_slices() -> list[pa.RecordBatch]:
    """Slices of one batch, so with one dictionary and offsets that are not zero."""
    players = pa.array(["a", None, "b", "b", "ü", "a"]).dictionary_encode()
    batch = pa.record_batch({"player": players, "points": [1, 2, None, 4, 5, 6]})
    return [batch.slice(0, 1), batch.slice(1, 0), batch.slice(1, 4), batch.slice(5)]


def test_spilled_batches_come_back_as_they_were(stager: LocalStager) -> None:
    batches = make_slices()
    spilled = stager.spill("rows", batches)
    assert_that([stager.fetch(place) for place in spilled], equal_to(batches))


def test_what_crosses_the_shuffle_is_small_and_survives_the_coder(stager: LocalStager) -> None:
    rows = pa.record_batch({"points": list(range(100_000))})
    (place,) = stager.spill("rows", [rows])
    coder = RecordBatchCoder()
    encoded = coder.encode(place)
    assert len(encoded) < 1000
    assert_that(stager.fetch(coder.decode(encoded)), equal_to(rows))


def test_the_same_part_twice_leaves_one_file_and_both_places_hold(stager: LocalStager) -> None:
    first = stager.spill("rows", make_slices())
    second = stager.spill("rows", make_slices())
    assert_that([stager.fetch(place) for place in (*first, *second)], equal_to(make_slices() * 2))
    assert_that(list(Path(stager.directory).iterdir()), has_length(1))


def test_a_batch_read_before_its_file_was_replaced_stays_whole(stager: LocalStager) -> None:
    (place,) = stager.spill("rows", [pa.record_batch({"n": list(range(50_000))})])
    mapped = stager.fetch(place)
    stager.spill("rows", [pa.record_batch({"n": [0] * 50_000})])
    assert_that(mapped.column("n").to_pylist()[-1], equal_to(49_999))


def test_nothing_to_spill_makes_no_file(stager: LocalStager) -> None:
    assert_that(stager.spill("rows", []), is_(empty()))
    assert_that(list(Path(stager.directory).iterdir()), is_(empty()))


def test_a_spill_that_fails_leaves_no_file_that_could_be_read(stager: LocalStager) -> None:
    other = pa.record_batch({"other": [1]})
    with pytest.raises(pa.ArrowInvalid, match=r"[Ss]chema"):
        stager.spill("rows", [make_slices()[0], other])
    assert_that([path.suffix for path in Path(stager.directory).iterdir()], equal_to([".partial"]))
