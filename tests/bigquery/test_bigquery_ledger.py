"""The life of a gap on BigQuery: step by step as the embedded warehouse has it, and what refuses a commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from emulators.launch import Emulators
from hamcrest import assert_that, contains_string, equal_to, has_entries, has_length
from histories import Story
from twins import Cloud, compare, make_address
from warehouse import House, Key, Row, Tables, differences, invalidate, key_of, list_dates, make_league

from pipeline.errors import AuditFailed, Conflict, DeletionRefused
from pipeline.warehouse import bigquery_commit
from pipeline.warehouse.base import CommitOutcome
from transforms.schema import Table
from transforms.side_tables import PLAYER_ALIASES
from transforms.vector import FEATURES

ROWS = make_league(dates=16, players=3)
DAYS = list_dates(ROWS)
EARLY, LATE = DAYS[1], DAYS[14]
PLAYER = "bos1"


@pytest.fixture
def cloud(emulators: Emulators, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Cloud(make_address(emulators, project), DAYS)
    made.warehouse.initialize()
    return made


@dataclass(frozen=True)
class Twins:
    """A file and a project to which the same is done."""

    file: House
    cloud: Cloud

    def put(self, rows: list[Row]) -> None:
        for house in (self.file, self.cloud):
            house.put(rows)

    def put_side(self, table: Table, rows: list[Row]) -> None:
        for house in (self.file, self.cloud):
            house.put_side(table, rows)

    def commit(self, **wanted: Any) -> tuple[Tables, str | None]:
        """The tables after a run, the same in both, and what refused it in both."""
        told = [attempt(house, **wanted) for house in (self.file, self.cloud)]
        assert_that(told[1], equal_to(told[0]))
        found = self.cloud.read()
        compare(found, self.file.read())
        return found, told[0]


def attempt(house: House, **wanted: Any) -> str | None:
    try:
        house.commit(**wanted)
    except DeletionRefused as refused:
        return str(refused)
    return None


@pytest.fixture
def twins(cloud: Cloud, tmp_path: Path) -> Twins:
    return Twins(House(str(tmp_path / "w.duckdb"), DAYS), cloud)


def without(*keys: Key) -> list[Row]:
    return [row for row in ROWS if key_of(row) not in keys]


def with_invalid(*keys: Key) -> list[Row]:
    return [invalidate(row) if key_of(row) in keys else row for row in ROWS]


@pytest.mark.slow
def test_a_gap_is_opened_resolved_withdrawn_and_reopened_as_in_the_embedded_warehouse(twins: Twins) -> None:
    early, late = (PLAYER, EARLY), (PLAYER, LATE)
    twins.put(ROWS)
    tables, _ = twins.commit()
    assert_that(tables.gaps[early], has_entries(skip_reason="bootstrap", attempt_count=1, resolved_at=None))

    tables, _ = twins.commit(first=EARLY, last=EARLY, bootstrap_days=0)
    run = tables.runs[-1]
    assert_that(tables.gaps[early], has_entries(resolved_run_id=run["run_id"], attempt_count=1))
    assert_that(run, has_entries(gaps_resolved=12, records_created=12))

    first = ("chi0", DAYS[3])
    twins.put([row for row in with_invalid(late) if key_of(row) != first])
    tables, _ = twins.commit()
    assert_that(tables.gaps[first]["skip_detail"], contains_string("no target any more: nothing names"))
    assert_that(tables.gaps[first]["withdrawn_at"], equal_to(tables.runs[-1]["started_at"]))
    assert_that(tables.gaps[late], has_entries(skip_reason="invalid_input", attempt_count=1))
    assert_that(tables.runs[-1], has_entries(records_deleted=1, gaps_opened=1))
    assert_that(late in tables.features, equal_to(False))

    twins.put(ROWS)
    tables, _ = twins.commit()
    assert_that(tables.gaps[first], has_entries(withdrawn_at=None, attempt_count=2))
    assert_that(tables.gaps[first]["reopened_at"], equal_to(tables.runs[-1]["started_at"]))
    assert_that(tables.gaps[late]["resolved_at"], equal_to(tables.runs[-1]["started_at"]))
    again, _ = twins.commit()
    assert_that(again.runs[-1], has_entries(records_updated=0, records_created=0, gaps_opened=0))
    assert_that(differences(again, tables), has_length(0))

    twins.put_side(PLAYER_ALIASES, [{"alias_lookup": "den2", "nba_canonical_lookup": "denver2"}])
    tables, refused = twins.commit(keys=[("den2", DAYS[0]), ("den1", DAYS[0])])
    assert_that(tables.gaps["den2", DAYS[0]]["skip_detail"], contains_string("denver2"))
    assert_that(refused, equal_to(None))


@pytest.mark.slow
def test_a_run_that_would_empty_a_date_is_refused_unless_it_is_allowed_to(twins: Twins) -> None:
    twins.put(ROWS)
    before, _ = twins.commit()
    twins.put([row for row in ROWS if row["game_date"] != LATE])
    tables, refused = twins.commit()
    assert_that(refused, contains_string(f"{LATE}  stored 12, found 0, would delete 12"))
    assert_that(differences(tables, before), has_length(0))
    assert_that(tables.runs[-1], has_entries(status="failed", records_deleted=0))
    tables, refused = twins.commit(allow_deletes=True)
    assert_that(refused, equal_to(None))
    assert_that(before.features.keys() - tables.features.keys(), has_length(12))


@pytest.mark.slow
def test_of_two_runs_over_the_same_dates_the_later_is_refused(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.put(ROWS)
    first, second, third = cloud.stage(), cloud.stage(DAYS[3], DAYS[5]), cloud.stage(DAYS[5], DAYS[6])
    stored = cloud.publish(first)
    told = cloud.read()
    with pytest.raises(Conflict, match=r"another run over dates of .* committed meanwhile"):
        cloud.publish(second)
    # where the question before the script is answered as if nobody had committed, the script finds it out
    with monkeypatch.context() as patch:
        patch.setattr(bigquery_commit.History, "count_over", lambda history, dates: 0)
        with pytest.raises(Conflict, match=r"committed meanwhile, run again; nothing of this run"):
            cloud.publish(third)
    after = cloud.read()
    assert_that((after.features, after.gaps), equal_to((told.features, told.gaps)))
    assert_that([run["status"] for run in after.runs], equal_to(["success", "failed", "failed"]))
    # whoever asks again gets the same answer, and nothing happens
    assert_that(cloud.publish(first), equal_to(stored))
    with pytest.raises(Conflict, match=r"another run over dates of .* committed meanwhile"):
        cloud.publish(second)
    assert_that(cloud.read(), equal_to(after))


FORESEE = bigquery_commit._Publisher.foresee


@pytest.mark.slow
def test_a_script_that_finds_the_tables_changed_is_made_anew(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.put(ROWS)
    wrong = [{"gaps_resolved": 5}, {"created": 1}]

    def foresee(publisher: Any, steps: Any) -> CommitOutcome:
        outcome = FORESEE(publisher, steps)
        return replace(outcome, **wrong.pop()) if wrong else outcome

    monkeypatch.setattr(bigquery_commit._Publisher, "foresee", foresee)
    row = cloud.commit()
    tables = cloud.read()
    assert_that(wrong, has_length(0))
    assert_that(row, has_entries(records_created=len(tables.features), gaps_resolved=0, status="success"))
    assert_that(tables.runs, has_length(1))


@pytest.mark.slow
def test_an_identity_that_the_recount_finds_broken_is_rolled_back(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.put(ROWS)
    # a ledger that is not written leaves targets with neither row nor gap
    monkeypatch.setattr(bigquery_commit.CommitSql, "merge_ledger", lambda sql: "SELECT 1")
    with pytest.raises(AuditFailed, match="each requested key that is a target"):
        cloud.commit()
    tables = cloud.read()
    assert_that((tables.features, tables.gaps), equal_to(({}, {})))
    assert_that(tables.runs[0], has_entries(status="failed"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda staged: replace(staged, gaps=staged.gaps.slice(1)), "exactly one feature row or one gap"),
        (lambda staged: replace(staged, rows_read=staged.rows_read - 1), "the run read 191 rows"),
        (lambda staged: replace(staged, features=with_value(staged.features, 2.0)), "every value is finite"),
    ],
    ids=["a gap is lost", "a row is not read", "a value is out of range"],
)
def test_staged_rows_that_break_a_rule_are_not_published(cloud: Cloud, spoil: Any, told: str) -> None:
    cloud.put(ROWS)
    with pytest.raises(AuditFailed, match=told):
        cloud.publish(spoil(cloud.stage()))
    tables = cloud.read()
    assert_that((tables.features, tables.gaps), equal_to(({}, {})))


def with_value(features: pa.Table, value: float) -> pa.Table:
    """The rows with a share that is none in the first of them."""
    name = next(f.value_column for f in FEATURES if f.high == 1.0 and f.low == 0.0)
    index = features.column_names.index(name)
    values = features.column(index).to_pylist()
    first = next(n for n, found in enumerate(values) if found is not None)
    return features.set_column(index, name, pa.array([*values[:first], value, *values[first + 1 :]]))


# Random histories


def play(story: Story, twins: Twins, steps: int) -> Iterator[str]:
    """Runs the story on both; gives what became of each run."""
    tables = Tables({}, {}, [])
    for _ in range(steps):
        story.edit()
        twins.put(list(story.rows.values()))
        wanted, _ = story.pick_targets(tables)
        wanted |= vars(story.pick_options())
        if story.rng.random() < 0.2:
            yield conflict(twins, wanted)
        tables, refused = twins.commit(**wanted)
        if refused:
            yield "refused"
            tables, refused = twins.commit(**wanted, allow_deletes=True)
        assert refused is None
        yield "gaps" if "keys" in wanted else "committed"


def conflict(twins: Twins, wanted: dict[str, Any]) -> str:
    """A run that another one over the same keys overtakes."""
    for house in (twins.file, twins.cloud):
        late = house.stage(**wanted, allow_deletes=True)
        house.commit(**wanted, allow_deletes=True)
        with pytest.raises(Conflict):
            house.publish(late)
    return "conflict"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 8])
def test_both_warehouses_tell_the_same_random_history(
    seed: int, emulators: Emulators, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    story = Story(seed)
    cloud = Cloud(make_address(emulators, project), story.days)
    cloud.warehouse.initialize()
    twins = Twins(House(str(tmp_path / "w.duckdb"), story.days), cloud)
    outcomes = list(play(story, twins, steps=2))
    assert_that(outcomes.count("committed") + outcomes.count("gaps"), equal_to(2))
