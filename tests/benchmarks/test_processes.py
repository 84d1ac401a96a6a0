"""A measured child: what it cost, what it said, and how it failed."""

from __future__ import annotations

import sys

from hamcrest import assert_that, calling, equal_to, greater_than, raises

from benchmarks.processes import run_child


def test_a_child_is_measured_whole() -> None:
    sample = run_child([sys.executable, "-c", "b = bytearray(64 << 20); print('{\"said\": 1}')"])
    assert_that(sample.answer, equal_to({"said": 1}))
    assert_that(sample.wall, greater_than(0.0))
    assert_that(sample.cpu, greater_than(0.0))
    assert_that(sample.peak_mb, greater_than(64.0))


def test_a_child_that_fails_is_no_sample() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such league')"]
    assert_that(calling(run_child).with_args(command), raises(RuntimeError, "ended with 1: no such league"))
