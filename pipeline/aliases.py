"""One person with several lookups -> the pairs that make them one. Pure.

The canonical lookup is that of the person's newest game, the others are its aliases. A pair is
proposed only where it says something new and nothing else is said already: recorded pairs are
somebody's decision, and a lookup that several people carry belongs to none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date

from transforms.aliases import Pair, choose_canonicals, resolve_lookup


@dataclass(frozen=True)
class AliasProposal:
    """The pairs to record, how many lookups are recorded already, and what must not be, and why."""

    pairs: tuple[Pair, ...] = ()
    known: int = 0
    refused: tuple[str, ...] = ()


NO_ALIASES = AliasProposal()
SHOWN_NAMES = 5


def propose_aliases(
    people: Mapping[str, Mapping[str, date]], contested: Set[str], stored: Iterable[Pair]
) -> AliasProposal:
    """The pairs for ``people``: person -> lookup -> date of the newest game under it.

    ``contested`` are the lookups that several people carry.
    """
    pairs, _ = choose_canonicals(stored)
    new: list[Pair] = []
    refused: list[str] = []
    known = 0
    for person, newest in sorted(people.items()):
        shared = sorted(contested & newest.keys())
        if shared:
            refused.append(f"{person}: {', '.join(shared)} is the lookup of several people")
            continue
        canonical = min(newest, key=lambda lookup: (-newest[lookup].toordinal(), lookup))
        # those that are aliases already come last: a pair of another may have made them one
        for alias in sorted(newest.keys() - {canonical}, key=lambda lookup: (lookup in pairs, lookup)):
            reason = _find_objection(alias, canonical, pairs)
            if reason is not None:
                refused.append(f"{person}: {alias} -> {canonical} {reason}")
            elif alias in pairs:
                known += 1
            else:
                pairs[alias] = canonical
                new.append((alias, canonical))
    return AliasProposal(tuple(new), known, tuple(refused))


def _find_objection(alias: str, canonical: str, pairs: Mapping[str, str]) -> str | None:
    """Why the pair cannot stand beside ``pairs``; None when it can, or says what they say."""
    onward, target = resolve_lookup(canonical, pairs), resolve_lookup(alias, pairs)
    if onward is None or target is None:
        return "leads into a circle of recorded pairs"
    if alias in pairs:
        return None if target == onward else f"contradicts {alias} -> {pairs[alias]}"
    return "would close a circle with recorded pairs" if onward == alias else None


def find_circles(recorded: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """``a -> b -> a`` for each circle of recorded pairs, in order."""
    pairs, _ = choose_canonicals(recorded)
    circles: list[list[str]] = []
    seen: set[str] = set()
    for lookup in pairs:
        path: dict[str, int] = {}
        end = lookup
        while end in pairs and end not in seen:
            seen.add(end)
            path[end] = len(path)
            end = pairs[end]
        if end in path:
            members = list(path)[path[end] :]
            first = members.index(min(members))
            circles.append([*members[first:], *members[: first + 1]])
    return tuple(join_names(circle, " -> ") for circle in sorted(circles))


def join_names(names: Sequence[str], separator: str = ", ") -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return separator.join(names[:SHOWN_NAMES]) + more
