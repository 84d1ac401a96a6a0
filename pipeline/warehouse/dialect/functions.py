"""The table of tested functions: every name that is answered, and what becomes of it.

A name stands in exactly one of four places: it means the same under its own name (``AS_IS``) or
under another (``RENAMED``), is said once more in SQL (``macros.FUNCTIONS``), or is rebuilt on the
tree (``REBUILT``). ``tests/pipeline/warehouse/test_sql_functions.py`` runs every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from pipeline.warehouse.dialect import calls, dates, macros, nodes
from pipeline.warehouse.dialect.parsing import refuse

Build = Callable[[exp.Anonymous, calls.Over], exp.Expr]

_AS_IS = {
    "aggregates": "COUNT SUM AVG MIN MAX STDDEV STDDEV_SAMP STDDEV_POP VARIANCE VAR_SAMP VAR_POP COVAR_POP "
    "COVAR_SAMP BIT_AND BIT_OR BIT_XOR GROUPING",
    "windows": "ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE LAG LEAD FIRST_VALUE LAST_VALUE "
    "NTH_VALUE",
    "conditions": "COALESCE NULLIF",
    "numbers": "ABS CEIL CEILING FLOOR SIN COS TAN ASIN ACOS ATAN ATAN2 BIT_COUNT",
    "texts": "UPPER LOWER REVERSE REPLACE STRPOS STARTS_WITH ENDS_WITH ASCII TRANSLATE",
}
AS_IS = frozenset(name for names in _AS_IS.values() for name in names.split())

RENAMED: Mapping[str, str] = {
    "LOGICAL_AND": "bool_and",
    "LOGICAL_OR": "bool_or",
    "MAX_BY": "arg_max_null",
    "MIN_BY": "arg_min_null",
    "IFNULL": "coalesce",
    "IS_NAN": "isnan",
    "IS_INF": "isinf",
    "RAND": "random",
    "CHAR_LENGTH": "length",
    "CHARACTER_LENGTH": "length",
    "EDIT_DISTANCE": "levenshtein",
    "REGEXP_CONTAINS": "regexp_matches",
    "ARRAY_LENGTH": "len",
    "ARRAY_REVERSE": "list_reverse",
    "SUBSTRING": "bq_substr",
    "GENERATE_UUID": "uuid",
}


_MANY = 1_000
_REBUILT: tuple[tuple[str, Build, int, int], ...] = (
    # names, what rebuilds their calls, and how many arguments these may have
    ("COUNTIF", calls.build_countif, 1, 1),
    ("ARRAY_AGG", calls.build_array_agg, 1, 1),
    ("STRING_AGG", calls.build_string_agg, 1, 2),
    ("ANY_VALUE", calls.build_any_value, 1, 1),
    ("APPROX_COUNT_DISTINCT", calls.build_approx_count_distinct, 1, 1),
    ("APPROX_QUANTILES", calls.build_approx_quantiles, 1, 2),
    ("CORR", calls.build_corr, 2, 2),
    ("PERCENTILE_CONT PERCENTILE_DISC", calls.build_percentile, 2, 2),
    ("GREATEST LEAST", calls.build_extreme, 1, _MANY),
    ("CONCAT", calls.build_concat, 1, _MANY),
    ("FORMAT", calls.build_format, 1, _MANY),
    ("REGEXP_EXTRACT REGEXP_SUBSTR", calls.build_regexp_extract, 2, 2),
    ("REGEXP_EXTRACT_ALL", calls.build_regexp_extract_all, 2, 2),
    ("STRUCT", calls.build_struct, 1, _MANY),
    ("ARRAY_CONCAT", calls.build_array_concat, 1, _MANY),
    ("JSON_VALUE JSON_QUERY JSON_EXTRACT JSON_EXTRACT_SCALAR", calls.build_json, 1, 2),
    ("JSON_VALUE_ARRAY JSON_QUERY_ARRAY JSON_EXTRACT_ARRAY", calls.build_json, 1, 2),
    ("DATE_TRUNC DATETIME_TRUNC TIMESTAMP_TRUNC", dates.build_trunc, 2, 3),
    ("DATE_DIFF DATETIME_DIFF TIMESTAMP_DIFF", dates.build_diff, 3, 3),
    ("DATE_ADD DATETIME_ADD TIMESTAMP_ADD", dates.build_shift, 2, 2),
    ("DATE_SUB DATETIME_SUB TIMESTAMP_SUB", dates.build_shift, 2, 2),
    ("FORMAT_DATE FORMAT_DATETIME", dates.build_format, 2, 2),
    ("FORMAT_TIMESTAMP", dates.build_format, 2, 3),
    ("PARSE_DATE PARSE_DATETIME", dates.build_parse, 2, 2),
    ("PARSE_TIMESTAMP", dates.build_parse, 2, 3),
    ("LAST_DAY", dates.build_last_day, 1, 2),
    ("GENERATE_DATE_ARRAY", dates.build_date_array, 2, 3),
)
REBUILT = {name: (build, fewest, most) for names, build, fewest, most in _REBUILT for name in names.split()}

AGGREGATES = frozenset(
    (
        *_AS_IS["aggregates"].split(),
        *("COUNTIF", "CORR", "LOGICAL_AND", "LOGICAL_OR", "MAX_BY", "MIN_BY", "ANY_VALUE"),
        *("ARRAY_AGG", "STRING_AGG", "APPROX_COUNT_DISTINCT", "APPROX_QUANTILES"),
    )
)

SYNTAX = frozenset(("CAST", "SAFE_CAST", "EXTRACT", "IF", "ARRAY", "UNNEST"))
"""What looks like a call and has a grammar of its own; ``rewriting`` answers it."""

TESTED = AS_IS | RENAMED.keys() | macros.FUNCTIONS.keys() | REBUILT.keys() | SYNTAX

REFUSED: Mapping[str, str] = {
    "FARM_FINGERPRINT": "no hash of this warehouse gives its values",
    "SESSION_USER": "this warehouse has no users",
    "APPROX_TOP_COUNT": "count with GROUP BY and ORDER BY instead",
    "APPROX_TOP_SUM": "sum with GROUP BY and ORDER BY instead",
}
"""Functions of BigQuery that no rewriting can answer rightly, and why."""


def build_call(node: exp.Anonymous, over: calls.Over) -> exp.Expr:
    """The call in DuckDB's words, with BigQuery's meaning; an untested one as it is."""
    name = node.name.upper()
    if name in REBUILT:
        build, fewest, most = REBUILT[name]
        if not fewest <= len(node.expressions) <= most:
            refuse(node, f"{name} cannot be called with {len(node.expressions)} arguments")
        return build(node, over)
    if name in macros.FUNCTIONS:
        return over(nodes.call(f"{macros.PREFIX}{name.lower()}", *node.expressions))
    if name in AS_IS:
        return over(nodes.call(name.lower(), *node.expressions))
    quoted = exp.to_identifier(name.lower(), quoted=True).sql(dialect="duckdb")
    return over(nodes.call(RENAMED.get(name, quoted), *node.expressions))
