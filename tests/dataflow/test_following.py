"""How far a followed job is: what its counters say of the steps, and of the time that is left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.commands.progress import ProgressDisplay
from pipeline.dataflow.following import Look
from pipeline.dataflow.naming import is_idle, make_labels, name_job, read_labels
from pipeline.dataflow.service import Job
from pipeline.plan import make_plan
from pipeline.progress import Progress, count_run, list_run_steps
from pipeline.season import DateRange, parse_date
from transforms.contracts import TargetSpec

ALL = {
    "extract_rows": 1000,
    "clean_rows_in": 1000,
    "calculate_rows_in": 1000,
    "save_features_rows": 90,
    "save_gaps_rows": 10,
    "save_targets_rows": 5_000,
}
RUN_ID = "20260301T120000-0a1b2c3d"
PLAN = make_plan(
    TargetSpec(parse_date("2024-01-01"), parse_date("2024-02-03"), today=parse_date("2024-02-03")),
    {},
    [(parse_date("2024-01-02"), 7)],
    1.0,
)


def test_counters_are_rows_of_the_steps_and_never_go_back() -> None:
    progress = Progress(list_run_steps(1000, 100))
    assert not count_run(progress, {})
    assert not count_run(progress, {"references_rows": 5})
    assert count_run(progress, {"extract_rows": 400})
    assert count_run(progress, {"extract_rows": 300})
    assert progress.done("read") == 400
    count_run(progress, ALL)
    assert [progress.done(step.name) for step in progress.steps] == [1000, 1000, 1000, 100, 0]


def test_the_time_in_which_machines_start_says_nothing_of_the_rest() -> None:
    progress = Progress(list_run_steps(1000, 0))
    progress.idle = 300.0
    count_run(progress, dict.fromkeys(ALL, 500))
    assert progress.estimate_left(360.0) == pytest.approx(60.0)


def test_state_and_stages_stand_beside_the_time() -> None:
    job = Job("1", "name", "RESOURCE_CLEANING_UP")
    assert Look(job, {}, (0, 0)).note == "resource cleaning up"
    progress = Progress(list_run_steps(1000, 100))
    progress.note = Look(Job("1", "name", "RUNNING"), {}, (2, 7)).note
    count_run(progress, {"extract_rows": 400})
    display = ProgressDisplay(progress, clock=lambda: 0.0)
    assert display.describe().endswith(": running, stages 2 of 7 done, read 400 of 1,000")
    shown = io.StringIO()
    Console(file=shown, width=100).print(display)
    assert "stages 2 of 7 done" in shown.getvalue()


def test_labels_tell_the_run_whole() -> None:
    labels = make_labels(RUN_ID, "daily", PLAN, "bigquery://example.com:some-project")
    run = read_labels(labels)
    assert run is not None
    assert (run.run_id, run.mode, run.dates) == (RUN_ID, "daily", PLAN.dates)
    assert (run.rows, run.targets, run.place) == (7, 7, "example_com_some-project")
    assert not is_idle(labels)


@pytest.mark.parametrize(
    "change",
    [
        {"feature-store-run": "20260301t120000-0a1b2c3"},
        {"feature-store-mode": "other"},
        {"feature-store-rows": "many"},
        {"feature-store-run": ""},
    ],
    ids=str,
)
def test_labels_of_another_kind_tell_none(change: dict[str, str]) -> None:
    assert read_labels({**make_labels(RUN_ID, "daily", PLAN, "w.duckdb"), **change}) is None


def test_a_name_says_what_a_job_does_and_not_which_run_it_is() -> None:
    dates = DateRange.inclusive(parse_date("2018-10-16"), parse_date("2019-06-13"))
    name = name_job("gaps", dates, {"min_games": "5", "run_id": "a"})
    assert name.startswith("feature-store-fill-gaps-20181016-20190613-")
    assert name == name_job("gaps", dates, {"run_id": "b", "min_games": "5"})
    assert name != name_job("gaps", dates, {"min_games": "4", "run_id": "a"})
