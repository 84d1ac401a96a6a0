"""Staging: results leave the computation as files that nothing but their own run reads."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa

from transforms.contracts import StagedFile, Stager, StageRecord
from transforms.timing import StageTimer


@beam.typehints.with_input_types(tuple[str, pa.RecordBatch])
@beam.typehints.with_output_types(StagedFile, timings=StageRecord)
class _StageBatchesFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, kind: str, stager: Stager) -> None:
        self._kind, self._stager = kind, stager
        self._timer = StageTimer("save")

    def process(self, element: tuple[str, pa.RecordBatch]) -> Iterator[object]:
        part, batch = element
        with self._timer.measure() as counts:
            path = self._stager.write(self._kind, part, batch)
            counts[f"{self._kind}_rows"] = batch.num_rows
        yield self._kind, path, batch.num_rows
        yield beam.pvalue.TaggedOutput("timings", self._timer.record())

    def finish_bundle(self) -> None:
        self._timer.publish()


class StageBatches(beam.PTransform):  # type: ignore[misc]
    """(part, batch) -> ``files`` and ``timings``; ``part`` names the file, so retries replace."""

    def __init__(self, kind: str, stager: Stager) -> None:
        super().__init__()
        self._kind, self._stager = kind, stager

    def expand(self, batches: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return batches | "WriteFile" >> beam.ParDo(_StageBatchesFn(self._kind, self._stager)).with_outputs(
            "timings", main="files"
        )
