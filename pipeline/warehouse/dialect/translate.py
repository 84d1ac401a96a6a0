"""One statement of BigQuery's dialect as one of DuckDB's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import UnsupportedError
from sqlglot.generators.duckdb import DuckDBGenerator

from pipeline.errors import BadInput
from pipeline.warehouse.dialect import dates, macros
from pipeline.warehouse.dialect.aliases import resolve_names
from pipeline.warehouse.dialect.checks import check_nodes, check_sources
from pipeline.warehouse.dialect.functions import TESTED
from pipeline.warehouse.dialect.parsing import parse_statement
from pipeline.warehouse.dialect.rewriting import rewrite_tree


class _Answered(DuckDB):
    class Generator(DuckDBGenerator):
        TRANSFORMS: ClassVar = {
            **DuckDBGenerator.TRANSFORMS,
            # sqlglot writes it only for functions that it knows itself
            exp.IgnoreNulls: lambda self, node: f"{self.sql(node, 'this')} IGNORE NULLS",
        }


@dataclass(frozen=True)
class Translation:
    """DuckDB's statement, the macros it needs, and the functions that are passed on untested."""

    text: str
    macros: tuple[str, ...]
    untested: tuple[str, ...]

    @property
    def warnings(self) -> list[str]:
        return [f"{name} is passed on untested: its meaning in BigQuery may differ" for name in self.untested]


def translate_query(text: str, tables: Iterable[str]) -> Translation:
    """DuckDB's form of one SELECT or WITH statement over the stored ``tables`` (``dataset.name``).

    Raises ``BadInput`` for what is not one statement, changes something, or cannot be answered
    rightly; ``WrongShape`` for a table that is not stored.
    """
    try:
        tree = parse_statement(text)
        check_nodes(tree)
        check_sources(tree, tables)
        called = [node for node in tree.find_all(exp.Anonymous) if not dates.is_part(node)]
        untested = {node.name.upper() for node in called} - TESTED
        resolve_names(tree)
        rewrite_tree(tree)
        names = {node.name for node in tree.find_all(exp.Anonymous)}
        written = tree.sql(
            dialect=_Answered,
            identify=True,
            normalize_functions=False,
            comments=False,
            unsupported_level=ErrorLevel.RAISE,
        )
    except UnsupportedError as error:
        raise BadInput(f"this is not answered: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise BadInput("the statement is nested too deeply") from error
    return Translation(written, tuple(macros.list_needed(names)), tuple(sorted(untested)))
