"""From the warehouse to shuffled player rows: read a chunk of dates, clean it, shard it.

A chunk is a half-open range of whole dates, so cleaning, team games and usage are exact inside
it. The windows over a player's games come after the shuffle, in ``compute``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, Codes, Ints, single_chunk, to_batch, to_codes, to_days
from transforms.cleaning import CleanRows, clean_rows
from transforms.contracts import Chunk, HistoryReader, Stager, StageRecord, TargetSpec
from transforms.hashing import assign_buckets
from transforms.kernels.matchup import tell_playoff
from transforms.kernels.player_windows import HISTORY_STATISTICS
from transforms.kernels.team_context import (
    build_team_context,
    list_season_days,
    list_team_days,
)
from transforms.kernels.team_games import LABEL32, sum_team_games
from transforms.schema import STAGED_TARGETS
from transforms.timing import StageTimer

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
    """What one chunk of dates gives: rows by bucket, parts of the team context, target keys."""

    rows: list[tuple[int, pa.RecordBatch]]
    team_parts: dict[str, pa.RecordBatch]
    targets: pa.RecordBatch
    counts: dict[str, int]


def prepare_chunk(raw: pa.Table, stored: pa.Table, spec: TargetSpec, buckets: int) -> HistoryChunk:
    """Clean rows of ``raw`` (whole dates), cut into ``buckets`` by player."""
    clean = clean_rows(raw)
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
            GAMES: to_batch(games),
            DAYS: to_batch(list_team_days(table, is_target)),
            SEASONS: to_batch(list_season_days(table)),
        },
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


@beam.typehints.with_input_types(Chunk)
@beam.typehints.with_output_types(
    tuple[int, pa.RecordBatch],
    teams=tuple[int, tuple[str, pa.RecordBatch]],
    targets=tuple[str, pa.RecordBatch],
    timings=StageRecord,
)
class _ReadChunkFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, reader: HistoryReader, stager: Stager, spec: TargetSpec, buckets: int) -> None:
        self._reader, self._stager, self._spec, self._buckets = reader, stager, spec, buckets
        self._reading, self._cleaning = StageTimer("extract"), StageTimer("clean")
        self._spilling = StageTimer("shuffle")

    def process(self, element: Chunk) -> Iterator[object]:
        start, end = (date.fromisoformat(text) for text in element)
        with self._reading.measure() as counts:
            raw = self._reader.read_history(start, end)
            stored = self._read_stored(start, end)
            counts["rows"] = raw.num_rows
            counts["bytes"] = raw.nbytes
        with self._cleaning.measure() as counts:
            chunk = prepare_chunk(raw, stored, self._spec, self._buckets)
            counts.update(chunk.counts)
        with self._spilling.measure() as counts:
            batches = [batch for _, batch in chunk.rows]
            rows = self._stager.spill(f"rows-{element[0]}", batches)
            teams = {
                name: self._stager.spill(f"{name}-{element[0]}", [part])
                for name, part in chunk.team_parts.items()
            }
            counts["bytes"] = sum(batch.nbytes for batch in batches)
        yield from zip((bucket for bucket, _ in chunk.rows), rows, strict=True)
        for name, (part,) in teams.items():
            yield beam.pvalue.TaggedOutput("teams", (0, (name, part)))
        yield beam.pvalue.TaggedOutput("targets", (element[0], chunk.targets))
        for timer in (self._reading, self._cleaning, self._spilling):
            yield beam.pvalue.TaggedOutput("timings", timer.record())

    def _read_stored(self, start: date, end: date) -> pa.Table:
        """The stored keys among the chunk's targets; they matter to the bootstrap rule alone."""
        low, high = max(start, self._spec.start), min(end, self._spec.end)
        if low >= high or self._spec.admission.bootstrap_days == 0:
            return STAGED_TARGETS.empty_table()
        return self._reader.read_stored_keys(low, high)

    def finish_bundle(self) -> None:
        for timer in (self._reading, self._cleaning, self._spilling):
            timer.publish()


class ReadHistory(beam.PTransform):  # type: ignore[misc]
    """Chunks -> ``rows`` (bucket, spilled batch), ``teams``, ``targets`` and ``timings``."""

    def __init__(self, reader: HistoryReader, stager: Stager, spec: TargetSpec, buckets: int) -> None:
        super().__init__()
        self._reader, self._stager, self._spec, self._buckets = reader, stager, spec, buckets

    def expand(self, chunks: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return chunks | "ReadAndClean" >> beam.ParDo(
            _ReadChunkFn(self._reader, self._stager, self._spec, self._buckets)
        ).with_outputs("teams", "targets", "timings", main="rows")


@beam.typehints.with_input_types(tuple[int, Iterable[tuple[str, pa.RecordBatch]]])
@beam.typehints.with_output_types(pa.RecordBatch, timings=StageRecord)
class _BuildTeamContextFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, stager: Stager) -> None:
        self._stager = stager
        self._timer = StageTimer("teams")

    def process(self, element: tuple[int, Iterable[tuple[str, pa.RecordBatch]]]) -> Iterator[object]:
        with self._timer.measure() as counts:
            context = join_team_parts((name, self._stager.fetch(part)) for name, part in element[1])
            counts["rows"] = context.num_rows
            spilled = self._stager.spill("context", [to_batch(context)])
        yield from spilled
        yield beam.pvalue.TaggedOutput("timings", self._timer.record())

    def finish_bundle(self) -> None:
        self._timer.publish()


class BuildTeamContext(beam.PTransform):  # type: ignore[misc]
    """``teams`` of every chunk -> ``context``, one spilled batch, and ``timings``."""

    def __init__(self, stager: Stager) -> None:
        super().__init__()
        self._stager = stager

    def expand(self, parts: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return (
            parts
            | "GatherTeamGames" >> beam.GroupByKey()
            | "TeamWindows"
            >> beam.ParDo(_BuildTeamContextFn(self._stager)).with_outputs("timings", main="context")
        )
