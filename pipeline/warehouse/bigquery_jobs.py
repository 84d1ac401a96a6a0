"""Jobs, done once: a reply that was lost is looked up, a job that failed gets the next attempt.

A job's id is made of a name, which says exactly what the job does, and the number of the attempt. Asking
for it twice does it once. A number is left only when its job has failed or was given up: a call that fails
says nothing of the job, which may be running, and is made again under the same id.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

import pyarrow as pa
from google.api_core import exceptions
from google.cloud import bigquery

from pipeline.errors import Conflict, FeatureStoreError, RemoteFailure
from pipeline.warehouse.bigquery_address import BigQueryAddress
from pipeline.warehouse.bigquery_clients import (
    CALL_SECONDS,
    Transient,
    explain_error,
    make_retry,
    open_client,
    shorten,
    translating,
)

JOB_SECONDS = 600.0
"""How long a job may run."""

_POLL_SECONDS = 60.0
"""How long one question about a job may take; one that hangs costs so much, not the whole of the job."""

MOST_ATTEMPTS = 6
DEFAULT_MAX_BYTES = 100 * 1024**3
"""What a query may bill unless ``--max-bytes`` says less or more."""

_CANCEL_SECONDS = 10.0
_BACKOFF_SECONDS = 1.0
_CONFLICT = re.compile(
    r"aborted due to concurrent update|concurrent (?:update|transaction)|could not serialize access|"
    r"^Conflict on |write-write conflict",
    re.I,
)
"""How the service says that another transaction changed the same table."""

_PASSING_REASONS = frozenset(
    {
        "backendError",
        "internalError",
        "rateLimitExceeded",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "stopped",  # cancelled, by whoever gave it up
    }
)


class Job(Protocol):
    """What the clients' kinds of jobs have in common."""

    @property
    def error_result(self) -> Mapping[str, Any] | None: ...

    def reload(self, *, retry: Any, timeout: float) -> Any: ...

    def result(self, *, timeout: float, retry: Any) -> Any: ...

    def cancel(self, *, retry: Any, timeout: float) -> Any: ...


@dataclass(frozen=True)
class Jobs:
    """Starts the jobs of whoever asks (``asked_by``, a run's id) in one project.

    ``max_bytes`` is what a query may bill, ``seconds`` how long a job may run; ``sleep`` and ``clock`` are
    a test's.
    """

    address: BigQueryAddress
    asked_by: str = ""
    max_bytes: int = DEFAULT_MAX_BYTES
    seconds: float = JOB_SECONDS
    sleep: Callable[[float], None] = field(default=time.sleep, compare=False)
    clock: Callable[[], float] = field(default=time.monotonic, compare=False)

    def ask(self, query: str, params: Mapping[str, Any] | None = None) -> pa.Table:
        """The rows of a SELECT."""
        client = open_client(self.address)

        def start(job_id: str) -> Job:
            return client.query(
                query,
                job_config=self.configure_query(params or {}),
                job_id=job_id,
                retry=make_retry(),
                timeout=CALL_SECONDS,
                job_retry=None,
            )

        with translating("a query"):
            for attempt in range(MOST_ATTEMPTS):
                job = None
                try:
                    # an id of ours, since the client looks up its own without regard to our deadlines
                    job = self._start(client, start, f"ask-{secrets.token_hex(12)}")
                    rows = self._wait(job)
                    return rows.to_arrow(create_bqstorage_client=False)
                except StillRunning:
                    if job is not None:
                        self._give_up(job)
                    raise RemoteFailure(f"a query did not end within {self.seconds:g} s") from None
                except Exception as error:
                    if not is_passing(error) or attempt + 1 == MOST_ATTEMPTS:
                        raise
                    self.back_off(attempt)
        raise FeatureStoreError("unreachable: every attempt returns or raises")

    def ask_one(self, query: str, params: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        """The only row of a SELECT."""
        rows = self.ask(query, params)
        if rows.num_rows != 1:
            raise FeatureStoreError(f"a query that has one row returned {rows.num_rows}: {query[:200]}")
        return tuple(column[0].as_py() for column in rows.columns)

    def run_script(self, name: str, script: str) -> list[Mapping[str, Any]]:
        """Runs a script that changes tables; the rows of its last SELECT.

        Raises ``Conflict`` when other transactions won every attempt, and the service's own
        ``BadRequest`` when a statement of the script refused.
        """
        client = open_client(self.address)
        config = self.configure_query({})

        def start(job_id: str) -> Job:
            return client.query(
                script,
                job_config=config,
                job_id=job_id,
                retry=make_retry(),
                timeout=CALL_SECONDS,
                job_retry=None,
            )

        rows = self.run_once(name, start)
        return [dict(row) for row in rows]

    def run_once(self, name: str, start: Callable[[str], Job]) -> Any:
        """The result of the job of this name, started unless it was before.

        A terminal failure that may pass, and a job that does not end, get the next attempt.
        """
        client = open_client(self.address)
        last: Exception | None = None
        number = 0
        for attempt in range(MOST_ATTEMPTS):
            if attempt:
                self.back_off(attempt - 1)
            job_id = f"{name}-{number}"
            job: Any = None
            try:
                job = self._start(client, start, job_id)
                return self._wait(job)
            except StillRunning:
                last = RemoteFailure(f"the job {job_id} did not end within {self.seconds:g} s")
                if job is not None:
                    late = self._give_up(job)
                    if late is not None:
                        return late
                    number += 1
            except Exception as error:
                if not is_passing(error):
                    raise
                last = error
                if job is not None and (is_conflict(error) or self._has_failed(job)):
                    number += 1
        if last is not None and is_conflict(last):
            raise Conflict(
                f"other transactions changed the tables {MOST_ATTEMPTS} times, run again"
            ) from last
        if isinstance(last, FeatureStoreError):
            raise last
        raise explain_error(f"the job {name}", last or RemoteFailure("no attempt was made"))

    def _start(self, client: bigquery.Client, start: Callable[[str], Job], job_id: str) -> Any:
        """The job of this id, started unless it is there."""
        try:
            return start(job_id)
        except exceptions.Conflict:
            return self._look_up(client, job_id)
        except exceptions.NotFound:
            # the session of an upload ends with it: where its last reply was lost, only the job is there
            try:
                return self._look_up(client, job_id)
            except exceptions.NotFound:
                pass
            raise

    def _look_up(self, client: bigquery.Client, job_id: str) -> Any:
        return client.get_job(
            job_id, location=self.address.location, retry=make_retry(), timeout=CALL_SECONDS
        )

    def _wait(self, job: Any) -> Any:
        """The result of a job; raises ``StillRunning`` at its deadline."""
        ends = self.clock() + self.seconds
        while True:
            left = ends - self.clock()
            try:
                return job.result(timeout=max(min(left, _POLL_SECONDS), 0.0), retry=make_retry(self.seconds))
            except StillRunning:
                if self.clock() >= ends:
                    raise

    def _has_failed(self, job: Job) -> bool:
        """Whether the job itself ended in an error; not known counts as no, and it is asked for again."""
        if job.error_result is None:
            try:
                job.reload(retry=make_retry(), timeout=CALL_SECONDS)
            except Exception:
                return False
        return job.error_result is not None

    def _give_up(self, job: Job) -> Any:
        """Cancels a job that does not end, so that it does not do its work beside the next attempt.

        Its result, where it had ended well before it could be cancelled.
        """
        try:
            job.cancel(retry=make_retry(_CANCEL_SECONDS), timeout=CALL_SECONDS)
            return job.result(timeout=_CANCEL_SECONDS, retry=make_retry(_CANCEL_SECONDS))
        except Exception:
            # cancelled, or beyond reach: the next attempt is another job
            return None

    def back_off(self, attempt: int) -> None:
        """Waits longer every time, and never as long as somebody else."""
        self.sleep(_BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311

    def configure_query(self, params: Mapping[str, Any]) -> bigquery.QueryJobConfig:
        return bigquery.QueryJobConfig(
            query_parameters=[make_parameter(name, value) for name, value in params.items()],
            labels=self.labels,
            maximum_bytes_billed=self.max_bytes,
            job_timeout_ms=int(self.seconds * 1000),
        )

    @property
    def labels(self) -> dict[str, str]:
        """What the bill and the job list name a job by."""
        asked = re.sub(r"[^a-z0-9_-]", "_", self.asked_by.lower())[:63]
        return {"component": "feature-store", **({"run": asked} if asked else {})}

    def estimate(self, query: str) -> int:
        """The bytes that a SELECT would process."""
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, labels=self.labels)
        with translating("a cost estimate"):
            job = open_client(self.address).query(
                query, job_config=config, retry=make_retry(), timeout=CALL_SECONDS, job_retry=None
            )
        return int(job.total_bytes_processed or 0)


def is_passing(error: Exception) -> bool:
    """Whether another attempt may end otherwise."""
    if isinstance(error, Transient) or is_conflict(error):
        return True
    reasons = {
        entry.get("reason") for entry in getattr(error, "errors", None) or () if isinstance(entry, dict)
    }
    return bool(reasons & _PASSING_REASONS)


def is_conflict(error: Exception) -> bool:
    """Whether another transaction got in between."""
    return isinstance(error, exceptions.GoogleAPICallError) and bool(_CONFLICT.search(shorten(error)))


def make_parameter(name: str, value: Any) -> bigquery.ScalarQueryParameter:
    kinds: Sequence[tuple[type, str]] = (
        (bool, "BOOL"),
        (int, "INT64"),
        (float, "FLOAT64"),
        (datetime, "TIMESTAMP"),
        (date, "DATE"),
    )
    kind = next((found for python, found in kinds if isinstance(value, python)), "STRING")
    return bigquery.ScalarQueryParameter(name, kind, value)
