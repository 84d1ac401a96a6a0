"""A small league in a warehouse of its own, the job over it, and its tables as comparable rows.

:class:`House` runs the job through Beam (:meth:`House.run`), or its stages one by one without
(:meth:`House.stage`, :meth:`House.publish`), which takes milliseconds and lets a test change what
was staged before it is committed.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.commit import commit_staged
from pipeline.main import RunReport, run_job
from pipeline.options import BackfillConfig
from pipeline.plan import Plan, list_days
from pipeline.preflight import check_dependencies
from pipeline.run_rows import RunSpec
from pipeline.season import DateRange
from pipeline.warehouse.base import RunRow
from pipeline.warehouse.duckdb import DuckDBWarehouse
from pipeline.warehouse.duckdb_connection import transaction
from pipeline.warehouse.duckdb_load import (
    create_input,
    ensure_table,
    insert_incoming,
    log_change,
    raise_version,
)
from transforms.compute import compute_bucket
from transforms.contracts import FEATURES, GAPS, PASSED, TARGETS, StagedFile
from transforms.history import join_team_parts, prepare_chunk, read_chunk
from transforms.kernels.team_figures import TeamFigures
from transforms.references import References, read_references
from transforms.schema import PLAYER_GAME_SUMMARY, STAGED_FEATURES, STAGED_GAPS, STAGED_TARGETS, Table

Row = dict[str, Any]
Key = tuple[str, date]
SCHEMA = PLAYER_GAME_SUMMARY.schema
TEAMS = ("BOS", "CHI", "DEN", "LAL")
FIRST = date(2023, 10, 24)
LOADED_AT = datetime(2024, 7, 1, tzinfo=UTC)
RUN_AT = datetime(2024, 7, 2, tzinfo=UTC)
_NUMBERS = count(1)

STORE, LEDGER = "nba_predictions.ml_feature_store_v2", "nba_predictions.feature_store_gaps"
HISTORY = "nba_reference.processor_run_history"
WHEN_AND_WHO = ("run_id", "created_at", "updated_at")
LEDGER_INSTANTS = ("detected_at", "resolved_at", "last_attempt_at", "reopened_at", "withdrawn_at")
LEDGER_RUNS = ("detected_run_id", "resolved_run_id", "attempt_count")
HISTORY_RUNS = ("run_id", "started_at", "processed_at", "duration_seconds", "timing_breakdown", "options")


def make_row(player: str, day: date, team: str, opponent: str, **facts: Any) -> Row:
    """One plausible box score; the same arguments give the same row."""
    rng = random.Random(f"{player}/{day}")
    tried = {zone: rng.randint(1, 7) for zone in ("paint", "mid_range", "three_pt")}
    made = {zone: rng.randint(0, tried[zone]) for zone in tried}
    free = rng.randint(1, 6)
    free_made = rng.randint(0, free)
    sides = sorted((team, opponent))
    row: Row = dict.fromkeys(SCHEMA.names)
    row |= {
        "player_lookup": player,
        "game_id": f"{day:%Y%m%d}_{sides[0]}_{sides[1]}",
        "game_date": day,
        "team_abbr": team,
        "opponent_team_abbr": opponent,
        "season_year": FIRST.year,
        "season_type": "Regular Season",
        "is_home": team == sides[1],
        "is_dnp": False,
        "points": 2 * (made["paint"] + made["mid_range"]) + 3 * made["three_pt"] + free_made,
        "minutes_played": rng.randint(600, 2400) / 60,
        "fg_attempts": sum(tried.values()),
        "fg_makes": sum(made.values()),
        "ft_attempts": free,
        "ft_makes": free_made,
        "offensive_rebounds": rng.randint(0, 4),
        "turnovers": rng.randint(0, 4),
    }
    for zone in tried:
        row[f"{zone}_attempts"], row[f"{zone}_makes"] = tried[zone], made[zone]
    return row | facts


def make_league(dates: int = 40, players: int = 8, seed: int = 1) -> list[Row]:
    """Four teams that all play on each of ``dates`` dates, one to three days apart."""
    rng = random.Random(seed)
    rows: list[Row] = []
    day = FIRST
    for _ in range(dates):
        teams = rng.sample(TEAMS, 4)
        for team, opponent in zip(teams, (teams[1], teams[0], teams[3], teams[2]), strict=True):
            rows += [make_row(f"{team.lower()}{n}", day, team, opponent) for n in range(players)]
        day += timedelta(days=rng.randint(1, 3))
    return rows


def next_instant() -> datetime:
    """Later than every run and every change before it."""
    return RUN_AT + timedelta(hours=next(_NUMBERS))


def to_keys(keys: Iterable[Key]) -> pa.Table:
    named = [{"player_lookup": player, "game_date": day} for player, day in keys]
    return pa.Table.from_pylist(named, schema=STAGED_TARGETS)


def key_of(row: Mapping[str, Any]) -> Key:
    return row["player_lookup"], row["game_date"]


def list_dates(rows: Iterable[Row]) -> list[date]:
    return sorted({row["game_date"] for row in rows})


def invalidate(row: Row) -> Row:
    """The same row, invalid as a target: more makes than attempts."""
    return row | {"fg_makes": row["fg_attempts"] + 1}


@dataclass(frozen=True)
class Tables:
    """The output tables by key, every column; missing tables are empty."""

    features: dict[Key, Row]
    gaps: dict[Key, Row]
    runs: list[Row]

    @property
    def open_gaps(self) -> dict[Key, Row]:
        return {
            key: gap
            for key, gap in self.gaps.items()
            if gap["resolved_at"] is None and gap["withdrawn_at"] is None
        }

    @property
    def successes(self) -> list[Row]:
        return [run for run in self.runs if run["status"] == "success"]

    @cached_property
    def content(self) -> dict[str, dict[Key, Row]]:
        """What "identical tables" compares: no run ids, no instants, no attempts."""
        gaps = {
            key: drop(gap, (*LEDGER_INSTANTS, *LEDGER_RUNS))
            | {name: gap[name] is not None for name in LEDGER_INSTANTS}
            for key, gap in self.gaps.items()
        }
        return {
            "features": {key: drop(row, WHEN_AND_WHO) for key, row in self.features.items()},
            "gaps": gaps,
        }


def drop(row: Row, names: Iterable[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def tabulate(store: list[Row], ledger: list[Row], runs: list[Row]) -> Tables:
    """The rows of the three output tables by key, each of which they hold once."""
    tables = Tables(
        {key_of(row): row for row in store},
        {key_of(gap): gap for gap in ledger},
        sorted(runs, key=lambda run: (run["started_at"], run["run_id"])),
    )
    assert len(tables.features) == len(store), "a key has two feature rows"
    assert len(tables.gaps) == len(ledger), "a key has two rows in the ledger"
    return tables


def differences(found: Tables, expected: Tables, shown: int = 5) -> list[str]:
    """What differs in content, one line a key; an empty list for identical tables."""
    lines = []
    for name, table in expected.content.items():
        other = found.content[name]
        for key in sorted(table.keys() | other.keys()):
            here, there = other.get(key), table.get(key)
            if here == there:
                continue
            if here is None or there is None:
                lines.append(f"{name} {key}: {'missing' if here is None else 'not expected'}")
            else:
                columns = [c for c in there if here[c] != there[c]]
                lines.append(f"{name} {key}: {[(c, here[c], there[c]) for c in columns[:4]]}")
    return lines[:shown]


@dataclass(frozen=True)
class Staged:
    """What a run has computed and not committed; tables, so that a test can spoil them."""

    run: RunSpec
    features: pa.Table
    gaps: pa.Table
    targets: pa.Table
    passed: pa.Table
    rows_read: int
    players: int
    failed: int

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        return {
            "extract": {"rows": self.rows_read},
            "clean": {"targets": self.targets.num_rows},
            "calculate": {"players": self.players, "players_failed": self.failed},
        }


@dataclass(frozen=True)
class House:
    """One DuckDB file, and what tests do with it. Every run gets a later ``run_at``."""

    path: str
    days: list[date] = field(default_factory=list)

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.path, lock_timeout=20.0)

    @property
    def staging(self) -> Path:
        return Path(f"{self.path}.staging")

    def copy(self, path: Path) -> House:
        shutil.copyfile(self.path, path)
        return House(str(path), list(self.days))

    def put(self, rows: Iterable[Row]) -> None:
        """Makes these the player rows, as an import would: the input version rises."""
        table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
        with self.warehouse.open(read_only=False) as connection, transaction(connection):
            create_input(connection)
            connection.execute(f"DELETE FROM {PLAYER_GAME_SUMMARY.path}")
            connection.register("incoming", table)
            insert_incoming(connection, LOADED_AT)
            log_change(connection, PLAYER_GAME_SUMMARY, raise_version(connection, "import"), next_instant())

    def put_side(self, table: Table, rows: Iterable[Row]) -> None:
        """Makes these the rows of a side table, as an import would."""
        incoming = pa.Table.from_pylist(list(rows), schema=table.schema)
        with self.warehouse.open(read_only=False) as connection, transaction(connection):
            create_input(connection)
            ensure_table(connection, table)
            connection.execute(f"DELETE FROM {table.path}")
            connection.register("incoming", incoming)
            connection.execute(f"INSERT INTO {table.path} BY NAME SELECT * FROM incoming")
            log_change(connection, table, raise_version(connection, "import", table), next_instant())

    def config(self, first: date | None = None, last: date | None = None, **options: Any) -> BackfillConfig:
        options.setdefault("lock_timeout", 20.0)
        first, last = first or self.days[0], last or self.days[-1]
        return BackfillConfig(warehouse=self.path, start_date=first, end_date=last, **options)

    def run(self, first: date | None = None, last: date | None = None, **options: Any) -> RunReport:
        """The whole job, in process, through Beam."""
        return run_job(self.config(first, last, **options))

    def run_keys(self, keys: Iterable[Key], **options: Any) -> RunReport:
        """The whole job over some keys alone, through Beam."""
        requested = to_keys(keys)
        days = list_days(requested)
        return run_job(self.config(days[0], days[-1], **options), "gaps", requested)

    def stage(
        self,
        first: date | None = None,
        last: date | None = None,
        keys: Iterable[Key] | None = None,
        **options: Any,
    ) -> Staged:
        """The job up to its commit, without Beam: over dates, or over some keys alone."""
        requested = None if keys is None else to_keys(keys)
        if requested is not None:
            days = list_days(requested)
            first, last = days[0], days[-1]
        config = self.config(first, last, **options)
        number = next(_NUMBERS)
        with self.warehouse.share_reader():
            inputs = self.warehouse.read_input_state(config.dates)
            run_at = RUN_AT + timedelta(hours=number)
            targets = config.make_targets(run_at)
            plan = check_dependencies(self.warehouse, targets, requested=requested).plan
            run = RunSpec(
                run_id=f"run{number:04}",
                run_at=run_at,
                mode="backfill" if requested is None else "gaps",
                targets=DateRange.inclusive(config.start_date, config.end_date),
                windows=plan.windows,
                requested=requested,
                inputs=inputs,
                options=config.describe(),
                runner="none",
                allow_deletes=config.allow_deletes,
                max_error_rate=config.max_error_rate,
                dependency_check=0.0,
            )
            return compute_stages(self.warehouse, plan, run)

    def publish(self, staged: Staged, files: list[StagedFile] | None = None) -> RunRow:
        """Commits what was staged, as the pipeline's last element does."""
        warehouse, run = self.warehouse, staged.run
        files = self.write(staged) if files is None else files
        try:
            return commit_staged(warehouse, run, files, staged.stages, lambda: run.run_at)
        finally:
            warehouse.close_staging(run.run_id)

    def write(self, staged: Staged) -> list[StagedFile]:
        """The staged files; ``close_staging`` of the run removes them."""
        stager = self.warehouse.open_staging(staged.run.run_id)
        tables = {
            FEATURES: staged.features,
            GAPS: staged.gaps,
            TARGETS: staged.targets,
            PASSED: staged.passed,
        }
        return [
            (kind, stager.write(kind, f"{part:05}", batch), batch.num_rows)
            for kind, table in tables.items()
            for part, batch in enumerate(table.combine_chunks().to_batches())
        ]

    def commit(self, first: date | None = None, last: date | None = None, **options: Any) -> RunRow:
        """The whole job without Beam; takes what :meth:`stage` takes."""
        return self.publish(self.stage(first, last, **options))

    def read(self) -> Tables:
        with self.warehouse.open() as connection:
            present = {
                f"{schema}.{name}"
                for schema, name in connection.execute(
                    "SELECT table_schema, table_name FROM information_schema.tables"
                ).fetchall()
            }
            store, ledger, runs = (
                connection.sql(f"SELECT * FROM {name}").to_arrow_table().to_pylist()
                if name in present
                else []
                for name in (STORE, LEDGER, HISTORY)
            )
        return tabulate(store, ledger, runs)


def compute_stages(warehouse: DuckDBWarehouse, plan: Plan, run: RunSpec) -> Staged:
    """What the graph does between reading and staging."""
    reader = warehouse.open_reader(plan.columns)
    references = read_references(reader, plan.schedule.start, plan.schedule.end)
    known = References.from_tables(references.tables)
    spec, chunks, rows_read = plan.targets, [], 0
    for low, high in plan.chunks:
        dates = date.fromisoformat(low), date.fromisoformat(high)
        raw = read_chunk(reader, *dates, spec, plan.requested)
        rows_read += raw.history.num_rows
        chunks.append(prepare_chunk(raw, spec, 1, known))
    figures = TeamFigures(join_team_parts(part for chunk in chunks for part in chunk.team_parts.items()))
    batches = [batch for chunk in chunks for _, batch in chunk.rows]
    targets, passed = (
        pa.Table.from_batches([getattr(chunk, kind) for chunk in chunks]) for kind in (TARGETS, PASSED)
    )
    if not batches:
        features, gaps = STAGED_FEATURES.empty_table(), STAGED_GAPS.empty_table()
        return Staged(run, features, gaps, targets, passed, rows_read, 0, 0)
    rows = pa.Table.from_batches(batches)
    features, gaps, failed = compute_bucket(rows, figures, spec)
    players = len(rows.column("player_lookup").unique())
    return Staged(run, features, gaps, targets, passed, rows_read, players, failed)
