"""The door for other families: one authentication for an id, told to who knows its reference, whatever dies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.faults import deaths
from tests.support.session import HeldClock
from tests.threeds.conftest import CHALLENGE, FRICTIONLESS, REFUSED, UNAVAILABLE, Shop
from tests.threeds.network import Network, silent, unreachable
from threeds.addresses import DIRECTORY_PATH
from threeds.authentications.worker import handler as timeouts
from threeds.payers.worker import handler as payers
from tollgate import aws, ids

REQUESTOR = {"id": "S1", "name": "Flower Shop", "url": "https://flowers.example", "country": "CH"}
REFERENCE = "S1/2/3"


def question(shop: Shop, account_number: str = FRICTIONLESS, **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "action": "authenticate", "account_id": shop.caller.account_id, "id": ids.new_uuid(), "reference": REFERENCE,
        "token_id": shop.token(account_number), "amount": 4200, "currency": "EUR", "requestor": REQUESTOR,
        "browser": {}, "return_url": "https://shop.example/back", "base_url": "https://tollgate.test",
    }  # fmt: skip
    return {**made, **members}


def ask(asked: dict[str, Any]) -> dict[str, Any]:
    return payers(asked, object())


def read(asked: dict[str, Any], **members: Any) -> dict[str, Any]:
    known = {name: asked[name] for name in ("account_id", "id", "reference")}
    return payers({**known, "action": "read", **members}, object())


def asked_for(network: Network) -> int:
    return sum(each.path == DIRECTORY_PATH for each in network.sent)


@pytest.mark.parametrize(
    ("account_number", "status", "transaction_status", "reasons"),
    [
        (FRICTIONLESS, "COMPLETED", "Y", []),
        (REFUSED, "FAILED", "N", ["authentication_failed"]),
        (UNAVAILABLE, "FAILED", "U", ["authentication_unavailable"]),
    ],
)
def test_answers(
    shop: Shop, network: Network, account_number: str, status: str, transaction_status: str, reasons: list[str]
) -> None:
    asked = question(shop, account_number)
    answer = ask(asked)
    assert (answer["status"], answer["transaction_status"], answer["reasons"]) == (status, transaction_status, reasons)
    assert (answer["value"] is not None) == (status == "COMPLETED")
    assert (answer["amount"], answer["currency"], answer["token_id"]) == (4200, "EUR", asked["token_id"])
    assert ask(asked) == read(asked) == answer
    assert asked_for(network) == 1
    assert shop.read(asked)["id"] == asked["id"]


def test_a_challenge_has_an_address_while_it_is_open(shop: Shop, network: Network, held_clock: HeldClock) -> None:
    asked = question(shop, CHALLENGE)
    answer = ask(asked)
    assert (answer["status"], "/acs/challenge?creq=" in answer["target_url"]) == ("PROCESSING", True)
    held_clock.advance(seconds=601)
    timeouts({}, object())
    assert (read(asked)["target_url"], read(asked)["reasons"]) == (None, ["challenge_timeout"])


def test_a_registration_goes_to_the_directory_server(shop: Shop, network: Network) -> None:
    registered = {
        **REQUESTOR,
        "registration": {"acquirer_bin": "400012", "merchant_id": "M-9", "category_code": "5992"},
    }
    ask(question(shop, requestor=registered))
    request = network.messages("AReq")[0]
    expected = {"acquirerBIN": "400012", "acquirerMerchantID": "M-9", "mcc": "5992", "merchantCountryCode": "756"}
    assert {name: request[name] for name in expected} == expected


def test_told_to_nobody_else(shop: Shop, other_shop: Shop, network: Network) -> None:
    asked = question(shop)
    ask(asked)
    for changed in (
        {"account_id": other_shop.caller.account_id}, {"reference": "S1/2/4"}, {"reference": ""},
        {"id": ids.new_uuid()},
    ):  # fmt: skip
        assert "NotFound" in read(asked, **changed)["failure"]
    own = shop.pay(FRICTIONLESS, merchant_id=shop.merchant()["id"])
    for reference in ("", "None", REFERENCE):
        assert "NotFound" in read(asked, id=own["id"], reference=reference)["failure"]
        assert "NotFound" in ask({**asked, "id": own["id"], "reference": reference})["failure"]
    assert "NotFound" in ask({**asked, "reference": "S1/2/4"})["failure"]


def test_nothing_is_sent_without_a_card(shop: Shop, other_shop: Shop, network: Network) -> None:
    asked = question(shop)
    shop.delete_token(asked["token_id"])
    assert "NotFound" in ask(asked)["failure"]
    assert "NotFound" in ask(question(shop, token_id=other_shop.token(FRICTIONLESS)))["failure"]
    assert network.sent == []


@pytest.mark.parametrize("event", [{"action": "list"}, {}])
def test_no_such_action(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no such action"):
        payers(event, object())


def test_an_id_that_is_none(shop: Shop) -> None:
    with pytest.raises(ValueError, match="UUID"):
        ask(question(shop, id="1#2"))


@pytest.mark.parametrize(
    ("obstacle", "status", "reasons"),
    [(unreachable, "FAILED", ["directory_server_error"]), (silent, "PROCESSING", [])],
)
def test_no_answer(
    shop: Shop, network: Network, held_clock: HeldClock, obstacle: Any, status: str, reasons: list[str]
) -> None:
    asked = question(shop)
    with network.when(DIRECTORY_PATH, obstacle):
        answer = ask(asked)
    assert (answer["status"], answer["reasons"]) == (status, reasons)
    assert ask(asked) == answer
    held_clock.advance(seconds=61)
    timeouts({}, object())
    assert (read(asked)["status"], read(asked)["reasons"]) == ("FAILED", ["directory_server_error"])
    assert asked_for(network) == 1


def test_asked_at_once(shop: Shop, network: Network) -> None:
    asked, barrier = question(shop), threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        ask(asked)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (asked_for(network), read(asked)["status"]) == (1, "COMPLETED")


@pytest.fixture
def fresh(shop: Shop) -> Callable[[], dict[str, Any]]:
    """Questions about one card."""
    first = question(shop)
    return lambda: {**first, "id": ids.new_uuid()}


def test_killed_at_whatever_call(
    shop: Shop, network: Network, held_clock: HeldClock, fresh: Callable[[], dict[str, Any]]
) -> None:
    """Asked again it is asked once at most, and ends."""
    questions: Iterator[dict[str, Any]] = iter(fresh, None)
    waiting, before = [next(questions)], 0
    for death in deaths(aws.dynamodb(), lambda: ask(waiting[-1])):
        ask(waiting[-1])
        held_clock.advance(seconds=61)
        timeouts({}, object())
        assert read(waiting[-1])["status"] in ("COMPLETED", "FAILED"), death
        assert asked_for(network) - before <= 1, death
        before = asked_for(network)
        waiting.append(next(questions))
