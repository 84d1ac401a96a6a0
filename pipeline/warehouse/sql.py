"""The only place that makes SQL: validated identifiers and typed values in, text out.

Every read of a table that is partitioned by a date carries both bounds of that date: there is no
function here that makes one without. :class:`Sql` holds what every warehouse is asked; each has a
dialect and statements of its own beside it (``duckdb_sql``, ``commit_sql``, ``bigquery_sql``).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from pipeline.errors import FeatureStoreError
from pipeline.season import DateRange
from transforms.gaps import MISSING_DEPENDENCY
from transforms.schema import FEATURE_STORE, FEATURE_STORE_GAPS, Table
from transforms.vector import FEATURES

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
OPEN = "resolved_at IS NULL AND withdrawn_at IS NULL"
"""Of a gap in the ledger."""

PROCESSOR_NAME = "MLFeatureStoreProcessor"
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def is_identifier(name: str) -> bool:
    """Whether it is a plain ASCII identifier."""
    return _IDENTIFIER.fullmatch(name) is not None


def check_identifier(name: str) -> str:
    """The name; raises when it is not a plain ASCII identifier."""
    if not is_identifier(name):
        raise FeatureStoreError(f"expected a plain SQL identifier, found {name[:80]!r}")
    return name


class Sql(ABC):
    """The statements in the dialect of one warehouse, which says how it spells names and values."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """The identifier in quotes; refuses what is not a plain ASCII identifier."""

    @abstractmethod
    def name_object(self, dataset: str, name: str) -> str:
        """A table or view by its full name."""

    @abstractmethod
    def text_literal(self, text: str) -> str: ...

    @abstractmethod
    def time_literal(self, instant: datetime) -> str: ...

    @abstractmethod
    def parameter(self, name: str) -> str:
        """Where a statement takes a value that is passed beside it."""

    def name_table(self, table: Table) -> str:
        return self.name_object(table.dataset, table.name)

    def name_source(self, table: Table) -> str:
        """The table as a statement reads from it."""
        return self.name_table(table)

    def list_columns(self, names: Iterable[str], prefix: str = "") -> str:
        lead = f"{self.quote(prefix)}." if prefix else ""
        return ", ".join(lead + self.quote(name) for name in names)

    def date_literal(self, day: date) -> str:
        return f"DATE '{day.isoformat()}'"

    def _is_player(self) -> str:
        return f"player_lookup = {self.parameter('player')}"

    def bound_dates(self, table: Table, dates: DateRange, alias: str = "") -> str:
        """Both bounds of the table's partition column."""
        if table.partition is None:
            raise FeatureStoreError(f"{table.path} is not partitioned by a date")
        column = self.list_columns([table.partition], alias)
        return f"{column} >= {self.date_literal(dates.start)} AND {column} < {self.date_literal(dates.end)}"

    def select_window(self, table: Table, columns: Sequence[str], dates: DateRange) -> str:
        """The named columns of the rows in a date window."""
        source, bounds = self.name_source(table), self.bound_dates(table, dates)
        return f"SELECT {self.list_columns(columns)} FROM {source} WHERE {bounds}"

    def select_whole(self, table: Table, columns: Sequence[str]) -> str:
        """The named columns of every row of a table that is not partitioned by a date."""
        if table.partition is not None:
            raise FeatureStoreError(f"{table.path} is read by date: give both bounds of {table.partition}")
        return f"SELECT {self.list_columns(columns)} FROM {self.name_source(table)}"

    def select_row(self, table: Table, day: date) -> str:
        """Every column of the row of a day and of the parameter ``player``."""
        columns, dates = table.schema.names, DateRange.inclusive(day, day)
        return f"{self.select_window(table, columns, dates)} AND {self._is_player()}"

    def list_dates(self, table: Table, dates: DateRange) -> str:
        """The dates in a window on which the parameter ``player`` has rows, in order."""
        day = self.quote(table.partition or "")
        return (
            f"SELECT DISTINCT {day} FROM {self.name_source(table)} "
            f"WHERE {self.bound_dates(table, dates)} AND {self._is_player()} ORDER BY {day}"
        )

    def list_players(self, table: Table, dates: DateRange) -> str:
        """The lookups that have rows in a window, in order."""
        return (
            f"SELECT DISTINCT player_lookup FROM {self.name_source(table)} "
            f"WHERE {self.bound_dates(table, dates)} AND player_lookup IS NOT NULL ORDER BY player_lookup"
        )

    def count_by_date(self, table: Table, dates: DateRange) -> str:
        """(date, rows) of the dates in a window that have rows, in order."""
        day = self.quote(table.partition or "")
        return (
            f"SELECT {day}, COUNT(*) FROM {self.name_source(table)} "
            f"WHERE {self.bound_dates(table, dates)} GROUP BY {day} ORDER BY {day}"
        )

    def list_changed_dates(self, table: Table, dates: DateRange) -> str:
        """(date, newest ``processed_at``) of the dates with rows newer than the parameter ``since``."""
        day = self.quote(table.partition or "")
        return (
            f"SELECT {day}, MAX(processed_at) FROM {self.name_source(table)} "
            f"WHERE {self.bound_dates(table, dates)} AND processed_at > {self.parameter('since')} "
            f"GROUP BY {day} ORDER BY {day}"
        )

    def count_window(self, table: Table, dates: DateRange) -> str:
        return f"SELECT COUNT(*) FROM {self.name_source(table)} WHERE {self.bound_dates(table, dates)}"

    def find_first_dates(self, table: Table, dates: DateRange) -> str:
        """(lookup, first date) of each lookup that has rows in a window."""
        day = self.quote(table.partition or "")
        return (
            f"SELECT player_lookup, MIN({day}) AS {day} FROM {self.name_source(table)} "
            f"WHERE {self.bound_dates(table, dates)} AND player_lookup IS NOT NULL GROUP BY player_lookup"
        )

    def select_open_gaps(self, dates: DateRange) -> str:
        """Every column of the open gaps of a window, of the parameters ``reason`` and ``player`` unless these
        are NULL, in order."""
        columns = FEATURE_STORE_GAPS.schema.names
        reason, player = self.parameter("reason"), self.parameter("player")
        return (
            f"{self.select_window(FEATURE_STORE_GAPS, columns, dates)} AND {OPEN} "
            f"AND ({reason} IS NULL OR skip_reason = {reason}) "
            f"AND ({player} IS NULL OR player_lookup = {player}) ORDER BY game_date, player_lookup"
        )

    def count_runs_over(self, dates: DateRange, history: Table) -> str:
        """How many successful runs published keys of these dates."""
        return (
            f"SELECT COUNT(*) FROM {self.name_source(history)} WHERE status = 'success' "
            f"AND {self.bound_dates(history, DateRange(dates.start, date.max))} "
            f"AND start_date < {self.date_literal(dates.end)}"
        )

    def create_views(self) -> list[str]:
        """The named vectors, and the gaps as the two failure views that people query."""
        store, gaps = self.name_table(FEATURE_STORE), self.name_table(FEATURE_STORE_GAPS)
        values = {feature.value_column: feature.name for feature in FEATURES}
        named = ", ".join(
            f"{self.quote(name)} AS {self.quote(values[name])}" if name in values else self.quote(name)
            for name in FEATURE_STORE.schema.names
        )
        closed = "COALESCE(resolved_at, withdrawn_at) AS resolved_at"
        processor = f"{self.text_literal(PROCESSOR_NAME)} AS processor_name"
        return [
            self._create_view("nba_predictions", "ml_feature_vectors") + f"SELECT {named} FROM {store}",
            self._create_view("nba_processing", "precompute_failures") + "SELECT "
            f"{processor}, detected_run_id AS run_id, game_date AS analysis_date, "
            "player_lookup AS entity_id, "
            f"CASE skip_reason WHEN {self.text_literal(MISSING_DEPENDENCY)} THEN 'MISSING_DEPENDENCIES' "
            "ELSE UPPER(skip_reason) END AS failure_category, "
            "skip_detail AS failure_reason, skip_reason <> 'invalid_input' AS can_retry, "
            f"detected_at AS created_at, {closed} FROM {gaps}",
            self._create_view("nba_processing", "registry_failures") + "SELECT "
            f"player_lookup, game_date, {processor}, detected_at AS created_at, {closed} "
            f"FROM {gaps} WHERE skip_reason = 'unregistered_player'",
        ]

    def _create_view(self, dataset: str, name: str) -> str:
        return f"CREATE OR REPLACE VIEW {self.name_object(dataset, name)} AS "
