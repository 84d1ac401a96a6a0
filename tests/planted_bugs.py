"""Bugs to plant, and the test that must see each: the proof that the tests test.

::

    python tests/planted_bugs.py               # plants every one, shows the table
    python tests/planted_bugs.py append nan    # only those whose name contains a word

A bug is planted in a copy of the tree, and only its test is run there. It counts as caught when that very
test is reported FAILED: an error in its preparation, or any other end, does not count. Without the bug
the same test passes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = (
    "pipeline",
    "transforms",
    "tests",
    "benchmarks",
    "pyproject.toml",
    "setup.py",
    "requirements",
    "Makefile",
    "docs",
)
LIMIT = 300.0
COMMIT, LEDGER = "tests/pipeline/test_commit.py", "tests/pipeline/test_ledger.py"
SIDES, DAILY = "tests/transforms/test_sides_oracle.py", "tests/pipeline/test_daily.py"
SQL = "pipeline/warehouse/commit_sql.py"


@dataclass(frozen=True)
class Bug:
    """``old`` stands once in ``file`` and becomes ``new``; ``test`` (all its cases) must fail then."""

    name: str
    file: str
    old: str
    new: str
    test: str


BUGS = (
    Bug(
        "append instead of replace", SQL,
        "AND (k.vanished OR k.changed) ", "AND k.vanished ",
        f"{COMMIT}::test_created_at_is_kept_and_only_changed_rows_are_written_anew",
    ),
    Bug(
        "the game date itself in a window", "transforms/windows.py",
        'order_key(group, days), side="left"', 'order_key(group, days), side="right"',
        "tests/transforms/test_point_in_time.py::test_records_of_the_date_and_later_move_no_value",
    ),
    Bug(
        "the clock asked on a worker", "pipeline/commit.py",
        "        run_at=run.run_at,\n        targets", "        run_at=now(),\n        targets",
        f"{COMMIT}::test_created_at_is_kept_and_only_changed_rows_are_written_anew",
    ),
    Bug(
        "gaps closed by date", SQL,
        '        f"AND {KEY_IN_FEATURES}"\n',
        '        "AND s.game_date IN (SELECT game_date FROM staged_features)"\n',
        f"{LEDGER}::test_a_gap_that_stays_was_not_closed_by_rows_of_its_date",
    ),
    Bug(
        "players without history lost", "transforms/compute.py",
        "np.flatnonzero(reasons != NO_GAP),", "np.flatnonzero((reasons != NO_GAP) & (evidence.games > 0)),",
        "tests/pipeline/test_job.py::test_one_player_on_the_seasons_first_day_is_a_gap",
    ),
    Bug(
        "no delete for emptied dates", "pipeline/warehouse/duckdb_commit.py",
        "    if deleted or updated:\n", "    if updated:\n",
        f"{COMMIT}::test_an_empty_table_cannot_delete_history",
    ),
    Bug(
        "a commit in two transactions", "pipeline/warehouse/duckdb_commit.py",
        "    ledger = _update_ledger(connection, request)\n",
        '    connection.execute("COMMIT")\n    connection.execute("BEGIN TRANSACTION")\n'
        "    ledger = _update_ledger(connection, request)\n",
        f"{COMMIT}::test_a_failure_at_any_statement_of_the_commit_leaves_the_tables_as_they_were",
    ),
    Bug(
        "the unknown taken for 0", "transforms/windows.py",
        "count += inside & known[position]", "count += inside",
        "tests/transforms/test_small_parts.py::test_a_mean_skips_what_is_unknown_and_sums_from_the_oldest",
    ),
    Bug(
        "a digest over columns in no order", "transforms/hashing.py",
        "    for word in words:\n", "    for word in sorted(words, key=lambda word: word.tobytes()):\n",
        "tests/transforms/test_hashing.py::test_the_digest_is_the_documented_one",
    ),
    Bug(
        "a retry that is not known by its id", "pipeline/warehouse/duckdb_commit.py",
        "    if done is not None:\n", "    if False:\n",
        f"{COMMIT}::test_asking_twice_for_one_run_commits_it_once",
    ),
    Bug(
        "gaps resolved without bounds", SQL,
        "f\"WHERE {OPEN} AND {Scope.of(request).bound(FEATURE_STORE_GAPS, 's')} \"\n"
        '        f"AND {KEY_IN_FEATURES}"',
        'f"WHERE {OPEN} "\n        f"AND {KEY_IN_FEATURES}"',
        f"{COMMIT}::test_statements_on_dated_tables_carry_both_bounds",
    ),
    Bug(
        "gaps of other dates withdrawn", SQL,
        "f\"WHERE {OPEN} AND {Scope.of(request).bound(FEATURE_STORE_GAPS, 's')} \"\n        f\"AND NOT",
        'f"WHERE {OPEN} "\n        f"AND NOT',
        f"{LEDGER}::test_a_run_of_other_dates_leaves_a_gap_alone",
    ),
    Bug(
        "closed gaps withdrawn", SQL,
        "f\"WHERE {OPEN} AND {Scope.of(request).bound(FEATURE_STORE_GAPS, 's')} \"\n        f\"AND NOT",
        "f\"WHERE {Scope.of(request).bound(FEATURE_STORE_GAPS, 's')} \"\n        f\"AND NOT",
        f"{LEDGER}::test_a_resolved_gap_stays_as_it_was_resolved",
    ),
    Bug(
        "a no-show taken for a loss", SQL,
        "EXPLAINED = f\"{_exists(_NO_SHOWS, 's')} OR {_exists('staged_passed', 's')}\"",
        "EXPLAINED = _exists('staged_passed', 's')",
        f"{DAILY}::test_many_who_did_not_come_need_no_permission_to_lose_their_rows",
    ),
    Bug(
        "a postponed game taken for a loss", SQL,
        "EXPLAINED = f\"{_exists(_NO_SHOWS, 's')} OR {_exists('staged_passed', 's')}\"",
        "EXPLAINED = _exists(_NO_SHOWS, 's')",
        "tests/faults/test_unexplained.py::test_rows_of_a_postponed_date_go_without_permission",
    ),
    Bug(
        "a reopened gap still resolved", SQL,
        '"resolved_at = NULL, resolved_run_id', '"resolved_run_id',
        f"{LEDGER}::test_a_resolved_gap_is_reopened_when_its_key_is_skipped_again",
    ),
    Bug(
        "a reopened gap still withdrawn", SQL,
        "resolved_run_id = NULL, withdrawn_at = NULL ", "resolved_run_id = NULL ",
        f"{LEDGER}::test_a_withdrawn_gap_is_reopened_when_its_key_is_skipped_again",
    ),
    Bug(
        "attempts not counted", SQL,
        "attempt_count = s.attempt_count + 1", "attempt_count = s.attempt_count",
        f"{LEDGER}::test_a_key_that_is_skipped_again_stays_open_with_the_attempt_on_record",
    ),
    Bug(
        "the last attempt not on record", SQL,
        '        f"last_attempt_at = {run_at}, "\n', "",
        f"{LEDGER}::test_a_key_that_is_skipped_again_stays_open_with_the_attempt_on_record",
    ),
    Bug(
        "the cut-off itself too late", "transforms/kernels/market.py",
        "first <= targets.cutoff", "first < targets.cutoff",
        f"{SIDES}::test_what_is_known_at_the_tip_off_counts_and_nothing_after_it",
    ),
    Bug(
        "gaps attempted without a survey", "pipeline/ledger/attempts.py",
        "        if looked_at:\n", "        if False:\n",
        "tests/pipeline/test_fill_gaps.py::test_an_option_fills_what_it_admits_and_leaves_who_has_no_history",
    ),
    Bug(
        "--min-games ignored", "transforms/gaps.py",
        "(evidence.games < admission.min_games)", "(evidence.games < 5)",
        "tests/pipeline/test_survey.py::test_the_days_and_the_games_given_decide_as_in_a_run",
    ),
    Bug(
        "the date of UTC for that of the league", "transforms/eastern.py",
        "instant.astimezone(load_zone()).date()", "instant.astimezone(UTC).date()",
        "tests/faults/test_extremes.py::test_a_run_takes_the_leagues_date_for_today",
    ),
    Bug(
        "aliases not applied to reports", "transforms/sides.py",
        "_read_reports(rename_players(rows, references.aliases)[0])", "_read_reports(rows)",
        f"{SIDES}::test_a_chain_of_aliases_leads_every_table_to_the_canonical_lookup",
    ),
    Bug(
        "aliases not applied to lines", "transforms/sides.py",
        "_read_lines(rename_players(rows, references.aliases)[0])", "_read_lines(rows)",
        f"{SIDES}::test_a_chain_of_aliases_leads_every_table_to_the_canonical_lookup",
    ),
    Bug(
        "a line of 0 points", "transforms/kernels/market.py",
        "in_time & (lines.line > 0)", "in_time & (lines.line >= 0)",
        f"{SIDES}::test_one_bookmakers_newest_and_oldest_lines_count",
    ),
    Bug(
        "a report at the tip-off names nobody", "transforms/candidates.py",
        "<= references.find_cutoffs(rows)", "< references.find_cutoffs(rows)",
        "tests/transforms/test_targets_oracle.py::test_a_report_up_to_the_tip_off_names_a_target",
    ),
    Bug(
        "another run's commit overlooked", "pipeline/warehouse/publishing.py",
        "    if state.overlapping_runs != request.inputs.overlapping_runs:\n", "    if False:\n",
        f"{COMMIT}::test_an_overlapping_run_that_committed_meanwhile_is_a_conflict",
    ),
    Bug(
        "a link taken for the staging", "pipeline/warehouse/staging.py",
        "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)\n    except",
        "os.O_RDONLY | os.O_DIRECTORY)\n    except",
        "tests/faults/test_security.py::test_a_link_in_the_place_of_the_staging_is_refused_and_not_followed",
    ),
    Bug(
        "a whole row in an error", "pipeline/errors.py",
        "    first = (text.splitlines() or [\"\"])[0]\n", "    first = text\n",
        "tests/faults/test_security.py::test_no_error_shows_a_row",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a test ended: ``failed`` of its cases were reported FAILED, ``broken`` ended in an error."""

    passed: int
    failed: int
    broken: int

    def __str__(self) -> str:
        if self.broken or not self.passed + self.failed:
            return "broken"
        return f"failed {self.failed} of {self.passed + self.failed}" if self.failed else "passed"


def copy_tree(target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copy(source, target / name)


def plant(bug: Bug, tree: Path) -> None:
    """Raises ``ValueError`` unless the text stands there exactly once."""
    file = tree / bug.file
    text = file.read_text()
    if text.count(bug.old) != 1:
        raise ValueError(f"{bug.name}: {bug.old!r} stands {text.count(bug.old)} times in {bug.file}")
    file.write_text(text.replace(bug.old, bug.new))


def run_test(test: str, tree: Path) -> Ended:
    """Runs one test in a tree, in a process of its own that imports nothing from elsewhere."""
    report = tree / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-n", "0"]
    subprocess.run(
        [*command, f"--junit-xml={report}", test],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        timeout=LIMIT,
    )
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314  written by pytest, just now
    ends = [{child.tag for child in case} for case in cases]
    broken = sum("error" in end for end in ends)
    failed = sum("failure" in end and "error" not in end for end in ends)
    return Ended(sum(not end & {"error", "failure", "skipped"} for end in ends), failed, broken)


def try_bug(bug: Bug) -> tuple[Ended, Ended]:
    """How the test of a bug ends without it, and with it."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        copy_tree(tree)
        without = run_test(bug.test, tree)
        plant(bug, tree)
        return without, run_test(bug.test, tree)


def is_caught(without: Ended, with_bug: Ended) -> bool:
    return not (without.failed or without.broken or with_bug.broken) and bool(
        without.passed and with_bug.failed
    )


def main(words: Sequence[str]) -> int:
    chosen = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    missed = 0
    for bug in chosen:
        without, with_bug = try_bug(bug)
        caught = is_caught(without, with_bug)
        missed += not caught
        line = f"{'caught' if caught else 'MISSED'}  {bug.name:42} {with_bug!s:16} {bug.test}\n"
        sys.stdout.write(line)
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - missed} of {len(chosen)} caught\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
