"""The command line: what it accepts, what it refuses, what reaches stdout, the terminal and the shell."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boxscores import make_rows, read_stored, vary, write_file
from hamcrest import (
    all_of,
    any_of,
    assert_that,
    contains_exactly,
    contains_string,
    equal_to,
    has_entries,
    has_item,
    has_items,
    has_key,
    has_length,
    has_properties,
    has_string,
    instance_of,
    is_not,
    less_than,
    matches_regexp,
    not_,
    only_contains,
    starts_with,
)
from terminal import CANARY, DATES, TABLE, Run, spawn

from pipeline.commands import app
from pipeline.commands.app import Terminated, build_parser, main
from pipeline.errors import FeatureStoreError, UsageError
from pipeline.options import COMMANDS as MODES
from pipeline.options import DEFAULT_WAREHOUSE, check_beam_args, normalize_flags, read_config
from pipeline.report import suggest_command, to_json
from pipeline.report_run import suggest_next
from pipeline.season import LAST_DAY, DateRange, parse_date
from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms.schema import RUN_HISTORY

COMMANDS = (
    "init",
    "backfill",
    "daily",
    "fill-gaps",
    "gaps",
    "coverage",
    "audit",
    "import",
    "demo",
    "sql",
    "runs",
    "explain",
    "launch",
    "watch",
    "completion",
)
WITH_EXAMPLES = (*(name for name in COMMANDS if name != "launch"), *(f"launch {m}" for m in MODES.values()))


# Help


def test_help_lists_every_command_and_how_to_start(run: Run) -> None:
    shown = run("--help")
    assert_that(shown, has_properties(code=0, err=""))
    assert_that(
        shown.out, all_of(*map(contains_string, COMMANDS), contains_string("Start with: feature-store"))
    )


@pytest.mark.parametrize("command", WITH_EXAMPLES)
def test_help_of_every_command_shows_an_example_that_parses(run: Run, command: str) -> None:
    names = command.split()
    shown = run(*names, "--help")
    assert_that(shown, has_properties(code=0, err=""))
    assert_that(shown.out, all_of(*map(contains_string, ("--json", "--debug", "example:"))))
    for example in shown.out.partition("example:\n")[2].strip().partition("\n\n")[0].splitlines():
        words = shlex.split(example)
        assert_that(words[: len(names) + 1], equal_to(["feature-store", *names]))
        known, rest = build_parser().parse_known_args(normalize_flags(words[1:], "-"))
        assert_that((known.command, rest), equal_to((names[0], [])))


def test_the_list_of_commands_under_test_is_complete() -> None:
    with pytest.raises(UsageError, match="choose from") as refused:
        build_parser().parse_args(["nonsense"])
    for command in COMMANDS:
        assert_that(refused.value, has_string(contains_string(f"'{command}'")))
    assert_that(str(refused.value).count("'"), equal_to(2 * len(COMMANDS) + 2))


# Flags


def read(*arguments: str) -> Any:
    known, rest = build_parser().parse_known_args(normalize_flags(["backfill", *arguments], "-"))
    return read_config(known, rest)


def test_hyphens_and_underscores_name_the_same_flags() -> None:
    hyphens = read("--start-date", "2024-01-01", "--end-date=2024-01-02", "--min-games=3", "--allow-deletes")
    underscores = read(
        "--start_date", "2024-01-01", "--end_date=2024-01-02", "--min_games=3", "--allow_deletes=true"
    )
    assert_that(hyphens, equal_to(underscores))
    assert_that(hyphens, has_properties(min_games=3, allow_deletes=True, start_date=date(2024, 1, 1)))


def test_underscores_in_values_stay(run: Run, in_directory: Path) -> None:
    write_file(make_rows(), in_directory / "my_rows-1.parquet")
    assert_that(run("import", "my_rows-1.parquet", "--warehouse=my_house-1.duckdb").code, equal_to(0))
    assert_that((in_directory / "my_house-1.duckdb").exists(), equal_to(True))


def test_a_beam_option_is_accepted_in_either_spelling() -> None:
    config = read(*DATES, "--direct-running-mode=in_memory", "--direct_num_workers", "1")
    assert_that(
        config.beam_args, contains_exactly("--direct_running_mode=in_memory", "--direct_num_workers", "1")
    )


def test_beam_options_that_collect_values_may_be_repeated() -> None:
    assert_that(read(*DATES, "--experiments=a", "--experiments=b").beam_args, has_length(2))
    with pytest.raises(UsageError, match="--runner is given twice"):
        read(*DATES, "--runner=DirectRunner", "--runner=FnApiRunner")


def test_beam_options_are_stored_with_the_run_by_name_only() -> None:
    config = read(*DATES, f"--temp_location={CANARY}", "--job_name", CANARY)
    assert_that(config.describe()["beam_args"], equal_to(["--temp_location", "--job_name"]))
    assert_that(str(config.describe()), not_(contains_string(CANARY)))


def test_no_beam_option_needs_no_beam() -> None:
    program = (
        "import sys; from pipeline.options import check_beam_args; import pipeline.commands.app; "
        "check_beam_args([]); sys.exit('apache_beam' in sys.modules)"
    )
    assert_that(subprocess.run([sys.executable, "-c", program], check=False).returncode, equal_to(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backfill", *DATES, f"--password={CANARY}"], "unknown argument: --password"),
        (["backfill", *DATES, "--password", CANARY], "unknown argument: --password"),
        (["backfill", *DATES, f"-p{CANARY}"], "unknown argument: -p"),
        (["backfill", *DATES, CANARY], "a value that belongs to no flag"),
        (["backfill", *DATES, f"--direct_num_workers={CANARY}"], "--direct_num_workers: invalid int value"),
        (["backfill", *DATES, f"--streaming={CANARY}"], "--streaming"),
        (["backfill", *DATES, "--runer=DirectRunner"], "unknown argument: --runer"),
        (["backfill", *DATES, "--direct_num_worker=2"], "unknown argument: --direct_num_worker"),
        (["backfill", *DATES, "--min-game=3"], "unknown argument: --min_game"),
        (["backfill", "--start=2024-01-01", "--end=2024-01-02"], "required: --start-date, --end-date"),
        (["backfill", *DATES, "--start_date=2024-01-01"], "--start_date is given twice"),
        (["runs", "--limit=1", "--limit=2"], "--limit is given twice"),
        (["backfill", *DATES, "--start-date"], "--start-date is given twice"),
        (["backfill", *DATES, "--parallel"], "--parallel: expected one argument"),
        (["import", "rows.csv", f"--token={CANARY}"], "unknown argument: --token"),
        (["import", "rows.csv", "--replace"], "unknown argument: --replace"),
        (["import"], "required: FILE"),
        (["sql"], "required: query"),
        (["sql", "SELECT 1", CANARY], "a value that belongs to no flag"),
        (["runs", "--api_key", CANARY], "unknown argument: --api-key"),
        (["runs", "--lim=3"], "unknown argument: --lim"),
        (["demo", f"--secret={CANARY}"], "unknown argument: --secret"),
        (["--password", CANARY, "runs"], "expected a command first, found --password"),
        (["--limit=1", "runs"], "expected a command first, found --limit"),
        ([], "required: command"),
        (["bakfill"], "invalid choice: 'bakfill'"),
        (["run"], "invalid choice: 'run'"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "",
)
def test_wrong_flags_end_with_2_and_a_clear_text_without_their_values(
    run: Run, arguments: list[str], message: str
) -> None:
    ended = run(*arguments)
    assert_that(ended.code, equal_to(2))
    assert_that(ended.err, all_of(starts_with("error: "), contains_string(message)))
    assert_that(ended.out, equal_to(""))
    assert_that(ended.printed, not_(contains_string(CANARY)))


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        *(
            ("--start-date", text, "expected a date as YYYY-MM-DD")
            for text in ("2024-1-1", "20240101", "01/02/2024", "2024-02-30", "today", "", "2024-01-01T00:00")
        ),
        ("--start-date", " 2024-01-01", "expected a date"),
        ("--start-date", "\u0662\u0660\u0662\u0664-01-01", "expected a date"),
        *(
            ("--bootstrap-days", text, "a whole number from 0 to 365")
            for text in ("-1", "366", "1.5", "x", "1e2", "")
        ),
        ("--min-games", "11", "a whole number from 0 to 10"),
        ("--parallel", "0", "a whole number from 1 to 64"),
        ("--parallel", "9" * 400, "a whole number from 1 to 64"),
        *(("--max-error-rate", text, "a number from 0 to 1") for text in ("1.1", "-0.1", "nan", "inf", "x")),
        ("--lock-timeout", "1e9", "a number from 0 to 86400"),
        ("--allow-deletes", "yes", "expected true or false"),
        *(
            ("--warehouse", text, "the path of a local file")
            for text in (
                "",
                ":memory:",
                "md:secret",
                "s3://bucket/w.duckdb",
                "https://host/w",
                "postgres:x",
                "a\0b",
            )
        ),
    ],
)
def test_bad_values_end_with_2_and_name_the_flag(run: Run, flag: str, value: str, expected: str) -> None:
    arguments = {"--start-date": "2024-01-01", "--end-date": "2024-01-02"} | {flag: value}
    ended = run("backfill", *(f"{name}={given}" for name, given in arguments.items()))
    assert_that(ended.code, equal_to(2))
    assert_that(
        ended.err, all_of(contains_string(flag), contains_string(expected), contains_string("--help"))
    )
    assert_that(len(ended.err), less_than(400))


def test_a_start_after_the_end_is_refused(run: Run) -> None:
    ended = run("backfill", "--start-date=2024-01-02", "--end-date=2024-01-01")
    assert_that(
        ended, has_properties(code=2, err=contains_string("2024-01-02 is after --end-date 2024-01-01"))
    )


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("0001-01-01", "9999-12-30", "more than 109800 days: check the years"),
        ("1024-01-10", "2024-01-10", "more than 109800 days"),
        ("9999-12-31", "9999-12-31", "a last date of 9999-12-30 at most"),
    ],
)
def test_absurd_ranges_are_refused(run: Run, first: str, last: str, found: str) -> None:
    ended = run("backfill", f"--start-date={first}", f"--end-date={last}")
    assert_that(ended, has_properties(code=2, err=contains_string(found)))


@pytest.mark.parametrize(
    ("first", "last"),
    [("2024-01-10", "2123-12-31"), ("1924-01-10", "2024-01-12"), ("2024-01-10", "2024-01-10")],
    ids=["end in the future", "a hundred years", "one day"],
)
def test_wide_ranges_and_future_ends_are_planned(run: Run, published: str, first: str, last: str) -> None:
    ended = run(
        "backfill", "--warehouse", published, "--start-date", first, "--end-date", last, "--dry-run", "--json"
    )
    assert_that(ended.code, equal_to(0))
    assert_that(ended.json, has_entries(start_date=first, end_date=last, exit_code=0))
    assert_that(ended.json["targets"], equal_to(8 if first == last else 24))


def test_the_first_dates_of_the_calendar_have_a_window(run: Run, published: str) -> None:
    ended = run(
        "backfill", "--warehouse", published, "--start-date=0001-01-01", "--end-date=0001-01-02", "--dry-run"
    )
    assert_that(ended, has_properties(code=0, out=contains_string("no player rows")))


def test_date_ranges_are_half_open_inside() -> None:
    dates = DateRange.inclusive(LAST_DAY, LAST_DAY)
    assert_that((dates.end, dates.last, list(dates)), equal_to((date.max, LAST_DAY, [LAST_DAY])))
    assert_that(parse_date("2024-02-29"), equal_to(date(2024, 2, 29)))


# JSON and exit codes


def test_every_command_prints_one_json_object(run: Run, in_directory: Path, published: str) -> None:
    write_file(make_rows(), in_directory / "rows.parquet")
    loaded = run("import", "rows.parquet", "--warehouse=w.duckdb", "--json")
    assert_that(
        loaded.json,
        has_entries(added=24, version=1, rejected={}, ignored_columns=[], exit_code=0, several_lookups=[]),
    )
    assert_that(loaded.json["absent_columns"], has_items("is_dnp", "is_home"))
    assert_that(loaded.json["absent_columns"], equal_to(sorted(loaded.json["absent_columns"])))

    generated = run("demo", "--warehouse=d.duckdb", "--seasons=1", "--teams=4", "--json")
    assert_that(
        generated.json, has_entries(exit_code=0, next=only_contains(starts_with("feature-store backfill")))
    )

    asked = run("sql", f"SELECT COUNT(*) AS n FROM {TABLE}", "--warehouse", published, "--json")
    assert_that(asked.json, equal_to({"rows": [{"n": 24}], "exit_code": 0}))

    listed = run("runs", "--warehouse", published, "--json")
    assert_that(listed.json, has_entries(exit_code=0, runs=has_length(1)))
    assert_that(listed.json["runs"][0], has_entries(status="success", records_expected=24))
    for ended in (loaded, generated, asked, listed):
        assert_that(ended, has_properties(code=0, err=""))


def test_a_backfill_prints_its_history_row_as_json_and_its_plan_on_stderr(run: Run, imported: str) -> None:
    ended = run("backfill", "--warehouse", imported, *DATES, "--json", "--bootstrap-days=0")
    found = ended.json
    for name in (*RUN_HISTORY.schema.names, "gaps_by_reason", "dates", "rejected", "duplicates", "next"):
        assert_that(found, has_key(name))
    assert_that(found, has_entries(status="success", exit_code=0, records_expected=24, dates=3, error=None))
    assert_that(found["timing_breakdown"]["detail"], instance_of(dict))
    assert_that(ended.err, contains_string("target dates"))
    assert_that(sum(found["gaps_by_reason"].values()), equal_to(found["gaps_open"]))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["backfill", "--start-date=x", "--end-date=2024-01-01"], 2),
        (["nonsense"], 2),
        (["import", "missing.parquet"], 3),
        (["runs", "--warehouse=missing.duckdb"], 3),
        (["sql", "DROP TABLE x"], 3),
        (["sql", "SELECT * FROM nba_analytics.nothing", "--warehouse=w.duckdb"], 4),
        (["sql", "SELECT nothing()", "--warehouse=w.duckdb"], 4),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else str(value),
)
def test_an_error_is_one_json_object_too(run: Run, imported: str, arguments: list[str], code: int) -> None:
    ended = run(*arguments, "--json")
    assert_that(ended.code, equal_to(code))
    assert_that(ended.json, has_entries(exit_code=code, error=is_not("")))
    assert_that(ended.err, starts_with("error: "))
    silent = run(*arguments)
    assert_that(silent, has_properties(code=code, out="", err=ended.err))


def test_a_missing_table_ends_with_4_and_says_what_to_do(run: Run, imported: str) -> None:
    assert_that(run("sql", "SELECT 1 AS x", f"--warehouse={imported}").code, equal_to(0))
    with DuckDBWarehouse(imported).open(read_only=False) as connection:
        connection.execute(f"DROP TABLE {TABLE}")
    ended = run("backfill", "--warehouse", imported, *DATES)
    assert_that(ended, has_properties(code=4, err=contains_string("feature-store import")))


@pytest.mark.parametrize(
    ("raised", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted: a commit is whole or not there; the same command again"),
        (Terminated(), 143, "terminated: a commit is whole or not there; the same command again"),
        (
            RuntimeError(f"first\n{CANARY}"),
            1,
            "error: internal error, RuntimeError: first; --debug shows where",
        ),
        (RuntimeError("x" * 9999), 1, "RuntimeError: " + "x" * 300 + ";"),
        (ValueError(), 1, "error: internal error, ValueError: ;"),
        (FeatureStoreError("a\x1b[2Jb"), 1, "error: a\\x1b[2Jb"),
    ],
    ids=["interrupt", "terminate", "internal", "long", "silent", "control"],
)
def test_every_end_has_its_exit_code_and_its_json(
    run: Run, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, text: str
) -> None:
    def fail(arguments: object) -> int:
        raise raised

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(app, "_dispatch", fail)
    monkeypatch.setattr(os, "_exit", leave)
    ended = run("runs", "--json")
    assert_that(ended.code, equal_to(code))
    assert_that(ended.json, has_entries(exit_code=code))
    assert_that(ended.err, contains_string(text))
    assert_that(ended.printed, not_(contains_string(CANARY)))


def test_a_traceback_is_shown_only_for_debug_and_holds_no_secret_either(run: Run, in_directory: Path) -> None:
    assert_that(run("import", "missing.csv").err, not_(contains_string("Traceback")))
    file = write_file(make_rows(), in_directory / "rows.csv")
    Path(file).write_text(f"{Path(file).read_text()}{CANARY},1\n")
    for arguments in (
        ["import", file, "--warehouse=w.duckdb"],
        ["import", "x\x1b[2J.csv"],
        ["backfill", *DATES, f"--direct_num_workers={CANARY}"],
        ["backfill", *DATES, f"--password={CANARY}"],
    ):
        shown = run(*arguments, "--debug")
        assert_that(shown.err, all_of(contains_string("Traceback"), contains_string("error: ")))
        assert_that(shown.printed, not_(any_of(contains_string(CANARY), contains_string("\x1b"))))


def test_json_holds_what_json_lacks() -> None:
    text = to_json(
        {
            "numbers": [float("nan"), float("inf"), -float("inf"), 1e308, 2**70],
            "times": [date(2024, 1, 1), None],
            "sets": {"b", "a"},
            "bytes": b"\xff\x00",
            "deep": {"x": ({"y": float("nan")},)},
            "text": "é\x1b\x7f\u202e",
        }
    )
    assert_that(text.isascii(), equal_to(True))
    assert_that(text, not_(any_of(contains_string("\x1b"), contains_string("\x7f"))))
    assert_that(
        json.loads(text),
        equal_to(
            {
                "numbers": ["nan", "inf", "-inf", 1e308, 2**70],
                "times": ["2024-01-01", None],
                "sets": ["a", "b"],
                "bytes": "/wA=",
                "deep": {"x": [{"y": "nan"}]},
                "text": "é\x1b\x7f\u202e",
            }
        ),
    )


# What to run next


@pytest.mark.parametrize(
    ("warehouse", "expected"),
    [
        (DEFAULT_WAREHOUSE, "feature-store runs"),
        ("demo.duckdb", "feature-store runs --warehouse demo.duckdb"),
        ("my house.duckdb", "feature-store runs --warehouse 'my house.duckdb'"),
        ("$(rm -rf x);'.duckdb", """feature-store runs --warehouse '$(rm -rf x);'"'"'.duckdb'"""),
    ],
)
def test_suggested_commands_are_quoted_for_the_shell(warehouse: str, expected: str) -> None:
    assert_that(suggest_command("runs", warehouse), equal_to(expected))
    assert_that(
        shlex.split(expected)[2:],
        equal_to([] if warehouse == DEFAULT_WAREHOUSE else ["--warehouse", warehouse]),
    )


def test_suggested_commands_parse_and_ask_what_they_promise() -> None:
    row = {
        "timing_breakdown": {"detail": {"calculate": {"gaps_bootstrap": 2}}},
        "options": {"bootstrap_days": 14},
        "start_date": "2024-01-10",
        "end_date": "2024-01-12",
        "gaps_open": 2,
        "records_expected": 24,
    }
    suggested = [shlex.split(command) for command in suggest_next(row, "a b.duckdb")]
    assert_that([words[1] for words in suggested], equal_to(["fill-gaps", "gaps"]))
    for words in suggested:
        known, rest = build_parser().parse_known_args(words[1:])
        assert_that((known.warehouse, rest), equal_to(("a b.duckdb", [])))
        dates = date(2024, 1, 10), date(2024, 1, 12)
        assert_that((known.start_date, known.end_date), equal_to(dates))


def test_a_backfill_suggests_what_runs(run: Run, imported: str) -> None:
    ended = run("backfill", f"--warehouse={imported}", *DATES, "--json")
    for command in ended.json["next"]:
        words = shlex.split(command)[1:]
        if words[0] != "backfill":
            assert_that(run(*words).code, equal_to(0))
    assert_that(ended.json["next"], has_item(contains_string("--bootstrap-days 0")))


# import and demo as commands


def test_an_import_tells_what_it_found(run: Run, in_directory: Path) -> None:
    rows = vary(
        make_rows(dates=1),
        points=pa.array(["1", "x", "\x1b[31m"] + ["3"] * 5),
        universal_player_id=["1", "1", "2"] + ["9"] * 5,
        plus_minus=[1] * 8,
    )
    shown = run("import", write_file(rows, in_directory / "rows.csv"), "--warehouse=w.duckdb")
    assert_that(shown.code, equal_to(0))
    for text in (
        *("1, 8 rows", "6 added, 0 replaced, 0 unchanged, 0 removed", "2 x ", "points cannot be parsed"),
        *(
            "ignored columns",
            "plus_minus",
            "absent columns",
            "One person with several lookups (1):",
            "9: chi1, den0",
        ),
    ):
        assert_that(shown.out, contains_string(text))
    assert_that(shown.out, not_(contains_string("\x1b")))


def test_long_lists_of_reasons_and_columns_are_cut(run: Run, in_directory: Path) -> None:
    rows = vary(make_rows(dates=1), **{f"extra_{n:03}": ["x"] * 8 for n in range(300)})
    files = [write_file(vary(rows, points=pa.array(["x"] * 8)), in_directory / f"{n}.csv") for n in range(25)]
    shown = run("import", *files, "--warehouse=w.duckdb").out
    assert_that(shown, all_of(contains_string("and 280 more"), contains_string("and 5 more reasons")))
    assert_that(shown.splitlines(), has_length(less_than(50)))


@pytest.mark.parametrize("command", [["import", "rows.parquet"], ["demo", "--seasons=1", "--teams=4"]])
def test_a_warehouse_needs_a_directory_and_a_place_that_is_no_other_file(
    run: Run, in_directory: Path, command: list[str]
) -> None:
    file = write_file(make_rows(), in_directory / "rows.parquet")
    missing = run(*command, "--warehouse=no/where/w.duckdb")
    assert_that(missing, has_properties(code=3, err=contains_string("there is no directory no/where")))
    before = Path(file).read_bytes()
    assert_that(run(*command, f"--warehouse={file}").code, equal_to(3))
    assert_that(Path(file).read_bytes(), equal_to(before))
    assert_that(sorted(path.name for path in in_directory.iterdir()), equal_to(["rows.parquet"]))


def test_a_demo_goes_into_a_warehouse_of_its_own(run: Run, imported: str) -> None:
    stored = read_stored(imported)
    ended = run("demo", f"--warehouse={imported}", "--seasons=1", "--teams=4")
    assert_that(ended, has_properties(code=3, err=contains_string("that the demo did not generate")))
    assert_that(read_stored(imported), equal_to(stored))


# In a process of its own


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a pipe that nobody reads in the place of a stream of this process."""

    writers = []

    def replace(name: str) -> None:
        ends = os.pipe()
        os.close(ends[0])
        writers.append(os.fdopen(ends[1], "w"))
        monkeypatch.setattr(sys, name, writers[-1])

    yield replace
    for writer in writers:
        writer.close()


def test_a_reader_that_goes_away_is_no_error(published: str) -> None:
    """``feature-store sql ... | head -0``: the interpreter's own end is silent too."""
    ends = os.pipe()
    with os.fdopen(ends[1], "wb") as writer:
        os.close(ends[0])
        ended = spawn(
            *("sql", "SELECT 1 AS x", "--warehouse", published),
            capture_output=False,
            stdout=writer,
            stderr=subprocess.PIPE,
        )
    assert_that((ended.returncode, ended.stderr), equal_to((0, b"")))


@pytest.mark.parametrize("flags", [[], ["--format=csv"], ["--json"]], ids=str)
def test_a_reader_may_go_away_in_the_middle_of_a_long_answer(
    published: str, deaf: Callable[[str], None], flags: list[str]
) -> None:
    deaf("stdout")
    query = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 50000)) AS n"
    assert_that(main(["sql", query, "--warehouse", published, *flags]), equal_to(0))


def test_the_work_is_done_when_nobody_reads_the_messages(
    run: Run, imported: str, deaf: Callable[[str], None]
) -> None:
    deaf("stderr")
    ended = run("backfill", "--warehouse", imported, *DATES, "--json")
    assert_that(ended.code, equal_to(0))
    assert_that(ended.json, has_entries(status="success"))


def test_a_terminal_without_unicode_gets_letters_spelt_out(published: str) -> None:
    ended = spawn(
        *("sql", "SELECT 'Jokić 🏀' AS x", "--warehouse", published),
        env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert_that((ended.returncode, ended.stderr), equal_to((0, b"")))
    assert_that(ended.stdout.decode("ascii"), contains_string("Joki\\u0107 \\U0001f3c0"))


def test_a_full_disk_behind_stdout_is_an_error(published: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = spawn(
            *("sql", "SELECT 1 AS x", "--warehouse", published),
            capture_output=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert_that(ended.returncode, equal_to(1))
    assert_that(ended.stderr.decode(), matches_regexp("^error: .*No space left"))


def test_beam_knows_its_flags() -> None:
    assert_that(check_beam_args(["--job-name=x"]), equal_to(["--job_name=x"]))
    assert_that(check_beam_args([]), equal_to([]))
