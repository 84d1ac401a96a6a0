"""Who may change one table at a time, as the service documents it: by table, where DuckDB goes by row.

A transaction that deletes, updates or merges rows holds the table to its end. Another transaction that
would do the same is aborted, also where the first has committed since the other began. A statement
outside of transactions waits. INSERT conflicts with nothing.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable

import duckdb
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import query
from sqlglot import exp

CHANGES = (exp.Delete, exp.Merge, exp.TruncateTable, exp.Update)
WAIT_SECONDS = 30.0


class Holders:
    """Which connection holds which table, and when each table was last changed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[tuple[str, ...], int] = {}
        self._committed: dict[tuple[str, ...], int] = {}
        self._begun: dict[int, int] = {}
        self._numbers = itertools.count(1)

    def begin(self, owner: int) -> None:
        """A transaction sees the tables as they are now."""
        with self._changed:
            self._begun[owner] = next(self._numbers)

    def hold(self, owner: int, table: tuple[str, ...]) -> None:
        """Take the table until `end`; raise where the transaction has to be aborted."""
        with self._changed:
            began = self._begun.get(owner)
            if began is None:
                self._changed.wait_for(lambda: table not in self._holders, WAIT_SECONDS)
            elif self._holders.get(table, owner) != owner or self._committed.get(table, 0) > began:
                raise aborted(table)
            self._holders[table] = owner

    def end(self, owner: int, committed: bool) -> None:
        """The transaction or the statement has ended."""
        with self._changed:
            self._begun.pop(owner, None)
            for table in [table for table, holder in self._holders.items() if holder == owner]:
                del self._holders[table]
                if committed:
                    self._committed[table] = next(self._numbers)
            self._changed.notify_all()


def aborted(table: tuple[str, ...]) -> BigQueryError:
    """The error of a transaction that came second, as the service is remembered to word it."""
    project, dataset, name = table
    return BigQueryError(
        "invalidQuery",
        "Transaction is aborted due to concurrent update against table "
        f"{project}:{dataset}.{name}. Transaction ID: {uuid.uuid4()}",
    )


def install(in_transaction: Callable[[duckdb.DuckDBPyConnection], bool]) -> None:
    """Watch every statement of every query job."""
    holders = Holders()
    run_statement, run_job = query._run, query.execute

    def run(cursor, tree, context, destination, config, dry_run, isolated):
        owner = id(cursor)
        if not dry_run and isinstance(tree, CHANGES) and (table := _permanent_target(tree, context)):
            holders.hold(owner, table)
        statistics = run_statement(cursor, tree, context, destination, config, dry_run, isolated)
        if isinstance(tree, exp.Transaction):
            holders.begin(owner)
        elif isinstance(tree, exp.Commit | exp.Rollback) or not in_transaction(cursor):
            holders.end(owner, committed=not isinstance(tree, exp.Rollback))
        return statistics

    def execute(cursor, *arguments, **named):
        try:
            return run_job(cursor, *arguments, **named)
        finally:
            holders.end(id(cursor), committed=False)

    query._run, query.execute = run, execute


def _permanent_target(tree: exp.Expression, context) -> tuple[str, ...] | None:
    table = tree.find(exp.Table)
    if table is None or (not table.db and table.name.casefold() in context.temporary):
        return None
    return query._target(tree, context)
