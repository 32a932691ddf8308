"""How a search reaches its candidates: the best key for the query's indexable terms, and the bounds on ids.

Of terms that all have to hold, the most telling one that an index answers leads (an id, then the indexed properties in
the order the declaration gives); of alternatives every one must be answered by an index. `id` and `createdOn` bound the
ids, since ids are made of time. A plan is `exact` when its candidates are all and only what the query asks for. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from payments.engine.declarations import Resource
from payments.engine.predicates import All, AnyOf, Comparison, Predicate, span
from payments.engine.repository import index_value
from tollgate import ids

LARGEST_ID: Final = 10**16 - 1

Term = tuple[str, str]
"""(indexed property, value in index form)."""


@dataclass(frozen=True)
class Source:
    """Where candidates come from: single ids, rows of indexes, or with neither the kind as a whole."""

    ids: frozenset[int] = frozenset()
    terms: tuple[Term, ...] = ()
    rank: int = 10**6

    @property
    def is_whole(self) -> bool:
        return self.rank == 10**6


@dataclass
class Plan:
    """What to walk through and how much that already settles."""

    source: Source = field(default_factory=Source)
    low: int = 0
    high: int = LARGEST_ID
    exact: bool = True


def plan_for(predicate: Predicate | None, resource: Resource) -> Plan:
    """The cheapest way to all objects for which the test may hold."""
    plan = Plan()
    if predicate is None:
        return plan
    parts = predicate.parts if isinstance(predicate, All) else (predicate,)
    sources = [(source, part) for part in parts if (source := _source(part, resource)) is not None]
    led_by: Predicate | None = None
    if sources:
        plan.source, led_by = min(sources, key=lambda each: each[0].rank)
    for part in parts:
        bounds = _bounds(part, resource)
        if bounds is not None:
            plan.low, plan.high = max(plan.low, bounds[0]), min(plan.high, bounds[1])
        elif part is not led_by:
            plan.exact = False
    return plan


def _source(part: Predicate, resource: Resource) -> Source | None:
    if isinstance(part, Comparison):
        return _of_term(part, resource)
    if isinstance(part, AnyOf):
        return _of_alternatives(part, resource)
    if isinstance(part, All):
        found = [source for each in part.parts if (source := _source(each, resource)) is not None]
        return min(found, key=lambda each: each.rank, default=None)
    return None


def _of_term(part: Comparison, resource: Resource) -> Source | None:
    name = part.path.field
    if part.equals is None or part.term.comparator != ":":
        return None
    if name == "id" and isinstance(part.equals, Decimal):
        number = part.equals
        return Source(frozenset({int(number)}) if _is_id(number) else frozenset({-1}), rank=0)
    if name not in resource.indexed:
        return None
    equals = part.equals
    if isinstance(equals, Decimal) and equals == equals.to_integral_value():
        equals = int(equals)
    return Source(terms=((name, index_value(equals)),), rank=1 + resource.indexed.index(name))


def _of_alternatives(part: AnyOf, resource: Resource) -> Source | None:
    single: set[int] = set()
    terms: list[Term] = []
    rank = 0
    for each in part.parts:
        source = _source(each, resource) if isinstance(each, Comparison) else None
        if source is None:
            return None
        single |= source.ids
        terms += source.terms
        rank = max(rank, source.rank)
    return Source(frozenset(single), tuple(dict.fromkeys(terms)), rank + 50)


def _bounds(part: Predicate, resource: Resource) -> tuple[int, int] | None:
    """The ids that a term on `id` or `createdOn` leaves, inclusive."""
    if not isinstance(part, Comparison) or part.path.field not in ("id", "createdOn") or resource.data is not None:
        return None
    value, comparator = part.term.value, part.term.comparator
    if value is None or comparator == ":~":
        return None
    if part.path.field == "id":
        return _number_bounds(comparator, Decimal(value))
    low, high = span(value)
    return _moment_bounds(comparator, low, high)


def _number_bounds(comparator: str, number: Decimal) -> tuple[int, int] | None:
    number = max(min(number, Decimal(LARGEST_ID + 1)), Decimal(-1))
    floor = int(number)
    whole = number == floor
    return {
        ":": (floor, floor) if whole else (1, 0),
        ":<": (0, floor - 1 if whole else floor),
        ":<=": (0, floor),
        ":>": (floor + 1, LARGEST_ID),
        ":>=": (floor if whole else floor + 1, LARGEST_ID),
    }[comparator]


def _moment_bounds(comparator: str, low: datetime, high: datetime) -> tuple[int, int]:
    first, behind = _first_id(low), _first_id(high)
    return {
        ":": (first, behind - 1),
        ":<": (0, first - 1),
        ":<=": (0, behind - 1),
        ":>": (behind, LARGEST_ID),
        ":>=": (first, LARGEST_ID),
    }[comparator]


def _first_id(moment: datetime) -> int:
    return max(min(ids.number_at(moment), LARGEST_ID), 0)


def _is_id(number: Decimal) -> bool:
    return number == number.to_integral_value() and 0 < number <= LARGEST_ID
