"""Whether a stored table is what the job can work with: its columns and their types. Pure."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from transforms.schema import Table


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind) or is_whole_number(kind))


def is_whole_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) and kind != pa.uint64())


ACCEPTED: dict[pa.DataType, tuple[str, Callable[[pa.DataType], bool]]] = {
    pa.string(): ("text", is_text),
    pa.int64(): ("a whole number of at most 64 bits", is_whole_number),
    pa.float64(): ("a number", is_number),
    pa.bool_(): ("a truth value", pa.types.is_boolean),
    pa.date32(): ("a date", pa.types.is_date32),
    pa.timestamp("us", tz="UTC"): ("a timestamp", pa.types.is_timestamp),
}
"""The types that an input column may have, by the type that it is read as."""


def find_shape_problems(table: Table, found: pa.Schema | None) -> list[str]:
    """What is wrong with an input table, one sentence a problem."""
    if found is None:
        return [f"table {table.path} is missing"]
    problems = []
    for field in table.schema:
        index = found.get_field_index(field.name)
        if index < 0:
            if field.name in table.required:
                problems.append(f"{table.path} lacks the column {field.name}")
            continue
        expected, accepts = ACCEPTED[field.type]
        if not accepts(found.field(index).type):
            problems.append(f"{table.path}.{field.name} must be {expected}, found {found.field(index).type}")
    return problems


def find_output_problems(table: Table, found: pa.Schema | None) -> list[str]:
    """What is wrong with an output table that exists: it must have exactly our columns."""
    if found is None:
        return []
    lacking = [f"{table.path} lacks the column {field.name}" for field in list_lacking(table, found)]
    return lacking + find_foreign(table, found)


def list_lacking(table: Table, found: pa.Schema) -> list[pa.Field]:
    """The columns of the table's definition that the stored one has not."""
    return [field for field in table.schema if field.name not in found.names]


def find_foreign(table: Table, found: pa.Schema) -> list[str]:
    """What stands in an output table's way: columns that are not ours, and types that are others."""
    foreign = sorted(set(found.names) - set(table.schema.names))
    problems = [f"{table.path} has the foreign column {name}" for name in foreign]
    for field in table.schema:
        if field.name not in found.names or pa.types.is_struct(field.type):
            continue
        wanted, kind = plain_type(field.type), found.field(field.name).type
        same = kind == wanted or (pa.types.is_timestamp(kind) and pa.types.is_timestamp(wanted))
        if not same:
            problems.append(f"{table.path}.{field.name} must be {wanted}, found {kind}")
    return problems


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type as it is stored: a dictionary is a way of carrying its values."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
