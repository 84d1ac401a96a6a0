"""The injury reports of a generated season: what was said of whom, and when.

A player's status comes clear from report to report; the newest before tip-off tells how it ended, and
some are corrected when the game has begun. Times are set off from the tip-off, so every stage lies on
its side of it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.demo_columns import build_rows, take_texts, to_timestamps
from pipeline.demo_fixtures import Fixtures
from pipeline.demo_games import PLAYED, PlayedSeason
from pipeline.demo_players import HIDDEN
from transforms.arrays import Ints
from transforms.schema import Table
from transforms.side_tables import INJURY_REPORT

REPORTS = 3
"""The topic of the draws."""

STAGES = ((48, 50), (24, 27), (6, 9), (0.5, 1.5), (-2, -0.25))
EARLY, EVE, MORNING, LAST, LATE = range(len(STAGES))
"""The reports on a player and a game: between how many hours before tip-off each is made."""

AVAILABLE, PROBABLE, QUESTIONABLE, DOUBTFUL, OUT = range(5)
STATUSES = ("Available", "Probable", "Questionable", "Doubtful", "Out")
SPELLINGS = tuple(text for status in STATUSES for text in (status, f"{status} ", status.upper()))
SPELLING_RATES = (0.8, 0.12, 0.08)

REPORTED_RATE, IN_DOUBT_RATE = 0.9, 0.12
"""Of those who cannot play, and of those who do, how many are on the report at all."""

ABSENT_ENDS = {OUT: 0.85, DOUBTFUL: 0.15}
IN_DOUBT_ENDS = {QUESTIONABLE: 0.4, PROBABLE: 0.3, AVAILABLE: 0.3}
"""What the newest report before tip-off says of an absent player, and of one who plays."""

EARLY_RATE, EVE_RATE, CLEAR_RATE, REPEATED_RATE, LATE_RATE = 0.3, 0.7, 0.6, 0.25, 0.06
"""How often there is a report two days and one day before; how often the status is clear in the morning,
and is then repeated before tip-off; how often there is one after it. The morning's is always there."""


def build_reports(played: PlayedSeason, fixtures: Fixtures) -> tuple[Table, pa.Table]:
    """The reports that were made by the season's clock, in the order of the games."""
    rng = played.start_rng(REPORTS)
    count = fixtures.games
    rows, who, absence = fixtures.rows[:count], fixtures.who[:count], fixtures.absence[:count]
    plays = fixtures.line_status[:count] == PLAYED
    shape = who.shape
    is_absent = (absence > 0) & ~plays
    is_reported = rng.random(shape) < np.where(is_absent, REPORTED_RATE, plays * IN_DOUBT_RATE)
    of_absent, of_others = (_draw_statuses(rng, shape, rates) for rates in (ABSENT_ENDS, IN_DOUBT_ENDS))
    ends = np.where(is_absent, of_absent, of_others)
    ends[absence == HIDDEN] = OUT
    doubts = np.where(rng.random(shape) < 0.5, QUESTIONABLE, np.where(is_absent, DOUBTFUL, PROBABLE))
    is_clear = (absence == HIDDEN) | (rng.random(shape) < CLEAR_RATE)

    status = np.zeros((*shape, len(STAGES)), dtype=np.int64)
    status[..., EARLY] = status[..., EVE] = np.where(absence == HIDDEN, OUT, doubts)
    status[..., MORNING] = np.where(is_clear, ends, doubts)
    status[..., LAST] = ends
    status[..., LATE] = np.where(ends >= DOUBTFUL, AVAILABLE, OUT)
    is_made = rng.random(status.shape) < np.array([EARLY_RATE, EVE_RATE, 1, REPEATED_RATE, LATE_RATE])
    is_made[..., LAST] |= ~is_clear

    nearest, farthest = 60 * np.array(STAGES).T
    minutes = np.rint(rng.uniform(nearest, farthest, status.shape))
    made_at = rows["tipoff"][:, None, None, None] - minutes.astype("timedelta64[m]")
    spelling = np.asarray(rng.choice(len(SPELLING_RATES), status.shape, p=SPELLING_RATES))
    is_made &= (is_reported & fixtures.is_kept[:count, None, None])[..., None] & (made_at <= played.clock)
    game, side, slot, stage = np.nonzero(is_made)
    teams = np.stack([played.games["home"], played.games["away"]], axis=1)
    texts = len(SPELLING_RATES) * status[game, side, slot, stage] + spelling[game, side, slot, stage]
    columns = {
        "player_lookup": take_texts(played.lookups, who[game, side, slot]),
        "game_date": pa.array(rows["date"][game]),
        "team": take_texts(played.teams, teams[game, side]),
        "injury_status": take_texts(SPELLINGS, texts),
        "reported_at": to_timestamps(made_at[game, side, slot, stage]),
    }
    return INJURY_REPORT, build_rows(INJURY_REPORT, columns)


def _draw_statuses(rng: np.random.Generator, shape: tuple[int, ...], rates: dict[int, float]) -> Ints:
    statuses: Ints = rng.choice([*rates], shape, p=[*rates.values()])
    return statuses
