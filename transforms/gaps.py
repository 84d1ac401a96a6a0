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
UNREGISTERED_PLAYER = "unregistered_player"
NO_GAME_SUMMARY = "no_game_summary"
BOOTSTRAP = "bootstrap"
NO_HISTORY = "no_history"
MISSING_DEPENDENCY = "missing_dependency"
PROCESSING_ERROR = "processing_error"
REASONS = (
    INVALID_INPUT,
    UNREGISTERED_PLAYER,
    NO_GAME_SUMMARY,
    BOOTSTRAP,
    NO_HISTORY,
    MISSING_DEPENDENCY,
    PROCESSING_ERROR,
)

NO_GAP = -1

FIXED_DETAILS = {
    UNREGISTERED_PLAYER: "the registry does not know this player",
    NO_GAME_SUMMARY: "named by the upcoming games, but no player row appeared",
    NO_HISTORY: "no played game in the 365 days before",
    MISSING_DEPENDENCY: "neither team has a game in the 365 days before",
}
"""The detail of the reasons that say everything themselves."""


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

    ``invalid`` is a code of ``cleaning.INVALID_RULES``; ``registered`` says that the registry knows
    the player, or that there is none; ``no_show`` that the game was announced and is over, and the
    player has no row; ``stored`` that the key has a feature row. ``season_first`` is the season's
    first date, ``day`` the target's; ``games`` the number of last-10 games; ``team_games`` whether
    either team has a game in the window.
    """

    invalid: npt.NDArray[np.int8]
    registered: Bools
    no_show: Bools
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
        UNREGISTERED_PLAYER: ~evidence.registered,
        NO_GAME_SUMMARY: evidence.no_show,
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
    texts = [*FIXED_DETAILS.values(), *INVALID_RULES, *short]
    code = np.zeros(len(reasons), dtype=np.int64)
    for position, reason in enumerate(FIXED_DETAILS):
        code[reasons == REASONS.index(reason)] = position
    invalid, bootstrap = (reasons == REASONS.index(reason) for reason in (INVALID_INPUT, BOOTSTRAP))
    code = np.where(invalid, len(FIXED_DETAILS) + evidence.invalid, code)
    code = np.where(bootstrap, len(FIXED_DETAILS) + len(INVALID_RULES) + evidence.games, code)
    return from_codes(code.astype(np.int32), pa.array(texts))
