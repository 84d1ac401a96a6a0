"""The client of the Dataflow API, against a fake that answers over HTTP, or does not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest
from dataflow.fake_dataflow import LOST, FakeDataflow, serve_dataflow

from pipeline.dataflow.service import MOST_ATTEMPTS, DataflowService
from pipeline.dataflow.target import Service, endpoint, labels
from pipeline.errors import BadInput, RemoteFailure

REQUEST = {
    "projectId": "some-project",
    "location": "us-central1",
    "launchParameter": {
        "jobName": "feature-store-backfill-20240110-20240112-0a1b2c3d",
        "containerSpecGcsPath": "gs://bucket/template.json",
        "parameters": {"mode": "backfill"},
        "environment": {"additionalUserLabels": {"application": "feature-store"}},
    },
}


@pytest.fixture
def fake() -> Iterator[FakeDataflow]:
    with serve_dataflow(FakeDataflow()) as served:
        yield served


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def service(fake: FakeDataflow, pauses: list[float]) -> DataflowService:
    return DataflowService(Service("some-project", "us-central1", fake.endpoint), pauses.append)


def test_a_launch_is_a_new_job_and_the_same_again_is_that_job(
    service: DataflowService, fake: FakeDataflow
) -> None:
    job, is_new = service.launch(REQUEST)
    again, is_new_again = service.launch(REQUEST)
    assert (is_new, is_new_again) == (True, False)
    assert again.job_id == job.job_id
    assert again.labels == {"application": "feature-store"}
    assert len(fake.jobs) == 1
    assert fake.jobs[job.job_id].request == {"launchParameter": REQUEST["launchParameter"]}


def test_a_job_that_ended_does_not_stand_in_the_way(service: DataflowService, fake: FakeDataflow) -> None:
    first, _ = service.launch(REQUEST)
    fake.jobs[first.job_id].states = ["FAILED"]
    second, is_new = service.launch(REQUEST)
    assert is_new
    assert second.job_id != first.job_id


@pytest.mark.parametrize("trouble", [[503], [503, 429, 500], [LOST]], ids=str)
def test_one_launch_makes_one_job_whatever_happens_to_the_replies(
    service: DataflowService, fake: FakeDataflow, pauses: list[float], trouble: list[int]
) -> None:
    service.find_active("nothing")
    # the first call of a launch looks for an active job; the trouble hits the launch itself
    ask = service.find_active
    calls = []

    def find(name: str) -> object:
        found = ask(name)
        if not calls:
            fake.trouble = list(trouble)
        calls.append(name)
        return found

    service.find_active = find  # type: ignore[method-assign]
    service.launch(REQUEST)
    assert len(fake.jobs) == 1
    assert pauses == sorted(pauses) != []


def test_trouble_that_stays_is_given_up_after_a_bounded_time(
    service: DataflowService, fake: FakeDataflow, pauses: list[float]
) -> None:
    fake.trouble = [503] * 100
    with pytest.raises(RemoteFailure, match="trouble 503") as failure:
        service.read_job("2026-03-01_12_00_00-0001")
    assert len(fake.asked) == MOST_ATTEMPTS
    assert sum(pauses) < 60
    assert "127.0.0.1" not in str(failure.value)
    assert failure.value.exit_code == 7


@pytest.mark.parametrize(("status", "error"), [(400, RemoteFailure), (403, RemoteFailure), (404, BadInput)])
def test_what_will_not_pass_is_told_at_once(
    service: DataflowService, fake: FakeDataflow, pauses: list[float], status: int, error: type[Exception]
) -> None:
    fake.trouble = [status]
    with pytest.raises(error, match=f"trouble {status}"):
        service.read_job("2026-03-01_12_00_00-0001")
    assert pauses == []


def test_counters_are_the_projects_own_as_far_as_they_are_known(
    service: DataflowService, fake: FakeDataflow
) -> None:
    job, _ = service.launch(REQUEST)
    fake.jobs[job.job_id].counters = {"extract_rows": 100, "clean_rows_in": 41}
    assert service.read_counters(job.job_id) == {"extract_rows": 100, "clean_rows_in": 41}
    assert service.read_stages(job.job_id) == (1, 2)


def test_no_such_job(service: DataflowService) -> None:
    with pytest.raises(BadInput, match="check the id, --project and --region"):
        service.read_job("2026-01-01_00_00_00-1")


@pytest.mark.parametrize(
    "text",
    [
        "https://127.0.0.1:80",
        "http://dataflow.googleapis.com:80",
        "http://127.0.0.1",
        "http://10.0.0.1:80",
        "http://127.0.0.1:80/path",
        "http://127.0.0.1.evil.example:80",
        "http://localhost:80\n",
    ],
)
def test_another_service_is_on_loopback_or_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="on loopback"):
        endpoint(text)
    assert endpoint("http://127.0.0.1:8080") == "http://127.0.0.1:8080"


@pytest.mark.parametrize("text", ["a", "A=b", "a=B", "a=b,", "=b", f"a={'b' * 64}"])
def test_labels_are_what_the_service_takes(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="NAME=VALUE"):
        labels(text)
    assert labels("a=b,c=") == (("a", "b"), ("c", ""))
