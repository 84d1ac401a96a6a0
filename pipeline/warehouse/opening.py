"""Which warehouse an address means: the one place that knows both."""

from __future__ import annotations

from pipeline.warehouse.base import Warehouse
from pipeline.warehouse.bigquery_address import BIGQUERY, parse_address


def open_warehouse(address: str, lock_timeout: float) -> Warehouse:
    """The warehouse at a checked ``--warehouse``; nothing is opened or asked yet."""
    # the clients of either take half a second to import
    if address.startswith(BIGQUERY):
        from pipeline.warehouse.bigquery import BigQueryWarehouse

        return BigQueryWarehouse(parse_address(address), lock_timeout)
    from pipeline.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(address, lock_timeout)
