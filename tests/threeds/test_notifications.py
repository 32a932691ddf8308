"""The end of an authentication on its way out: stream, relay, queue, notification; and found again if lost there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control.notifications.handler import handler as log
from control.notifications.worker import handler as notify
from control.relay.sweep_worker import handler as sweep
from control.relay.worker import handler as relay
from tests.support.environment import DEPLOYMENT
from tests.support.queues import FakeSqs
from tests.support.session import HeldClock
from tests.support.tables import items
from tests.threeds import conftest
from tests.threeds.conftest import Shop
from tollgate import aws

TABLE = DEPLOYMENT.tables["ThreedsTable"].name


def outbox(authentication_id: str) -> list[dict[str, Any]]:
    return [row for row in items(aws.dynamodb(), TABLE, "OUTBOX#") if row["subject"]["S"] == authentication_id]


def record_of(row: dict[str, Any]) -> dict[str, Any]:
    keys = {name: row[name] for name in ("pk", "sk")}
    source = f"arn:aws:dynamodb:eu-central-1:000000000000:table/{TABLE}/stream/1"
    return {"eventName": "INSERT", "dynamodb": {"Keys": keys, "SequenceNumber": "1"}, "eventSourceARN": source}


def deliver(sqs: FakeSqs, authentication_id: str) -> None:
    """The queue gives the messages about one authentication to the worker."""
    (row,) = outbox(authentication_id)
    bodies = [body for queue in sqs.sent.values() for body in queue if json.loads(body)["sk"] == row["sk"]["S"]]
    assert bodies
    records = [{"messageId": str(n), "body": body, "eventSourceARN": "x"} for n, body in enumerate(bodies)]
    assert notify({"Records": records}, object()) == {"batchItemFailures": []}


@pytest.fixture
def listening(shop: Shop, provision: Any) -> Shop:
    """An account that wants to hear of it, at an address that answers nobody."""
    provision("update_account", account_id=shop.caller.account_id, notification_url="http://127.0.0.1:1/hook")
    return shop


@pytest.mark.parametrize(
    ("account_number", "event_type"),
    [(conftest.FRICTIONLESS, "authentication.completed"), (conftest.REFUSED, "authentication.failed")],
)
@pytest.mark.parametrize("way", ["stream", "sweep"])
def test_is_notified(
    listening: Shop, sqs: FakeSqs, held_clock: HeldClock, account_number: str, event_type: str, way: str
) -> None:
    made = listening.pay(account_number)
    if way == "stream":
        assert relay({"Records": [record_of(row) for row in outbox(made["id"])]}, object()) == {"batchItemFailures": []}
    else:
        held_clock.advance(seconds=400)
        sweep({}, object())
    deliver(sqs, made["id"])
    (entry,) = listening.caller.at(log).send("GET", f"/notifications?subject={made['id']}").json["data"]
    assert entry["event_type"] == event_type
    assert outbox(made["id"]) == []
