"""Which keys rest on a box score that was processed after the run that computed them began.

What a box score of date D can change is features.md, section 3: the target of its own key on D (its
facts), and in (D, D + 365] the targets of its player, of its two teams, and of whoever meets these
teams. That is answered exactly, from the rows as they are stored today. Not seen, therefore:

- what a row said before it was corrected (another player, another team), and rows that were removed;
  their own keys show as keys that are no target;
- rows whose ``processed_at`` an import kept although they came later, and an import that began before
  a run and ended after it;
- the league's average in ``shot_zone_mismatch_score`` and the first date of a season, which any row may
  move for everybody: the ranges to recompute hold everybody's keys on the dates between;
- side tables, which do not say when a row came.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.options import GAPS
from pipeline.season import DateRange
from pipeline.warehouse.base import Warehouse
from transforms.arrays import Ints, codes_among, single_chunk, to_codes, to_day, to_days, trim_text
from transforms.people import rename_players
from transforms.references import References
from transforms.schema import RUN_HISTORY
from transforms.windows import AS_OF_DAYS, Window, order_key

BY_KEY = GAPS
"""The mode of a run over single keys: it covers those that it wrote or attempted."""

NEVER = np.iinfo(np.int64).min
"""Before every instant."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEAMS = ("team_abbr", "opponent_team_abbr")
RUN_FACTS = (
    "run_id",
    "mode",
    "status",
    "start_date",
    "end_date",
    "started_at",
    "records_expected",
    "records_created",
    "records_updated",
    "records_unchanged",
    "gaps_open",
)


def read_runs(warehouse: Warehouse, dates: DateRange) -> pa.Table:
    """:data:`RUN_FACTS` of the successful runs over some of the dates."""
    bounds = warehouse.find_date_bounds(RUN_HISTORY)
    # a run stands under its last date
    if bounds is None or bounds[1] < dates.start:
        return pa.schema([RUN_HISTORY.schema.field(name) for name in RUN_FACTS]).empty_table()
    runs = warehouse.read_window(RUN_HISTORY, RUN_FACTS, DateRange.spanning(dates.start, bounds[1]))
    begins_inside = pc.less(runs.column("start_date"), pa.scalar(dates.end, pa.date32()))
    return runs.filter(pc.and_(pc.equal(runs.column("status"), "success"), begins_inside))


def read_instants(table: pa.Table, name: str) -> Ints:
    """A column of timestamps in microseconds since the epoch, :data:`NEVER` where NULL."""
    column = single_chunk(table, name).cast(pa.timestamp("us", tz="UTC"))
    found: Ints = pc.fill_null(column.cast(pa.int64()), NEVER).to_numpy(zero_copy_only=False)
    return found


def find_covered(runs: pa.Table, dates: DateRange) -> Ints:
    """For each day when the latest run over all keys of its dates began, :data:`NEVER` without one."""
    ranged = runs.filter(pc.not_equal(runs.column("mode"), BY_KEY))
    covered = np.full((dates.end - dates.start).days, NEVER)
    first, last = (
        to_days(single_chunk(ranged, name)) - to_day(dates.start) for name in ("start_date", "end_date")
    )
    for low, high, began in zip(first, last, read_instants(ranged, "started_at"), strict=True):
        days = slice(max(0, low), max(0, high + 1))
        covered[days] = np.maximum(covered[days], began)
    return covered


def date_keys(keys: pa.Table, runs: pa.Table, dates: DateRange) -> Ints:
    """When the latest run over all keys of each key's date began."""
    covered: Ints = find_covered(runs, dates)[to_days(single_chunk(keys, "game_date")) - to_day(dates.start)]
    return covered


def date_rows(rows: pa.Table, runs: pa.Table, dates: DateRange) -> Ints:
    """When the latest successful run that covered each feature row (``run_id``) began."""
    by_key = runs.filter(pc.equal(runs.column("mode"), BY_KEY))
    wrote = pc.index_in(rows.column("run_id"), single_chunk(by_key, "run_id"))
    known = pc.is_valid(wrote).to_numpy(zero_copy_only=False)
    began = np.append(read_instants(by_key, "started_at"), NEVER)
    position = pc.fill_null(wrote, len(began) - 1).to_numpy(zero_copy_only=False)
    return np.maximum(date_keys(rows, runs, dates), np.where(known, began[position], NEVER))


def date_gaps(opened: pa.Table, runs: pa.Table, dates: DateRange) -> Ints:
    """When the latest successful run that covered each open gap (``last_attempt_at``) began."""
    return np.maximum(date_keys(opened, runs, dates), read_instants(opened, "last_attempt_at"))


def find_newest(
    warehouse: Warehouse, keys: pa.Table, covered: Ints, dates: DateRange, references: References
) -> Ints:
    """The newest ``processed_at`` of a box score that can have changed each key since it was covered,
    :data:`NEVER` without one.

    ``keys`` (``accounting.FACTS``) are of the dates; ``covered`` as :func:`date_rows` gives it. Keys that no
    run covered cannot be judged.
    """
    known = covered[covered != NEVER]
    newest = np.full(keys.num_rows, NEVER)
    if len(known) == 0:
        return newest
    since = EPOCH + timedelta(microseconds=int(known.min()))
    changed = warehouse.read_changed(dates.with_history(), since)
    if changed.num_rows == 0:
        return newest
    newest = match_newest(keys, changed, references)
    return np.where((covered != NEVER) & (newest > covered), newest, NEVER)


def match_newest(keys: pa.Table, changed: pa.Table, references: References) -> Ints:
    """The newest ``processed_at`` among the rows of ``changed`` (``CHANGED_ROWS``) that each key rests on."""
    texts = {name: trim_text(single_chunk(changed, name)) for name in ("player_lookup", *_TEAMS)}
    rows = pa.table({name: texts.get(name, changed.column(name)) for name in changed.column_names})
    players = single_chunk(rename_players(rows, references.aliases)[0], "player_lookup")
    day, instant = to_days(single_chunk(rows, "game_date")), read_instants(rows, "processed_at")
    wanted = to_days(single_chunk(keys, "game_date"))
    # a player's own row of the date counts, a team's does not
    newest = _match_group(players, day, instant, single_chunk(keys, "player_lookup"), wanted, own=True)
    teams = pa.chunked_array([texts[name].dictionary_decode() for name in _TEAMS]).combine_chunks()
    twice = teams.dictionary_encode(), np.tile(day, 2), np.tile(instant, 2)
    for name in _TEAMS:
        newest = np.maximum(newest, _match_group(*twice, single_chunk(keys, name), wanted, own=False))
    return newest


def _match_group(
    groups: pa.DictionaryArray, day: Ints, instant: Ints, of_keys: pa.Array, wanted: Ints, *, own: bool
) -> Ints:
    """The newest instant of each key's group in its as-of window, with ``own`` on its date, too."""
    group = codes_among(of_keys.dictionary_encode(), groups.dictionary)
    rows = to_codes(groups)
    order_of = order_key(rows[rows >= 0], day[rows >= 0])
    position = np.argsort(order_of, kind="stable")
    events, values = order_of[position], instant[rows >= 0][position]
    low = np.searchsorted(events, order_key(group, wanted - AS_OF_DAYS), side="left")
    high = np.searchsorted(events, order_key(group, wanted), side="right" if own else "left")
    found = greatest_over(values, Window(low, high))
    found[group < 0] = NEVER
    return found


def greatest_over(values: Ints, window: Window) -> Ints:
    """The greatest value of each window, :data:`NEVER` of an empty one.

    Of every power of two the greatest of so many values from each position on; two of them, which may
    overlap, hold a window.
    """
    greatest = np.full(len(window.low), NEVER)
    size, span = window.size, 1
    spans = values
    while len(spans) and (size >= span).any():
        fits = np.flatnonzero((size >= span) & (size < 2 * span))
        greatest[fits] = np.maximum(spans[window.low[fits]], spans[window.high[fits] - span])
        spans = np.maximum(spans[:-span], spans[span:])
        span *= 2
    return greatest


def to_instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=int(microseconds))
