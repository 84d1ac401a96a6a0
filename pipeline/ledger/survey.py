"""Where the open gaps stand: which a run would close today, which an option would, and which wait.

A gap is fillable exactly when a run with the given admission would write its row, so one that was
attempted and failed again is not fillable until something that matters has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ledger.gap_choice import GapChoice
from pipeline.ledger.judging import Judgement, judge_keys
from pipeline.preflight import check_dependencies
from pipeline.season import DateRange, check_order
from pipeline.warehouse.base import Warehouse
from transforms.arrays import Bools
from transforms.contracts import TargetSpec
from transforms.eastern import eastern_date
from transforms.gaps import (
    INVALID_INPUT,
    MISSING_DEPENDENCY,
    NO_GAME_SUMMARY,
    NO_HISTORY,
    PROCESSING_ERROR,
    UNREGISTERED_PLAYER,
    Admission,
)
from transforms.schema import FEATURE_STORE_GAPS, STAGED_TARGETS
from transforms.side_tables import REGISTRY

FILLABLE, CLOSING, OPTIONAL, EXPECTED, NEEDS_DATA = STANDINGS = (
    "fillable",
    "closing",
    "optional",
    "expected",
    "needs_data",
)
"""A run writes the row; a run withdraws the gap; an option makes it fillable; nothing is wrong and
nothing is to do; something has to be imported or mended first."""

RUN_CLOSES = (FILLABLE, CLOSING)
"""The standings of the gaps that a run with the given options closes."""

ADMIT_EARLY, ADMIT_INJURED = "--bootstrap-days 0", "--include-injured"


class Place(NamedTuple):
    """A standing, why, and the options without which it is not fillable."""

    standing: str
    why: str
    option: str = ""


UNNAMED = Place(CLOSING, "nothing names the player and date any more, a run withdraws it")
PASSED_OVER = Place(CLOSING, "what names it makes no target of it any more, a run withdraws it")
INJURED_ALONE = Place(CLOSING, "only the injury report names it, a run withdraws it")
FILLABLE_NOW = {
    INVALID_INPUT: Place(FILLABLE, "its row is valid now"),
    UNREGISTERED_PLAYER: Place(FILLABLE, "the registry knows the player now, or there is none any more"),
    NO_GAME_SUMMARY: Place(FILLABLE, "its box score is there now"),
    NO_HISTORY: Place(FILLABLE, "an earlier game is there now"),
    MISSING_DEPENDENCY: Place(FILLABLE, "an earlier game of a team is there now"),
    PROCESSING_ERROR: Place(FILLABLE, "a failed computation is worth another try"),
}
ENOUGH_GAMES = Place(FILLABLE, "as many games as these options ask for are there now")
ADMITTED = Place(FILLABLE, "these options do not count its date among the season's first days")
FEW_GAMES = Place(OPTIONAL, "few games, in the season's first days", ADMIT_EARLY)
ASK_INJURED = Place(OPTIONAL, "only the injury report names it", ADMIT_INJURED)
ASK_BOTH = Place(
    OPTIONAL,
    "only the injury report names it; few games, in the season's first days",
    f"{ADMIT_INJURED} {ADMIT_EARLY}",
)
FIRST_GAME = Place(EXPECTED, "a first game: no earlier box score of the player is stored")
LONG_ABSENCE = Place(EXPECTED, "the player has played no game in the 365 days before")
NO_SHOW = Place(EXPECTED, "announced, and not in the box scores of the game")
NO_BOX_SCORES = Place(NEEDS_DATA, "import the box scores of its game")
NO_TEAM_HISTORY = Place(NEEDS_DATA, "import box scores of the 365 days before: of the team there are none")
MEND = Place(NEEDS_DATA, "mend its row, as the detail says, and import it again")
REGISTER = Place(NEEDS_DATA, f"add the player to {REGISTRY.path}, or an alias of the lookup")
NO_TEAM_GAMES = Place(NEEDS_DATA, "import box scores of either team, of the 365 days before")

SURVEYED = pa.schema(
    [
        *(FEATURE_STORE_GAPS.schema.field(name) for name in ("player_lookup", "game_date")),
        pa.field("skip_reason", pa.string()),
        pa.field("skip_detail", pa.string()),
        pa.field("last_attempt_at", pa.timestamp("us", tz="UTC")),
        pa.field("attempt_count", pa.int64()),
        pa.field("verdict", pa.string()),
        pa.field("verdict_detail", pa.string()),
        pa.field("standing", pa.string()),
        pa.field("why", pa.string()),
        pa.field("option", pa.string()),
    ]
)
"""An open gap as the ledger has it; what a run would say of it today (NULL: a row, or no target); and
its :class:`Place`."""


@dataclass(frozen=True)
class Survey:
    """``gaps`` (:data:`SURVEYED`) by date and player: those of ``choice``, judged under ``admission``."""

    gaps: pa.Table
    choice: GapChoice
    admission: Admission

    def select_keys(self, *standings: str) -> pa.Table:
        """The keys (``STAGED_TARGETS``) of the gaps that stand so."""
        chosen = pc.is_in(self.gaps.column("standing"), pa.array(standings, pa.string()))
        return self.gaps.filter(chosen).select(STAGED_TARGETS.names).cast(STAGED_TARGETS)


def survey_gaps(warehouse: Warehouse, choice: GapChoice, admission: Admission, now: datetime) -> Survey:
    """Where the open gaps of ``choice`` stand for a run that starts ``now``, with this admission.

    Reads the look-back windows of these gaps; without any, nothing but the ledger. Raises
    ``WrongShape`` when there are gaps and no inputs that a run could read.
    """
    with warehouse.share_reader():
        return survey_found(warehouse, find_open_gaps(warehouse, choice), choice, admission, now)


def survey_found(
    warehouse: Warehouse, gaps: pa.Table, choice: GapChoice, admission: Admission, now: datetime
) -> Survey:
    """The same for some open gaps (``FEATURE_STORE_GAPS``) of ``choice``."""
    if gaps.num_rows == 0:
        return Survey(SURVEYED.empty_table(), choice, admission)
    judgement = _judge(warehouse, gaps.select(STAGED_TARGETS.names), admission, now)
    return Survey(place_gaps(gaps, judgement, admission), choice, admission)


def find_open_gaps(warehouse: Warehouse, choice: GapChoice) -> pa.Table:
    """The open gaps of ``choice`` (``FEATURE_STORE_GAPS``) by date and player."""
    bounds = warehouse.find_date_bounds(FEATURE_STORE_GAPS)
    if bounds is None:
        return FEATURE_STORE_GAPS.schema.empty_table()
    first, last = choice.start_date or bounds[0], choice.end_date or bounds[1]
    if choice.start_date and choice.end_date:
        check_order(first, last)
    first, last = max(first, bounds[0]), min(last, bounds[1])
    if first > last:
        return FEATURE_STORE_GAPS.schema.empty_table()
    return warehouse.read_open_gaps(DateRange.spanning(first, last), choice.reason, choice.player)


def _judge(warehouse: Warehouse, keys: pa.Table, admission: Admission, now: datetime) -> Judgement:
    keys = keys.cast(STAGED_TARGETS)
    days = pc.min_max(keys.column("game_date")).as_py()
    spec = TargetSpec(days["min"], days["max"] + timedelta(days=1), admission, today=eastern_date(now))
    return judge_keys(warehouse, check_dependencies(warehouse, spec, requested=keys).plan, admission)


def place_gaps(gaps: pa.Table, judgement: Judgement, admission: Admission) -> pa.Table:
    """The open gaps with what was found of them, and their places (:data:`SURVEYED`)."""
    plain = gaps.set_column(
        gaps.column_names.index("skip_reason"), "skip_reason", gaps.column("skip_reason").cast(pa.string())
    )
    known = [name for name in SURVEYED.names if name in plain.column_names]
    keys = list(STAGED_TARGETS.names)
    passed = judgement.passed.group_by(keys, use_threads=False).aggregate([("detail", "min")])
    verdicts = judgement.verdicts
    verdicts = verdicts.append_column("named", pa.array([True] * verdicts.num_rows, pa.bool_()))
    found = (
        plain.select(known)
        .join(verdicts, keys)
        .join(passed, keys)
        .sort_by([("game_date", "ascending"), ("player_lookup", "ascending")])
        .combine_chunks()
    )
    codes = _find_places(found, admission)
    texts = {name: pa.array([getattr(place, name) for place in PLACES]) for name in Place._fields}
    for name, values in texts.items():
        found = found.append_column(name, values.take(pa.array(codes)))
    detail = pc.coalesce(found.column("verdict_detail"), found.column("detail_min"))
    found = found.set_column(found.column_names.index("verdict_detail"), "verdict_detail", detail)
    return found.select(SURVEYED.names).cast(SURVEYED)


def _find_places(found: pa.Table, admission: Admission) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The position in :data:`PLACES` of the first rule that applies to each gap."""
    size = found.num_rows
    codes = np.full(size, -1)
    for place, applies in _list_rules(_Columns(found), admission):
        codes[(codes < 0) & applies] = PLACES.index(place)
    return codes


class _Columns:
    """Questions about the joined columns; NULL is never an answer."""

    def __init__(self, found: pa.Table) -> None:
        self._found = found

    def is_true(self, name: str) -> Bools:
        flags: Bools = pc.fill_null(self._found.column(name), False).to_numpy()
        return flags

    def is_set(self, name: str) -> Bools:
        flags: Bools = pc.is_valid(self._found.column(name)).to_numpy()
        return flags

    def equals(self, name: str, value: str) -> Bools:
        flags: Bools = pc.fill_null(pc.equal(self._found.column(name), value), False).to_numpy()
        return flags

    def reaches(self, name: str, least: int) -> Bools:
        flags: Bools = pc.fill_null(pc.greater_equal(self._found.column(name), least), False).to_numpy()
        return flags


def _list_rules(gap: _Columns, admission: Admission) -> Iterator[tuple[Place, Bools]]:
    """(place, which gaps), in the order in which the rules apply; the last ones leave no gap out."""
    named = gap.is_true("named")
    yield PASSED_OVER, ~named & gap.is_set("detail_min")
    yield UNNAMED, ~named
    kept, admissible = ~gap.is_set("verdict"), ~gap.is_set("unbarred")
    barred = gap.is_true("injured") & (not admission.include_injured)
    yield ASK_INJURED, barred & kept
    yield ASK_BOTH, barred & admissible
    yield INJURED_ALONE, barred
    for reason, place in FILLABLE_NOW.items():
        yield place, kept & gap.equals("skip_reason", reason)
    yield ENOUGH_GAMES, kept & gap.reaches("games", admission.min_games)
    yield ADMITTED, kept
    yield FEW_GAMES, admissible
    yield MEND, gap.equals("unbarred", INVALID_INPUT)
    yield REGISTER, gap.equals("unbarred", UNREGISTERED_PLAYER)
    no_show = gap.equals("unbarred", NO_GAME_SUMMARY)
    yield NO_SHOW, no_show & gap.is_true("team_listed")
    yield NO_BOX_SCORES, no_show
    no_history = gap.equals("unbarred", NO_HISTORY)
    yield NO_TEAM_HISTORY, no_history & ~gap.is_true("team_played")
    yield LONG_ABSENCE, no_history & gap.is_true("player_seen")
    yield FIRST_GAME, no_history
    yield NO_TEAM_GAMES, gap.equals("unbarred", MISSING_DEPENDENCY)


PLACES: Sequence[Place] = (
    *FILLABLE_NOW.values(),
    *(ENOUGH_GAMES, ADMITTED, PASSED_OVER, UNNAMED, INJURED_ALONE, FEW_GAMES, ASK_INJURED, ASK_BOTH),
    *(FIRST_GAME, LONG_ABSENCE, NO_SHOW, NO_BOX_SCORES, NO_TEAM_HISTORY, MEND, REGISTER, NO_TEAM_GAMES),
)
"""Every place, in the order in which a report lists them."""
