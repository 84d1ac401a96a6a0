"""A REST proxy before BigQuery or Cloud Storage that carries out a fault plan.

    with RestProxy(emulators.rest) as proxy:
        proxy.plan.on("POST", "/jobs", LostReply())
        client = bigquery_client(proxy.url, project)

Uploads pass through it too: the servers make the `Location` of a resumable upload from the Host header,
which is handed on, so it names the proxy.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from emulators.faults import Act, Call, Delay, Fault, FaultPlan, Hang, LostReply, Reset, Status

EXCERPT = 20_000
FORWARD_SECONDS = 120
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade", "expect"}
JOB_ID = re.compile(r'"jobId"\s*:\s*"([^"]+)"')
JOB_PATH = re.compile(r"/(?:jobs|queries)/([^/?]+)")
NAMES = {403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}

Reply = tuple[int, list[tuple[str, str]], bytes]


class RestProxy:
    """A proxy on a free port of loopback: `url`, and `plan` with the rules and the calls."""

    def __init__(self, upstream: str, plan: FaultPlan | None = None) -> None:
        self.plan = plan or FaultPlan()
        self._server = _Server(urlsplit(upstream).netloc, self.plan)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> RestProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.plan.release()
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, upstream: str, plan: FaultPlan) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_threads = False  # so that server_close waits for them
        self.upstream = upstream
        self.plan = plan
        self.upload_jobs: dict[str, str | None] = {}
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().close_request(request)

    def end_connections(self) -> None:
        """Wake the threads that wait for another call on a connection that is kept alive."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no error of the proxy."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def pass_on(self) -> None:
        """Serve one call, of whatever method."""
        body = self._read_body()
        call = self._describe(body)
        fault = self.server.plan.arrived(call)
        reply = self._reply(fault, body, call)
        if reply is None:
            self._reset()
            return
        call.status = reply[0]
        self._answer(*reply)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.pass_on
        raise AttributeError(name)

    def _reply(self, fault: Fault | None, body: bytes, call: Call) -> Reply | None:
        """What the caller gets; None where the connection is to be reset."""
        match fault:
            case Reset():
                return None
            case Status(done=False):
                return _error(fault)
            case Hang(done=False):
                self.server.plan.wait_until_released()
                return None
            case Delay(seconds):
                time.sleep(seconds)
            case Act(action, done=False):
                action()
        reply = self._forward(body, call)
        match fault:
            case LostReply():
                return None
            case Status():
                return _error(fault)
            case Hang():
                self.server.plan.wait_until_released()
                return None
            case Act(action, done=True):
                action()
        return reply

    def _forward(self, body: bytes, call: Call) -> Reply | None:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=FORWARD_SECONDS)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            headers = [(name, self._renamed(name, value)) for name, value in response.getheaders()]
            self._remember_upload(headers, call)
            return response.status, headers, response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _renamed(self, name: str, value: str) -> str:
        own = f"127.0.0.1:{self.server.server_address[1]}"
        return value.replace(self.server.upstream, own) if name.lower() == "location" else value

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _reset(self) -> None:
        """Close so that the caller sees a reset, not an orderly end."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _describe(self, body: bytes) -> Call:
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        text = body[:EXCERPT].decode(errors="replace")
        call = Call(self.command, self.path, text)
        upload = parse_qs(urlsplit(self.path).query).get("upload_id")
        named = JOB_PATH.search(self.path) or (JOB_ID.search(text) if self.command == "POST" else None)
        call.job_id = self.server.upload_jobs.get(upload[0]) if upload else named and named[1]
        return call

    def _remember_upload(self, headers: list[tuple[str, str]], call: Call) -> None:
        for name, value in headers:
            upload = parse_qs(urlsplit(value).query).get("upload_id") if name.lower() == "location" else None
            if upload:
                self.server.upload_jobs[upload[0]] = call.job_id

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the plan keeps what was called."""


def _error(fault: Status) -> Reply:
    message = f"injected: {fault.reason}"
    error = {
        "code": fault.code,
        "message": message,
        "errors": [{"message": message, "domain": "global", "reason": fault.reason}],
        "status": NAMES.get(fault.code, "INTERNAL"),
    }
    return fault.code, [("Content-Type", "application/json")], json.dumps({"error": error}).encode()
