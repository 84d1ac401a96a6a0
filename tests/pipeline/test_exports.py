"""The same games in the shape of every public export become the same rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boxscores import make_rows, read_stored, vary, write_file
from exports import WRITERS, Row, is_played, write_box_collection, write_hoopr, write_v2_boxes, write_v3_boxes
from hamcrest import (
    all_of,
    assert_that,
    calling,
    contains_string,
    empty,
    equal_to,
    has_entries,
    has_item,
    has_key,
    has_properties,
    has_string,
    not_,
    raises,
)

from pipeline.errors import BadInput
from pipeline.imports import derivations, team_codes
from pipeline.imports.converting import ImportReport
from pipeline.imports.export_catalog import EXPORTS
from pipeline.imports.exports import OWN, choose_steps, find_missing, recognise_export
from pipeline.imports.importing import read_files
from pipeline.report import describe_import
from pipeline.warehouse.base import NOTHING, LoadOutcome
from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms.arrays import trim_text
from transforms.facts import tell_playoff
from transforms.game_types import find_exhibition_ids, find_exhibition_types
from transforms.references import NO_REFERENCES
from transforms.schema import INTEGER_STATISTICS, PLAYER_GAME_SUMMARY

NOW = datetime(2024, 7, 1, tzinfo=UTC)
REAL = Path(__file__).parents[3] / "shared" / "data" / "player_game_summary"
DOCUMENT = Path(__file__).parents[2] / "docs" / "import.md"
NAMES = ("Nikola Jokić", "Tim Hardaway Jr.", "Shai Gilgeous-Alexander", "De'Aaron Fox", "Nene Hilario")
TEAMS = ("GSW", "UTA", "WAS", "BOS", "SAS", "NOP")

COMPARED = [n for n in PLAYER_GAME_SUMMARY.schema.names if n != "processed_at"]
LACKING = {
    "nba_api PlayerGameLogs": {"is_dnp", "dnp_reason"},
    "nba_api LeagueGameLog": {"is_dnp", "dnp_reason"},
    "nba_api PlayerGameLog": {"is_dnp", "dnp_reason"},
    "nba_api BoxScoreTraditionalV2": {"is_home", "season_year"},
    "nba_api BoxScoreTraditionalV3": {"is_home", "season_year"},
    "hoopR load_nba_player_box": {"game_id", "universal_player_id"},
}
"""What an export does not hold, or holds under ids of its own."""


def make_games(seed: int = 7) -> list[Row]:
    """Rows of three games on each of three dates, some of players who did not play."""
    rng = random.Random(seed)
    rows = []
    for number in range(9):
        day = date(2019, 2, 26) + timedelta(days=number // 3)
        away, home = TEAMS[2 * (number % 3) : 2 * (number % 3) + 2]
        playoffs = number >= 6
        for team in (away, home):
            for player, name in enumerate(NAMES):
                absent = player == 4 and number % 2 == 0
                makes = rng.randrange(9)
                counts = {
                    "points": 3 * makes,
                    "fg_makes": makes,
                    "fg_attempts": makes + rng.randrange(9),
                    "three_pt_makes": makes // 2,
                    "three_pt_attempts": makes,
                    "ft_makes": 1,
                    "ft_attempts": 2,
                    "offensive_rebounds": rng.randrange(3),
                    "turnovers": rng.randrange(3),
                }
                rows.append(
                    {
                        **dict.fromkeys(COMPARED),
                        "player_lookup": plain_lookup(f"{name} {team}"),
                        "player_full_name": f"{name} {team}",
                        "universal_player_id": f"nba_{2000 + 10 * TEAMS.index(team) + player}",
                        "game_id": f"00{4 if playoffs else 2}18{number + 1:05}",
                        "game_date": day,
                        "season_year": 2018,
                        "season_type": "Playoffs" if playoffs else "Regular Season",
                        "team_abbr": team,
                        "opponent_team_abbr": home if team == away else away,
                        "is_home": team == home,
                        "is_dnp": absent,
                        "dnp_reason": "DNP - Coach's Decision" if absent else None,
                        "minutes_played": None if absent else (600 + rng.randrange(1500)) / 60,
                        **({} if absent else counts),
                    }
                )
    return rows


def plain_lookup(name: str) -> str:
    plain = name.lower().replace("ć", "c")
    return "".join(c for c in plain if c.isalnum())


GAMES = make_games()


def read(table: pa.Table, directory: Path, suffix: str = "csv") -> tuple[list[Row], ImportReport]:
    rows, report = read_files([write_file(table, directory / f"export.{suffix}")])
    return rows.to_pylist(), report


def load(warehouse: Path, *files: str) -> LoadOutcome:
    return DuckDBWarehouse(str(warehouse)).load(read_files(files)[0], NOW, replace_dates=False)


def compare_rows(found: Sequence[Row], expected: Sequence[Row], lacking: set[str]) -> list[str]:
    """The differences between rows by player and date; minutes count in seconds, as in the job."""
    names = [name for name in COMPARED if name not in lacking]

    def key(row: Row) -> tuple[str, date]:
        return row["player_lookup"], row["game_date"]

    def content(row: Row) -> dict[str, Any]:
        minutes = row["minutes_played"]
        kept = {name: row[name] for name in names}
        return kept | {"minutes_played": None if minutes is None else round(minutes * 60)}

    there, here = ({key(row): content(row) for row in rows} for rows in (found, expected))
    assert len(here) == len(expected), "the expected rows share keys"
    keys = [f"{k}" for k in there.keys() ^ here.keys()]
    return keys + [
        f"{k}: {there[k]} for {here[k]}" for k in there.keys() & here.keys() if there[k] != here[k]
    ]


def stored_rows(warehouse: Path) -> list[Row]:
    return [dict(zip(COMPARED, row, strict=True)) for row in read_stored(str(warehouse), COMPARED)]


# Recognition


@pytest.mark.parametrize("name", WRITERS)
def test_an_export_is_recognised_by_its_columns_as_nothing_else(name: str) -> None:
    columns = WRITERS[name](GAMES).column_names
    fitting = [e.name for e in (OWN, *EXPORTS) if not find_missing(choose_steps(e, columns), columns)]
    assert_that(fitting, equal_to([name]))
    shuffled = random.Random(1).sample(columns, len(columns))
    assert_that(recognise_export(shuffled, EXPORTS), has_properties(export=has_properties(name=name)))


def test_every_export_of_the_catalog_is_under_test() -> None:
    assert_that({export.name for export in EXPORTS}, equal_to(set(WRITERS)))


def test_the_projects_own_columns_come_first_and_are_not_translated(tmp_path: Path) -> None:
    rows = vary(make_rows(dates=1), team_abbr=["GS"] * 8).append_column("PTS", pa.array([99] * 8))
    found, report = read(rows, tmp_path)
    assert_that({row["team_abbr"] for row in found}, equal_to({"GS"}))
    assert_that({row["points"] for row in found}, equal_to({10, 12}))
    assert_that(report.recognised, has_entries({OWN.name: has_properties(files=1, rows=8, mapped=empty())}))
    assert_that(report.ignored_columns, equal_to({"PTS"}))


def test_an_unknown_file_is_told_what_it_lacks_and_which_exports_are_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        read(pa.table({"a": [1], "b": [2]}), tmp_path)
    message = str(refused.value)
    assert_that(
        message,
        all_of(
            contains_string("export.csv: lacks the column(s) fg_attempts, "),
            contains_string("found 'a', 'b'"),
            *(contains_string(export.name) for export in EXPORTS),
            contains_string("docs/import.md"),
            contains_string("othing was loaded"),
            not_(contains_string("Closest")),
        ),
    )


@pytest.mark.parametrize(
    ("name", "dropped", "advice"),
    [
        ("nba_api BoxScoreTraditionalV2", "GAME_DATE", "a box score has no date; add it as YYYY-MM-DD"),
        ("nba_api BoxScoreTraditionalV3", "game_date", "a box score has no date; add it as YYYY-MM-DD"),
        ("nba_api PlayerGameLog", "PLAYER_NAME", "this log has no name"),
        ("nba_api PlayerGameLogs", "PTS", ""),
        ("hoopR load_nba_player_box", "minutes", ""),
    ],
)
def test_a_file_that_is_nearly_an_export_is_told_what_is_missing(
    tmp_path: Path, name: str, dropped: str, advice: str
) -> None:
    with pytest.raises(BadInput) as refused:
        read(WRITERS[name](GAMES).drop_columns(dropped), tmp_path)
    assert_that(str(refused.value), contains_string(f"Closest is {name}, for which it lacks {dropped}"))
    assert_that(str(refused.value), contains_string(advice))


def test_a_lacking_column_may_be_added_under_the_projects_name(tmp_path: Path) -> None:
    table = write_v2_boxes(GAMES).drop_columns("GAME_DATE")
    days = pa.array([row["game_date"] for row in GAMES])
    table = table.append_column("game_date", days).append_column("is_home", pa.array([True] * len(GAMES)))
    found, report = read(table, tmp_path, "parquet")
    assert_that(
        {(row["game_date"], row["is_home"]) for row in found}, has_item((GAMES[0]["game_date"], True))
    )
    assert_that(report.recognised, has_key("nba_api BoxScoreTraditionalV2"))


# Equivalence


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", WRITERS)
def test_every_export_of_the_same_games_imports_to_the_same_rows(
    tmp_path: Path, name: str, suffix: str
) -> None:
    boxes = "BoxScore" in name or "hoopR" in name
    expected = GAMES if boxes else [row for row in GAMES if is_played(row)]
    house = tmp_path / "w.duckdb"
    outcome = load(house, write_file(WRITERS[name](GAMES), tmp_path / f"export.{suffix}"))
    assert_that(outcome, has_properties(added=len(expected), several_lookups=empty(), several_people=empty()))
    assert_that(compare_rows(stored_rows(house), expected, LACKING[name]), empty())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_collection_of_box_scores_with_numbers_for_ids_and_zeros_for_absences_is_read(
    tmp_path: Path, suffix: str
) -> None:
    found, report = read(write_box_collection(GAMES), tmp_path, suffix)
    assert_that(compare_rows(found, GAMES, set()), empty())
    assert_that(report.recognised, has_key("nba_api BoxScoreTraditionalV3"))


def test_exports_of_several_kinds_load_together(tmp_path: Path) -> None:
    """Half of the games from one export, half from the other, and some from both."""
    first = write_file(write_box_collection(GAMES[:60]), tmp_path / "boxes.csv")
    second = write_file(write_v3_boxes(GAMES[50:]), tmp_path / "v3.parquet")
    rows, report = read_files([first, second])
    assert_that(compare_rows(rows.to_pylist(), GAMES, {"is_home", "season_year"}), empty())
    assert_that(report.recognised["nba_api BoxScoreTraditionalV3"], has_properties(files=2, rows=100))
    assert_that(report.duplicates, equal_to(10))


@pytest.mark.skipif(not REAL.exists(), reason=f"no real data at {REAL}")
@pytest.mark.parametrize(
    "name", ["nba_api PlayerGameLogs", "nba_api BoxScoreTraditionalV3", "hoopR load_nba_player_box"]
)
def test_a_real_season_in_the_shape_of_an_export_imports_to_the_same_rows(tmp_path: Path, name: str) -> None:
    season = REAL / "season_2018.parquet"
    direct, exported = tmp_path / "direct.duckdb", tmp_path / "exported.duckdb"
    load(direct, str(season))
    export = WRITERS[name](pq.read_table(season).to_pylist())
    load(exported, write_file(export, tmp_path / "export.parquet"))
    expected = stored_rows(direct)
    if name == "nba_api PlayerGameLogs":
        expected = [row for row in expected if is_played(row)]
    assert_that(compare_rows(stored_rows(exported), expected, LACKING[name])[:3], empty())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", WRITERS)
def test_an_export_without_rows_is_read(tmp_path: Path, name: str, suffix: str) -> None:
    found, report = read(WRITERS[name](GAMES).slice(0, 0), tmp_path, suffix)
    assert_that((found, report.rows_in, report.recognised[name].rows), equal_to(([], 0, 0)))


# Derivations


@pytest.mark.parametrize(
    ("read_text", "text", "value"),
    [
        (derivations.split_matchup, "BOS vs. PHI", ("BOS", "PHI", "BOS")),
        (derivations.split_matchup, "PHI @ BOS", ("PHI", "PHI", "BOS")),
        (derivations.split_matchup, "PHO @ NJN", ("PHX", "PHX", "NJN")),
        (derivations.read_season, "2018-19", 2018),
        (derivations.read_season, "1999-00", 1999),
        (derivations.read_season, "2018", 2018),
        (derivations.read_season_id, "22018", 2018),
        (derivations.read_season_id, "42018.0", 2018),
        (derivations.read_end_year, "2019", 2018),
        (derivations.pad_game_id, "21800001", "0021800001"),
        (derivations.pad_game_id, "21800001.0", "0021800001"),
        (derivations.pad_game_id, "0021800001", "0021800001"),
        (derivations.pad_game_id, "1021800001", "1021800001"),
        (derivations.pad_game_id, "20240110_BOS_CHI", "20240110_BOS_CHI"),
        (derivations.read_game_type, "0041800001", "Playoffs"),
        (derivations.read_game_type, "31800001", "All-Star"),
        (derivations.read_game_type, "1021800001", None),
        (derivations.read_written_date, "OCT 16, 2018", "2018-10-16"),
        (derivations.read_written_date, "Feb 3, 2019", "2019-02-03"),
        (derivations.read_written_date, "2018-10-16T00:00:00", "2018-10-16T00:00:00"),
        (derivations.name_nba_person, "2544.0", "nba_2544"),
        (derivations.name_espn_person, "1966", "espn_1966"),
        (derivations.translate_code, "UTAH", "UTA"),
        (derivations.translate_code, "NJN", "NJN"),
        (derivations.read_side, "Home", True),
    ],
)
def test_a_text_is_read(read_text: Callable[[str], Any], text: str, value: object) -> None:
    assert_that(read_text(text), equal_to(value))


@pytest.mark.parametrize(
    ("read_text", "text"),
    [
        *((derivations.split_matchup, text) for text in ("BOS PHI", "BOS - PHI", "@ BOS", "BOS vs. PHI ")),
        *((derivations.read_season, text) for text in ("2018-20", "18-19", "22018", "season")),
        *((derivations.read_season_id, text) for text in ("2018", "2018-19", "220180")),
        *((derivations.read_end_year, text) for text in ("2018-19", "19")),
        *((derivations.name_nba_person, text) for text in ("nba_2544", "25.44", "-1")),
        (derivations.read_side, "neutral"),
    ],
)
def test_a_text_of_another_form_is_refused(read_text: Callable[[str], Any], text: str) -> None:
    assert_that(calling(read_text).with_args(text), raises(ValueError))


def test_rows_whose_columns_cannot_be_read_are_rejected_with_the_files_own_names(tmp_path: Path) -> None:
    table = WRITERS["nba_api PlayerGameLogs"](GAMES).to_pylist()
    table[1]["MATCHUP"] = "LAL @ BOS"
    table[2]["SEASON_YEAR"] = "18/19"
    for row in table:
        row["PTS"], row["MIN"] = str(row["PTS"]), str(row["MIN"])
    table[3]["PTS"], table[4]["MIN"] = "many", "1:02:30"
    found, report = read(pa.Table.from_pylist(table), tmp_path)
    assert_that(len(found), equal_to(len(table) - 4))
    assert_that(
        {reason.split("export.csv: ")[1]: n for reason, n in report.rejected.items()},
        equal_to(
            {
                "MATCHUP + TEAM_ABBREVIATION cannot be read, first in row 2: 'LAL @ BOS'": 1,
                "SEASON_YEAR cannot be read, first in row 3: '18/19'": 1,
                "PTS cannot be parsed, first in row 4: 'many'": 1,
                "MIN cannot be parsed, first in row 5: '1:02:30'": 1,
            }
        ),
    )


def test_a_matchup_may_be_told_from_the_other_side(tmp_path: Path) -> None:
    """As at neutral courts, where both teams' rows can carry one text."""
    table = WRITERS["nba_api LeagueGameLog"](GAMES).to_pylist()
    for row, game in zip(table, filter(is_played, GAMES), strict=True):
        teams = game["team_abbr"], game["opponent_team_abbr"]
        home, away = teams if game["is_home"] else teams[::-1]
        row["MATCHUP"] = f"{home} vs. {away}"
    found, _ = read(pa.Table.from_pylist(table), tmp_path)
    expected = [row for row in GAMES if is_played(row)]
    assert_that(compare_rows(found, expected, {"is_dnp", "dnp_reason"}), empty())


def test_the_opponent_is_unknown_unless_the_file_has_two_teams_of_the_game(tmp_path: Path) -> None:
    one_team = [row for row in GAMES if row["team_abbr"] != "UTA"]
    found, report = read(write_v2_boxes(one_team), tmp_path)
    assert_that({r["opponent_team_abbr"] for r in found if r["team_abbr"] == "GSW"}, equal_to({None}))
    assert_that({r["opponent_team_abbr"] for r in found if r["team_abbr"] == "WAS"}, equal_to({"BOS"}))
    alone = sum(row["team_abbr"] == "GSW" for row in GAMES)
    assert_that(report.recognised["nba_api BoxScoreTraditionalV2"].without_opponent, equal_to(alone))


def test_who_did_not_play_has_no_statistics_and_a_contradiction_is_kept_and_counted(tmp_path: Path) -> None:
    table = write_box_collection(GAMES[:3]).to_pylist()
    comments = ["DNP - Coach's Decision", "DND - Injury/Illness", "left early"]
    for row, comment in zip(table, comments, strict=True):
        row["comment"] = comment
    for name in table[0].keys() - {"season_year", "game_date", "gameId", "comment"}:
        if isinstance(table[0][name], int) and name not in ("teamId", "personId"):
            table[0][name] = 0
    table[0]["minutes"] = ""
    found, report = read(pa.Table.from_pylist(table), tmp_path)
    zero, busy, other = sorted(found, key=lambda row: comments.index(row["dnp_reason"]))
    assert_that({zero[name] for name in ("minutes_played", *INTEGER_STATISTICS)}, equal_to({None}))
    assert_that((zero["is_dnp"], busy["is_dnp"], other["is_dnp"]), equal_to((True, True, None)))
    assert_that(busy["ft_makes"], equal_to(1))
    assert_that(report.recognised["nba_api BoxScoreTraditionalV3"].busy_absences, equal_to(1))


def test_nothing_is_said_of_somebody_without_comment_and_minutes(tmp_path: Path) -> None:
    table = write_box_collection(GAMES[:2]).to_pylist()
    table[0] |= {"comment": None, "minutes": " "}
    found, _ = read(pa.Table.from_pylist(table), tmp_path)
    assert_that({row["player_lookup"]: row["is_dnp"] for row in found}, has_entries(nikolajokicgsw=None))
    assert_that([row["is_dnp"] for row in found], has_item(False))


def test_a_reason_counts_only_for_who_is_known_not_to_have_played(tmp_path: Path) -> None:
    table = write_hoopr(GAMES[:3]).to_pylist()
    for row, absent in zip(table, (True, False, None), strict=True):
        row |= {"did_not_play": absent, "reason": "COACH'S DECISION"}
    found, _ = read(pa.Table.from_pylist(table), tmp_path)
    told = {(row["is_dnp"], row["dnp_reason"]) for row in found}
    assert_that(told, equal_to({(True, "COACH'S DECISION"), (False, None), (None, None)}))


def test_a_file_that_r_wrote_says_na_for_what_is_unknown(tmp_path: Path) -> None:
    lines = []
    for line in write_rows_as_csv(write_hoopr(GAMES), tmp_path):
        lines.append(line.replace(",,", ",NA,").replace(",,", ",NA,").replace("true", "TRUE"))
    lines[-1] = lines[-1].replace(GAMES[-1]["player_full_name"], "NA")
    file = tmp_path / "r.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    rows, report = read_files([str(file)])
    assert_that(compare_rows(rows.to_pylist(), GAMES[:-1], LACKING["hoopR load_nba_player_box"]), empty())
    assert_that(list(report.rejected.values()), equal_to([1]))


def write_rows_as_csv(table: pa.Table, directory: Path) -> list[str]:
    text = Path(write_file(table, directory / "plain.csv")).read_text(encoding="utf-8")
    assert ",," in text, "nothing is unknown in this file"
    return text.replace('"', "").splitlines()


def test_a_column_of_an_impossible_type_refuses_the_file(tmp_path: Path) -> None:
    table = write_v3_boxes(GAMES)
    index = table.column_names.index("gameId")
    lists = table.set_column(index, "gameId", pa.array([[1]] * len(GAMES)))
    with pytest.raises(BadInput) as refused:
        read(lists, tmp_path, "parquet")
    assert_that(
        refused.value,
        has_string(all_of(contains_string("export.parquet"), contains_string("gameId has type"))),
    )


# Tables


def test_team_codes_lead_to_teams_of_the_nba_and_are_none_themselves() -> None:
    assert_that(set(team_codes.TEAM_CODES.values()) - team_codes.NBA_TEAMS, empty())
    assert_that(team_codes.TEAM_CODES.keys() & team_codes.NBA_TEAMS, empty())
    spellings = [code for codes in team_codes.OTHER_CODES.values() for code in codes]
    assert_that(len(spellings), equal_to(len(team_codes.TEAM_CODES)))


def test_translated_and_unknown_codes_are_counted(tmp_path: Path) -> None:
    table = write_hoopr(GAMES).to_pylist()
    for row in table[:10]:
        row["team_abbreviation"], row["opponent_team_abbreviation"] = "MAD", "BAR"
    found, report = read(pa.Table.from_pylist(table), tmp_path)
    kind = report.recognised["hoopR load_nba_player_box"]
    expected = [row | {"team_abbr": "MAD", "opponent_team_abbr": "BAR"} for row in GAMES[:10]] + GAMES[10:]
    assert_that(compare_rows(found, expected, LACKING["hoopR load_nba_player_box"]), empty())
    assert_that(kind.unknown_teams, equal_to({"MAD": 10, "BAR": 10}))
    assert_that(
        kind.team_codes,
        has_entries(
            {f"{code} -> {team}": 15 for code, team in (("SA", "SAS"), ("WSH", "WAS"), ("NO", "NOP"))}
        ),
    )


def test_games_of_the_all_star_weekend_are_known_by_the_teams_names(tmp_path: Path) -> None:
    table = write_hoopr(GAMES[:2]).to_pylist()
    table[0]["team_name"] = "Team LeBron"
    found, _ = read(pa.Table.from_pylist(table), tmp_path)
    assert_that(sorted(row["season_type"] for row in found), equal_to(["All-Star", "Regular Season"]))


def test_the_words_for_kinds_of_season_mean_the_same_to_the_job() -> None:
    words = list(team_codes.NBA_SEASON_TYPES.values())
    assert_that(set(team_codes.ESPN_SEASON_TYPES.values()) - set(words), empty())
    table = pa.table({"season_type": trim_text(pa.array(words)), "game_id": trim_text(pa.array([""] * 6))})
    kinds, ids = (table.column(name).combine_chunks() for name in table.column_names)
    dropped = find_exhibition_types(kinds) | find_exhibition_ids(ids)
    assert_that(
        [w for w, out in zip(words, dropped, strict=True) if out], equal_to(["Pre Season", "All-Star"])
    )
    playoff = tell_playoff(table, NO_REFERENCES)
    told = dict(zip(words, playoff.tolist(), strict=True))
    assert_that(
        told, has_entries({"Regular Season": 0.0, "Playoffs": 1.0, "PlayIn": 1.0, "NBA Cup Final": 0.0})
    )


def test_ids_of_two_sources_are_not_two_people(tmp_path: Path) -> None:
    house = tmp_path / "w.duckdb"
    load(house, write_file(write_box_collection(GAMES[:30]), tmp_path / "boxes.csv"))
    outcome = load(house, write_file(write_hoopr(GAMES[30:]), tmp_path / "hoopr.csv"))
    assert_that(outcome, has_properties(added=60, several_people=empty(), several_lookups=empty()))


# What is printed


def test_the_report_says_what_was_mapped_and_fits_a_terminal(tmp_path: Path) -> None:
    table = write_hoopr(GAMES).to_pylist()
    table[0]["team_abbreviation"] = "MAD\x1b[2J"
    _, report = read(pa.Table.from_pylist(table), tmp_path)
    printed = describe_import(report, NOTHING)
    for expected in (
        "recognised       hoopR load_nba_player_box: 1 file(s), 90 rows",
        "athlete_display_name -> player_full_name",
        "season -> season_year",
        "SA -> SAS 15",
        "MAD\\x1b[2J 1",
        "kept as they are",
    ):
        assert_that(printed, contains_string(expected))
    assert_that([line for line in printed.splitlines() if len(line) > 80], empty())


# The document


def test_the_document_lists_every_export_code_and_kind_of_season() -> None:
    text = DOCUMENT.read_text()
    for block in describe_tables():
        assert block in text, f"docs/import.md lacks or differs from:\n{block}"


def describe_tables() -> list[str]:
    """The parts of docs/import.md that follow from the code."""
    lists = {id(export.steps): export for export in EXPORTS}
    steps = [
        [
            f"| {' + '.join(f'`{s}`' for s in step.sources)} "
            f"| {', '.join(f'`{t}`' for t in step.targets)} | {step.rule} |"
            for step in export.steps
        ]
        for export in lists.values()
    ]
    exports = [
        f"| {export.name} | {', '.join(f'`{name}`' for name in export.signature)} "
        f"| {', '.join(export.advice.values())} |"
        for export in EXPORTS
    ]
    codes = [
        f"| {source} | {', '.join(f'{code} → {team}' for code, team in found.items())} |"
        for source, found in team_codes.OTHER_CODES.items()
    ]
    espn = {kind: number for number, kind in team_codes.ESPN_SEASON_TYPES.items()}
    kinds = [
        f"| {kind} | {digits} | {espn.get(kind, '')} |"
        for digits, kind in team_codes.NBA_SEASON_TYPES.items()
    ]
    teams = [", ".join(sorted(team_codes.NBA_TEAMS)), ", ".join(sorted(team_codes.ALL_STAR_TEAMS))]
    return ["\n".join(lines) for lines in (exports, *steps, codes, kinds)] + teams
