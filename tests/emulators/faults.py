"""What may go wrong with a call, and which call it happens to; the proxies carry it out.

    plan = FaultPlan()
    plan.on("POST", "/jobs$", BACKEND_ERROR, times=2)         the first two posts of jobs
    plan.on("POST", "/jobs$", LostReply(), nth=3)             the third
    plan.on("GRPC", "ReadRows$", Abort("UNAVAILABLE", after=1))
    plan.calls                                                what was called, in order of arrival

A rule counts the calls that match it, from 1. Where several rules apply to a call, the first given decides.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

HANG_SECONDS = 60.0


@dataclass(frozen=True)
class Status:
    """An error as the service words it, instead of the call or, where `done`, after the work was done."""

    code: int
    reason: str
    done: bool = False


@dataclass(frozen=True)
class Reset:
    """The connection is reset before the call reaches the service."""


@dataclass(frozen=True)
class LostReply:
    """The service does the work; the connection is reset instead of the reply."""


@dataclass(frozen=True)
class Delay:
    """The call reaches the service so many seconds later."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """Nothing is answered until `FaultPlan.release`, then the connection is reset.

    The service sees the call only where `done`; a stream hangs after so many messages.
    """

    done: bool = False
    after: int = 0


@dataclass(frozen=True)
class Abort:
    """A gRPC call ends with a status, by name, after so many messages of the service have passed.

    A call with one reply that aborts after it has lost it: the work was done.
    """

    code: str
    after: int = 0


@dataclass(frozen=True)
class Act:
    """Something the test does, as a kill, before the call is passed on or, where `done`, after its reply."""

    action: Callable[[], object]
    done: bool = False


Fault = Status | Reset | LostReply | Delay | Hang | Abort | Act

RATE_LIMITED = Status(429, "rateLimitExceeded")
BACKEND_ERROR = Status(503, "backendError")
INTERNAL_ERROR = Status(500, "internalError")
QUOTA_EXCEEDED = Status(403, "quotaExceeded")
ACCESS_DENIED = Status(403, "accessDenied")
NOT_FOUND = Status(404, "notFound")


@dataclass
class Call:
    """One call as it arrived: `method` is GRPC for gRPC, `body` the beginning of what was sent, as text.

    `status` is what the service, or the fault, answered: a number over REST, a name over gRPC, None
    where the caller got no answer.
    """

    method: str
    path: str
    body: str = ""
    job_id: str | None = None
    fault: Fault | None = None
    status: int | str | None = None


@dataclass
class _Rule:
    method: str
    path: re.Pattern[str]
    fault: Fault
    calls: range
    job: re.Pattern[str]
    seen: int = 0

    def concerns(self, call: Call) -> bool:
        return (
            self.method in ("*", call.method)
            and self.path.search(call.path) is not None
            and self.job.search(call.job_id or "") is not None
        )


@dataclass
class FaultPlan:
    """The rules of one proxy, and the calls it has seen. Rules may be added while it runs."""

    calls: list[Call] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(
        self, method: str, path: str, fault: Fault, nth: int = 1, times: int = 1, job: str = ""
    ) -> FaultPlan:
        """Let a fault happen to `times` calls, from the `nth` on, of this method, or `*`, and path.

        `path` is a regular expression, searched in the path with its query; `job` one of the job's id.
        """
        calls = range(nth, nth + times)
        with self._lock:
            self._rules.append(_Rule(method, re.compile(path), fault, calls, re.compile(job)))
        return self

    def heal(self) -> None:
        """Forget the rules; what was called stays."""
        with self._lock:
            self._rules.clear()

    def arrived(self, call: Call) -> Fault | None:
        """Record a call; what is to happen to it."""
        with self._lock:
            self.calls.append(call)
            for rule in self._rules:
                if rule.concerns(call):
                    rule.seen += 1
                    if call.fault is None and rule.seen in rule.calls:
                        call.fault = rule.fault
        return call.fault

    def matching(self, method: str, path: str) -> list[Call]:
        """The calls seen so far, by method, or `*`, and regular expression of the path."""
        with self._lock:
            return [
                call for call in self.calls if method in ("*", call.method) and re.search(path, call.path)
            ]

    def wait_until_released(self) -> None:
        """Hang, a minute at most."""
        self._released.wait(HANG_SECONDS)

    @property
    def is_released(self) -> bool:
        """Whether nothing hangs any more."""
        return self._released.is_set()

    def release(self) -> None:
        """End what hangs, now and later."""
        self._released.set()
