"""Which tables a statement in BigQuery's dialect touches without both bounds of their date.

A bound is a comparison of the bare column with a constant, joined to the rest by AND, in the WHERE of the
very SELECT, DELETE or UPDATE that names the table, or in the ON of its MERGE or JOIN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from transforms.schema import OUTPUTS
from transforms.side_tables import INPUTS

PARTITIONS = {table.path: table.partition for table in (*INPUTS, *OUTPUTS) if table.partition is not None}
LOWER, UPPER = (exp.GT, exp.GTE), (exp.LT, exp.LTE)
_PLAIN = re.compile(r"(?:BEGIN|COMMIT|ROLLBACK) TRANSACTION|DECLARE [a-z_, ]+ [A-Z0-9]+(?: DEFAULT [^;]*)?")
_ENCLOSING = (exp.Select, exp.Delete, exp.Update, exp.Merge, exp.Insert, exp.Create)


def split_script(text: str) -> Iterator[str]:
    """The statements of a script as queries and changes; conditions and values as SELECTs of them."""
    for part in text.removesuffix(";").split(";\n"):
        if match := re.fullmatch(r"IF (.*?) THEN (.*); END IF", part, re.S):
            yield f"SELECT {match[1]}"
            yield from split_script(match[2].replace("; ", ";\n"))
        elif match := re.fullmatch(r"(?:ASSERT|SET \w+ =) (.*?)(?: AS '[^']*')?", part, re.S):
            yield f"SELECT {match[1]}"
        elif part != "RETURN" and not _PLAIN.fullmatch(part):
            yield part


def parse(statement: str) -> exp.Expression:
    (tree,) = sqlglot.parse(statement, read="bigquery")
    assert tree is not None
    assert not isinstance(tree, exp.Command), f"not understood: {statement[:200]}"
    return tree


def find_tables(tree: exp.Expression) -> Iterator[exp.Table]:
    """The partitioned tables that a statement names, each time."""
    yield from (found for found in tree.find_all(exp.Table) if f"{found.db}.{found.name}" in PARTITIONS)


def find_unbounded(text: str) -> list[str]:
    """``table: statement`` of each mention of a partitioned table that lacks a bound; views are left out."""
    found = []
    for statement in split_script(text):
        tree = parse(statement)
        if isinstance(tree, exp.Create) and tree.kind == "VIEW":
            continue
        for table in find_tables(tree):
            if not is_bounded(table):
                found.append(f"{table.db}.{table.name}: {statement[:300]}")
    return found


def is_bounded(table: exp.Table) -> bool:
    owner = table.find_ancestor(*_ENCLOSING)
    if isinstance(owner, exp.Insert):
        return True
    column = PARTITIONS[f"{table.db}.{table.name}"]
    bounds = [
        condition
        for condition in _list_conditions(owner)
        if isinstance(condition.this, exp.Column)
        and condition.this.name == column
        and condition.this.table in ("", table.alias_or_name)
        and _is_constant(condition.expression)
    ]
    return all(any(isinstance(bound, kinds) for bound in bounds) for kinds in (LOWER, UPPER))


def _list_conditions(owner: exp.Expression | None) -> Iterator[exp.Binary]:
    assert owner is not None
    given = [owner.args.get("on"), *(join.args.get("on") for join in owner.args.get("joins") or ())]
    if where := owner.args.get("where"):
        given.append(where.this)
    for condition in filter(None, given):
        for part in condition.flatten() if isinstance(condition, exp.And) else (condition,):
            if isinstance(part, exp.Binary):
                yield part


def _is_constant(value: exp.Expression) -> bool:
    return value.find(exp.Column, exp.Query) is None and value.find(exp.Literal, exp.Parameter) is not None
