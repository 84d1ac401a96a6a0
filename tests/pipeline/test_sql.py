"""``feature-store sql``: what it answers, what it refuses, and what reaches the terminal and files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import threading
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boxscores import FIRST_DATE, make_rows, read_stored
from hamcrest import (
    any_of,
    assert_that,
    contains_exactly,
    contains_string,
    empty,
    equal_to,
    greater_than,
    has_entries,
    has_length,
    has_properties,
    not_,
    only_contains,
    starts_with,
)
from terminal import CANARY, TABLE, Finished, Run

from pipeline.commands.query import format_csv, list_rows, write_rows
from pipeline.errors import BadInput
from pipeline.report import escape_cell, escape_controls
from pipeline.warehouse import duckdb_query
from pipeline.warehouse.dialect.translate import Translation, translate_query


def ask(run: Run, warehouse: str, query: str, *flags: str) -> Finished:
    return run("sql", query, "--warehouse", warehouse, *flags)


def test_an_answer_is_a_table_a_csv_or_json(run: Run, published: str) -> None:
    query = f"SELECT player_lookup, points FROM {TABLE} WHERE game_date = '2024-01-10' ORDER BY 1 LIMIT 2"
    table = ask(run, published, query)
    assert_that(table.out.splitlines(), has_length(3))
    assert_that(table.out.split(), equal_to(["player_lookup", "points", "bos0", "10", "bos1", "12"]))
    rows = list(csv.DictReader(io.StringIO(ask(run, published, query, "--format=csv").out)))
    assert_that(rows[1], equal_to({"player_lookup": "bos1", "points": "12"}))
    assert_that(json.loads(ask(run, published, query, "--format", "json").out), has_length(2))


def test_an_answer_goes_into_a_new_file_and_never_over_one(
    run: Run, imported: str, in_directory: Path
) -> None:
    query = f"SELECT * FROM {TABLE}"
    written = ask(run, imported, query, "--out=answer.parquet")
    assert_that(
        written, has_properties(code=0, out="", err=contains_string("wrote 24 rows to answer.parquet"))
    )
    assert_that(pq.read_table("answer.parquet").num_rows, equal_to(24))
    before = Path("answer.parquet").read_bytes()
    assert_that(
        ask(run, imported, query, "--out=answer.parquet"),
        has_properties(code=3, err=contains_string("exists")),
    )
    assert_that(Path("answer.parquet").read_bytes(), equal_to(before))
    assert_that(ask(run, imported, query, "--out=nowhere/a.parquet").err, contains_string("No such file"))
    assert_that(
        ask(run, imported, query, "--out=answer.csv"), has_properties(code=2, err=contains_string(".parquet"))
    )
    as_json = ask(run, imported, query, "--out=again.parquet", "--json")
    assert_that(as_json.json, equal_to({"out": "again.parquet", "rows_written": 24, "exit_code": 0}))


def test_an_answer_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    kind = pa.month_day_nano_interval()
    with pytest.raises(BadInput, match="cannot be written"):
        write_rows(pa.table({"i": pa.array([(1, 2, 3)], kind)}), tmp_path / "a.parquet")
    assert_that(list(tmp_path.iterdir()), empty())


def test_the_dialect_is_that_of_bigquery(run: Run, published: str) -> None:
    query = f"SELECT SAFE_DIVIDE(1, 0) AS x, COUNTIF(points > 11) AS n, SUM(points) AS s FROM `{TABLE}`"
    assert_that(ask(run, published, query, "--json").json["rows"], equal_to([{"x": None, "n": 16, "s": 288}]))


def test_sums_beyond_64_bits_are_an_error_and_never_cut(run: Run, published: str) -> None:
    query = "SELECT SUM(x) AS x FROM UNNEST([9223372036854775807, 1]) AS x"
    assert_that(ask(run, published, query), has_properties(code=3, err=contains_string("INT64 overflow")))


def test_one_statement_may_end_with_a_semicolon_and_a_comment(run: Run, published: str) -> None:
    assert_that(
        ask(run, published, "-- why\nSELECT 1 AS x; -- because", "--json").json["rows"], has_length(1)
    )


@pytest.mark.parametrize(
    "query",
    [
        *(
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE {table}",
            "DECLARE x INT64; SELECT 1",
            "",
            ";",
            "-- nothing",
        ),
        *("INSERT INTO {table} (player_lookup) VALUES ('x')", "UPDATE {table} SET points = 0 WHERE TRUE"),
        *(
            "DELETE FROM {table} WHERE TRUE",
            "TRUNCATE TABLE {table}",
            "MERGE {table} t USING {table} s ON FALSE",
        ),
        "WITH gone AS (DELETE FROM {table} WHERE TRUE RETURNING 1) SELECT * FROM gone",
        *("DROP TABLE {table}", "CREATE TABLE x AS SELECT 1", "ALTER TABLE {table} ADD COLUMN x INT64"),
        *("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE SCHEMA s", "CREATE TEMP TABLE x AS SELECT 1"),
        *("COPY {table} TO 'out.csv'", "EXPORT DATA OPTIONS(uri='out') AS SELECT 1", "EXPORT DATABASE 'out'"),
        *("PRAGMA database_list", "SET memory_limit = '90GB'", "RESET memory_limit", "CALL pragma_version()"),
        *(
            "ATTACH 'other.duckdb'",
            "DETACH w",
            "USE memory",
            "INSTALL httpfs",
            "LOAD httpfs",
            "CHECKPOINT",
            "VACUUM",
        ),
        *("BEGIN", "COMMIT", "EXPLAIN SELECT 1", "SHOW TABLES", "IMPORT DATABASE 'x'"),
        *("SELECT * FROM read_csv('rows.csv')", "SELECT * FROM read_parquet('rows.parquet')"),
        *(
            "SELECT * FROM 'rows.parquet'",
            "SELECT * FROM `rows.parquet`",
            "SELECT * FROM read_text('rows.csv')",
        ),
        *("SELECT * FROM parquet_scan('rows.parquet')", "SELECT * FROM read_blob('rows.csv')"),
        *("SELECT * FROM parquet_metadata('rows.parquet')", "SELECT * FROM read_csv('https://localhost/x')"),
        *("SELECT * FROM query('SELECT * FROM read_text(''rows.csv'')')", "SELECT getenv('HOME')"),
        *("SELECT 1 AS x INTO OUTFILE 'out'", "SELECT nextval('x')", "SELECT * FROM duckdb_secrets()"),
        *("SELEC 1", "SELECT 'open", "SELECT (", "SELECT 1 AS x, 2 AS x", "SELECT CAST('x' AS INT64) AS x"),
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
    ],
    ids=lambda query: query[:40],
)
def test_anything_but_one_select_over_the_tables_is_refused(
    run: Run, loaded: Path, imported: str, in_directory: Path, query: str
) -> None:
    files = sorted(in_directory.iterdir())
    ended = ask(run, imported, query.format(table=TABLE), "--json")
    assert_that(ended.code, any_of(equal_to(3), equal_to(4)))
    assert_that(ended.json, has_entries(exit_code=ended.code))
    assert_that(ended.printed, not_(contains_string(CANARY)))
    assert_that(ended.printed, not_(any_of(contains_string("Traceback"), contains_string("internal error"))))
    assert_that(ended.err, not_(contains_string("\\x1b")))
    assert_that(sorted(in_directory.iterdir()), equal_to(files))
    assert_that(Path(imported).read_bytes() == (loaded / imported).read_bytes(), "the file is as it was")


@pytest.mark.parametrize(
    "statement",
    ["WITH d AS (DELETE FROM {table} WHERE TRUE RETURNING 1) SELECT * FROM d", "DELETE FROM {table}"],
)
def test_a_statement_that_writes_is_refused_by_its_text_and_by_the_connection(
    run: Run, imported: str, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    query = statement.format(table=TABLE)
    with pytest.raises(BadInput, match="that changes nothing"):
        translate_query(query, [TABLE])
    monkeypatch.setattr(
        duckdb_query, "translate_query", lambda text, tables: Translation(text, macros=(), untested=())
    )
    assert_that(ask(run, imported, query), has_properties(code=3, err=contains_string("read-only mode")))
    assert_that(read_stored(imported), has_length(24))


def test_a_warning_goes_to_stderr_and_into_the_json(run: Run, published: str, in_directory: Path) -> None:
    query, warning = "SELECT HAMMING('ab', 'ac') AS h", "HAMMING is passed on untested"
    table = ask(run, published, query)
    assert_that(table, has_properties(code=0, err=contains_string(f"warning: {warning}")))
    assert_that(table.out.split(), equal_to(["h", "1"]))
    as_json = ask(run, published, query, "--json").json
    assert_that(as_json, has_entries(rows=[{"h": 1}], warnings=contains_exactly(starts_with(warning))))
    written = ask(run, published, query, "--json", "--out=h.parquet").json
    assert_that(written, has_entries(rows_written=1, warnings=contains_exactly(starts_with(warning))))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_statement_without_an_end_can_be_interrupted(
    run: Run, published: str, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    query = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i FROM n) SELECT MAX(i) AS m FROM n"
    threading.Timer(1.0, os.kill, (os.getpid(), number)).start()
    assert_that(
        ask(run, published, query, "--json"), has_properties(code=code, json=has_entries(exit_code=code))
    )
    assert_that(ask(run, published, "SELECT 1 AS x").code, equal_to(0))


def test_columns_that_hold_json_and_structs_are_asked_as_in_bigquery(run: Run, published: str) -> None:
    run_history = """SELECT status, FLOAT64(timing_breakdown.total_runtime) > 0 AS took,
        JSON_VALUE(timing_breakdown, '$.detail.clean.targets') AS targets
        FROM `any-project.nba_reference.processor_run_history`"""
    assert_that(
        ask(run, published, run_history, "--json").json["rows"],
        equal_to([{"status": "success", "took": True, "targets": "24"}]),
    )


def test_python_variables_are_no_tables(run: Run, published: str) -> None:
    rows = make_rows()
    assert_that(ask(run, published, "SELECT * FROM rows").code, equal_to(4), f"{rows.num_rows} rows")


@pytest.mark.parametrize(
    "value",
    [
        *(
            "=1+1",
            "+1",
            "-1+1",
            "@SUM(A1)",
            "=cmd|' /C calc'!A0",
            " =1",
            "\t=1",
            "\r=1",
            "\n=1",
            "\uff1d1",
            "-",
        ),
        *("\uff0b1", "\uff0d1", "\uff201"),
    ],
)
def test_a_csv_cell_never_starts_a_formula(value: str) -> None:
    written = format_csv(pa.table({value: [value]}))
    ((name,), (cell,)) = csv.reader(io.StringIO(written, newline=""))
    assert_that((name, cell), only_contains(starts_with("'")))
    assert_that(cell, equal_to("'" + escape_controls(value)))


def test_numbers_and_dates_stay_plain_in_csv() -> None:
    rows = pa.table(
        {
            "float": [-1.5, float("-inf")],
            "int": [-1, None],
            "decimal": [Decimal("-2.50"), None],
            "day": [FIRST_DATE, None],
            "text": ["", None],
            "list": [[-1], None],
        }
    )
    assert_that(
        format_csv(rows).splitlines()[1:],
        equal_to(['"-1.5","-1","-2.50","2024-01-10","","[  -1]"', '"-inf",,,,,']),
    )


def test_csv_reads_back_what_was_stored() -> None:
    texts = ['quote " inside', "comma, inside", "line\nbreak", "O'Neal", "Jokić", "🏀", "", "trailing\n"]
    written = format_csv(pa.table({"a": texts, 'b "x", y': texts[::-1]}))
    found = list(csv.reader(io.StringIO(written, newline="")))
    assert_that(found[0], equal_to(["a", 'b "x", y']))
    assert_that(found[1:], equal_to([list(pair) for pair in zip(texts, texts[::-1], strict=True)]))


def test_an_answer_without_rows_keeps_its_columns(run: Run, published: str) -> None:
    query = f"SELECT player_lookup, points FROM {TABLE} WHERE game_date = '1999-01-01'"
    assert_that(ask(run, published, query, "--format=csv").out, equal_to('"player_lookup","points"\n'))
    assert_that(ask(run, published, query).out.split(), equal_to(["player_lookup", "points"]))
    assert_that(ask(run, published, query, "--json").json["rows"], equal_to([]))


STEERING = "\x07\x08\x1b[2J\x1b]0;title\x07\x7f\x9b31m\r\u202e\u2066\u2028"


def find_steering(text: str) -> list[str]:
    return [c for c in text if c != "\n" and (not c.isprintable() or c in "\u2028\u2066\u202e") and c != "\t"]


def test_control_characters_never_reach_the_terminal(run: Run, published: str) -> None:
    literal = ", ".join(f"CHR({ord(c)})" for c in f"\0\n{STEERING}")
    query = f"SELECT CONCAT('a', {literal}, 'error: b') AS x"
    table = ask(run, published, query)
    assert_that(table, has_properties(code=0, out=contains_string("\\x1b[2J")))
    assert_that(table.out.splitlines(), has_length(2), "a line feed in a cell makes no line of its own")
    for flags in ([], ["--format=csv"], ["--format=json"], ["--json"]):
        assert_that(find_steering(ask(run, published, query, *flags).printed), empty(), str(flags))


def test_control_characters_in_names_are_spelt_out(run: Run, in_directory: Path) -> None:
    file = f"x{STEERING}.parquet"
    for arguments in (
        ["import", file],
        ["runs", "--warehouse", file],
        ["sql", f"SELECT {STEERING}"],
        [STEERING],
    ):
        shown = run(*arguments)
        assert_that(shown.code, any_of(equal_to(2), equal_to(3)))
        assert_that(find_steering(shown.printed), empty(), str(arguments))


def test_other_letters_stay_readable() -> None:
    text = "Jokić Dončić שלום مرحبا 王哲林 🏀"
    assert_that((escape_controls(text), escape_cell(text)), only_contains(text))
    assert_that(escape_controls("a\nb"), equal_to("a\nb"))
    assert_that(escape_cell("a\nb\tc"), equal_to("a\\x0ab\\x09c"))


def test_a_long_cell_is_neither_cut_nor_wrapped_when_a_program_reads(run: Run, published: str) -> None:
    shown = ask(run, published, "SELECT REPEAT('x', 50000) AS x, 1 AS y").out.splitlines()
    assert_that(shown[1].split(), equal_to(["x" * 50_000, "1"]))


def test_a_terminal_gets_cells_folded_to_its_width_and_no_other_control_but_colours(
    run: Run, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    literal = ", ".join(f"CHR({ord(c)})" for c in STEERING)
    shown = ask(
        run, published, f"SELECT CONCAT({literal}) AS x, REPEAT('long ', 30) AS y, '[red]b[/red]' AS z"
    ).out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert_that(shown, not_(equal_to(plain)))
    assert_that(find_steering(plain), empty())
    assert_that([line for line in plain.splitlines() if len(line) > 40], empty())
    assert_that(len(plain.splitlines()), greater_than(3))
    assert_that("".join(plain.split()), contains_string("[red]"))


def test_times_that_python_lacks_are_refused_with_a_hint(run: Run, published: str) -> None:
    far = pa.table({"t": pa.array([2**62], pa.timestamp("us"))})
    with pytest.raises(BadInput, match=r"the column 't' .* CAST"):
        list_rows(far)
    assert_that(ask(run, published, "SELECT DATE '2024-01-01' AS d", "--json").json["rows"], has_length(1))
