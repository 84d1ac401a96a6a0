"""Why a target has no feature row: the skip reasons, in the order in which they apply.

features.md, section 4. What becomes of a gap in the ledger is the commit's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import Bools, Ints, from_codes
from transforms.cleaning import INVALID_RULES

INVALID_INPUT = "invalid_input"
BOOTSTRAP = "bootstrap"
NO_HISTORY = "no_history"
MISSING_DEPENDENCY = "missing_dependency"
PROCESSING_ERROR = "processing_error"
REASONS = (INVALID_INPUT, BOOTSTRAP, NO_HISTORY, MISSING_DEPENDENCY, PROCESSING_ERROR)

NO_GAP = -1


@dataclass(frozen=True)
class Admission:
    """Who is admitted among the keys that have no feature row; it never takes a row away.

    A player with fewer than ``min_games`` last-10 games is skipped during the season's first
    ``bootstrap_days`` days; 0 days turns the rule off. ``include_injured`` makes targets of those
    who are on the injury report and in nobody's rows.
    """

    bootstrap_days: int = 14
    min_games: int = 5
    include_injured: bool = False


@dataclass(frozen=True)
class Evidence:
    """What decides about each target; arrays of one length.

    ``invalid`` is a code of ``cleaning.INVALID_RULES``; ``stored`` says that the key has a
    feature row; ``season_first`` is the season's first date, ``day`` the target's; ``games`` the
    number of last-10 games; ``team_games`` whether either team has a game in the window.
    """

    invalid: npt.NDArray[np.int8]
    stored: Bools
    season_first: Ints
    day: Ints
    games: Ints
    team_games: Bools


def find_gaps(evidence: Evidence, admission: Admission) -> npt.NDArray[np.int8]:
    """The ordinal in :data:`REASONS` of the first reason that applies, -1 where none does."""
    early = evidence.day < evidence.season_first + admission.bootstrap_days
    applies = {
        INVALID_INPUT: evidence.invalid != 0,
        BOOTSTRAP: early & (evidence.games < admission.min_games) & ~evidence.stored,
        NO_HISTORY: evidence.games == 0,
        MISSING_DEPENDENCY: ~evidence.team_games,
    }
    found = np.full(len(evidence.day), NO_GAP, dtype=np.int8)
    for reason in reversed(list(applies)):
        found[applies[reason]] = REASONS.index(reason)
    return found


def describe_gaps(
    reasons: npt.NDArray[np.int8], evidence: Evidence, admission: Admission
) -> pa.DictionaryArray:
    """The ``skip_detail`` of each gap, from its reason and evidence (targets with a gap only)."""
    short = [
        f"{n} of {admission.min_games} games, in the season's first {admission.bootstrap_days} days"
        for n in range(admission.min_games)
    ]
    fixed = [
        "no played game in the 365 days before",
        "neither team has a game in the 365 days before",
    ]
    texts = [*INVALID_RULES, *short, *fixed]
    codes = np.select(
        [
            reasons == REASONS.index(INVALID_INPUT),
            reasons == REASONS.index(BOOTSTRAP),
            reasons == REASONS.index(NO_HISTORY),
        ],
        [
            evidence.invalid.astype(np.int64),
            len(INVALID_RULES) + evidence.games,
            np.full(len(reasons), len(texts) - 2),
        ],
        len(texts) - 1,
    )
    return from_codes(codes.astype(np.int32), pa.array(texts))
