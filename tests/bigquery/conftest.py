"""No test of BigQuery may leave loopback; houses behind fault proxies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from emulators.guard import loopback_only

if TYPE_CHECKING:
    from emulators.launch import Emulators
    from proxied import ProxiedHouse
    from warehouse import Row, Tables


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test if anything in this process tried to connect elsewhere, caught or not.

    gRPC connects from C, which the guard cannot see: a proxy that nobody serves stands in its way.
    """
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    with loopback_only() as tried:
        yield
    assert not tried, f"connections that leave loopback were tried: {', '.join(tried)}"


@dataclass(frozen=True)
class Undisturbed:
    """The tables after a run, and after a gap run, that nothing disturbs; and the imported rows."""

    after_run: Tables
    after_keys: Tables
    inputs: list[Row]


@pytest.fixture(scope="session")
def undisturbed(started_emulators: Emulators) -> Undisturbed:
    from proxied import KEYS, ROWS, open_house

    started_emulators.start()
    with open_house(started_emulators) as house:
        house.put(ROWS)
        house.run()
        after_run = house.read()
        house.run_keys(KEYS)
        assert len(after_run.features) > 20
        assert len(after_run.open_gaps) > 5
        return Undisturbed(after_run, house.read(), house.read_inputs())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are short, and nobody sleeps."""
    from proxied import hurry

    hurry(monkeypatch)


@pytest.fixture
def make_house(
    emulators: Emulators, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ProxiedHouse]]:
    """A house behind proxies whose staged rows go one of the ways `upload`, `resumable`, `bucket`."""
    from google.cloud.bigquery import client
    from proxied import open_house

    with ExitStack() as stack:

        def make(route: str = "upload") -> ProxiedHouse:
            if route == "resumable":
                monkeypatch.setattr(client, "_MAX_MULTIPART_SIZE", 0)
            temp = ""
            if route == "bucket":
                temp = f"bucket-of-{emulators.fresh_project()}"
                storage = emulators.storage_client("any")
                storage.create_bucket(temp)
                storage.close()
            return stack.enter_context(open_house(emulators, temp))

        yield make
