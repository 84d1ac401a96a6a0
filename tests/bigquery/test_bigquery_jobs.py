"""Jobs on a service that is made up: what is looked up, what gets the next attempt, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, TransportError

from pipeline.errors import Conflict, RemoteFailure, WrongShape
from pipeline.warehouse import bigquery_clients, bigquery_jobs
from pipeline.warehouse.bigquery_address import BigQueryAddress
from pipeline.warehouse.bigquery_clients import explain_error, hurrying, make_retry, shorten
from pipeline.warehouse.bigquery_jobs import MOST_ATTEMPTS, Jobs, is_conflict, is_passing

ADDRESS = BigQueryAddress("bigquery://made-up", "made-up")
ABORTED = "Transaction is aborted due to concurrent update against table p:d.t. Transaction ID: 7"


def told(kind: type[exceptions.GoogleAPICallError], message: str, reason: str) -> Exception:
    return kind(message, errors=[{"message": message, "reason": reason}])


CONFLICT = told(exceptions.BadRequest, ABORTED, "invalidQuery")
REFUSED = told(exceptions.BadRequest, "the tables moved", "invalidQuery")
BACKEND = told(exceptions.InternalServerError, "injected", "backendError")
STOPPED = told(exceptions.GoogleAPICallError, "cancelled by the user", "stopped")
RESET = requests.exceptions.ConnectionError("reset")


@dataclass
class Service:
    """Its jobs by id; ``plan`` says what each end as, in the order of their making: a result, or an error.

    None never ends. ``lost`` is how many of the next replies to a post are lost after its work.
    """

    plan: list[Any]
    lost: int = 0
    unheard: int = 0
    now: float = 0.0
    made: dict[str, MadeUpJob] = field(default_factory=dict)
    posted: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def post(self, job_id: str) -> MadeUpJob:
        self.posted.append(job_id)
        if self.unheard:
            self.unheard -= 1
            raise RESET
        if job_id in self.made:
            raise exceptions.Conflict("Already Exists")
        self.made[job_id] = MadeUpJob(self, self.plan.pop(0))
        if self.lost:
            self.lost -= 1
            raise RESET
        return self.made[job_id]

    def get_job(self, job_id: str, **options: Any) -> MadeUpJob:
        return self.made[job_id]

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@dataclass
class MadeUpJob:
    service: Service
    end: Any
    cancelled: bool = False
    polls: list[Exception] = field(default_factory=list)
    error_result: dict[str, Any] | None = None

    def reload(self, **options: Any) -> None:
        if self.polls:
            raise self.polls.pop(0)

    def result(self, *, timeout: float, retry: Any, **options: Any) -> Any:
        assert timeout >= 0
        assert retry is not None
        if self.polls:
            raise self.polls.pop(0)
        if self.cancelled and self.end is None:
            raise STOPPED
        if self.end is None:
            self.service.now += timeout
            raise TimeoutError
        if isinstance(self.end, Exception):
            self.error_result = {"reason": "told"}
            raise self.end
        return self.end

    def cancel(self, **options: Any) -> bool:
        self.cancelled = True
        return True


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Service], Any]:
    def call(service: Service) -> Any:
        monkeypatch.setattr(bigquery_jobs, "open_client", lambda address: service)
        jobs = Jobs(ADDRESS, sleep=service.sleep, clock=lambda: service.now)
        return jobs.run_once("name", service.post)

    return call


def test_a_job_is_posted_once(run):
    service = Service(["done"])
    assert run(service) == "done"
    assert service.posted == ["name-0"]
    assert service.waits == []


def test_a_lost_reply_is_looked_up(run):
    service = Service(["done"], lost=1)
    assert run(service) == "done"
    assert service.posted == ["name-0", "name-0"]
    assert list(service.made) == ["name-0"]


def test_a_call_that_never_arrived_is_made_again_under_the_same_id(run):
    service = Service(["done"], unheard=3)
    assert run(service) == "done"
    assert list(service.made) == ["name-0"]


def test_a_poll_that_fails_says_nothing_of_the_job(run):
    service = Service(["done"])
    job = service.post("name-0")
    job.polls = [BACKEND, BACKEND, RESET]
    assert run(service) == "done"
    assert list(service.made) == ["name-0"]
    assert not job.cancelled


@pytest.mark.parametrize("failure", [CONFLICT, BACKEND, STOPPED], ids=["conflict", "backend", "stopped"])
def test_a_terminal_failure_that_may_pass_gets_the_next_attempt(run, failure):
    service = Service([failure, failure, "done"])
    assert run(service) == "done"
    assert list(service.made) == ["name-0", "name-1", "name-2"]


def test_a_failure_that_was_looked_up_gets_the_next_attempt(run):
    service = Service([BACKEND, "done"], lost=1)
    assert run(service) == "done"
    assert list(service.made) == ["name-0", "name-1"]


def test_a_refusal_is_not_tried_again(run):
    service = Service([REFUSED])
    with pytest.raises(exceptions.BadRequest, match="the tables moved"):
        run(service)
    assert service.posted == ["name-0"]


def test_conflicts_end_with_the_budget(run):
    service = Service([CONFLICT] * MOST_ATTEMPTS)
    with pytest.raises(Conflict, match=f"{MOST_ATTEMPTS} times, run again"):
        run(service)
    assert list(service.made) == [f"name-{number}" for number in range(MOST_ATTEMPTS)]


def test_failures_that_may_pass_end_with_the_budget(run):
    service = Service([BACKEND] * MOST_ATTEMPTS)
    with pytest.raises(RemoteFailure, match="the job name: injected"):
        run(service)
    assert len(service.made) == MOST_ATTEMPTS


def test_the_waits_grow_and_are_bounded(run):
    service = Service([], unheard=MOST_ATTEMPTS)
    with pytest.raises(RemoteFailure):
        run(service)
    assert len(service.waits) == MOST_ATTEMPTS - 1
    for number, wait in enumerate(service.waits):
        assert 0.5 * 2**number <= wait <= 2**number


def test_a_job_that_does_not_end_is_cancelled_before_the_next_attempt(run):
    service = Service([None, "done"])
    assert run(service) == "done"
    assert list(service.made) == ["name-0", "name-1"]
    assert service.made["name-0"].cancelled
    assert bigquery_jobs.JOB_SECONDS <= service.now < bigquery_jobs.JOB_SECONDS + 2


def test_jobs_that_never_end_end_with_the_budget(run):
    service = Service([None] * MOST_ATTEMPTS)
    with pytest.raises(RemoteFailure, match="did not end within 600 s"):
        run(service)
    assert all(job.cancelled for job in service.made.values())


def test_a_job_that_ended_before_it_was_cancelled_is_not_done_again(run):
    service = Service([None])
    job = service.post("name-0")

    def cancel(**options: Any) -> bool:
        job.end = "late"
        return False

    job.cancel = cancel  # type: ignore[method-assign]
    assert run(service) == "late"
    assert list(service.made) == ["name-0"]


def test_one_question_about_a_job_does_not_take_all_of_its_time(run):
    service = Service(["done"])
    job = service.post("name-0")
    asked, result = [], job.result
    job.result = lambda **options: asked.append(options["timeout"]) or result(**options)  # type: ignore
    job.polls = [TimeoutError(), TimeoutError()]
    assert run(service) == "done"
    assert asked == [bigquery_jobs._POLL_SECONDS] * 3


@pytest.mark.parametrize(
    ("error", "passing", "conflict"),
    [
        (CONFLICT, True, True),
        (
            told(exceptions.BadRequest, "could not serialize access", "invalidQuery"),
            True,
            True,
        ),
        (BACKEND, True, False),
        (STOPPED, True, False),
        (told(exceptions.Forbidden, "slow down", "rateLimitExceeded"), True, False),
        (told(exceptions.Forbidden, "job", "jobRateLimitExceeded"), True, False),
        (exceptions.ServiceUnavailable("x"), True, False),
        (exceptions.TooManyRequests("x"), True, False),
        (RESET, True, False),
        (requests.exceptions.ReadTimeout("x"), True, False),
        (TransportError("no route"), True, False),
        (ConnectionResetError("x"), True, False),
        (REFUSED, False, False),
        (told(exceptions.Forbidden, "quota", "quotaExceeded"), False, False),
        (told(exceptions.Forbidden, "denied", "accessDenied"), False, False),
        (exceptions.NotFound("x"), False, False),
        (exceptions.Conflict("Already Exists: Table p:d.t"), False, False),
        (exceptions.RetryError("Timeout of 120.0s exceeded", BACKEND), False, False),
        (DefaultCredentialsError("none"), False, False),
        (ValueError("Transaction is aborted due to concurrent update"), False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_may_pass(error, passing, conflict):
    assert (is_passing(error), is_conflict(error)) == (passing, conflict)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (exceptions.NotFound("GET http://127.0.0.1:1/x?y: gone"), WrongShape, "what: gone. Make datasets"),
        (exceptions.Forbidden("denied"), RemoteFailure, "refused, denied"),
        (DefaultCredentialsError("none"), RemoteFailure, "gcloud auth application-default login"),
        (exceptions.RetryError("Timeout of 120.0s exceeded", BACKEND), RemoteFailure, "many tries.*injected"),
        (RESET, RemoteFailure, "what: reset"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_of_the_clients_are_named(error, kind, text):
    found = explain_error("what", error)
    assert type(found) is kind
    with pytest.raises(kind, match=text):
        raise found


def test_a_network_that_is_down_is_not_told_as_missing_credentials():
    assert "credentials" not in str(explain_error("what", TransportError("no route to host")))


def test_an_error_is_one_short_line():
    assert shorten(exceptions.BadRequest("first\nLocation: US\nSELECT secret")) == "first"
    assert len(shorten(exceptions.BadRequest("x" * 5000))) == 300


def test_who_hurries_repeats_no_call_for_long(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(bigquery_clients.time, "monotonic", lambda: clock[0])
    assert make_retry().timeout == bigquery_clients.RETRY_SECONDS
    with hurrying(20):
        assert make_retry().timeout == 20
        assert make_retry(5).timeout == 5
        clock[0] += 15
        assert make_retry().timeout == 5
        clock[0] += 15
        assert make_retry().timeout == 0
    assert make_retry().timeout == bigquery_clients.RETRY_SECONDS


def test_labels_are_what_the_service_permits():
    labels = Jobs(ADDRESS, asked_by="20240101T000000-Ä'" + "x" * 80).labels
    assert labels["run"].startswith("20240101t000000-__x")
    assert len(labels["run"]) == 63
