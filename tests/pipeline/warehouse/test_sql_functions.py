"""Every function of the table of tested functions, by what BigQuery documents of it.

A row is an expression and its value: the examples of BigQuery's reference, and the cases in which
DuckDB's function of that name means something else.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hamcrest import assert_that, empty

from pipeline.errors import BadInput
from pipeline.warehouse.dialect.functions import TESTED
from pipeline.warehouse.duckdb_query import answer_query

INF, NAN = float("inf"), float("nan")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo("UTC"))


def over(values: str, call: str, clauses: str = "") -> str:
    """The call over rows of one column ``x``, or of two, ``x`` and ``y``."""
    return f"(SELECT {call} FROM UNNEST([{values}]) AS s {clauses})"


class Fails(str):
    """The error that the statement ends with."""


PAIRS = "STRUCT(1 AS x, 10 AS y), STRUCT(2 AS x, 30 AS y), STRUCT(3 AS x, 20 AS y), STRUCT(NULL AS x, 5 AS y)"
NONE = "FROM UNNEST(GENERATE_ARRAY(1, 0)) AS x"

AGGREGATES: list[tuple[str, Any]] = [
    (f"(SELECT COUNTIF(x > 1) {NONE})", 0),
    (over("1, 2, 3, NULL", "COUNTIF(s > 1)"), 2),
    (over("1, 2, 3", "COUNTIF(DISTINCT s > 1)"), 1),
    (over("1, NULL, 1", "COUNT(s)"), 2),
    (over("1, NULL, 1", "COUNT(*)"), 3),
    (over("1, NULL, 1", "COUNT(DISTINCT s)"), 1),
    (over("1, 2, NULL", "SUM(s)"), 3),
    (f"(SELECT SUM(x) {NONE})", None),
    (over("1.5, 2.5", "SUM(s)"), 4.0),
    (over("9223372036854775807, 1", "SUM(s)"), Fails("INT64 overflow")),
    (over("1, 2, NULL", "AVG(s)"), 1.5),
    (over("'b', 'a', NULL", "MIN(s)"), "a"),
    (over("3, 1, NULL", "MAX(s)"), 3),
    (over("NULL, 7", "ANY_VALUE(s)"), 7),
    (over(PAIRS, "ANY_VALUE(s.x HAVING MAX s.y)"), 2),
    (over(PAIRS, "ANY_VALUE(s.x HAVING MIN s.y)"), None),
    (over(PAIRS, "MAX_BY(s.x, s.y)"), 2),
    (over(PAIRS, "MIN_BY(s.x, s.y)"), None),
    (over("TRUE, NULL, FALSE", "LOGICAL_AND(s)"), False),
    (over("TRUE, NULL, FALSE", "LOGICAL_OR(s)"), True),
    (over("5, 3", "BIT_AND(s)"), 1),
    (over("5, 3", "BIT_OR(s)"), 7),
    (over("5, 3", "BIT_XOR(s)"), 6),
    (over("1, 2, 2, NULL", "APPROX_COUNT_DISTINCT(s)"), 2),
    (over("1, 1, 1, 4, 5, 6, 7, 8, 9, 10", "APPROX_QUANTILES(s, 2)"), [1, 5, 10]),
    (over("3, 1, NULL, 2", "APPROX_QUANTILES(s, 2)[OFFSET(1)]"), 2),
    (over("3, 1, 2", "ARRAY_AGG(s ORDER BY s DESC LIMIT 2)"), [3, 2]),
    (over("3, NULL, 2", "ARRAY_AGG(s IGNORE NULLS ORDER BY s)"), [2, 3]),
    (over("3, NULL, 2", "ARRAY_AGG(s ORDER BY s)"), [None, 2, 3]),
    (over("3, 2, 3", "ARRAY_AGG(DISTINCT s ORDER BY s)"), [2, 3]),
    (f"(SELECT ARRAY_AGG(x) {NONE})", None),
    (over("'b', NULL, 'a'", "STRING_AGG(s)"), "b,a"),
    (over("'b', NULL, 'a'", "STRING_AGG(s, ' & ' ORDER BY s)"), "a & b"),
    (over("'b', 'c', 'a'", "STRING_AGG(s, '|' ORDER BY s LIMIT 2)"), "a|b"),
    (over("'b', 'a', 'a'", "STRING_AGG(DISTINCT s, '|' ORDER BY s)"), "a|b"),
    (over("1, 2, 3, 4, 5", "STDDEV(s)"), 1.5811388300841898),
    (over("1, 2, 3, 4, 5", "STDDEV_SAMP(s)"), 1.5811388300841898),
    (over("1", "STDDEV_SAMP(s)"), None),
    (over("1", "STDDEV_POP(s)"), 0.0),
    (over("1, 2, 3, 4, 5", "VARIANCE(s)"), 2.5),
    (over("1, 2, 3, 4, 5", "VAR_SAMP(s)"), 2.5),
    (over("1, 2, 3, 4, 5", "VAR_POP(s)"), 2.0),
    (over("1, 2, 3", "COVAR_POP(s, 2 * s)"), 1.3333333333333333),
    (over("1, 2, 3", "COVAR_SAMP(s, 2 * s)"), 2.0),
    (over("1", "COVAR_SAMP(s, s)"), None),
    (over("1, 2, 3", "CORR(s, s)"), 1.0),
    (over("1", "CORR(s, s)"), None),
    ("(SELECT MAX(g) FROM (SELECT GROUPING(s) AS g FROM UNNEST([1]) AS s GROUP BY ROLLUP(s)))", 1),
]

NUMBERED = "FROM UNNEST([1, 2, 2, 4]) AS x WITH OFFSET AS n"
LAST_ROW = "QUALIFY ROW_NUMBER() OVER (ORDER BY x, n) = 4"
WINDOWS: list[tuple[str, Any]] = [
    (f"(SELECT RANK() OVER (ORDER BY x) {NUMBERED} QUALIFY ROW_NUMBER() OVER (ORDER BY x, n) = 3)", 2),
    (f"(SELECT DENSE_RANK() OVER (ORDER BY x) {NUMBERED} {LAST_ROW})", 3),
    (f"(SELECT PERCENT_RANK() OVER (ORDER BY x) {NUMBERED} {LAST_ROW})", 1.0),
    (f"(SELECT CUME_DIST() OVER (ORDER BY x DESC) {NUMBERED} {LAST_ROW})", 0.25),
    (f"(SELECT NTILE(2) OVER (ORDER BY x, n) {NUMBERED} {LAST_ROW})", 2),
    (f"(SELECT LAG(x) OVER (ORDER BY n) {NUMBERED} {LAST_ROW})", 2),
    (f"(SELECT LAG(x, 7, -1) OVER (ORDER BY n) {NUMBERED} {LAST_ROW})", -1),
    (f"(SELECT LAG(NULLIF(x, 2) IGNORE NULLS) OVER (ORDER BY n) {NUMBERED} {LAST_ROW})", 1),
    (f"(SELECT LEAD(x) OVER (ORDER BY n) {NUMBERED} {LAST_ROW})", None),
    (f"(SELECT FIRST_VALUE(x) OVER (ORDER BY n DESC) {NUMBERED} {LAST_ROW})", 4),
    (f"(SELECT LAST_VALUE(x) OVER (ORDER BY n) {NUMBERED} QUALIFY ROW_NUMBER() OVER (ORDER BY n) = 1)", 1),
    (f"(SELECT NTH_VALUE(x, 2) OVER (ORDER BY n) {NUMBERED} {LAST_ROW})", 2),
    ("(SELECT PERCENTILE_CONT(x, 0.5) OVER () FROM UNNEST([0, 3, NULL, 1, 2]) AS x LIMIT 1)", 1.5),
    ("(SELECT PERCENTILE_DISC(x, 0.5) OVER () FROM UNNEST(['c', NULL, 'b', 'a']) AS x LIMIT 1)", "b"),
    (
        f"(SELECT SUM(x) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) {NUMBERED} {LAST_ROW})",
        6,
    ),
    (f"(SELECT COUNTIF(x > 1) OVER () {NUMBERED} LIMIT 1)", 3),
    (f"(SELECT CORR(x, n) OVER (PARTITION BY x) {NUMBERED} {LAST_ROW})", None),
]

NUMBERS: list[tuple[str, Any]] = [
    ("1 / 2", 0.5),
    ("1 / 0", Fails("division by zero")),
    ("1.0 / 0", Fails("division by zero")),
    ("1.1 + 2.2", 3.3000000000000003),
    ("2147483647 + 1", 2147483648),
    ("9223372036854775807 + 1", Fails("verflow")),
    ("100000000000000000000.5", 1e20),
    (".5 + 1.", 1.5),
    ("1e-3", 0.001),
    ("-9223372036854775808", -9223372036854775808),
    ("0x1F", 31),
    ("ABS(-5)", 5),
    ("SIGN(-2.5)", -1.0),
    ("SIGN(-3)", -1),
    ("ROUND(2.5)", 3.0),
    ("ROUND(-2.5)", -3.0),
    ("ROUND(123.7, -1)", 120.0),
    ("ROUND(5)", 5.0),
    ("ROUND(1250, -2)", 1300.0),
    ("TRUNC(7)", 7.0),
    ("ROUND(1.235, 2)", 1.24),
    ("ROUND(NUMERIC '2.675', 2)", Decimal("2.68")),
    ("TRUNC(-2.8)", -2.0),
    ("TRUNC(2.578, 2)", 2.57),
    ("CEIL(2.1)", 3.0),
    ("CEILING(-2.1)", -2.0),
    ("FLOOR(-2.1)", -3.0),
    ("DIV(7, -2)", -3),
    ("DIV(7, 0)", Fails("division by zero")),
    ("MOD(-7, 3)", -1),
    ("MOD(7, 0)", Fails("division by zero")),
    ("SAFE_DIVIDE(20, 4)", 5.0),
    ("SAFE_DIVIDE(1, 0)", None),
    ("IEEE_DIVIDE(1, 0)", INF),
    ("IS_NAN(IEEE_DIVIDE(0, 0))", True),
    ("IS_INF(IEEE_DIVIDE(-1, 0))", True),
    ("SAFE_ADD(9223372036854775807, 1)", None),
    ("SAFE_SUBTRACT(5, 4)", 1),
    ("SAFE_MULTIPLY(9223372036854775807, 2)", None),
    ("SAFE_NEGATE(1)", -1),
    ("POW(2, 3)", 8.0),
    ("POWER(0, -1)", Fails("floating point error in POWER")),
    ("SQRT(16)", 4.0),
    ("SQRT(-1)", Fails("SQRT")),
    ("EXP(0)", 1.0),
    ("EXP(1000)", Fails("floating point error in EXP")),
    ("LN(1)", 0.0),
    ("LN(0)", Fails("LN|logarithm")),
    ("LOG(8, 2)", 3.0),
    ("LOG(1)", 0.0),
    ("LOG10(1000)", 3.0),
    ("SIN(0)", 0.0),
    ("COS(0)", 1.0),
    ("TAN(0)", 0.0),
    ("ASIN(0)", 0.0),
    ("ACOS(1)", 0.0),
    ("ATAN(0)", 0.0),
    ("ATAN2(0, 1)", 0.0),
    ("BIT_COUNT(7)", 3),
    ("GREATEST(3, 5, 1)", 5),
    ("GREATEST(3, NULL)", None),
    ("LEAST(3, 5, 1)", 1),
    ("LEAST(3, NULL)", None),
    ("RANGE_BUCKET(20, [0, 10, 20, 30, 40])", 3),
    ("RANGE_BUCKET(-1, [0, 10])", 0),
    ("RAND() >= 0 AND RAND() < 1", True),
    ("IF(NULL, 1, 2)", 2),
    ("IFNULL(NULL, 3)", 3),
    ("COALESCE(NULL, NULL, 4)", 4),
    ("NULLIF(5, 5)", None),
]

CASTS: list[tuple[str, Any]] = [
    ("CAST(2.5 AS INT64)", 3),
    ("CAST(-2.5 AS INT64)", -3),
    ("CAST(1.4 AS INT64)", 1),
    ("CAST('12' AS INT64)", 12),
    ("CAST('0x1F' AS INT64)", 31),
    ("CAST('1.5' AS INT64)", Fails("bad INT64 value: 1.5")),
    ("CAST('abc' AS INT64)", Fails("bad INT64 value: abc")),
    ("CAST(TRUE AS INT64)", 1),
    ("SAFE_CAST('abc' AS INT64)", None),
    ("SAFE_CAST('7' AS INT64)", 7),
    ("SAFE_CAST('2024-02-30' AS DATE)", None),
    ("CAST('True' AS BOOL)", True),
    ("CAST('t' AS BOOL)", Fails("bad BOOL value: t")),
    ("CAST(0 AS BOOL)", False),
    ("CAST(FALSE AS STRING)", "false"),
    ("CAST(1.0 AS STRING)", "1"),
    ("CAST(0.1 AS STRING)", "0.1"),
    ("CAST(0.1 + 0.2 AS STRING)", "0.30000000000000004"),
    ("CAST(1e20 AS STRING)", "1e+20"),
    ("CAST(b'abc' AS STRING)", "abc"),
    ("CAST('é' AS BYTES)", "é".encode()),
    ("CAST(7 AS STRING)", "7"),
    ("CAST(DATE '2024-01-02' AS STRING)", "2024-01-02"),
    ("CAST(TIMESTAMP '2024-01-02 03:04:05 UTC' AS STRING)", "2024-01-02 03:04:05+00"),
    ("CAST('1.5' AS FLOAT64)", 1.5),
    ("CAST(1.25 AS NUMERIC)", Decimal("1.250000000")),
    ("CAST(TIMESTAMP '2024-01-01 23:30:00 UTC' AS DATE)", date(2024, 1, 1)),
    ("CAST([1, 2] AS ARRAY<FLOAT64>)", [1.0, 2.0]),
]

TEXTS: list[tuple[str, Any]] = [
    ("CONCAT('a', 'b', 'c')", "abc"),
    ("CONCAT('a', NULL)", None),
    ("'a' || NULL", None),
    ("LENGTH('é\\n')", 2),
    ("LENGTH(b'abc')", 3),
    ("CHAR_LENGTH('é')", 1),
    ("CHARACTER_LENGTH('é')", 1),
    ("BYTE_LENGTH('é')", 2),
    ("UPPER('foo')", "FOO"),
    ("LOWER('FOO')", "foo"),
    ("TRIM('\\n apple\\t')", "apple"),
    ("TRIM('***a***', '*')", "a"),
    ("LTRIM('\\n a ')", "a "),
    ("RTRIM(' a\\n')", " a"),
    ("SUBSTR('apple', 2)", "pple"),
    ("SUBSTR('apple', 2, 2)", "pp"),
    ("SUBSTR('apple', -2)", "le"),
    ("SUBSTR('apple', 0, 2)", "ap"),
    ("SUBSTR('apple', -10, 2)", "ap"),
    ("SUBSTR('apple', 1, -1)", Fails("SUBSTR of a negative length")),
    ("SUBSTRING('apple', 1, 3)", "app"),
    ("LEFT('apple', 3)", "app"),
    ("LEFT('apple', -3)", Fails("LEFT of a negative length")),
    ("RIGHT('apple', 3)", "ple"),
    ("REPEAT('ab', 3)", "ababab"),
    ("REPEAT('ab', -3)", Fails("negative length")),
    ("LPAD('abc', 5)", "  abc"),
    ("LPAD('abc', 5, '*')", "**abc"),
    ("LPAD('abc', 2)", "ab"),
    ("RPAD('abc', 5, '*')", "abc**"),
    ("REVERSE('abc')", "cba"),
    ("REPLACE('cherry pie', 'pie', 'cobbler')", "cherry cobbler"),
    ("REPLACE('abc', '', 'x')", "abc"),
    ("STRPOS('foobar', 'bar')", 4),
    ("STRPOS('foobar', 'x')", 0),
    ("INSTR('banana', 'an')", 2),
    ("STARTS_WITH('bar', 'b')", True),
    ("ENDS_WITH('apple', 'e')", True),
    ("CONTAINS_SUBSTR('the BLUE house', 'Blue house')", True),
    ("ASCII('abcd')", 97),
    ("CHR(65)", "A"),
    ("TRANSLATE('This is a cookie', 'sco', 'zku')", "Thiz iz a kuukie"),
    ("INITCAP('hello WORLD-everyone!')", "Hello World-Everyone!"),
    ("NORMALIZE('e\\u0301') = '\\u00e9'", True),
    ("EDIT_DISTANCE('abc', 'adb')", 2),
    ("SPLIT('b,c')", ["b", "c"]),
    ("SPLIT('', ',')", [""]),
    ("SPLIT('a b', ' ')[OFFSET(1)]", "b"),
    ("SPLIT('a b', ' ')[SAFE_OFFSET(7)]", None),
    ("REGEXP_CONTAINS('foo@example.com', r'@[a-z]+\\.com')", True),
    ("REGEXP_EXTRACT('foo@example.com', r'^[a-z]+')", "foo"),
    ("REGEXP_EXTRACT('foo@example.com', r'@([a-z]+)')", "example"),
    ("REGEXP_EXTRACT('foo', r'x')", None),
    ("REGEXP_EXTRACT('ab', r'(a)(b)')", Fails("one capturing group")),
    ("REGEXP_SUBSTR('Hello World', r'W\\w+')", "World"),
    ("REGEXP_EXTRACT_ALL('a1b2', r'[a-z](\\d)')", ["1", "2"]),
    ("REGEXP_EXTRACT_ALL('a1b2', r'[a-z]\\d')", ["a1", "b2"]),
    ("REGEXP_REPLACE('# Heading', r'^# ([a-zA-Z0-9\\s]+$)', '<h1>\\\\1</h1>')", "<h1>Heading</h1>"),
    ("REGEXP_REPLACE('aaa', 'a', 'b')", "bbb"),
    ("FORMAT('%d-%s', 5, 'x')", "5-x"),
    ("FORMAT('%05.2f%%', 3.14159)", "03.14%"),
    ("FORMAT('%t', DATE '2024-01-02')", "2024-01-02"),
    ("FORMAT('%T', 'x')", Fails("the specifier %T of FORMAT is not answered")),
    ("TO_HEX(MD5('abc'))", "900150983cd24fb0d6963f7d28e17f72"),
    ("TO_HEX(SHA1('abc'))", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("SUBSTR(TO_HEX(SHA256('abc')), 1, 8)", "ba7816bf"),
    ("LENGTH(GENERATE_UUID())", 36),
    ("'Abc' LIKE 'a%'", False),
    ("'a_c' LIKE r'a\\_c'", True),
    ("'abc' LIKE r'a\\_c'", False),
    ("'abc' NOT LIKE r'a\\_c'", True),
    ('"it\'s"', "it's"),
    ("r'\\d'", "\\d"),
    ("'''a\n'b''' || \"\"\"c\"\"\"", "a\n'bc"),
    ("b'abc'", b"abc"),
    ("FARM_FINGERPRINT('x')", Fails("FARM_FINGERPRINT is not answered")),
]

DATES: list[tuple[str, Any]] = [
    ("EXTRACT(DAYOFWEEK FROM DATE '2024-01-07')", 1),
    ("EXTRACT(DAYOFWEEK FROM DATE '2024-01-06')", 7),
    ("EXTRACT(WEEK FROM DATE '2024-01-06')", 0),
    ("EXTRACT(WEEK FROM DATE '2024-01-07')", 1),
    ("EXTRACT(WEEK(MONDAY) FROM DATE '2017-11-05')", 44),
    ("EXTRACT(WEEK(SUNDAY) FROM DATE '2017-11-05')", 45),
    ("EXTRACT(ISOWEEK FROM DATE '2023-01-01')", 52),
    ("EXTRACT(ISOYEAR FROM DATE '2023-01-01')", 2022),
    ("EXTRACT(DAYOFYEAR FROM DATE '2024-12-31')", 366),
    ("EXTRACT(QUARTER FROM DATE '2024-05-01')", 2),
    ("EXTRACT(DAY FROM DATE '2013-12-25')", 25),
    ("EXTRACT(MILLISECOND FROM TIMESTAMP '2024-01-01 00:00:05.123456 UTC')", 123),
    ("EXTRACT(MICROSECOND FROM TIMESTAMP '2024-01-01 00:00:05.123456 UTC')", 123456),
    ("EXTRACT(SECOND FROM TIMESTAMP '2024-01-01 00:00:05.9 UTC')", 5),
    ("EXTRACT(DATE FROM TIMESTAMP '2024-01-01 23:59:00 UTC')", date(2024, 1, 1)),
    ("EXTRACT(TIME FROM TIMESTAMP '2024-01-01 23:59:00 UTC')", time(23, 59)),
    ("EXTRACT(DATETIME FROM TIMESTAMP '2024-01-01 23:59:00 UTC')", datetime(2024, 1, 1, 23, 59)),
    ("EXTRACT(HOUR FROM TIMESTAMP '2024-01-01 00:00:00 UTC' AT TIME ZONE 'US/Eastern')", 19),
    ("EXTRACT(MINUTE FROM TIMESTAMP '2024-01-01 00:07:00 UTC')", 7),
    ("EXTRACT(EPOCH FROM DATE '2024-01-01')", Fails("EXTRACT does not know the part EPOCH")),
    ("DATE_DIFF(DATE '2010-07-07', DATE '2008-12-25', DAY)", 559),
    ("DATE_DIFF(DATE '2017-10-15', DATE '2017-10-14', WEEK)", 1),
    ("DATE_DIFF(DATE '2017-12-18', DATE '2017-12-17', WEEK)", 0),
    ("DATE_DIFF(DATE '2017-12-18', DATE '2017-12-17', WEEK(MONDAY))", 1),
    ("DATE_DIFF(DATE '2017-12-18', DATE '2017-12-17', ISOWEEK)", 1),
    ("DATE_DIFF(DATE '2017-12-30', DATE '2014-12-30', YEAR)", 3),
    ("DATE_DIFF(DATE '2017-12-30', DATE '2014-12-30', ISOYEAR)", 2),
    ("DATE_DIFF(DATE '2018-01-01', DATE '2017-12-31', MONTH)", 1),
    ("DATE_DIFF('2024-01-02', '2024-01-05', DAY)", -3),
    ("DATE_DIFF(TIMESTAMP '2024-01-02', TIMESTAMP '2024-01-01', DAY)", Fails("needs a DATE")),
    ("DATETIME_DIFF(DATETIME '2017-10-15 00:00:00', DATETIME '2017-10-14 23:59:59', DAY)", 1),
    ("DATETIME_DIFF(DATETIME '2017-10-15 00:00:00', DATETIME '2017-10-14 00:00:00', WEEK)", 1),
    ("DATETIME_DIFF(DATETIME '2024-01-01 02:00:00', DATETIME '2024-01-01 00:59:00', HOUR)", 2),
    ("TIMESTAMP_DIFF(TIMESTAMP '2010-07-07 10:20:00 UTC', TIMESTAMP '2008-12-25 15:30:00 UTC', HOUR)", 13410),
    ("TIMESTAMP_DIFF('2001-02-01 01:00:00', '2001-02-01 00:00:01', HOUR)", 0),
    ("TIMESTAMP_DIFF(TIMESTAMP '2018-08-14', TIMESTAMP '2018-10-14', DAY)", -61),
    ("TIMESTAMP_DIFF(TIMESTAMP '2024-01-02 00:00:00', TIMESTAMP '2024-01-01 00:00:01', DAY)", 0),
    ("TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), CURRENT_TIMESTAMP(), MONTH)", Fails("up to DAY")),
    ("DATE_ADD(DATE '2024-01-31', INTERVAL 1 MONTH)", date(2024, 2, 29)),
    ("DATE_ADD(DATE '2008-12-25', INTERVAL 5 DAY)", date(2008, 12, 30)),
    ("DATE_SUB(DATE '2024-03-31', INTERVAL 1 MONTH)", date(2024, 2, 29)),
    ("DATE_SUB(DATE '2024-01-10', INTERVAL 1 + 1 WEEK)", date(2023, 12, 27)),
    ("DATE_ADD(DATE '2024-01-01', INTERVAL 1 HOUR)", Fails("DATE_ADD does not know the part HOUR")),
    ("DATETIME_ADD(DATETIME '2008-12-25 15:30:00', INTERVAL 10 MINUTE)", datetime(2008, 12, 25, 15, 40)),
    ("DATETIME_SUB(DATETIME '2024-03-31 01:00:00', INTERVAL 1 MONTH)", datetime(2024, 2, 29, 1)),
    ("TIMESTAMP_ADD(TIMESTAMP '2008-12-25 15:30:00+00', INTERVAL 10 MINUTE)", at(2008, 12, 25, 15, 40)),
    ("TIMESTAMP_SUB(TIMESTAMP '2024-01-01 00:00:00 UTC', INTERVAL 1 SECOND)", at(2023, 12, 31, 23, 59, 59)),
    ("TIMESTAMP_ADD(TIMESTAMP '2024-01-01', INTERVAL 1 MONTH)", Fails("does not know the part MONTH")),
    ("DATE '2024-01-01' + 1", date(2024, 1, 2)),
    ("DATE '2024-01-31' + INTERVAL 1 MONTH", datetime(2024, 2, 29)),
    ("DATE_TRUNC(DATE '2008-12-25', MONTH)", date(2008, 12, 1)),
    ("DATE_TRUNC(DATE '2017-11-05', WEEK(MONDAY))", date(2017, 10, 30)),
    ("DATE_TRUNC(DATE '2017-11-07', WEEK)", date(2017, 11, 5)),
    ("DATE_TRUNC(DATE '2015-06-15', ISOYEAR)", date(2014, 12, 29)),
    ("DATE_TRUNC(DATE '2024-05-15', QUARTER)", date(2024, 4, 1)),
    ("DATETIME_TRUNC(DATETIME '2008-12-25 15:30:00', DAY)", datetime(2008, 12, 25)),
    ("TIMESTAMP_TRUNC(TIMESTAMP '2008-12-25 15:30:00 UTC', HOUR)", at(2008, 12, 25, 15)),
    ("TIMESTAMP_TRUNC(TIMESTAMP '2017-11-07 10:00:00 UTC', WEEK)", at(2017, 11, 5)),
    ("TIMESTAMP_TRUNC(TIMESTAMP '2024-01-01 03:00:00 UTC', DAY, 'US/Eastern')", at(2023, 12, 31, 5)),
    ("LAST_DAY(DATE '2008-11-25')", date(2008, 11, 30)),
    ("LAST_DAY(DATE '2008-11-25', YEAR)", date(2008, 12, 31)),
    ("LAST_DAY(DATE '2008-11-10', WEEK)", date(2008, 11, 15)),
    ("LAST_DAY(DATE '2008-11-10', WEEK(MONDAY))", date(2008, 11, 16)),
    ("FORMAT_DATE('%x', DATE '2008-12-25')", "12/25/08"),
    ("FORMAT_DATE('%b-%d-%Y', DATE '2008-12-25')", "Dec-25-2008"),
    ("FORMAT_DATE('%A %F', DATE '2008-12-25')", "Thursday 2008-12-25"),
    ("FORMAT_DATE('%Q', DATE '2008-12-25')", Fails("the element %Q of FORMAT_DATE's format")),
    ("FORMAT_DATETIME('%T', DATETIME '2008-12-25 15:30:00')", "15:30:00"),
    (
        "FORMAT_TIMESTAMP('%Y-%m-%d %H:%M:%S %Z', TIMESTAMP '2050-12-25 15:30:55 UTC')",
        "2050-12-25 15:30:55 UTC",
    ),
    ("FORMAT_TIMESTAMP('%H:%M', TIMESTAMP '2024-01-01 00:00:00 UTC', 'US/Eastern')", "19:00"),
    ("FORMAT_TIMESTAMP('%E3S|%E6S', TIMESTAMP '2024-01-01 00:00:05.123456 UTC')", "05.123|05.123456"),
    ("PARSE_DATE('%Y%m%d', '20081225')", date(2008, 12, 25)),
    ("PARSE_DATE('%x', '12/25/08')", date(2008, 12, 25)),
    ("PARSE_DATE('%m-%d', '12-25')", Fails("needs a year in its format")),
    ("SAFE.PARSE_DATE('%Y-%m-%d', 'soon')", None),
    ("PARSE_DATETIME('%Y-%m-%d %H:%M:%S', '1998-10-18 13:45:55')", datetime(1998, 10, 18, 13, 45, 55)),
    ("PARSE_TIMESTAMP('%Y-%m-%d %H:%M', '2024-01-01 10:00')", at(2024, 1, 1, 10)),
    ("PARSE_TIMESTAMP('%Y-%m-%d %H:%M', '2024-01-01 10:00', 'US/Eastern')", at(2024, 1, 1, 15)),
    ("DATE(2016, 12, 25)", date(2016, 12, 25)),
    ("DATE(TIMESTAMP '2016-12-25 05:30:00+07', 'America/Los_Angeles')", date(2016, 12, 24)),
    ("DATE(DATETIME '2016-12-25 23:59:59')", date(2016, 12, 25)),
    ("DATETIME(2008, 12, 25, 5, 30, 0)", datetime(2008, 12, 25, 5, 30)),
    ("DATETIME(TIMESTAMP '2008-12-25 05:30:00+00', 'US/Eastern')", datetime(2008, 12, 25, 0, 30)),
    ("TIMESTAMP('2008-12-25 15:30:00+00')", at(2008, 12, 25, 15, 30)),
    ("TIMESTAMP('2008-12-25 15:30:00', 'America/Los_Angeles')", at(2008, 12, 25, 23, 30)),
    ("TIMESTAMP(DATE '2008-12-25')", at(2008, 12, 25)),
    ("CURRENT_DATE() = DATE(CURRENT_TIMESTAMP())", True),
    ("CURRENT_DATE = CURRENT_DATE('UTC')", True),
    ("CURRENT_DATETIME() = DATETIME(CURRENT_TIMESTAMP)", True),
    ("CURRENT_DATETIME('US/Eastern') < CURRENT_DATETIME", True),
    ("CURRENT_TIME() = CURRENT_TIME('UTC')", True),
    ("UNIX_DATE(DATE '2008-12-25')", 14238),
    ("UNIX_SECONDS(TIMESTAMP '1970-01-01 00:00:01.8+00')", 1),
    ("UNIX_SECONDS(TIMESTAMP '1969-12-31 23:59:59.5+00')", -1),
    ("UNIX_MILLIS(TIMESTAMP '1970-01-01 00:00:00.0018+00')", 1),
    ("UNIX_MICROS(TIMESTAMP '1970-01-01 00:00:00.0018+00')", 1800),
    ("TIMESTAMP_SECONDS(1230219000)", at(2008, 12, 25, 15, 30)),
    ("TIMESTAMP_MILLIS(1230219000000)", at(2008, 12, 25, 15, 30)),
    ("TIMESTAMP_MICROS(1230219000000000)", at(2008, 12, 25, 15, 30)),
    ("DATE_FROM_UNIX_DATE(14238)", date(2008, 12, 25)),
    ("GENERATE_DATE_ARRAY(DATE '2016-10-05', DATE '2016-10-07')", [date(2016, 10, d) for d in (5, 6, 7)]),
    (
        "GENERATE_DATE_ARRAY('2016-01-31', '2016-04-30', INTERVAL 1 MONTH)",
        [date(2016, 1, 31), date(2016, 2, 29), date(2016, 3, 31), date(2016, 4, 30)],
    ),
    ("GENERATE_DATE_ARRAY('2016-10-07', '2016-10-05')", []),
    (
        "GENERATE_DATE_ARRAY('2016-10-03', '2016-10-01', INTERVAL -2 DAY)",
        [date(2016, 10, 3), date(2016, 10, 1)],
    ),
    ("TIMESTAMP '2024-01-01 00:00:00 US/Eastern'", at(2024, 1, 1, 5)),
]

JSON = """JSON '{"a": {"b": 1}, "c": [1, "x"], "d": "x", "e": null, "f": 1.5, "g": true, "h i": 2}'"""
NESTED: list[tuple[str, Any]] = [
    (f"JSON_VALUE({JSON}, '$.d')", "x"),
    (f"JSON_VALUE({JSON}, '$.f')", "1.5"),
    (f"JSON_VALUE({JSON}, '$.g')", "true"),
    (f"JSON_VALUE({JSON}, '$.a')", None),
    (f"JSON_VALUE({JSON}, '$.c')", None),
    (f"JSON_VALUE({JSON}, '$.e')", None),
    (f"JSON_VALUE({JSON}, '$.c[1]')", "x"),
    (f"JSON_VALUE({JSON}, '$.\"h i\"')", "2"),
    (f"JSON_VALUE({JSON}, '$.c[*]')", Fails("names one place")),
    ("JSON_VALUE('{\"a\": 5}', '$.a')", "5"),
    (f"JSON_EXTRACT_SCALAR({JSON}, '$.d')", "x"),
    (f"JSON_QUERY({JSON}, '$.a')", '{"b":1}'),
    (f"JSON_EXTRACT({JSON}, '$.d')", '"x"'),
    (f"JSON_VALUE_ARRAY({JSON}, '$.c')", ["1", "x"]),
    (f"JSON_VALUE_ARRAY({JSON}, '$.d')", None),
    (f"JSON_QUERY_ARRAY({JSON}, '$.c')", ["1", '"x"']),
    (f"JSON_EXTRACT_ARRAY({JSON}, '$.c')", ["1", '"x"']),
    (f"JSON_VALUE({JSON}['a']['b'])", "1"),
    (f"INT64({JSON}['a']['b'])", 1),
    (f"INT64({JSON}['f'])", Fails("bad INT64 value: 1.5")),
    (f"FLOAT64({JSON}['f'])", 1.5),
    (f"BOOL({JSON}['g'])", True),
    (f"STRING({JSON}['d'])", "x"),
    ("STRING(DATE '2024-01-02')", "2024-01-02"),
    (f"LAX_INT64({JSON}['f'])", 2),
    (f"LAX_FLOAT64({JSON}['d'])", None),
    ("JSON_VALUE(PARSE_JSON('{\"a\": 1}'), '$.a')", "1"),
    ("TO_JSON_STRING(STRUCT(1 AS a, 'x' AS b))", '{"a":1,"b":"x"}'),
    ("JSON_VALUE(TO_JSON(STRUCT(1 AS a)), '$.a')", "1"),
    ("TO_JSON_STRING(CURRENT_TIMESTAMP())", Fails("CAST to STRING first")),
    ("ARRAY_LENGTH([1, 2, 3])", 3),
    ("ARRAY_LENGTH(NULL)", None),
    ("ARRAY_REVERSE([1, 2, 3])", [3, 2, 1]),
    ("ARRAY_CONCAT([1, 2], [3])", [1, 2, 3]),
    ("ARRAY_CONCAT([1], NULL)", None),
    ("ARRAY_TO_STRING(['a', NULL, 'b'], ',')", "a,b"),
    ("ARRAY_TO_STRING(['a', NULL, 'b'], ',', '?')", "a,?,b"),
    ("GENERATE_ARRAY(1, 5)", [1, 2, 3, 4, 5]),
    ("GENERATE_ARRAY(0, 10, 3)", [0, 3, 6, 9]),
    ("GENERATE_ARRAY(10, 0, -5)", [10, 5, 0]),
    ("GENERATE_ARRAY(4, 1)", []),
    ("GENERATE_ARRAY(0, 1, 0.5)", [0.0, 0.5, 1.0]),
    ("ARRAY(SELECT x FROM UNNEST([2, 1]) AS x ORDER BY x)", [1, 2]),
    (f"ARRAY(SELECT x {NONE})", []),
    ("ARRAY(SELECT AS STRUCT 1 AS a, 'x' AS b)", [{"a": 1, "b": "x"}]),
    ("[1, 2][OFFSET(0)]", 1),
    ("[1, 2][ORDINAL(1)]", 1),
    ("[1, 2][1]", 2),
    ("[1, 2][OFFSET(2)]", Fails("array index 2 is out of bounds")),
    ("[1, 2][OFFSET(-1)]", Fails("array index -1 is out of bounds")),
    ("[1, 2][SAFE_ORDINAL(0)]", None),
    ("PARSE_JSON('[10, 20]')[0]", Fails("only an array has a subscript")),
    ("'abc'[SAFE_OFFSET(0)]", Fails("only an array has a subscript")),
    ("STRUCT(1 AS a, 'x')", {"a": 1, "_field_2": "x"}),
    ("STRUCT<a INT64, b STRING>(1, 'x').b", "x"),
    ("[STRUCT(5 AS a)][OFFSET(0)].a", 5),
    ("2 IN UNNEST([1, 2])", True),
    ("2 NOT IN UNNEST([1, 3])", True),
    ("3 IN UNNEST([1, NULL])", None),
    ("(SELECT SUM(a) FROM UNNEST([STRUCT(1 AS a, 'x' AS b), STRUCT(2, 'y')]))", 3),
    ("(SELECT STRING_AGG(s.b ORDER BY a) FROM UNNEST([STRUCT(1 AS a, 'x' AS b), (2, 'y')]) AS s)", "x,y"),
    ("(SELECT AS STRUCT 1 AS a, 2 AS b).b", 2),
    ("(SELECT SUM(x * n) FROM UNNEST([5, 6, 7]) AS x WITH OFFSET AS n)", 20),
    ("(SELECT COUNT(*) FROM UNNEST(CAST(NULL AS ARRAY<INT64>)) AS x)", 0),
    ("EXISTS (SELECT 1 FROM UNNEST([1, 2]) AS x WHERE x > 1)", True),
]

GROUPS = {
    "aggregates": AGGREGATES,
    "windows": WINDOWS,
    "numbers": NUMBERS,
    "casts": CASTS,
    "texts": TEXTS,
    "dates": DATES,
    "nested": NESTED,
}
ROWS = [row for group in GROUPS.values() for row in group]


@pytest.fixture(scope="module")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("functions") / "w.duckdb"
    duckdb.connect(str(path)).close()
    return str(path)


@pytest.mark.parametrize("group", GROUPS)
def test_functions_mean_what_bigquery_documents(empty_warehouse: str, group: str) -> None:
    rows = [row for row in GROUPS[group] if not isinstance(row[1], Fails)]
    columns = ", ".join(f"{expression} AS v{n}" for n, (expression, _) in enumerate(rows))
    answer = answer_query(empty_warehouse, 1.0, f"SELECT {columns}")
    found = answer.rows.to_pylist()[0].values()
    differing = [
        f"{expression}: expected {expected!r}, found {value!r}"
        for (expression, expected), value in zip(rows, found, strict=True)
        if repr(value) != repr(expected)
    ]
    assert_that(differing, empty())
    assert_that(answer.warnings, empty())


@pytest.mark.parametrize(
    ("expression", "reason"), [row for row in ROWS if isinstance(row[1], Fails)], ids=lambda text: text[:60]
)
def test_what_is_an_error_in_bigquery_is_one_here(
    empty_warehouse: str, expression: str, reason: Fails
) -> None:
    with pytest.raises(BadInput, match=reason):
        answer_query(empty_warehouse, 1.0, f"SELECT {expression} AS v")


def test_every_function_of_the_table_is_run() -> None:
    asked = " ".join(expression for expression, _ in ROWS)
    run = set(re.findall(r"\b([A-Z][A-Z0-9_]+)\b(?=\()", asked))
    assert_that(sorted(TESTED - run), empty())
