"""BigQuery: the same tables in a project, read by the Storage Read API and changed by one script a run.

It holds no client, so that it can travel to workers; those of a process are shared
(``bigquery_clients``). The write side of a run is in ``bigquery_commit``, that of an import in
``bigquery_import``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.season import DateRange
from pipeline.warehouse import bigquery_changes, bigquery_query
from pipeline.warehouse.base import (
    Answer,
    CommitOutcome,
    CommitRequest,
    InputChange,
    InputState,
    LoadOutcome,
    Read,
    ReadCost,
    RunRow,
)
from pipeline.warehouse.bigquery_address import BigQueryAddress
from pipeline.warehouse.bigquery_clients import SETTLE_SECONDS, hurrying
from pipeline.warehouse.bigquery_commit import KINDS, History, commit_run
from pipeline.warehouse.bigquery_import import load_rows
from pipeline.warehouse.bigquery_jobs import DEFAULT_MAX_BYTES, Jobs
from pipeline.warehouse.bigquery_load import Loader
from pipeline.warehouse.bigquery_read import WindowReader
from pipeline.warehouse.bigquery_sql import ALL_DATES, BigQuerySql
from pipeline.warehouse.bigquery_staging import BucketStager
from pipeline.warehouse.bigquery_tables import Tables, read_fields
from pipeline.warehouse.ledger_rows import CHANGED_ROWS, STORED_VECTORS, UNKNOWN_SOURCE
from pipeline.warehouse.staging import LocalStager, find_cache, remove_staging
from transforms.contracts import Stager
from transforms.schema import (
    FEATURE_STORE,
    FEATURE_STORE_GAPS,
    OUTPUTS,
    PLAYER_GAME_SUMMARY,
    RUN_HISTORY,
    STAGED_TARGETS,
    Table,
)
from transforms.vector import FEATURES, SOURCES

_SHARED = threading.local()
"""The snapshots that the threads of this process share, by address."""


@dataclass(frozen=True)
class BigQueryReader:
    """Reads bounded windows as of one snapshot; every read makes a session of its own, on the worker."""

    reader: WindowReader
    columns: Mapping[str, tuple[str, ...]]
    has_features: bool

    def read_history(self, start: date, end: date) -> pa.Table:
        columns = self.columns[PLAYER_GAME_SUMMARY.path]
        return self.reader.read(PLAYER_GAME_SUMMARY, columns, DateRange(start, end))

    def read_side(self, table: Table, start: date, end: date) -> pa.Table | None:
        columns = self.columns.get(table.path)
        if columns is None:
            return None
        return self.reader.read(table, columns, None if table.partition is None else DateRange(start, end))

    def read_stored_keys(self, start: date, end: date) -> pa.Table:
        if not self.has_features:
            return STAGED_TARGETS.empty_table()
        return self.reader.read(FEATURE_STORE, FEATURE_STORE.key, DateRange(start, end))


@dataclass(frozen=True)
class BigQueryWarehouse:
    """``pipeline.warehouse.base.Warehouse`` on the datasets of one project.

    ``asked_by`` labels its jobs, ``max_bytes`` is what each query may bill.
    """

    place: BigQueryAddress
    asked_by: str = ""
    max_bytes: int = DEFAULT_MAX_BYTES
    is_remote: ClassVar[bool] = True

    @property
    def address(self) -> str:
        return self.place.text

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self.place, self.asked_by, self.max_bytes)

    @property
    def _snapshot(self) -> datetime | None:
        found: datetime | None = vars(_SHARED).get(self.place.text)
        return found

    @property
    def _sql(self) -> BigQuerySql:
        return BigQuerySql(self.place.project, self._snapshot)

    @property
    def _reader(self) -> WindowReader:
        return WindowReader(self.place, self._snapshot)

    def initialize(self) -> list[str]:
        return Tables(self._jobs).initialize()

    @contextmanager
    def share_reader(self) -> Iterator[None]:
        outer = self._snapshot
        if outer is None:
            vars(_SHARED)[self.place.text] = self._read_server_time()
        try:
            yield
        finally:
            vars(_SHARED)[self.place.text] = outer

    def _read_server_time(self) -> datetime:
        instant: datetime = self._jobs.ask_one(self._sql.find_server_time())[0]
        return instant

    def describe(self, table: Table) -> pa.Schema | None:
        stored = Tables(self._jobs).find(table)
        return None if stored is None else read_fields(stored.schema)

    def count_by_date(self, table: Table, dates: DateRange) -> list[tuple[date, int]]:
        if self.describe(table) is None:
            return []
        return _list_tuples(self._jobs.ask(self._sql.count_by_date(table, dates)))

    def find_date_bounds(self, table: Table) -> tuple[date, date] | None:
        stored = Tables(self._jobs).find(table)
        if stored is None:
            return None
        partitioned = (
            stored.time_partitioning is not None and stored.time_partitioning.field == table.partition
        )
        ranges = self._find_partitions(table) if partitioned else (ALL_DATES, ALL_DATES)
        if ranges is None:
            return None
        first, last = self._jobs.ask_one(self._sql.find_extremes(table, *ranges))
        if first is None or last is None:
            # the metadata is newer than the snapshot: rows that it counts are not there yet, or not any more
            first, last = self._jobs.ask_one(self._sql.find_extremes(table, ALL_DATES, ALL_DATES))
        return None if first is None else (first, last)

    def _find_partitions(self, table: Table) -> tuple[DateRange, DateRange] | None:
        """The dates of the first and of the last partition that hold rows; None when none does."""
        first, last = self._jobs.ask_one(self._sql.find_partitions(table))
        return None if first is None else (read_partition(first), read_partition(last))

    def read_row(self, table: Table, player: str, day: date) -> dict[str, Any] | None:
        if self.describe(table) is None:
            return None
        rows = self._jobs.ask(self._sql.select_row(table, day), {"player": player}).to_pylist()
        return rows[0] if rows else None

    def read_window(self, table: Table, columns: Sequence[str], dates: DateRange) -> pa.Table:
        if self.describe(table) is None:
            return pa.schema([table.schema.field(name) for name in columns]).empty_table()
        return self._reader.read(table, columns, dates)

    def read_vectors(self, dates: DateRange) -> pa.Table:
        return number_sources(self._reader.read(FEATURE_STORE, STORED_VECTORS.names, dates))

    def read_changed(self, dates: DateRange, since: datetime) -> pa.Table:
        later = f"processed_at > {self._sql.time_literal(since)}"
        return self._reader.read(PLAYER_GAME_SUMMARY, CHANGED_ROWS.names, dates, later)

    def list_dates(self, player: str) -> list[date]:
        return self._ask_everywhere(self._sql.list_dates, {"player": player})

    def list_players(self) -> list[str]:
        return self._ask_everywhere(self._sql.list_players, {})

    def _ask_everywhere(
        self, make_query: Callable[[Table, DateRange], str], params: dict[str, str]
    ) -> list[Any]:
        """The answers of one column, over all dates that the box scores have."""
        bounds = self.find_date_bounds(PLAYER_GAME_SUMMARY)
        if bounds is None:
            return []
        query = make_query(PLAYER_GAME_SUMMARY, DateRange.spanning(*bounds))
        return list(self._jobs.ask(query, params).column(0).to_pylist())

    def find_first_dates(self) -> pa.Table:
        bounds = self.find_date_bounds(PLAYER_GAME_SUMMARY)
        if bounds is None:
            return STAGED_TARGETS.empty_table()
        query = self._sql.find_first_dates(PLAYER_GAME_SUMMARY, DateRange.spanning(*bounds))
        return self._jobs.ask(query)

    def read_open_gaps(self, dates: DateRange, reason: str | None, player: str | None) -> pa.Table:
        schema = FEATURE_STORE_GAPS.schema
        if self.describe(FEATURE_STORE_GAPS) is None:
            return schema.empty_table()
        conditions = self._sql.restrict_open_gaps(reason, player)
        rows = self._reader.read(FEATURE_STORE_GAPS, schema.names, dates, *conditions)
        order = [("game_date", "ascending"), ("player_lookup", "ascending")]
        return rows.sort_by(order).cast(schema)

    def read_input_state(self, dates: DateRange) -> InputState:
        with self.share_reader():
            runs = 0
            if self.describe(RUN_HISTORY) is not None:
                runs = History(self._jobs).count_over(dates, self._sql)
            return InputState({}, runs, self._snapshot)

    def list_changes(self, since: datetime) -> list[InputChange]:
        return bigquery_changes.list_changes(self._jobs, self._sql, self.find_date_bounds, since)

    def load(
        self,
        rows: pa.Table,
        loaded_at: datetime,
        *,
        replace_dates: bool,
        write_aliases: bool = False,
        table: Table = PLAYER_GAME_SUMMARY,
    ) -> LoadOutcome:
        return load_rows(
            self._jobs,
            rows,
            loaded_at,
            replace_dates=replace_dates,
            write_aliases=write_aliases,
            table=table,
            find_bounds=self.find_date_bounds,
        )

    def query(self, text: str) -> Answer:
        return bigquery_query.answer_query(self._jobs, text)

    def estimate(self, reads: Sequence[Read]) -> list[ReadCost]:
        there = {table.path for table in {read.table for read in reads} if self.describe(table) is not None}
        return [self._estimate(read) for read in reads if read.table.path in there]

    def _estimate(self, read: Read) -> ReadCost:
        if read.dates is None:
            found = self._jobs.estimate(self._sql.select_whole(read.table, read.columns))
            return ReadCost(read, found, found)
        bounded, unbounded = (
            self._jobs.estimate(self._sql.select_window(read.table, read.columns, dates))
            for dates in (read.dates, DateRange(date.min, read.dates.end))
        )
        return ReadCost(read, bounded, unbounded)

    def open_reader(
        self, columns: Mapping[str, tuple[str, ...]], snapshot: datetime | None = None
    ) -> BigQueryReader:
        reader = WindowReader(self.place, snapshot or self._snapshot)
        return BigQueryReader(reader, dict(columns), self.describe(FEATURE_STORE) is not None)

    def open_staging(self, run_id: str) -> Stager:
        # the commit makes no table: a run that could not be published is not begun
        Tables(self._jobs).require(OUTPUTS)
        if self.place.temp is not None:
            return BucketStager.of(self.place, run_id)
        return LocalStager.create(self._local_staging, run_id)

    @property
    def _local_staging(self) -> str:
        return str(find_cache() / self.place.project)

    def close_staging(self, run_id: str) -> None:
        with hurrying(SETTLE_SECONDS):
            try:
                if self.place.temp is not None:
                    BucketStager.of(self.place, run_id).remove()
                else:
                    remove_staging(self._local_staging, run_id)
            finally:
                Loader(self._jobs, run_id).drop(KINDS)

    def commit(self, request: CommitRequest, build_row: Callable[[CommitOutcome], RunRow]) -> RunRow:
        return commit_run(self._jobs, request, build_row)

    def record_failure(self, row: RunRow) -> RunRow:
        with hurrying(SETTLE_SECONDS):
            return History(self._jobs).record_failure(row)

    def read_run(self, run_id: str) -> RunRow | None:
        return History(self._jobs).read(run_id) if self.describe(RUN_HISTORY) is not None else None

    def find_run(self, started_at: datetime) -> RunRow | None:
        return History(self._jobs).find(started_at) if self.describe(RUN_HISTORY) is not None else None

    def list_runs(self, limit: int, beginning: str = "") -> list[RunRow]:
        if self.describe(RUN_HISTORY) is None:
            return []
        return History(self._jobs).list_newest(limit, beginning)


def read_partition(name: str) -> DateRange:
    """The dates of a partition by its id: ``YYYY``, ``YYYYMM`` or ``YYYYMMDD``."""
    year, month, day = int(name[:4]), int(name[4:6] or 1), int(name[6:8] or 1)
    start = date(year, month, day)
    if len(name) == 8:
        return DateRange(start, start + timedelta(days=1))
    if len(name) == 6:
        return DateRange(start, date(year + month // 12, month % 12 + 1, 1))
    return DateRange(start, date(year + 1, 1, 1))


def number_sources(rows: pa.Table) -> pa.Table:
    """Stored vectors with every source as its ordinal (``STORED_VECTORS``)."""
    known = pa.array(SOURCES)
    for feature in FEATURES:
        index = rows.column_names.index(feature.source_column)
        codes = pc.fill_null(pc.index_in(rows.column(index), known), UNKNOWN_SOURCE).cast(pa.int8())
        rows = rows.set_column(index, feature.source_column, codes)
    return rows.cast(STORED_VECTORS)


def _list_tuples(rows: pa.Table) -> list[Any]:
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
