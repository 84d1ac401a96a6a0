"""The schedule in the plain-Python oracle: tip-offs, kinds of games, what was postponed, when a season began.

Its part in sections 2.4, 2.6, 4 and 5.6 of the feature specification. A comment with "Reading:" marks
a decision that the page leaves open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from oracle_rows import (
    WINDOW,
    Figure,
    Row,
    derived_season,
    instant,
    is_exhibition,
    told_by_id,
    told_by_type,
    trimmed,
)

Raw = Mapping[str, Any]
EASTERN = ZoneInfo("America/New_York")
POSTPONED = 9


@dataclass(frozen=True)
class Game:
    game_id: str
    day: date
    home: str | None
    away: str | None
    status: int | None
    kind: str | None
    tipoff: datetime | None

    def is_regular(self) -> bool:
        told = told_by_type(self.kind)
        return (told_by_id(self.game_id) if told is None else told) == 0

    def is_official(self) -> bool:
        return self.status != POSTPONED and not is_exhibition(self.kind, self.game_id)

    def order(self) -> tuple[object, ...]:
        """The earliest tip-off, then the smaller texts; NULL last."""
        texts = (self.game_id, self.home, self.away)
        told = (self.tipoff is None, self.tipoff or datetime.max.replace(tzinfo=UTC))
        return (*told, *((text is None, text or "") for text in texts))


class Schedule:
    def __init__(self, rows: Iterable[Raw] | None) -> None:
        self.by_game: dict[tuple[str, date], list[Game]] = defaultdict(list)
        self.by_team: dict[tuple[str, date], list[Game]] = defaultdict(list)
        self.days_of: dict[str, set[date]] = defaultdict(set)
        self.season_days: dict[int, set[date]] = defaultdict(set)
        for raw in rows or ():
            # Reading: a row without its key, game id and date, counts for nothing.
            if raw["game_date"] is not None and trimmed(raw["game_id"]) is not None:
                self.add_game(read_game(raw))

    def add_game(self, game: Game) -> None:
        self.by_game[game.game_id, game.day].append(game)
        self.days_of[game.game_id].add(game.day)
        for team in {game.home, game.away} - {None}:
            self.by_team[str(team), game.day].append(game)
        # 5.6: postponed games count, the season comes from the date.
        if game.is_regular():
            self.season_days[derived_season(game.day)].add(game.day)

    def find_games(self, target: Row) -> tuple[list[Game], list[Game]]:
        """The two look-ups of 2.4: the target's game on its date, else whatever its team has on that date."""
        by_game = self.by_game.get((target.game_id or "", target.day), [])
        return by_game, self.by_team.get((target.team or "", target.day), [])

    def cut_off(self, target: Row) -> datetime:
        for games in self.find_games(target):
            tipoffs = [game.tipoff for game in games if game.tipoff is not None]
            if tipoffs:
                return min(tipoffs)
        return datetime.combine(target.day, time(12), EASTERN)

    def playoff_game(self, target: Row) -> Figure:
        for games in self.find_games(target):
            told = [kind for game in games if (kind := told_by_type(game.kind)) is not None]
            if told:
                return max(told)
        return None

    def is_postponed(self, row: Row) -> bool:
        # Reading: the same game on the date; else moved to another date; else all of the team's games.
        by_game, by_team = self.find_games(row)
        if by_game:
            return any(game.status == POSTPONED for game in by_game)
        if any(abs(day - row.day) <= WINDOW for day in self.days_of.get(row.game_id or "", ())):
            return True
        return bool(by_team) and all(game.status == POSTPONED for game in by_team)

    def find_game_of(self, team: str | None, day: date) -> Game | None:
        games = [game for game in self.by_team.get((team or "", day), ()) if game.is_official()]
        return min(games, key=Game.order, default=None)


def read_game(raw: Raw) -> Game:
    texts = ("game_id", "home_team_abbr", "away_team_abbr", "game_type")
    game_id, home, away, kind = (trimmed(raw.get(name)) for name in texts)
    tipoff = instant(raw.get("tipoff_at"))
    return Game(game_id, raw["game_date"], home, away, raw.get("game_status"), kind, tipoff)
