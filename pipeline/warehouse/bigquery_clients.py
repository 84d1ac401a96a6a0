"""Google's clients, one of each a process: application default credentials, or none on loopback.

What they raise becomes an error of ours here, in words that hold no row and no credential.
"""

from __future__ import annotations

import re
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
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY
from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.cloud.storage import Client as StorageClient

from pipeline.errors import FeatureStoreError, RemoteFailure, WrongShape
from pipeline.warehouse.bigquery_address import BigQueryAddress

CALL_SECONDS = 60.0
"""How long one call may take that only asks or starts something."""

RETRY_SECONDS = 120.0
"""How long a call is repeated that the service could not take."""

_MESSAGE_BYTES = 256 * 1024 * 1024
_LONGEST = 300
_LOCATION_NOISE = re.compile(r"^(?:\d{3} )?[A-Z]+ https?://\S+ ")

Transient = (
    exceptions.TooManyRequests,
    exceptions.ServerError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
)
"""Errors after which the same call may succeed; what it did may have been done."""


def make_retry(seconds: float = RETRY_SECONDS) -> Retry:
    """Repeats a call that may be repeated, for so long."""
    retry: Retry = DEFAULT_RETRY.with_timeout(seconds)
    return retry


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
    except (exceptions.GoogleAPIError, requests.exceptions.RequestException, GoogleAuthError) as error:
        raise explain_error(what, error) from error


def explain_error(what: str, error: Exception) -> FeatureStoreError:
    """The error of ours for one of the clients'."""
    text = shorten(error)
    if isinstance(error, exceptions.NotFound):
        return WrongShape(
            f"{what}: {text}. Make datasets and tables with `feature-store init`, and check project and "
            "location in --warehouse"
        )
    if isinstance(error, GoogleAuthError):
        return RemoteFailure(
            f"{what}: no usable application default credentials ({text}); run `gcloud auth "
            "application-default login`, or use a service account"
        )
    if isinstance(error, (exceptions.Forbidden, exceptions.Unauthorized, exceptions.PermissionDenied)):
        return RemoteFailure(f"{what}: refused, {text}. docs/bigquery.md lists the roles that are needed")
    return RemoteFailure(f"{what}: {text}")


def shorten(error: Exception) -> str:
    """The first line of an error, without the address that was called."""
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    line = (str(message).splitlines() or [""])[0]
    return _LOCATION_NOISE.sub("", line).partition("; reason: ")[0][:_LONGEST]
