"""The same job as the Beam pipeline that most people would write: rows are dictionaries.

Read, clean, group by date for duplicates and team games, group by team for the teams' windows,
group by player for the players', and one last step that writes everything in one transaction. It
runs on the same local runner with one worker, and publishes with the same SQL as the SQL baseline.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import apache_beam as beam
import duckdb
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.baselines.duckdb_sql import (
    BOOTSTRAP_DAYS,
    MIN_GAMES,
    open_baseline,
    publish,
)
from benchmarks.baselines.naive_player import compute_vector
from benchmarks.baselines.naive_rows import (
    YEAR,
    ZONES,
    Row,
    clean_row,
    describe_team,
    finish_row,
    is_exhibition,
    settle_date,
)
from pipeline.local_runner import LocalRunner
from transforms.schema import PLAYER_GAME_SUMMARY, STAGED_FEATURES, STAGED_GAPS, STAGED_TARGETS

TeamDay = tuple[str, date, int]
UNKNOWN_TEAM: Row = {"games": 0, "season_first": None} | dict.fromkeys(
    ("rest", "yesterday", "pace_10", "rating_10", "pace_15", "defence_15", "win_pct", *ZONES)
)


def run_naive_job(
    warehouse: str, first: date, last: date, memory_limit: str | None = None
) -> dict[str, float]:
    """Computes and commits the dates from ``first`` to ``last``; gives the seconds of the whole."""
    started = time.perf_counter()
    pipeline = beam.Pipeline(runner=LocalRunner(), options=PipelineOptions([]))
    build_pipeline(pipeline, warehouse, first, last, memory_limit)
    pipeline.run().wait_until_finish()
    return {"pipeline": time.perf_counter() - started}


def build_pipeline(
    pipeline: beam.Pipeline, warehouse: str, first: date, last: date, memory_limit: str | None
) -> None:
    rows = (
        pipeline
        | "Window" >> beam.Create([(first - YEAR, last)])
        | "Read" >> beam.FlatMap(read_rows, warehouse)
        | "Clean" >> beam.Map(clean_row)
        | "DropExhibitions" >> beam.Filter(lambda row: not is_exhibition(row))
    )
    settled = (
        rows
        | "KeyByDate" >> beam.Map(lambda row: (row["game_date"].isoformat(), row))
        | "GroupByDate" >> beam.GroupByKey()
        | "SettleDate"
        >> beam.ParDo(_SettleDateFn(first)).with_outputs("games", "days", "seasons", main="rows")
    )
    league = beam.pvalue.AsSingleton(
        settled.games
        | "ZoneSums" >> beam.FlatMap(list_zone_sums)
        | "SumByDate" >> beam.CombinePerKey(sum)
        | "LeagueDays" >> beam.combiners.ToDict()
    )
    seasons = beam.pvalue.AsDict(
        settled.seasons
        | "SeasonDates" >> beam.Distinct()
        | "GroupBySeason" >> beam.GroupByKey()
        | "SortDates" >> beam.MapTuple(lambda season, days: (season, sorted(map(date.fromordinal, days))))
    )
    contexts = beam.pvalue.AsDict(
        {
            "games": settled.games | "KeyByTeam" >> beam.Map(lambda game: (game["team"], game)),
            "days": settled.days | "WantedDays" >> beam.Distinct(),
        }
        | "GroupByTeam" >> beam.CoGroupByKey()
        | "TeamWindows" >> beam.FlatMap(describe_days, league, seasons)
    )
    computed = (
        settled.rows
        | "WithPlayer" >> beam.Filter(lambda row: row["player_lookup"] is not None)
        | "KeyByPlayer" >> beam.Map(lambda row: (row["player_lookup"], row))
        | "GroupByPlayer" >> beam.GroupByKey()
        | "PlayerWindows" >> beam.FlatMap(compute_player, first, contexts)
    )
    (
        computed
        | "All" >> beam.combiners.ToList()
        | "Write" >> beam.Map(write_rows, warehouse, first, last, memory_limit)
    )


def read_rows(window: tuple[date, date], warehouse: str) -> Iterator[Row]:
    names = PLAYER_GAME_SUMMARY.schema.names
    # instants are only compared; as numbers they spare Beam the pickling of their time zones
    columns = ["epoch_us(processed_at)" if name == "processed_at" else name for name in names]
    with duckdb.connect(warehouse, read_only=True) as connection:
        found = connection.execute(
            f"SELECT {', '.join(columns)} FROM {PLAYER_GAME_SUMMARY.path} WHERE game_date BETWEEN ? AND ?",
            window,
        ).fetchall()
    for values in found:
        yield dict(zip(names, values, strict=True))


class _SettleDateFn(beam.DoFn):  # type: ignore[misc]
    """The rows of a date -> those that count, team games, wanted (team, (day, season)), season dates."""

    def __init__(self, first: date) -> None:
        self._first = first

    def process(self, element: tuple[str, Iterable[Row]]) -> Iterator[Any]:
        rows, games = settle_date(element[1])
        yield from rows
        for game in games:
            yield beam.pvalue.TaggedOutput("games", game)
        for row in rows:
            day, season = row["game_date"], row["season_year"]
            if not row["broken"] and day >= self._first:
                for team in (row["team_abbr"], row["opponent_team_abbr"]):
                    if team is not None:
                        yield beam.pvalue.TaggedOutput("days", (team, (day.toordinal(), season)))
            if row["game_id"] is not None and row["team_abbr"] is not None:
                yield beam.pvalue.TaggedOutput("seasons", (season, day.toordinal()))


def list_zone_sums(game: Row) -> Iterator[tuple[tuple[str, int], int]]:
    """((zone statistic, day), sum) of a team game that faced an opponent; keys hold days as ordinals,
    for Beam has no deterministic coder for dates."""
    if game["faced"]:
        for zone in ZONES:
            for part in ("makes", "attempts"):
                yield (f"{zone}_{part}", game["day"].toordinal()), game[f"{zone}_{part}"]


def describe_days(
    element: tuple[str, Mapping[str, Iterable[Any]]],
    league: Mapping[tuple[str, int], int],
    seasons: Mapping[int, list[date]],
) -> Iterator[tuple[TeamDay, Row]]:
    """The context of each wanted (team, day, season)."""
    team, parts = element
    games = sorted(parts["games"], key=lambda game: (game["day"], game["game_id"]))
    totals = _LeagueTotals(league)
    for ordinal, season in sorted(parts["days"]):
        day = date.fromordinal(ordinal)
        context = describe_team(games, day, season, totals.before(day))
        days = seasons[season]
        position = bisect_left(days, day - YEAR)
        context["season_first"] = min(days[position], day) if position < len(days) else day
        yield (team, day, season), context


class _LeagueTotals:
    """Makes and attempts of the league in the year before a day, kept up as the day advances."""

    def __init__(self, league: Mapping[tuple[str, int], int]) -> None:
        self._league = league
        self._days = sorted({date.fromordinal(day) for _, day in league})
        self._low = self._high = 0
        self._sums = {f"{zone}_{part}": 0 for zone in ZONES for part in ("makes", "attempts")}

    def before(self, day: date) -> dict[str, tuple[int, int]]:
        while self._high < len(self._days) and self._days[self._high] < day:
            self._add(self._days[self._high], 1)
            self._high += 1
        while self._low < self._high and self._days[self._low] < day - YEAR:
            self._add(self._days[self._low], -1)
            self._low += 1
        return {zone: (self._sums[f"{zone}_makes"], self._sums[f"{zone}_attempts"]) for zone in ZONES}

    def _add(self, day: date, sign: int) -> None:
        for name in self._sums:
            self._sums[name] += sign * self._league[name, day.toordinal()]


def compute_player(
    element: tuple[str, Iterable[Row]], first: date, contexts: Mapping[TeamDay, Row]
) -> Iterator[tuple[str, Row]]:
    """("row", feature row) or ("gap", gap) for every target of a player."""
    history: list[Row] = []
    for target in sorted(element[1], key=lambda row: row["game_date"]):
        if target["game_date"] >= first:
            yield _settle_target(target, history, contexts)
        if not target["broken"]:
            history.append(target)


def _settle_target(target: Row, history: list[Row], contexts: Mapping[TeamDay, Row]) -> tuple[str, Row]:
    if target["broken"]:
        return "gap", _describe_gap(target, "invalid_input", target["broken"])
    day, season = target["game_date"], target["season_year"]
    own = contexts.get((target["team_abbr"], day, season), UNKNOWN_TEAM)
    opponent = contexts.get((target["opponent_team_abbr"], day, season), UNKNOWN_TEAM)
    since = bisect_left(history, day - YEAR, key=lambda row: row["game_date"])
    values, facts = compute_vector(target, history[since:], own, opponent)
    games, start = len(facts["dates"]), own["season_first"] or day
    if day < start + timedelta(days=BOOTSTRAP_DAYS) and games < MIN_GAMES:
        detail = f"{games} of {MIN_GAMES} games, in the season's first {BOOTSTRAP_DAYS} days"
        return "gap", _describe_gap(target, "bootstrap", detail)
    if games == 0:
        return "gap", _describe_gap(target, "no_history", "no played game in the 365 days before")
    if not own["games"] and not opponent["games"]:
        detail = "neither team has a game in the 365 days before"
        return "gap", _describe_gap(target, "missing_dependency", detail)
    facts["early"] = day < start + timedelta(days=14)
    return "row", finish_row(target, values, facts)


def _describe_gap(target: Row, reason: str, detail: str) -> Row:
    facts = {name: target[name] for name in STAGED_GAPS.names if not name.startswith("skip_")}
    return facts | {"skip_reason": reason, "skip_detail": detail}


def write_rows(
    results: list[tuple[str, Row]], warehouse: str, first: date, last: date, memory_limit: str | None
) -> None:
    """Everything in one transaction, into dates that have no rows yet."""
    staged = {
        "staged_features": ([row for kind, row in results if kind == "row"], STAGED_FEATURES),
        "staged_gaps": ([row for kind, row in results if kind == "gap"], STAGED_GAPS),
        "staged_targets": ([row for _, row in results], STAGED_TARGETS),
    }
    with open_baseline(warehouse, first, last, memory_limit) as connection:
        for name, (rows, schema) in staged.items():
            connection.register(name, pa.Table.from_pylist(rows, schema=schema))
        publish(connection, ("audit", "fresh", "ledger"), {})
