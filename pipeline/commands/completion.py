"""``completion``: what makes a shell complete this program's commands and flags."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import shtab

from pipeline.commands.console import add_command, emit


def add_commands(commands: Any, parser: argparse.ArgumentParser) -> None:
    """``parser`` is the whole program's."""
    command = add_command(
        commands,
        "completion",
        partial(run_completion, parser),
        "Print the completion script of a shell.",
        'eval "$(feature-store completion bash)"',
    )
    command.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)


def run_completion(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    emit(shtab.complete(parser, arguments.shell))
    return 0
