"""Resources that exist in tests only, with everything that a resource can have, and a space to keep them in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from payments.engine import catalogue, expansion, parameters
from payments.engine.declarations import CREATED_ON, ID, SPACE_ID, VERSION, Resource
from payments.engine.expansion import Expander
from payments.engine.fields import (
    LOCALIZED,
    METADATA,
    DecimalNumber,
    Embedded,
    Field,
    Flag,
    Link,
    Long,
    Many,
    Moment,
    OneOf,
    Shape,
    Text,
    int32,
    pick,
)
from payments.engine.models import Context, Entity, Page, Place
from payments.engine.repository import Objects
from payments.engine.search import TableSearch
from payments.engine.service import ResourceService
from tests.support.environment import variables
from tollgate import aws, clock, ids
from tollgate.store.table import Table

_LINE = Shape("TestLine", (Field("name", Text()), Field("amount", DecimalNumber()), Field("maker", Link("TestMaker"))))

_MAKER = (ID, VERSION, Field("name", Text(100)), Field("rival", Link("TestMaker", checked=False)))
MAKER = Resource(
    name="TestMaker",
    path="/test-makers",
    fields=_MAKER,
    create=Shape("TestMakerCreate", pick(_MAKER, "name rival")),
    indexed=("name",),
    delete="hard",
)

_ITEM = (
    ID,
    VERSION,
    CREATED_ON,
    SPACE_ID,
    Field("externalId", Text(100)),
    Field("reference", Text(100)),
    Field("state", OneOf.of("PENDING ACTIVE DELETED")),
    Field("name", Text()),
    Field("quantity", int32()),
    Field("big", Long()),
    Field("price", DecimalNumber()),
    Field("sold", Flag()),
    Field("soldOn", Moment()),
    Field("colors", Many(Text())),
    Field("names", LOCALIZED),
    Field("metaData", METADATA, hidden=True),
    Field("secretKey", Text(), secret=True),
    Field("maker", Link("TestMaker")),
    Field("makers", Many(Link("TestMaker"))),
    Field("lines", Many(Embedded(_LINE)), expandable=True),
    Field("labels", Many(Text()), hidden=True),
)
_BODY = (
    "externalId reference state name quantity big price sold soldOn colors names metaData secretKey maker makers lines "
    "labels"
)
ITEM = Resource(
    name="TestItem",
    path="/test-items",
    fields=_ITEM,
    create=Shape("TestItemCreate", pick(_ITEM, _BODY)),
    update=Shape("TestItemUpdate", pick(_ITEM, f"{_BODY} version"), ("version",)),
    indexed=("reference", "maker", "state", "quantity", "colors"),
    unique=("externalId",),
    delete="soft",
)
catalogue.declare(MAKER, ITEM)

_spaces = itertools.count(ids.new_number(clock.now()))


class Shop:
    """A space of its own with items and makers in it."""

    def __init__(self, **bounds: int) -> None:
        self.objects = Objects(Table(variables()["PAYMENTS_TABLE"], aws.dynamodb()))
        self.context = Context(Place(1, next(_spaces)), 7, "tenant")
        search = TableSearch(self.objects, **bounds)
        self.items = ResourceService(ITEM, self.objects, search=search)
        self.makers = ResourceService(MAKER, self.objects, search=search)

    def item(self, **members: Any) -> Entity:
        return self.items.create(self.context, members).entity

    def maker(self, **members: Any) -> Entity:
        return self.makers.create(self.context, members).entity

    def search(self, query: str = "", order: str = "", offset: int = 0, limit: int = 100) -> Page:
        asked = {"query": query, "order": order, "offset": offset, "limit": limit}
        return self.items.search(self.context, asked)

    def names(self, query: str = "", order: str = "", **paging: int) -> list[str]:
        return [entity.values["name"] for entity in self.search(query, order, **paging).entities]

    def page(self, **asked: Any) -> Page:
        values = {"after": None, "before": None, "limit": 10, "order": False, **asked}
        return self.items.page(self.context, values)

    def shown(self, entity: Entity, *expand: str) -> dict[str, Any]:
        tree = expansion.parse(expand, ITEM)
        return Expander(self.objects, self.context).answer(entity, tree)


@contextmanager
def counted_calls() -> Iterator[list[str]]:
    """The DynamoDB operations made within the block."""
    made: list[str] = []

    def note(model: Any, **_: Any) -> None:
        made.append(model.name)

    events = aws.dynamodb().meta.events
    events.register("before-parameter-build.dynamodb.*", note)
    try:
        yield made
    finally:
        events.unregister("before-parameter-build.dynamodb.*", note)


Query = Callable[[str], dict[str, Any]]


def read_parameters(raw: str, *, search: bool) -> dict[str, Any]:
    """The parameters of a query string."""
    return parameters.read(raw, parameters.SEARCH if search else parameters.LIST)
