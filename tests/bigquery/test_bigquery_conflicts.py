"""Runs at the same time, tables that move, audits that fail: some serial order, or nothing at all.

``--exhaustive`` tries every way to fail the audit, of which otherwise some are drawn.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from emulators.faults import Act
from proxied import BY_NAME, DAYS, KEYS, ROWS, ProxiedHouse, open_house
from warehouse import LEDGER, STORE, Staged, differences, to_keys

from pipeline.commit import commit_staged
from pipeline.errors import AuditFailed, Conflict, DeletionRefused, FeatureStoreError, TooManyFailures
from transforms import stages
from transforms.contracts import FEATURES, GAPS

pytestmark = pytest.mark.slow
MIDDLE = DAYS[len(DAYS) // 2]
SLOW = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 3000)) a, UNNEST(GENERATE_ARRAY(1, 30000)) b "
    "WHERE MOD(a * b, 7) = 3"
)
STORED, OPENED = (f"`{{p}}.{name}`" for name in (STORE, LEDGER))
EVER = "game_date >= DATE '2000-01-01'"
COMMIT = BY_NAME["commit-script"]


def together(*actions: Callable[[], Any]) -> list[Any]:
    """What each of them gives, or raises, all begun at once."""
    barrier = threading.Barrier(len(actions))

    def act(action: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return action()
        except FeatureStoreError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(act, actions))


def check_history(house: ProxiedHouse) -> None:
    ids = [run["run_id"] for run in house.read().runs]
    assert len(ids) == len(set(ids)), "a run has two history rows"


@pytest.mark.parametrize(
    "second",
    [(DAYS[0], DAYS[-1]), (DAYS[2], MIDDLE), (DAYS[2], DAYS[-1])],
    ids=["same", "nested", "overlapping"],
)
def test_of_two_runs_over_the_same_dates_one_is_refused(make_house, undisturbed, second):
    house = make_house()
    house.put(ROWS)
    last = DAYS[-1] if second[1] != DAYS[-1] or second[0] == DAYS[0] else MIDDLE
    stagings = [house.stage(DAYS[0], last), house.stage(*second)]
    outcomes = together(*(lambda staged=staged: house.publish(staged) for staged in stagings))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert [type(error) for error in refused] == [Conflict], outcomes
    assert refused[0].exit_code == 6
    check_history(house)
    found = house.read()
    assert [run["status"] for run in found.runs].count("success") == 1
    assert {run["run_id"] for run in found.successes} == {
        row["run_id"] for row in [*found.features.values()]
    } | {row["run_id"] for row in outcomes if isinstance(row, dict)}
    house.commit()
    assert differences(house.read(), undisturbed.after_run) == []


def test_two_runs_over_other_dates_are_both_done(make_house, undisturbed):
    """Their transactions change the same tables, so one conflicts, and its next attempt is done."""
    house = make_house()
    house.put(ROWS)
    middle = MIDDLE - timedelta(days=1)
    stagings = [house.stage(DAYS[0], middle), house.stage(MIDDLE, DAYS[-1])]
    outcomes = together(*(lambda staged=staged: house.publish(staged) for staged in stagings))
    assert [outcome["status"] for outcome in outcomes] == ["success", "success"]
    check_history(house)
    found = house.read()
    assert found.features.keys() | found.open_gaps.keys() == (
        undisturbed.after_run.features.keys() | undisturbed.after_run.open_gaps.keys()
    )
    house.commit()
    assert differences(house.read(), undisturbed.after_run) == []


def test_a_run_that_is_committed_twice_at_once_has_one_row(make_house, undisturbed):
    house = make_house()
    house.put(ROWS)
    staged = house.stage()
    files = house.write(staged)
    run = staged.run

    def commit() -> Any:
        return commit_staged(house.warehouse, run, files, staged.stages, lambda: run.run_at)

    first, second = together(commit, commit)
    assert first == second
    found = house.read()
    assert [row["run_id"] for row in found.runs] == [run.run_id]
    assert differences(found, undisturbed.after_run) == []
    assert commit() == first
    house.warehouse.close_staging(run.run_id)


def test_a_staging_table_that_was_dropped_is_loaded_again(make_house, undisturbed):
    """Jobs outlive tables: without the time of its making a dropped table would count as loaded."""
    house = make_house()
    house.put(ROWS)
    staged = house.stage()
    run = staged.run
    files = house.write(staged)
    house.disturb(
        COMMIT,
        Act(lambda: house.ask(f"DELETE FROM {{p}}.feature_store_staging.{run.run_id}_gaps WHERE TRUE")),
    )
    with pytest.raises(Conflict, match="kept changing"):
        house.publish(staged, files)
    found = house.read()
    assert (found.features, found.gaps, found.successes) == ({}, {}, [])
    house.ask(f"DELETE FROM `{{p}}.nba_reference.processor_run_history` WHERE {EVER.replace('game', 'data')}")
    assert house.list_scratch() == []
    files = house.write(staged)
    house.publish(staged, files)
    assert differences(house.read(), undisturbed.after_run) == []
    loads = {call.job_id for call in house.matching(BY_NAME["upload"])}
    assert len(loads) == 8


def lose(house: ProxiedHouse, player: str) -> None:
    house.ask(f"DELETE FROM {STORED} WHERE {EVER} AND player_lookup = '{player}'")


def test_tables_that_move_before_the_script_are_asked_again(make_house, undisturbed):
    """A run that has rows to write finds more to write than it had asked for."""
    house = make_house()
    house.put(ROWS)
    house.commit()
    first, second = sorted({player for player, _ in undisturbed.after_run.features})[:2]
    lose(house, first)
    before = len(house.matching(COMMIT))
    house.disturb(COMMIT, Act(lambda: lose(house, second)))
    row = house.commit()
    missed = [key for key in undisturbed.after_run.features if key[0] in (first, second)]
    assert row["records_created"] == len(missed)
    assert len({call.job_id for call in house.matching(COMMIT)[before:]}) == 2
    assert differences(house.read(), undisturbed.after_run) == []


def test_tables_that_keep_moving_are_a_conflict(make_house, undisturbed):
    house = make_house()
    house.put(ROWS)
    house.commit()
    players = sorted({player for player, _ in undisturbed.after_run.features})
    lose(house, players.pop())
    house.disturb(COMMIT, Act(lambda: lose(house, players.pop())), times=3)
    with pytest.raises(Conflict, match="kept changing"):
        house.commit()
    check_history(house)
    house.commit()
    assert differences(house.read(), undisturbed.after_run) == []


def test_a_transaction_that_is_aborted_gets_the_next_attempt(make_house, undisturbed):
    house = make_house()
    house.put(ROWS)
    other = (
        f"BEGIN TRANSACTION; UPDATE {OPENED} SET skip_detail = 'x' WHERE {EVER} AND player_lookup = 'x'; "
        f"{SLOW}; COMMIT TRANSACTION"
    )
    holders: list[threading.Thread] = []

    def hold() -> None:
        holders.append(threading.Thread(target=house.ask, args=(other,)))
        holders[0].start()
        holders[0].join(0.4)

    house.disturb(COMMIT, Act(hold))
    assert house.commit()["status"] == "success"
    holders[0].join()
    attempts = {call.job_id[-2:] for call in house.matching(COMMIT)}
    assert attempts >= {"-0", "-1"}
    assert differences(house.read(), undisturbed.after_run) == []


# Refusals


@pytest.fixture(scope="module")
def refusing(started_emulators: Any) -> Any:
    """A house with a run of its own, in which nothing else is ever published."""
    started_emulators.start()
    with open_house(started_emulators) as house:
        house.put(ROWS)
        house.commit()
        yield house


def set_value(table: pa.Table, name: str, value: Any, row: int = 0) -> pa.Table:
    values = table.column(name).to_pylist()
    values[row] = value
    index = table.column_names.index(name)
    return table.set_column(index, name, pa.array(values, table.schema.field(name).type))


def spoil(part: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Staged], Staged]:
    return lambda staged: replace(staged, **{part: change(getattr(staged, part))})


def twice(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows, rows.slice(0, 1)])


def first_value(staged: pa.Table) -> str:
    """A feature whose first row has a value."""
    names = [name for name in staged.column_names if name.endswith("_value")]
    return next(name for name in names if staged.column(name)[0].as_py() is not None)


def value(found: float) -> Callable[[Staged], Staged]:
    return spoil("features", lambda rows: set_value(rows, first_value(rows), found))


def source(rows: pa.Table) -> pa.Table:
    return set_value(rows, first_value(rows).replace("_value", "_source"), "nobody")


def outside(rows: pa.Table) -> pa.Table:
    return set_value(rows, "game_date", DAYS[-1] + timedelta(days=1))


def move_key(staged: Staged) -> Staged:
    moved = {"targets": outside(staged.targets)}
    key = staged.targets.slice(0, 1).to_pylist()[0]
    for part in ("features", "gaps"):
        rows = getattr(staged, part)
        index = [
            n
            for n, row in enumerate(rows.select(["player_lookup", "game_date"]).to_pylist())
            if row == {name: key[name] for name in row}
        ]
        if index:
            moved[part] = set_value(rows, "game_date", DAYS[-1] + timedelta(days=1), index[0])
    return replace(staged, **moved)


def read_less(staged: Staged) -> Staged:
    return replace(staged, rows_read=staged.rows_read - 1)


def fail_everybody(staged: Staged) -> Staged:
    return replace(staged, failed=staged.players)


Refusal = tuple[Callable[[Staged], Staged], type[FeatureStoreError], str]
REFUSALS: dict[str, Refusal] = {
    "rows-read": (
        lambda staged: replace(staged, rows_read=staged.rows_read - 1),
        AuditFailed,
        "the run read",
    ),
    "row-missing": (spoil("features", lambda rows: rows.slice(1)), AuditFailed, "exactly one feature row"),
    "row-twice": (spoil("features", twice), AuditFailed, "exactly one feature row"),
    "gap-missing": (spoil("gaps", lambda rows: rows.slice(1)), AuditFailed, "exactly one feature row"),
    "gap-twice": (spoil("gaps", twice), AuditFailed, "exactly one feature row"),
    "target-missing": (spoil("targets", lambda rows: rows.slice(1)), AuditFailed, "exactly one feature row"),
    "target-twice": (spoil("targets", twice), AuditFailed, "exactly one feature row"),
    "nan": (value(float("nan")), AuditFailed, "every value is finite"),
    "inf": (value(float("inf")), AuditFailed, "every value is finite"),
    "range": (value(-1e9), AuditFailed, "in its range"),
    "null": (value(None), AuditFailed, "NULL exactly when its source is missing"),  # type: ignore[arg-type]
    "source": (spoil("features", source), AuditFailed, "NULL exactly when its source is missing"),
    "outside": (move_key, AuditFailed, "one of the requested keys"),
    "failed": (
        lambda staged: replace(staged, failed=staged.players),
        TooManyFailures,
        "the computation failed",
    ),
}


DRAWN = list(REFUSALS) if os.environ.get("EXHAUSTIVE") else random.Random(3).sample(list(REFUSALS), 5)


@pytest.mark.parametrize("name", DRAWN)
def test_what_fails_the_audit_is_not_published(refusing, emulators, name):
    change, error, text = REFUSALS[name]
    before = refusing.read()
    staged = change(refusing.stage())
    with pytest.raises(error, match=text) as caught:
        refusing.publish(staged)
    check_refused(refusing, before, staged, caught.value)


def check_refused(house: ProxiedHouse, before: Any, staged: Staged, error: FeatureStoreError) -> None:
    """Nothing that readers see has changed, and the run is on record with its error."""
    after = house.read()
    assert (after.features, after.gaps) == (before.features, before.gaps)
    (row,) = (run for run in after.runs if run["run_id"] == staged.run.run_id)
    assert row["status"] == "failed"
    assert row["error"] == f"{type(error).__name__}: {error}"[:2000]
    assert "nothing was" in str(error)


@pytest.mark.parametrize("kind", [FEATURES, GAPS])
def test_a_file_that_holds_other_rows_than_were_staged_is_refused(refusing, emulators, kind):
    before, staged = refusing.read(), refusing.stage()
    files = [
        (found, path, rows + 1 if found == kind else rows) for found, path, rows in refusing.write(staged)
    ]
    with pytest.raises(AuditFailed, match=f"{kind} were staged, but their files hold") as caught:
        refusing.publish(staged, files)
    check_refused(refusing, before, staged, caught.value)


def test_a_key_outside_of_those_requested_is_refused(refusing, emulators):
    before, staged = refusing.read(), refusing.stage(keys=KEYS)
    staged = replace(staged, run=replace(staged.run, requested=to_keys(KEYS[:1])))
    with pytest.raises(AuditFailed, match="one of the requested keys") as caught:
        refusing.publish(staged)
    check_refused(refusing, before, staged, caught.value)


def test_a_row_put_in_beside_breaks_an_identity(make_house):
    """After everything was asked, a stranger's row appears; the recount in the transaction finds it."""
    house = make_house()
    house.put(ROWS)
    house.commit()
    before = house.read()
    names = ", ".join(next(iter(before.features.values())))
    columns = names.replace("player_lookup", "'stranger'", 1)
    beside = f"INSERT INTO {STORED} ({names}) SELECT {columns} FROM {STORED} WHERE {EVER} LIMIT 1"
    house.disturb(COMMIT, Act(lambda: house.ask(beside)))
    staged = house.stage()
    with pytest.raises(AuditFailed, match="the recount before the commit") as caught:
        house.publish(staged)
    after = house.read()
    assert {key: row for key, row in after.features.items() if key[0] != "stranger"} == before.features
    assert after.gaps == before.gaps
    assert after.runs[-1]["error"] == f"AuditFailed: {caught.value}"


def test_more_deletions_than_are_permitted_are_refused(make_house):
    house = make_house()
    house.put(ROWS)
    house.commit()
    before = house.read()
    house.ask(f"DELETE FROM `{{p}}.nba_analytics.player_game_summary` WHERE game_date = DATE '{DAYS[-1]}'")
    staged = house.stage()
    with pytest.raises(DeletionRefused, match="--allow-deletes") as caught:
        house.publish(staged)
    check_refused(house, before, staged, caught.value)
    assert house.commit(allow_deletes=True)["records_deleted"] > 0


def test_a_worker_that_fails_is_on_record(make_house, monkeypatch):
    def fail(*given: Any, **named: Any) -> Any:
        raise ValueError("the worker broke")

    house = make_house()
    house.put(ROWS)
    monkeypatch.setattr(stages, "read_chunk", fail)
    with pytest.raises(FeatureStoreError, match=r"nothing was published.*the worker broke") as caught:
        house.run()
    assert caught.value.exit_code == 1
    found = house.read()
    assert (found.features, found.gaps) == ({}, {})
    (row,) = found.runs
    assert row["status"] == "failed"
    assert "the worker broke" in row["error"]
