"""``completion``: what makes a shell complete this program's commands and flags."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from pipeline.commands.console import add_command, emit, emit_json

SHELLS = ("bash", "zsh", "fish", "tcsh")


def add_commands(commands: Any, parser: argparse.ArgumentParser) -> None:
    """``parser`` is the whole program's."""
    command = add_command(
        commands,
        "completion",
        partial(run_completion, parser),
        'Print the completion script of a shell. For bash: eval "$(feature-store completion bash)"',
        "feature-store completion bash",
    )
    command.add_argument("shell", choices=SHELLS)


def run_completion(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    # no other command needs it
    import shtab

    script = shtab.complete(parser, arguments.shell)
    if arguments.json:
        emit_json({"shell": arguments.shell, "script": script, "exit_code": 0})
    else:
        emit(script)
    return 0
