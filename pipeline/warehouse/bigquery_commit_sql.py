"""The statements of a commit on BigQuery: what is asked before it, and the one script that makes it.

The staged rows are the staging tables of the run. Everything that can refuse is asked first, in plain
SELECTs whose answers name keys; the script then asserts that nothing has moved since, changes the tables,
recounts the identities and writes the history row, in one transaction. Every statement on an output table
has both bounds of the run's dates as literals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.season import DateRange
from pipeline.warehouse.base import CommitOutcome, CommitRequest, RunRow
from pipeline.warehouse.bigquery_history_sql import merge_run, write_timed_run
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.sql import OPEN
from transforms.contracts import FEATURES, GAPS, PASSED, TARGETS
from transforms.gaps import NO_GAME_SUMMARY
from transforms.schema import (
    FEATURE_STORE,
    FEATURE_STORE_GAPS,
    PLAYER_GAME_SUMMARY,
    RUN_COLUMNS,
    RUN_HISTORY,
    STAGED_FEATURES,
    STAGED_GAPS,
    Table,
)
from transforms.vector import FEATURES as VECTOR
from transforms.vector import MISSING, Feature

REQUESTED = "requested"
"""The kind of the staged keys that a run owns where it does not own whole dates."""

OVERLAP, MOVED, BROKEN = "another run came between", "the tables moved", "an identity is broken"
"""What a script says when it refuses."""

STRUCTURED = "historical_completeness"
"""The column that has no equality, since it holds an array."""


@dataclass(frozen=True)
class CommitSql:
    """The statements for one request; ``staged`` names the staging table of each kind."""

    sql: BigQuerySql
    request: CommitRequest
    staged: Mapping[str, str]

    @property
    def _store(self) -> str:
        return self.sql.name_table(FEATURE_STORE)

    @property
    def _ledger(self) -> str:
        return self.sql.name_table(FEATURE_STORE_GAPS)

    def _bound(self, table: Table, alias: str) -> str:
        """Which rows of an output table, by its alias, the run may touch."""
        dates = self.sql.bound_dates(table, self.request.targets, alias)
        return (
            f"{dates} AND {self._exists(REQUESTED, alias)}" if self.request.requested is not None else dates
        )

    def _exists(self, kind: str, alias: str, condition: str = "") -> str:
        return (
            f"EXISTS (SELECT 1 FROM {self.staged[kind]} k WHERE k.player_lookup = {alias}.player_lookup "
            f"AND k.game_date = {alias}.game_date{condition})"
        )

    # before the script

    def count_staged(self) -> str:
        """(kind, rows) of every staging table."""
        parts = (
            f"SELECT {self.sql.text_literal(kind)} AS kind, COUNT(*) AS found FROM {name}"
            for kind, name in self.staged.items()
        )
        return " UNION ALL ".join(parts)

    def count_read(self) -> str:
        """The box scores that the run should have read, as of its snapshot."""
        counts = (f"({self.sql.count_window(PLAYER_GAME_SUMMARY, w)})" for w in self.request.windows)
        return f"SELECT {' + '.join(counts)} AS found"

    def list_rules(self) -> list[tuple[str, str]]:
        """(rule, query): each query lists up to five violations as (player, date, found), or nothing."""
        keyed = " UNION ALL ".join(
            f"SELECT player_lookup, game_date, {int(kind == TARGETS)} AS t, {int(kind == FEATURES)} AS f, "
            f"{int(kind == GAPS)} AS g FROM {self.staged[kind]}"
            for kind in (TARGETS, FEATURES, GAPS)
        )
        outside = f"NOT ({self.sql.bound_dates(FEATURE_STORE, self.request.targets, 't')})"
        if self.request.requested is not None:
            outside += f" OR NOT {self._exists(REQUESTED, 't')}"
        broken = " OR ".join(self._break_value(feature) for feature in VECTOR)
        return [
            (
                "every target is exactly one feature row or one gap",
                "SELECT player_lookup, game_date, "
                "FORMAT('targets %d, rows %d, gaps %d', SUM(t), SUM(f), SUM(g)) AS found "
                f"FROM ({keyed}) GROUP BY player_lookup, game_date "
                "HAVING SUM(t) <> 1 OR SUM(f) + SUM(g) <> 1 LIMIT 5",
            ),
            (
                "every target is one of the requested keys",
                f"SELECT player_lookup, game_date, 'not requested' AS found FROM {self.staged[TARGETS]} t "
                f"WHERE {outside} LIMIT 5",
            ),
            (
                "every value is finite, in its range, and NULL exactly when its source is missing",
                f"SELECT player_lookup, game_date, data_hash AS found FROM {self.staged[FEATURES]} "
                f"WHERE {broken} LIMIT 5",
            ),
        ]

    def _break_value(self, feature: Feature) -> str:
        """True where the value or its source is not what the registry permits; never NULL."""
        value, source = self.sql.quote(feature.value_column), self.sql.quote(feature.source_column)
        tests = [f"IS_NAN({value})", f"IS_INF({value})"]
        tests += [f"{value} < {feature.low!r}"] if feature.low is not None else []
        tests += [f"{value} > {feature.high!r}"] if feature.high is not None else []
        missing, expected = self.sql.text_literal(MISSING), self.sql.text_literal(feature.source)
        return (
            f"IF({value} IS NULL, {source} IS DISTINCT FROM {missing}, "
            f"{source} IS DISTINCT FROM {expected} OR {' OR '.join(tests)})"
        )

    def count_rows(self) -> str:
        """(stored, deleted, updated, unchanged) of the run's rows."""
        return (
            "SELECT COUNT(*) AS stored, COUNTIF(gone) AS deleted, COUNTIF(NOT gone AND differs) AS updated, "
            "COUNTIF(NOT gone AND NOT differs) AS unchanged "
            f"FROM (SELECT f.player_lookup IS NULL AS gone, {self._differ()} AS differs "
            f"FROM {self._store} s LEFT JOIN {self.staged[FEATURES]} f "
            "ON f.player_lookup = s.player_lookup AND f.game_date = s.game_date "
            f"WHERE {self._bound(FEATURE_STORE, 's')})"
        )

    def _differ(self) -> str:
        """Whether a stored row ``s`` says something else than a staged one ``f``."""
        plain = [n for n in STAGED_FEATURES.names if n not in (*FEATURE_STORE.key, STRUCTURED)]
        tests = [f"s.{self.sql.quote(name)} IS DISTINCT FROM f.{self.sql.quote(name)}" for name in plain]
        tests.append(f"TO_JSON_STRING(s.{STRUCTURED}) <> TO_JSON_STRING(f.{STRUCTURED})")
        return " OR ".join(tests)

    def list_deletions(self) -> str:
        """(date, stored rows, targets found, rows to delete) of dates that lose rows.

        A row is not lost while a source names its key and says why it is no row: it was announced and
        nobody came, the game is postponed, the lookup became an alias.
        """
        no_show = f" AND k.skip_reason = {self.sql.text_literal(NO_GAME_SUMMARY)}"
        kept = " OR ".join(
            (self._exists(FEATURES, "s"), self._exists(GAPS, "s", no_show), self._exists(PASSED, "s"))
        )
        return (
            "WITH rows_of_run AS (SELECT s.game_date, "
            f"{kept} AS kept FROM {self._store} s WHERE {self._bound(FEATURE_STORE, 's')}), "
            f"named AS (SELECT game_date, COUNT(*) AS found FROM {self.staged[TARGETS]} GROUP BY game_date) "
            "SELECT r.game_date, COUNT(*) AS stored, COALESCE(ANY_VALUE(n.found), 0) AS found, "
            "COUNTIF(NOT r.kept) AS gone FROM rows_of_run r LEFT JOIN named n ON n.game_date = r.game_date "
            "GROUP BY r.game_date HAVING COUNTIF(NOT r.kept) > 0 ORDER BY r.game_date"
        )

    def count_ledger(self) -> str:
        """(resolved, withdrawn, reopened, known): what the run makes of the gaps that the ledger has."""
        in_gaps = self._exists(GAPS, "s")
        return (
            f"SELECT COUNTIF(is_open AND in_rows) AS resolved, "
            f"COUNTIF(is_open AND NOT in_rows AND NOT in_gaps) AS withdrawn, "
            f"COUNTIF(NOT is_open AND in_gaps) AS reopened, COUNTIF(in_gaps) AS known FROM "
            f"(SELECT {OPEN} AS is_open, {self._exists(FEATURES, 's')} AS in_rows, {in_gaps} AS in_gaps "
            f"FROM {self._ledger} s WHERE {self._bound(FEATURE_STORE_GAPS, 's')})"
        )

    # the script

    def make_script(self, outcome: CommitOutcome, row: RunRow) -> str:
        """One transaction; on an error nothing of it stays.

        A run that is on record changes nothing. ``outcome`` is what the tables are asserted to become.
        """
        written = outcome.created + outcome.updated
        statements = [
            "DECLARE began TIMESTAMP DEFAULT CURRENT_TIMESTAMP()",
            "BEGIN TRANSACTION",
            f"IF EXISTS ({self._find_run()}) THEN ROLLBACK TRANSACTION; RETURN; END IF",
            self._assert(
                f"({self.sql.count_runs_over(self.request.targets, RUN_HISTORY)})",
                self.request.inputs.overlapping_runs,
                OVERLAP,
            ),
            *(
                self._assert(f"(SELECT COUNT(*) FROM {self.staged[kind]})", self.request.rows(kind), MOVED)
                for kind in (FEATURES, GAPS, TARGETS, PASSED)
            ),
        ]
        if written:
            statements.append(self.merge_rows())
        if outcome.deleted:
            statements.append(self.delete_rows())
        statements += [
            self._assert(self._count_written(), written, MOVED),
            self.merge_ledger(),
            self._assert(self._count_resolved(), outcome.gaps_resolved, MOVED),
            f"ASSERT NOT EXISTS ({self.list_identities()}) AS {self.sql.text_literal(BROKEN)}",
            merge_run(self.sql, write_timed_run(self.sql, row, "began"), row["data_date"]),
            "COMMIT TRANSACTION",
        ]
        return ";\n".join(statements) + ";"

    def _assert(self, query: str, expected: int, message: str) -> str:
        return f"ASSERT {query} = {expected} AS {self.sql.text_literal(message)}"

    def _find_run(self) -> str:
        day = DateRange.inclusive(self.request.targets.last, self.request.targets.last)
        bounds = self.sql.bound_dates(RUN_HISTORY, day)
        return (
            f"SELECT 1 FROM {self.sql.name_table(RUN_HISTORY)} WHERE {bounds} "
            f"AND run_id = {self.sql.text_literal(self.request.run_id)}"
        )

    def _count_written(self) -> str:
        return (
            f"(SELECT COUNT(*) FROM {self._store} s WHERE {self._bound(FEATURE_STORE, 's')} "
            f"AND s.run_id = {self.sql.text_literal(self.request.run_id)})"
        )

    def _count_resolved(self) -> str:
        return (
            f"(SELECT COUNT(*) FROM {self._ledger} s WHERE {self._bound(FEATURE_STORE_GAPS, 's')} "
            f"AND s.resolved_run_id = {self.sql.text_literal(self.request.run_id)})"
        )

    def merge_rows(self) -> str:
        """New and changed rows in; a row that says the same stays as it is."""
        sql = self.sql
        run, run_at = sql.text_literal(self.request.run_id), sql.time_literal(self.request.run_at)
        facts = [name for name in STAGED_FEATURES.names if name not in FEATURE_STORE.key]
        renewed = ", ".join(f"{sql.quote(name)} = f.{sql.quote(name)}" for name in facts)
        columns = sql.list_columns([*STAGED_FEATURES.names, *RUN_COLUMNS])
        values = sql.list_columns(STAGED_FEATURES.names, "f")
        return (
            f"MERGE INTO {self._store} s USING {self.staged[FEATURES]} f "
            "ON s.player_lookup = f.player_lookup AND s.game_date = f.game_date "
            f"AND {sql.bound_dates(FEATURE_STORE, self.request.targets, 's')} "
            f"WHEN MATCHED AND ({self._differ()}) THEN "
            f"UPDATE SET {renewed}, run_id = {run}, updated_at = {run_at} "
            f"WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values}, {run}, {run_at}, {run_at})"
        )

    def delete_rows(self) -> str:
        """Removes the run's rows whose key is no feature row any more."""
        return (
            f"DELETE FROM {self._store} s WHERE {self._bound(FEATURE_STORE, 's')} "
            f"AND NOT {self._exists(FEATURES, 's')}"
        )

    def merge_ledger(self) -> str:
        """The life of each gap, by key: opened, kept open, reopened, resolved, withdrawn."""
        sql = self.sql
        run, run_at = sql.text_literal(self.request.run_id), sql.time_literal(self.request.run_at)
        facts = [name for name in STAGED_GAPS.names if name not in FEATURE_STORE_GAPS.key]
        renewed = ", ".join(f"{sql.quote(name)} = n.{sql.quote(name)}" for name in facts)
        never, nobody = "CAST(NULL AS TIMESTAMP)", "CAST(NULL AS STRING)"
        is_open = "s.resolved_at IS NULL AND s.withdrawn_at IS NULL"
        columns = sql.list_columns([*STAGED_GAPS.names, *_OPENED])
        values = sql.list_columns(STAGED_GAPS.names, "n")
        return (
            f"MERGE INTO {self._ledger} s USING ({self._list_fates()}) n "
            "ON s.player_lookup = n.player_lookup AND s.game_date = n.game_date "
            f"AND {sql.bound_dates(FEATURE_STORE_GAPS, self.request.targets, 's')} "
            f"WHEN MATCHED AND n.fate = 'gap' THEN UPDATE SET {renewed}, "
            f"attempt_count = s.attempt_count + 1, last_attempt_at = {run_at}, "
            f"reopened_at = IF({is_open}, s.reopened_at, {run_at}), "
            f"resolved_at = {never}, resolved_run_id = {nobody}, withdrawn_at = {never} "
            f"WHEN MATCHED AND n.fate = 'row' AND {is_open} THEN "
            f"UPDATE SET resolved_at = {run_at}, resolved_run_id = {run} "
            f"WHEN MATCHED AND n.fate = 'none' AND {is_open} THEN "
            f"UPDATE SET withdrawn_at = {run_at}, skip_detail = n.skip_detail "
            f"WHEN NOT MATCHED BY TARGET AND n.fate = 'gap' THEN INSERT ({columns}) "
            f"VALUES ({values}, {run_at}, {run}, 1, {run_at})"
        )

    def _list_fates(self) -> str:
        """What becomes of each key: a gap, a row, or none of both where an open gap is no target any more."""
        names = self.sql.list_columns(STAGED_GAPS.names)
        facts = [field for field in STAGED_GAPS if field.name not in FEATURE_STORE_GAPS.key]
        nulls = {field.name: f"CAST(NULL AS {self.sql.name_type(field.type)})" for field in facts}
        detail = "CONCAT('no target any more: ', COALESCE(p.detail, 'nothing names this player and date'))"
        unknown = ", ".join(nulls.values())
        withdrawn = ", ".join({**nulls, "skip_detail": detail}.values())
        why = (
            "SELECT player_lookup, game_date, MIN(detail) AS detail "
            f"FROM {self.staged[PASSED]} GROUP BY player_lookup, game_date"
        )
        return (
            f"SELECT 'gap' AS fate, {names} FROM {self.staged[GAPS]} "
            f"UNION ALL SELECT 'row', player_lookup, game_date, {unknown} FROM {self.staged[FEATURES]} "
            f"UNION ALL SELECT 'none', s.player_lookup, s.game_date, {withdrawn} FROM {self._ledger} s "
            f"LEFT JOIN ({why}) p ON p.player_lookup = s.player_lookup AND p.game_date = s.game_date "
            f"WHERE {OPEN} AND {self._bound(FEATURE_STORE_GAPS, 's')} AND NOT {self._exists(TARGETS, 's')}"
        )

    def list_identities(self) -> str:
        """The keys that break identity 1 or 2, recounted from the tables."""
        stored = f"{self._store} s WHERE {self._bound(FEATURE_STORE, 's')}"
        opened = f"{self._ledger} s WHERE {OPEN} AND {self._bound(FEATURE_STORE_GAPS, 's')}"
        return (
            "SELECT player_lookup, game_date FROM ("
            f"SELECT player_lookup, game_date, 1 AS t, 0 AS f FROM {self.staged[TARGETS]} "
            f"UNION ALL SELECT s.player_lookup, s.game_date, 0, 1 FROM {stored} "
            f"UNION ALL SELECT s.player_lookup, s.game_date, 0, 1 FROM {opened}) "
            "GROUP BY player_lookup, game_date HAVING SUM(t) <> 1 OR SUM(f) <> 1"
        )


_OPENED = ("detected_at", "detected_run_id", "attempt_count", "last_attempt_at")
