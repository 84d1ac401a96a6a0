"""What is new since a gap was attempted last, and so which gaps are looked at again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boxscores import make_rows, write_file
from hamcrest import assert_that, empty, equal_to, has_item, has_length
from terminal import Run

from pipeline.ledger.changes import find_candidates
from pipeline.season import DateRange
from pipeline.warehouse.base import InputChange
from pipeline.warehouse.duckdb import DuckDBWarehouse
from pipeline.warehouse.sql import END_OF_TIME
from transforms.gaps import Admission
from transforms.schema import FEATURE_STORE_GAPS, PLAYER_GAME_SUMMARY
from transforms.side_tables import INJURY_REPORT, PLAYER_ALIASES, POINTS_LINES, REGISTRY, SCHEDULE, UPCOMING

DAY, ATTEMPT = date(2024, 1, 10), datetime(2024, 2, 1, tzinfo=UTC)
LATER, EARLIER = ATTEMPT + timedelta(seconds=1), ATTEMPT
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


def gap(reason: str = "no_history", **changes: Any) -> dict[str, Any]:
    return {
        "player_lookup": "a",
        "game_date": DAY,
        "skip_reason": reason,
        "last_attempt_at": ATTEMPT,
    } | changes


def is_candidate(row: dict[str, Any], *changes: InputChange, admission: Admission | None = None) -> bool:
    gaps = pa.Table.from_pylist([row], schema=FEATURE_STORE_GAPS.schema)
    (found,) = find_candidates(gaps, changes, admission or Admission()).tolist()
    return bool(found)


def change(path: str, at: datetime, first: int | None = None, last: int | None = None) -> InputChange:
    """A change of the dates so many days from the gap's; of any date when they are left out."""
    if first is None:
        return InputChange(path, at, None)
    days = (DAY + timedelta(days=first), DAY + timedelta(days=first if last is None else last))
    return InputChange(path, at, DateRange.inclusive(*days))


@pytest.mark.parametrize(
    ("path", "days", "concerned"),
    [
        (PLAYER_GAME_SUMMARY.path, (0,), True),
        (PLAYER_GAME_SUMMARY.path, (-365,), True),
        (PLAYER_GAME_SUMMARY.path, (-366,), False),
        (PLAYER_GAME_SUMMARY.path, (1,), False),
        (PLAYER_GAME_SUMMARY.path, (1, 90), False),
        (PLAYER_GAME_SUMMARY.path, (-900, -365), True),
        (PLAYER_GAME_SUMMARY.path, (), True),
        (UPCOMING.path, (0,), True),
        (UPCOMING.path, (-1,), False),
        (SCHEDULE.path, (365,), True),
        (SCHEDULE.path, (-365,), True),
        (SCHEDULE.path, (366,), False),
        (PLAYER_ALIASES.path, (), True),
        (REGISTRY.path, (), False),
        (INJURY_REPORT.path, (0,), False),
        (POINTS_LINES.path, (), False),
    ],
)
def test_a_gap_is_looked_at_again_when_what_it_may_feel_has_changed(
    path: str, days: tuple[int, ...], concerned: bool
) -> None:
    assert_that(is_candidate(gap(), change(path, LATER, *days)), equal_to(concerned))
    assert_that(is_candidate(gap(), change(path, EARLIER, *days)), equal_to(False))


def test_the_registry_matters_to_whom_it_did_not_know() -> None:
    assert_that(is_candidate(gap("unregistered_player"), change(REGISTRY.path, LATER)))
    assert_that(not is_candidate(gap("unregistered_player"), change(REGISTRY.path, EARLIER)))


def test_a_failed_computation_is_always_tried_again() -> None:
    assert_that(is_candidate(gap("processing_error")))


@pytest.mark.parametrize(
    ("admission", "admits"),
    [
        (Admission(), False),
        (Admission(bootstrap_days=0), True),
        (Admission(bootstrap_days=13), True),
        (Admission(min_games=4), True),
        (Admission(30, 10), False),
    ],
)
def test_a_wider_admission_looks_at_the_seasons_starts_again(admission: Admission, admits: bool) -> None:
    assert_that(is_candidate(gap("bootstrap"), admission=admission), equal_to(admits))
    assert_that(is_candidate(gap("no_history"), admission=admission), equal_to(False))


def test_an_import_logs_the_dates_that_it_changed_and_no_others(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "w.duckdb")
    rows = make_rows(dates=4)
    first = rows.column("game_date")[0].as_py()

    def load(table: pa.Table, *flags: str) -> list[InputChange]:
        before = datetime.now(UTC)
        assert_that(
            run("import", write_file(table, tmp_path / "r.parquet"), f"--warehouse={path}", *flags).code,
            equal_to(0),
        )
        found = DuckDBWarehouse(path).list_changes(before)
        # the box scores carry the instant of the import where they had none
        return [item for item in found if item.dates is None or (item.dates.end - item.dates.start).days != 1]

    (loaded,) = load(rows)
    assert_that(loaded.dates, equal_to(DateRange.inclusive(first, first + timedelta(days=3))))
    assert_that(load(rows), empty())
    days = rows.column("game_date").to_pylist()
    points = [
        99 if day in (days[16], days[-1]) else p
        for day, p in zip(days, rows.column("points").to_pylist(), strict=True)
    ]
    (corrected,) = load(rows.set_column(rows.column_names.index("points"), "points", pa.array(points)))
    assert_that(corrected.dates, equal_to(DateRange.inclusive(days[16], days[-1])))
    # rows that were taken away have dates that the file does not name
    (removed,) = load(rows.slice(0, 1), "--replace-dates")
    assert_that(removed.dates, equal_to(None))


def test_box_scores_that_others_stored_are_told_by_their_instants(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "w.duckdb")
    run("import", write_file(make_rows(dates=2), tmp_path / "r.parquet"), f"--warehouse={path}")
    later = datetime.now(UTC) + timedelta(days=1)
    house = DuckDBWarehouse(path)
    with house.open(read_only=False) as connection:
        connection.execute(f"UPDATE {PLAYER_GAME_SUMMARY.path} SET processed_at = ? WHERE game_date = "
                           f"(SELECT MAX(game_date) FROM {PLAYER_GAME_SUMMARY.path})", [later])  # fmt: skip
    (found,) = house.list_changes(datetime.now(UTC))
    newest = DateRange.inclusive(date(2024, 1, 11), date(2024, 1, 11))
    assert_that(found, equal_to(InputChange(PLAYER_GAME_SUMMARY.path, later, newest)))


def test_a_table_that_no_import_wrote_counts_as_new(tmp_path: Path) -> None:
    house = DuckDBWarehouse(str(tmp_path / "w.duckdb"))
    with house.open(read_only=False) as connection:
        connection.execute("CREATE SCHEMA nba_reference")
        connection.execute(
            f"CREATE TABLE {PLAYER_ALIASES.path} (alias_lookup VARCHAR, nba_canonical_lookup VARCHAR)"
        )
    found = house.list_changes(LONG_AGO)
    assert_that(found, has_length(1))
    assert_that(found, has_item(InputChange(PLAYER_ALIASES.path, END_OF_TIME, None)))
