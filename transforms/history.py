"""From a chunk of dates as read to player rows by bucket, and the chunk's part of the team context.

A chunk is a half-open range of whole dates, so cleaning, team games and usage are exact inside
it. The windows over a player's games come after the shuffle, in ``compute``; the transforms that
apply both are in ``stages``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, Codes, Ints, single_chunk, to_batch, to_codes, to_days
from transforms.cleaning import CleanRows, clean_rows
from transforms.contracts import TargetSpec
from transforms.hashing import assign_buckets
from transforms.kernels.matchup import tell_playoff
from transforms.kernels.player_windows import HISTORY_STATISTICS
from transforms.kernels.team_context import (
    build_team_context,
    list_season_days,
    list_team_days,
)
from transforms.kernels.team_games import LABEL32, TEAM_GAMES, sum_team_games
from transforms.schema import STAGED_TARGETS

PLAYER_HISTORY = pa.schema(
    [
        *(
            pa.field(name, LABEL32)
            for name in (
                "player_lookup",
                "game_id",
                "team_abbr",
                "opponent_team_abbr",
                "universal_player_id",
            )
        ),
        pa.field("game_date", pa.date32()),
        pa.field("season_year", pa.int64()),
        pa.field("is_home", pa.bool_()),
        pa.field("playoff", pa.float64()),
        pa.field("played", pa.bool_()),
        pa.field("invalid", pa.int8()),
        pa.field("stored", pa.bool_()),
        pa.field("usage", pa.float64()),
        *(pa.field(name, pa.int64()) for name in HISTORY_STATISTICS),
    ]
)
"""A player row on its way through the shuffle."""

GAMES, DAYS, SEASONS = "games", "days", "seasons"
TEAM_PARTS = (GAMES, DAYS, SEASONS)


@dataclass(frozen=True)
class HistoryChunk:
    """What one chunk of dates gives: rows by bucket, parts of the team context, target keys.

    ``team_games`` are the team games (``TEAM_TOTALS``) whose figures are a part of the context;
    their totals explain a figure, and no stage needs them.
    """

    rows: list[tuple[int, pa.RecordBatch]]
    team_parts: dict[str, pa.RecordBatch]
    team_games: pa.Table
    targets: pa.RecordBatch
    counts: dict[str, int]


def prepare_chunk(raw: pa.Table, stored: pa.Table, spec: TargetSpec, buckets: int) -> HistoryChunk:
    """Clean rows of ``raw`` (whole dates), cut into ``buckets`` by player."""
    return split_clean(clean_rows(raw), stored, spec, buckets)


def split_clean(clean: CleanRows, stored: pa.Table, spec: TargetSpec, buckets: int) -> HistoryChunk:
    """The rows of some whole dates, cleaned, cut into ``buckets`` by player."""
    table = clean.table
    is_target = _find_target_rows(table, spec)
    games, usage = sum_team_games(table)
    has_player = pc.is_valid(table.column("player_lookup"))
    rows = (
        table.append_column("usage", pa.array(usage))
        .append_column(
            "playoff",
            pa.array(tell_playoff(single_chunk(table, "season_type"), single_chunk(table, "game_id"))),
        )
        .append_column("stored", pa.array(_find_stored(table, stored)))
        .select(PLAYER_HISTORY.names)
        .cast(PLAYER_HISTORY)
    )
    keyed = pc.and_(pa.array(is_target), has_player)
    targets = rows.select(STAGED_TARGETS.names).filter(keyed).cast(STAGED_TARGETS)
    return HistoryChunk(
        rows=shard_rows(rows.filter(has_player), buckets),
        team_parts={
            GAMES: to_batch(games.select(TEAM_GAMES.names)),
            DAYS: to_batch(list_team_days(table, is_target)),
            SEASONS: to_batch(list_season_days(table)),
        },
        team_games=games,
        targets=to_batch(targets),
        counts=_count_rows(clean, is_target, targets.num_rows),
    )


def _count_rows(clean: CleanRows, is_target: Bools, targets: int) -> dict[str, int]:
    return {
        "rows_in": clean.read,
        "rows_dropped": clean.dropped,
        "rows_duplicate": clean.duplicates,
        "rows_invalid": clean.invalid,
        "rows_rejected": clean.rejected,
        "targets_rejected": int(np.count_nonzero(is_target)) - targets,
        "numbers_not_finite": clean.non_finite,
        "targets": targets,
    }


def _find_target_rows(table: pa.Table, spec: TargetSpec) -> Bools:
    dates = table.column("game_date")
    inside = pc.and_(pc.greater_equal(dates, pa.scalar(spec.start)), pc.less(dates, pa.scalar(spec.end)))
    found: Bools = inside.to_numpy()
    return found


def _find_stored(table: pa.Table, stored: pa.Table) -> Bools:
    """Which rows' (player, date) already has a feature row."""
    lookup = single_chunk(table, "player_lookup")
    code = pc.index_in(single_chunk(stored, "player_lookup"), lookup.dictionary)
    known = pc.is_valid(code).to_numpy(zero_copy_only=False)
    keys = _pair_keys(
        pc.fill_null(code, 0).to_numpy(zero_copy_only=False)[known],
        to_days(single_chunk(stored, "game_date"))[known],
    )
    return np.isin(_pair_keys(to_codes(lookup), to_days(single_chunk(table, "game_date"))), keys)


def _pair_keys(player: Codes, day: Ints) -> Ints:
    return (player.astype(np.int64) << 32) + (day + 2**31)


def shard_rows(rows: pa.Table, buckets: int) -> list[tuple[int, pa.RecordBatch]]:
    """(bucket, rows) for every bucket that has rows; a player's rows share one bucket."""
    batch = to_batch(rows)
    if batch.num_rows == 0:
        return []
    lookup = batch.column("player_lookup")
    bucket = assign_buckets(lookup.dictionary, buckets)[to_codes(lookup)]
    order = np.argsort(bucket, kind="stable")
    batch = batch.take(pa.array(order))
    present, start = np.unique(bucket[order], return_index=True)
    ends = [*start[1:], batch.num_rows]
    return [
        (int(number), batch.slice(int(low), int(high - low)))
        for number, low, high in zip(present, start, ends, strict=True)
    ]


def join_team_parts(parts: Iterable[tuple[str, pa.RecordBatch]]) -> pa.Table:
    """The team context from the parts of every chunk, in any order."""
    found: dict[str, list[pa.RecordBatch]] = {name: [] for name in TEAM_PARTS}
    for name, batch in parts:
        found[name].append(batch)
    games, days, seasons = (
        pa.Table.from_batches(found[name]).unify_dictionaries().combine_chunks() for name in TEAM_PARTS
    )
    return build_team_context(games, days, seasons)
