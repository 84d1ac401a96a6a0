"""Names of SELECT lists: where BigQuery takes them, and those it gives itself.

In GROUP BY, HAVING, QUALIFY and ORDER BY a name of the SELECT list goes before a column's, which
DuckDB does only in part: ``SELECT DATE_TRUNC(d, MONTH) AS d ... GROUP BY d`` would group by day.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from pipeline.warehouse.dialect import dates
from pipeline.warehouse.dialect.calls import build_struct
from pipeline.warehouse.dialect.functions import AGGREGATES
from pipeline.warehouse.dialect.parsing import refuse


def resolve_names(tree: exp.Query) -> None:
    """Puts into every SELECT, in place, what its list's names stand for, then names the unnamed."""
    for select in list(tree.find_all(exp.Select)):
        _resolve_clauses(select)
        _shape_rows(select)
        _name_columns(select)


def _resolve_clauses(select: exp.Select) -> None:
    named = {e.alias.lower(): e.this for e in select.expressions if isinstance(e, exp.Alias)}
    positions = {e.alias.lower(): n for n, e in enumerate(select.expressions, 1) if isinstance(e, exp.Alias)}
    has_star = any(e.find(exp.Star) and not isinstance(e, exp.Alias) for e in select.expressions)
    group = select.args.get("group")
    if group is not None:
        for column in _list_columns(group, named):
            if column.parent is group and not has_star:
                column.replace(exp.Literal.number(positions[column.name.lower()]))
            else:
                column.replace(named[column.name.lower()].copy())
    for clause in ("having", "qualify", "order"):
        found = select.args.get(clause)
        if found is None or (clause == "order" and select.args.get("distinct")):
            continue
        for column in _list_columns(found, named):
            if not isinstance(column.parent, exp.Ordered) or column.find_ancestor(exp.Window):
                column.replace(exp.paren(named[column.name.lower()].copy()))


def _list_columns(clause: exp.Expr, named: Mapping[str, exp.Expr]) -> list[exp.Column]:
    """The clause's own unqualified columns that the SELECT list names, outside aggregates."""

    def is_inside(node: exp.Expr) -> bool:
        return isinstance(node, exp.Query) or (
            isinstance(node, exp.Anonymous)
            and node.name.upper() in AGGREGATES
            and not isinstance(node.parent, exp.Window)
        )

    return [
        node
        for node in clause.walk(prune=is_inside)
        if isinstance(node, exp.Column)
        and not node.table
        and node.name.lower() in named
        and not dates.is_part(node)
    ]


def _shape_rows(select: exp.Select) -> None:
    """SELECT AS STRUCT gives one struct where a value is wanted; a table of structs has their columns."""
    kind = select.args.get("kind")
    if kind == "STRUCT" and _is_value(select):
        if any(e.is_star for e in select.expressions):
            refuse(select, "SELECT AS STRUCT * is not answered: name the columns")
        struct = build_struct(exp.Anonymous(this="STRUCT", expressions=select.expressions), _keep)
        select.set("expressions", [struct])
    if kind is not None:
        select.set("kind", None)


def _is_value(select: exp.Select) -> bool:
    """Whether the rows are elements of ARRAY(...), or the one value of a subquery."""
    outer = select.parent
    while isinstance(outer, exp.SetOperation):
        outer = outer.parent
    if isinstance(outer, exp.Subquery):
        return not isinstance(outer.parent, exp.From | exp.Join)
    return isinstance(outer, exp.Array)


def _keep(found: exp.Expr) -> exp.Expr:
    return found


def _name_columns(select: exp.Select) -> None:
    """Columns without a name are ``f0_``, ``f1_``, ..."""
    unnamed = 0
    columns: list[exp.Expr] = []
    for e in select.expressions:
        if isinstance(e, exp.Column | exp.Star | exp.Alias) or e.is_star:
            columns.append(e)
        elif isinstance(e, exp.Dot):
            columns.append(exp.alias_(e, e.name, quoted=True))
        else:
            columns.append(exp.alias_(e, f"f{unnamed}_", quoted=True))
            unnamed += 1
    select.set("expressions", columns)
