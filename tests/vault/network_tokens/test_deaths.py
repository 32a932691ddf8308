"""Killed at every call of every step: nothing is lost, nothing happens twice."""

from __future__ import annotations

from typing import Any

from tests.support.faults import deaths
from tests.vault.network_tokens.conftest import CARD, TABLE, Shop, deliver
from tollgate import aws
from vault.network_tokens import rules
from vault.tokens.handler import handler as tokens_door


def recover(shop: Shop, held_clock: Any) -> None:
    """What schedules do in the next hours."""
    for attempt in range(1, 4):
        shop.run()
        held_clock.advance(seconds=rules.pause_before(attempt))
        shop.sweep()
    assert shop.work() == []


def test_a_worker_that_dies_leaves_a_pending_token_to_the_next(shop: Shop, held_clock: Any) -> None:
    token, messages, seen = shop.token(), [], 0
    messages[:] = shop.stream()
    for _ in deaths(aws.dynamodb(), lambda: deliver(*messages)):
        recover(shop, held_clock)
        assert shop.events(token["id"]) == [("token.created", "pending"), ("token.updated", "active")]
        token, seen = shop.token(), seen + 1
        messages[:] = shop.stream()
    assert seen > 8


def test_a_worker_that_dies_leaves_a_deletion_to_the_next(shop: Shop, held_clock: Any) -> None:
    def delete() -> list[str]:
        shop.delete(shop.active_token())
        return shop.stream()

    messages, seen = delete(), 0
    for _ in deaths(aws.dynamodb(), lambda: deliver(*messages)):
        recover(shop, held_clock)
        messages[:], seen = delete(), seen + 1
    assert seen > 4


def test_a_token_never_comes_to_be_without_its_work(shop: Shop, held_clock: Any) -> None:
    body = {**CARD, "business_key": "ignored"}
    seen = 0
    tokens = shop.caller.at(tokens_door)
    for _ in deaths(aws.dynamodb(), lambda: tokens.send("POST", "/cde-import", json_body=body)):
        listed = {each["id"] for each in tokens.send("GET", "/tokens?network_token_status=pending").json["data"]}
        assert {token_id for work in shop.work() for token_id in work.token_ids} == listed
        recover(shop, held_clock)
        seen += 1
    assert seen > 4


def test_payment_data_is_given_out_once_for_a_key(shop: Shop) -> None:
    token_id, headers, seen = shop.active_token(), {"x-idempotency-key": "k0"}, 0
    for death in deaths(aws.dynamodb(), lambda: shop.pay(token_id, headers=headers)):
        answer = shop.pay(token_id, headers=headers)
        assert answer.status == 200, death
        seen += 1
        headers["x-idempotency-key"] = f"k{seen}"
        rows = TABLE.query(f"PAYMENT-DATA#{shop.account_id}#{token_id}")
        assert len(rows) == seen
        assert answer.json["id"] in {row["id"] for row in rows}
    assert seen > 4
