"""The search grammar a second time, in another form: a lark grammar and what its trees mean.

The parser of the project is compared with it over generated queries. It is slower and says less about errors.
"""

from __future__ import annotations

from typing import Any

from lark import Lark, Transformer

from payments.engine.grammar import And, Node, Not, Or, Term

GRAMMAR = r"""
    start: _WS? query _WS?
    query: conjunction (_WS "OR" _WS conjunction)*
    conjunction: term (_WS ("AND" _WS)? term)*
    term: "-" plain -> negated
        | _NOT plain -> negated
        | plain
    ?plain: "(" _WS? query _WS? ")" | comparison
    comparison: NAME COLON_NULL -> null
        | NAME COMPARATOR (WORD | QUOTED) -> compared
        | NAME "=" WORD -> equated
    _NOT: /NOT\s+/
    COLON_NULL: /:\*(?=[\s)]|\Z)/
    COMPARATOR: /:(<=|>=|<|>|~)?/
    NAME: /(?!-)(?!(?:NOT|AND|OR)(?:\s|\Z))[^\s()"':=]+/
    WORD: /[^\s()"':=]+(?=[\s)]|\Z)/
    QUOTED: /"[^"]*"(?=[\s)]|\Z)|'[^']*'(?=[\s)]|\Z)/
    _WS: /\s+/
"""


class _Trees(Transformer[Any, Any]):
    def start(self, parts: list[Node]) -> Node:
        return parts[0]

    def query(self, parts: list[Node]) -> Node:
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self, parts: list[Node]) -> Node:
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def term(self, parts: list[Node]) -> Node:
        return parts[0]

    def negated(self, parts: list[Node]) -> Node:
        return Not(parts[0])

    def null(self, parts: list[Any]) -> Node:
        return Term(str(parts[0]), ":*", None, False, 0)

    def compared(self, parts: list[Any]) -> Node:
        quoted = parts[2].type == "QUOTED"
        text = str(parts[2])
        return Term(str(parts[0]), str(parts[1]), text[1:-1] if quoted else text, quoted, 0)

    def equated(self, parts: list[Any]) -> Node:
        return Term(str(parts[0]), ":", str(parts[1]), False, 0)


_LARK = Lark(GRAMMAR, parser="earley", lexer="dynamic", ambiguity="resolve", maybe_placeholders=False)


def parse(text: str) -> Node:
    """The tree of a query that is not empty; terms have column 0.

    Raises:
        lark.exceptions.UnexpectedInput: the grammar does not have it.
    """
    tree: Node = _Trees().transform(_LARK.parse(text))
    return tree


def without_columns(node: Node | None) -> Node | None:
    """A tree of the project's parser in the oracle's form."""
    if isinstance(node, Term):
        return Term(node.name, node.comparator, node.value, node.quoted, 0)
    if isinstance(node, Not):
        return Not(_part(node.part))
    if node is None:
        return None
    return type(node)(tuple(_part(each) for each in node.parts))


def _part(node: Node) -> Node:
    found = without_columns(node)
    assert found is not None
    return found
