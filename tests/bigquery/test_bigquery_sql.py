"""Statements for BigQuery: none without both bounds, and every value as it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bounds import find_unbounded
from emulators.launch import Emulators
from hamcrest import assert_that, contains_string, empty, equal_to, has_length, not_
from twins import make_address

from pipeline.errors import FeatureStoreError
from pipeline.season import DateRange
from pipeline.warehouse.base import CommitRequest, InputState
from pipeline.warehouse.bigquery_address import parse_address
from pipeline.warehouse.bigquery_commit_sql import CommitSql
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_sql import BigQuerySql
from transforms.contracts import FEATURES, GAPS, PASSED, TARGETS
from transforms.schema import (
    PLAYER_GAME_SUMMARY,
    STAGED_TARGETS,
    Table,
)
from transforms.side_tables import REGISTRY

SNAPSHOT = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
DATES = DateRange(date(2024, 1, 30), date(2024, 2, 2))
SQL = BigQuerySql("my-project", SNAPSHOT)
BOX = PLAYER_GAME_SUMMARY

OVER_DATES: dict[str, Callable[[Table], str]] = {
    "bound_dates": lambda table: SQL.bound_dates(table, DATES),
    "select_window": lambda table: SQL.select_window(table, table.key, DATES),
    "select_row": lambda table: SQL.select_row(table, DATES.start),
    "list_dates": lambda table: SQL.list_dates(table, DATES),
    "list_players": lambda table: SQL.list_players(table, DATES),
    "count_by_date": lambda table: SQL.count_by_date(table, DATES),
    "list_changed_dates": lambda table: SQL.list_changed_dates(table, DATES),
    "count_window": lambda table: SQL.count_window(table, DATES),
    "find_first_dates": lambda table: SQL.find_first_dates(table, DATES),
    "find_extremes": lambda table: SQL.find_extremes(table, DATES, DATES),
    "count_runs_over": lambda table: SQL.count_runs_over(DATES, table),
    "select_runs": lambda table: SQL.select_runs(table, "run_id = @run_id"),
    "restrict": lambda table: SQL.restrict(table, DATES, "points > 1"),
}
"""Every method that makes (part of) a statement over a table with a date."""

OTHERS = {
    *("quote", "name_object", "name_table", "name_source", "list_columns", "name_type"),
    *("text_literal", "time_literal", "date_literal", "parameter"),
    *("select_whole", "select_open_gaps", "restrict_open_gaps", "create_views"),
    *("find_server_time", "find_partitions"),
}
"""The rest: names and values, what is over no date or over the ledger alone, and metadata."""


def complete(name: str, text: str) -> str:
    """A statement of what may be a condition only."""
    return (
        f"SELECT 1 FROM {SQL.name_table(BOX)} WHERE {text}" if name in ("bound_dates", "restrict") else text
    )


def test_every_method_is_known_here() -> None:
    methods = {
        name for name, _ in inspect.getmembers(BigQuerySql, inspect.isfunction) if not name.startswith("_")
    }
    assert_that(methods, equal_to({*OVER_DATES, *OTHERS}))


@pytest.mark.parametrize("name", OVER_DATES)
def test_a_statement_has_both_bounds_or_is_not_made(name: str) -> None:
    statement = complete(name, OVER_DATES[name](BOX))
    assert_that(find_unbounded(statement), empty())
    # the check itself: without either bound it would have told
    for bound in (">= DATE", "< DATE"):
        assert_that(find_unbounded(statement.replace(bound, "<> DATE")), not_(empty()))
    with pytest.raises(FeatureStoreError):
        OVER_DATES[name](REGISTRY)


def test_a_whole_table_is_read_only_where_it_has_no_date() -> None:
    assert_that(SQL.select_whole(REGISTRY, REGISTRY.key), contains_string("nba_players_registry"))
    assert_that(SQL.restrict(REGISTRY, None), equal_to(""))
    for make in (lambda: SQL.select_whole(BOX, BOX.key), lambda: SQL.restrict(BOX, None, "points > 1")):
        with pytest.raises(FeatureStoreError, match=r"nba_analytics.player_game_summary is read by"):
            make()
    assert_that(find_unbounded(SQL.select_open_gaps(DATES)), empty())


def test_reads_are_as_of_the_snapshot() -> None:
    for name in set(OVER_DATES) - {"bound_dates", "restrict"}:
        text = OVER_DATES[name](BOX)
        assert_that(text.count("FROM `"), equal_to(text.count("AS OF TIMESTAMP '2024-05-06T07:08:09.123456")))
    assert_that(BigQuerySql("p").select_whole(REGISTRY, REGISTRY.key).count("AS OF"), equal_to(0))


@pytest.mark.parametrize("name", ["a b", "a`b", "1a", "", "a;", "a" * 129, "naïve", "a.b"])
def test_only_plain_names_become_part_of_a_statement(name: str) -> None:
    for make in (
        SQL.quote,
        SQL.parameter,
        lambda n: SQL.name_object("d", n),
        lambda n: SQL.name_object(n, "t"),
    ):
        with pytest.raises(FeatureStoreError, match="plain SQL identifier"):
            make(name)


def make_commit(requested: Any) -> CommitSql:
    request = CommitRequest(
        run_id="r", run_at=SNAPSHOT, targets=DATES, windows=(DATES,), requested=requested,
        inputs=InputState({}, 0, SNAPSHOT), rows_read=0, allow_deletes=False, files=(),
    )  # fmt: skip
    staged = {kind: f"`p.s.{kind}`" for kind in (FEATURES, GAPS, TARGETS, PASSED, "requested")}
    return CommitSql(SQL, request, staged)


def test_a_run_of_single_keys_is_bounded_by_them_however_few() -> None:
    whole, none = make_commit(None), make_commit(STAGED_TARGETS.empty_table())
    for name in ("count_rows", "count_ledger", "delete_rows", "list_deletions", "list_identities"):
        assert_that(find_unbounded(getattr(none, name)()), empty())
        assert_that(getattr(none, name)(), contains_string("`p.s.requested`"))
        assert "`p.s.requested`" not in getattr(whole, name)()
    assert_that([query for _, query in none.list_rules() if "`p.s.requested`" in query], has_length(1))


TEXTS = [
    "", " ", "'", '"', "\\", "\\'", "\\n", "a\nb\rc\td", "`", "''' \"\"\"", "@x @@y", "%s {} $1",
    "-- /* */ #",
    "é ñ ß 名前 \u2028\u2029\u00a0\u200b\ufeff", "😀👩‍👩‍👧", "\x01\x07\x08\x0b\x0c\x1b\x1f\x7f\x80\x9f",
    "'); DROP TABLE x; --", "NULL", ";\n", "x" * 200_000,
]  # fmt: skip


@pytest.fixture
def jobs(emulators: Emulators, project: str) -> Jobs:
    return Jobs(parse_address(make_address(emulators, project)), "Run:1")


def test_texts_come_back_from_the_service_as_they_were(jobs: Jobs) -> None:
    columns = ", ".join(f"{SQL.text_literal(text)} AS t{index}" for index, text in enumerate(TEXTS))
    assert_that(list(jobs.ask_one(f"SELECT {columns}")) == TEXTS)
    # what looks like an escape is not among the literals: the emulator reads the escapes in them twice
    texts = [*TEXTS, "\\x41\\u0041\\101"]
    params = {f"t{index}": text for index, text in enumerate(texts)}
    named = ", ".join(f"@{name} AS {name}" for name in params)
    assert_that(list(jobs.ask_one(f"SELECT {named}", params)) == texts)


def test_a_backslash_is_escaped_before_anything_else() -> None:
    assert_that(SQL.text_literal("\\x41'\n"), equal_to("'\\\\x41\\'\\x0a'"))


def test_a_text_with_nul_is_refused() -> None:
    with pytest.raises(FeatureStoreError, match="NUL"):
        SQL.text_literal("a\x00b")


def test_dates_and_times_come_back_as_they_were(jobs: Jobs) -> None:
    days = [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]
    instants = [
        SNAPSHOT,
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2024, 3, 10, 1, 59, 59, 999999, tzinfo=UTC) + timedelta(microseconds=1),
    ]
    given = [*map(SQL.date_literal, days), *map(SQL.time_literal, instants)]
    columns = ", ".join(f"{text} AS v{index}" for index, text in enumerate(given))
    assert_that(list(jobs.ask_one(f"SELECT {columns}")), equal_to([*days, *instants]))
