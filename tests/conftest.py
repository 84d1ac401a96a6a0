"""What every test may rely on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

pytest_plugins = ["emulators.plugin"]


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """SIGINT interrupts: where the suite runs in the background it is ignored, by children, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
