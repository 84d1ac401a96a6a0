"""Calls that name a part of a date: which part, from which day weeks begin, and what it becomes."""

from __future__ import annotations

from sqlglot import exp

from pipeline.warehouse.dialect.formats import YEARS, translate_time_format
from pipeline.warehouse.dialect.nodes import call, cast, cast_text, read_text
from pipeline.warehouse.dialect.parsing import refuse

DATE, DATETIME, TIMESTAMP = "DATE", "TIMESTAMP", "TIMESTAMPTZ"
_KINDS = {"DATE": DATE, "DATETIME": DATETIME, "TIMESTAMP": TIMESTAMP}
_WEEKDAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
_FIRST_DAYS = {"WEEK": 0, "ISOWEEK": 1, **{f"WEEK({day})": n for n, day in enumerate(_WEEKDAYS)}}
_TAKING_PARTS = ("DATE_", "DATETIME_", "TIMESTAMP_", "LAST_DAY")
_CLOCK = ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR")
_CALENDAR = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_MICROSECONDS = {
    "MICROSECOND": 1,
    "MILLISECOND": 1_000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
}


def is_part(node: exp.Expr) -> bool:
    """Whether the node, read as a column or a call, is the name of a part of a date."""
    parent = node.parent
    name = node.name.upper()
    if isinstance(parent, exp.Extract):
        return node.arg_key == "this"
    if not isinstance(parent, exp.Anonymous):
        return False
    if parent.name.upper() == "WEEK":
        return name in _WEEKDAYS
    if node is parent.expressions[0]:
        return False
    takes_part = parent.name.upper().startswith(_TAKING_PARTS)
    return takes_part and name in (*_CALENDAR, *_CLOCK, *_FIRST_DAYS, "ISOYEAR")


def read_part(node: exp.Expr) -> str:
    """``DAY``, ``WEEK(MONDAY)``: the part of a date that an argument names."""
    name = node.name.upper()
    if isinstance(node, exp.Anonymous) and name == "WEEK" and len(node.expressions) == 1:
        return f"WEEK({node.expressions[0].name.upper()})"
    if not isinstance(node, exp.Column | exp.Var | exp.Identifier):
        refuse(node, "expected a part of a date, such as DAY or MONTH")
    return name


def build_extract(node: exp.Extract) -> exp.Expr:
    part, x = read_part(node.this), node.expression
    if isinstance(x, exp.AtTimeZone):
        x = call("timezone", x.args["zone"], cast(x.this, TIMESTAMP))
    if part in _FIRST_DAYS and part != "ISOWEEK":
        return call("bq_week", x, exp.Literal.number(_FIRST_DAYS[part]))
    if part == "DAYOFWEEK":
        return exp.paren(exp.Add(this=call("dayofweek", x), expression=exp.Literal.number(1)))
    if part in ("DATE", "TIME", "DATETIME"):
        local = cast(x, DATETIME)
        return local if part == "DATETIME" else cast(local, part)
    names = {"ISOWEEK": "week", "ISOYEAR": "isoyear", "DAYOFYEAR": "dayofyear"}
    if part not in (*names, *_CLOCK, *_CALENDAR):
        refuse(node, f"EXTRACT does not know the part {part[:40]}")
    found = call("date_part", exp.Literal.string(names.get(part, part.lower())), x)
    turns = {"MICROSECOND": 1_000_000, "MILLISECOND": 1_000}
    if part in turns:
        return exp.paren(exp.Mod(this=found, expression=exp.Literal.number(turns[part])))
    return found


def build_trunc(node: exp.Anonymous, over: object) -> exp.Expr:
    name, arguments = node.name.upper(), node.expressions
    kind = _KINDS[name.partition("_")[0]]
    x, part = cast_text(arguments[0], kind), read_part(arguments[1])
    if len(arguments) == 3:
        zone = arguments[2]
        local = call("timezone", zone, cast(x, TIMESTAMP))
        return call("timezone", zone.copy(), _truncate(name, local, part, arguments[1]))
    return _truncate(name, x, part, arguments[1])


def _truncate(name: str, x: exp.Expr, part: str, node: exp.Expr) -> exp.Expr:
    if part in _FIRST_DAYS:
        return call("bq_trunc_week", x, exp.Literal.number(_FIRST_DAYS[part]))
    if part == "ISOYEAR":
        return call("bq_trunc_isoyear", x)
    if part not in (*_CALENDAR, *(() if name == "DATE_TRUNC" else _CLOCK)):
        refuse(node, f"{name} does not know the part {part[:40]}")
    return call("bq_trunc_date", x, exp.Literal.string(part.lower()))


def build_diff(node: exp.Anonymous, over: object) -> exp.Expr:
    """The number of boundaries between two dates; of two instants, the whole units that passed."""
    name, arguments = node.name.upper(), node.expressions
    part = read_part(arguments[2])
    kind = _KINDS[name.partition("_")[0]]
    a, b = (cast_text(x, kind) for x in arguments[:2])
    if name == "TIMESTAMP_DIFF":
        if part not in _MICROSECONDS:
            refuse(arguments[2], f"TIMESTAMP_DIFF takes parts up to DAY, not {part[:40]}")
        return call("bq_elapsed", a, b, exp.Literal.number(_MICROSECONDS[part]))
    if name == "DATE_DIFF":
        a, b = (call("bq_days", x, exp.Literal.string(name)) for x in (a, b))
    if part in _FIRST_DAYS:
        first = exp.Literal.number(_FIRST_DAYS[part])
        weeks = [cast(call("bq_trunc_week", x, first.copy()), DATE) for x in (b, a)]
        days = call("date_diff", exp.Literal.string("day"), *weeks)
        return exp.paren(exp.IntDiv(this=days, expression=exp.Literal.number(7)))
    if part == "ISOYEAR":
        return exp.paren(exp.Sub(this=call("isoyear", a), expression=call("isoyear", b)))
    if part not in (*_CALENDAR, *(_CLOCK if name == "DATETIME_DIFF" else ())):
        refuse(arguments[2], f"{name} does not know the part {part[:40]}")
    return call("date_diff", exp.Literal.string(part.lower()), b, a)


def build_shift(node: exp.Anonymous, over: object) -> exp.Expr:
    """DATE_ADD and its kin: the type of what is moved stays."""
    name, arguments = node.name.upper(), node.expressions
    family, _, direction = name.partition("_")
    step = arguments[1]
    parts = {"DATE": _CALENDAR, "DATETIME": (*_CALENDAR, *_CLOCK), "TIMESTAMP": ("DAY", *_CLOCK)}[family]
    n, part = read_interval(step, name)
    if part not in parts:
        refuse(step, f"{name} does not know the part {part[:40]}")
    signed = n if direction == "ADD" else exp.Neg(this=exp.paren(n))
    return call("bq_shift", cast_text(arguments[0], _KINDS[family]), build_interval(signed, part))


def read_interval(node: exp.Expr, name: str) -> tuple[exp.Expr, str]:
    """The number and the part of ``INTERVAL n part``."""
    if not isinstance(node, exp.Interval) or not isinstance(node.args.get("unit"), exp.Var):
        refuse(node, f"expected INTERVAL with a number and one part in {name}")
    n = node.this
    if isinstance(n, exp.Literal):
        n = exp.Literal.number(n.this)
    return n, node.args["unit"].name.upper()


def build_interval(n: exp.Expr, part: str) -> exp.Expr:
    return call("bq_interval", n, exp.Literal.string(part))


def build_last_day(node: exp.Anonymous, over: object) -> exp.Expr:
    arguments = node.expressions
    x = cast_text(arguments[0], DATE)
    part = read_part(arguments[1]) if len(arguments) == 2 else "MONTH"
    first = cast(_truncate("DATE_TRUNC", x, part, arguments[-1]), DATE)
    if part == "ISOYEAR":
        refuse(arguments[1], "LAST_DAY of an ISOYEAR is not answered")
    length = "WEEK" if part in _FIRST_DAYS else part
    end = call("bq_shift", first, build_interval(exp.Literal.number(1), length))
    return call("bq_shift", end, build_interval(exp.Literal.number(-1), "DAY"))


def build_date_array(node: exp.Anonymous, over: object) -> exp.Expr:
    arguments = node.expressions
    a, b = (cast_text(x, DATE) for x in arguments[:2])
    n: exp.Expr = exp.Literal.number(1)
    part = "DAY"
    if len(arguments) == 3:
        n, part = read_interval(arguments[2], "GENERATE_DATE_ARRAY")
    if part not in _CALENDAR:
        refuse(arguments[2], f"GENERATE_DATE_ARRAY does not know the part {part[:40]}")
    bound = call("date_diff", exp.Literal.string(part.lower()), a.copy(), b.copy())
    return call("bq_dates", a, b, n, exp.Literal.string(part), bound)


def build_format(node: exp.Anonymous, over: object) -> exp.Expr:
    """FORMAT_DATE and its kin: DuckDB's strftime with the format in its letters."""
    name, arguments = node.name.upper(), node.expressions
    form = exp.Literal.string(_translate(name, arguments[0], parsed=False))
    x: exp.Expr = cast(arguments[1], _KINDS[name.partition("_")[2]])
    if len(arguments) == 3:
        if "%Z" in form.this:
            refuse(arguments[0], f"the element %Z of {name} with a time zone is not answered")
        x = call("timezone", arguments[2], x)
    return call("strftime", x, form)


def build_parse(node: exp.Anonymous, over: object) -> exp.Expr:
    name, arguments = node.name.upper(), node.expressions
    form = _translate(name, arguments[0], parsed=True)
    if not any(year in form for year in YEARS):
        refuse(arguments[0], f"{name} needs a year in its format: what a format leaves out is not made up")
    found = call("strptime", arguments[1], exp.Literal.string(form))
    if name == "PARSE_DATE":
        return cast(found, DATE)
    if name == "PARSE_DATETIME":
        return cast(found, DATETIME)
    zone = arguments[2] if len(arguments) == 3 else exp.Literal.string("UTC")
    return call("timezone", zone, cast(found, DATETIME))


def _translate(name: str, node: exp.Expr, *, parsed: bool) -> str:
    try:
        return translate_time_format(read_text(node, f"the format of {name}"), parsed=parsed)
    except ValueError as error:
        refuse(node, f"the element {error} of {name}'s format is not answered")
