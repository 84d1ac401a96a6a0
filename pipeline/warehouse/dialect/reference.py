"""The table of tested functions as it stands in ``docs/sql.md``: what each name means here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.warehouse.dialect.functions import AS_IS, REFUSED, RENAMED, TESTED

START, END = "<!-- tested functions -->\n", "<!-- end -->\n"

NOTES: Mapping[str, str] = {
    "no rows count 0, not NULL": "COUNTIF",
    "`IGNORE NULLS`, `ORDER BY` and `LIMIT` inside the call; NULL elements stay": "ARRAY_AGG",
    "comma by default; `ORDER BY` and `LIMIT` inside the call": "STRING_AGG",
    "`HAVING MAX` and `HAVING MIN`": "ANY_VALUE",
    "a NULL at the extreme is the answer": "MAX_BY MIN_BY",
    "exact, not estimated": "APPROX_COUNT_DISTINCT APPROX_QUANTILES",
    "NULL for fewer than two pairs": "CORR",
    "as window functions; `RESPECT NULLS` is refused": "PERCENTILE_CONT PERCENTILE_DISC",
    "NULL when any argument is NULL": "GREATEST LEAST CONCAT ARRAY_CONCAT",
    "a zero divisor is an error": "DIV MOD",
    "a zero divisor gives NULL": "SAFE_DIVIDE",
    "a zero divisor gives infinity or NaN": "IEEE_DIVIDE",
    "an overflow gives NULL": "SAFE_ADD SAFE_SUBTRACT SAFE_MULTIPLY SAFE_NEGATE",
    "outside its domain, or beyond FLOAT64, an error": "POW POWER EXP SQRT LN LOG LOG10",
    "FLOAT64 of an INT64": "ROUND TRUNC",
    "the type of the argument": "SIGN",
    "a NULL point gives NULL": "RANGE_BUCKET",
    "characters of a STRING, bytes of BYTES": "LENGTH",
    "bytes of the UTF-8 form": "BYTE_LENGTH",
    "every Unicode blank, not only spaces": "TRIM LTRIM RTRIM",
    "a start left of the text is 1; a negative length is an error": "SUBSTR SUBSTRING",
    "a negative length is an error": "LEFT RIGHT REPEAT LPAD RPAD",
    "two arguments": "INSTR",
    "of STRING": "CONTAINS_SUBSTR MD5 SHA1 SHA256",
    "BigQuery's own delimiters": "INITCAP",
    "NFC": "NORMALIZE",
    "lower case": "TO_HEX",
    "the pattern is a literal; its group, or NULL without a match": "REGEXP_EXTRACT REGEXP_SUBSTR",
    "the pattern is a literal; its group": "REGEXP_EXTRACT_ALL",
    "every match": "REGEXP_REPLACE",
    "comma by default": "SPLIT",
    "a literal format of `%d %i %u %x %X %o %f %F %e %E %g %G %s %t %%`": "FORMAT",
    "UTC, or the zone given": (
        "CURRENT_DATE CURRENT_DATETIME CURRENT_TIME CURRENT_TIMESTAMP DATE DATETIME TIMESTAMP"
    ),
    "`DAYOFWEEK` from 1 for Sunday, `WEEK` from Sunday, `WEEK(MONDAY)`, `MILLISECOND` below the second": (
        "EXTRACT"
    ),
    "the type of its argument; `WEEK` from Sunday, `WEEK(MONDAY)`": (
        "DATE_TRUNC DATETIME_TRUNC TIMESTAMP_TRUNC"
    ),
    "boundaries between, `WEEK` from Sunday; of a TIMESTAMP an error": "DATE_DIFF",
    "boundaries between": "DATETIME_DIFF",
    "whole units that passed": "TIMESTAMP_DIFF",
    "the type of its argument; the end of a month stays inside it": (
        "DATE_ADD DATE_SUB DATETIME_ADD DATETIME_SUB"
    ),
    "parts up to `DAY`": "TIMESTAMP_ADD TIMESTAMP_SUB",
    "a literal format; elements without a counterpart are refused": (
        "FORMAT_DATE FORMAT_DATETIME FORMAT_TIMESTAMP"
    ),
    "a literal format with a year; elements without a counterpart are refused": (
        "PARSE_DATE PARSE_DATETIME PARSE_TIMESTAMP"
    ),
    "rounded down": "UNIX_SECONDS UNIX_MILLIS",
    "from the exact instant": "UNIX_MICROS UNIX_DATE",
    "a TIMESTAMP": "TIMESTAMP_SECONDS TIMESTAMP_MILLIS TIMESTAMP_MICROS",
    "a DATE": "DATE_FROM_UNIX_DATE LAST_DAY",
    "steps of months are counted from the first date": "GENERATE_DATE_ARRAY",
    "INT64 or FLOAT64, with a step of either sign": "GENERATE_ARRAY",
    "NULL unless the value is a scalar": "JSON_VALUE JSON_EXTRACT_SCALAR",
    "the type of its argument": "JSON_QUERY JSON_EXTRACT",
    "NULL unless the value is an array": "JSON_VALUE_ARRAY JSON_QUERY_ARRAY JSON_EXTRACT_ARRAY",
    "a TIMESTAMP or BYTES is refused": "TO_JSON TO_JSON_STRING",
    "of JSON": "INT64 FLOAT64 BOOL LAX_INT64 LAX_FLOAT64 PARSE_JSON",
    "of JSON, a date or a time": "STRING",
    "NULL elements are left out, or replaced by the third argument": "ARRAY_TO_STRING",
    "unnamed fields are `_field_1` and so on": "STRUCT",
    "to INT64 half away from zero, from STRING only whole numbers; to BOOL only true and false; "
    "of FLOAT64 to STRING without `.0`": "CAST SAFE_CAST",
    "with `WITH OFFSET`, from 0; a NULL array has no rows": "UNNEST",
    "of a query; an empty one gives an empty array": "ARRAY",
    "a code point": "CHR",
}
"""What differs from DuckDB's function, or is worth knowing, by what it is said of."""


def format_table() -> str:
    """The table in Markdown: every tested name once, then those that are refused."""
    lines = ["| functions | meaning |", "|---|---|"]
    lines += [f"| {_list_names(names)} | {meaning} |" for names, meaning in _list_meanings()]
    lines += [f"| {_list_names([name])} | refused: {reason} |" for name, reason in sorted(REFUSED.items())]
    return "\n".join(lines) + "\n"


def _list_meanings() -> Iterator[tuple[Iterable[str], str]]:
    noted = {name for names in NOTES.values() for name in names.split()}
    yield sorted(TESTED - noted), "as is"
    for note, names in NOTES.items():
        same = all(name in AS_IS or name in RENAMED for name in names.split())
        yield names.split(), f"{'as is' if same else 'rewritten'}: {note}"


def _list_names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def put_table(text: str) -> str:
    """The document with the present table between its two marks."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"the document lacks the marks {START.strip()} and {END.strip()}")
    return f"{before}{START}{format_table()}{END}{after}"


def renew_document(path: str) -> None:
    """Writes the present table into the document; ``make docs`` calls it."""
    document = Path(path)
    document.write_text(put_table(document.read_text(encoding="utf-8")), encoding="utf-8")
