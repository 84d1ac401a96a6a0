"""Medians of pairs, the cost exponent and the sizes that may be asked for."""

from __future__ import annotations

import pytest
from hamcrest import assert_that, calling, close_to, equal_to, has_properties, raises

from benchmarks.figures import divide_pairs, fit_exponent
from benchmarks.leagues import Size


def test_the_ratio_is_that_of_the_middle_pair_not_of_the_medians() -> None:
    # the machine slowed down during the third pair
    assert_that(divide_pairs([10.0, 12.0, 30.0], [5.0, 4.0, 20.0]), equal_to(2.0))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_a_power_law_gives_its_exponent(exponent: float) -> None:
    sizes = [6.0, 24.0, 96.0, 240.0]
    assert_that(fit_exponent(sizes, [3 * n**exponent for n in sizes]), close_to(exponent, 1e-12))


def test_one_size_has_no_exponent() -> None:
    assert_that(
        calling(fit_exponent).with_args([24.0, 24.0], [1.0, 2.0]), raises(ValueError, "several sizes")
    )


@pytest.mark.parametrize(
    ("total", "seasons", "leagues"), [(1, 1, 1), (24, 24, 1), (48, 24, 2), (240, 24, 10)]
)
def test_a_size_is_one_league_or_several_whole_ones(total: int, seasons: int, leagues: int) -> None:
    assert_that(Size.of(total), has_properties(seasons=seasons, leagues=leagues, total=total))


@pytest.mark.parametrize("total", [-24, 0, 25, 30])
def test_other_sizes_are_refused(total: int) -> None:
    assert_that(calling(Size.of).with_args(total), raises(ValueError, "multiple of 24"))
