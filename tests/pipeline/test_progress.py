"""How far a run is: what is counted, what is estimated, and what a person sees of it."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from hamcrest import (
    all_of,
    assert_that,
    close_to,
    contains_string,
    empty,
    equal_to,
    has_length,
    is_,
    is_not,
    not_,
)
from rich.console import Console
from terminal import DATES, Run
from warehouse import RUN_AT, House, list_dates, make_league

from pipeline.commands import progress as shown
from pipeline.commands.progress import ProgressDisplay, format_clock, show_progress
from pipeline.preflight import check_dependencies
from pipeline.progress import COMMIT_SHARE, Progress, Step, advance_run, list_run_steps
from transforms.timing import StageTimer, listen

ROWS = make_league()
STEPS = [Step("read", 1000, 1.0), Step("compute", 1000, 3.0), Step("commit")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(str(tmp_path / "w.duckdb"), list_dates(ROWS))
    made.put(ROWS)
    return made


# What is counted


def test_a_run_does_every_row_that_its_plan_names(house: House) -> None:
    plan = check_dependencies(house.warehouse, house.config().make_targets(RUN_AT)).plan
    progress = Progress(list_run_steps(plan.rows, plan.target_rows))
    with listen(partial(advance_run, progress)):
        house.run(parallel=2)
    assert_that(
        {step.name: progress.done(step.name) for step in progress.steps},
        equal_to({step.name: step.planned for step in progress.steps}),
    )
    assert_that(plan.rows, is_not(0))


def test_who_stops_listening_hears_nothing() -> None:
    heard: list[str] = []
    timer = StageTimer("extract")
    with listen(lambda stage, counts: heard.append(stage)), timer.measure():
        pass
    with timer.measure():
        pass
    assert_that(heard, equal_to(["extract"]))


def test_an_item_is_done_when_the_next_is_asked_for() -> None:
    progress = Progress([Step("files", 2)])
    done = [(item, progress.done("files")) for item in progress.track("files", "ab")]
    assert_that(done, equal_to([("a", 0), ("b", 1)]))
    assert_that(progress.done("files"), equal_to(2))


def test_a_step_that_is_not_planned_is_an_error() -> None:
    with pytest.raises(KeyError, match="write"):
        Progress(STEPS).advance("write", 1)


# What is estimated


def test_nothing_is_estimated_before_anything_is_done() -> None:
    assert_that(Progress(STEPS).estimate_left(5.0), is_(None))


def test_the_rest_is_estimated_by_the_cost_of_what_is_done() -> None:
    progress = Progress(STEPS)
    progress.advance("read", 1000)  # a quarter of the cost
    assert_that(progress.estimate_left(10.0), close_to(30.0, 1e-9))


def test_a_part_that_cannot_be_seen_is_allowed_for() -> None:
    progress = Progress(STEPS, COMMIT_SHARE)
    for name in ("read", "compute"):
        progress.advance(name, 1000)
    whole = 65.0 / (1 - COMMIT_SHARE)
    assert_that(progress.estimate_left(65.0), close_to(whole - 65.0, 1e-9))
    assert_that(progress.estimate_left(80.0), close_to(whole - 80.0, 1e-9))
    assert_that(progress.estimate_left(500.0), equal_to(0.0))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (3599, "59:59"), (3725, "1:02:05")]
)
def test_times_read_like_a_clock(seconds: float, text: str) -> None:
    assert_that(format_clock(seconds), equal_to(text))


# What is seen


def make_display(clock: float = 12.0) -> ProgressDisplay:
    ticks = iter([0.0])
    progress = Progress([Step("read", 1_234_567), Step("compute", 1_234_567), Step("commit")])
    progress.advance("read", 1_234_567)
    progress.advance("compute", 7)
    return ProgressDisplay(progress, lambda: next(ticks, clock))


def test_a_line_says_what_is_done_of_what_is_planned() -> None:
    assert_that(
        make_display().describe(),
        equal_to("0:12, about 0:12 left: read 1,234,567 of 1,234,567, compute 7 of 1,234,567"),
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits_the_terminal(width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None).print(make_display())
    lines = out.getvalue().splitlines()
    assert_that(lines, has_length(4))
    assert all(len(line) <= width for line in lines), lines
    assert_that(out.getvalue(), all_of(contains_string("1,234,567 of 1,234,567"), contains_string("0:12")))


def test_where_there_is_no_terminal_lines_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "SHOW_AFTER", 0.01)
    monkeypatch.setattr(shown, "LINE_PAUSES", (0.01,))
    printed = threading.Event()
    say = shown.say

    def say_and_tell(text: str) -> None:
        say(text)
        printed.set()

    monkeypatch.setattr(shown, "say", say_and_tell)
    with show_progress([Step("read", 10)]) as progress:
        progress.advance("read", 4)
        assert printed.wait(30)
    found = capsys.readouterr()
    assert_that(found.out, is_(empty()))
    assert_that(found.err, contains_string("read 4 of 10"))


def test_what_is_over_soon_shows_nothing(run: Run, imported: str) -> None:
    ended = run("sql", "SELECT 1 AS one", f"--warehouse={imported}")
    assert_that((ended.code, ended.err), equal_to((0, "")))


def run_on_terminal(*arguments: str, columns: int = 80, **environment: str) -> str:
    """What a person sees who runs the command on a terminal, the progress from the start."""
    program = (
        "import sys, pipeline.commands.progress as shown; shown.SHOW_AFTER = 0\n"
        "from pipeline.commands.app import main; sys.exit(main())"
    )
    here, there = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment}
    env.pop("NO_COLOR", None) if "NO_COLOR" not in environment else None
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=there, stdout=there, stderr=there, env=env
    )
    os.close(there)
    seen = b""
    while True:
        try:
            block = os.read(here, 65536)
        except OSError:  # how Linux says that nobody holds the other end any more
            break
        if not block:
            break
        seen += block
    os.close(here)
    assert process.wait(timeout=60) == 0, seen
    return seen.decode()


COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m|\x1b\[[0-9;]*9[0-7][0-9;]*m")


def test_a_terminal_sees_the_steps_and_then_the_summary_in_colour(loaded: Path, tmp_path: Path) -> None:
    warehouse = tmp_path / "w.duckdb"
    warehouse.write_bytes((loaded / "w.duckdb").read_bytes())
    seen = run_on_terminal("backfill", "--warehouse", str(warehouse), *DATES)
    assert_that(seen, all_of(contains_string("compute"), contains_string("elapsed")))
    assert_that(seen, contains_string("is committed and reconciled"))
    assert COLOUR.search(seen)
    # the display is taken away before the summary is printed
    assert_that(seen.rindex("\x1b[2K"), is_not(-1))
    assert seen.rindex("\x1b[2K") < seen.index("is committed and reconciled")


def test_no_color_is_respected(loaded: Path, tmp_path: Path) -> None:
    seen = run_on_terminal("runs", "--warehouse", str(loaded / "w.duckdb"), NO_COLOR="1")
    assert_that(seen, contains_string("no run yet"))
    seen = run_on_terminal(
        "demo", "--warehouse", str(tmp_path / "d.duckdb"), "--seasons=1", "--teams=4", NO_COLOR="1"
    )
    assert_that(seen, all_of(contains_string("Generated a league"), contains_string("elapsed")))
    assert_that(COLOUR.findall(seen), is_(empty()))


def test_debug_shows_beams_log_instead_of_the_display(loaded: Path, tmp_path: Path) -> None:
    seen = run_on_terminal(
        "demo", "--warehouse", str(tmp_path / "d.duckdb"), "--seasons=1", "--teams=4", "--debug"
    )
    assert_that(seen, not_(contains_string("elapsed")))
