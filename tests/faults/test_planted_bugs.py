"""The planted bugs: each text stands where it is planted, and a sample is planted and caught here.

``make planted-bugs`` plants all of them and shows the table.
"""

from __future__ import annotations

import random
from pathlib import Path

import planted_bugs
import pytest
from hamcrest import assert_that, equal_to, greater_than, has_length, is_
from planted_bugs import BUGS, Bug, Ended, copy_tree, is_caught, plant, run_test, try_bug

SHUFFLED = random.Random(8).sample(BUGS, len(BUGS))


@pytest.mark.slow
@pytest.mark.seeds(3, len(BUGS))
def test_a_planted_bug_fails_the_test_that_is_named_for_it(fault_seed: int) -> None:
    bug = SHUFFLED[fault_seed]
    without, with_bug = try_bug(bug)
    assert_that(
        (str(without), is_caught(without, with_bug)), equal_to(("passed", True)), f"{bug}: {with_bug}"
    )


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_be_planted_and_its_test_exists(bug: Bug) -> None:
    root = planted_bugs.ROOT
    assert_that((root / bug.file).read_text().count(bug.old), equal_to(1))
    file, _, name = bug.test.partition("::")
    assert_that(f"def {name}(" in (root / file).read_text(), is_(True), bug.test)


def test_there_are_enough_and_each_has_its_name() -> None:
    assert_that({bug.name for bug in BUGS}, has_length(len(BUGS)))
    assert_that(len(BUGS), greater_than(13))


@pytest.mark.parametrize(
    ("without", "with_bug", "caught"),
    [
        (Ended(2, 0, 0), Ended(1, 1, 0), True),
        (Ended(1, 0, 0), Ended(1, 0, 0), False),
        (Ended(1, 0, 0), Ended(0, 0, 1), False),
        (Ended(1, 0, 0), Ended(0, 1, 1), False),
        (Ended(1, 0, 0), Ended(0, 0, 0), False),
        (Ended(0, 1, 0), Ended(0, 1, 0), False),
        (Ended(0, 0, 0), Ended(0, 1, 0), False),
    ],
    ids=["failed", "passed", "error", "failure and error", "not run", "failed before", "skipped before"],
)
def test_only_a_failure_of_a_test_that_passed_counts(without: Ended, with_bug: Ended, caught: bool) -> None:
    assert_that(is_caught(without, with_bug), is_(caught))


def test_a_text_that_stands_twice_or_never_is_not_planted(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("a = 1\na = 1\n")
    for old in ("a = 1", "b"):
        with pytest.raises(ValueError, match="stands"):
            plant(Bug("x", "x.py", old, "", ""), tmp_path)


@pytest.mark.slow
def test_an_error_in_the_preparation_is_told_from_a_failure(tmp_path: Path) -> None:
    copy_tree(tmp_path)
    (tmp_path / "tests" / "test_ends.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef broken():\n    assert False\n\n"
        "def test_fails():\n    assert False\n\ndef test_breaks(broken):\n    pass\n\n"
        "def test_passes():\n    pass\n"
    )
    ends = [
        str(run_test(f"tests/test_ends.py::test_{name}", tmp_path)) for name in ("fails", "breaks", "passes")
    ]
    assert_that(ends, equal_to(["failed 1 of 1", "broken", "passed"]))
