"""From a chunk of dates as read to player rows by bucket, and the chunk's part of the team context.

A chunk is a half-open range of whole dates, so cleaning, team games and usage are exact inside
it. The windows over a player's games come after the shuffle, in ``compute``; the transforms that
apply both are in ``stages``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, single_chunk, to_batch, to_codes
from transforms.cleaning import CleanRows, clean_rows
from transforms.contracts import HistoryReader, TargetSpec
from transforms.facts import FACT_FIELDS, add_facts
from transforms.hashing import assign_buckets
from transforms.kernels.player_windows import HISTORY_STATISTICS
from transforms.kernels.team_context import (
    build_team_context,
    list_season_days,
    list_team_days,
)
from transforms.kernels.team_games import LABEL32, TEAM_GAMES, sum_team_games
from transforms.people import ANNOUNCED, INJURED, KEY, PLAYER_ROW, has_key
from transforms.references import MOST_NOTES, NO_REFERENCES, References
from transforms.schema import STAGED_TARGETS
from transforms.sides import DATED_TABLES, Sides, clean_sides
from transforms.targets import find_inside, is_between, name_targets

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
        pa.field("played", pa.bool_()),
        pa.field("invalid", pa.int8()),
        pa.field("origin", pa.int8()),
        pa.field("stored", pa.bool_()),
        pa.field("target", pa.bool_()),
        pa.field("usage", pa.float64()),
        *(pa.field(name, pa.int64()) for name in HISTORY_STATISTICS),
        *FACT_FIELDS,
    ]
)
"""A player row on its way through the shuffle, or a target that has none."""

GAMES, DAYS, SEASONS = "games", "days", "seasons"
TEAM_PARTS = (GAMES, DAYS, SEASONS)


@dataclass(frozen=True)
class RawChunk:
    """What is read of some whole dates: ``history``, and of the targets' dates among them the side tables
    by name (those that exist), and the keys that have a feature row (they matter to who is admitted).
    ``requested`` are the only keys that may be targets; None: all that are named on the dates."""

    history: pa.Table
    sides: Mapping[str, pa.Table] = field(default_factory=dict)
    stored: pa.Table = field(default_factory=STAGED_TARGETS.empty_table)
    requested: pa.Table | None = None


@dataclass(frozen=True)
class HistoryChunk:
    """What one chunk of dates gives: rows by bucket, parts of the team context, target keys.

    ``team_games`` are the team games (``TEAM_TOTALS``) whose figures are a part of the context;
    their totals explain a figure, and no stage needs them. ``passed`` are the keys that a source
    names and that are no targets; ``notes`` tell what a person should look at.
    """

    rows: list[tuple[int, pa.RecordBatch]]
    team_parts: dict[str, pa.RecordBatch]
    team_games: pa.Table
    targets: pa.RecordBatch
    passed: pa.RecordBatch
    counts: dict[str, int]
    notes: list[str]


def read_chunk(
    reader: HistoryReader, start: date, end: date, spec: TargetSpec, requested: pa.Table | None = None
) -> RawChunk:
    """What is read of the dates ``start <= date < end``."""
    history = reader.read_history(start, end)
    low, high = max(start, spec.start), min(end, spec.end)
    if requested is not None and low < high:
        requested = requested.filter(pa.array(is_between(requested, low, high)))
        low, high = _span_dates(requested)
    if low >= high:
        return RawChunk(history, requested=requested)
    read = {table.name: reader.read_side(table, low, high) for table in DATED_TABLES}
    sides = {name: rows for name, rows in read.items() if rows is not None}
    return RawChunk(history, sides, reader.read_stored_keys(low, high), requested)


def _span_dates(keys: pa.Table) -> tuple[date, date]:
    """The half-open range from the first to the last date; empty for no keys."""
    if keys.num_rows == 0:
        return date.max, date.max
    found = pc.min_max(keys.column("game_date")).as_py()
    return found["min"], found["max"] + timedelta(days=1)


def prepare_chunk(
    raw: RawChunk, spec: TargetSpec, buckets: int, references: References = NO_REFERENCES
) -> HistoryChunk:
    """What was read of some whole dates, cleaned, cut into ``buckets`` by player."""
    clean = clean_rows(raw.history, references.aliases)
    sides = clean_sides(raw.sides, references)
    return split_clean(clean, sides, references, raw.stored, spec, buckets, raw.requested)


def split_clean(
    clean: CleanRows,
    sides: Sides,
    references: References,
    stored: pa.Table,
    spec: TargetSpec,
    buckets: int,
    requested: pa.Table | None = None,
) -> HistoryChunk:
    """The clean rows of some whole dates, and whoever else is a target, cut into ``buckets`` by player."""
    named = name_targets(clean, sides, references, stored, spec)
    table = named.rows
    is_inside = find_inside(table, spec)
    if requested is not None:
        is_inside &= has_key(table, requested)
        # who is announced and not asked for is no target here, and history never
        kept = pa.array(is_inside | (single_chunk(table, "origin").to_numpy() == PLAYER_ROW))
        table, is_inside = table.filter(kept), is_inside[kept.to_numpy(zero_copy_only=False)]
    has_player = single_chunk(table, "player_lookup").is_valid().to_numpy(zero_copy_only=False)
    is_target = is_inside & has_player
    games, usage = sum_team_games(clean.table)
    rows = (
        add_facts(table, is_target, sides, references)
        .append_column("usage", pa.array(np.append(usage, np.full(table.num_rows - len(usage), np.nan))))
        .append_column("stored", pa.array(has_key(table, stored)))
        .append_column("target", pa.array(is_target))
        .select(PLAYER_HISTORY.names)
        .cast(PLAYER_HISTORY)
    )
    targets = rows.select(STAGED_TARGETS.names).filter(pa.array(is_target)).cast(STAGED_TARGETS)
    return HistoryChunk(
        rows=shard_rows(rows.filter(pa.array(has_player)), buckets),
        team_parts={
            GAMES: to_batch(games.select(TEAM_GAMES.names)),
            DAYS: to_batch(list_team_days(table, is_inside)),
            SEASONS: to_batch(list_season_days(clean.table, references.schedule)),
        },
        team_games=games,
        targets=to_batch(targets),
        passed=to_batch(named.passed if requested is None else _take_keys(named.passed, requested)),
        counts={
            **_count_rows(clean),
            **sides.counts,
            **named.counts,
            **_count_origins(table, is_target),
            "targets_rejected": int(np.count_nonzero(is_inside & ~has_player)),
            "targets": targets.num_rows,
        },
        notes=_name_shared(clean.shared),
    )


def _take_keys(rows: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows whose key is among ``keys``."""
    lookup = single_chunk(rows, "player_lookup").dictionary_encode()
    named = pa.table([lookup, rows.column("game_date")], names=list(KEY))
    return rows.filter(pa.array(has_key(named, keys)))


def _name_shared(shared: pa.Table) -> list[str]:
    rows = shared.sort_by([(name, "ascending") for name in KEY]).to_pylist()[:MOST_NOTES]
    keys = ((row["player_lookup"], row["game_date"], row["people"]) for row in rows)
    return [f"rows of several people: {player} on {day}: {people}" for player, day, people in keys]


def _count_origins(rows: pa.Table, targets: Bools) -> dict[str, int]:
    """How many targets have no player row, by what names them."""
    found = single_chunk(rows, "origin").to_numpy()[targets]
    origins = {"targets_announced": ANNOUNCED, "targets_injured": INJURED}
    return {name: int(np.count_nonzero(found == origin)) for name, origin in origins.items()}


def _count_rows(clean: CleanRows) -> dict[str, int]:
    return {
        "rows_in": clean.read,
        "rows_dropped": clean.dropped,
        "rows_duplicate": clean.duplicates,
        "rows_invalid": clean.invalid,
        "rows_rejected": clean.rejected,
        "rows_renamed": clean.renamed.num_rows,
        "keys_shared": clean.shared.num_rows,
        "numbers_not_finite": clean.non_finite,
    }


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
