"""What the checks of packaging and of Dataflow jobs share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dataflow.distributions import Distributions, build_distributions

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
