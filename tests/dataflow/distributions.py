"""The project as it is installed elsewhere: an sdist, the wheel made from it, environments that hold it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
SOURCES = ("pipeline", "transforms", "docs", "requirements", "templates")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "CHANGELOG.md", "Makefile")


@dataclass(frozen=True)
class Distributions:
    sdist: Path
    wheel: Path


def build_distributions(folder: Path) -> Distributions:
    """Builds in a copy of the sources: a build leaves files beside them."""
    copy, out = folder / "sources", folder / "dist"
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, copy])
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Distributions(sdist, wheel)


def install(distribution: Path, interpreter: str | Path, folder: Path) -> Path:
    """The Python of a new environment that holds the locked dependencies and the distribution, as the image
    does."""
    run([UV, "venv", "--quiet", "--python", interpreter, folder])
    python = folder / "bin" / "python"
    pip = [UV, "pip", "install", "--quiet", "--python", python]
    run([*pip, "--require-hashes", "-r", ROOT / "requirements" / "run.lock"])
    run([*pip, "--no-deps", distribution])
    return python


def run(
    command: list[str | Path], cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs to a good end, with nothing of the tests' own environment but where programs and caches are."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_"))}
    kept |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=kept | variables, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done
