"""The fewest commands that close what can be closed: dates merged where their look-back windows meet.

Texts only. A gap run reads the windows of its gaps and nothing between them, so ranges are cut where
there is something between.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ledger.gap_choice import GapChoice
from pipeline.ledger.survey import ADMIT_EARLY, ADMIT_INJURED, OPTIONAL, RUN_CLOSES, Survey
from pipeline.plan import merge_windows
from pipeline.report import suggest_command
from pipeline.season import DateRange
from pipeline.warehouse.bigquery_address import BIGQUERY, parse_address
from transforms.gaps import Admission
from transforms.schema import FEATURE_STORE_GAPS

EXAMPLE = "bigquery://PROJECT"
"""Where a launch on Dataflow writes when the warehouse at hand is on this machine."""


@dataclass(frozen=True)
class Fill:
    """A range of gaps and the command that closes them: ``local``, on the warehouse at hand, and
    ``dataflow``, on BigQuery. ``option``: what the command admits that was not asked for."""

    dates: DateRange
    gaps: int
    option: str
    local: str
    dataflow: str


def suggest_fills(survey: Survey, warehouse: str) -> list[Fill]:
    """The commands for what a run with the survey's options closes, then for each further option.

    The gaps of one option are closed by one command for each range of dates whose look-back windows
    overlap or touch.
    """
    gaps = survey.gaps
    fills = []
    closes = pc.is_in(gaps.column("standing"), pa.array([*RUN_CLOSES, OPTIONAL]))
    options = pc.unique(gaps.filter(closes).column("option")).to_pylist()
    for option in sorted(options):
        mine = gaps.filter(pc.and_(closes, pc.equal(gaps.column("option"), option)))
        days = mine.column("game_date").to_pylist()
        for dates in merge_dates(days):
            count = sum(day in dates for day in days)
            admission = admit(survey.admission, option)
            local, dataflow = write_commands(dates, admission, survey.choice, warehouse)
            fills.append(Fill(dates, count, option, local, dataflow))
    return fills


def merge_dates(days: Sequence[date]) -> list[DateRange]:
    """From the first to the last of the dates, cut where the look-back windows leave dates out."""
    merged = []
    for window in merge_windows(sorted(set(days))):
        mine = [day for day in days if day in window]
        merged.append(DateRange.inclusive(min(mine), max(mine)))
    return merged


def admit(admission: Admission, option: str) -> Admission:
    """The admission with the options of a :class:`~.survey.Place` added."""
    return Admission(
        bootstrap_days=0 if ADMIT_EARLY in option else admission.bootstrap_days,
        min_games=admission.min_games,
        include_injured=admission.include_injured or ADMIT_INJURED in option,
    )


def write_commands(
    dates: DateRange, admission: Admission, choice: GapChoice, warehouse: str
) -> tuple[str, str]:
    """The command for a shell on the warehouse at hand, and for a launch on Dataflow."""
    flags: dict[str, str] = {"start-date": str(dates.start), "end-date": str(dates.last)}
    usual = Admission()
    if admission.bootstrap_days != usual.bootstrap_days:
        flags["bootstrap-days"] = str(admission.bootstrap_days)
    if admission.min_games != usual.min_games:
        flags["min-games"] = str(admission.min_games)
    if admission.include_injured:
        flags["include-injured"] = "true"
    chosen = {"reason": choice.reason, "player": choice.player}
    flags |= {name: value for name, value in chosen.items() if value is not None}
    local = " ".join(
        shlex.quote(f"--{name}={value}") if value.startswith("-") else f"--{name} {shlex.quote(value)}"
        for name, value in flags.items()
    )
    remote = " ".join(shlex.quote(f"--{name.replace('-', '_')}={value}") for name, value in flags.items())
    return (
        f"{suggest_command('fill-gaps', warehouse)} {local}",
        f"python -m pipeline --mode=gaps --gaps-table={FEATURE_STORE_GAPS.path} {remote} "
        + _name_dataflow(warehouse),
    )


def _name_dataflow(warehouse: str) -> str:
    """What a launch on Dataflow needs besides; the words in capitals are the reader's to fill in.

    Its workers share no disk, so the files of the run need a folder.
    """
    project, temp, address = "PROJECT", None, EXAMPLE
    if warehouse.startswith(BIGQUERY):
        place = parse_address(warehouse)
        project, temp, address = place.project, place.temp, warehouse
    if temp is None:
        temp = "gs://BUCKET/temp"
        address += f"{'&' if '?' in address else '?'}temp={temp}"
    flags = {
        "runner": "DataflowRunner",
        "project": project,
        "region": "REGION",
        "temp_location": temp,
        "warehouse": address,
    }
    return " ".join(shlex.quote(f"--{name}={value}") for name, value in flags.items())
