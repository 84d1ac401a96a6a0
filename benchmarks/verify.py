"""Whether two warehouses hold the same answer: keys, values, sources, context and gaps.

Values are compared as binary64: how many differ at all, by how much, and whether any differs by more
than the tolerance. Everything else must be equal. Digests are not compared, for
every baseline makes its own; nor are run ids and instants.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from transforms.schema import FEATURE_STORE, RUN_COLUMNS, STAGED_GAPS
from transforms.vector import FEATURES

TOLERANCE = 1e-9
"""Of the larger value, or of 1. Sums of binary64 may be taken in another order; a difference of two
such means can be near 0, where only the absolute difference says something."""

OURS, THEIRS = "ours", "theirs"
_STORE, _LEDGER = "nba_predictions.ml_feature_store_v2", "nba_predictions.feature_store_gaps"
_VALUES = tuple(feature.value_column for feature in FEATURES)
_NOT_COMPARED = (*FEATURE_STORE.key, *_VALUES, "data_hash", *RUN_COLUMNS)


@dataclass(frozen=True)
class Agreement:
    """``rows`` and ``gaps`` that both hold; ``values`` that differ in some bit and ``largest``, their
    greatest difference, by feature; ``broken``: what differs and must not, in words."""

    rows: int
    gaps: int
    values: dict[int, int]
    largest: dict[int, float]
    broken: list[str]


def compare_warehouses(ours: str, theirs: str) -> Agreement:
    """Compares the feature rows and the gaps of two warehouse files."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for path, name in ((ours, OURS), (theirs, THEIRS)):
            connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
        rows, lone = _pair(connection, _STORE, "rows")
        gaps, lone_gaps = _pair(connection, _LEDGER, "gaps")
        values, largest = _compare_values(connection)
        context = [name for name in FEATURE_STORE.schema.names if name not in _NOT_COMPARED]
        details = [name for name in STAGED_GAPS.names if name not in FEATURE_STORE.key]
        unequal = _compare_columns(connection, "rows", context) + _compare_columns(
            connection, "gaps", details
        )
    far = [f"feature_{index} differs by {gap:.2g}" for index, gap in largest.items() if not gap <= TOLERANCE]
    return Agreement(rows, gaps, values, largest, [*lone, *lone_gaps, *far, *unequal])


def _pair(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> tuple[int, list[str]]:
    """Makes ``name``, the keys of both as (o, t) pairs of whole rows; counts them and the lone ones."""
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT o, t FROM {OURS}.{table} o "
        f"JOIN {THEIRS}.{table} t USING (player_lookup, game_date)"
    )
    counts = [
        connection.execute(query).fetchall()[0][0]
        for query in (
            f"SELECT count(*) FROM {name}",
            f"SELECT count(*) FROM {OURS}.{table}",
            f"SELECT count(*) FROM {THEIRS}.{table}",
        )
    ]
    both, here, there = counts
    if here == there == both:
        return both, []
    return both, [f"{name}: {here} here, {there} there, {both} in both"]


def _compare_values(connection: duckdb.DuckDBPyConnection) -> tuple[dict[int, int], dict[int, float]]:
    """Values that differ, and their greatest difference; infinite where one is NULL."""
    measures = ", ".join(
        f"count(*) FILTER (o.{v} IS DISTINCT FROM t.{v}), "
        f"max(CASE WHEN o.{v} IS DISTINCT FROM t.{v} THEN coalesce("
        f"abs(o.{v} - t.{v}) / greatest(abs(o.{v}), abs(t.{v}), 1), 'inf'::DOUBLE) END)"
        for v in _VALUES
    )
    found = connection.execute(f"SELECT {measures} FROM rows").fetchall()[0]
    counts = {index: found[2 * index] for index in range(len(_VALUES)) if found[2 * index]}
    return counts, {index: found[2 * index + 1] for index in counts}


def _compare_columns(connection: duckdb.DuckDBPyConnection, pairs: str, names: list[str]) -> list[str]:
    measures = ", ".join(f"count(*) FILTER (o.{n} IS DISTINCT FROM t.{n})" for n in names)
    found = connection.execute(f"SELECT {measures} FROM {pairs}").fetchall()[0]
    return [f"{pairs}: {count} differ in {n}" for n, count in zip(names, found, strict=True) if count]
