"""A merchant with webhooks, changes to hear of, and the way from a note to the receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from control.notifications.models import Reference
from payments import announcements
from payments.engine import catalogue
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.webhooks import feed_worker
from payments.webhooks import handler as door
from tests.control.notifications.conftest import Delivery, Inbox, drop_rows, inbox, work
from tests.payments.conftest import MakeTenant
from tests.support.environment import DEPLOYMENT
from tests.support.http import Response
from tests.support.payments import Merchant
from tollgate import aws, events, ids, sandbox_clock
from tollgate import clock as clocks
from tollgate.egress import Egress
from tollgate.store.items import dump
from tollgate.store.table import Table

__all__ = ["inbox"]

PAYMENTS = DEPLOYMENT.tables["PaymentsTable"].name
TRANSACTION = announcements.ENTITIES["Transaction"]
REFUND = announcements.ENTITIES["Refund"]


@dataclass(frozen=True)
class Shop:
    """A merchant whose objects change."""

    merchant: Merchant
    inbox: Inbox

    def call(self, method: str, path: str, body: Any = None, **further: Any) -> Response:
        return self.merchant.call(door.handler, method, f"/webhooks{path}", body, **further)

    def make(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.call("POST", path, body)
        assert answer.status == 201, answer.body
        return dict(answer.json)

    def url(self, path: str = "/hooks", **members: Any) -> dict[str, Any]:
        return self.make("/urls", {"name": "shop", "url": self.inbox.peer.url + path, **members})

    def listen(self, entity: int = TRANSACTION, *, url: int | None = None, **members: Any) -> dict[str, Any]:
        target = url or self.url()["id"]
        return self.make("/listeners", {"entity": entity, "url": target, **members})

    def change(self, *states: str, name: str = "Transaction", number: int = 0, transition: bool = True) -> int:
        """An object reaches one state after the other, in one transaction; answers its id."""
        sandbox_clock.refresh()
        resource = catalogue.find(name)
        assert resource is not None
        object_id = number or ids.new_number(clocks.now())
        objects = Objects(Table(PAYMENTS, aws.dynamodb()))
        transaction = objects.begin()
        entity = Entity(resource, f"S{self.merchant.space_id}", object_id, 1, {"id": object_id})
        for state in states or [None]:
            announcements.announce(
                transaction, objects, self.merchant.tenant, entity, state, transition=transition
            )  # fmt: skip
        transaction.commit()
        return object_id

    def notes(self) -> list[dict[str, Any]]:
        """Changes that were not handed on yet, oldest first."""
        return _rows(announcements.PREFIX, lambda row: row.get("tenant") == self.merchant.tenant)

    def outbox(self) -> list[Reference]:
        found = _rows(events.PREFIX, lambda row: str(row.get("account_id")).startswith(self.merchant.tenant))
        return [Reference(PAYMENTS, row["pk"], row["sk"]) for row in found]

    def feed(self, notes: list[dict[str, Any]] | None = None) -> list[str]:
        """The stream comes with notes; answers the records that have to come back."""
        answer = feed_worker.handler(stream_of(self.notes() if notes is None else notes), object())
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def deliver(self) -> list[Delivery]:
        """Everything that there is to say goes all the way; answers what the receiver has got so far."""
        assert self.feed() == []
        while messages := self.outbox():
            for first in range(0, len(messages), 10):
                assert work(*messages[first : first + 10]) == []
        return self.inbox.deliveries

    def states(self) -> list[str]:
        return [each.json["state"] for each in self.deliver()]


def _rows(prefix: str, mine: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    table = Table(PAYMENTS, aws.dynamodb())
    rows = [row for shard in range(events.SHARDS) for row in table.query(f"{prefix}{shard:02d}")]
    return sorted((row for row in rows if mine(row)), key=lambda row: str(row["sk"]))


def stream_of(notes: list[dict[str, Any]]) -> dict[str, Any]:
    """The event that the table's stream makes of new notes."""
    return {
        "Records": [
            {
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "eventSourceARN": f"arn:aws:dynamodb:eu-central-1:000000000000:table/{PAYMENTS}/stream/x",
                "dynamodb": {
                    "Keys": dump({"pk": row["pk"], "sk": row["sk"]}),
                    "NewImage": dump(row),
                    "SequenceNumber": str(n),
                },
            }
            for n, row in enumerate(notes)
        ]
    }


@pytest.fixture
def make_shop(make_tenant: MakeTenant, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Shop]:
    egress = Egress({inbox.peer.listed})
    monkeypatch.setattr(door._service.urls._hooks, "_egress", egress)

    def make() -> Shop:
        made = Shop(make_tenant(), inbox)
        assert made.feed() == []  # what a new space begins with
        return made

    return make


@pytest.fixture
def shop(make_shop: Callable[[], Shop]) -> Shop:
    return make_shop()


@pytest.fixture(autouse=True)
def _nothing_left_due() -> Iterator[None]:
    """What a test leaves pending must not be tried in another one."""
    yield
    drop_rows()
