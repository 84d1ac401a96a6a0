"""A Parquet or CSV file -> some of its columns as they are, or ``BadInput`` that names the file.

Damaged files are told here, whatever table they are for. Which columns are read is the caller's
choice, by their names; what they mean is not here.
"""

from __future__ import annotations

import csv as plain_csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.imports.exports import Recognition

LARGEST_FILE_BYTES = 8 * 2**30
MOST_COLUMNS = 1_000
MOST_ROWS = 50_000_000
"""Of a Parquet file, whose size says little of what it unpacks to."""

LONGEST_HEADER = 2**20
SCANNED_BYTES = 2**24
SHOWN_NAMES = 8
SHOWN_VALUE = 40

Recognise = Callable[[Sequence[str]], Recognition]
"""The names of a file's columns -> which of them are read; ``BadInput`` when they do not suffice."""


@dataclass(frozen=True)
class RawFile:
    """The columns of a file that are read, as they are; every column's name; and what it is."""

    rows: pa.Table
    names: list[str]
    recognition: Recognition


@contextmanager
def naming_file(path: Path | str) -> Iterator[None]:
    """Turns what a reader raises into ``BadInput`` that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError, plain_csv.Error, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path}: cannot be read: {reason[:300]}; nothing was loaded") from error


def read_file(path: Path, recognise: Recognise) -> RawFile:
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
    with naming_file(path):
        raw = reader(path, recognise)
        # a damaged Parquet file can hold text that is no UTF-8, which Arrow trusts unseen
        raw.rows.validate(full=True)
    return raw


def read_parquet(path: Path, recognise: Recognise) -> RawFile:
    with path.open("rb") as head:
        if head.read(4) != b"PAR1":  # Arrow reads the end of the file only
            raise BadInput(f"{path}: does not begin like a Parquet file; fetch it again. Nothing was loaded")
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.metadata.num_rows > MOST_ROWS:
            raise BadInput(
                f"{path}: {file.metadata.num_rows} rows, at most {MOST_ROWS} are read; split it by season"
            )
        names = list(file.schema_arrow.names)
        recognition = _recognise_columns(path, names, recognise)
        return RawFile(file.read(columns=recognition.sources), names, recognition)


def read_csv(path: Path, recognise: Recognise) -> RawFile:
    _refuse_nul(path)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.read(LONGEST_HEADER)
    names = next((row for row in plain_csv.reader(io.StringIO(header, newline="")) if row), [])
    recognition = _recognise_columns(path, names, recognise)
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


def _recognise_columns(path: Path, names: Sequence[str], recognise: Recognise) -> Recognition:
    """What a file with these columns is, and so which of them are read."""
    if len(names) > MOST_COLUMNS:
        raise BadInput(f"{path}: {len(names)} columns, at most {MOST_COLUMNS} are read")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise BadInput(f"{path}: the column {twice[0][:SHOWN_VALUE]!r} appears twice; nothing was loaded")
    try:
        return recognise(names)
    except BadInput as error:
        raise BadInput(f"{path}: {error}. Nothing was loaded") from None


def list_found(names: Sequence[str]) -> str:
    """The columns that a file has, for a message; few are shown: without a header they are a row."""
    found = ", ".join(repr(name[:SHOWN_VALUE]) for name in names[:SHOWN_NAMES])
    return found + (f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else "")
