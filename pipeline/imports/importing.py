"""Files of box scores -> typed rows for ``player_game_summary``, and what became of the others.

Reads Parquet and CSV with the column names of the table or of a public export. Only values that
cannot be parsed and rows without player or date are rejected; everything else is loaded and judged
by the run. How rows meet those already stored is the warehouse's business; the files of the other
input tables begin here and are the business of ``importing_sides``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

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
from pipeline.imports.export_catalog import EXPORTS
from pipeline.imports.exports import (
    OWN,
    STATISTICS,
    Recognition,
    blank_absences,
    explain_unknown,
    recognise_export,
    translate_rows,
)
from pipeline.imports.importing_sides import read_side_files
from pipeline.imports.reading import RawFile, list_found
from transforms.arrays import single_chunk, trim_text
from transforms.cleaning import (
    KEY_TEXTS,
    OTHER_TEXTS,
    derive_is_home,
    find_losers,
    normalize_columns,
)
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import SIDE_TABLES

SCHEMA = PLAYER_GAME_SUMMARY.schema


def read_files(paths: Iterable[str], table: Table = PLAYER_GAME_SUMMARY) -> tuple[pa.Table, ImportReport]:
    """The rows of all files that count, one per key, in the table's schema; and the report.

    ``table`` is one of the inputs. Raises ``BadInput`` naming the file when one cannot be read or
    lacks a required column; nothing has been loaded then.
    """
    report = ImportReport(table.path)
    if table.path != PLAYER_GAME_SUMMARY.path:
        return read_side_files(table, paths, report), report
    rows = convert_files(paths, table, recognise_box_scores, convert_file, report)
    return drop_duplicates(rows, report), report


def drop_duplicates(rows: pa.Table, report: ImportReport) -> pa.Table:
    """One row per (player, date), the same whatever the order of the rows."""
    losers = find_losers(normalize_columns(rows)[0])
    if losers.any():
        # the rule compares whole seconds: among equals the first counts, so their order is fixed here
        rows = rows.sort_by([("minutes_played", "descending")])
        losers = find_losers(normalize_columns(rows)[0])
    report.duplicates = int(np.count_nonzero(losers))
    return rows.filter(pa.array(~losers)).combine_chunks()


def recognise_box_scores(names: Sequence[str]) -> Recognition:
    """What a file with these columns is; ``BadInput`` when it is nothing that is read."""
    recognition = recognise_export(names, EXPORTS)
    if recognition is None:
        raise BadInput(explain_unknown(names, list_found(names), EXPORTS) + _suggest_table(names))
    return recognition


def _suggest_table(names: Sequence[str]) -> str:
    """That a file has the columns of a side table, when a box score has no more of its columns."""

    def count_own(table: Table) -> int:
        return len(set(table.schema.names) & set(names))

    able = [table for table in SIDE_TABLES if set(table.required) <= set(names)]
    nearest = max([*able, PLAYER_GAME_SUMMARY], key=count_own)
    if nearest is PLAYER_GAME_SUMMARY:
        return ""
    return f". It has the columns of {nearest.path}: import it with --table {nearest.name}"


def convert_file(raw: RawFile, file: str, report: ImportReport) -> pa.Table:
    """The rows of one file that can be parsed, in the table's schema."""
    recognition = raw.recognition
    translation = translate_rows(raw.rows, recognition, file)
    recognised = report.recognised.setdefault(recognition.export.name, Recognised())
    recognised.add(recognition, translation)
    rows = translation.rows
    rejects = Rejects(file, rows.num_rows, report)
    for step, broken in translation.unread:
        rejects.add(broken, f"{step.source} cannot be read", raw.rows.column(step.sources[0]))
    columns = convert_columns(rows, SCHEMA, recognition, rejects)
    for name in STATISTICS:
        if name in rows.column_names:
            report.non_finite += count_non_finite(single_chunk(rows, name))
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
    rejects.add_missing(columns, PLAYER_GAME_SUMMARY.key)
    return rejects.leave_out(pa.table({field.name: columns[field.name].cast(field.type) for field in SCHEMA}))


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
