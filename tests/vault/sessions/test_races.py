"""Many clients with one session, and deaths half-way: one token, one end, and a session that says which."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.support.http import Merchant
from tests.vault.sessions.clients import CARD, Client, seal
from tollgate import aws
from vault.sessions.handler import handler
from vault.tokens import handler as tokens

EPHEMERAL = DEPLOYMENT.tables["VaultEphemeralTable"].name
EVERYWHERE = [table.name for table in DEPLOYMENT.tables.values()]


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


def open_session(merchant: Merchant) -> Client:
    return Client(handler, merchant.send("POST", "/tokens/session").json["session_id"])


def listed(merchant: Merchant) -> list[str]:
    answer = merchant.at(tokens.handler).send("GET", "/tokens?limit=500").json
    assert answer["total_items"] == len(answer["data"])
    return [each["id"] for each in answer["data"]]


def test_of_many_completions_one_makes_a_token(merchant: Merchant) -> None:
    client = open_session(merchant)
    key = client.key()
    payloads = [seal(key, {**CARD, "expiry_month": month}) for month in range(1, 13)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(client.complete, payloads))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 11
    (made,) = [answer.json["data"]["token_id"] for answer in answers if answer.status == 200]
    assert listed(merchant) == [made]
    assert client.read().json["data"] == {"token_id": made}


def test_of_many_wrong_cards_five_are_answered(merchant: Merchant) -> None:
    client = open_session(merchant)
    payload = seal(client.key(), {**CARD, "expiry_month": 13})
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(client.complete, [payload] * 12))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [409] * 7
    left = [answer.json["data"]["attempts_left"] for answer in answers if answer.status == 200]
    assert sorted(left) == [0, 1, 2, 3, 4]


def test_simultaneous_first_sessions_of_an_hour_share_a_key(merchant: Merchant) -> None:
    merchant.send("GET", "/sessions/x")
    with ThreadPoolExecutor(6) as pool:
        clients = list(pool.map(lambda _: open_session(merchant), range(6)))
    assert len({client.key()["n"] for client in clients}) == 1
    assert [client.hand_over().json["status"] for client in clients] == ["success"] * 6


def test_a_death_at_any_call_leaves_a_whole_session_or_none(merchant: Merchant) -> None:
    attempt = lambda: merchant.send("POST", "/tokens/session")  # noqa: E731
    for _ in deaths(aws.dynamodb(), attempt):
        assert open_session(merchant).hand_over().json["status"] == "success"


def test_a_death_at_any_call_makes_the_token_and_ends_the_session_or_neither(merchant: Merchant) -> None:
    waiting = [open_session(merchant) for _ in range(40)]
    sealed = {client.id: seal(client.key(), CARD) for client in waiting}
    made: list[str] = []
    for death in deaths(aws.dynamodb(), lambda: waiting[-1].complete(sealed[waiting[-1].id])):
        client = waiting.pop()
        after = client.read().json
        if after["status"] == "pending":
            after = client.complete(sealed[client.id]).json
        assert after["status"] == "success", death
        made.append(after["data"]["token_id"])
        assert sorted(listed(merchant)) == sorted(made), death
    assert len(made) > 6


def test_card_and_key_are_nowhere_in_the_clear(merchant: Merchant, capsys: Any) -> None:
    number, code, name = "4000000000000002", "907", "Canary Q. Payer"
    client = open_session(merchant)
    client.hand_over(account_number=number, security_code="90", cardholder_name=name)
    client.hand_over(account_number=number, security_code=code)
    logs = capsys.readouterr().out
    assert client.id not in logs, "the id is a credential"
    assert number not in logs
    assert "sessions" in logs
    for table in EVERYWHERE:
        for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                assert number not in repr(item)
                assert code not in [value for each in item.values() for value in each.values()]
    rows = aws.dynamodb().scan(
        TableName=EPHEMERAL,
        FilterExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"SESSION-KEY#{merchant.account_id}"}},
    )["Items"]
    assert rows
    assert all(bytes(row["sealed"]["B"])[:2] != b"\x30\x82" for row in rows), "a DER sequence begins like this"
