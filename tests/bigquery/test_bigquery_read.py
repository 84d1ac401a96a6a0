"""Reading streams of a made-up service: taken up at the offset, interruptions counted, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from google.api_core import exceptions

from pipeline.errors import FeatureStoreError, RemoteFailure, WrongShape
from pipeline.season import DateRange
from pipeline.warehouse import bigquery_read
from pipeline.warehouse.bigquery_address import BigQueryAddress
from pipeline.warehouse.bigquery_read import MOST_INTERRUPTIONS, WindowReader
from transforms.schema import PLAYER_GAME_SUMMARY

ADDRESS = BigQueryAddress("bigquery://made-up", "made-up")
DATES = DateRange(date(2024, 1, 1), date(2024, 2, 1))
SCHEMA = pa.schema([("points", pa.int64()), ("player_lookup", pa.string())])
COLUMNS = ("player_lookup", "points")
UNAVAILABLE = exceptions.ServiceUnavailable("injected")


@dataclass
class Service:
    """Streams in messages of 10 rows; ``breaks`` are the rows after which each call breaks off."""

    streams: list[int]
    breaks: list[int | Exception | None] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def create_read_session(self, **request: Any) -> Any:
        self.requests.append(request)
        assert request["retry"] is None
        assert request["timeout"]
        if self.refusals:
            raise self.refusals.pop(0)
        streams = [SimpleNamespace(name=str(number)) for number in range(len(self.streams))]
        schema = SimpleNamespace(serialized_schema=SCHEMA.serialize().to_pybytes())
        return SimpleNamespace(streams=streams, arrow_schema=schema)

    def read_rows(self, *, read_stream: str, offset: int, retry: None, timeout: float) -> Iterator[Any]:
        self.offsets.append(offset)
        number = int(read_stream)
        end = self.breaks.pop(0) if self.breaks else None
        if isinstance(end, Exception):
            raise end
        for first in range(offset, self.streams[number], 10):
            if end is not None and first >= offset + end:
                raise UNAVAILABLE
            rows = range(first, min(first + 10, self.streams[number]))
            batch = pa.record_batch([[*rows], [f"{number}/{row}" for row in rows]], schema=SCHEMA)
            content = batch.serialize().to_pybytes()
            yield SimpleNamespace(arrow_record_batch=SimpleNamespace(serialized_record_batch=content))
        if end is not None:
            raise UNAVAILABLE


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch):
    def call(service: Service, *conditions: str, snapshot: datetime | None = None) -> pa.Table:
        monkeypatch.setattr(bigquery_read, "open_read_client", lambda address: service)
        reader = WindowReader(ADDRESS, snapshot, sleep=service.waits.append)
        return reader.read(PLAYER_GAME_SUMMARY, COLUMNS, DATES, *conditions)

    return call


def expected(*streams: int) -> list[str]:
    return [f"{number}/{row}" for number, rows in enumerate(streams) for row in range(rows)]


def test_every_row_of_every_stream_is_read_once(read):
    service = Service([25, 0, 7])
    found = read(service)
    assert found.column_names == list(COLUMNS)
    assert found.column("player_lookup").to_pylist() == expected(25, 0, 7)
    assert service.waits == []


def test_no_streams_are_an_empty_table_of_the_columns(read):
    found = read(Service([]))
    assert (found.num_rows, found.column_names) == (0, list(COLUMNS))
    assert found.schema.field("points").type == pa.int64()


def test_a_stream_that_breaks_off_is_taken_up_at_its_offset(read):
    service = Service([35], breaks=[20, 0, 10])
    assert read(service).column("player_lookup").to_pylist() == expected(35)
    assert service.offsets == [0, 20, 20, 30]


def test_a_stream_that_breaks_off_after_its_last_row_loses_and_doubles_nothing(read):
    service = Service([20, 5], breaks=[20])
    assert read(service).column("player_lookup").to_pylist() == expected(20, 5)
    assert service.offsets == [0, 20, 0]


def test_interruptions_count_only_without_a_row_in_between(read):
    service = Service([200], breaks=[10] * 19)
    assert read(service).num_rows == 200
    assert len(service.offsets) == 20


def test_a_stream_without_progress_is_given_up(read):
    service = Service([30], breaks=[10, *[0] * MOST_INTERRUPTIONS])
    with pytest.raises(RemoteFailure, match=f"broke off {MOST_INTERRUPTIONS} times after 10 rows: injected"):
        read(service)
    assert len(service.waits) == MOST_INTERRUPTIONS - 1
    assert service.waits == sorted(service.waits)
    assert max(service.waits) <= 10


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.PermissionDenied("denied"), RemoteFailure),
        (exceptions.NotFound("no such table"), WrongShape),
        (exceptions.InvalidArgument("bad filter"), RemoteFailure),
    ],
    ids=["denied", "missing", "invalid"],
)
@pytest.mark.parametrize("place", ["session", "stream"])
def test_a_permanent_error_is_told_at_once(read, error, kind, place):
    service = Service([30], breaks=[error]) if place == "stream" else Service([30], refusals=[error])
    with pytest.raises(kind, match=f"reading nba_analytics.player_game_summary: .*{error.message}"):
        read(service)
    assert service.waits == []


def test_a_session_is_asked_for_again(read):
    service = Service([5], refusals=[UNAVAILABLE, exceptions.ResourceExhausted("x"), exceptions.Aborted("x")])
    assert read(service).num_rows == 5
    assert len(service.requests) == 4


def test_a_session_that_never_comes_is_given_up(read):
    service = Service([5], refusals=[UNAVAILABLE] * (MOST_INTERRUPTIONS + 1))
    with pytest.raises(RemoteFailure, match="injected"):
        read(service)
    assert len(service.requests) == MOST_INTERRUPTIONS


def test_a_session_has_the_columns_both_bounds_and_the_snapshot(read):
    service = Service([])
    at = datetime(2024, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    read(service, "points > 1", snapshot=at)
    (request,) = service.requests
    session = request["read_session"]
    assert list(session.read_options.selected_fields) == list(COLUMNS)
    restriction = session.read_options.row_restriction
    assert "2024-01-01" in restriction
    assert "2024-01-31" in restriction or "2024-02-01" in restriction
    assert restriction.endswith(" AND points > 1")
    assert session.table_modifiers.snapshot_time == at


def test_a_window_without_bounds_cannot_be_read(monkeypatch):
    monkeypatch.setattr(bigquery_read, "open_read_client", lambda address: Service([]))
    with pytest.raises(FeatureStoreError, match="both bounds"):
        WindowReader(ADDRESS).read(PLAYER_GAME_SUMMARY, COLUMNS, None)
