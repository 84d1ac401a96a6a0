"""What was said before tip-off: injury reports and betting lines, for every target of some dates.

Targets are unique (player, date) keys with a cut-off each; what was reported or offered after it
does not exist for them. The rules are features.md, sections 2.4 and 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from transforms.arrays import Bools, Floats, Ints, codes_among, to_codes
from transforms.windows import find_rows, order_key

UNKNOWN_SEVERITY = -1


@dataclass(frozen=True)
class Reports:
    """Injury reports: who (``player``, dictionary-encoded), which ``day``, when (``at``, microseconds),
    how bad (0 to 3, -1 for a text that is not known) and in which ``team``."""

    player: pa.DictionaryArray
    day: Ints
    at: Ints
    severity: Ints
    team: pa.DictionaryArray


@dataclass(frozen=True)
class Lines:
    """Points lines: ``line`` is NaN where unknown; ``bookmaker`` is the rank of its name, best first."""

    player: pa.DictionaryArray
    day: Ints
    at: Ints
    line: Floats
    bookmaker: Ints


class Keys(NamedTuple):
    """The targets: ``player`` dictionary-encoded, ``day``, and ``cutoff`` in microseconds."""

    player: pa.DictionaryArray
    day: Ints
    cutoff: Ints

    def find(self, player: pa.DictionaryArray, day: Ints) -> Ints:
        """The target of each (player, day), -1 where there is none."""
        own = order_key(np.maximum(to_codes(self.player), 0), self.day)
        order = np.argsort(own)
        code = codes_among(player, self.player.dictionary)
        row, found = find_rows(own[order], order_key(np.maximum(code, 0), day))
        return np.where(found & (code >= 0), np.append(order, -1)[row], -1)

    def find_in_time(self, player: pa.DictionaryArray, day: Ints, at: Ints) -> tuple[Ints, Bools]:
        """The target of each (player, day), and whether ``at`` is not after its cut-off."""
        target = self.find(player, day)
        return target, at <= np.append(self.cutoff, np.iinfo(np.int64).min)[target]


class Quotes(NamedTuple):
    """The lines of each target, float64[targets], NaN where there is none."""

    newest: Floats
    opening: Floats


def read_injury_risk(reports: Reports, targets: Keys) -> Floats:
    """How bad the newest report is, at one instant the worst; 0 for who is not listed on a date that has
    reports; NaN where the date has none, or the text is not known."""
    target, in_time = targets.find_in_time(reports.player, reports.day, reports.at)
    counted = np.flatnonzero(in_time)
    # by target, then from the oldest to the newest and from the best to the worst: the last one tells
    order = counted[np.lexsort((reports.severity[counted], reports.at[counted], target[counted]))]
    risk = np.where(has_rows(reports.day, reports.at, targets), 0.0, np.nan)
    severity = np.where(reports.severity == UNKNOWN_SEVERITY, np.nan, reports.severity)
    last = _ends(target[order])
    risk[target[order][last]] = severity[order][last]
    return risk


def read_lines(lines: Lines, targets: Keys) -> Quotes:
    """The newest and the oldest line of each target's best bookmaker; at one instant the lowest."""
    newest, opening = (np.full(len(targets.day), np.nan) for _ in range(2))
    target, in_time = targets.find_in_time(lines.player, lines.day, lines.at)
    counted = np.flatnonzero(in_time & (lines.line > 0))
    best = np.full(len(targets.day), np.iinfo(np.int64).max)
    np.minimum.at(best, target[counted], lines.bookmaker[counted])
    counted = counted[lines.bookmaker[counted] == best[target[counted]]]
    for out, instants in ((opening, lines.at), (newest, -lines.at)):
        order = counted[np.lexsort((lines.line[counted], instants[counted], target[counted]))]
        first = _starts(target[order])
        out[target[order][first]] = lines.line[order][first]
    return Quotes(newest, opening)


def has_rows(day: Ints, at: Ints, targets: Keys) -> Bools:
    """Whether each target's date has a row at or before its cut-off; ``day`` and ``at`` are the rows'."""
    days, group = np.unique(day, return_inverse=True)
    earliest = np.full(len(days), np.iinfo(np.int64).max)
    np.minimum.at(earliest, group, at)
    row, found = find_rows(days, targets.day)
    first: Ints = np.append(earliest, 0)[row]
    return found & (first <= targets.cutoff)


def _starts(group: Ints) -> Bools:
    """Where a group begins, in sorted groups."""
    return np.append(True, group[1:] != group[:-1])[: len(group)]


def _ends(group: Ints) -> Bools:
    return np.append(group[1:] != group[:-1], True)[: len(group)]
