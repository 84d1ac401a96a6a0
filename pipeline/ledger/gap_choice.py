"""Which open gaps a command is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class GapChoice:
    """Open gaps by their dates (inclusive), their recorded reason, their player; None chooses all.

    ``player`` is the lookup under which the ledger holds the gap.
    """

    start_date: date | None = None
    end_date: date | None = None
    reason: str | None = None
    player: str | None = None


ALL_GAPS = GapChoice()
