"""Keeps a server process to loopback, and to the life of the process that started it."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import sys
import threading
import time

WATCH_SECONDS = 0.2
BIND_SECONDS = 10.0


def confine() -> None:
    """Refuse connections beyond loopback, and end when the parent does.

    The folder that EMULATOR_SCRATCH names goes then, too: nobody else is left to remove it.
    """
    sys.addaudithook(_refuse_outside)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one.

    A port may be taken for a moment by the server that was killed, so a given one is tried for a while.
    """
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
        except OSError:
            listener.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return listener


def announce(**ports: int) -> None:
    """Tell the parent on which ports the server answers."""
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()


def _refuse_outside(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        try:
            inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            inside = False
        if not inside:
            raise ConnectionRefusedError(f"an emulator may not connect to {host}")


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    if scratch := os.environ.get("EMULATOR_SCRATCH"):
        shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)
