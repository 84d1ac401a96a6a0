"""What a statement may hold, judged on its tree: known syntax, known tables, nothing else.

Both are lists of what is allowed. What sqlglot learns to parse one day is refused until it is
tested here; and no table function, file name or catalog of the database can be named.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from sqlglot import exp

from pipeline.errors import WrongShape
from pipeline.warehouse.dialect.functions import REFUSED
from pipeline.warehouse.dialect.parsing import locate, refuse

_ANSWERED = {
    "clauses": "Select Union Intersect Except Subquery With CTE From Join Where Group Rollup Cube "
    "GroupingSets Having Qualify Order Ordered Limit Offset Distinct Star Table TableAlias Alias Unnest "
    "Window WindowSpec",
    "values": "Column Identifier Var Literal RawString ByteString HexString Boolean Null Interval Array "
    "Struct Tuple DataType DataTypeParam ColumnDef Bracket Dot Paren ParseJSON",
    "operators": "Add Sub Mul Div Neg DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift "
    "BitwiseRightShift And Or Not EQ NEQ GT GTE LT LTE Is NullSafeEQ NullSafeNEQ Like In Between Exists "
    "Case If",
    "calls": "Anonymous SafeFunc Cast TryCast Extract AtTimeZone CurrentDate CurrentDatetime CurrentTime "
    "CurrentTimestamp IgnoreNulls RespectNulls HavingMax",
}
ANSWERED = frozenset(name for names in _ANSWERED.values() for name in names.split())
_TABLE_PARTS = {"this", "db", "catalog", "alias", "joins"}
_NAMES = {
    "Parameter": "a parameter: write its value into the statement",
    "SessionParameter": "a system variable",
    "Placeholder": "a parameter: write its value into the statement",
    "Mod": "% as an operator: BigQuery writes MOD(a, b)",
    "ILike": "ILIKE: BigQuery writes LOWER(x) LIKE",
    "Any": "LIKE ANY: join the patterns with OR",
    "All": "LIKE ALL: join the patterns with AND",
    "NetFunc": "a function of NET",
    "TableSample": "TABLESAMPLE",
    "Version": "FOR SYSTEM_TIME: only the present state is stored",
    "Pivot": "PIVOT or UNPIVOT: use COUNTIF, or SUM over IF, for each column",
    "Values": "VALUES: BigQuery writes UNNEST([...])",
    "Lateral": "LATERAL: BigQuery writes UNNEST",
    "IntervalSpan": "an interval of several parts",
}
SUGGESTED = 3


def check_nodes(tree: exp.Expr) -> None:
    """Raises ``BadInput`` for the first piece of syntax that is not known to be answered rightly."""
    for node in tree.walk():
        kind = type(node).__name__
        if kind not in ANSWERED:
            refuse(node, f"this is not answered: {_NAMES.get(kind, kind)}")
        if isinstance(node, exp.Cast) and node.args.get("format"):
            refuse(node, "CAST with FORMAT is not answered: use FORMAT_DATE or PARSE_DATE and the like")
        if isinstance(node, exp.Distinct) and node.args.get("on"):
            refuse(node, "DISTINCT ON is not answered: BigQuery writes QUALIFY ROW_NUMBER()")
        if isinstance(node, exp.Dot) and not isinstance(node.expression, exp.Identifier | exp.Star):
            refuse(node, "functions of a dataset or of ML are not answered")
        if isinstance(node, exp.Anonymous) and node.name.upper() in REFUSED:
            refuse(node, f"{node.name.upper()} is not answered: {REFUSED[node.name.upper()]}")


def check_sources(tree: exp.Expr, tables: Iterable[str]) -> None:
    """Raises ``WrongShape`` for a source that is neither a stored table nor one of the statement's own.

    ``tables`` holds the stored ones as ``dataset.name``.
    """
    known = frozenset(tables)
    for table in tree.find_all(exp.Table):
        given = {name for name, value in table.args.items() if value}
        if given - _TABLE_PARTS or not isinstance(table.this, exp.Identifier):
            refuse(
                table, "expected a table's name after FROM or JOIN: table functions and files are not read"
            )
        path = ".".join(part.name for part in (table.args.get("db"), table.this) if part)
        if path not in known and (table.args.get("db") or not _is_named_above(table)):
            raise WrongShape(f"there is no table {path[:100]!r}{locate(table)}. {_suggest(path, known)}")


def _is_named_above(table: exp.Table) -> bool:
    """Whether a WITH names it where the table stands: any of an outer one, the earlier ones of its own.

    Were a later name let through, DuckDB would look for a view of its own system catalog.
    """
    node: exp.Expr = table
    while node.parent is not None:
        part, node = node, node.parent
        clause = node if isinstance(node, exp.With) else node.args.get("with_")
        if not clause or clause is part:
            continue
        named = list(clause.expressions)
        if clause is node:
            position = named.index(part)
            repeats = clause.args.get("recursive") and isinstance(part.this, exp.SetOperation)
            named = named[: position + 1] if repeats else named[:position]
        if any(cte.alias.lower() == table.name.lower() for cte in named):
            return True
    return False


def _suggest(path: str, known: frozenset[str]) -> str:
    by_name = [table for table in sorted(known) if table.endswith(f".{path.rpartition('.')[2].lower()}")]
    near = by_name or get_close_matches(path, sorted(known), SUGGESTED, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near[:SUGGESTED])}?"
    return f"Stored are: {', '.join(sorted(known)) or 'no tables yet; see `feature-store import`'}"
