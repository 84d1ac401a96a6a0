"""What every command does to the terminal: results on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import to_json


def say(text: str) -> None:
    """A line for the person, not part of the result."""
    print(text, file=sys.stderr)


def emit(text: str) -> None:
    """The result."""
    print(text)


def emit_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    print(to_json(value))


def add_command(
    commands: Any, name: str, run: Any, help_text: str, example: str, *, beam_flags: bool = False
) -> argparse.ArgumentParser:
    """A subcommand with its help, an example, and the flags that every command has."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text, epilog=f"example:\n  {example}"
    )
    parser.set_defaults(run=run, takes_beam_flags=beam_flags)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and Beam's log")
    return parser
