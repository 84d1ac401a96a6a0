"""A column in every type that it may arrive in gives the same values; what is no value is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hamcrest import all_of, assert_that, calling, contains_string, equal_to, has_string, is_, raises
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.imports.parsing import parse_column
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import SIDE_TABLES

NAN, INF = float("nan"), float("inf")
TEXTS, WHOLE = pa.string(), "points"
MINUTES, LINE, DAY, TRUTH, INSTANT = "minutes_played", "points_line", "game_date", "is_home", "processed_at"
FIELDS = {field.name: field for table in (*SIDE_TABLES, PLAYER_GAME_SUMMARY) for field in table.schema}
NEW_YEAR = date(2024, 1, 1)
TEN = datetime(2024, 1, 1, 10, tzinfo=UTC)
UNPARSED = "unparsed"


def parse(values: Any, name: str, kind: pa.DataType | None = None) -> list[Any]:
    """The parsed values, with ``UNPARSED`` in the place of what could not be."""
    column = values if isinstance(values, pa.Array) else pa.array(values, kind)
    field = FIELDS[name]
    parsed, unparsed = parse_column(column, field, "rows.csv")
    assert_that(parsed.type, equal_to(field.type))
    assert_that(len(unparsed), equal_to(len(column)))
    found = parsed.to_pylist()
    assert all(found[i] is None for i in range(len(found)) if unparsed[i]), "an unparsed value is not NULL"
    return [UNPARSED if bad else value for value, bad in zip(found, unparsed, strict=True)]


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
        *(pa.decimal32(5, 2), pa.decimal64(9, 0), pa.decimal128(20, 3), pa.decimal256(60, 20)),
        *(pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())),
        pa.dictionary(pa.int32(), pa.int64()),
    ],
    ids=str,
)
def test_whole_numbers_arrive_in_any_type_that_holds_them(kind: pa.DataType) -> None:
    plain = pa.array([0, 7, 41, None], pa.int64())
    if pa.types.is_dictionary(kind):
        arrived = plain.cast(kind.value_type).dictionary_encode()
    elif pa.types.is_decimal(kind):
        arrived = pa.array([None if v is None else Decimal(v) for v in plain.to_pylist()], kind)
    else:
        arrived = plain.cast(kind)
    assert_that(parse(arrived, WHOLE), equal_to([0, 7, 41, None]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("7", 7), ("+7", 7), ("-3", -3), ("007", 7), ("7.0", 7), ("7.", 7), (" 8\t", 8), ("-0", 0)),
        *(("", None), ("  ", None), ("NaN", None), ("nan", None), ("None", None), ("NULL", None)),
        *(("N/A", None), ("NA", None)),
        ("999999999999999999", 999999999999999999),
        *(
            (text, UNPARSED)
            for text in ("7.5", "1e3", "1,000", "7 8", "0x10", "inf", "-", "seven", "\u0667", "7\n8")
        ),
        ("9999999999999999999", UNPARSED),
        ("=7", UNPARSED),
    ],
)
def test_whole_numbers_in_texts(text: str, value: object) -> None:
    assert_that(parse([text], WHOLE), equal_to([value]))


def test_a_fraction_is_no_whole_number_in_any_type() -> None:
    assert_that(parse([10.5, 1.0], WHOLE), equal_to([UNPARSED, 1]))
    fine = [Decimal("1.5"), Decimal("5.00000000000000000001"), Decimal(3)]
    assert_that(parse(fine, WHOLE, pa.decimal128(38, 20)), equal_to([UNPARSED, UNPARSED, 3]))


def test_numbers_too_large_to_be_exact_are_named_not_rounded() -> None:
    assert_that(parse([1e308, -1e308, 2.0**53], WHOLE), equal_to([UNPARSED, UNPARSED, 2**53]))
    assert_that(parse([2**64 - 1, 2**63 - 1], WHOLE, pa.uint64()), equal_to([UNPARSED, 2**63 - 1]))
    assert_that(parse([Decimal(10) ** 50], WHOLE, pa.decimal256(60, 2)), equal_to([UNPARSED]))


def test_nan_and_infinity_are_no_whole_numbers_but_nothing() -> None:
    assert_that(parse([NAN, INF, -INF, -0.0, None], WHOLE), equal_to([None, None, None, 0, None]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("30", 30.0), ("30.25", 30.25), ("+5.5", 5.5), (".5", 0.5), ("5.", 5.0), ("-1.5e1", -15.0)),
        *(("1e308", 1e308), ("inf", INF), ("-Infinity", -INF), ("NaN", None), ("", None)),
        *((text, UNPARSED) for text in ("30.15.2", "30,5", "thirty", "1e", "--5", "5 5", "1_0")),
    ],
)
@pytest.mark.parametrize("name", [MINUTES, LINE])
def test_numbers_in_texts(text: str, value: object, name: str) -> None:
    assert_that(parse([text], name), equal_to([value]))


@pytest.mark.parametrize("name", [MINUTES, LINE])
def test_numbers_arrive_as_floats_integers_and_decimals(name: str) -> None:
    assert_that(parse([30.5, None, 1e308, -0.0], name), equal_to([30.5, None, 1e308, 0.0]))
    assert_that(parse([30], name, pa.int32()), equal_to([30.0]))
    assert_that(parse([Decimal("30.25")], name, pa.decimal128(10, 2)), equal_to([30.25]))


def test_only_minutes_are_read_from_a_clock() -> None:
    clocks = ["34:12", "34:12:00", "PT34M12.00S", "DNP - Rest"]
    assert_that(parse(clocks, MINUTES), equal_to([34.2, 34.2, 34.2, None]))
    assert_that(parse(clocks, LINE), equal_to([UNPARSED] * 4))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, NEW_YEAR) for text in ("2024-01-01", " 2024-01-01 ", "2024-01-01T00:00:00Z")),
        *((text, NEW_YEAR) for text in ("2024-01-01 00:00", "2024-01-01 00:00:00.000")),
        ("2024-02-29", date(2024, 2, 29)),
        *((text, None) for text in ("", "NaN", "null")),
        *(
            (text, UNPARSED)
            for text in ("2024-02-30", "2023-02-29", "2024-13-01", "0000-01-01", "9999-12-31")
        ),
        *(
            (text, UNPARSED)
            for text in ("2024-1-1", "20240101", "01/02/2024", "2024-01-01 05:00", "\u0662024-01-01")
        ),
        ("2024-01-01\n2024-01-02", UNPARSED),
    ],
)
def test_dates_in_texts(text: str, value: object) -> None:
    assert_that(parse([text], DAY), equal_to([value]))


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_arrive_as_instants_at_midnight_only(unit: str, zone: str | None) -> None:
    kind = pa.timestamp(unit, tz=zone)
    midnight, noon = datetime(2024, 1, 1), datetime(2024, 1, 1, 12)
    assert_that(parse([midnight, noon, None], DAY, kind), equal_to([NEW_YEAR, UNPARSED, None]))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
        pa.array([-(2**31)], pa.int32()).cast(pa.date32()),
        pa.array([2**62], pa.timestamp("us")),
        pa.array([10**16], pa.timestamp("s")),
        pa.array([date(9999, 12, 31)]),
        pa.array([1704067200 * 10**9 + 1], pa.timestamp("ns")),
    ],
    ids=str,
)
def test_dates_that_no_range_holds_are_named(column: pa.Array) -> None:
    assert_that(parse(column, DAY), equal_to([UNPARSED]))


@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("us", "UTC"), pa.string()], ids=str
)
@settings(max_examples=30)
@given(days=st.lists(st.dates(max_value=date(9999, 12, 30)), max_size=5))
def test_every_date_is_the_same_in_every_type(kind: pa.DataType, days: list[date]) -> None:
    arrived = (
        [day.isoformat() for day in days] if kind == pa.string() else pa.array(days, pa.date32()).cast(kind)
    )
    assert_that(parse(arrived, DAY, pa.string() if kind == pa.string() else None), equal_to(days))


def test_truth_arrives_as_such_as_zero_and_one_and_as_text() -> None:
    assert_that(parse([True, False, None], TRUTH), equal_to([True, False, None]))
    assert_that(parse([1, 0, 2, -1, None], TRUTH), equal_to([True, False, UNPARSED, UNPARSED, None]))
    assert_that(parse([1.0, 0.0, NAN, 0.5, INF], TRUTH), equal_to([True, False, None, UNPARSED, UNPARSED]))
    texts = ["True", "FALSE", "t", "f", "1", "0", "1.0", "0.0"]
    assert_that(parse(texts, TRUTH), equal_to([True, False] * 4))
    assert_that(parse(["yes", "2", "", "NaN"], TRUTH), equal_to([UNPARSED, UNPARSED, None, None]))


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-01T10:00:00Z", "2024-01-01 10:00:00 UTC", "2024-01-01 10:00", "2024-01-01T10:00:00.000"),
        *("2024-01-01T10:00:00.000000999Z", "2024-01-01 10:00:00+00", "2024-01-01T12:00:00+02:00"),
        *("2024-01-01T05:00:00-0500", "2024-01-01 15:30:00+05:30"),
    ],
)
def test_instants_in_texts_are_utc_unless_they_say_otherwise(text: str) -> None:
    assert_that(parse([text], INSTANT), equal_to([TEN]))


@pytest.mark.parametrize(
    "text",
    [
        *("2024-01-01", "2024-02-30 10:00", "2024-01-01 24:00", "2024-01-01T10:00+99:99", "10:00", "now"),
        *("2024-01-01 10", "0001-01-01 00:00+18:00", "1704103200"),
    ],
)
def test_other_texts_are_no_instants(text: str) -> None:
    assert_that(parse([text], INSTANT), equal_to([UNPARSED]))


def test_instants_out_of_range_do_not_wrap_around() -> None:
    assert_that(parse(pa.array([10**15], pa.timestamp("s")), INSTANT), equal_to([UNPARSED]))
    assert_that(parse(pa.array([2**62], pa.timestamp("us", "UTC")), INSTANT), equal_to([UNPARSED]))


def test_instants_below_a_microsecond_are_cut_off() -> None:
    nanoseconds = pa.array([int(TEN.timestamp()) * 10**9 + 1_999], pa.timestamp("ns"))
    assert_that(parse(nanoseconds, INSTANT), equal_to([TEN + timedelta(microseconds=1)]))


def test_only_a_persons_id_may_be_a_number_where_text_is_expected() -> None:
    assert_that(parse([203999], "universal_player_id"), equal_to(["203999"]))
    assert_that(
        calling(parse).with_args([22300001], "game_id"),
        raises(BadInput, r"rows\.csv: the column game_id has type int64, which cannot be read as string"),
    )


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([True], WHOLE),
        ([NEW_YEAR], WHOLE),
        ([{"a": 1}], WHOLE),
        ([[1]], WHOLE),
        ([True], MINUTES),
        ([True], LINE),
        ([20240101], DAY),
        ([2024.0], DAY),
        ([NEW_YEAR], TRUTH),
        ([1704067200], INSTANT),
        ([NEW_YEAR], INSTANT),
        ([1.5], "universal_player_id"),
        ([b"abc"], "player_lookup"),
        ([7], "team_abbr"),
    ],
)
def test_any_other_type_refuses_the_file(values: list[object], name: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(values, name)
    assert_that(
        refused.value,
        has_string(
            all_of(contains_string("rows.csv"), contains_string(name), contains_string("nothing was"))
        ),
    )


@pytest.mark.parametrize("name", FIELDS)
def test_a_column_without_a_value_or_a_row_is_all_null(name: str) -> None:
    assert_that(parse(pa.nulls(2), name), is_([None, None]))
    assert_that(parse(pa.array([None, None], TEXTS), name), is_([None, None]))
    assert_that(parse(pa.array([], TEXTS), name), is_([]))


@settings(max_examples=30)
@given(numbers=st.lists(st.integers(-(2**53), 2**53), max_size=5))
def test_every_whole_number_is_the_same_in_every_type(numbers: list[int]) -> None:
    for arrived in (
        pa.array(numbers, pa.int64()),
        pa.array([float(n) for n in numbers], pa.float64()),
        pa.array([str(n) for n in numbers], TEXTS),
        pa.array([f"{n}.00" for n in numbers], TEXTS),
        pa.array([Decimal(n) for n in numbers], pa.decimal128(30, 10)),
    ):
        assert_that(parse(arrived, WHOLE), equal_to(numbers))
