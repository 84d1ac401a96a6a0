"""Worker processes of an installed wheel: the same hashes, and an end when one of them dies.

The checkout is not on the path of these processes. Every wait has a hard limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from hamcrest import (
    assert_that,
    contains_string,
    empty,
    equal_to,
    has_entries,
    is_,
    is_not,
    not_,
    starts_with,
)
from warehouse import House, Tables, differences, list_dates, make_league

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2]
ROWS = make_league(players=4)
DAYS = list_dates(ROWS)
LIMIT = 240.0
TWO_WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")

STOP_A_WORKER = """
import os, sys, time

place = os.environ.get("STOP_AT")
if place and any("sdk_worker_main" in part for part in sys.orig_argv):
    from pipeline.errors import WarehouseLocked
    from pipeline.warehouse import duckdb, duckdb_commit

    def stop():
        with open(os.environ["STOPPED"], "a") as mark:
            mark.write(f"{os.getpid()}\\n")
        time.sleep(600)

    def refuse(*arguments):
        raise WarehouseLocked("held by a worker's rival.\\nLet it finish")

    def stop_then(go_on):
        return lambda *arguments: (stop(), go_on(*arguments))[1]

    if place == "locked":
        duckdb.DuckDBReader.read_history = refuse
    if place == "read":
        duckdb.DuckDBReader.read_history = stop_then(duckdb.DuckDBReader.read_history)
    if place == "commit":
        duckdb_commit._replace_rows = stop_then(duckdb_commit._replace_rows)
"""

DRIVER = """
import sys

from pipeline import local_runner
from pipeline.commands.app import main

local_runner.LOST_WORKER_SECONDS = 3.0
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Installed:
    """A wheel of this source, unpacked; commands run from elsewhere and find nothing else."""

    site: Path
    elsewhere: Path

    def environment(self, **more: str) -> dict[str, str]:
        hooks = self.elsewhere / "hooks"
        return {**os.environ, "PYTHONPATH": f"{self.site}{os.pathsep}{hooks}", **more}

    def start(self, house: House, *options: str, **environment: str) -> subprocess.Popen[str]:
        dates = ["--start-date", str(DAYS[0]), "--end-date", str(DAYS[-1])]
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, "backfill", "--warehouse", house.path, *dates, *options],
            cwd=self.elsewhere,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, house: House, *options: str) -> tuple[int, str, str]:
        return finish(self.start(house, *options))


def finish(process: subprocess.Popen[str], limit: float = LIMIT) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; a process beyond its limit is killed with all its children."""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.fail(f"the command did not end within {limit:g} s")
    return process.returncode, out, err


def list_session(leader: int) -> list[str]:
    """The command lines of the processes that the command has left behind."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


def wait_until_nobody_is_left(leader: int, limit: float = 30.0) -> list[str]:
    deadline = time.monotonic() + limit
    while list_session(leader) and time.monotonic() < deadline:
        time.sleep(0.1)
    return list_session(leader)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    base = tmp_path_factory.mktemp("installed")
    source, site, elsewhere = base / "source", base / "site", base / "elsewhere"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(SOURCE / name, source)
    for name in ("pipeline", "transforms"):
        shutil.copytree(SOURCE / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(base), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=LIMIT)
    (wheel,) = base.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True, timeout=LIMIT)
    (elsewhere / "hooks").mkdir(parents=True)
    (elsewhere / "hooks" / "sitecustomize.py").write_text(STOP_A_WORKER)
    return Installed(site, elsewhere)


@pytest.fixture(scope="session")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    house = House(str(tmp_path_factory.mktemp("memory") / "warehouse.duckdb"), DAYS)
    house.put(ROWS)
    house.run()
    return house.read()


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(str(tmp_path / "warehouse.duckdb"), DAYS)
    house.put(ROWS)
    return house


@contextlib.contextmanager
def stopped(
    installed: Installed, house: House, place: str, mark: Path
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command with a worker that stands still at a place: the process and the worker's id."""
    process = installed.start(house, *TWO_WORKERS, STOP_AT=place, STOPPED=str(mark))
    try:
        deadline = time.monotonic() + LIMIT
        while not (mark.exists() and mark.read_text().endswith("\n")):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no worker came to {place}: {finish(process)}")
            time.sleep(0.1)
        yield process, int(mark.read_text().splitlines()[0])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_commands_run_from_the_wheel(installed: Installed) -> None:
    program = "import pipeline, transforms; print(pipeline.__file__); print(transforms.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=installed.elsewhere,
        env=installed.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    ).stdout.splitlines()
    for path in found:
        assert_that(path, starts_with(str(installed.site)))


def test_two_worker_processes_write_the_tables_of_one_process(
    installed: Installed, house: House, in_memory: Tables
) -> None:
    code, out, err = installed.run(house, *TWO_WORKERS, "--json")
    assert_that(code, equal_to(0), err)
    assert_that(json.loads(out), has_entries(records_created=len(in_memory.features), exit_code=0))
    tables = house.read()
    assert_that(
        {key: row["data_hash"] for key, row in tables.features.items()},
        equal_to({key: row["data_hash"] for key, row in in_memory.features.items()}),
    )
    assert_that(differences(tables, in_memory), is_(empty()))


@pytest.mark.parametrize("place", ["read", "commit"])
def test_the_death_of_a_worker_ends_the_command_and_publishes_nothing(
    installed: Installed, house: House, in_memory: Tables, tmp_path: Path, place: str
) -> None:
    with stopped(installed, house, place, tmp_path / "mark") as (process, worker):
        os.kill(worker, signal.SIGKILL)
        code, _, err = finish(process, limit=90.0)
        assert_that(code, equal_to(1), err)
        assert_that(err, contains_string("error: a worker process died"))
        assert_that(wait_until_nobody_is_left(process.pid), is_(empty()))
    tables = house.read()
    assert_that([*tables.features, *tables.gaps, *tables.successes], is_(empty()))
    assert_that([run["error"] for run in tables.runs], is_not(empty()))
    assert_that(house.staging.exists(), is_(False))

    code, _, err = installed.run(house, *TWO_WORKERS)
    assert_that(code, equal_to(0), err)
    assert_that(differences(house.read(), in_memory), is_(empty()))


def test_an_error_of_a_worker_keeps_its_meaning(installed: Installed, house: House) -> None:
    process = installed.start(house, *TWO_WORKERS, STOP_AT="locked")
    code, _, err = finish(process)
    assert_that(code, equal_to(6), err)
    assert_that(err.rpartition("error: ")[2], starts_with("held by a worker's rival.\nLet it finish"))
    assert_that(err.rpartition("error: ")[2], not_(contains_string("Traceback")))
    assert_that(house.read().runs[0]["error"], starts_with("WarehouseLocked: held by a worker's rival."))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_workers_too(
    installed: Installed, house: House, tmp_path: Path, number: int, code: int
) -> None:
    with stopped(installed, house, "commit", tmp_path / "mark") as (process, _):
        process.send_signal(number)
        found, _, err = finish(process, limit=60.0)
        assert_that(found, equal_to(code), err)
        assert_that(wait_until_nobody_is_left(process.pid), is_(empty()))
    tables = house.read()
    assert_that([*tables.features, *tables.gaps, *tables.successes], is_(empty()))
    assert_that(house.staging.exists(), is_(False))


def test_one_process_ends_when_its_command_ends(
    installed: Installed, house: House, in_memory: Tables
) -> None:
    code, _, err = installed.run(house)
    assert_that(code, equal_to(0), err)
    assert_that(differences(house.read(), in_memory), is_(empty()))
