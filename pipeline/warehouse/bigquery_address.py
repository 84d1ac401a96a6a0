"""``bigquery://PROJECT?location=US&staging=DATASET&temp=gs://BUCKET/PATH``, read and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl

from pipeline.errors import UsageError

BIGQUERY = "bigquery://"
DEFAULT_LOCATION, DEFAULT_STAGING = "US", "feature_store_staging"

_PROJECT = re.compile(r"(?:[a-z0-9.-]{1,63}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_LOCATION = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,40}")
_DATASET = re.compile(r"[A-Za-z0-9_]{1,128}")
_TEMP = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:/[A-Za-z0-9._=-]+)*/?")
_EXPECTED = "bigquery://PROJECT[?location=US&staging=DATASET&temp=gs://BUCKET/PATH]"


@dataclass(frozen=True)
class BigQueryAddress:
    """``staging`` is the dataset of the runs' own tables; ``temp`` the folder of their files, None where
    they are kept on this machine and uploaded.

    ``api`` (``http://HOST:PORT``) and ``storage_api`` (``HOST:PORT``) are where the two services answer
    when they are not Google's: on loopback only, and without credentials.
    """

    text: str
    project: str
    location: str = DEFAULT_LOCATION
    staging: str = DEFAULT_STAGING
    temp: str | None = None
    api: str | None = None
    storage_api: str | None = None


def parse_address(text: str) -> BigQueryAddress:
    """The parts of an address. Raises ``UsageError`` saying which part is wrong."""
    match = re.fullmatch(r"bigquery://([^/?#]*)/?(?:\?([^#]*))?", text)
    if match is None:
        raise UsageError(f"expected {_EXPECTED}, found {text[:80]!r}")
    project, pairs = match[1], parse_qsl(match[2] or "", keep_blank_values=True)
    given = dict(pairs)
    unknown = sorted(set(given) - {"location", "staging", "temp", "api", "storage_api"})
    if unknown or len(given) != len(pairs):
        found = repr(unknown[0][:40]) if unknown else "one twice"
        raise UsageError(f"expected {_EXPECTED}, each part once; found {found}")
    _check("the project", _PROJECT, project)
    _check("location", _LOCATION, given.get("location", DEFAULT_LOCATION))
    _check("staging, a dataset", _DATASET, given.get("staging", DEFAULT_STAGING))
    if "temp" in given:
        _check("temp, a folder gs://BUCKET/PATH", _TEMP, given["temp"])
    if ("api" in given) != ("storage_api" in given):
        raise UsageError("api and storage_api go together: a warehouse is in one place")
    if "api" in given:
        _check_loopback("api", given["api"], "http://")
        _check_loopback("storage_api", given["storage_api"], "")
    return BigQueryAddress(text, project, **{name: value.rstrip("/") for name, value in given.items()})


def _check(what: str, pattern: re.Pattern[str], value: str) -> None:
    if not pattern.fullmatch(value):
        raise UsageError(f"{_EXPECTED}: {what} cannot be {value[:80]!r}")


def _check_loopback(what: str, value: str, scheme: str) -> None:
    """Elsewhere than on loopback the services are Google's, and credentials go nowhere else."""
    host, _, port = value.removeprefix(scheme).partition(":")
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not (local and value.startswith(scheme) and re.fullmatch("[0-9]{1,5}", port)):
        raise UsageError(f"{what}: expected {scheme}HOST:PORT on loopback, found {value[:80]!r}")
