"""Files and flags that nobody wrote down: read, or refused by name; nothing in between.

The suite takes as many examples as fit into seconds, always the same; ``make fuzz`` takes new ones for
longer. What it finds is printed as a fixed case.
"""

from __future__ import annotations

import io
import random
import string
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from boxscores import make_rows, write_file
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pipeline.commands.app import build_parser
from pipeline.errors import BadInput, FeatureStoreError, UsageError
from pipeline.imports.importing import read_files
from pipeline.options import normalize_flags, read_config
from pipeline.warehouse.bigquery_address import parse_address
from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import INPUTS

ROWS = make_rows()
CANARY = "canary-3e9a"
LOADED_AT = datetime.fromisoformat("2024-07-01T00:00:00+00:00")
pytestmark = pytest.mark.filterwarnings("ignore:.*executor.*:UserWarning")


@pytest.fixture(scope="module")
def directory() -> Any:
    """One for all examples: each writes over the files of the one before."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def attempt(do: Callable[[], object], *refusals: type[BaseException]) -> BaseException | None:
    """The refusal, when it ends in one of these; any other error is the test's."""
    try:
        do()
    except refusals as refusal:
        return refusal
    return None


def read_or_refuse(path: Path, table: Table = PLAYER_GAME_SUMMARY) -> pa.Table | None:
    """The rows of a file, checked; None where it is refused by its name."""
    found: list[Any] = []
    refusal = attempt(lambda: found.append(read_files([str(path)], table)), BadInput)
    if refusal is not None:
        assert path.name in str(refusal)
        assert len(str(refusal)) < 2000
        return None
    ((rows, report),) = found
    rows.validate(full=True)
    assert rows.schema.equals(table.schema)
    assert rows.num_rows + report.duplicates + sum(report.rejected.values()) == report.rows_in
    keys = rows.select([name for name in table.key if name in rows.column_names])
    if table is PLAYER_GAME_SUMMARY:
        assert keys.group_by(keys.column_names).aggregate([]).num_rows == rows.num_rows
        for name in table.key:
            assert rows.column(name).null_count == 0
    return rows


# Bytes


INSERTED = [b'"', b",", b"\n", b"\0", b"\xff", b"\r", b"1e999", b"\xef\xbb\xbf"]


def damage(data: bytes, rng: random.Random) -> bytes:
    """A few cuts, repeats, flips and insertions."""
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data) + 1), rng.choice([1, 2, 8, 100])
        before, chunk, after = data[:at], data[at : at + length], data[at + length :]
        put = rng.choice([b"", chunk * 3, rng.randbytes(length), chunk + rng.choice(INSERTED)])
        data = rng.choice([before, before + put + after])
    return data


@given(seed=st.integers(0, 2**32), kind=st.sampled_from([".csv", ".parquet"]))
def test_damaged_bytes_are_rows_or_a_refusal(directory: Path, seed: int, kind: str) -> None:
    whole = Path(write_file(ROWS, directory / f"whole{kind}")).read_bytes()
    path = directory / f"damaged{kind}"
    path.write_bytes(damage(whole, random.Random(seed)))
    read_or_refuse(path)


@given(data=st.binary(max_size=300), kind=st.sampled_from([".csv", ".parquet"]))
@example(data=b"PAR1" + bytes(8) + b"PAR1", kind=".parquet")
def test_any_bytes_are_rows_or_a_refusal(directory: Path, data: bytes, kind: str) -> None:
    path = directory / f"any{kind}"
    path.write_bytes(data)
    read_or_refuse(path)


# Values


WHOLE = st.one_of(st.none(), st.integers(-5, 60), st.integers(-(2**63), 2**63 - 1))
FLOATS = st.one_of(st.none(), st.floats(), st.floats(0, 60))
TEXTS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(["bos0", " bos0 ", "", "NaN", "null", "34:12", "0", "=1", "\0"]),
)
DATES = st.one_of(st.none(), st.dates(), st.just(date(2024, 1, 10)))
KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), WHOLE),
    (pa.float64(), FLOATS),
    (pa.float32(), st.one_of(st.none(), st.floats(width=32))),
    (pa.string(), TEXTS),
    (pa.large_string(), TEXTS),
    (pa.date32(), DATES),
    (pa.timestamp("us", "UTC"), st.one_of(st.none(), st.datetimes())),
    (pa.timestamp("ns"), st.one_of(st.none(), st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)))),
    (pa.decimal128(20, 3), st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=3))),
    (pa.bool_(), st.one_of(st.none(), st.booleans())),
    (pa.binary(), st.one_of(st.none(), st.binary(max_size=8))),
    (pa.duration("s"), st.just(timedelta(seconds=1))),
    (pa.int8(), st.one_of(st.none(), st.integers(-128, 127))),
    (pa.uint64(), st.one_of(st.none(), st.integers(0, 2**64 - 1))),
]


@st.composite
def draw_table(draw: Callable[[Any], Any], table: Table) -> pa.Table:
    """Rows in which each column has its own type and fair values, or now and then any type and values."""
    count = draw(st.integers(0, 5))
    names = [
        name
        for name in table.schema.names
        if (name in table.required and draw(st.integers(0, 30)) != 0) or draw(st.booleans())
    ]
    columns = {}
    for name in draw(st.permutations(names)):
        wanted = table.schema.field(name).type
        wanted = wanted.value_type if pa.types.is_dictionary(wanted) else wanted
        fitting = [kind for kind in KINDS if kind[0] == wanted]
        kind, values = draw(st.sampled_from(fitting * 12 + KINDS))
        columns[name] = pa.array(draw(st.lists(values, min_size=count, max_size=count)), kind)
    return pa.table(columns)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), table=st.sampled_from(INPUTS), kind=st.sampled_from([".csv", ".parquet"]))
def test_any_values_are_stored_once_or_refused(directory: Path, data: Any, table: Table, kind: str) -> None:
    rows = data.draw(draw_table(table))
    path = directory / f"values{kind}"
    try:
        csv.write_csv(rows, path) if kind == ".csv" else pq.write_table(rows, path)
    except (pa.ArrowException, ValueError):
        assume(False)
    found = read_or_refuse(path, table)
    if found is None:
        return
    for name in found.column_names:
        if pa.types.is_floating(found.schema.field(name).type) and table is not PLAYER_GAME_SUMMARY:
            assert pc.all(pc.is_finite(found.column(name).drop_null())).as_py() in (True, None)
    warehouse = DuckDBWarehouse(str(directory / "w.duckdb"))
    try:
        first = warehouse.load(found, LOADED_AT, replace_dates=False, table=table)
        again = warehouse.load(found, LOADED_AT, replace_dates=False, table=table)
    finally:
        (directory / "w.duckdb").unlink()
    assert (first.added, first.replaced) == (found.num_rows, 0)
    assert (again.added, again.replaced, again.unchanged) == (0, 0, found.num_rows)


# Flags


FLAGS = [
    "--start-date",
    "--end-date",
    "--warehouse",
    "--lock-timeout",
    "--parallel",
    "--min-games",
    "--json",
    "--debug",
    "--dry-run",
    "--date",
    "--bootstrap-days",
    "--include-injured",
    "--allow-deletes",
    "--max-error-rate",
    "--runner",
    "--lookback-days",
    "--reason",
    "--player",
    "--all",
    "--gaps-table",
    "--by",
    "--fail-under",
    "--format",
    "--out",
    "--replace-dates",
    "--write-aliases",
    "--table",
    "--limit",
    "--feature",
    "--seed",
    "--direct_num_workers",
    "--streaming",
    "--experiments",
    "--temp_location",
    "--start_date",
    "--end_date",
    "-h",
    "--",
    "-",
    "--x",
]
VALUES = st.one_of(
    st.sampled_from(["2024-01-01", "2024-12-31", "0001-01-01", "9999-12-31", "1", "0", "-1", "nan", "1e309"]),
    st.sampled_from(["w.duckdb", ":memory:", "bigquery://my-project?location=EU", "bigquery://", "s3://x"]),
    st.sampled_from(["true", "false", "a\0b"]),
    st.text(max_size=20),
    st.text(string.printable, max_size=6),
)
COMMANDS = [
    "backfill", "daily", "fill-gaps", "gaps", "coverage", "audit", "import", "demo", "sql", "runs", "explain",
    "completion", "init", "", "bakfill",
]  # fmt: skip
ARGUMENTS = st.one_of(
    st.tuples(st.sampled_from(FLAGS)),
    st.tuples(st.sampled_from(FLAGS), VALUES),
    st.builds(lambda flag, value: (f"{flag}={value}",), st.sampled_from(FLAGS), VALUES),
    st.tuples(VALUES),
)


def parse(arguments: list[str]) -> BaseException | None:
    """What the command line does before it runs a command: how it ends, unless it goes on."""

    def do() -> None:
        known, rest = build_parser().parse_known_args(normalize_flags(arguments, "-"))
        if known.command == "backfill":
            read_config(known, rest)

    with redirect_stdout(io.StringIO()):
        return attempt(do, FeatureStoreError, SystemExit)


@given(command=st.sampled_from(COMMANDS), parts=st.lists(ARGUMENTS, max_size=6))
@example(command="backfill", parts=[("--start-date", "2024-01-01"), ("--end-date", "9999-12-31")])
@example(command="import", parts=[("--", "-x")])
def test_any_flags_are_read_or_refused_in_words(command: str, parts: list[tuple[str, ...]]) -> None:
    end = parse([command, *(word for part in parts for word in part)])
    if isinstance(end, SystemExit):
        assert end.code in (0, None), "help"
    elif end is not None:
        assert isinstance(end, UsageError | BadInput)
        assert 0 < len(str(end)) < 3000


@given(name=st.from_regex(r"--[a-z][a-z0-9_-]{0,20}", fullmatch=True), glued=st.booleans())
def test_the_value_of_an_unknown_flag_is_never_told(name: str, glued: bool) -> None:
    dates = ["--start-date", "2024-01-01", "--end-date", "2024-01-02"]
    value = [f"{name}={CANARY}"] if glued else [name, CANARY]
    end = parse(["backfill", *dates, *value])
    known = {flag.replace("_", "-") for flag in FLAGS}
    assert end is None or name.replace("_", "-") in known or CANARY not in str(end)


@given(text=st.one_of(st.text(max_size=60), st.builds("bigquery://{}?{}={}".format, VALUES, VALUES, VALUES)))
def test_an_address_is_read_or_refused(text: str) -> None:
    refusal = attempt(lambda: parse_address(text), UsageError)
    assert (parse_address(text).text == text) if refusal is None else len(str(refusal)) < 500


@given(
    st.decimals(allow_nan=True, allow_infinity=True).map(str)
    | st.text(string.digits + ".:-+eE PTMSHnaif", max_size=12)
)
def test_a_minute_text_is_a_number_nothing_or_rejected(directory: Path, text: str) -> None:
    path = directory / "minutes.csv"
    rows = ROWS.slice(0, 1)
    index = rows.column_names.index("minutes_played")
    csv.write_csv(rows.set_column(index, "minutes_played", pa.array([text])), path)
    found = read_or_refuse(path)
    if found is not None and found.num_rows:
        minutes = found.column("minutes_played")[0].as_py()
        assert minutes is None or minutes == minutes or Decimal(text).is_nan()
