"""One authentication, and one AReq, per idempotency key, whatever happens to the directory server or to us."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import Killed
from tests.support.http import Response
from tests.support.session import HeldClock
from tests.support.tables import items
from tests.threeds import browser, conftest
from tests.threeds.conftest import PAYMENT, Shop
from tests.threeds.network import Network, silent
from threeds.addresses import DIRECTORY_PATH
from threeds.authentications.worker import handler as timeouts
from tollgate import aws
from tollgate.egress import Answer

TABLE = DEPLOYMENT.tables["ThreedsTable"].name


@pytest.fixture
def body(shop: Shop) -> dict[str, Any]:
    return {**PAYMENT, "token_id": shop.token(conftest.FRICTIONLESS)}


def send(shop: Shop, body: dict[str, Any], key: str = "k-1", kind: str = "cof") -> Response:
    headers = {"x-idempotency-key": key}
    return shop.send("POST", f"/authentications/{kind}", body=json.dumps(body), headers=headers)


def total(shop: Shop) -> int:
    return int(shop.send("GET", "/authentications").json["total_items"])


def test_the_same_request_gets_the_same_answer(shop: Shop, body: dict[str, Any], network: Network) -> None:
    first, second = send(shop, body), send(shop, body)
    assert (first.status, first.body) == (second.status, second.body)
    assert "x-idempotency-replayed" not in first.headers
    assert second.headers["x-idempotency-replayed"] == "true"
    assert len({each["threeDSServerTransID"] for each in network.messages("AReq")}) == total(shop) == 1


def test_the_answer_stays_when_the_authentication_moves_on(shop: Shop) -> None:
    body = {**PAYMENT, "token_id": shop.token(conftest.CHALLENGE)}
    first = send(shop, body)
    browser.post(first.json["action_requirement"]["target_url"], {"challenge_code": "123456"})
    assert send(shop, body).body == first.body
    assert shop.read(first.json)["status"] == "COMPLETED"


def test_another_request_under_the_same_key_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    send(shop, body)
    assert send(shop, {**body, "amount": 1}).status == 422
    assert total(shop) == 1


def test_a_key_is_of_one_route_and_one_account(shop: Shop, other_shop: Shop, body: dict[str, Any]) -> None:
    first = send(shop, body).json["id"]
    assert send(shop, {**conftest.SERIES, **body}, kind="recurring").json["id"] != first
    other = {**body, "token_id": other_shop.token(conftest.FRICTIONLESS)}
    assert send(other_shop, other).status == 200


def test_a_refused_request_leaves_its_key_unused(shop: Shop, body: dict[str, Any]) -> None:
    assert send(shop, {**body, "amount": -1}).status == 422
    assert send(shop, {**body, "token_id": "00000000-0000-4000-8000-000000000000"}).status == 404
    assert send(shop, body).status == 200


def test_what_is_not_asked_for_is_answered_once_too(shop: Shop, body: dict[str, Any]) -> None:
    merchant_id = shop.merchant(schemes=None)["id"]
    first = send(shop, {**body, "merchant_id": merchant_id})
    assert first.json["status"] == "FAILED"
    assert send(shop, {**body, "merchant_id": merchant_id}).body == first.body
    assert total(shop) == 1


def test_while_the_first_waits_the_second_is_told_so(shop: Shop, body: dict[str, Any], network: Network) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slow(go: Any) -> Answer:
        arrived.set()
        assert go_on.wait(10)
        answer: Answer = go()
        return answer

    with network.when(DIRECTORY_PATH, slow), ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, shop, body)
        assert arrived.wait(10)
        second = send(shop, body)
        other = send(shop, {**body, "amount": 1})
        go_on.set()
        answer = first.result(10)
    assert (second.status, second.json["classifier"]) == (409, "CONFLICT")
    assert other.status == 422
    assert answer.json["status"] == "COMPLETED"
    assert send(shop, body).body == answer.body


def test_twenty_at_once_make_one(shop: Shop, body: dict[str, Any], network: Network) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: send(shop, body), range(20)))
    good = {answer.body for answer in answers if answer.status == 200}
    assert len(good) == 1
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({each["threeDSServerTransID"] for each in network.messages("AReq")}) == total(shop) == 1
    assert send(shop, body).body in good


def test_silence_is_an_answer_too(shop: Shop, body: dict[str, Any], network: Network, held_clock: HeldClock) -> None:
    with network.when(DIRECTORY_PATH, silent):
        first = send(shop, body)
    assert (first.status, first.json["status"], first.json["action_requirement"]) == (200, "PROCESSING", None)
    assert send(shop, body).body == first.body
    held_clock.advance(seconds=61)
    timeouts({}, object())
    assert send(shop, body).body == first.body
    assert shop.read(first.json)["status"] == "FAILED"


def test_a_process_that_died_waiting_leaves_an_answer_to_come(
    shop: Shop, body: dict[str, Any], network: Network, held_clock: HeldClock
) -> None:
    def die(go: Any) -> Answer:
        go()
        raise Killed

    with network.when(DIRECTORY_PATH, die), pytest.raises(Killed):
        send(shop, body)
    assert send(shop, body).status == 409
    assert send(shop, {**body, "amount": 1}).status == 422
    held_clock.advance(seconds=61)
    timeouts({}, object())
    answer = send(shop, body)
    assert (answer.status, answer.json["status"]) == (200, "FAILED")
    assert answer.json["failure_details"][0]["reason"] == "directory_server_error"
    assert send(shop, body).body == answer.body
    assert len({each["threeDSServerTransID"] for each in network.messages("AReq")}) == total(shop) == 1


def test_a_key_is_free_again_after_two_days(shop: Shop, body: dict[str, Any], held_clock: HeldClock) -> None:
    first = send(shop, body).json["id"]
    held_clock.advance(hours=49)
    assert send(shop, body).json["id"] != first


def test_the_records_hold_nothing_that_was_sent_or_answered(shop: Shop, body: dict[str, Any]) -> None:
    made = send(shop, body, "key-in-clear").json
    records = items(aws.dynamodb(), TABLE, f"IDEM#{shop.caller.account_id}#")
    assert len(records) == 2
    value = made["authentication_result"]["cardholder_data"]["authentication_value"]
    for secret in ("key-in-clear", value, body["token_id"]):
        assert secret not in repr(records)
