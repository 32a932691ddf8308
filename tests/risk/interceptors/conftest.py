"""Fixtures of interceptors: an acquirer on loopback that may be called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import risk.interceptors.handler as door
from tests.risk.instances import Instance, condition, leaf
from tests.shared.egress.peers import Peer, Visit
from tests.support.http import Response
from tollgate.egress import Egress

ANSWER = (
    b'HTTP/1.1 201 Created\r\ncontent-length: 11\r\ncontent-type: application/json\r\nx-own: yes\r\n\r\n{"ok":true}'
)

MAPPING: list[dict[str, Any]] = [
    {"source": "$.amount.value", "target": "$.transaction.amount"},
    {"source": "$.amount.currency", "target": "$.transaction.currency"},
    {"source": "$.reference", "target": "$.transaction.reference"},
    {"source": "$.shopperReference", "target": "$.customer.id"},
    {"source": "$.paymentMethod.number", "target": "$.credential.pan.value"},
    {"source": "$.paymentMethod.expiryMonth", "target": "$.credential.pan.expiry_month", "convert": "integer"},
]
BODY = (
    b'{"amount": {"currency":"EUR",  "value":14999},\n"reference":"order-1","shopperReference":"customer-1",'
    b'"paymentMethod":{"number":"4242424242424242","cvc":"987","expiryMonth":"03","holder":"J\xc3\xb6rg"}, '
    b'"z":[1.50,null]}'
)


@dataclass
class Acquirer:
    """What arrived, and what is answered: bytes, or a script."""

    peer: Peer = field(init=False)
    answer: bytes = ANSWER
    script: Callable[[Visit], None] | None = None

    def play(self, visit: Visit) -> None:
        if self.script is not None:
            self.script(visit)
        else:
            visit.send(self.answer)

    @property
    def bodies(self) -> list[bytes]:
        return [visit.request.partition(b"\r\n\r\n")[2] for visit in self.peer.visits]

    @property
    def heads(self) -> list[dict[str, str]]:
        lines = [
            visit.request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:] for visit in self.peer.visits
        ]
        return [{name: value for name, _, value in (each.partition(": ") for each in head)} for head in lines]


@pytest.fixture
def acquirer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Acquirer]:
    made = Acquirer()
    with Peer(made.play) as made.peer:
        monkeypatch.setattr(door._destinations, "_egress", Egress({made.peer.listed}))
        yield made


@dataclass
class Intercepted:
    """An instance with an interceptor in the way of the acquirer."""

    instance: Instance
    ref: str
    made: dict[str, Any]

    def send(self, body: bytes | str = BODY, **arguments: Any) -> Response:
        headers = {"content-type": "application/json", **arguments.pop("headers", {})}
        return self.instance.send("POST", f"/api/interceptors/{self.ref}", body=body, headers=headers)


@pytest.fixture
def intercept(acquirer: Acquirer) -> Callable[..., Intercepted]:
    def make(instance: Instance, **members: Any) -> Intercepted:
        sent = {
            "context": "checkout",
            "destination": {"url": f"{acquirer.peer.url}/v71/payments?x=1", "timeout_ms": 5000},
            "field_mapping": MAPPING,
            **members,
        }
        answer = instance.send("POST", "/api/admin/interceptors", json_body=sent)
        assert answer.status == 201, answer.body
        return Intercepted(instance, answer.json["ref"], dict(answer.json))

    return make


def block_above(amount: int, action: str = "BLOCK") -> dict[str, Any]:
    return condition("big", leaf("$.transaction.amount", "gt", amount), action)
