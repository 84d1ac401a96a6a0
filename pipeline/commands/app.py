"""The command line: which command, and what its end means. The commands are in their groups."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from pipeline.commands import (
    completion,
    explain,
    fill,
    gaps,
    init,
    launch,
    ledger,
    load,
    query,
    run,
    runs,
    watch,
)
from pipeline.commands.console import emit_json, prepare_streams, say, say_error
from pipeline.errors import INTERRUPTED, TERMINATED, FeatureStoreError, UsageError, shorten_reason
from pipeline.flags import FlagParser
from pipeline.options import name_argument, normalize_flags
from pipeline.report import escape_controls

Command = Callable[..., int]


class Terminated(BaseException):
    """SIGTERM, raised in the main thread."""


def build_parser() -> FlagParser:
    parser = FlagParser(
        prog="feature-store",
        description="Point-in-time NBA features: backfilled, reconciled, with every gap on record.",
        epilog="Start with: feature-store demo && feature-store backfill "
        "--start-date 2023-10-01 --end-date 2024-06-30",
    )
    commands = parser.add_subparsers(title="commands", dest="command", required=True)
    for group in (init, load, run, fill, gaps, ledger, query, explain, runs, launch, watch):
        group.add_commands(commands)
    completion.add_commands(commands, parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug, as_json = "--debug" in arguments, "--json" in arguments
    prepare_streams()
    # what goes wrong is told once, by this module; Beam's own log is for --debug
    logging.basicConfig(level=logging.DEBUG if debug else logging.CRITICAL, stream=sys.stderr)
    previous = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        return _dispatch(arguments)
    except FeatureStoreError as error:
        return _explain(error, error.exit_code, as_json, debug)
    except KeyboardInterrupt:
        return _leave(INTERRUPTED, "interrupted", as_json)
    except Terminated:
        return _leave(TERMINATED, "terminated", as_json)
    except Exception as error:
        reason = f"{type(error).__name__}: {shorten_reason(str(error))}"
        internal = FeatureStoreError(f"internal error, {reason}; --debug shows where")
        return _explain(internal, FeatureStoreError.exit_code, as_json, debug)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _dispatch(arguments: Sequence[str]) -> int:
    parser = build_parser()
    first = arguments[0] if arguments else ""
    if first.startswith("-") and first not in ("-h", "--help"):
        raise UsageError(
            f"expected a command first, found {name_argument(first)}; flags stand after the command. "
            "See `feature-store --help`"
        )
    known, rest = parser.parse_known_args(normalize_flags(arguments, "-"))
    command: Command = known.run
    if known.takes_beam_flags:
        return command(known, rest)
    if rest:
        raise UsageError(
            f"unknown argument: {name_argument(rest[0])}. See `feature-store {known.command} --help`"
        )
    return command(known)


def _explain(error: FeatureStoreError, code: int, as_json: bool, debug: bool) -> int:
    if debug:
        say(escape_controls(traceback.format_exc()))
    say_error(escape_controls(str(error)))
    if as_json:
        emit_json({"error": str(error), "exit_code": code})
    return code


def _raise_terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _leave(code: int, what: str, as_json: bool) -> NoReturn:
    """Ends at once: a pipeline may still hold threads. What was not committed is not visible."""
    say(f"{what}: a commit is whole or not there; the same command again finishes the job")
    if as_json:
        emit_json({"error": what, "exit_code": code})
    os._exit(code)
