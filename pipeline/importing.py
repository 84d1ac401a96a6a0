"""Files of box scores -> typed rows for ``player_game_summary``, and what became of the others.

Reads Parquet and CSV with the column names of the table or of a public export. Only values that
cannot be parsed and rows without player or date are rejected; everything else is loaded and judged
by the run. How rows meet those already stored is the warehouse's business.
"""

from __future__ import annotations

import csv as plain_csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.export_catalog import EXPORTS
from pipeline.exports import (
    OWN,
    STATISTICS,
    Recognition,
    Translation,
    blank_absences,
    explain_unknown,
    recognise_export,
    translate_rows,
)
from pipeline.parsing import parse_column
from transforms.arrays import Bools, single_chunk, trim_text
from transforms.cleaning import (
    KEY_TEXTS,
    OTHER_TEXTS,
    derive_is_home,
    find_losers,
    normalize_columns,
)
from transforms.schema import PLAYER_GAME_SUMMARY

SCHEMA = PLAYER_GAME_SUMMARY.schema
LARGEST_FILE_BYTES = 8 * 2**30
MOST_COLUMNS = 1_000
LONGEST_HEADER = 2**20
SCANNED_BYTES = 2**24
SHOWN = 20
SHOWN_NAMES = 8
SHOWN_VALUE = 40


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


@dataclass(frozen=True)
class RawFile:
    """The columns of a file that are read, as they are; every column's name; and what it is."""

    rows: pa.Table
    names: list[str]
    recognition: Recognition


@dataclass
class ImportReport:
    """What was found in the files; ``rejected`` counts rows by reason, ``recognised`` by export.

    ``non_finite`` counts the NaN and infinities among the statistics: they are read as NULL.
    """

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


def read_files(paths: Iterable[str]) -> tuple[pa.Table, ImportReport]:
    """The rows of all files, one per (player, date), in the table's schema; and the report.

    Raises ``BadInput`` naming the file when one cannot be read or lacks a required column;
    nothing has been loaded then.
    """
    report = ImportReport()
    tables = []
    for path in paths:
        raw = read_file(Path(path))
        report.ignored_columns |= set(raw.names) - set(raw.recognition.sources)
        report.absent_columns |= set(SCHEMA.names) - raw.recognition.targets.keys()
        with _naming(path):
            tables.append(convert_file(raw, path, report))
        report.files += 1
        report.rows_in += raw.rows.num_rows
    return drop_duplicates(pa.concat_tables(tables), report), report


def drop_duplicates(rows: pa.Table, report: ImportReport) -> pa.Table:
    """One row per (player, date), the same whatever the order of the rows."""
    losers = find_losers(normalize_columns(rows)[0])
    if losers.any():
        # the rule compares whole seconds: among equals the first counts, so their order is fixed here
        rows = rows.sort_by([("minutes_played", "descending")])
        losers = find_losers(normalize_columns(rows)[0])
    report.duplicates = int(np.count_nonzero(losers))
    return rows.filter(pa.array(~losers)).combine_chunks()


@contextmanager
def _naming(path: Path | str) -> Iterator[None]:
    """Turns what a reader raises into ``BadInput`` that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError, plain_csv.Error, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path}: cannot be read: {reason[:300]}; nothing was loaded") from error


def read_file(path: Path) -> RawFile:
    """The file as it is, texts of a CSV unparsed."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path}: cannot be read ({reason}); check the name. Nothing was loaded") from error
    if not path.is_file():
        raise BadInput(f"{path}: expected a Parquet or CSV file, found something else; nothing was loaded")
    readers = {".csv": read_csv, ".parquet": read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path}: expected a name that ends in .parquet or .csv; nothing was loaded")
    if size == 0:
        raise BadInput(f"{path}: the file is empty (0 bytes); fetch it again. Nothing was loaded")
    if size > LARGEST_FILE_BYTES:
        raise BadInput(f"{path}: larger than {LARGEST_FILE_BYTES} bytes; split it by season")
    with _naming(path):
        raw = reader(path)
        # a damaged Parquet file can hold text that is no UTF-8, which Arrow trusts unseen
        raw.rows.validate(full=True)
    return raw


def read_parquet(path: Path) -> RawFile:
    with path.open("rb") as head:
        if head.read(4) != b"PAR1":  # Arrow reads the end of the file only
            raise BadInput(f"{path}: does not begin like a Parquet file; fetch it again. Nothing was loaded")
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = list(file.schema_arrow.names)
        recognition = _recognise_columns(path, names)
        return RawFile(file.read(columns=recognition.sources), names, recognition)


def read_csv(path: Path) -> RawFile:
    _refuse_nul(path)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.read(LONGEST_HEADER)
    names = next((row for row in plain_csv.reader(io.StringIO(header, newline="")) if row), [])
    recognition = _recognise_columns(path, names)
    uneven: list[csv.InvalidRow] = []

    def refuse(row: csv.InvalidRow) -> str:
        uneven.append(row)
        return "error"

    try:
        rows = csv.read_csv(
            path,
            convert_options=csv.ConvertOptions(
                default_column_type=pa.string(),
                include_columns=recognition.sources,
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
            parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
        )
    except pa.ArrowInvalid:
        if not uneven:
            raise
        # Arrow's own message would print the row
        raise BadInput(
            f"{path}: expected {uneven[0].expected_columns} values in every row, found one with "
            f"{uneven[0].actual_columns}: the file may be cut off; fetch it again. Nothing was loaded"
        ) from None
    return RawFile(rows, names, recognition)


def _refuse_nul(path: Path) -> None:
    """Refuses what Arrow may cut into wrong rows without an error (measured on pyarrow 25)."""
    offset = 0
    with path.open("rb") as file:
        while block := file.read(SCANNED_BYTES):
            found = block.find(b"\0")
            if found >= 0:
                raise BadInput(
                    f"{path}: expected UTF-8 text, found a NUL at byte {offset + found}: the file is "
                    "damaged or in another encoding. Nothing was loaded"
                )
            offset += len(block)


def _recognise_columns(path: Path, names: Sequence[str]) -> Recognition:
    """What a file with these columns is, and so which of them are read."""
    if len(names) > MOST_COLUMNS:
        raise BadInput(f"{path}: {len(names)} columns, at most {MOST_COLUMNS} are read")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise BadInput(f"{path}: the column {twice[0][:SHOWN_VALUE]!r} appears twice; nothing was loaded")
    recognition = recognise_export(names, EXPORTS)
    if recognition is None:
        # few are shown: in a file without a header they are a row
        found = ", ".join(repr(name[:SHOWN_VALUE]) for name in names[:SHOWN_NAMES])
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        raise BadInput(f"{path}: {explain_unknown(names, found + more, EXPORTS)}. Nothing was loaded")
    return recognition


def convert_file(raw: RawFile, file: str, report: ImportReport) -> pa.Table:
    """The rows of one file that can be parsed, in the table's schema."""
    recognition = raw.recognition
    translation = translate_rows(raw.rows, recognition, file)
    recognised = report.recognised.setdefault(recognition.export.name, Recognised())
    recognised.add(recognition, translation)
    rows = translation.rows
    bad = np.zeros(rows.num_rows, dtype=bool)
    columns: dict[str, pa.Array] = {}

    def reject(broken: Bools, what: str, values: pa.ChunkedArray | None = None) -> None:
        nonlocal bad
        fresh = broken & ~bad
        if fresh.any():
            row = int(np.flatnonzero(fresh)[0])
            found = "" if values is None else f": {show_value(values[row])!r}"
            report.rejected[f"{file}: {what}, first in row {row + 1}{found}"] += int(np.count_nonzero(fresh))
        bad = bad | broken

    for step, broken in translation.unread:
        reject(broken, f"{step.source} cannot be read", raw.rows.column(step.sources[0]))
    for wanted in SCHEMA:
        if wanted.name not in rows.column_names:
            columns[wanted.name] = pa.nulls(rows.num_rows, wanted.type)
            continue
        column = single_chunk(rows, wanted.name)
        values, unparsed = parse_column(column, wanted, file)
        reject(unparsed, f"{recognition.targets[wanted.name]} cannot be parsed", rows.column(wanted.name))
        columns[wanted.name] = values
        if wanted.name in STATISTICS and pa.types.is_floating(column.type):
            finite = pc.is_finite(column)
            report.non_finite += len(column) - column.null_count - (pc.sum(finite).as_py() or 0)
    for text in (*KEY_TEXTS, *OTHER_TEXTS):
        columns[text] = trim_text(columns[text])
    _fill_lookups(columns, report)
    if "is_home" not in rows.column_names:
        columns["is_home"] = derive_is_home(columns["game_id"], columns["team_abbr"])
        report.home_derived += rows.num_rows - columns["is_home"].null_count
    if recognition.export is not OWN:
        recognised.without_opponent += columns["opponent_team_abbr"].null_count
        statistics, busy = blank_absences(columns)
        columns |= statistics
        recognised.busy_absences += busy
    for key in PLAYER_GAME_SUMMARY.key:
        reject(pc.is_null(columns[key]).to_numpy(zero_copy_only=False), f"{key} is missing")
    table = pa.table({field.name: columns[field.name].cast(field.type) for field in SCHEMA})
    return table.filter(pa.array(~bad)) if bad.any() else table


def show_value(value: pa.Scalar) -> str:
    """The beginning of a value, for a message."""
    try:
        return str(value.as_py())[:SHOWN_VALUE]
    except (OverflowError, ValueError):
        # dates and instants that Python cannot hold
        return str(value.value)


def _fill_lookups(columns: dict[str, pa.Array], report: ImportReport) -> None:
    """A lookup made from the full name where there is none."""
    lookup = columns["player_lookup"]
    if lookup.null_count == 0:
        return
    names = columns["player_full_name"]
    made = pa.array([make_lookup(text) for text in names.dictionary.to_pylist()], pa.string())
    from_names = pa.DictionaryArray.from_arrays(names.indices, made).dictionary_decode()
    filled = pc.coalesce(lookup.dictionary_decode(), from_names)
    report.lookups_made += lookup.null_count - filled.null_count
    columns["player_lookup"] = filled.dictionary_encode()


def make_lookup(name: str) -> str | None:
    """NFKD, ASCII, lower case, letters and digits only, suffix kept; None when nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(character for character in plain if character.isalnum()) or None
