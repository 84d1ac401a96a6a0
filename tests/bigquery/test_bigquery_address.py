"""The address of a BigQuery warehouse: what it says, and what cannot be one."""

from __future__ import annotations

import pytest
from hamcrest import assert_that, contains_string, equal_to, has_properties, not_

from pipeline.errors import UsageError
from pipeline.warehouse.bigquery import BigQueryWarehouse
from pipeline.warehouse.bigquery_address import parse_address
from pipeline.warehouse.bigquery_staging import BucketStager
from pipeline.warehouse.opening import open_warehouse

LOOPBACK = "api=http://127.0.0.1:9250&storage_api=localhost:9260"


def test_a_project_alone_is_an_address() -> None:
    assert_that(
        parse_address("bigquery://my-project"),
        has_properties(
            project="my-project",
            location="US",
            staging="feature_store_staging",
            temp=None,
            api=None,
            storage_api=None,
        ),
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("bigquery://my-project/", {"project": "my-project"}),
        ("bigquery://example.com:my-project", {"project": "example.com:my-project"}),
        ("bigquery://p12345?location=europe-west3", {"location": "europe-west3"}),
        ("bigquery://p12345?staging=Mine_2", {"staging": "Mine_2"}),
        ("bigquery://p12345?temp=gs://my.bucket", {"temp": "gs://my.bucket"}),
        ("bigquery://p12345?temp=gs://b_c/a/b=1/", {"temp": "gs://b_c/a/b=1"}),
        ("bigquery://p12345?temp=gs%3A%2F%2Fbucket%2Fpath", {"temp": "gs://bucket/path"}),
        (f"bigquery://p12345?{LOOPBACK}", {"api": "http://127.0.0.1:9250", "storage_api": "localhost:9260"}),
        ("bigquery://p12345?api=http://127.1.2.3:1&storage_api=127.0.0.1:1", {"storage_api": "127.0.0.1:1"}),
    ],
)
def test_the_parts_are_read(text: str, parts: dict[str, str]) -> None:
    found = parse_address(text)
    assert_that(found, has_properties(text=text, **parts))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bigquery://", "the project cannot be ''"),
        ("bigquery:///my-project", "expected bigquery://PROJECT"),
        ("bigquery://My-Project", "the project cannot be"),
        ("bigquery://p", "the project cannot be"),
        ("bigquery://my-project-", "the project cannot be"),
        ("bigquery://a`b-project", "the project cannot be"),
        ("bigquery://my-project; DROP TABLE x", "the project cannot be"),
        ("bigquery://my-project\n", "the project cannot be"),
        ("bigquery://my-project/dataset", "expected bigquery://PROJECT"),
        ("bigquery://my-project#x", "expected bigquery://PROJECT"),
        ("bigquery://my-project?region=US", "each part once; found 'region'"),
        ("bigquery://my-project?location=US&location=EU", "each part once; found one twice"),
        ("bigquery://my-project?location=", "location cannot be ''"),
        ("bigquery://my-project?location=US'", "location cannot be"),
        ("bigquery://my-project?staging=a.b", "staging, a dataset cannot be 'a.b'"),
        ("bigquery://my-project?staging=a`b", "staging, a dataset cannot be"),
        ("bigquery://my-project?temp=/tmp/x", "temp, a folder gs://BUCKET/PATH cannot be '/tmp/x'"),
        ("bigquery://my-project?temp=gs://", "temp, a folder"),
        ("bigquery://my-project?temp=gs://bucket/../x*", "temp, a folder"),
        ("bigquery://my-project?temp=gs://bucket//x", "temp, a folder"),
        ("bigquery://my-project?api=http://127.0.0.1:1", "api and storage_api go together"),
        ("bigquery://my-project?storage_api=127.0.0.1:1", "api and storage_api go together"),
        ("bigquery://my-project?api=https://127.0.0.1:1&storage_api=127.0.0.1:1", "api: expected http://"),
        ("bigquery://my-project?api=http://10.0.0.1:1&storage_api=127.0.0.1:1", "on loopback, found"),
        ("bigquery://my-project?api=http://127.0.0.1:1&storage_api=example.com:443", "on loopback, found"),
        ("bigquery://my-project?api=http://127.0.0.1:1@evil.com:2&storage_api=127.0.0.1:1", "on loopback"),
        ("bigquery://my-project?api=http://127.0.0.1&storage_api=127.0.0.1:1", "on loopback, found"),
        ("bigquery://my-project?api=http://127.0.0.1:1/x&storage_api=127.0.0.1:1", "on loopback, found"),
    ],
)
def test_what_is_no_address_is_refused_saying_why(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address(text)
    assert_that(str(refused.value), contains_string(told))


def test_a_long_address_is_cut_in_the_message() -> None:
    with pytest.raises(UsageError) as refused:
        parse_address("bigquery://" + "x" * 500 + "secret")
    assert_that(str(refused.value), not_(contains_string("secret")))


def test_an_address_opens_a_warehouse_and_asks_nothing() -> None:
    warehouse = open_warehouse("bigquery://my-project", 1.0, asked_by="R", max_bytes=7)
    assert isinstance(warehouse, BigQueryWarehouse)
    assert_that(warehouse, has_properties(address="bigquery://my-project", asked_by="R", max_bytes=7))
    assert_that(warehouse.is_remote)
    assert_that(warehouse._jobs.labels, equal_to({"component": "feature-store", "run": "r"}))


@pytest.mark.parametrize(
    ("temp", "prefix"),
    [("gs://bucket", "run-1"), ("gs://bucket/a/b", "a/b/run-1"), ("gs://bucket/a/", "a/run-1")],
)
def test_the_files_of_a_run_have_a_folder_of_their_own(temp: str, prefix: str) -> None:
    stager = BucketStager.of(parse_address(f"bigquery://my-project?temp={temp}"), "run-1")
    assert_that((stager.bucket, stager.prefix), equal_to(("bucket", prefix)))
