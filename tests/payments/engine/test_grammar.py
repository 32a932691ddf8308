"""The search grammar: hard cases one by one, then generated queries against an oracle."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.exceptions import LarkError

from payments.engine.grammar import MOST_CHARACTERS, MOST_DEPTH, MOST_TERMS, And, Node, Not, QueryRefused, Term, parse
from tests.payments.engine import oracle


def shown(node: Node | None) -> str:
    """A tree in a form that fits on a line: `(a:1 & b:2) | !c:*`."""
    if node is None:
        return ""
    if isinstance(node, Term):
        return f"{node.name}{node.comparator}{'' if node.value is None else node.value}"
    if isinstance(node, Not):
        return f"!{shown(node.part)}"
    sign = " & " if isinstance(node, And) else " | "
    return "(" + sign.join(shown(each) for each in node.parts) + ")"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("a:1 b:2", "(a:1 & b:2)"),
        ("a:1 AND b:2", "(a:1 & b:2)"),
        ("a:1\tAND\nb:2", "(a:1 & b:2)"),
        ("  a:1  ", "a:1"),
        ("a:1 OR b:2 AND c:3", "(a:1 | (b:2 & c:3))"),
        ("a:1 OR b:2 c:3", "(a:1 | (b:2 & c:3))"),
        ("a:1 AND b:2 OR c:3", "((a:1 & b:2) | c:3)"),
        ("(a:1 OR b:2) AND c:3", "((a:1 | b:2) & c:3)"),
        ("a:1 AND (b:2 OR c:3)", "(a:1 & (b:2 | c:3))"),
        ("( a:1 )", "a:1"),
        ("NOT a:1", "!a:1"),
        ("-a:1", "!a:1"),
        ("-(a:1 OR b:2)", "!(a:1 | b:2)"),
        ("NOT (a:1)", "!a:1"),
        ("a:1 AND -b:2", "(a:1 & !b:2)"),
        ("id:>1 id:<=9 AND -id:3", "(id:>1 & id:<=9 & !id:3)"),
        ("AND:1", "AND:1"),
        ("a:1 AND:1", "(a:1 & AND:1)"),
        ("a:1 OR:1", "(a:1 & OR:1)"),
        ("NOT:1", "NOT:1"),
        ("ORacle:1", "ORacle:1"),
        ("a:1 ORacle:1", "(a:1 & ORacle:1)"),
        ("NOTE:1", "NOTE:1"),
        ('a:"John Peter"', "a:John Peter"),
        ("a:'John Peter'", "a:John Peter"),
        ('a:"it\'s"', "a:it's"),
        ("a:'say \"x\"'", 'a:say "x"'),
        ('a:""', "a:"),
        ('a:"x AND y"', "a:x AND y"),
        ('a:"(b)"', "a:(b)"),
        ('a:"x\\"', "a:x\\"),
        ("a:*", "a:*"),
        ("NOT a:*", "!a:*"),
        ("-a:*", "!a:*"),
        ("(a:*)", "a:*"),
        ("a:*x", "a:*x"),
        ('a:"*"', "a:*"),
        ("a:<=1", "a:<=1"),
        ("a:<1", "a:<1"),
        ("a:>=-5", "a:>=-5"),
        ("a:-5", "a:-5"),
        ('a:"<5"', "a:<5"),
        ("completedOn:<'2026-01-15'", "completedOn:<2026-01-15"),
        ("charge.transaction.state=PENDING AND currency=EUR", "(charge.transaction.state:PENDING & currency:EUR)"),
        ("color:~red,blue,green", "color:~red,blue,green"),
        ("a:x.y@z-1/2+3", "a:x.y@z-1/2+3"),
        ("naïve:ü", "naïve:ü"),
    ],
)
def test_reads(text: str, tree: str) -> None:
    assert shown(parse(text)) == tree


def test_tells_null_from_an_asterisk() -> None:
    assert parse("a:*") == Term("a", ":*", None, False, 1)
    assert parse('a:"*"') == Term("a", ":", "*", True, 1)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("NOT(a:1)", 4),
        ("- a:1", 2),
        ("--a:1", 2),
        ("NOT NOT a:1", 5),
        ("NOT -a:1", 5),
        ("-NOT a:1", 2),
        ("NOT", 4),
        ("-", 2),
        ("a:1 and b:2", 8),
        ("a:1 or b:2", 7),
        ("not a:1", 4),
        ("a:1 AND", 8),
        ("a:1 AND ", 9),
        ("AND a:1", 1),
        ("OR", 1),
        ("a:1 AND OR b:2", 9),
        ("a:1 OROR b:2", 9),
        ("a:1 AND(b:2)", 8),
        ("()", 2),
        ("( )", 3),
        ("(a:1", 1),
        ("a:1)", 4),
        ("(a:1))", 6),
        ("(a:1)(b:2)", 6),
        ("(a:1)b:2", 6),
        ('a:"x', 3),
        ("a:'x\"", 3),
        ('a:b"c"', 4),
        ('a:"b"c', 6),
        ('a:"b""c"', 6),
        ('a:"b\\"c"', 7),
        ("a", 2),
        ("a:", 3),
        ("a:<", 4),
        ("a:~", 4),
        ("a:* x", 6),
        ('a:*"x"', 4),
        ("a: 1", 3),
        ("a :1", 2),
        ("a:b:c", 4),
        ("a==1", 3),
        ('a="x"', 3),
        ("a:=1", 3),
        ("a>1", 4),
        (":1", 1),
        ("(:1)", 2),
        ('"a":1', 1),
        ('a:1 "b":2', 5),
    ],
)
def test_refuses_with_the_column(text: str, column: int) -> None:
    with pytest.raises(QueryRefused) as refused:
        parse(text)
    assert refused.value.column == column
    assert refused.value.faults[0].path == "query"


def test_limits_are_stated_and_hold() -> None:
    deepest = "(" * MOST_DEPTH + "a:1" + ")" * MOST_DEPTH
    assert shown(parse(deepest)) == "a:1"
    assert len(parse(" ".join(["a:1"] * MOST_TERMS)).parts) == MOST_TERMS  # type: ignore[union-attr]
    for text in (f"({deepest})", "(" * 8000, " ".join(["a:1"] * (MOST_TERMS + 1)), "a:" + "x" * MOST_CHARACTERS):
        with pytest.raises(QueryRefused):
            parse(text)


def test_a_megabyte_costs_nothing() -> None:
    started = time.perf_counter()
    with pytest.raises(QueryRefused):
        parse("(" * 1_000_000)
    assert time.perf_counter() - started < 0.1


NAMES = st.sampled_from(["a", "b.c", "ORacle", "NOTE", "AND", "OR", "NOT", "x-y", "é"])
VALUES = st.sampled_from(["1", "-5", "*x", "*", "<5", '"x y"', "'it'", '""', "AND", "r,g", "", '"a:b"', "=", '"un'])
COMPARATORS = st.sampled_from([":", ":<", ":>", ":<=", ":>=", ":~", ":*", "=", "", "==", "::"])
SPACES = st.sampled_from([" ", "  ", "\t", "", "\n"])
PIECES = st.one_of(
    st.tuples(NAMES, COMPARATORS, VALUES).map("".join),
    st.sampled_from(["AND", "OR", "NOT", "-", "(", ")", "and", ":", '"']),
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Something between a query and noise."""
    pieces = draw(st.lists(st.tuples(PIECES, SPACES), min_size=1, max_size=9))
    return "".join(piece + space for piece, space in pieces)


@settings(max_examples=400, deadline=None)
@given(queries())
def test_agrees_with_the_oracle(text: str) -> None:
    """Both take a query and mean the same by it, or both refuse it."""
    try:
        expected: Node | None = oracle.parse(text) if text.strip() else None
    except LarkError:
        with pytest.raises(QueryRefused):
            parse(text)
    else:
        assert oracle.without_columns(parse(text)) == expected
