"""Rows as Arrow, by the Storage Read API: named columns, both bounds, one snapshot.

A window is read by one session with one stream. Sessions are made where the rows are wanted, on a worker,
and live for as long as one chunk of dates takes: seconds, where the service ends them after hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types
from google.protobuf.timestamp_pb2 import Timestamp

from pipeline.errors import RemoteFailure
from pipeline.season import DateRange
from pipeline.warehouse.bigquery_address import BigQueryAddress
from pipeline.warehouse.bigquery_clients import (
    CALL_SECONDS,
    RETRY_SECONDS,
    open_read_client,
    shorten,
    translating,
)
from pipeline.warehouse.bigquery_sql import BigQuerySql
from transforms.schema import Table

STREAM_SECONDS = 300.0
"""How long one call of a stream may take before it is taken up again where it was."""

MOST_INTERRUPTIONS = 8
"""How often in a row a stream may break off without a row in between."""

_PASSING = (
    exceptions.ServiceUnavailable,
    exceptions.InternalServerError,
    exceptions.Aborted,
    exceptions.DeadlineExceeded,
    exceptions.ResourceExhausted,
    exceptions.Unknown,
    exceptions.Cancelled,
)


@dataclass(frozen=True)
class WindowReader:
    """Reads windows of the tables of one project, as of ``snapshot`` or as they are."""

    address: BigQueryAddress
    snapshot: datetime | None = None
    stream_seconds: float = STREAM_SECONDS
    sleep: Callable[[float], None] = field(default=time.sleep, compare=False)

    def read(
        self, table: Table, columns: Sequence[str], dates: DateRange | None, *conditions: str
    ) -> pa.Table:
        """The named columns of the rows in a window, of those that fulfil every condition."""
        sql = BigQuerySql(self.address.project, self.snapshot)
        with translating(f"reading {table.path}"):
            session = self._open_session(table, columns, sql.restrict(table, dates, *conditions))
            schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
            batches = [
                batch for stream in session.streams for batch in self._read_stream(stream.name, schema)
            ]
        return pa.Table.from_batches(batches, schema).select(list(columns))

    def _open_session(self, table: Table, columns: Sequence[str], restriction: str) -> types.ReadSession:
        project = self.address.project
        session = types.ReadSession(
            table=f"projects/{project}/datasets/{table.dataset}/tables/{table.name}",
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(
                selected_fields=list(columns), row_restriction=restriction
            ),
        )
        if self.snapshot is not None:
            instant = Timestamp()
            instant.FromDatetime(self.snapshot)
            session.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=instant)
        return self._repeat(
            lambda: open_read_client(self.address).create_read_session(
                parent=f"projects/{project}",
                read_session=session,
                max_stream_count=1,
                retry=None,
                timeout=CALL_SECONDS,
            )
        )

    def _repeat(self, call: Callable[[], types.ReadSession]) -> types.ReadSession:
        deadline = time.monotonic() + RETRY_SECONDS
        for attempt in range(MOST_INTERRUPTIONS):
            try:
                return call()
            except _PASSING:
                if attempt + 1 == MOST_INTERRUPTIONS or time.monotonic() > deadline:
                    raise
                self._wait(attempt)
        raise RemoteFailure("no read session was asked for")

    def _read_stream(self, name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Every batch of a stream; one that breaks off is taken up again at its offset."""
        client = open_read_client(self.address)
        offset = interruptions = 0
        while True:
            try:
                for response in client.read_rows(
                    read_stream=name, offset=offset, retry=None, timeout=self.stream_seconds
                ):
                    content = pa.py_buffer(response.arrow_record_batch.serialized_record_batch)
                    batch = pa.ipc.read_record_batch(content, schema)
                    yield batch
                    offset += batch.num_rows
                    interruptions = 0
                return
            except _PASSING as error:
                interruptions += 1
                if interruptions >= MOST_INTERRUPTIONS:
                    raise RemoteFailure(
                        f"a stream broke off {interruptions} times after {offset} rows: {shorten(error)}"
                    ) from error
                self._wait(interruptions - 1)

    def _wait(self, attempt: int) -> None:
        self.sleep(min(0.2 * 2**attempt, 10.0))
