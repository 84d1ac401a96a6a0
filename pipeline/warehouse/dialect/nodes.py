"""Small pieces of trees, made and read."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from pipeline.warehouse.dialect.parsing import refuse


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def cast(node: exp.Expr, kind: str) -> exp.Cast:
    """A cast to one of DuckDB's types."""
    return exp.Cast(this=node, to=exp.DataType.build(kind, dialect="duckdb"))


def cast_text(node: exp.Expr, kind: str) -> exp.Expr:
    """A text literal where BigQuery reads it as a date or a time; any other node as it is."""
    return cast(node, kind) if is_text(node) else node


def is_text(node: Any) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def read_text(node: exp.Expr, what: str) -> str:
    """The value of a text literal; anything else is refused, because it is only known while running."""
    if not is_text(node):
        refuse(node, f"{what} must be a text literal")
    return str(node.this)
