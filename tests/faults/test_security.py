"""Names, paths and secrets that want out of their place: refused, kept inside, never shown."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from boxscores import make_rows, vary, write_file
from faulty_warehouse import BEFORE, Fault, FaultPlan
from hamcrest import assert_that, contains_string, empty, equal_to, has_length, is_, not_, only_contains
from scenes import make_scene
from terminal import DATES, Finished, Run, spawn
from warehouse import House, differences

from pipeline.commands.app import main
from pipeline.errors import FeatureStoreError, UsageError
from pipeline.ledger.attempts import name_keys_table
from pipeline.warehouse.duckdb_sql import DuckDBSql
from pipeline.warehouse.sql import check_identifier
from pipeline.warehouse.staging import LocalStager, remove_staging

CANARY = "canary-c07e"
HOSTILE = [
    "", " ", "a b", "a\n", "\na", "a\0", "a\t", "a\r\n", "a.b", "a..b", ".a", "a-b", "1a", "a;", "a;b",
    "a'b", 'a"b', "a`b", "`a`", '"a"', "a--", "a/*", "a*/b", "a(b)", "a,b", "a=b", "a%b", "a$b", "a@b",
    "a#b", "a\\b", "a/b", "../a", "[a]", "{a}", "a|b", "a&b", "a!b", "a?b", "a:b", "a+b", "a*", "~a",
    "\u00e9", "\u0430", "a\u200b", "\ufeffa", "\uff41", "a\u0301", "a\u202e", "x" * 129, "a" * 10_000,
    "INFORMATION_SCHEMA.TABLES", "-a", "*", "@@a", "a b; DROP TABLE x",
]  # fmt: skip


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Finished:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Finished(code, *capsys.readouterr())

    return call


# Identifiers


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:20])
def test_what_is_no_plain_identifier_reaches_no_statement(name: str) -> None:
    for make in (check_identifier, DuckDBSql().quote, DuckDBSql().parameter):
        with pytest.raises(FeatureStoreError, match="expected a plain SQL identifier"):
            make(name)
    for dataset, table in ((name, "fine"), ("fine", name)):
        with pytest.raises(FeatureStoreError):
            DuckDBSql().name_object(dataset, table)
        with pytest.raises(UsageError, match=r"expected DATASET\.TABLE") as refused:
            name_keys_table(f"{dataset}.{table}")
        assert_that(len(str(refused.value)) < 400)


@pytest.mark.parametrize("name", ["a", "_a", "A1", "game_date", "x" * 128])
def test_a_plain_identifier_is_quoted(name: str) -> None:
    assert_that(DuckDBSql().quote(name), equal_to(f'"{name}"'))


@pytest.mark.parametrize(
    "text", ["it's", "''", "'; DROP TABLE x; --", "\\'", "a\nb", "\u2019", "$player", "?"]
)
def test_a_text_comes_back_from_a_statement_as_it_was(text: str, tmp_path: Path) -> None:
    import duckdb

    found = duckdb.sql(f"SELECT {DuckDBSql().text_literal(text)}").fetchall()
    assert_that(found, equal_to([(text,)]))
    with pytest.raises(FeatureStoreError, match="NUL"):
        DuckDBSql().text_literal(f"{text}\0")


# Paths


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of somebody else, beside the warehouse."""
    directory = tmp_path / "outside"
    (directory / "theirs").mkdir(parents=True)
    (directory / "theirs" / "precious").write_text("x")
    return directory


def test_a_link_in_the_place_of_the_staging_is_refused_and_not_followed(
    outside: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, run: Run
) -> None:
    """What is staged is tidied: behind the link whole directories of others would be removed."""
    scene = make_scene("first run", tmp_path_factory.mktemp("scene"))
    house = scene.house.copy(tmp_path / "w.duckdb")
    house.staging.symlink_to(outside)
    ended = run(*scene.command(house))
    assert_that(ended.code, equal_to(1))
    assert_that(ended.err, contains_string("w.duckdb.staging no link and no file"))
    assert_that([path.name for path in outside.rglob("*")], equal_to(["theirs", "precious"]))
    house.staging.unlink()
    assert_that(main(scene.command(house)), equal_to(0))
    assert scene.is_done(house)


@pytest.mark.parametrize("kind", ["dangling link", "link to itself", "file", "pipe"])
def test_anything_else_in_its_place_ends_the_run_at_once(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "w.duckdb.staging"
    {
        "dangling link": lambda: root.symlink_to(tmp_path / "gone"),
        "link to itself": lambda: root.symlink_to(root),
        "file": lambda: root.write_text("x"),
        "pipe": lambda: os.mkfifo(root),
    }[kind]()
    with pytest.raises(FeatureStoreError, match="no link and no file"):
        LocalStager.create(str(tmp_path / "w.duckdb"), "run")
    remove_staging(str(tmp_path / "w.duckdb"), "run")
    assert_that(root.is_symlink() or root.exists())


def test_links_within_the_staging_lead_nowhere(outside: Path, tmp_path: Path) -> None:
    root = tmp_path / "w.duckdb.staging"
    (root / "dead").mkdir(parents=True)
    (root / "dead" / "link").symlink_to(outside)
    (root / "link").symlink_to(outside / "theirs")
    LocalStager.create(str(tmp_path / "w.duckdb"), "run")
    remove_staging(str(tmp_path / "w.duckdb"), "run")
    assert_that([path.name for path in outside.rglob("*")], equal_to(["theirs", "precious"]))
    assert_that((root / "dead").exists(), is_(False))


def test_an_answer_is_never_written_through_a_link(outside: Path, tmp_path: Path, run: Run) -> None:
    warehouse = tmp_path / "w.duckdb"
    assert_that(
        run("import", write_file(make_rows(), tmp_path / "r.csv"), "--warehouse", warehouse).code, is_(0)
    )
    for target in (outside / "theirs" / "precious", outside / "new"):
        link = tmp_path / "out.parquet"
        link.symlink_to(target)
        ended = run("sql", "SELECT 1 AS x", "--warehouse", warehouse, "--out", link)
        assert_that(ended.code, equal_to(3))
        link.unlink()
    assert_that((outside / "theirs" / "precious").read_text(), equal_to("x"))
    assert_that((outside / "new").exists(), is_(False))


def test_a_name_with_dots_stays_beside_its_warehouse(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """``..`` in a warehouse's path is the person's own; a run adds nothing to it but the suffix."""
    scene = make_scene("first run", tmp_path_factory.mktemp("scene"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    shutil.copy(scene.house.path, tmp_path / "a" / "w.duckdb")
    house = House(str(tmp_path / "a" / "b" / ".." / "w.duckdb"), scene.house.days)
    assert_that(main(scene.command(house)), equal_to(0))
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert_that(found, equal_to(["a", "a/b", "a/w.duckdb"]))


# Secrets


@dataclass(frozen=True)
class Shop:
    """A warehouse whose rows hold canaries where nothing should show them."""

    warehouse: str
    file: str

    def commands(self) -> Iterator[list[str]]:
        at = ["--warehouse", self.warehouse]
        dates = list(DATES)
        yield ["import", self.file, *at]
        yield ["backfill", *at, *dates, f"--job_name={CANARY}", f"--temp_location=/tmp/{CANARY}"]
        yield ["backfill", *at, *dates, "--dry-run"]
        yield ["daily", *at, "--date", dates[3]]
        yield ["fill-gaps", *at, "--bootstrap-days=0"]
        for command in ("gaps", "coverage", "audit", "runs"):
            yield [command, *at]
        yield ["explain", *at, "--player", "bos0", "--date", dates[3]]
        yield ["sql", *at, "SELECT * FROM nba_predictions.ml_feature_vectors"]
        yield ["sql", *at, "SELECT * FROM nba_reference.processor_run_history"]
        yield ["sql", *at, f"SELECT '{CANARY}x' = player_lookup AS same FROM nba_analytics.nothing"]
        yield ["import", f"{self.file}.missing", *at]
        yield ["backfill", *at, *dates, f"--password={CANARY}"]
        yield ["backfill", *at, *dates, f"--direct_num_workers={CANARY}"]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    rows = make_rows()
    secret = pa.array([CANARY] * rows.num_rows)
    rows = vary(rows, dnp_reason=secret, player_full_name=secret, secret_column=secret)
    return Shop(str(tmp_path / "w.duckdb"), write_file(rows, tmp_path / "rows.parquet"))


@pytest.mark.parametrize("flag", [None, "--json", "--debug"], ids=str)
def test_no_output_shows_what_rows_flags_and_the_environment_hold(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch, flag: str | None
) -> None:
    for name in ("PASSWORD", "API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, f"/{CANARY}")
    for command in shop.commands():
        ended = run(*command, *([flag] if flag else []))
        assert_that(ended.printed, not_(contains_string(CANARY)), str(command))
        assert_that(ended.code in (0, 2, 3, 4), f"{command}: {ended.printed}")


def test_no_error_shows_a_row(shop: Shop, run: Run) -> None:
    """Whatever call fails, in whatever way: neither the message nor the history holds the row."""
    commands = dict(zip(("import", "backfill"), itertools.islice(shop.commands(), 2), strict=True))
    assert_that(run(*commands["import"]).code, equal_to(0))
    with FaultPlan().installed() as counted:
        run(*commands["backfill"], "--parallel=1")
    for name in ("read_history", "write", "commit"):
        with FaultPlan([Fault(counted.calls.index(name) + 1, BEFORE, "text")]).installed():
            ended = run(*commands["backfill"], "--parallel=1", "--json")
        assert_that(ended.code, equal_to(1))
        assert_that(ended.printed, not_(contains_string("canary")), name)
    told = run("sql", "--json", "SELECT error, options FROM nba_reference.processor_run_history",
               "--warehouse", shop.warehouse)  # fmt: skip
    assert_that(told.json["rows"], has_length(3), "a success, and two that failed within the run")
    assert_that(told.out, not_(contains_string("canary")))


def test_a_process_of_its_own_shows_nothing_either(shop: Shop) -> None:
    """Beam's and DuckDB's own output included."""
    for command in itertools.islice(shop.commands(), 2):
        ended = spawn(*command, "--debug", env={"PASSWORD": CANARY, "BEAM_TOKEN": CANARY})
        assert_that(ended.returncode, equal_to(0), ended.stderr.decode())
        assert_that((ended.stdout + ended.stderr).decode(), not_(contains_string(CANARY)))


def test_nothing_of_a_run_is_left_beside_the_warehouse(shop: Shop, run: Run, tmp_path: Path) -> None:
    for command in shop.commands():
        run(*command)
    assert_that({path.name for path in tmp_path.iterdir()}, only_contains("w.duckdb", "rows.parquet"))
    other = House(str(tmp_path / "w.duckdb")).copy(tmp_path / "copy.duckdb")
    assert_that(differences(other.read(), House(shop.warehouse).read()), empty())
