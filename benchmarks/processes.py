"""One measured run: a child process from its start to its end, imports and exit included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Sample:
    """Wall and CPU seconds (user and system, all threads), and the peak of resident memory in MB.

    ``answer`` is the JSON object that the child printed, empty when it printed none.
    """

    wall: float
    cpu: float
    peak_mb: float
    answer: dict[str, Any] = field(default_factory=dict)


def run_child(command: Sequence[str]) -> Sample:
    """Runs the command to its end; raises ``RuntimeError`` with its last words when it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text = out.read()
        if child.returncode != 0:
            words = err.read().strip().splitlines()[-5:]
            raise RuntimeError(f"{' '.join(command[1:4])} ended with {child.returncode}: {' / '.join(words)}")
    answer = json.loads(text) if text.startswith("{") else {}
    # Linux gives kilobytes, macOS bytes
    peak = usage.ru_maxrss / (2**10 if sys.platform != "darwin" else 2**20)
    return Sample(wall, usage.ru_utime + usage.ru_stime, peak, answer)
