"""Arrow columns as NumPy values with a validity mask, and back. No meaning of any column is here.

Inside the kernels an integer column is a :class:`Known` pair (values, known); a float column that
may be unknown is a plain float64 array in which NaN stands for NULL. NaN never leaves the kernels:
:func:`to_nullable` writes it as NULL.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]


class Known(NamedTuple):
    """An integer column: ``values`` int64[n] (0 where unknown) and ``known`` bool[n]."""

    values: Ints
    known: Bools

    def take(self, index: npt.NDArray[Any]) -> Known:
        return Known(self.values[index], self.known[index])


def single_chunk(table: pa.Table, name: str) -> pa.Array:
    """The column as one contiguous array."""
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return column


def to_known(array: pa.Array) -> Known:
    """Values and validity of an integer or boolean array."""
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    if array.null_count == 0:
        values = array.to_numpy(zero_copy_only=False)
        return Known(values.astype(np.int64, copy=False), np.ones(len(values), dtype=bool))
    known = array.is_valid().to_numpy(zero_copy_only=False)
    values = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)
    return Known(values.astype(np.int64, copy=False), known)


def to_days(array: pa.Array) -> Ints:
    """A date32 array without NULLs as days since 1970-01-01."""
    days: Ints = array.cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    return days


def to_day(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def to_codes(array: pa.DictionaryArray) -> Codes:
    """The codes of a dictionary array, -1 where NULL."""
    indices = array.indices.cast(pa.int32())
    if indices.null_count:
        indices = pc.fill_null(indices, -1)
    codes: Codes = indices.to_numpy(zero_copy_only=False)
    return codes


def codes_among(column: pa.DictionaryArray, names: pa.Array) -> Codes:
    """The position of each value in ``names`` (distinct), -1 where it is not among them or NULL."""
    position = pc.index_in(column.dictionary, names)
    codes: Codes = np.append(pc.fill_null(position, -1).to_numpy(zero_copy_only=False), -1)[to_codes(column)]
    return codes


def read_column(raw: pa.Table, field: pa.Field) -> pa.Array:
    """The column in its declared type; all NULL when the table does not have it."""
    if field.name not in raw.column_names:
        return pa.nulls(raw.num_rows, field.type)
    column = single_chunk(raw, field.name)
    # of an instant, parts below a microsecond are cut off; of a number nothing is
    return column if column.type == field.type else column.cast(field.type, safe=not _is_instant(field.type))


def _is_instant(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind))


def trim_text(column: pa.Array) -> pa.DictionaryArray:
    """Dictionary-encoded text without ASCII white space around it; blank text is NULL."""
    encoded = column.dictionary_encode()
    values = pc.ascii_trim_whitespace(encoded.dictionary)
    blank = pc.equal(values, "")
    if values.equals(encoded.dictionary) and not pc.any(blank).as_py():
        return encoded
    return replace_values(encoded, pc.if_else(blank, None, values))


def replace_values(column: pa.DictionaryArray, values: pa.Array) -> pa.DictionaryArray:
    """The column with ``values`` in the place of its dictionary's; they may be alike or NULL."""
    unique = values.dictionary_encode()
    codes, remap = to_codes(column), to_codes(unique)
    if len(remap) == 0:
        return column
    return from_codes(np.where(codes < 0, -1, remap[codes]).astype(np.int32), unique.dictionary)


def from_codes(codes: Codes, values: pa.Array) -> pa.DictionaryArray:
    """The dictionary array of these codes; -1 is NULL."""
    indices = pa.array(codes, pa.int32(), mask=codes < 0 if len(codes) and codes.min() < 0 else None)
    return pa.DictionaryArray.from_arrays(indices, values)


def from_days(days: Ints) -> pa.Array:
    """Days since 1970-01-01 as date32."""
    return pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())


def from_known(column: Known) -> pa.Array:
    """An int64 array, NULL where unknown."""
    return pa.array(column.values, pa.int64(), mask=None if column.known.all() else ~column.known)


def to_nullable(values: Floats) -> pa.Array:
    """A float64 array with NULL for NaN, and 0.0 for -0.0."""
    values = values + 0.0
    known = ~np.isnan(values)
    unknown = len(values) - int(np.count_nonzero(known))
    # as Arrow's own conversion, in a ninth of its time
    validity = pa.py_buffer(np.packbits(known, bitorder="little")) if unknown else None
    return pa.Array.from_buffers(pa.float64(), len(values), [validity, pa.py_buffer(values)], unknown)


def divide(numerator: Ints | Floats, denominator: Ints | Floats) -> Floats:
    """``numerator / denominator`` in binary64, NaN where the denominator is 0 or a part is NaN."""
    out = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)
    return out


def to_batch(table: pa.Table) -> pa.RecordBatch:
    """The whole table as one record batch; an empty table gives an empty batch."""
    batches: list[Any] = table.unify_dictionaries().combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
