"""Whether a statement filters a table by its partition column, so that partitions could be left out.

The real service refuses a statement over a table with `require_partition_filter` where nothing can be
left out. Counted here: a comparison, BETWEEN or IN of the bare column with what has no column and no
subquery, joined to the rest by AND. Where a subquery is the source of another, a filter of the outer
one on a column of that name counts too, as filters are pushed down.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

SOURCES = (exp.From, exp.Join, exp.Subquery, exp.CTE, exp.With, exp.SetOperation)
COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def lacks_filter(tree: exp.Expression, table: exp.Table, is_target: bool, field: str, context) -> bool:
    """Whether the statement has to be refused for the sake of this table."""
    if getattr(context, "unfiltered", False) or _is_view(tree):
        return False
    if is_target and not isinstance(tree, exp.Delete | exp.Update | exp.Merge):
        return False
    variables = set(context.variables)
    return not any(
        _prunes(condition, names, field.casefold(), variables)
        for condition, names in _conditions(tree, table, is_target)
    )


def _is_view(tree: exp.Expression) -> bool:
    return isinstance(tree, exp.Create) and (tree.args.get("kind") or "").upper() == "VIEW"


def _conditions(
    tree: exp.Expression, table: exp.Table, is_target: bool
) -> Iterator[tuple[exp.Expression, set[str] | None]]:
    """The conditions that a row of the table has to meet, and how its columns may be qualified."""
    names: set[str] | None = {"", table.alias_or_name.casefold()}
    if is_target:
        yield from ((condition, names) for condition in _own_conditions(tree))
        return
    node = table.parent
    while isinstance(node, SOURCES):
        node = node.parent
    while isinstance(node, exp.Select | exp.Update | exp.Delete | exp.Merge):
        yield from ((condition, names) for condition in _own_conditions(node))
        names, node = None, node.parent
        while isinstance(node, SOURCES):
            node = node.parent


def _own_conditions(node: exp.Expression) -> Iterator[exp.Expression]:
    if where := node.args.get("where"):
        yield where.this
    if isinstance(node, exp.Merge):
        yield node.args["on"]
    yield from (join.args["on"] for join in node.args.get("joins") or [] if join.args.get("on"))


def _prunes(condition: exp.Expression, names: set[str] | None, field: str, variables: set[str]) -> bool:
    def recurse(part: exp.Expression) -> bool:
        return _prunes(part, names, field, variables)

    def is_field(part: exp.Expression) -> bool:
        named = isinstance(part, exp.Column) and part.name.casefold() == field
        return named and (names is None or part.table.casefold() in names)

    def is_constant(part: exp.Expression) -> bool:
        columns = part.find_all(exp.Column)
        free = all(not column.table and column.name.casefold() in variables for column in columns)
        return free and part.find(exp.Query) is None

    match condition:
        case exp.Paren():
            return recurse(condition.this)
        case exp.And():
            return recurse(condition.left) or recurse(condition.right)
        case exp.Or():
            return recurse(condition.left) and recurse(condition.right)
        case exp.Between():
            bounds = (condition.args["low"], condition.args["high"])
            return is_field(condition.this) and all(map(is_constant, bounds))
        case exp.In():
            listed = [*condition.expressions, *filter(None, [condition.args.get("unnest")])]
            return is_field(condition.this) and bool(listed) and all(map(is_constant, listed))
        case _ if isinstance(condition, COMPARISONS):
            left, right = condition.left, condition.right
            return (is_field(left) and is_constant(right)) or (is_field(right) and is_constant(left))
    return False
