"""Files of a run on this machine, in a directory of its own beside the warehouse's file.

Results are staged as Parquet, for the commit. Rows that cross a shuffle are spilled as Arrow IPC
files, which a reader maps into memory: it touches no more of them than the bucket that it computes.

A run holds a lock on its directory for as long as its process lives, so the directory of a run
that died is known by its free lock, and the next run removes it. Directories come and go under a
lock on their root: none is taken for abandoned before its owner has locked it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import FeatureStoreError

_PLACE = pa.schema([("path", pa.string()), ("batch", pa.int64())])
"""Where a spilled batch is: its file, and its position there."""

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
                f"cannot keep the run's files in {directory}: {error.strerror or error}; the directory "
                f"of the warehouse must be writable, and {directory.parent.name} no link and no file"
            ) from error
        return cls(str(directory))

    def write(self, kind: str, part: str, batch: pa.RecordBatch) -> str:
        labels = [f.name for f in batch.schema if pa.types.is_dictionary(f.type)]
        with self._replace(f"{kind}-{part}.parquet") as (partial, path):
            pq.write_table(
                pa.Table.from_batches([batch]),
                partial,
                compression="lz4",
                use_dictionary=[*labels, "player_lookup"],
                write_statistics=False,
            )
        return str(path)

    def spill(self, part: str, batches: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch]:
        batches = list(batches)
        if not batches:
            return []
        with (
            self._replace(f"{part}.arrow") as (partial, path),
            pa.ipc.new_file(partial, batches[0].schema) as file,
        ):
            for batch in batches:
                file.write_batch(batch)
        return [
            pa.record_batch([pa.array([str(path)]), pa.array([index])], schema=_PLACE)
            for index in range(len(batches))
        ]

    def fetch(self, spilled: pa.RecordBatch) -> pa.RecordBatch:
        ((path,), (index,)) = (column.to_pylist() for column in spilled.columns)
        return pa.ipc.open_file(pa.memory_map(path)).get_batch(index)

    @contextmanager
    def _replace(self, name: str) -> Iterator[tuple[Path, Path]]:
        """(where to write, where it will be): the file is there whole or not at all."""
        path = Path(self.directory) / name
        partial = path.with_name(f"{name}.{os.getpid()}-{threading.get_ident()}.partial")
        yield partial, path
        os.replace(partial, path)


def find_cache() -> Path:
    """The user's own folder for the files of runs whose warehouse is not on this machine."""
    home = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(home) if home else Path.home() / ".cache") / "feature-store"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


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
    """A descriptor that holds the lock of the root; None when another run removed it meanwhile.

    A link in its place is refused: what it leads to is not ours to tidy.
    """
    try:
        held = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    fcntl.flock(held, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(held), root.stat()):
            return held
    os.close(held)
    return None
