"""Whose rows they are: aliases replaced, keys that several people contend for, keys found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, codes_among, replace_values, single_chunk, to_codes, to_days
from transforms.windows import order_key

KEY = ("player_lookup", "game_date")
PLAYER_ROW, ANNOUNCED, INJURED = 0, 1, 2
"""Where a row that names a target is from: the box scores, the upcoming games, the injury report."""
NO_NAMES: Mapping[str, str] = {}

_KEY_FIELDS = (pa.field("player_lookup", pa.string()), pa.field("game_date", pa.date32()))
RENAMED = pa.schema([*_KEY_FIELDS, pa.field("canonical", pa.string())])
SHARED = pa.schema([*_KEY_FIELDS, pa.field("people", pa.string())])


def rename_players(table: pa.Table, aliases: Mapping[str, str]) -> tuple[pa.Table, pa.Table]:
    """The rows with aliases replaced in ``player_lookup`` (dictionary-encoded), and the keys of those in
    which one stood (:data:`RENAMED`)."""
    lookup = single_chunk(table, "player_lookup")
    names = lookup.dictionary.to_pylist()
    is_alias = np.array([*(name in aliases for name in names), False])
    if not is_alias.any():
        return table, RENAMED.empty_table()
    current = replace_values(lookup, pa.array([aliases.get(name, name) for name in names], pa.string()))
    stood = pa.array(is_alias[to_codes(lookup)])
    renamed = table.select(KEY).append_column("canonical", current).filter(stood)
    index = table.column_names.index("player_lookup")
    return table.set_column(index, "player_lookup", current), renamed.cast(RENAMED)


def find_shared(table: pa.Table, exhibitions: Bools, losers: Bools) -> pa.Table:
    """The keys whose rows, ``losers`` included, carry several person ids of one source (:data:`SHARED`).

    Ids of two sources, as ``nba_2544`` and ``espn_1966``, are no two people.
    """
    if not losers.any():
        return SHARED.empty_table()
    plain = pa.table({n: _decode(single_chunk(table, n)) for n in (*KEY, "universal_player_id")})
    contested = plain.filter(pa.array(losers)).select(KEY)
    rivals = plain.filter(pa.array(~exhibitions)).join(contested, keys=list(KEY), join_type="left semi")
    prefix = pc.extract_regex(rivals.column("universal_player_id"), r"^(?P<source>[a-z]+)_")
    source = pc.fill_null(pc.struct_field(prefix, "source"), "")
    groups = rivals.append_column("source", source).group_by([*KEY, "source"], use_threads=False)
    found = groups.aggregate([("universal_player_id", "distinct")])
    ids = found.column("universal_player_id_distinct").to_pylist()
    people = pa.array([_join_ids(several) for several in ids], pa.string())
    found = found.append_column("people", people).filter(pc.is_valid(people))
    return found.select(SHARED.names).cast(SHARED)


def _join_ids(ids: Sequence[str | None]) -> str | None:
    """The ids in order; None when there are not two."""
    known = sorted(name for name in ids if name is not None)
    return ", ".join(known) if len(known) > 1 else None


def choose_rows(rows: pa.Table, order: Sequence[tuple[str, str]]) -> pa.Table:
    """The first row of each (player, date) in an order of (column, ``ascending`` or ``descending``).

    NULL stands last. ``player_lookup`` is dictionary-encoded and never NULL.
    """
    names = dict.fromkeys([*KEY, *(name for name, _ in order)])
    plain = pa.table({name: _to_sortable(single_chunk(rows, name)) for name in names})
    keys = [*((name, "ascending", "at_end") for name in KEY), *((*key, "at_end") for key in order)]
    position = pc.sort_indices(plain, sort_keys=keys).to_numpy().astype(np.int64)
    key = order_key(to_codes(single_chunk(rows, "player_lookup")), to_days(single_chunk(rows, "game_date")))
    key = key[position]
    fresh = np.append(True, key[1:] != key[:-1])[: len(key)]
    return rows.take(pa.array(position[fresh]))


def _to_sortable(column: pa.Array) -> pa.Array:
    column = _decode(column)
    return column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column


def has_key(rows: pa.Table, others: pa.Table) -> Bools:
    """Whether each row's (player, date) is a key of ``others``; never where the player is NULL.

    ``player_lookup`` of ``rows`` is dictionary-encoded.
    """
    lookup = single_chunk(rows, "player_lookup")
    code = codes_among(single_chunk(others, "player_lookup").dictionary_encode(), lookup.dictionary)
    known = code >= 0
    keys = order_key(code[known], to_days(single_chunk(others, "game_date"))[known])
    return np.isin(order_key(to_codes(lookup), to_days(single_chunk(rows, "game_date"))), keys)


def _decode(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
