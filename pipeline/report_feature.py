"""One value taken apart, in words and tables: its formula, its games, and what was passed over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.evidence import Row, TeamEvidence
from pipeline.explaining import Explanation, FeatureExplanation, Value
from pipeline.formulas import Step
from pipeline.report import escape_cell
from pipeline.report_parts import (
    Grid,
    Part,
    count_of,
    fold_text,
    show_fact,
    show_figure,
    show_minutes,
    show_number,
    show_time,
    spell,
)
from transforms.vector import INJURY, LINES

MOST_LISTED = 20
"""Rows passed over that a table lists one by one; the others are counted."""
LONGEST_DETAIL = 44

FIGURES = {
    "fg_attempts": "FGA",
    "three_pt_attempts": "3PA",
    "ft_makes": "FTM",
    "paint_attempts": "paint",
    "mid_range_attempts": "mid",
    "usage": "usage",
    "played": "played",
}
"""Headers of the figures that a table of games shows where they enter; minutes and points always stand."""

TEAM_FIGURES = {
    "pace": ("points", "possessions100", "seconds"),
    "offensive_rating": ("points", "possessions100"),
    "defensive_rating": ("opponent_points", "opponent_possessions100"),
    "win": ("points", "opponent_points"),
}
"""The totals that a table of team games shows beside each figure of a game that enters."""

SAID_COLUMNS = {
    INJURY: ("reported_at", "injury_status", "team"),
    LINES: ("snapshot_timestamp", "bookmaker", "points_line"),
}
"""The columns that a table of reports or of lines shows."""

TOTALS = {
    "points": "points",
    "possessions100": "possessions",
    "seconds": "minutes",
    "opponent_points": "their points",
    "opponent_possessions100": "their possessions",
}


def describe_value(item: FeatureExplanation, found: Explanation) -> list[tuple[str, str]]:
    """The fields that say what the value is and how it comes about."""
    feature = item.feature
    need = "optional" if feature.optional else "required"
    fields = [
        ("feature", f"{feature.index}, {need}, from {spell(feature.source)}"),
        ("definition", feature.definition),
    ]
    if found.stored is not None:
        fields.append(("stored", _tell_value(item.stored)))
    if found.found.feature is not None:
        verdict = "" if found.stored is None else ": same" if item.is_same else ": DIFFERS"
        fields.append(("recomputed", _tell_value(item.recomputed) + verdict))
    fields += _label("missing", [spell(line) for line in item.missing])
    fields += _label("computed", [_tell_step(step) for step in item.formula])
    if item.features:
        made_of = (f"{name} {show_number(value)}" for name, value in item.features.items())
        fields.append(("made of", ", ".join(made_of)))
    return [*fields, *((spell(name), show_fact(value)) for name, value in item.facts.items())]


def _label(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """The lines as fields, the first under the name."""
    return [(name if number == 0 else "", line) for number, line in enumerate(lines)]


def _tell_value(found: Value) -> str:
    return f"{'-' if found.value is None else repr(found.value)}, {found.source}"


def _tell_step(step: Step) -> str:
    number = show_number(step.value)
    told = number if step.expression == number else f"{step.expression} = {number}"
    return f"{spell(step.what)}: {told}"


def describe_basis(item: FeatureExplanation, found: Explanation) -> list[Part]:
    """The games that a value rests on, the player's and the teams', and the rows passed over."""
    parts: list[Part] = []
    if item.games:
        parts += [
            fold_text(f"In its window: {count_of(len(item.games), 'row')} of {found.player}"),
            _list_games(item),
        ]
    if item.said:
        cutoff = show_time(item.facts["cutoff"])
        parts.append(fold_text(f"Said of {found.player} on {found.day}, cut off at {cutoff} UTC"))
        parts.append(_list_said(item))
    for group in _group_teams(item.teams):
        parts += [_describe_team(group), *([_list_team_games(group)] if group[0].games else [])]
    if item.feature.basis.windows and found.found.evidence:
        parts += _describe_passed_over(item, found)
    return parts


def _list_games(item: FeatureExplanation) -> Grid:
    basis = item.feature.basis
    figures = {name: FIGURES[name] for name in basis.figures if name in FIGURES}
    several = len(basis.windows) > 1
    names = ["date", "opponent", "minutes", "points", *figures.values(), *(["in"] if several else [])]
    rows = [
        [
            *_tell_game(row),
            *(show_figure(row[name]) for name in figures),
            *([", ".join(spell(window) for window in row["windows"])] if several else []),
        ]
        for row in item.games
    ]
    return Grid(names, rows, [False, False, *[True] * (2 + len(figures)), *([False] if several else [])])


def _list_said(item: FeatureExplanation) -> Grid:
    instant, *columns = SAID_COLUMNS[item.feature.source]
    cutoff = item.facts["cutoff"]
    rows = [
        [
            show_time(row[instant]),
            *(escape_cell(show_figure(row[name])) for name in columns),
            "yes" if row[instant] <= cutoff else "no",
        ]
        for row in item.said
    ]
    names = [*map(spell, (instant, *columns)), "in time"]
    return Grid(names, rows, [False] * len(names))


def _tell_game(row: Row) -> list[str]:
    where = {True: "vs", False: "at", None: "??"}[row["is_home"]]
    return [
        str(row["game_date"]),
        escape_cell(f"{where} {row['opponent_team_abbr'] or '-'}"),
        show_minutes(row["seconds"]),
        show_figure(row["points"]),
    ]


def _group_teams(teams: Iterable[TeamEvidence]) -> list[list[TeamEvidence]]:
    """The figures over one window of one side together: they rest on the same games."""
    groups: dict[tuple[str, str], list[TeamEvidence]] = {}
    for team in teams:
        groups.setdefault((team.side, team.window), []).append(team)
    return list(groups.values())


def _describe_team(group: Sequence[TeamEvidence]) -> str:
    first = group[0]
    whose = "The player's team" if first.side == "own" else "The opponent"
    values = ", ".join(f"{spell(team.figure)} {show_number(team.value)}" for team in group)
    games = f"{count_of(len(first.games), 'team game')}, {spell(first.window)}"
    return fold_text(f"{whose}, {first.team or 'unknown'}: {games}: {values}")


def _list_team_games(group: Sequence[TeamEvidence]) -> Grid:
    columns = [name for team in group for name in team.columns]
    figures = [name for name in columns if name in TEAM_FIGURES]
    totals = list(dict.fromkeys(name for figure in figures for name in TEAM_FIGURES[figure]))
    zones = [
        name.removesuffix("_makes") for team in group for name in team.columns if name.endswith("_makes")
    ]
    names = ["date", "against", *(TOTALS[name] for name in totals), *map(spell, (*figures, *zones))]
    rows = [
        [
            str(game["game_date"]),
            escape_cell(game["opponent_abbr"] or "-"),
            *(_tell_total(name, game[name]) for name in totals),
            *(show_figure(game[name]) for name in figures),
            *(f"{game[f'{zone}_makes']}/{game[f'{zone}_attempts']}" for zone in zones),
        ]
        for game in group[0].games
    ]
    return Grid(names, rows, [False, False, *[True] * (len(names) - 2)])


def _tell_total(name: str, total: int | None) -> str:
    if name == "seconds":
        return show_minutes(total)
    if name.endswith("100") and total is not None:
        return f"{total / 100:.2f}"
    return show_figure(total)


def _describe_passed_over(item: FeatureExplanation, found: Explanation) -> list[Part]:
    """What stands beside the games: near rows one by one, the others counted by their reason."""
    oldest = min((row["game_date"] for row in item.games), default=found.window.start)
    near = [row for row in item.passed_over if row["reason"] != "outside" and row["game_date"] >= oldest]
    listed = near[-MOST_LISTED:]
    counted: dict[str, list[Row]] = {}
    for row in item.passed_over:
        if not any(row is one for one in listed):
            reason = row["detail"] if row["reason"] == "outside" else row["reason"]
            counted.setdefault(reason, []).append(row)
    lines = [
        f"  {len(rows)} {spell(reason)}, {rows[0]['game_date']} to {rows[-1]['game_date']}"
        for reason, rows in counted.items()
    ]
    unread = [day for day in found.dates if day < found.window.start]
    if unread:
        lines.append(
            f"  {len(unread)} older than {found.window.start}, the first day of the 365 before: not read"
        )
    total = len(item.passed_over) + len(unread)
    parts: list[Part] = ["\n".join([f"Passed over: {count_of(total, 'row')}", *lines])]
    if listed:
        cells = [[*_tell_game(row)[:2], row["reason"], _shorten(row["detail"])] for row in listed]
        parts += [Grid(["date", "opponent", "reason", "detail"], cells, [False] * 4)]
    return parts


def _shorten(detail: str) -> str:
    return escape_cell(detail if len(detail) <= LONGEST_DETAIL else f"{detail[: LONGEST_DETAIL - 3]}...")
