"""Which open gaps a run attempts: those that it would close, unless it is told to try all.

First only what something new may concern is looked at (``changes``), then the job's own rules say what
of it a run would close (``survey``). So a run every night costs little where nothing is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UsageError, WrongShape
from pipeline.ledger.changes import find_candidates
from pipeline.ledger.gap_choice import GapChoice
from pipeline.ledger.survey import RUN_CLOSES, find_open_gaps, survey_found
from pipeline.season import DateRange
from pipeline.shapes import find_shape_problems
from pipeline.warehouse.base import Warehouse
from pipeline.warehouse.sql import is_identifier
from transforms.gaps import Admission
from transforms.people import has_key
from transforms.schema import FEATURE_STORE_GAPS, STAGED_TARGETS, Table

KEY = tuple(STAGED_TARGETS.names)


@dataclass(frozen=True)
class Attempts:
    """``keys`` (``STAGED_TARGETS``) to attempt, of ``asked`` open gaps; ``looked_at`` were judged."""

    keys: pa.Table
    asked: int
    looked_at: int


def choose_attempts(
    warehouse: Warehouse,
    choice: GapChoice,
    admission: Admission,
    now: datetime,
    *,
    everything: bool = False,
    gaps_table: str = FEATURE_STORE_GAPS.path,
) -> Attempts:
    """The open gaps of ``choice`` that a run with this admission would close ``now``.

    ``everything``: all of them, whatever would become of them. ``gaps_table``: only those whose key this
    table (``dataset.table``) holds. Raises ``UsageError`` for a name that is none, ``WrongShape`` for a
    table without such keys.
    """
    listed = name_keys_table(gaps_table)
    with warehouse.share_reader():
        gaps = find_open_gaps(warehouse, choice)
        if gaps.num_rows and listed.path != FEATURE_STORE_GAPS.path:
            gaps = _take_listed(warehouse, gaps, listed)
        asked = gaps.num_rows
        if asked and not everything:
            changes = warehouse.list_changes(pc.min(gaps.column("last_attempt_at")).as_py())
            gaps = gaps.filter(pa.array(find_candidates(gaps, changes, admission)))
        looked_at = 0 if everything else gaps.num_rows
        keys = gaps.select(STAGED_TARGETS.names).cast(STAGED_TARGETS)
        if looked_at:
            keys = survey_found(warehouse, gaps, choice, admission, now).select_keys(*RUN_CLOSES)
    return Attempts(keys, asked, looked_at)


def name_keys_table(path: str) -> Table:
    """A table of keys by its name; ``UsageError`` when the name is none."""
    dataset, dot, name = path.partition(".")
    if not (dot and is_identifier(dataset) and is_identifier(name)):
        raise UsageError(f"--gaps-table: expected DATASET.TABLE, found {path[:80]!r}")
    return Table(dataset, name, STAGED_TARGETS, key=KEY, partition="game_date", required=KEY)


def _take_listed(warehouse: Warehouse, gaps: pa.Table, listed: Table) -> pa.Table:
    """The gaps whose key a table holds."""
    problems = find_shape_problems(listed, warehouse.describe(listed))
    if problems:
        raise WrongShape(f"--gaps-table: {'; '.join(problems)}")
    days = pc.min_max(gaps.column("game_date")).as_py()
    dates = DateRange.spanning(days["min"], days["max"])
    keys = warehouse.open_reader({listed.path: KEY}).read_side(listed, dates.start, dates.end)
    lookup = gaps.column("player_lookup").combine_chunks().dictionary_encode()
    mine = pa.table([lookup, gaps.column("game_date")], names=list(KEY))
    return gaps if keys is None else gaps.filter(pa.array(has_key(mine, keys)))
