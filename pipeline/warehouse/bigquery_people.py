"""Who is stored under which lookups, and the pairs that make several lookups one person."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime

from pipeline.aliases import NO_ALIASES, AliasProposal, join_names, propose_aliases
from pipeline.season import DateRange
from pipeline.warehouse.base import LoadOutcome
from pipeline.warehouse.bigquery_clients import translating
from pipeline.warehouse.bigquery_import_sql import log_change, raise_version
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.bigquery_sql import BigQuerySql
from pipeline.warehouse.bigquery_tables import Tables
from transforms.aliases import Pair
from transforms.schema import PLAYER_GAME_SUMMARY
from transforms.side_tables import PLAYER_ALIASES

ID_SOURCE = "REGEXP_EXTRACT(universal_player_id, '^([a-z]+)_')"
"""Who gave a person the id: ``nba`` of ``nba_2544``. Ids of two sources are no two people."""


def name_people(
    jobs: Jobs,
    outcome: LoadOutcome,
    incoming: str,
    bounds: tuple[date, date] | None,
    loaded_at: datetime,
    owner: str,
) -> LoadOutcome:
    """With the people of the import, seen in all that is stored; records their aliases when asked."""
    if bounds is None:
        return outcome
    dates = DateRange.spanning(*bounds)
    return replace(
        outcome,
        several_lookups=_list_several(jobs, incoming, dates, "universal_player_id", "player_lookup"),
        several_people=_list_several(jobs, incoming, dates, "player_lookup", "universal_player_id"),
        aliases=_meet_aliases(jobs, incoming, dates, loaded_at, owner, write=outcome.aliases_written),
    )


def _source(jobs: Jobs, dates: DateRange) -> str:
    sql = BigQuerySql(jobs.address.project)
    bounds = sql.bound_dates(PLAYER_GAME_SUMMARY, dates)
    return f"FROM {sql.name_table(PLAYER_GAME_SUMMARY)} WHERE {bounds}"


def _list_several(jobs: Jobs, incoming: str, dates: DateRange, one: str, many: str) -> tuple[str, ...]:
    """``one: many, many`` for each incoming ``one`` that the whole table has with several ``many``."""
    rows = jobs.ask(
        f"SELECT {one}, ARRAY_AGG(DISTINCT {many} ORDER BY {many}) AS names {_source(jobs, dates)} "
        f"AND {one} IN (SELECT {one} FROM {incoming}) AND {many} IS NOT NULL "
        f"GROUP BY {one}, {ID_SOURCE} HAVING COUNT(DISTINCT {many}) > 1"
    ).to_pylist()
    found = sorted((row[one], list(row["names"])) for row in rows)
    return tuple(f"{name}: {join_names(names)}" for name, names in found)


def _find_people(jobs: Jobs, incoming: str, dates: DateRange) -> dict[str, dict[str, date]]:
    """Person -> lookup -> newest date, of the incoming people that are stored under several lookups."""
    people: dict[str, dict[str, date]] = defaultdict(dict)
    for row in jobs.ask(
        f"SELECT universal_player_id, player_lookup, MAX(game_date) AS newest {_source(jobs, dates)} "
        f"AND universal_player_id IN (SELECT universal_player_id FROM {incoming}) "
        "GROUP BY universal_player_id, player_lookup "
        "QUALIFY COUNT(*) OVER (PARTITION BY universal_player_id) > 1"
    ).to_pylist():
        people[row["universal_player_id"]][row["player_lookup"]] = row["newest"]
    return dict(people)


def _find_contested(jobs: Jobs, dates: DateRange) -> set[str]:
    """The lookups that several people carry."""
    found = jobs.ask(
        f"SELECT player_lookup {_source(jobs, dates)} GROUP BY player_lookup, {ID_SOURCE} "
        "HAVING COUNT(DISTINCT universal_player_id) > 1"
    )
    return set(found.column(0).to_pylist())


def read_pairs(jobs: Jobs) -> list[Pair]:
    """The recorded pairs; the table must exist."""
    sql = BigQuerySql(jobs.address.project)
    rows = jobs.ask(sql.select_whole(PLAYER_ALIASES, PLAYER_ALIASES.schema.names)).to_pylist()
    pairs = [(row["alias_lookup"], row["nba_canonical_lookup"]) for row in rows]
    return [pair for pair in pairs if None not in pair]


def _meet_aliases(
    jobs: Jobs, incoming: str, dates: DateRange, loaded_at: datetime, owner: str, *, write: bool
) -> AliasProposal:
    """The aliases that the stored rows suggest beside those recorded; with ``write`` they are, too."""
    people = _find_people(jobs, incoming, dates)
    if not people:
        return NO_ALIASES
    tables = Tables(jobs)
    if write:
        tables.ensure(PLAYER_ALIASES)
    stored = read_pairs(jobs) if tables.find(PLAYER_ALIASES) is not None else []
    proposal = propose_aliases(people, _find_contested(jobs, dates), stored)
    if write and proposal.pairs:
        with translating("recording aliases"):
            jobs.run_script(f"{owner}-aliases", _insert_pairs(jobs, proposal.pairs, loaded_at))
    return proposal


def _insert_pairs(jobs: Jobs, pairs: tuple[Pair, ...], loaded_at: datetime) -> str:
    sql = BigQuerySql(jobs.address.project)
    rows = ", ".join(f"({sql.text_literal(alias)}, {sql.text_literal(name)})" for alias, name in pairs)
    columns = sql.list_columns(PLAYER_ALIASES.schema.names)
    statements = [
        "DECLARE version INT64",
        "BEGIN TRANSACTION",
        f"INSERT INTO {sql.name_table(PLAYER_ALIASES)} ({columns}) VALUES {rows}",
        *raise_version(sql, PLAYER_ALIASES, "import"),
        log_change(sql, PLAYER_ALIASES, loaded_at),
        "COMMIT TRANSACTION",
    ]
    return ";\n".join(statements) + ";"
