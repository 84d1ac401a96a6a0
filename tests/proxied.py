"""A league in a BigQuery warehouse whose calls all pass through fault proxies.

    with ProxiedHouse.build(emulators, rest, grpc, gcs) ...     see the fixture `proxied`

`KINDS` names every kind of call that an import, a run and a gap run make; `FAULTS` what may happen to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from emulators.faults import (
    ACCESS_DENIED,
    BACKEND_ERROR,
    INTERNAL_ERROR,
    NOT_FOUND,
    RATE_LIMITED,
    Abort,
    Call,
    Fault,
    FaultPlan,
    Hang,
    LostReply,
    Reset,
)
from emulators.grpc_faults import GrpcProxy
from emulators.launch import Emulators
from emulators.rest_faults import RestProxy
from google.cloud.bigquery import client as bigquery_client
from google.resumable_media.requests import _request_helpers
from warehouse import (
    HISTORY_RUNS,
    LOADED_AT,
    SCHEMA,
    House,
    Row,
    Tables,
    drop,
    key_of,
    list_dates,
    make_league,
    tabulate,
)

from pipeline.season import DateRange
from pipeline.warehouse import bigquery as bigquery_warehouse
from pipeline.warehouse import bigquery_clients, bigquery_jobs
from pipeline.warehouse.bigquery import BigQueryWarehouse
from pipeline.warehouse.bigquery_address import parse_address
from pipeline.warehouse.bigquery_commit import History
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_read import WindowReader
from transforms.schema import FEATURE_STORE, FEATURE_STORE_GAPS, PLAYER_GAME_SUMMARY, RUN_HISTORY

ROWS = make_league(dates=8, players=3)
DAYS = list_dates(ROWS)
KEYS = [key_of(ROWS[0]), key_of(ROWS[-1])]
CALL_SECONDS, JOB_SECONDS = 3.0, 30.0
MODULES = ("clients", "jobs", "load", "read", "staging", "tables", "query")
ALL = DateRange.inclusive(DAYS[0], DAYS[-1])


@dataclass(frozen=True)
class Kind:
    """A kind of call: through which proxy, and how it is told from others."""

    name: str
    proxy: str
    method: str
    path: str
    job: str = ""

    def matches(self, call: Call) -> bool:
        return (
            call.method == self.method
            and re.search(self.path, call.path) is not None
            and re.search(self.job, call.job_id or "") is not None
        )


KINDS = (
    Kind("find-dataset", "rest", "GET", r"/datasets/\w+\?"),
    Kind("create-dataset", "rest", "POST", r"/datasets\?"),
    Kind("find-table", "rest", "GET", r"/tables/\w+\?"),
    Kind("create-table", "rest", "POST", r"/tables\?"),
    Kind("drop-table", "rest", "DELETE", r"/tables/\w+\?"),
    Kind("upload", "rest", "POST", r"^/upload/.*=multipart"),
    Kind("begin-upload", "rest", "POST", r"^/upload/.*=resumable"),
    Kind("continue-upload", "rest", "PUT", r"^/upload/"),
    Kind("load-objects", "rest", "POST", r"/jobs\?", r"-(features|gaps|targets|passed)-"),
    Kind("ask", "rest", "POST", r"^/bigquery.*/jobs\?", r"^ask-"),
    Kind("import-script", "rest", "POST", r"/jobs\?", r"^import-.*-script-"),
    Kind("commit-script", "rest", "POST", r"/jobs\?", r"-commit-"),
    Kind("find-job", "rest", "GET", r"/jobs/"),
    Kind("wait", "rest", "GET", r"/queries/.*maxResults=0"),
    Kind("fetch-rows", "rest", "GET", r"/queries/.*fields="),
    Kind("open-session", "grpc", "GRPC", "CreateReadSession$"),
    Kind("read-rows", "grpc", "GRPC", "ReadRows$"),
    Kind("find-bucket", "gcs", "GET", r"/b/[^/?]+\?"),
    Kind("write-object", "gcs", "POST", r"^/upload/storage"),
    Kind("list-objects", "gcs", "GET", r"/b/[^/]+/o\?"),
    Kind("remove-object", "gcs", "DELETE", r"/b/[^/]+/o/"),
)
BY_NAME = {kind.name: kind for kind in KINDS}

REST_FAULTS: dict[str, Fault] = {
    "429": RATE_LIMITED,
    "503": BACKEND_ERROR,
    "500": INTERNAL_ERROR,
    "reset": Reset(),
    "lost": LostReply(),
    "hang": Hang(),
    "hang-done": Hang(done=True),
}
GRPC_FAULTS: dict[str, Fault] = {
    "429": Abort("RESOURCE_EXHAUSTED"),
    "503": Abort("UNAVAILABLE", after=1),
    "500": Abort("INTERNAL"),
    "reset": Reset(),
    "lost": LostReply(),
    "hang": Hang(),
    "hang-done": Hang(after=1),
}
REFUSALS: dict[str, tuple[Fault, Fault]] = {
    "403": (ACCESS_DENIED, Abort("PERMISSION_DENIED")),
    "404": (NOT_FOUND, Abort("NOT_FOUND")),
}


def find_fault(name: str, kind: Kind) -> Fault:
    """What a fault is over REST and over gRPC."""
    if name in REFUSALS:
        return REFUSALS[name][kind.proxy == "grpc"]
    return (GRPC_FAULTS if kind.proxy == "grpc" else REST_FAULTS)[name]


def lost(call: Call) -> bool:
    """Whether the service did the work and the caller heard nothing of it."""
    return isinstance(call.fault, LostReply) or (isinstance(call.fault, Hang) and call.fault.done)


@dataclass(frozen=True)
class ProxiedHouse(House):
    """``path`` goes through the proxies; the tables are read beside them, through ``straight``."""

    straight: str = ""
    plans: dict[str, FaultPlan] = field(default_factory=dict)

    @property
    def warehouse(self) -> BigQueryWarehouse:  # type: ignore[override]
        return BigQueryWarehouse(parse_address(self.path))

    @property
    def beside(self) -> BigQueryWarehouse:
        return BigQueryWarehouse(parse_address(self.straight))

    def put(self, rows: Iterable[Row]) -> None:
        """Imports these rows, past the proxies."""
        table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
        self.beside.initialize()
        self.beside.load(table, LOADED_AT, replace_dates=True)

    def read(self) -> Tables:
        # a client of its own: what was read before a server died must not stand in the way
        house = self.beside
        store, ledger = (
            []
            if house.describe(table) is None
            else house.read_window(table, table.schema.names, ALL).to_pylist()
            for table in (FEATURE_STORE, FEATURE_STORE_GAPS)
        )
        runs = [] if house.describe(RUN_HISTORY) is None else History(house._jobs).list_newest(1000, "")
        return tabulate(store, ledger, runs)

    def read_inputs(self) -> list[Row]:
        names = [name for name in SCHEMA.names if name != "processed_at"]
        rows = self.beside.read_window(PLAYER_GAME_SUMMARY, names, ALL).to_pylist()
        return sorted(rows, key=lambda row: (row["player_lookup"], row["game_date"]))

    def ask(self, query: str) -> list[Row]:
        """The rows of a query, or the work of a statement, past the proxies; ``{p}`` is the project."""
        found: list[Row] = self.beside._jobs.ask(query.replace("{p}", self.beside.place.project)).to_pylist()
        return found

    def list_scratch(self) -> list[str]:
        """The staging tables that are there."""
        query = "SELECT table_name FROM `{p}.feature_store_staging.INFORMATION_SCHEMA.TABLES`"
        return [row["table_name"] for row in self.ask(query)]

    @property
    def calls(self) -> list[Call]:
        return [call for plan in self.plans.values() for call in plan.calls]

    def matching(self, kind: Kind) -> list[Call]:
        return [call for call in self.plans[kind.proxy].calls if kind.matches(call)]

    def disturb(self, kind: Kind, fault: Fault, nth: int = 1, times: int = 1) -> None:
        self.plans[kind.proxy].on(kind.method, kind.path, fault, nth, times, kind.job)

    def heal(self) -> None:
        for plan in self.plans.values():
            plan.heal()

    def command(self, *options: str) -> list[str]:
        dates = ("--start-date", str(DAYS[0]), "--end-date", str(DAYS[-1]))
        return ["backfill", "--warehouse", self.path, *dates, *options]


@contextmanager
def open_house(emulators: Emulators, temp: str = "") -> Iterator[ProxiedHouse]:
    """A house in a fresh project; ``temp`` is a bucket for the runs' files."""
    project = emulators.fresh_project()
    with (
        RestProxy(emulators.rest) as rest,
        GrpcProxy(emulators.storage_api) as grpc,
        RestProxy(emulators.gcs) as gcs,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        extra = f"&temp=gs://{temp}/runs" if temp else ""
        path = f"bigquery://{project}?api={rest.url}&storage_api={grpc.address}{extra}"
        straight = f"bigquery://{project}?api={emulators.rest}&storage_api={emulators.storage_api}"
        plans = {"rest": rest.plan, "grpc": grpc.plan, "gcs": gcs.plan}
        try:
            yield ProxiedHouse(path, list(DAYS), straight, plans)
        finally:
            close_clients(path, straight)


def close_clients(*addresses: str) -> None:
    for text in addresses:
        place = parse_address(text)
        bigquery_clients.open_client(place).close()
        bigquery_clients.open_read_client(place).transport.close()
        bigquery_clients.open_storage_client(place).close()


def hurry(patch: pytest.MonkeyPatch, job_seconds: float = JOB_SECONDS) -> None:
    """Lets nobody wait: deadlines are short, and what would sleep does not."""
    retry = bigquery_clients.DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.05)
    patch.setattr(bigquery_clients, "DEFAULT_RETRY", retry)
    stored = bigquery_clients.DEFAULT_STORAGE_RETRY.with_delay(initial=0.01, maximum=0.05)
    patch.setattr(bigquery_clients, "DEFAULT_STORAGE_RETRY", stored)
    patch.setattr(bigquery_clients, "RETRY_SECONDS", 3 * CALL_SECONDS)
    patch.setattr(bigquery_clients, "SETTLE_SECONDS", 2 * CALL_SECONDS)
    patch.setattr(bigquery_warehouse, "SETTLE_SECONDS", 2 * CALL_SECONDS)
    for name in MODULES:
        module = __import__(f"pipeline.warehouse.bigquery_{name}", fromlist=["x"])
        patch.setattr(module, "CALL_SECONDS", CALL_SECONDS)
    patch.setattr(bigquery_jobs, "_POLL_SECONDS", CALL_SECONDS)
    patch.setattr(bigquery_jobs, "_CANCEL_SECONDS", CALL_SECONDS)
    patch.setattr(bigquery_client, "_MIN_GET_QUERY_RESULTS_TIMEOUT", CALL_SECONDS)
    patch.setattr(_request_helpers, "time", SimpleNamespace(sleep=lambda seconds: None))
    patch.setattr(
        BigQueryWarehouse,
        "_jobs",
        property(
            lambda self: Jobs(
                self.place, self.asked_by, self.max_bytes, seconds=job_seconds, sleep=lambda seconds: None
            )
        ),
    )
    eager = partial(WindowReader, stream_seconds=CALL_SECONDS, sleep=lambda seconds: None)
    patch.setattr(bigquery_warehouse, "WindowReader", eager)


def describe_runs(tables: Tables) -> list[dict[str, Any]]:
    """The history of successful runs without what differs between two runs of one command."""
    return [drop(run, HISTORY_RUNS) for run in tables.successes]
