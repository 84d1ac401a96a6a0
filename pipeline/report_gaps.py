"""Where the open gaps stand, for a person and as JSON. Texts only: nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ledger.fills import Fill
from pipeline.ledger.survey import FILLABLE, OPTIONAL, PLACES, STANDINGS, Survey
from pipeline.report import count, escape_cell, format_fields
from pipeline.report_parts import Grid, count_of, spell
from transforms.gaps import REASONS

EXAMPLES = 5
GROUP = ("skip_reason", "month")


@dataclass(frozen=True)
class Group:
    """The gaps of a reason and a month (YYYY-MM), and how many of them stand how."""

    reason: str
    month: str
    first: Any
    last: Any
    gaps: int
    standings: dict[str, int]


def group_gaps(survey: Survey) -> list[Group]:
    """Groups in the order of the reasons, then of the months."""
    gaps = survey.gaps.append_column("month", pc.strftime(survey.gaps.column("game_date"), format="%Y-%m"))
    sums: list[tuple[str, str]] = []
    for name in STANDINGS:
        flags = pc.equal(gaps.column("standing"), name).cast(pa.int64())
        gaps, sums = gaps.append_column(name, flags), [*sums, (name, "sum")]
    day = "game_date"
    grouped = gaps.group_by(GROUP, use_threads=False).aggregate([(day, "min"), (day, "max"), *sums])
    groups = [
        Group(
            row["skip_reason"],
            row["month"],
            row["game_date_min"],
            row["game_date_max"],
            sum(row[f"{name}_sum"] for name in STANDINGS),
            {name: row[f"{name}_sum"] for name in STANDINGS},
        )
        for row in grouped.to_pylist()
    ]
    return sorted(groups, key=lambda group: (REASONS.index(group.reason), group.month))


def tabulate_groups(groups: Sequence[Group]) -> Grid:
    """A line a group, and a column for each standing that some gap has."""
    used = [name for name in STANDINGS if any(group.standings[name] for group in groups)]
    names = ["reason", "month", "first", "last", "gaps", *(spell(name) for name in used)]
    rows = [
        [
            group.reason,
            group.month,
            str(group.first),
            str(group.last),
            count(group.gaps),
            *(count(group.standings[name]) for name in used),
        ]
        for group in groups
    ]
    return Grid(names, rows, [False] * 4 + [True] * (1 + len(used)))


def list_places(survey: Survey) -> list[dict[str, Any]]:
    """Each place that some gap has, with how many and the first few of them."""
    found = []
    gaps = survey.gaps
    for place in PLACES:
        mine = gaps.filter(
            pc.and_(
                pc.equal(gaps.column("why"), place.why), pc.equal(gaps.column("standing"), place.standing)
            )
        )
        if mine.num_rows:
            examples = mine.slice(0, EXAMPLES).select(["player_lookup", "game_date"]).to_pylist()
            found.append({**place._asdict(), "gaps": mine.num_rows, "examples": examples})
    return sorted(found, key=lambda entry: STANDINGS.index(entry["standing"]))


def describe_places(places: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A paragraph for each standing: why, how many, and who for example."""
    for standing in STANDINGS:
        mine = [place for place in places if place["standing"] == standing]
        if not mine:
            continue
        fields = []
        for place in mine:
            option = f", with {place['option']}" if place["option"] else ""
            fields.append((count(place["gaps"]), f"{place['why']}{option}"))
            shown = [f"{escape_cell(e['player_lookup'])} {e['game_date']}" for e in place["examples"]]
            more = [f"and {count(place['gaps'] - len(shown))} more"] if place["gaps"] > len(shown) else []
            fields.append(("", ", ".join([*shown, *more])))
        total = sum(place["gaps"] for place in mine)
        yield format_fields(f"{spell(standing).capitalize()}: {count_of(total, 'gap')}", fields)


def describe_fills(fills: Sequence[Fill]) -> Iterator[str]:
    """The commands to copy: for now, then for each option."""
    titles = {"": "Next"} | {
        fill.option: f"Next, where {fill.option} is wanted" for fill in fills if fill.option
    }
    for option, title in titles.items():
        mine = [fill for fill in fills if fill.option == option]
        if mine:
            lines = [f"  {escape_cell(fill.local)}" for fill in mine]
            remote = [f"  {escape_cell(fill.dataflow)}" for fill in mine]
            yield "\n".join([title, *lines, "  or, on BigQuery, on Dataflow:", *remote])


def survey_as_json(survey: Survey, fills: Sequence[Fill], *, listed: bool) -> dict[str, Any]:
    """Everything but the single gaps, and these too when ``listed``."""
    groups = group_gaps(survey)
    summary: dict[str, Any] = {
        "gaps": survey.gaps.num_rows,
        "reasons": _total(groups, "reason"),
        "months": _total(groups, "month"),
        "standings": {name: sum(group.standings[name] for group in groups) for name in STANDINGS},
        "groups": [
            {
                "reason": group.reason,
                "month": group.month,
                "first_date": group.first,
                "last_date": group.last,
                "gaps": group.gaps,
                **group.standings,
            }
            for group in groups
        ],
        "places": list_places(survey),
        "commands": [
            {
                "standing": OPTIONAL if fill.option else FILLABLE,
                "option": fill.option,
                "start_date": fill.dates.start,
                "end_date": fill.dates.last,
                "gaps": fill.gaps,
                "local": fill.local,
                "dataflow": fill.dataflow,
            }
            for fill in fills
        ],
    }
    if listed:
        summary["list"] = survey.gaps.to_pylist()
    return {**summary, "exit_code": 0, "next": [fill.local for fill in fills]}


def _total(groups: Sequence[Group], name: str) -> dict[str, int]:
    keys = dict.fromkeys(getattr(group, name) for group in groups)
    return {
        key: sum(group.gaps for group in groups if getattr(group, name) == key)
        for key in (sorted(keys) if name == "month" else keys)
    }


def list_gaps(survey: Survey) -> Grid:
    """A line a gap: the key, the recorded reason, where it stands and why."""
    rows = [
        [
            escape_cell(gap["player_lookup"]),
            str(gap["game_date"]),
            gap["skip_reason"],
            spell(gap["standing"]),
            gap["option"],
            escape_cell(gap["verdict_detail"] or gap["why"]),
        ]
        for gap in survey.gaps.to_pylist()
    ]
    return Grid(["player", "date", "reason", "standing", "option", "today"], rows, [False] * 6)
