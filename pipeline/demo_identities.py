"""Under which names the people of a generated league go: some change theirs between two seasons.

Who is new in a season and what he will be called follows from the seed, the league and the season in
which he comes, not from how many seasons follow. Box scores of the seasons before a change carry the
older name; its lookup is an alias of the one that replaced it, and the registry knows the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipeline.demo_columns import build_rows
from pipeline.demo_games import PlayedSeason, Season
from pipeline.demo_players import make_lookup
from transforms.arrays import Ints
from transforms.schema import Table
from transforms.side_tables import PLAYER_ALIASES, REGISTRY

NAMES = 1
"""The topic of the draws."""

RENAME_RATE, LATEST_CHANGE = 0.01, 3
"""How many change their name, and after how many seasons at the latest."""

FORCED_CHANGES, FORCED_AGE = ((1,), (1, 2)), 28
"""The best two of a league's first season that are not older: after how many seasons each changes his
name. Nobody so good and young leaves the league, so these changes can be seen in its box scores."""

INITIALS = ("Q.", "X.")

BIRTHDAY, BIRTHDAY_STRIDE = "10-01", 151
"""A player has his age on this day of the year in which the season starts; birthdays are spread by
stepping through the 365 days before it, a step a player."""


@dataclass
class Identities:
    """The people that a league has met: their names, first to last, and when each begins."""

    seed: int
    number: int
    names: list[str]
    """The league's: of every player by his number, as he was first called."""
    changes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """By player number: the seasons' indices with which another name begins."""
    met: set[int] = field(default_factory=set)

    def welcome(self, index: int, season: Season) -> Ints:
        """Who is on a roster for the first time, as positions in the season's players; fixes their names."""
        numbers = season.players["number"]
        on_roster = np.unique(season.roster)
        newcomers = on_roster[[number not in self.met for number in numbers[on_roster].tolist()]]
        self.met.update(numbers[newcomers].tolist())
        rng = np.random.default_rng([self.seed, self.number, index, NAMES])
        is_renamed = rng.random(newcomers.size) < RENAME_RATE
        after = rng.integers(1, LATEST_CHANGE + 1, newcomers.size)
        for number, seasons in zip(
            numbers[newcomers[is_renamed]].tolist(), after[is_renamed].tolist(), strict=True
        ):
            self.changes[number] = (index + seasons,)
        if index == 1:
            young = newcomers[season.players["age"][newcomers] <= FORCED_AGE]
            best = young[np.argsort(-season.rating[young], kind="stable")]
            for position, forced in zip(best, FORCED_CHANGES, strict=False):
                self.changes[int(numbers[position])] = tuple(index + seasons for seasons in forced)
        found: Ints = newcomers
        return found

    def list_names(self, number: int) -> list[str]:
        """A player's names, first to last."""
        names = [self.names[number]]
        for _ in self.changes.get(number, ()):
            names.append(change_name(names[-1], number))
        return names

    def count_changes(self, number: int, index: int) -> int:
        """How often a player has changed his name by the season of this index."""
        return sum(index >= change for change in self.changes.get(number, ()))


def change_name(name: str, number: int) -> str:
    """Another name of the same person: with ``Sr.`` at its end, or with an initial where he has a suffix.

    No generated name holds the one or the other, so its lookup is nobody else's: none ends in ``sr``,
    has a q behind its first letter or an x at all.
    """
    words = name.split()
    mark = [words.pop()] if words[-1].startswith("L") and words[-1][1:].isdigit() else []
    if words[-1] in ("Jr.", "Sr.", "II", "III"):
        unused = [initial for initial in INITIALS if initial not in words]
        words.insert(1, unused[number % len(unused)])
    else:
        words.append("Sr.")
    return " ".join(words + mark)


def build_registry(played: PlayedSeason) -> tuple[Table, pa.Table]:
    """The newcomers under their last names, with birth dates that their ages allow."""
    players, newcomers = played.season.players[played.newcomers], played.newcomers.tolist()
    day = players["number"] * BIRTHDAY_STRIDE % 365
    birthdays = [f"{played.year - age:04}-{BIRTHDAY}" for age in players["age"].tolist()]
    columns = {
        "player_lookup": [make_lookup(played.all_names[position][-1]) for position in newcomers],
        "universal_player_id": [played.person_ids[position] for position in newcomers],
        "birth_date": pa.array(np.array(birthdays, "datetime64[D]") - day),
    }
    return REGISTRY, build_rows(REGISTRY, columns)


def build_aliases(played: PlayedSeason) -> tuple[Table, pa.Table]:
    """The newcomers' older lookups, each with the one that replaces it."""
    pairs: list[tuple[str, str]] = []
    for position in played.newcomers.tolist():
        pairs += pairwise(make_lookup(name) for name in played.all_names[position])
    columns = {
        "alias_lookup": pa.array([old for old, _ in pairs], pa.string()),
        "nba_canonical_lookup": pa.array([new for _, new in pairs], pa.string()),
    }
    return PLAYER_ALIASES, build_rows(PLAYER_ALIASES, columns)
