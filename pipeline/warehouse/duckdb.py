"""The embedded warehouse: one DuckDB file, the datasets as schemas.

It holds no connection: every method opens the file for as long as it needs it. Readers see the
last committed run, never half of one. The write side of a run is in ``duckdb_commit``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from pipeline.errors import FeatureStoreError
from pipeline.season import DateRange
from pipeline.warehouse import (
    duckdb_changes,
    duckdb_commit,
    duckdb_generated,
    duckdb_load,
    duckdb_tables,
    ledger_sql,
)
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
from pipeline.warehouse.duckdb_connection import connect, describe_table, fetch_one, share_reader
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.staging import LocalStager, remove_staging, staging_root
from transforms.schema import (
    FEATURE_STORE,
    FEATURE_STORE_GAPS,
    PLAYER_GAME_SUMMARY,
    RUN_HISTORY,
    STAGED_TARGETS,
    Table,
)


@dataclass(frozen=True)
class DuckDBReader:
    """Reads bounded windows of one file; opened for each read, so that it can be pickled."""

    path: str
    lock_timeout: float
    columns: Mapping[str, tuple[str, ...]]
    has_features: bool

    def read_history(self, start: date, end: date) -> pa.Table:
        columns = self.columns[PLAYER_GAME_SUMMARY.path]
        return self._read(sql.select_window(PLAYER_GAME_SUMMARY, columns, DateRange(start, end)))

    def read_side(self, table: Table, start: date, end: date) -> pa.Table | None:
        columns = self.columns.get(table.path)
        if columns is None:
            return None
        if table.partition is None:
            return self._read(sql.select_whole(table, columns))
        return self._read(sql.select_window(table, columns, DateRange(start, end)))

    def read_stored_keys(self, start: date, end: date) -> pa.Table:
        if not self.has_features:
            return STAGED_TARGETS.empty_table()
        query = sql.select_window(FEATURE_STORE, FEATURE_STORE.key, DateRange(start, end))
        return self._read(query)

    def _read(self, query: str) -> pa.Table:
        with connect(self.path, self.lock_timeout, read_only=True) as connection:
            return connection.sql(query).to_arrow_table()


@dataclass(frozen=True)
class DuckDBWarehouse:
    """``pipeline.warehouse.base.Warehouse`` on one DuckDB file."""

    path: str
    lock_timeout: float = 60.0
    is_remote: ClassVar[bool] = False

    @property
    def address(self) -> str:
        return self.path

    def initialize(self) -> list[str]:
        with self.open(read_only=False) as connection:
            return duckdb_tables.initialize(connection)

    @contextmanager
    def open(
        self, *, read_only: bool = True, create: bool | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection; one that writes makes the file unless ``create`` is False."""
        create = not read_only if create is None else create
        with connect(self.path, self.lock_timeout, read_only=read_only, create=create) as connection:
            yield connection

    def share_reader(self) -> AbstractContextManager[None]:
        return share_reader(self.path, self.lock_timeout)

    def describe(self, table: Table) -> pa.Schema | None:
        with self.open() as connection:
            return describe_table(connection, table)

    def count_by_date(self, table: Table, dates: DateRange) -> list[tuple[date, int]]:
        with self.open() as connection:
            if describe_table(connection, table) is None:
                return []
            return connection.execute(sql.count_by_date(table, dates)).fetchall()

    def find_date_bounds(self, table: Table) -> tuple[date, date] | None:
        with self.open() as connection:
            if describe_table(connection, table) is None:
                return None
            first, last = fetch_one(connection, sql.find_date_bounds(table))
            return None if first is None else (first, last)

    def read_row(self, table: Table, player: str, day: date) -> dict[str, Any] | None:
        with self.open() as connection:
            if describe_table(connection, table) is None:
                return None
            query, params = sql.select_row(table, day), {"player": player}
            rows: list[dict[str, Any]] = connection.sql(query, params=params).to_arrow_table().to_pylist()
            return rows[0] if rows else None

    def read_window(self, table: Table, columns: Sequence[str], dates: DateRange) -> pa.Table:
        with self.open() as connection:
            if describe_table(connection, table) is None:
                return pa.schema([table.schema.field(name) for name in columns]).empty_table()
            return connection.sql(sql.select_window(table, columns, dates)).to_arrow_table()

    def read_vectors(self, dates: DateRange) -> pa.Table:
        with self.open() as connection:
            return connection.sql(ledger_sql.select_vectors(dates)).to_arrow_table()

    def read_changed(self, dates: DateRange, since: datetime) -> pa.Table:
        with self.open() as connection:
            return connection.sql(ledger_sql.select_changed(dates, since)).to_arrow_table()

    def list_dates(self, player: str) -> list[date]:
        return self._ask_everywhere(sql.list_dates, {"player": player})

    def list_players(self) -> list[str]:
        return self._ask_everywhere(sql.list_players, {})

    def _ask_everywhere(
        self, make_query: Callable[[Table, DateRange], str], params: dict[str, str]
    ) -> list[Any]:
        """The answers of one column, over all dates that the box scores have."""
        bounds = self.find_date_bounds(PLAYER_GAME_SUMMARY)
        if bounds is None:
            return []
        query = make_query(PLAYER_GAME_SUMMARY, DateRange.spanning(*bounds))
        with self.open() as connection:
            return [row[0] for row in connection.execute(query, params).fetchall()]

    def find_first_dates(self) -> pa.Table:
        bounds = self.find_date_bounds(PLAYER_GAME_SUMMARY)
        if bounds is None:
            return STAGED_TARGETS.empty_table()
        query = sql.find_first_dates(PLAYER_GAME_SUMMARY, DateRange.spanning(*bounds))
        with self.open() as connection:
            return connection.sql(query).to_arrow_table()

    def read_open_gaps(self, dates: DateRange, reason: str | None, player: str | None) -> pa.Table:
        schema = FEATURE_STORE_GAPS.schema
        with self.open() as connection:
            if describe_table(connection, FEATURE_STORE_GAPS) is None:
                return schema.empty_table()
            query = sql.select_open_gaps(dates)
            rows = connection.sql(query, params={"reason": reason, "player": player}).to_arrow_table()
            return rows.select(schema.names).cast(schema)

    def read_input_state(self, dates: DateRange) -> InputState:
        with self.open() as connection:
            return duckdb_commit.read_input_state(connection, dates)

    def list_changes(self, since: datetime) -> list[InputChange]:
        with self.open() as connection:
            return duckdb_changes.list_changes(connection, since)

    def load(
        self,
        rows: pa.Table,
        loaded_at: datetime,
        *,
        replace_dates: bool,
        write_aliases: bool = False,
        table: Table = PLAYER_GAME_SUMMARY,
    ) -> LoadOutcome:
        with self.open(read_only=False) as connection:
            return duckdb_load.load_rows(
                connection,
                rows,
                loaded_at,
                replace_dates=replace_dates,
                write_aliases=write_aliases,
                table=table,
            )

    def load_generated(
        self, tables: Iterable[tuple[Table, pa.Table]], generated_at: datetime
    ) -> tuple[dict[str, int], DateRange]:
        """Stores a generated league: the rows of each table, and the dates of its box scores."""
        with self.open(read_only=False) as connection:
            rows = duckdb_generated.replace_generated(connection, tables, generated_at)
            first, last = fetch_one(connection, sql.find_date_bounds(PLAYER_GAME_SUMMARY))
        return rows, DateRange.inclusive(first, last)

    def query(self, text: str) -> Answer:
        """The answer to one SELECT, by a connection that can reach nothing but the file."""
        # the parser takes half a second to import: other commands do without
        from pipeline.warehouse.duckdb_query import answer_query

        return answer_query(self.path, self.lock_timeout, text)

    def estimate(self, reads: Sequence[Read]) -> list[ReadCost]:
        return []

    def open_reader(
        self, columns: Mapping[str, tuple[str, ...]], snapshot: datetime | None = None
    ) -> DuckDBReader:
        if snapshot is not None:
            raise FeatureStoreError("the embedded warehouse keeps no earlier state to read")
        has_features = self.describe(FEATURE_STORE) is not None
        return DuckDBReader(self.path, self.lock_timeout, dict(columns), has_features)

    def open_staging(self, run_id: str) -> LocalStager:
        return LocalStager.create(self.path, run_id)

    def close_staging(self, run_id: str) -> None:
        remove_staging(self.path, run_id)

    def commit(self, request: CommitRequest, build_row: Callable[[CommitOutcome], RunRow]) -> RunRow:
        with self.open(read_only=False, create=False) as connection:
            # what a killed commit leaves behind goes with the other files of a dead run
            own = str(staging_root(self.path) / request.run_id)
            connection.execute(f"SET temp_directory = {sql.text_literal(own)}")
            return duckdb_commit.commit_run(connection, request, build_row)

    def record_failure(self, row: RunRow) -> RunRow:
        with self.open(read_only=False, create=False) as connection:
            return duckdb_commit.record_failure(connection, row)

    def read_run(self, run_id: str) -> RunRow | None:
        with self.open() as connection:
            if describe_table(connection, RUN_HISTORY) is None:
                return None
            return duckdb_commit.read_run(connection, run_id)

    def find_run(self, started_at: datetime) -> RunRow | None:
        with self.open() as connection:
            if describe_table(connection, RUN_HISTORY) is None:
                return None
            return duckdb_commit.find_run(connection, started_at)

    def list_runs(self, limit: int, beginning: str = "") -> list[RunRow]:
        with self.open() as connection:
            if describe_table(connection, RUN_HISTORY) is None:
                return []
            return duckdb_commit.list_runs(connection, limit, beginning)
