"""The guard that keeps tests on loopback."""

from __future__ import annotations

import contextlib
import socket

import pytest
from emulators.guard import LeftLoopback, loopback_only

OUTSIDE = "192.0.2.1"


@pytest.mark.parametrize(
    "leave",
    [
        lambda: socket.create_connection((OUTSIDE, 80), timeout=1),
        lambda: socket.getaddrinfo("metadata.google.internal", 80),
        lambda: socket.create_connection(("bigquery.googleapis.com", 443), timeout=1),
    ],
    ids=["address", "name", "service"],
)
def test_what_leaves_loopback_is_refused_and_told(on_loopback, leave):
    with loopback_only() as tried, contextlib.suppress(OSError):
        leave()
    assert len(tried) == 1


def test_loopback_is_free():
    with socket.create_server(("127.0.0.1", 0)) as listener, loopback_only() as tried:
        socket.create_connection(listener.getsockname(), timeout=1).close()
        socket.getaddrinfo("localhost", 80)
    assert tried == []


def test_a_refusal_looks_like_a_refused_connection():
    with loopback_only(), pytest.raises(LeftLoopback, match=OUTSIDE):
        socket.create_connection((OUTSIDE, 80), timeout=1)
