"""One bucket of player rows -> feature rows and gaps.

Every target of the bucket leaves :func:`compute_bucket` in exactly one of the two tables. What a
feature is stands in ``transforms.kernels``, what a row holds in ``transforms.rows``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from transforms.arrays import Bools, Ints, single_chunk, to_codes, to_day, to_known
from transforms.contracts import TargetSpec
from transforms.gaps import (
    NO_GAP,
    PROCESSING_ERROR,
    REASONS,
    Evidence,
    describe_gaps,
    find_gaps,
)
from transforms.kernels.features import compute_values
from transforms.kernels.player_windows import HISTORY_STATISTICS, PlayerRows, Windows, sort_rows
from transforms.kernels.team_context import FIGURES
from transforms.kernels.team_figures import TeamFigures
from transforms.people import ANNOUNCED
from transforms.rows import build_features, build_gaps
from transforms.schema import STAGED_FEATURES

EARLY_SEASON_DAYS = 14


def compute_bucket(rows: pa.Table, figures: TeamFigures, spec: TargetSpec) -> tuple[pa.Table, pa.Table, int]:
    """Feature rows (``STAGED_FEATURES``), gaps (``STAGED_GAPS``), and players that failed.

    ``rows`` are all rows of some players in the read window (``history.PLAYER_HISTORY``).
    Should the computation raise, the players are halved until the failing ones stand alone;
    their targets become ``processing_error`` gaps and everyone else is computed.
    """
    return _compute_players(sort_rows(rows), figures, spec, compute_targets)


Compute = Callable[[pa.Table, TeamFigures, TargetSpec], tuple[pa.Table, pa.Table]]


def _compute_players(
    rows: pa.Table, figures: TeamFigures, spec: TargetSpec, compute: Compute
) -> tuple[pa.Table, pa.Table, int]:
    try:
        features, gaps = compute(rows, figures, spec)
    except Exception as error:
        player = to_codes(single_chunk(rows, "player_lookup"))
        half = np.searchsorted(player, player[len(player) // 2])
        if half == 0:
            half = np.searchsorted(player, player[0], side="right")
        if half == len(player):
            gaps = _fail_player(rows, spec, error)
            return STAGED_FEATURES.empty_table(), gaps, 1 if gaps.num_rows else 0
        parts = [
            _compute_players(part, figures, spec, compute) for part in (rows.slice(0, half), rows.slice(half))
        ]
        return (
            pa.concat_tables(part[0] for part in parts),
            pa.concat_tables(part[1] for part in parts),
            sum(part[2] for part in parts),
        )
    return features, gaps, 0


def _fail_player(rows: pa.Table, spec: TargetSpec, error: Exception) -> pa.Table:
    mine = rows.take(_find_targets(rows))
    detail = f"{type(error).__name__}: {error}"[:500]
    reasons = np.full(mine.num_rows, REASONS.index(PROCESSING_ERROR), dtype=np.int8)
    return build_gaps(mine, reasons, pa.array([detail] * mine.num_rows, pa.string()))


def _find_targets(rows: pa.Table) -> Ints:
    return np.flatnonzero(to_known(single_chunk(rows, "target")).values)


@dataclass(frozen=True)
class Targets:
    """Some targets and what they see: their own rows, their players' windows, and where the
    context of their team and of their opponent is (row and whether there is one)."""

    rows: pa.Table
    windows: Windows
    figures: TeamFigures
    own: tuple[Ints, Bools]
    opponent: tuple[Ints, Bools]


def see_targets(rows: pa.Table, figures: TeamFigures, spec: TargetSpec) -> Targets:
    """Every target in ``rows`` (sorted by player and date)."""
    history = PlayerRows.from_table(rows)
    positions = _find_targets(rows)
    # without the statistics of the target's own game, which no feature may use
    mine = rows.drop_columns([*HISTORY_STATISTICS, "usage", "played"]).take(positions)
    day, season = history.day[positions], history.season[positions]
    return Targets(
        rows=mine,
        windows=Windows(history, positions),
        figures=figures,
        own=figures.find(single_chunk(mine, "team_abbr"), season, day),
        opponent=figures.find(single_chunk(mine, "opponent_team_abbr"), season, day),
    )


def weigh_targets(seen: Targets, spec: TargetSpec) -> Evidence:
    """What decides whether each target gets a row."""
    rows, own, opponent, day = seen.rows, seen.own, seen.opponent, seen.windows.day
    return Evidence(
        invalid=single_chunk(rows, "invalid").to_numpy(),
        registered=to_known(single_chunk(rows, "registered")).values.astype(bool),
        no_show=(single_chunk(rows, "origin").to_numpy() == ANNOUNCED) & (day < to_day(spec.today)),
        stored=to_known(single_chunk(rows, "stored")).values.astype(bool),
        season_first=seen.figures.season_first(*own, day),
        day=day,
        games=seen.windows.last_10.size,
        team_games=(seen.figures.games(*own) > 0) | (seen.figures.games(*opponent) > 0),
    )


def compute_targets(rows: pa.Table, figures: TeamFigures, spec: TargetSpec) -> tuple[pa.Table, pa.Table]:
    """Feature rows and gaps of every target in ``rows`` (sorted by player and date)."""
    seen = see_targets(rows, figures, spec)
    windows, own_rows, own, opponent = seen.windows, seen.rows, seen.own, seen.opponent
    evidence = weigh_targets(seen, spec)
    reasons = find_gaps(evidence, spec.admission)
    skipped, kept = np.flatnonzero(reasons != NO_GAP), np.flatnonzero(reasons == NO_GAP)
    details = describe_gaps(reasons, evidence, spec.admission).take(pa.array(skipped))
    gaps = build_gaps(own_rows.take(skipped), reasons[skipped], details.dictionary_decode())

    values = compute_values(
        windows,
        own_rows,
        {name: figures.figure(name, *own) for name in FIGURES},
        {name: figures.figure(name, *opponent) for name in FIGURES},
    )[:, kept]
    early = (evidence.day < evidence.season_first + EARLY_SEASON_DAYS)[kept]
    return build_features(windows, own_rows.take(kept), kept, values, early), gaps
