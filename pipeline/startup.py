"""The start of the program, which is mostly imports."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pause_collector() -> Iterator[None]:
    """Inside the block nothing is collected, and what it made is not looked at again.

    Modules stay for good, and there are many objects in them: the collector takes a quarter of the
    time in which Beam is imported.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
