"""How the rows of each input table are loaded: what identifies one, which counts, what gives way to it.

Data only. The files' side is ``pipeline.imports.importing_sides``, the stored rows' side ``duckdb_load``.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.schema import PLAYER_GAME_SUMMARY, Table
from transforms.side_tables import (
    INJURY_REPORT,
    PLAYER_ALIASES,
    POINTS_LINES,
    REGISTRY,
    SCHEDULE,
    UPCOMING,
)

Order = tuple[tuple[str, str], ...]
"""(column, ``ascending`` or ``descending``), the best row first, NULL last."""


@dataclass(frozen=True)
class LoadRule:
    """One row per key of the table is loaded; the rule says the rest.

    ``identity``: a row in which one of these columns is NULL is rejected.
    ``order``: of the rows of one key in the files, the first counts. Empty for the box scores, whose
    rule for duplicates is in ``transforms.cleaning``.
    ``scope``: stored rows that agree with an incoming row in these columns give way, also those that
    no incoming row has the key of. A log's scope is every column, so that nothing gives way.
    ``stamp``: the instant that keeps an older incoming row from replacing a newer stored one, and is
    set where it is absent.
    """

    identity: tuple[str, ...]
    order: Order
    scope: tuple[str, ...]
    stamp: str | None = None


def _prefer_greatest(table: Table, *first: str) -> Order:
    """The greater values, in the order of ``first`` and then of the columns."""
    return tuple((name, "descending") for name in dict.fromkeys([*first, *table.schema.names]))


PLAYER_AND_DATE = ("player_lookup", "game_date")

LOAD_RULES = {
    PLAYER_GAME_SUMMARY.path: LoadRule(PLAYER_AND_DATE, (), PLAYER_AND_DATE, stamp="processed_at"),
    # the game id is the first column that is not of the key
    UPCOMING.path: LoadRule(PLAYER_AND_DATE, _prefer_greatest(UPCOMING), PLAYER_AND_DATE),
    # a schedule says where its games are: a moved game does not stay behind on its old date
    SCHEDULE.path: LoadRule(("game_id", "game_date"), _prefer_greatest(SCHEDULE), ("game_id",)),
    REGISTRY.path: LoadRule(("player_lookup",), _prefer_greatest(REGISTRY, "birth_date"), ("player_lookup",)),
    PLAYER_ALIASES.path: LoadRule(
        ("alias_lookup", "nba_canonical_lookup"),
        (("nba_canonical_lookup", "ascending"),),
        ("alias_lookup",),
    ),
    INJURY_REPORT.path: LoadRule(PLAYER_AND_DATE, _prefer_greatest(INJURY_REPORT), INJURY_REPORT.key),
    POINTS_LINES.path: LoadRule(PLAYER_AND_DATE, _prefer_greatest(POINTS_LINES), POINTS_LINES.key),
}
"""By the table's path."""
