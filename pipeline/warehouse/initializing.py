"""What a warehouse is made of before its first run, and what of that is still to make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipeline.errors import WrongShape
from pipeline.shapes import find_foreign, find_shape_problems, list_lacking
from transforms.schema import INPUT_CHANGES, OUTPUTS, PLAYER_GAME_SUMMARY, TABLE_VERSIONS, Table

OWN_TABLES = (*OUTPUTS, TABLE_VERSIONS, INPUT_CHANGES)
"""The tables that nobody else writes."""

INITIAL_TABLES = (PLAYER_GAME_SUMMARY, *OWN_TABLES)
"""Side tables are not among them: one that is there but empty says something else than none."""


@dataclass(frozen=True)
class Initialization:
    """The tables to create, and the columns to add to tables that exist."""

    create: tuple[Table, ...]
    add: tuple[tuple[Table, pa.Field], ...]

    def describe(self) -> list[str]:
        return [
            *(f"created {table.path}" for table in self.create),
            *(f"added {table.path}.{field.name}" for table, field in self.add),
        ]


def plan_initialization(
    found: Mapping[Table, pa.Schema | None], others: Sequence[str] = ()
) -> Initialization:
    """From the columns that each of ``INITIAL_TABLES`` has, None where it does not exist.

    ``others`` are problems that the columns do not show. Raises ``WrongShape`` naming every problem.
    """
    problems = list(others)
    stored = {table: columns for table, columns in found.items() if columns is not None}
    for table, columns in stored.items():
        if table in OWN_TABLES:
            problems += find_foreign(table, columns)
        else:
            problems += find_shape_problems(table, columns)
    if problems:
        raise WrongShape(
            "tables stand in the way, nothing was changed:\n"
            + "\n".join(f"  {problem}" for problem in problems)
            + "\nMove them away, or mend them."
        )
    return Initialization(
        create=tuple(table for table in found if table not in stored),
        add=tuple(
            (table, field)
            for table in OWN_TABLES
            if table in stored
            for field in list_lacking(table, stored[table])
        ),
    )
