"""Payments: the parser of searches against lark, lists and searches by how many objects there are, round trips."""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from lark import Lark

from bench import report
from tests.support import environment, tables

if TYPE_CHECKING:
    from payments.engine.models import Context
    from payments.engine.repository import Objects

SIZES = (1_000, 100_000)
ROUNDS = 60
CONNECTORS = 20

_GRAMMAR = r"""
    start: alternatives
    alternatives: together (OR together)*
    together: term ((AND | WS) term)*
    term: (NEGATION | NOT)? plain
    plain: "(" alternatives ")" | NAME NULL | NAME COMPARATOR VALUE
    AND.3: /\s+AND\s+/
    OR.3: /\s+OR\s+/
    WS.2: /\s+/
    NOT.3: /NOT\s+/
    NEGATION.2: "-"
    NULL.3: /:\*(?=[\s)]|\Z)/
    COMPARATOR.2: /:(<=|>=|<|>|~)?|=/
    VALUE: /[^\s()"':=]+|"[^"]*"|'[^']*'/
    NAME: /[^\s()"':=]+/
"""
_QUERIES = {
    "two terms": 'reference:"three word phrase" state:ACTIVE',
    "with a group": 'state:ACTIVE AND (currency:CHF OR currency:"EUR") -id:5',
    "22 terms": " OR ".join(f"id:{n} state:ACTIVE" for n in range(11)),
}


def run() -> list[report.Table]:
    with tables.running() as url:
        _deploy(url)
        return [_parsers(), *searched(SIZES)]


def _deploy(url: str) -> None:
    sys.path[:0] = [str(environment.ROOT / "functions"), str(environment.ROOT / "layers/shared/python")]
    environment.set_up(url)
    os.environ.update(SANDBOX_TABLE="", LOG_LEVEL="ERROR")
    tables.create_all(url, streams=False)


# ---------------------------------------------------------------------- the parser


def _parsers() -> report.Table:
    from payments.engine.grammar import parse

    lark = Lark(_GRAMMAR, parser="lalr", lexer="contextual")
    rows = []
    for name, query in _QUERIES.items():
        own, other = _microseconds(partial(parse, query)), _microseconds(partial(lark.parse, query))
        rows.append([name, f"{own:.1f}", f"{other:.1f}", f"{other / own:.1f}"])
    return report.Table(
        "Payments: reading a search", "Microseconds, median; lark as LALR with the contextual lexer.",
        ["query", "own parser", "lark", "ratio"], rows,
    )  # fmt: skip


def _microseconds(act: Callable[[], object], times: int = 200) -> float:
    found = []
    for _ in range(15):
        started = time.perf_counter()
        for _ in range(times):
            act()
        found.append((time.perf_counter() - started) / times * 1e6)
    return statistics.median(found)


# ---------------------------------------------------------------------- lists and searches


def searched(sizes: tuple[int, ...]) -> list[report.Table]:
    """Lists and searches in spaces of these many transactions."""
    spaces = {size: _Space(number, size) for number, size in enumerate(sizes, 1)}
    names = list(spaces[sizes[0]].questions())
    gc.disable()
    figures = _interleaved(spaces, names)
    gc.enable()
    rows = []
    for name in names:
        medians = [statistics.median(figures[size, name]) for size in sizes]
        per_size = [f"{each * 1000:.2f}" for each in medians]
        rows.append([name, *per_size, f"{medians[-1] / medians[0]:.2f}", spaces[sizes[0]].trips(name)])
    return [
        report.Table(
            "Payments: lists and searches by number of transactions",
            "Milliseconds, median, pages of 10 unless stated; the ratio is of the largest to the smallest number.",
            ["what", *(f"{size:,}" for size in sizes), "ratio", "round trips"], rows,
        )
    ]  # fmt: skip


def _interleaved(spaces: dict[int, _Space], names: list[str]) -> dict[tuple[int, str], list[float]]:
    """Seconds by size and question; the sizes take turns, so that what disturbs one disturbs all."""
    figures: dict[tuple[int, str], list[float]] = {}
    for name in names:
        for turn in range(ROUNDS + 5):
            for size, space in spaces.items():
                act = space.questions()[name]
                started = time.perf_counter()
                act()
                if turn >= 5:
                    figures.setdefault((size, name), []).append(time.perf_counter() - started)
    return figures


class _Space:
    """A space with so many transactions, each linked to one of a few connector configurations."""

    def __init__(self, number: int, size: int) -> None:
        from payments.engine.models import Context, Place
        from payments.engine.repository import Objects
        from payments.engine.service import ResourceService
        from payments.resources.transactions import TRANSACTION
        from tollgate import aws
        from tollgate.store.table import Table

        self.objects = Objects(Table(environment.variables()["PAYMENTS_TABLE"], aws.dynamodb()))
        self.context = Context(Place(1, number), 1, "bench")
        self.service = ResourceService(TRANSACTION, self.objects)
        self.ids = fill(self.objects, self.context, size)
        self._turns = itertools.count()

    def questions(self) -> dict[str, Callable[[], Any]]:
        number = self.ids[(next(self._turns) * 7919) % len(self.ids)]
        return {
            "list, first page": lambda: self._page(limit=10),
            "list, a page in the middle": lambda: self._page(limit=10, after=number),
            "search by id": lambda: self._search(f"id:{number}"),
            "search by reference": lambda: self._search(f"merchantReference:ref-{number}"),
            "search by state": lambda: self._search("state:FULFILL"),
            "search by state, newest first": lambda: self._search("state:FULFILL", "id:DESC"),
            "search by reference and amount": lambda: self._search(
                f"merchantReference:ref-{number} authorizationAmount:>1"
            ),
            "list of 100, expanded two levels": self._expanded,
        }

    def trips(self, name: str) -> str:
        with counted() as calls:
            self.questions()[name]()
        return " + ".join(f"{sum(1 for _ in same)} {kind}" for kind, same in itertools.groupby(calls))

    def _page(self, **asked: Any) -> Any:
        return self.service.page(self.context, {"after": None, "before": None, "order": False, **asked})

    def _search(self, query: str, order: str = "") -> None:
        asked = {"query": query, "order": order, "offset": 0, "limit": 10}
        assert self.service.search(self.context, asked).entities

    def _expanded(self) -> None:
        from payments.engine.expansion import Expander, parse

        tree = parse(["paymentConnectorConfiguration.processorConfiguration"], self.service.resource)
        shown = Expander(self.objects, self.context).answers(self._page(limit=100).entities, tree)
        assert all("name" in each["paymentConnectorConfiguration"]["processorConfiguration"] for each in shown)


def fill(objects: Objects, context: Context, size: int) -> list[int]:
    """Write that many transactions with their index rows, past the use cases; answers their ids."""
    from payments.engine.models import Entity
    from payments.engine.repository import index_partitions, key, partition, to_items
    from payments.resources.configurations import PAYMENT_CONNECTOR_CONFIGURATION, PAYMENT_PROCESSOR_CONFIGURATION
    from payments.resources.transactions import TRANSACTION
    from tollgate import clock, ids

    def rows_of(entity: Entity) -> Iterator[dict[str, Any]]:
        yield to_items(entity)[0]
        yield from ({"pk": pk, "sk": key(entity.id)} for pk in index_partitions(entity))

    def made(resource: Any, **values: Any) -> Entity:
        number = ids.new_number(clock.now())
        scope = context.place.scope_of(resource)
        return Entity(resource, scope, number, 1, {"id": number, "version": 1, **values})

    processor = made(PAYMENT_PROCESSOR_CONFIGURATION, name="processor", state="ACTIVE")
    connectors = [
        made(
            PAYMENT_CONNECTOR_CONFIGURATION, name=f"connector {n}", state="ACTIVE",
            processorConfiguration={"id": processor.id},
        )
        for n in range(CONNECTORS)
    ]  # fmt: skip
    found = []
    rows = [row for entity in (processor, *connectors) for row in rows_of(entity)]
    for n in range(size):
        entity = made(
            TRANSACTION, state="FULFILL" if n % 3 else "FAILED", currency="EUR", authorizationAmount=n,
            customerEmailAddress=f"buyer{n % 500}@example.com",
            paymentConnectorConfiguration={"id": connectors[n % CONNECTORS].id},
        )  # fmt: skip
        entity.values["merchantReference"] = f"ref-{entity.id}"
        rows += rows_of(entity)
        found.append(entity.id)
    assert rows[0]["pk"] == partition(PAYMENT_PROCESSOR_CONFIGURATION, processor.scope)
    _write(objects, rows)
    return found


def _write(objects: Objects, rows: list[dict[str, Any]]) -> None:
    from tollgate.store.items import dump

    def put(batch: list[dict[str, Any]]) -> None:
        requests: Any = [{"PutRequest": {"Item": dump(row)}} for row in batch]
        objects.table.client.batch_write_item(RequestItems={objects.table.name: requests})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(put, (rows[start : start + 25] for start in range(0, len(rows), 25))))


@contextmanager
def counted() -> Iterator[list[str]]:
    """The operations of DynamoDB within the block."""
    from tollgate import aws

    made: list[str] = []

    def note(model: Any, **_: Any) -> None:
        made.append(model.name)

    events = aws.dynamodb().meta.events
    events.register("before-parameter-build.dynamodb.*", note)
    try:
        yield made
    finally:
        events.unregister("before-parameter-build.dynamodb.*", note)
