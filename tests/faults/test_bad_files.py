"""Files that are damaged, drifted or hostile: named and refused, or read for what they are; never half.

Rows 16 to 19, 22 and 23 of the fault matrix, as far as they concern the import and the command line.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import shutil
import struct
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from boxscores import FIRST_DATE, make_rows, read_stored, vary, write_file
from hamcrest import (
    all_of,
    any_of,
    assert_that,
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

from pipeline.commands.app import main
from pipeline.errors import BadInput
from pipeline.imports.importing import read_files
from pipeline.warehouse.duckdb import DuckDBWarehouse
from pipeline.warehouse.duckdb_connection import read_version
from transforms.schema import PLAYER_GAME_SUMMARY as INPUT

STORE, LEDGER = "nba_predictions.ml_feature_store_v2", "nba_predictions.feature_store_gaps"
CANARY = "canary-9d02"
ROWS = make_rows()
NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class House:
    """A directory with a warehouse that holds box scores already."""

    path: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def warehouse(self) -> str:
        return str(self.path / "w.duckdb")

    def run(self, command: str, *arguments: object) -> Finished:
        self.capsys.readouterr()
        code = main([command, *map(str, arguments), "--warehouse", self.warehouse])
        return Finished(code, *self.capsys.readouterr())

    def load(self, rows: pa.Table, name: str = "rows.parquet", *flags: str) -> dict[str, Any]:
        ended = self.run("import", write_file(rows, self.path / name), "--json", *flags)
        assert_that(ended.code, equal_to(0), ended.err)
        return dict(json.loads(ended.out))

    def backfill(self, first: date, last: date) -> dict[str, Any]:
        flags = ["--start-date", first, "--end-date", last, "--bootstrap-days", 0, "--json"]
        ended = self.run("backfill", *flags)
        assert_that(ended.code, equal_to(0), ended.err)
        return dict(json.loads(ended.out))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with DuckDBWarehouse(self.warehouse).open() as connection:
            return connection.execute(query).fetchall()

    def state(self) -> tuple[list[Any], int]:
        """The stored rows and their input version."""
        with DuckDBWarehouse(self.warehouse).open() as connection:
            stored = connection.execute(f"SELECT * FROM {INPUT.path} ORDER BY ALL").fetchall()
            version = read_version(connection, INPUT)
        return stored, version[0] if version else 0

    def refuse(self, *files: object, text: str = "") -> str:
        """Imports what must be refused whole: exit code 3, the file named, nothing changed."""
        before = self.state()
        ended = self.run("import", *files, "--replace-dates")
        assert_that(ended.code, equal_to(3), ended.out)
        assert_that(ended.out, equal_to(""))
        assert_that(ended.err, all_of(starts_with("error: "), contains_string(text)))
        assert_that(ended.err, not_(any_of(contains_string("internal error"), contains_string("Traceback"))))
        assert_that(self.state(), equal_to(before))
        return ended.err


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that holds ``ROWS``, to be copied."""
    directory = tmp_path_factory.mktemp("loaded")
    file = write_file(ROWS, directory / "first.parquet")
    assert main(["import", file, "--warehouse", str(directory / "w.duckdb")]) == 0
    return directory


@pytest.fixture
def house(loaded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    for file in loaded.iterdir():
        shutil.copy(file, tmp_path)
    return House(tmp_path, capsys)


# 16: damaged files


def parquet_bytes(rows: pa.Table = ROWS, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, **options)
    return sink.getvalue()


def csv_bytes(rows: pa.Table = ROWS) -> bytes:
    sink = io.BytesIO()
    pa.csv.write_csv(rows, sink)
    return sink.getvalue()


def replace_bytes(data: bytes, at: int, by: bytes) -> bytes:
    at %= len(data)
    return data[:at] + by + data[at + len(by) :]


DAMAGED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zero bytes, Parquet": (".parquet", lambda: b""),
    "zero bytes, CSV": (".csv", lambda: b""),
    "bad magic at the start": (".parquet", lambda: replace_bytes(parquet_bytes(), 0, b"PAR2")),
    "bad magic at the end": (".parquet", lambda: replace_bytes(parquet_bytes(), -4, b"XXXX")),
    "footer length too long": (
        ".parquet",
        lambda: replace_bytes(parquet_bytes(), -8, struct.pack("<I", 2**31 - 1)),
    ),
    "footer length zero": (".parquet", lambda: replace_bytes(parquet_bytes(), -8, bytes(4))),
    "footer overwritten": (".parquet", lambda: replace_bytes(parquet_bytes(), -200, b"\xff" * 100)),
    "without its footer": (".parquet", lambda: parquet_bytes()[:-300]),
    "only the magic": (".parquet", lambda: b"PAR1PAR1"),
    "pages overwritten": (".parquet", lambda: replace_bytes(parquet_bytes(), 4, b"\xaa" * 600)),
    "a CSV by the name of Parquet": (".parquet", csv_bytes),
    "a Parquet by the name of CSV": (".csv", parquet_bytes),
    "random bytes": (".parquet", lambda: random.Random(1).randbytes(5000)),
    "random bytes as CSV": (".csv", lambda: random.Random(1).randbytes(5000)),
    "compressed CSV": (".csv", lambda: gzip.compress(csv_bytes())),
    "CSV cut inside a row": (".csv", lambda: csv_bytes()[:-30]),
    "CSV cut inside a quoted cell": (".csv", lambda: csv_bytes()[: csv_bytes().rindex(b'"')]),
    "CSV with a long row": (".csv", lambda: csv_bytes() + b"1," * 40 + CANARY.encode() + b"\n"),
    "CSV in UTF-16": (".csv", lambda: csv_bytes().decode().encode("utf-16")),
    "CSV in Latin-1": (".csv", lambda: csv_bytes().replace(b"bos0", "b\u00f6s0".encode("latin-1"))),
    "CSV with a header in Latin-1": (".csv", lambda: b"\xe9," + csv_bytes()),
    "CSV with NULs": (".csv", lambda: csv_bytes() + bytes(4096)),
    "CSV with a NUL in a name": (".csv", lambda: csv_bytes().replace(b"bos0", b"bo\0s")),
    "CSV with semicolons": (".csv", lambda: csv_bytes().replace(b",", b";")),
    "CSV without a header": (".csv", lambda: csv_bytes().partition(b"\n")[2]),
    "CSV of blanks": (".csv", lambda: b"\n \n\n"),
    "CSV with an endless header": (".csv", lambda: b"x" * (2**20 + 10)),
    "text that is no UTF-8": (
        ".parquet",
        lambda: parquet_bytes(
            vary(ROWS, team_abbr=pa.array([b"\xff\xfe"] * 24).view(pa.string())), write_statistics=False
        ),
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named_and_nothing_of_the_import_is_loaded(house: House, damage: str) -> None:
    suffix, make = DAMAGED[damage]
    file = house.path / f"damaged{suffix}"
    file.write_bytes(make())
    good = write_file(vary(ROWS, points=[99] * 24), house.path / "good.parquet")
    for files in ((file,), (good, file)):
        told = house.refuse(*files, text=f"damaged{suffix}")
        assert_that(told, not_(contains_string(CANARY)))
        assert_that(len(told), not_(greater_than(800)))


def test_a_file_without_a_header_does_not_print_its_first_row(house: House) -> None:
    row = pa.table({name: [f"value {n}"] for n, name in enumerate(ROWS.column_names)})
    file = house.path / "rows.csv"
    file.write_bytes(csv_bytes(row.append_column("secret", pa.array([CANARY]))).partition(b"\n")[2])
    told = house.refuse(file, text="lacks the column(s)")
    assert_that(told, all_of(contains_string("and 8 more"), not_(contains_string(CANARY))))


def test_a_parquet_file_cut_at_any_length_is_refused(house: House) -> None:
    data = parquet_bytes()
    file = house.path / "cut.parquet"
    for length in [*range(1, 40), *range(40, len(data), 97), len(data) - 1]:
        file.write_bytes(data[:length])
        with pytest.raises(BadInput, match=r"cut\.parquet"):
            read_files([str(file)])
    house.refuse(file)


def test_a_csv_file_cut_at_any_length_gives_whole_rows_or_none(tmp_path: Path) -> None:
    """A cut at a row's end or inside its last number cannot be seen; the rows before are as they were."""
    data = csv_bytes()
    whole = read_files([write_file(ROWS, tmp_path / "whole.csv")])[0].to_pylist()
    file = tmp_path / "cut.csv"
    for length in range(1, len(data), 7):
        file.write_bytes(data[:length])
        try:
            found = read_files([str(file)])[0].to_pylist()
        except BadInput:
            continue
        assert_that(found[:-1], equal_to(whole[: max(0, len(found) - 1)]))


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_flipped_bit_under_a_checksum_is_refused_or_names_the_column_that_it_renamed(
    tmp_path: Path, compression: str
) -> None:
    file = tmp_path / "flipped.parquet"
    file.write_bytes(parquet_bytes(compression=compression, write_page_checksum=True))
    whole, sound = read_files([str(file)])
    data, refused = file.read_bytes(), 0
    rng = random.Random(f"flip {compression}")
    for bit in rng.sample(range(8 * len(data)), 120):
        file.write_bytes(replace_bytes(data, bit // 8, bytes([data[bit // 8] ^ 1 << bit % 8])))
        try:
            rows, report = read_files([str(file)])
        except BadInput as error:
            assert_that(str(error), contains_string("flipped.parquet"))
            refused += 1
            continue
        if not rows.equals(whole):
            assert report.ignored_columns, f"bit {bit} changed rows unseen"
            assert_that(report.absent_columns, not_(equal_to(sound.absent_columns)))
    assert_that(refused, greater_than(40))


def test_a_flipped_bit_without_a_checksum_ends_in_a_table_or_a_refusal(tmp_path: Path) -> None:
    file = tmp_path / "flipped.parquet"
    data = parquet_bytes(compression="snappy")
    rng = random.Random("flip without")
    for bit in rng.sample(range(8 * len(data)), 120):
        file.write_bytes(replace_bytes(data, bit // 8, bytes([data[bit // 8] ^ 1 << bit % 8])))
        try:
            rows, _ = read_files([str(file)])
        except BadInput:
            continue
        rows.validate(full=True)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_a_file_with_a_header_and_no_rows_is_an_empty_import(house: House, name: str) -> None:
    before, version = house.state()
    found = house.load(ROWS.slice(0, 0), name, "--replace-dates")
    assert_that(found, has_entries(rows_in=0, added=0, removed=0, version=version + 1))
    assert_that(house.state(), equal_to((before, version + 1)))


# 17: what is no file


def test_what_is_no_file_is_named(house: House) -> None:
    (house.path / "folder.parquet").mkdir()
    os.mkfifo(house.path / "pipe.csv")
    (house.path / "dangling.parquet").symlink_to(house.path / "gone.parquet")
    (house.path / "rows.xlsx").write_bytes(b"PK")
    (house.path / "noname").write_bytes(b"x")
    for name, reason in (
        ("missing.parquet", "No such file or directory"),
        ("dangling.parquet", "No such file or directory"),
        ("first.parquet/rows.csv", "Not a directory"),
        ("folder.parquet", "expected a Parquet or CSV file, found something else"),
        ("pipe.csv", "expected a Parquet or CSV file, found something else"),
        ("rows.xlsx", "ends in .parquet or .csv"),
        ("noname", "ends in .parquet or .csv"),
        ("x" * 300 + ".csv", "File name too long"),
    ):
        told = house.refuse(house.path / name, text=name)
        assert_that(told, contains_string(reason))
    house.refuse("a\0b.csv", text="a\\x00b.csv")


def test_a_refused_import_makes_no_warehouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty_house = House(tmp_path, capsys)
    assert_that(empty_house.run("import", tmp_path / "missing.csv").code, equal_to(3))
    assert_that(list(tmp_path.iterdir()), empty())


# 18: drifted schemas


def retype(name: str, kind: pa.DataType) -> Callable[[], pa.Table]:
    return lambda: vary(ROWS, **{name: ROWS[name].cast(kind)})


ALLOWED: dict[str, Callable[[], pa.Table]] = {
    "reordered": lambda: ROWS.select(ROWS.column_names[::-1]),
    "extra column": lambda: ROWS.append_column("plus_minus", pa.array(range(24))),
    "extra column of lists": lambda: ROWS.append_column("shots", pa.array([[1, 2]] * 24)),
    "narrow integers": retype("points", pa.int8()),
    "unsigned integers": retype("points", pa.uint64()),
    "integers as floats": retype("points", pa.float64()),
    "integers as decimals": lambda: vary(
        ROWS, points=pa.array([Decimal(v) for v in ROWS["points"].to_pylist()], pa.decimal128(10, 2))
    ),
    "integers as texts": retype("points", pa.string()),
    "minutes as integers": retype("minutes_played", pa.int64()),
    "minutes as single floats": retype("minutes_played", pa.float32()),
    "minutes as decimals": lambda: vary(
        ROWS, minutes_played=pa.array([Decimal(int(v)) for v in ROWS["minutes_played"].to_pylist()])
    ),
    "minutes as texts": retype("minutes_played", pa.string()),
    "dates as texts": retype("game_date", pa.string()),
    "dates as timestamps": retype("game_date", pa.timestamp("ns")),
    "dates as timestamps in UTC": retype("game_date", pa.timestamp("us", "UTC")),
    "large texts": retype("player_lookup", pa.large_string()),
    "text views": retype("player_lookup", pa.string_view()),
    "dictionaries": lambda: vary(ROWS, player_lookup=ROWS["player_lookup"].dictionary_encode()),
}

REFUSED: dict[str, tuple[str, Callable[[], pa.Table]]] = {
    "missing": ("points", lambda: ROWS.drop_columns("points")),
    "renamed": (
        "lacks the column(s) points",
        lambda: ROWS.rename_columns(["pts" if name == "points" else name for name in ROWS.column_names]),
    ),
    "another case": (
        "lacks the column(s)",
        lambda: ROWS.rename_columns([n.title() for n in ROWS.column_names]),
    ),
    "padded names": (
        "lacks the column(s)",
        lambda: ROWS.rename_columns([f" {n}" for n in ROWS.column_names]),
    ),
    "twice": (
        "appears twice",
        lambda: pa.table([*ROWS.columns, ROWS["points"]], [*ROWS.column_names, "points"]),
    ),
    "game ids as integers": ("game_id has type int64", lambda: vary(ROWS, game_id=pa.array(range(24)))),
    "lookups as bytes": ("player_lookup has type binary", retype("player_lookup", pa.binary())),
    "teams as integers": ("team_abbr has type int64", lambda: vary(ROWS, team_abbr=pa.array([1] * 24))),
    "points as truth": ("points has type bool", lambda: vary(ROWS, points=pa.array([True] * 24))),
    "points as dates": ("points has type date32", lambda: vary(ROWS, points=ROWS["game_date"])),
    "points as lists": ("points has type list", lambda: vary(ROWS, points=pa.array([[1]] * 24))),
    "minutes as durations": (
        "minutes_played has type duration",
        lambda: vary(ROWS, minutes_played=pa.array([timedelta(minutes=30)] * 24)),
    ),
    "dates as integers": (
        "game_date has type int64",
        lambda: vary(ROWS, game_date=pa.array([20240110] * 24)),
    ),
    "instants as integers": (
        "processed_at has type int64",
        lambda: vary(ROWS, processed_at=pa.array([1] * 24)),
    ),
}


@pytest.mark.parametrize("drift", ALLOWED)
def test_an_allowed_drift_changes_no_stored_row(house: House, drift: str) -> None:
    before, _ = house.state()
    found = house.load(ALLOWED[drift]())
    assert_that(found, has_entries(unchanged=24, added=0, replaced=0, rejected={}))
    assert_that(house.state()[0], equal_to(before))


@pytest.mark.parametrize("drift", REFUSED)
def test_any_other_drift_refuses_before_any_work(house: House, drift: str) -> None:
    text, make = REFUSED[drift]
    house.refuse(write_file(make(), house.path / "drifted.parquet"), text=text)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_wrong_type_in_one_file_refuses_all(house: House, suffix: str) -> None:
    good = write_file(vary(ROWS, points=[1] * 24), house.path / "good.parquet")
    bad = write_file(
        vary(ROWS, game_id=pa.array(range(24))).drop_columns("points"), house.path / f"bad.{suffix}"
    )
    house.refuse(good, bad, text=f"bad.{suffix}")


# 19: duplicate keys


def test_duplicates_end_alike_whatever_the_order_of_files_rows_and_imports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noon = datetime(2024, 2, 1, 12, tzinfo=UTC)
    versions = {
        "exact": vary(ROWS, processed_at=[noon] * 24),
        "again": vary(ROWS, processed_at=[noon] * 24),
        "later": vary(ROWS, processed_at=[noon + timedelta(hours=1)] * 24, points=[33] * 24),
        "earlier": vary(ROWS, processed_at=[noon - timedelta(hours=1)] * 24, points=[44] * 24),
    }
    files = [write_file(rows, tmp_path / f"{name}.parquet") for name, rows in versions.items()]
    ends = []
    for number, order in enumerate(list(permutations(files))[::7]):
        (tmp_path / f"{number}").mkdir()
        together = House(tmp_path / f"{number}", capsys)
        ended = together.run("import", *order, "--json")
        assert_that(json.loads(ended.out), has_entries(duplicates=72, added=24, rows_in=96))
        ends.append(read_stored(together.warehouse))
        (tmp_path / f"{number}" / "apart").mkdir()
        apart = House(tmp_path / f"{number}" / "apart", capsys)
        for file in order:
            assert_that(apart.run("import", file).code, equal_to(0))
        ends.append(read_stored(apart.warehouse))
    assert_that(ends, only_contains(ends[0]))
    assert_that({row[5] for row in ends[0]}, equal_to({33}))


# 22: numbers that are none

TEXT_NUMBERS = ["", "NaN", " 2 ", "2.0", "1e3", "9" * 20, None, "-0"]
"""Texts in the place of whole numbers: two of them cannot be parsed."""


def test_odd_numbers_are_counted_and_none_reaches_a_feature(house: House) -> None:
    games = 12
    rows = make_rows(dates=games)
    count = rows.num_rows

    def odd(values: list[Any], usual: pa.ChunkedArray) -> list[Any]:
        """The odd values on every third row, so that each meets several players and dates."""
        plain = usual.to_pylist()
        return [values[(n // 3) % len(values)] if n % 3 == 0 else plain[n] for n in range(count)]

    rows = vary(
        rows,
        minutes_played=odd([NAN, INF, -INF, -0.0, 0.0, 1e308, -1e308, None, 5e-324], rows["minutes_played"]),
        points=pa.array(odd([NAN, INF, -0.0, 1e308, None, 2.0**53], rows["points"]), pa.float64()),
        turnovers=pa.array(
            odd([Decimal(0), None, Decimal(-1), Decimal(10) ** 15], pc.cast(rows["turnovers"], pa.int64())),
            pa.decimal128(30, 2),
        ),
        ft_attempts=pa.array(odd(TEXT_NUMBERS, pc.cast(rows["ft_attempts"], pa.string()))),
    )
    found = house.load(rows, "odd.parquet", "--replace-dates")
    assert_that(found["non_finite"], greater_than(10))
    assert_that(sum(found["rejected"].values()), greater_than(5))
    assert_that(
        found["added"] + found["replaced"] + found["unchanged"],
        equal_to(count - sum(found["rejected"].values())),
    )

    last = FIRST_DATE + timedelta(days=games - 1)
    summary = house.backfill(FIRST_DATE, last)
    kept = summary["records_created"] + summary["gaps_open"]
    assert_that(kept, equal_to(summary["records_expected"]))
    assert_that(summary["records_created"], greater_than(20))
    assert_that(summary["gaps_by_reason"], has_entries(invalid_input=greater_than(0)))
    values = [
        name
        for (name,) in house.ask(
            f"SELECT column_name FROM (DESCRIBE {STORE}) WHERE column_name LIKE '%_value'"
        )
    ]
    assert_that(values, has_length(37))
    strange = " OR ".join(
        f"NOT isfinite({name}) OR (({name} IS NULL) <> ({name[:-6]}_source = 'missing'))" for name in values
    )
    assert_that(house.ask(f"SELECT player_lookup FROM {STORE} WHERE {strange}"), empty())
    negative_zero = " OR ".join(f"CAST({name} AS VARCHAR) = '-0.0'" for name in values)
    assert_that(house.ask(f"SELECT player_lookup FROM {STORE} WHERE {negative_zero}"), empty())


# 23: hostile names

NAMES = [
    "joki\u0107",
    unicodedata.normalize("NFD", "joki\u0107"),
    "\u05e9\u05dc\u05d5\u05dd",
    "\u202eabc",
    "\U0001f3c0",
    "a\nb",
    "a\rb",
    "a\tb",
    'a"b',
    "o'neal",
    "'; DROP TABLE x; --",
    "%s{0}$(x)`y`",
    "../../etc/passwd",
    "x" * 20_000,
    "=cmd()",
    "-1+1",
    "\x1b[2Jx",
    "jrjr.",
    "null",
    "NaN",
    "a,b",
    "\\x00",
    "\U000e0001tag",
]


def name_players(names: list[str], dates: int) -> pa.Table:
    """Every name plays in each of four teams, told apart by the team."""
    rows = make_rows(dates=dates, players=len(names))
    lookups = [
        f"{names[int(player[3:])]}{team}"
        for player, team in zip(rows["player_lookup"].to_pylist(), rows["team_abbr"].to_pylist(), strict=True)
    ]
    return vary(rows, player_lookup=lookups, player_full_name=lookups, universal_player_id=lookups)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_hostile_names_go_through_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    names = NAMES if suffix == "csv" else [*NAMES, "a\0b"]
    house = House(tmp_path, capsys)
    rows = name_players(names, dates=4)
    found = house.load(rows, f"rows.{suffix}")
    assert_that(found, has_entries(added=rows.num_rows, duplicates=0, rejected={}))
    assert_that(
        sorted(row[0] for row in read_stored(house.warehouse)),
        equal_to(sorted(rows["player_lookup"].to_pylist())),
    )

    second = FIRST_DATE + timedelta(days=1)
    summary = house.backfill(second, FIRST_DATE + timedelta(days=3))
    assert_that(summary, has_entries(records_created=3 * len(names) * 4, gaps_open=0))
    stored = {row[0] for row in house.ask(f"SELECT DISTINCT player_lookup FROM {STORE}")}
    assert_that(stored, equal_to(set(rows["player_lookup"].to_pylist())))

    query = f"SELECT player_lookup FROM {STORE} WHERE game_date = '{second}' AND team_abbr = 'BOS'"
    as_json = json.loads(house.run("sql", query, "--json").out)["rows"]
    assert_that({row["player_lookup"] for row in as_json}, equal_to({f"{name}BOS" for name in names}))

    as_csv = house.run("sql", query, "--format", "csv").out
    cells = [row[0] for row in csv.reader(io.StringIO(as_csv, newline=""))][1:]
    assert_that(cells, has_length(len(names)))
    assert_that([cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))], empty())
    plain = {f"{name}BOS" for name in names if name.isprintable() or name == "a\nb"}
    assert_that(plain - set(cells), equal_to({"=cmd()BOS", "-1+1BOS"}))

    table = house.run("sql", query).out
    assert_that(table.splitlines(), has_length(1 + len(names)))
    for printed in (as_csv, table):
        assert_that([c for c in printed if c != "\n" and not is_harmless(c)], empty())


def is_harmless(character: str) -> bool:
    """Neither a control nor an override of direction; a tag or a combining mark steers nothing."""
    return (
        unicodedata.category(character) != "Cc"
        and character not in "\u202a\u202b\u202c\u202d\u202e\u2028\u2029"
    )


def test_names_that_look_alike_stay_apart_and_names_without_letters_are_rejected(house: House) -> None:
    rows = vary(
        make_rows(dates=1),
        player_lookup=["joki\u0107", unicodedata.normalize("NFD", "joki\u0107"), "JOKI\u0106", " joki\u0107 "]
        + [None] * 4,
        player_full_name=[None] * 4 + ["\u738b\u54f2\u6797", "\U0001f3c0", "\0", "  "],
    )
    found = house.load(rows, "alike.parquet", "--replace-dates")
    assert_that(found, has_entries(added=3, duplicates=1))
    assert_that(list(found["rejected"].values()), equal_to([4]))


@pytest.mark.parametrize(
    "directory", ["a b", "it's", 'quo"te', "[1]*", "%s{0}", "\U0001f3c0 \u05e9", "-rf", "a\nb"]
)
def test_hostile_paths_hold_a_warehouse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], directory: str
) -> None:
    (tmp_path / directory).mkdir()
    house = House(tmp_path / directory, capsys)
    assert_that(house.load(make_rows(dates=2), "rows.csv"), has_entries(added=16))
    found = house.run("sql", "SELECT COUNT(*) AS n FROM nba_analytics.player_game_summary", "--json")
    assert_that(json.loads(found.out)["rows"], equal_to([{"n": 16}]))


def test_a_backfill_works_beside_a_hostile_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'it\'s [1]* "x"').mkdir()
    house = House(tmp_path / 'it\'s [1]* "x"', capsys)
    house.load(make_rows(dates=2))
    second = FIRST_DATE + timedelta(days=1)
    assert_that(house.backfill(second, second), has_entries(records_created=8, status="success"))
    assert_that(sorted(path.name for path in house.path.iterdir()), equal_to(["rows.parquet", "w.duckdb"]))


def test_a_column_by_a_hostile_name_is_ignored_and_spelt_out(house: House) -> None:
    rows = ROWS.append_column("\x1b[2J\u202e=1'; --", pa.array([1] * 24)).append_column(
        "", pa.array([1] * 24)
    )
    ended = house.run("import", write_file(rows, house.path / "rows.parquet"))
    assert_that(ended, has_properties(code=0, out=contains_string("\\x1b[2J\\u202e=1'; --")))
    assert_that([c for c in ended.out if c != "\n" and not is_harmless(c)], empty())
