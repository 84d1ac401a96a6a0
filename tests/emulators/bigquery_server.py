"""BigQuery on loopback: local-bigquery, offline and with its known defects mended. Run by `launch`.

    python bigquery_server.py DATA_DIR GCS_ROOT [REST_PORT GRPC_PORT]

Upstream keeps each project in DuckLake and loads `spatial`; both are extensions that DuckDB would download.
Here a project is a plain DuckDB file, geography functions are absent, and nothing is downloaded.
`behaviour` holds what was changed towards the real service.
"""

from __future__ import annotations

import concurrent.futures
import os
import sys
from pathlib import Path

import confinement
import upstream

upstream.expect_version()

import behaviour  # noqa: E402
import duckdb  # noqa: E402
import grpc  # noqa: E402
import uvicorn  # noqa: E402
from local_bigquery.engine import database  # noqa: E402
from local_bigquery.grpc import read, server  # noqa: E402
from local_bigquery.settings import settings  # noqa: E402

THREADS = 16
OWN = ("memory", "emulator", "bq", "system", "temp")


def keep_projects_in_files() -> None:
    """A DuckDB file a project, attached when it is first named; no extension is looked for."""
    database.FUNCTIONS = [path for path in database.FUNCTIONS if path.stem != "geography"]
    upstream.rewrite(
        database,
        "_connect",
        ('duckdb.connect(config={"TimeZone": "UTC"})', "_connect_offline()"),
        (
            '"SET ducklake_max_retry_count = 100; SET ducklake_retry_wait_ms = 20; "\n'
            '        "SET ducklake_retry_backoff = 1.05"',
            '"SELECT 1"',
        ),
        ('settings.data_dir.glob("*.ducklake")', '(settings.data_dir / "projects").glob("*.duckdb")'),
        _connect_offline=connect_offline,
    )
    upstream.rewrite(
        database,
        "projects",
        ("WHERE type = 'ducklake' ", f"WHERE NOT internal AND database_name NOT IN {OWN} "),
    )
    database._attach = attach


def connect_offline() -> duckdb.DuckDBPyConnection:
    """The one DuckDB instance; what would download an extension fails instead."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "custom_extension_repository": str(settings.data_dir / "no-extensions"),
            "extension_directory": str(settings.data_dir / "extensions"),
        }
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def attach(connection: duckdb.DuckDBPyConnection, project: str) -> None:
    """Open the file of a project, and make it where there is none."""
    folder = settings.data_dir / "projects"
    folder.mkdir(exist_ok=True)
    connection.execute(f"ATTACH IF NOT EXISTS '{folder / project}.duckdb' AS {database.quote(project)}")
    database._attached.add(project)


def start_storage_api(port: int) -> int:
    """Serve the Storage API on a port that no other process can share."""
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=THREADS)
    api = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
    handlers = server.SERVICES.items()
    api.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(*pair) for pair in handlers])
    bound = api.add_insecure_port(f"127.0.0.1:{port}")
    api.start()
    start_storage_api.running = api
    return bound


def main(data_dir: str, gcs_root: str, rest_port: str = "0", grpc_port: str = "0") -> None:
    confinement.confine()
    settings.data_dir = Path(data_dir)
    settings.gcs_local_root = Path(gcs_root)
    settings.default_project_id = "default-project"
    settings.default_dataset_id = "default_dataset"
    read.STREAM_ROWS = int(os.environ.get("EMULATOR_STREAM_ROWS") or read.STREAM_ROWS)
    keep_projects_in_files()
    behaviour.install()
    database.connection()
    from local_bigquery.app import app

    listener = confinement.listen(int(rest_port))
    storage_api = start_storage_api(int(grpc_port))
    confinement.announce(rest=listener.getsockname()[1], grpc=storage_api)
    config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=60, lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
