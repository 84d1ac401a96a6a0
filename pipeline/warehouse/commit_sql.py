"""The statements of a commit on the embedded warehouse: audit, rows, ledger, identities.

The staged files are four views, ``staged_features``, ``staged_gaps``, ``staged_targets`` and
``staged_passed``.
Every statement on an output table is bounded by the run's own dates and, where a run owns single
keys, by the table ``requested_keys`` (:class:`Scope`). Each rule that can refuse a commit is an
:class:`AuditRule`: a query that must return no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipeline.season import DateRange
from pipeline.warehouse.base import CommitRequest
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.sql import OPEN
from transforms.contracts import FEATURES, GAPS, PASSED, TARGETS
from transforms.gaps import NO_GAME_SUMMARY
from transforms.schema import (
    FEATURE_STORE,
    FEATURE_STORE_GAPS,
    RUN_COLUMNS,
    STAGED_FEATURES,
    STAGED_GAPS,
    STAGED_PASSED,
    STAGED_TARGETS,
    Table,
)
from transforms.vector import FEATURES as VECTOR
from transforms.vector import MISSING, Feature

KEY = sql.list_columns(FEATURE_STORE.key)
STORE, LEDGER = sql.name_table(FEATURE_STORE), sql.name_table(FEATURE_STORE_GAPS)
STAGED_SCHEMAS = {
    FEATURES: STAGED_FEATURES,
    GAPS: STAGED_GAPS,
    TARGETS: STAGED_TARGETS,
    PASSED: STAGED_PASSED,
}
REQUESTED = "requested_keys"


@dataclass(frozen=True)
class AuditRule:
    """``query`` lists up to five violations as (player, date, found); it must return none.

    Where ``holds`` is given, it is asked first: TRUE means that there is no violation to look for.
    """

    name: str
    query: str
    holds: str | None = None


@dataclass(frozen=True)
class Scope:
    """The keys that a run owns: all of its dates, or those in ``requested_keys``."""

    dates: DateRange
    by_key: bool

    @classmethod
    def of(cls, request: CommitRequest) -> Scope:
        return cls(request.targets, request.requested is not None)

    def bound(self, table: Table, alias: str) -> str:
        """Which rows of an output table, named by its alias, the run may touch."""
        dates = sql.bound_dates(table, self.dates, alias)
        return f"{dates} AND {_exists(REQUESTED, alias)}" if self.by_key else dates


def create_staged_view(kind: str, paths: Sequence[str]) -> str:
    """A view over the run's files of one kind; without files an empty one of the same columns."""
    view = sql.quote(f"staged_{kind}")
    schema: pa.Schema = STAGED_SCHEMAS[kind]
    if not paths:
        empty = ", ".join(f"NULL::{sql.name_type(f.type)} AS {sql.quote(f.name)}" for f in schema)
        return f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT {empty} WHERE FALSE"
    files = ", ".join(sql.text_literal(path) for path in paths)
    return (
        f"CREATE OR REPLACE TEMP VIEW {view} AS "
        f"SELECT {sql.list_columns(schema.names)} FROM read_parquet([{files}])"
    )


def _match_keys(*parts: str) -> str:
    """TRUE where the keys of ``parts`` together are those of ``staged_targets``, each as often.

    Compares how many there are and the sum of their 64-bit hashes, which takes no memory. Grouping
    by key would take as much as the run has rows.
    """
    digest = f"COUNT(*), SUM(hash({KEY}))"
    found = " UNION ALL ".join(f"SELECT {KEY} FROM {part}" for part in parts)
    return (
        f"(SELECT ROW({digest}) FROM staged_targets) "
        f"IS NOT DISTINCT FROM (SELECT ROW({digest}) FROM ({found}))"
    )


def list_audit_rules(scope: Scope) -> list[AuditRule]:
    """The rules for staged data, checked before any table is touched."""
    keyed = " UNION ALL ".join(
        f"SELECT {KEY}, {int(kind == TARGETS)} AS t, {int(kind == FEATURES)} AS f, "
        f"{int(kind == GAPS)} AS g FROM staged_{kind}"
        for kind in (TARGETS, FEATURES, GAPS)
    )
    start, end = sql.date_literal(scope.dates.start), sql.date_literal(scope.dates.end)
    outside = f"NOT (game_date >= {start} AND game_date < {end})"
    if scope.by_key:
        outside += f" OR NOT {_exists(REQUESTED, 't')}"
    broken = " OR ".join(_break_value(feature) for feature in VECTOR)
    return [
        AuditRule(
            "every target is exactly one feature row or one gap",
            f"SELECT {KEY}, 'targets ' || SUM(t) || ', rows ' || SUM(f) || ', gaps ' || SUM(g) "
            f"FROM ({keyed}) GROUP BY {KEY} HAVING SUM(t) <> 1 OR SUM(f) + SUM(g) <> 1 LIMIT 5",
            f"SELECT {_match_keys('staged_features', 'staged_gaps')} AND "
            f"(SELECT COUNT(*) = COUNT(DISTINCT hash({KEY})) FROM staged_targets)",
        ),
        AuditRule(
            "every target is one of the requested keys",
            f"SELECT {KEY}, 'not requested' FROM staged_targets t WHERE {outside} LIMIT 5",
        ),
        AuditRule(
            "every value is finite, in its range, and NULL exactly when its source is missing",
            f"SELECT {KEY}, data_hash FROM staged_features WHERE {broken} LIMIT 5",
        ),
    ]


def _break_value(feature: Feature) -> str:
    """True where the value or its source is not what the registry permits; never NULL."""
    value, source = sql.quote(feature.value_column), sql.quote(feature.source_column)
    tests = [f"NOT isfinite({value})"]
    tests += [f"{value} < {feature.low!r}"] if feature.low is not None else []
    tests += [f"{value} > {feature.high!r}"] if feature.high is not None else []
    return (
        f"CASE WHEN {value} IS NULL THEN {source} IS DISTINCT FROM {sql.text_literal(MISSING)} "
        f"ELSE {source} IS DISTINCT FROM {sql.text_literal(feature.source)} OR {' OR '.join(tests)} END"
    )


def list_deletions(scope: Scope) -> str:
    """(date, stored rows, targets found, rows to delete) of dates that lose rows.

    A row is not lost while a source names its key and says why it is no row: it was announced and
    nobody came, the game is postponed, the lookup became an alias.
    """
    return (
        f"SELECT game_date, COUNT(*), (SELECT COUNT(*) FROM staged_targets t "
        f"WHERE t.game_date = s.game_date), COUNT(*) FILTER (WHERE NOT kept) FROM ("
        f"SELECT game_date, {KEY_IN_FEATURES} OR {EXPLAINED} AS kept FROM {STORE} s "
        f"WHERE {scope.bound(FEATURE_STORE, 's')}) s "
        "GROUP BY game_date HAVING COUNT(*) FILTER (WHERE NOT kept) > 0 ORDER BY game_date"
    )


def _exists(view: str, alias: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM {view} k WHERE k.player_lookup = {alias}.player_lookup "
        f"AND k.game_date = {alias}.game_date)"
    )


KEY_IN_FEATURES = _exists("staged_features", "s")
_NO_SHOWS = f"(SELECT {KEY} FROM staged_gaps WHERE skip_reason = {sql.text_literal(NO_GAME_SUMMARY)})"
EXPLAINED = f"{_exists(_NO_SHOWS, 's')} OR {_exists('staged_passed', 's')}"


def count_stored(scope: Scope) -> str:
    return f"SELECT COUNT(*) FROM {STORE} s WHERE {scope.bound(FEATURE_STORE, 's')}"


def classify_rows(scope: Scope) -> str:
    """A temporary table of the stored keys of the run: kept as it is, changed, or vanished.

    Rows are compared by a 64-bit hash of all their columns. Joining the columns themselves costs
    four times as much, and memory for every row.
    """
    compared = sql.list_columns(name for name in STAGED_FEATURES.names if name not in FEATURE_STORE.key)
    return (
        "CREATE OR REPLACE TEMP TABLE stored_keys AS "
        f"SELECT {KEY}, s.created_at, f.digest IS NULL AS vanished, f.digest <> s.digest AS changed "
        f"FROM (SELECT {KEY}, created_at, hash({compared}) AS digest FROM {STORE} s "
        f"WHERE {scope.bound(FEATURE_STORE, 's')}) s "
        f"LEFT JOIN (SELECT {KEY}, hash({compared}) AS digest FROM staged_features) f USING ({KEY})"
    )


COUNT_CLASSES = (
    "SELECT COUNT(*) FILTER (WHERE vanished), COUNT(*) FILTER (WHERE changed), "
    "COUNT(*) FILTER (WHERE NOT changed) FROM stored_keys"
)


def delete_rows(scope: Scope) -> str:
    """Removes the vanished rows, and the changed ones before they are inserted anew."""
    return (
        f"DELETE FROM {STORE} s USING stored_keys k WHERE s.player_lookup = k.player_lookup "
        f"AND s.game_date = k.game_date AND (k.vanished OR k.changed) "
        f"AND {scope.bound(FEATURE_STORE, 's')}"
    )


def insert_rows(request: CommitRequest, fresh: bool) -> str:
    """Inserts new and changed rows; ``fresh``: no row of the range is stored yet."""
    run_at = sql.time_literal(request.run_at)
    columns = sql.list_columns([*STAGED_FEATURES.names, *RUN_COLUMNS])
    staged = sql.list_columns(STAGED_FEATURES.names, "f")
    run = sql.text_literal(request.run_id)
    if fresh:
        return (
            f"INSERT INTO {STORE} ({columns}) "
            f"SELECT {staged}, {run}, {run_at}, {run_at} FROM staged_features f"
        )
    return (
        f"INSERT INTO {STORE} ({columns}) "
        f"SELECT {staged}, {run}, COALESCE(k.created_at, {run_at}), {run_at} "
        f"FROM staged_features f LEFT JOIN stored_keys k USING ({KEY}) "
        "WHERE k.player_lookup IS NULL OR k.changed"
    )


def resolve_gaps(request: CommitRequest) -> str:
    """Closes the open gaps whose very key gets a row in this commit."""
    return (
        f"UPDATE {LEDGER} AS s SET resolved_at = {sql.time_literal(request.run_at)}, "
        f"resolved_run_id = {sql.text_literal(request.run_id)} "
        f"WHERE {OPEN} AND {Scope.of(request).bound(FEATURE_STORE_GAPS, 's')} "
        f"AND {KEY_IN_FEATURES}"
    )


def withdraw_gaps(request: CommitRequest) -> str:
    """Closes the open gaps whose key is no target any more, and says so."""
    return (
        f"UPDATE {LEDGER} AS s SET withdrawn_at = {sql.time_literal(request.run_at)}, "
        "skip_detail = 'no target any more: ' || COALESCE((SELECT MIN(p.detail) FROM staged_passed p "
        "WHERE p.player_lookup = s.player_lookup AND p.game_date = s.game_date), "
        "'nothing names this player and date') "
        f"WHERE {OPEN} AND {Scope.of(request).bound(FEATURE_STORE_GAPS, 's')} "
        f"AND NOT {_exists('staged_targets', 's')}"
    )


def count_reopened(scope: Scope) -> str:
    return (
        f"SELECT COUNT(*) FROM {LEDGER} s WHERE NOT ({OPEN}) "
        f"AND {scope.bound(FEATURE_STORE_GAPS, 's')} AND {_exists('staged_gaps', 's')}"
    )


def repeat_gaps(request: CommitRequest) -> str:
    """Another attempt for the keys that the ledger knows: kept open, or reopened."""
    run_at = sql.time_literal(request.run_at)
    facts = [name for name in STAGED_GAPS.names if name not in FEATURE_STORE_GAPS.key]
    renewed = ", ".join(f"{sql.quote(name)} = g.{sql.quote(name)}" for name in facts)
    return (
        f"UPDATE {LEDGER} AS s SET {renewed}, attempt_count = s.attempt_count + 1, "
        f"last_attempt_at = {run_at}, "
        f"reopened_at = CASE WHEN s.resolved_at IS NULL AND s.withdrawn_at IS NULL "
        f"THEN s.reopened_at ELSE {run_at} END, "
        "resolved_at = NULL, resolved_run_id = NULL, withdrawn_at = NULL "
        "FROM staged_gaps g WHERE g.player_lookup = s.player_lookup "
        f"AND g.game_date = s.game_date AND {sql.bound_dates(FEATURE_STORE_GAPS, request.targets, 's')}"
    )


def open_gaps(request: CommitRequest) -> str:
    """New gaps, for keys that the ledger does not know."""
    run_at = sql.time_literal(request.run_at)
    return (
        f"INSERT INTO {LEDGER} ({sql.list_columns(STAGED_GAPS.names)}, "
        "detected_at, detected_run_id, attempt_count, last_attempt_at) "
        f"SELECT {sql.list_columns(STAGED_GAPS.names, 'g')}, {run_at}, "
        f"{sql.text_literal(request.run_id)}, 1, {run_at} FROM staged_gaps g "
        f"ANTI JOIN (SELECT {KEY} FROM {LEDGER} "
        f"WHERE {sql.bound_dates(FEATURE_STORE_GAPS, request.targets)}) USING ({KEY})"
    )


def list_identities(scope: Scope) -> list[AuditRule]:
    """Identities 1 and 2, recounted from the tables just before the commit."""
    stored = f"{STORE} s WHERE {scope.bound(FEATURE_STORE, 's')}"
    opened = f"{LEDGER} s WHERE {OPEN} AND {scope.bound(FEATURE_STORE_GAPS, 's')}"
    return [
        AuditRule(
            "each requested key that is a target is one stored row or one open gap, others neither",
            f"SELECT {KEY}, 'targets ' || SUM(t) || ', rows ' || SUM(f) || ', open gaps ' || SUM(g) "
            f"FROM (SELECT {KEY}, 1 AS t, 0 AS f, 0 AS g FROM staged_targets "
            f"UNION ALL SELECT {KEY}, 0, 1, 0 FROM {stored} "
            f"UNION ALL SELECT {KEY}, 0, 0, 1 FROM {opened}) "
            f"GROUP BY {KEY} HAVING SUM(t) <> 1 OR SUM(f) + SUM(g) <> 1 LIMIT 5",
            f"SELECT {_match_keys(stored, opened)}",
        )
    ]
