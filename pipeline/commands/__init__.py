"""The console script ``feature-store``: parse, call, print. One file a group of commands."""

from __future__ import annotations

import os
from typing import NoReturn

from pipeline.startup import pause_collector


def run_program() -> NoReturn:
    """The console script. Ends at once: taking the interpreter down would add half a second.

    Everything printed is flushed, and everything written is closed, when a command returns.
    """
    with pause_collector():
        from pipeline.commands.app import main
    os._exit(main())
