"""The tables recounted: every identity, every row's own digest, and what has become stale.

Reads only, in bounded parts: keys a chunk of dates at a time, vectors some ten thousand rows. What
each check is called is in ``findings``, what can make a key stale in ``staleness``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import AuditFailed
from pipeline.ledger.accounting import (
    FACTS,
    Accounts,
    account_keys,
    choose_dates,
    count_keys,
    plan_accounts,
)
from pipeline.ledger.coverage import Counts, count_keys_of
from pipeline.ledger.findings import (
    BOTH,
    CHECKS,
    GAPS_EXTRA,
    GAPS_TWICE,
    GAPS_UNNAMED,
    HASHES,
    MOST_EXAMPLES,
    QUALITY,
    ROWS_EXTRA,
    ROWS_TWICE,
    RUNS,
    SOURCES,
    STALE,
    UNCOVERED,
    UNEXPLAINED,
    VALUES,
    Check,
    Example,
    Finding,
)
from pipeline.ledger.staleness import (
    NEVER,
    date_gaps,
    date_keys,
    date_rows,
    find_newest,
    read_runs,
    to_instant,
)
from pipeline.ledger.verifying import verify_rows
from pipeline.naming import WHAT_NAMES
from pipeline.plan import Plan, cut_chunks, share_out
from pipeline.season import DateRange
from pipeline.warehouse.base import Warehouse
from transforms.arrays import Bools, Ints, single_chunk
from transforms.people import KEY
from transforms.references import References, read_references
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY
from transforms.vector import FEATURES
from transforms.vector import SOURCES as SOURCE_NAMES

VECTOR_ROWS = 25_000
"""Stored vectors that are verified at a time."""

UNJUDGED_SIDES = "whether side tables changed after a run cannot be told: their rows have no processed_at"
UNJUDGED_ROWS = f"{PLAYER_GAME_SUMMARY.path} has no processed_at: whether a key is stale cannot be told"


@dataclass(frozen=True)
class Audit:
    """``findings`` in the order of ``findings.CHECKS``, those without a violation too."""

    dates: DateRange
    counts: Counts
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.violations]

    @property
    def days_to_recompute(self) -> set[date]:
        """The dates of everything that a backfill mends."""
        return set().union(*(finding.days for finding in self.broken if not finding.check.advice))


def audit_tables(warehouse: Warehouse, first: date | None, last: date | None, today: date) -> Audit:
    """Every check over the dates from ``first`` to ``last``, or over all that the tables have.

    Raises ``WrongShape`` when there are no box scores.
    """
    found = {check: Finding(check) for check in CHECKS}
    counts = Counts()
    with warehouse.share_reader():
        dates = choose_dates(warehouse, first, last, today)
        plan = plan_accounts(warehouse, dates, today)
        runs = read_runs(warehouse, dates)
        references = _read_aliases(warehouse, plan)
        has_instants = "processed_at" in plan.columns[PLAYER_GAME_SUMMARY.path]
        for accounts in account_keys(warehouse, plan, WHAT_NAMES):
            counts += count_keys_of(accounts.keys)
            _check_keys(accounts, runs, found)
            _check_extra(accounts, found)
            judged = [
                (accounts.rows, date_rows(accounts.rows, runs, accounts.dates)),
                (accounts.opened, date_gaps(accounts.opened, runs, accounts.dates)),
            ]
            _check_instants(warehouse, accounts.dates, judged, has_instants, references, found)
        for start, end in _cut_store(warehouse, dates):
            _check_vectors(warehouse.read_vectors(DateRange(start, end)), found)
        _check_runs(runs, found[RUNS])
        side_tables = set(plan.columns) - {PLAYER_GAME_SUMMARY.path}
    notes = [*([UNJUDGED_SIDES] if side_tables else []), *([] if has_instants else [UNJUDGED_ROWS])]
    return Audit(dates, counts, tuple(found.values()), tuple(notes))


def check_audit(audit: Audit) -> AuditFailed | None:
    """What is wrong when a check is broken."""
    if not audit.broken:
        return None
    told = "; ".join(f"{finding.violations:,} {finding.check.title}" for finding in audit.broken)
    return AuditFailed(f"{count_broken(audit)}: {told}")


def count_broken(audit: Audit) -> str:
    """How many checks are broken, in words."""
    broken = len(audit.broken)
    verb = "check is" if broken == 1 else "checks are"
    return f"{broken or 'no'} {verb} broken, of {len(audit.findings)}"


def _read_aliases(warehouse: Warehouse, plan: Plan) -> References:
    reader = warehouse.open_reader(plan.columns)
    return References.from_tables(read_references(reader, plan.schedule.start, plan.schedule.end).tables)


def _check_keys(accounts: Accounts, runs: pa.Table, found: dict[Check, Finding]) -> None:
    """Keys that are in both tables, in neither, or twice in one."""
    keys = accounts.keys
    rows, gaps = (single_chunk(keys, name).to_numpy() for name in ("rows", "gaps"))
    is_target = keys.column("origin").is_valid().to_numpy()
    found[BOTH].add(keys, (rows > 0) & (gaps > 0), lambda at: f"rows {rows[at]}, open gaps {gaps[at]}")
    origin, covered = single_chunk(keys, "origin"), date_keys(keys, runs, accounts.dates)

    def describe(at: int) -> str:
        return _ORIGINS[origin[at].as_py()] + (", no run covered the date" if covered[at] == NEVER else "")

    found[UNEXPLAINED].add(keys, is_target & (rows + gaps == 0), describe)
    found[ROWS_TWICE].add(keys, rows > 1, lambda at: f"rows {rows[at]}")
    ledger = count_keys(accounts.ledger, "gaps")
    several = single_chunk(ledger, "gaps").to_numpy()
    found[GAPS_TWICE].add(ledger, several > 1, lambda at: f"rows in the ledger {several[at]}")


_ORIGINS = ("a player row", "named by the upcoming games", "on the injury report")


def _check_extra(accounts: Accounts, found: dict[Check, Finding]) -> None:
    """Rows and open gaps of keys that are no targets."""
    extra = accounts.keys.filter(pc.is_null(accounts.keys.column("origin")))
    if extra.num_rows == 0:
        return
    passed = accounts.passed.group_by(list(KEY)).aggregate([("detail", "min")])
    extra = extra.join(passed, list(KEY), join_type="left outer")
    detail = single_chunk(extra, "detail_min")
    named = detail.is_valid().to_numpy(zero_copy_only=False)
    rows, gaps = (single_chunk(extra, name).to_numpy() for name in ("rows", "gaps"))

    def describe(at: int) -> str:
        return detail[at].as_py() or "no source names it"

    found[ROWS_EXTRA].add(extra, rows > 0, describe)
    found[GAPS_EXTRA].add(extra, (gaps > 0) & named, describe)
    found[GAPS_UNNAMED].add(extra, (gaps > 0) & ~named, describe)


def _check_instants(
    warehouse: Warehouse,
    dates: DateRange,
    judged: list[tuple[pa.Table, Ints]],
    has_instants: bool,
    references: References,
    found: dict[Check, Finding],
) -> None:
    """Keys, each with the start of the last run that covered it: those without one, and the stale."""
    keys = pa.concat_tables([table.select(FACTS) for table, _ in judged])
    covered = np.concatenate([instants for _, instants in judged])
    found[UNCOVERED].add(keys, covered == NEVER, lambda at: "no run on record")
    if not has_instants:
        return
    newest = find_newest(warehouse, keys, covered, dates, references)

    def describe(at: int) -> str:
        return (
            f"an input of {to_instant(newest[at]):%F %T}, the run began {to_instant(covered[at]):%F %T} UTC"
        )

    found[STALE].add(keys, newest != NEVER, describe)


def _cut_store(warehouse: Warehouse, dates: DateRange) -> list[tuple[date, date]]:
    """The dates in parts of whole dates with some :data:`VECTOR_ROWS` feature rows; none without rows."""
    counts = warehouse.count_by_date(FEATURE_STORE, dates)
    if not counts:
        return []
    chunks = cut_chunks(dates, counts, share_out(sum(n for _, n in counts), VECTOR_ROWS, 1))
    return [(date.fromisoformat(start), date.fromisoformat(end)) for start, end in chunks]


def _check_vectors(vectors: pa.Table, found: dict[Check, Finding]) -> None:
    """Rows that do not agree with themselves."""
    verdict = verify_rows(vectors)
    for check, broken, tell in (
        (VALUES, verdict.values, _tell_value),
        (SOURCES, verdict.sources, _tell_source),
    ):
        found[check].add(vectors, np.logical_or.reduce(broken), _describe_feature(vectors, broken, tell))
    wrong = np.array(list(verdict.quality.values()), dtype=bool)
    names = list(verdict.quality)

    def describe(at: int) -> str:
        name = names[int(wrong[:, at].argmax())]
        return f"{name} {vectors.column(name)[at].as_py()}"

    found[QUALITY].add(vectors, np.logical_or.reduce(wrong), describe)
    hashes = vectors.column("data_hash")
    found[HASHES].add(vectors, verdict.hashes, lambda at: f"data_hash {hashes[at].as_py()}")


def _describe_feature(
    vectors: pa.Table, broken: Bools, tell: Callable[[object, int], str]
) -> Callable[[int], str]:
    """Names the first feature that is broken in a row."""

    def describe(at: int) -> str:
        feature = FEATURES[int(broken[:, at].argmax())]
        value, source = (vectors.column(n)[at].as_py() for n in (feature.value_column, feature.source_column))
        return f"{feature.name} {tell(value, source)}"

    return describe


def _tell_value(value: object, source: int) -> str:
    return str(value)


def _tell_source(value: object, source: int) -> str:
    name = SOURCE_NAMES[source] if source >= 0 else "unknown"
    return f"{'NULL' if value is None else value} from {name}"


def _check_runs(runs: pa.Table, found: Finding) -> None:
    """Successful runs whose counts do not add up."""
    parts = [runs.column(f"records_{kind}") for kind in ("created", "updated", "unchanged")]
    total = runs.column("gaps_open")
    for part in parts:
        total = pc.add(total, part)
    same = pc.fill_null(pc.equal(total, runs.column("records_expected")), False)
    broken = runs.filter(pc.invert(same)).sort_by([("end_date", "ascending"), ("run_id", "ascending")])
    found.violations += broken.num_rows
    for run in broken.slice(0, MOST_EXAMPLES).to_pylist():
        kinds = ", ".join(f"{kind} {run[f'records_{kind}']}" for kind in ("created", "updated", "unchanged"))
        what = (
            f"run {run['run_id']}: expected {run['records_expected']}, {kinds}, open gaps {run['gaps_open']}"
        )
        found.examples.append(Example(None, run["end_date"], what))
