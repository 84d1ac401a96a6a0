"""The story of a season, told by the commands to a project and to a file: the same answers, the same tables.

Everything that the commands sent to the service is looked at afterwards: bounds, labels, limits, snapshots.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bounds import find_tables, find_unbounded, parse, split_script
from emulators.faults import Call, FaultPlan
from emulators.grpc_faults import GrpcProxy
from emulators.guard import loopback_only
from emulators.launch import Emulators
from emulators.rest_faults import RestProxy
from hamcrest import (
    all_of,
    assert_that,
    contains_string,
    empty,
    equal_to,
    greater_than,
    has_entries,
    has_item,
    has_items,
    has_length,
    only_contains,
)
from questions import STATEMENTS as QUESTIONS
from sqlglot import exp
from twins import Cloud, compare
from warehouse import House, Tables, differences

from pipeline.commands.app import main
from pipeline.demo import LeagueSpec, generate_tables
from transforms.schema import FEATURE_STORE, FEATURE_STORE_GAPS, OUTPUTS, RUN_HISTORY
from transforms.schema import PLAYER_GAME_SUMMARY as BOX
from transforms.side_tables import INPUTS

pytestmark = pytest.mark.slow

FIRST, LAST = date(2021, 10, 20), date(2021, 11, 20)
DATES = (f"--start-date={FIRST}", f"--end-date={LAST}")
STATEMENTS = [text.replace("CURRENT_DATE() - 1", "DATE '2021-11-01'") for text in QUESTIONS]
"""Of the league's own dates."""
"""What people ask of the tables, as they ask it; only that the fourth asks for runs over the past season."""

RUNS = ("backfill", "fill-gaps", "daily")


@dataclass
class Told:
    """A warehouse after the story: what each command answered and, of a project, what it sent."""

    house: House
    tables: Tables = field(default_factory=lambda: Tables({}, {}, []))
    answers: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rest: dict[str, list[Call]] = field(default_factory=dict)
    sessions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def all_jobs(self) -> list[dict[str, Any]]:
        return [job for jobs in self.jobs.values() for job in jobs]


def call(*arguments: str) -> Any:
    """A command's one JSON object; fails where the command does."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([*arguments, "--json"])
        except SystemExit as end:
            code = int(end.code or 0)
    assert_that(code, equal_to(0), f"{arguments}: {err.getvalue()}")
    return json.loads(out.getvalue())


def tell(told: Told, files: dict[str, str]) -> Iterator[str]:
    """The story, a command at a time; gives the name of what was just done."""
    where = f"--warehouse={told.house.path}"

    def ask(name: str, *arguments: str) -> str:
        told.answers[name] = call(*arguments)
        return name

    yield ask("init", "init", where)
    for table, file in files.items():
        yield ask(f"import {table}", "import", where, f"--table={table}", file)
    yield ask("backfill", "backfill", where, *DATES, "--parallel=1")
    yield ask("gaps", "gaps", where, *DATES)
    suggested = told.answers["gaps"]["commands"]
    (early,) = (found for found in suggested if found["option"] == "--bootstrap-days 0")
    words = shlex.split(early["local"])[1:]
    yield ask("fill-gaps", *words, "--parallel=1")
    yield ask("fill-gaps again", *words, "--parallel=1")
    yield ask("daily", "daily", where, f"--date={LAST + timedelta(days=1)}", "--parallel=1")
    yield ask("coverage", "coverage", where, *DATES)
    yield ask("audit", "audit", where, *DATES)
    yield ask("runs", "runs", where)
    for number, statement in enumerate(STATEMENTS):
        yield ask(f"sql {number}", "sql", where, statement)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A generated league with every side table and games still to come, a file a table."""
    parts: dict[str, list[pa.Table]] = {}
    spec = LeagueSpec(seed=3, first_season=2021, seasons=1, teams=4, end_date=LAST)
    for table, rows in generate_tables(spec):
        parts.setdefault(table.path, []).append(rows)
    assert_that(set(parts), equal_to({table.path for table in INPUTS}))
    directory = tmp_path_factory.mktemp("league")
    for path, rows in parts.items():
        pq.write_table(pa.concat_tables(rows), directory / f"{path}.parquet")
    return {path: str(directory / f"{path}.parquet") for path in parts}


@pytest.fixture(scope="module")
def in_file(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Told:
    told = Told(House(str(tmp_path_factory.mktemp("told") / "w.duckdb")))
    assert_that(list(tell(told, files)), has_item("daily"))
    told.tables = told.house.read()
    return told


@pytest.fixture(scope="module")
def in_project(
    files: dict[str, str], started_emulators: Emulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    started_emulators.start()
    with (
        pytest.MonkeyPatch.context() as patch,
        loopback_only() as outside,
        RestProxy(started_emulators.rest) as rest,
        GrpcProxy(started_emulators.storage_api) as grpc,
    ):
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        services = f"api={rest.url}&storage_api={grpc.address}"
        told = Told(Cloud(f"bigquery://{started_emulators.fresh_project()}?{services}"))
        watch(told, files, rest.plan, grpc.plan)
        told.tables = told.house.read()
        yield told
        assert_that(outside, empty())


def watch(told: Told, files: dict[str, str], rest: FaultPlan, grpc: FaultPlan) -> None:
    """Tells the story, and sorts what was sent by the command that sent it."""
    assert isinstance(told.house, Cloud)
    seen: set[str] = set()
    calls = sessions = 0
    for name in tell(told, files):
        jobs = [job._properties for job in told.house.client.list_jobs(all_users=True)]
        told.jobs[name] = [job for job in reversed(jobs) if job["id"] not in seen]
        seen |= {job["id"] for job in jobs}
        told.rest[name] = rest.calls[calls:]
        made = [found.body for found in grpc.matching("GRPC", "CreateReadSession$")]
        told.sessions[name] = made[sessions:]
        calls, sessions = len(rest.calls), len(made)


def read_query(job: dict[str, Any]) -> str | None:
    query: str | None = job["configuration"].get("query", {}).get("query")
    return query


def read_text(session: str, name: str) -> str:
    """A text of a read session's request."""
    found = re.search(rf'{name}: ("(?:[^"\\]|\\.)*")', session)
    return str(ast.literal_eval(found[1])) if found else ""


# What the commands say and leave behind


def test_the_tables_are_those_of_the_embedded_warehouse(in_project: Told, in_file: Told) -> None:
    found = in_project.tables
    compare(found, in_file.tables)
    assert_that([run["mode"] for run in found.runs], equal_to(["backfill", "gaps", "daily"]))
    assert_that(len({row["data_hash"] for row in found.features.values()}), greater_than(400))
    assert_that(len({gap["skip_reason"] for gap in found.gaps.values()}), greater_than(1))


def test_the_commands_answer_alike(in_project: Told, in_file: Told) -> None:
    for name, answer in in_file.answers.items():
        if name == "init":
            continue
        for part in answer.keys() - UNLIKE:
            assert_that(in_project.answers[name][part], equal_to(answer[part]), f"{name}: {part}")
    assert_that(in_project.answers["audit"], has_entries(exit_code=0))
    filled = in_project.answers["fill-gaps"]
    assert_that(filled, has_entries(gaps_open=0, gaps_resolved=greater_than(20)))
    assert_that(in_project.answers["fill-gaps again"], has_entries(attempted=0))
    for group in in_project.answers["coverage"]["groups"]:
        assert_that(group["player_rows"], equal_to(group["feature_rows"] + group["open_gaps"]))


UNLIKE = {
    *("run_id", "started_at", "processed_at", "duration_seconds", "timing_breakdown", "options"),
    *("next", "commands", "runs", "rows"),
}
"""Parts of answers that say when, by whom and where."""


def test_what_people_ask_is_answered_as_it_stands(in_project: Told, in_file: Told) -> None:
    answers = [in_project.answers[f"sql {number}"]["rows"] for number in range(len(STATEMENTS))]
    expected = [in_file.answers[f"sql {number}"]["rows"] for number in range(len(STATEMENTS))]
    for number in (0, 1, 4):
        assert_that(answers[number], equal_to(expected[number]))
    assert_that(answers[0], has_length(answers[1][0]["dates"]))
    assert_that(sorted(map(str, answers[2])), equal_to(sorted(map(str, expected[2]))))
    assert_that(answers[2], has_item(has_entries(failure_category="NO_GAME_SUMMARY")))
    assert_that(answers[3], has_length(2))
    assert_that([float(row["save_s"]) > 0 for row in answers[3]], equal_to([True] * 2))
    assert_that(answers[4], equal_to([{"still_missing": 0}]))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM nba_predictions.feature_store_gaps WHERE TRUE",
        "SELECT 1; DROP TABLE nba_predictions.feature_store_gaps",
        "CREATE TABLE nba_predictions.x AS SELECT 1 AS a",
        "BEGIN SELECT 1; END",
        "EXPORT DATA OPTIONS(uri='gs://b/*') AS SELECT 1",
        "CALL nba_predictions.x()",
        "",
    ],
)
def test_sql_takes_one_select_and_nothing_else(in_project: Told, statement: str) -> None:
    assert isinstance(in_project.house, Cloud)
    before = len(list(in_project.house.client.list_jobs(all_users=True)))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["sql", f"--warehouse={in_project.house.path}", statement])
    assert_that((code, out.getvalue()), equal_to((3, "")), err.getvalue())
    assert_that(list(in_project.house.client.list_jobs(all_users=True)), has_length(before))


def test_another_run_changes_nothing(in_project: Told) -> None:
    dates = [f"--start-date={LAST - timedelta(days=4)}", f"--end-date={LAST}"]
    answer = call("backfill", f"--warehouse={in_project.house.path}", *dates, "--parallel=1")
    assert_that(answer, has_entries(records_created=0, records_updated=0, records_deleted=0, gaps_opened=0))
    assert_that(differences(in_project.house.read(), in_project.tables), empty())


# What they sent


def test_every_statement_has_both_bounds_of_every_date(in_project: Told) -> None:
    found = [
        line
        for name, jobs in in_project.jobs.items()
        if not name.startswith("sql ")
        for job in jobs
        if (query := read_query(job)) and job.get("parentJobId") is None
        for line in find_unbounded(query)
    ]
    assert_that(found, empty())
    statements = [
        statement
        for name, jobs in in_project.jobs.items()
        if not name.startswith("sql ")
        for job in jobs
        for statement in split_script(read_query(job) or "RETURN")
    ]
    mentioned = {f"{t.db}.{t.name}" for statement in statements for t in find_tables(parse(statement))}
    assert_that(mentioned, equal_to({table.path for table in (*INPUTS, *OUTPUTS) if table.partition}))
    merges = [tree for text in statements for tree in parse(text).find_all(exp.Merge)]
    assert_that(len(merges), greater_than(6))
    assert_that([text for text in statements if "NOT MATCHED BY SOURCE" in text], empty())


def test_every_read_session_has_both_bounds_and_named_columns(in_project: Told) -> None:
    sessions = [session for sessions in in_project.sessions.values() for session in sessions]
    assert_that(len(sessions), greater_than(15))
    for session in sessions:
        project, dataset, table = re.findall(r"projects/([^/]+)/datasets/(\w+)/tables/(\w+)", session)[0]
        restriction = read_text(session, "row_restriction")
        query = f"SELECT 1 FROM `{project}.{dataset}.{table}`"
        assert_that(find_unbounded(f"{query} WHERE {restriction}" if restriction else query), empty())
        assert_that(session, contains_string("selected_fields:"))


@pytest.mark.parametrize("command", RUNS)
def test_what_a_run_reads_is_of_one_instant(in_project: Told, command: str) -> None:
    run_id = in_project.answers[command]["run_id"]
    queries = [read_query(job) or "" for job in in_project.jobs[command] if is_of_run(job, run_id)]
    found = [instant for query in queries for instant in re.findall(r"AS OF TIMESTAMP '([^']+)'", query)]
    (instant,) = set(found)
    taken = [read_snapshot(session) for session in in_project.sessions[command]]
    seconds = datetime.fromisoformat(instant).timestamp()
    mine = [moment for moment in taken if moment is not None and abs(moment - seconds) < 1e-4]
    assert_that(len(mine), greater_than(5))
    if command != "fill-gaps":
        # what chooses the gaps of a run looks at an instant of its own
        assert_that(mine, has_length(len(taken)))
    reading = [
        query
        for query in queries
        if "BEGIN TRANSACTION" not in query and f".{BOX.dataset}.{BOX.name}`" in query
    ]
    assert_that(len(reading), greater_than(2))
    assert_that(reading, only_contains(contains_string("FOR SYSTEM_TIME AS OF")))


def read_snapshot(session: str) -> float | None:
    """The instant that a read session asks for, in seconds."""
    found = re.search(r"snapshot_time \{\s+seconds: (\d+)(?:\s+nanos: (\d+))?", session)
    return int(found[1]) + int(found[2] or 0) / 1e9 if found else None


def is_of_run(job: dict[str, Any], run_id: str) -> bool:
    return bool(job["configuration"].get("labels", {}).get("run") == run_id.lower())


@pytest.mark.parametrize("command", RUNS)
def test_every_job_of_a_run_has_its_label_and_a_query_its_limits(in_project: Told, command: str) -> None:
    run_id = in_project.answers[command]["run_id"]
    jobs = in_project.jobs[command]
    mine = [job for job in jobs if is_of_run(job, run_id)]
    loads = [job for job in mine if "load" in job["configuration"]]
    # a run over dates stages four kinds of rows, one over keys its keys, too
    assert_that(loads, has_length(5 if command == "fill-gaps" else 4))
    assert_that(len(mine), greater_than(15))
    if command != "fill-gaps":
        assert_that([job["id"] for job in jobs if job not in mine and not is_child(job)], empty())


def is_child(job: dict[str, Any]) -> bool:
    """Whether the service made the job, for a statement of a script."""
    return "script_job" in job["id"]


def test_every_query_may_bill_and_last_only_so_much(in_project: Told) -> None:
    checked = 0
    for job in in_project.all_jobs:
        configuration = job["configuration"]
        if "query" not in configuration or is_child(job):
            continue
        checked += 1
        assert_that(configuration["labels"], has_entries(component="feature-store"))
        assert_that(int(configuration["query"]["maximumBytesBilled"]), equal_to(100 * 1024**3))
        assert_that(int(configuration["jobTimeoutMs"]), equal_to(600_000))
    assert_that(checked, greater_than(80))


def test_tables_are_made_by_init_and_imports_and_else_only_to_be_dropped(in_project: Told) -> None:
    made: dict[str, list[str]] = {}
    for name, calls in in_project.rest.items():
        for found in calls:
            match = re.search(r"/datasets/(\w+)/tables$", found.path.partition("?")[0])
            if found.method == "POST" and match:
                made.setdefault(match[1], []).append(name)
                if match[1] == "feature_store_staging":
                    assert_that(json.loads(found.body), has_entries(expirationTime=greater_than("1")))
    staged = set(made.pop("feature_store_staging"))
    assert_that(staged & set(RUNS), equal_to(set(RUNS)))
    others = {name.partition(" ")[0] for names in made.values() for name in names}
    assert_that(others, equal_to({"init", "import"}))
    assert isinstance(in_project.house, Cloud)
    assert_that(list(in_project.house.client.list_tables("feature_store_staging")), empty())
    scripts = [read_query(job) or "" for job in in_project.all_jobs if not is_child(job)]
    created = [re.findall(r"CREATE (?:OR REPLACE )?(\w+)", script) for script in scripts]
    assert_that({kind for kinds in created for kind in kinds}, equal_to({"VIEW", "TEMP"}))


def test_the_commit_is_one_script_and_makes_no_table(in_project: Told) -> None:
    for command in RUNS:
        scripts = [
            query
            for job in in_project.jobs[command]
            if (query := read_query(job)) and "BEGIN TRANSACTION" in query
        ]
        assert_that(scripts, has_length(1))
        assert_that(scripts[0], all_of(contains_string("COMMIT TRANSACTION"), contains_string("ASSERT")))
        assert_that(re.findall(r"\b(?:CREATE|ALTER|DROP|TRUNCATE)\b", scripts[0]), empty())
        changed = {
            f"{t.db}.{t.name}"
            for statement in split_script(scripts[0])
            for tree in [parse(statement)]
            if isinstance(tree, exp.Merge | exp.Delete | exp.Insert | exp.Update)
            for t in [tree.this]
        }
        tables = (FEATURE_STORE, FEATURE_STORE_GAPS, RUN_HISTORY)
        assert_that(changed, equal_to({table.path for table in tables}))


def test_gaps_suggests_a_launch_on_this_very_warehouse(in_project: Told) -> None:
    address = f"{in_project.house.path}&temp=gs://BUCKET/temp"
    project = address.removeprefix("bigquery://").partition("?")[0]
    for command in in_project.answers["gaps"]["commands"]:
        words = shlex.split(command["dataflow"])
        assert_that(words, has_items(f"--warehouse={address}", f"--project={project}"))


def test_init_made_what_is_in_the_definition(in_project: Told) -> None:
    made = in_project.answers["init"]["made"]
    assert_that(made, has_items("created dataset feature_store_staging", f"created {RUN_HISTORY.path}"))
    assert_that([isinstance(line, str) for line in made], only_contains(True))
    assert_that(Path(in_project.house.path).exists(), equal_to(False))
