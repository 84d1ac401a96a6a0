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
from transforms.contracts import Chunk, HistoryReader, Stager, StageRecord, TargetSpec
from transforms.history import join_team_parts, prepare_chunk, read_chunk
from transforms.kernels.team_figures import TeamFigures
from transforms.references import References, read_references
from transforms.timing import StageTimer


@beam.typehints.with_input_types(Chunk)
@beam.typehints.with_output_types(tuple[str, pa.RecordBatch], timings=StageRecord)
class _ReadReferencesFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, reader: HistoryReader, stager: Stager) -> None:
        self._reader, self._stager = reader, stager
        self._timer = StageTimer("references")

    def process(self, element: Chunk) -> Iterator[object]:
        start, end = (date.fromisoformat(text) for text in element)
        with self._timer.measure() as counts:
            found = read_references(self._reader, start, end)
            counts.update(found.counts)
        for name, table in found.tables.items():
            for batch in self._stager.spill(f"reference-{name}", [to_batch(table)]):
                yield name, batch
        yield beam.pvalue.TaggedOutput("timings", self._timer.record(found.notes))

    def finish_bundle(self) -> None:
        self._timer.publish()


class ReadReferences(beam.PTransform):  # type: ignore[misc]
    """The dates of the schedule, one element -> ``tables`` (name, spilled batch) and ``timings``.

    Aliases, registry and schedule are read once a run, so that every chunk sees the same.
    """

    def __init__(self, reader: HistoryReader, stager: Stager) -> None:
        super().__init__()
        self._reader, self._stager = reader, stager

    def expand(self, dates: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return dates | "ReadOnce" >> beam.ParDo(_ReadReferencesFn(self._reader, self._stager)).with_outputs(
            "timings", main="tables"
        )


@beam.typehints.with_input_types(Chunk, references=Iterable[tuple[str, pa.RecordBatch]])
@beam.typehints.with_output_types(
    tuple[int, pa.RecordBatch],
    teams=tuple[int, tuple[str, pa.RecordBatch]],
    targets=tuple[str, pa.RecordBatch],
    passed=tuple[str, pa.RecordBatch],
    timings=StageRecord,
)
class _ReadChunkFn(beam.DoFn):  # type: ignore[misc]
    def __init__(
        self,
        reader: HistoryReader,
        stager: Stager,
        spec: TargetSpec,
        buckets: int,
        requested: pa.Table | None,
    ) -> None:
        self._reader, self._stager, self._spec, self._buckets = reader, stager, spec, buckets
        self._requested = requested
        self._reading, self._cleaning = StageTimer("extract"), StageTimer("clean")
        self._spilling = StageTimer("shuffle")
        self._references: References | None = None

    def process(self, element: Chunk, references: Iterable[tuple[str, pa.RecordBatch]]) -> Iterator[object]:
        start, end = (date.fromisoformat(text) for text in element)
        with self._reading.measure() as counts:
            raw = read_chunk(self._reader, start, end, self._spec, self._requested)
            counts["rows"] = raw.history.num_rows
            counts["bytes"] = raw.history.nbytes
            counts |= {f"{name}_rows": rows.num_rows for name, rows in raw.sides.items()}
        with self._cleaning.measure() as counts:
            chunk = prepare_chunk(raw, self._spec, self._buckets, self._read_references(references))
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
        yield beam.pvalue.TaggedOutput("passed", (element[0], chunk.passed))
        for timer, notes in ((self._reading, []), (self._cleaning, chunk.notes), (self._spilling, [])):
            yield beam.pvalue.TaggedOutput("timings", timer.record(notes))

    def _read_references(self, spilled: Iterable[tuple[str, pa.RecordBatch]]) -> References:
        """The references, made ready once a bundle."""
        if self._references is None:
            self._references = References.from_tables(
                {name: pa.Table.from_batches([self._stager.fetch(batch)]) for name, batch in spilled}
            )
        return self._references

    def start_bundle(self) -> None:
        self._references = None

    def finish_bundle(self) -> None:
        for timer in (self._reading, self._cleaning, self._spilling):
            timer.publish()


class ReadHistory(beam.PTransform):  # type: ignore[misc]
    """Chunks -> ``rows`` (bucket, spilled batch), ``teams``, ``targets``, ``passed`` and ``timings``.

    ``references`` are the ``tables`` of :class:`ReadReferences`; ``requested`` (``STAGED_TARGETS``) the
    only keys that may be targets, None: all that are named on the dates of ``spec``.
    """

    def __init__(
        self,
        reader: HistoryReader,
        stager: Stager,
        spec: TargetSpec,
        buckets: int,
        references: beam.PCollection,
        requested: pa.Table | None = None,
    ) -> None:
        super().__init__()
        self._reader, self._stager, self._spec, self._buckets = reader, stager, spec, buckets
        self._references, self._requested = references, requested

    def expand(self, chunks: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return chunks | "ReadAndClean" >> beam.ParDo(
            _ReadChunkFn(self._reader, self._stager, self._spec, self._buckets, self._requested),
            references=beam.pvalue.AsIter(self._references),
        ).with_outputs("teams", "targets", "passed", "timings", main="rows")


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


@beam.typehints.with_input_types(tuple[int, Iterable[pa.RecordBatch]], context=pa.RecordBatch)
@beam.typehints.with_output_types(
    tuple[str, pa.RecordBatch], gaps=tuple[str, pa.RecordBatch], timings=StageRecord
)
class _ComputeFeaturesFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, stager: Stager, spec: TargetSpec) -> None:
        self._stager, self._spec = stager, spec
        self._timer = StageTimer("calculate")
        self._figures: TeamFigures | None = None

    def process(
        self, element: tuple[int, Iterable[pa.RecordBatch]], context: pa.RecordBatch
    ) -> Iterator[object]:
        bucket, batches = element
        with self._timer.measure() as counts:
            rows = pa.Table.from_batches([self._stager.fetch(batch) for batch in batches])
            features, gaps, failed = compute_bucket(rows, self._read_figures(context), self._spec)
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

    def _read_figures(self, context: pa.RecordBatch) -> TeamFigures:
        """The team figures, prepared once a bundle: a bucket's cost must not grow with the teams'."""
        if self._figures is None:
            self._figures = TeamFigures(pa.Table.from_batches([self._stager.fetch(context)]))
        return self._figures

    def start_bundle(self) -> None:
        self._figures = None

    def finish_bundle(self) -> None:
        self._timer.publish()


class ComputeFeatures(beam.PTransform):  # type: ignore[misc]
    """(bucket, spilled player rows) -> ``features``, ``gaps`` and ``timings``.

    ``context`` is the one-element PCollection of the spilled team context (``TEAM_CONTEXT``).
    """

    def __init__(self, stager: Stager, spec: TargetSpec, context: beam.PCollection) -> None:
        super().__init__()
        self._stager, self._spec, self._context = stager, spec, context

    def expand(self, rows: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return rows | "ComputeBucket" >> beam.ParDo(
            _ComputeFeaturesFn(self._stager, self._spec), context=beam.pvalue.AsSingleton(self._context)
        ).with_outputs("gaps", "timings", main="features")
