"""One job, one installation: workers refuse what another version of the project or of Beam sent them.

The graph carries functions and values by the names of their modules, so what another version makes of
them cannot be told. The check stands before the first stage that reads, in every worker that runs it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from pipeline import __version__
from pipeline.errors import UsageError
from transforms.contracts import Chunk


@dataclass(frozen=True)
class Versions:
    """What launcher and workers must have in common; of Python the first two numbers."""

    package: str
    beam: str
    python: str

    @classmethod
    def here(cls) -> Versions:
        """Those of this process."""
        python = ".".join(platform.python_version_tuple()[:2])
        return cls(__version__, beam.version.__version__, python)

    def __str__(self) -> str:
        return f"nba-feature-store {self.package}, Beam {self.beam}, Python {self.python}"


def check_versions(launcher: Versions, worker: Versions) -> None:
    """Raises ``UsageError`` naming both where they are not the same."""
    if launcher != worker:
        raise UsageError(
            f"launcher and worker are not the same: the job was launched with {launcher}, the worker has "
            f"{worker}; launch with the image that the workers run (--sdk_container_image)"
        )


@beam.typehints.with_input_types(Chunk)
@beam.typehints.with_output_types(Chunk)
class _CheckVersionsFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, launcher: Versions) -> None:
        self._launcher = launcher

    def setup(self) -> None:
        check_versions(self._launcher, Versions.here())

    def process(self, element: Chunk) -> Iterator[Chunk]:
        yield element


class CheckVersions(beam.PTransform):  # type: ignore[misc]
    """Chunks as they are, on workers that have the versions of the process that builds the graph."""

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | "SameAsLauncher" >> beam.ParDo(_CheckVersionsFn(Versions.here()))
