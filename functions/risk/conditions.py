"""Conditions of rules: typed JSON, read into a tree when a rule is stored.

Grammar (ours; the reference leaves it open, docs/decisions/0021-conditions.md)::

    cond  := {} | {"all": [cond+]} | {"any": [cond+]} | {"not": cond} | leaf
    leaf  := {"field": PATH, "op": OP, "value": CONST | [CONST+] | {"field": PATH}}
           | {"velocity": {"key": PATH, "window_seconds": int, "aggregate": "count|sum|distinct", "of"?, "outcomes"?},
              "op": eq|ne|gt|gte|lt|lte, "value": int}
    OP    := eq ne gt gte lt lte in not_in contains starts_with ends_with exists not_exists cidr

`{}` matches nothing. A leaf on a missing field is false, whatever its operator (but for `not_exists`), so that absence
never blocks by accident. There are no loops and no regular expressions: the cost of a condition is linear in its size.
Every fault is found at once, each with its path; no fault quotes a value. Pure; what it means is `risk.matching`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, TypeGuard, cast

from risk.fields import AMOUNT, VELOCITY_KEYS, Field, NoField, canonical_ip, field_at
from tollgate import luhn
from tollgate.errors import Fault

DEEPEST: Final = 16
MOST_NODES: Final = 256
MOST_FAULTS: Final = 50
MOST_IN_LIST: Final = 1000
LONGEST_TEXT: Final = 255
LARGEST_NUMBER: Final = 2**53 - 1
LONGEST_WINDOW_SECONDS: Final = 90 * 24 * 3600
MOST_COUNTED: Final = 1000
"""Decisions that are remembered per key, and so the largest number that a count can be compared with."""

OUTCOMES: Final = ("ALLOW", "REVIEW", "BLOCK", "PROVISIONAL")
_NAME: Final = re.compile(r"[a-z_]{1,32}")

_EQUALITY: Final = frozenset({"eq", "ne", "in", "not_in", "exists", "not_exists"})
_ORDER: Final = frozenset({"eq", "ne", "gt", "gte", "lt", "lte"})
OPERATORS: Final[Mapping[str, frozenset[str]]] = {
    "text": _EQUALITY | {"contains", "starts_with", "ends_with"},
    "number": _EQUALITY | _ORDER,
    "date": _EQUALITY | _ORDER,
    "ip": _EQUALITY | {"cidr"},
    "texts": frozenset({"contains", "exists", "not_exists"}),
}
"""Kind of field → the operators that it takes."""

ALL_OPERATORS: Final = frozenset().union(*OPERATORS.values())
_WITHOUT_VALUE: Final = frozenset({"exists", "not_exists"})
_WITH_LIST: Final = frozenset({"in", "not_in"})

Aggregate = Literal["count", "sum", "distinct"]
Constant = str | int


@dataclass(frozen=True, slots=True)
class Operand:
    """A rolling count: of the account's decisions with the same `key` in the last `window_seconds`, this one
    included.

    `sum` adds up amounts of the decision's currency, `distinct` counts the values of `of`. With `outcomes` only earlier
    decisions that ended so count.
    """

    key: str
    window_seconds: int
    aggregate: Aggregate
    of: str | None = None
    outcomes: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """One text per operand, the same in every ruleset: the name of its value in a decision's record."""
        of, outcomes = self.of or "-", ",".join(self.outcomes) or "-"
        return f"{self.aggregate}|{self.key}|{self.window_seconds}|{of}|{outcomes}"


@dataclass(frozen=True, slots=True)
class Nothing:
    """`{}`: matches nothing."""


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a constant, several constants (`in`, `not_in`, `cidr`), or another field of its kind."""

    field: Field
    op: str
    value: Constant | tuple[Constant, ...] | Field | None


@dataclass(frozen=True, slots=True)
class Velocity:
    operand: Operand
    op: str
    value: int


Condition = Nothing | AllOf | AnyOf | Not | Compare | Velocity


class Reader:
    """Reads one condition; what is wrong with it collects in `faults`."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._nodes = 0

    def read(self, value: object, path: str, depth: int = 1) -> Condition:
        """The condition at `path`; `Nothing` stands in for one that has faults."""
        self._nodes += 1
        if depth > DEEPEST:
            return self._fault(path, f"is nested more than {DEEPEST} levels deep")
        if self._nodes > MOST_NODES:
            if self._nodes == MOST_NODES + 1:
                self._fault(path, f"makes the condition have more than {MOST_NODES} parts")
            return Nothing()
        if not isinstance(value, dict):
            return self._fault(path, "must be an object")
        if not value:
            return Nothing()
        return self._of_form(value, path, depth)

    def _of_form(self, value: dict[str, Any], path: str, depth: int) -> Condition:
        forms = [name for name in ("all", "any", "not", "field", "velocity") if name in value]
        if len(forms) != 1:
            return self._fault(path, "must have exactly one of all, any, not, field, velocity")
        form = forms[0]
        known = {form} if form in ("all", "any", "not") else {form, "op", "value"}
        for name in sorted(set(value) - known):
            self._fault(f"{path}.{name}" if _NAME.fullmatch(name) else f"{path}[*]", "is not a known member")
        if form == "not":
            return Not(self.read(value["not"], f"{path}.not", depth + 1))
        if form in ("all", "any"):
            parts = self._parts(value[form], f"{path}.{form}", depth)
            return AllOf(parts) if form == "all" else AnyOf(parts)
        return self._compare(value, path) if form == "field" else self._velocity(value, path)

    def _parts(self, value: object, path: str, depth: int) -> tuple[Condition, ...]:
        if not isinstance(value, list) or not value:
            self._fault(path, "must be a list of at least one condition")
            return ()
        if len(value) > MOST_NODES:
            self._fault(path, f"must have at most {MOST_NODES} entries")
            return ()
        return tuple(self.read(part, f"{path}[{index}]", depth + 1) for index, part in enumerate(value))

    # ------------------------------------------------------------------ leaves

    def _compare(self, value: dict[str, Any], path: str) -> Condition:
        field = self._field(value["field"], f"{path}.field")
        op = self._operator(value, path, OPERATORS[field.kind] if field else ALL_OPERATORS)
        if field is None or op is None:
            return Nothing()
        if op in _WITHOUT_VALUE:
            if value.get("value") is not None:
                return self._fault(f"{path}.value", f"must not be given with {op}")
            return Compare(field, op, None)
        if "value" not in value:
            return self._fault(f"{path}.value", "is required")
        return self._against(field, op, value["value"], f"{path}.value")

    def _against(self, field: Field, op: str, value: object, path: str) -> Condition:
        if op in _WITH_LIST or (op == "cidr" and isinstance(value, list)):
            return self._against_list(field, op, value, path)
        if isinstance(value, dict):
            other = self._other_field(field, op, value, path)
            return Compare(field, op, other) if other else Nothing()
        constant = self._constant(field, op, value, path)
        if constant is None:
            return Nothing()
        return Compare(field, op, (constant,) if op == "cidr" else constant)

    def _against_list(self, field: Field, op: str, value: object, path: str) -> Condition:
        if not isinstance(value, list) or not value:
            return self._fault(path, "must be a list of at least one value")
        if len(value) > MOST_IN_LIST:
            return self._fault(path, f"must have at most {MOST_IN_LIST} entries")
        found = [self._constant(field, op, each, f"{path}[{index}]") for index, each in enumerate(value)]
        return Compare(field, op, tuple(each for each in found if each is not None))

    def _other_field(self, field: Field, op: str, value: dict[str, Any], path: str) -> Field | None:
        if set(value) != {"field"} or op == "cidr":
            self._fault(path, "must be a constant" if op == "cidr" else "must be a constant or an object with a field")
            return None
        other = self._field(value["field"], f"{path}.field")
        if other is not None and other.kind != field.kind and not (field.kind == "texts" and other.kind == "text"):
            self._fault(f"{path}.field", f"must be a field of the same kind ({field.kind})")
            return None
        return other

    def _constant(self, field: Field, op: str, value: object, path: str) -> Constant | None:
        problem = _problem(field.kind, op, value)
        if problem is not None:
            self._fault(path, problem)
            return None
        if field.kind == "ip" and isinstance(value, str):
            return str(ipaddress.ip_network(value, strict=False)) if op == "cidr" else canonical_ip(value)
        return value if isinstance(value, (str, int)) else None

    def _velocity(self, value: dict[str, Any], path: str) -> Condition:
        op = self._operator(value, path, _ORDER)
        operand = self._operand(value["velocity"], f"{path}.velocity")
        largest = LARGEST_NUMBER if operand is None or operand.aggregate == "sum" else MOST_COUNTED
        number = value.get("value")
        if not _is_number(number) or not 0 <= number <= largest:
            self._fault(f"{path}.value", f"must be a whole number from 0 to {largest}")
            return Nothing()
        return Velocity(operand, op, number) if operand and op else Nothing()

    def _operand(self, value: object, path: str) -> Operand | None:
        if not isinstance(value, dict):
            self._fault(path, "must be an object")
            return None
        before = len(self._faults)
        for name in sorted(set(value) - {"key", "window_seconds", "aggregate", "of", "outcomes"}):
            self._fault(f"{path}.{name}" if _NAME.fullmatch(name) else f"{path}[*]", "is not a known member")
        key = self._field(value.get("key"), f"{path}.key")
        if key is not None and key.path not in VELOCITY_KEYS:
            self._fault(f"{path}.key", f"must be one of {', '.join(VELOCITY_KEYS)}")
        window = value.get("window_seconds")
        if not _is_number(window) or not 1 <= window <= LONGEST_WINDOW_SECONDS:
            self._fault(f"{path}.window_seconds", f"must be a whole number from 1 to {LONGEST_WINDOW_SECONDS}")
        aggregate = value.get("aggregate")
        if aggregate not in ("count", "sum", "distinct"):
            self._fault(f"{path}.aggregate", "must be one of count, sum, distinct")
        of = self._of(aggregate, value.get("of"), f"{path}.of")
        outcomes = self._outcomes(value.get("outcomes"), f"{path}.outcomes")
        if key is None or not _is_number(window) or len(self._faults) > before:
            return None
        return Operand(key.path, window, cast("Aggregate", aggregate), of, outcomes)

    def _of(self, aggregate: object, value: object, path: str) -> str | None:
        if aggregate == "count" and value is not None:
            self._fault(path, "must not be given with count")
        if aggregate == "sum" and value is not None and value != AMOUNT:
            self._fault(path, f"must be {AMOUNT}")
        if aggregate != "distinct":
            return AMOUNT if aggregate == "sum" else None
        field = self._field(value, path)
        if field is not None and field.kind == "texts":
            self._fault(path, "must be a field with one value")
        return field.path if field else None

    def _outcomes(self, value: object, path: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not value or not all(each in OUTCOMES for each in value if _is_text(each)):
            self._fault(path, f"must be a list of {', '.join(OUTCOMES)}")
            return ()
        if not all(_is_text(each) for each in value):
            self._fault(path, f"must be a list of {', '.join(OUTCOMES)}")
            return ()
        return tuple(each for each in OUTCOMES if each in value)

    # ------------------------------------------------------------------ parts of leaves

    def _field(self, path: object, at: str) -> Field | None:
        try:
            return field_at(path)
        except NoField as wrong:
            self._fault(at, "is required" if path is None else str(wrong))
            return None

    def _operator(self, value: dict[str, Any], path: str, allowed: frozenset[str]) -> str | None:
        op = value.get("op")
        if isinstance(op, str) and op in allowed:
            return op
        self._fault(f"{path}.op", f"must be one of {', '.join(sorted(allowed))}")
        return None

    def _fault(self, path: str, message: str) -> Nothing:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(path, message))
        return Nothing()


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _problem(kind: str, op: str, value: object) -> str | None:
    """What is wrong with a constant that a field of this kind is compared with."""
    if kind == "number":
        fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER
        return None if fits else f"must be a whole number of at most {LARGEST_NUMBER}"
    if not isinstance(value, str):
        return "must be a string"
    if not 1 <= len(value) <= LONGEST_TEXT:
        return f"must have 1 to {LONGEST_TEXT} characters"
    if next(luhn.spans(value), None) is not None:
        return "must not hold a card number"
    return _format_problem(kind, op, value)


def _format_problem(kind: str, op: str, value: str) -> str | None:
    try:
        if kind == "ip" and op == "cidr":
            ipaddress.ip_network(value, strict=False)
        elif kind == "ip":
            canonical_ip(value)
        elif kind == "date" and date.fromisoformat(value).isoformat() != value:
            return "must be a date (YYYY-MM-DD)"
    except ValueError:
        return (
            "must be a date (YYYY-MM-DD)"
            if kind == "date"
            else "must be an IP network"
            if op == "cidr"
            else ("must be an IP address")
        )
    return None
