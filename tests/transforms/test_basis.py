"""What the registry says a feature rests on, held against what the kernels read for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hamcrest import assert_that, equal_to
from leagues import ZONE_COLUMNS, make_league

from transforms.arrays import Known
from transforms.basis import Basis
from transforms.compute import Targets, see_targets
from transforms.contracts import TargetSpec
from transforms.history import RawChunk, join_team_parts, prepare_chunk
from transforms.kernels import matchup, player
from transforms.kernels.features import NUMBERS, compute_values
from transforms.kernels.player_windows import PlayerRows, Windows, sort_rows
from transforms.kernels.team_context import FIGURES
from transforms.kernels.team_figures import TeamFigures
from transforms.kernels.team_games import TEAM_GAMES
from transforms.kernels.team_windows import TeamWindows
from transforms.vector import FEATURES, Feature

NAMES = {feature.name for feature in FEATURES}
WINDOWS = frozenset(window for feature in FEATURES for window in feature.basis.windows)
SIDES = ("own", "opponent")
NOT_STATISTICS = {"usage", "played"}


class WatchedFigures(dict[str, Known]):
    """The statistics of the rows, and which of them were read."""

    def __init__(self, figures: dict[str, Known]) -> None:
        super().__init__(figures)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Known:
        self.read.add(name)
        return super().__getitem__(name)


class WatchedWindows(Windows):
    """The windows of a bucket, and which of them were read."""

    def __init__(self, rows: PlayerRows, targets: Any) -> None:
        self.read: set[str] = set()
        self.figures = WatchedFigures(rows.statistics)
        super().__init__(replace(rows, statistics=self.figures), targets)

    def __getattribute__(self, name: str) -> Any:
        if name in WINDOWS:
            self.read.add(name)
        return super().__getattribute__(name)


@pytest.fixture(scope="module")
def seen() -> Targets:
    """What the targets of a generated league with shots by zone see."""
    leagues = (make_league(seed) for seed in range(9))
    league = next(league for league in leagues if set(ZONE_COLUMNS) <= set(league.columns))
    days = sorted({row["game_date"] for row in league.rows})
    spec = TargetSpec(days[len(days) // 2], days[-1] + timedelta(days=1), today=days[-1])
    chunk = prepare_chunk(RawChunk(league.table()), spec, 1)
    rows = sort_rows(pa.table(chunk.rows[0][1]))
    return see_targets(rows, TeamFigures(join_team_parts(chunk.team_parts.items())), spec)


@pytest.mark.parametrize("feature", [f for f in FEATURES if f.basis.windows], ids=lambda f: f.name)
def test_a_kernel_reads_the_windows_and_figures_that_its_feature_declares(
    feature: Feature, seen: Targets
) -> None:
    windows = WatchedWindows(seen.windows.rows, seen.windows.targets)
    unknown = np.full(len(windows.targets), np.nan)
    teams = {"fatigue_score": [unknown, unknown], "shot_zone_mismatch_score": [[unknown] * 3]}
    module = matchup if feature.name == "shot_zone_mismatch_score" else player
    getattr(module, feature.name)(windows, *teams.get(feature.name, []))
    assert_that(windows.read, equal_to(set(feature.basis.windows)))
    assert_that(windows.figures.read, equal_to(set(feature.basis.figures) - NOT_STATISTICS))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_of_a_team_reaches_exactly_the_features_that_declare_it(
    side: str, figure: str, seen: Targets
) -> None:
    size = len(seen.windows.targets)
    rng = np.random.default_rng(3)
    context = {side: {name: rng.uniform(1, 9, size) for name in FIGURES} for side in SIDES}
    for given in context.values():
        given["played_yesterday"] = rng.integers(0, 2, size).astype(float)
    before = compute_values(seen.windows, seen.rows, context["own"], context["opponent"])
    context[side][figure] = 1 - context[side][figure]
    after = compute_values(seen.windows, seen.rows, context["own"], context["opponent"])
    changed = {
        feature.name
        for feature in FEATURES
        if not np.array_equal(before[feature.index], after[feature.index], equal_nan=True)
    }
    declared = {feature.name for feature in FEATURES if figure in getattr(feature.basis, side)}
    through = {feature.name for feature in FEATURES if declared & set(feature.basis.features)}
    assert_that(changed, equal_to(declared | through))


@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)
def test_what_a_basis_names_exists(feature: Feature) -> None:
    basis = feature.basis
    assert_that(set(basis.features) - NAMES, equal_to(set()))
    assert_that({*basis.own, *basis.opponent} - set(FIGURES), equal_to(set()))
    assert_that([name for name in basis.windows if not hasattr(Windows, name)], equal_to([]))


@pytest.mark.parametrize("figure", FIGURES)
def test_a_team_figure_names_a_window_and_columns_that_exist(figure: str) -> None:
    assert_that(hasattr(TeamWindows, FIGURES[figure].window))
    assert_that(set(FIGURES[figure].columns) - set(TEAM_GAMES.names), equal_to(set()))


@pytest.mark.parametrize("fact", ["is_home", *NUMBERS])
def test_a_fact_of_the_target_reaches_exactly_the_features_that_declare_it(fact: str, seen: Targets) -> None:
    size = len(seen.windows.targets)
    rng = np.random.default_rng(4)
    teams = [{name: rng.uniform(1, 9, size) for name in FIGURES} for _ in SIDES]
    before = compute_values(seen.windows, _set_fact(seen.rows, fact, 0), *teams)
    after = compute_values(seen.windows, _set_fact(seen.rows, fact, 40), *teams)
    changed = {
        feature.name
        for feature in FEATURES
        if not np.array_equal(before[feature.index], after[feature.index], equal_nan=True)
    }
    declared = {feature.name for feature in FEATURES if fact in feature.basis.facts}
    through = {feature.name for feature in FEATURES if declared & set(feature.basis.features)}
    assert_that(changed, equal_to(declared | through))


def _set_fact(rows: pa.Table, fact: str, value: int) -> pa.Table:
    """The targets, every number among their facts known, and one fact of a value."""
    numbers = dict.fromkeys(NUMBERS, 1.0) | ({} if fact == "is_home" else {fact: float(value)})
    columns = {name: pa.array([number] * rows.num_rows) for name, number in numbers.items()}
    columns["is_home"] = pa.array([bool(value) if fact == "is_home" else True] * rows.num_rows)
    for name, column in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows


def test_every_feature_rests_on_something() -> None:
    assert_that([feature.name for feature in FEATURES if feature.basis == Basis()], equal_to([]))


def test_the_positions_of_a_window_are_earlier_rows_of_the_player_in_order(seen: Targets) -> None:
    windows, rows = seen.windows, seen.windows.rows
    held = 0
    for target in range(0, len(windows.targets), 5):
        day = windows.day[target]
        for name in WINDOWS:
            found = windows.positions(name, target)
            held += len(found)
            assert_that(set(rows.player[found]) <= {windows.player[target]}, name)
            assert_that(bool(((rows.day[found] < day) & (rows.day[found] >= day - 365)).all()), name)
            assert_that(bool((np.diff(rows.day[found]) > 0).all()), name)
    assert_that(held > 1_000)
