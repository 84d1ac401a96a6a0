"""What is known of a target itself before tip-off: age, kind of game, injury report, lines, registry.

Facts are columns beside a player row (:data:`FACT_FIELDS`), filled in for targets only; everything else
that a feature uses comes from games before the date. Who is a target is decided in ``targets``.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import Bools, Floats, Ints, single_chunk, to_days, to_known
from transforms.game_types import tell_by_id, tell_by_type
from transforms.kernels.market import Keys, has_rows, read_injury_risk, read_lines
from transforms.people import KEY
from transforms.references import References
from transforms.sides import Sides

FACT_FIELDS = (
    pa.field("registered", pa.bool_()),
    pa.field("age", pa.float64()),
    pa.field("playoff", pa.float64()),
    pa.field("cutoff", pa.int64()),
    pa.field("injury_risk", pa.float64()),
    pa.field("line", pa.float64()),
    pa.field("opening_line", pa.float64()),
    pa.field("has_line", pa.float64()),
)
"""``registered``: true too where there is no registry; ``age`` in whole years; ``playoff`` 1 or 0;
``cutoff`` microseconds since 1970 UTC; ``has_line`` 1 or 0. Unknown numbers are NaN."""


def add_facts(rows: pa.Table, targets: Bools, sides: Sides, references: References) -> pa.Table:
    """``rows`` (clean player rows) with :data:`FACT_FIELDS`; ``targets`` have a player each."""
    position = np.flatnonzero(targets)
    mine = rows.select([*KEY, "game_id", "team_abbr", "season_type"]).take(pa.array(position))
    for field, values in zip(FACT_FIELDS, _read_facts(mine, sides, references), strict=True):
        empty = np.nan if values.dtype == np.float64 else 0
        column = np.full(rows.num_rows, empty, dtype=values.dtype)
        column[position] = values
        rows = rows.append_column(field, pa.array(column, field.type))
    return rows


def _read_facts(
    mine: pa.Table, sides: Sides, references: References
) -> tuple[Bools, Floats, Floats, Ints, Floats, Floats, Floats, Floats]:
    player, day = single_chunk(mine, "player_lookup"), to_days(single_chunk(mine, "game_date"))
    person = references.find_people(player)
    registered = (person >= 0) | (references.people is None)
    cutoff = references.find_cutoffs(mine)
    keys = Keys(player, day, cutoff)
    risk, newest, opening, has_line = (np.full(len(day), np.nan) for _ in range(4))
    if sides.reports is not None:
        risk = read_injury_risk(sides.reports, keys)
    if sides.lines is not None:
        newest, opening = read_lines(sides.lines, keys)
        offered = has_rows(sides.lines.day, sides.lines.at, keys)
        has_line = np.where(offered, ~np.isnan(newest), np.nan)
    age = find_ages(references, person, day)
    return registered, age, tell_playoff(mine, references), cutoff, risk, newest, opening, has_line


def tell_playoff(rows: pa.Table, references: References) -> Floats:
    """1 in play-in and playoffs, 0 in the regular season, NaN when nothing tells.

    The first that tells: the row's type, the schedule, an NBA game id (features.md, section 2.6).
    """
    told = tell_by_type(single_chunk(rows, "season_type"))
    if references.schedule is not None:
        told = np.where(np.isnan(told), references.schedule.tell_playoff(rows), told)
    return np.where(np.isnan(told), tell_by_id(single_chunk(rows, "game_id")), told)


def find_ages(references: References, person: Ints, day: Ints) -> Floats:
    """Whole years from the birth date to the day; ``person`` as of ``References.find_people``."""
    if references.people is None:
        return np.full(len(day), np.nan)
    births = single_chunk(references.people, "birth_date")
    born = to_known(births.take(pa.array(person, mask=person < 0)).cast(pa.int32()))
    (year, date), (birth_year, birthday) = (_split_days(days) for days in (day, born.values))
    return np.where(born.known, year - birth_year - (date < birthday), np.nan)


def _split_days(days: Ints) -> tuple[Ints, Ints]:
    """The year of each day, and 32 times its month plus its day of the month: they order like dates."""
    dates = pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())
    year, month, day = (part(dates).to_numpy() for part in (pc.year, pc.month, pc.day))
    return year, 32 * month + day
