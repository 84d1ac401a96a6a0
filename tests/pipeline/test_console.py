"""What a terminal gets: nothing wider than itself, nothing lost, nothing that steers it."""

from __future__ import annotations

import pytest
from hamcrest import assert_that, contains_string, equal_to, is_
from hypothesis import given
from hypothesis import strategies as st
from terminal import Run

from pipeline.commands.completion import SHELLS
from pipeline.commands.console import fit_widths, wrap_report

REPORT = """Plan
  targets       28,221 player rows on 213 dates
  read window   2017-10-16 to 2019-06-13, both bounds in every read

Next
  feature-store backfill --start-date 2018-10-16 --end-date 2019-06-13 --bootstrap-days 0"""


def test_values_are_wrapped_below_values_and_commands_left_whole() -> None:
    assert_that(
        wrap_report(REPORT, 40).split("\n"),
        equal_to(
            [
                "Plan",
                "  targets       28,221 player rows on",
                "                213 dates",
                "  read window   2017-10-16 to",
                "                2019-06-13, both bounds",
                "                in every read",
                "",
                "Next",
                "  feature-store backfill --start-date 2018-10-16 --end-date 2019-06-13 --bootstrap-days 0",
            ]
        ),
    )


def test_what_fits_stays_as_it_is() -> None:
    assert_that(wrap_report(REPORT, 120), equal_to(REPORT))


@given(
    st.lists(st.sampled_from(["error:", "a", "name", "  ", "2018-10-16", "wörter", "x" * 14]), max_size=40),
    st.integers(40, 120),
)
def test_wrapping_loses_no_word_and_keeps_to_the_width(words: list[str], width: int) -> None:
    text = " ".join(words)
    wrapped = wrap_report(text, width)
    assert_that(wrapped.split(), equal_to(text.split()))
    assert all(len(line) <= width for line in wrapped.split("\n"))


def test_columns_are_folded_between_words_and_numbers_never() -> None:
    names = ["run", "dates", "rows"]
    columns = [["20261121T234030"], ["2018-10-16 to 2019-06-13"], ["27,915 s"]]
    numbers = [False, False, True]
    assert_that(fit_widths(names, columns, numbers, 80), equal_to([15, 24, 8]))
    assert_that(fit_widths(names, columns, numbers, 40), equal_to([15, 13, 8]))
    assert_that(fit_widths(names, columns, numbers, 37), equal_to([15, 10, 8]))
    assert_that(fit_widths(names, columns, numbers, 36), equal_to([None, None, None]))


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_and_flags(run: Run, shell: str) -> None:
    found = run("completion", shell)
    assert_that(found.code, is_(0))
    assert_that(found.out, contains_string("backfill"))
    if shell != "tcsh":  # which completes the commands alone
        assert_that(found.out, contains_string("bootstrap-days"))
    assert_that(run("completion", shell, "--json").json["script"], equal_to(found.out.removesuffix("\n")))


def test_another_shell_is_named_with_those_there_are(run: Run) -> None:
    found = run("completion", "powershell")
    assert_that(found.code, is_(2))
    assert_that(found.err, contains_string("bash"))
