"""What a commit changes and what it leaves: rows by key, refusals, and one transaction for all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hamcrest import (
    all_of,
    assert_that,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_length,
    is_,
    is_not,
    less_than_or_equal_to,
    not_,
)
from warehouse import (
    HISTORY,
    LEDGER,
    RUN_AT,
    STORE,
    House,
    Key,
    Row,
    Staged,
    Tables,
    differences,
    invalidate,
    key_of,
    list_dates,
    make_league,
    make_row,
)

from pipeline import main as job
from pipeline.commands.app import main
from pipeline.errors import AuditFailed, Conflict, DeletionRefused, TooManyFailures
from pipeline.preflight import check_dependencies, plan_deletions
from pipeline.warehouse import duckdb_commit
from pipeline.warehouse.base import CommitOutcome, CommitRequest, RunRow
from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms import compute
from transforms.schema import FEATURE_STORE, PLAYER_GAME_SUMMARY, STAGED_FEATURES
from transforms.vector import MISSING

ROWS = make_league(players=4)
DAYS = list_dates(ROWS)
PLAYER = "bos3"
A_DATE = 16  # rows of one date


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The league, never backfilled. Not to be changed: tests take copies."""
    house = House(str(tmp_path_factory.mktemp("imported") / "warehouse.duckdb"), DAYS)
    house.put(ROWS)
    return house


@pytest.fixture(scope="session")
def backfilled(imported: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """The league after one backfill of everything. Not to be changed: tests take copies."""
    house = imported.copy(tmp_path_factory.mktemp("backfilled") / "warehouse.duckdb")
    house.commit()
    return house


@pytest.fixture
def fresh(imported: House, tmp_path: Path) -> House:
    return imported.copy(tmp_path / "warehouse.duckdb")


@pytest.fixture
def house(backfilled: House, tmp_path: Path) -> House:
    return backfilled.copy(tmp_path / "warehouse.duckdb")


@pytest.fixture(scope="session")
def corrected(backfilled: House, tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Staged]:
    """A backfilled league with a corrected row, and the run over it, staged. Not to be changed."""
    house = backfilled.copy(tmp_path_factory.mktemp("corrected") / "warehouse.duckdb")
    house.put(replaced((PLAYER, DAYS[10]), points=55))
    return house, house.stage()


def recompute(rows: list[Row], path: Path, days: list[date] = DAYS) -> Tables:
    """The tables of a warehouse that never saw other rows."""
    other = House(str(path / "recomputed.duckdb"), days)
    other.put(rows)
    other.commit()
    return other.read()


def without(keys: set[Key]) -> list[Row]:
    return [row for row in ROWS if key_of(row) not in keys]


def keys_on(day: date) -> list[Key]:
    return [key_of(row) for row in ROWS if row["game_date"] == day]


def replaced(key: Key, **facts: Any) -> list[Row]:
    return [row | facts if key_of(row) == key else row for row in ROWS]


def is_untouched(before: Tables, after: Tables) -> None:
    """Features and gaps are the very same, instants and run ids included."""
    assert after.features == before.features
    assert after.gaps == before.gaps
    assert after.successes == before.successes


# Rows that change, and rows that do not


def test_first_backfill_writes_every_target_once(backfilled: House) -> None:
    tables = backfilled.read()
    assert_that(tables.features.keys() & tables.gaps.keys(), is_(empty()))
    assert_that(tables.features.keys() | tables.gaps.keys(), equal_to({key_of(row) for row in ROWS}))
    assert_that(tables.gaps, has_length(A_DATE * 5))


def test_without_beam_commits_what_the_pipeline_commits(fresh: House, backfilled: House) -> None:
    report = fresh.run()
    assert_that(differences(fresh.read(), backfilled.read()), is_(empty()))
    assert_that(report.row["records_created"], equal_to(len(fresh.read().features)))


def test_second_run_changes_nothing_but_attempts(house: House) -> None:
    before = house.read()
    report = house.run()
    after = house.read()

    assert after.features == before.features
    assert_that(differences(after, before), is_(empty()))
    assert_that({gap["attempt_count"] for gap in after.gaps.values()}, equal_to({2}))
    for name in ("detected_at", "detected_run_id", "resolved_at", "withdrawn_at", "reopened_at"):
        assert [gap[name] for gap in after.gaps.values()] == [gap[name] for gap in before.gaps.values()]
    assert_that(after.runs, has_length(len(before.runs) + 1))
    assert_that(
        report.row,
        has_entries(records_created=0, records_updated=0, records_deleted=0, gaps_opened=0, gaps_resolved=0),
    )
    assert_that(report.row["records_unchanged"], equal_to(len(before.features)))


def test_corrected_row_changes_exactly_what_a_recomputation_changes(house: House, tmp_path: Path) -> None:
    day = DAYS[20]
    corrected = replaced((PLAYER, day), points=55, fg_makes=5, fg_attempts=30)
    before = house.read()
    house.put(corrected)
    row = house.commit()
    after = house.read()

    assert_that(differences(after, recompute(corrected, tmp_path)), is_(empty()))
    old, new = before.content["features"], after.content["features"]
    changed = {key for key in new if new[key] != old[key]}
    assert_that(row["records_updated"], equal_to(len(changed)))
    assert_that([key for key in changed if key[1] <= day], is_(empty()))
    assert_that(
        [key for key in new if key[0] == PLAYER and key[1] > day and key not in changed], is_(empty())
    )


def test_created_at_is_kept_and_only_changed_rows_are_written_anew(house: House) -> None:
    before = house.read()
    house.put(replaced((PLAYER, DAYS[35]), points=55))
    run = house.commit()
    after = house.read()

    old, new = before.content["features"], after.content["features"]
    changed = {key for key in new if new[key] != old[key]}
    assert 0 < len(changed) < len(new)
    for key, row in after.features.items():
        assert row["created_at"] == before.features[key]["created_at"]
        if key in changed:
            assert (row["run_id"], row["updated_at"]) == (run["run_id"], run["started_at"])
        else:
            assert row == before.features[key]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("universal_player_id", "id7"),
        ("is_home", None),
        ("game_id", "20231231_AAA_BBB"),
        ("season_year", 2022),
    ],
)
def test_a_fact_of_the_target_alone_counts_as_a_change(house: House, column: str, value: object) -> None:
    """The last date's rows are nobody's history, so nothing else can follow from the change."""
    key = keys_on(DAYS[-1])[0]
    house.put(replaced(key, **{column: value}))
    run = house.commit()
    assert_that(run["records_updated"], equal_to(1))
    assert_that(house.read().features[key][column], equal_to(value))
    assert_that(house.read().features[key]["run_id"], equal_to(run["run_id"]))


def test_rows_in_other_order_change_nothing(house: House) -> None:
    before = house.read()
    house.put(reversed(ROWS))
    assert_that(house.commit(), has_entries(records_created=0, records_updated=0, records_deleted=0))
    assert house.read().features == before.features


def test_split_into_ranges_gives_the_tables_of_one_run(fresh: House, backfilled: House) -> None:
    for first, last in ((30, 39), (0, 9), (10, 29), (20, 39)):
        fresh.commit(DAYS[first], DAYS[last])
    assert_that(differences(fresh.read(), backfilled.read()), is_(empty()))


# Rows that vanish


def test_vanished_keys_are_deleted_within_the_range_and_nothing_outside_is_touched(house: House) -> None:
    inside, outside = keys_on(DAYS[30])[:3], keys_on(DAYS[31])[:3]
    before = house.read()
    house.put(without({*inside, *outside}))
    row = house.commit(DAYS[25], DAYS[30])
    after = house.read()

    assert_that(row["records_deleted"], equal_to(3))
    assert_that(before.features.keys() - after.features.keys(), equal_to(set(inside)))
    beyond = {key for key in before.features if not DAYS[25] <= key[1] <= DAYS[30]}
    assert {key: after.features[key] for key in beyond} == {key: before.features[key] for key in beyond}
    assert after.gaps == before.gaps


def test_a_key_that_becomes_a_gap_loses_its_row(house: House) -> None:
    key = (PLAYER, DAYS[30])
    house.put([invalidate(row) if key_of(row) == key else row for row in ROWS])
    row = house.commit()
    tables = house.read()
    assert_that(row, has_entries(records_deleted=1, gaps_opened=1))
    assert_that(key in tables.features, is_(False))
    assert_that(tables.open_gaps[key]["skip_reason"], equal_to("invalid_input"))


@dataclass(frozen=True)
class Loss:
    """``gone`` keys of one date vanish before a run over the ``dates`` dates from it on."""

    gone: int
    dates: int
    refused: bool


@pytest.mark.parametrize(
    "loss",
    [
        Loss(gone=10, dates=1, refused=False),
        Loss(gone=11, dates=1, refused=True),
        Loss(gone=10, dates=5, refused=False),
        Loss(gone=11, dates=30, refused=True),  # 2 % of 480 rows are 9: the 10 count
        Loss(gone=11, dates=35, refused=False),  # 2 % of 560 rows are 11.2
        Loss(gone=12, dates=35, refused=True),
    ],
    ids=str,
)
def test_a_run_deletes_ten_rows_or_two_percent_unasked(house: House, loss: Loss) -> None:
    day = DAYS[5]
    gone = keys_on(day)[: loss.gone]
    before = house.read()
    house.put(without(set(gone)))
    last = DAYS[5 + loss.dates - 1]
    if not loss.refused:
        assert_that(house.commit(day, last)["records_deleted"], equal_to(loss.gone))
        return
    with pytest.raises(DeletionRefused, match="--allow-deletes") as caught:
        house.commit(day, last)
    assert_that(str(caught.value), contains_string(f"{loss.gone} of {A_DATE * loss.dates} stored rows"))
    assert_that(
        str(caught.value),
        contains_string(f"{day}  stored {A_DATE}, found {A_DATE - loss.gone}, would delete {loss.gone}"),
    )
    is_untouched(before, house.read())


def test_a_refused_deletion_leaves_a_failed_row_and_exits_5(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    before = house.read()
    house.put(without(set(keys_on(DAYS[10])[:11])))
    command = ["backfill", "--warehouse", house.path, "--json"]
    command += ["--start-date", str(DAYS[10]), "--end-date", str(DAYS[10])]
    assert_that(main(command), equal_to(5))
    assert_that(json.loads(capsys.readouterr().out), has_entries(exit_code=5))
    after = house.read()
    is_untouched(before, after)
    assert_that(after.runs, has_length(len(before.runs) + 1))
    failed = after.runs[-1]
    assert_that(failed, has_entries(status="failed", records_deleted=0, records_created=0, gaps_opened=0))
    assert_that(failed["error"], contains_string("DeletionRefused"))

    assert_that(main([*command, "--allow-deletes"]), equal_to(0))
    assert_that(json.loads(capsys.readouterr().out), has_entries(records_deleted=11, exit_code=0))


def test_a_date_is_not_emptied_unasked_however_few_its_rows(fresh: House) -> None:
    lonely = DAYS[-1] + timedelta(days=2)
    extra = [make_row(f"{t}0", lonely, t.upper(), o.upper()) for t, o in (("bos", "chi"), ("chi", "bos"))]
    fresh.put(ROWS + extra)
    fresh.commit(last=lonely)
    before = fresh.read()
    fresh.put(ROWS)
    with pytest.raises(DeletionRefused, match=r"1 date\(s\) with stored rows") as caught:
        fresh.commit(last=lonely)
    assert_that(str(caught.value), contains_string(f"{lonely}  stored 2, found 0, would delete 2"))
    is_untouched(before, fresh.read())

    assert_that(fresh.commit(last=lonely, allow_deletes=True)["records_deleted"], equal_to(2))
    assert_that(differences(fresh.read(), before), has_length(2))


def test_an_empty_table_cannot_delete_history(house: House) -> None:
    before = house.read()
    house.put([])
    with pytest.raises(DeletionRefused, match=r"35 date\(s\) with stored rows") as caught:
        house.run()
    assert_that(str(caught.value), contains_string("and 15 more dates"))
    is_untouched(before, house.read())
    house.run(allow_deletes=True)
    after = house.read()
    assert_that(after.features, is_(empty()))
    assert_that(after.open_gaps, is_(empty()))


def test_a_range_without_games_and_without_rows_is_a_success(house: House) -> None:
    before = house.read()
    report = house.run(DAYS[-1] + timedelta(days=1), DAYS[-1] + timedelta(days=9))
    assert_that(report.row, has_entries(status="success", records_expected=0, records_created=0, gaps_open=0))
    assert house.read().features == before.features


def test_the_dry_run_shows_the_deletions_that_the_guard_would_count(house: House) -> None:
    gone = set(keys_on(DAYS[10])[:11])
    house.put([*without(gone), make_row(PLAYER, DAYS[12], "BOS", "CHI", player_lookup=None)])
    plan = check_dependencies(house.warehouse, house.config(DAYS[9], DAYS[12]).make_targets(RUN_AT)).plan
    assert_that(plan_deletions(house.warehouse, plan), equal_to([(DAYS[10], A_DATE, A_DATE - 11, 11)]))


# Conflicts


def test_inputs_that_change_under_a_run_are_a_conflict(house: House) -> None:
    before = house.read()
    house.put(replaced((PLAYER, DAYS[30]), points=55))
    staged = house.stage()
    house.put(ROWS)
    with pytest.raises(Conflict, match="inputs changed, run again"):
        house.publish(staged)
    after = house.read()
    is_untouched(before, after)
    assert_that(after.runs[-1], has_entries(run_id=staged.run.run_id, status="failed"))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [((0, 39), (0, 39)), ((0, 20), (20, 39)), ((20, 39), (0, 20)), ((5, 10), (0, 39)), ((0, 39), (7, 7))],
    ids=["same", "last date in common", "first date in common", "nested", "nesting"],
)
def test_an_overlapping_run_that_committed_meanwhile_is_a_conflict(
    fresh: House, mine: tuple[int, int], theirs: tuple[int, int]
) -> None:
    staged = fresh.stage(DAYS[mine[0]], DAYS[mine[1]])
    fresh.commit(DAYS[theirs[0]], DAYS[theirs[1]])
    before = fresh.read()
    with pytest.raises(Conflict, match="another run over dates of"):
        fresh.publish(staged)
    is_untouched(before, fresh.read())


@pytest.mark.parametrize("mine_first", [True, False])
def test_a_run_of_the_very_next_dates_that_committed_meanwhile_is_none(
    fresh: House, backfilled: House, mine_first: bool
) -> None:
    ranges = [(DAYS[0], DAYS[20] - timedelta(days=1)), (DAYS[20], DAYS[-1])]
    mine, theirs = ranges if mine_first else reversed(ranges)
    staged = fresh.stage(*mine)
    fresh.commit(*theirs)
    fresh.publish(staged)
    assert_that(differences(fresh.read(), backfilled.read()), is_(empty()))


def test_a_failed_run_over_the_same_dates_is_no_conflict(fresh: House) -> None:
    staged = fresh.stage()
    with pytest.raises(AuditFailed):
        fresh.publish(lose_target(fresh.stage()))
    fresh.publish(staged)
    assert_that([run["status"] for run in fresh.read().runs], equal_to(["success", "failed"]))


# The audit


def edit(table: pa.Table, **columns: Callable[[Row], object]) -> pa.Table:
    """The table with columns of its last row changed (a row of a player with history)."""
    *others, last = table.to_pylist()
    last = last | {name: change(last) for name, change in columns.items()}
    return pa.Table.from_pylist(
        [*others, last], schema=pa.schema(f.with_nullable(True) for f in table.schema)
    )


def lose_target(staged: Staged) -> Staged:
    return replace(staged, targets=staged.targets.slice(1))


def lose_row(staged: Staged) -> Staged:
    return replace(staged, features=staged.features.slice(1))


def lose_gap(staged: Staged) -> Staged:
    return replace(staged, gaps=staged.gaps.slice(1))


def add_row(staged: Staged) -> Staged:
    stranger = edit(staged.features, player_lookup=lambda row: "stranger").slice(staged.features.num_rows - 1)
    return replace(
        staged, features=pa.concat_tables([staged.features, stranger.cast(staged.features.schema)])
    )


def keep_both(staged: Staged) -> Staged:
    last = staged.features.slice(staged.features.num_rows - 1)
    gap = edit(
        staged.gaps.slice(0, 1),
        player_lookup=lambda row: last.column("player_lookup")[0].as_py(),
        game_date=lambda row: last.column("game_date")[0].as_py(),
    )
    return replace(staged, gaps=pa.concat_tables([staged.gaps, gap.cast(staged.gaps.schema)]))


def repeat_row(staged: Staged) -> Staged:
    return replace(staged, features=pa.concat_tables([staged.features, staged.features.slice(3, 1)]))


def repeat_gap(staged: Staged) -> Staged:
    return replace(staged, gaps=pa.concat_tables([staged.gaps, staged.gaps.slice(3, 1)]))


def repeat_target(staged: Staged) -> Staged:
    return replace(staged, targets=pa.concat_tables([staged.targets, staged.targets.slice(3, 1)]))


def move_out_of_range(staged: Staged) -> Staged:
    """The same key everywhere, so that only its date is wrong."""
    out = {"game_date": lambda row: DAYS[-1] + timedelta(days=1)}
    key = key_of(staged.features.slice(staged.features.num_rows - 1).to_pylist()[0])
    match = pc.and_(
        pc.equal(staged.targets.column("player_lookup"), key[0]),
        pc.equal(staged.targets.column("game_date"), pa.scalar(key[1])),
    )
    targets = pa.concat_tables([staged.targets.filter(pc.invert(match)), staged.targets.filter(match)])
    return replace(staged, features=edit(staged.features, **out), targets=edit(targets, **out))


def set_value(column: str, value: object) -> Callable[[Staged], Staged]:
    def change(staged: Staged) -> Staged:
        return replace(staged, features=edit(staged.features, **{column: lambda row: value}))

    return change


def read_one_less(staged: Staged) -> Staged:
    return replace(staged, rows_read=staged.rows_read - 1)


ONE_PLACE = "every target is exactly one feature row or one gap"
IN_RANGE = "every target is one of the requested keys"
VALUES = "every value is finite, in its range"
ALL_READ = "the run read"


@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        (lose_target, ONE_PLACE),
        (lose_row, ONE_PLACE),
        (lose_gap, ONE_PLACE),
        (add_row, ONE_PLACE),
        (keep_both, ONE_PLACE),
        (repeat_row, ONE_PLACE),
        (repeat_gap, ONE_PLACE),
        (repeat_target, ONE_PLACE),
        (set_value("player_lookup", "stranger"), ONE_PLACE),
        (set_value("player_lookup", None), ONE_PLACE),
        (move_out_of_range, IN_RANGE),
        (set_value("feature_0_value", float("nan")), VALUES),
        (set_value("feature_13_value", float("inf")), VALUES),
        (set_value("feature_13_value", float("-inf")), VALUES),
        (set_value("feature_0_value", -0.5), VALUES),
        (set_value("feature_5_value", 100.5), VALUES),
        (set_value("feature_24_value", 1.01), VALUES),
        (set_value("feature_33_value", 1.01), VALUES),
        (set_value("feature_0_value", None), VALUES),
        (set_value("feature_0_source", MISSING), VALUES),
        (set_value("feature_0_source", None), VALUES),
        (set_value("feature_0_source", "guesswork"), VALUES),
        (set_value("feature_10_source", "injury_report"), VALUES),
        (set_value("feature_10_source", None), VALUES),
        (read_one_less, ALL_READ),
    ],
)
def test_staged_data_that_breaks_a_rule_is_not_published(
    corrected: tuple[House, Staged], tmp_path: Path, break_it: Callable[[Staged], Staged], rule: str
) -> None:
    house, staged = corrected[0].copy(tmp_path / "warehouse.duckdb"), corrected[1]
    before = take_fingerprint(house)
    with pytest.raises(AuditFailed, match=rule):
        house.publish(break_it(staged))
    assert_that(take_fingerprint(house)[:2], equal_to(before[:2]))
    row = house.warehouse.read_run(staged.run.run_id)
    assert row is not None
    assert_that(row, has_entries(status="failed", records_updated=0, error=contains_string(rule)))


@pytest.mark.parametrize("table", [STORE, LEDGER])
def test_a_key_that_somebody_stored_twice_is_found_before_the_commit(house: House, table: str) -> None:
    before = house.read()
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1")
    staged = house.stage()
    with pytest.raises(
        AuditFailed, match="each requested key that is a target is one stored row or one open gap"
    ):
        house.publish(staged)
    with house.warehouse.open(read_only=False) as connection:
        connection.execute(f"DELETE FROM {table} WHERE rowid = (SELECT MAX(rowid) FROM {table})")
    is_untouched(before, house.read())


def test_the_same_data_unspoilt_is_published(corrected: tuple[House, Staged], tmp_path: Path) -> None:
    house = corrected[0].copy(tmp_path / "warehouse.duckdb")
    assert_that(house.publish(corrected[1])["records_updated"], is_not(equal_to(0)))


def test_a_broken_rule_names_players_and_dates_but_shows_no_row(house: House) -> None:
    staged = set_value("feature_0_value", -0.5)(house.stage())
    with pytest.raises(AuditFailed) as caught:
        house.publish(staged)
    row = staged.features.slice(staged.features.num_rows - 1).to_pylist()[0]
    assert_that(str(caught.value), contains_string(f"{row['player_lookup']!r} on {row['game_date']}"))
    assert_that(len(str(caught.value)), less_than_or_equal_to(400))


@pytest.mark.parametrize("harm", ["removed", "truncated", "emptied", "shortened"])
def test_a_staged_file_that_lost_content_is_not_published(
    corrected: tuple[House, Staged], tmp_path: Path, harm: str
) -> None:
    house, staged = corrected[0].copy(tmp_path / "warehouse.duckdb"), corrected[1]
    before = take_fingerprint(house)
    files = house.write(staged)
    path = Path(next(path for kind, path, _ in files if kind == "features"))
    whole = path.read_bytes()
    if harm == "removed":
        path.unlink()
    elif harm == "shortened":
        replacement = replace(
            staged, features=staged.features.slice(5), run=replace(staged.run, run_id="other")
        )
        path.write_bytes(Path(house.write(replacement)[0][1]).read_bytes())
    else:
        path.write_bytes(whole[: len(whole) // 2] if harm == "truncated" else b"")
    request = make_request(staged, files)
    with pytest.raises(AuditFailed, match="staged"):
        house.warehouse.commit(request, forbidden)
    assert_that(take_fingerprint(house), equal_to(before))


def forbidden(outcome: CommitOutcome) -> RunRow:
    pytest.fail(f"the commit went through: {outcome}")


def make_request(staged: Staged, files: list[tuple[str, str, int]]) -> CommitRequest:
    run = staged.run
    return CommitRequest(
        run.run_id,
        run.run_at,
        run.targets,
        run.windows,
        None,
        run.inputs,
        staged.rows_read,
        False,
        tuple(files),
    )


# Once, and whole


def test_asking_twice_for_one_run_commits_it_once(house: House) -> None:
    house.put(replaced((PLAYER, DAYS[10]), points=55))
    staged = house.stage()
    first = house.publish(staged)
    before = house.read()
    second = house.publish(staged)
    after = house.read()
    is_untouched(before, after)
    assert_that(after.runs, has_length(len(before.runs)))
    assert_that(second, equal_to(first))


def test_a_run_that_failed_is_not_published_by_asking_again(house: House) -> None:
    before = house.read()
    staged = house.stage()
    with pytest.raises(AuditFailed, match=ONE_PLACE) as first:
        house.publish(lose_row(staged))
    with pytest.raises(AuditFailed, match=ONE_PLACE) as second:
        house.publish(staged)
    after = house.read()
    assert_that(str(second.value), equal_to(str(first.value)))
    is_untouched(before, after)
    assert_that([run["run_id"] for run in after.runs].count(staged.run.run_id), equal_to(1))


def test_a_failure_that_cannot_be_recorded_is_told_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record_failure(warehouse: DuckDBWarehouse, row: RunRow) -> RunRow:
        raise duckdb.IOException("no space left")

    before = house.read()
    monkeypatch.setattr(DuckDBWarehouse, "record_failure", record_failure)
    house.put([])
    with pytest.raises(DeletionRefused, match="no player rows left"):
        house.run()
    is_untouched(before, house.read())


def test_a_run_that_is_committed_is_a_success_however_its_pipeline_ends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is lost while the pipeline shuts down takes nothing back."""
    run_watched = job.run_watched

    def run_and_fail(pipeline: object) -> object:
        run_watched(pipeline)
        raise RuntimeError("a worker process died")

    monkeypatch.setattr(job, "run_watched", run_and_fail)
    assert_that(house.run().row["status"], equal_to("success"))
    assert_that([run["status"] for run in house.read().runs], equal_to(["success", "success"]))


class Interrupted(RuntimeError):
    """What :class:`Fragile` raises."""


class Fragile:
    """A connection that fails at its n-th statement, before it or after its effect."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, fail_at: int, *, after: bool) -> None:
        self._connection, self._fail_at, self._after = connection, fail_at, after
        self.statements: list[str] = []

    def _call(self, method: str, query: str, *args: Any, **kwargs: Any) -> Any:
        self.statements.append(query)
        failing = len(self.statements) == self._fail_at
        if failing and not self._after:
            raise Interrupted(query)
        try:
            return getattr(self._connection, method)(query, *args, **kwargs)
        finally:
            if failing:
                raise Interrupted(query)

    def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return self._call("execute", query, *args, **kwargs)

    def sql(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return self._call("sql", query, *args, **kwargs)


def fingerprint(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Everything in the output tables, in one short value."""
    found = []
    for name in (STORE, LEDGER, HISTORY):
        try:
            query = f"SELECT COUNT(*), BIT_XOR(HASH(COLUMNS(*))) FROM {name}"
            found += connection.execute(query).fetchall()
        except duckdb.CatalogException:
            found.append((name, "missing"))
    return found


def take_fingerprint(house: House) -> list[tuple[Any, ...]]:
    with house.warehouse.open() as connection:
        return fingerprint(connection)


@pytest.mark.parametrize("start", ["imported", "backfilled"])
@pytest.mark.parametrize("after", [False, True], ids=["before a statement", "after its effect"])
def test_a_failure_at_any_statement_of_the_commit_leaves_the_tables_as_they_were(
    request: pytest.FixtureRequest, tmp_path: Path, start: str, after: bool
) -> None:
    original: House = request.getfixturevalue(start)
    house = original.copy(tmp_path / "warehouse.duckdb")
    gone = set(keys_on(DAYS[10])[:4])
    house.put([row for row in replaced((PLAYER, DAYS[10]), points=55) if key_of(row) not in gone])
    staged = house.stage(bootstrap_days=10)
    wanted = make_request(staged, house.write(staged))
    with house.warehouse.open(read_only=False) as connection:
        before = fingerprint(connection)
        statements, failures = 10**9, 0
        while failures + 1 <= statements:
            fragile = Fragile(connection, failures + 1, after=after)
            try:
                duckdb_commit.commit_run(fragile, wanted, lambda outcome: build_row(staged, outcome))
            except Interrupted as error:
                failures += 1
                if str(error) == "COMMIT" and after:
                    break
                assert_that(fingerprint(connection), equal_to(before), fragile.statements[-1])
                continue
            break
        done = fingerprint(connection)
        assert_that(failures, is_not(less_than_or_equal_to(20)))
        assert_that(done, not_(equal_to(before)))
        duckdb_commit.commit_run(connection, wanted, lambda outcome: forbidden(outcome))
        assert_that(fingerprint(connection), equal_to(done))


def build_row(staged: Staged, outcome: CommitOutcome) -> RunRow:
    from pipeline.run_rows import build_run_row

    return build_run_row(staged.run, outcome, staged.stages, staged.run.run_at)


def test_statements_on_dated_tables_carry_both_bounds(house: House) -> None:
    house.put(without(set(keys_on(DAYS[10])[:4])))
    staged = house.stage(DAYS[5], DAYS[30])
    wanted = make_request(staged, house.write(staged))
    with house.warehouse.open(read_only=False) as connection:
        traced = Fragile(connection, 0, after=False)
        duckdb_commit.commit_run(traced, wanted, lambda outcome: build_row(staged, outcome))
    low, high = f"DATE '{DAYS[5]}'", f"DATE '{DAYS[30] + timedelta(days=1)}'"
    window = f"DATE '{staged.run.windows[0].start}'"
    for statement in traced.statements:
        if "LIMIT 0" in statement or (statement.startswith("INSERT") and "ANTI JOIN" not in statement):
            continue
        if any(name in statement.replace('"', "") for name in (STORE, LEDGER, PLAYER_GAME_SUMMARY.path)):
            assert_that(statement, contains_string(high))
            assert low in statement or window in statement, statement


# Failures of the computation


def fail_for(players: set[str]) -> Callable[..., tuple[pa.Table, pa.Table]]:
    """The computation, raising whenever it meets one of these players."""
    original = compute.compute_targets

    def compute_targets(rows: pa.Table, *args: Any) -> tuple[pa.Table, pa.Table]:
        found = players & set(rows.column("player_lookup").unique().to_pylist())
        if found:
            raise ZeroDivisionError("planted")
        return original(rows, *args)

    return compute_targets


def test_more_failures_than_permitted_publish_nothing_and_exit_9(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = house.read()
    monkeypatch.setattr(compute, "compute_targets", fail_for({PLAYER}))
    command = ["backfill", "--warehouse", house.path, "--json"]
    command += ["--start-date", str(DAYS[0]), "--end-date", str(DAYS[-1])]
    assert_that(main(command), equal_to(9))
    told = json.loads(capsys.readouterr().out)["error"]
    assert_that(told, all_of(contains_string("1 of 16 players"), contains_string("--max-error-rate")))
    after = house.read()
    is_untouched(before, after)
    assert_that(after.runs[-1], has_entries(status="failed", records_created=0))
    assert_that(after.runs[-1]["error"], contains_string("TooManyFailures"))


@pytest.mark.parametrize(("rate", "permitted"), [(1 / 16, True), (0.0624, False), (1.0, True), (0.0, False)])
def test_the_error_rate_itself_is_permitted(
    fresh: House, monkeypatch: pytest.MonkeyPatch, rate: float, permitted: bool
) -> None:
    monkeypatch.setattr(compute, "compute_targets", fail_for({PLAYER}))
    if permitted:
        fresh.commit(max_error_rate=rate)
    else:
        with pytest.raises(TooManyFailures):
            fresh.commit(max_error_rate=rate)


def test_below_the_rate_a_failing_player_becomes_gaps_that_the_next_run_resolves(
    fresh: House, backfilled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(compute, "compute_targets", fail_for({PLAYER, "chi1"}))
        report = fresh.run(max_error_rate=0.2)
    tables, whole = fresh.read(), backfilled.read()
    failing = {key for key in {key_of(row) for row in ROWS} if key[0] in (PLAYER, "chi1")}
    assert_that(
        {key for key, gap in tables.gaps.items() if gap["skip_reason"] == "processing_error"},
        equal_to(failing),
    )
    assert_that(
        {tables.gaps[key]["skip_detail"] for key in failing}, equal_to({"ZeroDivisionError: planted"})
    )
    others = whole.features.keys() - failing
    assert_that(report.row["records_created"], equal_to(len(others)))
    assert {key: tables.content["features"][key] for key in others} == {
        key: whole.content["features"][key] for key in others
    }

    row = fresh.commit()
    assert_that(row["gaps_resolved"], equal_to(len(failing & whole.features.keys())))
    assert fresh.read().content["features"] == whole.content["features"]


def test_without_failures_any_rate_is_fine(fresh: House) -> None:
    assert_that(fresh.commit(max_error_rate=0.0)["status"], equal_to("success"))


def test_what_a_commit_spills_lies_among_the_files_of_its_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, found = duckdb_commit.commit_run, []

    def look(connection: duckdb.DuckDBPyConnection, *rest: Any) -> Any:
        connection.execute("SET memory_limit = '60MB'")
        connection.execute(
            "CREATE TEMP TABLE wide AS SELECT range AS n, md5(n::VARCHAR) AS text FROM range(2000000)"
        )
        found.extend(path for path in house.staging.rglob("*") if "duckdb_temp" in path.name)
        connection.execute("DROP TABLE wide")
        return publish(connection, *rest)

    monkeypatch.setattr(duckdb_commit, "commit_run", look)
    house.commit()
    assert_that(found, is_not(empty()))
    assert_that(Path(f"{house.path}.tmp").exists(), is_(False))


def test_a_stored_row_that_differs_in_any_column_is_rewritten(house: House) -> None:
    """One row a column is spoilt behind the back of all runs; the next run mends each of them."""
    house.commit()
    before = house.read()
    spoilt = {
        pa.string(): "'spoilt'",
        pa.int64(): "-1",
        pa.float64(): "-1.5",
        pa.bool_(): "NOT COALESCE({0}, FALSE)",
    }
    columns = [field for field in STAGED_FEATURES if field.name not in FEATURE_STORE.key]
    keys = sorted(before.features)[: len(columns)]
    assert_that(keys, has_length(len(columns)))
    with house.warehouse.open(read_only=False) as connection:
        for field, (player, day) in zip(columns, keys, strict=True):
            kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            connection.execute(
                f"UPDATE {STORE} SET {field.name} = {spoilt.get(kind, 'NULL').format(field.name)} "
                "WHERE player_lookup = ? AND game_date = ?",
                [player, day],
            )
    row = house.commit()
    assert_that((row["records_updated"], row["records_created"]), equal_to((len(columns), 0)))
    assert_that(differences(house.read(), before), is_(empty()))
