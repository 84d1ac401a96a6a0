"""Verifies on a real BigQuery project what no emulator shows, and prints a report.

    make verify-bigquery PROJECT=my-empty-project [LOCATION=US] [TEMP=gs://bucket/path]

The project must hold none of the datasets that the job uses: they are made, filled with a generated
league, asked, and removed again. Costs some cents.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from google.api_core import exceptions

from pipeline.commands.app import main as feature_store
from pipeline.errors import FeatureStoreError, WrongShape
from pipeline.season import DateRange
from pipeline.warehouse.bigquery_address import BigQueryAddress, parse_address
from pipeline.warehouse.bigquery_clients import open_client, shorten
from pipeline.warehouse.bigquery_jobs import Jobs, is_conflict
from pipeline.warehouse.bigquery_load import Loader
from pipeline.warehouse.bigquery_read import WindowReader
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.bigquery_tables import Tables, check_loadable, read_fields
from pipeline.warehouse.duckdb import DuckDBWarehouse
from pipeline.warehouse.initializing import INITIAL_TABLES
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY
from transforms.side_tables import INPUTS

FIRST, LAST = date(2021, 10, 1), date(2022, 2, 10)
COMPARED = ("player_lookup", "game_date", "data_hash")


@dataclass(frozen=True)
class Place:
    """Where to verify, and the league that it is verified with."""

    address: BigQueryAddress
    league: Path

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.address, "verify")

    @property
    def sql(self) -> BigQuerySql:
        return BigQuerySql(self.address.project)

    @property
    def dates(self) -> DateRange:
        return DateRange.inclusive(FIRST, LAST)


class Wrong(Exception):
    """The service does something else than was expected."""


def call(*arguments: str) -> dict[str, Any]:
    """A command of the project, its JSON answer; ``Wrong`` when it fails."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = feature_store([*arguments, "--json"])
    if code:
        raise Wrong(f"{arguments[0]} ended with {code}: {err.getvalue().strip()[-500:]}")
    return json.loads(out.getvalue())


def make_tables(place: Place) -> str:
    made = call("init", "--warehouse", place.address.text)["made"]
    again = call("init", "--warehouse", place.address.text)["made"]
    if again:
        raise Wrong(f"a second init made {again}")
    return f"{len(made)} datasets and tables, and nothing the second time"


def load_league(place: Place) -> str:
    rows = 0
    with tempfile.TemporaryDirectory() as folder:
        for table in INPUTS:
            file = str(Path(folder) / f"{table.name}.parquet")
            call("sql", "--warehouse", str(place.league), f"SELECT * FROM {table.path}", "--out", file)
            found = call("import", "--warehouse", place.address.text, "--table", table.path, file)
            rows += found["added"]
    return f"{rows:,} rows into {len(INPUTS)} tables"


def backfill(warehouse: str) -> dict[str, Any]:
    return call("backfill", "--warehouse", warehouse, "--start-date", str(FIRST), "--end-date", str(LAST))


def run_backfill(place: Place) -> str:
    run = backfill(place.address.text)
    rows, gaps, seconds = run["records_created"], run["gaps_opened"], run["duration_seconds"]
    return f"{rows:,} rows and {gaps:,} gaps in {seconds:.1f} s"


def compare_hashes(place: Place) -> str:
    """The same league gives the same rows on the embedded warehouse."""
    backfill(str(place.league))
    order = [(name, "ascending") for name in COMPARED]
    ours = DuckDBWarehouse(str(place.league)).read_window(FEATURE_STORE, COMPARED, place.dates).sort_by(order)
    theirs = WindowReader(place.address).read(FEATURE_STORE, COMPARED, place.dates).sort_by(order)
    if ours.to_pylist() != theirs.to_pylist():
        raise Wrong("the rows of the two warehouses differ")
    return f"{ours.num_rows:,} rows agree"


def check_layout(place: Place) -> str:
    for table in INITIAL_TABLES:
        stored = Tables(place.jobs).find(table)
        if stored is None or read_fields(stored.schema).names != table.schema.names:
            raise Wrong(f"{table.path} is not there as it is defined")
        if table.partition and stored.time_partitioning.type_ != "MONTH":
            raise Wrong(f"{table.path} is partitioned by {stored.time_partitioning.type_}")
    return "every table is there, partitioned by month"


def check_pruning(place: Place) -> str:
    """Both bounds make a query cheaper, a missing lower bound does not."""
    sql, jobs = place.sql, place.jobs
    narrow = DateRange.inclusive(date(2022, 1, 1), date(2022, 1, 31))
    bounded = jobs.estimate(sql.select_window(FEATURE_STORE, COMPARED, narrow))
    unbounded = jobs.estimate(sql.select_window(FEATURE_STORE, COMPARED, DateRange(date.min, narrow.end)))
    if not 0 < bounded < unbounded:
        raise Wrong(f"a month takes {bounded} bytes, everything before its end {unbounded}")
    return f"a month takes {bounded:,} bytes, everything before its end {unbounded:,}"


def check_merge_pruning(place: Place) -> str:
    """The literal bounds in the ON clause of the commit's MERGE reach the target's partitions."""
    found = open_client(place.address).list_jobs(all_users=False, max_results=200)
    merges = [job for job in found if getattr(job, "statement_type", "") == "MERGE"]
    sizes = [job.total_bytes_processed for job in merges if job.total_bytes_processed]
    if not sizes:
        raise Wrong("no MERGE of the backfill is among the project's newest jobs")
    return f"{len(sizes)} MERGE statements, at most {max(sizes):,} bytes"


def check_billing_limit(place: Place) -> str:
    """A query that would bill more than it may is refused before it runs."""
    jobs = Jobs(place.address, "verify", max_bytes=1)
    try:
        jobs.ask(place.sql.select_window(FEATURE_STORE, FEATURE_STORE.schema.names, place.dates))
    except FeatureStoreError as error:
        return f"refused: {str(error)[:120]}"
    raise Wrong("a query ran beyond its maximum_bytes_billed")


def check_load_types(place: Place) -> str:
    """The service converts no DOUBLE into an INT64; the job does not even ask it."""
    client = open_client(place.address)
    loader = Loader(place.jobs, f"verify-{datetime.now(UTC):%H%M%S}")
    loader.load_rows("counts", pa.table({"n": pa.array([1], pa.int64())}))
    table = f"{place.address.project}.{place.address.staging}.{loader.name('counts')}"
    stored = client.get_table(table)
    try:
        check_loadable(pa.schema([pa.field("n", pa.float64())]), stored.schema)
    except WrongShape as error:
        return f"refused: {str(error)[:120]}"
    finally:
        loader.drop(["counts"])
    raise Wrong("a number with decimals would have been loaded into a whole one")


def check_snapshot(place: Place) -> str:
    """Rows that are deleted later are still read as of the snapshot."""
    jobs = place.jobs
    before: datetime = jobs.ask_one(place.sql.find_server_time())[0]
    expected = WindowReader(place.address, before).read(PLAYER_GAME_SUMMARY, ["player_lookup"], place.dates)
    day = DateRange.inclusive(LAST, LAST)
    name = place.sql.name_table(PLAYER_GAME_SUMMARY)
    jobs.run_script(
        f"verify-delete-{before:%Y%m%dT%H%M%S}",
        f"DELETE FROM {name} WHERE {place.sql.bound_dates(PLAYER_GAME_SUMMARY, day)};",
    )
    then = WindowReader(place.address, before).read(PLAYER_GAME_SUMMARY, ["player_lookup"], place.dates)
    now = WindowReader(place.address).read(PLAYER_GAME_SUMMARY, ["player_lookup"], place.dates)
    if not now.num_rows < then.num_rows == expected.num_rows:
        raise Wrong(f"before {expected.num_rows}, then {then.num_rows}, now {now.num_rows} rows")
    return f"{then.num_rows:,} rows as of before, {now.num_rows:,} now"


def check_conflict(place: Place) -> str:
    """Two transactions on one table: one is refused, in words that the job knows."""
    client, sql = open_client(place.address), place.sql
    day = DateRange.inclusive(FIRST, LAST)
    statement = (
        f"BEGIN TRANSACTION; UPDATE {sql.name_table(FEATURE_STORE)} SET feature_version = feature_version "
        f"WHERE {sql.bound_dates(FEATURE_STORE, day)}; "
        "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 20000000)); COMMIT TRANSACTION;"
    )
    errors: list[Exception] = []

    def run() -> None:
        try:
            client.query(statement).result()
        except exceptions.GoogleAPICallError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not errors:
        raise Wrong("three transactions on one table at a time all committed")
    unknown = [shorten(error) for error in errors if not is_conflict(error)]
    if unknown:
        raise Wrong(f"a conflict has words that the job does not know: {unknown[0]}")
    return f"{len(errors)} of 3 refused: {shorten(errors[0])}"


def check_again(place: Place) -> str:
    """A second run changes nothing but what the deleted date left behind."""
    call("import", "--warehouse", place.address.text, *_export_box_scores(place))
    run = backfill(place.address.text)
    if run["records_created"] or run["records_updated"] or run["records_deleted"]:
        raise Wrong(f"a second run changed rows: {run}")
    return f"{run['records_unchanged']:,} rows unchanged"


def _export_box_scores(place: Place) -> list[str]:
    file = str(place.league.with_suffix(".again.parquet"))
    call("sql", "--warehouse", str(place.league), f"SELECT * FROM {PLAYER_GAME_SUMMARY.path}", "--out", file)
    return [file]


def check_estimate(place: Place) -> str:
    plan = call(
        *("backfill", "--warehouse", place.address.text, "--dry-run"),
        *("--start-date", "2022-01-01", "--end-date", "2022-01-31"),
    )
    total = sum(read["bytes"] for read in plan["reads"])
    if not total:
        raise Wrong("a plan over stored rows would read no byte")
    return f"{total:,} bytes, {plan['price']:.6f} USD"


CHECKS: tuple[tuple[str, Callable[[Place], str]], ...] = (
    ("init makes every dataset, table and view", make_tables),
    ("tables have the layout of their definition", check_layout),
    ("import loads every input table", load_league),
    ("backfill commits and reconciles", run_backfill),
    ("every row is the embedded warehouse's", compare_hashes),
    ("both bounds prune what a query reads", check_pruning),
    ("the commit's MERGE reads the run's partitions", check_merge_pruning),
    ("a plan tells its bytes and its price", check_estimate),
    ("maximum_bytes_billed is enforced", check_billing_limit),
    ("a load of another type is refused", check_load_types),
    ("reads see one snapshot", check_snapshot),
    ("conflicts are recognised", check_conflict),
    ("a second run changes nothing", check_again),
)


@contextlib.contextmanager
def own_datasets(address: BigQueryAddress) -> Iterator[None]:
    """Refuses a project that holds anything of the job's; removes what was made."""
    client = open_client(address)
    names = sorted({*(table.dataset for table in (*INITIAL_TABLES, *INPUTS)), address.staging})
    there = {dataset.dataset_id for dataset in client.list_datasets()}
    if found := sorted(there & set(names)):
        raise SystemExit(f"{address.project} holds {', '.join(found)}: give a project that has none of them")
    try:
        yield
    finally:
        for name in names:
            client.delete_dataset(f"{address.project}.{name}", delete_contents=True, not_found_ok=True)


def verify(address: BigQueryAddress) -> int:
    """Runs every check and prints what came of it; how many went wrong."""
    wrong = 0
    with own_datasets(address), tempfile.TemporaryDirectory() as folder:
        league = Path(folder) / "league.duckdb"
        size = ("--seasons", "1", "--teams", "6", "--first-season", "2021", "--end-date", str(LAST))
        call("demo", "--warehouse", str(league), *size)
        place = Place(address, league)
        for name, check in CHECKS:
            try:
                outcome, found = "ok", check(place)
            except (Wrong, FeatureStoreError, exceptions.GoogleAPICallError) as error:
                outcome, found, wrong = "WRONG", str(error), wrong + 1
            print(f"{outcome:<6} {name}\n       {found}", flush=True)
    print(f"{len(CHECKS) - wrong} of {len(CHECKS)} hold on {address.project}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="make verify-bigquery", description=__doc__)
    parser.add_argument("address", help="bigquery://PROJECT[?location=US&temp=gs://BUCKET/PATH]")
    return min(1, verify(parse_address(parser.parse_args().address)))


if __name__ == "__main__":
    sys.exit(main())
