"""Files of a run in a bucket, for workers that share no disk: every object whole or not there.

What crosses a shuffle is handed to the runner as it is; a service that shuffles keeps it outside the
workers' memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.warehouse.bigquery_address import BigQueryAddress
from pipeline.warehouse.bigquery_clients import (
    CALL_SECONDS,
    make_storage_retry,
    open_storage_client,
    translating,
)


@dataclass(frozen=True)
class BucketStager:
    """``transforms.contracts.Stager`` on the prefix ``prefix`` of a bucket, which only one run writes."""

    address: BigQueryAddress
    bucket: str
    prefix: str

    @classmethod
    def of(cls, address: BigQueryAddress, run_id: str) -> BucketStager:
        bucket, _, folder = (address.temp or "").removeprefix("gs://").partition("/")
        return cls(address, bucket, "/".join(part for part in (folder, run_id) if part))

    def write(self, kind: str, part: str, batch: pa.RecordBatch) -> str:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_batches([batch]), sink, compression="zstd")
        name = f"{self.prefix}/{kind}-{part}.parquet"
        with translating(f"writing gs://{self.bucket}/{name}"):
            blob = open_storage_client(self.address).bucket(self.bucket).blob(name)
            blob.upload_from_string(
                sink.getvalue().to_pybytes(), timeout=CALL_SECONDS, retry=make_storage_retry()
            )
        return f"gs://{self.bucket}/{name}"

    def spill(self, part: str, batches: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch]:
        # a slice would carry its whole parent
        return [pa.concat_batches([batch]) for batch in batches]

    def fetch(self, spilled: pa.RecordBatch) -> pa.RecordBatch:
        return spilled

    def remove(self) -> None:
        """Removes every object of the run."""
        client = open_storage_client(self.address)
        with translating(f"removing gs://{self.bucket}/{self.prefix}/"):
            retry = make_storage_retry()
            for blob in client.list_blobs(
                self.bucket, prefix=f"{self.prefix}/", timeout=CALL_SECONDS, retry=retry
            ):
                client.bucket(self.bucket).delete_blobs(
                    [blob], on_error=lambda gone: None, timeout=CALL_SECONDS, retry=retry
                )
