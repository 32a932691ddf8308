"""A caller with tokens, and a destination on loopback that its account lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.shared.egress.peers import Peer, Visit
from tests.support.http import Merchant, Response
from tollgate.egress import Egress
from vault.forward import handler as door
from vault.tokens.handler import handler as tokens_door

CARD: dict[str, Any] = {
    "cardholder_name": 'Jane "JD" Doe',
    "expiry_month": 4,
    "expiry_year": 2033,
    "account_number": "4242424242424242",
    "security_code": "987",
}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"


@dataclass
class Destination:
    """What a destination saw, and what it answers: bytes, or a script of its own."""

    peer: Peer
    answer: list[bytes] = field(default_factory=lambda: [OK])
    script: Callable[[Visit], None] | None = None

    @property
    def bodies(self) -> list[bytes]:
        return [visit.request.partition(b"\r\n\r\n")[2] for visit in self.peer.visits]

    @property
    def heads(self) -> list[dict[str, str]]:
        return [_fields(visit.request) for visit in self.peer.visits]


def _fields(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name not in found
        found[name] = value
    return found


@pytest.fixture
def destination(monkeypatch: pytest.MonkeyPatch) -> Iterator[Destination]:
    def play(visit: Visit) -> None:
        if made.script is not None:
            made.script(visit)
        else:
            visit.send(made.answer.pop(0) if len(made.answer) > 1 else made.answer[0])

    with Peer(play) as peer:
        made = Destination(peer)
        monkeypatch.setattr(door._service, "_egress", Egress({peer.listed}))
        yield made


@dataclass(frozen=True)
class Shop:
    """A merchant whose account lists one destination."""

    merchant: Merchant
    url: str

    def token(self, **changes: Any) -> str:
        answer = self.merchant.at(tokens_door).send("POST", "/cde-import", json_body={**CARD, **changes})
        assert answer.status == 200
        return str(answer.json["id"])

    def forward(self, token: str | None, body: bytes | str = b"{}", to: str | None = None, **more: Any) -> Response:
        headers = {
            "content-type": "application/json",
            "x-destination-url": to or self.url,
            **({} if token is None else {"x-hellgate-token": token}),
            **more.pop("headers", {}),
        }
        kept = {name: value for name, value in headers.items() if value is not None}
        return self.merchant.send("POST", "/forward", body=body, headers=kept, **more)


@pytest.fixture
def make_shop(
    make_merchant: Callable[..., Merchant], provision: Callable[..., dict[str, Any]], destination: Destination
) -> Callable[[], Shop]:
    def make() -> Shop:
        merchant = make_merchant(door.handler)
        url = f"{destination.peer.url}/pay"
        provision("update_account", account_id=merchant.account_id, forward_destinations=[url])
        return Shop(merchant, url)

    return make


@pytest.fixture
def shop(make_shop: Callable[[], Shop]) -> Shop:
    return make_shop()
