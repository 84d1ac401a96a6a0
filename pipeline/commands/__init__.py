"""The console script ``feature-store``: parse, call, print. One file a group of commands."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

from pipeline.startup import pause_collector


def run_program() -> NoReturn:
    """The console script. Ends at once: taking the interpreter down would add half a second.

    Everything printed is flushed, and everything written is closed, when a command returns.
    """
    with pause_collector():
        from pipeline.commands.app import main
    try:
        code = main()
    except SystemExit as ended:
        # argparse has printed its help
        code = ended.code if isinstance(ended.code, int) else 0
        with suppress(OSError):  # the reader may be gone
            sys.stdout.flush()
    os._exit(code)
