"""What is worth naming in imported side tables: their rows are loaded, and judged by the run. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.aliases import join_names
from transforms.side_tables import PLAYER_ALIASES, REGISTRY, SCHEDULE


def find_several(one: str, many: str, rows: pa.Table) -> list[str]:
    """``one: many, many`` for each ``one`` that the rows have with several ``many``."""
    pairs = rows.select([one, many]).drop_null().group_by([one, many]).aggregate([])
    counts = pairs.group_by([one]).aggregate([(many, "count")])
    several = counts.filter(pc.greater(counts[f"{many}_count"], 1))[one]
    found = defaultdict[str, list[str]](list)
    for pair in pairs.filter(pc.is_in(pairs[one], several)).to_pylist():
        found[pair[one]].append(pair[many])
    return [f"{name}: {join_names(sorted(names))}" for name, names in sorted(found.items())]


def find_lone_teams(rows: pa.Table) -> list[str]:
    """``game on date: team`` of the games whose two teams are one."""
    alike = pc.equal(rows["home_team_abbr"], rows["away_team_abbr"])
    games = rows.filter(alike).to_pylist()
    return sorted({f"{g['game_id']} on {g['game_date']}: {g['home_team_abbr']}" for g in games})


ODDITIES: dict[str, dict[str, Callable[[pa.Table], list[str]]]] = {
    PLAYER_ALIASES.path: {
        "One alias with several canonical names": partial(
            find_several, "alias_lookup", "nba_canonical_lookup"
        )
    },
    REGISTRY.path: {
        "One lookup with several people": partial(find_several, "player_lookup", "universal_player_id")
    },
    SCHEDULE.path: {"Games of a team against itself": find_lone_teams},
}
"""What is worth naming in the files of a table, by its path and a title."""
