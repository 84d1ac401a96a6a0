"""``templates/metadata.json``: the parameters of the flex template, generated from the job's own flags.

The service checks a launch against it before anything starts. What a value looks like follows from how
its flag is described (``metavar``): a flag of a new kind has to be added to :data:`KINDS`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.flags import FlagParser
from pipeline.options import MODES, add_mode_flags
from pipeline.run_ids import RUN_ID

Parameter = dict[str, Any]

REQUIRED = frozenset({"warehouse"})
"""What has a default for a person at a terminal, and none for a job in the cloud."""

HELP = {"warehouse": "bigquery://PROJECT?location=US&staging=DATASET&temp=gs://BUCKET/PATH, with a folder"}
"""What is said of a flag in another way than to a person at a terminal."""

NUMBER = r"^[0-9]*\.?[0-9]+([eE]-?[0-9]+)?$"

KINDS: dict[str, tuple[str, str]] = {
    "PATH.duckdb|bigquery://PROJECT": ("TEXT", r"^bigquery://[a-z0-9.:-]+/?(\?[^ ]*)?$"),
    "YYYY-MM-DD": ("TEXT", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    "DATASET.TABLE": ("TEXT", r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+$"),
    "LOOKUP": ("TEXT", r"^.+$"),
    "RUN_ID": ("TEXT", f"^{RUN_ID}$"),
    "SECONDS": ("NUMBER", NUMBER),
    "SHARE": ("NUMBER", NUMBER),
    "N": ("NUMBER", r"^[0-9]{1,16}$"),
    "true|false": ("BOOLEAN", "^(true|false)$"),
}
"""What is shown of a flag -> the type of its parameter, and what its values match."""


def build_metadata() -> dict[str, Any]:
    """The template's metadata (``TemplateMetadata`` of the Dataflow API)."""
    return {
        "name": "NBA feature store",
        "description": "Computes point-in-time features for NBA players and commits them to BigQuery, "
        "with a gap on record for every key that gets no row.",
        "parameters": [_describe_mode(), *_list_parameters()],
    }


def write_metadata(path: str) -> None:
    Path(path).write_text(json.dumps(build_metadata(), indent=2) + "\n", encoding="ascii")


def list_flags(mode: str) -> Iterator[argparse.Action]:
    """The job's flags in a mode, as argparse holds them."""
    parser = FlagParser(add_help=False)
    add_mode_flags(parser, mode, local=False)
    yield from parser._actions


def _describe_mode() -> Parameter:
    return {
        "name": "mode",
        "label": "Mode",
        "helpText": "backfill computes a range of dates, daily today's games and the last days again, "
        "gaps the open gaps that can be filled",
        "isOptional": True,
        "paramType": "ENUM",
        "enumOptions": [{"value": mode, "label": mode} for mode in MODES],
        "defaultValue": MODES[0],
    }


def _list_parameters() -> list[Parameter]:
    """Each flag once; its help says in which modes it counts, unless in all of them."""
    found: dict[str, tuple[Parameter, dict[str, str]]] = {}
    for mode in MODES:
        for action in list_flags(mode):
            _, helps = found.setdefault(action.dest, (_describe_flag(action), {}))
            helps[mode] = _expand_help(action)
    return [{**parameter, "helpText": _join_helps(helps)} for parameter, helps in found.values()]


def _describe_flag(action: argparse.Action) -> Parameter:
    parameter: Parameter = {
        "name": action.dest,
        "label": action.dest.replace("_", " ").capitalize(),
        "helpText": "",
        "isOptional": action.dest not in REQUIRED,
    }
    if action.choices is not None:
        options = [{"value": str(choice), "label": str(choice)} for choice in action.choices]
        parameter |= {"paramType": "ENUM", "enumOptions": options}
    else:
        kind, pattern = KINDS[str(action.metavar)]
        parameter |= {"paramType": kind, "regexes": [pattern]}
    if action.default is not None and action.dest not in REQUIRED:
        parameter["defaultValue"] = format_value(action.default)
    return parameter


def format_value(value: object) -> str:
    """A flag's value as a launch passes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _expand_help(action: argparse.Action) -> str:
    return HELP.get(action.dest, action.help or "") % {"default": action.default}


def _join_helps(helps: dict[str, str]) -> str:
    if len(helps) == len(MODES) and len(set(helps.values())) == 1:
        return next(iter(helps.values()))
    return "; ".join(f"{mode}: {text}" for mode, text in helps.items())
