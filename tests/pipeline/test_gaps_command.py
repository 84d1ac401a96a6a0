"""``gaps``: what it prints, which commands it suggests, and that these fill what they promise."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hamcrest import (
    all_of,
    assert_that,
    contains_exactly,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_items,
    has_length,
    has_properties,
    not_,
    only_contains,
    starts_with,
)
from terminal import Finished, Run
from warehouse import House, Row, invalidate, key_of, list_dates, make_league, make_row

from pipeline.commands.app import build_parser
from pipeline.errors import UsageError
from pipeline.ledger.fills import Fill, admit, merge_dates, suggest_fills, write_commands
from pipeline.ledger.gap_choice import ALL_GAPS, GapChoice
from pipeline.ledger.survey import RUN_CLOSES, STANDINGS, Survey, survey_gaps
from pipeline.options import DEFAULT_WAREHOUSE, normalize_flags
from pipeline.plan import merge_windows
from pipeline.season import DateRange
from transforms.gaps import REASONS, Admission

REAL = Path(__file__).parents[3] / "shared" / "data" / "player_game_summary"
ROWS = make_league(dates=30, players=4)
DAYS = list_dates(ROWS)
LATE = DAYS[20]
NOW = datetime(2025, 1, 1, tzinfo=UTC)


def make_rookie(name: str, day: date = LATE) -> Row:
    return make_row(name, day, "BOS", "CHI", game_id=f"r{day:%m%d}")


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A season with bootstrap gaps, rookies, an invalid row and one that is valid again."""
    made = House(str(tmp_path_factory.mktemp("gaps") / "w.duckdb"), DAYS)
    spoilt = {("den1", DAYS[21]), ("den2", DAYS[22])}
    rookies = [make_rookie(f"rookie{n}") for n in range(7)]
    made.put([*(invalidate(row) if key_of(row) in spoilt else row for row in ROWS), *rookies])
    made.commit()
    made.put([*(invalidate(row) if key_of(row) == ("den1", DAYS[21]) else row for row in ROWS), *rookies])
    return made


@pytest.fixture
def house(backfilled: House, tmp_path: Path) -> House:
    return backfilled.copy(tmp_path / "w.duckdb")


@pytest.fixture
def gaps(run: Run) -> Any:
    def call(house: House, *flags: str) -> Finished:
        return run("gaps", f"--warehouse={house.path}", *flags)

    return call


def look(house: House, choice: GapChoice = ALL_GAPS, **options: Any) -> Survey:
    return survey_gaps(house.warehouse, choice, Admission(**options), NOW)


# What it prints


def test_a_line_for_each_reason_and_month_adds_up_to_the_open_gaps(backfilled: House, gaps: Any) -> None:
    open_gaps = backfilled.read().open_gaps
    told = gaps(backfilled, "--json").json
    assert_that(told, has_entries(gaps=len(open_gaps), exit_code=0))
    expected = {}
    for (_, day), gap in open_gaps.items():
        expected.setdefault((gap["skip_reason"], f"{day:%Y-%m}"), []).append(day)
    groups = {(group["reason"], group["month"]): group for group in told["groups"]}
    assert_that(groups.keys(), equal_to(expected.keys()))
    for key, days in expected.items():
        assert_that(
            groups[key],
            has_entries(first_date=str(min(days)), last_date=str(max(days)), gaps=len(days)),
        )
        assert_that(sum(groups[key][name] for name in STANDINGS), equal_to(len(days)))
    for total in ("reasons", "months", "standings"):
        assert_that(sum(told[total].values()), equal_to(len(open_gaps)))
    assert_that(sum(place["gaps"] for place in told["places"]), equal_to(len(open_gaps)))
    assert_that([REASONS.index(group["reason"]) for group in told["groups"]], equal_to(sorted(
        REASONS.index(group["reason"]) for group in told["groups"]
    )))  # fmt: skip


def test_a_person_sees_the_table_the_standings_and_the_commands(backfilled: House, gaps: Any) -> None:
    shown = gaps(backfilled)
    assert_that(shown, has_properties(code=0, err=""))
    lines = shown.out.splitlines()
    assert_that(
        lines[0].split(),
        equal_to(
            ["reason", "month", "first", "last", "gaps", "fillable", "optional", "expected", "needs", "data"]
        ),
    )
    for text in (
        "Fillable: 1 gap\n  1  its row is valid now\n     den2",
        "few games, in the season's first days, with --bootstrap-days 0",
        "7  a first game",
        f"rookie4 {LATE}, and 2 more",
        "\nNext\n  feature-store fill-gaps",
        "\nNext, where --bootstrap-days 0 is wanted\n  feature-store fill-gaps",
        "on BigQuery, on Dataflow",
    ):
        assert_that(shown.out, contains_string(text))
    assert_that(shown.out, not_(contains_string("rookie5")))
    assert_that(shown.out, not_(contains_string("Closing")))


def test_the_list_names_every_gap(backfilled: House, gaps: Any) -> None:
    keys = {(player, str(day)) for player, day in backfilled.read().open_gaps}
    listed = gaps(backfilled, "--list").out
    lines = listed[listed.index("\nplayer ") :].splitlines()[2:]
    assert_that({tuple(line.split()[:2]) for line in lines}, equal_to(keys))
    told = gaps(backfilled, "--list", "--json").json["list"]
    assert_that({(gap["player_lookup"], gap["game_date"]) for gap in told}, equal_to(keys))
    assert_that(told[0], has_entries(attempt_count=1, standing="needs_data", skip_reason="bootstrap"))
    assert_that("list" in gaps(backfilled, "--json").json, equal_to(False))


def test_flags_choose_and_admit(backfilled: House, gaps: Any) -> None:
    told = gaps(backfilled, "--player=den1", "--json").json
    assert_that(told["reasons"].keys(), equal_to({"bootstrap", "invalid_input"}))
    told = gaps(backfilled, "--reason", "no_history", "--json").json
    assert_that(told, has_entries(gaps=7, reasons={"no_history": 7}, next=empty()))
    told = gaps(backfilled, f"--start-date={LATE}", f"--end-date={LATE}", "--json").json
    assert_that(told["months"], equal_to({f"{LATE:%Y-%m}": 7}))
    for flag in ("--bootstrap-days=0", "--min-games=0"):
        assert_that(gaps(backfilled, flag, "--json").json["standings"]["optional"], equal_to(0))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--reason=nonsense"], "invalid choice"),
        (["--start-date=2024-02-30"], "expected a date"),
        (["--start-date=2024-02-02", "--end-date=2024-01-01"], "give the earlier date first"),
        (["--min-games=11"], "min-games"),
    ],
    ids=str,
)
def test_flags_that_cannot_be_are_refused(
    backfilled: House, gaps: Any, flags: list[str], message: str
) -> None:
    assert_that(gaps(backfilled, *flags), has_properties(code=2, out="", err=contains_string(message)))


def test_without_open_gaps_it_says_so(tmp_path: Path, house: House, gaps: Any) -> None:
    fresh = House(str(tmp_path / "fresh.duckdb"), DAYS)
    fresh.put(ROWS)
    assert_that(gaps(fresh), has_properties(code=0, out="no open gaps\n", err=""))
    told = gaps(fresh, "--json").json
    assert_that(told, has_entries(gaps=0, groups=[], places=[], commands=[], next=[], exit_code=0))
    assert_that(set(told["standings"].values()), equal_to({0}))
    shown = gaps(house, "--player=nobody")
    assert_that(shown, has_properties(code=0, out="no open gaps among those asked for\n"))


def test_without_a_warehouse_it_says_so(gaps: Any, tmp_path: Path) -> None:
    ended = gaps(House(str(tmp_path / "none.duckdb")))
    assert_that(ended, has_properties(code=3, err=contains_string("there is no warehouse")))


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "\u202eevil", "名前", "x' OR 1=1 --"])
def test_no_name_steers_a_terminal(house: House, gaps: Any, name: str) -> None:
    house.put([*ROWS, make_rookie(name)])
    house.commit()
    shown = gaps(house, "--list")
    assert_that(re.findall("[\x00-\x09\x0b-\x1f\u202a-\u202e]", shown.out), empty())
    told = gaps(house, "--list", "--json", "--reason=no_history").json
    assert_that([gap["player_lookup"] for gap in told["list"]], has_items(name))


def test_the_command_does_not_import_beam(backfilled: House) -> None:
    program = (
        "import sys; from pipeline.commands.app import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 'apache_beam' in sys.modules)"
    )
    command = [sys.executable, "-c", program, "gaps", "--warehouse", backfilled.path]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert_that((done.returncode, done.stderr), contains_exactly(0, b""))


# Which commands


START = date(2020, 1, 1)


@pytest.mark.parametrize(
    ("offsets", "ranges"),
    [
        ([0], [(0, 0)]),
        ([0, 1, 1, 9], [(0, 9)]),
        ([0, 365], [(0, 365)]),
        ([0, 366], [(0, 366)]),  # the windows touch: nothing lies between
        ([0, 367], [(0, 0), (367, 367)]),  # one day lies between
        ([367, 0], [(0, 0), (367, 367)]),
        ([0, 300, 600, 900], [(0, 900)]),
        ([0, 300, 800, 900, 2000], [(0, 300), (800, 900), (2000, 2000)]),
        ([], []),
    ],
    ids=str,
)
def test_dates_are_merged_exactly_where_their_windows_overlap_or_touch(
    offsets: list[int], ranges: list[tuple[int, int]]
) -> None:
    days = [START + timedelta(days=n) for n in offsets]
    expected = [DateRange.inclusive(*(START + timedelta(days=n) for n in pair)) for pair in ranges]
    merged = merge_dates(days)
    assert_that(merged, equal_to(expected))
    # so the commands read what the gaps need and nothing else
    assert_that([dates.with_history() for dates in merged], equal_to(merge_windows(days)))


def parse(command: str) -> tuple[str, dict[str, str]]:
    """The command's name, and its flags."""
    words = shlex.split(command)
    assert_that(words[0], equal_to("feature-store"))
    flags: dict[str, str] = {}
    rest = iter(words[2:])
    for word in rest:
        name, _, value = word.partition("=")
        assert_that(name, starts_with("--"))
        flags[name] = value if "=" in word else next(rest)
    return words[1], flags


def has_command(name: str) -> bool:
    try:
        build_parser().parse_args([name])
    except UsageError as error:
        return "invalid choice" not in str(error)
    return True


@pytest.mark.parametrize("player", [None, "o'neal", "-x", "--all", "$(reboot)", "a b", "", "名前"])
@pytest.mark.parametrize("warehouse", [DEFAULT_WAREHOUSE, "./my house/w.duckdb"])
def test_a_command_says_what_was_asked_for_and_reads_back_from_a_shell(
    player: str | None, warehouse: str
) -> None:
    choice = GapChoice(reason="bootstrap", player=player)
    dates, admission = DateRange.inclusive(START, START + timedelta(days=3)), Admission(0, 3, True)
    local, dataflow = write_commands(dates, admission, choice, warehouse)
    name, flags = parse(local)
    expected = {
        "--start-date": "2020-01-01",
        "--end-date": "2020-01-04",
        "--bootstrap-days": "0",
        "--min-games": "3",
        "--include-injured": "true",
        "--reason": "bootstrap",
    }
    expected |= {} if player is None else {"--player": player}
    where = {} if warehouse == DEFAULT_WAREHOUSE else {"--warehouse": warehouse}
    assert_that((name, flags), equal_to(("fill-gaps", where | expected)))
    words = shlex.split(dataflow)
    assert_that(words[:4], equal_to(["python", "-m", "pipeline", "--mode=gaps"]))
    assert_that(words[4], equal_to("--gaps-table=nba_predictions.feature_store_gaps"))
    assert_that(
        words[-5:],
        has_items("--runner=DataflowRunner", "--warehouse=bigquery://PROJECT?temp=gs://BUCKET/temp"),
    )
    given = {f"{name.replace('-', '_').replace('__', '--', 1)}={value}" for name, value in expected.items()}
    assert_that(set(words[5:-5]), equal_to(given))
    # `gaps` takes the same flags: what one of them shows, the other fills
    for command in ("gaps", *(["fill-gaps"] if has_command("fill-gaps") else [])):
        known = build_parser().parse_args(normalize_flags([command, *shlex.split(local)[2:]], "-"))
        assert_that(
            (known.start_date, known.reason, known.player, known.bootstrap_days, known.include_injured),
            equal_to((START, "bootstrap", player, 0, True)),
        )


@pytest.mark.parametrize(
    ("parts", "temp", "added"),
    [("", "gs://BUCKET/temp", "&temp=gs://BUCKET/temp"), ("&temp=gs://mine/tmp", "gs://mine/tmp", "")],
)
def test_a_launch_keeps_the_bigquery_warehouse_at_hand(parts: str, temp: str, added: str) -> None:
    address = f"bigquery://my-project?location=EU{parts}"
    dates = DateRange.inclusive(LATE, LATE)
    local, dataflow = write_commands(dates, Admission(), ALL_GAPS, address)
    assert_that(shlex.split(local), has_items("--warehouse", address))
    assert_that(
        shlex.split(dataflow)[-5:],
        contains_exactly(
            "--runner=DataflowRunner",
            "--project=my-project",
            "--region=REGION",
            f"--temp_location={temp}",
            f"--warehouse={address}{added}",
        ),
    )


def test_options_that_are_the_jobs_own_are_left_out() -> None:
    local, dataflow = write_commands(
        DateRange.inclusive(START, START), Admission(), ALL_GAPS, DEFAULT_WAREHOUSE
    )
    assert_that(local, equal_to("feature-store fill-gaps --start-date 2020-01-01 --end-date 2020-01-01"))
    assert_that(dataflow, contains_string("--start_date=2020-01-01 --end_date=2020-01-01 --runner="))


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("", Admission(7, 3)),
        ("--bootstrap-days 0", Admission(0, 3)),
        ("--include-injured", Admission(7, 3, True)),
        ("--include-injured --bootstrap-days 0", Admission(0, 3, True)),
    ],
)
def test_an_option_is_added_to_those_given(option: str, expected: Admission) -> None:
    assert_that(admit(Admission(7, 3), option), equal_to(expected))


def split_seasons(house: House) -> list[Row]:
    """The league twice, three years apart."""
    days = timedelta(days=3 * 365)
    again = [row | {"game_date": row["game_date"] + days, "season_year": 2026} for row in ROWS]
    house.put([*ROWS, *again])
    house.commit(DAYS[0], DAYS[-1] + days)
    return again


def test_seasons_far_apart_get_a_command_each(tmp_path: Path) -> None:
    house = House(str(tmp_path / "w.duckdb"), DAYS)
    split_seasons(house)
    found = look(house)
    fills = suggest_fills(found, house.path)
    assert_that([fill.option for fill in fills], equal_to(["--bootstrap-days 0"] * 2))
    assert_that([fill.dates.start.year for fill in fills], equal_to([2023, 2026]))
    assert_that(sum(fill.gaps for fill in fills), equal_to(found.select_keys("optional").num_rows))


def run_fill(house: House, fill: Fill) -> None:
    """What ``fill-gaps`` does with the flags of a suggested command: a run over what they close."""
    _, flags = parse(fill.local)
    days = [date.fromisoformat(flags[name]) for name in ("--start-date", "--end-date")]
    options = {
        "bootstrap_days": int(flags.get("--bootstrap-days", 14)),
        "min_games": int(flags.get("--min-games", 5)),
        "include_injured": flags.get("--include-injured") == "true",
    }
    choice = GapChoice(*days, flags.get("--reason"), flags.get("--player"))
    keys = look(house, choice, **options).select_keys(*RUN_CLOSES).to_pylist()
    assert_that(keys, has_length(fill.gaps))
    house.commit(keys=[key_of(key) for key in keys], **options)


@pytest.mark.parametrize("options", [{}, {"bootstrap_days": 3}, {"min_games": 2}], ids=str)
@pytest.mark.parametrize(
    "choice", [ALL_GAPS, GapChoice(player="den1"), GapChoice(reason="invalid_input")], ids=str
)
def test_the_commands_close_what_they_promise_and_nothing_more(
    house: House, choice: GapChoice, options: dict[str, int]
) -> None:
    house.put([row for row in ROWS if key_of(row) != ("den1", DAYS[21])])
    found = look(house, choice, **options)
    fills = suggest_fills(found, house.path)
    for fill in fills:
        run_fill(house, fill)
    left = look(house, choice, **options)
    assert_that(left.select_keys(*RUN_CLOSES, "optional").num_rows, equal_to(0))
    assert_that(suggest_fills(left, house.path), empty())
    kept = found.select_keys("expected", "needs_data")
    assert_that(left.select_keys(*STANDINGS), equal_to(kept))


def test_nothing_is_suggested_for_what_cannot_be_closed(backfilled: House) -> None:
    found = look(backfilled, GapChoice(start_date=LATE, reason="no_history"))
    assert_that(found.gaps.num_rows, equal_to(7))
    assert_that(suggest_fills(replace(found, admission=Admission(0)), backfilled.path), empty())


@pytest.mark.skipif(not REAL.is_dir(), reason="the real box scores are not beside the project")
@pytest.mark.slow
def test_of_a_real_season_the_option_fills_its_first_days(run: Run, tmp_path: Path) -> None:
    warehouse = f"--warehouse={tmp_path / 'w.duckdb'}"
    dates = ("--start-date=2021-10-01", "--end-date=2022-06-30")
    files = [REAL / f"season_{year}.parquet" for year in (2020, 2021)]
    assert_that(run("import", *files, warehouse).code, equal_to(0))
    assert_that(run("backfill", warehouse, *dates).code, equal_to(0))
    told = run("gaps", warehouse, "--json").json
    assert_that(told["standings"], has_entries(fillable=0, closing=0, needs_data=0))
    assert_that([command["option"] for command in told["commands"]], equal_to(["--bootstrap-days 0"]))
    assert_that(
        told["next"],
        only_contains(
            all_of(
                contains_string("--start-date 2021-10-20 --end-date 2021-11-01"), contains_string("days 0")
            )
        ),
    )
    assert_that(run("backfill", warehouse, *dates, "--bootstrap-days=0").code, equal_to(0))
    left = run("gaps", warehouse, "--json").json
    assert_that(left, has_entries(next=[], gaps=told["standings"]["expected"]))
    assert_that(left["standings"]["expected"], equal_to(left["gaps"]))
