"""Fixtures of the emulators, and what the end of a run says where they could not run.

A session of pytest, each worker of its own, starts them when a test first asks. Where there is no Python
3.13 the tests that ask are skipped, and the last lines of the run say so. With EMULATORS_REQUIRED=1 a
skip is a failure wherever an interpreter exists, built environment or not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from emulators import environment
from emulators.launch import Emulators

if TYPE_CHECKING:
    from google.cloud import bigquery, bigquery_storage_v1, storage

    from emulators.grpc_faults import GrpcProxy
    from emulators.rest_faults import RestProxy

STREAM_ROWS = 500
MESSAGE_ROWS = 100
NOT_VERIFIED = "NOT VERIFIED: BigQuery"


@pytest.fixture(scope="session")
def started_emulators() -> Iterator[Emulators]:
    """The emulators of this process."""
    if reason := environment.missing():
        refuse_or_skip(reason)
    with Emulators(stream_rows=STREAM_ROWS, message_rows=MESSAGE_ROWS) as started:
        yield started


@pytest.fixture
def emulators(started_emulators: Emulators) -> Emulators:
    """The emulators, running, also after a test that killed one."""
    started_emulators.start()
    return started_emulators


@pytest.fixture
def project(emulators: Emulators) -> str:
    """A project that nothing is in."""
    return emulators.fresh_project()


@pytest.fixture
def client(emulators: Emulators, project: str) -> Iterator[bigquery.Client]:
    """A BigQuery client of the fresh project."""
    made = emulators.client(project)
    yield made
    made.close()


@pytest.fixture
def read_client(emulators: Emulators) -> Iterator[bigquery_storage_v1.BigQueryReadClient]:
    """A Storage Read client."""
    made = emulators.read_client()
    yield made
    made.transport.close()


@pytest.fixture
def bucket(emulators: Emulators, project: str) -> Iterator[storage.Bucket]:
    """An empty bucket whose objects load jobs see as gs://NAME/..."""
    made = emulators.storage_client(project)
    yield made.create_bucket(f"bucket-of-{project}")
    made.close()


@pytest.fixture
def rest_proxy(emulators: Emulators) -> Iterator[RestProxy]:
    """A proxy before BigQuery's REST interface: `.url`, `.plan`."""
    from emulators.rest_faults import RestProxy

    with RestProxy(emulators.rest) as proxy:
        yield proxy


@pytest.fixture
def gcs_proxy(emulators: Emulators) -> Iterator[RestProxy]:
    """A proxy before Cloud Storage: `.url`, `.plan`."""
    from emulators.rest_faults import RestProxy

    with RestProxy(emulators.gcs) as proxy:
        yield proxy


@pytest.fixture
def grpc_proxy(emulators: Emulators) -> Iterator[GrpcProxy]:
    """A proxy before the Storage Read API: `.address`, `.plan`."""
    from emulators.grpc_faults import GrpcProxy

    with GrpcProxy(emulators.storage_api) as proxy:
        yield proxy


def refuse_or_skip(reason: str) -> None:
    """Skip the test; fail it where the emulators are required and could have been there."""
    if os.environ.get("EMULATORS_REQUIRED") and environment.find_interpreter():
        pytest.fail(f"{NOT_VERIFIED}, though required: {reason}", pytrace=False)
    pytest.skip(f"{NOT_VERIFIED}: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what the run did not show."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    unverified = [reason for reason in reasons if NOT_VERIFIED in reason]
    if unverified:
        terminalreporter.section(NOT_VERIFIED, sep="!", red=True, bold=True)
        line = unverified[0].removeprefix("Skipped: ")
        terminalreporter.write_line(f"{line} ({len(unverified)} tests skipped)", red=True, bold=True)
