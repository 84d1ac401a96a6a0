"""Team games and the teams' windows in Polars, and the positions and sums that all windows use."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

YEAR = 365
ZONES = ("paint", "mid_range", "three_pt")
PARTS = tuple(f"{zone}_{part}" for zone in ZONES for part in ("makes", "attempts"))


def divide(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """The quotient, NULL where the divisor is 0."""
    return pl.when(whole != 0).then(part / whole)


def key(frame: pl.DataFrame, group: str, day: str, back: int = 0) -> pl.Series:
    """One integer that sorts by group, then by day."""
    return frame.select((pl.col(group) * 2**20 + pl.col(day) - back).alias("key"))["key"]


def search(keys: pl.Series, wanted: pl.DataFrame, group: str, back: int) -> pl.Series:
    """How many of the sorted keys lie before the group's day, moved ``back`` days."""
    return keys.search_sorted(key(wanted, group, "day", back), side="left").cast(pl.Int64)


def running_sums(
    frame: pl.DataFrame, names: Sequence[str], by: Sequence[str] | None = None
) -> dict[str, pl.Series]:
    """Sums of everything before each position, one longer than the frame; ``by`` sorts it first."""
    ordered = frame.select(*names, *(by or ())).sort(by) if by else frame
    summed = ordered.lazy().select(pl.col(name).cast(pl.Int64).cum_sum() for name in names).collect()
    zero = pl.DataFrame({name: [0] for name in names}, schema=dict.fromkeys(names, pl.Int64))
    return dict(zip(names, pl.concat([zero, summed]).rechunk(), strict=True))


def sum_over(running: pl.Series, low: str, high: str) -> pl.Expr:
    return pl.lit(running).gather(pl.col(high)) - pl.lit(running).gather(pl.col(low))


def mean_over(values: pl.Series, low: str, longest: int) -> pl.Expr:
    """The mean of the known values of each window, from oldest to newest."""
    total, count = pl.lit(0.0), pl.lit(0)
    filled, known = pl.lit(values.fill_null(0.0)), pl.lit(values.is_not_null().cast(pl.Int64))
    for step in range(longest):
        inside = pl.col(low) + step < pl.col("high")
        position = pl.when(inside).then(pl.col(low) + step).otherwise(0)
        total = total + pl.when(inside).then(filled.gather(position)).otherwise(0.0)
        count = count + pl.when(inside).then(known.gather(position)).otherwise(0)
    return divide(total, count)


def sum_sides(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per (game, day, team): totals, figures, and what its opponent did."""
    c = pl.col

    def total(name: str) -> pl.Expr:
        unknown = (c("played") & c(name).is_null()).any() | ~c("valid").all()
        return pl.when(~unknown).then(c(name).filter(c("valid")).sum()).alias(f"side_{name}")

    def zone(name: str) -> pl.Expr:
        kind = name.removesuffix("_makes").removesuffix("_attempts")
        both = c("played") & c(f"{kind}_makes").is_not_null() & c(f"{kind}_attempts").is_not_null()
        return c(name).filter(both).sum().alias(f"side_{name}")

    names = ("points", "seconds", "fg_attempts", "ft_attempts", "offensive_rebounds", "turnovers")
    used = 100 * c("side_fg_attempts") + 44 * c("side_ft_attempts") + 100 * c("side_turnovers")
    poss = c("side_used") - 100 * c("side_offensive_rebounds")
    sides = (
        rows.lazy()
        .filter(c("game").is_not_null() & c("team").is_not_null())
        .group_by("game", "day", "team")
        .agg(
            c("played").any().alias("side_exists"),
            c("season_year").filter(c("valid")).max().alias("side_season"),
            c("game_id").first().alias("side_game_id"),
            *(total(name) for name in names),
            *(zone(name) for name in PARTS),
        )
        .with_columns(side_used=used)
        .with_columns(
            side_pace=pl.when((poss > 0) & (c("side_seconds") > 0)).then(144 * poss / c("side_seconds")),
            side_rating=pl.when((poss > 0) & c("side_exists")).then(10000 * c("side_points") / poss),
            side_paired=pl.len().over("game", "day") == 2,
        )
        .collect()
    )
    facing = sides.filter("side_paired").select(
        "game",
        "day",
        "team",
        "side_exists",
        "side_points",
        c("side_rating").alias("side_defence"),
        *(c(f"side_{name}").alias(f"allowed_{name}") for name in PARTS),
    )
    return (
        facing.lazy()
        .join(facing.lazy(), on=["game", "day"], suffix="_other")
        .filter(c("team") != c("team_other"))
        .select(
            "game",
            "day",
            "team",
            c("side_defence_other").alias("side_defence"),
            *(c(f"allowed_{name}_other").alias(f"allowed_{name}") for name in PARTS),
            win=pl.when(c("side_exists_other") & (c("side_points") != c("side_points_other"))).then(
                (c("side_points") > c("side_points_other")).cast(pl.Int64)
            ),
        )
        .collect()
        .pipe(lambda found: sides.join(found, on=["game", "day", "team"], how="left"))
    )


def describe_teams(sides: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
    """What its recent games say about every (team, day, season) that targets name."""
    wanted = pl.concat(
        targets.select(pl.col(side).alias("team"), "day", "season_year").unique()
        for side in ("team", "opponent")
    )
    wanted = wanted.unique().drop_nulls("team").sort("team", "day")
    games = sides.filter("side_exists").with_columns(pl.col("side_game_id").cast(pl.String))
    games = games.sort("team", "day", "side_game_id")
    keys = key(games, "team", "day")
    low, high = search(keys, wanted, "team", YEAR), search(keys, wanted, "team", 0)
    bounds = pl.DataFrame({"low": low, "high": high}).with_columns(
        low_10=pl.max_horizontal("low", pl.col("high") - 10),
        low_15=pl.max_horizontal("low", pl.col("high") - 15),
    )
    season = _search_season(games, wanted)
    played = games.with_columns(
        sum_wins=pl.col("win").fill_null(0), sum_results=pl.col("win").is_not_null().cast(pl.Int64)
    )
    results = running_sums(played, ["sum_wins", "sum_results"], by=["team", "side_season", "day"])
    allowed = running_sums(games.select(pl.col("^allowed_.*$").fill_null(0)), [f"allowed_{n}" for n in PARTS])
    league = _sum_league(games, wanted)
    rest = pl.when(pl.col("high") > pl.col("low")).then(
        pl.col("day") - pl.lit(games["day"]).gather((pl.col("high") - 1).clip(0))
    )
    zones = {
        zone: divide(
            100 * sum_over(allowed[f"allowed_{zone}_makes"], "low_15", "high"),
            sum_over(allowed[f"allowed_{zone}_attempts"], "low_15", "high"),
        )
        - pl.col(f"league_{zone}")
        for zone in ZONES
    }
    return (
        pl.concat([wanted, bounds, season, league], how="horizontal")
        .lazy()
        .select(
            "team",
            "day",
            "season_year",
            rest=rest,
            yesterday=(rest == 1).cast(pl.Int64),
            pace_10=mean_over(games["side_pace"], "low_10", 10),
            rating_10=mean_over(games["side_rating"], "low_10", 10),
            pace_15=mean_over(games["side_pace"], "low_15", 15),
            defence_15=mean_over(games["side_defence"], "low_15", 15),
            win_pct=divide(
                sum_over(results["sum_wins"], "season_low", "season_high"),
                sum_over(results["sum_results"], "season_low", "season_high"),
            ),
            **zones,
        )
        .collect()
    )


def _search_season(games: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    grouped = games.with_columns(group=pl.col("team") * 4096 + pl.col("side_season"))
    keys = key(grouped, "group", "day").sort()
    mine = wanted.with_columns(group=pl.col("team") * 4096 + pl.col("season_year"))
    return pl.DataFrame(
        {"season_low": search(keys, mine, "group", YEAR), "season_high": search(keys, mine, "group", 0)}
    )


def _sum_league(games: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """The league's percentage in each zone over the year before each wanted day."""
    faced = games.filter("side_paired").sort("day")
    sums = running_sums(faced, [f"side_{name}" for name in PARTS])
    days = faced["day"]
    return pl.DataFrame(
        {
            "low": days.search_sorted(wanted["day"] - YEAR, side="left"),
            "high": days.search_sorted(wanted["day"], side="left"),
        }
    ).select(
        divide(
            100 * sum_over(sums[f"side_{zone}_makes"], "low", "high"),
            sum_over(sums[f"side_{zone}_attempts"], "low", "high"),
        ).alias(f"league_{zone}")
        for zone in ZONES
    )
