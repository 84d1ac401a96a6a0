"""What the stages need from above and hand to each other: small values and protocols.

No Beam here, so that whatever only plans, asks or prints can do without importing it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import pyarrow as pa

from transforms.gaps import Admission
from transforms.schema import Table

FEATURES, GAPS, TARGETS, PASSED = "features", "gaps", "targets", "passed"
"""The kinds of staged files."""

STAGES = ("references", "extract", "clean", "shuffle", "teams", "calculate", "save", "commit")
"""The stages of a run that are timed, in the order of the data's way."""

Chunk = tuple[str, str]
"""Half-open range of dates, as ISO texts: an element that every coder carries."""

StagedFile = tuple[str, str, int]
"""(kind, path, rows)."""

StageRecord = tuple[str, int, int, int, dict[str, int], list[str]]
"""(stage, started, ended, busy, counts, notes): microseconds since the epoch, and microseconds.

Notes are sentences for a person: what a count alone would not let anybody find again."""


@dataclass(frozen=True)
class TargetSpec:
    """Which rows are targets (``start <= game_date < end``) and who is admitted.

    ``today`` is the run's date in US Eastern: a game that was announced for an earlier date and has
    no player row was not attended.
    """

    start: date
    end: date
    admission: Admission = field(default_factory=Admission)
    today: date = field(kw_only=True)


class HistoryReader(Protocol):
    """Reads the inputs and the stored keys for ``start <= game_date < end``.

    Of each input the known columns are read, those that the table has.
    """

    def read_history(self, start: date, end: date) -> pa.Table:
        """Every row of ``player_game_summary`` in the window."""
        ...

    def read_side(self, table: Table, start: date, end: date) -> pa.Table | None:
        """The rows of a side table in the window, all of them where it has no date; None where it does
        not exist."""
        ...

    def read_stored_keys(self, start: date, end: date) -> pa.Table:
        """``player_lookup`` and ``game_date`` of the feature rows in the window."""
        ...


class Stager(Protocol):
    """Keeps what a run makes, unseen by others; the same part twice leaves one file."""

    def write(self, kind: str, part: str, batch: pa.RecordBatch) -> str:
        """Writes the batch whole or not at all, and gives the path."""
        ...

    def spill(self, part: str, batches: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch]:
        """Puts batches of one schema aside; gives what crosses a shuffle in the place of each.

        A local runner holds shuffled elements in memory, several times over. So rows wait on the
        disk, and what crosses names their place.
        """
        ...

    def fetch(self, spilled: pa.RecordBatch) -> pa.RecordBatch:
        """The batch that :meth:`spill` put aside, without a copy where the file allows it."""
        ...
