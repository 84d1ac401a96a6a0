"""Imports into both warehouses: the same sequence has the same outcomes and leaves the same rows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from emulators.launch import Emulators
from google.cloud import bigquery
from hamcrest import assert_that, contains_exactly, equal_to, has_length, has_properties
from twins import Cloud, make_address
from warehouse import SCHEMA, House, Row, make_league

from pipeline.errors import WrongShape
from pipeline.warehouse import bigquery_import_sql
from pipeline.warehouse.base import LoadOutcome
from pipeline.warehouse.bigquery_tables import Tables as StoredTables
from pipeline.warehouse.bigquery_tables import make_fields
from pipeline.warehouse.duckdb_sql import sql
from pipeline.warehouse.load_rules import LOAD_RULES
from transforms.schema import INPUT_CHANGES, PLAYER_GAME_SUMMARY, TABLE_VERSIONS, Table
from transforms.side_tables import PLAYER_ALIASES, SCHEDULE, SIDE_TABLES

BOX = PLAYER_GAME_SUMMARY
NOW = datetime(2024, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROWS = make_league(dates=4, players=2)
POOLS: dict[pa.DataType, tuple[Any, ...]] = {
    pa.string(): ("ada", "o'neal", 'q"u\\ote', "名前", "", None),
    pa.int64(): (0, 1, 9, -(2**63), None),
    pa.float64(): (0.5, -3.0, 1e308, None),
    pa.bool_(): (True, False, None),
    pa.date32(): (date(2024, 1, 31), date(2024, 2, 1), date(1999, 12, 31), None),
    pa.timestamp("us", tz="UTC"): (NOW, NOW + timedelta(microseconds=1), None),
}


@dataclass
class Importers:
    """A file and a project that are given the same rows at the same instants, and keep the same books."""

    file: House
    cloud: Cloud
    imports: int = 0

    def load(self, table: Table, rows: list[Row], **options: Any) -> LoadOutcome:
        """What both say of an import; afterwards both hold the same."""
        self.imports += 1
        incoming = pa.Table.from_pylist(rows, schema=table.schema)
        options.setdefault("replace_dates", False)
        at = NOW + self.imports * HOUR
        outcomes = [
            house.warehouse.load(incoming, at, table=table, **options) for house in (self.file, self.cloud)
        ]
        assert_that(vars(outcomes[1]), equal_to(vars(outcomes[0])))
        self.compare(table)
        return outcomes[0]

    def compare(self, *tables: Table) -> None:
        for table in tables:
            assert_that(read_rows(self.cloud, table), equal_to(read_rows(self.file, table)), table.path)


def read_rows(house: House, table: Table) -> list[str]:
    """The stored rows in some order."""
    if isinstance(house, Cloud):
        rows = house.read_rows(table)
    elif house.warehouse.describe(table) is None:
        rows = []
    else:
        with house.warehouse.open() as connection:
            rows = connection.sql(f"SELECT * FROM {table.path}").to_arrow_table().to_pylist()
    return sorted(str({name: _write(row[name]) for name in sorted(row)}) for row in rows)


def _write(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime) else value


@pytest.fixture
def importers(emulators: Emulators, project: str, tmp_path: Path) -> Iterator[Importers]:
    made = Importers(House(str(tmp_path / "w.duckdb")), Cloud(make_address(emulators, project)))
    yield made
    if made.imports:
        made.compare(TABLE_VERSIONS, INPUT_CHANGES, PLAYER_ALIASES)


def draw_rows(rng: random.Random, table: Table, number: int) -> list[Row]:
    """Random rows, one a key; NULL where a row may have it."""
    rows: dict[tuple[Any, ...], Row] = {}
    identity = LOAD_RULES[table.path].identity
    for _ in range(number):
        row = {field.name: rng.choice(POOLS[field.type]) for field in table.schema}
        if all(row[name] is not None for name in identity):
            rows[tuple(row[name] for name in table.key)] = row
    return list(rows.values())


@pytest.mark.slow
@pytest.mark.parametrize("table", SIDE_TABLES, ids=lambda table: table.name)
def test_random_imports_of_a_side_table_end_alike(importers: Importers, table: Table) -> None:
    rng = random.Random(f"4/{table.name}")
    first = draw_rows(rng, table, 12)
    importers.load(table, first)
    kept = rng.sample(first, len(first) // 2)
    outcome = importers.load(table, merge(table, draw_rows(rng, table, 8), kept))
    assert_that(outcome, has_properties(unchanged=len(kept), older=None, version=2))
    if table.partition is not None:
        replaced = importers.load(table, draw_rows(rng, table, 3), replace_dates=True)
        assert_that(replaced.removed > 0, equal_to(True))


def merge(table: Table, rows: list[Row], kept: list[Row]) -> list[Row]:
    """Rows, one a key, the last of each."""
    return list({tuple(row[name] for name in table.key): row for row in [*rows, *kept]}.values())


def test_a_moved_game_does_not_stay_behind(importers: Importers) -> None:
    def game(name: str, day: date) -> Row:
        return {"game_id": name, "game_date": day, "home_team_abbr": "BOS", "away_team_abbr": "CHI"}

    importers.load(SCHEDULE, [game("a", date(2024, 1, 5)), game("b", date(2024, 1, 5))])
    moved = importers.load(SCHEDULE, [game("a", date(2024, 6, 5))])
    assert_that(moved, has_properties(added=1, removed=1, changed=None))
    back = importers.load(SCHEDULE, [game("a", date(2023, 6, 5))])
    assert_that(back, has_properties(added=1, removed=1))


@pytest.mark.slow
def test_box_scores_are_updated_kept_back_and_replaced_alike(importers: Importers) -> None:
    def at(row: Row, hours: int | None, **facts: Any) -> Row:
        return row | facts | {"processed_at": None if hours is None else NOW + hours * HOUR}

    importers.load(BOX, [at(row, None if n % 2 else -5) for n, row in enumerate(ROWS)])
    again = importers.load(BOX, ROWS)
    assert_that(again, has_properties(added=0, unchanged=len(ROWS), changed=None))
    changed = [
        *(at(row, -9, points=99) for row in ROWS[:4]),  # older than what is stored
        *(at(row, 9, points=98) for row in ROWS[4:7]),
        *(at(row, None, points=None, is_home=None) for row in ROWS[7:9]),
        *(at(row, 0, player_lookup="new") for row in ROWS[::8]),
    ]
    outcome = importers.load(BOX, changed)
    assert_that(outcome, has_properties(added=4, replaced=5, older=4, removed=0))
    day = ROWS[0]["game_date"]
    some = [at(row, -99, points=1) for row in ROWS[:3]]
    outcome = importers.load(BOX, some, replace_dates=True)
    assert_that(outcome, has_properties(replaced=3, older=0, removed=6, changed=None))
    left = [row for row in importers.cloud.read_rows(BOX) if row["game_date"] == day]
    assert_that(left, has_length(3))
    assert_that(importers.load(BOX, []), has_properties(added=0, unchanged=0, version=5))


@pytest.mark.slow
def test_people_and_their_aliases_are_found_alike(importers: Importers) -> None:
    names = sorted({row["player_lookup"] for row in ROWS})

    def identified(ids: dict[str, str]) -> list[Row]:
        return [
            row | {"universal_player_id": ids.get(row["player_lookup"])}
            for row in ROWS
            if row["player_lookup"] in ids
        ]

    same = {names[0]: "nba_1", names[1]: "nba_1", names[2]: "nba_2", names[3]: "espn_2"}
    outcome = importers.load(BOX, identified(same))
    assert_that(outcome.several_lookups, contains_exactly(f"nba_1: {names[0]}, {names[1]}"))
    assert_that(outcome, has_properties(aliases_written=False))
    assert_that(outcome.aliases.pairs, has_length(1))
    assert_that(importers.cloud.read_rows(PLAYER_ALIASES), has_length(0))
    contested = [row | {"universal_player_id": "nba_3"} for row in identified({names[2]: "x"})[:1]]
    outcome = importers.load(BOX, contested)
    assert_that(outcome.several_people, contains_exactly(f"{names[2]}: nba_2, nba_3"))
    importers.load(BOX, identified(same), write_aliases=True)
    assert_that(importers.cloud.read_rows(PLAYER_ALIASES), has_length(1))
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "d"), ("e'", "名前")]
    circles = importers.load(
        PLAYER_ALIASES, [{"alias_lookup": a, "nba_canonical_lookup": b} for a, b in pairs]
    )
    assert_that(len(circles.circles) > 0)


def test_minutes_may_be_stored_as_decimals(importers: Importers) -> None:
    cloud, file = importers.cloud, importers.file
    StoredTables(cloud.jobs)._create_dataset(BOX.dataset)
    fields = [
        bigquery.SchemaField(f.name, "NUMERIC" if f.name == "minutes_played" else f.field_type)
        for f in make_fields(SCHEMA)
    ]
    made = bigquery.Table(cloud.sql.name_table(BOX).strip("`"), fields)
    made.time_partitioning = bigquery.TimePartitioning("DAY", BOX.partition)
    cloud.client.create_table(made)
    with file.warehouse.open(read_only=False) as connection:
        columns = ", ".join(
            f"{f.name} {'DECIMAL(38, 9)' if f.name == 'minutes_played' else duck_type(f.type)}"
            for f in SCHEMA
        )
        connection.execute(f"CREATE SCHEMA {BOX.dataset}")
        connection.execute(f"CREATE TABLE {BOX.path} ({columns})")
    rows = [row | {"minutes_played": minutes} for row, minutes in zip(ROWS, (30.5, 0.0, None), strict=False)]
    assert_that(importers.load(BOX, rows), has_properties(added=3))
    assert_that(importers.load(BOX, rows), has_properties(unchanged=3, replaced=0))
    more = [rows[0] | {"minutes_played": 31.25}, *rows[1:]]
    assert_that(importers.load(BOX, more), has_properties(unchanged=2, replaced=1))


def duck_type(kind: pa.DataType) -> str:
    return sql.name_type(kind)


def test_an_import_makes_all_that_it_needs(importers: Importers) -> None:
    importers.load(BOX, ROWS[:1])
    made = {dataset.dataset_id for dataset in importers.cloud.client.list_datasets()}
    assert_that(made, equal_to({"nba_analytics", "nba_processing", "feature_store_staging"}))


def test_a_stored_table_without_a_column_is_refused_and_left_alone(importers: Importers) -> None:
    cloud = importers.cloud
    StoredTables(cloud.jobs)._create_dataset(BOX.dataset)
    fields = [bigquery.SchemaField("player_lookup", "STRING"), bigquery.SchemaField("game_date", "DATE")]
    cloud.client.create_table(bigquery.Table(cloud.sql.name_table(BOX).strip("`"), fields))
    with pytest.raises(WrongShape, match=r"lacks the column\(s\) game_id, team_abbr"):
        cloud.warehouse.load(pa.Table.from_pylist(ROWS, schema=SCHEMA), NOW, replace_dates=False)
    assert_that(cloud.read_rows(TABLE_VERSIONS), has_length(0))


def test_an_import_that_is_refused_midway_leaves_everything(
    importers: Importers, monkeypatch: pytest.MonkeyPatch
) -> None:
    importers.load(BOX, ROWS)
    before = read_rows(importers.cloud, BOX)
    monkeypatch.setattr(bigquery_import_sql, "log_change", lambda *_, **__: "SELECT ERROR('no')")
    with pytest.raises(Exception, match="no"):
        importers.cloud.warehouse.load(
            pa.Table.from_pylist([row | {"points": 77} for row in ROWS], schema=SCHEMA),
            NOW + 50 * HOUR,
            replace_dates=True,
        )
    assert_that(read_rows(importers.cloud, BOX), equal_to(before))
    assert_that(list(importers.cloud.client.list_tables("feature_store_staging")), has_length(0))
