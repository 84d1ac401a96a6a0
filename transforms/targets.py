"""Who is a target: the player rows of the dates, the upcoming games, and, if asked for, the injured.

Rows that come from elsewhere than ``player_game_summary`` have the columns of clean player rows, with
nothing known that a box score would tell. They are no history: ``origin`` says where a row is from.
The rules are features.md, sections 1.1, 4 and 5.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, single_chunk, to_day, to_days
from transforms.candidates import EXHIBITION, FACTS, list_announced, list_injured, pass_over
from transforms.cleaning import CleanRows, judge_rows, season_of_dates
from transforms.contracts import TargetSpec
from transforms.people import ANNOUNCED, INJURED, KEY, PLAYER_ROW, has_key
from transforms.references import References
from transforms.sides import Sides


@dataclass(frozen=True)
class Named:
    """Everybody who is named in some dates.

    ``rows`` are clean player rows with ``origin`` int8, those of other origins after the player rows.
    ``passed`` are keys that a source names and that are no targets (``STAGED_PASSED``).
    """

    rows: pa.Table
    passed: pa.Table
    counts: dict[str, int]


def name_targets(
    clean: CleanRows, sides: Sides, references: References, stored: pa.Table, spec: TargetSpec
) -> Named:
    """The player rows of some whole dates and, on the dates of ``spec`` among them, everybody else.

    ``sides`` hold dates of ``spec`` only; ``stored`` are the keys that have a feature row.
    """
    players = add_origin(clean.table, PLAYER_ROW)
    parts = [players]
    passed = [pass_over(take_inside(clean.exhibitions, spec), EXHIBITION)]
    for renamed in (take_inside(clean.renamed, spec), sides.renamed):
        canonical = single_chunk(renamed, "canonical")
        passed.append(pass_over(renamed, pc.binary_join_element_wise("an alias of", canonical, " ")))
    counts: dict[str, int] = {}
    if sides.upcoming is not None:
        announced = list_announced(sides.upcoming, references.schedule)
        fresh = announced.rows.filter(pa.array(~has_key(announced.rows, players)))
        parts.append(_to_player_rows(fresh, clean.table.schema, references, ANNOUNCED))
        passed.append(announced.passed)
        counts |= {f"upcoming_{n}": getattr(announced, n) for n in ("exhibitions", "postponed", "duplicates")}
    if sides.reports is not None and references.schedule is not None:
        injured = list_injured(sides.reports, references, references.schedule)
        named = np.logical_or.reduce([has_key(injured, part) for part in parts])
        injured = injured.filter(pa.array(~named))
        admitted = has_key(injured, stored) | spec.admission.include_injured
        passed.append(pass_over(injured.filter(pa.array(~admitted)), "named by the injury report alone"))
        injured = injured.filter(pa.array(admitted))
        parts.append(_to_player_rows(injured, clean.table.schema, references, INJURED))
    rows = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    return Named(rows, pa.concat_tables(passed), counts)


def find_inside(rows: pa.Table, spec: TargetSpec) -> Bools:
    """Which rows are on the dates of ``spec``."""
    return is_between(rows, spec.start, spec.end)


def is_between(rows: pa.Table, start: date, end: date) -> Bools:
    """Which rows have ``start <= game_date < end``."""
    day = to_days(single_chunk(rows, "game_date"))
    return (day >= to_day(start)) & (day < to_day(end))


def take_inside(rows: pa.Table, spec: TargetSpec) -> pa.Table:
    return rows.filter(pa.array(find_inside(rows, spec)))


def add_origin(rows: pa.Table, origin: int) -> pa.Table:
    return rows.append_column("origin", pa.array(np.full(rows.num_rows, origin, dtype=np.int8)))


def _to_player_rows(candidates: pa.Table, schema: pa.Schema, references: References, origin: int) -> pa.Table:
    """Candidates as clean rows of players who did not play, judged by the same rules.

    The person's id is the registry's; the season that of the date.
    """
    size = candidates.num_rows
    columns = {field.name: pa.nulls(size, field.type) for field in schema}
    columns |= {name: single_chunk(candidates, name) for name in (*KEY, *FACTS)}
    columns["season_year"] = pa.array(season_of_dates(columns["game_date"]))
    columns["played"] = pa.array(np.zeros(size, dtype=bool))
    if references.people is not None:
        row = references.find_people(columns["player_lookup"])
        ids = single_chunk(references.people, "universal_player_id")
        columns["universal_player_id"] = ids.take(pa.array(row, mask=row < 0)).dictionary_encode()
    rows = pa.table({name: columns[name] for name in schema.names if name != "invalid"})
    judged = rows.append_column("invalid", pa.array(judge_rows(rows), pa.int8()))
    return add_origin(judged.select(schema.names).cast(schema), origin)
