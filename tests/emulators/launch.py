"""Starts the emulators on free ports of loopback, kills them, starts them again on the same data.

    with Emulators() as emulators:
        client = emulators.client(emulators.fresh_project())

The servers end with the process that started them, however it ends.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from emulators.environment import PYTHON

if TYPE_CHECKING:
    from google.cloud import bigquery, bigquery_storage_v1, storage

HERE = Path(__file__).resolve().parent
GCS_FOLDER = "objects"
MEMORY = Path("/dev/shm")  # noqa: S108  a query job takes half the time there
START_SECONDS = 60.0


class NotStarted(RuntimeError):
    """A server ended, or said nothing, before it was ready."""


class Server:
    """One server process; its ports stay the same over restarts."""

    def __init__(self, script: str, *arguments: Path, log: Path, environment: dict[str, str]) -> None:
        self.command = [PYTHON, HERE / script, *arguments]
        self.log = log
        self.environment = environment
        self.ports: dict[str, int] = {}
        self.process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the running process; None where none runs."""
        return self.process.pid if self.process and self.process.poll() is None else None

    def start(self) -> None:
        """Run until it answers; NotStarted with the end of its log where it does not."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*self.command, *map(str, self.ports.values())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.environment,
            )
        self.ports = self._read_ports(self.process)

    def stop(self) -> None:
        """SIGKILL: what is committed is on the disk, and nothing else is worth waiting for."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.process = None

    def _read_ports(self, process: subprocess.Popen[str]) -> dict[str, int]:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line:
            self.stop()
            raise NotStarted(f"{self.command[1]} did not start:\n{self.log.read_text()[-3000:]}")
        return json.loads(line)


class Emulators:
    """BigQuery over REST and gRPC, and Cloud Storage, over one data folder.

    rest            http://127.0.0.1:PORT of BigQuery
    storage_api     127.0.0.1:PORT of the BigQuery Storage API, gRPC without TLS
    gcs             http://127.0.0.1:PORT of Cloud Storage; load jobs see its objects as gs://
    """

    def __init__(
        self, folder: Path | None = None, stream_rows: int | None = None, message_rows: int | None = None
    ) -> None:
        """Lay out the data in a folder of the caller's, or in a temporary one that goes with the servers.

        `stream_rows` is how many rows make another stream of a read session, 100,000 where None, and
        `message_rows` how many at most make one message of a stream.
        """
        environment = confined_environment()
        self.scratch = None if folder else _scratch_folder()
        folder = folder or self.scratch
        if self.scratch:
            environment["EMULATOR_SCRATCH"] = str(self.scratch)
        sizes = {"EMULATOR_STREAM_ROWS": stream_rows, "EMULATOR_MESSAGE_ROWS": message_rows}
        environment |= {name: str(rows) for name, rows in sizes.items() if rows}
        data, objects = folder / "bigquery", folder / "gcs"
        data.mkdir(parents=True, exist_ok=True)
        log = folder / "bigquery.log"
        arguments = (data, objects / GCS_FOLDER)
        self.bigquery = Server("bigquery_server.py", *arguments, log=log, environment=environment)
        log = folder / "storage.log"
        self.storage = Server("storage_server.py", objects, log=log, environment=environment)
        self._numbers = itertools.count(1)

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.bigquery.ports['rest']}"

    @property
    def storage_api(self) -> str:
        return f"127.0.0.1:{self.bigquery.ports['grpc']}"

    @property
    def gcs(self) -> str:
        return f"http://127.0.0.1:{self.storage.ports['rest']}"

    def fresh_project(self) -> str:
        """The id of a project that nothing is in; it costs nothing before something is."""
        return f"project-{next(self._numbers)}"

    def client(self, project: str) -> bigquery.Client:
        """A BigQuery client without credentials; to be closed."""
        from emulators import clients

        return clients.bigquery_client(self.rest, project)

    def read_client(self) -> bigquery_storage_v1.BigQueryReadClient:
        """A Storage Read client; to be closed with `.transport.close()`."""
        from emulators import clients

        return clients.read_client(self.storage_api)

    def storage_client(self, project: str) -> storage.Client:
        """A Cloud Storage client without credentials; to be closed."""
        from emulators import clients

        return clients.storage_client(self.gcs, project)

    def start(self) -> None:
        """Start what does not run."""
        for server in (self.storage, self.bigquery):
            if server.pid is None:
                server.start()

    def kill(self) -> None:
        """SIGKILL BigQuery; what it committed stays on the disk."""
        self.bigquery.stop()

    def restart(self) -> None:
        """Start BigQuery again on the same data and ports, killed before or not."""
        self.kill()
        self.bigquery.start()

    def stop(self) -> None:
        """End both servers, and remove a temporary folder."""
        for server in (self.bigquery, self.storage):
            server.stop()
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Emulators:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def confined_environment() -> dict[str, str]:
    """A server's environment: no credentials, and a proxy that nobody serves for what would go out."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), nowhere)
    local = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    return kept | proxies | local | {"STORAGE_DIR": GCS_FOLDER}


def _scratch_folder() -> Path:
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="emulators-", dir=memory))
