"""Whatever happens to a call, the run or the same command again gives the tables of an undisturbed run.

Each fault meets every kind of call of one run. ``--exhaustive`` tries each kind by itself, too, of which
otherwise a few are drawn.
"""

from __future__ import annotations

import os
import random
import re
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from proxied import (
    BY_NAME,
    KEYS,
    KINDS,
    REFUSALS,
    REST_FAULTS,
    ROWS,
    ProxiedHouse,
    describe_runs,
    find_fault,
    lost,
)
from warehouse import LOADED_AT, SCHEMA, Tables, differences

from pipeline.commands.app import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]
EXHAUSTIVE = bool(os.environ.get("EXHAUSTIVE"))
ROUTES = ("upload", "resumable", "bucket")
"""How staged rows reach the service."""

ONLY = {
    "upload": {"upload"},
    "resumable": {"begin-upload", "continue-upload"},
    "bucket": {"load-objects", "write-object", "list-objects", "remove-object"},
}
IMPORTING = {"import-script", "create-dataset"}
RUNNING = {
    "open-session",
    "read-rows",
    "commit-script",
    "drop-table",
    "create-table",
    "wait",
    "ask",
    "fetch-rows",
}
ASIDE = {"find-job", "find-bucket"}
"""Calls that are made only now and then: of jobs that take their time, and by the client aside."""
NAMED = re.compile(r"import-|\d{8}T")


def draw(cases: list[Any], number: int) -> list[Any]:
    """All of them where EXHAUSTIVE is set, else some, always the same."""
    if EXHAUSTIVE:
        return cases
    return random.Random(2024).sample(cases, number)


def import_rows(house: ProxiedHouse) -> Any:
    table = pa.Table.from_pylist(ROWS, schema=SCHEMA)
    house.warehouse.initialize()
    return house.warehouse.load(table, LOADED_AT, replace_dates=False)


def check_done_once(house: ProxiedHouse) -> None:
    """No job did its work twice, and one whose reply was lost was looked up."""
    posted: dict[str, list[Any]] = {}
    for call in house.calls:
        if call.job_id and call.method in ("POST", "PUT") and "/jobs" in call.path:
            posted.setdefault(call.job_id, []).append(call)
    for job_id, calls in posted.items():
        done = [
            call for call in calls if "=resumable" not in call.path and (lost(call) or call.status == 200)
        ]
        assert len(done) <= 1, f"{job_id} was done {len(done)} times"
    again = [job_id for job_id in posted if NAMED.match(job_id) and not job_id.endswith("-0")]
    assert again == [], "a job that had not failed got another attempt"


def check_tables(house: ProxiedHouse, expected: Tables, runs: int) -> None:
    found = house.read()
    assert differences(found, expected) == []
    assert len(found.successes) == runs
    assert len({run["run_id"] for run in found.runs}) == len(found.runs)


@pytest.mark.parametrize("route", ROUTES if EXHAUSTIVE else ("resumable", "bucket"))
def test_every_call_is_of_a_named_kind(make_house, undisturbed, route):
    house = make_house(route)
    assert import_rows(house).added == len(ROWS)
    assert main(house.command()) == 0
    house.run_keys(KEYS)
    unnamed = [
        (call.method, call.path, call.job_id)
        for call in house.calls
        if not any(kind.matches(call) for kind in KINDS)
    ]
    assert unnamed == []
    seen = {kind.name for kind in KINDS if house.matching(kind)}
    others = set.union(*(ONLY[other] for other in ROUTES if other != route))
    assert {kind.name for kind in KINDS} - others - ASIDE <= seen | ONLY["upload"]
    check_done_once(house)
    check_tables(house, undisturbed.after_keys, runs=2)
    assert house.list_scratch() == []


ALL_PASSING = [*product(REST_FAULTS, ROUTES)]
PASSING = [
    *product(["503", "lost", "hang"], ["upload"]),
    ("reset", "bucket"),
    ("lost", "resumable"),
]
"""Some of them: before the work, after it, no end; each way of the rows."""


@pytest.mark.parametrize(("fault", "route"), ALL_PASSING if EXHAUSTIVE else PASSING)
def test_a_passing_fault_of_every_kind_of_call_is_outlived(make_house, undisturbed, fault, route):
    house = make_house(route)
    for kind in KINDS:
        house.disturb(kind, find_fault(fault, kind))
    outcome = import_rows(house)
    assert (outcome.added, outcome.version) == (len(ROWS), 1)
    assert main(house.command()) == 0
    struck = {kind.name for kind in KINDS if any(call.fault for call in house.matching(kind))}
    assert struck >= ONLY[route] | IMPORTING | RUNNING
    check_done_once(house)
    check_tables(house, undisturbed.after_run, runs=1)
    assert describe_runs(house.read()) == describe_runs(undisturbed.after_run)
    assert house.read_inputs() == undisturbed.inputs


REFUSED = [
    *product(
        ["create-table", "upload", "ask", "commit-script", "wait", "fetch-rows", "open-session", "read-rows"],
        REFUSALS,
    ),
    ("find-table", "403"),
]
CODES = {"403": 7, "404": 4}
CANARY = "canary-7d02"


def test_a_call_that_is_refused_ends_the_run_and_publishes_nothing(
    make_house, undisturbed, capsys, monkeypatch, tmp_path
):
    """One house for all of them, so that every run begins with what the one before it left."""
    secret = tmp_path / "credentials.json"
    secret.write_text(f'{{"private_key": "{CANARY}"}}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(secret))
    house = make_house("upload")
    house.put([row | {"player_full_name": CANARY, "dnp_reason": CANARY} for row in ROWS])
    for name, refusal in draw(REFUSED, 4):
        kind = BY_NAME[name]
        house.disturb(kind, find_fault(refusal, kind), times=10_000)
        capsys.readouterr()
        code = main(house.command())
        printed = "".join(capsys.readouterr())
        assert (name, refusal, code) == (name, refusal, CODES[refusal]), printed
        assert "injected" in printed
        assert CANARY not in printed
        house.heal()
        found = house.read()
        assert (found.features, found.gaps, found.successes) == ({}, {}, []), f"{name} {refusal}"
        assert not any(CANARY in str(run) for run in found.runs)
    assert main(house.command()) == 0
    assert differences(house.read(), undisturbed.after_run) == []
    assert not any(CANARY in f"{call.path} {call.job_id} {call.body}" for call in house.calls)


def test_what_cannot_be_removed_does_not_spoil_a_run(make_house, undisturbed):
    house = make_house("upload")
    kind = BY_NAME["drop-table"]
    house.disturb(kind, find_fault("403", kind), times=10_000)
    assert import_rows(house).added == len(ROWS)
    assert main(house.command()) == 0
    check_tables(house, undisturbed.after_run, runs=1)
    left = house.list_scratch()
    assert len(left) == 5
    assert {name.rpartition("_")[2] for name in left} == {"incoming", "features", "gaps", "targets", "passed"}


def test_an_error_is_told_where_nothing_can_be_recorded(make_house, capsys):
    house = make_house("upload")
    house.put(ROWS)
    for kind in (BY_NAME["upload"], BY_NAME["commit-script"]):
        house.disturb(kind, find_fault("403", kind), times=10_000)
    house.plans["rest"].on("POST", r"/jobs\?", find_fault("403", BY_NAME["ask"]), 1, 10_000, job="-failed-")
    assert main(house.command()) == 7
    assert "loading the staged features: refused, injected: accessDenied" in capsys.readouterr().err
    house.heal()
    assert house.read().runs == []


SINGLE = [
    (name, fault)
    for name, fault in product(BY_NAME, REST_FAULTS)
    if name not in ONLY["bucket"] | ONLY["resumable"] | ASIDE | {"find-dataset"}
]


@pytest.mark.parametrize(("name", "fault"), draw(SINGLE, 1))
def test_a_fault_that_stays_ends_the_run_and_the_next_one_is_whole(make_house, undisturbed, name, fault):
    """Every call of a kind fails from the second on, without end."""
    house, kind = make_house("upload"), BY_NAME[name]
    house.put(ROWS)
    house.disturb(kind, find_fault(fault, kind), nth=2, times=10_000)
    code = main(house.command())
    found = house.read()
    assert code in (0, 7)
    if code:
        assert (found.features, found.gaps) == ({}, {}) or found.successes
    house.heal()
    assert main(house.command()) == 0
    assert differences(house.read(), undisturbed.after_run) == []
