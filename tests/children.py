"""Processes that a test may kill: forked from a server that has everything imported, ended in time.

Importing Beam costs a second; a fork of a process that has done so costs little.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60.0
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["pytest", "hamcrest", "pipeline.main", "pipeline.commands.app", "pyarrow.parquet", "warehouse"]
)


def enter(target: Callable[..., int | None], log: str, arguments: tuple[Any, ...]) -> None:
    """What a child does: its output goes to a file, its answer is its exit code."""
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    sys.exit(target(*arguments))


class Child:
    """A forked process; one that does not end in time is killed and fails the test."""

    def __init__(self, target: Callable[..., int | None], *arguments: Any, log: Path) -> None:
        self.log = log
        self.process = FORKS.Process(target=enter, args=(target, str(log), arguments), daemon=True)
        self.process.start()

    def wait(self, timeout: float = PATIENCE) -> int | None:
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            pytest.fail(f"the child did not end within {timeout:g} s; it said: {self.output}")
        return self.process.exitcode

    def send(self, number: int) -> None:
        os.kill(self.process.pid or 0, number)

    @property
    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""
