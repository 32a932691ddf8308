"""An account with an endpoint on loopback, events to announce, and the doors that deliver them."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from control.notifications import due_worker, retention_worker, worker
from control.notifications.clients.receiver import Receiver
from control.notifications.handler import handler
from control.notifications.models import Reference
from control.notifications.repository.keys import DUE_SHARDS
from control.provisioning import handler as provisioning
from tests.shared.egress.peers import Peer, Visit
from tests.support.environment import DEPLOYMENT
from tests.support.http import Merchant, Response
from tests.support.session import HeldClock
from tollgate import aws, clock, events, sandbox_clock
from tollgate.egress import Egress
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

VAULT = DEPLOYMENT.tables["VaultTable"].name
NOTIFICATIONS = DEPLOYMENT.tables["NotificationsTable"].name
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def answering(status: int, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} Said\r\n{headers}content-length: 0\r\n\r\n".encode()


@dataclass(frozen=True)
class Delivery:
    """One request that an inbox got."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Inbox:
    """A receiver: plays one script per request, the last one for ever; remembers every request."""

    scripts: list[bytes | Callable[[Visit], None]] = field(default_factory=lambda: [OK])
    peer: Peer = field(init=False)

    @property
    def deliveries(self) -> list[Delivery]:
        return [_delivery(visit.request) for visit in self.peer.visits]

    @property
    def ids(self) -> list[str]:
        return [each.json["id"] for each in self.deliveries]

    def answer(self, *scripts: bytes | Callable[[Visit], None]) -> None:
        self.scripts = list(scripts)

    def play(self, visit: Visit) -> None:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if callable(script):
            script(visit)
        else:
            visit.send(script)


def _delivery(request: bytes) -> Delivery:
    head, _, body = request.partition(b"\r\n\r\n")
    pairs = (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
    return Delivery({name.lower(): value for name, _, value in pairs}, body)


@dataclass(frozen=True)
class Shop:
    """An account that wants notifications."""

    merchant: Merchant
    provision: Callable[..., dict[str, Any]]
    announced: list[Reference] = field(default_factory=list)

    @property
    def account_id(self) -> str:
        return self.merchant.account_id

    @property
    def hmac_key(self) -> str:
        return self.merchant.hmac_key

    def announce(
        self, event_type: str = "token.created", subject: str | None = None, *, outbox: str = VAULT, **payload: Any
    ) -> Reference:
        """Something happened; answers where the outbox record lies."""
        sandbox_clock.refresh()
        about = subject or str(uuid.uuid4())
        table = Table(outbox, aws.dynamodb())
        transaction = Transaction(aws.dynamodb())
        events.announce(
            transaction, table, account_id=self.account_id, event_type=event_type, subject=about,
            payload=payload or {"token": {"id": about}},
        )  # fmt: skip
        transaction.commit()
        if isinstance(clock._clock, HeldClock):
            clock._clock.advance(microseconds=1)  # two things do not happen to an object in the same microsecond
        key = transaction._operations[0].request["Put"]["Item"]
        made = Reference(outbox, key["pk"]["S"], key["sk"]["S"])
        self.announced.append(made)
        return made

    def send(self, method: str, target: str, **arguments: Any) -> Response:
        return self.merchant.send(method, target, **arguments)

    def log(self, query: str = "") -> list[dict[str, Any]]:
        """The delivery log, oldest first."""
        answer = self.send("GET", f"/notifications?limit=500{query}")
        assert answer.status == 200, answer.body
        return list(reversed(answer.json["data"]))

    def detail(self, notification_id: str) -> dict[str, Any]:
        answer = self.send("GET", f"/notifications/{notification_id}")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def statuses(self) -> list[str]:
        return [each["status"] for each in self.log()]

    def endpoint(self) -> dict[str, Any]:
        return dict(self.send("GET", "/notification-endpoint").json)

    def not_taken(self) -> list[Reference]:
        """What still lies in the outbox."""
        tables = {each.table: Table(each.table, aws.dynamodb()) for each in self.announced}
        return [each for each in self.announced if tables[each.table].get(each.pk, each.sk) is not None]

    def point_at(self, url: str | None) -> None:
        answer = self.provision("update_account", account_id=self.account_id, notification_url=url)
        assert answer.get("notification_url") == url, answer


def outbox_of(account_id: str) -> list[Reference]:
    """References to an account's outbox records, in the order of their announcement."""
    table = Table(VAULT, aws.dynamodb())
    shards = (f"{events.PREFIX}{shard:02d}" for shard in range(events.SHARDS))
    rows = [row for shard in shards for row in table.query(shard) if row.get("account_id") == account_id]
    return [Reference(VAULT, row["pk"], row["sk"]) for row in sorted(rows, key=lambda row: str(row["sk"]))]


def messages(*bodies: Any) -> dict[str, Any]:
    """A batch from the queue; what is no text is sent as JSON, a reference as the relay writes it."""
    texts = [each if isinstance(each, str) else json.dumps(_message(each)) for each in bodies]
    return {"Records": [{"messageId": f"m{n}", "eventSource": "aws:sqs", "body": text} for n, text in enumerate(texts)]}


def _message(body: Any) -> Any:
    return body._asdict() if isinstance(body, Reference) else body


def failed(answer: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def work(*bodies: Any) -> list[str]:
    """One batch through the worker; answers the messages that have to come back."""
    return failed(worker.handler(messages(*bodies), object()))


def take_all(references: Sequence[Reference]) -> None:
    for first in range(0, len(references), 10):
        assert work(*references[first : first + 10]) == []


def sweep() -> dict[str, int]:
    """The schedule's run."""
    return due_worker.handler({}, object())


def rows_of(pk: str) -> list[dict[str, Any]]:
    """Items of one partition of the notifications table."""
    return list(Table(NOTIFICATIONS, aws.dynamodb()).query(pk))


def due_rows(shop: Shop | None = None) -> list[dict[str, Any]]:
    """What is due, of one account or of all."""
    shards = range(DUE_SHARDS) if shop is None else [zlib.crc32(shop.account_id.encode()) % DUE_SHARDS]
    found = [row for shard in shards for row in rows_of(f"DUE#{shard:02d}")]
    return [row for row in found if shop is None or shop.account_id in row["sk"]]


def drop_rows() -> None:
    """Make the schedules forget every account."""
    table = Table(NOTIFICATIONS, aws.dynamodb())
    for row in [*due_rows(), *rows_of("HELD"), *rows_of("RETAIN")]:
        table.delete(row["pk"], row["sk"])


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """A receiver that every door may reach."""
    made = Inbox()
    with Peer(made.play) as peer:
        made.peer = peer
        egress = Egress({peer.listed})
        receiver = Receiver(egress)
        for door in (worker, due_worker):
            monkeypatch.setattr(door._dispatcher, "_receiver", receiver)
        monkeypatch.setattr(provisioning._provisioning.service, "_egress", egress)
        yield made


@pytest.fixture
def make_shop(
    make_merchant: Callable[..., Merchant], provision: Callable[..., dict[str, Any]]
) -> Callable[[str | None], Shop]:
    def make(url: str | None) -> Shop:
        made = Shop(make_merchant(handler), provision)
        if url is not None:
            made.point_at(url)
        return made

    return make


@pytest.fixture
def shop(make_shop: Callable[[str | None], Shop], inbox: Inbox) -> Shop:
    """An account whose endpoint is the inbox."""
    return make_shop(f"{inbox.peer.url}/hooks?from=tollgate")


@pytest.fixture(autouse=True)
def _nothing_left_due() -> Iterator[None]:
    """What a test leaves pending must not be tried in another one."""
    yield
    drop_rows()


def forget() -> dict[str, int]:
    return retention_worker.handler({}, object())


def now() -> Any:
    sandbox_clock.refresh()
    return clock.now()


@pytest.fixture
def advance_sandbox() -> Iterator[Callable[[int], None]]:
    """Moves the sandbox clock, and puts it back afterwards for the sake of other tests."""
    table = Table(DEPLOYMENT.tables["SandboxTable"].name, aws.dynamodb())
    before = table.get(*sandbox_clock.KEY)
    yield lambda seconds: (sandbox_clock.advance(table, seconds), None)[1]
    table.put(before or {"pk": sandbox_clock.KEY[0], "sk": sandbox_clock.KEY[1], "offset_seconds": 0})
    sandbox_clock.refresh()


@pytest.fixture
def sandbox_ahead(advance_sandbox: Callable[[int], None]) -> None:
    advance_sandbox(30 * 24 * 3600)
