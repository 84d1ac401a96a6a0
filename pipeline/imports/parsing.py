"""One column of a file -> the type of the table, and which of its values cannot be parsed.

Which parser reads a column is said by its name, else by its type. The types that a column may arrive
in are those of its parser; any other refuses the whole file before anything is loaded. A value that
cannot be parsed is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import BadInput
from pipeline.imports.minutes import read_minutes, read_number
from pipeline.season import LAST_DAY
from transforms.arrays import Bools, Ints, to_codes

Parsed = tuple[pa.Array, Bools]
"""Values, NULL where unparsed, and the mask of what could not be parsed."""

Parser = Callable[[pa.Array], Parsed | None]
"""None when the column has a type that cannot be read."""

UTC_INSTANT = pa.timestamp("us", tz="UTC")
_NOTHING = r"(?i)^(nan|null|none|n/?a)?$"
_WHOLE = r"^[+-]?[0-9]{1,18}(\.0*)?$"
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DATE = rf"^{_DAY}([T ]00:00(:00(\.0+)?)?Z?)?$"
_ZONE = r"( ?UTC|Z|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)"
_INSTANT = rf"^{_DAY}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,9}})?)?{_ZONE}?$"
_LARGEST_EXACT = float(2**53)
_EPOCH = date(1970, 1, 1)
_FIRST, _LAST = (date.min - _EPOCH).days, (LAST_DAY - _EPOCH).days
"""The days that a date may name, counted from 1970."""
_PER_DAY = {unit: 86_400 * scale for unit, scale in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9))}


def parse_column(column: pa.Array, wanted: pa.Field, file: str) -> Parsed:
    """The column as ``wanted``.

    Text may come as text, and an id of a person as a whole number; whole numbers as whole numbers,
    as numbers without a fraction, or as text; numbers as numbers or as text; minutes as numbers, or
    as text in any form of :mod:`pipeline.imports.minutes`; dates as dates, as instants at midnight UTC, or
    as ISO text; truth values as such, as 0 and 1, or as text; timestamps as such or as ISO text,
    without a zone in UTC, parts below a microsecond cut off. NaN and infinity in a whole number are
    NULL. Raises ``BadInput`` for any other type.
    """
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), wanted.type), np.zeros(len(column), dtype=bool)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    parse = PARSERS.get(wanted.name) or PARSERS_BY_TYPE[wanted.type]
    parsed = parse(column)
    if parsed is None:
        raise BadInput(
            f"{file}: the column {wanted.name} has type {column.type}, which cannot be read as "
            f"{wanted.type}; nothing was loaded"
        )
    return parsed


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _accept(values: pa.Array) -> Parsed:
    return values, np.zeros(len(values), dtype=bool)


def _blank(values: pa.Array, unparsed: Bools) -> pa.Array:
    """The values, NULL where unparsed."""
    return pc.if_else(pa.array(unparsed), pa.scalar(None, values.type), values)


def _read_ticks(column: pa.Array) -> Ints:
    """The whole numbers behind dates or instants, 0 where NULL."""
    ticks: Ints = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return ticks


def _mask(flags: pa.Array) -> Bools:
    found: Bools = pc.fill_null(flags, False).to_numpy(zero_copy_only=False)
    return found


def _parse_texts(column: pa.Array, pattern: str, convert: Callable[[pa.Array], pa.Array]) -> Parsed:
    """Converts the texts that match; blank and ``NaN``-like texts are NULL, the rest unparsed."""
    text = pc.ascii_trim_whitespace(column.cast(pa.string()))
    nothing = _mask(pc.match_substring_regex(text, _NOTHING))
    matches = _mask(pc.match_substring_regex(text, pattern)) & ~nothing
    unparsed = _mask(pc.is_valid(text)) & ~nothing & ~matches
    kept = pc.if_else(pa.array(matches), text, pa.scalar(None, pa.string()))
    return convert(kept), unparsed


def parse_distinct(column: pa.Array, read: Callable[[str], Any], kind: pa.DataType) -> Parsed:
    """Every distinct text read once; a ``ValueError`` leaves it unparsed, a blank or ``NaN`` is NULL."""
    encoded = pc.ascii_trim_whitespace(column.cast(pa.string())).dictionary_encode()
    values: list[Any] = []
    broken: list[bool] = []
    for text in encoded.dictionary.to_pylist():
        try:
            values.append(None if re.match(_NOTHING, text) else read(text))
            broken.append(False)
        except ValueError:
            values.append(None)
            broken.append(True)
    # the last entry is that of NULL, whose code is -1
    unparsed: Bools = np.array([*broken, False])[to_codes(encoded)]
    return pa.array(values, kind).take(encoded.indices), unparsed


def parse_text(column: pa.Array) -> Parsed | None:
    return _accept(column.cast(pa.string())) if is_text(column.type) else None


def parse_person(column: pa.Array) -> Parsed | None:
    """An id that is text here and a number elsewhere; without leading zeros, nothing of it is lost."""
    if pa.types.is_integer(column.type):
        return _accept(column.cast(pa.string()))
    return parse_text(column)


def parse_whole(column: pa.Array) -> Parsed | None:
    kind = column.type
    if pa.types.is_integer(kind):
        if kind == pa.uint64():
            too_large = _mask(pc.greater(column, pa.scalar(2**63 - 1, pa.uint64())))
            return _blank(column, too_large).cast(pa.int64()), too_large
        return _accept(column.cast(pa.int64()))
    if is_text(kind):
        return _parse_texts(
            column,
            _WHOLE,
            lambda text: pc.replace_substring_regex(text, r"^\+|\.0*$", "").cast(pa.int64()),
        )
    if pa.types.is_decimal(kind):
        return _parse_whole_decimals(column)
    if not pa.types.is_floating(kind):
        return None
    values = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    number = np.where(finite, values, 0.0)
    unparsed = finite & ((number != np.rint(number)) | (np.abs(number) > _LARGEST_EXACT))
    whole = np.where(unparsed, 0.0, number).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=~finite | unparsed), unparsed


def _parse_whole_decimals(column: pa.Array) -> Parsed:
    exact = column.cast(pa.decimal256(76, column.type.scale))
    small = _mask(pc.less_equal(pc.abs(exact.cast(pa.float64())), _LARGEST_EXACT))
    unparsed = _mask(pc.is_valid(exact)) & ~(_mask(pc.equal(pc.floor(exact), exact)) & small)
    return _blank(exact, unparsed).cast(pa.int64()), unparsed


def parse_number(column: pa.Array, read: Callable[[str], float | None] = read_number) -> Parsed | None:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return _accept(column.cast(pa.float64(), safe=False))
    return parse_distinct(column, read, pa.float64()) if is_text(kind) else None


def parse_minutes(column: pa.Array) -> Parsed | None:
    return parse_number(column, read_minutes)


def parse_date(column: pa.Array) -> Parsed | None:
    kind = column.type
    if is_text(kind):
        return _parse_iso_dates(column)
    if pa.types.is_date32(kind):
        days, rest = _read_ticks(column.cast(pa.int32())), np.zeros(len(column), dtype=np.int64)
    elif pa.types.is_date64(kind) or pa.types.is_timestamp(kind):
        unit = "ms" if pa.types.is_date64(kind) else kind.unit
        days, rest = np.divmod(_read_ticks(column), _PER_DAY[unit])
    else:
        return None
    known = _mask(pc.is_valid(column))
    unparsed = known & ((rest != 0) | (days < _FIRST) | (days > _LAST))
    kept = np.where(unparsed, 0, days).astype(np.int32)
    return pa.array(kept, pa.int32(), mask=~known | unparsed).cast(pa.date32()), unparsed


def _parse_iso_dates(column: pa.Array) -> Parsed:
    text, unparsed = _parse_texts(column, _DATE, lambda text: pc.utf8_slice_codeunits(text, 0, 10))
    days = _read_days(text)
    impossible = _mask(pc.is_valid(text)) & ~_mask(pc.is_valid(days))
    return days, unparsed | impossible


def _read_days(text: pa.Array) -> pa.Array:
    """The dates of ``YYYY-MM-DD`` texts, NULL where there is no such day."""
    parsed = pc.strptime(text, format="%Y-%m-%d", unit="s", error_is_null=True)
    # strptime rolls 31 February over into March; what does not print as it was read is no date
    real = pc.equal(pc.strftime(parsed, format="%Y-%m-%d"), text)
    days = pc.if_else(pc.fill_null(real, False), parsed, None).cast(pa.date32())
    within = pc.and_(
        pc.greater_equal(days.cast(pa.int32()), _FIRST), pc.less_equal(days.cast(pa.int32()), _LAST)
    )
    return pc.if_else(within, days, None)


def parse_truth(column: pa.Array) -> Parsed | None:
    kind = column.type
    if pa.types.is_boolean(kind):
        return _accept(column)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        number = column.cast(pa.float64(), safe=False)
        number = pc.if_else(pc.is_nan(number), None, number)
        unparsed = _mask(pc.is_valid(number)) & ~_mask(pc.is_in(number, pa.array([0.0, 1.0])))
        return _blank(number, unparsed).cast(pa.bool_()), unparsed
    if is_text(kind):
        return _parse_texts(
            column,
            r"(?i)^(true|false|t|f|1|0|1\.0|0\.0)$",
            lambda text: pc.match_substring_regex(text, r"(?i)^(true|t|1|1\.0)$"),
        )
    return None


def parse_instant(column: pa.Array) -> Parsed | None:
    unparsed = np.zeros(len(column), dtype=bool)
    if is_text(column.type):
        column, unparsed = _parse_iso_instants(column)
    elif not pa.types.is_timestamp(column.type):
        return None
    days = _read_ticks(column) // _PER_DAY[column.type.unit]
    unparsed = unparsed | _mask(pc.is_valid(column)) & ((days < _FIRST) | (days > _LAST))
    return _blank(column, unparsed).cast(UTC_INSTANT, safe=False), unparsed


def _parse_iso_instants(column: pa.Array) -> Parsed:
    text, unparsed = _parse_texts(column, _INSTANT, lambda text: text)
    day = _read_days(pc.utf8_slice_codeunits(text, 0, 10))
    impossible = _mask(pc.is_valid(text)) & ~_mask(pc.is_valid(day))
    text = pc.replace_substring_regex(_blank(text, impossible), r"(\.[0-9]{6})[0-9]+", r"\1")
    text = pc.replace_substring_regex(text, r" ?UTC$", "Z")
    zone = pc.if_else(pc.match_substring_regex(text, rf"{_ZONE}$"), "", "Z")
    return pc.binary_join_element_wise(text, zone, "").cast(UTC_INSTANT), unparsed | impossible


PARSERS: dict[str, Parser] = {"minutes_played": parse_minutes, "universal_player_id": parse_person}
"""By the column's name: the columns that are more than their type says."""

PARSERS_BY_TYPE: dict[pa.DataType, Parser] = {
    pa.string(): parse_text,
    pa.int64(): parse_whole,
    pa.float64(): parse_number,
    pa.date32(): parse_date,
    pa.bool_(): parse_truth,
    UTC_INSTANT: parse_instant,
}
"""Of every other column."""
