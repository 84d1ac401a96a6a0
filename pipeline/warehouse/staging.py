"""Staged files of the embedded warehouse: Parquet in a directory of the run, beside the file.

A run holds a lock on its directory for as long as its process lives, so the directory of a run
that died is known by its free lock, and the next run removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

_OWNER = "owner.lock"
_HELD: dict[str, IO[bytes]] = {}


@dataclass(frozen=True)
class LocalStager:
    """``transforms.staging.Stager`` on a local directory."""

    directory: str

    @classmethod
    def create(cls, warehouse: str, run_id: str) -> LocalStager:
        """The directory of a new run; those of dead runs are removed."""
        root = staging_root(warehouse)
        remove_abandoned(root)
        directory = root / run_id
        directory.mkdir(parents=True)
        owner = (directory / _OWNER).open("wb")
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _HELD[str(directory)] = owner
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
    root = staging_root(warehouse)
    owner = _HELD.pop(str(root / run_id), None)
    shutil.rmtree(root / run_id, ignore_errors=True)
    if owner is not None:
        owner.close()
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()


def remove_abandoned(root: Path) -> None:
    """Removes the directories whose owner does not live any more."""
    for owner_file in root.glob(f"*/{_OWNER}"):
        with owner_file.open("rb") as owner:
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(owner_file.parent, ignore_errors=True)
