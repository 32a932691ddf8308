"""The search grammar: from the text of `query` to a tree, in one pass, with the column of whatever is wrong.

Source: "Search" of the API reference and the decisions on its open points. In short: terms `name` comparator `value`,
joined by `AND` (or nothing) and `OR`, where AND binds tighter; `-` or `NOT ` before a term or a group negates it once;
a value that holds whitespace, brackets, quotes, `:` or `=` is quoted, without escapes. `=` is taken for `:` before an
unquoted value. It knows no fields: what a name means is `predicates`' matter. Messages quote nothing of the query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tollgate.dialects.payments import BadParameters
from tollgate.errors import Fault

MOST_CHARACTERS: Final = 8192
MOST_TERMS: Final = 100
MOST_DEPTH: Final = 32

_SPACE: Final = " \t\r\n"
_NAME: Final = re.compile(r"""[^\s()"':=]+""")
_COMPARATOR: Final = re.compile(r":(?:<=|>=|<|>|~|\*(?=[\s)]|\Z)|)|=")
_CONNECTIVE: Final = re.compile(r"(AND|OR)(?=\s|\Z)")
_NOT: Final = re.compile(r"NOT(?=\s|\Z)")


class QueryRefused(BadParameters):
    """The query cannot be read, or asks what the resource cannot answer (400)."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__([Fault("query", f"column {column}: {message}" if column else message)], code="query_invalid")
        self.column = column


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison. `comparator` is one of `: :< :> :<= :>= :~ :*`; `value` is None for `:*` alone."""

    name: str
    comparator: str
    value: str | None
    quoted: bool
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    """What its part is not."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of its parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of its parts."""

    parts: tuple[Node, ...]


Node = Term | Not | And | Or


def parse(text: str) -> Node | None:
    """The tree of a query; None for an empty one.

    Raises:
        QueryRefused: with the column, counted from 1 in characters, at which it cannot go on.
    """
    if len(text) > MOST_CHARACTERS:
        raise QueryRefused(f"is longer than {MOST_CHARACTERS} characters")
    parser = _Parser(text)
    parser.skip_space()
    if parser.at_end():
        return None
    node = parser.query(0)
    if not parser.at_end():
        parser.refuse("a closing bracket without an opening one" if parser.peek() == ")" else "whitespace is expected")
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._terms = 0

    def at_end(self) -> bool:
        return self._at == len(self._text)

    def peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def refuse(self, message: str, at: int | None = None) -> None:
        raise QueryRefused(message, (self._at if at is None else at) + 1)

    def skip_space(self) -> bool:
        start, text, end = self._at, self._text, len(self._text)
        while self._at < end and (text[self._at] in _SPACE or text[self._at].isspace()):
            self._at += 1
        return self._at > start

    def query(self, depth: int) -> Node:
        """Terms up to the end or a closing bracket, which is left to the caller; whitespace behind them is taken."""
        alternatives: list[Node] = []
        together: list[Node] = [self._term(depth)]
        while self.skip_space() and not self.at_end() and self.peek() != ")":
            if self._connective() == "OR":
                alternatives.append(_joined(together))
                together = []
            together.append(self._term(depth))
        alternatives.append(_joined(together))
        return alternatives[0] if len(alternatives) == 1 else Or(tuple(alternatives))

    def _connective(self) -> str:
        found = _CONNECTIVE.match(self._text, self._at)
        if not found:
            return "AND"
        self._at = found.end()
        self.skip_space()
        return found.group(1)

    def _term(self, depth: int) -> Node:
        if self.peek() == "-":
            self._at += 1
            return Not(self._negated(depth))
        found = _NOT.match(self._text, self._at)
        if found:
            self._at = found.end()
            self.skip_space()
            return Not(self._negated(depth))
        return self._plain_term(depth)

    def _negated(self, depth: int) -> Node:
        if self.peek() == "-" or _NOT.match(self._text, self._at):
            self.refuse("a term takes one modifier only")
        return self._plain_term(depth)

    def _plain_term(self, depth: int) -> Node:
        if self.peek() == "(":
            return self._group(depth)
        start = self._at
        found = _NAME.match(self._text, start)
        if not found:
            self.refuse("a term is expected")
            raise AssertionError
        if _CONNECTIVE.match(self._text, start):
            self.refuse("a term is expected, not a connective")
        self._at = found.end()
        return self._comparison(found.group(), start)

    def _group(self, depth: int) -> Node:
        start = self._at
        if depth == MOST_DEPTH:
            self.refuse(f"brackets are nested more than {MOST_DEPTH} deep")
        self._at += 1
        self.skip_space()
        node = self.query(depth + 1)
        if self.peek() != ")":
            if self.at_end():
                self.refuse("this bracket is not closed", start)
            self.refuse("whitespace is expected")
        self._at += 1
        return node

    def _comparison(self, name: str, start: int) -> Term:
        self._terms += 1
        if self._terms > MOST_TERMS:
            self.refuse(f"there are more than {MOST_TERMS} terms", start)
        found = _COMPARATOR.match(self._text, self._at)
        if not found:
            self.refuse("a comparator such as : is expected right after the name")
            raise AssertionError
        self._at = found.end()
        comparator = found.group()
        if comparator == ":*":
            return Term(name, comparator, None, False, start + 1)
        value, quoted = self._value(may_be_quoted=comparator != "=")
        return Term(name, ":" if comparator == "=" else comparator, value, quoted, start + 1)

    def _value(self, *, may_be_quoted: bool) -> tuple[str, bool]:
        quote, start = self.peek(), self._at
        if quote in ("'", '"') and quote and may_be_quoted:
            end = self._text.find(quote, start + 1)
            if end < 0:
                self.refuse("this quote is not closed")
            self._at = end + 1
            value = self._text[start + 1 : end]
        else:
            found = _NAME.match(self._text, start)
            if not found:
                self.refuse("a value is expected")
                raise AssertionError
            self._at, value = found.end(), found.group()
        if not self.at_end() and self.peek() != ")" and not self.peek().isspace():
            self.refuse("a value that holds brackets, quotes, : or = has to be quoted as a whole")
        return value, self._text[start] in "'\""


def _joined(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else And(tuple(parts))
