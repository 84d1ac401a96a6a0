"""Questions to BigQuery: one SELECT, checked before it is sent and by the service before it runs."""

from __future__ import annotations

from google.api_core import exceptions
from google.cloud import bigquery

from pipeline.errors import BadInput
from pipeline.warehouse.base import Answer
from pipeline.warehouse.bigquery_clients import CALL_SECONDS, make_retry, open_client, shorten, translating
from pipeline.warehouse.bigquery_jobs import Jobs
from pipeline.warehouse.dialect.parsing import parse_statement


def answer_query(jobs: Jobs, text: str) -> Answer:
    """What the statement asks for.

    Raises ``BadInput`` when it is not exactly one SELECT, or the service does not take it.
    """
    parse_statement(text)
    client = open_client(jobs.address)
    config = jobs.configure_query({})
    config.dry_run = True
    with translating("the statement"):
        try:
            planned = client.query(
                text, job_config=config, retry=make_retry(), timeout=CALL_SECONDS, job_retry=None
            )
            _check_reading(planned)
            return Answer(jobs.ask(text), [])
        except exceptions.BadRequest as error:
            raise BadInput(f"the statement cannot be answered: {shorten(error)}") from error


def _check_reading(planned: bigquery.QueryJob) -> None:
    """The service's own word that the statement changes nothing."""
    kind = planned.statement_type
    if kind not in (None, "SELECT"):
        raise BadInput(f"expected a SELECT or WITH statement that changes nothing, found {kind}")
