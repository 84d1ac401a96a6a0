"""Every key of some dates, and what the tables hold for it: the ground of coverage and audit.

A key is counted once, whether a source names it, the store has a row of it, or the ledger a gap.
Comparison is by joins of Arrow tables, a chunk of whole dates at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.naming import NamedKeys, name_keys
from pipeline.plan import Plan
from pipeline.preflight import check_dependencies
from pipeline.season import DateRange
from pipeline.warehouse.base import Warehouse
from transforms.contracts import TargetSpec
from transforms.gaps import Admission
from transforms.people import INJURED, KEY
from transforms.schema import FEATURE_STORE, FEATURE_STORE_GAPS, PLAYER_GAME_SUMMARY
from transforms.side_tables import UPCOMING

EVERYBODY = Admission(include_injured=True)
"""Who may be a target: an option of some run may have admitted the injured, and rows tell."""

FACTS = (*KEY, "team_abbr", "opponent_team_abbr")
ROW_FACTS = (*FACTS, "run_id")
GAP_FACTS = (*FACTS, "last_attempt_at", "resolved_at", "withdrawn_at")

KEY_ACCOUNTS = pa.schema(
    [
        pa.field("player_lookup", pa.string()),
        pa.field("game_date", pa.date32()),
        pa.field("origin", pa.int8()),
        pa.field("team_abbr", pa.string()),
        pa.field("rows", pa.int64()),
        pa.field("gaps", pa.int64()),
    ]
)
"""A key: where it is from as a target (``naming.TARGET_KEYS``; NULL when it is none), its team by the
source, else by the row or gap, and how many feature rows and open gaps there are of it."""


@dataclass(frozen=True)
class Accounts:
    """Some whole ``dates``: every key (:data:`KEY_ACCOUNTS`, one row each), the keys that a source names and
    that are no targets (``passed``, ``STAGED_PASSED``), and the tables' own rows: ``rows`` of the store
    (:data:`ROW_FACTS`), ``ledger`` all gaps (:data:`GAP_FACTS`), ``opened`` those that are open."""

    dates: DateRange
    keys: pa.Table
    passed: pa.Table
    rows: pa.Table
    ledger: pa.Table
    opened: pa.Table


def choose_dates(warehouse: Warehouse, first: date | None, last: date | None, today: date) -> DateRange:
    """The dates from ``first`` to ``last``; a bound that is not given is that of the tables.

    Those are the box scores, the store, the ledger, and the upcoming rows before ``today``. Where
    they are all empty it is today.
    """
    tables = (PLAYER_GAME_SUMMARY, FEATURE_STORE, FEATURE_STORE_GAPS)
    bounds = [found for table in tables if (found := warehouse.find_date_bounds(table)) is not None]
    announced = warehouse.find_date_bounds(UPCOMING)
    if announced is not None and announced[0] < today:
        bounds.append((announced[0], min(announced[1], today - timedelta(days=1))))
    earliest = min((low for low, _ in bounds), default=today)
    latest = max((high for _, high in bounds), default=today)
    start = first or min(earliest, last or earliest)
    if first and last:
        return DateRange.inclusive(first, last)
    return DateRange.spanning(start, last or max(latest, start))


def plan_accounts(warehouse: Warehouse, dates: DateRange, today: date) -> Plan:
    """How to read the dates; raises ``WrongShape`` when a table lacks what is needed."""
    return check_dependencies(warehouse, TargetSpec(dates.start, dates.end, EVERYBODY, today=today)).plan


def account_keys(warehouse: Warehouse, plan: Plan, columns: Sequence[str] = ()) -> Iterator[Accounts]:
    """The keys of the plan's dates, chunk by chunk, dates ascending; ``columns`` as in ``name_keys``."""
    for named in name_keys(warehouse, plan, columns):
        rows = warehouse.read_window(FEATURE_STORE, ROW_FACTS, named.dates)
        ledger = warehouse.read_window(FEATURE_STORE_GAPS, GAP_FACTS, named.dates)
        closed = pc.or_(*(pc.is_valid(ledger.column(name)) for name in ("resolved_at", "withdrawn_at")))
        opened = ledger.filter(pc.invert(closed))
        yield Accounts(named.dates, match_keys(named, rows, opened), named.passed, rows, ledger, opened)


def match_keys(named: NamedKeys, rows: pa.Table, opened: pa.Table) -> pa.Table:
    """Targets, feature rows and open gaps of the same dates by key (:data:`KEY_ACCOUNTS`).

    Who is on the injury report alone is a target only once there is a row or a gap.
    """
    keys = named.targets.select([*KEY, "origin", "team_abbr"])
    for what, found in (("rows", rows), ("gaps", opened)):
        counted = count_keys(found, what)
        keys = keys.join(counted, list(KEY), join_type="full outer", right_suffix="_stored")
        team = pc.coalesce(keys.column("team_abbr"), keys.column("team_abbr_stored"))
        keys = keys.drop_columns(["team_abbr", "team_abbr_stored"]).append_column("team_abbr", team)
    for what in ("rows", "gaps"):
        held = pc.fill_null(keys.column(what), 0)
        keys = keys.drop_columns([what]).append_column(what, held)
    keys = keys.select(KEY_ACCOUNTS.names).cast(KEY_ACCOUNTS)
    held = pc.greater(pc.add(keys.column("rows"), keys.column("gaps")), 0)
    is_injured = pc.fill_null(pc.equal(keys.column("origin"), INJURED), False)
    return keys.filter(pc.or_(held, pc.invert(is_injured)))


def count_keys(rows: pa.Table, name: str) -> pa.Table:
    """The key, how often it is there (``name``), and one ``team_abbr`` of it."""
    counted = rows.group_by(list(KEY)).aggregate([([], "count_all"), ("team_abbr", "min")])
    return counted.rename_columns({"count_all": name, "team_abbr_min": "team_abbr"})
