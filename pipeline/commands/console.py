"""What every command does to the terminal: results on stdout, everything else on stderr.

A reader that goes away (``| head``) ends the output, not the command: its exit code still says
what became of the work.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

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


def emit_report(text: str) -> None:
    """The result as a report: titles and ``name  value`` lines, styled and wrapped for a terminal."""
    _print_styled(text, sys.stdout)


def say_report(text: str) -> None:
    """A report that is not part of the result."""
    _print_styled(text, sys.stderr)


def say_error(text: str) -> None:
    """Why a command ended, after the word ``error``."""
    _print_styled(f"error: {text}", sys.stderr, _ErrorHighlighter())


def _print_styled(text: str, stream: TextIO, style: RegexHighlighter | None = None) -> None:
    console = _Console(file=stream, theme=_THEME, highlight=False)
    with _tolerating(stream):
        if console.is_terminal:
            wrapped = wrap_report(text, console.width)
            console.print((style or _ReportHighlighter())(wrapped), soft_wrap=True)
        else:
            print(text, file=stream)


class _ErrorHighlighter(RegexHighlighter):
    base_style = "report."
    highlights: ClassVar[list[str]] = [r"^(?P<bad>error:)"]


class _ReportHighlighter(RegexHighlighter):
    """Titles, names of fields, how things ended, and commands to copy."""

    base_style = "report."
    highlights: ClassVar[list[str]] = [
        r"(?m)^(?P<title>\S.*)$",
        r"(?m)^  (?P<name>\S.*?)  ",
        r"(?P<good>is committed and reconciled|: same)",
        r"(?P<bad>DIFFERS)",
        r"(?m)^  (?P<command>(?:feature-store|python -m pipeline) .*)$",
    ]


_THEME = Theme(
    {
        "report.title": "bold",
        "report.bad": "bold red",
        "report.good": "green",
        "report.name": "dim",
        "report.command": "cyan",
    }
)
_FIELD = re.compile(r"( *)(?:\S+(?: \S+)*  +)?")
_COMMAND = re.compile(r" *(?:feature-store|python -m pipeline) ")


def wrap_report(text: str, width: int) -> str:
    """The report in lines of at most ``width``, values below values; commands stay in one line."""
    return "\n".join(_wrap_line(line, width) for line in text.split("\n"))


def _wrap_line(line: str, width: int) -> str:
    if cell_len(line) <= width or _COMMAND.match(line):
        return line
    field = _FIELD.match(line)
    indent = field.end() if field else 0
    if indent > width // 2:
        indent = len(field[1]) if field else 0
    return textwrap.fill(
        line, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def emit_json(value: Mapping[str, Any]) -> None:
    """The result as the one JSON object of stdout."""
    emit(to_json(value))


def emit_table(
    names: Sequence[str],
    columns: Sequence[Sequence[str]],
    is_number: Sequence[bool],
    alarming: Collection[str] = (),
) -> None:
    """The result as a table: one line a row, unless it goes to a terminal that is too narrow.

    ``columns`` holds the texts of each column, without line breaks; numbers are set to the right. In
    the columns named ``alarming`` whatever is not 0 stands in red on a terminal.
    """
    console = _Console(theme=_THEME)
    if not console.is_terminal or any(len(column) > MOST_FOLDED for column in columns):
        emit("\n".join(_align(names, columns, is_number)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    widths = fit_widths(names, columns, is_number, console.width)
    for name, right, width in zip(names, is_number, widths, strict=True):
        justify: Literal["right", "left"] = "right" if right else "left"
        table.add_column(Text(name), justify=justify, overflow="fold", width=width)
    for row in zip(*columns, strict=True):
        table.add_row(*(_style_cell(cell, name in alarming) for name, cell in zip(names, row, strict=True)))
    with _tolerating(sys.stdout):
        console.print(table)


def _style_cell(cell: str, is_alarming: bool) -> Text:
    return Text(cell, style="report.bad" if is_alarming and cell not in ("", "0") else "")


def fit_widths(
    names: Sequence[str], columns: Sequence[Sequence[str]], is_number: Sequence[bool], available: int
) -> list[int | None]:
    """The width of each column, folded between words where it must be and numbers never.

    None for all of them where even that is too wide.
    """
    widths, least = [], []
    for name, column, right in zip(names, columns, is_number, strict=True):
        cells = (name, *column)
        widths.append(max(cell_len(cell) for cell in cells))
        words = cells if right else [word for cell in cells for word in cell.split(" ")]
        least.append(max(cell_len(word) for word in words))
    excess = sum(widths) + 2 * (len(widths) - 1) - available
    for index in sorted(range(len(widths)), key=lambda index: least[index] - widths[index]):
        cut = max(0, min(excess, widths[index] - least[index]))
        widths[index] -= cut
        excess -= cut
    return [*widths] if excess <= 0 else [None] * len(widths)


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
