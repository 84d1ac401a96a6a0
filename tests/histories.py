"""Random histories of a small league: edits of its box scores, and what is asked of runs over them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from warehouse import Key, Row, Tables, key_of, list_dates, make_league

from pipeline.season import DateRange

Owns = Callable[[Key], bool]
"""Which keys a run may touch: those of its dates, or single ones."""


@dataclass(frozen=True)
class Options:
    bootstrap_days: int = 14
    min_games: int = 5


class Story:
    """Random edits of the inputs and random runs over them, from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        league = make_league(dates=12, players=3, seed=seed)
        self.days = list_dates(league)
        self.rows = {key_of(row): row for row in league if self.rng.random() < 0.9}
        self.away: list[Row] = [row for row in league if key_of(row) not in self.rows]

    def edit(self) -> None:
        for _ in range(self.rng.randint(0, 3)):
            self.rng.choice(
                [self.correct, self.remove, self.restore, self.spoil, self.bench, self.arrive, self.expand]
            )()

    def pick(self, most: int) -> list[Row]:
        return self.rng.sample(list(self.rows.values()), self.rng.randint(1, most))

    def change(self, row: Row, **facts: Any) -> None:
        self.rows[key_of(row)] = row | facts

    def correct(self) -> None:
        for row in self.pick(3):
            self.change(row, points=row["points"] + 1)

    def remove(self) -> None:
        for row in self.pick(self.rng.choice([2, 5, 20])):
            self.away.append(self.rows.pop(key_of(row)))

    def restore(self) -> None:
        self.rng.shuffle(self.away)
        for row in self.away[:6]:
            self.rows[key_of(row)] = row
        del self.away[:6]

    def spoil(self) -> None:
        for row in self.pick(4):
            self.change(row, fg_makes=row["fg_attempts"] + self.rng.choice([-1, 1]))

    def bench(self) -> None:
        for row in self.pick(4):
            self.change(row, is_dnp=not row["is_dnp"])

    def arrive(self) -> None:
        for row in self.pick(3):
            name = f"rookie{self.rng.randint(0, 2)}"
            self.rows[name, row["game_date"]] = row | {"player_lookup": name}

    def expand(self) -> None:
        """A game between teams that nobody has seen, of a player who may have a history."""
        row = self.pick(1)[0]
        self.change(row, team_abbr=f"N{row['game_date']:%d}", opponent_team_abbr="NEW", game_id="exhibit")

    def pick_dates(self) -> tuple[date, date]:
        if self.rng.random() < 0.4:
            return self.days[0], self.days[-1]
        first, last = sorted(self.rng.choices(self.days, k=2))
        return first, last

    def pick_targets(self, tables: Tables) -> tuple[dict[str, Any], Owns]:
        """What to ask of a run, and the keys that it then owns: open gaps, or the keys of some dates."""
        gaps = sorted(tables.open_gaps)
        if gaps and self.rng.random() < 0.4:
            keys = set(self.rng.sample(gaps, self.rng.randint(1, len(gaps))))
            return {"keys": sorted(keys)}, keys.__contains__
        first, last = self.pick_dates()
        dates = DateRange.inclusive(first, last)
        return {"first": first, "last": last}, lambda key: key[1] in dates

    def pick_options(self) -> Options:
        return Options(self.rng.choice([0, 7, 14, 14, 40]), self.rng.choice([0, 3, 5, 5, 10]))
