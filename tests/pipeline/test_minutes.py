"""Every way of writing the same playing time is read as the same; what cannot be told is refused."""

from __future__ import annotations

import pytest
from hamcrest import assert_that, calling, close_to, equal_to, raises
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imports.minutes import is_absence, read_minutes


@given(seconds=st.integers(0, 100 * 60))
def test_every_form_of_the_same_time_gives_the_same_minutes(seconds: int) -> None:
    minutes, rest = divmod(seconds, 60)
    for text in (
        f"{minutes}:{rest:02}",
        f"{minutes:02}:{rest:02}",
        f"{minutes}:{rest:02}:00",
        f"{minutes}.000000:{rest:02}",
        f"PT{minutes:02}M{rest:02}.00S",
        f"PT{minutes}M{rest}S",
    ):
        assert_that(read_minutes(text), equal_to(seconds / 60), text)
    assert_that(round((read_minutes(repr(seconds / 60)) or 0) * 60), equal_to(seconds))


@given(number=st.floats(0, 100, allow_nan=False))
def test_decimals_are_the_number_itself(number: float) -> None:
    assert_that(read_minutes(repr(number)), equal_to(number))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("PT34M", 34.0), ("PT30S", 0.5), ("PT12M0.5S", 12 + 0.5 / 60), ("0:00", 0.0), ("104:30", 104.5)],
)
def test_parts_may_be_left_out(text: str, minutes: float) -> None:
    assert_that(read_minutes(text), close_to(minutes, 1e-12))


@pytest.mark.parametrize(
    "text",
    [
        *("1:02:30", "34:12:01", "34:12:0", "34:60", "34:5", "34:", ":12", "-5:00", "1234:00"),
        *("34.5:12", "34:12.5", "PT", "PT1H02M", "PT34", "34M12S", "PT34M60S", "pt34m", "PTM12S"),
        *("34m", "34,5", "DNPX", "played", "COACH'S DECISION", "34:12 ", "٣٤:١٢", "34:12\n"),
    ],
)
def test_what_cannot_be_told_is_refused(text: str) -> None:
    assert_that(calling(read_minutes).with_args(text), raises(ValueError))


@pytest.mark.parametrize("text", ["DNP", "DNP - Coach's Decision", "DND - Injury/Illness", "NWT - Personal"])
def test_a_reason_in_the_place_of_minutes_is_no_time(text: str) -> None:
    assert_that((is_absence(text), read_minutes(text)), equal_to((True, None)))
