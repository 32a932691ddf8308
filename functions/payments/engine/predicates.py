"""From a query's tree to a test on objects: names resolved, values read by the types of their properties.

Two-valued: a comparison with nothing is false, so its negation is true. Equality of text ignores case by Unicode
folding; numbers are equal by value; a date without a time means its whole day. Ordering takes numbers and moments only.
`:~` asks of text that it contains, of a list that it has, every one of the comma-separated parts; a quoted value is one
part. Whatever a property's type cannot answer is refused with the column of its term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from payments.engine.declarations import Resource, inner_type
from payments.engine.fields import Embedded, Many, MapOf, OneOf, Type, day_of, moment_of
from payments.engine.grammar import And, Node, Not, QueryRefused, Term
from payments.engine.paths import Loaded, Path, Step, UnknownPath, resolve

LARGEST_EXPONENT: Final = 60

Test = Callable[[list[Any]], bool]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A term on a property. `equals` is what the property is asked to be, for an index, where it is asked that."""

    term: Term
    path: Path
    test: Test
    equals: Any = None

    def holds(self, values: dict[str, Any], loaded: Loaded) -> bool:
        return self.test(self.path.values(values, loaded))


@dataclass(frozen=True, slots=True)
class Negation:
    part: Predicate

    def holds(self, values: dict[str, Any], loaded: Loaded) -> bool:
        return not self.part.holds(values, loaded)


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Predicate, ...]

    def holds(self, values: dict[str, Any], loaded: Loaded) -> bool:
        return all(part.holds(values, loaded) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Predicate, ...]

    def holds(self, values: dict[str, Any], loaded: Loaded) -> bool:
        return any(part.holds(values, loaded) for part in self.parts)


Predicate = Comparison | Negation | All | AnyOf


def compiled(node: Node, resource: Resource, can_read: Callable[[Resource], bool]) -> Predicate:
    """Raises:
    QueryRefused: a name, a value or a comparator does not fit the resource.
    """
    if isinstance(node, Term):
        return _comparison(node, resource, can_read)
    if isinstance(node, Not):
        return Negation(compiled(node.part, resource, can_read))
    parts = tuple(compiled(part, resource, can_read) for part in node.parts)
    return All(parts) if isinstance(node, And) else AnyOf(parts)


def hops_of(predicate: Predicate | None) -> Iterator[tuple[Step, ...]]:
    """The ways to all links that the test follows."""
    if isinstance(predicate, Comparison):
        yield from predicate.path.hops
    elif isinstance(predicate, Negation):
        yield from hops_of(predicate.part)
    elif predicate is not None:
        for part in predicate.parts:
            yield from hops_of(part)


def _comparison(term: Term, resource: Resource, can_read: Callable[[Resource], bool]) -> Comparison:
    try:
        path = resolve(resource, term.name, can_read)
        if term.comparator == ":*":
            return Comparison(term, path, lambda values: not values)
        if not isinstance(path.type, Many) and path.type.comparison == "none":
            raise UnknownPath("this property can only be asked for by :* or by its members")
        if term.comparator == ":~":
            return Comparison(term, path, _contains(path.type, term))
        test, equals = _compares(inner_type(path.type), term.comparator, term.value or "")
        return Comparison(term, path, lambda values: any(test(each) for each in values), equals)
    except UnknownPath as error:
        raise QueryRefused(str(error), term.column) from None
    except ValueError as error:
        raise QueryRefused(str(error), term.column) from None


# ---------------------------------------------------------------------- comparators


def _compares(of: Type, comparator: str, text: str) -> tuple[Callable[[Any], bool], Any]:
    """The test of one value, and what an index is asked for."""
    kind = of.comparison
    if kind == "number":
        number = read_number(text)
        return _ordered(comparator, number, Decimal), number
    if kind == "moment":
        return _moments(comparator, text), None
    if comparator != ":":
        raise ValueError("only numbers and dates can be ordered")
    if kind == "flag":
        wanted = read_flag(text)
        return (lambda value: value is wanted), wanted
    if isinstance(of, OneOf):
        choice = read_choice(of, text)
        return (lambda value: value == choice), choice
    if kind != "text" or isinstance(of, (Embedded, MapOf)):
        raise ValueError("this property can only be asked for by :* or by its members")
    folded = text.casefold()
    return (lambda value: str(value).casefold() == folded), text


def _ordered(comparator: str, wanted: Any, read: Callable[[Any], Any]) -> Callable[[Any], bool]:
    tests: dict[str, Callable[[Any], bool]] = {
        ":": lambda value: read(value) == wanted,
        ":<": lambda value: read(value) < wanted,
        ":>": lambda value: read(value) > wanted,
        ":<=": lambda value: read(value) <= wanted,
        ":>=": lambda value: read(value) >= wanted,
    }
    return tests[comparator]


def _moments(comparator: str, text: str) -> Callable[[Any], bool]:
    low, high = span(text)
    tests: dict[str, Callable[[Any], bool]] = {
        ":": lambda value: low <= _stored_moment(value) < high,
        ":<": lambda value: _stored_moment(value) < low,
        ":>": lambda value: _stored_moment(value) >= high,
        ":<=": lambda value: _stored_moment(value) < high,
        ":>=": lambda value: _stored_moment(value) >= low,
    }
    return tests[comparator]


def span(text: str) -> tuple[datetime, datetime]:
    """The first moment that a literal means and the first behind it: a day, or one millisecond.

    Raises:
        ValueError: neither a date nor a date-time.
    """
    day = day_of(text)
    if day is not None and day < date.max:
        first = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return first, first + timedelta(days=1)
    moment = moment_of(text)
    if moment is None:
        raise ValueError("a date (YYYY-MM-DD) or a date-time of ISO 8601 is expected")
    return moment, moment + timedelta(milliseconds=1)


def _stored_moment(value: str) -> datetime:
    return span(value)[0]


def read_number(text: str) -> Decimal:
    """Raises:
    ValueError: not a finite decimal of a size that can be meant.
    """
    try:
        number = Decimal(text) if text.isascii() and "_" not in text and text == text.strip() else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > LARGEST_EXPONENT:
        raise ValueError("a number is expected")
    return number


def read_flag(text: str) -> bool:
    if text.casefold() not in ("true", "false"):
        raise ValueError("true or false is expected")
    return text.casefold() == "true"


def read_choice(of: OneOf, text: str) -> str:
    by_folded = {value.casefold(): value for value in of.values}
    if text.casefold() not in by_folded:
        raise ValueError("one of " + ", ".join(of.values) + " is expected")
    return by_folded[text.casefold()]


def _contains(of: Type, term: Term) -> Test:
    text = term.value or ""
    parts = [text] if term.quoted else text.split(",")
    if not all(parts):
        raise ValueError("a part of the list is empty")
    inner = inner_type(of)
    if isinstance(of, Many):
        tests = [_compares(inner, ":", part)[0] for part in parts]
        return lambda values: all(any(test(value) for value in values) for test in tests)
    if inner.comparison not in ("text", "choice"):
        raise ValueError("only text and lists can be asked what they contain")
    folded = [part.casefold() for part in parts]
    return lambda values: all(any(part in str(value).casefold() for value in values) for part in folded)
