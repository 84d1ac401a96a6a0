"""Which public export a file is, told by its columns, and its rows in the project's columns.

An export is a list of steps, each from some columns of the file to some of the project's. A step
counts when the file has its columns, and a column is taken from the first step that gives it; so one
list serves a box score as it was fetched and one to which dates or names were added. The exports
themselves are in :mod:`pipeline.imports.export_catalog`, the types and the rejects in the import.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import BadInput
from pipeline.imports.derivations import Derivation, translate_code
from pipeline.imports.parsing import parse_distinct
from pipeline.imports.team_codes import NBA_TEAMS
from transforms.arrays import Bools, single_chunk
from transforms.cleaning import KEY_TEXTS, OTHER_TEXTS
from transforms.schema import INTEGER_STATISTICS, PLAYER_GAME_SUMMARY

COLUMNS = PLAYER_GAME_SUMMARY.schema.names
STATISTICS = ("minutes_played", *INTEGER_STATISTICS)
TEXTS = frozenset(KEY_TEXTS + OTHER_TEXTS)
TEAMS = ("team_abbr", "opponent_team_abbr")


@dataclass(frozen=True)
class Step:
    """Columns of the file -> columns of the project; without ``derive`` one column as it is."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    derive: Derivation | None = None
    rule: str = ""

    @property
    def source(self) -> str:
        """The columns of the file, as a person reads them."""
        return " + ".join(self.sources)


@dataclass(frozen=True)
class Export:
    """``signature`` tells it from the others; ``advice`` says how a lacking column can be had."""

    name: str
    signature: tuple[str, ...]
    steps: tuple[Step, ...]
    advice: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recognition:
    """An export and the steps that count for one file, each with the targets that it gives."""

    export: Export
    steps: tuple[tuple[Step, tuple[str, ...]], ...]

    @property
    def sources(self) -> list[str]:
        """The columns to read."""
        return list(dict.fromkeys(source for step, _ in self.steps for source in step.sources))

    @property
    def targets(self) -> dict[str, str]:
        """The project's columns that the file gives, each with the name of what it comes from."""
        return {target: step.source for step, given in self.steps for target in given}

    @property
    def mapped(self) -> list[str]:
        """What comes from a column of another name, or is derived, as ``PTS -> points``."""
        changed = [(step, given) for step, given in self.steps if step.derive or step.sources != given]
        return [f"{step.source} -> {', '.join(given)}" for step, given in changed]


@dataclass(frozen=True)
class Translation:
    """A file's rows in the project's columns, not yet typed.

    ``unread`` marks, for the steps that derive, the rows that they could not read.
    ``codes`` counts the team codes that were translated, ``unknown`` those that no table lists.
    """

    rows: pa.Table
    unread: list[tuple[Step, Bools]]
    codes: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def take_own(names: Sequence[str]) -> Export:
    """A file with these columns of the project, each as it is."""
    return Export("the project's own columns", (), tuple(Step((name,), (name,)) for name in names))


OWN = take_own(COLUMNS)


def choose_steps(export: Export, names: Sequence[str]) -> Recognition:
    """The steps that count for a file with these columns.

    A column that the export does not speak of may carry one of the project's names: it is taken.
    """
    spoken = {source for step in export.steps for source in step.sources}
    added = [step for step in OWN.steps if step.sources[0] not in spoken]
    present, given, chosen = set(names), set[str](), []
    for step in (*added, *export.steps):
        targets = tuple(target for target in step.targets if target not in given)
        if targets and present.issuperset(step.sources):
            chosen.append((step, targets))
            given.update(targets)
    return Recognition(export, tuple(chosen))


def find_missing(recognition: Recognition, names: Sequence[str]) -> dict[str, str]:
    """The columns without which the file is not this export, each with the advice how to have it."""
    export, given = recognition.export, recognition.targets
    missing = {name: "" for name in export.signature if name not in names}
    for target in PLAYER_GAME_SUMMARY.required:
        if target in given or (target == "player_lookup" and "player_full_name" in given):
            continue
        wanted = "player_full_name" if target == "player_lookup" and export is not OWN else target
        sources = next((step.sources for step in export.steps if wanted in step.targets), (wanted,))
        missing |= {name: export.advice.get(wanted, "") for name in sources if name not in names}
    return missing


def recognise_export(names: Sequence[str], exports: Sequence[Export]) -> Recognition | None:
    """The first of the project's own columns and ``exports`` that the file is."""
    candidates = (choose_steps(export, names) for export in (OWN, *exports))
    return next((found for found in candidates if not find_missing(found, names)), None)


def explain_unknown(names: Sequence[str], found: str, exports: Sequence[Export]) -> str:
    """What a file lacks to be read: as the project's own, and as the export it is closest to.

    ``found`` says which columns it has.
    """
    own = ", ".join(sorted(find_missing(choose_steps(OWN, names), names)))
    candidates = [choose_steps(export, names) for export in exports]
    closest = min(candidates, key=lambda found: len(find_missing(found, names)))
    lacks = find_missing(closest, names)
    explanation = f"lacks the column(s) {own}; found {found}"
    if len(lacks) <= len(closest.sources):
        advice = "".join(f" ({text})" for text in dict.fromkeys(lacks.values()) if text)
        explanation += f". Closest is {closest.export.name}, for which it lacks {', '.join(lacks)}{advice}"
    known = ", ".join(export.name for export in exports)
    return f"{explanation}. Exports that are read, see docs/import.md: {known}"


def translate_rows(raw: pa.Table, recognition: Recognition, file: str) -> Translation:
    """The rows of ``raw`` in the project's columns; the project's own are left as they are."""
    columns: dict[str, pa.Array] = {}
    unread: list[tuple[Step, Bools]] = []
    for step, targets in recognition.steps:
        if step.derive is None:
            columns[targets[0]] = single_chunk(raw, step.sources[0])
            continue
        texts = [read_texts(single_chunk(raw, name), f"{file}: the column {name}") for name in step.sources]
        values, broken = step.derive(*texts)
        columns |= {
            name: column for name, column in zip(step.targets, values, strict=True) if name in targets
        }
        unread.append((step, broken))
    if recognition.export is OWN:
        return Translation(pa.table(columns), unread)
    codes, unknown = Counter[str](), Counter[str]()
    for name in TEXTS & columns.keys():
        found = read_texts(columns[name], f"{file}: the column {recognition.targets[name]}")
        # R writes NA where a text is unknown
        columns[name], _ = parse_distinct(found, str, pa.string())
        if name in TEAMS:
            # a game stands in both columns: each team's rows are counted once
            translated, others = _count_codes(columns[name])
            codes, unknown = codes | translated, unknown | others
            columns[name], _ = parse_distinct(columns[name], translate_code, pa.string())
    return Translation(pa.table(columns), unread, codes, unknown)


def read_texts(column: pa.Array, described: str) -> pa.Array:
    """The column as plain text; numbers, dates and truth values as they are written."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return column if column.type == pa.string() else column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise BadInput(
            f"{described} has type {column.type}, expected text or numbers; nothing was loaded"
        ) from error


def _count_codes(found: pa.Array) -> tuple[Counter[str], Counter[str]]:
    codes, unknown = Counter[str](), Counter[str]()
    for pair in pc.value_counts(found).to_pylist():
        code, rows = pair["values"], pair["counts"]
        if code is None or code in NBA_TEAMS:
            continue
        team = translate_code(code)
        if team == code:
            unknown[code] += rows
        else:
            codes[f"{code} -> {team}"] += rows
    return codes, unknown


def blank_absences(columns: Mapping[str, pa.Array]) -> tuple[dict[str, pa.Array], int]:
    """The statistics, NULL for those who did not play, and how many of them have statistics.

    Exports write 0 for somebody who was not in the game; a row that says so and yet has a minute
    or a count above 0 is kept as it is, for the run to judge.
    """
    absent = pc.fill_null(columns["is_dnp"], False).to_numpy(zero_copy_only=False)
    busy = np.zeros(len(absent), dtype=bool)
    for name in STATISTICS:
        busy |= pc.fill_null(pc.not_equal(columns[name], 0), False).to_numpy(zero_copy_only=False)
    blank = pa.array(absent & ~busy)
    kept = {
        name: pc.if_else(blank, pa.scalar(None, columns[name].type), columns[name]) for name in STATISTICS
    }
    return kept, int(np.count_nonzero(absent & busy))
