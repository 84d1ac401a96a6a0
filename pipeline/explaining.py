"""One value, taken apart: what is stored, what the kernels make of it today, and what it rests on.

The warehouse is asked here; :mod:`pipeline.evidence` computes, :mod:`pipeline.formulas` fills the
formulas in, and ``report_explain`` finds the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from pipeline.errors import BadInput, UsageError
from pipeline.evidence import Evidence, Recomputed, Row, TeamEvidence, recompute
from pipeline.formulas import Step, write_formula
from pipeline.imports.importing import make_lookup
from pipeline.preflight import check_dependencies
from pipeline.season import DateRange
from pipeline.statements import Statements
from pipeline.warehouse.base import RunRow, Warehouse
from transforms.contracts import TargetSpec
from transforms.eastern import eastern_date
from transforms.gaps import Admission
from transforms.hashing import hash_rows
from transforms.history import read_chunk
from transforms.references import References, read_references
from transforms.schema import FEATURE_STORE, FEATURE_STORE_GAPS, PLAYER_GAME_SUMMARY, STAGED_FEATURES
from transforms.vector import FEATURES, INJURY, LINES, MISSING, SOURCES, Feature

SHOWN_NAME = 80
SAID: Mapping[str, Callable[[Statements], list[Row] | None]] = {
    INJURY: lambda said: said.reports,
    LINES: lambda said: said.lines,
}
"""Which statements stand behind the features of a source."""


@dataclass(frozen=True)
class Difference:
    """A column of the stored row that the kernels would write otherwise today."""

    column: str
    stored: object
    recomputed: object


@dataclass(frozen=True)
class Explanation:
    """What is known of one (player, date).

    ``stored`` is the feature row and ``gap`` the row of the ledger; ``run`` wrote the one, or was
    the last to meet the other. ``found`` is what the kernels make of the box scores of ``window``
    today, with the options of that run. ``dates`` are those on which the player has box scores.
    """

    player: str
    day: date
    stored: Row | None
    gap: Row | None
    run: RunRow | None
    admission: Admission
    window: DateRange
    found: Recomputed
    dates: tuple[date, ...]

    @property
    def identity(self) -> Row:
        """The row that names game, team and opponent."""
        return self.stored or self.gap or self.found.feature or self.found.gap or {}

    @property
    def differences(self) -> list[Difference]:
        """In which columns the stored row is not what the kernels give; none without both."""
        if self.stored is None or self.found.feature is None:
            return []
        return [
            Difference(name, self.stored[name], self.found.feature[name])
            for name in STAGED_FEATURES.names
            if not is_same(self.stored[name], self.found.feature[name])
        ]

    @property
    def is_same(self) -> bool | None:
        """Whether the kernels give today what is stored; None when nothing is stored."""
        if self.stored is not None:
            return self.found.feature is not None and not self.differences
        if self.gap is not None and self.is_gap_open:
            skipped = self.found.gap
            return skipped is not None and skipped["skip_reason"] == self.gap["skip_reason"]
        return None

    @property
    def is_gap_open(self) -> bool:
        return self.gap is not None and self.gap["resolved_at"] is None and self.gap["withdrawn_at"] is None


class Value(NamedTuple):
    """A value and its source, both None where there is no row."""

    value: float | None
    source: str | None


@dataclass(frozen=True)
class FeatureExplanation:
    """One position of the vector.

    ``games`` are the player's rows that it rests on, each with its ``windows``; ``passed_over``
    his others, each with a ``reason``; ``teams`` the figures of the team context, each with its
    games; ``features`` those it is made of; ``said`` the reports or lines of the date; ``facts`` what
    it takes from the target itself.
    ``missing`` says why there is no value.
    """

    feature: Feature
    stored: Value
    recomputed: Value
    formula: list[Step] = field(default_factory=list)
    games: list[Row] = field(default_factory=list)
    passed_over: list[Row] = field(default_factory=list)
    teams: list[TeamEvidence] = field(default_factory=list)
    features: dict[str, float | None] = field(default_factory=dict)
    said: list[Row] = field(default_factory=list)
    facts: Row = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        return is_same(self.stored, self.recomputed)


def is_same(stored: object, recomputed: object) -> bool:
    """Equal to the bit: floats by their shortest text, so that NaN and -0.0 are told apart too."""
    return repr(stored) == repr(recomputed)


def find_feature(name: str) -> Feature:
    """The feature of a name or an index; raises ``UsageError`` with the nearest names."""
    for feature in FEATURES:
        if name in (feature.name, str(feature.index), feature.value_column):
            return feature
    near = get_close_matches(name, [feature.name for feature in FEATURES], n=3, cutoff=0.4)
    meant = f": did you mean {' or '.join(near)}?" if near else "."
    raise UsageError(
        f"expected the name of a feature or its index, 0 to {len(FEATURES) - 1}, "
        f"found {name[:SHOWN_NAME]!r}{meant}\n`feature-store explain` without --feature lists them"
    )


def explain_key(warehouse: Warehouse, player: str, day: date, now: datetime) -> Explanation:
    """What is stored for the player and date, and what the kernels make of it ``now``.

    Raises ``BadInput`` when the key is no target, ``WrongShape`` when the box scores cannot be read.
    """
    dates = DateRange.inclusive(day, day)
    with warehouse.share_reader():
        plan = check_dependencies(warehouse, TargetSpec(dates.start, dates.end, today=day)).plan
        stored = warehouse.read_row(FEATURE_STORE, player, day)
        gap = warehouse.read_row(FEATURE_STORE_GAPS, player, day)
        run = find_run(warehouse, stored, gap)
        admission = read_admission(run)
        spec = TargetSpec(dates.start, dates.end, admission, today=read_today(run, now))
        reader = warehouse.open_reader(plan.columns)
        references = References.from_tables(
            read_references(reader, plan.schedule.start, plan.schedule.end).tables
        )
        raw = read_chunk(reader, plan.window.start, plan.window.end, spec)
        found = recompute(raw, references, spec, player)
        names = references.find_names(player)
        listed = tuple(sorted({played for name in names for played in warehouse.list_dates(name)}))
        if stored is None and gap is None and found.feature is None and found.gap is None:
            if found.passed:
                raise BadInput(f"{player[:SHOWN_NAME]!r} is no target on {day}: {'; '.join(found.passed)}")
            players = [] if listed else warehouse.list_players()
            raise BadInput(describe_absence(player, day, listed, players))
    return Explanation(player, day, stored, gap, run, admission, plan.window, found, listed)


def find_run(warehouse: Warehouse, stored: Row | None, gap: Row | None) -> RunRow | None:
    """The run that wrote the row, else the last one that met the gap."""
    if stored is not None:
        return warehouse.read_run(stored["run_id"])
    if gap is None:
        return None
    return warehouse.find_run(gap["last_attempt_at"]) or warehouse.read_run(gap["detected_run_id"])


def read_admission(run: RunRow | None) -> Admission:
    """The admission of a run; the usual one when no run is known."""
    options = run["options"] if run else {}
    usual = Admission()
    return Admission(**{name: options.get(name, value) for name, value in vars(usual).items()})


def read_today(run: RunRow | None, now: datetime) -> date:
    """The date that the run took for today; without a run, today in US Eastern."""
    if run is None:
        return eastern_date(now)
    today, as_of = eastern_date(run["started_at"]), run["options"].get("as_of")
    return min(today, date.fromisoformat(as_of)) if as_of else today


def describe_absence(player: str, day: date, dates: Sequence[date], players: Sequence[str]) -> str:
    """Why a key is no target, and what one might have meant."""
    name = player[:SHOWN_NAME]
    if not dates:
        near = get_close_matches(make_lookup(player) or player, players, n=5, cutoff=0.6)
        return f"there is no player {name!r} in {PLAYER_GAME_SUMMARY.path} ({len(players):,} lookups). " + (
            f"Nearest by spelling: {', '.join(near)}" if near else "No lookup is near by spelling"
        )
    before, after = [found for found in dates if found < day], [found for found in dates if found > day]
    nearest = [*(f"{found} before" for found in before[-1:]), *(f"{found} after" for found in after[:1])]
    return (
        f"{name!r} is no target on {day}: {PLAYER_GAME_SUMMARY.path} has no row of that date. "
        f"Nearest game dates: {', '.join(nearest)}"
    )


def read_value(feature: Feature, row: Row | None) -> Value:
    return Value(row[feature.value_column], row[feature.source_column]) if row else Value(None, None)


def explain_feature(explanation: Explanation, feature: Feature) -> FeatureExplanation:
    """One feature of an explained key, with everything that it rests on."""
    stored, found, basis = explanation.stored, explanation.found, feature.basis
    was, now = read_value(feature, stored), read_value(feature, found.feature)
    evidence = found.evidence
    if evidence is None:
        return FeatureExplanation(feature, was, now)
    teams = [
        evidence.read_team(side, figure)
        for side, figures in (("own", basis.own), ("opponent", basis.opponent))
        for figure in figures
    ]
    return FeatureExplanation(
        feature,
        was,
        now,
        formula=write_formula(feature, found),
        games=evidence.list_games(basis.windows),
        passed_over=evidence.list_passed_over(basis.windows) if basis.windows else [],
        teams=teams,
        features={name: found.value(name) for name in basis.features},
        said=(SAID[feature.source](evidence.said) or []) if feature.source in SAID else [],
        facts=_read_facts(feature, evidence),
        missing=explain_missing(feature, found, evidence, teams) if now.source == MISSING else [],
    )


def _read_facts(feature: Feature, evidence: Evidence) -> Row:
    facts = {name: evidence.facts[name] for name in feature.basis.facts}
    if feature.source in SAID:
        facts["cutoff"] = evidence.facts["cutoff"]
    return facts | {"days_rest": evidence.days_rest} if feature.basis.rest else facts


def explain_missing(
    feature: Feature, found: Recomputed, evidence: Evidence, teams: Sequence[TeamEvidence]
) -> list[str]:
    """Why a feature has no value: the rule, then what was found of what it needs."""
    basis = feature.basis
    lines = [f"it is missing when {feature.missing_when}"]
    if feature.source in SAID:
        said = SAID[feature.source](evidence.said)
        name = feature.source.removesuffix("s").replace("_", " ")
        lines.append(f"there is no table of {name}s" if said is None else f"rows of the player: {len(said)}")
        return lines
    for window in basis.windows:
        rows = evidence.rows(window)
        lines.append(f"rows in {window}: {len(rows)}")
        counts = {figure: len(evidence.known(window, figure)) for figure in basis.figures}
        lines += [f"rows in {window} with known {name}: {n}" for name, n in counts.items() if n < len(rows)]
    lines += [_explain_unknown(team) for team in teams if team.value is None]
    lines += [f"{name} is missing" for name in basis.features if found.value(name) is None]
    lines += [f"{name} is unknown" for name in basis.facts if evidence.facts[name] is None]
    if evidence.absent_columns:
        lines.append(f"the box scores lack the columns {', '.join(sorted(evidence.absent_columns))}")
    return lines


def _explain_unknown(team: TeamEvidence) -> str:
    if team.team is None:
        return f"{team.figure}: the {team.side} team is unknown"
    told = [f"games {len(team.games)}"]
    for name in team.columns:
        known = [game[name] for game in team.games if game[name] is not None]
        told.append(
            f"{name} known in {len(known)}" if len(known) < len(team.games) else f"{name} {sum(known):g}"
        )
    return f"{team.figure} of {team.team}: {', '.join(told)}"


def digest_stored(row: Row) -> str | None:
    """What ``data_hash`` must be for the values and sources that a stored row holds.

    None when it holds a source that no run writes.
    """
    if not {row[feature.source_column] for feature in FEATURES} <= set(SOURCES):
        return None
    values = [[np.nan if row[f.value_column] is None else row[f.value_column]] for f in FEATURES]
    sources = [[SOURCES.index(row[f.source_column])] for f in FEATURES]
    (digest,) = hash_rows(np.array(values, dtype=np.float64), np.array(sources, dtype=np.int8)).to_pylist()
    return str(digest)
