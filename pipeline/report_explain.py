"""An explanation in words and tables, for a person and as JSON. Nothing is looked up here.

A description is a list of parts, each a text or a :class:`Grid`, 80 columns wide at most but for
commands. Every text that comes from data is escaped here.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.explaining import (
    SAID,
    Difference,
    Explanation,
    FeatureExplanation,
    digest_stored,
    explain_feature,
)
from pipeline.report import escape_cell, suggest_command
from pipeline.report_feature import describe_basis, describe_value
from pipeline.report_parts import Grid, Part, count_of, fold_fields, show_time
from transforms.gaps import (
    BOOTSTRAP,
    INVALID_INPUT,
    MISSING_DEPENDENCY,
    NO_GAME_SUMMARY,
    NO_HISTORY,
    UNREGISTERED_PLAYER,
    Admission,
)
from transforms.side_tables import PLAYER_ALIASES, REGISTRY, UPCOMING
from transforms.vector import FEATURES, INJURY, LINES

MOST_DIFFERENCES = 20
(LAST_10_GAMES,) = (feature for feature in FEATURES if feature.name == "points_avg_last_10")
"""The feature whose games decide whether there is history enough for a row."""


def describe_explanation(found: Explanation, warehouse: str) -> list[Part]:
    """The whole vector of a key, or its gap."""
    fields = [*_tell_identity(found), *_tell_run(found)]
    parts: list[Part] = [fold_fields(f"{escape_cell(found.player)} on {found.day}", fields)]
    if found.gap is not None:
        parts.append(_describe_gap(found))
    if found.differences:
        parts.append(_describe_differences(found))
    if found.stored is not None or found.found.feature is not None:
        parts += ["Features", _list_features(found)]
    else:
        parts += describe_basis(explain_feature(found, LAST_10_GAMES), found)
    return [*parts, *_list_commands(suggest_next(found, warehouse))]


def describe_feature(found: Explanation, item: FeatureExplanation, warehouse: str) -> list[Part]:
    """One value, taken apart."""
    title = f"{item.feature.name} of {escape_cell(found.player)} on {found.day}"
    fields = [*describe_value(item, found), *_tell_identity(found)[:1], *_tell_run(found)]
    parts: list[Part] = [fold_fields(title, fields)]
    if found.gap is not None:
        parts.append(_describe_gap(found))
    return [*parts, *describe_basis(item, found), *_list_commands(suggest_next(found, warehouse, item))]


def _tell_identity(found: Explanation) -> list[tuple[str, str]]:
    row, stored = found.identity, found.stored or found.found.feature
    names = ("team_abbr", "opponent_team_abbr", "game_id", "season_year")
    team, opponent, game, season = (row[name] or "unknown" for name in names)
    fields = [("game", f"{team} against {opponent}, game {game}, season {season}")]
    if stored is None:
        return [*fields, ("feature row", "none")]
    home = {True: "home", False: "away", None: "home or away unknown"}[stored["is_home"]]
    complete = stored["historical_completeness"]
    lacking = count_of(stored["missing_required_count"], "required feature")
    ready = "ready" if stored["is_quality_ready"] else f"not ready, {lacking} missing"
    games = f"{complete['games_found']} of {complete['games_expected']} games"
    dates = complete["contributing_game_dates"]
    span = f", {dates[0]} to {dates[-1]}" if dates else ""
    rest = "-" if stored["days_rest"] is None else str(stored["days_rest"])
    return [
        *fields,
        ("where", f"{home}, days of rest {rest}"),
        ("quality", f"{stored['feature_quality_score']:g}, {stored['quality_tier']}, {ready}"),
        ("completeness", games + span + (", early season" if stored["early_season_flag"] else "")),
    ]


def _tell_run(found: Explanation) -> list[tuple[str, str]]:
    fields = []
    if found.run is not None:
        run, admission = found.run, found.admission
        fields.append(("run", f"{run['run_id']}, {run['mode']}, {run['status']}"))
        fields.append(("", f"{show_time(run['started_at'])} to {show_time(run['processed_at'])}"))
        days, games = admission.bootstrap_days, admission.min_games
        fields.append(("", f"--bootstrap-days {days} --min-games {games}"))
    if found.stored is not None:
        row = found.stored
        fields.append(("written", f"{show_time(row['created_at'])}, updated {show_time(row['updated_at'])}"))
        fields.append(("data_hash", row["data_hash"]))
        if digest_stored(row) != row["data_hash"]:
            fields.append(("", "is not the digest of the stored values: they were changed outside a run"))
    fields.append(("whole row", _tell_verdict(found)))
    return fields


def _tell_verdict(found: Explanation) -> str:
    """Whether the kernels give today what is stored, in a sentence."""
    now, skipped = found.found.feature, found.found.gap
    if found.stored is not None:
        if now is None:
            why = f"{skipped['skip_reason']}, {skipped['skip_detail']}" if skipped else "no target any more"
            return f"DIFFERS: the box scores of today give no row ({why})"
        if found.differences:
            columns, digest = count_of(len(found.differences), "column"), now["data_hash"]
            again = "the same" if digest == found.stored["data_hash"] else digest
            return f"DIFFERS in {columns}; data_hash recomputed: {again}"
        return "same in every column, data_hash too"
    if now is not None:
        return "the box scores of today give a row: no run has stored it yet"
    return f"{skipped['skip_reason']}, {skipped['skip_detail']}" if skipped else "no target any more"


def _describe_gap(found: Explanation) -> str:
    gap = found.gap or {}
    state = "open"
    if gap["resolved_at"] is not None:
        state = f"resolved {show_time(gap['resolved_at'])} by run {gap['resolved_run_id']}"
    elif gap["withdrawn_at"] is not None:
        state = f"withdrawn {show_time(gap['withdrawn_at'])}"
    since = f"{show_time(gap['detected_at'])}, run {gap['detected_run_id']}"
    fields = [
        ("reason", gap["skip_reason"]),
        ("detail", gap["skip_detail"] or "-"),
        ("state", state),
        ("since", since),
        ("attempts", f"{gap['attempt_count']}, last {show_time(gap['last_attempt_at'])}"),
    ]
    if gap["reopened_at"] is not None:
        fields.append(("reopened", show_time(gap["reopened_at"])))
    if found.is_gap_open:
        fields.append(("to fill it", explain_filling(found)))
    return fold_fields("Gap", fields)


def explain_filling(found: Explanation) -> str:
    """What would turn an open gap into a row."""
    gap, again = found.gap or {}, "then run backfill for the date again"
    if found.found.feature is not None:
        return "the box scores of today give a row: run backfill for the date again"
    reason = found.found.gap["skip_reason"] if found.found.gap else gap["skip_reason"]
    if reason == BOOTSTRAP:
        return "run backfill for the date with --bootstrap-days 0, which admits players with few games"
    if reason == INVALID_INPUT:
        return f"mend the box score ({_tell_rule(found)}), import it, {again}"
    if reason == NO_HISTORY:
        earlier = [day for day in found.dates if day < found.window.start]
        latest = f"; the latest before them is of {earlier[-1]}" if earlier else ""
        return (
            f"it needs a played game from {found.window.start} to the day before{latest}. "
            f"Import what is missing, {again}"
        )
    if reason == UNREGISTERED_PLAYER:
        return f"add the player to {REGISTRY.path}, or an alias to {PLAYER_ALIASES.path}, {again}"
    if reason == NO_GAME_SUMMARY:
        return (
            "the game was announced and the player has no box score: import the box scores of the date, "
            f"or take him off {UPCOMING.path}, {again}"
        )
    if reason == MISSING_DEPENDENCY:
        return (
            f"box scores of {gap['team_abbr']} or {gap['opponent_team_abbr']} from "
            f"{found.window.start} on: import them, {again}"
        )
    return "run backfill for the date again; should it fail again, the detail says where"


def _tell_rule(found: Explanation) -> str:
    """The rule that the target's own row breaks, with the figures that it speaks of."""
    rule = (found.found.gap or found.gap or {})["skip_detail"] or ""
    facts = found.found.evidence.facts if found.found.evidence else {}
    figures = [f"{word} is {facts[word]!r}" for word in rule.split() if word in facts]
    return ": ".join([rule, *([", ".join(figures)] if figures else [])])


def _list_features(found: Explanation) -> Grid:
    computed = found.found.feature is not None
    rows = []
    for feature in FEATURES:
        item = explain_feature(found, feature)
        value, source = item.stored if found.stored else item.recomputed
        again = "-" if not computed or found.stored is None else "same" if item.is_same else "DIFFERS"
        basis = _tell_basis(item) if found.found.evidence else "-"
        number = "-" if value is None else f"{value:.5g}"
        rows.append([str(feature.index), feature.name, number, again, source or "-", basis])
    value_name = "stored" if found.stored else "would be"
    return Grid(
        ["#", "feature", value_name, "again", "source", "rests on"],
        rows,
        [True, False, True, False, False, False],
    )


def _tell_basis(item: FeatureExplanation) -> str:
    """What a feature rests on, in a few words."""
    basis = item.feature.basis
    if basis.windows:
        return count_of(len(item.games), "row" if basis.windows == ("last_10_rows",) else "game")
    if basis.features:
        indexes = [feature.index for feature in FEATURES if feature.name in basis.features]
        return ", ".join(f"#{index}" for index in indexes)
    if item.teams:
        sides = [f"{team.team or '?'} {len(team.games)}" for team in item.teams]
        return escape_cell(" ".join(sides))
    if item.feature.source in SAID:
        return count_of(len(item.said), {INJURY: "report", LINES: "line"}[item.feature.source])
    return "its own row"


def _describe_differences(found: Explanation) -> str:
    more = len(found.differences) - MOST_DIFFERENCES
    text = fold_fields("DIFFERS", map(_tell_difference, found.differences[:MOST_DIFFERENCES]))
    return text + (f"\n  and {more} more, see --json" if more > 0 else "")


def _tell_difference(difference: Difference) -> tuple[str, str]:
    values = f"stored {difference.stored}, recomputed {difference.recomputed}"
    names = {name: f.name for f in FEATURES for name in (f.value_column, f.source_column)}
    name = names.get(difference.column, difference.column)
    return name + (" source" if difference.column.endswith("_source") else ""), values


def suggest_next(found: Explanation, warehouse: str, item: FeatureExplanation | None = None) -> list[str]:
    """The commands that one would run now, ready for a shell."""
    commands = []
    backfill = f"{suggest_command('backfill', warehouse)} --start-date {found.day} --end-date {found.day}"
    skipped = found.found.gap
    if found.stored is not None and not found.is_same:
        commands.append(backfill)
    elif found.stored is None and found.found.feature is not None:
        commands.append(backfill + _write_admission(found.admission))
    elif found.stored is None and skipped is not None and skipped["skip_reason"] == BOOTSTRAP:
        commands.append(f"{backfill} --bootstrap-days 0")
    key = f"--player {shlex.quote(found.player)} --date {found.day}"
    explain = f"{suggest_command('explain', warehouse)} {key}"
    if item is not None:
        return [*commands, *(f"{explain} --feature {name}" for name in item.features), explain]
    if found.stored or found.found.feature:
        commands.append(f"{explain} --feature {FEATURES[0].name}")
    return commands


def _write_admission(given: Admission) -> str:
    """The flags that a run needs to admit whom ``given`` admits."""
    usual = Admission()
    flags = {
        "--bootstrap-days": (given.bootstrap_days, usual.bootstrap_days),
        "--min-games": (given.min_games, usual.min_games),
    }
    changed = "".join(f" {flag} {value}" for flag, (value, default) in flags.items() if value != default)
    return changed + (" --include-injured" if given.include_injured else "")


def _list_commands(commands: Sequence[str]) -> list[Part]:
    return ["\n".join(["Next", *(f"  {escape_cell(command)}" for command in commands)])] if commands else []


def explanation_as_json(
    found: Explanation, warehouse: str, item: FeatureExplanation | None = None
) -> dict[str, Any]:
    """Everything that is known, as one object."""
    now = found.found
    answer: dict[str, Any] = {
        "player_lookup": found.player,
        "game_date": found.day,
        "stored": found.stored,
        "gap": found.gap,
        "run": found.run,
        "window_start": found.window.start,
        "window_end": found.day,
        "recomputed": now.feature,
        "recomputed_gap": now.gap,
        "same": found.is_same,
        "differences": [asdict(difference) for difference in found.differences],
        "stored_digest": digest_stored(found.stored) if found.stored else None,
        "to_fill": explain_filling(found) if found.is_gap_open else None,
    }
    if item is None:
        answer["features"] = [_feature_as_json(explain_feature(found, feature)) for feature in FEATURES]
    else:
        answer["feature"] = {
            **_feature_as_json(item),
            "games": item.games,
            "passed_over": item.passed_over,
            "teams": [asdict(team) for team in item.teams],
        }
    return {**answer, "next": suggest_next(found, warehouse, item), "exit_code": 0}


def _feature_as_json(item: FeatureExplanation) -> dict[str, Any]:
    feature = item.feature
    return {
        **asdict(feature),
        "stored": item.stored._asdict(),
        "recomputed": item.recomputed._asdict(),
        "same": item.is_same,
        "formula": [asdict(step) for step in item.formula],
        "made_of": item.features,
        "facts": item.facts,
        "said": item.said,
        "missing": item.missing,
    }
