"""The small languages inside texts: formats of times and of FORMAT, patterns, JSON paths."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TIME_PARTS = {
    **{letter: f"%{letter}" for letter in "AaBbdGHIjMmpSUuVWwYyZ%"},
    "h": "%b",
    "F": "%Y-%m-%d",
    "T": "%H:%M:%S",
    "R": "%H:%M",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
    "n": "\n",
    "t": "\t",
    "E4Y": "%Y",
    "E3S": "%S.%g",
    "E6S": "%S.%f",
}
_ONLY_WRITTEN = ("U", "W", "V", "u", "w", "j", "G", "A", "a", "Z", "E3S")
_TIME_PART = re.compile(r"%(E4Y|E\dS|E\*S|.?)", re.DOTALL)
_PRINTED = re.compile(r"%([-+ 0#]*\d*(?:\.\d+)?)(.?)", re.DOTALL)
_PRINTED_AS = {"d": "BIGINT", "i": "BIGINT", "x": "BIGINT", "X": "BIGINT", "o": "BIGINT", "u": "BIGINT"}
_PRINTED_AS |= dict.fromkeys("fFeEgG", "DOUBLE") | {"s": "VARCHAR", "t": "VARCHAR"}
YEARS = ("%Y", "%y")


def translate_time_format(text: str, *, parsed: bool) -> str:
    """DuckDB's form of a format for writing or, ``parsed``, for reading times.

    Raises ``ValueError``, naming the element that has no counterpart.
    """

    def replace(found: re.Match[str]) -> str:
        element = found[1]
        if element not in _TIME_PARTS or (parsed and element in _ONLY_WRITTEN):
            raise ValueError(f"%{element}")
        return _TIME_PARTS[element]

    return _TIME_PART.sub(replace, text)


def translate_print_format(text: str) -> tuple[str, Sequence[str]]:
    """DuckDB's form of a format of FORMAT, and the type of each argument.

    Raises ``ValueError``, naming the specifier that has no counterpart.
    """
    kinds = []

    def replace(found: re.Match[str]) -> str:
        flags, letter = found.groups()
        if letter == "%" and not flags:
            return "%%"
        if letter not in _PRINTED_AS:
            raise ValueError(found[0])
        kinds.append(_PRINTED_AS[letter])
        return f"%{flags}{ {'i': 'd', 'u': 'd', 't': 's'}.get(letter, letter) }"

    return _PRINTED.sub(replace, text), kinds


def count_groups(pattern: str) -> int:
    """How many capturing groups a regular expression of RE2 has."""
    plain = re.sub(r"\\Q.*?(\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]", "", pattern, flags=re.DOTALL)
    return len(re.findall(r"\((?!\?)|\(\?P?<(?![=!])", plain))


def is_json_path(path: str) -> bool:
    """Whether it names one place from the root on: DuckDB also takes pointers, keys and wildcards."""
    return re.fullmatch(r"""\$(\.[A-Za-z_]\w*|\."[^"*]*"|\[\d+\])*""", path) is not None
