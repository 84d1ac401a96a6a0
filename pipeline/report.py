"""What happened, for a person and as JSON. Texts only: nothing is computed or looked up here."""

from __future__ import annotations

import base64
import json
import math
import shlex
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, datetime, time
from typing import Any

from pipeline.aliases import AliasProposal
from pipeline.converting import ImportReport, Recognised
from pipeline.options import DEFAULT_WAREHOUSE
from pipeline.plan import Plan
from pipeline.preflight import Preflight
from pipeline.season import DateRange
from pipeline.warehouse.base import Loss, RunRow
from pipeline.warehouse.duckdb_load import LoadOutcome
from transforms.gaps import BOOTSTRAP, REASONS

_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if code != 10}
_CONTROL |= {code: f"\\u{code:04x}" for code in [*range(0x2028, 0x202F), *range(0x2066, 0x206A)]}
"""What steers a terminal: controls but the line feed, line separators, overrides of direction."""


SHOWN = 20
"""Of a list of reasons, names or columns."""

VALUE_WIDTH = 60
"""Of a field's value, beside the longest names, on a terminal of 80 columns."""


def escape_controls(text: str) -> str:
    """The text with control characters spelt out, so that no data can steer a terminal."""
    return text.translate(_CONTROL)


def escape_cell(text: str) -> str:
    """The text on one line, control characters spelt out."""
    return escape_controls(text).replace("\n", "\\x0a")


def to_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """JSON in ASCII: times in ISO form, bytes in base 64, sets as sorted lists, NaN as text."""
    return json.dumps(_plain(value), allow_nan=False, indent=2)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(found) for name, found in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(str(found) for found in value)
    if isinstance(value, list | tuple):
        return [_plain(found) for found in value]
    if is_dataclass(value):
        return _plain(vars(value))
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, date | datetime | time) else str(value)


def format_fields(title: str, fields: Iterable[tuple[str, str]]) -> str:
    """A title line and aligned ``name  value`` lines below it."""
    rows = [(name, value) for name, value in fields]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    return "\n".join([title, *lines])


def count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def describe_plan(preflight: Preflight) -> str:
    plan = preflight.plan
    return format_fields(
        "Plan",
        [
            ("targets", f"{count(plan.target_rows)} player rows on {count(plan.game_dates)} dates"),
            ("target dates", str(plan.dates)),
            ("read window", f"{plan.window}, both bounds in every read"),
            ("to read", f"{count(plan.rows)} rows, about {plan.bytes / 1e6:,.1f} MB"),
            ("cut into", f"{len(plan.chunks)} chunk(s) of dates, {plan.buckets} bucket(s) of players"),
            *(("note", escape_controls(note)) for note in preflight.notes),
        ],
    )


def plan_as_json(plan: Plan, deletions: Sequence[Loss]) -> dict[str, Any]:
    return {
        "dry_run": True,
        "start_date": plan.dates.start,
        "end_date": plan.dates.last,
        "dates": plan.game_dates,
        "targets": plan.target_rows,
        "window_start": plan.window.start,
        "window_end": plan.window.last,
        "chunks": [list(chunk) for chunk in plan.chunks],
        "buckets": plan.buckets,
        "rows": plan.rows,
        "bytes": plan.bytes,
        "deletions": [
            {"date": day, "stored": stored, "found": found, "deleted": gone}
            for day, stored, found, gone in deletions
        ],
        "exit_code": 0,
    }


def describe_deletions(deletions: Sequence[Loss]) -> str:
    gone = sum(loss[3] for loss in deletions)
    if not gone:
        return "  would delete  no stored row loses its player row"
    lines = [f"  would delete  {count(gone)} stored rows whose player rows are gone"]
    lines += [
        f"    {day}  stored {stored}, found {found}, delete {lost}"
        for day, stored, found, lost in deletions[:SHOWN]
    ]
    return "\n".join(lines)


def gaps_by_reason(row: RunRow) -> dict[str, int]:
    """Open gaps of the run's keys by reason, most first."""
    calculate = row["timing_breakdown"]["detail"].get("calculate", {})
    found = {reason: calculate.get(f"gaps_{reason}", 0) for reason in REASONS}
    return {r: n for r, n in sorted(found.items(), key=lambda item: -item[1]) if n}


def summarize_run(row: RunRow, plan: Plan, warehouse: str) -> dict[str, Any]:
    """The machine-readable summary of a committed run."""
    clean = row["timing_breakdown"]["detail"].get("clean", {})
    return {
        **row,
        "gaps_by_reason": gaps_by_reason(row),
        "dates": plan.game_dates,
        "rejected": clean.get("targets_rejected", 0),
        "duplicates": clean.get("rows_duplicate", 0),
        "exit_code": 0,
        "next": suggest_next(row, warehouse),
    }


def suggest_next(row: RunRow, warehouse: str) -> list[str]:
    """The commands that one would run now, ready for a shell."""
    commands = []
    if gaps_by_reason(row).get(BOOTSTRAP) and row["options"].get("bootstrap_days"):
        commands.append(
            f"{suggest_command('backfill', warehouse)} --start-date {row['start_date']} "
            f"--end-date {row['end_date']} --bootstrap-days 0"
        )
    if row["gaps_open"]:
        commands.append(
            f'{suggest_command("sql", warehouse)} "SELECT skip_reason, COUNT(*) AS gaps FROM '
            "nba_predictions.feature_store_gaps WHERE resolved_at IS NULL AND withdrawn_at IS NULL "
            f"AND game_date BETWEEN '{row['start_date']}' AND '{row['end_date']}' "
            'GROUP BY skip_reason ORDER BY gaps DESC"'
        )
    elif row["records_expected"]:
        commands.append(suggest_command("runs", warehouse))
    return commands


def suggest_command(name: str, warehouse: str) -> str:
    """The beginning of a command line on this warehouse, which is left out when it is the default."""
    where = "" if warehouse == DEFAULT_WAREHOUSE else f" --warehouse {shlex.quote(warehouse)}"
    return f"feature-store {name}{where}"


def suggest_aliases(files: Sequence[str], outcome: LoadOutcome, warehouse: str) -> list[str]:
    """The command that records the aliases that an import found and did not record."""
    if outcome.aliases_written or not outcome.aliases.pairs:
        return []
    return [f"{suggest_command('import', warehouse)} --write-aliases {shlex.join(files)}"]


def describe_counts(row: RunRow) -> list[tuple[str, str]]:
    """What became of a run's targets, as fields."""
    expected = row["records_expected"]
    kept = row["records_created"] + row["records_updated"] + row["records_unchanged"]
    share = f" ({floor_percent(kept, expected)} have a row)" if expected else ""
    reasons = ", ".join(f"{name} {count(n)}" for name, n in gaps_by_reason(row).items())
    return [
        ("targets", f"{count(expected)} = {count(kept)} rows + {count(row['gaps_open'])} gaps{share}"),
        (
            "rows",
            f"{count(row['records_created'])} created, {count(row['records_updated'])} updated, "
            f"{count(row['records_unchanged'])} unchanged, {count(row['records_deleted'])} deleted",
        ),
        (
            "gaps",
            f"{count(row['gaps_opened'])} opened, {count(row['gaps_resolved'])} resolved, "
            f"{count(row['gaps_open'])} open" + (f": {reasons}" if reasons else ""),
        ),
    ]


def floor_percent(part: int, whole: int) -> str:
    """The share in per cent, never rounded up: 100 % is all of them."""
    return f"{part * 1000 // whole / 10:g} %"


def describe_run(row: RunRow, plan: Plan, warehouse: str) -> str:
    """The summary of a committed run."""
    clean = row["timing_breakdown"]["detail"].get("clean", {})
    dates = DateRange.inclusive(row["start_date"], row["end_date"])
    fields = [("dates", f"{count(plan.game_dates)} with games, {dates}"), *describe_counts(row)]
    passed_over = {
        "exhibition": clean.get("rows_dropped", 0),
        "duplicate": clean.get("rows_duplicate", 0),
        "invalid": clean.get("rows_invalid", 0),
        "without a player": clean.get("rows_rejected", 0),
        "not finite": clean.get("numbers_not_finite", 0),
    }
    if any(passed_over.values()):
        fields.append(
            ("passed over", ", ".join(f"{count(n)} {name}" for name, n in passed_over.items() if n))
        )
    fields.append(("time", describe_times(row)))
    title = f"Run {row['run_id']} is committed and reconciled"
    if not row["records_expected"]:
        title += ": there were no games in these dates"
    text = format_fields(title, fields)
    commands = suggest_next(row, warehouse)
    return "\n".join([text, *(["", "Next"] if commands else []), *(f"  {c}" for c in commands)])


def describe_times(row: RunRow) -> str:
    times = row["timing_breakdown"]
    names = {
        "check": "dependency_check_time",
        "extract": "extract_time",
        "calculate": "calculate_time",
        "save": "save_time",
    }
    parts = ", ".join(f"{label} {times[name]:.2f}" for label, name in names.items())
    return f"{times['total_runtime']:.2f} s ({parts})"


def describe_import(found: ImportReport, outcome: LoadOutcome) -> str:
    """What an import read, passed over and stored, and why."""
    rejected = sum(found.rejected.values())
    fields = [
        ("files", f"{found.files}, {count(found.rows_in)} rows"),
        *(field for name, kind in found.recognised.items() for field in _describe_kind(name, kind)),
        (
            "stored",
            f"{count(outcome.added)} added, {count(outcome.replaced)} replaced, "
            f"{count(outcome.unchanged)} unchanged, {count(outcome.removed)} removed",
        ),
        *(
            [("kept back", f"{count(outcome.older)} older than the stored row")]
            if outcome.older is not None
            else []
        ),
        ("duplicates", f"{count(found.duplicates)} lost against another row of their key"),
        ("rejected", count(rejected)),
        *(("", f"{count(n)} x {escape_cell(reason)}") for reason, n in found.rejected.most_common(SHOWN)),
    ]
    if len(found.rejected) > SHOWN:
        fields.append(("", f"and {len(found.rejected) - SHOWN} more reasons"))
    if found.non_finite:
        fields.append(("not finite", f"{count(found.non_finite)} NaN or infinite, to be read as NULL"))
    if found.ignored_columns:
        fields += _wrap("ignored columns", sorted(found.ignored_columns))
    if found.absent_columns:
        fields += _wrap("absent columns", sorted(found.absent_columns))
    if found.lookups_made:
        fields.append(("lookups", f"{count(found.lookups_made)} made from the player's name"))
    if found.home_derived:
        fields.append(("is_home", f"{count(found.home_derived)} derived from the game id"))
    if outcome.aliases_written:
        fields += _describe_aliases(outcome.aliases)
    title = f"Imported into {found.table}, input version {outcome.version}"
    return "\n".join(
        [
            format_fields(title, fields),
            *_list_names("One person with several lookups", outcome.several_lookups),
            *_list_names("One lookup with several people", outcome.several_people),
            *(line for title, names in found.oddities.items() for line in _list_names(title, names)),
            *_list_names("Aliases in a circle, which stay as they are", outcome.circles),
        ]
    )


def _describe_kind(name: str, kind: Recognised) -> list[tuple[str, str]]:
    """What was made of the files of one kind."""
    fields = [("recognised", f"{name}: {kind.files} file(s), {count(kind.rows)} rows")]
    if kind.mapped:
        fields += _wrap("mapped", kind.mapped, shown=len(kind.mapped))
    if kind.team_codes:
        fields += _wrap("team codes", _list_counts(kind.team_codes))
    if kind.unknown_teams:
        fields += _wrap("unknown teams", _list_counts(kind.unknown_teams))
        fields.append(("", "kept as they are, see docs/import.md"))
    if kind.without_opponent:
        fields.append(("no opponent", f"{count(kind.without_opponent)} rows: the file does not tell it"))
    if kind.busy_absences:
        fields.append(("absent or not", f"{count(kind.busy_absences)} rows say DNP and have statistics"))
    return fields


def _describe_aliases(aliases: AliasProposal) -> list[tuple[str, str]]:
    known = f", {count(aliases.known)} recorded before" if aliases.known else ""
    fields = [("aliases", f"{count(len(aliases.pairs))} recorded in nba_reference.player_aliases{known}")]
    if aliases.pairs:
        fields += _wrap("", [f"{alias} -> {canonical}" for alias, canonical in aliases.pairs])
    for reason in aliases.refused[:SHOWN]:
        fields += _wrap("not recorded", [reason])
    if len(aliases.refused) > SHOWN:
        fields.append(("", f"and {len(aliases.refused) - SHOWN} more"))
    return fields


def _list_counts(counts: Counter[str]) -> list[str]:
    return [f"{name} {count(n)}" for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _wrap(name: str, items: Sequence[str], shown: int = SHOWN) -> list[tuple[str, str]]:
    """A field whose value is a list, in lines that fit a terminal."""
    # an item stays on one line when it fits: textwrap does not break at a hard space
    whole = [item.replace(" ", "\xa0") if len(item) < VALUE_WIDTH else item for item in items[:shown]]
    more = f" and\xa0{len(items) - shown}\xa0more" if len(items) > shown else ""
    text = ", ".join(escape_cell(item) for item in whole) + more
    lines = textwrap.wrap(text, VALUE_WIDTH, break_long_words=False, break_on_hyphens=False)
    return [("" if number else name, line.replace("\xa0", " ")) for number, line in enumerate(lines)]


def _list_names(title: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = [f"  and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return [f"{title} ({len(names)}):", *(f"  {escape_cell(n)}" for n in names[:SHOWN]), *more]
