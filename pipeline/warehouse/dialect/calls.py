"""Functions that are rewritten on the tree: aggregates with their modifiers, and calls whose meaning
depends on what a literal says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from pipeline.warehouse.dialect.formats import count_groups, is_json_path, translate_print_format
from pipeline.warehouse.dialect.nodes import call, cast, read_text
from pipeline.warehouse.dialect.parsing import refuse

Over = Callable[[exp.Expr], exp.Expr]
"""Gives an aggregate the OVER clause of the call that it replaces; without one, the aggregate itself."""


@dataclass(frozen=True)
class Aggregated:
    """The arguments of an aggregate, and the modifiers that may stand behind the last."""

    values: Sequence[exp.Expr]
    distinct: bool = False
    order: exp.Order | None = None
    limit: exp.Expr | None = None
    ignore_nulls: bool = False
    having: exp.HavingMax | None = None

    @property
    def value(self) -> exp.Expr:
        """The aggregated value with its DISTINCT and ORDER BY, as DuckDB writes them."""
        value = self.values[0]
        found: exp.Expr = exp.Distinct(expressions=[value]) if self.distinct else value
        if self.order is not None:
            found = exp.Order(this=found, expressions=self.order.expressions)
        return found


def read_aggregate(node: exp.Anonymous) -> Aggregated:
    """What the call says, with its modifiers taken off its arguments."""
    values: list[exp.Expr] = []
    distinct = ignore_nulls = False
    order = limit = having = None
    for argument in node.expressions:
        while isinstance(
            argument, exp.Limit | exp.Order | exp.IgnoreNulls | exp.RespectNulls | exp.HavingMax
        ):
            if isinstance(argument, exp.Limit):
                limit = argument.expression
            elif isinstance(argument, exp.Order):
                order = argument
            elif isinstance(argument, exp.HavingMax):
                having = argument
            else:
                ignore_nulls = isinstance(argument, exp.IgnoreNulls)
            argument = argument.this
        if isinstance(argument, exp.Distinct):
            distinct = True
            values += argument.expressions
        else:
            values.append(argument)
    return Aggregated(values, distinct, order, limit, ignore_nulls, having)


def build_countif(node: exp.Anonymous, over: Over) -> exp.Expr:
    found = read_aggregate(node)
    hit: exp.Expr = exp.Case().when(found.values[0], exp.true())
    return over(call("count", exp.Distinct(expressions=[hit]) if found.distinct else hit))


def build_array_agg(node: exp.Anonymous, over: Over) -> exp.Expr:
    found = read_aggregate(node)
    return _slice(over(_collect(found, skip_nulls=found.ignore_nulls)), found.limit)


def build_string_agg(node: exp.Anonymous, over: Over) -> exp.Expr:
    found = read_aggregate(node)
    delimiter = found.values[1] if len(found.values) > 1 else exp.Literal.string(",")
    if found.limit is None:
        return over(call("string_agg", *_put_behind(found.value, delimiter)))
    return call("array_to_string", _slice(over(_collect(found, skip_nulls=True)), found.limit), delimiter)


def _put_behind(value: exp.Expr, delimiter: exp.Expr) -> list[exp.Expr]:
    """DISTINCT leads all arguments, ORDER BY follows the last."""
    if isinstance(value, exp.Order):
        first, last = value.this, exp.Order(this=delimiter, expressions=value.expressions)
        return [first, last]
    return [value, delimiter]


def _collect(found: Aggregated, *, skip_nulls: bool) -> exp.Expr:
    array = call("array_agg", found.value)
    if not skip_nulls:
        return array
    kept = exp.Not(this=exp.Is(this=found.values[0].copy(), expression=exp.null()))
    return exp.Filter(this=array, expression=exp.Where(this=kept))


def _slice(array: exp.Expr, limit: exp.Expr | None) -> exp.Expr:
    return array if limit is None else call("list_slice", array, exp.Literal.number(1), limit)


def build_any_value(node: exp.Anonymous, over: Over) -> exp.Expr:
    found = read_aggregate(node)
    if found.having is None:
        return over(call("any_value", found.values[0]))
    name = "arg_max_null" if found.having.args.get("max") else "arg_min_null"
    return over(call(name, found.values[0], found.having.expression))


def build_approx_count_distinct(node: exp.Anonymous, over: Over) -> exp.Expr:
    return over(call("count", exp.Distinct(expressions=node.expressions)))


def build_approx_quantiles(node: exp.Anonymous, over: Over) -> exp.Expr:
    found = read_aggregate(node)
    parts = found.values[-1]
    if len(found.values) != 2 or not parts.is_int or int(parts.name) < 1:
        refuse(node, "APPROX_QUANTILES needs a value and a whole number of parts")
    count = int(parts.name)
    bounds = [exp.Literal.number(repr(n / count)) for n in range(count + 1)]
    return over(call("quantile_disc", found.value, exp.Array(expressions=bounds)))


def build_percentile(node: exp.Anonymous, over: Over) -> exp.Expr:
    if node.find(exp.RespectNulls):
        refuse(node, f"{node.name.upper()} with RESPECT NULLS is not answered")
    name = {"PERCENTILE_CONT": "quantile_cont", "PERCENTILE_DISC": "quantile_disc"}[node.name.upper()]
    return over(call(name, *read_aggregate(node).values))


def build_corr(node: exp.Anonymous, over: Over) -> exp.Expr:
    pairs = over(call("regr_count", *(x.copy() for x in node.expressions)))
    enough = exp.GTE(this=pairs, expression=exp.Literal.number(2))
    return exp.Case().when(enough, over(call("corr", *node.expressions)))


def build_extreme(node: exp.Anonymous, over: Over) -> exp.Expr:
    return _unless_null(node.expressions, call(node.name.lower(), *node.expressions))


def build_array_concat(node: exp.Anonymous, over: Over) -> exp.Expr:
    return _unless_null(node.expressions, call("list_concat", *node.expressions))


def _unless_null(arguments: Sequence[exp.Expr], found: exp.Expr) -> exp.Expr:
    missing = [exp.Is(this=exp.paren(x.copy()), expression=exp.null()) for x in arguments]
    return exp.Case().when(exp.or_(*missing), exp.null()).else_(found)


def build_concat(node: exp.Anonymous, over: Over) -> exp.Expr:
    parts = [cast(x, "VARCHAR") for x in node.expressions]
    found: exp.Expr = parts[0]
    for part in parts[1:]:
        found = exp.DPipe(this=found, expression=part)
    return exp.paren(found)


def build_struct(node: exp.Anonymous, over: Over) -> exp.Expr:
    fields = []
    for position, value in enumerate(node.expressions):
        named = value.alias_or_name if isinstance(value, exp.Alias | exp.Column | exp.Dot) else ""
        name = named or f"_field_{position + 1}"
        value = value.this if isinstance(value, exp.Alias) else value
        fields.append(exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=value))
    return exp.Struct(expressions=fields)


def build_regexp_extract(node: exp.Anonymous, over: Over) -> exp.Expr:
    text, pattern, group = _read_pattern(node)
    found = call("regexp_extract", text, pattern, group)
    return exp.Case().when(call("regexp_matches", text.copy(), pattern.copy()), found)


def build_regexp_extract_all(node: exp.Anonymous, over: Over) -> exp.Expr:
    return call("regexp_extract_all", *_read_pattern(node))


def _read_pattern(node: exp.Anonymous) -> tuple[exp.Expr, exp.Expr, exp.Expr]:
    name = node.name.upper()
    if len(node.expressions) != 2:
        refuse(node, f"{name} is answered with two arguments, found {len(node.expressions)}")
    text, pattern = node.expressions
    groups = count_groups(read_text(pattern, f"the pattern of {name}"))
    if groups > 1:
        refuse(pattern, f"the pattern of {name} may have one capturing group, found {groups}")
    return text, pattern, cast(exp.Literal.number(groups), "INTEGER")


def build_json(node: exp.Anonymous, over: Over) -> exp.Expr:
    """JSON_VALUE, JSON_QUERY and what they were called before."""
    name = node.name.upper()
    value, path = node.expressions[0], "$"
    if len(node.expressions) == 2:
        path = read_text(node.expressions[1], f"the path of {name}")
    if not is_json_path(path):
        refuse(node, f"the path of {name} must read like $.name[0]: it names one place, without wildcards")
    place = exp.Literal.string(path)
    if name in ("JSON_VALUE", "JSON_EXTRACT_SCALAR"):
        return call("bq_scalar", value, place)
    if name in ("JSON_QUERY", "JSON_EXTRACT"):
        return call("cast_to_type", call("json_extract", value, place), value.copy())
    every = exp.Literal.string(f"{path}[*]")
    read = "json_extract_string" if name == "JSON_VALUE_ARRAY" else "json_extract"
    is_array = exp.EQ(
        this=call("json_type", value.copy(), place.copy()), expression=exp.Literal.string("ARRAY")
    )
    return exp.Case().when(is_array, call(read, value, every))


def build_format(node: exp.Anonymous, over: Over) -> exp.Expr:
    form, *values = node.expressions
    try:
        text, kinds = translate_print_format(read_text(form, "the format of FORMAT"))
    except ValueError as error:
        refuse(form, f"the specifier {error} of FORMAT is not answered")
    if len(kinds) != len(values):
        refuse(node, f"FORMAT has {len(kinds)} specifiers for {len(values)} values")
    typed = [cast(value, kind) for value, kind in zip(values, kinds, strict=True)]
    return call("printf", exp.Literal.string(text), *typed)
