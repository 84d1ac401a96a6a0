"""Staged files of the embedded warehouse: Parquet in a directory of the run, beside the file.

A run holds a lock on its directory for as long as its process lives, so the directory of a run
that died is known by its free lock, and the next run removes it. Directories come and go under a
lock on their root: none is taken for abandoned before its owner has locked it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import FeatureStoreError

_HELD: dict[str, int] = {}
"""The descriptors that hold the locks of this process's runs, by directory."""


@dataclass(frozen=True)
class LocalStager:
    """``transforms.staging.Stager`` on a local directory."""

    directory: str

    @classmethod
    def create(cls, warehouse: str, run_id: str) -> LocalStager:
        """The directory of a new run; those of dead runs are removed."""
        directory = staging_root(warehouse) / run_id
        try:
            with _lock_root(directory.parent):
                _remove_abandoned(directory.parent)
                directory.mkdir()
                _HELD[str(directory)] = owner = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FeatureStoreError(
                f"cannot keep the run's files in {directory}: {error.strerror or error}; "
                "the directory of the warehouse must be writable"
            ) from error
        return cls(str(directory))

    def write(self, kind: str, part: str, batch: pa.RecordBatch) -> str:
        path = Path(self.directory) / f"{kind}-{part}.parquet"
        labels = [f.name for f in batch.schema if pa.types.is_dictionary(f.type)]
        partial = path.with_suffix(f".{os.getpid()}.partial")
        pq.write_table(
            pa.Table.from_batches([batch]),
            partial,
            compression="lz4",
            use_dictionary=[*labels, "player_lookup"],
            write_statistics=False,
        )
        os.replace(partial, path)
        return str(path)


def staging_root(warehouse: str) -> Path:
    return Path(f"{warehouse}.staging")


def remove_staging(warehouse: str, run_id: str) -> None:
    """Removes the directory of a run of this process, and the root when it is empty."""
    directory = staging_root(warehouse) / run_id
    owner = _HELD.pop(str(directory), None)
    # what cannot be removed now is removed by the next run; the root may hold other runs
    with suppress(OSError):
        if directory.parent.is_dir():
            with _lock_root(directory.parent):
                shutil.rmtree(directory, ignore_errors=True)
                directory.parent.rmdir()
    if owner is not None:
        os.close(owner)


def _remove_abandoned(root: Path) -> None:
    """Removes the directories whose owner does not live any more."""
    for directory in root.iterdir():
        with suppress(OSError):  # its owner lives, or it is no directory
            owner = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(owner)


@contextmanager
def _lock_root(root: Path) -> Iterator[None]:
    """Holds the lock of the root, which is made where it does not exist."""
    held = None
    while held is None:
        with suppress(FileExistsError):  # and gone again: another run made and removed it
            root.mkdir(parents=True, exist_ok=True)
        held = _take_root(root)
    try:
        yield
    finally:
        os.close(held)


def _take_root(root: Path) -> int | None:
    """A descriptor that holds the lock of the root; None when another run removed it meanwhile."""
    try:
        held = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    fcntl.flock(held, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(held), root.stat()):
            return held
    os.close(held)
    return None
