"""The progress display, on stderr: a live table on a terminal, now and then a line elsewhere.

It appears when the work has taken two seconds, and leaves nothing behind on a terminal.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, repeat

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.commands.console import say
from pipeline.progress import Progress, Step

SHOW_AFTER = 2.0
LINE_PAUSES = (8.0, 20.0, 30.0)
"""Seconds between lines where there is no terminal; the last pause repeats."""


class ProgressDisplay:
    """A :class:`Progress` and the time since it began, as a table or a line."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self.progress = progress
        self._clock, self._began = clock, clock()

    @property
    def elapsed(self) -> float:
        return self._clock() - self._began

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(ratio=1)
        for step in self.progress.steps:
            table.add_row(step.name, self._count(step), self._bar(step))
        table.add_row(Text("elapsed", style="bold"), Text(self._times(), style="bold"), self.progress.note)
        return table

    def describe(self) -> str:
        """The same as one line of text."""
        begun = [step for step in self.progress.steps if self.progress.done(step.name)]
        counts = ", ".join(f"{step.name} {self._count(step)}" for step in begun)
        told = ", ".join(part for part in (self.progress.note, counts) if part)
        return self._times() + (f": {told}" if told else "")

    def _count(self, step: Step) -> str:
        if not step.planned:
            return ""
        return f"{self.progress.done(step.name):,} of {step.planned:,}"

    def _bar(self, step: Step) -> ProgressBar | str:
        if step.planned:
            return ProgressBar(step.planned, min(self.progress.done(step.name), step.planned), width=None)
        # nothing is known of such a step, but that it runs when the others are done
        runs = all(self.progress.done(s.name) >= s.planned for s in self.progress.steps)
        return ProgressBar(None, width=None, animation_time=self.elapsed) if runs else ""

    def _times(self) -> str:
        left = self.progress.estimate_left(self.elapsed)
        return format_clock(self.elapsed) + ("" if left is None else f", about {format_clock(left)} left")


def format_clock(seconds: float) -> str:
    """``m:ss``, or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def show_progress(steps: list[Step], unseen_share: float = 0.0, *, quiet: bool = False) -> Iterator[Progress]:
    """Inside the block, what is advanced is shown; ``quiet`` shows nothing."""
    display = ProgressDisplay(Progress(steps, unseen_share))
    ended = threading.Event()
    console = Console(stderr=True)
    live = console.is_terminal and not console.is_dumb_terminal
    show = partial(_show_live, console) if live else _show_lines
    thread = threading.Thread(target=show, args=(display, ended), name="progress", daemon=True)
    if not quiet and sys.stderr is not None:
        thread.start()
    try:
        yield display.progress
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


def _show_live(console: Console, display: ProgressDisplay, ended: threading.Event) -> None:
    if ended.wait(SHOW_AFTER):
        return
    with Live(display, console=console, refresh_per_second=5, transient=True):
        ended.wait()


def _show_lines(display: ProgressDisplay, ended: threading.Event) -> None:
    for pause in chain([SHOW_AFTER], LINE_PAUSES, repeat(LINE_PAUSES[-1])):
        if ended.wait(pause):
            return
        say(display.describe())
