"""Files of box scores -> typed rows for ``player_game_summary``, and what became of the others.

Reads Parquet and CSV with the column names of the table. Only values that cannot be parsed and
rows without player or date are rejected; everything else is loaded and judged by the run. How
rows meet those already stored is the warehouse's business.
"""

from __future__ import annotations

import csv as plain_csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.parsing import parse_column
from transforms.arrays import Bools, single_chunk
from transforms.cleaning import (
    KEY_TEXTS,
    OTHER_TEXTS,
    derive_is_home,
    find_losers,
    normalize_columns,
    trim_text,
)
from transforms.schema import INTEGER_STATISTICS, PLAYER_GAME_SUMMARY

SCHEMA = PLAYER_GAME_SUMMARY.schema
STATISTICS = ("minutes_played", *INTEGER_STATISTICS)
LARGEST_FILE_BYTES = 8 * 2**30
MOST_COLUMNS = 1_000
LONGEST_HEADER = 2**20
SCANNED_BYTES = 2**24
SHOWN = 20
SHOWN_NAMES = 8
SHOWN_VALUE = 40


@dataclass
class ImportReport:
    """What was found in the files; ``rejected`` counts rows by reason.

    ``non_finite`` counts the NaN and infinities among the statistics: they are read as NULL.
    """

    files: int = 0
    rows_in: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    ignored_columns: set[str] = field(default_factory=set)
    absent_columns: set[str] = field(default_factory=set)
    duplicates: int = 0
    non_finite: int = 0
    lookups_made: int = 0
    home_derived: int = 0


def read_files(paths: Sequence[str]) -> tuple[pa.Table, ImportReport]:
    """The rows of all files, one per (player, date), in the table's schema; and the report.

    Raises ``BadInput`` naming the file when one cannot be read or lacks a required column;
    nothing has been loaded then.
    """
    report = ImportReport()
    tables = []
    for path in paths:
        raw, names = read_file(Path(path))
        report.ignored_columns |= set(names) - set(SCHEMA.names)
        report.absent_columns |= set(SCHEMA.names) - set(names)
        with _naming(path):
            tables.append(convert_table(raw, path, report))
        report.files += 1
        report.rows_in += raw.num_rows
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


def read_file(path: Path) -> tuple[pa.Table, list[str]]:
    """The known columns of the file as they are, texts of a CSV unparsed; and every column's name."""
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
        rows, names = reader(path)
        # a damaged Parquet file can hold text that is no UTF-8, which Arrow trusts unseen
        rows.validate(full=True)
    return rows, names


def read_parquet(path: Path) -> tuple[pa.Table, list[str]]:
    with path.open("rb") as head:
        if head.read(4) != b"PAR1":  # Arrow reads the end of the file only
            raise BadInput(f"{path}: does not begin like a Parquet file; fetch it again. Nothing was loaded")
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = list(file.schema_arrow.names)
        return file.read(columns=_check_columns(path, names)), names


def read_csv(path: Path) -> tuple[pa.Table, list[str]]:
    _refuse_nul(path)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.read(LONGEST_HEADER)
    names = next((row for row in plain_csv.reader(io.StringIO(header, newline="")) if row), [])
    known = _check_columns(path, names)
    uneven: list[csv.InvalidRow] = []

    def refuse(row: csv.InvalidRow) -> str:
        uneven.append(row)
        return "error"

    try:
        rows = csv.read_csv(
            path,
            convert_options=csv.ConvertOptions(
                default_column_type=pa.string(),
                include_columns=known,
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
    return rows, names


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


def _check_columns(path: Path, names: Sequence[str]) -> list[str]:
    """The columns to read, in the file's order."""
    if len(names) > MOST_COLUMNS:
        raise BadInput(f"{path}: {len(names)} columns, at most {MOST_COLUMNS} are read")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise BadInput(f"{path}: the column {twice[0][:SHOWN_VALUE]!r} appears twice; nothing was loaded")
    required = set(PLAYER_GAME_SUMMARY.required)
    if "player_lookup" not in names and "player_full_name" in names:
        required.remove("player_lookup")
    missing = sorted(required - set(names))
    if missing:
        # few are shown: in a file without a header they are a row
        found = ", ".join(repr(name[:SHOWN_VALUE]) for name in names[:SHOWN_NAMES])
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        raise BadInput(
            f"{path}: lacks the column(s) {', '.join(missing)}; found {found}{more}. Nothing was loaded"
        )
    return [name for name in names if name in SCHEMA.names]


def convert_table(raw: pa.Table, file: str, report: ImportReport) -> pa.Table:
    """The rows of one file that can be parsed, in the table's schema."""
    bad = np.zeros(raw.num_rows, dtype=bool)
    columns: dict[str, pa.Array] = {}

    def reject(broken: Bools, what: str, values: pa.ChunkedArray | None = None) -> None:
        nonlocal bad
        fresh = broken & ~bad
        if fresh.any():
            row = int(np.flatnonzero(fresh)[0])
            found = "" if values is None else f": {show_value(values[row])!r}"
            report.rejected[f"{file}: {what}, first in row {row + 1}{found}"] += int(np.count_nonzero(fresh))
        bad = bad | broken

    for wanted in SCHEMA:
        if wanted.name not in raw.column_names:
            columns[wanted.name] = pa.nulls(raw.num_rows, wanted.type)
            continue
        column = single_chunk(raw, wanted.name)
        values, unparsed = parse_column(column, wanted, file)
        reject(unparsed, f"{wanted.name} cannot be parsed", raw.column(wanted.name))
        columns[wanted.name] = values
        if wanted.name in STATISTICS and pa.types.is_floating(column.type):
            finite = pc.is_finite(column)
            report.non_finite += len(column) - column.null_count - (pc.sum(finite).as_py() or 0)
    for text in (*KEY_TEXTS, *OTHER_TEXTS):
        columns[text] = trim_text(columns[text])
    _fill_lookups(columns, report)
    if "is_home" not in raw.column_names:
        columns["is_home"] = derive_is_home(columns["game_id"], columns["team_abbr"])
        report.home_derived += raw.num_rows - columns["is_home"].null_count
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
