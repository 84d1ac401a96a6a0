"""The write side of a run on BigQuery: staged files loaded, everything asked, then one script job.

The script's id is made of the run and what the script says, so a reply that was lost is looked up and a
bundle that is run again commits once. Other runs are kept out by the transaction itself: the script asserts
that none over its dates has committed since the plan was made, and a conflict with one that is just
committing gets the next attempt, which finds that out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions

from pipeline.errors import AuditFailed, Conflict, FeatureStoreError
from pipeline.season import DateRange
from pipeline.warehouse.base import CommitOutcome, CommitRequest, InputState, RunRow
from pipeline.warehouse.bigquery_clients import shorten, translating
from pipeline.warehouse.bigquery_commit_sql import (
    BROKEN,
    MOVED,
    OVERLAP,
    REQUESTED,
    CommitSql,
)
from pipeline.warehouse.bigquery_history_sql import merge_run, write_run
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_load import Loader
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.bigquery_tables import name_table
from pipeline.warehouse.publishing import (
    Steps,
    answer_again,
    compare_inputs,
    compare_rows_read,
    compare_staged,
    decode_run,
    refuse_deletions,
    refuse_violations,
)
from transforms.contracts import FEATURES, GAPS, PASSED, TARGETS
from transforms.schema import (
    RUN_HISTORY,
    STAGED_FEATURES,
    STAGED_GAPS,
    STAGED_PASSED,
    STAGED_TARGETS,
)

STAGED = {FEATURES: STAGED_FEATURES, GAPS: STAGED_GAPS, TARGETS: STAGED_TARGETS, PASSED: STAGED_PASSED}
KINDS = (*STAGED, REQUESTED)
MOST_ROUNDS = 3
"""How often the tables are asked again because somebody changed them before the script did."""


@dataclass(frozen=True)
class History:
    """The rows of ``processor_run_history``."""

    jobs: Jobs

    @property
    def _sql(self) -> BigQuerySql:
        return BigQuerySql(self.jobs.address.project)

    def read(self, run_id: str) -> RunRow | None:
        rows = self._select("run_id = @run_id", {"run_id": run_id})
        return rows[0] if rows else None

    def find(self, started_at: Any) -> RunRow | None:
        rows = self._select("started_at = @started_at AND status = 'success'", {"started_at": started_at})
        return rows[0] if rows else None

    def list_newest(self, limit: int, beginning: str) -> list[RunRow]:
        return self._select(
            "STARTS_WITH(run_id, @beginning) ORDER BY started_at DESC, run_id LIMIT @limit",
            {"beginning": beginning, "limit": limit},
        )

    def count_over(self, dates: DateRange, sql: BigQuerySql | None = None) -> int:
        """How many successful runs published keys of these dates."""
        return int(self.jobs.ask_one((sql or self._sql).count_runs_over(dates, RUN_HISTORY))[0])

    def record_failure(self, row: RunRow) -> RunRow:
        """The history row of a failed run, unless the run has one; gives the stored row."""
        statement = merge_run(self._sql, write_run(self._sql, row), row["data_date"])
        with translating("recording a failed run"):
            self.jobs.run_script(f"{row['run_id']}-failed-{_digest(statement)}", statement)
        return self.read(row["run_id"]) or row

    def _select(self, condition: str, params: dict[str, Any]) -> list[RunRow]:
        rows = self.jobs.ask(self._sql.select_runs(RUN_HISTORY, condition), params)
        return [decode_run(row) for row in rows.to_pylist()]


def commit_run(jobs: Jobs, request: CommitRequest, build_row: Callable[[CommitOutcome], RunRow]) -> RunRow:
    """Publishes the staged files of a run; see ``Warehouse.commit``."""
    history, steps = History(jobs), Steps()
    done = history.read(request.run_id)
    if done is not None:
        return answer_again(done)
    publisher = _load_staged(jobs, request)
    steps.finish("load")
    publisher.audit()
    steps.finish("audit")
    for _ in range(MOST_ROUNDS):
        compare_inputs(request, InputState({}, history.count_over(request.targets)))
        outcome = publisher.foresee(steps)
        try:
            return publisher.publish(outcome, build_row(outcome))
        except _Moved:
            continue
    raise Conflict("the tables kept changing while the run was to be committed, run again")


class _Moved(Exception):
    """The tables are no longer what was asked a moment ago."""


def _load_staged(jobs: Jobs, request: CommitRequest) -> _Publisher:
    loader = Loader(jobs, request.run_id)
    for kind, schema in STAGED.items():
        loader.load_files(kind, schema, request.paths(kind))
    kinds = [*STAGED]
    if request.requested is not None:
        loader.load_rows(REQUESTED, request.requested)
        kinds.append(REQUESTED)
    staging = jobs.address.staging
    staged = {kind: f"`{name_table(jobs.address, staging, loader.name(kind))}`" for kind in kinds}
    snapshot = request.inputs.snapshot
    sql = BigQuerySql(jobs.address.project)
    return _Publisher(jobs, request, CommitSql(sql, request, staged), BigQuerySql(sql.project, snapshot))


@dataclass(frozen=True)
class _Publisher:
    """What is asked and done for one request whose rows are staged."""

    jobs: Jobs
    request: CommitRequest
    sql: CommitSql
    past: BigQuerySql

    def audit(self) -> None:
        """Refuses staged rows that break a rule, before any table is touched."""
        counted = CommitSql(self.past, self.request, self.sql.staged).count_read()
        compare_rows_read(self.request, int(self.jobs.ask_one(counted)[0] or 0))
        found = {row["kind"]: row["found"] for row in self.jobs.ask(self.sql.count_staged()).to_pylist()}
        for kind in STAGED:
            compare_staged(self.request, kind, found[kind])
        for rule, query in self.sql.list_rules():
            refuse_violations(rule, [tuple(row.values()) for row in self.jobs.ask(query).to_pylist()])

    def foresee(self, steps: Steps) -> CommitOutcome:
        """What the script will change; refuses to delete too much."""
        stored, deleted, updated, unchanged = self.jobs.ask_one(self.sql.count_rows())
        if deleted and not self.request.allow_deletes:
            losses = [tuple(row.values()) for row in self.jobs.ask(self.sql.list_deletions()).to_pylist()]
            refuse_deletions(losses, stored)
        resolved, withdrawn, reopened, known = self.jobs.ask_one(self.sql.count_ledger())
        steps.finish("compare")
        gaps = self.request.rows(GAPS)
        return CommitOutcome(
            created=self.request.rows(FEATURES) - updated - unchanged,
            updated=updated,
            unchanged=unchanged,
            deleted=deleted,
            gaps_opened=gaps - known + reopened,
            gaps_resolved=resolved,
            gaps_withdrawn=withdrawn,
            gaps_open=gaps,
            steps=dict(steps.seconds),
        )

    def publish(self, outcome: CommitOutcome, row: RunRow) -> RunRow:
        """The one transaction; the stored history row."""
        script = self.sql.make_script(outcome, row)
        try:
            with translating("the commit"):
                self._run(script)
        except _Refused as refused:
            raise self._explain(refused.reason) from refused
        stored = History(self.jobs).read(self.request.run_id)
        if stored is None:
            raise FeatureStoreError(f"the commit of run {self.request.run_id} ended, but left no history row")
        return answer_again(stored)

    def _run(self, script: str) -> None:
        try:
            self.jobs.run_script(f"{self.request.run_id}-commit-{_digest(script)}", script)
        except exceptions.BadRequest as error:
            reason = shorten(error)
            if any(known in reason for known in (OVERLAP, MOVED, BROKEN)):
                raise _Refused(reason) from error
            raise

    def _explain(self, reason: str) -> Exception:
        if MOVED in reason:
            return _Moved()
        if OVERLAP in reason:
            return Conflict(
                f"another run over dates of {self.request.targets} committed meanwhile, run again; "
                "nothing of this run was published"
            )
        broken = self.jobs.ask(self.sql.list_identities() + " LIMIT 5").num_rows
        return AuditFailed(
            "each requested key that is a target must be one stored row or one open gap, others neither: the "
            f"recount before the commit found others, nothing was published ({broken} keys now)"
        )


class _Refused(Exception):
    """An ASSERT of the script; ``reason`` is its text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
