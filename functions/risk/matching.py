"""What conditions mean: closures over the values of one decision, made once when a ruleset is loaded.

Before rules run, every field that any of them names is fetched once into a list of *slots*; a closure looks at its slot
by number. What is missing is `ABSENT`, which is equal to nothing, less and more than nothing, and in nothing: so a leaf
needs no question of its own for a missing field, and that is most of the speed. The last slot holds the paths whose
value stands on the blacklist. Pure.

An *explanation* has the shape of the condition that matched, each leaf with the `actual` value that it saw; of an `any`
only the parts that hold are in it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from risk.conditions import AllOf, AnyOf, Compare, Condition, Constant, Not, Nothing, Operand, Velocity
from risk.fields import PYTHON_TYPES, Field, value_at

Values = list[Any]
Test = Callable[[Values], bool]
Explain = Callable[[Values], dict[str, Any]]
Getter = Callable[[Mapping[str, Any]], Any]


class Absent:
    """A value that is not there: every comparison with it is false."""

    __slots__ = ()

    def _false(self, _: object = None) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _false
    __contains__ = startswith = endswith = _false
    __hash__ = object.__hash__


ABSENT: Final = Absent()
_EMPTY: Final[Mapping[str, Any]] = {}


class Slots:
    """Gives every field and every velocity operand of a ruleset its number."""

    def __init__(self) -> None:
        self.fields: dict[str, Field] = {}
        self.operands: dict[str, Operand] = {}
        self._numbers: dict[str, int] = {}

    def of_field(self, field: Field) -> int:
        self.fields.setdefault(field.path, field)
        return self._numbers.setdefault(field.path, len(self._numbers))

    def of_operand(self, operand: Operand) -> int:
        self.operands.setdefault(operand.signature, operand)
        return self._numbers.setdefault(operand.signature, len(self._numbers))

    def fetchers(self) -> list[tuple[Getter | None, str]]:
        """By number: how to get a field from the context, or None and the signature of a count."""
        by_number = sorted(self._numbers, key=self._numbers.__getitem__)
        return [(getter(self.fields[name]) if name in self.fields else None, name) for name in by_number]


def getter(field: Field) -> Getter:
    """Fetches a field from a context; `ABSENT` where it is missing, null or of another type."""
    wanted = PYTHON_TYPES[field.kind]
    if len(field.steps) == 1:
        name = str(field.steps[0])

        def one(context: Mapping[str, Any]) -> Any:
            value = context.get(name)
            return value if type(value) is wanted else ABSENT

        return one
    if len(field.steps) == 2:
        group, name = str(field.steps[0]), str(field.steps[1])

        def two(context: Mapping[str, Any]) -> Any:
            value = context.get(group, _EMPTY).get(name)
            return value if type(value) is wanted else ABSENT

        return two

    def deep(context: Mapping[str, Any]) -> Any:
        value = value_at(context, field)
        return ABSENT if value is None else value

    return deep


# ------------------------------------------------------------------ tests


def test_of(condition: Condition, slots: Slots) -> Test:
    """The closure that says whether a condition holds."""
    match condition:
        case Nothing():
            return _never
        case AllOf(parts):
            return _all([test_of(part, slots) for part in parts])
        case AnyOf(parts):
            return _any([test_of(part, slots) for part in parts])
        case Not(part):
            inner = test_of(part, slots)
            return lambda v: not inner(v)
        case Velocity(operand, op, value):
            return _ordered(slots.of_operand(operand), op, value)
        case Compare():
            return _compare(condition, slots)


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda v: first(v) and second(v)
    if len(tests) == 3:
        first, second, third = tests
        return lambda v: first(v) and second(v) and third(v)

    def every(v: Values) -> bool:
        for test in tests:  # noqa: SIM110 -- all() over a generator takes twice as long
            if not test(v):
                return False
        return True

    return every


def _any(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda v: first(v) or second(v)

    def some(v: Values) -> bool:
        for test in tests:  # noqa: SIM110 -- as above
            if test(v):
                return True
        return False

    return some


def _compare(leaf: Compare, slots: Slots) -> Test:
    n = slots.of_field(leaf.field)
    if isinstance(leaf.value, Field):
        return _against_field(n, slots.of_field(leaf.value), leaf.op)
    match leaf.op:
        case "exists":
            return lambda v: v[n] is not ABSENT
        case "not_exists":
            return lambda v: v[n] is ABSENT
        case "in" | "not_in":
            return _membership(n, frozenset(_several(leaf)), leaf.op)
        case "cidr":
            return _within(n, tuple(str(each) for each in _several(leaf)))
        case "contains" | "starts_with" | "ends_with":
            return _part_of_text(n, leaf.op, str(leaf.value))
        case _:
            return _ordered(n, leaf.op, leaf.value)


def _never(_: Values) -> bool:
    return False


def _several(leaf: Compare) -> tuple[Constant, ...]:
    """The constants of a leaf that takes several."""
    if not isinstance(leaf.value, tuple):
        raise TypeError("a list of constants was expected")
    return leaf.value


def _ordered(n: int, op: str, c: Any) -> Test:
    """A slot against a constant. Where both could be `ABSENT` these lambdas would not do; a constant never is."""
    tests: dict[str, Test] = {
        "eq": lambda v: v[n] == c,
        "ne": lambda v: v[n] != c,
        "gt": lambda v: v[n] > c,
        "gte": lambda v: v[n] >= c,
        "lt": lambda v: v[n] < c,
        "lte": lambda v: v[n] <= c,
    }
    return tests[op]


def _membership(n: int, chosen: frozenset[Any], op: str) -> Test:
    if op == "in":
        return lambda v: v[n] in chosen
    return lambda v: v[n] is not ABSENT and v[n] not in chosen


def _part_of_text(n: int, op: str, c: str) -> Test:
    if op == "contains":
        return lambda v: c in v[n]
    if op == "starts_with":
        return lambda v: bool(v[n].startswith(c))
    return lambda v: bool(v[n].endswith(c))


def _against_field(n: int, m: int, op: str) -> Test:
    tests: dict[str, Test] = {
        "eq": lambda v: bool(v[n] == v[m]),
        "ne": lambda v: v[m] is not ABSENT and bool(v[n] != v[m]),
        "gt": lambda v: v[m] is not ABSENT and bool(v[n] > v[m]),
        "gte": lambda v: v[m] is not ABSENT and bool(v[n] >= v[m]),
        "lt": lambda v: v[m] is not ABSENT and bool(v[n] < v[m]),
        "lte": lambda v: v[m] is not ABSENT and bool(v[n] <= v[m]),
        "contains": lambda v: v[m] is not ABSENT and v[m] in v[n],
        "starts_with": lambda v: v[m] is not ABSENT and bool(v[n].startswith(v[m])),
        "ends_with": lambda v: v[m] is not ABSENT and bool(v[n].endswith(v[m])),
    }
    return tests[op]


def _within(n: int, networks: tuple[str, ...]) -> Test:
    chosen = [ipaddress.ip_network(each) for each in networks]

    def within(v: Values) -> bool:
        if v[n] is ABSENT:
            return False
        address = _address(v[n])
        return address is not None and any(address in network for network in chosen)

    return within


@lru_cache(maxsize=256)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


# ------------------------------------------------------------------ explanations


def explain_of(condition: Condition, slots: Slots) -> Explain:
    """The closure that tells why a condition holds. It is called only where it does, or below a `not`."""
    match condition:
        case Nothing():
            return lambda _: {}
        case AllOf(parts):
            explains = [explain_of(part, slots) for part in parts]
            return lambda v: {"all": [explain(v) for explain in explains]}
        case AnyOf(parts):
            pairs = [(test_of(part, slots), explain_of(part, slots)) for part in parts]
            return lambda v: {"any": [explain(v) for test, explain in pairs if test(v)]}
        case Not(part):
            inner = explain_of(part, slots)
            return lambda v: {"not": inner(v)}
        case Velocity():
            return _explain_leaf(slots.of_operand(condition.operand), leaf_view(condition))
        case Compare():
            return _explain_compare(condition, slots)


def _explain_compare(leaf: Compare, slots: Slots) -> Explain:
    n, shown = slots.of_field(leaf.field), leaf_view(leaf)
    if not isinstance(leaf.value, Field):
        return _explain_leaf(n, shown)
    m, other = slots.of_field(leaf.value), leaf.value.path
    return lambda v: {**shown, "value": {"field": other, "actual": _shown(v[m])}, "actual": _shown(v[n])}


def _explain_leaf(n: int, shown: dict[str, Any]) -> Explain:
    def explain(v: Values) -> dict[str, Any]:
        made = shown.copy()
        made["actual"] = None if v[n] is ABSENT else v[n]
        return made

    return explain


def _shown(value: Any) -> Any:
    return None if value is ABSENT else value


LONGEST_LIST_SHOWN: Final = 20


def leaf_view(leaf: Compare | Velocity) -> dict[str, Any]:
    """A leaf as JSON; of a long list the first entries."""
    if isinstance(leaf, Velocity):
        operand = leaf.operand
        shown: dict[str, Any] = {
            "key": operand.key, "window_seconds": operand.window_seconds, "aggregate": operand.aggregate,
        }  # fmt: skip
        if operand.aggregate == "distinct":
            shown["of"] = operand.of
        if operand.outcomes:
            shown["outcomes"] = list(operand.outcomes)
        return {"velocity": shown, "op": leaf.op, "value": leaf.value}
    if isinstance(leaf.value, Field):
        return {"field": leaf.field.path, "op": leaf.op, "value": {"field": leaf.value.path}}
    if leaf.value is None:
        return {"field": leaf.field.path, "op": leaf.op}
    value = list(leaf.value[:LONGEST_LIST_SHOWN]) if isinstance(leaf.value, tuple) else leaf.value
    return {"field": leaf.field.path, "op": leaf.op, "value": value}
