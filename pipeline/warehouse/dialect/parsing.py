"""BigQuery's grammar, read so that every function call keeps the name and arguments it was given.

sqlglot's own reading of BigQuery turns calls into nodes shared by thirty dialects, in which what the
caller wrote can no longer be told. Here a call stays a call, and the table of tested functions
decides what becomes of it.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parsers.bigquery import BigQueryParser

from pipeline.errors import BadInput

_KEYWORD_CALLS = ("ARRAY", "CAST", "SAFE_CAST", "EXTRACT")
"""Calls whose arguments have a grammar of their own."""


class _Asked(BigQuery):
    class Parser(BigQueryParser):
        FUNCTIONS: ClassVar = {}
        FUNCTION_PARSERS: ClassVar = {name: BigQueryParser.FUNCTION_PARSERS[name] for name in _KEYWORD_CALLS}


def parse_statement(text: str) -> exp.Query:
    """The tree of the text's one SELECT or WITH statement.

    Raises ``BadInput`` when it cannot be parsed, is not one statement, or is one that changes something.
    """
    try:
        statements = sqlglot.parse(text, read=_Asked)
    except ParseError as error:
        where = error.errors[0] if error.errors else {}
        raise BadInput(
            f"the statement cannot be parsed in BigQuery's dialect: {where.get('description')} "
            f"(line {where.get('line')}, column {where.get('col')})"
        ) from error
    except (SqlglotError, RecursionError) as error:
        nested = isinstance(error, RecursionError)
        reason = "it is nested too deeply" if nested else (str(error).splitlines() or [""])[0]
        raise BadInput(f"the statement cannot be parsed in BigQuery's dialect: {reason[:300]}") from error
    found = [s for s in statements if s is not None and not isinstance(s, exp.Semicolon)]
    if len(found) != 1:
        raise BadInput(f"expected exactly one SELECT or WITH statement, found {len(found)}")
    if not isinstance(found[0], exp.Query) or found[0].find(exp.DML, exp.DDL, exp.Into):
        raise BadInput(
            "expected a SELECT or WITH statement that changes nothing, "
            f"found one that begins with {text.split()[0][:20].upper()!r}"
        )
    return found[0]


def refuse(node: exp.Expr, problem: str) -> NoReturn:
    """Raises ``BadInput``: the problem, and where in the statement it stands."""
    raise BadInput(f"{problem}{locate(node)}")


def locate(node: exp.Expr) -> str:
    """`` (line 1, column 8)``, of the node or the first of its parts whose place is known."""
    for part in node.walk():
        if "line" in part.meta:
            return f" (line {part.meta['line']}, column {part.meta['col']})"
    return ""
