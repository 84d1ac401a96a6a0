"""What the source never does: run data, reach a shell, or make SQL outside the modules that may."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hamcrest import assert_that, contains_string, empty, greater_than, has_item, has_length

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "transforms", "benchmarks")
SQL_MODULES = "pipeline/warehouse/"
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "telnetlib", "ftplib", "pty"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
FORBIDDEN_METHODS = {
    "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnl", "os.spawnv", "subprocess.getoutput",
    "subprocess.getstatusoutput", "yaml.load", "pickle.loads", "pickle.load", "importlib.import_module",
    "numpy.load", "np.load", "tempfile.mktemp", "ssl._create_unverified_context",
}  # fmt: skip
CHILDREN = {"benchmarks/processes.py", "benchmarks/bigquery.py"}
"""Modules that may start a process; none of the job's own."""
_STATEMENT = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(OR|TABLE|TEMP|VIEW|SCHEMA)|"
    r"DROP\s+(TABLE|VIEW)|ALTER\s+TABLE|MERGE\s|WITH\s+\w+\s+AS\s*\(|BEGIN\s+TRANSACTION|TRUNCATE\s)"
)


def find_offences(path: str, source: str) -> Iterator[str]:
    tree = ast.parse(source)
    documents = {id(text) for text in _list_documents(tree)}
    for node in ast.walk(tree):
        line = f"{path}:{getattr(node, 'lineno', 0)}"
        yield from (f"{line} {what}" for what in _judge(node, path, documents))


def _judge(node: ast.AST, path: str, documents: set[int]) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        yield from (f"imports {name}" for name in names if name.split(".")[0] in FORBIDDEN_MODULES)
        if path not in CHILDREN:
            yield from (f"imports {name}" for name in names if name.split(".")[0] == "subprocess")
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called in FORBIDDEN_CALLS | FORBIDDEN_METHODS:
            yield f"calls {called}"
        for keyword in node.keywords:
            unsafe = keyword.arg == "shell" or (keyword.arg in ("verify", "check_hostname"))
            if unsafe and ast.unparse(keyword.value) != str(keyword.arg != "shell"):
                yield f"passes {keyword.arg}={ast.unparse(keyword.value)}"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        yield "catches everything by a bare except"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and path.startswith("pipeline/"):
        makes_sql = _STATEMENT.match(node.value) and id(node) not in documents
        if makes_sql and not path.startswith(SQL_MODULES):
            yield f"makes SQL: {node.value[:40]!r}"


def _list_documents(tree: ast.Module) -> Iterator[ast.Constant]:
    """Docstrings, and strings that stand alone beneath what they describe."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def list_sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_the_source_runs_no_data_reaches_no_shell_and_makes_sql_in_one_place() -> None:
    sources = list_sources()
    assert_that(sources, has_length(greater_than(100)))
    offences = [
        offence
        for path in sources
        for offence in find_offences(str(path.relative_to(ROOT)), path.read_text())
    ]
    # the baseline in SQL is one, on purpose
    assert_that([found for found in offences if not found.startswith("benchmarks/")], empty())
    assert_that([found for found in offences if "makes SQL" not in found], empty())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import pickle", "imports pickle"),
        ("from yaml import load", "imports yaml"),
        ("import subprocess", "imports subprocess"),
        ("eval('1')", "calls eval"),
        ("exec(text)", "calls exec"),
        ("import os\nos.system('ls')", "calls os.system"),
        ("run(command, shell=True)", "passes shell=True"),
        ("get(url, verify=False)", "passes verify=False"),
        ("try:\n    x\nexcept:\n    pass", "bare except"),
        ("query = f'SELECT {x} FROM t'", "makes SQL"),
        ("query = 'DELETE FROM t'", "makes SQL"),
    ],
)
def test_the_scan_sees_what_it_looks_for(source: str, told: str) -> None:
    assert_that(list(find_offences("pipeline/x.py", source)), has_item(contains_string(told)))


def test_the_scan_passes_what_is_fine() -> None:
    source = '"""SELECT nothing FROM here."""\nrun(command, shell=False, verify=True)\nre.compile("x")\n'
    assert_that(list(find_offences("pipeline/x.py", source)), empty())
