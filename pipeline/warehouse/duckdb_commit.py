"""The write side of a run on the embedded warehouse: audit, then one transaction for everything.

The order is: is this run committed already; are the inputs those that the plan saw; does the
staged data keep the rules; may that many rows vanish; then rows, ledger, identities recounted,
and the history row last. Any refusal rolls everything back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from pipeline.errors import AuditFailed, Conflict, DeletionRefused, restore_error
from pipeline.season import DateRange
from pipeline.warehouse import commit_sql, sql
from pipeline.warehouse.base import CommitOutcome, CommitRequest, InputState, Loss, RunRow
from pipeline.warehouse.duckdb_connection import (
    describe_table,
    fetch_one,
    read_version,
    transaction,
)
from transforms.contracts import FEATURES, GAPS
from transforms.schema import OUTPUTS, PLAYER_GAME_SUMMARY, RUN_HISTORY
from transforms.side_tables import INPUTS

SETTINGS = ("SET preserve_insertion_order = false", "SET memory_limit = '512MB'")
"""How a commit inserts: in parallel, which DuckDB does in any order only, and in half the memory.

Both measured (docs/benchmarks.md): 2.5 times faster, and no slower.
"""

SMALLEST_GUARDED_DELETE = 10
GUARDED_SHARE = 0.02
"""A run may delete 10 rows, or 2 % of those stored for its dates, unasked."""


@dataclass
class _Steps:
    """Seconds of each step of a commit, in order."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def finish(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now


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
    steps = _Steps()
    create_outputs(connection)
    if request.requested is not None:
        connection.register(commit_sql.REQUESTED, request.requested)
    scope = commit_sql.Scope.of(request)
    done = read_run(connection, request.run_id)
    if done is not None:
        return _answer_again(done)
    _check_inputs(connection, request)
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


def _answer_again(row: RunRow) -> RunRow:
    """What a run that is on record gets: its row, or once more the error that ended it."""
    if row["status"] != "success":
        raise restore_error(row["error"] or "")
    return row


def create_outputs(connection: duckdb.DuckDBPyConnection) -> None:
    """The output tables and views, where they do not exist."""
    missing = [table for table in OUTPUTS if describe_table(connection, table) is None]
    for table in missing:
        connection.execute(sql.create_schema(table))
        connection.execute(sql.create_table(table))
    if missing:
        for statement in sql.create_views():
            connection.execute(statement)


def read_input_state(connection: duckdb.DuckDBPyConnection, dates: DateRange) -> InputState:
    versions = {table.path: read_version(connection, table) for table in INPUTS}
    runs = 0
    if describe_table(connection, RUN_HISTORY) is not None:
        runs = fetch_one(connection, sql.count_runs_over(dates, RUN_HISTORY))[0]
    return InputState({path: found[0] if found else 0 for path, found in versions.items()}, runs)


def _check_inputs(connection: duckdb.DuckDBPyConnection, request: CommitRequest) -> None:
    state = read_input_state(connection, request.targets)
    for path, version in request.inputs.versions.items():
        if state.versions[path] != version:
            raise Conflict(
                f"inputs changed, run again: {path} was version {version} when the run began and is "
                f"{state.versions[path]} now"
            )
    if state.overlapping_runs != request.inputs.overlapping_runs:
        raise Conflict(
            f"another run over dates of {request.targets} committed meanwhile, run again; "
            "nothing of this run was published"
        )


def _check_complete(connection: duckdb.DuckDBPyConnection, request: CommitRequest) -> None:
    """Every row of the window was read, and every staged row is there, in a view of its kind."""
    counts = (sql.count_window(PLAYER_GAME_SUMMARY, window) for window in request.windows)
    stored = sum(fetch_one(connection, query)[0] for query in counts)
    if stored != request.rows_read:
        dates = ", ".join(str(window) for window in request.windows)
        raise AuditFailed(
            f"the run read {request.rows_read} rows of {PLAYER_GAME_SUMMARY.path} from {dates}, but the "
            f"table holds {stored} there: nothing was published"
        )
    for kind in commit_sql.STAGED_SCHEMAS:
        try:
            connection.execute(commit_sql.create_staged_view(kind, request.paths(kind)))
            found = fetch_one(connection, f"SELECT COUNT(*) FROM staged_{kind}")[0]
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise AuditFailed(
                f"the staged {kind} cannot be read: {str(error).splitlines()[0]}; nothing was published"
            ) from error
        if found != request.rows(kind):
            raise AuditFailed(
                f"{request.rows(kind)} {kind} were staged, but their files hold {found}: "
                "nothing was published"
            )


def check_rules(connection: duckdb.DuckDBPyConnection, rules: Iterable[commit_sql.AuditRule]) -> None:
    """Raises ``AuditFailed`` with examples when a rule is broken."""
    for rule in rules:
        if rule.holds is not None and fetch_one(connection, rule.holds)[0]:
            continue
        broken = connection.execute(rule.query).fetchall()
        if broken:
            examples = "; ".join(f"{player!r} on {day}: {found}" for player, day, found in broken)
            raise AuditFailed(f"the rule {rule.name!r} is broken, nothing was published. Found: {examples}")


def _replace_rows(
    connection: duckdb.DuckDBPyConnection, request: CommitRequest, steps: _Steps
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


def refuse_deletions(losses: list[Loss], stored: int) -> None:
    """``losses``: (date, stored rows, targets found, rows to delete) of each date with any."""
    deleted = sum(loss[3] for loss in losses)
    emptied = [loss for loss in losses if loss[2] == 0]
    limit = max(SMALLEST_GUARDED_DELETE, GUARDED_SHARE * stored)
    if not emptied and deleted <= limit:
        return
    shown = "\n".join(
        f"  {day}  stored {kept}, found {found}, would delete {gone}"
        for day, kept, found, gone in (emptied or losses)[:20]
    )
    more = len(emptied or losses) - 20
    why = (
        f"{len(emptied)} date(s) with stored rows have no player rows left"
        if emptied
        else f"{deleted} of {stored} stored rows would be deleted, the limit is {int(limit)}"
    )
    raise DeletionRefused(
        f"{why}; nothing was changed. If the source rows were removed on purpose, run again with "
        f"--allow-deletes; otherwise load them again.\n{shown}"
        + (f"\n  and {more} more dates" if more > 0 else "")
    )


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
    values = [
        json.dumps(row[name], sort_keys=True, default=str) if name in RUN_HISTORY.json_columns else row[name]
        for name in names
    ]
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
    return [
        {
            name: json.loads(value) if name in RUN_HISTORY.json_columns and value else value
            for name, value in row.items()
        }
        for row in rows.to_pylist()
    ]
