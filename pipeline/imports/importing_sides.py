"""Files of a side table -> typed rows, one per key, and what became of the others.

A side table is read by its own column names. Only values that cannot be parsed and rows without
their identity are rejected; everything else is loaded and judged by the run. Which row of a key
counts is the table's rule in ``load_rules``; it never depends on the order of rows or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import BadInput
from pipeline.imports.converting import (
    ImportReport,
    Recognised,
    Rejects,
    convert_columns,
    convert_files,
    count_non_finite,
)
from pipeline.imports.exports import Recognition, Translation, take_own
from pipeline.imports.oddities import ODDITIES
from pipeline.imports.reading import RawFile, list_found
from pipeline.warehouse.load_rules import LOAD_RULES, Order
from transforms.arrays import single_chunk, trim_text
from transforms.schema import Table


def read_side_files(table: Table, paths: Iterable[str], report: ImportReport) -> pa.Table:
    """The rows of all files that count, in the table's schema."""
    recognise, convert = partial(recognise_side_table, table), partial(convert_side_file, table)
    rows = convert_files(paths, table, recognise, convert, report)
    for title, find in ODDITIES.get(table.path, {}).items():
        if names := find(rows):
            report.oddities[title] = names
    kept = drop_side_duplicates(rows, table.key, LOAD_RULES[table.path].order)
    report.duplicates = rows.num_rows - kept.num_rows
    return kept


def recognise_side_table(table: Table, names: Sequence[str]) -> Recognition:
    """The table's columns that a file has; ``BadInput`` when required ones are missing."""
    missing = [name for name in table.required if name not in names]
    if missing:
        raise BadInput(
            f"lacks the column(s) {', '.join(missing)} of {table.path}; found {list_found(names)}. "
            f"Columns that are read: {', '.join(table.schema.names)}"
        )
    own = take_own([name for name in table.schema.names if name in names])
    return Recognition(own, tuple((step, step.targets) for step in own.steps))


def convert_side_file(table: Table, raw: RawFile, file: str, report: ImportReport) -> pa.Table:
    """The rows of one file that can be parsed and have their identity, in the table's schema."""
    recognition, rows = raw.recognition, raw.rows
    recognised = report.recognised.setdefault(recognition.export.name, Recognised())
    recognised.add(recognition, Translation(rows, []))
    rejects = Rejects(file, rows.num_rows, report)
    columns = convert_columns(rows, table.schema, recognition, rejects)
    for name, column in columns.items():
        arrived = single_chunk(rows, name) if name in rows.column_names else column
        report.non_finite += count_non_finite(arrived if pa.types.is_floating(arrived.type) else column)
        columns[name] = tidy_values(column)
    rejects.add_missing(columns, LOAD_RULES[table.path].identity)
    return rejects.leave_out(pa.table(columns, schema=table.schema))


def tidy_values(column: pa.Array) -> pa.Array:
    """Texts trimmed, blank ones NULL; NaN and infinity NULL and -0.0 0.0, so that equal rows are alike."""
    if pa.types.is_string(column.type):
        return trim_text(column).dictionary_decode()
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_finite(column), pc.add(column, 0.0), pa.scalar(None, column.type))
    return column


def drop_side_duplicates(rows: pa.Table, key: Sequence[str], order: Order) -> pa.Table:
    """One row per key, the first in ``order``; NULL is a value like any other and comes last."""
    sortable = {
        name: column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
        for name, column in zip(rows.column_names, rows.columns, strict=True)
    }
    sort_keys = [(name, direction, "at_end") for name, direction in order]
    ranked = rows.take(pc.sort_indices(pa.table(sortable), sort_keys=sort_keys))
    numbered = ranked.select(list(key)).append_column("rank", pa.array(np.arange(rows.num_rows)))
    first = numbered.group_by(list(key)).aggregate([("rank", "min")])["rank_min"]
    return ranked.take(np.sort(first.to_numpy())).combine_chunks()
