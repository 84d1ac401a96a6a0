"""The syntax around the calls, with BigQuery's meaning: operators, casts, arrays, literals, names."""

from __future__ import annotations

from sqlglot import exp

from pipeline.warehouse.dialect import dates
from pipeline.warehouse.dialect.functions import build_call
from pipeline.warehouse.dialect.nodes import call, cast, is_text
from pipeline.warehouse.dialect.parsing import refuse

_LAST_INT64 = 2**63 - 1
_PLAIN_NUMBERS = (exp.Limit, exp.Offset, exp.WindowSpec, exp.DataTypeParam, exp.Ordered, exp.Group, exp.Cast)
_CASTS = {
    "BIGINT": "bq_to_int64",
    "BOOLEAN": "bq_to_bool",
    "TEXT": "bq_to_string",
    "BLOB": "bq_to_bytes",
}
_NOW = {
    exp.CurrentDate: "bq_current_date",
    exp.CurrentDatetime: "bq_current_datetime",
    exp.CurrentTime: "bq_current_time",
    exp.CurrentTimestamp: "bq_current_timestamp",
}


def rewrite_tree(tree: exp.Query) -> None:
    """Turns the tree into DuckDB's, in place; parts come before what holds them."""
    for node in reversed(list(tree.walk())):
        found = _rewrite(node)
        if found is not node:
            node.replace(found)
    for literal in list(tree.find_all(exp.Literal)):
        if not literal.is_string:
            found = _type_number(literal)
            if found is not literal:
                literal.replace(found)


def _rewrite(node: exp.Expr) -> exp.Expr:
    match node:
        case exp.RawString():
            return exp.Literal.string(node.this)
        case exp.Neg(this=exp.Literal(is_int=True)):
            return exp.Literal(this=f"-{node.name}", is_string=False)
        case exp.HexString():
            return exp.Literal.number(int(node.this, 16))
        case exp.Anonymous():
            is_windowed = isinstance(node.parent, exp.Window) and node.arg_key == "this"
            return node if is_windowed or dates.is_part(node) else build_call(node, lambda found: found)
        case exp.Window(this=exp.Anonymous() as windowed):
            return build_call(windowed, lambda found: _put_over(node, found))
        case exp.SafeFunc():
            return call("try", node.this)
        case exp.Extract():
            return dates.build_extract(node)
        case exp.Interval() if not isinstance(node.parent, exp.Anonymous):
            return dates.build_interval(*dates.read_interval(node, "an expression"))
        case exp.CurrentDate() | exp.CurrentDatetime() | exp.CurrentTime() | exp.CurrentTimestamp():
            return call(_NOW[type(node)])
        case exp.ParseJSON():
            return cast(node.this, "JSON")
        case exp.Cast():
            return _rewrite_cast(node)
        case exp.Div():
            return call("bq_divide", node.this, node.expression)
        case exp.Like() if not is_text(node.expression) or "\\" in node.expression.name:
            found = call("bq_like", node.this, node.expression)
            return exp.Not(this=found) if node.args.get("negate") else found
        case exp.In() if node.args.get("unnest"):
            return call("bq_contains", node.this, node.args["unnest"].expressions[0])
        case exp.Bracket():
            return _rewrite_subscript(node)
        case exp.Array():
            _name_fields(node)
        case exp.Unnest() if not isinstance(node.parent, exp.In):
            return _rewrite_unnest(node)
        case exp.Table():
            node.set("catalog", None)
    return node


def _put_over(window: exp.Window, found: exp.Expr) -> exp.Expr:
    copy = window.copy()
    copy.set("this", found)
    return copy


def _rewrite_cast(node: exp.Cast) -> exp.Expr:
    kind = node.to
    for part in list(kind.find_all(exp.DataType)):
        if part.this == exp.DType.BIGDECIMAL:
            refuse(node, "BIGNUMERIC is not answered: use NUMERIC or FLOAT64")
        if part.this == exp.DType.DECIMAL and not part.expressions:
            part.set("expressions", exp.DataType.build("DECIMAL(38, 9)").expressions)
    name = _CASTS.get(kind.sql(dialect="duckdb"))
    found: exp.Expr = exp.Cast(this=node.this, to=kind) if name is None else call(name, node.this)
    return call("try", found) if isinstance(node, exp.TryCast) else found


def _rewrite_subscript(node: exp.Bracket) -> exp.Expr:
    array, index = node.this, node.expressions[0]
    if is_text(index):
        if '"' in index.name:
            refuse(node, "a JSON key with a double quote is not answered")
        return call("bq_member", array, exp.Literal.string(f'$."{index.name}"'))
    if node.args.get("offset"):
        index = exp.Sub(this=exp.paren(index), expression=exp.Literal.number(1))
    return call("bq_safe_offset" if node.args.get("safe") else "bq_offset", array, index)


def _name_fields(node: exp.Array) -> None:
    """Gives every struct of an array the first one's names: DuckDB would match fields by name."""
    structs = [element for element in node.expressions if isinstance(element, exp.Struct | exp.Tuple)]
    if not structs or not isinstance(structs[0], exp.Struct):
        return
    names = [field.this for field in structs[0].expressions]
    for struct in structs[1:]:
        values = [f.expression if isinstance(f, exp.PropertyEQ) else f for f in struct.expressions]
        if len(values) != len(names):
            refuse(struct, f"expected {len(names)} fields as in the first struct, found {len(values)}")
        fields = zip(names, values, strict=True)
        named = [exp.PropertyEQ(this=name.copy(), expression=value) for name, value in fields]
        struct.replace(exp.Struct(expressions=named))


def _rewrite_unnest(node: exp.Unnest) -> exp.Expr:
    """The elements as rows of a subquery, with their positions from 0 beside them.

    Structs become a table of their fields, as far as the tree shows that they are structs.
    """
    array = node.expressions[0]
    alias = node.args.get("alias")
    named = (alias.columns[0].name if alias.columns else alias.name) if alias else "f0_"
    columns: list[exp.Expr] = [exp.alias_(call("unnest", array), named, quoted=True)]
    if node.args.get("offset"):
        positions = call("generate_subscripts", array.copy(), exp.Literal.number(1))
        position = exp.Sub(this=positions, expression=exp.Literal.number(1))
        columns.append(exp.alias_(cast(exp.paren(position), "BIGINT"), node.args["offset"].name, quoted=True))
    join = node.parent
    if isinstance(join, exp.Join) and join.side and not join.args.get("on"):
        join.set("on", exp.true())
    rows = exp.select(*columns)
    if not isinstance(array, exp.Array) or not any(isinstance(e, exp.Struct) for e in array.expressions):
        return rows.subquery(f"_{named}")
    fields = exp.Column(this=exp.Star(), table=exp.to_identifier(named, quoted=True))
    expanded = exp.select(fields, *(exp.column(c.alias, quoted=True) for c in columns[1:]))
    return expanded.from_(rows.subquery(f"_{named}")).subquery(exp.to_identifier(named, quoted=True))


def _type_number(node: exp.Literal) -> exp.Expr:
    """INT64 and FLOAT64, where DuckDB reads INTEGER and DECIMAL."""
    text, parent = node.name, node.parent
    if not node.is_int:
        try:
            value = repr(float(text))
        except ValueError:
            refuse(node, f"{text[:40]} is no number")
        return exp.Literal.number(value if "e" in value else f"{value}e0")
    if not -_LAST_INT64 - 1 <= int(text) <= _LAST_INT64:
        refuse(node, f"{text[:40]} is beyond INT64")
    if isinstance(parent, _PLAIN_NUMBERS):
        return node
    if isinstance(parent, exp.Add | exp.Sub) and not isinstance(parent.left, exp.Literal):
        # DuckDB moves a DATE by an INTEGER only
        return node
    return cast(exp.Literal.number(text), "BIGINT")
