"""``launch`` and ``watch`` against a fake service that does the launched job's work in this process.

The warehouse is the embedded one under a BigQuery address; what BigQuery itself does is tested elsewhere.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dataflow.fake_dataflow import FakeDataflow, FakeJob
from dataflow.pretended import ADDRESS, DAYS, IMAGE, ROWS, Disguised, Launch, dates, work
from google.cloud import dataflow_v1beta3
from google.protobuf import json_format
from warehouse import House, differences

from pipeline.commands.app import build_parser, main
from pipeline.commands.watch import suggest_watch
from pipeline.dataflow import following
from pipeline.dataflow.metadata import build_metadata
from pipeline.dataflow.target import Service
from pipeline.errors import AuditFailed

PARAMETERS = {parameter["name"]: parameter for parameter in build_metadata()["parameters"]}


def parse_request(body: dict[str, Any]) -> Any:
    request = dataflow_v1beta3.LaunchFlexTemplateRequest.pb()()
    json_format.ParseDict(body, request, ignore_unknown_fields=False)
    return request


def test_a_backfill_is_launched_followed_and_told_as_a_local_one(
    house: House, tmp_path: Path, command: Launch, fake: FakeDataflow
) -> None:
    local = house.copy(tmp_path / "local.duckdb")
    done = command("launch", "backfill", *dates())
    assert done.code == 0, done.err
    (job,) = fake.jobs.values()
    (row,) = house.read().runs
    parameters = job.request["launchParameter"]["parameters"]
    assert done.out.startswith(f"Run {row['run_id']} is committed and reconciled\n  dates    40 with games")
    assert row["run_id"] == parameters["run_id"]
    assert job.labels["feature-store-run"] == row["run_id"].lower()
    assert f"launched job {job.job_id}, run {row['run_id']}" in done.err
    assert f"partitions    {len({day.month for day in DAYS})} of the feature table" in done.err
    local.run()
    assert differences(house.read(), local.read()) == []


def test_the_json_of_a_launch_is_that_of_a_run_and_its_job(command: Launch, fake: FakeDataflow) -> None:
    told = command("launch", "backfill", *dates(), "--json").json
    assert told["status"] == "success"
    assert told["exit_code"] == 0
    assert told["job_id"] in fake.jobs
    assert told["dates"] == len(DAYS)


def test_a_dry_run_prints_the_request_and_asks_for_nothing(command: Launch, fake: FakeDataflow) -> None:
    words = ["--machine-type", "n2-highmem-8", "--max-workers", "3", "--labels", "team=stats"]
    words += ["--subnetwork", "regions/us-central1/subnetworks/private", "--network", "net"]
    words += ["--service-account", "worker@some-project.iam.gserviceaccount.com"]
    words += ["--min-games", "4", "--include-injured", "true", "--max-error-rate", "0"]
    done = command("launch", "backfill", *dates(), *words, "--dry-run", "--json")
    assert done.code == 0
    assert fake.asked == []
    request = parse_request(done.json["request"])
    assert (request.project_id, request.location) == ("some-project", "us-central1")
    launch = request.launch_parameter
    assert launch.container_spec_gcs_path == "gs://some-bucket/feature-store.json"
    environment = launch.environment
    assert environment.machine_type == "n2-highmem-8"
    assert environment.max_workers == 3
    assert environment.network == "net"
    assert environment.subnetwork == "regions/us-central1/subnetworks/private"
    assert environment.ip_configuration == dataflow_v1beta3.WorkerIPAddressConfiguration.WORKER_IP_PRIVATE
    assert environment.service_account_email == "worker@some-project.iam.gserviceaccount.com"
    assert environment.sdk_container_image == IMAGE
    assert environment.temp_location == "gs://some-bucket/temp"
    assert environment.additional_user_labels["team"] == "stats"
    assert re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", launch.job_name)
    for name, value in environment.additional_user_labels.items():
        assert re.fullmatch("[a-z][a-z0-9_-]{0,62}", name)
        assert re.fullmatch("[a-z0-9_-]{0,63}", value)
    told = dict(launch.parameters)
    assert told.pop("run_id")
    assert told == {
        "mode": "backfill",
        "warehouse": ADDRESS,
        "start_date": str(DAYS[0]),
        "end_date": str(DAYS[-1]),
        "min_games": "4",
        "include_injured": "true",
        "max_error_rate": "0",
    }
    for name, value in told.items():
        assert all(re.fullmatch(pattern, value) for pattern in PARAMETERS[name].get("regexes", []))
    # three machines of eight cores
    assert done.json["buckets"] == 24
    text = command("launch", "backfill", *dates(), "--dry-run")
    assert text.out.startswith("Plan\n")
    assert "would delete" in text.out
    assert parse_request(json.loads(text.out.partition("\nRequest\n")[2]))


def test_a_daily_launch_says_which_day_is_today(command: Launch, house: House, fake: FakeDataflow) -> None:
    done = command("launch", "daily", "--date", DAYS[-1], "--lookback-days", 2)
    assert done.code == 0, done.err
    (row,) = house.read().runs
    assert (row["mode"], row["end_date"]) == ("daily", DAYS[-1])
    (job,) = fake.jobs.values()
    assert job.request["launchParameter"]["parameters"]["date"] == str(DAYS[-1])
    today = command("launch", "daily", "--dry-run", "--json").json["request"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", today["launchParameter"]["parameters"]["date"])


def test_gaps_are_launched_when_there_are_some_to_fill(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    house.commit()
    idle = command("launch", "fill-gaps")
    assert (idle.code, fake.jobs) == (0, {})
    assert idle.out.startswith("Nothing to do")
    told = command("launch", "fill-gaps", "--bootstrap-days", 0, "--dry-run", "--json").json
    parameters = told["request"]["launchParameter"]["parameters"]
    assert parameters["mode"] == "gaps"
    assert "start_date" not in parameters, "the gaps are chosen when the job starts, not by today's dates"
    assert parameters["bootstrap_days"] == "0"


def test_the_same_launch_again_joins_the_job_that_runs(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    fake.states = ("QUEUED", "RUNNING", "RUNNING", "RUNNING", "DONE")
    first = command("launch", "backfill", *dates(), "--dry-run", "--json").json["request"]["launchParameter"]
    environment = first["environment"]
    fake.add(first["jobName"], environment["additionalUserLabels"], {"launchParameter": first})
    fake.on_launch = Once(work)
    done = command("launch", "backfill", *dates())
    assert done.code == 0, done.err
    assert len(fake.jobs) == 1
    assert "does this already" in done.err
    assert [row["run_id"] for row in house.read().runs] == [first["parameters"]["run_id"]]


class Once:
    def __init__(self, call: Callable[[FakeJob], None]) -> None:
        self.call, self.called = call, False

    def __call__(self, job: FakeJob) -> None:
        if not self.called:
            self.called = True
            self.call(job)


def test_an_error_of_the_run_is_the_error_of_the_launch(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    house.run()
    house.put(ROWS[: len(ROWS) // 2])
    done = command("launch", "backfill", *dates())
    assert done.code == 5, "the run would delete too much, and says so in its history row"
    assert "--allow-deletes" in done.err
    assert [row["status"] for row in house.read().runs] == ["success", "failed"]


def test_a_job_that_crashes_leaves_a_failed_run_and_its_last_words(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    def crash(job: FakeJob) -> None:
        raise MemoryError("the worker is out of memory")

    fake.on_launch = crash
    done = command("launch", "backfill", *dates())
    assert done.code == 7
    assert "ended as FAILED; nothing was published" in done.err
    assert "MemoryError: the worker is out of memory" in done.err
    (row,) = house.read().runs
    (job,) = fake.jobs.values()
    assert row["status"] == "failed"
    assert row["run_id"].lower() == job.labels["feature-store-run"]
    assert (row["start_date"], row["end_date"]) == (DAYS[0], DAYS[-1])
    assert row["error"].startswith("RemoteFailure: the job")


def test_what_a_worker_raised_of_ours_keeps_its_exit_code(command: Launch, fake: FakeDataflow) -> None:
    def fail(job: FakeJob) -> None:
        raise AuditFailed("three keys have two rows")

    fake.on_launch = fail
    done = command("launch", "backfill", *dates())
    assert done.code == 5
    assert "three keys have two rows" in done.err


def test_a_cancelled_job_is_a_failed_run_that_can_commit_nothing_any_more(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    fake.on_launch = lambda job: None
    fake.states = ("QUEUED", "RUNNING", "CANCELLED")
    done = command("launch", "backfill", *dates(), "--json")
    assert done.code == 7
    assert "CANCELLED" in done.json["error"]
    (row,) = house.read().runs
    (job,) = fake.jobs.values()
    with pytest.raises(Exception, match="is on record already, as failed"):
        work(job)
    assert house.read().runs == [row]


def test_ctrl_c_detaches_and_watch_comes_back(
    command: Launch,
    house: House,
    fake: FakeDataflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake.states = ("QUEUED", "QUEUED", "RUNNING", "DONE")
    follow = following.follow_job

    def interrupted(*arguments: Any) -> Iterator[following.Look]:
        yield next(follow(*arguments))
        raise KeyboardInterrupt

    left: list[tuple[int, str]] = []
    monkeypatch.setattr(following, "follow_job", interrupted)
    monkeypatch.setattr(
        "pipeline.commands.app._leave", lambda code, what, as_json: left.append((code, what)) or code
    )
    done = command("launch", "backfill", *dates())
    monkeypatch.setattr(following, "follow_job", follow)
    (job,) = fake.jobs.values()
    assert left == [(130, "interrupted")]
    back = re.search(r"the job goes on; come back with\n  feature-store (watch .*)", done.err)
    assert back is not None
    assert job.job_id in back[1]
    assert house.read().runs == [], "whoever detaches does not end the run"
    assert command("watch", job.job_id).code == 0
    assert [row["status"] for row in house.read().runs] == ["success"]


def test_watch_follows_a_job_to_the_summary_of_its_run(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    told = command("launch", "backfill", *dates(), "--dry-run", "--json").json["request"]
    launch = told["launchParameter"]
    labels = launch["environment"]["additionalUserLabels"]
    fake.add(launch["jobName"], labels, {"launchParameter": launch})
    (job,) = fake.jobs.values()
    done = command("watch", job.job_id)
    assert done.code == 0, done.err
    (row,) = house.read().runs
    assert done.out.startswith(f"Run {row['run_id']} is committed and reconciled\n  dates    40 with games")
    again = command("watch", job.job_id, "--json")
    assert again.json["run_id"] == row["run_id"]


def test_watch_waits_for_a_scheduled_job_to_say_whose_it_is(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    """A job of the schedule gets its labels from its template's launch, when the plan is made."""
    told = command("launch", "backfill", *dates(), "--dry-run", "--json").json["request"]["launchParameter"]
    fake.states = ("QUEUED", "QUEUED", "RUNNING", "RUNNING", "DONE")
    fake.add("feature-store-daily", {}, {"launchParameter": told})

    def start(job: FakeJob) -> None:
        job.labels = told["environment"]["additionalUserLabels"]
        work(job)

    fake.on_launch = Once(start)
    (job,) = fake.jobs.values()
    done = command("watch", job.job_id)
    assert done.code == 0, done.err
    assert f"job {job.job_id} is queued, stages 1 of 2 done and does not say yet" in done.err


def test_watch_tells_jobs_without_a_run_apart(command: Launch, fake: FakeDataflow) -> None:
    fake.on_launch = lambda job: None
    fake.add("somebody-elses", {"application": "other"}, {})
    (job,) = fake.jobs.values()
    assert command("watch", job.job_id).code == 3
    job.labels = {"application": "feature-store"}
    idle = command("watch", job.job_id)
    assert (idle.code, idle.out[:13]) == (0, "Nothing to do")
    assert command("watch", job.job_id, "--json").json["run_id"] is None
    job.states, job.errors = ["FAILED"], ["Error occurred in the launcher container: Template launch failed."]
    failed = command("watch", job.job_id)
    assert failed.code == 7
    assert "Template launch failed" in failed.err
    assert command("watch", "2026-03-01_12_00_00-9999").code == 3


def test_watch_settles_a_run_only_where_its_tables_are(
    command: Launch, house: House, fake: FakeDataflow
) -> None:
    told = command("launch", "backfill", *dates(), "--dry-run", "--json").json["request"]["launchParameter"]
    labels = {**told["environment"]["additionalUserLabels"], "feature-store-place": "other-project"}
    fake.states = ("FAILED",)
    fake.add(told["jobName"], labels, {"launchParameter": told})
    done = command("watch", next(iter(fake.jobs)))
    assert done.code == 2
    assert "writes to other-project" in done.err
    assert house.read().runs == []


def test_what_no_worker_can_reach_is_refused(fake: FakeDataflow, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--region", "us-central1", "--dataflow-endpoint", fake.endpoint]
    target = ["--template", "gs://some-bucket/t.json", "--image", IMAGE]
    for warehouse in ("./w.duckdb", "bigquery://some-project"):
        words = ["launch", "daily", "--warehouse", warehouse]
        assert main([*words, *where, *target]) == 2
    assert "launch with --warehouse=bigquery://PROJECT" in capsys.readouterr().err
    assert fake.asked == []


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--image", "us-docker.pkg.dev/p/i/n:latest"),
        ("--image", "us-docker.pkg.dev/p/i/n"),
        ("--template", "/tmp/template.json"),  # noqa: S108
        ("--region", "US"),
        ("--service-account", "nobody"),
        ("--subnetwork", "private"),
        ("--max-workers", "0"),
        ("--run-id", "mine"),
        ("--parallel", "2"),
        ("--runner", "DirectRunner"),
    ],
)
def test_flags_are_checked_before_anything_is_asked(
    fake: FakeDataflow, capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    given = {
        "--warehouse": ADDRESS,
        "--region": "us-central1",
        "--template": "gs://some-bucket/t.json",
        "--image": IMAGE,
        "--dataflow-endpoint": fake.endpoint,
        flag: value,
    }
    words = [word for pair in given.items() for word in pair]
    assert main(["launch", "daily", *words]) == 2
    assert flag.strip("-") in capsys.readouterr().err
    assert fake.asked == []


def test_looking_at_a_launch_needs_no_beam() -> None:
    program = (
        "import sys, pipeline.commands.launch, pipeline.commands.launch_split; "
        "sys.exit('apache_beam' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_the_hint_to_come_back_is_a_command_that_parses() -> None:
    place = Service("some-project", "us-central1", "http://127.0.0.1:1")
    hint = suggest_watch(place, "2026-03-01_12_00_00-0001", Disguised("w.duckdb"))
    program, *words = shlex.split(hint)
    assert program == "feature-store"
    parsed = build_parser().parse_args(words)
    assert (parsed.job_id, parsed.warehouse) == ("2026-03-01_12_00_00-0001", ADDRESS)
    assert parsed.dataflow_endpoint == place.endpoint
