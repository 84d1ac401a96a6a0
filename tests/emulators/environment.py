"""The interpreter and the locked environment that the emulators run in. Nothing here starts a server.

python -m emulators.environment find     prints a Python 3.13, or fails
python -m emulators.environment build    makes `.venv-emulators`
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "emulators.lock"
ENVIRONMENT = ROOT / ".venv-emulators"
PYTHON = ENVIRONMENT / "bin" / "python"
READY = ENVIRONMENT / ".ready"
NO_INTERPRETER = "no Python 3.13 was found, as python3.13 or among pyenv's versions"
PROBE = "import sys, ensurepip; print(sys.implementation.name, *sys.version_info[:2], sys.executable)"


def find_interpreter(version: str = "3.13") -> Path | None:
    """A CPython that runs, from the path or from pyenv's versions; None where there is none.

    Each candidate is run, since a shim may be on the path without a version behind it.
    """
    found = (_probe(candidate, version) for candidate in _candidates(version))
    return next((interpreter for interpreter in found if interpreter), None)


def is_built() -> bool:
    """Whether `.venv-emulators` holds what the lock file names."""
    return READY.exists() and READY.read_bytes() == LOCK.read_bytes()


def missing() -> str | None:
    """Why the emulators cannot run here; None where they can."""
    if is_built():
        return None
    if find_interpreter() is None:
        return NO_INTERPRETER
    return "Python 3.13 is there, but .venv-emulators is not up to date: make emulators"


def build(interpreter: Path) -> None:
    """Make `.venv-emulators` from the lock file, unless it is up to date."""
    if is_built():
        return
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", interpreter, ENVIRONMENT], check=True)
    install = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--python",
        PYTHON,
        "--require-hashes",
        "-r",
        LOCK,
    ]
    subprocess.run(install, check=True)
    READY.write_bytes(LOCK.read_bytes())


def _candidates(version: str) -> list[Path]:
    named = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    kept = sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"))
    return [*([Path(named)] if named else []), *kept]


def _probe(candidate: Path, version: str) -> Path | None:
    try:
        answer = subprocess.run([candidate, "-c", PROBE], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = answer.stdout.split(maxsplit=3)
    if answer.returncode or words[:3] != ["cpython", *version.split(".")]:
        return None
    return Path(words[3].strip())


if __name__ == "__main__":
    if found := find_interpreter():
        build(found)
    else:
        sys.stderr.write(f"NOT VERIFIED: BigQuery: {NO_INTERPRETER}\n")
