"""Sees every connection of this process, and tells those that leave loopback.

An audit hook cannot be taken away again, so there is one a process; it notes only while a guard is on.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_outside: list[list[str]] = []
_hooked: list[bool] = []


class LeftLoopback(ConnectionRefusedError):
    """A connection was refused because its address is not on this machine."""


@contextmanager
def loopback_only() -> Iterator[list[str]]:
    """Refuse connections and look-ups of names that leave loopback; the list names those that were tried.

    Where guards are nested, the inner one notes them.
    """
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_see)
    tried: list[str] = []
    _outside.append(tried)
    try:
        yield tried
    finally:
        _outside.remove(tried)


def _see(event: str, arguments: tuple[Any, ...]) -> None:
    if not _outside:
        return
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if not _is_loopback(host):
        _outside[-1].append(str(host))
        raise LeftLoopback(f"a test may not connect to {host}")


def _is_loopback(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host if isinstance(host, str) else str(host, "ascii")).is_loopback
    except (TypeError, ValueError):
        return False
