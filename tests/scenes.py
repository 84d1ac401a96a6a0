"""Warehouses with something to do, the command that does it, and what readers must find meanwhile.

A :class:`Scene` knows its tables before the command and after an undisturbed one; everything that a
reader finds in between must be one of the two (:meth:`Scene.is_whole`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from warehouse import (
    HISTORY,
    LEDGER,
    LEDGER_INSTANTS,
    STORE,
    WHEN_AND_WHO,
    House,
    Row,
    invalidate,
    list_dates,
    make_league,
    make_row,
)

from pipeline.commands.app import main
from pipeline.errors import WarehouseLocked
from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import (
    INJURY_REPORT,
    INPUTS,
    PLAYER_ALIASES,
    POINTS_LINES,
    REGISTRY,
    SCHEDULE,
    UPCOMING,
)

ROWS = make_league(dates=20, players=3)
DAYS = list_dates(ROWS)
TODAY = DAYS[-1] + timedelta(days=1)
SQUADS = ("bos0", "bos1", "chi0", "chi1")

_SHOWN = {table.path: "* EXCLUDE (processed_at)" if table is PLAYER_GAME_SUMMARY else "*" for table in INPUTS}
_SHOWN[STORE] = f"* EXCLUDE ({', '.join(WHEN_AND_WHO)})"
_SHOWN[LEDGER] = (
    "player_lookup, game_date, skip_reason, skip_detail, game_id, team_abbr, season_year, "
    + ", ".join(f"{name} IS NULL AS {name}" for name in LEDGER_INSTANTS)
)


@dataclass(frozen=True)
class Snapshot:
    """What one reader sees at one moment: a digest of each table that has rows, and how many runs
    succeeded. Run ids, instants and attempts do not count."""

    tables: dict[str, tuple[int, int]]
    successes: int


def take_snapshot(house: House, lock_timeout: float = 20.0) -> Snapshot:
    with replace(house.warehouse, lock_timeout=lock_timeout).open() as connection:
        present = {
            f"{schema}.{name}"
            for schema, name in connection.execute(
                "SELECT table_schema, table_name FROM information_schema.tables"
            ).fetchall()
        }
        tables = {}
        for path, columns in _SHOWN.items():
            if path in present:
                query = f"SELECT COUNT(*), BIT_XOR(HASH(t)) FROM (SELECT {columns} FROM {path}) t"
                rows, digest = connection.execute(query).fetchall()[0]
                tables |= {path: (rows, digest)} if rows else {}
        runs = 0
        if HISTORY in present:
            query = f"SELECT COUNT(*) FROM {HISTORY} WHERE status = 'success'"
            runs = connection.execute(query).fetchall()[0][0]
    return Snapshot(tables, runs)


@dataclass(frozen=True)
class Scene:
    """A warehouse to be copied, the command without ``--warehouse``, and its tables before and after."""

    house: House
    arguments: tuple[str, ...]
    before: Snapshot
    after: Snapshot

    def command(self, house: House) -> list[str]:
        return [*self.arguments, "--warehouse", house.path]

    def is_whole(self, found: Snapshot) -> bool:
        """Nothing of the command, or all of it, with its row in the history where it writes one."""
        if found == self.before:
            return True
        wrote = self.after.successes - self.before.successes
        return found.tables == self.after.tables and found.successes >= self.before.successes + wrote

    def is_done(self, house: House) -> bool:
        return (
            take_snapshot(house).tables == self.after.tables
            and self.is_whole(take_snapshot(house))
            and not house.staging.exists()
        )


@contextmanager
def watch(house: House) -> Iterator[list[Snapshot]]:
    """What a reader finds, again and again, while the block runs."""
    found: list[Snapshot] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.03):
            try:
                found.append(take_snapshot(house, lock_timeout=0.0))
            except WarehouseLocked:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        over.set()
        reader.join()


# What there is to do


def dates(first: date = DAYS[0], last: date = DAYS[-1]) -> list[str]:
    return ["--start-date", str(first), "--end-date", str(last)]


def prepare_first_run(house: House) -> list[str]:
    house.put(ROWS)
    return ["backfill", *dates()]


def prepare_rerun(house: House) -> list[str]:
    """Corrections, keys that vanish, keys that become gaps, and a newcomer."""
    house.put(ROWS)
    house.commit()
    changed = [row | {"points": row["points"] + 2 * (number % 37 == 0)} for number, row in enumerate(ROWS)]
    changed[-1] = invalidate(changed[-1])
    house.put([*changed[:200], *changed[203:], *(row | {"player_lookup": "new"} for row in ROWS[-48::12])])
    return ["backfill", *dates()]


def prepare_gap_run(house: House) -> list[str]:
    """Gaps that are filled, one that stays, and one whose row is gone."""
    house.put(ROWS)
    house.commit()
    house.put([row for row in ROWS if (row["player_lookup"], row["game_date"]) != ("den1", DAYS[2])])
    return ["fill-gaps", "--all", "--bootstrap-days", "0"]


def prepare_daily_run(house: House) -> list[str]:
    """All side tables; who was announced yesterday has come, but for one, and today's are announced."""
    yesterday = DAYS[-1]
    before = [row for row in ROWS if row["game_date"] < yesterday]
    house.put(before)
    house.put_side(UPCOMING, [announce(player, yesterday) for player in SQUADS])
    put_sides(house)
    house.commit(yesterday - timedelta(days=3), yesterday, as_of=yesterday, bootstrap_days=0)
    house.put([*before, *(play(player, yesterday) for player in SQUADS[1:])])
    house.put_side(UPCOMING, [announce(player, day) for day in (yesterday, TODAY) for player in SQUADS])
    return ["daily", "--date", str(TODAY), "--bootstrap-days", "0", "--include-injured"]


def announce(player: str, day: date) -> Row:
    team, opponent = ("BOS", "CHI") if player.startswith("bos") else ("CHI", "BOS")
    row = {"player_lookup": player, "game_id": f"g{day:%m%d}", "game_date": day, "team_abbr": team}
    return row | {"opponent_team_abbr": opponent, "home_game": team == "CHI"}


def play(player: str, day: date) -> Row:
    team, opponent = ("BOS", "CHI") if player.startswith("bos") else ("CHI", "BOS")
    return make_row(player, day, team, opponent, game_id=f"g{day:%m%d}")


def put_sides(house: House) -> None:
    """Every side table but the announcements, each with rows that reach a feature or a gap."""
    days = (DAYS[-1], TODAY)
    tips = [datetime(day.year, day.month, day.day, 23, tzinfo=UTC) for day in days]
    early = timedelta(hours=2)
    house.put_side(SCHEDULE, [schedule(day, tip) for day, tip in zip(days, tips, strict=True)])
    known = [*{row["player_lookup"] for row in ROWS} - {"lal2"}, "bosnew"]
    house.put_side(REGISTRY, [{"player_lookup": name, "birth_date": date(1988, 2, 29)} for name in known])
    house.put_side(PLAYER_ALIASES, [{"alias_lookup": "denis", "nba_canonical_lookup": "den0"}])
    report = {"injury_status": "Doubtful", "team": "BOS"}
    house.put_side(
        INJURY_REPORT,
        [
            report | {"player_lookup": player, "game_date": day, "reported_at": tip - early}
            for player in ("bos0", "bos2")
            for day, tip in zip(days, tips, strict=True)
        ],
    )
    house.put_side(
        POINTS_LINES,
        [
            {"player_lookup": "chi0", "game_date": day, "bookmaker": "fanduel", "points_line": 20.5 + n}
            | {"snapshot_timestamp": tip - early + timedelta(minutes=n)}
            for day, tip in zip(days, tips, strict=True)
            for n in range(3)
        ],
    )


def schedule(day: date, tip: datetime | None = None) -> Row:
    row = {"game_id": f"g{day:%m%d}", "game_date": day, "home_team_abbr": "CHI", "away_team_abbr": "BOS"}
    return row | {"game_status": 1, "game_type": "Regular Season", "tipoff_at": tip}


def prepare_import(house: House) -> list[str]:
    """Rows that are new, corrected and the same; others of their dates go; two lookups of one person."""
    house.put(ROWS[:150])
    rows = [row | {"points": row["points"] + 2 * (n % 5 == 0)} for n, row in enumerate(ROWS[90:])]
    one = [row | {"player_lookup": "thebos0", "universal_player_id": "p"} for row in ROWS[-12:-11]]
    other = [row | {"player_lookup": "bosnull", "universal_player_id": "p"} for row in ROWS[-24:-23]]
    return ["import", write(house, PLAYER_GAME_SUMMARY, [*rows[3:], *one, *other]), "--replace-dates",
            "--write-aliases"]  # fmt: skip


def prepare_side_import(house: House) -> list[str]:
    """Games that are new, moved and postponed."""
    house.put(ROWS)
    house.put_side(SCHEDULE, [schedule(day) for day in DAYS])
    moved = [schedule(day) | {"game_date": day + timedelta(days=1)} for day in DAYS[5:9]]
    postponed = [schedule(day) | {"game_status": 9} for day in (DAYS[11], TODAY)]
    return ["import", "--table", SCHEDULE.name, write(house, SCHEDULE, [*moved, *postponed])]


def write(house: House, table: Table, rows: list[Row]) -> str:
    path = Path(house.path).with_name(f"{table.name}.parquet")
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    return str(path)


PREPARE: dict[str, Callable[[House], list[str]]] = {
    "first run": prepare_first_run,
    "re-run": prepare_rerun,
    "gap run": prepare_gap_run,
    "daily run": prepare_daily_run,
    "import": prepare_import,
    "side import": prepare_side_import,
}


def make_scene(name: str, directory: Path) -> Scene:
    """The scene of a name; its command has been run once on a copy, and succeeded."""
    house = House(str(directory / "before.duckdb"), DAYS)
    arguments = PREPARE[name](house)
    after = house.copy(directory / "after.duckdb")
    before = take_snapshot(house)
    assert main([*arguments, "--warehouse", after.path]) == 0, name
    return Scene(house, tuple(arguments), before, take_snapshot(after))


def describe_difference(found: Snapshot, scene: Scene) -> dict[str, Any]:
    """Which tables are those of before and which of after, for a message."""
    return {
        path: [name for name, known in vars(scene).items() if isinstance(known, Snapshot)
               and known.tables.get(path) == found.tables.get(path)]
        for path in _SHOWN
    } | {"successes": found.successes}  # fmt: skip
