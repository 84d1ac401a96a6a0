"""BigQuery on loopback: reads, loads and commits beside the bare clients, and beside Beam's own IO.

Every figure is the emulator's and the client's together: ratios tell of the client's side, absolute figures
of neither service. Each part runs in a process of its own, contenders in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.leagues import LeagueFile, Size, copy_warehouse, provide_league
from benchmarks.processes import ROOT, run_child
from benchmarks.report import Report, describe_league
from pipeline.season import DateRange
from pipeline.warehouse.bigquery_address import BigQueryAddress, parse_address
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY, STAGED_FEATURES

COLUMNS = tuple(PLAYER_GAME_SUMMARY.schema.names[:25])
PARTS = 8
RUN = "benchmark"

READS = (
    "read: bare client",
    "read: ours, a chunk at a time",
    "read: ours, in a pipeline",
    "read: ReadFromBigQuery",
)
LOADS = ("load: bare client", "load: ours, of staged files")
COMMITS = ("commit: bare MERGE script", "commit: ours, whole")


def measure_bigquery(work: Path, seasons: Sequence[int], repeat: int) -> list[Report]:
    """Rows a second of reading, loading and committing; ratios to the bare client of each."""
    reports = []
    for total in seasons:
        league = provide_league(work, Size.of(total))
        with serve_emulators() as address, tempfile.TemporaryDirectory(dir=work) as folder:
            files = Path(folder)
            export_files(league, files)
            run_part("prepare", address, files)
            samples: dict[str, list[dict[str, float]]] = {name: [] for name in (*READS, *LOADS, *COMMITS)}
            for _ in range(repeat):
                for name in samples:
                    samples[name].append(run_part(name, address, files))
        reports.append(describe(league, samples))
    return reports


def describe(league: LeagueFile, samples: dict[str, list[dict[str, float]]]) -> Report:
    rows = []
    for contenders in (READS, LOADS, COMMITS):
        bare = median(sample["seconds"] for sample in samples[contenders[0]])
        for name in contenders:
            seconds = median(sample["seconds"] for sample in samples[name])
            count = int(samples[name][0]["rows"])
            rows.append(
                (name, f"{count:,}", f"{seconds:.2f}", f"{count / seconds:,.0f}", f"{seconds / bare:.2f}")
            )
    columns = ("part", "rows", "seconds", "rows/s", "to the bare client")
    title = f"BigQuery's emulator, {len(COLUMNS)} columns; commits of {len(STAGED_FEATURES.names)}"
    return Report(title, columns, rows, {"league": describe_league(league), "samples": samples})


@contextmanager
def serve_emulators() -> Iterator[str]:
    """The address of a project on emulators that end with the block."""
    command = [sys.executable, "-m", "emulators.serve"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, cwd=ROOT
    )
    try:
        places = json.loads(server.stdout.readline()) if server.stdout else {}
        yield f"bigquery://benchmark-1?api={places['rest']}&storage_api={places['storage_api']}"
    finally:
        if server.stdin:
            server.stdin.close()
        server.wait(timeout=60)


def export_files(league: LeagueFile, folder: Path) -> None:
    """The box scores as one Parquet file, and the feature rows of a backfill in several."""
    with duckdb.connect(str(league.path), read_only=True) as connection:
        box = connection.sql(
            f"SELECT {', '.join(COLUMNS)} FROM nba_analytics.player_game_summary LIMIT 700000"
        ).to_arrow_table()
    pq.write_table(box, folder / "box.parquet", compression="zstd")
    for number, part in enumerate(_cut(box)):
        pq.write_table(part, folder / f"box-{number}.parquet", compression="lz4")
    with copy_warehouse(league.path, folder, "export") as copy:
        program = [sys.executable, "-m", "pipeline", "--warehouse", str(copy)]
        run_child([*program, "--start-date", str(league.first), "--end-date", str(league.last)])
        with duckdb.connect(str(copy), read_only=True) as connection:
            columns = ", ".join(STAGED_FEATURES.names)
            rows = connection.sql(f"SELECT {columns} FROM {FEATURE_STORE.path}").to_arrow_table()
    for number, part in enumerate(_cut(rows.cast(STAGED_FEATURES))):
        pq.write_table(part, folder / f"features-{number}.parquet", compression="lz4")


def _cut(rows: pa.Table) -> list[pa.Table]:
    share = -(-rows.num_rows // PARTS)
    return [rows.slice(start, share) for start in range(0, rows.num_rows, share)]


def run_part(name: str, address: str, files: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bigquery", name, address, str(files)]
    answer = run_child(command).answer
    return {"seconds": float(answer.get("seconds", 0)), "rows": float(answer.get("rows", 0))}


# The parts, each in a process of its own. What it imports is not measured.


def prepare(address: BigQueryAddress, files: Path) -> int:
    from google.cloud import bigquery

    from pipeline.warehouse.bigquery import BigQueryWarehouse
    from pipeline.warehouse.bigquery_clients import open_client
    from pipeline.warehouse.bigquery_tables import make_fields

    BigQueryWarehouse(address).initialize()
    client = open_client(address)
    table = bigquery.Table(f"{address.project}.nba_analytics.box", make_fields(_box_schema(files)))
    table.time_partitioning = bigquery.TimePartitioning("MONTH", "game_date")
    client.create_table(table)
    return load_bare(address, files)


def _box_schema(files: Path) -> pa.Schema:
    return pq.read_schema(files / "box.parquet")


def read_bare(address: BigQueryAddress, _files: Path) -> int:
    from google.cloud.bigquery_storage_v1 import types

    from pipeline.warehouse.bigquery_clients import open_read_client

    client = open_read_client(address)
    session = client.create_read_session(
        parent=f"projects/{address.project}",
        read_session=types.ReadSession(
            table=f"projects/{address.project}/datasets/nba_analytics/tables/box",
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(selected_fields=list(COLUMNS)),
        ),
        max_stream_count=1,
    )
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    rows = 0
    for stream in session.streams:
        for answer in client.read_rows(read_stream=stream.name, offset=0):
            content = pa.py_buffer(answer.arrow_record_batch.serialized_record_batch)
            rows += pa.ipc.read_record_batch(content, schema).num_rows
    return rows


def _list_chunks(files: Path) -> list[tuple[str, str]]:
    from pipeline.plan import cut_chunks

    days = pq.read_table(files / "box.parquet", columns=["game_date"]).column(0).value_counts().to_pylist()
    counts = sorted((entry["values"], entry["counts"]) for entry in days)
    window = DateRange.inclusive(counts[0][0], counts[-1][0])
    return cut_chunks(window, counts, PARTS)


def _read_chunk(address: BigQueryAddress, chunk: tuple[str, str]) -> int:
    from dataclasses import replace

    from pipeline.warehouse.bigquery_read import WindowReader

    start, end = (date.fromisoformat(text) for text in chunk)
    table = replace(PLAYER_GAME_SUMMARY, name="box")
    return int(WindowReader(address).read(table, COLUMNS, DateRange(start, end)).num_rows)


def read_ours(address: BigQueryAddress, files: Path) -> int:
    return sum(_read_chunk(address, chunk) for chunk in _list_chunks(files))


def read_in_pipeline(address: BigQueryAddress, files: Path) -> int:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.local_runner import LocalRunner, parallel_flags

    options = PipelineOptions(parallel_flags(2))
    pipeline = beam.Pipeline(runner=LocalRunner(), options=options)
    pipeline | beam.Create(_list_chunks(files)) | beam.Map(lambda chunk: _tally(_read_chunk(address, chunk)))
    return _run_counted(pipeline)


def _tally(rows: int) -> None:
    from apache_beam.metrics import Metrics

    Metrics.counter(RUN, "rows").inc(rows)


def _run_counted(pipeline: Any) -> int:
    result = pipeline.run()
    result.wait_until_finish()
    return int(result.metrics().query()["counters"][0].committed)


def read_with_beam(address: BigQueryAddress, _files: Path) -> int:
    """Beam has no setting for another place of the services, so its clients are put in place of its own."""
    import apache_beam as beam
    from apache_beam.internal.http_client import get_new_http
    from apache_beam.io.gcp import bigquery as beam_io
    from apache_beam.io.gcp import bigquery_tools
    from apache_beam.io.gcp.internal.clients.bigquery import BigqueryV2
    from apache_beam.options.pipeline_options import PipelineOptions
    from google.cloud import bigquery_storage_v1

    from pipeline.local_runner import LocalRunner
    from pipeline.warehouse.bigquery_clients import open_client, open_read_client

    place = f"{address.api}/bigquery/v2/"

    def open_beam_client(_options: Any) -> Any:
        return BigqueryV2(url=place, get_credentials=False, http=get_new_http())

    bigquery_tools.BigQueryWrapper._bigquery_client = staticmethod(open_beam_client)
    bigquery_tools.gcp_bigquery.Client = lambda *_, **__: open_client(address)
    transport = open_read_client(address).transport
    read_client = bigquery_storage_v1.BigQueryReadClient(transport=transport)  # type: ignore[no-untyped-call]
    beam_io.bq_storage.BigQueryReadClient = lambda *_, **__: read_client
    options = PipelineOptions(["--project", address.project, "--no_auth"])
    pipeline = beam.Pipeline(runner=LocalRunner(), options=options)
    rows = pipeline | beam.io.ReadFromBigQuery(
        table=f"{address.project}:nba_analytics.box",
        method=beam.io.ReadFromBigQuery.Method.DIRECT_READ,
        selected_fields=list(COLUMNS),
    )
    rows | beam.combiners.Count.Globally() | beam.Map(_tally)
    return _run_counted(pipeline)


def load_bare(address: BigQueryAddress, files: Path) -> int:
    from google.cloud import bigquery

    from pipeline.warehouse.bigquery_clients import open_client

    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
    with (files / "box.parquet").open("rb") as file:
        job = open_client(address).load_table_from_file(
            file, f"{address.project}.nba_analytics.box", job_config=config
        )
    job.result()
    return int(job.output_rows)


def _open_loader(address: BigQueryAddress, owner: str) -> Any:
    from pipeline.warehouse.bigquery_jobs import Jobs
    from pipeline.warehouse.bigquery_load import Loader

    return Loader(Jobs(address, RUN), owner)


def load_ours(address: BigQueryAddress, files: Path) -> int:
    paths = sorted(str(path) for path in files.glob("box-*.parquet"))
    _open_loader(address, f"{RUN}-{time.time_ns()}").load_files("box", _box_schema(files), paths)
    return int(pq.read_metadata(files / "box.parquet").num_rows)


def _make_request(files: Path) -> Any:
    """Every feature row as the staged file of one run that has no gap."""
    from pipeline.warehouse.base import CommitRequest, InputState
    from transforms.contracts import FEATURES, TARGETS

    keys = pa.concat_tables(
        pq.read_table(path, columns=["player_lookup", "game_date"])
        for path in files.glob("features-*.parquet")
    )
    pq.write_table(keys, files / "targets.parquet")
    days = keys.column("game_date").to_pylist()
    staged = [
        (FEATURES, str(path), pq.read_metadata(path).num_rows)
        for path in sorted(files.glob("features-*.parquet"))
    ]
    return CommitRequest(
        run_id=f"{RUN}-{time.time_ns()}",
        run_at=datetime.now(UTC),
        targets=DateRange.inclusive(min(days), max(days)),
        windows=(DateRange.inclusive(min(days), max(days)),),
        requested=None,
        inputs=InputState({}, 0),
        rows_read=0,
        allow_deletes=True,
        files=(*staged, (TARGETS, str(files / "targets.parquet"), keys.num_rows)),
    )


def commit_bare(address: BigQueryAddress, files: Path) -> int:
    """Loads the rows and merges them by one statement in a transaction, unasked."""
    from pipeline.warehouse.bigquery_clients import open_client
    from pipeline.warehouse.bigquery_commit_sql import CommitSql
    from pipeline.warehouse.bigquery_sql import BigQuerySql
    from transforms.contracts import FEATURES

    empty_store(address)
    request = _make_request(files)
    started = time.perf_counter()
    loader = _open_loader(address, request.run_id)
    loader.load_files(FEATURES, STAGED_FEATURES, request.paths(FEATURES))
    staged = {FEATURES: f"`{address.project}.{address.staging}.{loader.name(FEATURES)}`"}
    merge = CommitSql(BigQuerySql(address.project), request, staged).merge_rows()
    open_client(address).query(f"BEGIN TRANSACTION; {merge}; COMMIT TRANSACTION;").result()
    _SPENT.append(time.perf_counter() - started)
    return int(request.rows(FEATURES))


def commit_ours(address: BigQueryAddress, files: Path) -> int:
    from pipeline.warehouse.bigquery_commit import commit_run
    from pipeline.warehouse.bigquery_jobs import Jobs
    from transforms.contracts import FEATURES

    empty_store(address)
    request = _make_request(files)
    started = time.perf_counter()
    commit_run(Jobs(address, request.run_id), request, lambda outcome: _make_row(request, outcome))
    _SPENT.append(time.perf_counter() - started)
    return int(request.rows(FEATURES))


def _make_row(request: Any, outcome: Any) -> dict[str, Any]:
    from pipeline.run_rows import RunSpec, build_run_row

    run = RunSpec(
        run_id=request.run_id,
        run_at=request.run_at,
        mode="backfill",
        targets=request.targets,
        windows=request.windows,
        requested=None,
        inputs=request.inputs,
        options={},
        runner="benchmark",
        allow_deletes=True,
        max_error_rate=0.0,
        dependency_check=0.0,
    )
    return build_run_row(run, outcome, {}, request.run_at)


def empty_store(address: BigQueryAddress) -> None:
    """Puts empty output tables in the place of those of an earlier round."""
    from pipeline.warehouse.bigquery import BigQueryWarehouse
    from pipeline.warehouse.bigquery_clients import open_client
    from transforms.schema import OUTPUTS

    for table in OUTPUTS:
        open_client(address).delete_table(f"{address.project}.{table.path}", not_found_ok=True)
    BigQueryWarehouse(address).initialize()


_SPENT: list[float] = []
"""The seconds of a part that times itself, since it has something to prepare."""

_PARTS: dict[str, Callable[[BigQueryAddress, Path], int]] = {
    "prepare": prepare,
    **dict(zip(READS, (read_bare, read_ours, read_in_pipeline, read_with_beam), strict=True)),
    **dict(zip(LOADS, (load_bare, load_ours), strict=True)),
    **dict(zip(COMMITS, (commit_bare, commit_ours), strict=True)),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bigquery")
    parser.add_argument("part", choices=list(_PARTS))
    parser.add_argument("address")
    parser.add_argument("files", type=Path)
    arguments = parser.parse_args()
    # the clients and Beam take seconds to import

    import pipeline.warehouse.bigquery  # noqa: F401

    address = parse_address(arguments.address)
    started = time.perf_counter()
    rows = _PARTS[arguments.part](address, arguments.files)
    seconds = _SPENT[0] if _SPENT else time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "rows": rows}))


if __name__ == "__main__":
    main()
