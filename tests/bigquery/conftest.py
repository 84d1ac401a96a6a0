"""No test of BigQuery may leave loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulators.guard import loopback_only


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
