"""What is wrong with a ruleset as a whole, found before it can be activated. Pure.

A condition that can never hold (a contradiction), and a rule that can never be reached (after a live BLOCK that always
holds, or one with the very same condition) are mistakes of their author. Every verdict here is certain: what cannot be
decided by looking at constants is let pass. Types were checked when the rules were stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from risk.conditions import AllOf, AnyOf, Compare, Condition, Not, Nothing, Velocity
from risk.fields import ALWAYS_PRESENT, AMOUNT, Field
from risk.rules import Rule
from tollgate.errors import Fault


def faults_of(rules: Sequence[Rule]) -> list[Fault]:
    """Every rule that cannot fire, with its path."""
    found: list[Fault] = []
    ended_by: str | None = None
    blocking: dict[str, str] = {}
    for index, rule in enumerate(rules):
        path = f"$.rules[{index}]"
        if not rule.enabled:
            continue
        if ended_by is not None:
            found.append(Fault(path, f"cannot be reached: {ended_by} blocks everything"))
            continue
        found += _faults_of_rule(rule, path, blocking)
        if rule.live and rule.action == "BLOCK" and rule.type == "condition" and rule.condition is not None:
            blocking.setdefault(repr(rule.condition), path)
            if verdict(rule.condition) is True:
                ended_by = path
    return found


def _faults_of_rule(rule: Rule, path: str, blocking: dict[str, str]) -> Iterator[Fault]:
    if rule.condition is None or isinstance(rule.condition, Nothing):
        return
    if repr(rule.condition) in blocking:
        yield Fault(path, f"cannot fire: {blocking[repr(rule.condition)]} blocks under the same condition")
    elif verdict(rule.condition) is False:
        yield Fault(f"{path}.condition", "can never hold: it contradicts itself")


def verdict(condition: Condition) -> bool | None:
    """True: it always holds. False: it never does. None: it depends on the decision."""
    match condition:
        case Nothing():
            return False
        case Not(part):
            inner = verdict(part)
            return None if inner is None else not inner
        case AllOf(parts):
            return _of_all(parts)
        case AnyOf(parts):
            verdicts = [verdict(part) for part in parts]
            return True if True in verdicts else False if set(verdicts) <= {False} else None
        case Velocity():
            return _of_count(condition)
        case Compare():
            return _of_leaf(condition)


def _of_all(parts: tuple[Condition, ...]) -> bool | None:
    verdicts = [verdict(part) for part in parts]
    if False in verdicts or _contradict(parts):
        return False
    return True if set(verdicts) <= {True} else None


def _of_count(leaf: Velocity) -> bool | None:
    """A count is at least one (this decision) unless only other outcomes count; no key makes the leaf false."""
    always_one = leaf.operand.aggregate == "count" and not leaf.operand.outcomes
    return _of_at_least(1 if always_one else 0, leaf.op, leaf.value, leaf.operand.key in ALWAYS_PRESENT)


def _of_leaf(leaf: Compare) -> bool | None:
    present = leaf.field.path in ALWAYS_PRESENT
    if leaf.op == "exists":
        return True if present else None
    if leaf.op == "not_exists":
        return False if present else None
    if leaf.field.path == AMOUNT and isinstance(leaf.value, int):
        return _of_at_least(0, leaf.op, leaf.value, present)
    return None


def _of_at_least(least: int, op: str, value: int, present: bool) -> bool | None:
    """A number that is never below `least`, against a constant."""
    never = {"lt": value <= least, "lte": value < least, "eq": value < least}
    always = {"gte": value <= least, "gt": value < least, "ne": value < least}
    if never.get(op):
        return False
    return True if always.get(op) and present else None


# ------------------------------------------------------------------ contradictions


@dataclass(slots=True)
class _Domain:
    """What the leaves of a conjunction leave of one field: bounds, the values still possible, the values excluded."""

    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False
    possible: set[Any] | None = None
    excluded: set[Any] = field(default_factory=set)
    exists: bool = False
    absent: bool = False

    def is_empty(self) -> bool:
        if self.exists and self.absent:
            return True
        if self.possible is not None:
            return not any(self._allows(value) for value in self.possible)
        if self.low is None or self.high is None:
            return False
        return bool(self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)))

    def _allows(self, value: Any) -> bool:
        if value in self.excluded:
            return False
        if self.low is not None and (value < self.low or (value == self.low and self.low_open)):
            return False
        return not (self.high is not None and (value > self.high or (value == self.high and self.high_open)))

    def raise_low(self, value: Any, is_open: bool) -> None:
        if self.low is None or value > self.low or (value == self.low and is_open):
            self.low, self.low_open = value, is_open

    def lower_high(self, value: Any, is_open: bool) -> None:
        if self.high is None or value < self.high or (value == self.high and is_open):
            self.high, self.high_open = value, is_open

    def keep(self, values: set[Any]) -> None:
        self.possible = values if self.possible is None else self.possible & values


def _contradict(parts: tuple[Condition, ...]) -> bool:
    """Whether the leaves that must all hold leave some field without a value."""
    domains: dict[str, _Domain] = {}
    for leaf in _leaves(parts):
        name = leaf.field.path if isinstance(leaf, Compare) else leaf.operand.signature
        if not isinstance(leaf.value, Field):
            _narrow(domains.setdefault(name, _Domain()), leaf.op, leaf.value)
    return any(domain.is_empty() for domain in domains.values())


def _leaves(parts: tuple[Condition, ...]) -> Iterator[Compare | Velocity]:
    for part in parts:
        if isinstance(part, AllOf):
            yield from _leaves(part.parts)
        elif isinstance(part, (Compare, Velocity)):
            yield part


def _narrow(domain: _Domain, op: str, value: Any) -> None:
    if op == "not_exists":
        domain.absent = True
        return
    domain.exists = True
    match op:
        case "eq":
            domain.keep({value})
        case "in":
            domain.keep(set(value))
        case "ne":
            domain.excluded.add(value)
        case "not_in":
            domain.excluded |= set(value)
        case "gt" | "gte":
            domain.raise_low(value, op == "gt")
        case "lt" | "lte":
            domain.lower_high(value, op == "lt")
