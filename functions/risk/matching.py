"""What conditions mean: functions of the values of one decision, made once when a ruleset is loaded.

Before rules run, every field that any of them names is fetched once into a list of *slots*. The rules of a ruleset
become one Python function over them (`Program`), since a call per rule would cost more than most rules do. What is
missing is `ABSENT`, which is equal to nothing, less and more than nothing, and in nothing: so a leaf needs no question
of its own for a missing field. The last slot holds the paths whose value stands on the blacklist. Pure; why a rule
holds is `risk.explanations`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final, Literal, NamedTuple

from risk.conditions import AllOf, AnyOf, Compare, Condition, Not, Nothing, Operand, Velocity
from risk.fields import PYTHON_TYPES, Field, value_at

Values = list[Any]
Texts = Sequence[str]
"""The slots as they stand in explanations."""

Fetch = Callable[[Mapping[str, Any], Mapping[str, int]], Values]
Find = Callable[[Values, Texts, Callable[[str], object]], tuple[list[Any], Any]]
Run = Callable[[Values, Texts, Callable[[str], object]], Iterator[Any]]


class Line(NamedTuple):
    """A rule in a program. `test` is a condition, the paths of which one has to be on the blacklist, or None for what
    always holds; `found` the source of what is found where it holds, `decision` what follows from it."""

    id: str
    test: Condition | Sequence[str] | None
    found: str
    decision: Literal["BLOCK", "REVIEW"] | None


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

    def take(self, condition: Condition | None) -> None:
        """Give everything that a condition names its number."""
        match condition:
            case AllOf(parts) | AnyOf(parts):
                for part in parts:
                    self.take(part)
            case Not(part):
                self.take(part)
            case Velocity(operand):
                self.of_operand(operand)
            case Compare(field, _, value):
                self.of_field(field)
                if isinstance(value, Field):
                    self.of_field(value)

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
        self._numbers = count()  # atomic: explanations are written while others decide
        self._names: dict[str, Any] = {
            "ABSENT": ABSENT,
            "EMPTY": {},
            "deep": _deep,
            "within": _within,
            "__builtins__": {"Exception": Exception, "type": type},
        }

    def find(self, lines: Sequence[Line], *, texts: bool) -> Find:
        """All lines in one function, which answers what is found and the decision that follows. The first BLOCK is the
        last line that counts. The id of a line that fails is handed to `failed`, and the next one is tried. Only with
        `texts` may `found` name slots as they stand in explanations."""
        body = [self._line(line, f"hit({line.found}){_FOLLOWS[line.decision]}") for line in lines]
        head = ["    hits = []; hit = hits.append; decision = 'ALLOW'"]
        made: Find = self._function("find", [*head, *body, "    return hits, decision"], texts=texts)
        return made

    def run(self, lines: Sequence[Line]) -> Run:
        """As `find`, one after the other; what follows is the caller's business."""
        body = [self._line(line, f"yield {line.found}") for line in lines]
        made: Run = self._function("run", [*body, "    return", "    yield"], texts=True)
        return made

    def _function(self, name: str, body: Sequence[str], *, texts: bool) -> Any:
        slots = range(self._slots.count)
        taken = [f"    [{''.join(f'a{n}, ' for n in slots)}listed] = v"]
        if texts:
            taken.append(f"    [{''.join(f't{n}, ' for n in slots)}] = t")
        return self._made(name, "\n".join([f"def {name}(v, t, failed):", *taken, *body]))

    def _made(self, name: str, text: str) -> Any:
        home: dict[str, Any] = {}
        exec(text, self._names, home)  # noqa: S102 -- see the class
        return home[name]

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
        text = "\n".join(["def fetch(context, counters):", *lines, f"    return [{names}]"])
        made: Fetch = self._made("fetch", text)
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

    def _line(self, line: Line, then: str) -> str:
        test = line.test
        if test is None:
            text = "True"
        elif isinstance(test, Sequence):
            text = f"not {self.bound(frozenset(test))}.isdisjoint(listed)"
        else:
            text = self.source(test)
        return f"    try:\n        if {text}: {then}\n    except Exception: failed({self.bound(line.id)})"

    def source(self, condition: Condition) -> str:
        """An expression that tells whether the condition holds."""
        match condition:
            case Nothing():
                return "False"
            case AllOf(parts):
                return "(" + " and ".join(map(self.source, parts)) + ")"
            case AnyOf(parts):
                return "(" + " or ".join(map(self.source, parts)) + ")"
            case Not(part):
                return f"(not {self.source(part)})"
            case Velocity(operand, op, value):
                return f"a{self._slots.of_operand(operand)} {_SIGNS[op]} {value:d}"
            case Compare():
                return self._compare(condition)

    def bound(self, value: object) -> str:
        """The name of a value as it is."""
        name = f"c{next(self._numbers)}"
        self._names[name] = value
        return name

    def _compare(self, leaf: Compare) -> str:
        here = f"a{self._slots.of_field(leaf.field)}"
        if leaf.op in _OF_PRESENCE:
            return f"({here} {_OF_PRESENCE[leaf.op]} ABSENT)"
        if isinstance(leaf.value, Field):
            other = f"a{self._slots.of_field(leaf.value)}"
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
        return self.bound(frozenset(value) if isinstance(value, tuple) else value)


_FOLLOWS: Final = {None: "", "REVIEW": "; decision = 'REVIEW'", "BLOCK": "; return hits, 'BLOCK'"}
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
