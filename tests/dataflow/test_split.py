"""A backfill in several launches: how it is cut, what is left out, how many run, what a failure leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dataflow.fake_dataflow import FakeDataflow, FakeJob
from dataflow.pretended import DAYS, ROWS, Launch, dates, work
from warehouse import House, differences

from pipeline.commands.app import build_parser
from pipeline.dataflow.naming import JobRun
from pipeline.dataflow.service import Job
from pipeline.dataflow.slicing import cut_slices, find_committed
from pipeline.dataflow.waves import Active, Crew, run_waves
from pipeline.errors import AuditFailed, FeatureStoreError
from pipeline.season import DateRange
from pipeline.warehouse.base import InputChange, RunRow
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import REGISTRY
from transforms.vector import FEATURE_VERSION

OPTIONS = {"bootstrap_days": 14, "min_games": 5, "include_injured": False}
SEASON = DateRange.inclusive(date(2018, 10, 16), date(2019, 6, 13))
STARTED = datetime(2026, 3, 1, tzinfo=UTC)
MONTHS = sorted({(day.year, day.month) for day in DAYS})


def make_row(dates: DateRange = SEASON, **changes: Any) -> RunRow:
    row = {"run_id": "r", "status": "success", "mode": "backfill", "feature_version": FEATURE_VERSION}
    times = {"start_date": dates.start, "end_date": dates.last, "started_at": STARTED}
    return {**row, **times, "options": dict(OPTIONS), **changes}


def find(*rows: RunRow, dates: DateRange = SEASON, changes: list[InputChange] | None = None) -> RunRow | None:
    return find_committed(dates, OPTIONS, rows, lambda row: changes or [])


@pytest.mark.parametrize(
    ("first", "last", "split", "starts"),
    [
        (date(2018, 10, 16), date(2019, 6, 13), "season", [date(2018, 10, 16)]),
        (date(2018, 9, 30), date(2020, 1, 1), "season", ["2018-09-30", "2018-10-01", "2019-10-01"]),
        # the season of 2019 ended in October 2020
        (date(2020, 9, 1), date(2020, 12, 31), "season", ["2020-09-01", "2020-10-12"]),
        (date(2019, 12, 30), date(2020, 2, 29), "month", ["2019-12-30", "2020-01-01", "2020-02-01"]),
    ],
)
def test_slices_cover_the_dates_without_overlap(
    first: date, last: date, split: str, starts: list[Any]
) -> None:
    slices = cut_slices(DateRange.inclusive(first, last), split)
    assert [str(part.start) for part in slices] == list(map(str, starts))
    assert (slices[0].start, slices[-1].last) == (first, last)
    assert all(one.end == other.start for one, other in pairwise(slices))


def test_a_run_with_these_options_over_the_dates_is_enough() -> None:
    row = make_row()
    assert find(row) is row
    wide = make_row(DateRange(SEASON.start - timedelta(days=9), SEASON.end + timedelta(days=9)))
    assert find(wide) is wide


@pytest.mark.parametrize(
    "other",
    [
        {"status": "failed"},
        {"mode": "gaps"},
        {"feature_version": "v2"},
        {"options": {**OPTIONS, "min_games": 4}},
        {"options": {}},
        {"start_date": SEASON.start + timedelta(days=1)},
        {"end_date": SEASON.last - timedelta(days=1)},
    ],
    ids=str,
)
def test_another_run_is_not(other: dict[str, Any]) -> None:
    assert find(make_row(**other)) is None


def test_what_changed_since_is_launched_again() -> None:
    def change(dates: DateRange | None, path: str = PLAYER_GAME_SUMMARY.path) -> list[InputChange]:
        return [InputChange(path, STARTED, dates)]

    before = DateRange.inclusive(date(2017, 10, 15), date(2017, 10, 15))
    in_window = DateRange.inclusive(date(2017, 10, 16), date(2017, 10, 16))
    assert find(make_row(), changes=change(before)) is not None
    assert find(make_row(), changes=change(in_window)) is None
    assert find(make_row(), changes=change(in_window, REGISTRY.path)) is None
    assert find(make_row(), changes=change(DateRange(SEASON.end, SEASON.end + timedelta(days=1)))) is not None
    assert find(make_row(), changes=change(None)) is None
    assert find(make_row(), changes=change(None, REGISTRY.path)) is not None


@dataclass
class Pretended:
    """A crew whose jobs take some looks; ``fails`` are the launches that do not start, or end badly."""

    looks: int = 2
    unstarted: tuple[int, ...] = ()
    fails: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.started: list[int] = []
        self.active: set[int] = set()
        self.most = 0
        self.seen: dict[str, int] = {}
        self.told: list[str] = []

    def start(self, launch: Any) -> Active:
        if launch.number in self.unstarted:
            raise FeatureStoreError(f"refused {launch.number}")
        self.started.append(launch.number)
        self.active.add(launch.number)
        self.most = max(self.most, len(self.active))
        return Active(Job(str(launch.number), "name", "QUEUED"), launch.run)

    def look(self, job_id: str) -> Job:
        self.seen[job_id] = self.seen.get(job_id, 0) + 1
        return Job(job_id, "name", "DONE" if self.seen[job_id] > self.looks else "RUNNING")

    def settle(self, found: Active, job: Job) -> RunRow:
        number = int(job.job_id)
        self.active.discard(number)
        if number in self.fails:
            raise AuditFailed(f"broken {number}")
        return make_row(run_id=f"r{number}")

    def run(self, launches: int, limit: int) -> list[Any]:
        crew = Crew(self.start, self.look, self.settle, self.told.append, sleep=lambda seconds: None)
        made: list[Any] = [Numbered(number) for number in range(launches)]
        return run_waves(made, limit, crew)


@dataclass(frozen=True)
class Numbered:
    number: int

    @property
    def run(self) -> JobRun:
        return JobRun("r", "backfill", SEASON, 1, 1, "some-project")


def test_no_more_than_the_limit_are_active_and_all_are_done() -> None:
    crew = Pretended()
    outcomes = crew.run(7, limit=3)
    assert crew.most == 3
    assert [row["run_id"] for row in outcomes] == [f"r{n}" for n in range(7)]


@pytest.mark.parametrize("how", [{"fails": (1,)}, {"unstarted": (1,)}], ids=str)
def test_after_a_failure_what_runs_is_awaited_and_nothing_more_begins(how: dict[str, Any]) -> None:
    crew = Pretended(**how)
    outcomes = crew.run(6, limit=2)
    assert isinstance(outcomes[1], FeatureStoreError)
    assert outcomes[0]["run_id"] == "r0"
    assert outcomes[-1] is None
    assert not crew.active
    assert len(crew.started) < 5


def test_a_split_backfill_writes_what_one_run_writes(
    command: Launch, house: House, tmp_path: Path, fake: FakeDataflow
) -> None:
    whole = house.copy(tmp_path / "whole.duckdb")
    whole.run()
    done = command("launch", "backfill", *dates(), "--split", "month", "--max-jobs", 2)
    assert done.code == 0, done.err
    assert len(fake.jobs) == len(MONTHS) > 2
    assert fake.most_active == 2
    assert f"All {len(MONTHS)} slices are committed, {len(MONTHS)} of them now" in done.out
    assert differences(house.read(), whole.read()) == []
    runs = house.read().runs
    assert len({run["run_id"] for run in runs}) == len(runs) == len(MONTHS)

    again = command("launch", "backfill", *dates(), "--split", "month")
    assert again.code == 0
    assert len(fake.jobs) == len(MONTHS), "what is committed is not launched again"
    assert again.out.count("committed by run ") == len(MONTHS)
    told = command("launch", "backfill", *dates(), "--split", "month", "--again", "--dry-run", "--json").json
    assert [part["partitions"] for part in told["slices"]] == [1] * len(MONTHS)
    assert all(part["request"] for part in told["slices"])


def test_after_a_failure_the_same_command_launches_what_is_left(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    def fail_second(job: FakeJob) -> None:
        if len(fake.jobs) == 2:
            raise AuditFailed("three keys have two rows")
        work(job)

    fake.on_launch = fail_second
    done = command("launch", "backfill", *dates(), "--split", "month", "--max-jobs", 1, "--json")
    assert done.code == 5
    assert f"{len(MONTHS) - 1} of {len(MONTHS)} slices are not committed" in done.json["error"]
    assert len(fake.jobs) == 2
    fake.on_launch = work
    again = command("launch", "backfill", *dates(), "--split", "month")
    assert again.code == 0, again.err
    assert f"All {len(MONTHS)} slices are committed, {len(MONTHS) - 1} of them now" in again.out
    assert len(house.read().features) > len(ROWS) // 2


def test_a_slice_that_still_runs_is_joined_not_launched_twice(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    told = command("launch", "backfill", *dates(), "--split", "month", "--dry-run", "--json").json
    first = told["slices"][0]["request"]["launchParameter"]
    fake.add(first["jobName"], first["environment"]["additionalUserLabels"], {"launchParameter": first})
    done = command("launch", "backfill", *dates(), "--split", "month")
    assert done.code == 0, done.err
    assert len(fake.jobs) == len(MONTHS)
    assert first["parameters"]["run_id"] in {run["run_id"] for run in house.read().runs}


def test_one_run_id_is_not_several(command: Launch) -> None:
    words = ["--split", "season", "--run-id", "20260301T120000-0a1b2c3d"]
    assert command("launch", "backfill", *dates(), *words).code == 2


@pytest.mark.parametrize(
    ("last", "code"), [(date(2199, 12, 31), 0), (date(2299, 1, 1), 2)], ids=["within", "beyond"]
)
def test_a_launch_keeps_within_what_one_job_may_change(
    command: Launch, monkeypatch: pytest.MonkeyPatch, last: date, code: int
) -> None:
    monkeypatch.setattr("pipeline.dataflow.launching.MOST_PARTITIONS", 2_500)
    words = ["--start-date", "2000-01-01", "--end-date", str(last), "--dry-run"]
    done = command("launch", "backfill", *words)
    assert done.code == code, done.err
    assert "2,400" in done.out or "one job may change 2,500 partitions" in done.err


def test_split_belongs_to_backfills() -> None:
    read: Callable[[list[str]], Any] = build_parser().parse_args
    with pytest.raises(FeatureStoreError, match="unrecognized arguments: --split"):
        read(
            [
                *["launch", "daily", "--region", "r", "--template", "gs://abc/t", "--image", "a/b:1"],
                "--split",
                "month",
            ]
        )
