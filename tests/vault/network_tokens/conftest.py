"""An account with a merchant, and the way of a piece of work from the table to the provider, played step by step."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.http import Merchant, Response
from tests.support.queues import FakeSqs
from tollgate import aws
from tollgate.store import items
from tollgate.store.table import Table
from vault import tokenisation
from vault.merchants.handler import handler as merchants_door
from vault.network_tokens import feed_worker, sweep_worker, worker
from vault.network_tokens.handler import handler
from vault.tokenisation import Work
from vault.tokens.handler import handler as tokens_door

CARD: dict[str, Any] = {"account_number": "4242424242424242", "expiry_month": 4, "expiry_year": 2033}
SHOP: dict[str, Any] = {
    "company_city": "Berlin",
    "country_code": "DE",
    "legal_name": "Example Merchant",
    "website_url": "https://example.com",
    "3ds_enabled": True,
}
LIFE = ["token.created", "token.updated", "token.deleted"]
TABLE = Table(worker._settings.vault_table, aws.dynamodb())


@dataclass(frozen=True)
class Shop:
    """An account, and its primary merchant if it has one."""

    caller: Merchant
    merchant: dict[str, Any]
    sqs: FakeSqs

    @property
    def account_id(self) -> str:
        return self.caller.account_id

    def token(self, account_number: str = CARD["account_number"], **changes: Any) -> dict[str, Any]:
        body = {**CARD, "account_number": account_number, **changes}
        answer = self.caller.at(tokens_door).send("POST", "/cde-import", json_body=body)
        assert answer.status == 200
        return dict(answer.json)

    def status(self, token_id: str) -> str:
        return str(self.caller.at(tokens_door).send("GET", f"/tokens/{token_id}").json["network_token_status"])

    def delete(self, token_id: str) -> None:
        assert self.caller.at(tokens_door).send("DELETE", f"/tokens/{token_id}").status == 204

    def delete_meanwhile(self, token_id: str) -> None:
        """Delete from beside the function that runs: in a thread, since it is another door's call."""
        with ThreadPoolExecutor(1) as beside:
            beside.submit(self.delete, token_id).result(10)

    def work(self) -> list[Work]:
        """What waits for this account."""
        shards = range(tokenisation.WORK_SHARDS)
        rows = [row for shard in shards for row in TABLE.query(f"{tokenisation.WORK_PREFIX}{shard:02d}")]
        return [tokenisation.from_row(row) for row in rows if row["account_id"] == self.account_id]

    def stream(self) -> list[str]:
        """Play the stream: ready rows go through the feed to the queue; answers the messages."""
        ready = [work for work in self.work() if work.stage == "ready"]
        records = [record_of(work) for work in ready]
        self.sqs.sent.clear()
        assert feed_worker.handler({"Records": records}, object()) == {"batchItemFailures": []}
        return [body for queue in self.sqs.sent.values() for body in queue]

    def run(self) -> None:
        """From the table through the queue to the provider, once."""
        deliver(*self.stream())

    def sweep(self) -> dict[str, int]:
        return sweep_worker.handler({}, object())

    def active_token(self, **changes: Any) -> str:
        token = self.token(**changes)
        self.run()
        assert self.status(token["id"]) == "active"
        return str(token["id"])

    def pay(self, token_id: str, **more: Any) -> Response:
        body = {
            "amount": 10000,
            "currency_code": "EUR",
            "merchant_id": self.merchant["id"],
            "reference": "1234567890",
            **more.pop("changes", {}),
        }
        return self.caller.send("POST", f"/tokens/{token_id}/payment-data", json_body=body, **more)

    def events(self, token_id: str) -> list[tuple[str, str]]:
        """What was announced of a token: type and network token status, in order (while the clock stands, of life)."""
        rows = [row for shard in range(16) for row in TABLE.query(f"OUTBOX#{shard:02d}") if row["subject"] == token_id]
        rows.sort(key=lambda row: (str(row["created_at"]), LIFE.index(row["type"])))
        return [(row["type"], json.loads(row["payload"])["token"]["network_token_status"]) for row in rows]


def record_of(work: Work) -> dict[str, Any]:
    row = items.dump(work.row())
    keys = {name: row[name] for name in ("pk", "sk")}
    return {"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": row, "SequenceNumber": work.id}}


def deliver(*bodies: str) -> None:
    """The queue gives messages to the worker, which keeps none of them."""
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    assert worker.handler({"Records": records}, object()) == {"batchItemFailures": []}


@pytest.fixture
def make_shop(make_merchant: Callable[..., Merchant], sqs: FakeSqs) -> Callable[..., Shop]:
    def make(onboarded: bool = True) -> Shop:
        caller = make_merchant(handler)
        merchant: dict[str, Any] = {"id": "00000000-0000-4000-8000-000000000000"}
        if onboarded:
            merchant = caller.at(merchants_door).send("POST", "/merchants", json_body=SHOP).json
        return Shop(caller, merchant, sqs)

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()
