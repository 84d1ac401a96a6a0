"""What an import makes of files, and how their rows meet those that are stored."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boxscores import FIRST_DATE, make_rows, read_input_version, read_stored, vary, write_file
from hamcrest import (
    all_of,
    assert_that,
    contains_exactly,
    contains_inanyorder,
    contains_string,
    empty,
    equal_to,
    greater_than,
    has_entries,
    has_items,
    has_length,
    has_properties,
    has_string,
    only_contains,
)

from pipeline.errors import BadInput, WrongShape
from pipeline.imports.converting import ImportReport
from pipeline.imports.importing import make_lookup, read_files
from pipeline.warehouse import duckdb_load
from pipeline.warehouse.base import LoadOutcome
from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms.schema import PLAYER_GAME_SUMMARY

NOW = datetime(2024, 7, 1, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)
COLUMNS = PLAYER_GAME_SUMMARY.schema.names


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    return str(tmp_path / "w.duckdb")


@pytest.fixture(params=["csv", "parquet"])
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Loader:
    """Imports tables as files of one kind, each under a new name."""

    def __init__(self, directory: Path, warehouse: str, suffix: str = "parquet") -> None:
        self.directory, self.warehouse, self.suffix, self.files = directory, warehouse, suffix, 0

    def write(self, rows: pa.Table) -> str:
        self.files += 1
        return write_file(rows, self.directory / f"{self.files}.{self.suffix}")

    def read(self, *tables: pa.Table) -> tuple[list[dict[str, Any]], ImportReport]:
        rows, report = read_files([self.write(table) for table in tables])
        return rows.to_pylist(), report

    def load(self, *tables: pa.Table, at: datetime = NOW, replace_dates: bool = False) -> LoadOutcome:
        rows, _ = read_files([self.write(table) for table in tables])
        return DuckDBWarehouse(self.warehouse).load(rows, at, replace_dates=replace_dates)

    def stored(self, *columns: str) -> list[Any]:
        return read_stored(self.warehouse, columns or COLUMNS)


@pytest.fixture
def loader(tmp_path: Path, warehouse: str) -> Loader:
    return Loader(tmp_path, warehouse)


@pytest.fixture
def any_loader(tmp_path: Path, warehouse: str, suffix: str) -> Loader:
    return Loader(tmp_path, warehouse, suffix)


def one_row(**columns: Any) -> pa.Table:
    return vary(make_rows(dates=1).slice(0, 1), **{name: [value] for name, value in columns.items()})


def two_rows(**columns: Sequence[Any]) -> pa.Table:
    """The same key twice, different in these columns."""
    row = make_rows(dates=1).slice(0, 1)
    return vary(pa.concat_tables([row, row]), **columns)


# What is read


def test_csv_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    rows = vary(
        make_rows(),
        is_dnp=[True, False, None] * 8,
        player_full_name=['Nikola "Joker" Jokić', "O'Neal, Shaquille", "two\nlines"] * 8,
        processed_at=[NOW, None, EARLIER] * 8,
        turnovers=[None, 0, 3] * 8,
    )
    found = [read_files([write_file(rows, tmp_path / f"rows.{kind}")])[0] for kind in ("csv", "parquet")]
    assert_that(found[0].equals(found[1]), equal_to(True))
    assert_that(found[0].schema, equal_to(PLAYER_GAME_SUMMARY.schema))
    assert_that(found[0].select(rows.column_names).to_pylist(), equal_to(rows.to_pylist()))


def test_a_csv_as_a_spreadsheet_writes_it_is_read(tmp_path: Path) -> None:
    file = Path(write_file(make_rows(), tmp_path / "rows.csv"))
    plain = read_files([str(file)])[0]
    lines = file.read_bytes().replace(b"\n", b"\r\n").replace(b'"points"', b"points")
    file.write_bytes(b"\xef\xbb\xbf" + lines + b"\r\n\r\n")
    assert_that(read_files([str(file)])[0].equals(plain), equal_to(True))


def test_a_csv_larger_than_a_block_keeps_its_rows_whole(tmp_path: Path) -> None:
    rows = make_rows(dates=100)
    names = [f'{n}, "{"long" * n}"\r\n, second line' for n in range(rows.num_rows)]
    found = read_files([write_file(vary(rows, player_full_name=names), tmp_path / "rows.csv")])[0]
    assert_that((tmp_path / "rows.csv").stat().st_size, greater_than(2**20))
    assert_that(found["player_full_name"].to_pylist(), equal_to(names))


def test_unknown_columns_are_ignored_and_absent_ones_null_and_both_named(any_loader: Loader) -> None:
    rows = make_rows().append_column("plus_minus", pa.array([1] * 24)).drop_columns("turnovers")
    found, report = any_loader.read(rows)
    assert_that(report.ignored_columns, equal_to({"plus_minus"}))
    assert_that(report.absent_columns, has_items("turnovers", "is_dnp", "processed_at"))
    assert_that(report.absent_columns, has_length(len(COLUMNS) - rows.num_columns + 1))
    assert_that({row["turnovers"] for row in found}, equal_to({None}))


def test_an_ignored_column_may_hold_anything(loader: Loader) -> None:
    found, report = loader.read(make_rows().append_column("lists", pa.array([[{"a": 1}]] * 24)))
    assert_that((found, report.ignored_columns), contains_exactly(has_length(24), equal_to({"lists"})))


def test_texts_are_trimmed_and_blank_ones_null(any_loader: Loader) -> None:
    found, _ = any_loader.read(one_row(team_abbr=" BOS\t", player_full_name="  ", season_type="  Playoffs "))
    assert_that(found, contains_exactly(has_entries(team_abbr="BOS", season_type="Playoffs")))
    assert_that(found[0]["player_full_name"], equal_to(None))


def test_the_order_of_columns_does_not_matter(any_loader: Loader) -> None:
    rows = make_rows()
    assert_that(any_loader.read(rows.select(rows.column_names[::-1]))[0], equal_to(any_loader.read(rows)[0]))


def test_home_is_derived_only_where_the_column_is_absent(any_loader: Loader) -> None:
    rows = make_rows(dates=1)
    found, report = any_loader.read(rows)
    assert_that({row["team_abbr"]: row["is_home"] for row in found}["CHI"], equal_to(True))
    assert_that({row["team_abbr"]: row["is_home"] for row in found}["BOS"], equal_to(False))
    assert_that(report, has_properties(home_derived=8))

    kept, report = any_loader.read(vary(rows, is_home=[None, True] + [False] * 6))
    assert_that([row["is_home"] for row in kept], equal_to([None, True] + [False] * 6))
    assert_that(report, has_properties(home_derived=0))


def test_home_stays_unknown_where_the_game_id_does_not_tell(any_loader: Loader) -> None:
    found, report = any_loader.read(vary(make_rows(dates=1), game_id=["0022300001"] * 8))
    assert_that([row["is_home"] for row in found], equal_to([None] * 8))
    assert_that(report.home_derived, equal_to(0))


@pytest.mark.parametrize(
    ("name", "lookup"),
    [
        ("Nikola Jokić", "nikolajokic"),
        ("Nikola Jokic\u0301", "nikolajokic"),
        ("Jaren Jackson Jr.", "jarenjacksonjr"),
        ("Shai Gilgeous-Alexander", "shaigilgeousalexander"),
        ("O'Neal  SHAQUILLE 3", "onealshaquille3"),
        ("ﬁn\u200bley", "finley"),
        ("王哲林", None),
        ("🏀 ...", None),
    ],
)
def test_a_lookup_keeps_the_letters_and_digits_of_the_name(name: str, lookup: str | None) -> None:
    assert_that(make_lookup(name), equal_to(lookup))


def test_lookups_are_made_from_names_only_where_there_is_none(any_loader: Loader) -> None:
    rows = vary(
        make_rows(dates=1).slice(0, 3),
        player_lookup=["kept", None, " "],
        player_full_name=["Not Used", "Luka Dončić", "Tim Hardaway Jr."],
    )
    found, report = any_loader.read(rows)
    assert_that([row["player_lookup"] for row in found], equal_to(["kept", "lukadoncic", "timhardawayjr"]))
    assert_that(report.lookups_made, equal_to(2))


def test_a_file_of_names_needs_no_lookups(any_loader: Loader) -> None:
    rows = vary(make_rows(dates=1).slice(0, 2), player_full_name=["Al Horford", "王"])
    found, report = any_loader.read(rows.drop_columns("player_lookup"))
    assert_that([row["player_lookup"] for row in found], equal_to(["alhorford"]))
    assert_that(report.rejected, has_length(1))
    assert_that(next(iter(report.rejected)), contains_string("player_lookup is missing, first in row 2"))


# What is rejected


def test_rejected_rows_are_counted_with_file_column_first_row_and_value(any_loader: Loader) -> None:
    texts = pa.array(["10", "x7", "11", "7.5", None, "12", "13", "14"])
    found, report = any_loader.read(vary(make_rows(dates=1), points=texts))
    assert_that([row["points"] for row in found], equal_to([10, 11, None, 12, 13, 14]))
    assert_that(list(report.rejected.values()), equal_to([2]))
    assert_that(
        next(iter(report.rejected)),
        all_of(
            contains_string(str(any_loader.directory)),
            contains_string(f"1.{any_loader.suffix}: points cannot be parsed, first in row 2: 'x7'"),
        ),
    )


def test_a_row_that_breaks_twice_is_counted_once(any_loader: Loader) -> None:
    rows = vary(
        make_rows(dates=1),
        points=pa.array(["x"] + ["1"] * 7),
        turnovers=pa.array(["x", "y"] + ["1"] * 6),
        player_lookup=[None] * 3 + ["a", "b", "c", "d", "e"],
    )
    found, report = any_loader.read(rows)
    assert_that(found, has_length(5))
    assert_that(
        {reason.split(": ")[1]: count for reason, count in report.rejected.items()},
        has_entries(
            {"points cannot be parsed, first in row 1": 1, "turnovers cannot be parsed, first in row 2": 1}
        ),
    )
    assert_that(sum(report.rejected.values()), equal_to(3))


def test_a_long_value_is_cut_in_the_message(any_loader: Loader) -> None:
    _, report = any_loader.read(vary(make_rows(dates=1), points=pa.array(["9" * 5000] + ["1"] * 7)))
    (reason,) = report.rejected
    assert_that(reason, contains_string("'" + "9" * 40 + "'"))


def test_rows_without_player_or_date_are_rejected_and_every_other_row_is_loaded(any_loader: Loader) -> None:
    rows = vary(
        make_rows(dates=1),
        player_lookup=[None, "  ", *"abcdef"],
        game_date=[FIRST_DATE, FIRST_DATE, None] + [FIRST_DATE] * 5,
        points=[1, 2, 3, -5, 10**6, None, 4, 4],
        team_abbr=["BOS", "BOS", "BOS", "BOS", "BOS", None, "LAL", "LAL"],
        minutes_played=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5000.0, -1.0],
    )
    found, report = any_loader.read(rows)
    assert_that([row["player_lookup"] for row in found], equal_to(list("bcdef")))
    assert_that(
        [(reason.split(": ")[1], count) for reason, count in report.rejected.items()],
        contains_inanyorder(
            ("player_lookup is missing, first in row 1", 2), ("game_date is missing, first in row 3", 1)
        ),
    )


def test_numbers_that_are_not_finite_are_counted(loader: Loader) -> None:
    nan, inf = float("nan"), float("inf")
    rows = vary(
        make_rows(dates=1),
        points=pa.array([nan, inf, 1.0, None, 1.0, 1.0, 1.0, 1.0]),
        minutes_played=[1.0, 1.0, nan, -inf, None, 1.0, 1.0, 1.0],
    )
    found, report = loader.read(rows)
    assert_that([row["points"] for row in found][:4], equal_to([None, None, 1, None]))
    assert_that(report, has_properties(non_finite=4, rejected=empty()))


# Duplicates inside one import


@pytest.mark.parametrize(
    ("columns", "winner"),
    [
        ({"points": [50, 9], "minutes_played": [0.0, 30.0], "is_dnp": [True, False]}, 1),
        ({"points": [None, 9], "processed_at": [LATER, EARLIER]}, 1),
        ({"points": [50, 9], "processed_at": [EARLIER, LATER]}, 1),
        ({"points": [50, 9], "processed_at": [None, EARLIER]}, 1),
        ({"points": [50, 9], "game_id": ["20240110_A_B", "20240110_A_C"]}, 1),
        ({"points": [8, 9]}, 1),
        ({"turnovers": [None, 0]}, 1),
        ({"is_dnp": [None, False]}, 1),
        ({"minutes_played": [30.001, 30.002]}, 1),
    ],
    ids=[
        *("played", "played before later", "later", "absent instant last", "greater game", "greater value"),
        *("NULL lowest", "false before NULL", "minutes within a second"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_of_two_rows_for_one_key_one_counts_whatever_their_order(
    loader: Loader, columns: dict[str, list[Any]], winner: int, swapped: bool
) -> None:
    rows = two_rows(**columns)
    expected = {name: values[winner] for name, values in columns.items()}
    found, report = loader.read(rows.take([1, 0]) if swapped else rows)
    assert_that(found, contains_exactly(has_entries(expected)))
    assert_that(report.duplicates, equal_to(1))


def test_exact_duplicates_leave_one_row(any_loader: Loader) -> None:
    rows = make_rows()
    found, report = any_loader.read(rows, rows, rows)
    assert_that(sorted(map(str, found)), equal_to(sorted(map(str, any_loader.read(rows)[0]))))
    assert_that(report, has_properties(duplicates=48, files=3, rows_in=72))


def test_the_order_of_files_and_rows_does_not_matter(loader: Loader) -> None:
    seed = 20240110
    rng = random.Random(seed)
    base = make_rows(dates=4)
    count = base.num_rows
    versions = [
        vary(
            base,
            points=[rng.choice([0, 9, None]) for _ in range(count)],
            minutes_played=[rng.choice([0.0, 30.0, 30.004]) for _ in range(count)],
            processed_at=[rng.choice([None, EARLIER, LATER]) for _ in range(count)],
            player_full_name=[rng.choice([None, "A", "é"]) for _ in range(count)],
        )
        for _ in range(4)
    ]
    expected = None
    for _ in range(6):
        rng.shuffle(versions)
        shuffled = [rows.take(rng.sample(range(count), count)) for rows in versions]
        found, report = loader.read(*shuffled)
        assert_that(report.duplicates, equal_to(3 * count))
        content = sorted(map(str, found))
        assert content == (expected or content), f"seed {seed}"
        expected = content


# Against stored rows


def test_a_first_import_adds_every_row_and_makes_the_table(any_loader: Loader) -> None:
    outcome = any_loader.load(make_rows())
    assert_that(outcome, equal_to(LoadOutcome(24, 0, 0, 0, 0, version=1)))
    assert_that(any_loader.stored(), has_length(24))


def test_the_same_file_twice_changes_nothing_but_the_version(any_loader: Loader) -> None:
    rows = vary(make_rows(), minutes_played=[float("nan"), None, -0.0, 1e308] * 6)
    any_loader.load(rows, at=NOW)
    before = any_loader.stored()
    outcome = any_loader.load(rows, at=LATER)
    assert_that(outcome, equal_to(LoadOutcome(0, 0, 24, 0, 0, version=2)))
    assert_that(list(map(str, any_loader.stored())), equal_to(list(map(str, before))))


def test_an_incoming_row_replaces_the_stored_one_and_only_that_one(any_loader: Loader) -> None:
    rows = make_rows(dates=1)
    any_loader.load(rows, at=NOW)
    outcome = any_loader.load(vary(rows, points=[99, *rows["points"].to_pylist()[1:]]).slice(0, 4), at=LATER)
    assert_that(outcome, equal_to(LoadOutcome(0, 1, 3, 0, 0, version=2)))
    stored = any_loader.stored("player_lookup", "points", "processed_at")
    assert_that(stored, has_items(("bos0", 99, LATER), ("bos1", 12, NOW), ("lal0", 10, NOW)))
    assert_that(stored, has_length(8))


def test_a_value_that_becomes_null_is_a_change(any_loader: Loader) -> None:
    any_loader.load(one_row(turnovers=3))
    assert_that(any_loader.load(one_row(turnovers=None)), has_properties(replaced=1, unchanged=0))
    assert_that(any_loader.stored("turnovers"), equal_to([(None,)]))


@pytest.mark.parametrize(
    ("stored", "incoming", "replaced"),
    [(NOW, EARLIER, False), (NOW, NOW, True), (NOW, LATER, True), (EARLIER, None, True)],
    ids=["older", "of the same instant", "newer", "without an instant"],
)
def test_an_older_row_is_kept_back_and_counted(
    any_loader: Loader, stored: datetime, incoming: datetime | None, replaced: bool
) -> None:
    any_loader.load(one_row(points=1, processed_at=stored))
    outcome = any_loader.load(one_row(points=2, processed_at=incoming), at=LATER)
    assert_that(outcome, has_properties(replaced=int(replaced), older=int(not replaced), unchanged=0))
    expected = (2, incoming or LATER) if replaced else (1, stored)
    assert_that(any_loader.stored("points", "processed_at"), equal_to([expected]))


def test_processed_at_is_set_where_absent_and_kept_where_the_content_is_unchanged(any_loader: Loader) -> None:
    rows = vary(make_rows(dates=1).slice(0, 3), processed_at=[EARLIER, None, None])
    any_loader.load(rows, at=NOW)
    assert_that(any_loader.stored("processed_at"), equal_to([(EARLIER,), (NOW,), (NOW,)]))
    any_loader.load(vary(rows, points=[10, 12, 77], processed_at=[LATER, LATER, None]), at=LATER)
    assert_that(any_loader.stored("processed_at"), equal_to([(EARLIER,), (NOW,), (LATER,)]))


def test_replace_dates_removes_the_other_rows_of_the_dates_in_the_files(any_loader: Loader) -> None:
    rows = make_rows(dates=3)
    any_loader.load(rows)
    second = FIRST_DATE + timedelta(days=1)
    few = rows.filter(pa.compute.equal(rows["game_date"], pa.scalar(second))).slice(0, 2)
    outcome = any_loader.load(few, at=LATER, replace_dates=True)
    assert_that(outcome, equal_to(LoadOutcome(0, 0, 2, 0, removed=6, version=2)))
    days = [day for (day,) in any_loader.stored("game_date")]
    assert_that([days.count(FIRST_DATE + timedelta(days=n)) for n in range(3)], equal_to([8, 2, 8]))


def test_replace_dates_takes_older_rows_too(any_loader: Loader) -> None:
    any_loader.load(one_row(points=1, processed_at=NOW))
    outcome = any_loader.load(one_row(points=2, processed_at=EARLIER), replace_dates=True)
    assert_that(outcome, has_properties(replaced=1, older=0, removed=0))
    assert_that(any_loader.stored("points", "processed_at"), equal_to([(2, EARLIER)]))


def test_replacing_the_dates_of_an_empty_file_removes_nothing(any_loader: Loader) -> None:
    any_loader.load(make_rows())
    outcome = any_loader.load(make_rows().slice(0, 0), replace_dates=True)
    assert_that(outcome, equal_to(LoadOutcome(0, 0, 0, 0, 0, version=2)))
    assert_that(any_loader.stored(), has_length(24))


def test_one_import_after_the_other_ends_like_both_at_once(tmp_path: Path) -> None:
    first = vary(make_rows(), processed_at=[EARLIER] * 24)
    second = vary(make_rows(dates=4), points=[7] * 32, processed_at=[LATER] * 32)
    stored = []
    for number, imports in enumerate(([[first], [second]], [[second], [first]], [[first, second]])):
        loader = Loader(tmp_path, str(tmp_path / f"{number}.duckdb"))
        for tables in imports:
            loader.load(*tables)
        stored.append(loader.stored())
    assert_that(stored, only_contains(stored[0]))


def test_every_import_raises_the_version_the_reader_is_compared_with(loader: Loader) -> None:
    for version in (1, 2, 3):
        assert_that(loader.load(make_rows()).version, equal_to(version))
        assert_that(read_input_version(loader.warehouse), equal_to(version))


def test_rows_are_stored_in_the_order_of_their_dates(loader: Loader) -> None:
    loader.load(make_rows(dates=5).take(random.Random(1).sample(range(40), 40)))
    with DuckDBWarehouse(loader.warehouse).open() as connection:
        days: list[tuple[date]] = connection.execute(
            f"SELECT game_date FROM {PLAYER_GAME_SUMMARY.path} ORDER BY rowid"
        ).fetchall()
    assert_that(days, equal_to(sorted(days)))


def test_one_person_with_several_lookups_and_one_lookup_with_several_people_are_named(
    any_loader: Loader,
) -> None:
    outcome = any_loader.load(
        vary(
            make_rows(dates=1).slice(0, 6),
            player_lookup=["old", "new", "same", "same", "alone", "alone"],
            universal_player_id=["1", "1", "2", "3", "4", "4"],
            game_date=[FIRST_DATE + timedelta(days=n) for n in range(6)],
        )
    )
    assert_that(outcome.several_lookups, contains_exactly("1: new, old"))
    assert_that(outcome.several_people, contains_exactly("same: 2, 3"))
    assert_that(any_loader.stored("player_lookup"), has_items(("old",), ("new",), ("same",), ("alone",)))


def test_people_are_compared_with_the_seasons_that_are_stored(loader: Loader) -> None:
    loader.load(one_row(player_lookup="old", universal_player_id="1"))
    next_season = FIRST_DATE + timedelta(days=365)
    outcome = loader.load(one_row(player_lookup="new", universal_player_id="1", game_date=next_season))
    assert_that(outcome.several_lookups, contains_exactly("1: new, old"))
    others = loader.load(one_row(player_lookup="third", universal_player_id="3"))
    assert_that(others.several_lookups, empty())


def test_a_long_list_of_lookups_is_cut(loader: Loader) -> None:
    outcome = loader.load(vary(make_rows(dates=1), universal_player_id=["0"] * 8))
    assert_that(outcome.several_lookups, contains_exactly("0: bos0, bos1, chi0, chi1, den0 and 3 more"))


# What refuses


def test_a_stored_table_of_another_shape_is_refused_and_left_alone(loader: Loader) -> None:
    with DuckDBWarehouse(loader.warehouse).open(read_only=False) as connection:
        connection.execute("CREATE SCHEMA nba_analytics")
        connection.execute(f"CREATE TABLE {PLAYER_GAME_SUMMARY.path} (player_lookup VARCHAR, game_date DATE)")
    with pytest.raises(WrongShape) as refused:
        loader.load(make_rows())
    assert_that(refused.value, has_string(contains_string("lacks the column(s) game_id, team_abbr")))
    assert_that(loader.stored("player_lookup", "game_date"), empty())
    assert_that(read_input_version(loader.warehouse), equal_to(0))


def test_a_stored_table_may_have_more_columns(loader: Loader) -> None:
    loader.load(make_rows(dates=1))
    with DuckDBWarehouse(loader.warehouse).open(read_only=False) as connection:
        connection.execute(f"ALTER TABLE {PLAYER_GAME_SUMMARY.path} ADD COLUMN note VARCHAR")
    assert_that(loader.load(make_rows(dates=2)), has_properties(added=8, unchanged=8))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (make_rows().drop_columns("points"), r"lacks the column\(s\) points; found 'player_lookup'"),
        (make_rows().drop_columns(["points", "game_id"]), r"lacks the column\(s\) game_id, points"),
        (make_rows().rename_columns([n.upper() for n in make_rows().column_names]), r"lacks the column\(s\)"),
        (
            pa.table([*make_rows().columns, make_rows()["points"]], [*make_rows().column_names, "points"]),
            "the column 'points' appears twice",
        ),
        (
            pa.table({f"c{n}": [1] for n in range(1001)}),
            "1001 columns, at most 1000 are read",
        ),
    ],
    ids=["missing", "two missing", "upper case", "twice", "too many"],
)
def test_files_without_the_columns_are_refused(any_loader: Loader, rows: pa.Table, message: str) -> None:
    with pytest.raises(BadInput, match=message) as refused:
        any_loader.read(rows)
    assert_that(refused.value, has_string(contains_string(f"1.{any_loader.suffix}")))


def test_one_bad_file_of_several_refuses_them_all(any_loader: Loader) -> None:
    any_loader.load(make_rows(dates=1))
    with pytest.raises(BadInput):
        any_loader.load(make_rows(dates=2), make_rows().drop_columns("points"))
    assert_that(any_loader.stored(), has_length(8))
    assert_that(read_input_version(any_loader.warehouse), equal_to(1))


def test_loading_is_one_transaction(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.load(make_rows(dates=1))
    before = loader.stored()

    def fail(*args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(duckdb_load, "raise_version", fail)
    with pytest.raises(KeyboardInterrupt):
        loader.load(vary(make_rows(dates=2), points=[99] * 16), replace_dates=True)
    assert_that(loader.stored(), equal_to(before))
    assert_that(read_input_version(loader.warehouse), equal_to(1))


def test_a_generated_league_and_an_import_do_not_mix(loader: Loader) -> None:
    warehouse = DuckDBWarehouse(loader.warehouse)
    rows, _ = read_files([loader.write(make_rows())])
    count, dates = warehouse.load_generated([(PLAYER_GAME_SUMMARY, rows)], NOW)
    assert_that((count, str(dates)), equal_to(({PLAYER_GAME_SUMMARY.path: 24}, "2024-01-10 to 2024-01-12")))
    assert_that(warehouse.load_generated([(PLAYER_GAME_SUMMARY, rows)], NOW), equal_to((count, dates)))
    assert_that(loader.load(make_rows()).version, greater_than(2))
    with pytest.raises(
        BadInput, match=r"rows from 2024-01-10 to 2024-01-12 .* that the demo did not generate"
    ):
        warehouse.load_generated([(PLAYER_GAME_SUMMARY, rows)], NOW)


class Recorder:
    """A connection that remembers the statements it was given."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.statements = connection, []

    def execute(self, statement: str, *parameters: Any) -> Any:
        self.statements.append(statement)
        return self.connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def test_statements_on_stored_rows_carry_both_bounds_of_the_date(loader: Loader) -> None:
    loader.load(make_rows())
    rows, _ = read_files([loader.write(make_rows(dates=4))])
    with DuckDBWarehouse(loader.warehouse).open(read_only=False) as connection:
        recorder = Recorder(connection)
        duckdb_load.load_rows(recorder, rows, NOW, replace_dates=True)
    reading = [
        statement
        for statement in recorder.statements
        if '"player_game_summary"' in statement and not statement.startswith(("INSERT", "SELECT MIN("))
    ]
    assert_that(reading, has_length(greater_than(3)))
    assert_that(
        reading,
        only_contains(all_of(contains_string(">= DATE '2024-01-10'"), contains_string("< DATE '2024-01-1"))),
    )
