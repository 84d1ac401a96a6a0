"""Files into the staging tables of a run: one load job a table, which replaces what is there.

A job's id is made of the run, the staging table and when that was made, and the content. So the job that
loaded a table which was dropped is never taken for one that loaded its successor.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from pipeline.errors import AuditFailed, FeatureStoreError
from pipeline.warehouse.bigquery_clients import CALL_SECONDS, make_retry, open_client, translating
from pipeline.warehouse.bigquery_jobs import Job, Jobs
from pipeline.warehouse.bigquery_tables import Tables, check_loadable

KEPT = timedelta(hours=24)
"""After how long the service drops a staging table that nobody removed."""

MOST_URIS = 10_000
"""The files that one load job may name."""


@dataclass(frozen=True)
class Loader:
    """Loads the staging tables of one owner, a run or an import."""

    jobs: Jobs
    owner: str

    def name(self, kind: str) -> str:
        """The staging table of a kind of rows."""
        return f"{self.owner.replace('-', '_')}_{kind}"

    def load_files(self, kind: str, schema: pa.Schema, paths: Sequence[str]) -> None:
        """Fills the staging table of a kind with the rows of its files; without files it is empty."""
        if any(path.startswith("gs://") for path in paths):
            self._load_uris(kind, schema, paths)
            return
        with _join_files(paths, schema) as file:
            self._upload(kind, schema, file)

    def load_rows(self, kind: str, rows: pa.Table) -> None:
        """Fills the staging table of a kind with rows."""
        with tempfile.TemporaryFile() as file:
            pq.write_table(rows, file, compression="zstd")
            self._upload(kind, rows.schema, file)

    def drop(self, kinds: Sequence[str]) -> None:
        for kind in kinds:
            Tables(self.jobs).drop_scratch(self.name(kind))

    def _upload(self, kind: str, schema: pa.Schema, file: BinaryIO) -> None:
        size = file.tell()
        digest = _digest_file(file)
        target = self._prepare(kind, schema)

        def start(job_id: str) -> Job:
            return open_client(self.jobs.address).load_table_from_file(
                file,
                target.reference,
                rewind=True,
                size=size,
                job_id=job_id,
                job_config=self._configure(),
                timeout=CALL_SECONDS,
            )

        self._run(kind, target, digest, start)

    def _load_uris(self, kind: str, schema: pa.Schema, paths: Sequence[str]) -> None:
        if len(paths) > MOST_URIS:
            raise FeatureStoreError(
                f"{len(paths)} files of {kind} were staged and a load takes {MOST_URIS}: run fewer dates"
            )
        target = self._prepare(kind, schema)
        digest = hashlib.sha256("\n".join(paths).encode()).hexdigest()

        def start(job_id: str) -> Job:
            return open_client(self.jobs.address).load_table_from_uri(
                list(paths),
                target.reference,
                job_id=job_id,
                job_config=self._configure(),
                retry=make_retry(),
                timeout=CALL_SECONDS,
            )

        self._run(kind, target, digest, start)

    def _prepare(self, kind: str, schema: pa.Schema) -> bigquery.Table:
        target = Tables(self.jobs).create_scratch(self.name(kind), schema, datetime.now(UTC) + KEPT)
        check_loadable(schema, target.schema)
        return target

    def _run(self, kind: str, target: bigquery.Table, digest: str, start: Callable[[str], Job]) -> None:
        made = int(target.created.timestamp() * 1000)
        with translating(f"loading the staged {kind}"):
            self.jobs.run_once(f"{self.owner}-{kind}-{made}-{digest[:16]}", start)

    def _configure(self) -> bigquery.LoadJobConfig:
        options = bigquery.ParquetOptions()  # type: ignore[no-untyped-call]
        options.enable_list_inference = True
        return bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            parquet_options=options,
            labels=self.jobs.labels,
        )


@contextmanager
def _join_files(paths: Sequence[str], schema: pa.Schema) -> Iterator[BinaryIO]:
    """The rows of local Parquet files in one, a file at a time in memory."""
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for path in paths:
                try:
                    rows = pq.read_table(path)
                except (OSError, pa.ArrowException) as error:
                    first = (str(error).splitlines() or [""])[0]
                    raise AuditFailed(
                        f"a staged file cannot be read: {first}; nothing was published"
                    ) from error
                writer.write_table(rows.cast(schema))
        yield file


def _digest_file(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
