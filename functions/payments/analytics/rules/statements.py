"""Which SQL is carried out: one query in the dialect of Trino (formerly PrestoDB), made of listed parts alone.

The text that was sent never reaches the engine. It is parsed, every node of the tree is held against a list of what is
known to be harmless (a part that a later parser knows and this list does not is refused), tables are resolved against
the account's, and the engine gets a statement written anew from the tree. Loaded by the worker only: the parser is
large.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.errors import ParseError, SqlglotError

from payments.analytics.errors import QueryRefused

MOST_NODES: Final = 20_000
MOST_DEPTH: Final = 250
SCHEMA: Final = "account"
"""The schema that the engine keeps the tables in; what is no table of ours is never looked for elsewhere."""

_STRUCTURE: Final = """
    Alias All And Any Between Boolean Bracket CTE Case Cast Column Cube DPipe DataType DataTypeParam Distinct EQ Escape
    Except Exists Extract Fetch Filter From GT GTE Group GroupingSets Having Identifier In Intersect Interval Is Join
    LT LTE Lambda Like Limit LimitOptions Literal NEQ Neg Not Null NullSafeEQ NullSafeNEQ Offset Or Order Ordered Paren
    Rollup Select Star Subquery Table TableAlias TryCast Tuple Union Unnest Values Var Where Window WindowSpec With
    WithinGroup Add Sub Mul Div Mod AtTimeZone PropertyEQ Aliases
"""
_FUNCTIONS: Final = """
    Abs AnyValue ApproxDistinct ApproxQuantile ArgMax ArgMin Array ArrayAgg ArrayContains ArrayDistinct ArrayMax
    ArrayMin ArraySize ArraySort ArrayToString Avg Ceil Chr Coalesce Concat ConcatWs Corr Count CountIf CovarPop
    CovarSamp CumeDist CurrentDate CurrentTimestamp Date DateAdd DateDiff DateSub Day DayOfMonth DayOfWeek DayOfWeekIso
    DayOfYear DenseRank Exp FirstValue Floor FromISO8601Timestamp GenerateSeries Greatest GroupConcat Grouping Hour If
    JSONArrayLength JSONExtract JSONExtractScalar JSONPath JSONPathKey JSONPathRoot JSONPathSubscript Kurtosis Lag
    LastDay LastValue Lead Least Left Length Ln Localtimestamp Log LogicalAnd LogicalOr Lower Max Min Minute Month
    NthValue Ntile Nullif ParseJSON PercentRank Pow Quarter Rank RegexpExtract RegexpLike RegexpReplace Replace Reverse
    Right Round RowNumber Second Sign Skewness Split SplitPart Sqrt StartsWith Stddev StddevPop StddevSamp StrPosition
    StrToTime Substring Sum TimeToStr TimeToUnix TimestampTrunc Trim Trunc UnixToTime Upper Variance VariancePop Week
    WeekOfYear Year
"""
_ALLOWED: Final = frozenset((_STRUCTURE + _FUNCTIONS).split())

_TYPE_NAMES: Final = """
    BIGINT BOOLEAN CHAR DATE DECIMAL DOUBLE FLOAT INT SMALLINT TEXT TIME TIMESTAMP TIMESTAMPTZ TINYINT VARCHAR ARRAY
    JSON INTERVAL
"""
_TYPES: Final = frozenset(_TYPE_NAMES.split())
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_WORD: Final = re.compile(r"[A-Za-z]{1,20}(_[A-Za-z]{1,20})?")
_RESERVED: Final = ("duckdb_", "pragma_", "sqlite_", "pg_", "information_schema", SCHEMA)


@dataclass(frozen=True, slots=True)
class Statement:
    """A query that may be carried out: `sql` for the engine, the tables that it reads, and the names of all columns in
    it (None where it asks for every column of a table)."""

    sql: str
    tables: frozenset[str]
    columns: frozenset[str] | None


def read(text: str, known: Mapping[str, object], now: datetime) -> Statement:
    """The statement that a text asks for. `known` are the tables that its owner may read; `now` is what it calls so.

    Raises:
        QueryRefused: it is no query, or has a part that is not carried out.
    """
    try:
        text.encode()
        tree = _parsed(text)
        nodes = list(_nodes(tree))
        names = _names_of_subqueries(nodes)
        for node in nodes:
            _require_harmless(node)
        tables = frozenset(_resolved(node, known, names) for node in nodes if isinstance(node, exp.Table)) - {""}
        columns = _columns(nodes)
        return Statement(_written(_at(tree, now)), tables, columns)
    except RecursionError:
        raise QueryRefused("The query is nested too deeply") from None
    except ParseError as error:
        place = error.errors[0] if error.errors else {}
        raise QueryRefused(f"The query has a syntax error at line {place.get('line')}") from None
    except (SqlglotError, UnicodeEncodeError):
        raise QueryRefused("The query has a syntax error") from None


def _parsed(text: str) -> exp.Query:
    trees = [each for each in sqlglot.parse(text, read="trino", error_level=ErrorLevel.IMMEDIATE) if each is not None]
    if len(trees) != 1:
        raise QueryRefused("The text must hold one query and nothing else")
    tree = trees[0]
    if not isinstance(tree, exp.Query):
        raise QueryRefused("Only a query can be carried out; analytics changes nothing")
    return tree


def _nodes(tree: exp.Expr) -> Iterator[exp.Expr]:
    """All nodes, within the limits of number and depth."""
    level: list[exp.Expr] = [tree]
    count = 0
    for _ in range(MOST_DEPTH):
        count += len(level)
        if count > MOST_NODES:
            raise QueryRefused(f"The query has more than {MOST_NODES} parts")
        yield from level
        level = [child for node in level for child in node.iter_expressions()]
        if not level:
            return
    raise QueryRefused("The query is nested too deeply")


def _require_harmless(node: exp.Expr) -> None:
    kind = type(node).__name__
    if kind not in _ALLOWED:
        raise QueryRefused(f"The query has a {_title(node)} that analytics does not have")
    if isinstance(node, exp.DataType) and (node.this.name not in _TYPES or node.args.get("kind")):
        raise QueryRefused("The query has a type that analytics does not have")
    words: list[exp.Expr] = [node] if isinstance(node, exp.Var) else []
    words += [each] if isinstance(each := node.args.get("unit"), exp.Expr) else []
    if not all(_WORD.fullmatch(word.name) for word in words):
        raise QueryRefused("The query has a word in a place where it has no meaning")  # written as it is, unquoted
    if isinstance(node, exp.Select) and any(
        node.args.get(each) for each in ("into", "hint", "kind", "sample", "locks")
    ):
        raise QueryRefused("Only a query can be carried out; analytics changes nothing")


def _title(node: exp.Expr) -> str:
    """What a refused part is called: by a fixed name of the parser's, never by what was sent."""
    if isinstance(node, exp.Anonymous) or not isinstance(node, exp.Func):
        return "function" if isinstance(node, exp.Func) else "part"
    return f"function {node.sql_name()}"


# ------------------------------------------------------------------ tables and columns


def _names_of_subqueries(nodes: list[exp.Expr]) -> frozenset[str]:
    """The names that the query gives to its own subqueries (`WITH`)."""
    names = {node.alias.lower() for node in nodes if isinstance(node, exp.CTE)}
    for name in names:
        if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
            raise QueryRefused("A subquery has a name that it cannot have")
    return frozenset(names)


def _resolved(node: exp.Table, known: Mapping[str, object], subqueries: frozenset[str]) -> str:
    """Point a table of the query at the account's; answers its name, or nothing for a subquery of the query's own.

    Raises:
        QueryRefused: there is no such table, or its owner may not read it.
    """
    further = [
        name for name, value in node.args.items() if value and name not in ("this", "alias", "joins", "laterals")
    ]
    if not isinstance(node.this, exp.Identifier) or further:
        raise QueryRefused("The query reads from something that is no table of analytics")
    name = node.name.lower()
    if name in subqueries:
        return ""
    if name not in known:
        raise QueryRefused("The query names a table that there is not, or that its user may not read")
    node.set("this", exp.to_identifier(name, quoted=True))
    node.set("db", exp.to_identifier(SCHEMA, quoted=True))
    if not node.alias:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    return name


def _columns(nodes: list[exp.Expr]) -> frozenset[str] | None:
    stars = [node for node in nodes if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count)]
    if stars:
        return None
    return frozenset(node.name.lower() for node in nodes if isinstance(node, exp.Identifier))


# ------------------------------------------------------------------ writing


def _at(tree: exp.Query, now: datetime) -> exp.Expr:
    """The tree with the present moment as a fixed one, in UTC like every moment of the tables."""
    moment = now.astimezone(UTC).replace(tzinfo=None)

    def fixed(node: exp.Expr) -> exp.Expr:
        if isinstance(node, (exp.CurrentTimestamp, exp.Localtimestamp)):
            return exp.cast(exp.Literal.string(moment.isoformat(" ", "milliseconds")), "timestamp")
        if isinstance(node, exp.CurrentDate):
            return exp.cast(exp.Literal.string(moment.date().isoformat()), "date")
        return node

    return tree.transform(fixed, copy=False)


def _written(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb", unsupported_level=ErrorLevel.IGNORE, comments=False, identify=True)
