"""The id of a run: the instant it was chosen at, and eight random digits."""

from __future__ import annotations

import argparse
import re
import secrets
from datetime import datetime

RUN_ID = r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}"


def make_run_id(run_at: datetime) -> str:
    return f"{run_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def run_id(text: str) -> str:
    """An argparse type: an id such as :func:`make_run_id` makes."""
    if not re.fullmatch(RUN_ID, text):
        raise argparse.ArgumentTypeError(
            f"expected an id such as 20240301T113000-0a1b2c3d, found {text[:40]!r}"
        )
    return text
