"""Flags -> one frozen, validated configuration. What is unknown, abbreviated or twice is refused.

The job's own flags are declared once, in :func:`add_job_flags`, for the command line and for Beam
launchers alike; every other flag must be one of Beam's. Beam itself drops unknown flags with a
warning that prints their values; here they end the program before any work.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from pipeline.errors import UsageError
from pipeline.flags import FlagParser, amount, day, seconds, share, truth, warehouse_address, whole_number
from pipeline.run_ids import run_id
from pipeline.season import DateRange
from transforms.contracts import TargetSpec
from transforms.eastern import eastern_date
from transforms.gaps import REASONS, Admission
from transforms.schema import FEATURE_STORE_GAPS

DEFAULT_WAREHOUSE = "./warehouse.duckdb"
MOST_GAMES, MOST_BOOTSTRAP_DAYS, MOST_WORKERS, MOST_DEFAULT_WORKERS = 10, 365, 64, 4
MOST_LOOKBACK_DAYS = 365
LEAST_MAX_BYTES = 100_000_000
"""BigQuery bills at least 10 MB for every table of a query."""
BACKFILL, DAILY, GAPS = MODES = ("backfill", "daily", "gaps")
COMMANDS = {BACKFILL: "backfill", DAILY: "daily", GAPS: "fill-gaps"}
"""Which command runs the job in which mode."""
_FLAG = re.compile(r"--([A-Za-z][A-Za-z0-9_-]*)(=.*)?", re.DOTALL)


@dataclass(frozen=True)
class BackfillConfig:
    """A validated run: dates inclusive, as they were given.

    ``as_of`` is the date that the run takes for today; None: that of its start in US Eastern.
    ``run_id`` is the one that who launched the job has chosen, None where the job makes it.
    """

    warehouse: str
    start_date: date
    end_date: date
    bootstrap_days: int = 14
    min_games: int = 5
    include_injured: bool = False
    as_of: date | None = None
    allow_deletes: bool = False
    max_error_rate: float = 0.001
    parallel: int = 1
    skip_preflight: bool = False
    max_bytes: int | None = None
    lock_timeout: float = 60.0
    run_id: str | None = None
    beam_args: tuple[str, ...] = ()

    @property
    def dates(self) -> DateRange:
        return DateRange.inclusive(self.start_date, self.end_date)

    def make_targets(self, run_at: datetime) -> TargetSpec:
        """The targets of a run that starts at this instant."""
        dates, today = self.dates, eastern_date(run_at)
        admission = Admission(self.bootstrap_days, self.min_games, self.include_injured)
        # who takes a later date for today would find that nobody came to the games of today
        return TargetSpec(dates.start, dates.end, admission, today=min(self.as_of or today, today))

    def describe(self) -> dict[str, Any]:
        """The options as they are stored with the run; Beam's by name only, without values."""
        options = asdict(self)
        del options["run_id"]
        options["beam_args"] = [arg.partition("=")[0] for arg in self.beam_args if arg[:2] == "--"]
        return {name: str(v) if isinstance(v, date) else v for name, v in options.items()}


_TRUTH_FLAG: dict[str, Any] = {
    "nargs": "?",
    "const": True,
    "default": False,
    "type": truth,
    "metavar": "true|false",
}


def add_warehouse_flags(
    parser: argparse.ArgumentParser, *, address: Callable[[str], str] = warehouse_address
) -> None:
    """Where the tables are; ``address`` is what the command takes for it."""
    either = address is warehouse_address
    parser.add_argument(
        "--warehouse",
        type=address,
        default=DEFAULT_WAREHOUSE,
        metavar="PATH.duckdb|bigquery://PROJECT" if either else "PATH.duckdb",
        help="the embedded warehouse" + (" or BigQuery" if either else "") + " (default: %(default)s)",
    )
    parser.add_argument(
        "--lock-timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for another process that holds the warehouse (default: 60)",
    )


def add_plan_flags(parser: argparse.ArgumentParser) -> None:
    """Looking at a plan instead of running it."""
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    parser.add_argument(
        "--price-per-tib",
        type=amount,
        default=6.25,
        metavar="USD",
        help="what a plan on BigQuery is priced at (default: %(default)s)",
    )


def count_cores() -> int:
    """The workers to use unless told: more than a few wait for each other's memory and disk."""
    return min(MOST_DEFAULT_WORKERS, len(os.sched_getaffinity(0)))


def add_range_flags(parser: argparse.ArgumentParser) -> None:
    """The target dates of a backfill."""
    for name, which in (("--start-date", "first"), ("--end-date", "last")):
        parser.add_argument(name, type=day, required=True, metavar="YYYY-MM-DD", help=f"{which} target date")


def add_period_flags(parser: argparse.ArgumentParser) -> None:
    """The dates that a command looks at; each bound may be left out."""
    for name, which in (("--start-date", "first"), ("--end-date", "last")):
        parser.add_argument(
            name, type=day, metavar="YYYY-MM-DD", help=f"{which} date (default: the {which} of the tables)"
        )


def add_daily_flags(parser: argparse.ArgumentParser) -> None:
    """The target dates of a daily run."""
    parser.add_argument(
        "--date",
        type=day,
        metavar="YYYY-MM-DD",
        help="the date that counts as today (default: today in US Eastern)",
    )
    parser.add_argument(
        "--lookback-days",
        type=whole_number(0, MOST_LOOKBACK_DAYS),
        default=3,
        metavar="N",
        help="days before it that are computed again (default: 3)",
    )


def take_mode(argv: Sequence[str]) -> list[str]:
    """The arguments of a launcher as those of a command: ``--mode`` names it, by default ``backfill``."""
    parser = FlagParser(prog="python -m pipeline", add_help=False)
    parser.add_argument("--mode", choices=MODES, default=MODES[0])
    known, rest = parser.parse_known_args(argv)
    return [COMMANDS[known.mode], *rest]


def read_daily_dates(arguments: argparse.Namespace, now: datetime) -> None:
    """Gives the parsed flags of a daily run the range that they mean."""
    last = arguments.date or eastern_date(now)
    room = (last - date.min).days
    arguments.start_date = last - timedelta(days=min(arguments.lookback_days, room))
    arguments.end_date = last
    arguments.as_of = last


def add_admission_flags(parser: argparse.ArgumentParser) -> None:
    """Who is admitted among the keys that have no row."""
    parser.add_argument(
        "--bootstrap-days",
        type=whole_number(0, MOST_BOOTSTRAP_DAYS),
        default=14,
        metavar="N",
        help="days at a season's start in which players with few games are skipped "
        "(default: 14; 0 turns the rule off)",
    )
    parser.add_argument(
        "--min-games",
        type=whole_number(0, MOST_GAMES),
        default=5,
        metavar="N",
        help="last-10 games that admit a player in those days (default: 5)",
    )
    parser.add_argument(
        "--include-injured",
        help="make targets of those who are on the injury report and in nobody's rows",
        **_TRUTH_FLAG,
    )


def add_gap_flags(parser: argparse.ArgumentParser) -> None:
    """Which open gaps a command is about; all of them unless told."""
    for name, which in (("--start-date", "first"), ("--end-date", "last")):
        parser.add_argument(name, type=day, metavar="YYYY-MM-DD", help=f"{which} date (default: of the gaps)")
    parser.add_argument("--reason", choices=REASONS, metavar="REASON", help=", ".join(REASONS))
    parser.add_argument("--player", metavar="LOOKUP", help="the player_lookup of the gaps")


def add_attempt_flags(parser: argparse.ArgumentParser) -> None:
    """Which of the open gaps a gap run attempts."""
    parser.add_argument("--all", help="attempt those too that nothing new concerns", **_TRUTH_FLAG)
    parser.add_argument(
        "--gaps-table",
        default=FEATURE_STORE_GAPS.path,
        metavar="DATASET.TABLE",
        help="attempt only gaps whose player_lookup and game_date this table holds (default: %(default)s)",
    )


def add_job_flags(parser: argparse.ArgumentParser) -> None:
    """Every flag of the job itself but its dates."""
    add_warehouse_flags(parser)
    add_admission_flags(parser)
    parser.add_argument("--allow-deletes", help="let the run empty dates it owns", **_TRUTH_FLAG)
    parser.add_argument("--skip-preflight", help="leave out the dependency check", **_TRUTH_FLAG)
    parser.add_argument(
        "--max-bytes",
        type=whole_number(LEAST_MAX_BYTES, 10**15),
        metavar="N",
        help="refuse a plan that reads more bytes, and on BigQuery any query that would bill more",
    )
    parser.add_argument(
        "--max-error-rate",
        type=share,
        default=0.001,
        metavar="SHARE",
        help="share of players whose computation may fail (default: 0.001)",
    )
    parser.add_argument(
        "--run-id",
        type=run_id,
        metavar="RUN_ID",
        help="the id of the run, where who launches it has chosen one (default: made by the job)",
    )


def add_local_flags(parser: argparse.ArgumentParser) -> None:
    """How the job runs on this machine."""
    parser.add_argument(
        "--parallel",
        type=whole_number(1, MOST_WORKERS),
        default=count_cores(),
        metavar="N",
        help=f"workers of the local runner (default: one a core, at most {MOST_DEFAULT_WORKERS})",
    )


def add_mode_flags(parser: argparse.ArgumentParser, mode: str, *, local: bool = True) -> None:
    """Every flag of the job in one of its modes, dates included; ``local`` ones where it may run here."""
    own: dict[str, tuple[Callable[[argparse.ArgumentParser], None], ...]] = {
        BACKFILL: (add_range_flags,),
        DAILY: (add_daily_flags,),
        GAPS: (add_gap_flags, add_attempt_flags),
    }
    for add_flags in own[mode]:
        add_flags(parser)
    add_job_flags(parser)
    if local:
        add_local_flags(parser)


def read_config(arguments: argparse.Namespace, beam_args: Sequence[str]) -> BackfillConfig:
    """The validated configuration of parsed flags."""
    fields = BackfillConfig.__dataclass_fields__
    given = {name: value for name, value in vars(arguments).items() if name in fields}
    config = BackfillConfig(**given, beam_args=tuple(check_beam_args(beam_args)))
    config.dates  # noqa: B018  refuses a start after the end
    return config


def name_argument(text: str) -> str:
    """What a message may say of an argument: a flag's name, never a value, which may be a secret."""
    match = re.match(r"--[A-Za-z0-9_-]{1,60}|-.", text)
    return match[0] if match else "a value that belongs to no flag"


def normalize_flags(argv: Sequence[str], separator: str) -> list[str]:
    """The arguments with flag names spelt with ``separator``.

    Refuses a flag given twice, unless Beam collects its values in a list.
    """
    out: list[str] = []
    seen: set[str] = set()
    for argument in argv:
        match = _FLAG.fullmatch(argument)
        if match is None:
            out.append(argument)
            continue
        name = match[1].replace("-", separator).replace("_", separator)
        if name in seen and name.replace("-", "_") not in _list_repeatable():
            raise UsageError(f"--{match[1]} is given twice: keep one")
        seen.add(name)
        out.append(f"--{name}{match[2] or ''}")
    return out


def _build_beam_parser() -> argparse.ArgumentParser:
    from apache_beam.options.pipeline_options import PipelineOptions

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    return parser


@cache
def _list_repeatable() -> frozenset[str]:
    """Names of Beam's flags that may be given several times."""
    plain = (argparse._StoreAction, argparse._StoreConstAction)
    collecting = [action for action in _build_beam_parser()._actions if not isinstance(action, plain)]
    return frozenset(flag.lstrip("-") for action in collecting for flag in action.option_strings)


def check_beam_args(beam_args: Sequence[str]) -> list[str]:
    """Beam's own flags, spelt as Beam spells them; refuses what Beam does not know."""
    if not beam_args:
        return []
    spelt = normalize_flags(beam_args, "_")
    try:
        _, unknown = _build_beam_parser().parse_known_args(spelt)
    except argparse.ArgumentError as error:
        # argparse quotes the value, which may be a secret: what is wrong stands before it
        what = re.split(r"[:'\"]", error.message)[0].strip()
        raise UsageError(f"Beam's flag {error.argument_name}: {what}") from None
    if unknown:
        raise UsageError(
            f"unknown argument: {name_argument(unknown[0])}. Expected a flag of the job, see "
            "`feature-store backfill --help`, or one of Beam's, written in full"
        )
    return spelt
