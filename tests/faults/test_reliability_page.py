"""``docs/reliability.md``: every test that it names exists, and no row of the matrix is empty."""

from __future__ import annotations

import re
from pathlib import Path

import planted_bugs
from hamcrest import assert_that, empty, equal_to, greater_than, has_length

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
FILES = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
    assert_that(named, has_length(greater_than(60)))
    missing = [(file, name) for file, name in named if f"def {name}(" not in FILES.get(file, "")]
    assert_that(missing, empty())


def test_every_promise_and_every_row_has_a_test_or_says_why_not() -> None:
    promises = re.findall(r"^\| P(\d+) [^|]+\| ([^|]+) \|$", PAGE, re.MULTILINE)
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert_that([int(number) for number, _ in promises], equal_to(list(range(1, 13))))
    assert_that([int(number) for number, _ in rows], equal_to(list(range(1, 37))))
    explained = re.compile(r"`test_\w+\.py::test_\w+`|BigQuery: see ")
    assert_that([number for number, told in promises + rows if not explained.search(told)], empty())


def test_the_page_counts_the_planted_bugs() -> None:
    assert_that(f"{len(planted_bugs.BUGS)} bugs" in PAGE)
    assert_that(f"all {len(planted_bugs.BUGS)} (`make planted-bugs`)" in PAGE)
