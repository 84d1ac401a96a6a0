"""``runs``: the history, and one run in detail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from boxscores import FIRST_DATE
from hamcrest import (
    all_of,
    assert_that,
    contains_string,
    equal_to,
    has_entries,
    has_items,
    has_length,
    has_properties,
    not_,
)
from terminal import DATES, TABLE, Run

from pipeline.report_run import floor_percent
from pipeline.report_runs import list_stages
from pipeline.warehouse.duckdb import DuckDBWarehouse


def test_runs_are_listed_newest_first_with_what_they_did(run: Run, imported: str) -> None:
    assert_that(run("runs", f"--warehouse={imported}"), has_properties(code=0, out="no run yet\n"))
    assert_that(run("runs", f"--warehouse={imported}", "--json").json, equal_to({"runs": [], "exit_code": 0}))
    for days in (0, 2):
        last = FIRST_DATE + timedelta(days=days)
        ended = run("backfill", f"--warehouse={imported}", f"--start-date={FIRST_DATE}", f"--end-date={last}")
        assert_that(ended.code, equal_to(0))
    shown = run("runs", f"--warehouse={imported}").out.splitlines()
    assert_that(shown, has_length(3))
    assert_that(shown[0].split(), has_items("run", "status", "mode", "dates", "rows", "gaps", "took"))
    assert_that(shown[0], not_(contains_string("error")))
    assert_that(shown[1], all_of(contains_string("2024-01-12"), contains_string("success")))
    assert_that(run("runs", f"--warehouse={imported}", "--limit=1").out.splitlines(), has_length(2))


def test_a_failed_run_is_listed_with_its_error(run: Run, imported: str) -> None:
    arguments = ["backfill", f"--warehouse={imported}", *DATES, "--bootstrap-days=0"]
    assert_that(run(*arguments).code, equal_to(0))
    with DuckDBWarehouse(imported).open(read_only=False) as connection:
        connection.execute(f"DELETE FROM {TABLE} WHERE game_date = DATE '2024-01-12'")
    refused = run(*arguments, "--json")
    assert_that(refused.code, equal_to(5))
    assert_that(refused.json, has_entries(exit_code=5, error=contains_string("--allow-deletes")))
    shown = run("runs", f"--warehouse={imported}").out.splitlines()
    assert_that(shown[1], all_of(contains_string("failed"), contains_string("DeletionRefused: ")))
    failed = run("runs", f"--warehouse={imported}", "--json").json["runs"][0]["run_id"]
    detail = run("runs", failed, f"--warehouse={imported}")
    assert_that(detail.code, equal_to(0))
    assert_that(detail.out, all_of(contains_string(f"{failed}, failed"), contains_string("--allow-deletes")))


def test_one_run_is_shown_with_its_counts_options_and_stages(run: Run, published: str) -> None:
    row = run("runs", f"--warehouse={published}", "--json").json["runs"][0]
    shown = run("runs", row["run_id"], f"--warehouse={published}")
    assert_that(shown.code, equal_to(0))
    for part in (
        f"Run {row['run_id']}, success",
        f"targets  {row['records_expected']} = ",
        "bootstrap_days 14",
        "insert",
    ):
        assert_that(shown.out, contains_string(part))
    assert_that(
        run("runs", row["run_id"], f"--warehouse={published}", "--json").json,
        equal_to({**row, "exit_code": 0}),
    )


def test_every_stage_that_was_timed_is_listed(published: str) -> None:
    row = DuckDBWarehouse(published).list_runs(1)[0]
    stages = list_stages(row)
    assert stages is not None
    listed = [name for name in stages[1][0] if not name.startswith(" ")]
    assert_that(set(listed), equal_to(set(row["timing_breakdown"]["detail"])))
    assert_that(listed[-1], equal_to("commit"))


def test_the_beginning_of_an_id_is_enough_where_only_one_run_has_it(run: Run, imported: str) -> None:
    for _ in range(2):
        assert_that(run("backfill", f"--warehouse={imported}", *DATES).code, equal_to(0))
    ids = [row["run_id"] for row in DuckDBWarehouse(imported).list_runs(2)]
    common = ids[0][: next(n for n, (a, b) in enumerate(zip(*ids, strict=True)) if a != b)]
    found = run("runs", ids[1][: len(common) + 1], f"--warehouse={imported}", "--json")
    assert_that(found.json["run_id"], equal_to(ids[1]))
    ambiguous = run("runs", common, f"--warehouse={imported}")
    assert_that((ambiguous.code, ambiguous.out), equal_to((3, "")))
    assert_that(ambiguous.err, contains_string("several runs have ids that begin"))


@pytest.mark.parametrize("name", ["nope", "%", "'; DROP TABLE x; --", "\x1b[31mred"])
def test_an_id_that_no_run_has_is_bad_input(run: Run, published: str, name: str) -> None:
    found = run("runs", name, f"--warehouse={published}", "--json")
    assert_that(found.code, equal_to(3))
    assert_that(found.json["error"], contains_string("no run has an id that begins"))
    assert_that(found.printed, not_(contains_string("\x1b")))


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 1, "100 %"), (999_999, 1_000_000, "99.9 %"), (0, 7, "0 %"), (1, 3, "33.3 %")],
)
def test_a_share_is_never_rounded_up(part: int, whole: int, text: str) -> None:
    assert_that(floor_percent(part, whole), equal_to(text))
