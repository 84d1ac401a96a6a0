"""The job as Dataflow sees it: described by a template's launch, submitted to a fake, and run from its graph.

The warehouse is BigQuery on the emulators; the workers of the last run have nothing but the built wheel.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.internal.gcp import auth
from dataflow.distributions import ROOT, Distributions, install
from dataflow.fake_dataflow import FakeDataflow, FakeJob, serve_dataflow
from dataflow.jobs import Described, Graph, run_graph
from emulators.guard import loopback_only
from emulators.launch import Emulators
from google.cloud import storage
from twins import Cloud, compare, make_address
from warehouse import House, list_dates, make_league

from pipeline.commands.app import main
from pipeline.dataflow.naming import is_idle, read_labels
from pipeline.errors import UsageError
from pipeline.graph import build_graph
from pipeline.local_runner import LocalRunner
from pipeline.options import take_mode
from pipeline.plan import make_plan
from pipeline.remote_runner import run_remotely
from pipeline.run_rows import RunSpec
from pipeline.season import DateRange
from pipeline.warehouse.base import InputState
from transforms.contracts import TargetSpec
from transforms.schema import PLAYER_GAME_SUMMARY, STAGED_TARGETS
from transforms.timing import NAMESPACE

ROWS = make_league(dates=20, players=3)
DAYS = list_dates(ROWS)
RUN_ID = "20260301T120000-0a1b2c3d"
IMAGE = "us-docker.pkg.dev/some-project/images/feature-store:1"
BEAMS_OWN = ("Impulse", "FlatMap(", "Map(", "MaybeReshuffle")
BEAMS_STEPS = ("Chunks/", "ScheduleDates/", "Commit/AllStaged/")
MOST_GRAPH_BYTES, MOST_JOB_BYTES = 10_000_000, 20_000_000


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    # Beam looks for credentials where --no_auth does not reach, and for half a minute where there are none
    monkeypatch.setattr(auth._Credentials, "_credentials_init", True)
    monkeypatch.setattr(auth._Credentials, "_credentials", None)
    with loopback_only() as tried:
        yield
    assert not tried, f"connections that leave loopback were tried: {', '.join(tried)}"


@pytest.fixture
def cloud(
    emulators: Emulators, project: str, bucket: storage.Bucket, monkeypatch: pytest.MonkeyPatch
) -> Cloud:
    """A project with box scores and no runs, and a bucket for the files of runs."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulators.gcs)
    made = Cloud(make_address(emulators, project, temp=f"gs://{bucket.name}/runs"), DAYS)
    made.warehouse.initialize()
    made.put(ROWS)
    return made


def flags(cloud: Cloud, folder: str, *more: str) -> list[str]:
    """The flags of a launcher, sorted as it passes them."""
    given = [
        "--mode=backfill",
        f"--start_date={DAYS[0]}",
        f"--end_date={DAYS[-1]}",
        f"--run_id={RUN_ID}",
        f"--warehouse={cloud.path}",
        "--runner=DataflowRunner",
        "--project=some-project",
        "--region=us-central1",
        "--job_name=feature-store-backfill",
        '--labels={"goog-dataflow-provided-template-type": "flex"}',
        f"--sdk_container_image={IMAGE}",
        "--machine_type=n2-standard-4",
        "--max_num_workers=2",
        "--service_account_email=worker@some-project.iam.gserviceaccount.com",
        "--subnetwork=regions/us-central1/subnetworks/private",
        f"--staging_location={folder}/staging",
        f"--temp_location={folder}/temp",
        "--no_auth",
    ]
    return sorted([*given, *more])


@pytest.fixture
def described(cloud: Cloud, bucket: storage.Bucket) -> Described:
    """What the launch of the template leaves, for the service to run."""
    folder = f"gs://{bucket.name}/launch"
    assert main(take_mode(flags(cloud, folder, f"--template_location={folder}/job_object"))) == 0
    return Described(bucket)


@pytest.mark.slow
def test_a_launch_describes_the_job_that_was_asked_for_and_one_that_scales(
    described: Described, cloud: Cloud
) -> None:
    check_environment(described, cloud)
    graph = Graph(described.graph)
    assert len(described.read("pipeline.pb")) < MOST_GRAPH_BYTES / 10
    (environment,) = graph.proto.components.environments.values()
    assert environment.resource_hints == {"beam:resources:min_ram_bytes:v1": b"4000000000"}
    check_names(graph)
    check_fan_out(graph)
    check_coders(graph)


def check_environment(described: Described, cloud: Cloud) -> None:
    """The job, its labels and its machines."""
    job = described.request
    environment = job["environment"]
    assert job["name"] == "feature-store-backfill"
    assert job["type"] == "JOB_TYPE_BATCH"
    labels = job["labels"]
    assert labels["goog-dataflow-provided-template-type"] == "flex"
    run = read_labels(labels)
    assert run is not None
    assert (run.run_id, run.mode) == (RUN_ID, "backfill")
    assert run.dates == DateRange.inclusive(DAYS[0], DAYS[-1])
    assert (run.rows, run.targets) == (len(ROWS), len(ROWS))
    assert f"bigquery://{run.place}?" in cloud.path
    assert environment["serviceAccountEmail"] == "worker@some-project.iam.gserviceaccount.com"
    (workers,) = environment["workerPools"]
    assert workers["machineType"] == "n2-standard-4"
    assert workers["autoscalingSettings"]["maxNumWorkers"] == 2
    assert workers["subnetwork"] == "regions/us-central1/subnetworks/private"
    # one container, with the image of the launcher; a process a core, on which buckets are shared out
    (container,) = workers["sdkHarnessContainerImages"]
    assert container["containerImage"] == IMAGE
    assert container["useSingleCorePerContainer"]
    assert len(json.dumps(job)) < MOST_JOB_BYTES / 100


def check_names(graph: Graph) -> None:
    """What a person reads in the service's list of steps."""
    top = {name for name in graph.steps if "/" not in name}
    assert {
        "ScheduleDates",
        "ReadReferences",
        "Chunks",
        "CheckWorker",
        "ReadHistory",
        "TeamContext",
        "ShardByPlayer",
        "ComputeFeatures",
        "StageFeatures",
        "StageGaps",
        "StageTargets",
        "StagePassed",
        "Commit",
    } <= top
    # what is further down belongs to Beam
    ours = [name.partition("/")[2] for name in graph.steps if name.count("/") == 1]
    for name in (*top, *ours):
        assert name == "" or name.isidentifier() or name.startswith(BEAMS_OWN), name


def check_fan_out(graph: Graph) -> None:
    """Between one element that lists the work and the work there is a shuffle, or it stays on one worker."""
    assert any("Reshuffle" in name for name in graph.upstream("ReadHistory/ReadAndClean"))
    assert "ShardByPlayer" in graph.upstream("ComputeFeatures/ComputeBucket")
    assert "TeamContext/GatherTeamGames" in graph.upstream("TeamContext/TeamWindows")
    # results are written where they are made: no shuffle carries them once more
    staged = graph.upstream("StageFeatures/WriteFile")
    assert staged[0] == "ComputeFeatures/ComputeBucket"


def check_coders(graph: Graph) -> None:
    """Whatever carries batches carries them as Arrow, and every edge between our steps is typed.

    Beam's runner for Dataflow pickles side inputs whatever their type is. Ours are whole batches, of which
    a pickle holds no more than Arrow does.
    """
    coders = {
        (name, tag): graph.coder_of(collection)
        for name, step in graph.leaves.items()
        for tag, collection in step.outputs.items()
        if not name.startswith(BEAMS_STEPS)
    }
    assert {edge for edge, coder in coders.items() if "RecordBatchCoder" in coder} == {
        ("ReadHistory/ReadAndClean", "None"),
        ("ReadHistory/ReadAndClean", "teams"),
        ("ReadHistory/ReadAndClean", "targets"),
        ("ReadHistory/ReadAndClean", "passed"),
        ("ShardByPlayer", "None"),
        ("TeamContext/GatherTeamGames", "None"),
        ("ComputeFeatures/ComputeBucket", "None"),
        ("ComputeFeatures/ComputeBucket", "gaps"),
    }
    side_inputs = {
        ("ReadReferences/ReadOnce", "None"),
        ("TeamContext/TeamWindows", "None"),
        ("Timings", "None"),
    }
    pickled = {edge for edge, coder in coders.items() if "FastPrimitivesCoder" in coder}
    assert pickled == side_inputs | {("Commit/OneTransaction", "None")}


@pytest.fixture
def worker(distributions: Distributions, tmp_path: Path) -> Path:
    """The Python of an environment that holds the locked dependencies and the built wheel."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.delenv(name)
        return install(distributions.wheel, sys.executable, tmp_path / "venv")


@pytest.mark.slow
def test_the_described_graph_runs_with_workers_that_have_only_the_wheel(
    described: Described, cloud: Cloud, worker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with a module less it does not: that nothing is missing is what this shows."""
    # a worker process inherits the directory and the environment: nothing of the sources is in them
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)
    outside = [worker, "-c", "import pipeline, transforms; print(pipeline.__file__)"]
    found = subprocess.run(outside, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.startswith(str(tmp_path / "venv"))
    (module,) = (tmp_path / "venv").rglob("transforms/compute.py")
    module.rename(tmp_path / "compute.py.missing")
    with pytest.raises(Exception, match=r"No module named 'transforms\.compute'"):
        run_graph(described.graph, worker)
    assert cloud.read().runs == []
    (tmp_path / "compute.py.missing").rename(module)
    run_graph(described.graph, worker)
    check_tables(cloud, tmp_path)


@pytest.mark.slow
def test_a_submission_is_awaited_and_its_metrics_come_back(
    cloud: Cloud,
    bucket: storage.Bucket,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Beam's own client submits to a fake service, which runs the graph that was uploaded."""
    counted: dict[str, int] = {}

    def work(job: FakeJob) -> None:
        if counted:
            return
        result = run_graph(Described(bucket).graph)
        found = result.metrics().query()["counters"]
        ours = [metric for metric in found if metric.key.metric.namespace == NAMESPACE]
        counted.update({metric.key.metric.name: metric.committed for metric in ours})
        job.counters = dict(counted)

    with serve_dataflow(FakeDataflow(work, states=("PENDING", "RUNNING", "DONE"))) as fake:
        endpoint = fake.endpoint.replace("127.0.0.1", "localhost")
        folder = f"gs://{bucket.name}"
        code = main(take_mode(flags(cloud, folder, f"--dataflow_endpoint={endpoint}")))
        out, err = capsys.readouterr()
        assert code == 0, err
        (job,) = fake.jobs.values()
    assert f"job {job.job_id}: it goes on when this command is interrupted" in err
    assert out.startswith(f"Run {RUN_ID} is committed and reconciled")
    assert job.request["environment"]["sdkPipelineOptions"]
    assert counted["extract_rows"] == len(ROWS)
    check_tables(cloud, tmp_path)
    left = {blob.name.partition("/")[0] for blob in bucket.list_blobs()}
    assert "runs" not in left, "the run's files are gone"


@pytest.mark.slow
def test_a_submitted_job_that_fails_is_a_failed_run(
    cloud: Cloud, bucket: storage.Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(job: FakeJob) -> None:
        raise MemoryError("the worker is out of memory")

    with serve_dataflow(FakeDataflow(crash, states=("PENDING", "RUNNING", "DONE"))) as fake:
        endpoint = fake.endpoint.replace("127.0.0.1", "localhost")
        code = main(take_mode(flags(cloud, f"gs://{bucket.name}", f"--dataflow_endpoint={endpoint}")))
    assert code == 7
    assert "did not end well" in capsys.readouterr().err
    (row,) = cloud.read().runs
    assert (row["run_id"], row["status"]) == (RUN_ID, "failed")


@pytest.mark.slow
def test_a_gap_run_with_nothing_to_do_still_hands_a_job_over(cloud: Cloud, bucket: storage.Bucket) -> None:
    """The service takes a launch that describes no job for one that failed."""
    folder = f"gs://{bucket.name}/launch"
    given = flags(cloud, folder, f"--template_location={folder}/job_object")
    dates = ("--start_date", "--end_date", "--mode")
    kept = [flag for flag in given if not flag.startswith(dates)]
    assert main(take_mode(["--mode=gaps", *kept])) == 0
    graph = Graph(Described(bucket).graph)
    assert {name for name in graph.steps if "/" not in name} == {"NothingToDo"}
    labels = Described(bucket).request["labels"]
    assert is_idle(labels)
    assert labels["goog-dataflow-provided-template-type"] == "flex"


@pytest.mark.parametrize("warehouse", ["w.duckdb", "bigquery://some-project"])
def test_what_workers_cannot_reach_is_refused(
    warehouse: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--mode=daily", f"--warehouse={warehouse}", "--runner=DataflowRunner", "--project=some-project"]
    assert main(take_mode([*words, "--region=us-central1", f"--temp_location={tmp_path}"])) == 2
    assert "--runner=DataflowRunner" in capsys.readouterr().err


def check_tables(cloud: Cloud, folder: Path) -> None:
    """The tables are those that the embedded warehouse has after a run of its own."""
    house = House(str(folder / "house.duckdb"), DAYS)
    house.put([row | {"processed_at": row["processed_at"]} for row in ROWS])
    house.run(run_id=RUN_ID)
    found: Any = cloud.read()
    assert [run["status"] for run in found.runs] == ["success"]
    assert found.runs[0]["runner"] == "DataflowRunner"
    compare_but_runner(found, house.read())


def compare_but_runner(found: Any, expected: Any) -> None:
    for run in (*found.runs, *expected.runs):
        run["runner"] = ""
    compare(found, expected)


def test_the_sources_are_where_the_image_takes_them_from() -> None:
    assert (ROOT / "templates" / "main.py").is_file()


def build_large(house: House, keys: int) -> beam.Pipeline:
    """The graph of 24 seasons on 40 machines of 16 cores, or of so many single keys in them."""
    first, last = date(2000, 10, 1), date(2024, 6, 30)
    days = list(DateRange.inclusive(first, last))
    spec = TargetSpec(first, last + timedelta(days=1), today=last)
    requested = None
    if keys:
        names = [f"firstnamelastname{number % 5_000}" for number in range(keys)]
        found = [days[number * 7 % len(days)] for number in range(keys)]
        requested = pa.table([pa.array(names), pa.array(found, pa.date32())], schema=STAGED_TARGETS)
    columns = {PLAYER_GAME_SUMMARY.path: tuple(PLAYER_GAME_SUMMARY.schema.names)}
    plan = make_plan(spec, columns, [(day, 300) for day in days], 120.0, 640, (), requested)
    run = RunSpec(
        run_id=RUN_ID,
        run_at=datetime(2026, 3, 1, tzinfo=UTC),
        mode="gaps" if keys else "backfill",
        targets=plan.dates,
        windows=plan.windows,
        requested=requested,
        inputs=InputState({}, 0),
        options={},
        runner="DataflowRunner",
        allow_deletes=False,
        max_error_rate=0.0,
        dependency_check=0.0,
    )
    pipeline = beam.Pipeline(runner=LocalRunner())
    build_graph(pipeline, plan, house.warehouse, run)
    house.warehouse.close_staging(RUN_ID)
    return pipeline


def test_the_largest_jobs_stay_within_what_the_service_takes(house: House) -> None:
    seasons = build_large(house, 0).to_runner_api().ByteSize()
    assert seasons < MOST_GRAPH_BYTES / 20
    gaps = build_large(house, 100_000).to_runner_api().ByteSize()
    assert seasons < gaps < MOST_GRAPH_BYTES


def test_a_graph_that_is_too_large_is_refused_before_it_is_submitted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.remote_runner.MOST_GRAPH_BYTES", 50_000)
    with pytest.raises(UsageError, match=r"the job's graph has .* choose fewer gaps at a time"):
        run_remotely(build_large(house, 10_000), ())
