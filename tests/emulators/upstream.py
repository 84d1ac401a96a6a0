"""Changes to the emulator's source, each of which fails where that source is not what was read."""

from __future__ import annotations

import importlib.metadata
import inspect
import textwrap
from types import ModuleType

VERSION = "0.4.0"


def expect_version() -> None:
    """Refuse any other version than the one that the changes were written for."""
    found = importlib.metadata.version("local-bigquery")
    if found != VERSION:
        raise SystemExit(f"expected local-bigquery {VERSION}, found {found}")


def rewrite(module: ModuleType, name: str, *changes: tuple[str, str], **names: object) -> None:
    """Compile a function of a module anew with pieces of its text exchanged.

    Every piece must stand in the source exactly once. `names` become globals of the module, for the
    new text to use.
    """
    source = textwrap.dedent(inspect.getsource(getattr(module, name)))
    for old, new in changes:
        if source.count(old) != 1:
            raise SystemExit(
                f"expected {old!r} once in {module.__name__}.{name} of local-bigquery {VERSION}, "
                f"found it {source.count(old)} times"
            )
        source = source.replace(old, new)
    vars(module).update(names)
    exec(compile(source, f"{module.__file__} ({name}, changed)", "exec"), vars(module))  # noqa: S102
