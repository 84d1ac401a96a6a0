"""What other sources call the teams and the kinds of season -> what the NBA calls them. Tables only.

A franchise that moved or was renamed keeps the code of its time, as in the NBA's own records: ``NJN``
is not ``BKN``. A code in neither table is left as it is, counted and named by the import.
"""

from __future__ import annotations

NBA_TEAMS = frozenset(
    {
        *("ATL", "BKN", "BOS", "CHA", "CHI", "CLE", "DAL", "DEN", "DET", "GSW", "HOU", "IND", "LAC", "LAL"),
        *("MEM", "MIA", "MIL", "MIN", "NOP", "NYK", "OKC", "ORL", "PHI", "PHX", "POR", "SAC", "SAS", "TOR"),
        *("UTA", "WAS"),
        *("BUF", "CHH", "KCK", "NJN", "NOH", "NOJ", "NOK", "NYN", "SDC", "SEA", "VAN"),
    }
)
"""The NBA's codes: the thirty teams of today, then those of former names and towns since 1976."""

OTHER_CODES = {
    "ESPN, hoopR": {
        "GS": "GSW",
        "NJ": "NJN",
        "NO": "NOP",
        "NY": "NYK",
        "SA": "SAS",
        "UTAH": "UTA",
        "WSH": "WAS",
    },
    "basketball-reference": {"BRK": "BKN", "CHO": "CHA", "PHO": "PHX", "WSB": "WAS"},
    "the NBA's older records": {"GOS": "GSW", "PHL": "PHI", "SAN": "SAS", "UTH": "UTA"},
}
"""Other spellings by where they are used; no spelling means two teams."""

TEAM_CODES = {code: team for codes in OTHER_CODES.values() for code, team in codes.items()}

PRESEASON, REGULAR, ALL_STAR = "Pre Season", "Regular Season", "All-Star"
PLAYOFFS, PLAY_IN, CUP_FINAL = "Playoffs", "PlayIn", "NBA Cup Final"

NBA_SEASON_TYPES = {
    "001": PRESEASON,
    "002": REGULAR,
    "003": ALL_STAR,
    "004": PLAYOFFS,
    "005": PLAY_IN,
    "006": CUP_FINAL,
}
"""By the first three of the ten digits of an NBA game id."""

ESPN_SEASON_TYPES = {"1": PRESEASON, "2": REGULAR, "3": PLAYOFFS, "5": PLAY_IN}
"""By ESPN's number."""

ALL_STAR_TEAMS = frozenset(
    {
        *("East", "West", "Eastern Conf All-Stars", "Western Conf All-Stars"),
        *("Team LeBron", "Team Stephen", "Team Giannis", "Team Durant"),
        *("Team Shaq", "Team Chuck", "Team Kenny", "Team Candace"),
        *("USA", "World", "Team USA", "Team World"),
    }
)
"""Teams of the All-Star weekend by ESPN's name: it counts their games as regular season."""
