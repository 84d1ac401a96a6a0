"""The sdist and the wheel: what they hold and require, and that they run where nothing else is."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import apache_beam as beam
import pytest
from boxscores import make_rows, write_file
from dataflow.distributions import ROOT, UV, Distributions, install, run
from emulators.environment import find_interpreter
from terminal import DATES

from pipeline.errors import UsageError
from pipeline.local_runner import LocalRunner, run_watched
from pipeline.versions import CheckVersions, Versions, check_versions

PINNED = re.compile(r"^([a-z0-9-]+)==([^ ;]+)", re.MULTILINE)


def read_requirements(wheel: Path) -> dict[str, str]:
    """The run-time requirements of a wheel: name -> what it says of the version."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (found for found in archive.namelist() if found.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    lines = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    return dict(re.fullmatch(r"([a-z0-9-]+)(?:\[.*\])?(.*)", line).groups() for line in lines)


@pytest.mark.slow
def test_the_wheel_holds_the_two_packages_whole_and_nothing_else(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        str(path.relative_to(ROOT))
        for package in ("pipeline", "transforms")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == sources


@pytest.mark.slow
def test_the_sdist_holds_what_an_image_is_built_from(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"requirements/run.lock", "requirements/build.lock", "templates/Dockerfile", "setup.py"} <= held


@pytest.mark.slow
def test_every_requirement_is_exact_and_the_locked_one(distributions: Distributions) -> None:
    locked = dict(PINNED.findall((ROOT / "requirements" / "run.lock").read_text()))
    required = read_requirements(distributions.wheel)
    assert {"apache-beam", "pyarrow", "duckdb"} <= required.keys()
    assert required == {name: f"=={locked[name]}" for name in required}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_runs_from_an_empty_environment_and_another_directory(
    distributions: Distributions, tmp_path: Path, version: str
) -> None:
    interpreter = find_interpreter(version)
    if interpreter is None:
        pytest.skip(f"no Python {version} was found, on the path or among pyenv's versions")
    python = install(distributions.wheel, interpreter, tmp_path / "venv")
    run([UV, "pip", "check", "--python", python])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    rows = write_file(make_rows(), elsewhere / "rows.parquet")
    program = python.with_name("feature-store")
    run([program, "import", rows], elsewhere)
    # workers of their own, which find the packages only where they are installed
    job = [python, "-m", "pipeline", "--mode=backfill", *DATES, "--direct_running_mode=multi_processing"]
    done = run([*job, "--direct_num_workers=2", "--json"], elsewhere)
    assert json.loads(done.stdout)["status"] == "success"
    audit = run([program, "audit", "--json"], elsewhere)
    assert json.loads(audit.stdout)["exit_code"] == 0


@pytest.mark.slow
def test_the_steps_of_the_image_work_without_docker(tmp_path: Path) -> None:
    """The Dockerfile's own commands, over the files that it copies, in an environment with pip alone."""
    interpreter = find_interpreter("3.11")
    if interpreter is None:
        pytest.skip("the image has Python 3.11, and there is none here")
    run([UV, "venv", "--quiet", "--seed", "--python", interpreter, tmp_path / "venv"])
    programs = tmp_path / "venv" / "bin"
    path = f"{programs}:{os.environ['PATH']}"
    folder = tmp_path
    text = (ROOT / "templates" / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == "WORKDIR":
            folder = tmp_path / "image" / rest.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY" and "--from" not in rest:
            *sources, target = rest.split()
            for source in sources:
                copy_into(ROOT / source, folder / target)
        elif instruction == "RUN":
            run(["bash", "-euc", rest], folder, PATH=path)
    assert folder == tmp_path / "image" / "template"
    shown = run([programs / "python", folder / "main.py", "--mode=gaps", "--help"], tmp_path)
    assert shown.stdout.startswith("usage: feature-store fill-gaps")


def copy_into(source: Path, target: Path) -> None:
    """As an image's COPY: a file into a directory, a directory as one."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.mark.slow
def test_the_sdist_installs_by_itself(distributions: Distributions, tmp_path: Path) -> None:
    run([UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"])
    python = tmp_path / "venv" / "bin" / "python"
    # with the build tools that pip fetches for it, as pyproject.toml names them
    run([UV, "pip", "install", "--quiet", "--python", python, "--no-deps", distributions.sdist])
    run([python, "-c", "import pipeline, transforms"], tmp_path)


def test_a_job_is_refused_by_workers_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Versions.here()
    other = Versions("0.0.9", here.beam, here.python)
    pipeline = beam.Pipeline(runner=LocalRunner())
    with monkeypatch.context() as patch:
        patch.setattr(Versions, "here", lambda: other)
        _ = pipeline | beam.Create([("2024-01-01", "2024-01-02")]) | CheckVersions()
    with pytest.raises(UsageError, match=r"launched with nba-feature-store 0\.0\.9, .* the worker has"):
        run_watched(pipeline)


def test_a_worker_of_another_version_is_refused_with_both_named() -> None:
    here = Versions.here()
    check_versions(here, Versions.here())
    other = Versions(here.package, "2.76.0", here.python)
    with pytest.raises(UsageError) as refused:
        check_versions(here, other)
    assert f"launched with {here}, the worker has {other}" in str(refused.value)
    assert "Beam 2.76.0" in str(refused.value)
