"""Rows as read -> the rows that count: trimmed, typed, without exhibition games and duplicates.

Everything here is local to a date, so any chunk of whole dates can be cleaned by itself and the
result does not depend on how the history was cut. The rules are features.md, section 1.1; what a
row contributes to team games and windows is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import (
    Bools,
    Ints,
    codes_among,
    read_column,
    single_chunk,
    to_codes,
    to_known,
    trim_text,
)
from transforms.game_types import find_exhibition_ids, find_exhibition_types
from transforms.people import KEY, NO_NAMES, find_shared, rename_players
from transforms.schema import INTEGER_STATISTICS, PLAYER_GAME_SUMMARY

KEY_TEXTS = ("player_lookup", "game_id", "team_abbr", "opponent_team_abbr")
OTHER_TEXTS = ("universal_player_id", "player_full_name", "season_type", "dnp_reason")
LARGEST_STATISTIC = 1_000_000
"""No box score has more; a greater value would leave the range of exact 64-bit sums of squares."""
LONGEST_GAME_SECONDS = 100 * 60
MAKES_AND_ATTEMPTS = tuple(
    (f"{kind}_makes", f"{kind}_attempts") for kind in ("fg", "three_pt", "ft", "paint", "mid_range")
)
STATISTICS = ("seconds", *INTEGER_STATISTICS)

KEPT, EXHIBITION, DUPLICATE = 0, 1, 2
"""What becomes of a row before it is judged."""

INVALID_RULES = (
    "",
    "player_lookup is missing",
    "game_id is missing",
    "team_abbr is missing",
    "team_abbr equals opponent_team_abbr",
    "minutes_played above 100",
    *(f"{name} is negative" for name in STATISTICS),
    *(f"{name} above {LARGEST_STATISTIC}" for name in INTEGER_STATISTICS),
    *(f"{makes} above {attempts}" for makes, attempts in MAKES_AND_ATTEMPTS),
)
"""What makes a row invalid, by code; code 0 is a valid row. The first that applies counts."""


@dataclass(frozen=True)
class CleanRows:
    """The rows of some whole dates that count, one per (player, date).

    ``table`` has the columns of ``player_game_summary`` except ``minutes_played`` and
    ``processed_at``: texts trimmed and dictionary-encoded, integers int64, ``seconds`` instead of
    minutes, ``season_year`` never NULL, plus ``played`` bool and ``invalid`` int8 (a code of
    :data:`INVALID_RULES`). ``rejected`` counts the rows left that have no player. ``renamed`` are the
    keys of rows that an alias stood in, with the lookup that they count under; ``exhibitions`` the keys
    of rows that were dropped; ``shared`` the keys that rows of several people contend for.
    """

    table: pa.Table
    read: int
    dropped: int
    duplicates: int
    invalid: int
    rejected: int
    non_finite: int
    renamed: pa.Table
    exhibitions: pa.Table
    shared: pa.Table


def clean_rows(raw: pa.Table, aliases: Mapping[str, str] = NO_NAMES) -> CleanRows:
    """The rows of ``raw`` that count. ``raw`` holds whole dates, without NULL dates.

    ``aliases`` give the lookup that counts for each alias; they apply before anything is keyed.
    """
    table, non_finite = normalize_columns(raw)
    table, renamed = rename_players(table, aliases)
    passed_over = find_passed_over(table)
    unique = table if not passed_over.any() else table.filter(pa.array(passed_over == KEPT))
    # the rule for duplicates compares the season as it was read, so it is filled only now
    index = unique.column_names.index("season_year")
    unique = unique.set_column(index, "season_year", fill_season(unique))
    codes = judge_rows(unique)
    unique = unique.append_column("invalid", pa.array(codes, pa.int8()))
    return CleanRows(
        table=unique,
        read=raw.num_rows,
        dropped=int(np.count_nonzero(passed_over == EXHIBITION)),
        duplicates=int(np.count_nonzero(passed_over == DUPLICATE)),
        invalid=int(np.count_nonzero(codes)),
        rejected=int(unique.column("player_lookup").null_count),
        non_finite=non_finite,
        renamed=renamed,
        exhibitions=table.filter(pa.array(passed_over == EXHIBITION)).select(KEY),
        shared=find_shared(table, passed_over == EXHIBITION, passed_over == DUPLICATE),
    )


def normalize_columns(raw: pa.Table) -> tuple[pa.Table, int]:
    """Typed and trimmed columns of every row, and how many numbers were NaN or infinite."""
    columns: dict[str, pa.Array] = {}
    for name in (*KEY_TEXTS, *OTHER_TEXTS):
        columns[name] = trim_text(_column(raw, name))
    columns["game_date"] = _column(raw, "game_date")
    for name in INTEGER_STATISTICS:
        columns[name] = _column(raw, name)
    columns["seconds"], non_finite = to_seconds(_column(raw, "minutes_played"))
    columns["is_dnp"] = _column(raw, "is_dnp")
    columns["season_year"] = _column(raw, "season_year")
    columns["is_home"] = (
        _column(raw, "is_home")
        if "is_home" in raw.column_names
        else derive_is_home(columns["game_id"], columns["team_abbr"])
    )
    columns["processed_at"] = _column(raw, "processed_at")
    columns["played"] = pa.array(find_played(columns["points"], columns["seconds"], columns["is_dnp"]))
    return pa.table(columns), non_finite


def _column(raw: pa.Table, name: str) -> pa.Array:
    return read_column(raw, PLAYER_GAME_SUMMARY.schema.field(name))


def to_seconds(minutes: pa.Array) -> tuple[pa.Array, int]:
    """Whole seconds (half to even), NULL for NaN and infinity, and how many of those there were."""
    known = minutes.is_valid().to_numpy(zero_copy_only=False)
    values = pc.fill_null(minutes, 0.0).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    with np.errstate(over="ignore"):
        seconds = np.rint(np.where(finite, values, 0.0) * 60.0)
    bound = 1e15  # keeps the absurd inside int64: it is judged as invalid, not lost
    whole = np.clip(seconds, -bound, bound).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=~(known & finite)), int(np.count_nonzero(~finite))


def fill_season(rows: pa.Table) -> pa.Array:
    """``season_year``, from the date where it is NULL."""
    season = single_chunk(rows, "season_year")
    if season.null_count == 0:
        return season
    derived = pa.array(season_of_dates(single_chunk(rows, "game_date")), pa.int64())
    return pc.coalesce(season, derived)


def season_of_dates(dates: pa.Array) -> Ints:
    """The year in which the season of each date starts (date32 without NULLs)."""
    days = dates.cast(pa.int32()).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    months = days.astype("datetime64[M]").astype(np.int64)
    years, month = months // 12 + 1970, months % 12 + 1
    bubble = (days >= np.datetime64("2020-10-01")) & (days < np.datetime64("2020-10-12"))
    season: Ints = np.where((month >= 10) & ~bubble, years, years - 1)
    return season


def derive_is_home(game_id: pa.DictionaryArray, team: pa.DictionaryArray) -> pa.Array:
    """Home or away from a ``YYYYMMDD_AWAY_HOME`` game id; NULL where it does not tell."""
    parts = pc.extract_regex(game_id.dictionary, r"^[0-9]{8}_(?P<away>[^_]+)_(?P<home>[^_]+)$")
    indices = game_id.indices
    teams = team.dictionary_decode()
    home = pc.equal(pc.struct_field(parts, "home").take(indices), teams)
    away = pc.equal(pc.struct_field(parts, "away").take(indices), teams)
    differ = pc.not_equal(home, away)
    return pc.if_else(pc.fill_null(differ, False), home, pa.scalar(None, pa.bool_()))


def find_played(points: pa.Array, seconds: pa.Array, is_dnp: pa.Array) -> Bools:
    """Who played: the one predicate that decides everywhere."""
    scored, time, dnp = to_known(points), to_known(seconds), to_known(is_dnp)
    on_court = (time.known & (time.values > 0)) | (scored.values > 0)
    played: Bools = scored.known & ~(dnp.known & (dnp.values != 0)) & on_court
    return played


def find_passed_over(table: pa.Table) -> npt.NDArray[np.int8]:
    """For each normalized row why it does not count at all: :data:`EXHIBITION` or
    :data:`DUPLICATE`, else :data:`KEPT`. An exhibition game is nobody's rival."""
    kinds, ids = single_chunk(table, "season_type"), single_chunk(table, "game_id")
    exhibitions = find_exhibition_types(kinds) | find_exhibition_ids(ids)
    codes = np.where(exhibitions, EXHIBITION, KEPT).astype(np.int8)
    kept = np.flatnonzero(codes == KEPT)
    losers = find_losers(table if len(kept) == table.num_rows else table.take(kept))
    codes[kept[losers]] = DUPLICATE
    return codes


def find_losers(table: pa.Table) -> Bools:
    """The rows that lose against another row of their (player, date), whatever their order.

    The one that played wins, then the later ``processed_at``, then the greater game id, then the
    greater values in the order of the columns. Rows without a player are never duplicates.
    """
    player = to_codes(single_chunk(table, "player_lookup")).astype(np.int64)
    days = single_chunk(table, "game_date").cast(pa.int32()).to_numpy(zero_copy_only=False)
    keys = (player << 32) + (days.astype(np.int64) + 2**31)
    losers = np.zeros(len(keys), dtype=bool)
    unique, counts = np.unique(keys, return_counts=True)
    if (counts == 1).all():
        return losers
    contested = np.flatnonzero(np.isin(keys, unique[counts > 1]) & (player >= 0))
    order = contested[rank_rows(table.take(contested))]
    _, winner = np.unique(keys[order], return_index=True)
    losers[contested] = True
    losers[order[winner]] = False
    return losers


def rank_rows(table: pa.Table) -> Ints:
    """The order of the rows, best first, by the rule for duplicates."""
    declared = [field.name for field in PLAYER_GAME_SUMMARY.schema]
    names = ["played", "processed_at", "game_id"]
    names += ["seconds" if name == "minutes_played" else name for name in declared]
    names = list(dict.fromkeys(names))
    plain = {}
    for name in names:
        column = single_chunk(table, name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        plain[name] = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    order = pc.sort_indices(
        pa.table(plain),
        sort_keys=[(name, "descending", "at_end") for name in names],
    )
    ranked: Ints = order.to_numpy().astype(np.int64)
    return ranked


def judge_rows(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """The code of the first rule of :data:`INVALID_RULES` that each row breaks, 0 when valid."""
    known = {name: to_known(single_chunk(table, name)) for name in STATISTICS}
    texts = {name: to_codes(single_chunk(table, name)) for name in KEY_TEXTS}
    facing = codes_among(
        single_chunk(table, "opponent_team_abbr"), single_chunk(table, "team_abbr").dictionary
    )
    broken: dict[str, Bools] = {
        "player_lookup is missing": texts["player_lookup"] < 0,
        "game_id is missing": texts["game_id"] < 0,
        "team_abbr is missing": texts["team_abbr"] < 0,
        "team_abbr equals opponent_team_abbr": (facing >= 0) & (facing == texts["team_abbr"]),
        "minutes_played above 100": known["seconds"].values > LONGEST_GAME_SECONDS,
    }
    for name in STATISTICS:
        broken[f"{name} is negative"] = known[name].values < 0
    for name in INTEGER_STATISTICS:
        broken[f"{name} above {LARGEST_STATISTIC}"] = known[name].values > LARGEST_STATISTIC
    for makes, attempts in MAKES_AND_ATTEMPTS:
        both = known[makes].known & known[attempts].known
        broken[f"{makes} above {attempts}"] = both & (known[makes].values > known[attempts].values)
    codes = np.zeros(table.num_rows, dtype=np.int8)
    for code, rule in reversed(list(enumerate(INVALID_RULES))):
        if rule:
            codes[broken[rule]] = code
    return codes
