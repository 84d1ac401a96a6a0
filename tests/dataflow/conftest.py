"""What the checks of packaging and of Dataflow jobs share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dataflow.distributions import Distributions, build_distributions
from dataflow.fake_dataflow import FakeDataflow, serve_dataflow
from dataflow.pretended import ADDRESS, DAYS, IMAGE, ROWS, Disguised, Launch, work
from terminal import Finished
from warehouse import House

from pipeline.commands.app import main
from pipeline.dataflow import following, waves
from pipeline.warehouse import bigquery
from pipeline.warehouse.bigquery_address import BigQueryAddress

RECORDER = """
import json, pathlib, sys
here = pathlib.Path(sys.argv[0]).parent
call = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
files = [pathlib.Path(word) for flag, word in zip(call, call[1:]) if flag.endswith("-from-file")]
call += [f"content={file.read_text()}" for file in files]
with (here / "calls").open("a") as log:
    log.write(json.dumps(call) + "\\n")
sys.exit("describe" in call and not (here / "exists").exists())
"""


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The project, built once a session."""
    return build_distributions(tmp_path_factory.mktemp("distributions"))


@pytest.fixture
def fake_gcloud(tmp_path: Path) -> Path:
    """A directory with programs ``gcloud`` and ``bq`` that write down how they are called, a line of JSON
    each, in ``calls``, and keep the files that they are given; there is nothing yet to describe."""
    directory = tmp_path / "cloud"
    directory.mkdir()
    for name in ("gcloud", "bq"):
        program = directory / name
        program.write_text(f"#!{sys.executable}\n{RECORDER}")
        program.chmod(0o755)
    return directory


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(str(tmp_path / "w.duckdb"), DAYS)
    made.put(ROWS)

    def open_disguised(place: BigQueryAddress, *_: object) -> Disguised:
        assert place.text == ADDRESS
        return Disguised(made.path, 20.0)

    monkeypatch.setattr(bigquery, "BigQueryWarehouse", open_disguised)
    return made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two looks at a job."""
    for module in (following, waves):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.01)


@pytest.fixture
def fake() -> Iterator[FakeDataflow]:
    with serve_dataflow(FakeDataflow(on_launch=work)) as served:
        yield served


@pytest.fixture
def command(house: House, fake: FakeDataflow, at_once: None, capsys: pytest.CaptureFixture[str]) -> Launch:
    """Runs a command of the program on the house and the fake."""

    def call(*words: object) -> Finished:
        capsys.readouterr()
        where = ["--warehouse", ADDRESS, "--region", "us-central1", "--dataflow-endpoint", fake.endpoint]
        if words[0] == "launch":
            where += ["--template", "gs://some-bucket/feature-store.json", "--image", IMAGE]
        code = main([*map(str, words), *where])
        return Finished(code, *capsys.readouterr())

    return call
