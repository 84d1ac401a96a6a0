"""The optional tables in the plain-Python oracle: who is who, what is reported and offered, who plays next.

Sections 2.4 and 2.5 of the feature specification, aliases, ages, and the targets that are no player rows
(1.1, 4). Nothing here looks at a box score; the schedule is in ``oracle_schedule``. A comment with
"Reading:" marks a decision that the page leaves open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from oracle_rows import (
    WINDOW,
    Figure,
    Name,
    Row,
    derived_is_home,
    derived_season,
    finite,
    instant,
    names_a_game,
    nba_prefix,
    trimmed,
)
from oracle_schedule import Raw, Schedule

Key = tuple[str, date]
RISKS = {"available": 0, "probable": 1, "questionable": 2, "doubtful": 3, "out": 3}


@dataclass(frozen=True)
class Sides:
    """The optional tables as rows; None for a table that does not exist.

    A column that the table lacks is absent from every row of it.
    """

    upcoming: Sequence[Raw] | None = None
    schedule: Sequence[Raw] | None = None
    registry: Sequence[Raw] | None = None
    aliases: Sequence[Raw] | None = None
    injuries: Sequence[Raw] | None = None
    lines: Sequence[Raw] | None = None


NO_SIDES = Sides()


# 1.1 (rule 1), 5.9: aliases
def read_aliases(rows: Iterable[Raw] | None, counts: Counter[str]) -> Name:
    named: dict[str, set[str]] = defaultdict(set)
    for raw in rows or ():
        alias, canonical = trimmed(raw["alias_lookup"]), trimmed(raw["nba_canonical_lookup"])
        if alias is not None and canonical is not None:
            named[alias].add(canonical)
    counts["aliases_ambiguous"] += sum(len(names) > 1 for names in named.values())
    step = {alias: min(names) for alias, names in named.items()}
    circling = {alias for alias in step if follow(step, alias) is None}
    counts["aliases_circular"] += len(circling)

    def name_player(text: Any) -> str | None:
        lookup = trimmed(text)
        # Reading: a chain that runs into a circle ends nowhere, so its first name stays too.
        return lookup if lookup is None or lookup in circling else follow(step, lookup)

    return name_player


def follow(step: Mapping[str, str], lookup: str) -> str | None:
    """The end of the chain, or None in a circle. Reading: a name that stands for itself is an end."""
    seen = {lookup}
    while step.get(lookup, lookup) != lookup:
        lookup = step[lookup]
        if lookup in seen:
            return None
        seen.add(lookup)
    return lookup


# 2.4 injury_risk
@dataclass(frozen=True)
class Report:
    player: str
    day: date
    team: str | None
    risk: int | None
    at: datetime


def read_reports(
    rows: Iterable[Raw] | None, name_player: Name, start: date, end: date, counts: Counter[str]
) -> dict[date, list[Report]]:
    reports: dict[date, list[Report]] = defaultdict(list)
    for raw in rows or ():
        player, day, at = name_player(raw["player_lookup"]), raw["game_date"], instant(raw["reported_at"])
        if day is None or not start <= day <= end:
            continue
        if player is None or at is None:
            counts["reports_rejected"] += 1
            continue
        risk = RISKS.get((trimmed(raw["injury_status"]) or "").lower())
        counts["reports_unknown"] += risk is None
        reports[day].append(Report(player, day, trimmed(raw.get("team")), risk, at))
    return reports


def injury_risk(reports: Iterable[Report], player: str | None) -> Figure:
    """Of the reports of one date up to a cut-off."""
    reports = list(reports)
    own = [report for report in reports if report.player == player]
    if not own:
        return 0 if reports else None
    newest = max(report.at for report in own)
    # 5.7: a known text at the newest instant beats an unknown one there; an older one does not.
    return max((r.risk for r in own if r.at == newest and r.risk is not None), default=None)


# 2.5 betting lines
@dataclass(frozen=True)
class Line:
    player: str
    bookmaker: str | None
    points: float | None
    at: datetime


def read_lines(
    rows: Iterable[Raw] | None, name_player: Name, start: date, end: date, counts: Counter[str]
) -> dict[date, list[Line]]:
    lines: dict[date, list[Line]] = defaultdict(list)
    for raw in rows or ():
        player, day = name_player(raw["player_lookup"]), raw["game_date"]
        at, points = instant(raw["snapshot_timestamp"]), finite(raw["points_line"])
        if day is None or not start <= day <= end:
            continue
        if player is None or at is None:
            counts["lines_rejected"] += 1
            continue
        counts["lines_not_finite"] += points is None and raw["points_line"] is not None
        bookmaker = trimmed(raw.get("bookmaker"))
        lines[day].append(Line(player, bookmaker.lower() if bookmaker else None, points, at))
    return lines


def betting_lines(lines: Iterable[Line], player: str | None) -> list[Figure]:
    """f25 to f28, of the lines of one date up to a cut-off."""
    lines = list(lines)
    offered = [
        (line.bookmaker, line.at, line.points)
        for line in lines
        if line.player == player and line.points is not None and line.points > 0
    ]
    if not offered:
        return [None, None, None, 0 if lines else None]
    names = [name for name, _, _ in offered]
    chosen = min(names, key=lambda name: (name != "draftkings", name is None, name))
    # Reading: the opening line is the oldest of the same bookmaker.
    moments = [(at, points) for name, at, points in offered if name == chosen]
    newest, oldest = max(at for at, _ in moments), min(at for at, _ in moments)
    line, opening = (min(points for at, points in moments if at == edge) for edge in (newest, oldest))
    return [line, opening, line - opening, 1]


# The registry
def read_births(rows: Iterable[Raw] | None, name_player: Name) -> dict[str, date | None]:
    births: dict[str, date | None] = {}
    for raw in rows or ():
        if (player := name_player(raw["player_lookup"])) is not None:
            dates = [day for day in (births.get(player), raw.get("birth_date")) if day is not None]
            births[player] = max(dates, default=None)
    return births


def age_on(day: date, birth: date) -> int:
    # 29 February comes after 28 February and before 1 March, in every year.
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


# 1.1 and 4: targets without a player row
def read_upcoming(raw: Raw, name_player: Name) -> Row:
    texts = ("game_id", "team_abbr", "opponent_team_abbr")
    day, player = raw["game_date"], name_player(raw["player_lookup"])
    game_id, team, opponent = (trimmed(raw[name]) for name in texts)
    is_home = raw["home_game"] if "home_game" in raw else derived_is_home(game_id, team)
    cells = (game_id, team, opponent, raw.get("home_game"))
    rank = tuple((cell is not None, cell) for cell in cells)
    return fresh_target(player, day, game_id, team, opponent, is_home, "upcoming", rank)


def fresh_target(
    player: str | None, day: date, game_id: str | None, team: str | None, opponent: str | None,
    is_home: bool | None, origin: str, rank: tuple[object, ...] = (),
) -> Row:  # fmt: skip
    """A target that is no history: season from the date, season type unknown, no statistics."""
    valid, season = names_a_game(player, game_id, team, opponent), derived_season(day)
    return Row(player, game_id, day, team, opponent, None, season, is_home, {}, False, valid, rank, origin)


class Facts:
    """What the optional tables say; dates are those of the targets, both inclusive."""

    def __init__(self, sides: Sides, start: date, end: date) -> None:
        self.sides, self.start, self.end = sides, start, end
        self.counts: Counter[str] = Counter()
        self.name_player = read_aliases(sides.aliases, self.counts)
        self.schedule = Schedule(sides.schedule)
        self.births = read_births(sides.registry, self.name_player)
        self.reports = read_reports(sides.injuries, self.name_player, start, end, self.counts)
        self.lines = read_lines(sides.lines, self.name_player, start, end, self.counts)

    def is_unregistered(self, player: str | None) -> bool:
        return self.sides.registry is not None and player not in self.births

    def age(self, player: str | None, day: date) -> int | None:
        birth = self.births.get(player or "")
        return None if birth is None else age_on(day, birth)

    def injury_risk(self, target: Row) -> Figure:
        # 5.7: "before" the cut-off means at or before, whatever the text.
        cut_off = self.schedule.cut_off(target)
        return injury_risk([r for r in self.reports.get(target.day, ()) if r.at <= cut_off], target.player)

    def betting_lines(self, target: Row) -> list[Figure]:
        cut_off = self.schedule.cut_off(target)
        return betting_lines([r for r in self.lines.get(target.day, ()) if r.at <= cut_off], target.player)

    def find_upcoming(self) -> dict[Key, Row]:
        """The upcoming targets by key, less exhibitions and postponed games, the greatest of each key."""
        rows = [
            read_upcoming(raw, self.name_player)
            for raw in self.sides.upcoming or ()
            if raw["game_date"] is not None and self.start <= raw["game_date"] <= self.end
        ]
        official = [row for row in rows if nba_prefix(row.game_id) not in ("001", "003")]
        # Reading: postponed rows are gone before duplicates are decided.
        standing = [row for row in official if not self.schedule.is_postponed(row)]
        keyed = [(row.player, row) for row in sorted(standing, key=lambda row: row.rank)]
        kept = {(player, row.day): row for player, row in keyed if player is not None}
        nameless = sum(row.player is None for row in standing)
        self.counts += Counter(
            upcoming_dropped=len(rows) - len(official),
            upcoming_postponed=len(official) - len(standing),
            upcoming_rejected=nameless,
            upcoming_duplicates=len(standing) - nameless - len(kept),
        )
        return kept

    def find_injured(self, taken: Collection[Key]) -> dict[Key, Row]:
        """A target for each (player, date) that reports alone name: by the newest whose team plays then."""
        counting: dict[Key, list[tuple[datetime, Row]]] = defaultdict(list)
        for report in (report for reports in self.reports.values() for report in reports):
            key, game = (report.player, report.day), self.schedule.find_game_of(report.team, report.day)
            if key in taken or game is None:
                continue
            is_home = report.team == game.home
            opponent = game.away if is_home else game.home
            facts = (report.player, report.day, game.game_id, report.team, opponent, is_home)
            target = fresh_target(*facts, origin="injured")
            if report.at <= self.schedule.cut_off(target):
                counting[key].append((report.at, target))
        injured = {}
        for key, pairs in counting.items():
            newest = max(at for at, _ in pairs)
            # Reading: of several teams at that instant the smaller text.
            injured[key] = min((row for at, row in pairs if at == newest), key=lambda row: row.team or "")
        return injured

    def regular_days(self, season: int, day: date) -> list[date]:
        # Reading: the schedule's games count within the same window as player rows.
        return [game for game in self.schedule.season_days.get(season, ()) if day - WINDOW <= game < day]
