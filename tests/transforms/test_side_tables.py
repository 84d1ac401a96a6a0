"""Guards the tests on random side tables against tables that grew tame, by what the oracle makes of them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pyarrow as pa
from leagues import make_league
from oracle import Facts, Sides, compute
from side_examples import coming, report
from side_tables import TABLES, make_sides, to_tables


def test_side_tables_become_arrow_tables_of_the_columns_they_have() -> None:
    row = {k: v for k, v in coming().items() if k != "home_game"}
    tables = to_tables(Sides(upcoming=[row], registry=[], injuries=[report("out")]))
    assert set(tables) == {TABLES[name].path for name in ("upcoming", "registry", "injuries")}
    assert tables[TABLES["upcoming"].path].schema == pa.schema(
        [column for column in TABLES["upcoming"].schema if column.name != "home_game"]
    )
    assert tables[TABLES["registry"].path].schema == TABLES["registry"].schema
    assert tables[TABLES["injuries"].path].to_pylist() == [report("out")]


def test_side_tables_are_determined_by_their_seed() -> None:
    assert make_sides(3, make_league(3)) == make_sides(3, make_league(3)) != make_sides(4, make_league(3))


def test_the_random_side_tables_hold_what_they_should() -> None:
    reasons: set[str] = set()
    origins: set[tuple[str, bool]] = set()
    values: dict[int, set[float | None]] = {index: set() for index in (10, 17, 28)}
    known: set[tuple[int, bool]] = set()
    ages: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    renamed, told_by_schedule = 0, 0
    for seed in range(12):
        league = make_league(seed)
        sides = make_sides(seed, league)
        absent.update(name for name in TABLES if getattr(sides, name) is None)
        days = sorted({row["game_date"] for row in league.rows})
        start, end, today = days[len(days) // 3], days[-1] + timedelta(days=6), days[-3]
        options = {"sides": sides, "today": today, "include_injured": True}
        found = compute(league.rows, league.columns, start, end, **options)
        reasons |= {gap.reason for gap in found.gaps.values()}
        origins |= {(origin, key in found.features) for key, origin in found.origins.items()}
        counts += found.counts
        facts = Facts(sides, start, end)
        for key, row in found.features.items():
            for index in values:
                values[index].add(row.values[index])
            known |= {(index, row.values[index] is not None) for index in (25, 26, 27)}
            age = facts.age(*key)
            ages["unknown" if age is None else "35" if age >= 35 else "30" if age >= 30 else "young"] += 1
            ages["birthday"] += age in (30, 35) and facts.age(key[0], key[1] - timedelta(days=1)) != age
            # Neither the type of the season nor the id tells anything of these.
            if found.origins[key] != "player row" and not str(row.context["game_id"]).startswith("00"):
                told_by_schedule += row.values[17] is not None
        lookups = {(row["player_lookup"] or "").strip() for row in league.rows}
        aliases = {(row["alias_lookup"] or "").strip() for row in sides.aliases or ()} & lookups
        renamed += len(aliases - {player for player, _ in found.origins})
    assert reasons == {
        "invalid_input", "unregistered_player", "no_game_summary", "bootstrap", "no_history",
        "missing_dependency",
    }  # fmt: skip
    kinds = ("player row", "upcoming", "injured")
    assert origins == {(kind, is_row) for kind in kinds for is_row in (True, False)}
    assert values == {10: {0, 1, 2, 3, None}, 17: {0, 1, None}, 28: {0, 1, None}}
    assert known == {(index, is_known) for index in (25, 26, 27) for is_known in (True, False)}
    assert min(ages[age] for age in ("unknown", "young", "30", "35")) > 100
    assert ages["birthday"] > 5
    assert told_by_schedule > 50
    assert renamed > 20
    assert set(counts) == {
        "aliases_ambiguous", "aliases_circular", "reports_rejected", "reports_unknown", "lines_rejected",
        "lines_not_finite", "upcoming_dropped", "upcoming_postponed", "upcoming_rejected",
        "upcoming_duplicates",
    }  # fmt: skip
    assert set(absent) == set(TABLES)
    assert max(absent.values()) < 6
