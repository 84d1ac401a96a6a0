"""What the features rest on: the windows, figures and facts that enter each, by name.

Declared for the registry (``vector``), which gives every feature its basis. The kernels do the
reading; a test holds what they read against what is declared here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Basis:
    """What a value rests on, all of it named as the kernels name it.

    ``windows`` over the player's rows (attributes of ``kernels.player_windows.Windows``) and the
    ``figures`` of those rows that enter; figures of the team context (``kernels.team_context``) of
    the target's ``own`` team and of its ``opponent``; other ``features``; ``facts`` that are known of
    the target itself (``is_home`` and ``facts.FACT_FIELDS``); ``rest``: the player's days of rest.
    """

    windows: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    opponent: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    rest: bool = False


LAST_5 = Basis(("last_5",), ("points",))
LAST_10 = Basis(("last_10",), ("points",))
SEASON = Basis(("season",), ("points",))
LAST_WEEK = Basis(("last_7_days",))
LOAD = Basis(
    ("last_7_days", "last_14_days"), ("seconds",), own=("played_yesterday",), facts=("age",), rest=True
)
ZONES = Basis(
    ("last_10",),
    ("paint_attempts", "mid_range_attempts", "three_pt_attempts"),
    opponent=("defence_paint", "defence_mid_range", "defence_three_pt"),
)
PACES = Basis(features=("opponent_pace", "team_pace"))
USAGE = Basis(("last_3", "last_10"), ("usage",))
RESTS = Basis(own=("rest_days",), opponent=("rest_days",))
TREND = Basis(("last_2", "last_5"), ("points",))
MINUTES_CHANGE = Basis(("last_10", "season"), ("seconds",))
OPPONENT_DEFENCE = Basis(opponent=("defensive_rating_last_15",))
OPPONENT_PACE = Basis(opponent=("pace_last_15",))
HOME = Basis(facts=("is_home",))
YESTERDAY = Basis(own=("played_yesterday",))
KIND_OF_GAME = Basis(facts=("playoff",))
SHOTS = Basis(("last_10",), ("paint_attempts", "mid_range_attempts", "three_pt_attempts", "fg_attempts"))
THREES = Basis(("last_10",), ("three_pt_attempts", "fg_attempts"))
FREE_THROWS = Basis(("last_10",), ("ft_makes", "points"))
OWN_PACE = Basis(own=("pace_last_10",))
OWN_OFFENCE = Basis(own=("offensive_rating_last_10",))
OWN_RESULTS = Basis(own=("win_pct",))
POINTS_AGAINST = Basis(("against",), ("points",))
GAMES_AGAINST = Basis(("against",))
MINUTES = Basis(("last_10",), ("seconds",))
POINTS_AND_MINUTES = Basis(("last_10",), ("points", "seconds"))
ROWS = Basis(("last_10_rows",), ("played",))
FORM = Basis(features=("points_avg_last_5", "points_avg_season", "points_std_last_10"))
REPORT = Basis(facts=("injury_risk",))
LINE = Basis(facts=("line",))
OPENING_LINE = Basis(facts=("opening_line",))
LINE_MOVE = Basis(facts=("line", "opening_line"))
LINE_OFFERED = Basis(facts=("has_line",))
