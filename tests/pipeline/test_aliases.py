"""Several lookups of one person become pairs; nothing that was recorded or belongs to others changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from boxscores import make_rows, read_input_version, read_stored, vary, write_file
from hamcrest import (
    all_of,
    assert_that,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_properties,
    not_,
    only_contains,
)
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aliases import AliasProposal, propose_aliases
from pipeline.commands.app import main
from pipeline.errors import WrongShape
from pipeline.imports.importing import read_files
from pipeline.warehouse import duckdb_load
from pipeline.warehouse.base import LoadOutcome
from pipeline.warehouse.duckdb import DuckDBWarehouse
from pipeline.warehouse.duckdb_connection import read_version
from transforms.aliases import resolve_lookup
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import PLAYER_ALIASES

NOW = datetime(2024, 7, 1, tzinfo=UTC)
OLD, NEW, NEWEST = date(2019, 1, 1), date(2020, 1, 1), date(2021, 1, 1)
LETTERS = "abcdef"


# Proposals


def test_the_lookup_of_the_newest_game_is_canonical_and_of_two_the_smaller() -> None:
    people = {"nba_1": {"nene": NEW, "nenehilario": OLD}, "nba_2": {"b": OLD, "a": OLD, "c": OLD}}
    assert_that(
        propose_aliases(people, set(), []),
        equal_to(AliasProposal((("nenehilario", "nene"), ("b", "a"), ("c", "a")))),
    )


def test_what_is_recorded_is_not_proposed_again() -> None:
    people = {"nba_1": {"a": OLD, "b": OLD, "c": NEW}}
    first = propose_aliases(people, set(), [])
    assert_that(propose_aliases(people, set(), first.pairs), equal_to(AliasProposal(known=2)))


def test_a_newer_lookup_continues_the_recorded_chain() -> None:
    people = {"nba_1": {"a": OLD, "b": NEW, "c": NEWEST}}
    assert_that(propose_aliases(people, set(), [("a", "b")]), equal_to(AliasProposal((("b", "c"),), known=1)))


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ([("new", "old")], "nba_1: old -> new would close a circle with recorded pairs"),
        ([("new", "x"), ("x", "old")], "nba_1: old -> new would close a circle with recorded pairs"),
        ([("old", "other")], "nba_1: old -> new contradicts old -> other"),
        ([("old", "z"), ("old", "other")], "nba_1: old -> new contradicts old -> other"),
        ([("new", "x"), ("x", "new")], "nba_1: old -> new leads into a circle of recorded pairs"),
    ],
)
def test_a_pair_that_recorded_ones_forbid_is_named_and_not_proposed(
    stored: list[tuple[str, str]], reason: str
) -> None:
    proposal = propose_aliases({"nba_1": {"old": OLD, "new": NEW}}, set(), stored)
    assert_that(proposal, equal_to(AliasProposal(refused=(reason,))))


def test_a_lookup_of_several_people_makes_no_pair() -> None:
    people = {"nba_1": {"chrisjohnson": OLD, "chris": NEW}, "nba_2": {"a": OLD, "b": NEW}}
    proposal = propose_aliases(people, {"chrisjohnson"}, [])
    assert_that(
        proposal,
        equal_to(AliasProposal((("a", "b"),), 0, ("nba_1: chrisjohnson is the lookup of several people",))),
    )


@given(
    people=st.dictionaries(
        st.sampled_from(["nba_1", "nba_2", "espn_1"]),
        st.dictionaries(st.sampled_from(LETTERS), st.sampled_from([OLD, NEW, NEWEST]), min_size=2),
    ),
    stored=st.lists(st.tuples(st.sampled_from(LETTERS), st.sampled_from(LETTERS)), max_size=4),
)
def test_pairs_never_close_a_circle_nor_speak_against_stored_ones(
    people: dict[str, dict[str, date]], stored: list[tuple[str, str]]
) -> None:
    before = {alias: min(c for a, c in stored if a == alias) for alias, _ in stored}
    proposal = propose_aliases(people, set(), stored)
    after = before | dict(proposal.pairs)
    assert_that(len(after), equal_to(len(before) + len(proposal.pairs)))
    for lookup in LETTERS:
        if resolve_lookup(lookup, before) is not None:
            assert resolve_lookup(lookup, after) is not None, f"{lookup} is in a new circle"
    again = propose_aliases(people, set(), [*stored, *proposal.pairs])
    assert_that(again.pairs, empty())


# Recording


class House:
    """A warehouse into which rows of one player a date are imported."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.path = directory, str(directory / "w.duckdb")

    def write(self, rows: Iterable[tuple[str, str, date]]) -> str:
        lookups, ids, days = zip(*rows, strict=True)
        table = make_rows(dates=3).slice(0, len(lookups))
        table = vary(table, player_lookup=list(lookups), universal_player_id=list(ids), game_date=list(days))
        return write_file(table, self.directory / "rows.parquet")

    def load(self, *rows: tuple[str, str, date], write: bool = True) -> LoadOutcome:
        table, _ = read_files([self.write(rows)])
        return DuckDBWarehouse(self.path).load(table, NOW, replace_dates=False, write_aliases=write)

    def execute(self, statement: str) -> None:
        with DuckDBWarehouse(self.path).open(read_only=False) as connection:
            connection.execute(statement)

    def pairs(self) -> list[Any]:
        with DuckDBWarehouse(self.path).open() as connection:
            return connection.execute(f"SELECT * FROM {PLAYER_ALIASES.path} ORDER BY ALL").fetchall()

    def versions(self) -> tuple[int, ...]:
        """Of the box scores and of the aliases, 0 before their first import."""
        with DuckDBWarehouse(self.path).open() as connection:
            found = [read_version(connection, table) for table in (PLAYER_GAME_SUMMARY, PLAYER_ALIASES)]
        return tuple(version[0] if version else 0 for version in found)

    def has_aliases(self) -> bool:
        return DuckDBWarehouse(self.path).describe(PLAYER_ALIASES) is not None


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


NENE = (("nenehilario", "nba_2403", OLD), ("nene", "nba_2403", NEW))


def test_aliases_are_recorded_only_when_asked_for(house: House) -> None:
    outcome = house.load(*NENE, write=False)
    assert_that(outcome.aliases_written, equal_to(False))
    assert_that(outcome.aliases.pairs, equal_to((("nenehilario", "nene"),)))
    assert_that(house.has_aliases(), equal_to(False))
    outcome = house.load(*NENE)
    assert_that(outcome, has_properties(aliases_written=True, unchanged=2, version=2))
    assert_that(house.pairs(), equal_to([("nenehilario", "nene")]))


def test_recording_twice_changes_nothing_but_the_version(house: House) -> None:
    house.load(*NENE)
    again = house.load(*NENE)
    assert_that(again, has_properties(aliases=AliasProposal(known=1), version=2))
    assert_that(house.pairs(), equal_to([("nenehilario", "nene")]))


def test_stored_seasons_count_and_other_pairs_stay(house: House) -> None:
    house.load(("other", "nba_7", OLD))
    house.execute(f"CREATE SCHEMA IF NOT EXISTS {PLAYER_ALIASES.dataset}")
    house.execute(f"CREATE TABLE {PLAYER_ALIASES.path} (alias_lookup VARCHAR, nba_canonical_lookup VARCHAR)")
    house.execute(f"INSERT INTO {PLAYER_ALIASES.path} VALUES ('x', 'y')")
    house.load(NENE[0])
    outcome = house.load(NENE[1])
    assert_that(outcome.aliases.pairs, equal_to((("nenehilario", "nene"),)))
    assert_that(house.pairs(), equal_to([("nenehilario", "nene"), ("x", "y")]))


def test_people_that_share_a_lookup_are_left_alone_and_named(house: House) -> None:
    house.load(("chrisjohnson", "nba_9", OLD))
    outcome = house.load(("chrisjohnson", "nba_8", NEW), ("chris", "nba_8", NEWEST), *NENE)
    assert_that(outcome.aliases.refused, equal_to(("nba_8: chrisjohnson is the lookup of several people",)))
    assert_that(outcome.several_people, equal_to(("chrisjohnson: nba_8, nba_9",)))
    assert_that(house.pairs(), equal_to([("nenehilario", "nene")]))


def test_an_id_of_another_source_is_nobody_else(house: House) -> None:
    house.load(("nene", "espn_1713", OLD))
    assert_that(house.load(*NENE), has_properties(several_people=empty()))
    assert_that(house.pairs(), equal_to([("nenehilario", "nene")]))


def test_the_newest_game_of_each_lookup_counts(house: House) -> None:
    house.load(("jimmybutler", "nba_1", OLD), ("jimmybutler", "nba_1", NEWEST), ("butler", "nba_1", NEW))
    assert_that(house.pairs(), equal_to([("butler", "jimmybutler")]))


def test_the_version_of_the_aliases_rises_when_pairs_are_recorded(house: House) -> None:
    house.load(*NENE, write=False)
    assert_that(house.versions(), equal_to((1, 0)))
    house.load(*NENE)
    assert_that(house.versions(), equal_to((2, 1)))
    house.load(*NENE)
    assert_that(house.versions(), equal_to((3, 1)))


def test_aliases_and_rows_are_one_transaction(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.load(("other", "nba_7", OLD))

    def fail(connection: Any, pairs: object) -> None:
        connection.execute(f"INSERT INTO {PLAYER_ALIASES.path} VALUES ('half', 'written')")
        raise KeyboardInterrupt

    monkeypatch.setattr(duckdb_load, "insert_pairs", fail)
    with pytest.raises(KeyboardInterrupt):
        house.load(*NENE)
    assert_that(house.has_aliases(), equal_to(False))
    assert_that(read_stored(house.path, ["player_lookup"]), equal_to([("other",)]))
    assert_that(read_input_version(house.path), equal_to(1))


def test_a_table_of_aliases_of_another_shape_is_refused(house: House) -> None:
    house.load(("other", "nba_7", OLD))
    house.execute(f"CREATE SCHEMA IF NOT EXISTS {PLAYER_ALIASES.dataset}")
    house.execute(f"CREATE TABLE {PLAYER_ALIASES.path} (alias VARCHAR)")
    with pytest.raises(WrongShape, match="player_aliases lacks the column"):
        house.load(*NENE)
    assert_that(read_stored(house.path, ["player_lookup"]), equal_to([("other",)]))


# The command


def test_an_import_offers_the_command_that_records_aliases(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    file = house.write(NENE)
    assert_that(main(["import", file, "--warehouse", house.path]), equal_to(0))
    offered = capsys.readouterr().out.split("\nNext\n  feature-store ")[1].split()
    assert_that(offered, equal_to(["import", "--warehouse", house.path, "--write-aliases", file]))

    assert_that(main(offered), equal_to(0))
    printed = capsys.readouterr().out
    assert_that(
        printed,
        all_of(
            contains_string("1 recorded in nba_reference.player_aliases"),
            contains_string("nenehilario -> nene"),
            not_(contains_string("Next")),
        ),
    )
    assert_that(house.pairs(), equal_to([("nenehilario", "nene")]))
    assert_that(main(["import", file, "--warehouse", house.path]), equal_to(0))
    assert_that(capsys.readouterr().out, not_(contains_string("Next")))


def test_json_tells_the_pairs_and_the_command(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    main(["import", house.write(NENE), "--warehouse", house.path, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert_that(
        found,
        has_entries(
            aliases={"pairs": [["nenehilario", "nene"]], "known": 0, "refused": []},
            aliases_written=False,
            next=only_contains(contains_string("--write-aliases")),
            recognised=has_entries({"the project's own columns": has_entries(files=1, rows=2)}),
        ),
    )
