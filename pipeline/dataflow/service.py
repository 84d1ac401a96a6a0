"""The Dataflow service: launches, and what it tells of a job. Every call has a deadline and is repeated
while the service cannot take it; what it says is turned into values and errors of ours here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import dataflow_v1beta3 as dataflow
from google.cloud.dataflow_v1beta3.services.flex_templates_service.transports import (
    FlexTemplatesServiceRestTransport,
)
from google.cloud.dataflow_v1beta3.services.jobs_v1_beta3.transports import JobsV1Beta3RestTransport
from google.cloud.dataflow_v1beta3.services.messages_v1_beta3.transports import MessagesV1Beta3RestTransport
from google.cloud.dataflow_v1beta3.services.metrics_v1_beta3.transports import MetricsV1Beta3RestTransport
from google.protobuf import json_format
from requests import exceptions as connection

from pipeline.dataflow.request import Request
from pipeline.dataflow.target import Service
from pipeline.errors import BadInput, FeatureStoreError, RemoteFailure

CALL_SECONDS = 30.0
MOST_ATTEMPTS = 6
BACKOFF_SECONDS = 1.0
MOST_ERRORS = 10
NAMESPACE = "feature_store"

_TRANSIENT = (
    exceptions.TooManyRequests,
    exceptions.ServerError,
    connection.ConnectionError,
    connection.ChunkedEncodingError,
    connection.Timeout,
)
_NOISE = re.compile(r"^(?:\d{3} )?[A-Z]+ https?://\S+ ")
_ENDED = ("DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Job:
    """A job as the service tells it; ``state`` is ``RUNNING``, ``DONE``, ``FAILED`` ..."""

    job_id: str
    name: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.state in _ENDED


class DataflowService:
    """The jobs of one project and region; ``sleep`` is a test's."""

    def __init__(self, place: Service, sleep: Callable[[float], None] = time.sleep) -> None:
        self.place = place
        self._sleep = sleep

    def launch(self, request: Request) -> tuple[Job, bool]:
        """The job, and whether it is new: else it is the active one of its name, which does the same."""
        name = request["launchParameter"]["jobName"]
        message = dataflow.LaunchFlexTemplateRequest.pb()()
        json_format.ParseDict(request, message, ignore_unknown_fields=False)
        call = dataflow.FlexTemplatesServiceClient(
            transport=self._connect(FlexTemplatesServiceRestTransport)
        ).launch_flex_template
        for attempt in range(MOST_ATTEMPTS):
            # also after a reply that was lost: the service may have done what was asked
            active = self.find_active(name)
            if active is not None:
                return active, False
            try:
                found = call(dataflow.LaunchFlexTemplateRequest(message), retry=None, timeout=CALL_SECONDS)
                return _read_job(found.job), True
            except (exceptions.Conflict, *_TRANSIENT) as error:
                last = error
            except Exception as error:
                raise _explain(f"launching {name}", error) from error
            self._back_off(attempt)
        raise _explain(f"launching {name}", last) from last

    def find_active(self, name: str) -> Job | None:
        """The active job of this name, with its labels."""
        listed = dataflow.ListJobsRequest(
            project_id=self.place.project,
            location=self.place.region,
            name=name,
            filter=dataflow.ListJobsRequest.Filter.ACTIVE,
        )
        jobs = self._ask("listing jobs", lambda **how: list(self._jobs.list_jobs(listed, **how)))
        found = [job.id for job in jobs if job.name == name]
        return self.read_job(found[0]) if found else None

    def read_job(self, job_id: str) -> Job:
        """Raises ``BadInput`` where there is no such job."""
        asked = dataflow.GetJobRequest(
            project_id=self.place.project,
            location=self.place.region,
            job_id=job_id,
            view=dataflow.JobView.JOB_VIEW_DESCRIPTION,
        )
        return _read_job(self._ask(f"job {job_id}", lambda **how: self._jobs.get_job(asked, **how)))

    def read_counters(self, job_id: str) -> dict[str, int]:
        """The project's own counters, summed over the job's steps: what is known of them so far."""
        asked = dataflow.GetJobMetricsRequest(
            project_id=self.place.project, location=self.place.region, job_id=job_id
        )
        found = self._ask("metrics", lambda **how: self._metrics.get_job_metrics(asked, **how))
        most: dict[tuple[str, str], int] = {}
        for metric in found.metrics:
            context = metric.name.context
            if metric.name.origin != "user" or context.get("namespace") != NAMESPACE:
                continue
            number = _read_number(metric.scalar)
            if number is not None:
                # each comes as committed and as attempted; the latter is ahead while the job runs
                key = (metric.name.name, context.get("step", ""))
                most[key] = max(most.get(key, 0), number)
        counters: dict[str, int] = {}
        for (name, _), number in most.items():
            counters[name] = counters.get(name, 0) + number
        return counters

    def read_stages(self, job_id: str) -> tuple[int, int]:
        """(stages that are done, stages) of the job."""
        asked = dataflow.GetJobExecutionDetailsRequest(
            project_id=self.place.project, location=self.place.region, job_id=job_id
        )
        stages = self._ask(
            "stages", lambda **how: list(self._metrics.get_job_execution_details(asked, **how))
        )
        succeeded = dataflow.ExecutionState.EXECUTION_STATE_SUCCEEDED
        return sum(stage.state == succeeded for stage in stages), len(stages)

    def read_errors(self, job_id: str) -> list[str]:
        """The job's newest error messages, oldest first."""
        asked = dataflow.ListJobMessagesRequest(
            project_id=self.place.project,
            location=self.place.region,
            job_id=job_id,
            minimum_importance=dataflow.JobMessageImportance.JOB_MESSAGE_ERROR,
        )
        found = self._ask("messages", lambda **how: list(self._messages.list_job_messages(asked, **how)))
        return [message.message_text for message in found[-MOST_ERRORS:]]

    @cached_property
    def _jobs(self) -> Any:
        return dataflow.JobsV1Beta3Client(transport=self._connect(JobsV1Beta3RestTransport))

    @cached_property
    def _metrics(self) -> Any:
        return dataflow.MetricsV1Beta3Client(transport=self._connect(MetricsV1Beta3RestTransport))

    @cached_property
    def _messages(self) -> Any:
        return dataflow.MessagesV1Beta3Client(transport=self._connect(MessagesV1Beta3RestTransport))

    def _connect(self, transport: Any) -> Any:
        if self.place.endpoint is None:
            try:
                return transport()
            except GoogleAuthError as error:
                raise _explain("Dataflow", error) from error
        scheme, _, host = self.place.endpoint.partition("://")
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return transport(host=host, url_scheme=scheme, credentials=anonymous)

    def _ask(self, what: str, call: Callable[..., Answer]) -> Answer:
        """What the service answers; asked again while it cannot."""
        for attempt in range(MOST_ATTEMPTS):
            try:
                return call(retry=None, timeout=CALL_SECONDS)
            except _TRANSIENT as error:
                last = error
            except Exception as error:
                raise _explain(what, error) from error
            self._back_off(attempt)
        raise _explain(what, last) from last

    def _back_off(self, attempt: int) -> None:
        if attempt + 1 < MOST_ATTEMPTS:
            self._sleep(BACKOFF_SECONDS * 2**attempt)


def _read_job(found: Any) -> Job:
    state = dataflow.JobState(found.current_state).name.removeprefix("JOB_STATE_")
    created = found.create_time
    return Job(found.id, found.name, state, dict(found.labels), created if created else None)


def _read_number(value: Any) -> int | None:
    try:
        return round(float(value))
    except (TypeError, ValueError):
        return None


def _explain(what: str, error: Exception) -> FeatureStoreError:
    """The error of ours for one of the client's; it holds no address and no credential."""
    if isinstance(error, FeatureStoreError):
        return error
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    text = _NOISE.sub("", (str(message).splitlines() or [""])[0])[:300]
    if isinstance(error, exceptions.NotFound):
        return BadInput(f"{what}: {text}; check the id, --project and --region")
    if isinstance(error, GoogleAuthError):
        return RemoteFailure(
            f"{what}: no usable application default credentials ({text}); run `gcloud auth "
            "application-default login`, or use a service account"
        )
    if isinstance(error, (exceptions.Forbidden, exceptions.Unauthorized)):
        return RemoteFailure(f"{what}: refused, {text}. docs/operations.md lists the roles that are needed")
    return RemoteFailure(f"{what}: {text}")
