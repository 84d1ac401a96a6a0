"""Files of box scores -> typed rows for ``player_game_summary``, and what became of the others.

Reads Parquet and CSV with the column names of the table. Only values that cannot be parsed and
rows without player or date are rejected; everything else is loaded and judged by the run. How
rows meet those already stored is the warehouse's business.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.parsing import parse_column
from transforms.arrays import single_chunk
from transforms.cleaning import (
    KEY_TEXTS,
    OTHER_TEXTS,
    derive_is_home,
    find_losers,
    normalize_columns,
    trim_text,
)
from transforms.schema import PLAYER_GAME_SUMMARY

SCHEMA = PLAYER_GAME_SUMMARY.schema
LARGEST_FILE_BYTES = 8 * 2**30
MOST_COLUMNS = 1_000
SHOWN = 20


@dataclass
class ImportReport:
    """What was found in the files; ``rejected`` counts rows by reason."""

    files: int = 0
    rows_in: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    ignored_columns: set[str] = field(default_factory=set)
    absent_columns: set[str] = field(default_factory=set)
    duplicates: int = 0
    lookups_made: int = 0
    home_derived: int = 0
    several_lookups: list[str] = field(default_factory=list)
    several_people: list[str] = field(default_factory=list)


def read_files(paths: Sequence[str]) -> tuple[pa.Table, ImportReport]:
    """The rows of all files, one per (player, date), in the table's schema; and the report.

    Raises ``BadInput`` naming the file when one cannot be read or lacks a required column;
    nothing has been loaded then.
    """
    report = ImportReport()
    tables = []
    for path in paths:
        raw = read_file(Path(path))
        tables.append(convert_table(raw, Path(path).name, report))
        report.files += 1
        report.rows_in += raw.num_rows
    rows = pa.concat_tables(tables).combine_chunks()
    losers = find_losers(normalize_columns(rows)[0])
    report.duplicates = int(np.count_nonzero(losers))
    rows = rows.filter(pa.array(~losers))
    name_ambiguities(rows, report)
    return rows, report


def read_file(path: Path) -> pa.Table:
    """The file as it is, texts of a CSV unparsed."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the name") from error
    if not path.is_file():
        raise BadInput(f"{path}: expected a Parquet or CSV file, found something else")
    if size == 0:
        raise BadInput(f"{path}: the file is empty (0 bytes); fetch it again")
    if size > LARGEST_FILE_BYTES:
        raise BadInput(f"{path}: larger than {LARGEST_FILE_BYTES} bytes; split it by season")
    try:
        if path.suffix.lower() == ".csv":
            return read_csv(path)
        if path.suffix.lower() == ".parquet":
            return read_parquet(path)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"{path}: cannot be read as {path.suffix[1:].lower()}: {reason[:300]}; nothing was loaded"
        ) from error
    raise BadInput(f"{path}: expected a name that ends in .parquet or .csv")


def read_parquet(path: Path) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        _check_columns(path, names)
        return file.read()


def read_csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.readline()
    names = next(iter(csv_header(header)), [])
    _check_columns(path, names)
    return csv.read_csv(
        path,
        convert_options=csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=True,
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True),
    )


def csv_header(line: str) -> list[list[str]]:
    import csv as plain

    return list(plain.reader([line]))


def _check_columns(path: Path, names: Sequence[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise BadInput(f"{path}: {len(names)} columns, at most {MOST_COLUMNS} are read")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise BadInput(f"{path}: the column {twice[0]!r} appears twice")
    required = set(PLAYER_GAME_SUMMARY.required)
    if "player_lookup" not in names and "player_full_name" in names:
        required.remove("player_lookup")
    missing = sorted(required - set(names))
    if missing:
        raise BadInput(
            f"{path}: lacks the column(s) {', '.join(missing)}; found "
            f"{', '.join(repr(name[:40]) for name in names[:40])}. Nothing was loaded"
        )


def convert_table(raw: pa.Table, name: str, report: ImportReport) -> pa.Table:
    """The rows of one file that can be parsed, in the table's schema."""
    report.ignored_columns |= set(raw.column_names) - set(SCHEMA.names)
    report.absent_columns |= set(SCHEMA.names) - set(raw.column_names)
    bad = np.zeros(raw.num_rows, dtype=bool)
    columns: dict[str, pa.Array] = {}
    for wanted in SCHEMA:
        if wanted.name not in raw.column_names:
            columns[wanted.name] = pa.nulls(raw.num_rows, wanted.type)
            continue
        values, unparsed = parse_column(single_chunk(raw, wanted.name), wanted, name)
        fresh = unparsed & ~bad
        if fresh.any():
            row = int(np.flatnonzero(fresh)[0])
            found = str(raw.column(wanted.name)[row].as_py())[:40]
            reason = f"{name}: {wanted.name} cannot be parsed, first in row {row + 1}: {found!r}"
            report.rejected[reason] += int(np.count_nonzero(fresh))
        bad |= unparsed
        columns[wanted.name] = values
    for text in (*KEY_TEXTS, *OTHER_TEXTS):
        columns[text] = trim_text(columns[text])
    _fill_lookups(columns, report)
    if "is_home" not in raw.column_names:
        columns["is_home"] = derive_is_home(columns["game_id"], columns["team_abbr"])
        report.home_derived += raw.num_rows - columns["is_home"].null_count
    for key in PLAYER_GAME_SUMMARY.key:
        lacking = pc.is_null(columns[key]).to_numpy(zero_copy_only=False) & ~bad
        if lacking.any():
            report.rejected[f"{name}: {key} is missing"] += int(np.count_nonzero(lacking))
        bad |= lacking
    table = pa.table({field.name: columns[field.name].cast(field.type) for field in SCHEMA})
    return table.filter(pa.array(~bad)) if bad.any() else table


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


def name_ambiguities(rows: pa.Table, report: ImportReport) -> None:
    """Names the people with several lookups, and the lookups with several people."""
    pairs = (
        rows.select(["universal_player_id", "player_lookup"])
        .filter(pc.is_valid(rows.column("universal_player_id")))
        .group_by(["universal_player_id", "player_lookup"], use_threads=False)
        .aggregate([])
    )
    report.several_lookups = _list_several(pairs, "universal_player_id", "player_lookup")
    report.several_people = _list_several(pairs, "player_lookup", "universal_player_id")


def _list_several(pairs: pa.Table, one: str, many: str) -> list[str]:
    grouped = pairs.group_by(one, use_threads=False).aggregate([(many, "list"), (many, "count")])
    several = grouped.filter(pc.greater(grouped.column(f"{many}_count"), 1))
    return sorted(f"{row[one]}: {', '.join(sorted(row[f'{many}_list']))}" for row in several.to_pylist())
