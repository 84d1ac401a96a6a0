"""How a flag is read: the parser, and the types of its values. Which flags there are is in ``options``."""

from __future__ import annotations

import argparse
import re
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from pipeline.errors import BadInput, UsageError
from pipeline.season import parse_date
from pipeline.warehouse.bigquery_address import BIGQUERY, parse_address


class FlagParser(argparse.ArgumentParser):
    """argparse without abbreviations, which raises instead of leaving the program."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nSee `{self.prog} --help`.")


def day(text: str) -> date:
    """An argparse type: a date."""
    try:
        return parse_date(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def local_path(text: str) -> str:
    """An argparse type: the path of a DuckDB file, or of one to be made.

    DuckDB keeps a database without a name in memory, where it ends with the command, reaches for
    other servers at names such as ``md:``, and opens a Parquet or CSV file as a database in memory.
    """
    if not text or "\0" in text or re.match(r":|[A-Za-z][A-Za-z0-9+.-]*:", text):
        raise argparse.ArgumentTypeError(
            f"expected the path of a local file, found {text[:40]!r}; a name with a colon needs ./ before it"
        )
    try:
        with Path(text).open("rb") as file:
            head = file.read(12)
    except OSError:
        # there is none yet, or who opens it will say why it cannot be read
        return text
    if head[8:] != b"DUCK":
        raise BadInput(f"the warehouse {text} is no DuckDB file: name another one with --warehouse")
    return text


def warehouse_address(text: str) -> str:
    """An argparse type: a local path, or the address of a BigQuery project."""
    if not text.startswith(BIGQUERY):
        return local_path(text)
    try:
        parse_address(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def whole_number(low: int, high: int) -> Any:
    """An argparse type: a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {low} to {high}, found {text[:40]!r}"
            )
        return int(text)

    return parse


def share(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    return _number(text, 1.0)


def percent(text: str) -> Fraction:
    """An argparse type: a number from 0 to 100, exact, with or without decimals."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text) or Fraction(text) > 100:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 100, found {text[:40]!r}")
    return Fraction(text)


def amount(text: str) -> float:
    """An argparse type: a sum of money."""
    return _number(text, 1e6)


def seconds(text: str) -> float:
    """An argparse type: seconds, at most a day."""
    return _number(text, 86_400.0)


def _number(text: str, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= high:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {high:g}, found {text[:40]!r}")
    return value


def truth(text: str) -> bool:
    """An argparse type: ``true`` or ``false``, as a template passes them."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, found {text[:40]!r}")
    return text.lower() == "true"
