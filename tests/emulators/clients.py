"""The real clients, pointed at the emulators: no credentials, no TLS, an explicit project."""

from __future__ import annotations

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, bigquery_storage_v1, storage
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

# An own channel takes messages of 4 MB; the emulator sends up to some 25 MB.
CHANNEL_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def bigquery_client(rest: str, project: str) -> bigquery.Client:
    """A BigQuery client of `http://127.0.0.1:PORT`."""
    return bigquery.Client(
        project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": rest}
    )


def read_client(address: str) -> bigquery_storage_v1.BigQueryReadClient:
    """A Storage Read client of `127.0.0.1:PORT`; its channel closes with `client.transport.close()`."""
    channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
    return bigquery_storage_v1.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def storage_client(gcs: str, project: str) -> storage.Client:
    """A Cloud Storage client of `http://127.0.0.1:PORT`."""
    return storage.Client(
        project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": gcs}
    )
