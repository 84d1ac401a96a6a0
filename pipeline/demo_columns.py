"""Columns of generated tables: positions and instants to Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import Ints
from transforms.schema import TIMESTAMP, Table

Instants = npt.NDArray[Any]
"""datetime64[us] in UTC; NumPy's types do not tell an instant from a span of time."""


def take_texts(texts: Sequence[str | None], index: Ints) -> pa.Array:
    """The text at each position."""
    return pa.array(texts, pa.string()).take(pa.array(index))


def to_timestamps(instants: Instants) -> pa.Array:
    return pa.array(instants.astype("datetime64[us]")).cast(TIMESTAMP)


def build_rows(table: Table, columns: Mapping[str, Any]) -> pa.Table:
    """The columns in the order and the types of the table."""
    return pa.table({name: columns[name] for name in table.schema.names}).cast(table.schema)
