"""What every command does to the terminal: results on stdout, everything else on stderr.

A reader that goes away (``| head``) ends the output, not the command: its exit code still says
what became of the work.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.report import to_json

MOST_FOLDED = 1_000
"""Rows whose cells are folded to the terminal's width, which takes a millisecond and more a row."""


def prepare_streams() -> None:
    """Lets any text through: what the terminal's encoding lacks is spelt out."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """A line for the person, not part of the result."""
    with _tolerating(sys.stderr):
        print(text, file=sys.stderr)


def emit(text: str) -> None:
    """The result."""
    with _tolerating(sys.stdout):
        print(text)


def emit_json(value: Mapping[str, Any]) -> None:
    """The result as the one JSON object of stdout."""
    emit(to_json(value))


def emit_table(names: Sequence[str], columns: Sequence[Sequence[str]], is_number: Sequence[bool]) -> None:
    """The result as a table: one line a row, unless it goes to a terminal that is too narrow.

    ``columns`` holds the texts of each column, without line breaks; numbers are set to the right.
    """
    console = _Console()
    if not console.is_terminal or any(len(column) > MOST_FOLDED for column in columns):
        emit("\n".join(_align(names, columns, is_number)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, right in zip(names, is_number, strict=True):
        table.add_column(Text(name), justify="right" if right else "left")
    for row in zip(*columns, strict=True):
        table.add_row(*(Text(cell) for cell in row))
    with _tolerating(sys.stdout):
        console.print(table)


def _align(
    names: Sequence[str], columns: Sequence[Sequence[str]], is_number: Sequence[bool]
) -> Iterator[str]:
    padded = []
    for name, column, right in zip(names, columns, is_number, strict=True):
        cells = (name, *column)
        widths = [cell_len(cell) for cell in cells]
        widest = max(widths)
        fill = [" " * (widest - width) for width in widths]
        pairs = zip(fill, cells, strict=True)
        padded.append([space + cell if right else cell + space for space, cell in pairs])
    return ("  ".join(row).rstrip() for row in zip(*padded, strict=True))


class _Console(Console):
    """Rich's console, which would end the program when its reader goes away."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


@contextmanager
def _tolerating(stream: TextIO | None) -> Iterator[None]:
    try:
        yield
        if stream is not None:
            stream.flush()
    except OSError as error:
        if stream is not None:
            # the interpreter flushes the stream once more at its end
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


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
