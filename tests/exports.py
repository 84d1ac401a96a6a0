"""The project's rows in the shapes of the public exports, as their columns are really named.

Each writer takes rows as dictionaries with the columns of ``player_game_summary`` and gives the
whole table of the export, with the columns that the import ignores, too::

    write_file(WRITERS["nba_api PlayerGameLogs"](rows), tmp_path / "logs.csv")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa

from pipeline.imports.team_codes import ESPN_SEASON_TYPES, OTHER_CODES

Row = dict[str, Any]

ESPN_CODES = {team: code for code, team in OTHER_CODES["ESPN, hoopR"].items()}
ESPN_TYPES = {kind: int(number) for number, kind in ESPN_SEASON_TYPES.items()}
TYPE_DIGITS = {"Pre Season": 1, "Regular Season": 2, "All-Star": 3, "Playoffs": 4, "PlayIn": 5}

NBA_COUNTS = {
    "FGM": "fg_makes",
    "FGA": "fg_attempts",
    "FG3M": "three_pt_makes",
    "FG3A": "three_pt_attempts",
    "FTM": "ft_makes",
    "FTA": "ft_attempts",
    "OREB": "offensive_rebounds",
}
V3_COUNTS = {
    "fieldGoalsMade": "fg_makes",
    "fieldGoalsAttempted": "fg_attempts",
    "threePointersMade": "three_pt_makes",
    "threePointersAttempted": "three_pt_attempts",
    "freeThrowsMade": "ft_makes",
    "freeThrowsAttempted": "ft_attempts",
    "reboundsOffensive": "offensive_rebounds",
    "turnovers": "turnovers",
    "points": "points",
}
HOOPR_COUNTS = {
    "field_goals_made": "fg_makes",
    "field_goals_attempted": "fg_attempts",
    "three_point_field_goals_made": "three_pt_makes",
    "three_point_field_goals_attempted": "three_pt_attempts",
    "free_throws_made": "ft_makes",
    "free_throws_attempted": "ft_attempts",
    "offensive_rebounds": "offensive_rebounds",
    "turnovers": "turnovers",
    "points": "points",
}


def label_season(row: Row) -> str:
    return f"{row['season_year']}-{(row['season_year'] + 1) % 100:02}"


def name_matchup(row: Row) -> str:
    return f"{row['team_abbr']} {'vs.' if row['is_home'] else '@'} {row['opponent_team_abbr']}"


def write_clock(minutes: float | None) -> str | None:
    if minutes is None:
        return None
    seconds = round(minutes * 60)
    return f"{seconds // 60}:{seconds % 60:02}"


def is_played(row: Row) -> bool:
    return not row.get("is_dnp")


def _person(row: Row) -> int:
    return int(row["universal_player_id"].removeprefix("nba_"))


def _table(rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))


def _nba_counts(row: Row, turnovers: str) -> Row:
    counts = {name: row[column] for name, column in NBA_COUNTS.items()}
    return counts | {"DREB": 3, "REB": 4, "AST": 2, "STL": 1, "BLK": 0, turnovers: row["turnovers"], "PF": 2}


def write_game_logs(rows: Sequence[Row]) -> pa.Table:
    """PlayerGameLogs: minutes as decimals, those who played only."""
    return _table(
        {
            "SEASON_YEAR": label_season(row),
            "PLAYER_ID": _person(row),
            "PLAYER_NAME": row["player_full_name"],
            "NICKNAME": row["player_full_name"].split()[0],
            "TEAM_ID": 1610612738,
            "TEAM_ABBREVIATION": row["team_abbr"],
            "TEAM_NAME": "Boston Celtics",
            "GAME_ID": row["game_id"],
            "GAME_DATE": f"{row['game_date']}T00:00:00",
            "MATCHUP": name_matchup(row),
            "WL": "W",
            "MIN": row["minutes_played"],
            **_nba_counts(row, "TOV"),
            "PTS": row["points"],
            "PLUS_MINUS": -3.0,
            "PTS_RANK": 1,
        }
        for row in rows
        if is_played(row)
    )


def write_league_log(rows: Sequence[Row]) -> pa.Table:
    """LeagueGameLog of players: the season as a number with its kind."""
    return _table(
        {
            "SEASON_ID": f"{TYPE_DIGITS[row['season_type']]}{row['season_year']}",
            "PLAYER_ID": _person(row),
            "PLAYER_NAME": row["player_full_name"],
            "TEAM_ID": 1610612738,
            "TEAM_ABBREVIATION": row["team_abbr"],
            "TEAM_NAME": "Boston Celtics",
            "GAME_ID": row["game_id"],
            "GAME_DATE": str(row["game_date"]),
            "MATCHUP": name_matchup(row),
            "WL": "L",
            "MIN": row["minutes_played"],
            **_nba_counts(row, "TOV"),
            "PTS": row["points"],
            "PLUS_MINUS": 4,
            "VIDEO_AVAILABLE": 1,
        }
        for row in rows
        if is_played(row)
    )


def write_player_log(rows: Sequence[Row]) -> pa.Table:
    """PlayerGameLog with the name that it lacks: dates in words, no team but in the matchup."""
    return _table(
        {
            "SEASON_ID": f"2{row['season_year']}",
            "Player_ID": _person(row),
            "Game_ID": row["game_id"],
            "GAME_DATE": f"{row['game_date']:%b %d, %Y}".upper(),
            "MATCHUP": name_matchup(row),
            "WL": "W",
            "MIN": row["minutes_played"],
            **_nba_counts(row, "TOV"),
            "PTS": row["points"],
            "PLUS_MINUS": 4,
            "VIDEO_AVAILABLE": 1,
            "PLAYER_NAME": row["player_full_name"],
        }
        for row in rows
        if is_played(row)
    )


def write_v2_boxes(rows: Sequence[Row]) -> pa.Table:
    """BoxScoreTraditionalV2 with the date that it lacks: no opponent, DNP as a comment."""
    return _table(
        {
            "GAME_ID": row["game_id"],
            "TEAM_ID": 1610612738,
            "TEAM_ABBREVIATION": row["team_abbr"],
            "TEAM_CITY": "Boston",
            "PLAYER_ID": _person(row),
            "PLAYER_NAME": row["player_full_name"],
            "NICKNAME": row["player_full_name"].split()[0],
            "START_POSITION": "",
            "COMMENT": row["dnp_reason"] or "",
            "MIN": (write_clock(row["minutes_played"]) or "").replace(":", ".000000:"),
            **_nba_counts(row, "TO"),
            "PTS": row["points"],
            "PLUS_MINUS": 4.0,
            "GAME_DATE": str(row["game_date"]),
        }
        for row in rows
    )


def write_v3_boxes(rows: Sequence[Row]) -> pa.Table:
    """BoxScoreTraditionalV3 with the date that it lacks: first and family name, ISO minutes."""
    found = []
    for row in rows:
        first, _, family = row["player_full_name"].partition(" ")
        clock = write_clock(row["minutes_played"])
        minutes, _, seconds = clock.partition(":") if clock else ("", "", "")
        found.append(
            {
                "gameId": row["game_id"],
                "teamId": 1610612738,
                "teamCity": "Boston",
                "teamName": "Celtics",
                "teamTricode": row["team_abbr"],
                "teamSlug": "celtics",
                "personId": _person(row),
                "firstName": first,
                "familyName": family,
                "nameI": f"{first[0]}. {family}",
                "playerSlug": "slug",
                "position": "F",
                "comment": row["dnp_reason"] or "",
                "jerseyNum": "7",
                "minutes": f"PT{int(minutes):02}M{seconds}.00S" if clock else "",
                **{name: row[column] or 0 for name, column in V3_COUNTS.items()},
                "plusMinusPoints": 1.0,
                "game_date": row["game_date"],
            }
        )
    return _table(found)


def write_box_collection(rows: Sequence[Row]) -> pa.Table:
    """A collection of V3 box scores as it is shared: game ids as numbers, zeros for those absent."""
    return _table(
        {
            "season_year": label_season(row),
            "game_date": str(row["game_date"]),
            "gameId": int(row["game_id"]),
            "matchup": name_matchup(row),
            "teamId": 1610612738,
            "teamCity": "Boston",
            "teamName": "Celtics",
            "teamTricode": row["team_abbr"],
            "teamSlug": "celtics",
            "personId": _person(row),
            "personName": row["player_full_name"],
            "position": None,
            "comment": row["dnp_reason"],
            "jerseyNum": None,
            "minutes": write_clock(row["minutes_played"]),
            **{name: row[column] or 0 for name, column in V3_COUNTS.items()},
            "plusMinusPoints": 0,
        }
        for row in rows
    )


def write_hoopr(rows: Sequence[Row]) -> pa.Table:
    """hoopR's player boxes: ESPN's codes and ids, the season by the year in which it ends."""
    return _table(
        {
            "game_id": 401_000_000 + int(row["game_id"]) % 10**6,
            "season": row["season_year"] + 1,
            "season_type": ESPN_TYPES[row["season_type"]],
            "game_date": row["game_date"],
            "game_date_time": f"{row['game_date']}T23:00:00Z",
            "athlete_id": _person(row) + 10**7,
            "athlete_display_name": row["player_full_name"],
            "team_id": 2,
            "team_name": "Celtics",
            "team_location": "Boston",
            "minutes": row["minutes_played"],
            **{name: row[column] for name, column in HOOPR_COUNTS.items()},
            "rebounds": 4,
            "fouls": 2,
            "plus_minus": "+3",
            "starter": False,
            "ejected": False,
            "did_not_play": bool(row["is_dnp"]),
            # ESPN gives those who played a reason, too
            "reason": row["dnp_reason"] or "COACH'S DECISION",
            "active": False,
            "team_abbreviation": ESPN_CODES.get(row["team_abbr"], row["team_abbr"]),
            "home_away": "home" if row["is_home"] else "away",
            "team_winner": True,
            "opponent_team_abbreviation": ESPN_CODES.get(
                row["opponent_team_abbr"], row["opponent_team_abbr"]
            ),
        }
        for row in rows
    )


WRITERS: dict[str, Callable[[Sequence[Row]], pa.Table]] = {
    "nba_api PlayerGameLogs": write_game_logs,
    "nba_api LeagueGameLog": write_league_log,
    "nba_api PlayerGameLog": write_player_log,
    "nba_api BoxScoreTraditionalV2": write_v2_boxes,
    "nba_api BoxScoreTraditionalV3": write_v3_boxes,
    "hoopR load_nba_player_box": write_hoopr,
}
"""By the export's name in the catalog."""
