"""Functions whose meaning differs, said once more in DuckDB's SQL.

Each is a temporary macro ``bq_name``, one overload per number of arguments; what an argument's type
decides is decided by ``typeof``, which DuckDB folds when it binds. An argument that is named
twice is computed once: DuckDB finds the common expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

PREFIX = "bq_"
FAILURE = "!"
"""Marks the text of :data:`HELPERS`' ``fail``, so that the error can be told in BigQuery's words."""

_BLANKS = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))

HELPERS: Mapping[str, tuple[str, ...]] = {
    # error() is volatile: the planner could neither move nor TRY an expression that holds it
    "fail": (f"(message) AS CAST('{FAILURE}' || message AS BIGINT)",),
    "nonzero": ("(x) AS CASE WHEN x = 0 THEN cast_to_type(bq_fail('division by zero'), x) ELSE x END",),
    "finite": (
        "(x, name) AS CASE WHEN NOT isfinite(x) THEN bq_fail('floating point error in ' || name) ELSE x END",
    ),
    # the type alone changes: INT64 to FLOAT64, while FLOAT64 and NUMERIC stay
    "fraction": ("(x) AS CASE WHEN FALSE THEN x - ceil(x) ELSE x END",),
    "natural": ("(n, name) AS CASE WHEN n < 0 THEN bq_fail(name || ' of a negative length') ELSE n END",),
    "blanks": (f"() AS '{_BLANKS}'",),
    "divide": ("(a, b) AS a / bq_nonzero(b)",),
    "like": ("(x, pattern) AS x LIKE pattern ESCAPE '\\'",),
    "contains": ("(x, elements) AS x = ANY(COALESCE(elements, []))",),
    # JSON and texts can be subscripted in DuckDB, and mean another place
    "position": (
        "(elements, i) AS CASE WHEN typeof(elements) IN ('JSON', 'VARCHAR') "
        "THEN bq_fail('only an array has a subscript: use JSON_QUERY or SUBSTR') ELSE i END",
    ),
    "offset": (
        "(elements, i) AS elements[CASE WHEN bq_position(elements, i) < 0 OR i >= len(elements) "
        "THEN bq_fail('array index ' || i || ' is out of bounds') ELSE i + 1 END]",
    ),
    "safe_offset": (
        "(elements, i) AS elements[CASE WHEN bq_position(elements, i) < 0 THEN NULL ELSE i + 1 END]",
    ),
    "member": ("(x, path) AS json_extract(x, path)",),
    "to_int64": (
        "(x) AS CASE "
        "WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN CAST(round(TRY_CAST(x AS DOUBLE)) AS BIGINT) "
        "WHEN typeof(x) = 'VARCHAR' AND NOT "
        "regexp_full_match(CAST(x AS VARCHAR), '\\s*[+-]?([0-9]+|0[xX][0-9a-fA-F]+)\\s*') "
        "THEN bq_fail('bad INT64 value: ' || CAST(x AS VARCHAR)) ELSE CAST(x AS BIGINT) END",
    ),
    "to_bool": (
        "(x) AS CASE WHEN typeof(x) = 'VARCHAR' AND lower(CAST(x AS VARCHAR)) NOT IN ('true', 'false') "
        "THEN CAST(bq_fail('bad BOOL value: ' || CAST(x AS VARCHAR)) AS BOOLEAN) ELSE CAST(x AS BOOLEAN) END",
    ),
    "digits": (
        "(x) AS CASE WHEN CAST(printf('%.15g', x) AS DOUBLE) = x "
        "THEN printf('%.15g', x) ELSE printf('%.17g', x) END",
    ),
    "to_string": (
        "(x) AS CASE typeof(x) WHEN 'DOUBLE' THEN bq_digits(TRY_CAST(CAST(x AS VARCHAR) AS DOUBLE)) "
        "WHEN 'BLOB' THEN decode(TRY_CAST(CAST(x AS VARCHAR) AS BLOB)) ELSE CAST(x AS VARCHAR) END",
    ),
    "to_bytes": (
        "(x) AS CASE typeof(x) WHEN 'BLOB' THEN TRY_CAST(CAST(x AS VARCHAR) AS BLOB) "
        "ELSE encode(CAST(x AS VARCHAR)) END",
    ),
    "interval": (
        "(n, part) AS CASE part "
        "WHEN 'YEAR' THEN to_years(CAST(n AS INTEGER)) WHEN 'QUARTER' THEN to_months(CAST(3 * n AS INTEGER)) "
        "WHEN 'MONTH' THEN to_months(CAST(n AS INTEGER)) WHEN 'WEEK' THEN to_days(CAST(7 * n AS INTEGER)) "
        "WHEN 'DAY' THEN to_days(CAST(n AS INTEGER)) WHEN 'HOUR' THEN to_hours(CAST(n AS BIGINT)) "
        "WHEN 'MINUTE' THEN to_minutes(CAST(n AS BIGINT)) WHEN 'SECOND' THEN to_seconds(CAST(n AS DOUBLE)) "
        "WHEN 'MILLISECOND' THEN to_milliseconds(CAST(n AS DOUBLE)) "
        "WHEN 'MICROSECOND' THEN to_microseconds(CAST(n AS BIGINT)) END",
    ),
    "shift": ("(x, step) AS cast_to_type(x + step, x)",),
    # days since the week's first day; weeks begin on `first`, 0 for Sunday to 6 for Saturday
    "weekday": ("(x, first) AS (dayofweek(x) - first + 7) % 7",),
    "week": ("(x, first) AS (dayofyear(x) + 6 - bq_weekday(x, first)) // 7",),
    "trunc_week": (
        "(x, first) AS "
        "cast_to_type(date_trunc('day', x) - to_days(CAST(bq_weekday(x, first) AS INTEGER)), x)",
    ),
    "trunc_date": ("(x, part) AS cast_to_type(date_trunc(part, x), x)",),
    "trunc_isoyear": ("(x) AS cast_to_type(date_trunc('week', make_date(isoyear(x), 1, 4)), x)",),
    "days": (
        "(x, name) AS CASE WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' "
        "THEN DATE '1970-01-01' "
        "+ CAST(bq_fail(name || ' needs a DATE: take DATE(timestamp), or TIMESTAMP_DIFF') AS INTEGER) "
        "ELSE CAST(x AS DATE) END",
    ),
    "micros": ("(x) AS epoch_us(CAST(x AS TIMESTAMPTZ))",),
    "elapsed": ("(a, b, unit) AS (bq_micros(a) - bq_micros(b)) // unit",),
    "floored": ("(x, unit) AS (x - (x % unit + unit) % unit) // unit",),
    "scalar": (
        "(x, path) AS CASE WHEN json_type(x, path) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL "
        "ELSE json_extract_string(x, path) END",
    ),
    "plain": (
        "(x, name) AS CASE WHEN typeof(x) LIKE '%TIMESTAMP%' OR typeof(x) LIKE '%BLOB%' "
        "THEN bq_fail(name || ' of a TIMESTAMP or BYTES differs from BigQuery: CAST to STRING first') "
        "ELSE to_json(x) END",
    ),
    "dates": (
        "(a, b, n, part, bound) AS list_filter(list_transform(generate_series(0, "
        "CASE WHEN n = 0 THEN bq_fail('GENERATE_DATE_ARRAY with a step of 0') "
        "ELSE greatest(bound // n, -1) + 1 END), "
        "lambda k: CAST(CAST(a AS DATE) + bq_interval(k * n, part) AS DATE)), "
        "lambda d: CASE WHEN n > 0 THEN d <= CAST(b AS DATE) ELSE d >= CAST(b AS DATE) END)",
    ),
}

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    # numbers
    "SIGN": ("(x) AS cast_to_type(sign(x), x)",),
    "ROUND": ("(x) AS round(bq_fraction(x))", "(x, n) AS round(bq_fraction(x), CAST(n AS INTEGER))"),
    "TRUNC": ("(x) AS trunc(bq_fraction(x))", "(x, n) AS trunc(bq_fraction(x), CAST(n AS INTEGER))"),
    "DIV": ("(a, b) AS a // bq_nonzero(b)",),
    "MOD": ("(a, b) AS a % bq_nonzero(b)",),
    "SAFE_DIVIDE": ("(a, b) AS a / NULLIF(b, 0)",),
    "IEEE_DIVIDE": ("(a, b) AS CAST(a AS DOUBLE) / CAST(b AS DOUBLE)",),
    "SAFE_ADD": ("(a, b) AS TRY(a + b)",),
    "SAFE_SUBTRACT": ("(a, b) AS TRY(a - b)",),
    "SAFE_MULTIPLY": ("(a, b) AS TRY(a * b)",),
    "SAFE_NEGATE": ("(x) AS TRY(-x)",),
    "POW": ("(x, y) AS bq_finite(pow(x, y), 'POW')",),
    "POWER": ("(x, y) AS bq_finite(pow(x, y), 'POWER')",),
    "EXP": ("(x) AS bq_finite(exp(x), 'EXP')",),
    "SQRT": ("(x) AS bq_finite(sqrt(x), 'SQRT')",),
    "LN": ("(x) AS bq_finite(ln(x), 'LN')",),
    "LOG10": ("(x) AS bq_finite(log10(x), 'LOG10')",),
    "LOG": (
        "(x) AS bq_finite(ln(x), 'LOG')",
        "(x, base) AS bq_finite(ln(x) / bq_nonzero(ln(base)), 'LOG')",
    ),
    "RANGE_BUCKET": (
        "(x, bounds) AS CASE WHEN x IS NULL THEN NULL ELSE len(list_filter(bounds, lambda b: b <= x)) END",
    ),
    # texts
    "LENGTH": (
        "(x) AS CASE WHEN typeof(x) = 'BLOB' THEN octet_length(CAST(x AS BLOB)) "
        "ELSE length(CAST(x AS VARCHAR)) END",
    ),
    "BYTE_LENGTH": ("(x) AS octet_length(encode(CAST(x AS VARCHAR)))",),
    "TRIM": ("(x) AS trim(x, bq_blanks())", "(x, characters) AS trim(x, characters)"),
    "LTRIM": ("(x) AS ltrim(x, bq_blanks())", "(x, characters) AS ltrim(x, characters)"),
    "RTRIM": ("(x) AS rtrim(x, bq_blanks())", "(x, characters) AS rtrim(x, characters)"),
    "SUBSTR": (
        "(x, start) AS substring(x, CASE WHEN start < -length(x) OR start = 0 THEN 1 ELSE start END)",
        "(x, start, n) AS substring(x, CASE WHEN start < -length(x) OR start = 0 THEN 1 ELSE start END, "
        "bq_natural(n, 'SUBSTR'))",
    ),
    "LEFT": ("(x, n) AS left(x, bq_natural(n, 'LEFT'))",),
    "RIGHT": ("(x, n) AS right(x, bq_natural(n, 'RIGHT'))",),
    "REPEAT": ("(x, n) AS repeat(x, bq_natural(n, 'REPEAT'))",),
    "LPAD": (
        "(x, n) AS lpad(x, CAST(bq_natural(n, 'LPAD') AS INTEGER), ' ')",
        "(x, n, pattern) AS lpad(x, CAST(bq_natural(n, 'LPAD') AS INTEGER), pattern)",
    ),
    "RPAD": (
        "(x, n) AS rpad(x, CAST(bq_natural(n, 'RPAD') AS INTEGER), ' ')",
        "(x, n, pattern) AS rpad(x, CAST(bq_natural(n, 'RPAD') AS INTEGER), pattern)",
    ),
    "CHR": ("(n) AS chr(CAST(n AS INTEGER))",),
    "INSTR": ("(x, part) AS instr(x, part)",),
    "CONTAINS_SUBSTR": ("(x, part) AS contains(lower(nfc_normalize(x)), lower(nfc_normalize(part)))",),
    "REGEXP_REPLACE": ("(x, pattern, new) AS regexp_replace(x, pattern, new, 'g')",),
    "SPLIT": ("(x) AS string_split(x, ',')", "(x, delimiter) AS string_split(x, delimiter)"),
    "INITCAP": (
        "(x) AS array_to_string(list_transform(regexp_extract_all(x, "
        "'[^\\s\\[\\](){}/|<>!?@\"^#$&~_,.:;*%+-]+|[\\s\\[\\](){}/|<>!?@\"^#$&~_,.:;*%+-]'), "
        "lambda word: upper(word[1]) || lower(word[2:])), '')",
    ),
    "NORMALIZE": ("(x) AS nfc_normalize(x)",),
    "MD5": ("(x) AS unhex(md5(x))",),
    "SHA1": ("(x) AS unhex(sha1(x))",),
    "SHA256": ("(x) AS unhex(sha256(x))",),
    "TO_HEX": ("(x) AS lower(hex(CAST(x AS BLOB)))",),
    # dates and times
    "CURRENT_DATE": (
        "() AS CAST(timezone('UTC', now()) AS DATE)",
        "(zone) AS CAST(timezone(zone, now()) AS DATE)",
    ),
    "CURRENT_DATETIME": ("() AS timezone('UTC', now())", "(zone) AS timezone(zone, now())"),
    "CURRENT_TIME": (
        "() AS CAST(timezone('UTC', now()) AS TIME)",
        "(zone) AS CAST(timezone(zone, now()) AS TIME)",
    ),
    "CURRENT_TIMESTAMP": ("() AS now()",),
    "DATE": (
        "(x) AS CAST(x AS DATE)",
        "(x, zone) AS CAST(timezone(zone, CAST(x AS TIMESTAMPTZ)) AS DATE)",
        "(y, m, d) AS make_date(y, m, d)",
    ),
    "DATETIME": (
        "(x) AS CAST(x AS TIMESTAMP)",
        "(x, zone) AS timezone(zone, CAST(x AS TIMESTAMPTZ))",
        "(y, m, d, h, minute, s) AS make_timestamp(y, m, d, h, minute, CAST(s AS DOUBLE))",
    ),
    "TIMESTAMP": (
        "(x) AS CAST(x AS TIMESTAMPTZ)",
        "(x, zone) AS timezone(zone, CAST(x AS TIMESTAMP))",
    ),
    "UNIX_DATE": ("(x) AS date_diff('day', DATE '1970-01-01', CAST(x AS DATE))",),
    "UNIX_SECONDS": ("(x) AS bq_floored(bq_micros(x), 1000000)",),
    "UNIX_MILLIS": ("(x) AS bq_floored(bq_micros(x), 1000)",),
    "UNIX_MICROS": ("(x) AS bq_micros(x)",),
    "TIMESTAMP_SECONDS": ("(n) AS timezone('UTC', make_timestamp(n * 1000000))",),
    "TIMESTAMP_MILLIS": ("(n) AS timezone('UTC', make_timestamp(n * 1000))",),
    "TIMESTAMP_MICROS": ("(n) AS timezone('UTC', make_timestamp(n))",),
    "DATE_FROM_UNIX_DATE": ("(n) AS DATE '1970-01-01' + CAST(n AS INTEGER)",),
    # JSON
    "TO_JSON_STRING": ("(x) AS CAST(bq_plain(x, 'TO_JSON_STRING') AS VARCHAR)",),
    "TO_JSON": ("(x) AS CAST(bq_plain(x, 'TO_JSON') AS JSON)",),
    "PARSE_JSON": ("(x) AS CAST(x AS JSON)",),
    "INT64": ("(x) AS bq_to_int64(bq_scalar(CAST(x AS JSON), '$'))",),
    "FLOAT64": ("(x) AS CAST(bq_scalar(CAST(x AS JSON), '$') AS DOUBLE)",),
    "BOOL": ("(x) AS bq_to_bool(bq_scalar(CAST(x AS JSON), '$'))",),
    "LAX_INT64": ("(x) AS CAST(round(TRY_CAST(bq_scalar(x, '$') AS DOUBLE)) AS BIGINT)",),
    "LAX_FLOAT64": ("(x) AS TRY_CAST(bq_scalar(x, '$') AS DOUBLE)",),
    "STRING": (
        "(x) AS CASE WHEN typeof(x) = 'JSON' THEN bq_scalar(CAST(x AS JSON), '$') "
        "ELSE CAST(x AS VARCHAR) END",
    ),
    # arrays
    "ARRAY_TO_STRING": (
        "(elements, delimiter) AS array_to_string(elements, delimiter)",
        "(elements, delimiter, missing) AS "
        "array_to_string(list_transform(elements, lambda e: COALESCE(e, missing)), delimiter)",
    ),
    "GENERATE_ARRAY": (
        "(a, b) AS generate_series(a, b)",
        "(a, b, step) AS list_transform(generate_series(0, "
        "CAST(floor((b - a) / bq_nonzero(step)) AS BIGINT)), lambda k: a + k * step)",
    ),
}


_EVERY = {f"{PREFIX}{name.lower()}": texts for name, texts in (*HELPERS.items(), *FUNCTIONS.items())}
_NAME = re.compile(rf"\b{PREFIX}\w+")


def list_needed(called: Iterable[str]) -> Iterator[str]:
    """The statements that make the macros among the called names, each after those it names itself."""
    needed: set[str] = set()
    pending = [name for name in called if name in _EVERY]
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending += [inner for text in _EVERY[name] for inner in _NAME.findall(text)]
    for name, overloads in _EVERY.items():
        if name in needed:
            yield f"CREATE TEMP MACRO {name}{', '.join(overloads)}"
