"""Columns of a file -> columns of a table, the rows that are rejected, and the record of both.

What is common to every input table; the rules of one are in ``importing`` and ``importing_sides``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.imports.exports import Recognition, Translation
from pipeline.imports.parsing import parse_column
from pipeline.imports.reading import SHOWN_VALUE, RawFile, Recognise, naming_file, read_file
from transforms.arrays import Bools, single_chunk
from transforms.schema import PLAYER_GAME_SUMMARY, Table


@dataclass
class Recognised:
    """The files of one kind: ``mapped`` are steps like ``PTS -> points``, ``team_codes`` rows by
    ``GS -> GSW``, ``unknown_teams`` rows by code; ``without_opponent`` counts the rows whose
    opponent the file does not tell, ``busy_absences`` those that say DNP and have statistics."""

    files: int = 0
    rows: int = 0
    mapped: list[str] = field(default_factory=list)
    team_codes: Counter[str] = field(default_factory=Counter)
    unknown_teams: Counter[str] = field(default_factory=Counter)
    without_opponent: int = 0
    busy_absences: int = 0

    def add(self, recognition: Recognition, found: Translation) -> None:
        self.files += 1
        self.rows += found.rows.num_rows
        self.mapped += [step for step in recognition.mapped if step not in self.mapped]
        self.team_codes += found.codes
        self.unknown_teams += found.unknown


@dataclass
class ImportReport:
    """What was found in the files; ``rejected`` counts rows by reason, ``recognised`` by export.

    ``non_finite`` counts the NaN and infinities among the numbers: they are read as NULL.
    ``oddities`` are names by what is odd about them; their rows are loaded.
    """

    table: str = PLAYER_GAME_SUMMARY.path
    files: int = 0
    rows_in: int = 0
    recognised: dict[str, Recognised] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    ignored_columns: set[str] = field(default_factory=set)
    absent_columns: set[str] = field(default_factory=set)
    duplicates: int = 0
    non_finite: int = 0
    lookups_made: int = 0
    home_derived: int = 0
    oddities: dict[str, list[str]] = field(default_factory=dict)


Convert = Callable[[RawFile, str, ImportReport], pa.Table]
"""A file, its name for messages, and the record -> its rows that count, in the table's schema."""


def convert_files(
    paths: Iterable[str], table: Table, recognise: Recognise, convert: Convert, report: ImportReport
) -> pa.Table:
    """The rows of all files, one after the other."""
    converted = []
    for path in paths:
        raw = read_file(Path(path), recognise)
        report.ignored_columns |= set(raw.names) - set(raw.recognition.sources)
        report.absent_columns |= set(table.schema.names) - raw.recognition.targets.keys()
        with naming_file(path):
            converted.append(convert(raw, path, report))
        report.files += 1
        report.rows_in += raw.rows.num_rows
    return pa.concat_tables(converted)


class Rejects:
    """The rows of one file that are rejected, each counted once, with the first of each reason."""

    def __init__(self, file: str, rows: int, report: ImportReport) -> None:
        self.file, self.report = file, report
        self.rejected: Bools = np.zeros(rows, dtype=bool)

    def add(self, broken: Bools, what: str, values: pa.ChunkedArray | None = None) -> None:
        """Rejects the rows where ``broken``; the first of ``values`` there is shown."""
        fresh = broken & ~self.rejected
        if fresh.any():
            row = int(np.flatnonzero(fresh)[0])
            found = "" if values is None else f": {show_value(values[row])!r}"
            reason = f"{self.file}: {what}, first in row {row + 1}{found}"
            self.report.rejected[reason] += int(np.count_nonzero(fresh))
        self.rejected = self.rejected | broken

    def add_missing(self, columns: Mapping[str, pa.Array], names: tuple[str, ...]) -> None:
        """Rejects the rows in which one of these columns is NULL."""
        for name in names:
            self.add(pc.is_null(columns[name]).to_numpy(zero_copy_only=False), f"{name} is missing")

    def leave_out(self, table: pa.Table) -> pa.Table:
        return table.filter(pa.array(~self.rejected)) if self.rejected.any() else table


def convert_columns(
    rows: pa.Table, schema: pa.Schema, recognition: Recognition, rejects: Rejects
) -> dict[str, pa.Array]:
    """Every column of ``schema`` in its type, all NULL where ``rows`` lacks it."""
    columns: dict[str, pa.Array] = {}
    for wanted in schema:
        if wanted.name not in rows.column_names:
            columns[wanted.name] = pa.nulls(rows.num_rows, wanted.type)
            continue
        column = single_chunk(rows, wanted.name)
        values, unparsed = parse_column(column, wanted, rejects.file)
        source = recognition.targets[wanted.name]
        rejects.add(unparsed, f"{source} cannot be parsed", rows.column(wanted.name))
        columns[wanted.name] = values
    return columns


def count_non_finite(column: pa.Array) -> int:
    """How many NaN and infinities a column of floats holds; 0 for any other type."""
    if not pa.types.is_floating(column.type):
        return 0
    finite = pc.fill_null(pc.is_finite(column), True).to_numpy(zero_copy_only=False)
    return int(np.count_nonzero(~finite))


def show_value(value: pa.Scalar) -> str:
    """The beginning of a value, for a message."""
    try:
        return str(value.as_py())[:SHOWN_VALUE]
    except (OverflowError, ValueError):
        # dates and instants that Python cannot hold
        return str(value.value)
