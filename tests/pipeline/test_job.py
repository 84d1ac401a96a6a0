"""The whole job on Beam: modes that must agree, figures that must agree, and its edges."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from hamcrest import assert_that, has_entries
from warehouse import FIRST, House, differences, list_dates, make_league

from pipeline import local_runner
from pipeline.errors import FeatureStoreError, UsageError, WrongShape
from pipeline.graph import build_graph
from pipeline.local_runner import LocalRunner
from pipeline.main import make_pipeline_options
from pipeline.plan import cut_chunks, make_plan, share_out
from pipeline.preflight import check_dependencies
from pipeline.run_rows import RunSpec
from pipeline.season import DateRange
from pipeline.warehouse.duckdb import DuckDBReader
from transforms.contracts import TargetSpec
from transforms.timing import NAMESPACE

ROWS = make_league()


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(str(tmp_path / "w.duckdb"), list_dates(ROWS))
    made.put(ROWS)
    return made


@pytest.mark.parametrize(
    "options",
    [
        {"parallel": 2},
        {"parallel": 7},
        {"beam_args": ("--runner=FnApiRunner",)},
        {"beam_args": ("--runner=DirectRunner", "--direct_runner_bundle_repeat=2")},
    ],
    ids=lambda options: str(options),
)
def test_every_local_mode_writes_the_same_tables(house: House, tmp_path: Path, options: dict) -> None:
    other = house.copy(tmp_path / "other.duckdb")
    house.run()
    other.run(**options)
    assert differences(other.read(), house.read()) == []
    assert len(house.read().features) > 1000


def test_one_run_a_date_writes_what_one_run_writes(house: House, tmp_path: Path) -> None:
    other = house.copy(tmp_path / "other.duckdb")
    days = house.days[12:18]
    house.run(days[0], days[-1])
    for day in days:
        other.run(day, day)
    assert differences(other.read(), house.read()) == []


def test_the_mode_in_which_beam_damages_rows_is_refused(house: House) -> None:
    with pytest.raises(UsageError, match=r"multi_threading .* use --parallel N"):
        house.run(beam_args=("--direct_running_mode=multi_threading", "--direct_num_workers=2"))


def test_more_workers_are_really_used(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readers must be inside their read at once, or both give up."""
    meeting = threading.Barrier(2, timeout=30)
    read = DuckDBReader.read_history

    def read_together(self: DuckDBReader, start: date, end: date) -> pa.Table:
        if threading.current_thread() is not threading.main_thread() and (end - start).days > 1:
            meeting.wait()
        return read(self, start, end)

    monkeypatch.setattr(DuckDBReader, "read_history", read_together)
    monkeypatch.setattr("pipeline.plan.cut_chunks", _cut_in_two)
    report = house.run(parallel=2)
    assert report.row["status"] == "success"
    assert not meeting.broken


def _cut_in_two(window: DateRange, counts: list[tuple[date, int]], rows: int) -> list[tuple[str, str]]:
    middle = counts[len(counts) // 2][0]
    return [
        (window.start.isoformat(), middle.isoformat()),
        (middle.isoformat(), window.end.isoformat()),
    ]


def test_beam_metrics_and_the_stored_figures_agree(house: House) -> None:
    config = house.config()
    plan = check_dependencies(house.warehouse, config.make_targets(datetime.now(UTC))).plan
    run = RunSpec(
        run_id="metrics",
        run_at=datetime.now(UTC),
        mode="backfill",
        targets=config.dates,
        windows=plan.windows,
        requested=None,
        inputs=house.warehouse.read_input_state(config.dates),
        options={},
        runner="test",
        allow_deletes=False,
        max_error_rate=0.0,
        dependency_check=0.25,
    )
    pipeline = beam.Pipeline(runner=LocalRunner(), options=make_pipeline_options(config, house.warehouse))
    build_graph(pipeline, plan, house.warehouse, run)
    result = pipeline.run()
    result.wait_until_finish()
    house.warehouse.close_staging(run.run_id)
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(NAMESPACE))
    counters = {metric.key.metric.name: metric.committed for metric in found["counters"]}
    spans: Counter[str] = Counter()
    for metric in found["distributions"]:
        spans[metric.key.metric.name] += metric.committed.sum
    row = house.warehouse.read_run("metrics")
    assert row is not None
    detail = row["timing_breakdown"]["detail"]
    tables = house.read()
    assert_that(
        counters,
        has_entries(
            extract_rows=len(ROWS),
            clean_rows_in=len(ROWS),
            clean_targets=len(ROWS),
            calculate_features=len(tables.features),
            calculate_gaps=len(tables.open_gaps),
            save_features_rows=len(tables.features),
        ),
    )
    for stage in ("extract", "clean", "teams", "calculate", "save"):
        stored = {name: n for name, n in detail[stage].items() if not name.endswith("_seconds")}
        assert {name: counters.get(f"{stage}_{name}", 0) for name in stored} == stored
        assert spans[f"{stage}_microseconds"] == round(detail[stage]["busy_seconds"] * 1e6)
    assert sum(n for name, n in counters.items() if name.startswith("calculate_gaps_")) == len(tables.gaps)
    times = row["timing_breakdown"]
    assert times["dependency_check_time"] == 0.25
    for name in ("extract_time", "calculate_time", "save_time"):
        assert 0 < times[name] <= times["total_runtime"] == row["duration_seconds"]


def test_dates_without_games_are_a_success_that_says_so(house: House) -> None:
    summer = date(2024, 8, 1)
    report = house.run(summer, summer + timedelta(days=30))
    assert_that(report.row, has_entries(status="success", records_expected=0, records_created=0, gaps_open=0))
    assert report.preflight.plan.game_days == ()
    assert any("no player rows" in note for note in report.preflight.notes)


def test_a_table_without_any_row_is_a_success(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), [FIRST])
    house.put([])
    report = house.run()
    assert_that(report.row, has_entries(status="success", records_expected=0))


def test_one_player_on_the_seasons_first_day_is_a_gap(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), [FIRST])
    house.put(ROWS[:1])
    house.run()
    assert [gap["skip_reason"] for gap in house.read().open_gaps.values()] == ["bootstrap"]
    house.run(bootstrap_days=0)
    assert [gap["skip_reason"] for gap in house.read().open_gaps.values()] == ["no_history"]


def test_a_missing_warehouse_or_table_or_a_wrong_type_is_refused_with_every_problem(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), [FIRST])
    with pytest.raises(FeatureStoreError, match="there is no warehouse at") as missing:
        house.run()
    assert missing.value.exit_code == 3
    with house.warehouse.open(read_only=False) as connection:
        connection.execute("CREATE SCHEMA nba_analytics")
    with pytest.raises(WrongShape, match=r"table nba_analytics\.player_game_summary is missing"):
        house.run()
    house.put(ROWS)
    with house.warehouse.open(read_only=False) as connection:
        connection.execute("ALTER TABLE nba_analytics.player_game_summary ALTER points TYPE DOUBLE")
        connection.execute("ALTER TABLE nba_analytics.player_game_summary DROP fg_makes")
        connection.execute("CREATE SCHEMA nba_predictions")
        connection.execute("CREATE TABLE nba_predictions.feature_store_gaps (player_lookup INTEGER)")
    with pytest.raises(WrongShape) as wrong:
        house.run()
    text = str(wrong.value)
    assert "points must be a whole number of at most 64 bits, found double" in text
    assert "lacks the column fg_makes" in text
    assert "feature_store_gaps.player_lookup must be string, found int32" in text


def test_columns_of_fitting_types_and_foreign_columns_are_read(house: House, tmp_path: Path) -> None:
    other = house.copy(tmp_path / "other.duckdb")
    with other.warehouse.open(read_only=False) as connection:
        table = "nba_analytics.player_game_summary"
        connection.execute(f"ALTER TABLE {table} ALTER points TYPE SMALLINT")
        connection.execute(f"ALTER TABLE {table} ALTER minutes_played TYPE DECIMAL(18, 12)")
        connection.execute(f"ALTER TABLE {table} ADD COLUMN mascot VARCHAR")
    house.run()
    other.run()
    assert differences(other.read(), house.read()) == []


def test_absent_optional_columns_make_their_features_missing(house: House) -> None:
    with house.warehouse.open(read_only=False) as connection:
        for column in ("offensive_rebounds", "paint_attempts", "is_home", "processed_at"):
            connection.execute(f"ALTER TABLE nba_analytics.player_game_summary DROP {column}")
    report = house.run()
    assert any("offensive_rebounds" in note and "NULL" in note for note in report.preflight.notes)
    rows = list(house.read().features.values())
    for index in (6, 7, 13, 14, 18, 22, 23):
        assert {row[f"feature_{index}_source"] for row in rows} == {"missing"}
    # the id of a game, YYYYMMDD_AWAY_HOME, tells who was at home
    assert {row["feature_15_source"] for row in rows} == {"schedule"}
    assert {row["is_home"] for row in rows} == {True, False}


def test_other_runners_are_refused_for_a_local_file(house: House) -> None:
    with pytest.raises(UsageError, match="PrismRunner cannot reach the embedded warehouse"):
        house.run(beam_args=("--runner=PrismRunner",))


def test_a_shutdown_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = threading.Event()
    monkeypatch.setattr(local_runner, "SHUTDOWN_SECONDS", 0.05)
    monkeypatch.setattr(local_runner, "_kill_workers", killed.set)
    monkeypatch.setattr(
        local_runner.worker_handlers.WorkerHandlerManager, "close_all", lambda self: killed.wait(30)
    )
    local_runner._BoundedManager({}, None).close_all()
    assert killed.is_set()


def test_chunks_cover_the_window_and_hold_whole_dates() -> None:
    window = DateRange(date(2020, 1, 1), date(2021, 1, 1))
    counts = [(date(2020, 3, 1) + timedelta(days=n), 40) for n in range(100)]
    chunks = cut_chunks(window, counts, 50)
    assert (chunks[0][0], chunks[-1][1]) == ("2020-01-01", "2021-01-01")
    assert all(first[1] == second[0] for first, second in pairwise(chunks))
    assert len(chunks) == 50
    assert cut_chunks(window, [], 50) == [("2020-01-01", "2021-01-01")]
    assert len(cut_chunks(window, counts, 1)) == 1
    assert len(cut_chunks(window, counts, 1000)) == 100


@pytest.mark.parametrize(
    ("rows", "workers", "parts"), [(0, 2, 2), (7, 3, 3), (300, 1, 3), (301, 2, 4), (900, 2, 10)]
)
def test_every_worker_gets_as_many_parts(rows: int, workers: int, parts: int) -> None:
    assert share_out(rows, 100, workers) == parts


def test_chunks_hold_like_many_rows() -> None:
    window = DateRange(date(2020, 1, 1), date(2021, 1, 1))
    rng = random.Random(1)
    counts = [(date(2020, 1, 1) + timedelta(days=n), rng.randint(1, 600)) for n in range(300)]
    chunks = cut_chunks(window, counts, 8)
    held = [sum(n for day, n in counts if low <= day.isoformat() < high) for low, high in chunks]
    assert len(held) == 8
    assert max(held) - min(held) < 1200, held


def test_the_plan_reads_one_year_before_the_first_target_and_nothing_else() -> None:
    spec = TargetSpec(date(2021, 3, 1), date(2021, 3, 3), today=date(2021, 3, 3))
    counts = [(date(2020, 12, 1), 50), (date(2021, 3, 2), 7)]
    plan = make_plan(spec, {}, counts, row_bytes=10)
    assert plan.window == DateRange(date(2020, 3, 1), date(2021, 3, 3))
    assert (plan.rows, plan.bytes, plan.target_rows, plan.game_days) == (57, 570, 7, (date(2021, 3, 2),))
    assert make_plan(spec, {}, counts, 10, workers=3).buckets == 3


def test_what_only_looks_or_loads_does_not_import_beam() -> None:
    program = (
        "import sys, pipeline.commands.app as app; app.build_parser(); sys.exit('apache_beam' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
