"""Small box-score files for tests: a valid table, varied column by column, written as a file.

::

    rows = make_rows(dates=2)                            # 4 teams x 2 players on 2 dates
    rows = vary(rows, points=[7] + [None] * 15)          # a column replaced
    rows = vary(rows, is_dnp=pa.array(..., pa.int8()))   # ... or added, with its Arrow type
    path = write_file(rows, tmp_path / "rows.csv")       # CSV or Parquet, by the name

Its names are not those of ``warehouse.py``, whose rows go past the import.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.warehouse.duckdb import DuckDBWarehouse
from transforms.schema import PLAYER_GAME_SUMMARY

FIRST_DATE = date(2024, 1, 10)
GAMES = (("BOS", "CHI"), ("DEN", "LAL"))
"""(away, home) of the two games of every date."""


def make_rows(dates: int = 3, players: int = 2, first: date = FIRST_DATE) -> pa.Table:
    """Valid rows of four teams on consecutive dates, in the order of their dates.

    Every required column and ``offensive_rebounds``, ``turnovers``; players are ``bos0``,
    ``bos1``, ``chi0`` ... Rows differ in points and minutes.
    """
    rows = []
    for number in range(dates):
        day = first + timedelta(days=number)
        for away, home in GAMES:
            for team, opponent in ((away, home), (home, away)):
                rows += [
                    {
                        "player_lookup": f"{team.lower()}{player}",
                        "game_id": f"{day:%Y%m%d}_{away}_{home}",
                        "game_date": day,
                        "team_abbr": team,
                        "opponent_team_abbr": opponent,
                        "points": 10 + number + 2 * player,
                        "minutes_played": 30.0 + player,
                        "fg_attempts": 9,
                        "fg_makes": 4,
                        "three_pt_attempts": 3,
                        "three_pt_makes": 1,
                        "ft_attempts": 2,
                        "ft_makes": 1,
                        "offensive_rebounds": 1,
                        "turnovers": 2,
                    }
                    for player in range(players)
                ]
    fields = [field for field in PLAYER_GAME_SUMMARY.schema if field.name in rows[0]]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def vary(rows: pa.Table, **columns: Any) -> pa.Table:
    """The rows with these columns replaced or added; a list takes the type of the table's column."""
    for name, values in columns.items():
        if not isinstance(values, pa.Array | pa.ChunkedArray):
            index = PLAYER_GAME_SUMMARY.schema.get_field_index(name)
            kind = PLAYER_GAME_SUMMARY.schema.field(index).type if index >= 0 else None
            values = pa.array(values, kind)
        index = rows.column_names.index(name) if name in rows.column_names else -1
        rows = rows.set_column(index, name, values) if index >= 0 else rows.append_column(name, values)
    return rows


def write_file(rows: pa.Table, path: Path, **options: Any) -> str:
    """Writes a ``.csv`` or ``.parquet`` file and gives its name as a command takes it."""
    if path.suffix == ".csv":
        csv.write_csv(rows, path)
    else:
        pq.write_table(rows, path, **options)
    return str(path)


def read_stored(warehouse: str, columns: Sequence[str] = PLAYER_GAME_SUMMARY.schema.names) -> list[Any]:
    """The stored rows as tuples, ordered by date and player."""
    names = ", ".join(columns)
    with DuckDBWarehouse(warehouse).open() as connection:
        return connection.execute(
            f"SELECT {names} FROM {PLAYER_GAME_SUMMARY.path} ORDER BY game_date, player_lookup"
        ).fetchall()


def read_input_version(warehouse: str) -> int:
    """The input version of the box scores, 0 before the first import."""
    from pipeline.season import DateRange

    state = DuckDBWarehouse(warehouse).read_input_state(DateRange.inclusive(FIRST_DATE, FIRST_DATE))
    return state.versions[PLAYER_GAME_SUMMARY.path]
