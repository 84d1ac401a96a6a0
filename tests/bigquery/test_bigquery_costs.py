"""What a plan on BigQuery costs: told before it runs, and refused where it is too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import terminal
from bounds import find_unbounded
from emulators.launch import Emulators
from hamcrest import assert_that, contains_string, empty, equal_to, has_entries, has_length, only_contains
from twins import Cloud, make_address
from warehouse import House, list_dates, make_league

from pipeline.commands.app import main
from pipeline.errors import UsageError
from pipeline.main import run_job
from pipeline.report_costs import costs_as_json, describe_costs
from pipeline.season import DateRange
from pipeline.warehouse.base import Read, ReadCost
from pipeline.warehouse.bigquery_jobs import Jobs
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import REGISTRY

ROWS = make_league(dates=6, players=2)
DAYS = list_dates(ROWS)
DATES = (f"--start-date={DAYS[0]}", f"--end-date={DAYS[-1]}")
MB = 10**6


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> terminal.Run:
    def call(*arguments: object) -> terminal.Finished:
        capsys.readouterr()
        return terminal.Finished(main([str(argument) for argument in arguments]), *capsys.readouterr())

    return call


@dataclass
class Priced:
    """A project whose service says of every query what a test tells it to; ``asked`` are the queries."""

    cloud: Cloud
    asked: list[str]


@pytest.fixture
def priced(emulators: Emulators, project: str, monkeypatch: pytest.MonkeyPatch) -> Priced:
    """Box scores and a registry; a query costs 200 MB, one without a real lower bound 500 MB."""
    cloud = Cloud(make_address(emulators, project), DAYS)
    cloud.warehouse.initialize()
    cloud.put(ROWS)
    cloud.put_side(REGISTRY, [{"player_lookup": row["player_lookup"]} for row in ROWS[:3]])
    asked: list[str] = []

    def estimate(jobs: Jobs, query: str) -> int:
        asked.append(query)
        return (500 if str(date.min) in query else 200) * MB

    monkeypatch.setattr(Jobs, "estimate", estimate)
    return Priced(cloud, asked)


def test_a_dry_run_tells_what_each_read_costs(priced: Priced, run: terminal.Run) -> None:
    told = run("backfill", f"--warehouse={priced.cloud.path}", *DATES, "--dry-run", "--price-per-tib=1000")
    assert_that(told.code, equal_to(0), told.err)
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    start = lines.index("Cost of the reads")
    assert_that(
        lines[start + 1 : start + 5],
        equal_to(
            [
                "player_game_summary 200.0 MB, without a lower bound 500.0 MB",
                "nba_players_registry 200.0 MB, without a lower bound 200.0 MB",
                "ml_feature_store_v2 200.0 MB, without a lower bound 500.0 MB",
                "all 600.0 MB (0.5457 USD at 1000 USD/TiB), "
                "without lower bounds 1,200.0 MB (1.0914 USD at 1000 USD/TiB)",
            ]
        ),
    )
    assert_that(priced.cloud.read().runs, empty())


def test_a_dry_run_tells_it_as_json(priced: Priced, run: terminal.Run) -> None:
    told = run("backfill", f"--warehouse={priced.cloud.path}", *DATES, "--dry-run", "--json")
    found = told.json
    assert_that(found["price_per_tib"], equal_to(6.25))
    assert_that(found["price"], equal_to(600 * MB / 2**40 * 6.25))
    assert_that(found["price_without_lower_bound"], equal_to(1200 * MB / 2**40 * 6.25))
    by_table = {read["table"]: read for read in found["reads"]}
    assert_that(
        by_table[PLAYER_GAME_SUMMARY.path],
        has_entries(end_date=str(DAYS[-1]), bytes=200 * MB, bytes_without_lower_bound=500 * MB),
    )
    assert_that(by_table[REGISTRY.path], has_entries(start_date=None, end_date=None, bytes=200 * MB))
    # one question with both bounds, and one whose lower bound leaves nothing out
    assert_that(priced.asked, has_length(5))
    assert_that([line for query in priced.asked for line in find_unbounded(query)], empty())


def test_a_plan_that_costs_too_much_is_not_run(priced: Priced, run: terminal.Run) -> None:
    where = f"--warehouse={priced.cloud.path}"
    for flags in (["--dry-run"], ["--parallel=1"]):
        told = run("backfill", where, *DATES, "--max-bytes=599999999", *flags)
        assert_that((told.code, told.out), equal_to((2, "")))
        assert_that(
            told.err, contains_string("the plan reads 600,000,000 bytes, more than --max-bytes 599,999,999")
        )
    assert_that(priced.cloud.read().runs, empty())
    assert_that(run("backfill", where, *DATES, "--max-bytes=600000000", "--dry-run").code, equal_to(0))


@pytest.mark.slow
def test_the_queries_of_a_run_may_bill_what_was_permitted(priced: Priced) -> None:
    before = len(list(priced.cloud.client.list_jobs(all_users=True)))
    report = run_job(priced.cloud.config(max_bytes=700 * MB))
    jobs = [job._properties for job in priced.cloud.client.list_jobs(all_users=True)]
    mine = [job["configuration"] for job in jobs[:-before] if "script_job" not in job["id"]]
    billed = [
        int(c["query"]["maximumBytesBilled"]) for c in mine if "query" in c and c.get("labels", {}).get("run")
    ]
    assert_that(len(billed) > 10)
    assert_that(billed, only_contains(700 * MB))
    assert_that(report.row, has_entries(status="success"))


def test_the_embedded_warehouse_bills_nothing(tmp_path: Path, run: terminal.Run) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    house.put(ROWS)
    told = run("backfill", f"--warehouse={house.path}", *DATES, "--dry-run")
    assert "Cost of the reads" not in told.out
    with pytest.raises(UsageError, match="more than --max-bytes 100 permits"):
        run_job(house.config(max_bytes=100))


def make_cost(found: int, unbounded: int, dates: DateRange | None) -> ReadCost:
    return ReadCost(Read(PLAYER_GAME_SUMMARY, ("points",), dates), found, unbounded)


WINDOW = DateRange(date(2024, 1, 1), date(2024, 2, 1))


@pytest.mark.parametrize("tell", [costs_as_json, describe_costs])
def test_prices_follow_the_rate(tell: Callable[..., Any]) -> None:
    costs = [make_cost(2**40, 2**41, WINDOW), make_cost(0, 0, None)]
    told = str(tell(costs, 5.0))
    for expected in {costs_as_json: ("5.0", "10.0"), describe_costs: ("5.0000 USD", "10.0000 USD")}[tell]:
        assert_that(told, contains_string(expected))


def test_a_window_ends_on_its_last_date() -> None:
    (read, _) = costs_as_json([make_cost(1, 2, WINDOW), make_cost(1, 2, None)], 1.0)["reads"]
    assert_that(read, has_entries(start_date=date(2024, 1, 1), end_date=date(2024, 1, 31)))
