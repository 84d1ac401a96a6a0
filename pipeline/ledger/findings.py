"""The checks of an audit, and what was found to break each: how many, where, and examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from transforms.arrays import Bools
from transforms.people import KEY

MOST_EXAMPLES = 5
BY_HAND = "no run mends that: delete all but one of the rows of the key, then backfill its date"


class Check(NamedTuple):
    """``name`` for programs, ``title`` for people; ``advice`` where no backfill of the dates mends it."""

    name: str
    title: str
    advice: str = ""


BOTH = Check("both", "keys with a row and an open gap")
UNEXPLAINED = Check("unexplained", "targets with neither row nor open gap")
ROWS_EXTRA = Check("rows_without_target", "feature rows whose key is no target")
GAPS_EXTRA = Check("gaps_without_target", "open gaps whose key is named, but is no target")
GAPS_UNNAMED = Check("gaps_unnamed", "open gaps whose key no source names")
ROWS_TWICE = Check("duplicate_rows", "keys with several feature rows", BY_HAND)
GAPS_TWICE = Check("duplicate_gaps", "keys with several rows in the ledger", BY_HAND)
VALUES = Check("values", "rows with a value that is not finite or out of range")
SOURCES = Check("sources", "rows with a source that does not fit its value")
QUALITY = Check("quality", "rows whose quality does not follow from their sources")
HASHES = Check("hashes", "rows whose data_hash is not the digest of their vector")
STALE = Check("stale", "keys with an input newer than their last run")
UNCOVERED = Check("uncovered", "keys that no successful run on record covers")
RUNS = Check("runs", "runs whose targets are not their rows and open gaps", "see `feature-store runs RUN_ID`")
CHECKS = (
    BOTH,
    UNEXPLAINED,
    ROWS_EXTRA,
    GAPS_EXTRA,
    GAPS_UNNAMED,
    ROWS_TWICE,
    GAPS_TWICE,
    VALUES,
    SOURCES,
    QUALITY,
    HASHES,
    STALE,
    UNCOVERED,
    RUNS,
)


class Example(NamedTuple):
    """A violation; a run has no player, and the last of its dates."""

    player: str | None
    day: date
    what: str


@dataclass
class Finding:
    """What breaks a check: ``violations``, the ``days`` they are on, the first ``examples``."""

    check: Check
    violations: int = 0
    days: set[date] = field(default_factory=set)
    examples: list[Example] = field(default_factory=list)

    def add(self, keys: pa.Table, broken: Bools, describe: Callable[[int], str]) -> None:
        """Takes in the keys of some dates that are ``broken``; ``describe`` tells of the row at a position.

        Dates ascend from call to call, so the first examples stay the first.
        """
        if not broken.any():
            return
        position = np.flatnonzero(broken)
        found = keys.select(KEY).take(pa.array(position))
        self.violations += len(position)
        self.days |= set(found.column("game_date").unique().to_pylist())
        room = MOST_EXAMPLES - len(self.examples)
        if room > 0:
            ordered = found.append_column("at", pa.array(position)).sort_by(
                [("game_date", "ascending"), ("player_lookup", "ascending"), ("at", "ascending")]
            )
            for row in ordered.slice(0, room).to_pylist():
                self.examples.append(Example(row["player_lookup"], row["game_date"], describe(row["at"])))
