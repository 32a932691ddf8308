"""The counted list: pages, totals and filters against a plain list, and parallel writers."""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tollgate import aws
from tollgate.store.listing import Listing, Selection, Slot
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

FACETS = ("va", "vi", "mc")


@pytest.fixture
def table() -> Table:
    return Table(DEPLOYMENT.tables["VaultTable"].name, aws.dynamodb())


@dataclass
class Shelf:
    """One owner's list beside a plain model of what must be in it: (sequence, created_at, facet)."""

    table: Table
    listing: Listing
    owner: str

    def __post_init__(self) -> None:
        self.model: list[tuple[int, str, str]] = []

    def add(self, count: int, facet: str) -> None:
        for start in range(0, count, 20):
            slots = self.listing.allocate(self.owner, min(20, count - start))
            transaction = Transaction(self.table.client)
            self.listing.add(transaction, self.owner, [(slot, facet, {"n": slot.sequence}) for slot in slots])
            transaction.commit()
            self.model += [(slot.sequence, slot.created_at, facet) for slot in slots]

    def remove(self, entry: tuple[int, str, str]) -> None:
        transaction = Transaction(self.table.client)
        self.listing.remove(transaction, self.owner, entry[0], entry[2])
        transaction.commit()
        self.model.remove(entry)

    def move(self, entry: tuple[int, str, str], facet: str) -> None:
        transaction = Transaction(self.table.client)
        row = {"n": entry[0], "created_at": entry[1]}
        self.listing.move(transaction, self.owner, entry[0], row, entry[2], facet)
        transaction.commit()
        self.model[self.model.index(entry)] = (entry[0], entry[1], facet)

    def expect(self, **chosen: Any) -> None:
        """The page that the list answers is the one that the model answers."""
        selection = Selection(**{"limit": 50, "page": 1, **chosen})
        page = self.listing.page(self.owner, selection)
        matching = sorted(entry for entry in self.model if _matches(entry, selection))
        if selection.descending:
            matching.reverse()
        start = (selection.page - 1) * selection.limit
        assert page.total == len(matching)
        assert [row["n"] for row in page.rows] == [n for n, _, _ in matching[start : start + selection.limit]]


def _matches(entry: tuple[int, str, str], selection: Selection) -> bool:
    at = datetime.fromisoformat(entry[1])
    return (
        (selection.facets is None or entry[2] in selection.facets)
        and (selection.created_from is None or at >= selection.created_from)
        and (selection.created_to is None or at <= selection.created_to)
    )


@pytest.fixture
def shelf(table: Table) -> Shelf:
    return Shelf(table, Listing(table, "things"), str(uuid.uuid4()))


def test_pages_of_a_list_over_many_leaves(shelf: Shelf) -> None:
    shelf.add(333, "va")
    for limit in (1, 50, 64, 333, 500):
        for page in (1, 2, 3, 333 // limit, 333 // limit + 1, 333 // limit + 2):
            for descending in (False, True):
                shelf.expect(limit=limit, page=max(page, 1), descending=descending)


def test_an_empty_list_has_no_pages(shelf: Shelf) -> None:
    shelf.expect()
    shelf.expect(page=9, facets=frozenset({"va"}), created_from=datetime(2020, 1, 1, tzinfo=UTC))


def test_numbers_that_were_never_used_are_counted_nowhere(shelf: Shelf) -> None:
    shelf.add(30, "va")
    shelf.listing.allocate(shelf.owner, 200)
    shelf.add(30, "va")
    for page in range(1, 8):
        shelf.expect(limit=10, page=page, descending=page % 2 == 0)


def test_whatever_happens_to_a_list_it_answers_like_a_plain_one(shelf: Shelf, held_clock: Any) -> None:
    chance = random.Random(20260101)
    for _ in range(12):
        shelf.add(chance.randint(1, 60), chance.choice(FACETS))
        held_clock.advance(hours=chance.randint(0, 30))
        for _ in range(chance.randint(0, 6)):
            if shelf.model:
                shelf.remove(chance.choice(shelf.model))
        for _ in range(chance.randint(0, 6)):
            if shelf.model:
                shelf.move(chance.choice(shelf.model), chance.choice(FACETS))
    began = datetime.fromisoformat(shelf.model[0][1])
    span = int((held_clock.at - began).total_seconds())
    for _ in range(150):
        first = began + timedelta(seconds=chance.randint(-3600, span))
        shelf.expect(
            limit=chance.choice([1, 7, 50, 100]),
            page=chance.randint(1, 9),
            descending=chance.random() < 0.5,
            facets=chance.choice([None, frozenset(chance.sample(FACETS, chance.randint(1, 3))), frozenset({"none"})]),
            created_from=chance.choice([None, first]),
            created_to=chance.choice([None, first + timedelta(seconds=chance.randint(0, span))]),
        )


def test_a_boundary_in_time_is_inclusive_on_both_sides(shelf: Shelf, held_clock: Any) -> None:
    for _ in range(5):
        shelf.add(70, "va")
        held_clock.advance(seconds=1)
    at = datetime.fromisoformat(shelf.model[140][1])
    shelf.expect(created_from=at, created_to=at, limit=100)
    shelf.expect(created_from=at + timedelta(microseconds=1))
    shelf.expect(created_to=at - timedelta(microseconds=1))


def test_creation_time_never_runs_backwards_though_a_writers_clock_does(shelf: Shelf, held_clock: Any) -> None:
    shelf.add(1, "va")
    held_clock.advance(minutes=-5)
    shelf.add(1, "va")
    assert shelf.model[0][1] <= shelf.model[1][1]


def test_parallel_writers_lose_nothing_and_count_exactly(shelf: Shelf) -> None:
    def write(_: int) -> list[Slot]:
        slots = shelf.listing.allocate(shelf.owner, 3)
        transaction = Transaction(shelf.table.client)
        shelf.listing.add(transaction, shelf.owner, [(slot, "va", {"n": slot.sequence}) for slot in slots])
        transaction.commit()
        return slots

    with ThreadPoolExecutor(16) as pool:
        written = [slot for slots in pool.map(write, range(40)) for slot in slots]
    shelf.model = [(slot.sequence, slot.created_at, "va") for slot in written]
    assert len({slot.sequence for slot in written}) == 120
    for page in range(1, 4):
        shelf.expect(page=page)
    shelf.expect(page=2, facets=frozenset({"va"}), descending=False)
