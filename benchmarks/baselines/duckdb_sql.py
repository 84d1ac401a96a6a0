"""The same job as hand-written DuckDB SQL: one connection, temporary tables, one transaction.

``sql/`` holds the statements: ``clean``, ``teams``, ``players`` and ``features`` compute, ``rows``,
``audit``, ``fresh`` or ``changed`` and ``ledger`` are the transaction. This module fills in what follows from
the table definitions (37 sources, 37 ranges) and runs them. It needs every column of the input.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.warehouse.duckdb_sql import sql
from transforms.schema import FEATURE_STORE, OUTPUTS, STAGED_FEATURES
from transforms.vector import FEATURE_COUNT, FEATURE_VERSION, FEATURES, MISSING, REQUIRED, Feature
from transforms.windows import AS_OF_DAYS

STATEMENTS = Path(__file__).parent / "sql"
BOOTSTRAP_DAYS, MIN_GAMES = 14, 5
STORED = (
    "FROM nba_predictions.ml_feature_store_v2 WHERE game_date >= getvariable('targets_start') "
    "AND game_date < getvariable('targets_end')"
)


def run_sql_job(warehouse: str, first: date, last: date, memory_limit: str | None = None) -> dict[str, float]:
    """Computes and commits the dates from ``first`` to ``last``; gives the seconds of each part.

    ``memory_limit`` is DuckDB's own setting; ``None`` leaves its default.
    """
    seconds: dict[str, float] = {}
    with open_baseline(warehouse, first, last, memory_limit) as connection:
        connection.execute(f"CREATE TEMP TABLE stored_keys AS SELECT player_lookup, game_date {STORED}")
        fresh = connection.execute("SELECT count(*) FROM stored_keys").fetchall() == [(0,)]
        for part in ("clean", "teams", "players", "features"):
            with _measure(seconds, part):
                run_statements(connection, part)
        publish(connection, ("rows", "audit", "fresh" if fresh else "changed", "ledger"), seconds)
    return seconds


@contextmanager
def open_baseline(
    warehouse: str, first: date, last: date, memory_limit: str | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that writes, with the run's variables set and the output tables in place."""
    config: dict[str, Any] = {"memory_limit": memory_limit} if memory_limit else {}
    with duckdb.connect(warehouse, config=config) as connection:
        connection.execute("SET enable_progress_bar = false")
        # rows in any order are written by all threads, also within 1 GB
        connection.execute("SET preserve_insertion_order = false")
        _set_variables(connection, first, last)
        _create_outputs(connection)
        yield connection


def publish(connection: duckdb.DuckDBPyConnection, parts: Sequence[str], seconds: dict[str, float]) -> None:
    """Runs the parts in one transaction and writes it to the file; adds to ``seconds``."""
    connection.execute("BEGIN TRANSACTION")
    for part in parts:
        with _measure(seconds, part):
            _set_variable(connection, "seconds", json.dumps(seconds))
            run_statements(connection, part)
    with _measure(seconds, "commit"):
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")


@contextmanager
def _measure(seconds: dict[str, float], part: str) -> Iterator[None]:
    since = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - since


def _set_variables(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> None:
    now = datetime.now(UTC)
    values = {
        "targets_start": first,
        "targets_end": last + timedelta(days=1),
        "window_start": first - timedelta(days=AS_OF_DAYS),
        "bootstrap_days": BOOTSTRAP_DAYS,
        "min_games": MIN_GAMES,
        "run_at": now,
        "run_id": f"{now:%Y%m%dT%H%M%S}-sql",
        "feature_version": FEATURE_VERSION,
    }
    for name, value in values.items():
        _set_variable(connection, name, value)


def _set_variable(connection: duckdb.DuckDBPyConnection, name: str, value: Any) -> None:
    connection.execute(f"SET VARIABLE {name} = ?", [value])


def _create_outputs(connection: duckdb.DuckDBPyConnection) -> None:
    for table in OUTPUTS:
        connection.execute(sql.create_schema(table.dataset))
        connection.execute(sql.create_table(table))
    connection.execute(sql.create_schema("nba_processing"))
    for view in sql.create_views():
        connection.execute(view)


def run_statements(connection: duckdb.DuckDBPyConnection, part: str) -> None:
    """Runs the statements of one file of ``sql/``, in order."""
    text = (STATEMENTS / f"{part}.sql").read_text()
    if part in ("rows", "audit", "changed"):
        text = text.format(**_describe_tables())
    for statement in duckdb.extract_statements(text):
        connection.execute(statement).fetchall()


def _describe_tables() -> dict[str, str]:
    compared = [name for name in STAGED_FEATURES.names if name not in FEATURE_STORE.key]
    return {
        "feature_count": str(FEATURE_COUNT),
        "required": str(len(REQUIRED)),
        "values": ", ".join(feature.value_column for feature in FEATURES),
        "sources": ", ".join(
            f"CASE WHEN {feature.value_column} IS NULL THEN {sql.text_literal(MISSING)} "
            f"ELSE {sql.text_literal(feature.source)} END AS {feature.source_column}"
            for feature in FEATURES
        ),
        "lacking": " + ".join(f"(feature_{index}_value IS NULL)::INTEGER" for index in REQUIRED),
        "broken": " OR ".join(_break_range(feature) for feature in FEATURES),
        "differs": " OR ".join(f"s.{name} IS DISTINCT FROM f.{name}" for name in compared),
    }


def _break_range(feature: Feature) -> str:
    value = feature.value_column
    tests = [f"NOT isfinite({value})"]
    tests += [f"{value} < {feature.low!r}"] if feature.low is not None else []
    tests += [f"{value} > {feature.high!r}"] if feature.high is not None else []
    return " OR ".join(tests)
