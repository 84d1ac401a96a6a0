"""Small random leagues with everything that a history should not hold, and the job without Beam.

:func:`make_league` draws rows from a seed; :func:`run_kernels` does what the pipeline does
between reading and staging, cut into any chunks and buckets.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.compute import compute_bucket
from transforms.contracts import TargetSpec
from transforms.history import join_team_parts, prepare_chunk, read_chunk
from transforms.kernels.team_figures import TeamFigures
from transforms.references import References, read_references
from transforms.schema import PLAYER_GAME_SUMMARY, STAGED_TARGETS, Table

SCHEMA = PLAYER_GAME_SUMMARY.schema
COLUMNS = tuple(SCHEMA.names)
ZONE_COLUMNS = tuple(f"{zone}_{part}" for zone in ("paint", "mid_range") for part in ("attempts", "makes"))
TEAMS = ("ATL", "BOS", "CHI", "DEN", "LAL")
NO_TABLES: Mapping[str, pa.Table] = {}
Row = dict[str, Any]


@dataclass(frozen=True)
class League:
    """Rows as dictionaries, and the columns that the table has."""

    rows: list[Row]
    columns: tuple[str, ...]

    def table(self) -> pa.Table:
        schema = pa.schema([SCHEMA.field(name) for name in self.columns])
        return pa.Table.from_pylist(self.rows, schema=schema)


def make_league(seed: int, days: int = 60) -> League:
    """A league of five teams: a stretch of games a year ago, then ``days`` days with gaps."""
    rng = random.Random(seed)
    start = date(rng.choice([2018, 2019, 2020]), rng.choice([1, 9, 10, 11]), rng.randint(1, 28))
    players = [f"player{n}" for n in range(30)]
    home = {player: TEAMS[n % len(TEAMS)] for n, player in enumerate(players)}
    rows: list[Row] = []
    dates = [start - timedelta(days=365 + n) for n in range(-8, 14, 2)]
    dates += [start + timedelta(days=n) for n in range(days) if rng.random() < 0.75]
    for day in sorted(dates):
        if rng.random() < 0.05:
            mover = rng.choice(players)
            home[mover] = rng.choice(TEAMS)
        rows += _play_date(rng, day, players, home)
    rng.shuffle(rows)
    absent = {name for name in ("is_home", "season_year", "processed_at", "turnovers") if rng.random() < 0.15}
    if rng.random() < 0.25:
        absent |= set(ZONE_COLUMNS)
    columns = tuple(name for name in COLUMNS if name not in absent)
    return League([{name: row[name] for name in columns} for row in rows], columns)


def _play_date(rng: random.Random, day: date, players: Sequence[str], home: dict[str, str]) -> list[Row]:
    teams = rng.sample(TEAMS, 4)
    rows: list[Row] = []
    for number, (away, at) in enumerate([(teams[0], teams[1]), (teams[2], teams[3])]):
        game_id = rng.choice(
            [
                f"00{rng.choice('1222222345')}{day:%y%j}{number:02d}",
                f"{day:%Y%m%d}_{away}_{at}",
                f"g{day:%m%d}{number}",
            ]
        )
        kind = rng.choice(
            [*["Regular Season"] * 6, "Playoffs", "PlayIn", "Pre Season", "All-Star", "NBA Cup", None]
        )
        sides = [(away, at)] if rng.random() < 0.06 else [(away, at), (at, away)]
        if rng.random() < 0.03:
            sides.append((teams[3 - number], at))
        for team, opponent in sides:
            squad = [player for player in players if home[player] == team]
            rows += [
                _spoil(rng, _make_row(rng, player, day, game_id, team, opponent, at, kind))
                for player in squad
                if rng.random() < 0.9
            ]
    rows += [dict(row, **_change(rng)) for row in rows if rng.random() < 0.03]
    if rng.random() < 0.1:
        busy = {row["player_lookup"] for row in rows}
        guests = [player for player in players if player not in busy][:2]
        names = (f"N{day:%j}A", f"N{day:%j}B")  # two teams that never played before
        for guest, team, opponent in zip(guests, names, reversed(names), strict=False):
            rows.append(_make_row(rng, guest, day, f"new{day:%j}", team, opponent, team, None))
    return rows


def _change(rng: random.Random) -> Row:
    return rng.choice(
        [
            {"points": rng.randint(0, 40)},
            {"processed_at": datetime(2024, 1, rng.randint(1, 20), tzinfo=UTC)},
            {"game_id": f"h{rng.randint(0, 9)}"},
            {"is_dnp": True},
            {},
        ]
    )


def _make_row(
    rng: random.Random,
    player: str,
    day: date,
    game_id: str,
    team: str,
    opponent: str,
    at: str,
    kind: str | None,
) -> Row:
    seconds = rng.choice([0, rng.randint(1, 2880), rng.randint(600, 2400), rng.randint(1800, 2600)])
    tried = {zone: rng.randint(0, 8) for zone in ("paint", "mid_range", "three_pt")}
    made = {zone: rng.randint(0, tried[zone]) for zone in tried}
    free, free_made = rng.randint(2, 8), rng.randint(0, 2)
    absent = rng.random() < 0.12
    row: Row = dict.fromkeys(COLUMNS)
    row |= {
        "player_lookup": player,
        "game_id": game_id,
        "game_date": day,
        "team_abbr": team,
        "opponent_team_abbr": opponent,
        "universal_player_id": f"id_{player}",
        "player_full_name": player.title(),
        "season_year": rng.choice([None, day.year if day.month >= 10 else day.year - 1]),
        "season_type": kind,
        "is_home": rng.choice([team == at, team == at, None]),
        "is_dnp": rng.choice([absent, absent, None]),
        "dnp_reason": "coach" if absent else None,
        "processed_at": rng.choice([None, datetime(2024, 1, rng.randint(1, 20), tzinfo=UTC)]),
    }
    if absent:
        return row
    row |= {
        "points": 2 * (made["paint"] + made["mid_range"]) + 3 * made["three_pt"] + free_made,
        "minutes_played": seconds / 60,
        "fg_attempts": sum(tried.values()),
        "fg_makes": sum(made.values()),
        "ft_attempts": free,
        "ft_makes": free_made,
        "offensive_rebounds": rng.randint(0, 4),
        "turnovers": rng.randint(0, 4),
    }
    for zone in tried:
        row[f"{zone}_attempts"], row[f"{zone}_makes"] = tried[zone], made[zone]
    return row


def _spoil(rng: random.Random, row: Row) -> Row:
    """Now and then a row that is unknown in part, odd, or invalid."""
    if rng.random() > 0.06:
        return row
    spoilt: list[Row] = [
        {rng.choice(["points", "minutes_played", "fg_attempts", "turnovers", "paint_attempts"]): None},
        {
            "minutes_played": rng.choice(
                [float("nan"), float("inf"), 1e308, 100.009, 100.0, 0.008, -1.0, -0.001]
            )
        },
        {"fg_makes": 50},
        {"paint_makes": 50},
        {"points": -3},
        {"points": 0, "minutes_played": None},
        {"points": 5, "minutes_played": None},
        {"team_abbr": rng.choice([None, " ", row["opponent_team_abbr"], f" {row['team_abbr']}\t"])},
        {"opponent_team_abbr": rng.choice([None, "", f"{row['opponent_team_abbr']} "])},
        {"game_id": rng.choice([None, "", f" {row['game_id']}\n"])},
        {"player_lookup": rng.choice([None, "  ", f" {row['player_lookup']}"])},
        {"season_year": 2017},
        {"turnovers": 1_000_001},
        {"is_dnp": True, "dnp_reason": "but scored"},
    ]
    return row | rng.choice(spoilt)


@dataclass(frozen=True)
class Computed:
    """Feature rows and gaps by key, and the summed counts of every chunk."""

    features: dict[tuple[str, date], Row]
    gaps: dict[tuple[str, date], Row]
    targets: list[tuple[str, date]]
    counts: dict[str, int]
    passed: list[tuple[str, date, str]]
    notes: list[str]


@dataclass(frozen=True)
class MemoryReader:
    """``transforms.contracts.HistoryReader`` over tables in memory."""

    history: pa.Table
    stored: list[tuple[str, date]]
    sides: Mapping[str, pa.Table]

    def read_history(self, start: date, end: date) -> pa.Table:
        return cut_dates(self.history, start, end)

    def read_side(self, table: Table, start: date, end: date) -> pa.Table | None:
        rows = self.sides.get(table.path)
        return rows if rows is None or table.partition is None else cut_dates(rows, start, end)

    def read_stored_keys(self, start: date, end: date) -> pa.Table:
        keys = [{"player_lookup": player, "game_date": day} for player, day in self.stored]
        return cut_dates(pa.Table.from_pylist(keys, schema=STAGED_TARGETS), start, end)


def cut_dates(rows: pa.Table, start: date, end: date) -> pa.Table:
    dates = rows.column("game_date")
    return rows.filter(pc.and_(pc.greater_equal(dates, pa.scalar(start)), pc.less(dates, pa.scalar(end))))


def run_kernels(
    table: pa.Table,
    spec: TargetSpec,
    *,
    cuts: Iterable[date] = (),
    buckets: int = 1,
    stored: Iterable[tuple[str, date]] = (),
    sides: Mapping[str, pa.Table] = NO_TABLES,
) -> Computed:
    """Reads ``table`` in its window as chunks cut at ``cuts``, shards it, and computes.

    ``sides`` are the side tables by ``Table.path``; those left out do not exist.
    """
    low, high = spec.start - timedelta(days=365), spec.end
    edges = [low, *sorted(cut for cut in cuts if low < cut < high), high]
    reader = MemoryReader(table, list(stored), sides)
    cleaned = read_references(reader, low, high + timedelta(days=365))
    references = References.from_tables(cleaned.tables)
    chunks = [
        prepare_chunk(read_chunk(reader, start, end, spec), spec, buckets, references)
        for start, end in pairwise(edges)
    ]
    figures = TeamFigures(join_team_parts(part for chunk in chunks for part in chunk.team_parts.items()))
    features: dict[tuple[str, date], Row] = {}
    gaps: dict[tuple[str, date], Row] = {}
    for bucket in range(buckets):
        batches = [batch for chunk in chunks for number, batch in chunk.rows if number == bucket]
        if batches:
            made, skipped, failed = compute_bucket(pa.Table.from_batches(batches), figures, spec)
            assert failed == 0, skipped.to_pylist()[:1]
            for found, rows in ((features, made), (gaps, skipped)):
                found |= {(row["player_lookup"], row["game_date"]): row for row in rows.to_pylist()}
    counts = dict(cleaned.counts)
    for chunk in chunks:
        for name, count in chunk.counts.items():
            counts[name] = counts.get(name, 0) + count
    targets = [
        (row["player_lookup"], row["game_date"]) for chunk in chunks for row in chunk.targets.to_pylist()
    ]
    passed = [tuple(row.values()) for chunk in chunks for row in chunk.passed.to_pylist()]
    notes = [*cleaned.notes, *(note for chunk in chunks for note in chunk.notes)]
    return Computed(features, gaps, targets, counts, passed, notes)
