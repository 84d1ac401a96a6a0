"""The Dataflow API on loopback, as far as this project and Beam ask it: launches, jobs, what is told of them.

A launched job goes through its states, one a look. ``on_launch`` is called when it begins to run, and
does the job's work; what it raises fails the job. ``trouble`` is answered instead of what was asked, once
each; after a ``LOST`` reply the work is done.
"""

from __future__ import annotations

import json
import re
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from google.cloud import dataflow_v1beta3
from google.protobuf import json_format

Json = dict[str, Any]
LOST = 0
STATES = ("QUEUED", "RUNNING", "DONE")
ENDED = ("DONE", "FAILED", "CANCELLED")
MISSING = (404, {"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}})


@dataclass
class FakeJob:
    job_id: str
    name: str
    labels: dict[str, str]
    states: list[str]
    request: Json
    errors: list[str] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    looks: int = 0

    @property
    def state(self) -> str:
        return self.states[0]

    def advance(self) -> None:
        if len(self.states) > 1:
            self.states.pop(0)

    def describe(self, *, whole: bool) -> Json:
        """The job; its labels only where the whole of it was asked for, as the service does."""
        told = {
            "id": self.job_id,
            "name": self.name,
            "currentState": f"JOB_STATE_{self.state}",
            "createTime": "2026-03-01T12:00:00Z",
        }
        return {**told, "labels": self.labels} if whole else told


@dataclass
class FakeDataflow:
    on_launch: Callable[[FakeJob], None] = lambda job: None
    states: Sequence[str] = STATES
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    trouble: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    most_active: int = 0
    endpoint: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def active(self) -> list[FakeJob]:
        return [job for job in self.jobs.values() if job.state not in ENDED]

    def launch(self, body: Json) -> tuple[int, Json]:
        request = dataflow_v1beta3.LaunchFlexTemplateRequest.pb()()
        json_format.ParseDict(body, request, ignore_unknown_fields=False)
        launch = body["launchParameter"]
        return self.add(launch["jobName"], dict(launch["environment"]["additionalUserLabels"]), body)

    def add(self, name: str, labels: dict[str, str], request: Json) -> tuple[int, Json]:
        if any(job.name == name for job in self.active):
            message = "there is already a running workflow with the same name"
            return 409, {"error": {"code": 409, "message": message, "status": "ALREADY_EXISTS"}}
        job_id = f"2026-03-01_12_00_00-{len(self.jobs) + 1:04}"
        job = self.jobs[job_id] = FakeJob(job_id, name, labels, list(self.states), request)
        self.most_active = max(self.most_active, len(self.active))
        return 200, {"job": job.describe(whole=False)}

    def look(self, job: FakeJob) -> tuple[int, Json]:
        """The job as it is; by the next look it is a state further."""
        job.looks += 1
        answer = job.describe(whole=True)
        if job.state not in ENDED:
            job.advance()
            if job.state == "RUNNING":
                try:
                    self.on_launch(job)
                except Exception:
                    job.errors.append(traceback.format_exc())
                    job.states = ["RUNNING", "FAILED"]
        return 200, answer

    def answer(self, method: str, path: str, query: dict[str, str], body: Json) -> tuple[int, Json]:
        if path.endswith("flexTemplates:launch"):
            return self.launch(body)
        found = re.search(r"/jobs(?:/([^/]+))?(?:/([A-Za-z]+))?$", path)
        if found is None:
            return MISSING
        job_id, part = found.groups()
        if job_id is None:
            if method == "POST":
                status, answer = self.add(body["name"], dict(body.get("labels", {})), body)
                return status, answer.get("job", answer)
            jobs = self.active if query.get("filter") in ("ACTIVE", "3") else list(self.jobs.values())
            listed = [job for job in jobs if query.get("name", job.name) == job.name]
            return 200, {"jobs": [job.describe(whole=False) for job in listed]}
        job = self.jobs.get(job_id)
        if job is None:
            return MISSING
        match part:
            case None:
                return self.look(job)
            case "metrics":
                return 200, {"metrics": list(_list_metrics(job))}
            case "executionDetails":
                done = {"stageId": "F1", "state": "EXECUTION_STATE_SUCCEEDED"}
                return 200, {"stages": [done, {"stageId": "F2", "state": "EXECUTION_STATE_RUNNING"}]}
            case "messages":
                shown = [
                    {"id": str(n), "messageText": text, "messageImportance": "JOB_MESSAGE_ERROR"}
                    for n, text in enumerate(job.errors)
                ]
                return 200, {"jobMessages": shown}
        return MISSING


def _list_metrics(job: FakeJob) -> Iterator[Json]:
    """Every counter as committed (a part) and attempted, among metrics of the service's own."""
    for name, number in job.counters.items():
        for tentative, value in ((False, number // 2), (True, number)):
            context = {
                "namespace": "feature_store",
                "step": "s1",
                **({"tentative": "true"} if tentative else {}),
            }
            yield {"name": {"origin": "user", "name": name, "context": context}, "scalar": value}
    yield {"name": {"origin": "dataflow/v1b3", "name": "ElementCount", "context": {}}, "scalar": 7}
    other = {"namespace": "elsewhere", "step": "s1"}
    yield {"name": {"origin": "user", "name": "extract_rows", "context": other}, "scalar": 10**9}


@contextmanager
def serve_dataflow(fake: FakeDataflow) -> Iterator[FakeDataflow]:
    """Inside the block, ``fake.endpoint`` answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            with fake.lock:
                fake.asked.append(f"{self.command} {parts.path}")
                trouble = fake.trouble.pop(0) if fake.trouble else None
                if trouble is None or trouble == LOST:
                    status, answer = fake.answer(
                        self.command, parts.path, query, json.loads(body) if body else {}
                    )
                else:
                    status, answer = trouble, {"error": {"code": trouble, "message": f"trouble {trouble}"}}
            if trouble == LOST:
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
