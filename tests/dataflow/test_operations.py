"""docs/operations.md: every command in it parses, and every file that it names is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest
from dataflow.distributions import ROOT

from pipeline.commands.app import build_parser

TEXT = (ROOT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
SHELL = """
export PROJECT=my-project REGION=us-central1 BUCKET=my-bucket TAG=1
export IMAGE=us-docker.pkg.dev/p/r/n:$TAG TEMPLATE=gs://my-bucket/t.json
W="bigquery://$PROJECT?location=US&temp=gs://$BUCKET/temp"
TARGET=(--warehouse "$W" --region "$REGION" --template "$TEMPLATE" --image "$IMAGE"
        --service-account "feature-store-worker@$PROJECT.iam.gserviceaccount.com")
feature-store() { printf '%q ' "$@"; echo; }
"""


def list_commands() -> Iterator[str]:
    """The project's own commands, in blocks and in the text, as they are written."""
    for block in BLOCKS:
        joined = block.replace("\\\n", " ")
        yield from (line for line in joined.splitlines() if line.startswith("feature-store "))
    spans = re.findall(r"`(feature-store [^`]+)`", TEXT)
    yield from (span for span in spans if "--" in span and "..." not in span)


def expand(command: str) -> list[str]:
    """The words that the shell makes of a command, its placeholders filled in."""
    for name, value in {"FIRST": "2024-01-01", "LAST": "2024-01-31"}.items():
        command = re.sub(rf"\b{name}\b", value, command)
    done = subprocess.run(
        ["bash", "-euc", SHELL + command], capture_output=True, text=True, timeout=60, check=True
    )
    return shlex.split(done.stdout)


@pytest.mark.parametrize("command", sorted(set(list_commands())))
def test_a_command_parses(command: str) -> None:
    build_parser().parse_args(expand(command))


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_can_be_pasted(number: int) -> None:
    subprocess.run(["bash", "-n", "-c", BLOCKS[number]], check=True, timeout=60)


def test_the_files_that_are_named_are_there() -> None:
    named = set(re.findall(r"(?<![/\w])(?:templates|docs|transforms)/[a-z_./-]+\.[a-z]+", TEXT))
    assert len(named) > 8
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_exit_code_of_a_launch_says_what_to_do() -> None:
    codes = {int(code) for code in re.findall(r"^\| ([0-9]+) \|", TEXT, re.MULTILINE)}
    assert codes == {2, 3, 4, 5, 6, 7, 9, 130}
