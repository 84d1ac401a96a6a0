"""Commands as a person runs them: in this process, or in one of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from boxscores import FIRST_DATE

CANARY = "canary-4f1c"
TABLE = "nba_analytics.player_game_summary"
DATES = ("--start-date", str(FIRST_DATE), "--end-date", str(FIRST_DATE + timedelta(days=2)))


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def printed(self) -> str:
        return self.out + self.err


Run = Callable[..., Finished]


def spawn(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs a command in a process of its own, whose output is buffered as usual."""
    program = "import sys; from pipeline.commands.app import main; sys.exit(main())"
    options["env"] = {**os.environ, "PYTHONUNBUFFERED": "", **options.get("env", {})}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=False,
        **{"capture_output": True, "timeout": 60, **options},
    )
