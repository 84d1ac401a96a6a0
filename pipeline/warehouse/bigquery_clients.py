"""Google's clients, one of each a process: application default credentials, or none on loopback.

What they raise becomes an error of ours here, in words that hold no row and no credential.
"""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import grpc
import requests
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY
from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.cloud.storage import Client as StorageClient
from google.cloud.storage.retry import DEFAULT_RETRY as DEFAULT_STORAGE_RETRY

from pipeline.errors import FeatureStoreError, RemoteFailure, WrongShape
from pipeline.warehouse.bigquery_address import BigQueryAddress

CALL_SECONDS = 60.0
"""How long one call may take that only asks or starts something."""

RETRY_SECONDS = 120.0
"""How long a call is repeated that the service could not take."""

SETTLE_SECONDS = 20.0
"""How long a call is repeated that only tidies up, or notes a failure: the error must not wait for it."""

_MESSAGE_BYTES = 256 * 1024 * 1024
_LONGEST = 300
_LOCATION_NOISE = re.compile(r"^(?:\d{3} )?[A-Z]+ https?://\S+ ")

Transient = (
    exceptions.TooManyRequests,
    exceptions.ServerError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
    ConnectionError,
    TransportError,
)
"""Errors after which the same call may succeed; what it did may have been done."""


_most = threading.local()
"""What ``hurrying`` grants the calls of a thread."""


@contextmanager
def hurrying(seconds: float) -> Iterator[None]:
    """Inside the block this thread repeats no call for longer than what is left of ``seconds``."""
    outer = vars(_most).get("ends")
    _most.ends = time.monotonic() + seconds
    try:
        yield
    finally:
        _most.ends = outer


def make_retry(seconds: float | None = None) -> Retry:
    """Repeats a call that may be repeated, for so long; ``RETRY_SECONDS`` where nothing is said."""
    retry: Retry = DEFAULT_RETRY.with_timeout(_grant(seconds))
    return retry


def make_storage_retry() -> Retry:
    """The same for objects: their uploads fail in another way, which the retry of jobs does not know."""
    retry: Retry = DEFAULT_STORAGE_RETRY.with_timeout(_grant(None))
    return retry


def _grant(seconds: float | None) -> float:
    granted = RETRY_SECONDS if seconds is None else seconds
    ends = vars(_most).get("ends")
    return granted if ends is None else max(min(granted, ends - time.monotonic()), 0.0)


@cache
def open_client(address: BigQueryAddress) -> bigquery.Client:
    """The client for jobs and tables."""
    if address.api is None:
        return bigquery.Client(project=address.project, location=address.location)
    return bigquery.Client(
        project=address.project,
        location=address.location,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options=ClientOptions(api_endpoint=address.api),
    )


@cache
def open_read_client(address: BigQueryAddress) -> BigQueryReadClient:
    """The client for read sessions."""
    if address.storage_api is None:
        return BigQueryReadClient()
    options = [("grpc.max_receive_message_length", _MESSAGE_BYTES)]
    channel = grpc.insecure_channel(address.storage_api, options=options)
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


@cache
def open_storage_client(address: BigQueryAddress) -> StorageClient:
    """The client for the files of a run; on loopback ``STORAGE_EMULATOR_HOST`` says where it answers."""
    if address.api is None:
        return StorageClient(project=address.project)
    return StorageClient(project=address.project, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]


@contextmanager
def translating(what: str) -> Iterator[None]:
    """What the clients raise, as errors of ours that say what was being done."""
    try:
        with warnings.catch_warnings():
            # the client suggests its own storage module, which this project does not use through it
            warnings.filterwarnings("ignore", message="BigQuery Storage module not found")
            yield
    except FeatureStoreError:
        raise
    except (
        exceptions.GoogleAPIError,
        requests.exceptions.RequestException,
        GoogleAuthError,
        ConnectionError,
    ) as error:
        raise explain_error(what, error) from error


def explain_error(what: str, error: Exception) -> FeatureStoreError:
    """The error of ours for one of the clients'."""
    text = shorten(error)
    if isinstance(error, exceptions.NotFound):
        return WrongShape(
            f"{what}: {text}. Make datasets and tables with `feature-store init`, and check project and "
            "location in --warehouse"
        )
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
        return RemoteFailure(
            f"{what}: no usable application default credentials ({text}); run `gcloud auth "
            "application-default login`, or use a service account"
        )
    if isinstance(error, (exceptions.Forbidden, exceptions.Unauthorized, exceptions.PermissionDenied)):
        return RemoteFailure(f"{what}: refused, {text}. docs/bigquery.md lists the roles that are needed")
    return RemoteFailure(f"{what}: {text}")


def shorten(error: Exception) -> str:
    """The first line of an error, without the address that was called."""
    if isinstance(error, exceptions.RetryError) and isinstance(error.cause, Exception):
        return f"given up after many tries, the last one: {shorten(error.cause)}"[:_LONGEST]
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    line = (str(message).splitlines() or [""])[0]
    return _LOCATION_NOISE.sub("", line).partition("; reason: ")[0][:_LONGEST]
