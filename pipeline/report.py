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
from pipeline.imports.converting import ImportReport, Recognised
from pipeline.options import DEFAULT_WAREHOUSE
from pipeline.season import DateRange
from pipeline.warehouse.base import LoadOutcome

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


def suggest_command(name: str, warehouse: str) -> str:
    """The beginning of a command line on this warehouse, which is left out when it is the default."""
    where = "" if warehouse == DEFAULT_WAREHOUSE else f" --warehouse {shlex.quote(warehouse)}"
    return f"feature-store {name}{where}"


def suggest_backfills(ranges: Iterable[DateRange], warehouse: str) -> list[str]:
    """The commands that compute some ranges of dates."""
    command = suggest_command("backfill", warehouse)
    return [f"{command} --start-date {dates.start} --end-date {dates.last}" for dates in ranges]


def list_commands(commands: Sequence[str]) -> list[str]:
    """The lines of a report that name what to run next."""
    return [*(["", "Next"] if commands else []), *(f"  {command}" for command in commands)]


def suggest_aliases(files: Sequence[str], outcome: LoadOutcome, warehouse: str) -> list[str]:
    """The command that records the aliases that an import found and did not record."""
    if outcome.aliases_written or not outcome.aliases.pairs:
        return []
    return [f"{suggest_command('import', warehouse)} --write-aliases {shlex.join(files)}"]


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
