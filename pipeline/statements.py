"""What was said of one target: its injury reports and its lines, each with when, as they were read.

Whether one counts is decided by the kernels; here they are only listed, for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import read_column, single_chunk, trim_text
from transforms.people import rename_players
from transforms.references import References
from transforms.side_tables import INJURY_REPORT, POINTS_LINES

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Statements:
    """The rows that name a player on a date, oldest first: ``reports`` and ``lines``."""

    reports: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)


def collect_statements(raw: Mapping[str, pa.Table], references: References, player: str) -> Statements:
    """From the side tables of one date as read, by name (``Table.name``)."""
    found: dict[str, list[Row]] = {}
    for table, instant in ((INJURY_REPORT, "reported_at"), (POINTS_LINES, "snapshot_timestamp")):
        rows = raw.get(table.name, table.schema.empty_table())
        columns = {column.name: read_column(rows, column) for column in table.schema}
        columns["player_lookup"] = trim_text(columns["player_lookup"])
        rows, _ = rename_players(pa.table(columns), references.aliases)
        lookup = single_chunk(rows, "player_lookup").dictionary_decode()
        mine = rows.filter(pc.and_(pc.equal(lookup, player), pc.is_valid(rows.column(instant))))
        found[table.name] = sorted(mine.to_pylist(), key=lambda row: (row[instant], str(row)))
    return Statements(found[INJURY_REPORT.name], found[POINTS_LINES.name])


def read_instant(microseconds: int) -> datetime:
    """An instant in microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
