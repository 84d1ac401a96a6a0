"""What every commit decides, whichever warehouse it is made in: what is refused, and in which words."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import AuditFailed, Conflict, DeletionRefused, restore_error
from pipeline.warehouse.base import CommitRequest, InputState, Loss, RunRow
from transforms.schema import PLAYER_GAME_SUMMARY, RUN_HISTORY

SMALLEST_GUARDED_DELETE = 10
GUARDED_SHARE = 0.02
"""A run may delete 10 rows, or 2 % of those stored for its dates, unasked."""


@dataclass
class Steps:
    """Seconds of each step of a commit, in order."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def finish(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now


def answer_again(row: RunRow) -> RunRow:
    """What a run that is on record gets: its row, or once more the error that ended it."""
    if row["status"] != "success":
        raise restore_error(row["error"] or "")
    return row


def compare_inputs(request: CommitRequest, state: InputState) -> None:
    """Raises ``Conflict`` when the inputs are others than the plan saw, or another run came between."""
    for path, version in request.inputs.versions.items():
        if state.versions[path] != version:
            raise Conflict(
                f"inputs changed, run again: {path} was version {version} when the run began and is "
                f"{state.versions[path]} now"
            )
    if state.overlapping_runs != request.inputs.overlapping_runs:
        raise Conflict(
            f"another run over dates of {request.targets} committed meanwhile, run again; "
            "nothing of this run was published"
        )


def compare_rows_read(request: CommitRequest, stored: int) -> None:
    """Raises ``AuditFailed`` unless every row of the windows was read."""
    if stored != request.rows_read:
        dates = ", ".join(str(window) for window in request.windows)
        raise AuditFailed(
            f"the run read {request.rows_read} rows of {PLAYER_GAME_SUMMARY.path} from {dates}, but the "
            f"table holds {stored} there: nothing was published"
        )


def compare_staged(request: CommitRequest, kind: str, found: int) -> None:
    """Raises ``AuditFailed`` unless every staged row of the kind is there."""
    if found != request.rows(kind):
        raise AuditFailed(
            f"{request.rows(kind)} {kind} were staged, but their files hold {found}: nothing was published"
        )


def refuse_violations(rule: str, broken: Sequence[Sequence[Any]]) -> None:
    """``broken``: (player, date, found) of some keys that break the rule."""
    if broken:
        examples = "; ".join(f"{player!r} on {day}: {found}" for player, day, found in broken)
        raise AuditFailed(f"the rule {rule!r} is broken, nothing was published. Found: {examples}")


def refuse_deletions(losses: list[Loss], stored: int) -> None:
    """``losses``: (date, stored rows, targets found, rows to delete) of each date with any."""
    deleted = sum(loss[3] for loss in losses)
    emptied = [loss for loss in losses if loss[2] == 0]
    limit = max(SMALLEST_GUARDED_DELETE, GUARDED_SHARE * stored)
    if not emptied and deleted <= limit:
        return
    shown = "\n".join(
        f"  {day}  stored {kept}, found {found}, would delete {gone}"
        for day, kept, found, gone in (emptied or losses)[:20]
    )
    more = len(emptied or losses) - 20
    why = (
        f"{len(emptied)} date(s) with stored rows have no player rows left"
        if emptied
        else f"{deleted} of {stored} stored rows would be deleted, the limit is {int(limit)}"
    )
    raise DeletionRefused(
        f"{why}; nothing was changed. If the source rows were removed on purpose, run again with "
        f"--allow-deletes; otherwise load them again.\n{shown}"
        + (f"\n  and {more} more dates" if more > 0 else "")
    )


def encode_run(row: RunRow) -> dict[str, Any]:
    """The columns of ``processor_run_history`` in order, JSON as text."""
    return {
        name: json.dumps(row[name], sort_keys=True, default=str)
        if name in RUN_HISTORY.json_columns
        else row[name]
        for name in RUN_HISTORY.schema.names
    }


def decode_run(row: Mapping[str, Any]) -> RunRow:
    """A stored row of ``processor_run_history``, its JSON as values."""
    return {
        name: json.loads(value) if name in RUN_HISTORY.json_columns and value else value
        for name, value in row.items()
    }
