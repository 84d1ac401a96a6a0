"""What a warehouse offers to the job, and what it promises. Nothing else knows which one it is.

A warehouse is a small picklable value: it holds no connection, so that it can travel to workers,
and every method opens what it needs and closes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

import pyarrow as pa

from pipeline.aliases import NO_ALIASES, AliasProposal
from pipeline.season import DateRange
from transforms.contracts import HistoryReader, StagedFile, Stager
from transforms.schema import PLAYER_GAME_SUMMARY, Table

RunRow = dict[str, Any]
"""One row of ``processor_run_history``; JSON columns as Python values."""


Loss = tuple[date, int, int, int]
"""(date, stored rows, targets found, rows to delete) of a date that loses rows."""


@dataclass(frozen=True)
class InputState:
    """The state of the inputs that a plan was made from, compared again at the commit.

    ``versions`` of the inputs by ``Table.path`` rise with every import (0: none yet);
    ``overlapping_runs`` counts the successful runs that published keys of the dates, so a second run
    over them is refused instead of interleaved. ``snapshot`` is the instant as of which everything is
    read, where the warehouse can: it then has no versions to compare.
    """

    versions: Mapping[str, int]
    overlapping_runs: int
    snapshot: datetime | None = None


@dataclass(frozen=True)
class InputChange:
    """An input (``Table.path``) changed at an instant; ``dates`` is None where it may have been any."""

    path: str
    changed_at: datetime
    dates: DateRange | None


@dataclass(frozen=True)
class CommitRequest:
    """What shall become visible together: the staged files of one run.

    ``targets`` are the dates whose keys the run owns, all of them or those ``requested``
    (``STAGED_TARGETS``); ``windows`` the dates it read, ``rows_read`` the rows that it read there;
    ``run_at`` is the one instant that is written.
    """

    run_id: str
    run_at: datetime
    targets: DateRange
    windows: tuple[DateRange, ...]
    requested: pa.Table | None
    inputs: InputState
    rows_read: int
    allow_deletes: bool
    files: tuple[StagedFile, ...]

    def paths(self, kind: str) -> list[str]:
        return sorted(path for found, path, _ in self.files if found == kind)

    def rows(self, kind: str) -> int:
        return sum(rows for found, _, rows in self.files if found == kind)


@dataclass(frozen=True)
class CommitOutcome:
    """What a commit changed. ``gaps_open`` counts the run's own keys that are open gaps."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    gaps_opened: int = 0
    gaps_resolved: int = 0
    gaps_withdrawn: int = 0
    gaps_open: int = 0
    steps: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each step, by name."""


@dataclass(frozen=True)
class LoadOutcome:
    """What became of the rows of a load; ``older`` is None for tables whose rows do not say their age.

    ``changed`` are the dates whose rows are others now, None where they cannot be told.
    ``several_lookups`` names the incoming people who are stored under several lookups,
    ``several_people`` the incoming lookups that are stored with several people. ``aliases`` would
    make the former one person; they are recorded when ``aliases_written``. ``circles`` are those of
    the recorded aliases.
    """

    added: int
    replaced: int
    unchanged: int
    older: int | None
    removed: int
    version: int
    changed: DateRange | None = field(default=None, compare=False)
    several_lookups: tuple[str, ...] = ()
    several_people: tuple[str, ...] = ()
    aliases: AliasProposal = NO_ALIASES
    aliases_written: bool = False
    circles: tuple[str, ...] = ()


NOTHING = LoadOutcome(added=0, replaced=0, unchanged=0, older=0, removed=0, version=0)


@dataclass(frozen=True)
class Answer:
    """The rows, every column with a name of its own, and what the reader should know of them."""

    rows: pa.Table
    warnings: list[str]


@dataclass(frozen=True)
class Read:
    """Some columns of a table's rows in a window; ``dates`` is None for a table without a date."""

    table: Table
    columns: tuple[str, ...]
    dates: DateRange | None


@dataclass(frozen=True)
class ReadCost:
    """The bytes that a read processes, and those that it would without a lower bound."""

    read: Read
    bytes: int
    unbounded: int


class Warehouse(Protocol):
    """The tables, read in bounded windows and changed in one transaction a run.

    ``address`` is what ``--warehouse`` says; ``is_remote`` whether workers on other machines reach it.
    """

    @property
    def address(self) -> str: ...

    @property
    def is_remote(self) -> bool: ...

    def initialize(self) -> list[str]:
        """Makes what the job writes and reads and what is missing of it; tells what was made, a line each.

        Adds columns that are new. Raises ``WrongShape`` naming every table that exists in another shape.
        """
        ...

    def share_reader(self) -> AbstractContextManager[None]:
        """Inside the block the questions of this thread cost less, and see one state."""
        ...

    def describe(self, table: Table) -> pa.Schema | None:
        """The columns that the stored table has; None when it does not exist."""
        ...

    def count_by_date(self, table: Table, dates: DateRange) -> list[tuple[date, int]]:
        """Rows a date, dates without rows left out; no rows when the table does not exist."""
        ...

    def find_date_bounds(self, table: Table) -> tuple[date, date] | None:
        """First and last date of a table; None when it is empty or missing."""
        ...

    def read_row(self, table: Table, player: str, day: date) -> dict[str, Any] | None:
        """The row of a key (player, date), every column; None also when there is no such table."""
        ...

    def read_window(self, table: Table, columns: Sequence[str], dates: DateRange) -> pa.Table:
        """The columns of the rows in a date window; no rows when the table does not exist."""
        ...

    def read_vectors(self, dates: DateRange) -> pa.Table:
        """The vectors stored in a window and what follows from them (``ledger_rows.STORED_VECTORS``).

        The table exists.
        """
        ...

    def read_changed(self, dates: DateRange, since: datetime) -> pa.Table:
        """The box scores of a window that were processed after an instant (``CHANGED_ROWS``).

        The table has the column ``processed_at``.
        """
        ...

    def list_dates(self, player: str) -> list[date]:
        """The dates on which a player has box scores, in order."""
        ...

    def list_players(self) -> list[str]:
        """Every lookup that has box scores, in order."""
        ...

    def find_first_dates(self) -> pa.Table:
        """The first date on which the box scores have each lookup, as it is stored (``STAGED_TARGETS``)."""
        ...

    def read_open_gaps(self, dates: DateRange, reason: str | None, player: str | None) -> pa.Table:
        """The open gaps of these dates (``FEATURE_STORE_GAPS``) by date and player, of one reason and one
        player where they are given; no rows when there is no ledger."""
        ...

    def read_input_state(self, dates: DateRange) -> InputState:
        """What a commit over ``dates`` will be compared with."""
        ...

    def list_changes(self, since: datetime) -> list[InputChange]:
        """What changed in the inputs after an instant, as imports and ``processed_at`` tell."""
        ...

    def estimate(self, reads: Sequence[Read]) -> list[ReadCost]:
        """What the reads of tables that exist would process; nothing where no byte is billed."""
        ...

    def open_reader(
        self, columns: Mapping[str, tuple[str, ...]], snapshot: datetime | None = None
    ) -> HistoryReader:
        """A picklable reader of these columns of the inputs, by ``Table.path``; an input that is left out
        does not exist for it. ``snapshot`` is that of the ``InputState`` to read, None: what is newest."""
        ...

    def load(
        self,
        rows: pa.Table,
        loaded_at: datetime,
        *,
        replace_dates: bool,
        write_aliases: bool = False,
        table: Table = PLAYER_GAME_SUMMARY,
    ) -> LoadOutcome:
        """Stores the rows of an import, one per key of ``table``, by its rule (``LOAD_RULES``).

        An incoming row replaces the stored one of its key, unless both carry the stamp of the rule and the
        incoming one is older; a row whose content is unchanged stays as it is. With ``replace_dates`` the
        stored rows of every incoming date give way, however new they are; only those that have no incoming
        row are counted as removed. ``write_aliases`` records the lookups of one person as aliases. One
        transaction. Raises ``WrongShape`` when a stored table lacks columns.
        """
        ...

    def query(self, text: str) -> Answer:
        """The answer to one SELECT in BigQuery's dialect, which can change nothing."""
        ...

    def open_staging(self, run_id: str) -> Stager:
        """A place for the files of one run, unseen by any reader."""
        ...

    def close_staging(self, run_id: str) -> None:
        """Removes the files of the run, and of runs that died."""
        ...

    def commit(self, request: CommitRequest, build_row: Callable[[CommitOutcome], RunRow]) -> RunRow:
        """Audits the staged files and publishes them with the run-history row, or raises.

        One transaction: every reader sees all of it or nothing. Asking twice for the same run
        does it once and answers with the stored row; a run that is on record as failed fails
        again. ``build_row`` is called before the last statement.
        """
        ...

    def record_failure(self, row: RunRow) -> RunRow:
        """Writes the history row of a failed run, unless the run has one; gives the stored row."""
        ...

    def read_run(self, run_id: str) -> RunRow | None:
        """The history row of a run."""
        ...

    def find_run(self, started_at: datetime) -> RunRow | None:
        """The history row of the successful run that wrote this instant into its rows."""
        ...

    def list_runs(self, limit: int, beginning: str = "") -> list[RunRow]:
        """The newest runs first, of those whose id begins so."""
        ...
