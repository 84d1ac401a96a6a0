"""The software bill of materials: a CycloneDX document of a lock file, on stdout.

::

    python requirements/sbom.py requirements/run.lock > sbom.json

Every component has the hashes of its files, as they are locked, and the graph says what asked for
what. The same lock gives the same bytes; there is no date and no random serial number in it.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = "nba-feature-store"
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?")
_HASH = re.compile(r"\s+--hash=sha256:([0-9a-f]{64})\s*\\?")
_PARENT = re.compile(r"\s+#(?: via)?\s+(?:-r )?([A-Za-z0-9._/-]+)(?:\[.*\])?(?: \(.*\))?")


@dataclass
class Locked:
    """A pinned package: the hashes of its files, who asked for it, and on which machines it is used."""

    name: str
    version: str
    marker: str | None = None
    hashes: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{normalize(self.name)}@{self.version}"


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> list[Locked]:
    """The packages of a lock file; raises ``ValueError`` at a line that is none of its kinds."""
    found: list[Locked] = []
    for number, line in enumerate(text.splitlines(), 1):
        if pin := _PIN.fullmatch(line):
            found.append(Locked(pin[1], pin[2], pin[3]))
        elif digest := _HASH.fullmatch(line):
            found[-1].hashes.append(digest[1])
        elif line.strip() in ("", "# via"):
            continue
        elif parent := _PARENT.fullmatch(line):
            found[-1].parents.append(parent[1])
        else:
            raise ValueError(
                f"line {number}: expected a pinned package, a hash or its parents: {line[:80]!r}"
            )
    return found


def describe(packages: Sequence[Locked], name: str) -> dict[str, Any]:
    """The document of some packages; ``name`` is what they are locked for."""
    root = f"pkg:pypi/{PROJECT}"
    # a package may be locked in one version for some machines and in another for others
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(normalize(package.name), []).append(package.purl)
    asked: dict[str, set[str]] = {root: set(), **{package.purl: set() for package in packages}}
    for package in packages:
        for parent in package.parents or [PROJECT]:
            for reference in versions.get(normalize(parent), [root]):
                asked[reference].add(package.purl)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, _sign(packages))}",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": root, "name": PROJECT, "purl": root},
            "properties": [{"name": "lock", "value": name}],
        },
        "components": [_describe_component(package) for package in packages],
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(needed)} for reference, needed in sorted(asked.items())
        ],
    }


def _describe_component(package: Locked) -> dict[str, Any]:
    marker = [{"name": "marker", "value": package.marker}] if package.marker else []
    return {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.hashes],
        **({"properties": marker} if marker else {}),
    }


def _sign(packages: Sequence[Locked]) -> str:
    return "\n".join(f"{package.purl} {' '.join(package.hashes)}" for package in packages)


def main(paths: Sequence[str]) -> None:
    (path,) = paths
    document = describe(read_lock(Path(path).read_text()), Path(path).name)
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
