"""The coder that carries Arrow record batches between Beam stages, as Arrow IPC streams.

Without it Beam pickles batches, and a pickled slice carries its whole parent: in a shuffle of
slices that is hundreds of times the bytes. Importing this module registers the coder.
"""

from __future__ import annotations

import pyarrow as pa
from apache_beam import coders


class RecordBatchCoder(coders.Coder):  # type: ignore[misc]
    """``pa.RecordBatch`` <-> one Arrow IPC stream holding the schema and that batch."""

    def encode(self, value: pa.RecordBatch) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        encoded: bytes = sink.getvalue().to_pybytes()
        return encoded

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        with pa.ipc.open_stream(pa.py_buffer(encoded)) as reader:
            return reader.read_next_batch()

    def estimate_size(self, value: pa.RecordBatch) -> int:
        return int(value.nbytes)

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> type:
        return pa.RecordBatch  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
