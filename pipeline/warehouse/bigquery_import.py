"""Loading input tables of a BigQuery project: rows meet those stored, in one script job."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc
from google.cloud import bigquery

from pipeline.aliases import find_circles
from pipeline.errors import FeatureStoreError
from pipeline.season import DateRange
from pipeline.warehouse.base import NOTHING, LoadOutcome
from pipeline.warehouse.bigquery_clients import SETTLE_SECONDS, hurrying, translating
from pipeline.warehouse.bigquery_import_sql import ImportSql
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_load import Loader
from pipeline.warehouse.bigquery_people import name_people, read_pairs
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.bigquery_tables import Tables, name_table
from pipeline.warehouse.load_rules import LOAD_RULES
from transforms.schema import INPUT_CHANGES, PLAYER_GAME_SUMMARY, TABLE_VERSIONS, Table
from transforms.side_tables import PLAYER_ALIASES

INCOMING = "incoming"
FindBounds = Callable[[Table], tuple[date, date] | None]


def load_rows(
    jobs: Jobs,
    rows: pa.Table,
    loaded_at: datetime,
    *,
    replace_dates: bool,
    write_aliases: bool,
    table: Table,
    find_bounds: FindBounds,
) -> LoadOutcome:
    """Stores the rows of an import; see ``Warehouse.load``. ``find_bounds`` tells a stored table's dates."""
    tables = Tables(jobs)
    for needed in (table, TABLE_VERSIONS, INPUT_CHANGES):
        tables.ensure(needed)
    tables.ensure_staging()
    loader = Loader(jobs, f"import-{loaded_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}")
    try:
        loader.load_rows(INCOMING, rows)
        incoming = f"`{name_table(jobs.address, jobs.address.staging, loader.name(INCOMING))}`"
        outcome = _meet_stored(
            jobs, rows, loaded_at, table, incoming, loader.owner, find_bounds, replace_dates
        )
        if LOAD_RULES[table.path].stamp is None:
            outcome = replace(outcome, older=None)
        outcome = replace(outcome, aliases_written=write_aliases)
        if table == PLAYER_GAME_SUMMARY:
            return name_people(jobs, outcome, incoming, find_bounds(table), loaded_at, loader.owner)
        if table == PLAYER_ALIASES:
            return replace(outcome, circles=find_circles(read_pairs(jobs)))
        return outcome
    finally:
        # the service drops what stays here; the import is done, or its error is the one to tell
        with suppress(FeatureStoreError), hurrying(SETTLE_SECONDS):
            loader.drop([INCOMING])


def _meet_stored(
    jobs: Jobs,
    rows: pa.Table,
    loaded_at: datetime,
    table: Table,
    incoming: str,
    owner: str,
    find_bounds: FindBounds,
    replace_dates: bool,
) -> LoadOutcome:
    dates = _find_dates(rows, table)
    script = ImportSql(
        sql=BigQuerySql(jobs.address.project),
        table=table,
        incoming=incoming,
        loaded_at=loaded_at,
        dates=dates,
        everywhere=_extend(dates, find_bounds(table) if table.partition else None),
        replace_dates=replace_dates,
        casts=_find_casts(Tables(jobs).find(table)),
    ).make_script()
    with translating(f"the import into {table.path}"):
        answered = jobs.run_script(f"{owner}-script", script)
    if len(answered) != 1:
        raise FeatureStoreError(f"the import into {table.path} ended without its counts")
    (found,) = answered
    first, last = found["first_date"], found["last_date"]
    return replace(
        NOTHING,
        added=found["added"],
        replaced=found["replaced"],
        unchanged=found["unchanged"],
        older=found["older"],
        removed=found["removed"],
        version=found["version"],
        changed=None if first is None or last is None else DateRange.spanning(first, last),
    )


def _find_dates(rows: pa.Table, table: Table) -> DateRange | None:
    """The dates of the rows; of no rows one that has none, None for a table without a date."""
    if table.partition is None:
        return None
    days = pc.min_max(rows.column(table.partition)).as_py()
    if days["min"] is None:
        return DateRange(date.min, date.min)
    return DateRange.spanning(days["min"], days["max"])


def _extend(dates: DateRange | None, stored: tuple[date, date] | None) -> DateRange | None:
    if dates is None or stored is None:
        return dates
    known = DateRange.spanning(*stored)
    return DateRange(min(known.start, dates.start), max(known.end, dates.end))


def _find_casts(stored: bigquery.Table | None) -> dict[str, str]:
    """The decimal columns, into which the service puts no binary number by itself."""
    if stored is None:
        return {}
    return {
        column.name: column.field_type
        for column in stored.schema
        if column.field_type in ("NUMERIC", "BIGNUMERIC")
    }
