"""Which keys are targets today, told by the job's own rules and without running it.

For whoever holds the tables against each other: the dry run, the coverage, the audit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.plan import Plan
from pipeline.season import DateRange
from pipeline.warehouse.base import Warehouse
from transforms.cleaning import clean_rows
from transforms.history import read_chunk
from transforms.references import References, read_references
from transforms.schema import PLAYER_GAME_SUMMARY, STAGED_TARGETS
from transforms.sides import clean_sides
from transforms.targets import name_targets

WHAT_NAMES = (*STAGED_TARGETS.names, "game_id", "season_type", "team_abbr")
"""The columns of the box scores that decide which keys are targets."""

TARGET_KEYS = pa.schema(
    [
        *STAGED_TARGETS,
        pa.field("origin", pa.int8()),
        pa.field("team_abbr", pa.string()),
        pa.field("season_year", pa.int64()),
    ]
)
"""A target: its key, where it is from (``transforms.people``: PLAYER_ROW, ANNOUNCED, INJURED), its facts."""


@dataclass(frozen=True)
class NamedKeys:
    """Some whole ``dates`` of a plan: the ``targets`` (:data:`TARGET_KEYS`), the keys that a source names and
    that are none (``passed``, ``STAGED_PASSED``), and those that have a feature row (``stored``)."""

    dates: DateRange
    targets: pa.Table
    passed: pa.Table
    stored: pa.Table


def name_keys(warehouse: Warehouse, plan: Plan, columns: Sequence[str] = ()) -> Iterator[NamedKeys]:
    """The keys of the plan's target dates, chunk by chunk.

    Only ``columns`` of the box scores are read, by default all. Which of two rows of one key counts
    depends on all of them; which keys there are, on :data:`WHAT_NAMES` alone.
    """
    history = plan.columns[PLAYER_GAME_SUMMARY.path]
    read = tuple(name for name in columns or history if name in history)
    reader = warehouse.open_reader({**plan.columns, PLAYER_GAME_SUMMARY.path: read})
    references = References.from_tables(
        read_references(reader, plan.schedule.start, plan.schedule.end).tables
    )
    for low, high in plan.chunks:
        start, end = max(date.fromisoformat(low), plan.dates.start), date.fromisoformat(high)
        if start >= end:
            continue
        raw = read_chunk(reader, start, end, plan.targets)
        clean, sides = clean_rows(raw.history, references.aliases), clean_sides(raw.sides, references)
        named = name_targets(clean, sides, references, raw.stored, plan.targets)
        targets = named.rows.filter(pc.is_valid(named.rows.column("player_lookup")))
        keys = targets.select(TARGET_KEYS.names).cast(TARGET_KEYS)
        yield NamedKeys(DateRange(start, end), keys, named.passed, raw.stored)
