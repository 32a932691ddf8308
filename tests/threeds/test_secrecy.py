"""Canary cards go through every flow: their numbers are in the vault, sealed, and on the way to the issuer only."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import Killed
from tests.support.queues import FakeSqs
from tests.support.session import HeldClock
from tests.threeds import browser, conftest
from tests.threeds.conftest import PAYMENT, Shop
from tests.threeds.network import Network, answers, silent, unreachable
from threeds.acs_simulator.worker import handler as acs_schedule
from threeds.addresses import ACS_PATH, DIRECTORY_PATH
from threeds.authentications.worker import handler as timeouts
from tollgate import aws

CANARIES = (conftest.CHALLENGE, conftest.FRICTIONLESS, conftest.DECOUPLED, conftest.REFUSED)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What callers and browsers were shown; checked with the logs at the end."""
    caplog.set_level(logging.INFO)
    made: list[str] = []
    yield made
    printed = capsys.readouterr()
    for text in (*made, printed.out, printed.err, caplog.text):
        for canary in CANARIES:
            assert canary not in unquote(text)


def go_through_everything(shop: Shop, network: Network, held_clock: HeldClock) -> list[str]:
    seen: list[Any] = []
    for number in CANARIES:
        for obstacle in (None, unreachable, silent, answers(500, b"oops"), _die)[: 1 if number != CANARIES[0] else 5]:
            body = {**PAYMENT, "token_id": shop.token(number)}
            headers = {"x-idempotency-key": f"{number[-6:]}-{len(seen)}"}
            if obstacle is None:
                answer = shop.send("POST", "/authentications/cof", json_body=body, headers=headers)
                seen.append(answer.body.decode())
                action = answer.json["action_requirement"]
                if action:
                    page = browser.get(action["target_url"]).submit(challenge_code=number)
                    seen += [action["target_url"], page.text, page.submit(challenge_code="123456").text]
                continue
            with network.when(DIRECTORY_PATH, obstacle):
                try:
                    seen.append(
                        shop.send("POST", "/authentications/cof", json_body=body, headers=headers).body.decode()
                    )
                except Killed:
                    continue
    held_clock.advance(seconds=700)
    acs_schedule({}, object())
    timeouts({}, object())
    seen.append(shop.send("GET", "/authentications?limit=500").body.decode())
    return [str(each) for each in seen]


def _die(go: Any) -> Any:
    raise Killed


def test_the_number_is_nowhere(
    shop: Shop, network: Network, held_clock: HeldClock, sqs: FakeSqs, shown: list[str]
) -> None:
    shown += go_through_everything(shop, network, held_clock)
    assert len(shown) > 10
    for table in DEPLOYMENT.tables.values():
        for item in _all(table.name):
            text = repr(item)
            blobs = [value["B"] for value in item.values() if isinstance(value, dict) and "B" in value]
            for canary in CANARIES:
                assert canary not in text, table.name
                assert all(canary.encode() not in blob for blob in blobs)
    for queue in sqs.sent.values():
        for body in queue:
            assert not any(canary in body for canary in CANARIES)


def test_the_number_goes_to_the_directory_server_and_the_issuer_alone(
    shop: Shop, network: Network, held_clock: HeldClock
) -> None:
    go_through_everything(shop, network, held_clock)
    holding = {
        (each.path, each.message["messageType"])
        for each in network.sent
        if any(canary in repr(each.message) for canary in CANARIES)
    }
    assert holding == {(DIRECTORY_PATH, "AReq"), (ACS_PATH, "AReq")}


def test_links_hold_ids_and_nothing_of_the_card(shop: Shop) -> None:
    made = shop.pay(conftest.CHALLENGE)
    creq = made["action_requirement"]["target_url"].partition("creq=")[2]
    text = base64.urlsafe_b64decode(creq + "=" * (-len(creq) % 4)).decode()
    assert set(_keys(text)) == {
        "messageType", "messageVersion", "threeDSServerTransID", "acsTransID", "challengeWindowSize",
    }  # fmt: skip


def _keys(text: str) -> list[str]:
    import json

    return list(json.loads(text))


def _all(table: str) -> list[dict[str, Any]]:
    pages = aws.dynamodb().get_paginator("scan").paginate(TableName=table)
    return [dict(item) for page in pages for item in page["Items"]]
