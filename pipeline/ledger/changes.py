"""Which open gaps something new could close, told from what changed since each was attempted last.

A look at dates and instants, so that a run every night need not read around every rookie again.
Whether a gap can really be closed, ``survey`` tells, by the job's own rules. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.warehouse.base import InputChange
from transforms.arrays import Bools, Ints, single_chunk, to_day, to_days
from transforms.gaps import BOOTSTRAP, PROCESSING_ERROR, UNREGISTERED_PLAYER, Admission
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import PLAYER_ALIASES, REGISTRY, SCHEDULE, UPCOMING
from transforms.windows import AS_OF_DAYS

USUAL = Admission()


def find_candidates(gaps: pa.Table, changes: Iterable[InputChange], admission: Admission) -> Bools:
    """Which open gaps (``FEATURE_STORE_GAPS``) are worth another look; bool[gaps].

    A failed computation always; a bootstrap gap where the admission is wider than the usual one; any
    gap of which an input changed after its last attempt: box scores of its own date or of the 365 days
    before, an alias, the games announced or scheduled for its date; the registry, where it was missed.
    """
    reason = single_chunk(gaps, "skip_reason").cast(pa.string())
    day = to_days(single_chunk(gaps, "game_date"))
    attempted = single_chunk(gaps, "last_attempt_at").cast(pa.int64()).to_numpy(zero_copy_only=False)
    candidates = _is_reason(reason, PROCESSING_ERROR)
    if admission.bootstrap_days < USUAL.bootstrap_days or admission.min_games < USUAL.min_games:
        candidates |= _is_reason(reason, BOOTSTRAP)
    for change in changes:
        concerned = _find_concerned(change, day)
        if change.path == REGISTRY.path:
            concerned &= _is_reason(reason, UNREGISTERED_PLAYER)
        changed_at = pa.scalar(change.changed_at, pa.timestamp("us", tz="UTC")).cast(pa.int64()).as_py()
        candidates |= concerned & (attempted < changed_at)
    return candidates


REACH = {
    PLAYER_GAME_SUMMARY.path: AS_OF_DAYS,
    UPCOMING.path: 0,
    SCHEDULE.path: AS_OF_DAYS,
    REGISTRY.path: None,
    PLAYER_ALIASES.path: None,
}
"""How many days after a changed date a gap may feel it; None: any gap may. Other inputs close no gap."""


def _find_concerned(change: InputChange, day: Ints) -> Bools:
    """Which of the gaps' days a change may reach."""
    if change.path not in REACH:
        return np.zeros(len(day), dtype=bool)
    reach = REACH[change.path]
    if reach is None or change.dates is None:
        return np.ones(len(day), dtype=bool)
    first = to_day(change.dates.start) - (AS_OF_DAYS if change.path == SCHEDULE.path else 0)
    return (day >= first) & (day < to_day(change.dates.end) + reach)


def _is_reason(reasons: pa.Array, name: str) -> Bools:
    flags: Bools = pc.equal(reasons, name).to_numpy(zero_copy_only=False)
    return flags
