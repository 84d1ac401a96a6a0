"""The public exports that ``import`` reads: one entry each, as data. ``docs/import.md`` lists them.

nba_api passes on the column names of stats.nba.com, so its game logs and its older box scores share
one list of steps. hoopR writes ESPN's box scores.
"""

from __future__ import annotations

import pyarrow as pa

from pipeline.imports.derivations import (
    find_opponents,
    join_names,
    judge_comments,
    keep_reasons,
    name_espn_person,
    name_nba_person,
    pad_game_id,
    read_digits,
    read_end_year,
    read_espn_season_type,
    read_game_type,
    read_matchup,
    read_opponents,
    read_season,
    read_season_id,
    read_side,
    read_written_date,
    reading,
)
from pipeline.imports.exports import Export, Step

INT, BOOL = pa.int64(), pa.bool_()
DATE_ADVICE = "a box score has no date; add it as YYYY-MM-DD, a game log has it by game id"
NAME_ADVICE = "this log has no name; add one column with the player's"

OPPONENT_RULE = "the side of the game that is not the team"
GAME_RULE = "the other team of the game in the file; unknown unless there are two"
PERSON_RULE = "`nba_` and the id"
GAME_ID_RULE = "ten digits: `21800001` is `0021800001`"
TYPE_RULE = "by the first three digits of the game id"
SEASON_RULE = "the year it starts in: `2018-19` is 2018"
COMMENT_RULE = "`DNP`, `DND`, `NWT`: did not play; minutes and no comment: played; else unknown"


def copy_columns(pairs: str) -> tuple[Step, ...]:
    """One step for each ``SOURCE=target``."""
    return tuple(Step((source,), (target,)) for source, target in (p.split("=") for p in pairs.split()))


NBA_STEPS = (
    *copy_columns(
        "PLAYER_NAME=player_full_name TEAM_ABBREVIATION=team_abbr MIN=minutes_played PTS=points "
        "FGM=fg_makes FGA=fg_attempts FG3M=three_pt_makes FG3A=three_pt_attempts "
        "FTM=ft_makes FTA=ft_attempts OREB=offensive_rebounds TOV=turnovers TO=turnovers"
    ),
    *(
        Step((name,), ("universal_player_id",), reading(name_nba_person), PERSON_RULE)
        for name in ("PLAYER_ID", "Player_ID")
    ),
    *(Step((name,), ("game_id",), reading(pad_game_id), GAME_ID_RULE) for name in ("GAME_ID", "Game_ID")),
    Step(("GAME_DATE",), ("game_date",), reading(read_written_date), "also `OCT 16, 2018`"),
    Step(("MATCHUP", "TEAM_ABBREVIATION"), ("opponent_team_abbr", "is_home"), read_opponents, OPPONENT_RULE),
    Step(
        ("MATCHUP",),
        ("team_abbr", "opponent_team_abbr", "is_home"),
        read_matchup,
        "`BOS vs. PHI` is Boston at home, `PHI @ BOS` Philadelphia away",
    ),
    Step(("GAME_ID", "TEAM_ABBREVIATION"), ("opponent_team_abbr",), find_opponents, GAME_RULE),
    Step(("SEASON_YEAR",), ("season_year",), reading(read_season, INT), SEASON_RULE),
    Step(("SEASON_ID",), ("season_year",), reading(read_season_id, INT), "`22018` is 2018"),
    Step(("SEASON_TYPE",), ("season_type",)),
    *(Step((name,), ("season_type",), reading(read_game_type), TYPE_RULE) for name in ("GAME_ID", "Game_ID")),
    Step(("COMMENT", "MIN"), ("is_dnp", "dnp_reason"), judge_comments, COMMENT_RULE),
)

V3_STEPS = (
    *copy_columns(
        "personName=player_full_name teamTricode=team_abbr minutes=minutes_played points=points "
        "fieldGoalsMade=fg_makes fieldGoalsAttempted=fg_attempts threePointersMade=three_pt_makes "
        "threePointersAttempted=three_pt_attempts freeThrowsMade=ft_makes freeThrowsAttempted=ft_attempts "
        "reboundsOffensive=offensive_rebounds turnovers=turnovers game_date=game_date"
    ),
    Step(("firstName", "familyName"), ("player_full_name",), join_names, "joined by a space"),
    Step(("personId",), ("universal_player_id",), reading(name_nba_person), PERSON_RULE),
    Step(("gameId",), ("game_id",), reading(pad_game_id), GAME_ID_RULE),
    Step(("matchup", "teamTricode"), ("opponent_team_abbr", "is_home"), read_opponents, OPPONENT_RULE),
    Step(("gameId", "teamTricode"), ("opponent_team_abbr",), find_opponents, GAME_RULE),
    Step(("season_year",), ("season_year",), reading(read_season, INT), SEASON_RULE),
    Step(("gameId",), ("season_type",), reading(read_game_type), TYPE_RULE),
    Step(("comment", "minutes"), ("is_dnp", "dnp_reason"), judge_comments, COMMENT_RULE),
)

HOOPR_STEPS = (
    *copy_columns(
        "athlete_display_name=player_full_name team_abbreviation=team_abbr "
        "opponent_team_abbreviation=opponent_team_abbr game_date=game_date minutes=minutes_played "
        "points=points field_goals_made=fg_makes field_goals_attempted=fg_attempts "
        "three_point_field_goals_made=three_pt_makes three_point_field_goals_attempted=three_pt_attempts "
        "free_throws_made=ft_makes free_throws_attempted=ft_attempts "
        "offensive_rebounds=offensive_rebounds turnovers=turnovers did_not_play=is_dnp"
    ),
    Step(("athlete_id",), ("universal_player_id",), reading(name_espn_person), "`espn_` and the id"),
    Step(("game_id",), ("game_id",), reading(read_digits), "ESPN's, as text"),
    Step(("game_id", "team_abbreviation"), ("opponent_team_abbr",), find_opponents, GAME_RULE),
    Step(("season",), ("season_year",), reading(read_end_year, INT), "the year before: `2019` is 2018"),
    Step(
        ("season_type", "team_name"),
        ("season_type",),
        read_espn_season_type,
        "ESPN's number; All-Star by the name of the team",
    ),
    Step(("home_away",), ("is_home",), reading(read_side, BOOL), "`home` or `away`"),
    Step(("reason", "did_not_play"), ("dnp_reason",), keep_reasons, "of those who did not play"),
)

BOX_ADVICE = {"game_date": DATE_ADVICE}

EXPORTS = (
    Export(
        "nba_api BoxScoreTraditionalV2",
        ("GAME_ID", "PLAYER_ID", "START_POSITION", "COMMENT"),
        NBA_STEPS,
        BOX_ADVICE,
    ),
    Export("nba_api BoxScoreTraditionalV3", ("gameId", "personId", "teamTricode"), V3_STEPS, BOX_ADVICE),
    Export("nba_api PlayerGameLogs", ("SEASON_YEAR", "PLAYER_ID", "MATCHUP"), NBA_STEPS),
    Export("nba_api LeagueGameLog", ("SEASON_ID", "PLAYER_ID", "MATCHUP"), NBA_STEPS),
    Export(
        "nba_api PlayerGameLog",
        ("SEASON_ID", "Player_ID", "Game_ID", "MATCHUP"),
        NBA_STEPS,
        {"player_full_name": NAME_ADVICE},
    ),
    Export("hoopR load_nba_player_box", ("athlete_id", "athlete_display_name"), HOOPR_STEPS),
)
"""In the order in which they are tried."""
