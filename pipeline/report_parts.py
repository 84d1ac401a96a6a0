"""Pieces of a report: texts, grids, folded fields, figures as people read them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline.formulas import write_number
from pipeline.report import escape_cell, format_fields

WIDTH = 80
"""No line of a report is longer, but for commands."""


@dataclass(frozen=True)
class Grid:
    """A table of texts; ``numbers`` says which columns are set to the right."""

    names: list[str]
    rows: list[list[str]]
    numbers: list[bool]

    @property
    def columns(self) -> list[list[str]]:
        return [[row[index] for row in self.rows] for index in range(len(self.names))]


Part = str | Grid


def fold_fields(title: str, fields: Iterable[tuple[str, str]]) -> str:
    """``report.format_fields`` of escaped values, long ones folded below each other."""
    found = list(fields)
    width = WIDTH - 4 - max((len(name) for name, _ in found), default=0)
    folded = []
    for name, value in found:
        first, *rest = textwrap.wrap(escape_cell(value), width) or [""]
        folded += [(name, first), *(("", line) for line in rest)]
    return format_fields(title, folded)


def fold_text(text: str) -> str:
    """The text, escaped, in lines of the report's width."""
    return "\n".join(textwrap.wrap(escape_cell(text), WIDTH))


def count_of(number: int, word: str) -> str:
    """``5 rows``, ``1 row``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def spell(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ")


def show_number(value: float | None) -> str:
    return "-" if value is None else write_number(value)


def show_fact(value: object) -> str:
    if isinstance(value, datetime):
        return f"{show_time(value)} UTC"
    return show_number(value) if isinstance(value, float) else show_figure(value)


def show_figure(value: object) -> str:
    """A cell of a box score."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def show_minutes(seconds: int | None) -> str:
    return "-" if seconds is None else f"{seconds // 60}:{seconds % 60:02}"


def show_time(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S}"
