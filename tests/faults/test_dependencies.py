"""Dependencies: locked, hashed, the same for launcher and workers, and listed in a bill of materials."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hamcrest import assert_that, empty, equal_to, greater_than, has_entries, has_item, has_length, is_in

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def read_needs() -> list[str]:
    """What runs the project needs: ``install_requires`` of setup.py."""
    for node in ast.walk(ast.parse((ROOT / "setup.py").read_text())):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            return list(ast.literal_eval(node.value))
    raise AssertionError("setup.py has no install_requires")


NEEDS = read_needs()


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "requirements" / "sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sbom"] = module
    spec.loader.exec_module(module)
    return module


SBOM = load_script()


def read(name: str) -> list[Any]:
    return list(SBOM.read_lock((ROOT / "requirements" / name).read_text()))


def name_requirements(lines: list[str]) -> set[str]:
    return {
        SBOM.normalize(re.split(r"[\[<>=!~; ]", line.strip())[0])
        for line in lines
        if line.strip() and line[0] not in "#-"
    }


def demand(lock: str) -> set[str]:
    """What a lock must hold, by the files that it was made from."""
    project = PYPROJECT["project"]
    extras = {f"{name}.lock": lines for name, lines in project["optional-dependencies"].items()}
    source = ROOT / "requirements" / lock.replace(".lock", ".in")
    if source.exists():
        return name_requirements(source.read_text().splitlines())
    return name_requirements(NEEDS + extras.get(lock, []))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_file_has_a_version_and_hashes(path: Path) -> None:
    packages = read(path.name)
    assert_that(packages, has_length(greater_than(0)))
    assert_that([package.name for package in packages if not package.hashes], empty())
    assert_that(
        [line for line in path.read_text().splitlines() if "://" in line or line.startswith("-")], empty()
    )


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_holds_what_was_asked_for(path: Path) -> None:
    found = {SBOM.normalize(package.name) for package in read(path.name)}
    assert_that(demand(path.name) - found, empty())


def test_launcher_tests_and_benchmarks_run_the_versions_of_the_workers() -> None:
    run = {package.purl: package.hashes for package in read("run.lock")}
    for lock in ("dev.lock", "bench.lock"):
        others = {package.purl: package.hashes for package in read(lock)}
        assert_that({name: hashes for name, hashes in run.items() if others.get(name) != hashes}, empty())


def test_what_builds_the_package_is_locked_too() -> None:
    needed = name_requirements(PYPROJECT["build-system"]["requires"])
    assert_that(needed - {SBOM.normalize(package.name) for package in read("dev.lock")}, empty())


def test_everything_is_installed_with_its_hashes() -> None:
    installs = [
        line
        for line in (ROOT / "Makefile").read_text().splitlines()
        if re.search(r"pip install", line) and "--editable" not in line
    ]
    assert_that(installs, has_length(greater_than(1)))
    assert_that([line for line in installs if "--require-hashes" not in line], empty())


@pytest.mark.parametrize(
    "line", ["duckdb>=2", "duckdb", "git+https://x/y", "-e .", "--index-url https://x", "a==1 @ file:///x"]
)
def test_a_line_that_pins_nothing_is_no_lock(line: str) -> None:
    with pytest.raises(ValueError, match="expected a pinned package"):
        SBOM.read_lock(line)


def test_the_bill_of_materials_lists_what_runs_and_who_asked_for_it() -> None:
    script = [sys.executable, str(ROOT / "requirements" / "sbom.py"), str(ROOT / "requirements" / "run.lock")]
    texts = [subprocess.run(script, check=True, capture_output=True, timeout=60).stdout for _ in range(2)]
    assert_that(texts[0], equal_to(texts[1]))
    document = json.loads(texts[0])
    assert_that(document, has_entries(bomFormat="CycloneDX", specVersion="1.5", version=1))
    components = document["components"]
    assert_that({(c["name"], c["version"]) for c in components},
                equal_to({(p.name, p.version) for p in read("run.lock")}))  # fmt: skip
    references = [component["bom-ref"] for component in components]
    assert_that(len(set(references)), equal_to(len(references)))
    graph = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
    root = document["metadata"]["component"]["bom-ref"]
    assert_that(set(graph), equal_to({root, *references}))
    for needed in graph.values():
        for reference in needed:
            assert_that(reference, is_in(references))
    asked = {reference.split("@")[0].removeprefix("pkg:pypi/") for reference in graph[root]}
    assert_that(asked, equal_to(name_requirements(NEEDS)))
    beam = next(reference for reference in references if "/apache-beam@" in reference)
    arrow = next(reference for reference in references if "/pyarrow@" in reference)
    assert_that(graph[beam], has_item(arrow))
