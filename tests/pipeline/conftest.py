"""A command to run, and warehouses to run it on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from boxscores import make_rows, vary, write_file
from terminal import CANARY, DATES, Finished, Run

from pipeline.commands.app import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process."""

    def call(*arguments: object) -> Finished:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Finished(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A warehouse with box scores and one committed run over them; tests only read it."""
    directory = tmp_path_factory.mktemp("published")
    warehouse = str(directory / "house.duckdb")
    file = write_file(make_rows(), directory / "rows.parquet")
    assert main(["import", file, "--warehouse", warehouse]) == 0
    assert main(["backfill", "--warehouse", warehouse, *DATES]) == 0
    return warehouse


@pytest.fixture
def in_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a warehouse that holds box scores only, and files that no query may read."""
    directory = tmp_path_factory.mktemp("loaded")
    secret = vary(make_rows(), dnp_reason=[CANARY] * 24)
    write_file(secret, directory / "rows.csv")
    write_file(secret, directory / "rows.parquet")
    file = write_file(make_rows(), directory / "box.parquet")
    assert main(["import", file, "--warehouse", str(directory / "w.duckdb")]) == 0
    return directory


@pytest.fixture
def imported(loaded: Path, in_directory: Path) -> str:
    """A copy of ``loaded`` in the current directory."""
    shutil.copytree(loaded, in_directory, dirs_exist_ok=True)
    return "w.duckdb"
