"""What was said of one target: its injury reports and its lines, each with when, as they were read.

Whether one counts is decided by the kernels; here they are only listed, for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import read_column, single_chunk, trim_text
from transforms.people import rename_players
from transforms.references import References
from transforms.schema import Table
from transforms.side_tables import INJURY_REPORT, POINTS_LINES

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Statements:
    """The rows that name a player on a date, oldest first: ``reports`` and ``lines``; None where their
    table does not exist."""

    reports: list[Row] | None
    lines: list[Row] | None


def collect_statements(raw: Mapping[str, pa.Table], references: References, player: str) -> Statements:
    """From the side tables of one date as read, by name (``Table.name``)."""

    def collect(table: Table, instant: str) -> list[Row] | None:
        if table.name not in raw:
            return None
        columns = {column.name: read_column(raw[table.name], column) for column in table.schema}
        columns["player_lookup"] = trim_text(columns["player_lookup"])
        rows, _ = rename_players(pa.table(columns), references.aliases)
        lookup = single_chunk(rows, "player_lookup").dictionary_decode()
        mine = rows.filter(pc.and_(pc.equal(lookup, player), pc.is_valid(rows.column(instant))))
        return sorted(mine.to_pylist(), key=lambda row: (row[instant], str(row)))

    return Statements(collect(INJURY_REPORT, "reported_at"), collect(POINTS_LINES, "snapshot_timestamp"))


def read_instant(microseconds: int) -> datetime:
    """An instant in microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
