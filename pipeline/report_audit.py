"""An audit: a line a check, examples of what is broken, and what to run. Texts only."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipeline.ledger.auditing import Audit, check_audit, count_broken
from pipeline.ledger.findings import Finding
from pipeline.report import count, escape_cell, format_fields, list_commands, suggest_backfills
from pipeline.report_runs import TableText
from pipeline.season import merge_days

VIOLATIONS = "violations"
ALARMING = (VIOLATIONS,)


def describe_audit(audit: Audit) -> str:
    """How it ended, and what was looked at."""
    counts = audit.counts
    targets = counts.player_rows + counts.others
    rows = counts.feature_rows + counts.other_rows + counts.extra_rows
    gaps = counts.open_gaps + counts.other_gaps + counts.extra_gaps
    fields = [
        ("targets", count(targets)),
        ("feature rows", count(rows)),
        ("open gaps", count(gaps)),
        *(("note", escape_cell(note)) for note in audit.notes),
    ]
    return format_fields(f"Audit of {audit.dates}: {count_broken(audit)}", fields)


def tabulate_checks(audit: Audit) -> TableText:
    checks = [finding.check.title for finding in audit.findings]
    numbers = [count(finding.violations) for finding in audit.findings]
    return ["check", VIOLATIONS], [checks, numbers], [False, True]


def describe_findings(audit: Audit, warehouse: str) -> str:
    """Examples of what is broken, and what to run; an empty text when nothing is."""
    lines = [line for finding in audit.broken for line in ("", *_describe_finding(finding))]
    return "\n".join([*lines, *list_commands(suggest_next(audit, warehouse))]).removeprefix("\n")


def _describe_finding(finding: Finding) -> list[str]:
    check = finding.check
    fields = [
        (escape_cell(example.player or "-"), f"{example.day}  {escape_cell(example.what)}")
        for example in finding.examples
    ]
    more = finding.violations - len(finding.examples)
    if more:
        fields.append(("", f"and {count(more)} more"))
    if check.advice:
        fields.append(("to do", check.advice))
    title = check.title[0].upper() + check.title[1:]
    return format_fields(f"{title} ({count(finding.violations)})", fields).split("\n")


def suggest_next(audit: Audit, warehouse: str) -> list[str]:
    """The backfills that mend what a backfill mends."""
    return suggest_backfills(merge_days(audit.days_to_recompute), warehouse)


def audit_as_json(audit: Audit, warehouse: str) -> dict[str, Any]:
    failure = check_audit(audit)
    return {
        "start_date": audit.dates.start,
        "end_date": audit.dates.last,
        "checks": [
            {
                "check": finding.check.name,
                "title": finding.check.title,
                "violations": finding.violations,
                "examples": [
                    {"player_lookup": example.player, "game_date": example.day, "found": example.what}
                    for example in finding.examples
                ],
                "advice": finding.check.advice or None,
            }
            for finding in audit.findings
        ],
        "counts": asdict(audit.counts),
        "notes": audit.notes,
        **({"error": str(failure)} if failure else {}),
        "exit_code": failure.exit_code if failure else 0,
        "next": suggest_next(audit, warehouse),
    }
