"""A card goes through import, deletion and notification; its number and security code are in none of the places that
notifications touch, nor is the key that signs them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from control.relay import sweep_worker
from tests.control.notifications.conftest import NOTIFICATIONS, OK, Inbox, Shop, answering, outbox_of, sweep, work
from tests.support.queues import FakeSqs
from tollgate import aws
from vault.tokens.handler import handler as tokens

PAN, CODE = "5425233430109903", "8361"
CARD = {"account_number": PAN, "expiry_month": 4, "expiry_year": 2033, "security_code": CODE[:3]}


def spellings(secret: str) -> list[str]:
    """Forms in which a secret could hide."""
    raw = secret.encode()
    grouped = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    forms = [secret, secret[::-1], grouped, grouped.replace(" ", "-"), raw.hex()]
    return forms + [base64.b64encode(b"x" * n + raw).decode()[4:-4] for n in range(3)]


def test_no_card_and_no_key_where_notifications_go(
    shop: Shop, inbox: Inbox, sqs: FakeSqs, held_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox.answer(answering(500), OK)
    token = shop.merchant.at(tokens).send("POST", "/cde-import", json_body=CARD).json
    shop.merchant.at(tokens).send("DELETE", f"/tokens/{token['id']}")
    held_clock.advance(minutes=6)
    sweep_worker.handler({}, object())
    outbox_references = [each._asdict() for each in outbox_of(shop.account_id)]
    assert all(each in sqs.bodies() for each in outbox_references)
    assert work(*outbox_references, "not a message of " + PAN) == ["m2"]
    held_clock.advance(seconds=10)
    sweep()
    entries = shop.log()
    assert [entry["status"] for entry in entries] == ["delivered", "delivered"]
    seen = {
        "table": repr(aws.dynamodb().scan(TableName=NOTIFICATIONS)["Items"]),
        "queue": repr(sqs.sent),
        "log": capsys.readouterr().out,
        "deliveries": repr([visit.request for visit in inbox.peer.visits]),
        "answers": repr([shop.detail(entry["id"]) for entry in entries]),
    }
    assert token["id"] in seen["table"]
    assert "500" in seen["answers"]
    for secret in (PAN, shop.hmac_key):
        assert [(place, form) for place, text in seen.items() for form in spellings(secret) if form in text] == []
