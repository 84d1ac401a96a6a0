"""The fault proxies: each kind of fault once, told apart by what the service saw and the caller got."""

from __future__ import annotations

import io
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from emulators import clients
from emulators.faults import (
    BACKEND_ERROR,
    RATE_LIMITED,
    Abort,
    Act,
    Delay,
    Hang,
    LostReply,
    Reset,
    Status,
)
from emulators.rest_faults import RestProxy
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

ROWS = 1200
CREATE, READ = "CreateReadSession$", "ReadRows$"


@pytest.fixture
def proxied(rest_proxy, project):
    """A client that speaks through the proxy; its project has a dataset."""
    client = clients.bigquery_client(rest_proxy.url, project)
    client.create_dataset("games")
    yield client
    client.close()


@pytest.fixture
def reader(grpc_proxy, client, project):
    """A read client that speaks through the proxy to a table of 1,200 rows."""
    client.create_dataset("games")
    client.query(f"CREATE TABLE games.rows AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, {ROWS})) n").result()
    made = clients.read_client(grpc_proxy.address)
    yield made
    made.transport.close()


def post(client: bigquery.Client, job_id: str, sql: str = "SELECT 1") -> bigquery.QueryJob:
    """Post a job once: nothing is tried again."""
    return client.query(sql, job_id=job_id, retry=None, job_retry=None)


def create_session(reader, project: str, **options):
    session = types.ReadSession(
        table=f"projects/{project}/datasets/games/tables/rows", data_format=types.DataFormat.ARROW
    )
    arguments = {"parent": f"projects/{project}", "read_session": session, "max_stream_count": 1}
    return reader.create_read_session(**arguments, **options)


def count_rows(reader, session) -> int:
    return sum(message.row_count for message in reader.read_rows(session.streams[0].name))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (RATE_LIMITED, exceptions.TooManyRequests),
        (BACKEND_ERROR, exceptions.ServiceUnavailable),
        (Status(500, "internalError"), exceptions.InternalServerError),
        (Status(403, "quotaExceeded"), exceptions.Forbidden),
        (Status(404, "notFound"), exceptions.NotFound),
    ],
    ids=lambda value: value.reason if isinstance(value, Status) else "",
)
def test_a_status_stands_instead_of_the_call(rest_proxy, proxied, client, status, error):
    rest_proxy.plan.on("POST", "/jobs", status)
    with pytest.raises(error, match=status.reason) as caught:
        post(proxied, "once")
    assert caught.value.errors[0]["reason"] == status.reason
    with pytest.raises(exceptions.NotFound):
        client.get_job("once")


def test_only_the_calls_that_were_named_fail(rest_proxy, proxied):
    rest_proxy.plan.on("POST", "/jobs", BACKEND_ERROR, nth=2, times=2)
    outcomes = []
    for number in range(4):
        try:
            post(proxied, f"job-{number}").result()
            outcomes.append("done")
        except exceptions.ServiceUnavailable:
            outcomes.append("failed")
    assert outcomes == ["done", "failed", "failed", "done"]


def test_a_reset_call_never_arrived(rest_proxy, proxied, client):
    rest_proxy.plan.on("POST", "/jobs", Reset())
    with pytest.raises(requests.exceptions.ConnectionError):
        post(proxied, "once")
    with pytest.raises(exceptions.NotFound):
        client.get_job("once")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (LostReply(), requests.exceptions.ConnectionError),
        (Status(503, "backendError", done=True), exceptions.ServiceUnavailable),
    ],
    ids=["lost", "error"],
)
def test_the_work_of_a_lost_reply_was_done(rest_proxy, proxied, client, fault, error):
    rest_proxy.plan.on("POST", "/jobs", fault)
    with pytest.raises(error):
        post(proxied, "once")
    assert client.get_job("once").job_id == "once"
    with pytest.raises(exceptions.Conflict):
        post(client, "once")


def test_the_clients_own_retry_outlives_faults(rest_proxy, proxied):
    rest_proxy.plan.on("POST", "/jobs", BACKEND_ERROR).on("GET", "/queries/", Reset(), times=2)
    job = proxied.query("SELECT 1 AS x", job_id="retried", job_retry=None)
    assert [row.x for row in job.result()] == [1]
    assert [call.status for call in rest_proxy.plan.matching("POST", "/jobs")] == [503, 200]


def test_a_delayed_call_takes_longer(rest_proxy, proxied):
    rest_proxy.plan.on("POST", "/jobs", Delay(0.5))
    began = time.monotonic()
    post(proxied, "late")
    assert time.monotonic() - began >= 0.5


def test_a_hanging_call_ends_with_the_callers_patience_or_the_release(rest_proxy, proxied, client):
    rest_proxy.plan.on("POST", "/jobs", Hang(done=True)).on("GET", "/jobs/", Hang())
    with pytest.raises(requests.exceptions.ReadTimeout):
        proxied.query("SELECT 1", job_id="once", retry=None, job_retry=None, timeout=1)
    assert client.get_job("once").job_id == "once"
    threading.Timer(0.3, rest_proxy.plan.release).start()
    with pytest.raises(requests.exceptions.ConnectionError):
        proxied.get_job("once", retry=None)


def test_a_test_may_act_at_a_call(rest_proxy, proxied, emulators):
    rest_proxy.plan.on("POST", "/jobs", Act(emulators.kill))
    with pytest.raises(requests.exceptions.ConnectionError):
        post(proxied, "killed")
    emulators.restart()
    assert [row[0] for row in post(proxied, "after").result()] == [1]


def test_calls_are_recorded_with_what_was_sent(rest_proxy, proxied):
    post(proxied, "told", "SELECT 7").result()
    (call,) = rest_proxy.plan.matching("POST", "/jobs")
    assert (call.job_id, call.status, call.fault) == ("told", 200, None)
    assert "SELECT 7" in call.body
    assert {call.job_id for call in rest_proxy.plan.matching("GET", "/queries/")} == {"told"}


def parquet(rows: int) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table({"n": range(rows)}), file, compression="none")
    file.seek(0)
    return file


@pytest.mark.parametrize("whole", [True, False], ids=["multipart", "resumable"])
def test_a_lost_upload_reply_leaves_one_load(rest_proxy, proxied, client, whole):
    rest_proxy.plan.on("POST" if whole else "PUT", "^/upload/", LostReply())
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    file = parquet(300_000)
    size = file.getbuffer().nbytes if whole else None
    with pytest.raises(requests.exceptions.ConnectionError):
        proxied.load_table_from_file(
            file, "games.rows", size=size, job_config=config, job_id="load", num_retries=0
        )
    assert client.get_job("load").result().output_rows == 300_000
    assert {call.job_id for call in rest_proxy.plan.matching("*", "^/upload/")} == {"load"}


def test_a_resumable_upload_goes_through_the_proxy_in_pieces(rest_proxy, proxied, monkeypatch):
    monkeypatch.setattr("google.cloud.bigquery.client._DEFAULT_CHUNKSIZE", 256 * 1024)
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    load = proxied.load_table_from_file(parquet(200_000), "games.rows", job_config=config)
    assert load.result().output_rows == 200_000
    statuses = [call.status for call in rest_proxy.plan.matching("PUT", "^/upload/")]
    assert statuses[-1] == 200
    assert set(statuses[:-1]) == {308}


def test_cloud_storage_fails_through_a_proxy_too(gcs_proxy, project):
    client = clients.storage_client(gcs_proxy.url, project)
    bucket = client.create_bucket(f"proxied-{project}")
    gcs_proxy.plan.on("POST", "^/upload/storage", BACKEND_ERROR)
    with pytest.raises(exceptions.ServiceUnavailable):
        bucket.blob("one").upload_from_string(b"x", retry=None)
    bucket.blob("one").upload_from_string(b"y")
    assert bucket.blob("one").download_as_bytes() == b"y"
    client.close()


def test_nothing_stays_behind_a_proxy(emulators):
    before = threading.active_count()
    with RestProxy(emulators.rest) as proxy:
        requests.get(f"{proxy.url}/discovery/v1/apis/bigquery/v2/rest", timeout=10).raise_for_status()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Abort("RESOURCE_EXHAUSTED"), exceptions.ResourceExhausted),
        (Abort("UNAVAILABLE", after=1), exceptions.ServiceUnavailable),
        (LostReply(), exceptions.ServiceUnavailable),
        (Reset(), exceptions.ServiceUnavailable),
    ],
    ids=["before", "after", "lost", "reset"],
)
def test_a_session_is_refused(grpc_proxy, reader, project, fault, error):
    grpc_proxy.plan.on("GRPC", CREATE, fault)
    with pytest.raises(error):
        create_session(reader, project, retry=None)
    (call,) = grpc_proxy.plan.calls
    assert call.fault is fault
    assert "tables/rows" in call.body


def test_a_stream_breaks_in_its_middle_and_is_resumed(grpc_proxy, reader, project):
    grpc_proxy.plan.on("GRPC", READ, Abort("UNAVAILABLE", after=3), times=2)
    assert count_rows(reader, create_session(reader, project)) == ROWS
    calls = grpc_proxy.plan.matching("GRPC", READ)
    assert [call.status for call in calls] == ["UNAVAILABLE", "UNAVAILABLE", "OK"]
    assert "offset: 600" in calls[-1].body


def test_a_stream_breaks_for_good(grpc_proxy, reader, project):
    grpc_proxy.plan.on("GRPC", READ, Abort("PERMISSION_DENIED", after=1))
    with pytest.raises(exceptions.PermissionDenied):
        count_rows(reader, create_session(reader, project))


def test_a_hanging_session_ends_with_the_callers_patience(grpc_proxy, reader, project):
    grpc_proxy.plan.on("GRPC", CREATE, Hang())
    with pytest.raises(exceptions.DeadlineExceeded):
        create_session(reader, project, retry=None, timeout=0.5)
    assert create_session(reader, project, retry=Retry(timeout=5)).estimated_row_count == ROWS


def test_a_hanging_stream_is_released(grpc_proxy, reader, project):
    grpc_proxy.plan.on("GRPC", READ, Hang(after=2))
    threading.Timer(0.5, grpc_proxy.plan.release).start()
    assert count_rows(reader, create_session(reader, project)) == ROWS
    assert "offset: 200" in grpc_proxy.plan.matching("GRPC", READ)[1].body
