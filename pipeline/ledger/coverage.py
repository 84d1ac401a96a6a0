"""How much of what is wanted is there: player rows, feature rows, gaps, by month, date or team.

Every player row has a feature row, or is missing; every missing one has an open gap, or is
unexplained. Every feature row and open gap answers a target, or is extra. Nothing is left over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from fractions import Fraction

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import CoverageTooLow
from pipeline.ledger.accounting import account_keys, choose_dates, plan_accounts
from pipeline.naming import WHAT_NAMES
from pipeline.season import DateRange
from pipeline.warehouse.base import Warehouse
from transforms.people import PLAYER_ROW

MONTH, DATE, TEAM = GROUPINGS = ("month", "date", "team")
NO_TEAM = "(none)"


@dataclass(frozen=True)
class Counts:
    """Keys of a group.

    ``player_rows`` = ``feature_rows`` + ``open_gaps`` + ``unexplained``; likewise ``others``, the
    targets that are no player rows. ``extra_rows`` and ``extra_gaps`` answer no target: their key is
    none, or something else answers it already.
    """

    player_rows: int = 0
    feature_rows: int = 0
    open_gaps: int = 0
    unexplained: int = 0
    others: int = 0
    other_rows: int = 0
    other_gaps: int = 0
    others_unexplained: int = 0
    extra_rows: int = 0
    extra_gaps: int = 0

    @property
    def missing(self) -> int:
        return self.player_rows - self.feature_rows

    @property
    def extra(self) -> int:
        return self.extra_rows + self.extra_gaps

    @property
    def is_reconciled(self) -> bool:
        """Whether every target is answered, and nothing answers none."""
        return not (self.unexplained or self.others_unexplained or self.extra)

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))


COUNTED = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True)
class Coverage:
    """``groups`` in order, by name; ``unexplained`` are the dates of targets with neither row nor gap."""

    dates: DateRange
    by: str
    groups: Mapping[str, Counts]
    total: Counts
    unexplained: tuple[date, ...]


def measure_coverage(
    warehouse: Warehouse, first: date | None, last: date | None, by: str, today: date
) -> Coverage:
    """The coverage of the dates from ``first`` to ``last``, or of all that the tables have.

    Raises ``WrongShape`` when there are no box scores.
    """
    groups: dict[str, Counts] = {}
    unexplained: set[date] = set()
    with warehouse.share_reader():
        dates = choose_dates(warehouse, first, last, today)
        plan = plan_accounts(warehouse, dates, today)
        # which of two rows counts, and so whose team it is, takes every column
        columns = () if by == TEAM else WHAT_NAMES
        for accounts in account_keys(warehouse, plan, columns):
            for found, counts in _count_groups(classify_keys(accounts.keys), by):
                groups[found] = groups.get(found, Counts()) + counts
            unexplained |= list_unexplained(accounts.keys)
    ordered = dict(sorted(groups.items()))
    return Coverage(dates, by, ordered, sum(groups.values(), Counts()), tuple(sorted(unexplained)))


def classify_keys(keys: pa.Table) -> pa.Table:
    """``game_date``, ``team_abbr`` and, for every key, how much it adds to each of :class:`Counts`."""
    rows, gaps = keys.column("rows"), keys.column("gaps")
    is_target = pc.is_valid(keys.column("origin"))
    is_player = pc.fill_null(pc.equal(keys.column("origin"), PLAYER_ROW), False)
    is_other = pc.and_not(is_target, is_player)
    has_row, has_gap = pc.greater(rows, 0), pc.greater(gaps, 0)
    by_row, by_gap = pc.and_(is_target, has_row), pc.and_(pc.and_not(has_gap, has_row), is_target)
    neither = pc.and_not(pc.invert(has_row), has_gap)
    flags = {
        "player_rows": is_player,
        "feature_rows": pc.and_(is_player, by_row),
        "open_gaps": pc.and_(is_player, by_gap),
        "unexplained": pc.and_(is_player, neither),
        "others": is_other,
        "other_rows": pc.and_(is_other, by_row),
        "other_gaps": pc.and_(is_other, by_gap),
        "others_unexplained": pc.and_(is_other, neither),
    }
    numbers = {name: flag.cast(pa.int64()) for name, flag in flags.items()}
    numbers["extra_rows"] = pc.subtract(rows, by_row.cast(pa.int64()))
    numbers["extra_gaps"] = pc.subtract(gaps, by_gap.cast(pa.int64()))
    return pa.table({name: keys.column(name) for name in ("game_date", "team_abbr")} | numbers)


def _count_groups(numbers: pa.Table, by: str) -> Iterator[tuple[str, Counts]]:
    column = "team_abbr" if by == TEAM else "game_date"
    names: Mapping[str, Callable[[date], str]] = {
        MONTH: lambda day: day.isoformat()[:7],
        DATE: date.isoformat,
    }
    found = numbers.group_by(column).aggregate([(name, "sum") for name in COUNTED])
    for group in found.to_pylist():
        value = group[column]
        name = (value or NO_TEAM) if by == TEAM else names[by](value)
        yield name, Counts(*(group[f"{counted}_sum"] for counted in COUNTED))


def count_keys_of(keys: pa.Table) -> Counts:
    """The counts of all keys (``accounting.KEY_ACCOUNTS``) together."""
    numbers = classify_keys(keys)
    return Counts(*((pc.sum(numbers.column(name)).as_py() or 0) for name in COUNTED))


def list_unexplained(keys: pa.Table) -> set[date]:
    """The dates of targets that have neither a row nor a gap."""
    held = pc.add(keys.column("rows"), keys.column("gaps"))
    lost = pc.and_(pc.is_valid(keys.column("origin")), pc.equal(held, 0))
    return set(keys.column("game_date").filter(lost).unique().to_pylist())


def check_coverage(total: Counts, least: Fraction | None) -> CoverageTooLow | None:
    """What is wrong when less than ``least`` per cent of the player rows have a feature row.

    Without player rows there is nothing to cover.
    """
    if least is None or total.feature_rows * 100 >= least * total.player_rows:
        return None
    return CoverageTooLow(
        f"{total.feature_rows:,} of {total.player_rows:,} player rows have a feature row, "
        f"fewer than --fail-under {float(least):g} % asks for"
    )
