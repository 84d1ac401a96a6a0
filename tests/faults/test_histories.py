"""Runs that overlap, imports between them and readers throughout: every history has a serial order.

Real processes run overlapping, nested and identical ranges while others import corrections. A model
knows what every date looks like under each version of the inputs. Each reader must find every date whole,
in the state of one version, and of the versions only such as the order of the commits permits; and at the
end a run over everything gives the newest version.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from children import Child
from hamcrest import assert_that, empty, equal_to, greater_than, has_length, is_in, is_not
from scenes import DAYS, ROWS, write
from warehouse import HISTORY, LEDGER, STORE, House, Row, differences

from pipeline.commands.app import main
from pipeline.errors import WarehouseLocked
from pipeline.warehouse.duckdb_connection import connect
from transforms.schema import PLAYER_GAME_SUMMARY

VERSIONS = 4
Content = dict[date, tuple[Any, ...]]
"""Of each date that has any: its rows and its gaps, in order."""


def correct(version: int) -> list[Row]:
    """The rows of a version: every statistic of the first dates another one, so that all dates change."""
    return [row | {"points": row["points"] + 2 * version} for row in ROWS]


@dataclass(frozen=True)
class Seen:
    """What one reader found: the content by date, and the successful runs in the order of their commits."""

    content: Content
    runs: tuple[tuple[date, date], ...]


def read_seen(house: House, lock_timeout: float = 20.0) -> Seen:
    with replace(house.warehouse, lock_timeout=lock_timeout).open() as connection:
        present = {
            name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        }
        if HISTORY.partition(".")[2] not in present:
            return Seen({}, ())
        content: dict[date, list[Any]] = {}
        for query in (
            f"SELECT game_date, player_lookup, data_hash FROM {STORE} ORDER BY ALL",
            f"SELECT game_date, player_lookup, skip_reason FROM {LEDGER} "
            "WHERE resolved_at IS NULL AND withdrawn_at IS NULL ORDER BY ALL",
        ):
            for day, *found in connection.execute(query).fetchall():
                content.setdefault(day, []).append(tuple(found))
        runs = connection.execute(
            f"SELECT start_date, end_date FROM {HISTORY} WHERE status = 'success' ORDER BY processed_at"
        ).fetchall()
    return Seen({day: tuple(found) for day, found in content.items()}, tuple(runs))


@dataclass(frozen=True)
class Model:
    """What each date looks like under each version of the inputs."""

    versions: tuple[Content, ...]

    def explain(self, seen: Seen) -> str | None:
        """What is wrong with what a reader found; None when some serial order explains it.

        The last run over a date wrote it, whole, from one version; later commits saw no earlier version.
        """
        last: dict[int, list[date]] = {}
        for day in DAYS:
            over = [number for number, (first, end) in enumerate(seen.runs) if first <= day <= end]
            if over:
                last.setdefault(over[-1], []).append(day)
            elif day in seen.content:
                return f"{day} has rows, and no run covers it"
        least = 0
        for number, days in sorted(last.items()):
            possible = [
                version
                for version in range(least, len(self.versions))
                if all(seen.content.get(day) == self.versions[version].get(day) for day in days)
            ]
            if not possible:
                return f"run {number} of {seen.runs} left {days} in no one version from {least}"
            least = possible[0]
        return None


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    versions = []
    house = House(str(tmp_path_factory.mktemp("model") / "w.duckdb"), DAYS)
    for version in range(VERSIONS):
        house.put(correct(version))
        house.commit()
        versions.append(read_seen(house).content)
    return Model(tuple(versions))


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(str(tmp_path / "w.duckdb"), DAYS)
    made.put(correct(0))
    return made


def draw_ranges(rng: random.Random, count: int) -> list[tuple[date, date]]:
    """Overlapping, nested, identical and far apart."""
    ranges = [(DAYS[0], DAYS[-1])]
    while len(ranges) < count:
        first, last = sorted(rng.sample(DAYS, 2))
        ranges.append(rng.choice([(first, last), rng.choice(ranges)]))
    rng.shuffle(ranges)
    return ranges


def run_some(path: str, ranges: Iterable[tuple[date, date]]) -> int:
    """Runs one after the other; 0 when each was committed or refused for a conflict."""
    codes = set()
    for first, last in ranges:
        flags = ["--start-date", str(first), "--end-date", str(last), "--parallel", "1"]
        codes.add(main(["backfill", "--warehouse", path, *flags]))
    return 0 if codes <= {0, 6} else 1


def import_some(path: str, files: Iterable[str]) -> int:
    return max(main(["import", "--warehouse", path, file]) for file in files)


@pytest.mark.slow
@pytest.mark.seeds(2, 25)
def test_every_history_has_a_serial_order(
    model: Model, house: House, tmp_path: Path, fault_seed: int
) -> None:
    rng = random.Random(f"history {fault_seed}")
    files = []
    for version in range(1, VERSIONS):
        (tmp_path / f"{version}").mkdir()
        files.append(write(House(str(tmp_path / f"{version}" / "x")), PLAYER_GAME_SUMMARY, correct(version)))
    seen: list[Seen] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.02):
            try:
                seen.append(read_seen(house, lock_timeout=0.0))
            except WarehouseLocked:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        children = [
            Child(run_some, house.path, draw_ranges(rng, 3), log=tmp_path / f"runs{number}")
            for number in range(3)
        ]
        children.append(Child(import_some, house.path, files, log=tmp_path / "imports"))
        codes = [child.wait(120) for child in children]
    finally:
        over.set()
        reader.join()
    assert_that(codes, equal_to([0] * 4), "\n".join(child.output[-800:] for child in children))
    seen.append(read_seen(house))
    wrong = [found for one in seen if (found := model.explain(one)) is not None]
    assert_that(wrong, empty())
    assert_that(seen[-1].runs, is_not(empty()))
    house.run()
    assert_that(read_seen(house).content, equal_to(model.versions[-1]))
    assert_that(house.staging.exists(), equal_to(False))


def test_the_model_refuses_what_no_order_explains(model: Model) -> None:
    old, new = model.versions[0], model.versions[1]
    whole, half = (DAYS[0], DAYS[-1]), (DAYS[0], DAYS[9])
    early = set(DAYS[:10])
    assert_that(model.explain(Seen(new, (whole,))), equal_to(None))
    assert_that(model.explain(Seen({}, ())), equal_to(None))
    mixed = {day: (new if day in early else old)[day] for day in DAYS}
    assert_that(model.explain(Seen(mixed, (whole, half))), equal_to(None))
    assert_that(model.explain(Seen(mixed, (whole,))), is_not(None), "one run, two versions")
    swapped = {day: (old if day in early else new)[day] for day in DAYS}
    assert_that(model.explain(Seen(swapped, (whole, half))), is_not(None), "a later run saw older inputs")
    lost = {day: found[1:] for day, found in new.items()}
    assert_that(model.explain(Seen(lost, (whole,))), is_not(None), "a row is lost")
    assert_that(model.explain(Seen(new, ())), is_not(None), "rows without a run")
    differ = [sum(a[day] != b[day] for day in DAYS) for a in model.versions for b in model.versions if a != b]
    assert_that(min(differ), greater_than(len(DAYS) // 2))


def test_an_opening_that_meets_a_closing_of_another_thread_is_tried_again(house: House) -> None:
    """DuckDB calls the file attached already for a moment; that is no broken file."""
    meets, slept = iter([True, True, False]), list[float]()

    def open_file(path: str, **options: Any) -> Any:
        if next(meets):
            raise duckdb.ResourceInUseException(
                'Unique file handle conflict: Cannot attach "w" - the database file is already attached'
            )
        return duckdb.connect(path, **options)

    with connect(house.path, 5.0, read_only=True, sleep=slept.append, open_file=open_file) as connection:
        assert_that(connection.execute("SELECT 1").fetchall(), equal_to([(1,)]))
    assert_that(slept, has_length(2))


@pytest.mark.slow
def test_threads_that_open_and_close_the_file_at_once_all_get_in(house: House) -> None:
    errors: list[Exception] = []
    over = time.monotonic() + 3.0

    def open_often(read_only: bool) -> None:
        try:
            while time.monotonic() < over:
                with connect(house.path, 30.0, read_only=read_only) as connection:
                    connection.execute(f"SELECT COUNT(*) FROM {PLAYER_GAME_SUMMARY.path}").fetchall()
        except Exception as error:
            errors.append(error)

    modes = (True, True, True, False)
    threads = [threading.Thread(target=open_often, args=[mode]) for mode in modes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_that(errors, empty())


def daily(path: str, day: str) -> int:
    return main(["daily", "--warehouse", path, "--date", day, "--parallel", "1", "--bootstrap-days", "0"])


def fill(path: str) -> int:
    return main(["fill-gaps", "--warehouse", path, "--all", "--bootstrap-days", "0", "--parallel", "1"])


@pytest.mark.slow
def test_runs_of_every_kind_at_once_end_like_one_after_the_other(house: House, tmp_path: Path) -> None:
    """A daily run, a gap run and a backfill of the same dates: refused or committed, then once more."""
    house.commit()
    serial = house.copy(tmp_path / "serial.duckdb")
    jobs = [(daily, str(DAYS[-1])), (fill,), (run_some, [(DAYS[0], DAYS[-1])])]
    children = [Child(job, house.path, *given, log=tmp_path / f"{n}") for n, (job, *given) in enumerate(jobs)]
    for child in children:
        assert_that(child.wait(), is_in([0, 6]), child.output)
    for one in (house, serial):
        for job, *given in jobs:
            assert_that(job(one.path, *given), equal_to(0))  # type: ignore[operator]
    assert_that(differences(house.read(), serial.read()), empty())


@pytest.mark.slow
def test_two_imports_at_once_are_two_imports(house: House, tmp_path: Path) -> None:
    """Each waits for the other; the rows of both are there, and the version rose by two."""
    halves = ROWS[:120], ROWS[120:]
    files = []
    for number, rows in enumerate(halves):
        (tmp_path / f"{number}").mkdir()
        changed = [row | {"points": row["points"] + 7} for row in rows]
        files.append(write(House(str(tmp_path / f"{number}" / "x")), PLAYER_GAME_SUMMARY, changed))
    before = house.warehouse.read_input_state(house.config().dates).versions[PLAYER_GAME_SUMMARY.path]
    children = [
        Child(import_some, house.path, [file], log=tmp_path / f"log{n}") for n, file in enumerate(files)
    ]
    assert_that([child.wait() for child in children], equal_to([0, 0]), children[0].output)
    after = house.warehouse.read_input_state(house.config().dates).versions[PLAYER_GAME_SUMMARY.path]
    assert_that(after, equal_to(before + 2))
    with house.warehouse.open() as connection:
        points = connection.execute(
            f"SELECT player_lookup, game_date, points FROM {PLAYER_GAME_SUMMARY.path}"
        ).fetchall()
    expected = {(row["player_lookup"], row["game_date"], row["points"] + 7) for row in ROWS}
    assert_that(set(points), equal_to(expected))
    assert_that(points, has_length(len(ROWS)))
