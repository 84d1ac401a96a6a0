"""The 37 values and sources in Polars, from clean rows in memory. No IO, no gaps, no digest.

Windows are positions found by binary search, and sums are differences of running sums: this
measured faster than rolling and as-of joins. Everything of one step is one lazy selection, so that
Polars spreads its expressions over its threads.
"""

from __future__ import annotations

from datetime import date

import polars as pl
import pyarrow as pa

from benchmarks.baselines.polars_teams import (
    YEAR,
    ZONES,
    describe_teams,
    divide,
    key,
    mean_over,
    running_sums,
    search,
    sum_over,
    sum_sides,
)
from transforms.vector import FEATURES, MISSING, SOURCES

SOURCE = pl.Enum(list(SOURCES))


def compute_features(clean: pa.Table, start: date, end: date) -> pl.DataFrame:
    """Key, 37 values and 37 sources of every valid target with ``start <= game_date < end``.

    ``clean`` is ``transforms.cleaning.CleanRows.table``.
    """
    rows = prepare_rows(clean)
    sides = sum_sides(rows)
    rows = rows.join(sides, on=["game", "day", "team"], how="left", maintain_order="left")
    rows = rows.filter("valid").sort("player", "day")
    targets = rows.filter(pl.col("game_date").is_between(start, end, closed="left"))
    targets = targets.select(
        "player_lookup", "game_date", "player", "day", "season_year", "team", "opponent", "is_home", "playoff"
    )
    figures = describe_teams(sides, targets)
    for side, name in (("own", "team"), ("opp", "opponent")):
        renamed = figures.rename(
            {n: f"{side}_{n}" for n in figures.columns if n not in ("day", "season_year")}
        )
        targets = targets.join(
            renamed,
            left_on=[name, "day", "season_year"],
            right_on=[f"{side}_team", "day", "season_year"],
            how="left",
            maintain_order="left",
        )
    return label(compute_values(rows, targets))


def prepare_rows(clean: pa.Table) -> pl.DataFrame:
    """Integer codes for texts, days as integers, ``playoff``; ``played`` only where valid."""
    texts = ("player_lookup", "game_id", "team_abbr", "opponent_team_abbr", "season_type")
    frame = pl.DataFrame(pl.from_arrow(clean)).with_columns(pl.col(texts).cast(pl.Categorical))
    letters = pl.col("season_type").cast(pl.String).str.to_lowercase().str.replace_all(r"[^\p{L}]+", "")
    kinds = (
        frame.select("season_type", "game_id")
        .unique()
        .with_columns(
            playoff=pl.coalesce(
                pl.when(letters.str.contains("playoff|playin|postseason")).then(1.0),
                pl.when(letters.str.contains("regular|cup|tournament")).then(0.0),
                pl.when(pl.col("game_id").cast(pl.String).str.contains("^00[45][0-9]{7}$")).then(1.0),
                pl.when(pl.col("game_id").cast(pl.String).str.contains("^00[26][0-9]{7}$")).then(0.0),
            )
        )
    )
    return frame.join(kinds, on=["season_type", "game_id"], how="left", nulls_equal=True).with_columns(
        player=pl.col("player_lookup").to_physical().cast(pl.Int64),
        game=pl.col("game_id").to_physical().cast(pl.Int64),
        team=pl.col("team_abbr").to_physical().cast(pl.Int64),
        opponent=pl.col("opponent_team_abbr").to_physical().cast(pl.Int64),
        day=pl.col("game_date").cast(pl.Int32).cast(pl.Int64),
        valid=pl.col("invalid") == 0,
        played=pl.col("played") & (pl.col("invalid") == 0),
    )


def compute_values(rows: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """``targets`` with ``feature_N_value``; ``rows`` are valid and sorted by player and day."""
    games = add_figures(rows.filter("played"))
    windows = find_windows(rows, games, targets)
    last, five, week, two = ("low_10", "high"), ("low_5", "high"), ("low_week", "high"), ("low_2", "high")
    sums = running_sums(games, [name for name in games.columns if name.startswith("sum_")])
    seasons = running_sums(
        games, ["sum_points", "sum_seconds", "sum_known"], by=["player", "season_year", "day"]
    )
    met = running_sums(games, ["sum_points"], by=["player", "opponent", "day"])
    listed = running_sums(rows.select(sum_absent=~pl.col("played")), ["sum_absent"])
    n = (pl.col("high") - pl.col("low_10")).cast(pl.Int64)
    parts = {
        "points_2": sum_over(sums["sum_points"], *two),
        "points_5": sum_over(sums["sum_points"], *five),
        "week_seconds": sum_over(sums["sum_seconds"], *week),
        "week_known": sum_over(sums["sum_known"], *week),
        "pairs": sum_over(sums["sum_follows"], "low_pairs", "high"),
        "season_points": sum_over(seasons["sum_points"], "season_low", "season_high"),
        "season_seconds": sum_over(seasons["sum_seconds"], "season_low", "season_high"),
        "season_known": sum_over(seasons["sum_known"], "season_low", "season_high"),
        "met_points": sum_over(met["sum_points"], "met_low", "met_high"),
        "absent": sum_over(listed["sum_absent"], "rows_low", "rows_high"),
        "usage_3": mean_over(games["usage"], "low_3", 3),
        "usage_10": mean_over(games["usage"], "low_10", 10),
        "latest": pl.lit(games["day"]).gather((pl.col("high") - 1).clip(0)),
        **{name.removeprefix("sum_"): sum_over(series, *last) for name, series in sums.items()},
    }
    return (
        pl.concat([targets, windows], how="horizontal")
        .lazy()
        .with_columns(n=n, n_5=(pl.col("high") - pl.col("low_5")).cast(pl.Int64))
        .with_columns(**parts)
        .with_columns(rest=pl.when(pl.col("n") > 0).then(pl.col("day") - pl.col("latest")))
        .with_columns(**express_values())
        .with_columns(
            feature_35_value=divide(
                pl.col("feature_0_value") - pl.col("feature_2_value"), pl.col("feature_3_value")
            ).clip(-3, 3),
            feature_36_value=pl.col("feature_0_value")
            > pl.col("feature_2_value") + 1.5 * pl.col("feature_3_value"),
        )
        .collect()
    )


def add_figures(games: pl.DataFrame) -> pl.DataFrame:
    """What the running sums run over, one column each; 0 where unknown."""
    c = pl.col
    charted = (
        c("paint_attempts").is_not_null()
        & c("mid_range_attempts").is_not_null()
        & c("three_pt_attempts").is_not_null()
    )
    shots = c("fg_attempts").is_not_null()
    timed = (c("seconds") > 0).fill_null(False)
    used = 100 * c("fg_attempts") + 44 * c("ft_attempts") + 100 * c("turnovers")
    place = pl.int_range(pl.len())
    given = {
        "points": c("points"),
        "squares": c("points") * c("points"),
        "placed": place * c("points"),
        "seconds": c("seconds"),
        "known": c("seconds").is_not_null().cast(pl.Int64),
        "timed_points": pl.when(timed).then("points"),
        "timed_seconds": pl.when(timed).then("seconds"),
        "follows": ((c("player") == c("player").shift(1)) & (c("day") == c("day").shift(1) + 1)).cast(
            pl.Int64
        ),
        "paint": pl.when(charted).then("paint_attempts"),
        "mid_range": pl.when(charted).then("mid_range_attempts"),
        "three_pt": pl.when(charted).then("three_pt_attempts"),
        "paint_shots": pl.when(charted & shots).then("paint_attempts"),
        "mid_range_shots": pl.when(charted & shots).then("mid_range_attempts"),
        "charted_shots": pl.when(charted).then("fg_attempts"),
        "three_pt_shots": pl.when(shots).then("three_pt_attempts"),
        "shots": pl.when(c("three_pt_attempts").is_not_null()).then("fg_attempts"),
        "free_makes": c("ft_makes"),
        "free_points": pl.when(c("ft_makes").is_not_null()).then("points"),
        "free_known": c("ft_makes").is_not_null().cast(pl.Int64),
    }
    return games.lazy().select(
        "player", "season_year", "opponent", "day",
        usage=pl.when(timed).then(divide(20 * used * c("side_seconds"), c("seconds") * c("side_used"))),
        **{f"sum_{name}": expression.fill_null(0) for name, expression in given.items()},
    ).collect()  # fmt: skip


def find_windows(rows: pl.DataFrame, games: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """Half-open positions of every window of every target."""
    keys = key(games, "player", "day")
    low, high = search(keys, targets, "player", YEAR), search(keys, targets, "player", 0)
    everyone = key(rows, "player", "day")
    rows_low, rows_high = search(everyone, targets, "player", YEAR), search(everyone, targets, "player", 0)
    found = {
        "high": high,
        "low": low,
        "low_week": search(keys, targets, "player", 7),
        "low_fortnight": search(keys, targets, "player", 14),
        "rows_low": rows_low,
        "rows_high": rows_high,
    }
    for name, column in (("season", "season_year"), ("met", "opponent")):
        bounds = _search_within(games, targets, column)
        found |= {f"{name}_low": bounds[0], f"{name}_high": bounds[1]}
    return pl.DataFrame(found).with_columns(
        rows_low=pl.max_horizontal("rows_low", pl.col("rows_high") - 10),
        low_pairs=pl.min_horizontal(pl.col("low_fortnight") + 1, "high"),
        **{f"low_{n}": pl.max_horizontal("low", pl.col("high") - n) for n in (2, 3, 5, 10)},
    )


def _search_within(games: pl.DataFrame, targets: pl.DataFrame, column: str) -> tuple[pl.Series, pl.Series]:
    """Windows over the games of the target's player with the same value in a column."""
    group = (pl.col("player") * 4096 + pl.col(column)).alias("group")
    keys = key(games.with_columns(group), "group", "day").sort()
    wanted = targets.with_columns(group)
    return search(keys, wanted, "group", YEAR), search(keys, wanted, "group", 0)


def express_values() -> dict[str, pl.Expr]:
    c = pl.col
    n, n_5 = c("n"), c("n_5")
    met = (c("met_high") - c("met_low")).cast(pl.Int64)
    listed = (c("rows_high") - c("rows_low")).cast(pl.Int64)
    above = c("seconds") * c("season_known") - c("season_seconds") * c("known")
    base = c("season_seconds") * c("known")
    trend = 3 * c("points_2") - 2 * (c("points_5") - c("points_2"))
    places = n * (n - 1) // 2
    values = {
        0: divide(c("points_5"), n_5),
        1: divide(c("points"), n),
        2: divide(c("season_points"), c("season_high") - c("season_low")),
        3: divide(n * c("squares") - c("points") * c("points"), n * (n - 1)).sqrt(),
        4: (c("high") - c("low_week")).cast(pl.Int64),
        5: _rate_fatigue(),
        6: _rate_mismatch(),
        7: ((c("opp_pace_15") - c("own_pace_10")) / 2).clip(-3, 3),
        8: pl.when(n >= 3).then((0.3 * (c("usage_3") - c("usage_10"))).clip(-3, 3)),
        9: (c("own_rest") - c("opp_rest")).clip(-2, 2),
        11: pl.when(n_5 == 5).then(_take_steps(trend, pl.lit(12), pl.lit(30))),
        12: pl.when((c("known") > 0) & (base > 0)).then(_take_steps(10 * above, base, 2 * base)),
        13: c("opp_defence_15"),
        14: c("opp_pace_15"),
        15: c("is_home"),
        16: c("own_yesterday"),
        17: c("playoff"),
        18: divide(c("paint_shots"), c("charted_shots")),
        19: divide(c("mid_range_shots"), c("charted_shots")),
        20: divide(c("three_pt_shots"), c("shots")),
        21: pl.when(c("free_known") >= 5).then(divide(c("free_makes"), c("free_points"))),
        22: c("own_pace_10"),
        23: c("own_rating_10"),
        24: c("own_win_pct"),
        29: pl.when(c("opponent").is_not_null()).then(divide(c("met_points"), met)),
        30: pl.when(c("opponent").is_not_null()).then(met),
        31: divide(c("seconds"), 60 * c("known")),
        32: divide(60 * c("timed_points"), c("timed_seconds")),
        33: pl.when(listed >= 3).then(divide(c("absent"), listed)),
        34: pl.when(n >= 5).then(
            divide(
                n * (c("placed") - c("low_10").cast(pl.Int64) * c("points")) - places * c("points"),
                n * (places * (2 * n - 1) // 3) - places * places,
            )
        ),
    }
    return {f"feature_{index}_value": value for index, value in values.items()}


def _take_steps(value: pl.Expr, small: pl.Expr, large: pl.Expr) -> pl.Expr:
    """-2 .. 2: the sign of the value, once for each bound that its size reaches."""
    size = (value.abs() >= small).cast(pl.Int8) + (value.abs() >= large).cast(pl.Int8)
    return size * value.sign().cast(pl.Int8)


def _rate_fatigue() -> pl.Expr:
    c = pl.col
    yesterday = (c("own_yesterday") == 1).fill_null(False)
    score = 100 - 15 * yesterday.cast(pl.Int64)
    score = score + 5 * (~yesterday & (c("rest") >= 3)).cast(pl.Int64)
    score = score - 10 * (c("high") - c("low_week") >= 4).cast(pl.Int64)
    score = score - 10 * (c("week_seconds") > 14_400).cast(pl.Int64)
    score = score - 8 * (c("week_seconds") > 2_100 * c("week_known")).cast(pl.Int64)
    score = score - pl.when(c("pairs") >= 2).then(12).when(c("pairs") == 1).then(5).otherwise(0)
    return pl.when(c("n") > 0).then(score.clip(0, 100))


def _rate_mismatch() -> pl.Expr:
    tried = {zone: pl.col(zone) for zone in ZONES}
    everywhere = tried["paint"] + tried["mid_range"] + tried["three_pt"]

    def choose(paint: pl.Expr, mid_range: pl.Expr, three_pt: pl.Expr) -> pl.Expr:
        return (
            pl.when(100 * tried["paint"] >= 40 * everywhere).then(paint)
            .when(100 * tried["three_pt"] >= 40 * everywhere).then(three_pt)
            .when(100 * tried["mid_range"] >= 35 * everywhere).then(mid_range)
            .otherwise(paint)
        )  # fmt: skip

    rate = divide(100 * choose(tried["paint"], tried["mid_range"], tried["three_pt"]), everywhere)
    defence = choose(*(pl.col(f"opp_{zone}") for zone in ("paint", "mid_range", "three_pt")))
    score = defence * pl.min_horizontal(rate / 50, pl.when(rate.is_not_null()).then(1.0))
    score = pl.when(everywhere > 0).then(score)
    return pl.when(score.abs() > 5).then(score * 1.2).otherwise(score).clip(-10, 10)


def label(computed: pl.DataFrame) -> pl.DataFrame:
    """Key, values as binary64 and sources."""
    present = set(computed.columns)
    values = [
        (pl.col(f.value_column).cast(pl.Float64) + 0.0)
        if f.value_column in present
        else pl.lit(None, pl.Float64).alias(f.value_column)
        for f in FEATURES
    ]
    sources = [
        pl.when(pl.col(f.value_column).is_null())
        .then(pl.lit(MISSING, SOURCE))
        .otherwise(pl.lit(f.source, SOURCE))
        .alias(f.source_column)
        for f in FEATURES
    ]
    keys = ["player_lookup", "game_date"]
    return computed.lazy().select(*keys, *values).with_columns(sources).collect()
