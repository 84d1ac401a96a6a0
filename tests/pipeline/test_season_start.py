"""The story of a season's start, told by the commands: what is skipped, found, filled, and proved complete.

docs/season-start.md tells it for a reader. Here it runs on a generated league that ends yesterday, and
on a real season where the box scores lie beside the project.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hamcrest import assert_that, empty, equal_to, greater_than, has_entries, has_item, has_length
from questions import STATEMENTS
from terminal import Run
from warehouse import House, differences

from pipeline.demo_schedule import list_game_days
from transforms.eastern import eastern_date

REAL = Path(__file__).parents[3] / "shared" / "data" / "player_game_summary"
DOCUMENT = Path(__file__).parents[2] / "docs" / "season-start.md"
"""What people ask of the tables, as they ask it."""


@dataclass(frozen=True)
class Season:
    """A warehouse with the box scores of a season and of the one before, and the season's dates."""

    house: House
    first: date
    last: date


def make_league(run: Run, directory: Path) -> Season:
    """A generated league that ends yesterday or, in summer, with its last season."""
    path = directory / "w.duckdb"
    yesterday = eastern_date(datetime.now(UTC)) - timedelta(days=1)
    # a season whose start is over
    year = max(y for y in (yesterday.year - 1, yesterday.year) if list_game_days(y)[20].item() <= yesterday)
    flags = [f"--warehouse={path}", f"--first-season={year - 1}", "--seasons=2", "--teams=8"]
    last = yesterday
    ended = run("demo", *flags, f"--end-date={last}", "--json")
    if ended.code == 2:
        # it is summer: the message names the last game
        last = date.fromisoformat(re.findall(r"\d{4}-\d\d-\d\d", ended.err)[1])
        ended = run("demo", *flags, f"--end-date={last}", "--json")
    assert_that(ended.code, equal_to(0), ended.err)
    return Season(House(str(path)), list_game_days(year)[0].item(), last)


def load_real_season(run: Run, directory: Path) -> Season:
    path = directory / "w.duckdb"
    files = [str(REAL / f"season_{year}.parquet") for year in (2020, 2021)]
    assert_that(run("import", f"--warehouse={path}", *files).code, equal_to(0))
    return Season(House(str(path)), date(2021, 10, 19), date(2022, 6, 16))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make_league, id="generated league"),
        pytest.param(
            load_real_season,
            id="real season",
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(
                    not REAL.is_dir(), reason="the real box scores are not beside the project"
                ),
            ],
        ),
    ],
)
def test_the_story_of_a_seasons_start(make: Callable[[Run, Path], Season], run: Run, tmp_path: Path) -> None:
    season = make(run, tmp_path)
    house, where = season.house, f"--warehouse={season.house.path}"
    dates = [f"--start-date={season.first}", f"--end-date={season.last}"]

    def ask(command: str, *flags: str) -> dict[str, Any]:
        ended = run(command, where, *flags, "--json")
        assert_that(ended.code, equal_to(0), ended.err)
        answer: dict[str, Any] = ended.json
        return answer

    backfilled = ask("backfill", *dates)
    early = [gap for gap in house.read().open_gaps.values() if gap["skip_reason"] == "bootstrap"]
    assert_that(len(early), greater_than(20))
    for gap in early:
        games, of = re.findall(r"(\d+) of (\d+) games", gap["skip_detail"])[0]
        assert int(games) < int(of) == 5, gap
        assert gap["game_date"] < season.first + timedelta(days=14), gap
    before = ask("coverage", *dates)
    assert_that(before["groups"][0]["missing"], greater_than(20))
    assert_that(sum(group["unexplained"] for group in before["groups"]), equal_to(0))

    suggested = ask("gaps", *dates)["commands"]
    assert_that(suggested, has_item(has_entries(option="--bootstrap-days 0")))
    words = [shlex.split(command["local"])[1:] for command in suggested]
    assert_that(words, has_length(1))
    filled = run(*words[0], "--json")
    assert_that((filled.code, filled.json["gaps_open"]), equal_to((0, 0)), filled.err)
    assert_that(filled.json["gaps_resolved"], equal_to(suggested[0]["gaps"]))

    # what is left are first games, each named, and announced games to which nobody came
    left = ask("gaps", *dates, "--list")
    assert_that({gap["standing"] for gap in left["list"]} - {"expected"}, empty())
    still_open = [day for _, day in house.read().open_gaps if day >= season.first]
    assert_that(left["list"], has_length(len(still_open)))
    covered = ask("coverage", *dates)
    named = {player for players in covered["open_gaps_by_player"].values() for player in players}
    assert_that(named, equal_to({gap["player_lookup"] for gap in left["list"]}))
    text = run("coverage", where, *dates).out
    assert_that([player for player in named if player not in text], empty())
    for group in covered["groups"]:
        assert_that(group["player_rows"], equal_to(group["feature_rows"] + group["open_gaps"]))
    assert_that(ask("audit", *dates), has_entries(exit_code=0))

    told = house.read()
    assert_that(ask("backfill", *dates), has_entries(records_created=0, records_updated=0, records_deleted=0))
    run(*words[0])
    assert_that(differences(house.read(), told), empty())
    assert_that(backfilled["records_expected"], greater_than(1_000))

    for statement in STATEMENTS:
        answer = house.warehouse.query(statement)
        assert_that(answer.warnings, empty())
        if make is load_real_season and "CURRENT_DATE" not in statement:
            assert_that(answer.rows.num_rows, greater_than(0), statement)
    still_missing = house.warehouse.query(STATEMENTS[-1]).rows.to_pylist()
    assert_that(still_missing, equal_to([{"still_missing": 0}]))


def test_the_document_tells_the_commands_of_the_story() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for command in ("backfill", "coverage", "gaps", "fill-gaps", "audit"):
        assert f"feature-store {command} " in text, command
