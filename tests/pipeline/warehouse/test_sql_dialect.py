"""The syntax around the functions: what rows come, in which order, under which names, or why none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hamcrest import assert_that, calling, contains_string, equal_to, has_properties, not_, raises

from pipeline.errors import BadInput, WrongShape
from pipeline.warehouse.dialect import reference
from pipeline.warehouse.dialect.functions import TESTED
from pipeline.warehouse.dialect.translate import translate_query
from pipeline.warehouse.duckdb_query import answer_query

TABLES = """
CREATE SCHEMA box;
CREATE TABLE box.lines AS SELECT * FROM (VALUES
    ('ann', DATE '2024-01-31', 10::BIGINT, 'BOS', [1::BIGINT, 2], {'found': 3::BIGINT},
     JSON '{"s": {"t": 1}}'),
    ('bob', DATE '2024-02-01', 20, NULL, [3::BIGINT], {'found': 4::BIGINT}, JSON '{"s": {"t": 2}}'),
    ('cyd', DATE '2024-02-29', 30, 'CHI', [], {'found': 5::BIGINT}, NULL)
) AS rows(player, day, points, team, dates, whole, detail);
CREATE VIEW box.stars AS SELECT player FROM box.lines WHERE points >= 20;
"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("box") / "w.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(TABLES)
    return path


def ask(path: str, query: str) -> list[tuple[Any, ...]]:
    rows = answer_query(path, 1.0, query).rows
    return [tuple(row.values()) for row in rows.to_pylist()]


def name_columns(path: str, query: str) -> list[str]:
    return list(answer_query(path, 1.0, query).rows.column_names)


ANSWERS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "NULL comes first": ("SELECT team FROM box.lines ORDER BY team", [(None,), ("BOS",), ("CHI",)]),
    "and last in descending order": (
        "SELECT team FROM box.lines ORDER BY team DESC",
        [("CHI",), ("BOS",), (None,)],
    ),
    "in windows too": (
        "SELECT ROW_NUMBER() OVER (ORDER BY team) AS n FROM box.lines ORDER BY points",
        [(2,), (1,), (3,)],
    ),
    "GROUP BY takes the SELECT list's name": (
        "SELECT DATE_TRUNC(day, YEAR) = DATE '2024-01-01' AS day, COUNT(*) FROM box.lines GROUP BY day",
        [(True, 3)],
    ),
    "so does a grouping set": (
        "SELECT points > 10 AS points, COUNT(*) FROM box.lines GROUP BY ROLLUP(points) ORDER BY 2",
        [(False, 1), (True, 2), (None, 3)],
    ),
    "and a GROUP BY beside a star": (
        "SELECT s.*, a > 1 AS a FROM (SELECT 1 AS b) AS s, UNNEST([1, 2, 3]) AS a GROUP BY b, a ORDER BY a",
        [(1, False), (1, True)],
    ),
    "HAVING takes the SELECT list's name": (
        "SELECT team, MAX(points) + 1 AS points FROM box.lines GROUP BY team HAVING points > 30",
        [("CHI", 31)],
    ),
    "but an aggregate in it takes the column": (
        "SELECT team, -SUM(points) AS points FROM box.lines GROUP BY team HAVING SUM(points) > 20",
        [("CHI", -30)],
    ),
    "ORDER BY takes the SELECT list's name inside an expression": (
        "SELECT -points AS points FROM box.lines ORDER BY -points",
        [(-10,), (-20,), (-30,)],
    ),
    "QUALIFY takes the SELECT list's name": (
        "SELECT player, -points AS points FROM box.lines QUALIFY RANK() OVER (ORDER BY points) = 1",
        [("cyd", -30)],
    ),
    "a part of a date is no column": (
        "SELECT points AS month, player FROM box.lines ORDER BY DATE_TRUNC(day, MONTH), month DESC",
        [(10, "ann"), (30, "cyd"), (20, "bob")],
    ),
    "a project is dropped": (
        "SELECT a.player FROM `my-project.box.lines` AS a JOIN my-project.box.stars USING (player) "
        "JOIN `p`.`box`.`lines` AS c USING (player) WHERE a.points = 20",
        [("bob",)],
    ),
    "UNNEST of a column, with positions from 0": (
        "SELECT player, d, o FROM box.lines, UNNEST(dates) AS d WITH OFFSET AS o ORDER BY d",
        [("ann", 1, 0), ("ann", 2, 1), ("bob", 3, 0)],
    ),
    "UNNEST without the word": (
        "SELECT d FROM box.lines AS l, l.dates AS d ORDER BY d DESC LIMIT 1",
        [(3,)],
    ),
    "LEFT JOIN UNNEST keeps the empty": (
        "SELECT player, d FROM box.lines LEFT JOIN UNNEST(dates) AS d WHERE d IS NULL",
        [("cyd", None)],
    ),
    "fields of structs and of JSON": (
        "SELECT whole.found, l.whole.found AS again, INT64(detail.s.t) AS t FROM box.lines AS l LIMIT 1",
        [(3, 3, 1)],
    ),
    "EXCEPT and REPLACE": (
        "SELECT * EXCEPT (day, team, dates, whole, detail) REPLACE (points + 1 AS points) "
        "FROM box.lines ORDER BY 1 LIMIT 1",
        [("ann", 11)],
    ),
    "set operations": (
        "(SELECT 1 AS a UNION ALL SELECT 1 UNION DISTINCT SELECT 2) EXCEPT DISTINCT SELECT 2 ORDER BY a",
        [(1,)],
    ),
    "a recursive WITH": (
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4) "
        "SELECT SUM(i) AS s FROM n",
        [(10,)],
    ),
    "a sum in a struct in an array is a whole number": (
        "SELECT ARRAY_AGG(STRUCT(team, n) ORDER BY n LIMIT 1) AS a "
        "FROM (SELECT team, SUM(points) AS n FROM box.lines GROUP BY team)",
        [([{"team": "BOS", "n": 10}],)],
    ),
    "a named window over a range of days": (
        "SELECT SUM(points) OVER w AS s FROM box.lines "
        "WINDOW w AS (ORDER BY UNIX_DATE(day) RANGE BETWEEN 6 PRECEDING AND CURRENT ROW) ORDER BY day",
        [(10,), (30,), (30,)],
    ),
    "a table of structs has their columns": (
        "SELECT b FROM (SELECT AS STRUCT 1 AS a, 2 AS b)",
        [(2,)],
    ),
    "a correlated subquery": (
        "SELECT player FROM box.lines AS l WHERE points = (SELECT MAX(points) FROM box.lines "
        "WHERE DATE_TRUNC(day, MONTH) = DATE_TRUNC(l.day, MONTH)) ORDER BY 1",
        [("ann",), ("cyd",)],
    ),
    "a zero divisor in a branch that is not taken": (
        "SELECT IF(points = 10, 0, 60 / (points - 10)) AS x FROM box.lines ORDER BY points",
        [(0.0,), (6.0,), (3.0,)],
    ),
    "the pipe syntax": (
        "FROM box.lines |> WHERE points > 10 |> AGGREGATE COUNT(*) AS n",
        [(2,)],
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_rows_are_those_of_bigquery(box: str, case: str) -> None:
    query, expected = ANSWERS[case]
    assert_that(repr(ask(box, query)), equal_to(repr(expected)))


def test_columns_without_a_name_are_numbered(box: str) -> None:
    query = "SELECT COUNT(*), MAX(points) AS m, 1 / 2, MAX(whole).found FROM box.lines"
    assert_that(name_columns(box, query), equal_to(["f0_", "m", "f1_", "found"]))


REFUSED = {
    "SELECT * FROM box.lines TABLESAMPLE SYSTEM (10 PERCENT)": "TABLESAMPLE (line 1, column",
    "SELECT * FROM box.lines FOR SYSTEM_TIME AS OF '2024-01-01'": "FOR SYSTEM_TIME",
    "SELECT * FROM box.lines PIVOT(SUM(points) FOR team IN ('BOS'))": "PIVOT",
    "SELECT points FROM box.lines WHERE points > @least": "a parameter",
    "SELECT 7 % 2": "MOD(a, b)",
    "SELECT player FROM box.lines WHERE player ILIKE 'A%'": "LOWER(x) LIKE",
    "SELECT player FROM box.lines WHERE player LIKE ANY ('a%')": "LIKE ANY",
    "SELECT NET.HOST('x')": "a function of NET",
    "SELECT ML.PREDICT('x')": "functions of a dataset",
    "SELECT box.secret('x')": "functions of a dataset",
    "SELECT DISTINCT ON (team) team FROM box.lines": "DISTINCT ON",
    "SELECT CAST(day AS STRING FORMAT 'YYYY') FROM box.lines": "CAST with FORMAT",
    "SELECT CAST(1 AS BIGNUMERIC)": "BIGNUMERIC",
    "SELECT 9223372036854775808": "beyond INT64",
    "SELECT 1e": "1e is no number",
    "SELECT FARM_FINGERPRINT('x')": "FARM_FINGERPRINT is not answered",
    "SELECT COUNTIF()": "COUNTIF cannot be called with 0 arguments",
    "SELECT ROUND(day) FROM box.lines": "the statement cannot be answered",
    "SELECT SUBSTR('a')": "SUBSTR cannot be called with these arguments",
    "SELECT REGEXP_EXTRACT(player, team) FROM box.lines": "must be a text literal (line 1, column",
    "SELECT points, COUNT(*) FROM box.lines": "GROUP BY",
    "SELECT x.a FROM UNNEST([STRUCT(1 AS a, 2 AS b), STRUCT(3)]) AS x": "expected 2 fields",
    "SELECT 1 AS a, 2 AS a": "two columns of the answer are named 'a'",
}


@pytest.mark.parametrize(("query", "reason"), REFUSED.items())
def test_what_has_no_right_answer_is_refused_by_name(box: str, query: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        answer_query(box, 1.0, query)
    assert_that(str(refused.value), contains_string(reason))
    assert_that(str(refused.value), not_(contains_string("bq_")))


MISSING = {
    "SELECT 1 FROM box.line": "there is no table 'box.line' (line 1, column 22). Did you mean box.lines?",
    "SELECT 1 FROM lines": "Did you mean box.lines?",
    "SELECT 1 FROM box.LINES": "Did you mean box.lines?",
    "SELECT 1 FROM zzz.q": "Stored are: box.lines, box.stars",
    "SELECT 1 FROM box.INFORMATION_SCHEMA.TABLES": "Stored are: box.lines, box.stars",
    "SELECT 1 FROM information_schema.tables": "there is no table",
    "SELECT 1 FROM main.duckdb_settings": "there is no table",
    "SELECT 1 FROM pg_catalog.pg_class": "there is no table",
    "WITH a AS (SELECT 1 FROM pg_settings), pg_settings AS (SELECT 2) SELECT * FROM a": "'pg_settings'",
    "WITH pg_settings AS (SELECT * FROM pg_settings) SELECT * FROM pg_settings": "'pg_settings'",
    "WITH RECURSIVE pg_settings AS (SELECT * FROM pg_settings) SELECT * FROM pg_settings": "'pg_settings'",
    "WITH a AS (SELECT 1), b AS (SELECT 2 FROM a) SELECT 3 FROM b, (SELECT 4 FROM A), c": "no table 'c'",
    "SELECT point FROM box.lines": "there is no column or alias 'point'. Nearest are \"points\"",
    "SELECT l.point FROM box.lines AS l": "there is no column or alias 'point'",
    "SELECT m.points FROM box.lines AS l": "there is no column or alias 'm'",
    "SELECT COUNTIFS(TRUE)": "there is no function COUNTIFS. Did you mean COUNTIF?",
    "SELECT bq_fail('x')": "there is no function BQ_FAIL",
    "SELECT CURRENT_SETTING('home_directory')": "there is no function CURRENT_SETTING",
    "SELECT getenv('HOME')": "there is no function GETENV",
    "SELECT current_database()": "there is no function CURRENT_DATABASE",
    "SELECT sleep_ms(1)": "there is no function SLEEP_MS",
    "SELECT `x\"('y')--`(1)": "there is no function",
}


@pytest.mark.parametrize(("query", "reason"), MISSING.items())
def test_what_does_not_exist_is_named_with_what_is_near(box: str, query: str, reason: str) -> None:
    with pytest.raises(WrongShape) as missing:
        answer_query(box, 1.0, query)
    assert_that(str(missing.value), contains_string(reason))


@pytest.mark.parametrize(
    "source",
    [
        *("duckdb_settings()", "glob('*')", "pragma_database_list()", "read_text('x')", "range(3)"),
        *("query('SELECT 1')", "query_table('box.lines')", "unnest_all([1])", "VALUES (1)", "(VALUES (1))"),
        *("LATERAL (SELECT 1)", "'rows.parquet'", "TABLE(box.lines)"),
    ],
)
def test_only_tables_and_arrays_are_read(box: str, source: str) -> None:
    assert_that(
        calling(answer_query).with_args(box, 1.0, f"SELECT * FROM {source} AS s"),
        raises((BadInput, WrongShape)),
    )


def test_a_function_outside_the_table_is_passed_on_with_a_warning(box: str) -> None:
    answer = answer_query(box, 1.0, "SELECT HAMMING('ab', 'ac') AS h, BIT_LENGTH('a') AS b, ABS(-1) AS a")
    assert_that(
        answer,
        has_properties(
            warnings=[
                f"{name} is passed on untested: its meaning in BigQuery may differ"
                for name in ("BIT_LENGTH", "HAMMING")
            ]
        ),
    )
    assert_that(answer.rows.to_pylist(), equal_to([{"h": 1, "b": 8, "a": 1}]))


def test_a_translation_depends_on_nothing_but_its_text() -> None:
    query = "SELECT a / 2 FROM d.t"
    assert_that(translate_query(query, ["d.t"]), equal_to(translate_query(query, ["d.t", "d.u"])))


def test_every_instant_is_in_utc_wherever_the_machine_stands(box: str) -> None:
    program = (
        "import sys; from pipeline.warehouse.duckdb_query import answer_query; "
        "row = answer_query(sys.argv[1], 5.0, sys.argv[2]).rows.to_pylist()[0]; "
        "sys.exit(0 if all(row.values()) else str(row))"
    )
    query = """SELECT CAST(TIMESTAMP '2024-01-01 00:00:00' AS STRING) = '2024-01-01 00:00:00+00' AS a,
        EXTRACT(HOUR FROM TIMESTAMP '2024-01-01 00:30:00 UTC') = 0 AS b,
        CURRENT_DATE() = EXTRACT(DATE FROM CURRENT_TIMESTAMP() AT TIME ZONE 'UTC') AS c,
        DATE(TIMESTAMP '2024-01-01 23:30:00 UTC') = '2024-01-01' AS d,
        FORMAT_TIMESTAMP('%R', TIMESTAMP_TRUNC(TIMESTAMP '2024-01-01 01:00:00 UTC', DAY)) = '00:00' AS e"""
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        ended = subprocess.run(
            [sys.executable, "-c", program, box, query],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            check=False,
        )
        assert_that((ended.returncode, ended.stderr), equal_to((0, b"")), zone)


def test_the_document_shows_the_present_table() -> None:
    text = (Path(__file__).parents[3] / "docs/sql.md").read_text(encoding="utf-8")
    assert_that(reference.put_table(text) == text, "docs/sql.md is out of date: run `make docs`")


def test_the_document_names_every_tested_function_once() -> None:
    table = reference.format_table()
    for name in TESTED:
        assert_that(table.count(f"`{name}`"), equal_to(1), name)
