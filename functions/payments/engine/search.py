"""Searches: right on any amount of data, within a stated bound of work, behind a port.

`TableSearch` walks the candidates of a plan in the order of ids, tests each object, and stops one behind the page. An
order by anything else collects all matches first. Candidates that the test has to be applied to count as work; past
the bound the search is refused with what to add, and never cut short in silence. An account that outgrows this puts
another `SearchIndex` in its place (docs/decisions/0031-search.md).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from payments.engine import grammar, ordering, predicates
from payments.engine.declarations import Resource
from payments.engine.errors import QueryTooBroad
from payments.engine.linked import Links
from payments.engine.models import Entity, Page, Place
from payments.engine.ordering import Key
from payments.engine.planning import Plan, plan_for
from payments.engine.predicates import Predicate
from payments.engine.repository import Objects

MOST_EXAMINED: Final = 10_000
MOST_ORDERED: Final = 5_000
_FIRST_BATCH: Final = 50
_LARGEST_BATCH: Final = 100

Reader = Callable[[Resource], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search, read and checked. `predicate` None means everything; `keys` empty means by id."""

    resource: Resource
    scope: str
    place: Place
    predicate: Predicate | None
    keys: tuple[Key, ...]
    offset: int
    limit: int


def read(resource: Resource, query: str, order: str, can_read: Reader) -> tuple[Predicate | None, tuple[Key, ...]]:
    """The parameters `query` and `order`.

    Raises:
        BadParameters: one cannot be read.
    """
    node = grammar.parse(query)
    predicate = predicates.compiled(node, resource, can_read) if node is not None else None
    return predicate, ordering.parse(order, resource, can_read)


class SearchIndex(Protocol):
    """Whatever can answer a search."""

    def find(self, asked: Asked) -> Page:
        """The objects of the page, and whether more follow.

        Raises:
            QueryTooBroad: the answer would take more work than the bound.
        """


class TableSearch:
    """Searches over the index rows of the table."""

    def __init__(self, objects: Objects, *, most_examined: int = MOST_EXAMINED, most_ordered: int = MOST_ORDERED):
        self._objects = objects
        self._most_examined = most_examined
        self._most_ordered = most_ordered

    def find(self, asked: Asked) -> Page:
        plan = plan_for(asked.predicate, asked.resource)
        by_id = not asked.keys or asked.keys[0].name == "id" or [key.name for key in asked.keys] == ["createdOn"]
        if not by_id:
            return self._by_collecting(asked, plan)
        descending = bool(asked.keys) and asked.keys[0].descending
        skipped = asked.offset if plan.exact else 0
        matches = self._matches(asked, plan, descending, skipped, asked.offset - skipped + asked.limit + 1)
        found = list(islice(matches, asked.offset - skipped, asked.offset - skipped + asked.limit + 1))
        return Page(found[: asked.limit], len(found) > asked.limit)

    def _by_collecting(self, asked: Asked, plan: Plan) -> Page:
        links = Links(self._objects, asked.place)
        found = list(islice(self._matches(asked, plan, False, 0, _LARGEST_BATCH), self._most_ordered + 1))
        if len(found) > self._most_ordered:
            raise QueryTooBroad(
                f"more than {self._most_ordered} objects match, which is the limit of an order by anything but id or "
                "createdOn: narrow the query down"
            )
        links.follow(found, [hop for key in asked.keys for hop in key.path.hops])
        page = ordering.ordered(found, asked.keys, links.loaded)[asked.offset : asked.offset + asked.limit + 1]
        return Page(page[: asked.limit], len(page) > asked.limit)

    def _matches(self, asked: Asked, plan: Plan, descending: bool, skip: int, wanted: int) -> Iterator[Entity]:
        """Matching objects in the order of their ids, behind the first `skip` candidates."""
        links = Links(self._objects, asked.place)
        hops = list(predicates.hops_of(asked.predicate))
        examined = 0
        for batch in self._candidates(asked, plan, descending, skip, wanted):
            if asked.predicate is None:
                yield from batch
                continue
            links.follow(batch, hops)
            for entity in batch:
                if not plan.exact:
                    examined += 1
                    self._check(examined, asked.resource)
                if asked.predicate.holds(entity.values, links.loaded):
                    yield entity

    def _check(self, examined: int, resource: Resource) -> None:
        if examined > self._most_examined:
            indexed = ", ".join(("id", *resource.indexed))
            raise QueryTooBroad(
                f"would examine more than {self._most_examined} objects: add a term that an index answers ({indexed}), "
                "or a range of id or createdOn"
            )

    # ------------------------------------------------------------------ candidates

    def _candidates(self, asked: Asked, plan: Plan, descending: bool, skip: int, wanted: int) -> Iterator[list[Entity]]:
        size = min(max(wanted, 1), _LARGEST_BATCH) if plan.exact else max(min(wanted, _LARGEST_BATCH), _FIRST_BATCH)
        if plan.source.is_whole and not skip:
            yield from self._walk(asked, plan, descending, size)
            return
        stream = islice(self._ids(asked, plan, descending, skip + size), skip, None)
        while batch := list(islice(stream, size)):
            loaded = self._objects.find_many((asked.resource, asked.scope, each) for each in batch)
            found = (loaded.get((asked.resource.kind, each)) for each in batch)
            yield [each for each in found if each is not None]
            size = _LARGEST_BATCH

    def _walk(self, asked: Asked, plan: Plan, descending: bool, size: int) -> Iterator[list[Entity]]:
        """The kind as a whole, page by page, each larger than the one before."""
        low, high = plan.low, plan.high
        while True:
            batch = list(self._objects.walk(asked.resource, asked.scope, low, high, descending, size))
            if batch:
                yield batch
            if len(batch) < size:
                return
            low, high = (low, batch[-1].id - 1) if descending else (batch[-1].id + 1, high)
            size = min(size * 2, 4 * _LARGEST_BATCH)

    def _ids(self, asked: Asked, plan: Plan, descending: bool, first: int) -> Iterator[int]:
        """Candidate ids in order, each once; `first` of them are expected to be enough."""
        source = plan.source
        if source.is_whole:
            return self._rows(asked, plan, None, descending, first)
        single = sorted((each for each in source.ids if plan.low <= each <= plan.high), reverse=descending)
        streams = [iter(single), *(self._rows(asked, plan, term, descending, first) for term in source.terms)]
        return _once(heapq.merge(*streams, reverse=descending))

    def _rows(
        self, asked: Asked, plan: Plan, term: tuple[str, str] | None, descending: bool, size: int
    ) -> Iterator[int]:
        """Ids with one index value, or all, page by page, each larger than the one before."""
        low, high = plan.low, plan.high
        while True:
            batch = list(self._objects.ids(asked.resource, asked.scope, term, low, high, descending, size))
            yield from batch
            if len(batch) < size:
                return
            low, high = (low, batch[-1] - 1) if descending else (batch[-1] + 1, high)
            size = min(size * 2, 1000)


def _once(ordered: Iterator[int]) -> Iterator[int]:
    last: int | None = None
    for each in ordered:
        if each != last:
            yield each
        last = each
