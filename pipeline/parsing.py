"""One column of a file -> the type of the table, and which of its values cannot be parsed.

The types that a column may arrive in are the table of :func:`parse_column`; any other type refuses
the whole file before anything is loaded. A value that cannot be parsed is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import BadInput
from transforms.arrays import Bools

Parsed = tuple[pa.Array, Bools]
"""Values, NULL where unparsed, and the mask of what could not be parsed."""

_NOTHING = r"(?i)^(nan|null|none|n/a)?$"
_WHOLE = r"^[+-]?[0-9]{1,18}(\.0*)?$"
_NUMBER = r"(?i)^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?$|^[+-]?inf(inity)?$"
_DATE = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ]00:00(:00(\.0+)?)?Z?)?$"
_LARGEST_EXACT = float(2**53)


def parse_column(column: pa.Array, wanted: pa.Field, file: str) -> Parsed:
    """The column as ``wanted``.

    Text may come as text, and an id of a person as a whole number; whole numbers as whole numbers,
    as numbers without a fraction, or as text; numbers likewise; dates as dates, as instants at
    midnight, or as ISO text; truth values as such, as 0 and 1, or as text; timestamps as such or
    as ISO text. Raises ``BadInput`` for any other type.
    """
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), wanted.type), np.zeros(len(column), dtype=bool)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    parser = _PARSERS[wanted.type]
    parsed = parser(column, wanted.name)
    if parsed is None:
        raise BadInput(
            f"{file}: the column {wanted.name} has type {column.type}, which cannot be read as "
            f"{wanted.type}; nothing was loaded"
        )
    return parsed


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _accept(values: pa.Array) -> Parsed:
    return values, np.zeros(len(values), dtype=bool)


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


def parse_text(column: pa.Array, name: str) -> Parsed | None:
    if is_text(column.type):
        return _accept(column.cast(pa.string()))
    if pa.types.is_integer(column.type) and name == "universal_player_id":
        return _accept(column.cast(pa.string()))
    return None


def parse_whole(column: pa.Array, name: str) -> Parsed | None:
    kind = column.type
    if pa.types.is_integer(kind):
        if kind == pa.uint64():
            too_large = _mask(pc.greater(column, pa.scalar(2**63 - 1, pa.uint64())))
            return pc.if_else(pa.array(too_large), None, column).cast(pa.int64()), too_large
        return _accept(column.cast(pa.int64()))
    if is_text(kind):
        return _parse_texts(
            column,
            _WHOLE,
            lambda text: pc.replace_substring_regex(text, r"^\+|\.0*$", "").cast(pa.int64()),
        )
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif not pa.types.is_floating(kind):
        return None
    values = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    number = np.where(finite, values, 0.0)
    unparsed = finite & ((number != np.rint(number)) | (np.abs(number) > _LARGEST_EXACT))
    whole = np.where(unparsed, 0.0, number).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=~finite | unparsed), unparsed


def parse_number(column: pa.Array, name: str) -> Parsed | None:
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return _accept(column.cast(pa.float64(), safe=False))
    if is_text(kind):
        return _parse_texts(column, _NUMBER, lambda text: text.cast(pa.float64()))
    return None


def parse_date(column: pa.Array, name: str) -> Parsed | None:
    kind = column.type
    if pa.types.is_date32(kind):
        return _accept(column)
    if pa.types.is_date64(kind) or pa.types.is_timestamp(kind):
        instant = column.cast(pa.timestamp("us"))
        day = pc.floor_temporal(instant, unit="day")
        unparsed = _mask(pc.not_equal(instant, day))
        return pc.if_else(pa.array(unparsed), None, day).cast(pa.date32()), unparsed
    if is_text(kind):
        return _parse_iso_dates(column)
    return None


def _parse_iso_dates(column: pa.Array) -> Parsed:
    day, unparsed = _parse_texts(column, _DATE, lambda text: pc.utf8_slice_codeunits(text, 0, 10))
    parsed = pc.strptime(day, format="%Y-%m-%d", unit="s", error_is_null=True)
    # strptime rolls 31 February over into March; what does not print as it was read is no date
    real = pc.equal(pc.strftime(parsed, format="%Y-%m-%d"), day)
    impossible = _mask(pc.is_valid(day)) & ~_mask(real)
    kept = pc.if_else(pa.array(impossible), None, parsed).cast(pa.date32())
    return kept, unparsed | impossible


def parse_truth(column: pa.Array, name: str) -> Parsed | None:
    kind = column.type
    if pa.types.is_boolean(kind):
        return _accept(column)
    if pa.types.is_integer(kind):
        unparsed = _mask(pc.invert(pc.is_in(column, pa.array([0, 1], kind))))
        unparsed &= _mask(pc.is_valid(column))
        return pc.if_else(pa.array(unparsed), None, column).cast(pa.bool_()), unparsed
    if is_text(kind):
        return _parse_texts(
            column,
            r"(?i)^(true|false|t|f|1|0)$",
            lambda text: pc.match_substring_regex(text, r"(?i)^(true|t|1)$"),
        )
    return None


def parse_instant(column: pa.Array, name: str) -> Parsed | None:
    utc = pa.timestamp("us", tz="UTC")
    if pa.types.is_timestamp(column.type):
        return _accept(column.cast(utc, safe=False))
    if is_text(column.type):
        pattern = (
            r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
            r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
            r"(Z|[+-][0-9]{2}:?[0-9]{2})?$"
        )
        return _parse_texts(column, pattern, _cast_instants)
    return None


def _cast_instants(text: pa.Array) -> pa.Array:
    zoned = pc.if_else(pc.match_substring_regex(text, r"(Z|[+-][0-9]{2}:?[0-9]{2})$"), "", "Z")
    return pc.binary_join_element_wise(text, zoned, "").cast(pa.timestamp("us", tz="UTC"))


_PARSERS: dict[pa.DataType, Callable[[pa.Array, str], Parsed | None]] = {
    pa.string(): parse_text,
    pa.int64(): parse_whole,
    pa.float64(): parse_number,
    pa.date32(): parse_date,
    pa.bool_(): parse_truth,
    pa.timestamp("us", tz="UTC"): parse_instant,
}
