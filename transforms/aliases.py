"""Aliases: which lookup a player is kept under. Pure.

Chains are followed to their end; an alias of itself is one. A circle has none: the lookups in it, and
those that lead into it, stay as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

Pair = tuple[str, str]
"""(alias, canonical lookup)."""


def choose_canonicals(pairs: Iterable[Pair]) -> tuple[dict[str, str], list[str]]:
    """One canonical lookup for each alias, and the aliases that have several: the smallest counts."""
    named: dict[str, set[str]] = defaultdict(set)
    for alias, canonical in pairs:
        named[alias].add(canonical)
    return {alias: min(names) for alias, names in named.items()}, sorted(
        alias for alias, names in named.items() if len(names) > 1
    )


def resolve_lookup(lookup: str, pairs: Mapping[str, str]) -> str | None:
    """The lookup at the end of the chain that begins here; None when it is a circle."""
    seen = {lookup}
    while pairs.get(lookup, lookup) != lookup:
        lookup = pairs[lookup]
        if lookup in seen:
            return None
        seen.add(lookup)
    return lookup


def resolve_aliases(pairs: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Alias -> the end of its chain, where that is another, and the aliases whose chain has no end."""
    ends = {alias: resolve_lookup(alias, pairs) for alias in sorted(pairs)}
    resolved = {alias: end for alias, end in ends.items() if end is not None and end != alias}
    return resolved, [alias for alias, end in ends.items() if end is None]
