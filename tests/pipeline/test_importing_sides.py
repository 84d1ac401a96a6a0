"""What an import makes of the files of the side tables, and how their rows meet those that are stored."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from boxscores import make_rows, read_stored, write_file
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
    has_length,
    has_properties,
    not_,
    only_contains,
    starts_with,
)

from pipeline.aliases import find_circles
from pipeline.commands.app import main
from pipeline.errors import BadInput, WrongShape
from pipeline.imports.converting import ImportReport
from pipeline.imports.importing import read_files
from pipeline.warehouse import duckdb_load
from pipeline.warehouse.base import LoadOutcome
from pipeline.warehouse.duckdb import DuckDBWarehouse
from pipeline.warehouse.duckdb_connection import read_version
from transforms.schema import Table
from transforms.side_tables import (
    INJURY_REPORT,
    INPUTS,
    PLAYER_ALIASES,
    POINTS_LINES,
    REGISTRY,
    SCHEDULE,
    SIDE_TABLES,
    UPCOMING,
)

NOW = datetime(2024, 7, 1, tzinfo=UTC)
DAY, NEXT = date(2024, 1, 10), date(2024, 1, 11)
NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")
LOGS, DATED = (INJURY_REPORT, POINTS_LINES), tuple(table for table in SIDE_TABLES if table.partition)
UNDATED = tuple(table for table in SIDE_TABLES if not table.partition)

SAMPLES: dict[str, tuple[tuple[Any, ...], ...]] = {
    UPCOMING.name: (
        ("ada", "0022300001", DAY, "BOS", "CHI", False),
        ("bo", "0022300001", DAY, "CHI", "BOS", True),
        ("ada", "0022300002", NEXT, "BOS", "DEN", None),
    ),
    SCHEDULE.name: (
        ("0022300001", DAY, "CHI", "BOS", 3, "Regular Season", NOON),
        ("0022300002", NEXT, "DEN", "BOS", 1, None, None),
    ),
    REGISTRY.name: (
        ("ada", "nba_1", date(1990, 5, 1)),
        ("bo", None, None),
        ("joki\u0107", "nba_203999", date(1995, 2, 19)),
    ),
    PLAYER_ALIASES.name: (("ada1", "ada"), ("o'neal", 'the "big" one'), ("joki\u0107", "jokic")),
    INJURY_REPORT.name: (
        ("ada", DAY, "BOS", "Questionable", NOON),
        ("ada", DAY, "BOS", "Out", NOON + timedelta(hours=5)),
        ("bo", NEXT, None, "no such status", None),
    ),
    POINTS_LINES.name: (
        ("ada", DAY, "DraftKings", 21.5, NOON),
        ("ada", DAY, None, 22.0, NOON),
        ("bo", NEXT, "FanDuel", -3.5, None),
    ),
}


def make_table(table: Table, *rows: tuple[Any, ...]) -> pa.Table:
    """Rows with a value for each column, in the table's types; without ``rows`` the samples."""
    found = rows or SAMPLES[table.name]
    columns = zip(*found, strict=True)
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, table.schema, strict=True)],
        schema=table.schema,
    )


def vary(rows: pa.Table, **columns: Any) -> pa.Table:
    """The rows with these columns in the place of their own, in the types that the values have."""
    for name, values in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    return rows


class Loader:
    """Imports tables as files of one kind, each under a new name."""

    def __init__(self, directory: Path, suffix: str = "parquet") -> None:
        self.directory, self.suffix, self.files = directory, suffix, 0
        self.path = str(directory / "w.duckdb")
        self.warehouse = DuckDBWarehouse(self.path)

    def write(self, rows: pa.Table) -> str:
        self.files += 1
        return write_file(rows, self.directory / f"{self.files}.{self.suffix}")

    def read(self, table: Table, *files: pa.Table) -> tuple[list[dict[str, Any]], ImportReport]:
        rows, report = read_files([self.write(rows) for rows in files], table)
        assert_that(rows.schema, equal_to(table.schema))
        return rows.to_pylist(), report

    def load(self, table: Table, *files: pa.Table, replace_dates: bool = False) -> LoadOutcome:
        rows, _ = read_files([self.write(rows) for rows in files], table)
        return self.warehouse.load(rows, NOW, replace_dates=replace_dates, table=table)

    def stored(self, table: Table) -> list[Any]:
        with self.warehouse.open() as connection:
            return connection.execute(f"SELECT * FROM {table.path} ORDER BY ALL").fetchall()

    def version(self, table: Table) -> tuple[int, str] | None:
        with self.warehouse.open() as connection:
            return read_version(connection, table)


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


@pytest.fixture(params=["csv", "parquet"])
def any_loader(request: pytest.FixtureRequest, tmp_path: Path) -> Loader:
    return Loader(tmp_path, request.param)


def each_table(*tables: Table) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "table", tables or SIDE_TABLES, ids=[t.name for t in tables or SIDE_TABLES]
    )


def sort(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=str)


def as_dicts(table: Table, *rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    return make_table(table, *rows).to_pylist()


# What is read


@each_table()
def test_csv_and_parquet_give_the_rows_as_they_were(table: Table, any_loader: Loader) -> None:
    found, report = any_loader.read(table, make_table(table))
    assert_that(sort(found), equal_to(sort(as_dicts(table))))
    assert_that(report, has_properties(table=table.path, rejected=empty(), duplicates=0, non_finite=0))


@each_table()
def test_columns_come_in_any_order_and_others_are_named_and_ignored(table: Table, loader: Loader) -> None:
    rows = make_table(table)
    rows = rows.select(rows.column_names[::-1]).append_column("note", pa.array([[1]] * rows.num_rows))
    found, report = loader.read(table, rows)
    assert_that(sort(found), equal_to(sort(as_dicts(table))))
    assert_that(report, has_properties(ignored_columns={"note"}, absent_columns=empty()))


@each_table()
def test_optional_columns_may_be_absent_and_are_null(table: Table, any_loader: Loader) -> None:
    optional = set(table.schema.names) - set(table.required)
    found, report = any_loader.read(table, make_table(table).select(list(table.required)))
    assert_that(report.absent_columns, equal_to(optional))
    assert_that(found, not_(empty()))
    assert_that({row[name] for row in found for name in optional} - {None}, empty())


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column) for table in SIDE_TABLES for column in table.required],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_file_without_a_required_column_is_refused(table: Table, column: str, any_loader: Loader) -> None:
    with pytest.raises(BadInput) as refused:
        any_loader.read(table, make_table(table), make_table(table).drop_columns(column))
    other = next(name for name in table.schema.names if name != column)
    for told in (f"2.{any_loader.suffix}", f"lacks the column(s) {column} of {table.path}", f"{other!r}"):
        assert_that(str(refused.value), contains_string(told))


def test_the_columns_of_another_table_or_of_an_export_are_not_enough(loader: Loader) -> None:
    for rows in (make_rows(), make_table(SCHEDULE), pa.table({"PLAYER_NAME": ["Ada"], "GAME_ID": ["1"]})):
        with pytest.raises(BadInput, match=r"lacks the column\(s\) alias_lookup, nba_canonical_lookup"):
            loader.read(PLAYER_ALIASES, rows)


@each_table()
def test_a_side_table_in_the_place_of_box_scores_is_told_the_flag(table: Table, loader: Loader) -> None:
    told = f"It has the columns of {table.path}: import it with --table {table.name}"
    for rows in (make_table(table), make_table(table).select(list(table.required))):
        with pytest.raises(BadInput, match=told):
            read_files([loader.write(rows)])


def test_box_scores_that_lack_a_column_are_not_taken_for_a_side_table(loader: Loader) -> None:
    with pytest.raises(BadInput) as refused:
        read_files([loader.write(make_rows().drop_columns("points"))])
    assert_that(str(refused.value), not_(contains_string("--table")))


def test_texts_are_trimmed_of_white_space_and_blank_ones_null(any_loader: Loader) -> None:
    rows = make_table(
        INJURY_REPORT, (" ada\t", DAY, "  ", "\n Out \r", NOON), ("\u00a0bo", DAY, "", "\t", NOON)
    )
    found, _ = any_loader.read(INJURY_REPORT, rows)
    assert_that(
        [(row["player_lookup"], row["team"], row["injury_status"]) for row in found],
        contains_inanyorder(("ada", None, "Out"), ("\u00a0bo", None, None)),
    )


def test_types_arrive_as_other_tools_write_them(loader: Loader) -> None:
    late = datetime(2024, 1, 10, 12, 0, 0, 999)
    rows = vary(
        make_table(SCHEDULE),
        game_date=[datetime(2024, 1, 10), datetime(2024, 1, 11)],
        game_status=[3.0, NAN],
        tipoff_at=pa.array(
            [int(late.replace(tzinfo=UTC).timestamp()) * 10**9 + 999_999, None], pa.timestamp("ns")
        ),
        game_id=pa.array(["0022300001", "0022300002"]).dictionary_encode(),
    )
    found, report = loader.read(SCHEDULE, rows)
    (first, second) = sorted(found, key=lambda row: row["game_id"])
    assert_that(first, has_entries(game_date=DAY, game_status=3, tipoff_at=late.replace(tzinfo=UTC)))
    assert_that(second, has_entries(game_date=NEXT, game_status=None, tipoff_at=None))
    assert_that(report.non_finite, equal_to(1))

    zoned = vary(make_table(INJURY_REPORT), reported_at=["2024-01-10 07:00-05:00", "2024-01-10 12:00", None])
    found, _ = loader.read(INJURY_REPORT, zoned)
    assert_that([row["reported_at"] for row in found], contains_inanyorder(NOON, NOON, None))
    home = vary(make_table(UPCOMING), home_game=["t", "False", "1"])
    found, _ = loader.read(UPCOMING, home)
    assert_that([row["home_game"] for row in found], contains_inanyorder(True, False, True))
    people = vary(make_table(REGISTRY), universal_player_id=[203999, None, 7])
    found, _ = loader.read(REGISTRY, people)
    assert_that([row["universal_player_id"] for row in found], contains_inanyorder("203999", None, "7"))
    lines = vary(make_table(POINTS_LINES), points_line=[Decimal("21.5"), Decimal(22), None])
    found, _ = loader.read(POINTS_LINES, lines)
    assert_that([row["points_line"] for row in found], contains_inanyorder(21.5, 22.0, None))


@pytest.mark.parametrize(
    ("table", "column", "values", "kind"),
    [
        (SCHEDULE, "game_id", [22300001, 22300002], "int64"),
        (SCHEDULE, "game_status", [True, False], "bool"),
        (POINTS_LINES, "points_line", [True, False, True], "bool"),
        (POINTS_LINES, "points_line", [DAY, DAY, DAY], "date32"),
        (POINTS_LINES, "snapshot_timestamp", [1704888000] * 3, "int64"),
        (INJURY_REPORT, "reported_at", [DAY] * 3, "date32"),
        (INJURY_REPORT, "injury_status", [[1]] * 3, "list"),
        (UPCOMING, "home_game", [DAY] * 3, "date32"),
        (PLAYER_ALIASES, "alias_lookup", [b"a", b"b", b"c"], "binary"),
        (REGISTRY, "birth_date", [19900501] * 3, "int64"),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else None,
)
def test_a_column_of_another_type_refuses_the_file(
    table: Table, column: str, values: list[Any], kind: str, loader: Loader
) -> None:
    with pytest.raises(
        BadInput, match=rf"1\.parquet: the column {column} has type {kind}.* nothing was loaded"
    ):
        loader.read(table, vary(make_table(table), **{column: values}))


# What is rejected


@pytest.mark.parametrize(
    ("table", "identity"),
    [
        (UPCOMING, ["player_lookup", "game_date"]),
        (SCHEDULE, ["game_id", "game_date"]),
        (REGISTRY, ["player_lookup"]),
        (PLAYER_ALIASES, ["alias_lookup", "nba_canonical_lookup"]),
        (INJURY_REPORT, ["player_lookup", "game_date"]),
        (POINTS_LINES, ["player_lookup", "game_date"]),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else None,
)
def test_only_rows_without_a_part_of_their_identity_are_rejected(
    table: Table, identity: list[str], any_loader: Loader
) -> None:
    first = as_dicts(table)[0]
    rows = [first, *({**first, name: None} for name in table.schema.names), {**first, identity[0]: " \t"}]
    found, report = any_loader.read(table, pa.Table.from_pylist(rows, schema=table.schema))
    rejected = {reason.split(": ")[1]: n for reason, n in report.rejected.items()}
    wanted = {
        f"{name} is missing, first in row {table.schema.names.index(name) + 2}": 1 + (name == identity[0])
        for name in identity
    }
    assert_that(rejected, equal_to(wanted))
    assert_that(len(found) + report.duplicates, equal_to(len(rows) - sum(wanted.values())))


@pytest.mark.parametrize(
    ("table", "column", "texts", "kept"),
    [
        (POINTS_LINES, "points_line", ["34:12", "PT34M", "DNP"], []),
        (POINTS_LINES, "points_line", ["21,5", "over", "1_0"], []),
        (POINTS_LINES, "points_line", ["-3.5", "0", "1e308"], [-3.5, 0.0, 1e308]),
        (POINTS_LINES, "points_line", ["", "NaN", " 21.5 "], [None, None, 21.5]),
        (POINTS_LINES, "snapshot_timestamp", ["2024-01-10", "noon", "2024-01-10 12:00"], [NOON]),
        (INJURY_REPORT, "reported_at", ["2024-02-30 10:00", "1704888000", ""], [None]),
        (INJURY_REPORT, "game_date", ["2024-02-30", "10/01/2024", "2024-01-10"], [DAY]),
        (REGISTRY, "birth_date", ["1990-13-01", "1990", "1990-05-01"], [date(1990, 5, 1)]),
        (UPCOMING, "home_game", ["yes", "2", "0"], [False]),
        (SCHEDULE, "game_status", ["2.5", "9.0"], [9]),
    ],
)
def test_values_that_cannot_be_parsed_reject_their_row_and_the_first_is_shown(
    table: Table, column: str, texts: list[str], kept: list[Any], any_loader: Loader
) -> None:
    found, report = any_loader.read(table, vary(make_table(table), **{column: texts}))
    assert_that([row[column] for row in found], contains_inanyorder(*kept))
    bad = len(texts) - len(kept)
    assert_that(sum(report.rejected.values()), equal_to(bad))
    if bad:
        (reason,) = report.rejected
        assert_that(reason, contains_string(f"{column} cannot be parsed, first in row 1: {texts[0]!r}"))


def test_a_fraction_is_no_game_status_and_a_date_must_be_within_range(loader: Loader) -> None:
    rows = vary(make_table(SCHEDULE), game_status=[2.5, 2.0], game_date=[DAY, date(9999, 12, 31)])
    found, report = loader.read(SCHEDULE, rows)
    assert_that(found, empty())
    assert_that(report.rejected, has_length(2))


def test_lines_that_are_not_finite_are_null_and_counted(loader: Loader) -> None:
    rows = make_table(
        POINTS_LINES, *(("ada", DAY, f"b{n}", x, NOON) for n, x in enumerate([NAN, INF, -INF, 1e308]))
    )
    found, report = loader.read(POINTS_LINES, rows)
    assert_that([row["points_line"] for row in found], contains_inanyorder(None, None, None, 1e308))
    assert_that(report, has_properties(non_finite=3, rejected=empty()))
    texts = vary(rows, points_line=["inf", "-Infinity", "1e999", "7"])
    found, report = loader.read(POINTS_LINES, texts)
    assert_that([row["points_line"] for row in found], contains_inanyorder(None, None, None, 7.0))
    assert_that(report.non_finite, equal_to(3))


HOSTILE = [
    *(
        "joki\u0107",
        "jokic\u0301",
        "\u202eabc",
        "\U0001f3c0",
        "\u738b\u54f2\u6797",
        "NaN",
        "null",
        "x" * 20_000,
    ),
    *("a\nb", 'a"b', "o'neal", "'; DROP TABLE x; --", "a,b", "%s{0}", "=cmd()", "\x1b[2Jx"),
]


@each_table()
def test_hostile_texts_are_kept_as_they_are(table: Table, any_loader: Loader) -> None:
    first = as_dicts(table)[0]
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    rows = [{**first, **dict.fromkeys(texts, name)} for name in HOSTILE]
    outcome = any_loader.load(table, pa.Table.from_pylist(rows, schema=table.schema))
    assert_that(outcome, has_properties(added=len(HOSTILE)))
    column = table.schema.names.index(texts[0])
    assert_that([row[column] for row in any_loader.stored(table)], contains_inanyorder(*HOSTILE))


# Duplicates inside one import


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("table", "loser", "winner"),
    [
        (UPCOMING, ("ada", "1", DAY, "ZZZ", "ZZZ", True), ("ada", "2", DAY, "AAA", "AAA", None)),
        (UPCOMING, ("ada", None, DAY, "BOS", "CHI", True), ("ada", "0", DAY, "AAA", "CHI", False)),
        (UPCOMING, ("ada", "1", DAY, "BOS", None, True), ("ada", "1", DAY, "BOS", "CHI", False)),
        (UPCOMING, ("ada", "1", DAY, "BOS", "CHI", False), ("ada", "1", DAY, "BOS", "CHI", True)),
        (UPCOMING, ("ada", "1", DAY, "BOS", "CHI", None), ("ada", "1", DAY, "BOS", "CHI", False)),
        (SCHEDULE, ("1", DAY, "BOS", "ZZZ", 9, "x", NOON), ("1", DAY, "CHI", "AAA", 1, None, None)),
        (SCHEDULE, ("1", DAY, "BOS", "CHI", 3, "x", NOON), ("1", DAY, "BOS", "CHI", 9, None, None)),
        (SCHEDULE, ("1", DAY, "BOS", "CHI", 3, None, NOON), ("1", DAY, "BOS", "CHI", 3, "a", None)),
        (SCHEDULE, ("1", DAY, "BOS", "CHI", 3, "z", NOON), ("1", DAY, "BOS", "CHI", 3, "\u00e9", None)),
        (SCHEDULE, ("1", DAY, "BOS", "CHI", 3, "a", None), ("1", DAY, "BOS", "CHI", 3, "a", NOON)),
        (REGISTRY, ("ada", "nba_9", DAY), ("ada", "nba_1", NEXT)),
        (REGISTRY, ("ada", "nba_9", None), ("ada", None, DAY)),
        (REGISTRY, ("ada", "nba_1", DAY), ("ada", "nba_2", DAY)),
        (REGISTRY, ("ada", None, DAY), ("ada", "", DAY)),
        (PLAYER_ALIASES, ("a", "zed"), ("a", "ada")),
    ],
)  # fmt: skip
def test_of_rows_for_one_key_one_counts_whatever_their_order(
    table: Table, loser: tuple[Any, ...], winner: tuple[Any, ...], swapped: bool, loader: Loader
) -> None:
    rows = [winner, loser] if swapped else [loser, winner]
    expected = [{n: v if v != "" else None for n, v in row.items()} for row in as_dicts(table, winner)]
    for files in ([make_table(table, *rows)], [make_table(table, row) for row in rows]):
        found, report = loader.read(table, *files)
        assert_that(found, equal_to(expected))
        assert_that(report.duplicates, equal_to(1))


@each_table(*LOGS)
def test_reports_are_one_only_when_alike_in_every_column(table: Table, any_loader: Loader) -> None:
    first, other = as_dicts(table)[0], as_dicts(table)[2]
    rows = [first, *({**first, n: other[n]} for n in table.schema.names)]
    content = pa.Table.from_pylist(rows, schema=table.schema)
    found, report = any_loader.read(table, content, content)
    assert_that(sort(found), equal_to(sort(rows)))
    assert_that(report.duplicates, equal_to(len(rows)))


def test_lines_that_differ_in_nothing_that_is_known_are_one(loader: Loader) -> None:
    rows = make_table(POINTS_LINES, *(("ada", DAY, None, x, NOON) for x in (NAN, None, INF, 0.0, -0.0)))
    found, report = loader.read(POINTS_LINES, rows)
    assert_that([str(row["points_line"]) for row in found], contains_inanyorder("None", "0.0"))
    assert_that(report.duplicates, equal_to(3))


@each_table()
def test_the_order_of_rows_and_files_does_not_matter(table: Table, loader: Loader) -> None:
    seed = 20240110
    rng = random.Random(seed)
    values: dict[pa.DataType, list[Any]] = {
        pa.string(): [None, "a", "B", "\u00e9"],
        pa.date32(): [DAY, NEXT],
        pa.int64(): [None, 1, 9],
        pa.bool_(): [None, True, False],
        pa.float64(): [None, NAN, 0.0, -0.0, 21.5],
        pa.timestamp("us", "UTC"): [None, NOON, NOW],
    }
    rows = [{f.name: rng.choice(values[f.type]) for f in table.schema} for _ in range(60)]
    first = None
    for _ in range(5):
        rng.shuffle(rows)
        cut = rng.randrange(1, 60)
        files = [pa.Table.from_pylist(part, schema=table.schema) for part in (rows[:cut], rows[cut:])]
        found, report = loader.read(table, *files)
        outcome = sort(found), report.duplicates, sum(report.rejected.values())
        assert outcome == (first or outcome), f"seed {seed}"
        first = outcome
    assert_that(report.duplicates, greater_than(0))


# Against stored rows


@each_table()
def test_importing_twice_changes_nothing_but_the_version(table: Table, loader: Loader) -> None:
    count = len(SAMPLES[table.name])
    assert_that(loader.load(table, make_table(table)), equal_to(LoadOutcome(count, 0, 0, None, 0, version=1)))
    before = loader.stored(table)
    assert_that(sort(before), equal_to(sort(list(SAMPLES[table.name]))))
    for version in (2, 3):
        outcome = loader.load(table, make_table(table), replace_dates=version == 3 and table in DATED)
        assert_that(outcome, equal_to(LoadOutcome(0, 0, count, None, 0, version=version)))
        assert_that(loader.stored(table), equal_to(before))


@each_table()
def test_an_import_raises_the_version_of_its_table_only(table: Table, loader: Loader) -> None:
    for other in SIDE_TABLES:
        loader.load(other, make_table(other))
    loader.load(table, make_table(table).slice(0, 0))
    assert_that(
        {other.path: loader.version(other) for other in SIDE_TABLES},
        equal_to({other.path: (2 if other is table else 1, "import") for other in SIDE_TABLES}),
    )
    assert_that(loader.version(INPUTS[0]), equal_to(None))


@pytest.mark.parametrize(
    ("table", "incoming"),
    [
        (UPCOMING, ("ada", "0", DAY, "AAA", None, None)),
        (SCHEDULE, ("0022300001", DAY, "AAA", None, None, None, None)),
        (REGISTRY, ("ada", None, None)),
        (PLAYER_ALIASES, ("ada1", "zed")),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else None,
)
def test_the_incoming_row_replaces_the_stored_one_of_its_key(
    table: Table, incoming: tuple[Any, ...], loader: Loader
) -> None:
    loader.load(table, make_table(table))
    outcome = loader.load(table, make_table(table, incoming))
    assert_that(outcome, equal_to(LoadOutcome(0, 1, 0, None, 0, version=2)))
    assert_that(loader.stored(table), contains_inanyorder(incoming, *SAMPLES[table.name][1:]))


@pytest.mark.parametrize(
    ("table", "column"),
    [(t, n) for t in SIDE_TABLES if t not in LOGS for n in t.schema.names if n not in t.key],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_row_that_differs_in_any_column_is_replaced(table: Table, column: str, loader: Loader) -> None:
    first = as_dicts(table)[0]
    loader.load(table, make_table(table))
    value = "other" if column == "nba_canonical_lookup" else None
    changed = pa.Table.from_pylist([{**first, column: value}], schema=table.schema)
    assert_that(loader.load(table, changed), has_properties(replaced=1, added=0, unchanged=0))
    assert_that(loader.load(table, make_table(table)), has_properties(replaced=1, added=0))
    assert_that(sort(loader.stored(table)), equal_to(sort(list(SAMPLES[table.name]))))


def test_a_game_that_moved_does_not_stay_behind(loader: Loader) -> None:
    moved = ("0022300001", date(2024, 3, 1), "CHI", "BOS", 1, "Regular Season", None)
    loader.load(SCHEDULE, make_table(SCHEDULE))
    outcome = loader.load(SCHEDULE, make_table(SCHEDULE, moved))
    assert_that(outcome, equal_to(LoadOutcome(1, 0, 0, None, removed=1, version=2)))
    assert_that(loader.stored(SCHEDULE), contains_exactly(moved, SAMPLES[SCHEDULE.name][1]))


def test_a_postponed_game_stays_where_the_file_names_it(loader: Loader) -> None:
    kept, other = SAMPLES[SCHEDULE.name]
    postponed = (*kept[:4], 9, *kept[5:])
    replayed = (kept[0], date(2023, 12, 1), *kept[2:])
    loader.load(SCHEDULE, make_table(SCHEDULE))
    outcome = loader.load(SCHEDULE, make_table(SCHEDULE, postponed, replayed))
    assert_that(outcome, equal_to(LoadOutcome(1, 1, 0, None, removed=0, version=2)))
    assert_that(loader.stored(SCHEDULE), contains_inanyorder(postponed, replayed, other))


@each_table(*LOGS)
def test_a_log_is_only_added_to(table: Table, loader: Loader) -> None:
    loader.load(table, make_table(table))
    first = as_dicts(table)[0]
    news = [{**first, table.schema.names[-1]: NOW}, {**first, table.schema.names[2]: None}]
    outcome = loader.load(table, pa.Table.from_pylist([first, *news], schema=table.schema))
    assert_that(outcome, equal_to(LoadOutcome(2, 0, 1, None, 0, version=2)))
    everything = [*SAMPLES[table.name], *(tuple(row.values()) for row in news)]
    assert_that(sort(loader.stored(table)), equal_to(sort(everything)))


@each_table(*DATED)
def test_replace_dates_removes_the_other_rows_of_the_dates_in_the_files(table: Table, loader: Loader) -> None:
    first = as_dicts(table)[0]
    name = table.schema.names[0]
    far = [{**first, "game_date": day, name: f"far{n}"} for n, day in enumerate((date(2001, 1, 1), NEXT))]
    news = {**first, name: "new"}
    loader.load(table, make_table(table), pa.Table.from_pylist(far, schema=table.schema))
    before = loader.stored(table)
    incoming = [first, news, {**news, "game_date": NEXT + timedelta(days=1), name: "newer"}]
    outcome = loader.load(table, pa.Table.from_pylist(incoming, schema=table.schema), replace_dates=True)
    index = table.schema.names.index("game_date")
    others = [row for row in before if row[index] != DAY]
    removed = sum(row[index] == DAY for row in before) - 1
    assert_that(outcome, equal_to(LoadOutcome(2, 0, 1, None, removed, version=2)))
    assert_that(
        sort(loader.stored(table)), equal_to(sort([*others, *(tuple(row.values()) for row in incoming)]))
    )


@each_table()
def test_an_empty_file_removes_nothing(table: Table, loader: Loader) -> None:
    loader.load(table, make_table(table))
    nothing = make_table(table).slice(0, 0)
    outcome = loader.load(table, nothing, replace_dates=table in DATED)
    assert_that(outcome, equal_to(LoadOutcome(0, 0, 0, None, 0, version=2)))
    assert_that(loader.stored(table), has_length(len(SAMPLES[table.name])))


@each_table()
def test_loading_is_one_transaction(table: Table, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.load(table, make_table(table))
    before = loader.stored(table)

    def fail(*args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(duckdb_load, "raise_version", fail)
    first = as_dicts(table)[0] | {table.key[0]: "somebody"}
    with pytest.raises(KeyboardInterrupt):
        loader.load(table, pa.Table.from_pylist([first], schema=table.schema), replace_dates=table in DATED)
    assert_that(loader.stored(table), equal_to(before))
    assert_that(loader.version(table), equal_to((1, "import")))


@each_table()
def test_a_stored_table_of_another_shape_is_refused(table: Table, loader: Loader) -> None:
    with loader.warehouse.open(read_only=False) as connection:
        connection.execute(f"CREATE SCHEMA {table.dataset}")
        connection.execute(f"CREATE TABLE {table.path} ({table.schema.names[0]} VARCHAR)")
    with pytest.raises(WrongShape, match=rf"{table.path} lacks the column\(s\) {table.schema.names[1]}"):
        loader.load(table, make_table(table))
    assert_that(loader.stored(table), empty())


class Recorder:
    """A connection that remembers the statements it was given."""

    def __init__(self, connection: Any) -> None:
        self.connection, self.statements = connection, []

    def execute(self, statement: str, *parameters: Any) -> Any:
        self.statements.append(statement)
        return self.connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@each_table(*DATED)
@pytest.mark.parametrize("stored", [True, False])
def test_statements_on_stored_rows_carry_both_bounds_of_the_date(
    table: Table, stored: bool, loader: Loader
) -> None:
    if stored:
        loader.load(table, make_table(table))
    with loader.warehouse.open(read_only=False) as connection:
        recorder = Recorder(connection)
        duckdb_load.load_rows(recorder, make_table(table), NOW, replace_dates=True, table=table)
    passed = ("INSERT", "SELECT MIN(", "CREATE SCHEMA", "CREATE TABLE")
    reading = [s for s in recorder.statements if f'"{table.name}"' in s and not s.startswith(passed)]
    assert_that(reading, has_length(greater_than(2)))
    bounds = all_of(contains_string(">= DATE '2024-01-10'"), contains_string("< DATE '2024-01-12'"))
    assert_that(reading, only_contains(bounds))


@each_table(*DATED)
def test_rows_are_stored_in_the_order_of_their_dates(table: Table, loader: Loader) -> None:
    first = as_dicts(table)[0]
    days = [DAY + timedelta(days=n) for n in random.Random(1).sample(range(40), 40)]
    rows = [{**first, table.key[0]: f"p{n}", "game_date": day} for n, day in enumerate(days)]
    loader.load(table, pa.Table.from_pylist(rows, schema=table.schema))
    with loader.warehouse.open() as connection:
        found = connection.execute(f"SELECT game_date FROM {table.path} ORDER BY rowid").fetchall()
    assert_that([day for (day,) in found], equal_to(sorted(days)))


# What is worth naming


def test_aliases_with_several_names_and_circles_are_named(loader: Loader) -> None:
    _, report = loader.read(
        PLAYER_ALIASES, make_table(PLAYER_ALIASES, ("a", "c"), ("a", "b"), ("x", "y"), ("a", "b"))
    )
    assert_that(report.oddities, equal_to({"One alias with several canonical names": ["a: b, c"]}))

    chain = [("t", "a"), ("a", "b"), ("b", "c"), ("x", "x"), ("y", "z")]
    assert_that(
        loader.load(PLAYER_ALIASES, make_table(PLAYER_ALIASES, *chain)).circles, equal_to(("x -> x",))
    )
    closed = loader.load(PLAYER_ALIASES, make_table(PLAYER_ALIASES, ("c", "a")))
    assert_that(closed.circles, equal_to(("a -> b -> c -> a", "x -> x")))
    opened = loader.load(PLAYER_ALIASES, make_table(PLAYER_ALIASES, ("c", "z"), ("x", "z")))
    assert_that(opened.circles, empty())


@pytest.mark.parametrize("order", [1, -1])
def test_an_alias_with_two_names_is_followed_to_the_smaller(order: int) -> None:
    pairs = [("a", "b"), ("a", "c"), ("b", "a"), ("d", "d"), ("d", "b")][::order]
    assert_that(find_circles(pairs), equal_to(("a -> b -> a",)))


def test_a_long_circle_is_cut(loader: Loader) -> None:
    circle = [(f"p{n}", f"p{(n + 1) % 8}") for n in range(8)]
    outcome = loader.load(PLAYER_ALIASES, make_table(PLAYER_ALIASES, *circle))
    assert_that(outcome.circles, equal_to(("p0 -> p1 -> p2 -> p3 -> p4 and 4 more",)))


def test_lookups_with_several_people_are_named(loader: Loader) -> None:
    rows = [("ada", "nba_2", None), ("bo", "nba_3", None), ("ada", "nba_1", DAY), ("bo", None, DAY)]
    _, report = loader.read(REGISTRY, make_table(REGISTRY, *rows[:2]), make_table(REGISTRY, *rows[2:]))
    assert_that(report.oddities, equal_to({"One lookup with several people": ["ada: nba_1, nba_2"]}))


def test_games_of_a_team_against_itself_are_named_and_loaded(loader: Loader) -> None:
    rows = [("1", DAY, "BOS", "BOS", 1, None, None), ("2", DAY, None, None, 1, None, None)]
    found, report = loader.read(SCHEDULE, make_table(SCHEDULE, *rows))
    assert_that(found, has_length(2))
    assert_that(report.oddities, equal_to({"Games of a team against itself": ["1 on 2024-01-10: BOS"]}))


# Files that are damaged


def csv_bytes(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(rows, sink)
    return bytes(sink.getvalue())


DAMAGED: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "zero bytes": ("csv", lambda data: b"", "0 bytes"),
    "zero bytes, Parquet": ("parquet", lambda data: b"", "0 bytes"),
    "no Parquet": ("parquet", lambda data: data, "does not begin like a Parquet file"),
    "a NUL": ("csv", lambda data: data + b"\0", "found a NUL"),
    "cut inside a row": ("csv", lambda data: data[: data.rindex(b",")], "cut off"),
    "a long row": ("csv", lambda data: data + b"1," * 20 + b"secret\n", "found one with 21"),
    "no UTF-8": ("csv", lambda data: data.replace(b"BOS", b"\xff\xfe"), "cannot be read"),
    "a column twice": ("csv", lambda data: data.replace(b"game_status", b"game_id", 1), "appears twice"),
    "without a header": ("csv", lambda data: data.partition(b"\n")[2], "lacks the column(s)"),
    "another name": ("txt", lambda data: data, "ends in .parquet or .csv"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_refuses_the_import_and_leaves_what_is_stored(
    damage: str, loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    suffix, spoil, told = DAMAGED[damage]
    loader.load(SCHEDULE, make_table(SCHEDULE))
    before = loader.stored(SCHEDULE)
    file = loader.directory / f"damaged.{suffix}"
    file.write_bytes(spoil(csv_bytes(make_table(SCHEDULE))))
    good = loader.write(make_table(SCHEDULE, ("9", DAY, "A", "B", 1, None, None)))
    flags = ["--table", "nba_schedule", "--warehouse", loader.path, "--replace-dates"]
    assert_that(main(["import", good, str(file), *flags]), equal_to(3))
    captured = capsys.readouterr()
    assert_that(captured.err, all_of(contains_string(f"damaged.{suffix}"), contains_string(told)))
    assert_that(captured.err, not_(contains_string("secret")))
    assert_that(captured.out, equal_to(""))
    assert_that((loader.stored(SCHEDULE), loader.version(SCHEDULE)), equal_to((before, (1, "import"))))


def test_a_parquet_file_cut_at_any_length_is_refused(loader: Loader) -> None:
    whole = Path(loader.write(make_table(POINTS_LINES))).read_bytes()
    file = loader.directory / "cut.parquet"
    for length in [*range(1, 30), *range(30, len(whole), 53), len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(BadInput, match=r"cut\.parquet"):
            read_files([str(file)], POINTS_LINES)


# The command


@pytest.mark.parametrize("table", INPUTS, ids=[table.name for table in INPUTS])
def test_a_table_has_its_name_with_its_dataset_and_without(
    table: Table, loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    file = loader.write(make_rows() if table is INPUTS[0] else make_table(table))
    for number, name in enumerate((table.name, table.path), start=1):
        assert_that(main(["import", "--table", name, file, "--warehouse", loader.path]), equal_to(0))
        printed = capsys.readouterr().out
        assert_that(printed, starts_with(f"Imported into {table.path}, input version {number}\n"))
        assert_that("kept back" in printed, equal_to(table is INPUTS[0]))
        assert_that([line for line in printed.splitlines() if len(line) > 80], empty())
    main(["import", "--table", name, file, "--warehouse", loader.path, "--json"])
    found = json.loads(capsys.readouterr().out)
    older = 0 if table is INPUTS[0] else None
    assert_that(found, has_entries(table=table.path, added=0, replaced=0, removed=0, version=3, older=older))


def test_what_is_odd_is_printed(loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    file = loader.write(make_table(PLAYER_ALIASES, ("a", "b"), ("a", "c"), ("b", "a"), ("x", "\x1b[2J")))
    main(["import", "--table", "player_aliases", file, "--warehouse", loader.path])
    printed = capsys.readouterr().out
    for told in ("One alias with several canonical names (1):\n  a: b, c", "(1):\n  a -> b -> a"):
        assert_that(printed, contains_string(told))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("nba_shedule", "nba_schedule"),
        ("NBA_REFERENCE.NBA_SCHEDULE", "nba_reference.nba_schedule"),
        ("", None),
    ],
)
def test_an_unknown_table_is_refused_with_the_names_and_the_nearest(
    name: str, near: str | None, loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    file = loader.write(make_table(SCHEDULE))
    assert_that(main(["import", file, "--table", name, "--warehouse", loader.path]), equal_to(2))
    told = capsys.readouterr().err
    assert_that(told, all_of(*(contains_string(table.path) for table in INPUTS)))
    assert_that("did you mean" in told, equal_to(near is not None))
    if near:
        assert_that(told, contains_string(f"did you mean {near}?"))


@pytest.mark.parametrize(("flag", "tables"), [("--write-aliases", SIDE_TABLES), ("--replace-dates", UNDATED)])
def test_flags_that_mean_nothing_for_a_table_are_refused(
    flag: str, tables: tuple[Table, ...], loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    for table in tables:
        arguments = ["import", "missing.csv", "--table", table.name, flag, "--warehouse", loader.path]
        assert_that(main(arguments), equal_to(2))
        assert_that(capsys.readouterr().err, all_of(contains_string(flag), contains_string(table.path)))
    assert_that(list(loader.directory.iterdir()), empty())


def test_box_scores_and_side_tables_live_side_by_side(loader: Loader) -> None:
    box, _ = read_files([loader.write(make_rows())])
    loader.warehouse.load(box, NOW, replace_dates=False)
    for table in SIDE_TABLES:
        loader.load(table, make_table(table))
    assert_that(read_stored(loader.path), has_length(24))
    assert_that({loader.version(table) for table in INPUTS}, equal_to({(1, "import")}))


DOCUMENT = Path(__file__).parents[2] / "docs" / "import.md"


@each_table()
def test_the_document_tells_how_each_table_is_imported(table: Table) -> None:
    text = DOCUMENT.read_text()
    assert_that(text, contains_string(f"feature-store import --table {table.name} "))
    section = text.split(f"### {table.name}\n")[1].split("\n### ")[0]
    required = ", ".join(f"`{name}`" for name in table.required)
    optional = ", ".join(f"`{n}`" for n in table.schema.names if n not in table.required)
    told = f"Columns: {required}" + (f"; may be absent: {optional}." if optional else ".")
    assert_that(" ".join(section.split()), contains_string(told))
