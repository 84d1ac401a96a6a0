"""The tables that a run reads once: aliases, registry and schedule, cleaned, and made ready for questions.

A table that does not exist is left out everywhere. Rows without their key are rejected and counted;
what else is odd is counted and named. The rules are features.md, sections 1.1, 2.1 and 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.aliases import choose_canonicals, resolve_aliases
from transforms.arrays import (
    Bools,
    Ints,
    Known,
    codes_among,
    from_known,
    read_column,
    replace_values,
    single_chunk,
    to_days,
    to_known,
    trim_text,
)
from transforms.contracts import HistoryReader
from transforms.eastern import noon_instants
from transforms.game_types import find_exhibition_ids, find_exhibition_types, tell_by_id, tell_by_type
from transforms.kernels.schedule import GAMES, Schedule
from transforms.side_tables import PLAYER_ALIASES, REGISTRY, SCHEDULE

REFERENCE_TABLES = (PLAYER_ALIASES, REGISTRY, SCHEDULE)
POSTPONED = 9
"""The status of a game that is not played on its date."""
MOST_NOTES = 20
HALF_A_DAY = 12 * 3600 * 10**6

PEOPLE = pa.schema(
    [
        pa.field("player_lookup", pa.string()),
        pa.field("universal_player_id", pa.string()),
        pa.field("birth_date", pa.date32()),
    ]
)
"""The registry, one row a canonical lookup."""


@dataclass
class CleanReferences:
    """The cleaned tables by name (``Table.name``), how many rows were odd, and what to tell of them."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def note(self, what: str, names: Sequence[str]) -> None:
        self.notes += [f"{what}: {name}" for name in names[:MOST_NOTES]]


@dataclass(frozen=True)
class References:
    """``aliases`` to the lookup that counts; ``people`` (:data:`PEOPLE`) and ``schedule`` may not exist."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    people: pa.Table | None = None
    schedule: Schedule | None = None

    @classmethod
    def from_tables(cls, tables: Mapping[str, pa.Table]) -> References:
        """Of :attr:`CleanReferences.tables`."""
        aliases = tables.get(PLAYER_ALIASES.name, PLAYER_ALIASES.schema.empty_table())
        pairs = zip(*(column.to_pylist() for column in aliases.columns), strict=True)
        games = tables.get(SCHEDULE.name)
        return cls(dict(pairs), tables.get(REGISTRY.name), None if games is None else Schedule(games))

    def find_names(self, player: str) -> list[str]:
        """The lookups under which the player's rows may stand: the canonical one and its aliases."""
        return [player, *sorted(alias for alias, name in self.aliases.items() if name == player)]

    def find_people(self, lookups: pa.DictionaryArray) -> Ints:
        """The row in :attr:`people` of each lookup; -1 where the registry does not know it."""
        if self.people is None:
            return np.full(len(lookups), -1)
        return codes_among(lookups, single_chunk(self.people, "player_lookup")).astype(np.int64)

    def find_cutoffs(self, rows: pa.Table) -> Ints:
        """The instant in microseconds after which nothing counts, for each row's game: its tip-off, else
        12:00 US Eastern of its date."""
        noon = noon_instants(to_days(single_chunk(rows, "game_date")))
        if self.schedule is None:
            return noon
        tipoff = self.schedule.find_tipoffs(rows)
        return np.where(tipoff.known, tipoff.values, noon)


NO_REFERENCES = References()


def read_references(reader: HistoryReader, start: date, end: date) -> CleanReferences:
    """The three tables, cleaned; the schedule of ``start <= game_date < end``."""
    read = {table.name: reader.read_side(table, start, end) for table in REFERENCE_TABLES}
    return clean_references({name: rows for name, rows in read.items() if rows is not None})


def clean_references(raw: Mapping[str, pa.Table]) -> CleanReferences:
    """The three tables as read, by name, cleaned; those that do not exist are not in ``raw``."""
    found = CleanReferences()
    aliases: dict[str, str] = {}
    if PLAYER_ALIASES.name in raw:
        aliases = _clean_aliases(raw[PLAYER_ALIASES.name], found)
    if REGISTRY.name in raw:
        _clean_registry(raw[REGISTRY.name], aliases, found)
    if SCHEDULE.name in raw:
        _clean_schedule(raw[SCHEDULE.name], found)
    return found


def _clean_aliases(raw: pa.Table, found: CleanReferences) -> dict[str, str]:
    schema = PLAYER_ALIASES.schema
    columns = [trim_text(read_column(raw, column)).dictionary_decode() for column in schema]
    pairs = pa.table(columns, schema=schema).drop_null()
    listed = zip(*(column.to_pylist() for column in pairs.columns), strict=True)
    chosen, several = choose_canonicals(listed)
    resolved, circular = resolve_aliases(chosen)
    found.counts["aliases_rejected"] += raw.num_rows - pairs.num_rows
    found.counts["aliases_ambiguous"] += len(several)
    found.counts["aliases_circular"] += len(circular)
    found.note("an alias with several canonical lookups, the smallest counts", several)
    found.note("an alias that leads into a circle, it is not resolved", circular)
    names = (list(resolved), list(resolved.values()))
    found.tables[PLAYER_ALIASES.name] = pa.table([pa.array(n, pa.string()) for n in names], schema=schema)
    return resolved


def _clean_registry(raw: pa.Table, aliases: Mapping[str, str], found: CleanReferences) -> None:
    lookup, person, born = (read_column(raw, column) for column in REGISTRY.schema)
    lookup = trim_text(lookup)
    names = [aliases.get(name, name) for name in lookup.dictionary.to_pylist()]
    lookup = replace_values(lookup, pa.array(names, pa.string())).dictionary_decode()
    rows = pa.table([lookup, trim_text(person).dictionary_decode(), born], names=PEOPLE.names)
    rows = rows.filter(pc.is_valid(lookup))
    grouped = rows.group_by("player_lookup", use_threads=False).aggregate(
        [("universal_player_id", "min"), ("birth_date", "max"), ("universal_player_id", "count_distinct")]
    )
    several = grouped.filter(pc.greater(grouped.column("universal_player_id_count_distinct"), 1))
    found.counts["registry_rejected"] += raw.num_rows - rows.num_rows
    found.counts["registry_duplicates"] += rows.num_rows - grouped.num_rows
    found.note(
        "a lookup of several people in the registry", sorted(several.column("player_lookup").to_pylist())
    )
    kept = grouped.select(["player_lookup", "universal_player_id_min", "birth_date_max"])
    found.tables[REGISTRY.name] = kept.rename_columns(PEOPLE.names).cast(PEOPLE)


def _clean_schedule(raw: pa.Table, found: CleanReferences) -> None:
    columns = {column.name: read_column(raw, column) for column in SCHEDULE.schema}
    texts = ("game_id", "home_team_abbr", "away_team_abbr", "game_type")
    columns |= {name: trim_text(columns[name]) for name in texts}
    rows = pa.table(columns)
    rows = rows.filter(pc.and_(pc.is_valid(columns["game_id"]), pc.is_valid(columns["game_date"])))
    game_id, kind = single_chunk(rows, "game_id"), single_chunk(rows, "game_type")
    status, day = to_known(single_chunk(rows, "game_status")), to_days(single_chunk(rows, "game_date"))
    tipoff = to_instants(single_chunk(rows, "tipoff_at"))
    playoff = tell_by_type(kind)
    told = np.where(np.isnan(playoff), tell_by_id(game_id), playoff)
    made = {
        "postponed": pa.array(status.known & (status.values == POSTPONED)),
        "exhibition": pa.array(find_exhibition_types(kind) | find_exhibition_ids(game_id)),
        "playoff": pa.array(playoff),
        "regular": pa.array(told == 0),
        "tipoff": from_known(tipoff),
    }
    for name in ("game_date", "game_id", "home_team_abbr", "away_team_abbr"):
        made[name] = single_chunk(rows, name)
    games = pa.table({name: made[name] for name in GAMES.names}).cast(GAMES)
    found.tables[SCHEDULE.name] = games
    found.counts["schedule_rejected"] += raw.num_rows - rows.num_rows
    # midnight to midnight in US Eastern is half a day about noon, but for the clock changes
    off = tipoff.known & (np.abs(tipoff.values - noon_instants(day)) > HALF_A_DAY + HALF_A_DAY // 12)
    found.counts["schedule_tipoffs_off_date"] += int(np.count_nonzero(off))
    found.note("a tip-off on another date than its game", _name_games(games, off))


def _name_games(games: pa.Table, flags: Bools) -> list[str]:
    odd = games.filter(pa.array(flags)).select(["game_id", "game_date"]).to_pylist()
    return sorted(f"{game['game_id']} on {game['game_date']}" for game in odd)


def to_instants(column: pa.Array) -> Known:
    """Timestamps (microseconds, UTC) as integers."""
    return to_known(column.cast(pa.int64()))
