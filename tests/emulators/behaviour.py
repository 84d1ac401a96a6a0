"""What local-bigquery does otherwise than the real service, changed where a test could be misled.

* MERGE inside a transaction works (upstream's nested BEGIN aborts it).
* `require_partition_filter` holds for MERGE, by its ON clause, and for DELETE and UPDATE; only what can
  leave partitions out counts as a filter.
* A read session reads what was there when it was made, in messages of as many rows as the launcher says.
* `FOR SYSTEM_TIME AS OF` is accepted, and reads the table as it is now.
* DDL on permanent tables is refused inside a transaction.
* Of two jobs of one id that come at once, the second is refused as one that exists (upstream looks first
  and saves later).
* Concurrent transactions conflict by table (`conflicts`), load jobs keep to the types of the table
  (`load_rules`).
"""

from __future__ import annotations

import collections
import itertools
import os
import threading
from collections.abc import Iterable, Iterator

import conflicts
import duckdb
import load_rules
import pyarrow as pa
import upstream
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.grpc import read, server
from local_bigquery.jobs import merge, query, runner
from local_bigquery.sql import translate
from local_bigquery.sql.rules import tables
from partition_filter import lacks_filter
from sqlglot import exp

SNAPSHOT_ROWS = 4_000_000


def install() -> None:
    """Make all changes; ends the process where upstream is not what they were written for."""
    mend_merge()
    require_partition_filters()
    accept_time_travel()
    refuse_ddl_in_transactions()
    hold_snapshots()
    cut_messages()
    submit_one_at_a_time()
    conflicts.install(in_transaction)
    load_rules.install()


def submit_one_at_a_time() -> None:
    """A job is looked for and saved without another in between."""
    submit, lock = runner.submit, threading.Lock()

    def submit_locked(*given: object, **named: object) -> object:
        with lock:
            return submit(*given, **named)

    runner.submit = submit_locked


def mend_merge() -> None:
    """MERGE opens a transaction of its own only where there is none."""
    upstream.rewrite(
        merge,
        "run",
        (
            '    try:\n        cur.execute("BEGIN")\n        owned = True\n'
            "    except duckdb.TransactionException:\n        owned = False\n",
            '    owned = not in_transaction(cur)\n    if owned:\n        cur.execute("BEGIN")\n',
        ),
        in_transaction=in_transaction,
    )
    inner = merge.run

    def run(cursor: duckdb.DuckDBPyConnection, tree: exp.Merge, context: translate.Context):
        translate.translate(tree, context)  # names and filters are checked on the whole statement
        context.unfiltered = True
        try:
            return inner(cursor, tree, context)
        finally:
            context.unfiltered = False

    merge.run = run


def require_partition_filters() -> None:
    """The check sees targets too, and asks for a filter that can leave partitions out."""
    upstream.rewrite(
        tables,
        "_check",
        ("table: exp.Table, is_target: bool)", "table: exp.Table, is_target: bool, context)"),
        ("if stored.requirePartitionFilter and not is_target:", "if stored.requirePartitionFilter:"),
        ("if not fields & filtered:", "if lacks_filter(tree, table, is_target, field, context):"),
        lacks_filter=lacks_filter,
    )
    _exchange_rule(
        translate.STATEMENT_RULES,
        "qualify",
        ("_check(tree, table, table is target)", "_check(tree, table, table is target, context)"),
    )
    upstream.rewrite(
        query,
        "translate_view",
        ("Context(project_id, dataset_id)", "unfiltered(Context(project_id, dataset_id))"),
        unfiltered=_unfiltered,
    )


def accept_time_travel() -> None:
    """A plain DuckDB file keeps no history: the clause is dropped, before its parameters are bound."""

    def drop_versions(tree: exp.Expression, context: translate.Context) -> exp.Expression:
        for table in tree.find_all(exp.Table):
            table.set("version", None)
        return tree

    translate.STATEMENT_RULES.insert(0, drop_versions)


def refuse_ddl_in_transactions() -> None:
    """Temporary tables may be made in a transaction, permanent ones may not be touched."""
    inner = query._run

    def run(cursor, tree, context, destination, config, dry_run, isolated):
        permanent = isinstance(tree, query.DDL) and not tree.find(exp.TemporaryProperty)
        target = tree.find(exp.Table) if permanent else None
        if target is not None and target.name.casefold() not in context.temporary and in_transaction(cursor):
            kind = query.statement_type(tree)
            raise BigQueryError("invalidQuery", f"{kind} of a permanent object inside a transaction")
        return inner(cursor, tree, context, destination, config, dry_run, isolated)

    query._run = run


def hold_snapshots() -> None:
    """Each session's rows are copied when it is made; the oldest copies go when there are many rows."""
    inner, lock, numbers = read._query, threading.Lock(), itertools.count()
    held: collections.OrderedDict[str, int] = collections.OrderedDict()

    def hold(path: str, options, data_format):
        source, fields = inner(path, options, data_format)
        with lock, database.cursor() as cursor:
            name = f'bq.main."session_{next(numbers)}"'
            [(held[name],)] = cursor.execute(f"CREATE TABLE {name} AS {source}").fetchall()
            while len(held) > 1 and sum(held.values()) > SNAPSHOT_ROWS:
                cursor.execute(f"DROP TABLE {held.popitem(last=False)[0]}")
        return f"SELECT * FROM {name}", fields

    read._query = hold


def cut_messages() -> None:
    """Messages of EMULATOR_MESSAGE_ROWS rows, so that small tables take several.

    A message counts as sent before it is: a reader that has it may resume after it at once.
    """
    rows = int(os.environ.get("EMULATOR_MESSAGE_ROWS") or read.STREAM_ROWS)

    def pieces(reader: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield from (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))

    change = (
        "for batch in reader:\n",
        "for batch in pieces(reader):\n"
        "            stream.allocated = max(stream.allocated, position + batch.num_rows)\n",
    )
    upstream.rewrite(read, "read_rows", change, pieces=pieces)
    kinds = (read.types.ReadRowsRequest, read.types.ReadRowsResponse)
    methods = server.SERVICES["google.cloud.bigquery.storage.v1.BigQueryRead"]
    methods["ReadRows"] = server._streaming(read.read_rows, *kinds)


def in_transaction(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether two statements share one transaction: outside of one each has its own."""
    first, second = (cursor.execute("SELECT txid_current()").fetchall() for _ in range(2))
    return first == second


def _unfiltered(context: translate.Context) -> translate.Context:
    context.unfiltered = True
    return context


def _exchange_rule(rules: list, name: str, change: tuple[str, str]) -> None:
    index = rules.index(getattr(tables, name))
    upstream.rewrite(tables, name, change)
    rules[index] = getattr(tables, name)
