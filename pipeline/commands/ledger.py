"""The commands that hold the tables against each other: ``coverage`` and ``audit``. They only read."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from pipeline.commands.console import add_command, emit, emit_json, emit_report, emit_table, say_error
from pipeline.errors import FeatureStoreError
from pipeline.flags import percent
from pipeline.ledger.auditing import audit_tables, check_audit
from pipeline.ledger.coverage import GROUPINGS, MONTH, check_coverage, measure_coverage
from pipeline.ledger.gap_choice import GapChoice
from pipeline.ledger.survey import find_open_gaps
from pipeline.options import add_period_flags, add_warehouse_flags
from pipeline.report_audit import ALARMING as BROKEN
from pipeline.report_audit import audit_as_json, describe_audit, describe_findings, tabulate_checks
from pipeline.report_coverage import (
    ALARMING,
    coverage_as_json,
    describe_coverage,
    describe_next,
    name_open_gaps,
    tabulate_coverage,
)
from pipeline.warehouse.opening import open_warehouse
from transforms.eastern import eastern_date


def add_commands(commands: Any) -> None:
    parser = add_command(
        commands,
        "coverage",
        run_coverage,
        "Count player rows, feature rows and gaps by month, date or team: every missing row is explained "
        "by an open gap, or shown as unexplained.",
        "feature-store coverage --start-date 2021-10-19 --end-date 2021-12-31 --fail-under 95",
    )
    add_period_flags(parser)
    parser.add_argument("--by", choices=GROUPINGS, default=MONTH, help="(default: %(default)s)")
    parser.add_argument(
        "--fail-under",
        type=percent,
        metavar="PCT",
        help="exit with 8 when less than so many per cent of all player rows have a feature row",
    )
    add_warehouse_flags(parser)
    parser = add_command(
        commands,
        "audit",
        run_audit,
        "Recount every identity from the tables, verify the digest of every row, find what is stale, and say "
        "what to run. Exits with 5 when something is broken.",
        "feature-store audit --start-date 2021-10-19 --end-date 2021-12-31",
    )
    add_period_flags(parser)
    add_warehouse_flags(parser)


def run_coverage(arguments: argparse.Namespace) -> int:
    path, least = arguments.warehouse, arguments.fail_under
    warehouse, today = open_warehouse(path, arguments.lock_timeout), eastern_date(datetime.now(UTC))
    coverage = measure_coverage(warehouse, arguments.start_date, arguments.end_date, arguments.by, today)
    gaps = find_open_gaps(warehouse, GapChoice(coverage.dates.start, coverage.dates.last))
    if arguments.json:
        emit_json(coverage_as_json(coverage, gaps, least, path))
    else:
        emit_report(describe_coverage(coverage) + "\n")
        emit_table(*tabulate_coverage(coverage), ALARMING)
        _emit_more(name_open_gaps(gaps))
        _emit_more(describe_next(coverage, path))
    return _end(check_coverage(coverage.total, least))


def run_audit(arguments: argparse.Namespace) -> int:
    path = arguments.warehouse
    warehouse, today = open_warehouse(path, arguments.lock_timeout), eastern_date(datetime.now(UTC))
    audit = audit_tables(warehouse, arguments.start_date, arguments.end_date, today)
    if arguments.json:
        emit_json(audit_as_json(audit, path))
    else:
        emit_report(describe_audit(audit) + "\n")
        emit_table(*tabulate_checks(audit), BROKEN)
        _emit_more(describe_findings(audit, path))
    return _end(check_audit(audit))


def _emit_more(text: str) -> None:
    if text:
        emit("")
        emit_report(text.removeprefix("\n"))


def _end(failure: FeatureStoreError | None) -> int:
    """Tells the failure after the result, which stands whole on stdout."""
    if failure is None:
        return 0
    say_error(str(failure))
    return failure.exit_code
