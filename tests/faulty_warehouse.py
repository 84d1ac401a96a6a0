"""A warehouse whose calls fail by plan: before their effect, after it, or held up by somebody else.

:class:`FaultyWarehouse` wraps any ``Warehouse``, with the readers and the staging that it opens. Calls
are counted over all of them; a :class:`FaultPlan` says which one fails and how. Time is virtual: a
warehouse that is held is waited for on :class:`VirtualTime`, so no test sleeps.

::

    plan = FaultPlan([Fault(call=17, when=AFTER, error="disk")])
    with plan.installed():
        main(["backfill", ...])
    plan.calls      # what was called, in order
"""

from __future__ import annotations

import errno
import functools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from pipeline import errors, main
from pipeline.warehouse import duckdb as duckdb_warehouse
from pipeline.warehouse import duckdb_connection

BEFORE, AFTER, HELD = "before", "after", "held"
CANARY = "canary-7b31"
ERRORS: dict[str, Callable[[], Exception]] = {
    **{
        name: functools.partial(kind, f"{name} by plan")
        for name, kind in errors._BY_NAME.items()
        if kind is not errors.UsageError
    },
    "disk": lambda: OSError(errno.EIO, "Input/output error"),
    "full": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "memory": MemoryError,
    "timeout": lambda: TimeoutError("timed out"),
    "reset": lambda: ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    "database": lambda: duckdb.IOException("IO Error: Could not read from file"),
    "fatal": lambda: duckdb.FatalException("FATAL Error: database has been invalidated"),
    "program": lambda: KeyError("feature"),
    "text": lambda: ValueError(f"first line\nand a row: {CANARY}"),
}
"""One error of each class of the project, and what other libraries and the system raise."""

PLANS: dict[int, FaultPlan] = {}
"""The plans of this process: what is wrapped is pickled by Beam, a plan is not."""


class VirtualTime:
    """A clock that only its own sleep moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Fault:
    """Call number ``call`` (from 1) fails; ``seconds`` is how long the warehouse is held, then."""

    call: int
    when: str
    error: str = "disk"
    seconds: float = 0.0


@dataclass
class FaultPlan:
    faults: Sequence[Fault] = ()
    calls: list[str] = field(default_factory=list)
    raised: list[Exception] = field(default_factory=list)
    time: VirtualTime = field(default_factory=VirtualTime)
    held_until: float = 0.0
    _lock: Any = field(default_factory=threading.Lock)

    @classmethod
    def draw(cls, seed: str, calls: int) -> FaultPlan:
        """One or two faults among so many calls."""
        rng = random.Random(seed)
        return cls(
            [
                Fault(rng.randint(1, calls), rng.choice([BEFORE, AFTER, HELD]), rng.choice(sorted(ERRORS)),
                      rng.uniform(0.0, 120.0))
                for _ in range(rng.choice([1, 1, 2]))
            ]
        )  # fmt: skip

    def call(self, name: str, go_on: Callable[[], Any]) -> Any:
        with self._lock:
            self.calls.append(name)
            number = len(self.calls)
        fault = next((fault for fault in self.faults if fault.call == number), None)
        if fault is None:
            return go_on()
        if fault.when == HELD:
            self.held_until = self.time.now + fault.seconds
            return go_on()
        if fault.when == AFTER:
            go_on()
        error = ERRORS[fault.error]()
        self.raised.append(error)
        raise error

    def connect(self, *given: Any, **options: Any) -> Any:
        """``duckdb.connect`` of a file that somebody else may hold."""
        if self.time.now < self.held_until:
            raise duckdb.IOException(
                'Could not set lock on file "w": Conflicting lock is held in rival (PID 1). See also'
            )
        return duckdb.connect(*given, **options)

    @contextmanager
    def installed(self) -> Iterator[FaultPlan]:
        """Inside the block the job opens its warehouse under this plan."""
        number, open_warehouse = id(self), main.open_warehouse
        PLANS[number] = self
        waiting = functools.partial(
            duckdb_connection.connect, sleep=self.time.sleep, clock=self.time.read, open_file=self.connect
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                main,
                "open_warehouse",
                lambda *given, **more: FaultyWarehouse(open_warehouse(*given, **more), number),
            )
            for module in (duckdb_warehouse, duckdb_connection):
                patch.setattr(module, "connect", waiting)
            yield self
        del PLANS[number]


@dataclass(frozen=True)
class _Wrapped:
    """Every public method is called under the plan."""

    inner: Any
    plan: int

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("inner", "plan"):
            raise AttributeError(name)
        method = getattr(self.inner, name)
        if not callable(method):
            return method

        def call(*given: Any, **options: Any) -> Any:
            return PLANS[self.plan].call(name, lambda: method(*given, **options))

        return call


class FaultyWarehouse(_Wrapped):
    """``pipeline.warehouse.base.Warehouse`` with faults."""

    def open_reader(self, *given: Any) -> Any:
        opened = PLANS[self.plan].call("open_reader", lambda: self.inner.open_reader(*given))
        return _Wrapped(opened, self.plan)

    def open_staging(self, *given: Any) -> Any:
        opened = PLANS[self.plan].call("open_staging", lambda: self.inner.open_staging(*given))
        return _Wrapped(opened, self.plan)
