"""The write side of a run on the embedded warehouse: audit, then one transaction for everything.

The order is: is this run committed already; are the inputs those that the plan saw; does the
staged data keep the rules; may that many rows vanish; then rows, ledger, identities recounted,
and the history row last. Any refusal rolls everything back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import duckdb

from pipeline.errors import AuditFailed
from pipeline.season import DateRange
from pipeline.warehouse import commit_sql
from pipeline.warehouse.base import CommitOutcome, CommitRequest, InputState, RunRow
from pipeline.warehouse.duckdb_connection import (
    describe_table,
    fetch_one,
    read_version,
    transaction,
)
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.publishing import (
    Steps,
    answer_again,
    compare_inputs,
    compare_rows_read,
    compare_staged,
    decode_run,
    encode_run,
    refuse_deletions,
    refuse_violations,
)
from transforms.contracts import FEATURES, GAPS
from transforms.schema import OUTPUTS, PLAYER_GAME_SUMMARY, RUN_HISTORY, TABLE_VERSIONS
from transforms.side_tables import INPUTS

SETTINGS = ("SET preserve_insertion_order = false", "SET memory_limit = '512MB'")
"""How a commit inserts: in parallel, which DuckDB does in any order only, and in half the memory.

Both measured (docs/benchmarks.md): 2.5 times faster, and no slower.
"""


def commit_run(
    connection: duckdb.DuckDBPyConnection,
    request: CommitRequest,
    build_row: Callable[[CommitOutcome], RunRow],
) -> RunRow:
    """Publishes the staged files of a run; see ``Warehouse.commit``."""
    for setting in SETTINGS:
        connection.execute(setting)
    with transaction(connection):
        return _publish(connection, request, build_row)


def _publish(
    connection: duckdb.DuckDBPyConnection,
    request: CommitRequest,
    build_row: Callable[[CommitOutcome], RunRow],
) -> RunRow:
    steps = Steps()
    create_outputs(connection)
    if request.requested is not None:
        connection.register(commit_sql.REQUESTED, request.requested)
    scope = commit_sql.Scope.of(request)
    done = read_run(connection, request.run_id)
    if done is not None:
        return answer_again(done)
    compare_inputs(request, read_input_state(connection, request.targets))
    _check_complete(connection, request)
    check_rules(connection, commit_sql.list_audit_rules(scope))
    steps.finish("audit")
    outcome = _replace_rows(connection, request, steps)
    ledger = _update_ledger(connection, request)
    steps.finish("ledger")
    check_rules(connection, commit_sql.list_identities(scope))
    steps.finish("identities")
    row = build_row(CommitOutcome(**outcome, **ledger, steps=steps.seconds))
    insert_run(connection, row)
    return row


def create_outputs(connection: duckdb.DuckDBPyConnection) -> None:
    """The output tables and views, where they do not exist."""
    missing = [table for table in OUTPUTS if describe_table(connection, table) is None]
    for table in missing:
        connection.execute(sql.create_schema(table.dataset))
        connection.execute(sql.create_table(table))
    if missing:
        connection.execute(sql.create_schema(TABLE_VERSIONS.dataset))
        for statement in sql.create_views():
            connection.execute(statement)


def read_input_state(connection: duckdb.DuckDBPyConnection, dates: DateRange) -> InputState:
    versions = {table.path: read_version(connection, table) for table in INPUTS}
    runs = 0
    if describe_table(connection, RUN_HISTORY) is not None:
        runs = fetch_one(connection, sql.count_runs_over(dates, RUN_HISTORY))[0]
    return InputState({path: found[0] if found else 0 for path, found in versions.items()}, runs)


def _check_complete(connection: duckdb.DuckDBPyConnection, request: CommitRequest) -> None:
    """Every row of the window was read, and every staged row is there, in a view of its kind."""
    counts = (sql.count_window(PLAYER_GAME_SUMMARY, window) for window in request.windows)
    compare_rows_read(request, sum(fetch_one(connection, query)[0] for query in counts))
    for kind in commit_sql.STAGED_SCHEMAS:
        try:
            connection.execute(commit_sql.create_staged_view(kind, request.paths(kind)))
            found = fetch_one(connection, f"SELECT COUNT(*) FROM staged_{kind}")[0]
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise AuditFailed(
                f"the staged {kind} cannot be read: {str(error).splitlines()[0]}; nothing was published"
            ) from error
        compare_staged(request, kind, found)


def check_rules(connection: duckdb.DuckDBPyConnection, rules: Iterable[commit_sql.AuditRule]) -> None:
    """Raises ``AuditFailed`` with examples when a rule is broken."""
    for rule in rules:
        if rule.holds is not None and fetch_one(connection, rule.holds)[0]:
            continue
        refuse_violations(rule.name, connection.execute(rule.query).fetchall())


def _replace_rows(
    connection: duckdb.DuckDBPyConnection, request: CommitRequest, steps: Steps
) -> dict[str, int]:
    scope = commit_sql.Scope.of(request)
    stored = fetch_one(connection, commit_sql.count_stored(scope))[0]
    staged = request.rows(FEATURES)
    if stored == 0:
        connection.execute(commit_sql.insert_rows(request, fresh=True))
        steps.finish("insert")
        return {"created": staged, "updated": 0, "unchanged": 0, "deleted": 0}
    connection.execute(commit_sql.classify_rows(scope))
    deleted, updated, unchanged = fetch_one(connection, commit_sql.COUNT_CLASSES)
    steps.finish("compare")
    if deleted and not request.allow_deletes:
        guard_deletion(connection, scope, stored)
    if deleted or updated:
        connection.execute(commit_sql.delete_rows(scope))
        steps.finish("delete")
    created = staged - updated - unchanged
    if created or updated:
        connection.execute(commit_sql.insert_rows(request, fresh=False))
        steps.finish("insert")
    return {"created": created, "updated": updated, "unchanged": unchanged, "deleted": deleted}


def guard_deletion(connection: duckdb.DuckDBPyConnection, scope: commit_sql.Scope, stored: int) -> None:
    """Refuses to empty a date, and to delete more than a small share of the stored rows."""
    losses = connection.execute(commit_sql.list_deletions(scope)).fetchall()
    refuse_deletions(losses, stored)


def _update_ledger(connection: duckdb.DuckDBPyConnection, request: CommitRequest) -> dict[str, int]:
    resolved = fetch_one(connection, commit_sql.resolve_gaps(request))[0]
    withdrawn = fetch_one(connection, commit_sql.withdraw_gaps(request))[0]
    reopened = fetch_one(connection, commit_sql.count_reopened(commit_sql.Scope.of(request)))[0]
    connection.execute(commit_sql.repeat_gaps(request))
    opened = fetch_one(connection, commit_sql.open_gaps(request))[0]
    return {
        "gaps_opened": opened + reopened,
        "gaps_resolved": resolved,
        "gaps_withdrawn": withdrawn,
        "gaps_open": request.rows(GAPS),
    }


def insert_run(connection: duckdb.DuckDBPyConnection, row: RunRow) -> None:
    names = RUN_HISTORY.schema.names
    values = list(encode_run(row).values())
    marks = ", ".join("?" for _ in names)
    connection.execute(
        f"INSERT INTO {sql.name_table(RUN_HISTORY)} ({sql.list_columns(names)}) VALUES ({marks})",
        values,
    )


def record_failure(connection: duckdb.DuckDBPyConnection, row: RunRow) -> RunRow:
    """The history row of a failed run, unless the run has one; gives the stored row."""
    with transaction(connection):
        create_outputs(connection)
        stored = read_run(connection, row["run_id"])
        if stored is None:
            insert_run(connection, row)
    return stored or row


def read_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> RunRow | None:
    rows = _select_runs(connection, "WHERE run_id = $run_id", {"run_id": run_id})
    return rows[0] if rows else None


def find_run(connection: duckdb.DuckDBPyConnection, started_at: datetime) -> RunRow | None:
    condition = "WHERE started_at = $started_at AND status = 'success'"
    rows = _select_runs(connection, condition, {"started_at": started_at})
    return rows[0] if rows else None


def list_runs(connection: duckdb.DuckDBPyConnection, limit: int, beginning: str) -> list[RunRow]:
    """The newest runs first, of those whose id begins so."""
    return _select_runs(
        connection,
        "WHERE starts_with(run_id, $beginning) ORDER BY started_at DESC, run_id LIMIT $limit",
        {"limit": limit, "beginning": beginning},
    )


def _select_runs(
    connection: duckdb.DuckDBPyConnection, condition: str, params: dict[str, Any]
) -> list[RunRow]:
    columns = sql.list_columns(RUN_HISTORY.schema.names)
    rows = connection.sql(
        f"SELECT {columns} FROM {sql.name_table(RUN_HISTORY)} {condition}", params=params
    ).to_arrow_table()
    return [decode_run(row) for row in rows.to_pylist()]
