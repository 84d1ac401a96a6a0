"""The stages on Beam: thin transforms that apply the functions of ``history`` and ``compute``.

Nothing is computed here. Whatever looks at single values does without this module, and so without
Beam. How results are written is in ``staging``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import apache_beam as beam
import pyarrow as pa

from transforms.arrays import single_chunk, to_batch
from transforms.compute import compute_bucket
from transforms.contracts import Chunk, HistoryReader, StageRecord, TargetSpec
from transforms.history import join_team_parts, prepare_chunk
from transforms.schema import STAGED_TARGETS
from transforms.timing import StageTimer


@beam.typehints.with_input_types(Chunk)
@beam.typehints.with_output_types(
    tuple[int, pa.RecordBatch],
    teams=tuple[int, tuple[str, pa.RecordBatch]],
    targets=tuple[str, pa.RecordBatch],
    timings=StageRecord,
)
class _ReadChunkFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, reader: HistoryReader, spec: TargetSpec, buckets: int) -> None:
        self._reader, self._spec, self._buckets = reader, spec, buckets
        self._reading, self._cleaning = StageTimer("extract"), StageTimer("clean")

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
        yield from chunk.rows
        for part in chunk.team_parts.items():
            yield beam.pvalue.TaggedOutput("teams", (0, part))
        yield beam.pvalue.TaggedOutput("targets", (element[0], chunk.targets))
        yield beam.pvalue.TaggedOutput("timings", self._reading.record())
        yield beam.pvalue.TaggedOutput("timings", self._cleaning.record())

    def _read_stored(self, start: date, end: date) -> pa.Table:
        """The stored keys among the chunk's targets; they matter to the bootstrap rule alone."""
        low, high = max(start, self._spec.start), min(end, self._spec.end)
        if low >= high or self._spec.admission.bootstrap_days == 0:
            return STAGED_TARGETS.empty_table()
        return self._reader.read_stored_keys(low, high)

    def finish_bundle(self) -> None:
        self._reading.publish()
        self._cleaning.publish()


class ReadHistory(beam.PTransform):  # type: ignore[misc]
    """Chunks -> ``rows`` (bucket, batch), ``teams``, ``targets`` and ``timings``."""

    def __init__(self, reader: HistoryReader, spec: TargetSpec, buckets: int) -> None:
        super().__init__()
        self._reader, self._spec, self._buckets = reader, spec, buckets

    def expand(self, chunks: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return chunks | "ReadAndClean" >> beam.ParDo(
            _ReadChunkFn(self._reader, self._spec, self._buckets)
        ).with_outputs("teams", "targets", "timings", main="rows")


@beam.typehints.with_input_types(tuple[int, Iterable[tuple[str, pa.RecordBatch]]])
@beam.typehints.with_output_types(pa.RecordBatch, timings=StageRecord)
class _BuildTeamContextFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self) -> None:
        self._timer = StageTimer("teams")

    def process(self, element: tuple[int, Iterable[tuple[str, pa.RecordBatch]]]) -> Iterator[object]:
        with self._timer.measure() as counts:
            context = join_team_parts(element[1])
            counts["rows"] = context.num_rows
        yield to_batch(context)
        yield beam.pvalue.TaggedOutput("timings", self._timer.record())

    def finish_bundle(self) -> None:
        self._timer.publish()


class BuildTeamContext(beam.PTransform):  # type: ignore[misc]
    """``teams`` of every chunk -> ``context``, one record batch, and ``timings``."""

    def expand(self, parts: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return (
            parts
            | "GatherTeamGames" >> beam.GroupByKey()
            | "TeamWindows" >> beam.ParDo(_BuildTeamContextFn()).with_outputs("timings", main="context")
        )


@beam.typehints.with_input_types(tuple[int, Iterable[pa.RecordBatch]], context=pa.RecordBatch)
@beam.typehints.with_output_types(
    tuple[str, pa.RecordBatch], gaps=tuple[str, pa.RecordBatch], timings=StageRecord
)
class _ComputeFeaturesFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, spec: TargetSpec) -> None:
        self._spec = spec
        self._timer = StageTimer("calculate")

    def process(
        self, element: tuple[int, Iterable[pa.RecordBatch]], context: pa.RecordBatch
    ) -> Iterator[object]:
        bucket, batches = element
        with self._timer.measure() as counts:
            rows = pa.Table.from_batches(list(batches))
            features, gaps, failed = compute_bucket(rows, pa.Table.from_batches([context]), self._spec)
            counts["rows_in"] = rows.num_rows
            counts["features"] = features.num_rows
            counts["gaps"] = gaps.num_rows
            counts["players_failed"] = failed
            counts["players"] = len(single_chunk(rows, "player_lookup").unique())
            for reason in gaps.column("skip_reason").value_counts().to_pylist():
                counts[f"gaps_{reason['values']}"] = reason["counts"]
        part = f"{bucket:05}"
        yield part, to_batch(features)
        yield beam.pvalue.TaggedOutput("gaps", (part, to_batch(gaps)))
        yield beam.pvalue.TaggedOutput("timings", self._timer.record())

    def finish_bundle(self) -> None:
        self._timer.publish()


class ComputeFeatures(beam.PTransform):  # type: ignore[misc]
    """(bucket, player rows) -> ``features``, ``gaps`` and ``timings``.

    ``context`` is the one-element PCollection of the team context (``TEAM_CONTEXT``).
    """

    def __init__(self, spec: TargetSpec, context: beam.PCollection) -> None:
        super().__init__()
        self._spec, self._context = spec, context

    def expand(self, rows: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return rows | "ComputeBucket" >> beam.ParDo(
            _ComputeFeaturesFn(self._spec), context=beam.pvalue.AsSingleton(self._context)
        ).with_outputs("gaps", "timings", main="features")
