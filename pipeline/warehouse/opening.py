"""Which warehouse an address means: the one place that knows both."""

from __future__ import annotations

from pipeline.warehouse.base import Warehouse
from pipeline.warehouse.bigquery_address import BIGQUERY, parse_address


def open_warehouse(
    address: str, lock_timeout: float, *, asked_by: str = "", max_bytes: int | None = None
) -> Warehouse:
    """The warehouse at a checked ``--warehouse``; nothing is opened or asked yet.

    ``lock_timeout`` is for one that only one process holds; ``asked_by`` (a run's id) and ``max_bytes``
    are what the jobs of one that bills are labelled with, and what each of them may read.
    """
    # the clients of either take half a second to import
    if address.startswith(BIGQUERY):
        from pipeline.warehouse.bigquery import BigQueryWarehouse

        place = parse_address(address)
        if max_bytes is None:
            return BigQueryWarehouse(place, asked_by)
        return BigQueryWarehouse(place, asked_by, max_bytes)
    from pipeline.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(address, lock_timeout)
