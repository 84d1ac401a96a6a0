"""Kills at every change that a command makes to its files and between all statements of its commit.

A child counts the changes under its directory that Python can see (an audit hook) and the statements
of every connection that writes, and kills itself before the n-th of both. DuckDB's own writes are not
seen: for them, a child is killed from outside at seeded instants after it began to write.

The suite takes some points of each scene by a fixed seed; ``--exhaustive`` takes all, one after the
other, until a child survives, and ``--kill-point N`` only one.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import pytest
from children import FORKS, PATIENCE, Child
from hamcrest import assert_that, empty, equal_to, greater_than, has_items, has_length, is_, is_in
from scenes import PREPARE, Scene, describe_difference, make_scene, take_snapshot, watch
from warehouse import House

from pipeline.commands.app import main
from pipeline.warehouse import duckdb as duckdb_warehouse
from pipeline.warehouse.duckdb_connection import connect

pytestmark = pytest.mark.slow

SAMPLE = 2
"""Points of each scene that the suite takes."""
CHANGES = {"os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Counter:
    """Counts what changes something; the process dies before change ``fatal``, the first being 1."""

    def __init__(self, work: str, fatal: int) -> None:
        self.work, self.fatal, self.seen = work, fatal, list[str]()
        self._lock = threading.Lock()

    def count(self, what: str) -> None:
        with self._lock:
            self.seen.append(what)
            if len(self.seen) == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook."""
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str) and path.startswith(self.work) and flags & WRITING:
                self.count(f"open {Path(path).name}")
        elif event in CHANGES:
            # rmtree names what it removes relative to a directory that it holds open
            path = os.fspath(arguments[0])
            if str(path).startswith(self.work) or not os.path.isabs(path):
                self.count(f"{event} {Path(str(path)).name}")


class Counted:
    """A connection that counts its statements."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, counter: Counter) -> None:
        self._connection, self._counter = connection, counter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: str, *arguments: Any, **kwargs: Any) -> Any:
        self._counter.count(query[:60])
        return self._connection.execute(query, *arguments, **kwargs)

    def sql(self, query: str, *arguments: Any, **kwargs: Any) -> Any:
        self._counter.count(query[:60])
        return self._connection.sql(query, *arguments, **kwargs)


def run_until(arguments: list[str], work: str, fatal: int, channel: Connection) -> int:
    """The command, killed before its change ``fatal``; sends what it counted when it comes through."""
    counter = Counter(work, fatal)

    @contextmanager
    def connect_counting(*given: Any, read_only: bool, **options: Any) -> Iterator[Any]:
        with connect(*given, read_only=read_only, **options) as connection:
            yield connection if read_only else Counted(connection, counter)
            if not read_only:
                counter.count("close")

    duckdb_warehouse.connect = connect_counting  # type: ignore[assignment]
    sys.addaudithook(counter.hear)
    code = main(arguments)
    channel.send(counter.seen)
    return code


def begin_writing(arguments: list[str], channel: Connection) -> int:
    """The command, which says when it opens the warehouse to write, and when it has closed it."""

    @contextmanager
    def connect_telling(*given: Any, read_only: bool, **options: Any) -> Iterator[Any]:
        with connect(*given, read_only=read_only, **options) as connection:
            if not read_only:
                channel.send("begin")
            yield connection
        if not read_only:
            channel.send("end")

    duckdb_warehouse.connect = connect_telling  # type: ignore[assignment]
    return main(arguments)


# Scenes


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    """Filled as scenes are asked for: see ``scene``."""
    return {}


@pytest.fixture(params=PREPARE)
def scene(
    request: pytest.FixtureRequest, scenes: dict[str, Scene], tmp_path_factory: pytest.TempPathFactory
) -> Scene:
    name = request.param
    if name not in scenes:
        scenes[name] = make_scene(name, tmp_path_factory.mktemp(name.replace(" ", "_")))
    return scenes[name]


class Arena:
    """Copies of a scene in directories of their own, and what is killed there."""

    def __init__(self, scene: Scene, directory: Path) -> None:
        self.scene, self.directory, self._number = scene, directory, 0

    def copy(self) -> House:
        self._number += 1
        (self.directory / f"{self._number}").mkdir()
        return self.scene.house.copy(self.directory / f"{self._number}" / "w.duckdb")

    def kill(self, house: House, fatal: int) -> tuple[int | None, list[str]]:
        """Runs the command until change ``fatal``: its exit code, and the changes if it survived."""
        here, there = FORKS.Pipe(duplex=False)
        work, log = str(Path(house.path).parent), self.directory / f"{self._number}.{fatal}.log"
        child = Child(run_until, self.scene.command(house), work, fatal, there, log=log)
        there.close()
        code = child.wait()
        assert_that(code, is_in([-signal.SIGKILL, 0]), child.output)
        return code, here.recv() if code == 0 else []

    def expect_whole(self, house: House, when: str) -> None:
        found = take_snapshot(house)
        assert self.scene.is_whole(found), f"{when}: {describe_difference(found, self.scene)}"

    def finish(self, house: House, when: str) -> None:
        """The same command again, undisturbed."""
        assert_that(main(self.scene.command(house)), equal_to(0), when)
        found = take_snapshot(house)
        assert self.scene.is_done(house), f"{when}, then finished: {describe_difference(found, self.scene)}"


@pytest.fixture
def arena(scene: Scene, tmp_path: Path) -> Arena:
    return Arena(scene, tmp_path)


# Kills


def test_a_kill_before_any_change_is_mended_by_the_same_command(
    arena: Arena, request: pytest.FixtureRequest, exhaustive: bool
) -> None:
    """Half of the re-runs are killed as well, somewhere, before the command may finish."""
    house = arena.copy()
    _, changes = arena.kill(house, 0)
    assert arena.scene.is_done(house)
    rng = random.Random(str(arena.scene.arguments[0]))
    points = sorted(rng.sample(range(1, len(changes) + 1), SAMPLE))
    only = request.config.getoption("--kill-point")
    if only is not None or exhaustive:
        points = [only] if only is not None else list(range(1, len(changes) + 2))
    survived = []
    for point in points:
        when = f"killed before change {point} of {len(changes)} (--kill-point {point})"
        house = arena.copy()
        with watch(house) as seen:
            code, _ = arena.kill(house, point)
            survived += [point] * (code == 0)
            arena.expect_whole(house, when)
            if rng.random() < 0.5:
                again = rng.randint(1, len(changes))
                arena.kill(house, again)
                when += f", then before change {again}"
                arena.expect_whole(house, when)
            arena.finish(house, when)
        assert_that([found for found in seen if not arena.scene.is_whole(found)], empty(), when)
    # the number of changes of a run is what it was when they were counted, but for threads that overlap
    assert_that([point for point in survived if point < len(changes) - 3], is_(empty()))


def test_the_harness_sees_files_come_and_go_and_every_statement(
    scenes: dict[str, Scene], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    arena = Arena(make_scene("gap run", tmp_path_factory.mktemp("counted")), tmp_path)
    _, changes = arena.kill(arena.copy(), 0)
    kinds = {change.split()[0] for change in changes}
    assert_that(kinds, has_items("os.mkdir", "os.rename", "os.remove", "os.rmdir"))
    assert_that(kinds, has_items("BEGIN", "UPDATE", "INSERT", "COMMIT", "close"))
    assert_that(changes, has_length(greater_than(60)))


@pytest.mark.seeds(1, 40)
def test_a_kill_from_outside_while_the_command_writes(arena: Arena, fault_seed: int) -> None:
    """Anywhere from opening the warehouse to closing it; DuckDB's own writes included."""
    house = arena.copy()
    rng = random.Random(f"{arena.scene.arguments[0]} {fault_seed}")
    here, there = FORKS.Pipe(duplex=False)
    child = Child(begin_writing, arena.scene.command(house), there, log=arena.directory / "log")
    assert here.poll(PATIENCE), child.output
    with watch(house) as seen:
        time.sleep(rng.random() * 0.3)
        child.process.kill()
        assert_that(child.wait(), is_in([-signal.SIGKILL, 0]), child.output)
        arena.expect_whole(house, f"seed {fault_seed}")
        arena.finish(house, f"seed {fault_seed}")
    assert_that([found for found in seen if not arena.scene.is_whole(found)], empty())
