"""What conditions mean: functions of the values of one decision, made once when a ruleset is loaded.

Before rules run, every field that any of them names is fetched once into a list of *slots*. The rules of a ruleset
become one Python function over them (`Program`), since a call per rule would cost more than most rules do. What is
missing is `ABSENT`, which is equal to nothing, less and more than nothing, and in nothing: so a leaf needs no question
of its own for a missing field. The last slot holds the paths whose value stands on the blacklist. Pure.

An *explanation* has the shape of the condition that matched, each leaf with the `actual` value that it saw; of an `any`
only the parts that hold are in it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from risk.conditions import AllOf, AnyOf, Compare, Condition, Not, Nothing, Operand, Velocity
from risk.fields import PYTHON_TYPES, Field, value_at

Values = list[Any]
Test = Callable[[Values], bool]
Explain = Callable[[Values], dict[str, Any]]
Fetch = Callable[[Mapping[str, Any], Mapping[str, int]], Values]
Find = Callable[[Values, Callable[[int], object]], list[int]]
Run = Callable[[Values, Callable[[int], object]], Iterator[int]]


class Absent:
    """A value that is not there: every comparison with it is false."""

    __slots__ = ()

    def _false(self, _: object = None) -> bool:
        return False

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _false
    __contains__ = startswith = endswith = _false
    __hash__ = object.__hash__


ABSENT: Final = Absent()


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

    @property
    def count(self) -> int:
        return len(self._numbers)

    def listed(self) -> list[tuple[str, Field | None]]:
        """By number: a field, or the signature of an operand and None."""
        by_number = sorted(self._numbers, key=self._numbers.__getitem__)
        return [(name, self.fields.get(name)) for name in by_number]


def _deep(context: Mapping[str, Any], field: Field) -> Any:
    value = value_at(context, field)
    return ABSENT if value is None else value


# ------------------------------------------------------------------ programs


class Program:
    """Writes conditions as Python expressions, and makes a function of them.

    The text is put together from operators and from names that are made here: every value of a rule, a caller's text
    above all, is bound to a name (`c0`, `c1`, …) and never part of the text; only whole numbers are written out.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._names: dict[str, Any] = {
            "ABSENT": ABSENT,
            "EMPTY": {},
            "deep": _deep,
            "within": _within,
            "__builtins__": {"Exception": Exception, "type": type},
        }

    def test(self, condition: Condition) -> Test:
        """One condition as a function of the slots."""
        text = f"lambda v: {self._text(condition, 'v[{}]')}"
        made: Test = eval(text, self._names)  # noqa: S307 -- see the class
        return made

    def run(self, tests: Sequence[Condition | frozenset[str] | None]) -> Run:
        """Several in one function, which yields the numbers of those that hold, in order.

        In the place of a condition may stand the paths of which one has to be on the blacklist, or None for what always
        holds. The number of a test that fails is handed to `failed`, and the next one is tried.
        """
        lines = [self._line(number, test, f"yield {number}") for number, test in enumerate(tests)]
        names = "".join(f"a{n}, " for n in range(self._slots.count))
        text = "\n".join(["def run(v, failed):", f"    [{names}listed] = v", *lines, "    return", "    yield"])
        exec(text, self._names)  # noqa: S102 -- see the class
        made: Run = self._names["run"]
        return made

    def find(self, tests: Sequence[Condition | frozenset[str] | None], last: Collection[int]) -> Find:
        """As `run`, all at once in a list, which ends with the first of the numbers `last` that holds."""
        lines = [
            self._line(n, test, f"hit({n})" + ("; return hits" if n in last else "")) for n, test in enumerate(tests)
        ]
        names = "".join(f"a{n}, " for n in range(self._slots.count))
        head = ["def find(v, failed):", f"    [{names}listed] = v", "    hits = []; hit = hits.append"]
        exec("\n".join([*head, *lines, "    return hits"]), self._names)  # noqa: S102 -- see the class
        made: Find = self._names["find"]
        return made

    def explain(self, condition: Condition) -> Explain:
        """A function that tells why a condition holds."""
        made: Explain = eval(f"lambda v: {self._why(condition)}", self._names)  # noqa: S307 -- see the class
        return made

    def fetch(self) -> Fetch:
        """A function that fetches all slots from a context and counters: a value that is missing, null or of another
        type than its field is `ABSENT`."""
        lines: list[str] = []
        groups: dict[str, str] = {}
        for n, (name, field) in enumerate(self._slots.listed()):
            if field is None:
                lines.append(f"    a{n} = counters.get({self._constant(name)}, ABSENT)")
            elif len(field.steps) > 2:
                lines.append(f"    a{n} = deep(context, {self._constant(field)})")
            else:
                lines += self._fetch(n, field, groups)
        names = "".join(f"a{n}, " for n in range(self._slots.count))
        exec("\n".join(["def fetch(context, counters):", *lines, f"    return [{names}]"]), self._names)  # noqa: S102
        made: Fetch = self._names["fetch"]
        return made

    def _fetch(self, n: int, field: Field, groups: dict[str, str]) -> list[str]:
        """A field at the top or in a group; each group is fetched once."""
        lines, home = [], "context"
        if len(field.steps) == 2:
            group = str(field.steps[0])
            if group not in groups:
                groups[group] = f"g{len(groups)}"
                lines.append(f"    {groups[group]} = context.get({self._constant(group)}, EMPTY)")
            home = groups[group]
        wanted = self._constant(PYTHON_TYPES[field.kind])
        lines.append(f"    a{n} = {home}.get({self._constant(field.steps[-1])})")
        lines.append(f"    if type(a{n}) is not {wanted}: a{n} = ABSENT")
        return lines

    def _line(self, number: int, test: Condition | frozenset[str] | None, then: str) -> str:
        if test is None:
            text = "True"
        elif isinstance(test, frozenset):
            text = f"not {self._constant(test)}.isdisjoint(listed)"
        else:
            text = self._text(test, "a{}")
        return f"    try:\n        if {text}: {then}\n    except Exception: failed({number})"

    def _text(self, condition: Condition, slot: str) -> str:
        match condition:
            case Nothing():
                return "False"
            case AllOf(parts):
                return "(" + " and ".join(self._text(part, slot) for part in parts) + ")"
            case AnyOf(parts):
                return "(" + " or ".join(self._text(part, slot) for part in parts) + ")"
            case Not(part):
                return f"(not {self._text(part, slot)})"
            case Velocity(operand, op, value):
                return f"{slot.format(self._slots.of_operand(operand))} {_SIGNS[op]} {value:d}"
            case Compare():
                return self._compare(condition, slot)

    def _why(self, condition: Condition) -> str:
        """The text of a dictionary in the shape of the condition, each leaf with what it saw."""
        match condition:
            case Nothing():
                return "{}"
            case AllOf(parts):
                return '{"all": [' + ", ".join(map(self._why, parts)) + "]}"
            case AnyOf(parts):
                each = ", ".join(f"{self._why(part)} if {self._text(part, 'v[{}]')} else None" for part in parts)
                return f'{{"any": [part for part in ({each},) if part is not None]}}'
            case Not(part):
                return f'{{"not": {self._why(part)}}}'
            case Velocity() | Compare():
                return self._why_leaf(condition)

    def _why_leaf(self, leaf: Velocity | Compare) -> str:
        shown = leaf_view(leaf)
        if isinstance(leaf, Velocity):
            n = self._slots.of_operand(leaf.operand)
        else:
            n = self._slots.of_field(leaf.field)
            if isinstance(leaf.value, Field):
                other = self._slots.of_field(leaf.value)
                shown["value"] = _Text(f'{{"field": {self._bound(leaf.value.path)}, "actual": {_seen(other)}}}')
        members = (
            f'"{name}": {value if isinstance(value, _Text) else self._bound(value)}' for name, value in shown.items()
        )
        return "{" + ", ".join(members) + f', "actual": {_seen(n)}}}'

    def _bound(self, value: object) -> str:
        """The name of a value as it is."""
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name

    def _compare(self, leaf: Compare, slot: str) -> str:
        here = slot.format(self._slots.of_field(leaf.field))
        if leaf.op in _OF_PRESENCE:
            return f"({here} {_OF_PRESENCE[leaf.op]} ABSENT)"
        if isinstance(leaf.value, Field):
            other = slot.format(self._slots.of_field(leaf.value))
            return f"({other} is not ABSENT and {self._with(leaf.op, here, other)})"
        return self._with(leaf.op, here, self._constant(leaf.value))

    def _with(self, op: str, here: str, other: str) -> str:
        if op in _SIGNS:
            return f"({here} {_SIGNS[op]} {other})"
        match op:
            case "in":
                return f"({here} in {other})"
            case "not_in":
                return f"({here} is not ABSENT and {here} not in {other})"
            case "contains":
                return f"({other} in {here})"
            case "starts_with":
                return f"{here}.startswith({other})"
            case "ends_with":
                return f"{here}.endswith({other})"
            case "cidr":
                return f"within({here}, {other})"
        raise ValueError("an operator without a meaning")

    def _constant(self, value: object) -> str:
        """The name of a constant; several are a set."""
        if isinstance(value, int):
            return f"{value:d}"
        return self._bound(frozenset(value) if isinstance(value, tuple) else value)


class _Text(str):
    """A part of a program, made here; no value of a rule."""

    __slots__ = ()


def _seen(slot: int) -> str:
    return f"(None if v[{slot}] is ABSENT else v[{slot}])"


_SIGNS: Final = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_OF_PRESENCE: Final = {"exists": "is not", "not_exists": "is"}


def _within(text: Any, networks: frozenset[str]) -> bool:
    if text is ABSENT:
        return False
    address = _address(text)
    return address is not None and any(address in network for network in _networks(networks))


@lru_cache(maxsize=256)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _networks(texts: frozenset[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts]


# ------------------------------------------------------------------ explanations


def explain_of(condition: Condition, slots: Slots) -> Explain:
    """The function that tells why a condition holds. It is called only where it does, or below a `not`, and made when
    it is first: most rules never fire, and a simulation asks none."""
    made: list[Explain] = []

    def explain(v: Values) -> dict[str, Any]:
        if not made:
            made.append(Program(slots).explain(condition))
        return made[0](v)

    return explain


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
