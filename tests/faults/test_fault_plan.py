"""Runs on a warehouse whose calls fail by a seeded plan: every end has its meaning, and is mended.

A plan makes one or two calls fail before or after their effect, with one error of each class, or finds
the warehouse held by somebody else for a while. A failing test prints the command that replays it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_warehouse import AFTER, BEFORE, CANARY, ERRORS, HELD, Fault, FaultPlan
from hamcrest import (
    all_of,
    any_of,
    assert_that,
    contains_string,
    equal_to,
    greater_than,
    has_entries,
    has_items,
    has_length,
    is_in,
    less_than,
    matches_regexp,
    not_,
)
from scenes import Scene, describe_difference, make_scene, take_snapshot
from warehouse import House

from pipeline import errors
from pipeline.commands.app import main
from pipeline.errors import FeatureStoreError
from pipeline.warehouse import staging
from pipeline.warehouse.base import Warehouse

RUNS = ("first run", "re-run", "gap run", "daily run")


@pytest.fixture(scope="module")
def count(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Scene, list[str]]]:
    """A scene by name, with the calls of its undisturbed run."""
    known: dict[str, tuple[Scene, list[str]]] = {}

    def find(name: str) -> tuple[Scene, list[str]]:
        if name not in known:
            directory = tmp_path_factory.mktemp(name.replace(" ", "_"))
            scene = make_scene(name, directory)
            house = scene.house.copy(directory / "counted.duckdb")
            with FaultPlan().installed() as plan:
                assert main(command(scene, house)) == 0
            known[name] = scene, plan.calls
        return known[name]

    return find


@pytest.fixture(params=RUNS)
def counted(
    request: pytest.FixtureRequest, count: Callable[[str], tuple[Scene, list[str]]]
) -> tuple[Scene, list[str]]:
    return count(request.param)


def command(scene: Scene, house: House) -> list[str]:
    return [*scene.command(house), "--parallel", "1", "--lock-timeout", "30"]


def end_process() -> None:
    """What the end of a process does for its runs: their locks are let go."""
    while staging._HELD:
        os.close(staging._HELD.popitem()[1])


def run_under(scene: Scene, house: House, plan: FaultPlan) -> int:
    with plan.installed():
        code = main(command(scene, house))
    end_process()
    return code


def finish(scene: Scene, house: House) -> None:
    assert_that(main(command(scene, house)), equal_to(0))
    found = take_snapshot(house)
    assert scene.is_done(house), describe_difference(found, scene)


@pytest.mark.seeds(3, 150)
def test_any_faults_end_with_their_code_and_the_same_command_mends_them(
    counted: tuple[Scene, list[str]], tmp_path: Path, fault_seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, calls = counted
    house = scene.house.copy(tmp_path / "w.duckdb")
    plan = FaultPlan.draw(f"{scene.arguments[0]} {fault_seed}", len(calls))
    code = run_under(scene, house, plan)
    out, err = capsys.readouterr()
    found = take_snapshot(house)
    assert scene.is_whole(found), describe_difference(found, scene)
    expected = {error.exit_code if isinstance(error, FeatureStoreError) else 1 for error in plan.raised}
    assert_that(code, is_in({0, *expected, errors.WarehouseLocked.exit_code}), f"{plan.faults}\n{err}")
    committed = found.successes > scene.before.successes
    if code == 0:
        assert committed, plan.faults
    else:
        assert_that(err, contains_string("error: "))
        # of two faults the second may hide what became of the run; it is never denied
        unknown = any_of(contains_string("is committed"), contains_string("could not be read"))
        if committed:
            assert_that(plan.raised, has_length(2), f"{plan.faults} committed, but ended with {code}: {err}")
            assert_that(err, unknown)
    assert_that(out + err, not_(any_of(contains_string("Traceback"), contains_string(CANARY))))
    assert_that(plan.time.now, less_than(300))
    finish(scene, house)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_an_error_of_the_commit_keeps_its_code_unless_it_had_its_effect(
    count: Callable[[str], tuple[Scene, list[str]]],
    tmp_path: Path,
    when: str,
    exhaustive: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A reply that is lost is looked up by the run's id."""
    scene, calls = count("re-run")
    for error in ERRORS if exhaustive else random.Random(when).sample(sorted(ERRORS), 4):
        house = scene.house.copy(tmp_path / f"{error}.duckdb")
        plan = FaultPlan([Fault(calls.index("commit") + 1, when, error)])
        code = run_under(scene, house, plan)
        said = capsys.readouterr()
        raised = plan.raised[0]
        if when == AFTER:
            assert_that(code, equal_to(0), f"{error}: {said.err}")
            assert scene.is_done(house), error
            continue
        expected = raised.exit_code if isinstance(raised, FeatureStoreError) else 1
        assert_that(code, equal_to(expected), f"{error}: {said.err}")
        assert_that(said.err, all_of(contains_string("error: "), not_(contains_string("Traceback"))))
        assert_that(take_snapshot(house), equal_to(scene.before), error)
        named = contains_string(type(raised).__name__)
        assert_that(house.read().runs[-1], has_entries(status="failed", error=named))
        finish(scene, house)


def test_a_run_that_is_committed_succeeds_although_its_files_cannot_be_removed(
    count: Callable[[str], tuple[Scene, list[str]]], tmp_path: Path
) -> None:
    scene, calls = count("first run")
    for number, name in enumerate(("close_staging", "read_run")):
        house = scene.house.copy(tmp_path / f"{number}.duckdb")
        last = len(calls) - calls[::-1].index(name)
        assert_that(run_under(scene, house, FaultPlan([Fault(last, BEFORE)])), equal_to(0), name)
        finish(scene, house)


def test_a_run_that_is_committed_says_so_although_its_row_cannot_be_read(
    count: Callable[[str], tuple[Scene, list[str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, calls = count("first run")
    house = scene.house.copy(tmp_path / "w.duckdb")
    last = len(calls) - calls[::-1].index("read_run")
    plan = FaultPlan([Fault(last, BEFORE, "WarehouseLocked"), Fault(last + 1, BEFORE, "WarehouseLocked")])
    assert_that(run_under(scene, house, plan), equal_to(6))
    assert_that(capsys.readouterr().err, matches_regexp(r"run 2\S+ is committed, but its history row could"))
    finish(scene, house)


def test_a_run_whose_end_is_not_known_does_not_say_that_nothing_was_published(
    count: Callable[[str], tuple[Scene, list[str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, calls = count("first run")
    house = scene.house.copy(tmp_path / "w.duckdb")
    commit = calls.index("commit") + 1
    plan = FaultPlan([Fault(commit, AFTER, "reset"), Fault(commit + 1, BEFORE, "reset")])
    assert_that(run_under(scene, house, plan), equal_to(1))
    assert_that(capsys.readouterr().err, contains_string("What became of it could not be read"))
    finish(scene, house)


def test_a_warehouse_that_is_held_is_waited_for_until_the_deadline(
    counted: tuple[Scene, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, calls = counted
    for seconds, code in ((25.0, 0), (1000.0, 6)):
        house = scene.house.copy(tmp_path / f"{code}.duckdb")
        plan = FaultPlan([Fault(calls.index("commit") + 1, HELD, seconds=seconds)])
        assert_that(run_under(scene, house, plan), equal_to(code))
        assert_that(plan.time.now, all_of(greater_than(min(seconds, 30.0) - 1), less_than(100)))
        finish(scene, house)
    assert_that(capsys.readouterr().err, contains_string("is held by rival (PID 1); waited 30 s"))


def test_the_plan_reaches_every_call_that_a_run_makes(counted: tuple[Scene, list[str]]) -> None:
    _, calls = counted
    assert_that(calls, has_items("share_reader", "read_input_state", "describe", "count_by_date"))
    assert_that(calls, has_items("open_reader", "read_history", "open_staging", "spill", "fetch", "write"))
    assert_that(calls, has_items("commit", "read_run", "close_staging"))
    assert_that(calls, has_length(greater_than(30)))
    known = {name for name in vars(Warehouse) if not name.startswith("_")}
    inside = {"read_history", "read_side", "read_stored_keys", "spill", "fetch", "write"}
    assert_that(set(calls) - known, equal_to(inside & set(calls)))
