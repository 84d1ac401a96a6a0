"""Kills of the client and of the service: the same command again gives the tables of an undisturbed run."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emulators.faults import Act
from proxied import BY_NAME, ROWS, ProxiedHouse, hurry
from warehouse import Tables, differences

from pipeline.commands.app import main
from pipeline.errors import Conflict

pytestmark = pytest.mark.slow
PATIENCE = 90.0
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "pytest",
        "hamcrest",
        "pipeline.main",
        "pipeline.commands.app",
        "pyarrow.parquet",
        "warehouse",
        "proxied",
    ]
)
POINTS = [
    ("create-table", 1, False),
    ("upload", 1, True),
    ("upload", 3, False),
    ("upload", 4, True),
    ("ask", 6, False),
    ("ask", 9, True),
    ("commit-script", 1, False),
    ("commit-script", 1, True),
    ("drop-table", 1, False),
    ("drop-table", 3, True),
    ("open-session", 1, True),
    ("read-rows", 1, False),
]
"""(kind of call, which of them, whether after its reply)"""
DEATHS = [("upload", 1), ("upload", 3), ("create-table", 2), ("ask", 8)]


def draw(cases: list[Any], number: int) -> list[Any]:
    if os.environ.get("EXHAUSTIVE"):
        return cases
    return random.Random(7).sample(cases, number)


def enter(arguments: list[str], log: str) -> None:
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    sys.exit(main(arguments))


class Child:
    """The command in a process of its own, which may be killed."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.log = log
        self.process = FORKS.Process(target=enter, args=(arguments, str(log)), daemon=True)

    def kill(self) -> None:
        os.kill(self.process.pid or 0, signal.SIGKILL)

    def wait(self) -> int | None:
        self.process.join(PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            pytest.fail(f"the child did not end within {PATIENCE:g} s; it said: {self.log.read_text()}")
        return self.process.exitcode


def check_whole(house: ProxiedHouse, expected: Tables) -> int:
    """That a reader sees all of the run or nothing; how many runs are on record as done.

    What a killed client sent may be committed while the tables are read, one after the other: then they are
    read once more.
    """
    found = house.read()
    if len(house.read().runs) != len(found.runs):
        found = house.read()
    if found.successes:
        assert differences(found, expected) == []
    else:
        assert (found.features, found.gaps) == ({}, {})
    return len(found.successes)


@pytest.mark.parametrize(("name", "nth", "after"), draw(POINTS, 1))
def test_the_command_again_finishes_what_a_killed_one_began(
    make_house, undisturbed, tmp_path, name, nth, after
):
    check_killed_client(make_house(), undisturbed.after_run, tmp_path, name, nth, after)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_the_command_again_finishes_what_was_killed_at_its_commit(make_house, undisturbed, tmp_path, after):
    check_killed_client(make_house(), undisturbed.after_run, tmp_path, "commit-script", 1, after)


def check_killed_client(
    house: ProxiedHouse, expected: Tables, folder: Path, name: str, nth: int, after: bool
) -> None:
    house.put(ROWS)
    child = Child(house.command(), folder / "child.log")
    house.disturb(BY_NAME[name], Act(child.kill, done=after), nth=nth)
    child.process.start()
    assert child.wait() == -signal.SIGKILL, child.log.read_text()
    check_whole(house, expected)
    house.heal()
    # the script of the dead goes on in the service, and may commit while the next run is under way
    codes = [main(house.command())]
    if codes[0] == Conflict.exit_code:
        assert name == "commit-script"
        assert check_whole(house, expected) == 1
        codes.append(main(house.command()))
    assert codes[-1] == 0
    found = house.read()
    assert differences(found, expected) == []
    assert len(found.successes) == (2 if name in ("commit-script", "drop-table") else 1)
    assert {run["records_created"] for run in found.successes} <= {0, len(expected.features)}


@pytest.mark.parametrize(("name", "nth"), draw(DEATHS, 1))
def test_a_service_that_dies_under_a_run_is_told_and_the_command_again_works(
    make_house, emulators, undisturbed, monkeypatch, name, nth
):
    hurry(monkeypatch)
    house = make_house()
    house.put(ROWS)
    house.disturb(BY_NAME[name], Act(emulators.kill), nth=nth)
    assert main(house.command()) == 7
    emulators.restart()
    assert check_whole(house, undisturbed.after_run) == 0
    house.heal()
    assert main(house.command()) == 0
    found = house.read()
    assert differences(found, undisturbed.after_run) == []
    assert len(found.successes) == 1


@pytest.mark.parametrize("seed", range(8 if os.environ.get("EXHAUSTIVE") else 1))
def test_a_job_that_runs_for_ever_after_a_restart_is_given_up(
    make_house, emulators, undisturbed, monkeypatch, seed
):
    """The service is killed at a seeded instant of the script, and started again under the waiting run."""
    hurry(monkeypatch, job_seconds=6.0)
    house = make_house()
    house.put(ROWS)
    wait = random.Random(seed).uniform(0.02, 0.5)
    restarted = threading.Event()

    def restart() -> None:
        emulators.restart()
        restarted.set()

    strike_once(house, lambda: threading.Timer(wait, restart).start())
    code = main(house.command())
    assert restarted.wait(PATIENCE)
    check_whole(house, undisturbed.after_run)
    house.heal()
    if code:
        assert code == 7
        assert main(house.command()) == 0
    found = house.read()
    assert differences(found, undisturbed.after_run) == [], f"the service was killed after {wait:.3f} s"
    assert len(found.successes) == 1
    assert len({run["run_id"] for run in found.runs}) == len(found.runs)


def strike_once(house: ProxiedHouse, action: Callable[[], object]) -> None:
    house.disturb(BY_NAME["commit-script"], Act(action))
