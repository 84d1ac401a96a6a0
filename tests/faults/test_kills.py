"""Kills, signals, locks, full disks: the same command again gives the tables of an undisturbed run.

Children are forked from a server that has everything imported, so a death costs a second. On
failure a parametrised test names its seed; the same test id replays it.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import pytest
from children import FORKS, PATIENCE, Child
from hamcrest import (
    all_of,
    assert_that,
    contains_string,
    empty,
    equal_to,
    greater_than,
    has_entries,
    has_item,
    has_length,
    is_,
    is_in,
    less_than,
    matches_regexp,
    not_,
)
from warehouse import (
    HISTORY,
    LEDGER,
    STORE,
    House,
    Row,
    Staged,
    Tables,
    differences,
    invalidate,
    key_of,
    list_dates,
    make_league,
)

from pipeline.commands.app import main
from pipeline.commit import commit_staged
from pipeline.errors import BadInput, Conflict, FeatureStoreError, WarehouseLocked
from pipeline.main import run_job
from pipeline.run_rows import build_failed_row
from pipeline.warehouse import duckdb as duckdb_warehouse
from pipeline.warehouse import duckdb_commit
from pipeline.warehouse.duckdb import DuckDBReader, DuckDBWarehouse
from pipeline.warehouse.duckdb_connection import connect
from pipeline.warehouse.staging import LocalStager, remove_staging

ROWS = make_league(players=4)
DAYS = list_dates(ROWS)
FIRST_CHANGE = 20
"""The statements of a commit before this one only look."""


# Children


def command(house: House, *options: str) -> list[str]:
    dates = ["--start-date", str(DAYS[0]), "--end-date", str(DAYS[-1])]
    return ["backfill", "--warehouse", house.path, *dates, *options]


def stop_at(place: str, channel: Connection, arguments: list[str]) -> int:
    """The command, which says when it is at a place and goes on when it is answered."""

    def stop() -> None:
        channel.send(place)
        channel.recv()

    read, publish = DuckDBReader.read_history, duckdb_commit._replace_rows

    def read_history(self: DuckDBReader, *window: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            stop()
        return read(self, *window)

    def replace_rows(*given: Any) -> Any:
        stop()
        return publish(*given)

    if place == "read":
        DuckDBReader.read_history = read_history  # type: ignore[method-assign]
    else:
        duckdb_commit._replace_rows = replace_rows
    return main(arguments)


def hold(path: str, read_only: bool, channel: Connection) -> None:
    """Keeps the warehouse open until it is told to let go."""
    with connect(path, 10.0, read_only=read_only):
        channel.send("held")
        channel.recv()


def publish(path: str, staged: Staged, files: list[Any], channel: Connection) -> None:
    """Only the commit of what was staged."""
    channel.send("begin")
    commit_staged(DuckDBWarehouse(path, 10.0), staged.run, files, staged.stages, lambda: staged.run.run_at)
    channel.send("end")


class Doomed:
    """A connection whose process is killed before its n-th statement; statements are counted from 1."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, number: int) -> None:
        self._connection, self._left = connection, number

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def execute(self, *arguments: Any, **kwargs: Any) -> Any:
        self._count()
        return self._connection.execute(*arguments, **kwargs)

    def sql(self, *arguments: Any, **kwargs: Any) -> Any:
        self._count()
        return self._connection.sql(*arguments, **kwargs)

    def close(self) -> None:
        self._count()


def publish_until(path: str, staged: Staged, files: list[Any], number: int) -> None:
    @contextmanager
    def connect_doomed(*arguments: Any, **kwargs: Any) -> Iterator[Any]:
        with connect(*arguments, **kwargs) as connection:
            doomed = Doomed(connection, number)
            yield doomed
            doomed.close()

    duckdb_warehouse.connect = connect_doomed  # type: ignore[assignment]
    commit_staged(DuckDBWarehouse(path, 10.0), staged.run, files, staged.stages, lambda: staged.run.run_at)


# A warehouse on which a run has everything to do


def change(rows: list[Row]) -> list[Row]:
    """Corrections, keys that vanish, keys that become gaps, and a newcomer."""
    spoilt = {("chi0", DAYS[25]), ("den1", DAYS[33]), ("lal2", DAYS[8])}
    corrected = {("bos0", DAYS[30]), ("chi1", DAYS[36]), ("den3", DAYS[38])}
    gone = {("bos2", DAYS[12]), ("chi2", DAYS[12]), ("lal3", DAYS[39])}
    changed = []
    for row in rows:
        key = key_of(row)
        if key in spoilt:
            changed.append(invalidate(row))
        elif key not in gone:
            changed.append(row | {"points": row["points"] + 2 * (key in corrected)})
    return [*changed, *(row | {"player_lookup": "newcomer"} for row in rows[-160::16])]


@dataclass(frozen=True)
class Mark:
    """What readers see: how many runs succeeded, and all of the rows and the ledger in a digest."""

    runs: int
    content: Any


@dataclass(frozen=True)
class Case:
    """A backfilled warehouse with changed rows; its tables before and after an undisturbed run."""

    house: House
    before: Tables
    after: Tables
    marks: tuple[Mark, Mark]
    seconds: float

    def is_whole(self, mark: Mark) -> bool:
        """Nothing of the run together with the earlier tables, or all of it."""
        before, after = self.marks
        return mark == before or (mark.runs >= after.runs and mark.content == after.content)


def take_mark(house: House, lock_timeout: float = 20.0) -> Mark:
    with replace(house.warehouse, lock_timeout=lock_timeout).open() as connection:
        columns = "* EXCLUDE (run_id, created_at, updated_at)"
        runs = connection.execute(f"SELECT COUNT(*) FROM {HISTORY} WHERE status = 'success'").fetchall()
        rows = connection.execute(f"SELECT COUNT(*), BIT_XOR(HASH(t)) FROM (SELECT {columns} FROM {STORE}) t")
        rows = rows.fetchall()
        gaps = connection.execute(
            "SELECT COUNT(*), BIT_XOR(HASH(player_lookup, game_date, skip_reason, "
            f"resolved_at IS NULL, withdrawn_at IS NULL)) FROM {LEDGER}"
        ).fetchall()
    return Mark(runs[0][0], (rows, gaps))


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    directory = tmp_path_factory.mktemp("undisturbed")
    house = House(str(directory / "start.duckdb"), DAYS)
    house.put(ROWS)
    house.commit()
    house.put(change(ROWS))
    undisturbed = house.copy(directory / "end.duckdb")
    started = time.monotonic()
    child = Child(main, command(undisturbed), log=directory / "log")
    assert child.wait() == 0, child.output
    seconds = time.monotonic() - started
    return Case(
        house,
        house.read(),
        undisturbed.read(),
        (take_mark(house), take_mark(undisturbed)),
        seconds,
    )


@pytest.fixture
def house(case: Case, tmp_path: Path) -> House:
    return case.house.copy(tmp_path / "warehouse.duckdb")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


@contextmanager
def watch(house: House) -> Iterator[list[Mark]]:
    """The marks that a reader finds, again and again, while the block runs."""
    marks: list[Mark] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.05):
            try:
                marks.append(take_mark(house, lock_timeout=0.0))
            except WarehouseLocked:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield marks
    finally:
        over.set()
        reader.join()


def is_done(house: House, case: Case) -> None:
    assert_that(differences(house.read(), case.after), is_(empty()))
    assert_that(house.staging.exists(), is_(False))


def test_the_case_has_everything_to_do(case: Case) -> None:
    done = case.after.runs[-1]
    for name in ("records_created", "records_updated", "records_unchanged", "records_deleted", "gaps_opened"):
        assert_that(done[name], greater_than(0), name)
    assert_that(differences(case.before, case.after), has_length(5))


# Kills


def choose_seeds(usual: int, all_of_them: int) -> list[Any]:
    return [
        *range(usual),
        *(pytest.param(n, marks=pytest.mark.slow) for n in range(usual, all_of_them)),
    ]


@pytest.mark.parametrize("seed", choose_seeds(4, 16))
def test_rerun_after_kill_is_identical_and_readers_see_whole_runs(
    case: Case, house: House, log: Path, seed: int
) -> None:
    delay = random.Random(f"run {seed}").random() * case.seconds
    with watch(house) as marks:
        child = Child(main, command(house), log=log)
        child.process.join(delay)
        child.process.kill()
        assert_that(child.wait(), is_in([-signal.SIGKILL, 0]))
        assert case.is_whole(take_mark(house))
        house.run()
    assert_that([mark for mark in marks if not case.is_whole(mark)], is_(empty()))
    is_done(house, case)


@pytest.mark.parametrize("seed", choose_seeds(6, 30))
def test_a_kill_within_the_commit_leaves_all_of_it_or_nothing(
    case: Case, house: House, log: Path, seed: int
) -> None:
    staged = house.stage()
    files = house.write(staged)
    here, there = FORKS.Pipe()
    child = Child(publish, house.path, staged, files, there, log=log)
    assert here.poll(PATIENCE), child.output
    assert_that(here.recv(), equal_to("begin"))
    here.poll(random.Random(f"commit {seed}").random() * 0.25)
    child.process.kill()
    child.wait()
    assert case.is_whole(take_mark(house))
    house.publish(staged, files)
    is_done(house, case)
    assert_that(house.read().successes, has_length(2))


def test_kills_before_every_statement_of_the_commit_leave_all_of_it_or_nothing(
    case: Case, house: House, log: Path
) -> None:
    """One kill after the other on the same file: each is also a crash during the re-run."""
    staged = house.stage()
    files = house.write(staged)
    for number in range(FIRST_CHANGE, 100):
        child = Child(publish_until, house.path, staged, files, number, log=log)
        if child.wait() == 0:
            break
        assert_that(child.process.exitcode, equal_to(-signal.SIGKILL), child.output)
        mark = take_mark(house)
        assert case.is_whole(mark), f"killed before statement {number}"
        if mark.runs > case.marks[0].runs:
            break
    else:
        pytest.fail("the commit never came through")
    assert_that(number, greater_than(FIRST_CHANGE + 10))
    house.publish(staged, files)
    is_done(house, case)
    assert_that(house.read().successes, has_length(2))


# Staging directories


def test_the_next_run_removes_the_staged_files_of_a_run_that_was_killed(
    case: Case, house: House, log: Path
) -> None:
    here, there = FORKS.Pipe()
    child = Child(stop_at, "commit", there, command(house), log=log)
    assert here.poll(PATIENCE), child.output
    left = list(house.staging.iterdir())
    assert_that(left, has_length(1))
    assert_that([path.suffix for path in left[0].iterdir()], has_item(".parquet"))
    child.process.kill()
    child.wait()
    assert left[0].exists()
    house.run()
    is_done(house, case)


def test_staging_of_living_runs_is_kept_and_of_dead_ones_removed(tmp_path: Path, log: Path) -> None:
    warehouse = str(tmp_path / "w.duckdb")
    root = Path(f"{warehouse}.staging")
    living = LocalStager.create(warehouse, "living")
    (root / "half-made").mkdir()
    (root / "half-removed" / "inner").mkdir(parents=True)
    (root / "half-removed" / "features-0.123.partial").write_bytes(b"x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (root / "link").symlink_to(outside)
    LocalStager.create(warehouse, "second")
    assert_that({path.name for path in root.iterdir()}, equal_to({"living", "second", "link"}))
    assert (outside / "precious").exists()
    (root / "link").unlink()
    remove_staging(warehouse, "second")
    assert Path(living.directory).is_dir()
    remove_staging(warehouse, "living")
    assert_that(root.exists(), is_(False))


def stage_often(warehouse: str, name: str, times: int) -> int:
    """Many runs that begin and end; 3 when the files of a living one are taken away."""
    for number in range(times):
        run_id = f"{name}-{number}"
        stager = LocalStager.create(warehouse, run_id)
        mine = Path(stager.directory) / "mine"
        mine.write_text("x")
        if not mine.exists():
            return 3
        remove_staging(warehouse, run_id)
    return 0


def test_runs_that_begin_and_end_at_once_do_not_remove_each_others_files(tmp_path: Path, log: Path) -> None:
    warehouse = str(tmp_path / "w.duckdb")
    children = [Child(stage_often, warehouse, name, 300, log=log) for name in ("a", "b", "c")]
    assert_that([child.wait() for child in children], equal_to([0, 0, 0]), children[0].output)
    assert_that(Path(f"{warehouse}.staging").exists(), is_(False))


# Locks


@contextmanager
def held(house: House, log: Path, *, read_only: bool = False) -> Iterator[tuple[Child, Connection]]:
    here, there = FORKS.Pipe()
    child = Child(hold, house.path, read_only, there, log=log)
    assert here.poll(PATIENCE), child.output
    here.recv()
    try:
        yield child, here
    finally:
        here.send("let go")
        child.wait()


def test_a_held_warehouse_ends_the_command_with_6_and_names_the_holder(
    house: House, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(house, log) as (holder, _):
        started = time.monotonic()
        assert_that(main(command(house, "--lock-timeout", "0.3")), equal_to(6))
        waited = time.monotonic() - started
    assert_that(0.3 <= waited < 5, is_(True), f"waited {waited} s")
    said = capsys.readouterr().err
    assert_that(
        said, all_of(contains_string(f"(PID {holder.process.pid})"), contains_string("--lock-timeout"))
    )


def test_a_warehouse_that_is_let_go_in_time_is_used(case: Case, house: House, log: Path) -> None:
    with held(house, log) as (_, channel):
        timer = threading.Timer(0.3, channel.send, ["let go"])
        timer.start()
        assert_that(main(command(house, "--lock-timeout", "30")), equal_to(0))
        timer.join()
    is_done(house, case)


@pytest.mark.parametrize("read_only", [False, True], ids=["writer", "reader"])
def test_a_holder_who_comes_during_the_run_ends_it_with_6_and_changes_nothing(
    case: Case, house: House, log: Path, read_only: bool
) -> None:
    """A reader does not hinder the reading, only the commit."""
    config = house.config(lock_timeout=0.5)
    with ExitStack() as stack:
        started = time.monotonic()
        with pytest.raises(WarehouseLocked, match=r"is held by .*PID"):
            run_job(config, on_plan=lambda plan: stack.enter_context(held(house, log, read_only=read_only)))
        assert_that(time.monotonic() - started, less_than(15))
    assert take_mark(house) == case.marks[0]
    assert_that(house.staging.exists(), is_(False))
    house.run()
    is_done(house, case)


def test_a_commit_that_found_the_warehouse_held_may_be_tried_again(
    case: Case, house: House, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = house.stage()
    impatient = replace(house.warehouse, lock_timeout=0.2)
    files = house.write(staged)
    # writing the failure down would wait for the same lock once more
    monkeypatch.setattr(DuckDBWarehouse, "record_failure", lambda *given: pytest.fail("waited twice"))
    with held(house, log), pytest.raises(WarehouseLocked):
        commit_staged(impatient, staged.run, files, staged.stages, lambda: staged.run.run_at)
    assert house.warehouse.read_run(staged.run.run_id) is None
    house.publish(staged, files)
    is_done(house, case)


def test_writers_of_one_process_wait_for_each_other(house: House) -> None:
    impatient = replace(house.warehouse, lock_timeout=0.1)
    with (
        house.warehouse.open(read_only=False),
        pytest.raises(WarehouseLocked, match="another run of this process"),
        impatient.open(read_only=False),
    ):
        pytest.fail("two writers at once")


def test_a_reader_beside_a_writer_of_the_same_process_waits_for_it(house: House) -> None:
    impatient = replace(house.warehouse, lock_timeout=0.1)
    with (
        house.warehouse.open(read_only=False),
        pytest.raises(WarehouseLocked, match="another connection of this process"),
        impatient.open(),
    ):
        pytest.fail("a reader beside a writer")


def test_a_run_never_makes_a_warehouse_where_there_is_none(house: House) -> None:
    staged = house.stage()
    files = house.write(staged)
    Path(house.path).unlink()
    with pytest.raises(BadInput, match="there is no warehouse at"):
        commit_staged(house.warehouse, staged.run, files, staged.stages)
    assert_that(Path(house.path).exists(), is_(False))


@pytest.mark.parametrize("path", ["", ":memory:", "s3://bucket/w.duckdb", "a?b.duckdb", "a\\b.duckdb"])
@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_no_local_file_is_refused(path: str, read_only: bool) -> None:
    with (
        pytest.raises(BadInput, match="expected the path of a local file"),
        connect(path, 0.0, read_only=read_only),
    ):
        pytest.fail("opened")


# Two runs at once


def test_two_runs_of_the_same_dates_at_once_do_not_interleave(
    case: Case, house: House, tmp_path: Path
) -> None:
    with watch(house) as marks:
        children = [Child(main, command(house), log=tmp_path / f"log{n}") for n in range(2)]
        codes = sorted(child.wait() or 0 for child in children)
        assert_that(codes, is_in([[0, 0], [0, 6]]), children[0].output + children[1].output)
        runs = len(house.read().successes)
        assert_that(runs, equal_to(1 + codes.count(0)))
        house.run()
    is_done(house, case)
    assert_that([mark for mark in marks if not case.is_whole(mark)], is_(empty()))


def test_two_runs_in_threads_of_one_process_do_not_interleave(case: Case, house: House) -> None:
    outcomes: list[str] = []

    def run() -> None:
        try:
            outcomes.append(house.run().row["status"])
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_that(sorted(outcomes), is_in([["success", "success"], ["conflict", "success"]]))
    is_done(house, case)
    assert_that(house.read().successes, has_length(1 + outcomes.count("success")))


def test_runs_of_disjoint_dates_at_once_both_succeed(case: Case, house: House, tmp_path: Path) -> None:
    ranges = [(DAYS[0], DAYS[19]), (DAYS[20], DAYS[-1])]
    children = [
        Child(
            main,
            ["backfill", "--warehouse", house.path, "--start-date", str(first), "--end-date", str(last)],
            log=tmp_path / f"log{first}",
        )
        for first, last in ranges
    ]
    assert_that([child.wait() for child in children], equal_to([0, 0]), children[0].output)
    is_done(house, case)


# Signals


@pytest.mark.parametrize("place", ["read", "commit"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_and_leaves_nothing_behind(
    case: Case, house: House, log: Path, place: str, number: int, code: int
) -> None:
    here, there = FORKS.Pipe()
    child = Child(stop_at, place, there, command(house, "--lock-timeout", "1"), log=log)
    assert here.poll(PATIENCE), child.output
    here.recv()
    child.send(number)
    assert_that(child.wait(20), equal_to(code), child.output)
    assert_that(child.output, contains_string("the same command again finishes the job"))
    assert_that(child.output, not_(contains_string("Traceback")))
    assert_that(house.staging.exists(), is_(False))
    assert take_mark(house) == case.marks[0]
    assert_that({run["status"] for run in house.read().runs[1:]}, is_in([set(), {"failed"}]))
    house.run()
    is_done(house, case)


def test_a_run_that_was_interrupted_while_it_read_is_on_record(case: Case, house: House, log: Path) -> None:
    here, there = FORKS.Pipe()
    child = Child(stop_at, "read", there, command(house), log=log)
    assert here.poll(PATIENCE), child.output
    child.send(signal.SIGTERM)
    child.wait(20)
    assert_that(house.read().runs[-1], has_entries(status="failed", error=contains_string("Terminated")))


def test_what_an_interrupted_pipeline_does_afterwards_publishes_nothing(case: Case, house: House) -> None:
    """A thread of the pipeline may outlive the interrupt and still come to the commit."""
    staged = house.stage()
    house.warehouse.record_failure(build_failed_row(staged.run, KeyboardInterrupt(), staged.run.run_at))
    with pytest.raises(FeatureStoreError, match="KeyboardInterrupt"):
        house.publish(staged)
    assert take_mark(house) == case.marks[0]


# Disks and permissions


def run_with_small_files(arguments: list[str], limit: int) -> int:
    """The command on a disk on which no file may grow beyond ``limit`` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    return main(arguments)


@pytest.mark.parametrize("limit", [1_000, 60_000, 300_000], ids=["targets", "features", "commit"])
def test_a_full_disk_is_an_error_that_names_it_and_changes_nothing(
    case: Case, house: House, log: Path, limit: int
) -> None:
    child = Child(run_with_small_files, command(house), limit, log=log)
    assert_that(child.wait(), equal_to(1), child.output)
    assert_that(child.output, contains_string("File too large"))
    assert_that(child.output, not_(contains_string("Traceback")))
    assert take_mark(house) == case.marks[0]
    house.run()
    is_done(house, case)


def test_a_commit_that_is_written_counts_although_the_file_cannot_be_tidied(
    case: Case, house: House, log: Path
) -> None:
    """The log of the transaction fits on the disk, the checkpoint after it does not."""
    child = Child(run_with_small_files, command(house), 1_000_000, log=log)
    assert_that(child.wait(), equal_to(0), child.output)
    is_done(house, case)


def run_as_nobody(arguments: list[str], warm: list[str]) -> int:
    """The command without the rights of root; ``warm`` is run before, so that all is imported."""
    main(warm)
    if os.geteuid() == 0:
        os.setegid(65534)
        os.seteuid(65534)
    return main(arguments)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everyone may enter; pytest's own are for its user alone."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    for found in (path, *path.rglob("*")):
        found.chmod(0o755)
    shutil.rmtree(path)


@pytest.mark.parametrize(
    ("directory", "file", "told"),
    [
        (0o777, 0o444, "warehouse.duckdb.*Permission denied"),
        (0o777, 0o000, "warehouse.duckdb.*Permission denied"),
        (0o555, 0o666, "warehouse.duckdb.staging.*Permission denied"),
    ],
    ids=["read-only file", "secret file", "read-only directory"],
)
def test_missing_rights_are_an_error_that_names_the_path(
    case: Case, house: House, open_directory: Path, log: Path, directory: int, file: int, told: str
) -> None:
    closed = case.house.copy(open_directory / "warehouse.duckdb")
    Path(closed.path).chmod(file)
    open_directory.chmod(directory)
    child = Child(run_as_nobody, command(closed), command(house), log=log)
    assert_that(child.wait(), is_in([1, 3]), child.output)
    assert_that(child.output, matches_regexp(f"(?s)error: .*{told}"))
    assert_that(child.output, not_(contains_string("Traceback")))
    assert take_mark(closed) == case.marks[0]


# At least once


def test_every_bundle_three_times_gives_identical_tables(case: Case, house: House) -> None:
    house.run(beam_args=("--direct_runner_bundle_repeat=2",))
    is_done(house, case)
    assert_that(house.read().successes, has_length(2))
