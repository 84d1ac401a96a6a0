"""What is too much is refused with a message that names the limit, before it is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boxscores import make_rows, vary, write_file
from hamcrest import assert_that, contains_string, equal_to, less_than, starts_with
from scenes import DAYS, ROWS
from warehouse import House

from pipeline.commands.app import main
from pipeline.imports import reading
from pipeline.season import LONGEST_RANGE_DAYS


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.truncate(reading.LARGEST_FILE_BYTES + 1)


def make_long(path: Path) -> None:
    rows = pa.table({"player_lookup": pa.nulls(reading.MOST_ROWS + 1, pa.string())})
    pq.write_table(rows, path, row_group_size=10_000_000)


def make_wide(path: Path) -> None:
    rows = make_rows()
    wide = {f"extra{n}": ["x"] * rows.num_rows for n in range(reading.MOST_COLUMNS)}
    write_file(vary(rows, **wide), path)


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("large.parquet", make_large, "larger than 8589934592 bytes; split it by season"),
        ("large.csv", make_large, "larger than 8589934592 bytes; split it by season"),
        ("long.parquet", make_long, "50000001 rows, at most 50000000 are read; split it by season"),
        ("wide.parquet", make_wide, "1015 columns, at most 1000 are read"),
        ("wide.csv", make_wide, "1015 columns, at most 1000 are read"),
    ],
)
def test_a_file_beyond_a_limit_is_refused_before_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, make: Callable[[Path], None], told: str
) -> None:
    make(tmp_path / name)
    began = time.monotonic()
    code = main(["import", str(tmp_path / name), "--warehouse", str(tmp_path / "w.duckdb")])
    assert_that(time.monotonic() - began, less_than(5.0), "8 GiB or 50 million rows take longer")
    err = capsys.readouterr().err
    assert_that(code, equal_to(3), err)
    assert_that(err, starts_with("error: "))
    assert_that(err, contains_string(told))
    assert_that((tmp_path / "w.duckdb").exists(), equal_to(False))


def test_what_is_at_a_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows()
    file = write_file(rows, tmp_path / "rows.parquet")
    monkeypatch.setattr(reading, "MOST_ROWS", rows.num_rows)
    monkeypatch.setattr(reading, "MOST_COLUMNS", rows.num_columns)
    monkeypatch.setattr(reading, "LARGEST_FILE_BYTES", Path(file).stat().st_size)
    assert_that(main(["import", file, "--warehouse", str(tmp_path / "w.duckdb")]), equal_to(0))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--start-date", "1600-01-01", "--end-date", "2024-01-01"], f"more than {LONGEST_RANGE_DAYS} days"),
        (["--start-date", "2024-01-01", "--end-date", "9999-12-31"], "is more than"),
    ],
)
def test_a_range_beyond_the_limit_is_refused_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], told: str
) -> None:
    """The warehouse does not even exist."""
    code = main(["backfill", "--warehouse", str(tmp_path / "none.duckdb"), *flags])
    assert_that(code, equal_to(2))
    assert_that(capsys.readouterr().err, contains_string(told))


def test_a_hundred_years_around_a_short_history_cost_no_more_than_the_history(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), list(DAYS))
    house.put(ROWS)
    began = time.monotonic()
    row = house.run(DAYS[0].replace(year=1950), DAYS[-1].replace(year=2049)).row
    assert_that(row["records_expected"], equal_to(len(ROWS)))
    assert_that(time.monotonic() - began, less_than(20.0))
