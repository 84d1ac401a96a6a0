"""Small random side tables for the leagues of ``leagues``, with everything that they should not hold.

:func:`make_sides` draws them from a seed, :func:`to_tables` makes Arrow tables of them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from leagues import TEAMS, League
from oracle import Sides

from transforms.side_tables import INJURY_REPORT, PLAYER_ALIASES, POINTS_LINES, REGISTRY, SCHEDULE, UPCOMING

Row = dict[str, Any]
TABLES = {
    "upcoming": UPCOMING,
    "schedule": SCHEDULE,
    "registry": REGISTRY,
    "aliases": PLAYER_ALIASES,
    "injuries": INJURY_REPORT,
    "lines": POINTS_LINES,
}
OPTIONAL_COLUMNS = {
    name: sorted(set(table.schema.names) - set(table.required)) for name, table in TABLES.items()
}
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
JUST = timedelta(microseconds=1)
EASTERN = ZoneInfo("America/New_York")
KINDS = (
    "Regular Season",
    "regular_season",
    "Playoffs",
    "PLAY-IN",
    "Preseason",
    "All Star",
    "NBA Cup",
    "Gala",
)
STATUSES = (
    "available",
    "Probable",
    " QUESTIONABLE",
    "Doubtful ",
    "OUT",
    "out\t",
    "GTD",
    "day-to-day",
    " ",
    None,
)
BOOKMAKERS = ("DraftKings", " draftkings ", "FanDuel", "BetMGM", "betmgm", "Caesars", " ", None)
POINTS = (0.0, -1.5, float("nan"), float("inf"), None)


@dataclass(frozen=True)
class Meeting:
    """A game that tables other than the player rows may name."""

    game_id: str
    day: date
    away: str
    home: str


@dataclass
class Draw:
    """What the tables of one league are drawn from."""

    rng: random.Random
    days: list[date]
    """Those of the league's last stretch, on which targets are looked for."""
    listed: dict[date, dict[str, str]]
    """date -> player -> team, for every day of the league."""
    games: list[Meeting]
    """Those that player rows name."""
    team_of: dict[str, str]
    """player -> the latest team."""
    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """player -> other spellings, which aliases lead to or from."""
    starts: dict[date, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """date -> the tip-offs that the schedule tells."""

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def name(self, player: str) -> str:
        others = self.names.get(player, [])
        return self.blur(self.rng.choice(others) if others and self.chance(0.5) else player)

    def blur(self, text: str) -> str:
        return f" {text}\t" if self.chance(0.04) else text

    def moment(self, day: date) -> datetime:
        """At, just before, just after or well off an instant that may be a cut-off of the date."""
        noon = datetime.combine(day, time(12), EASTERN).astimezone(UTC)
        shifts = (0 * DAY, 0 * DAY, -JUST, JUST, -2 * HOUR, -9 * HOUR, -2 * DAY, 3 * HOUR)
        return self.rng.choice([noon, *self.starts[day]]) + self.rng.choice(shifts)


def make_sides(seed: int, league: League) -> Sides:
    """Side tables for ``league``; each is absent now and then, or empty, or lacks optional columns."""
    draw = _survey(random.Random(f"sides {seed}"), league)
    # Drawn apart, so that a change in what a table holds does not change which tables there are.
    presence = random.Random(f"tables {seed}")
    absent = {name for name in TABLES if presence.random() < 0.15}
    tables = {} if "aliases" in absent else {"aliases": _draw_aliases(draw)}
    coming = _draw_meetings(draw)
    tables["schedule"] = _draw_schedule(draw, coming)
    tables["upcoming"] = _draw_upcoming(draw, coming)
    tables["registry"] = _draw_registry(draw)
    days = [*draw.days[len(draw.days) // 4 :], *sorted({game.day for game in coming})]
    tables["injuries"] = _draw_reports(draw, days)
    tables["lines"] = _draw_lines(draw, days)
    for name in sorted(tables.keys() - absent):
        rows = [] if draw.chance(0.02) else tables[name]
        lost = {column for column in OPTIONAL_COLUMNS[name] if draw.chance(0.06)}
        rows += [dict(row) for row in rows if draw.chance(0.02)]
        draw.rng.shuffle(rows)
        tables[name] = [{k: v for k, v in row.items() if k not in lost} for row in rows]
    return Sides(**{name: rows for name, rows in tables.items() if name not in absent})


def to_tables(sides: Sides) -> dict[str, pa.Table]:
    """``dataset.name`` to an Arrow table in the table's schema, of the columns that its rows have."""
    tables = {}
    for member in fields(sides):
        table, rows = TABLES[member.name], getattr(sides, member.name)
        if rows is not None:
            found = set().union(*rows) if rows else set(table.schema.names)
            schema = pa.schema([column for column in table.schema if column.name in found])
            tables[table.path] = pa.Table.from_pylist(list(rows), schema=schema)
    return tables


def _survey(rng: random.Random, league: League) -> Draw:
    listed: dict[date, dict[str, str]] = defaultdict(dict)
    games: dict[tuple[str, date], Meeting] = {}
    for row in league.rows:
        texts = ("player_lookup", "game_id", "team_abbr", "opponent_team_abbr")
        player, game_id, team, opponent = ((row[name] or "").strip() for name in texts)
        if player and game_id and team and opponent and team != opponent:
            listed[row["game_date"]][player] = team
            games.setdefault((game_id, row["game_date"]), Meeting(game_id, row["game_date"], team, opponent))
    days = sorted(listed)
    team_of = {player: team for day in days for player, team in sorted(listed[day].items()) if team in TEAMS}
    late = [day for day in days if day > days[-1] - 100 * DAY]
    return Draw(rng, late, listed, sorted(games.values(), key=repr), team_of)


def _draw_aliases(draw: Draw) -> list[Row]:
    """Every kind of alias among players of the league; ``draw.names`` remembers the spellings."""
    players = draw.rng.sample(sorted(draw.team_of), 12)
    one, other, plain, chained, left, right, tail, torn, same, known, padded, blank = players
    pairs: list[tuple[str | None, str | None]] = [
        (one, other),  # two who both play become one
        (plain, f"the{plain}"),
        (chained, "link"), ("link", "link2"), ("link2", f"end{chained}"),
        (left, right), (right, left), (tail, left),  # a circle, and one that runs into it
        (torn, f"z{torn}"), (torn, f"a{torn}"),  # the smaller is a...
        (same, same),
        ("nickname", known),
        (f" {padded} ", f"\tthe{padded}"),
        (blank, None), (None, blank), (blank, " "), ("  ", blank),
    ]  # fmt: skip
    spelt = {one: [other], other: [one], plain: [f"the{plain}"], chained: ["link", "link2", f"end{chained}"]}
    spelt |= {tail: [left], torn: [f"z{torn}", f"a{torn}"], known: ["nickname"], padded: [f"the{padded}"]}
    draw.names |= spelt
    return [{"alias_lookup": alias, "nba_canonical_lookup": canonical} for alias, canonical in pairs]


def _draw_meetings(draw: Draw) -> list[Meeting]:
    """Games to come, and games on days that the league played or passed over."""
    last, rng = draw.days[-1], draw.rng
    days = [last + n * DAY for n in (1, 2, 3, 5)]
    days += rng.sample(draw.days, 5)
    days += [day + DAY for day in draw.days if day + DAY not in draw.listed and day != last][:3]
    meetings = []
    for day in days:
        teams = rng.sample(TEAMS, 4)
        for number, (away, home) in enumerate([(teams[0], teams[1]), (teams[2], teams[3])]):
            nba = f"00{rng.choice('2222145')}{day:%y%j}{number + 5:02d}"
            date_code = f"{day:%Y%m%d}_{away}_{home}"
            game_id = rng.choice([nba, date_code, date_code, f"u{day:%m%d}{number}"])
            meetings.append(Meeting(game_id, day, away, home))
    return meetings


def _draw_schedule(draw: Draw, coming: Sequence[Meeting]) -> list[Row]:
    rng, rows = draw.rng, []
    for game in [*draw.games, *coming]:
        spread = rng.random()
        if spread < 0.2:
            continue
        row = _schedule_row(draw, game)
        if spread < 0.3:
            row["game_id"] = rng.choice([None, f"s{game.day:%m%d}", f"s{game.home}{game.day:%m%d}"])
        elif spread < 0.35 and game in coming:  # moved, or another game of the same id
            row["game_date"] += rng.choice([2, -3, 40, 365, -365, 366, -366]) * DAY
        elif spread < 0.4:
            row |= rng.choice([{"home_team_abbr": None}, {"away_team_abbr": " "}, {"game_date": None}])
        rows.append(row)
        if draw.chance(0.15):
            rows.append(_schedule_row(draw, game))
        if draw.chance(0.1):
            second = Meeting(f"second{game.day:%m%d}", game.day, game.home, rng.choice(["SEA", game.away]))
            rows.append(_schedule_row(draw, second))
    first = draw.days[0]
    for days in rng.sample([3, 9, 20, 200, 365, 366], rng.choice([0, 1, 2])):
        opener = Meeting(f"00{rng.choice('24')}{first:%y%j}99", first - days * DAY, "ATL", "BOS")
        rows.append(_schedule_row(draw, opener))
    for row in rows:
        if row["game_date"] is not None and row["tipoff_at"] is not None:
            draw.starts[row["game_date"]].append(row["tipoff_at"])
    return rows


def _schedule_row(draw: Draw, game: Meeting) -> Row:
    rng = draw.rng
    begin = datetime.combine(game.day, time(rng.choice([16, 17, 20, 23])), UTC) + rng.choice([0, 2, 5]) * HOUR
    return {
        "game_id": draw.blur(game.game_id),
        "game_date": game.day,
        "home_team_abbr": draw.blur(game.home),
        "away_team_abbr": draw.blur(game.away),
        "game_status": rng.choice([1, 2, 3, 3, 3, 3, 9, None]) if draw.chance(0.5) else 3,
        "game_type": rng.choice([*KINDS, None, None, None, ""]),
        "tipoff_at": None if draw.chance(0.2) else begin,
    }


def _draw_upcoming(draw: Draw, coming: Sequence[Meeting]) -> list[Row]:
    rows: list[Row] = []
    played = draw.rng.sample([game for game in draw.games if game.day >= draw.days[0]], 12)
    for game in [*coming, *played]:
        squad = [player for player, team in draw.team_of.items() if team in (game.away, game.home)]
        if draw.chance(0.2):
            squad.append(f"rookie{draw.rng.randint(0, 3)}")
        rows += [_upcoming_row(draw, player, game) for player in squad if draw.chance(0.8)]
    for row in [row for row in rows if draw.chance(0.1)]:
        change = {"game_id": draw.rng.choice(["a", "z9", None])} if draw.chance(0.5) else {}
        teams = (
            draw.rng.sample(TEAMS, 2) if draw.chance(0.4) else (row["team_abbr"], row["opponent_team_abbr"])
        )
        change |= {"team_abbr": teams[0], "opponent_team_abbr": teams[1]}
        change |= {"home_game": draw.rng.choice([True, False, None])}
        rows.append(row | change)
    return rows


def _upcoming_row(draw: Draw, player: str, game: Meeting) -> Row:
    team = draw.team_of.get(player, game.home)
    row: Row = {
        "player_lookup": draw.name(player),
        "game_id": draw.blur(game.game_id),
        "game_date": game.day,
        "team_abbr": draw.blur(team),
        "opponent_team_abbr": draw.blur(game.away if team == game.home else game.home),
        "home_game": draw.rng.choice([team == game.home, team == game.home, None]),
    }
    spoilt: list[Row] = [
        {"game_id": " "}, {"team_abbr": None}, {"opponent_team_abbr": f"{team} "},
        {"opponent_team_abbr": None}, {"player_lookup": None}, {"player_lookup": "  "}, {"game_date": None},
        {"game_id": "0031900001"}, {"game_id": "0011900001"},
    ]  # fmt: skip
    return row | draw.rng.choice(spoilt) if draw.chance(0.08) else row


def _draw_registry(draw: Draw) -> list[Row]:
    rows: list[Row] = [{"player_lookup": None, "universal_player_id": "x", "birth_date": date(1990, 1, 1)}]
    for player in [*sorted(draw.team_of), "rookie0", "rookie1"]:
        if not draw.chance(0.1):
            for _ in range(2 if draw.chance(0.2) else 1):
                birth = _birth_date(draw)
                rows.append({"player_lookup": draw.name(player), "birth_date": birth})
                rows[-1]["universal_player_id"] = f"id_{player}"
    return rows


def _birth_date(draw: Draw) -> date | None:
    """Any age between 19 and 41, often one that ends within the league, and some leap days."""
    rng, day = draw.rng, draw.rng.choice(draw.days) + draw.rng.choice([-1, 0, 1]) * DAY
    eve = day if (day.month, day.day) != (2, 29) else day + DAY
    plain = date(day.year - rng.randint(20, 40), rng.randint(1, 12), rng.randint(1, 28))
    turning = date(day.year - rng.choice([30, 35]), eve.month, eve.day)
    return rng.choice([None, plain, plain, turning, turning, date(rng.choice([1984, 1988, 1992]), 2, 29)])


def _people_on(draw: Draw, day: date) -> Iterable[str]:
    """Some who are listed on the date, and some who are not."""
    listed = sorted(draw.listed.get(day, ()))
    others = [player for player in sorted(draw.team_of) if player not in listed]
    picked = draw.rng.sample(listed, min(len(listed), 8)) + draw.rng.sample(others, min(len(others), 7))
    return [*picked, "stranger"] if draw.chance(0.1) else picked


def _draw_reports(draw: Draw, days: Iterable[date]) -> list[Row]:
    rng, rows = draw.rng, []
    for day in days:
        if draw.chance(0.15):
            continue
        for player in _people_on(draw, day):
            team = draw.listed.get(day, {}).get(player) or draw.team_of.get(player, "ATL")
            for _ in range(rng.choice([1, 1, 2, 3])):
                row = {
                    "player_lookup": draw.name(player),
                    "game_date": day,
                    "team": draw.blur(team) if draw.chance(0.85) else rng.choice([*TEAMS, None]),
                    "injury_status": rng.choice(STATUSES),
                    "reported_at": draw.moment(day),
                }
                rows.append(row)
                if draw.chance(0.25):
                    rows.append(row | {"injury_status": rng.choice(STATUSES), "team": rng.choice(TEAMS)})
    return [_lose_keys(draw, row, "reported_at") for row in rows]


def _draw_lines(draw: Draw, days: Iterable[date]) -> list[Row]:
    rng, rows = draw.rng, []
    for day in days:
        if draw.chance(0.15):
            continue
        for player in _people_on(draw, day):
            for _ in range(rng.choice([1, 2, 5])):
                row = {
                    "player_lookup": draw.name(player),
                    "game_date": day,
                    "bookmaker": rng.choice(BOOKMAKERS),
                    "points_line": rng.choice(POINTS) if draw.chance(0.2) else rng.randint(10, 60) / 2,
                    "snapshot_timestamp": draw.moment(day),
                }
                rows.append(row)
                if draw.chance(0.25):
                    rows.append(row | {"points_line": rng.randint(10, 60) / 2})
    return [_lose_keys(draw, row, "snapshot_timestamp") for row in rows]


def _lose_keys(draw: Draw, row: Row, instant: str) -> Row:
    lost = {"player_lookup": " "}, {"player_lookup": None}, {"game_date": None}, {instant: None}
    return row | draw.rng.choice(lost) if draw.chance(0.03) else row
