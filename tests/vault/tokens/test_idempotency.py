"""One effect per idempotency key: replays, mismatches, races, and what the record may not hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.http import Merchant, Response
from tests.support.tables import items
from tests.vault.tokens.samples import CARD
from tollgate import aws
from vault.tokens.handler import handler

TABLE = DEPLOYMENT.tables["VaultTable"].name


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


def send(merchant: Merchant, key: str, **changes: Any) -> Response:
    body = json.dumps({**CARD, **changes})
    return merchant.send("POST", "/cde-import", body=body, headers={"x-idempotency-key": key})


def total(merchant: Merchant) -> int:
    return int(merchant.send("GET", "/tokens").json["total_items"])


def test_the_same_request_gets_the_same_answer_byte_for_byte(merchant: Merchant) -> None:
    first, second = send(merchant, "k-1"), send(merchant, "k-1")
    assert (first.status, second.status) == (200, 200)
    assert first.body == second.body
    assert "x-idempotency-replayed" not in first.headers
    assert second.headers["x-idempotency-replayed"] == "true"
    assert total(merchant) == 1


def test_another_body_under_the_same_key_is_refused(merchant: Merchant) -> None:
    send(merchant, "k-1")
    answer = send(merchant, "k-1", cardholder_name="Jane Doe")
    assert (answer.status, answer.json["classifier"]) == (422, "VALIDATION_ERROR")
    assert total(merchant) == 1


def test_a_key_belongs_to_its_account(merchant: Merchant, make_merchant: Callable[..., Merchant]) -> None:
    other = make_merchant(handler)
    assert send(merchant, "k-1").json["id"] != send(other, "k-1").json["id"]


def test_a_refused_request_leaves_its_key_unused(merchant: Merchant) -> None:
    assert send(merchant, "k-1", expiry_month=13).status == 422
    assert send(merchant, "k-1").status == 200


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "\u00fc", "\x7f"])
def test_a_key_is_visible_ascii_of_bounded_length(merchant: Merchant, key: str) -> None:
    answer = send(merchant, key)
    assert (answer.status, answer.paths()) == (422, ["header.x-idempotency-key"])


def test_a_key_is_free_again_after_two_days(merchant: Merchant, held_clock: Any) -> None:
    first = send(merchant, "k-1").json["id"]
    held_clock.advance(hours=47)
    assert send(merchant, "k-1").json["id"] == first
    held_clock.advance(hours=2)
    assert send(merchant, "k-1").json["id"] != first


def test_fifty_at_once_make_one_token_and_all_get_its_answer(merchant: Merchant) -> None:
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: send(merchant, "k-50"), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert total(merchant) == 1
    assert len(_items(f"TOKEN#{merchant.account_id}#")) == 1


def test_a_deleted_token_is_still_the_answer_of_its_key(merchant: Merchant) -> None:
    first = send(merchant, "k-1")
    merchant.send("DELETE", f"/tokens/{first.json['id']}")
    assert send(merchant, "k-1").body == first.body
    assert total(merchant) == 0


def test_the_record_holds_neither_card_nor_key_nor_answer_in_clear(merchant: Merchant) -> None:
    send(merchant, "key-in-clear")
    (record,) = _items(f"IDEM#{merchant.account_id}#")
    text = repr(record)
    for secret in (CARD["account_number"], "John Doe", "key-in-clear", "424242"):
        assert secret not in text


def _items(prefix: str) -> list[dict[str, Any]]:
    return items(aws.dynamodb(), TABLE, prefix)
