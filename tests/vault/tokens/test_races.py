"""Two writers on one token, and deaths half-way: one wins, nothing is half done."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.http import Merchant
from tests.support.tables import items
from tests.vault.tokens.samples import CARD
from tollgate import aws, config
from vault.tokens.handler import handler
from vault.tokens.public import TokenChanged, TokenNotFound, TokenService, TokenSettings, tokens_of

TABLE = DEPLOYMENT.tables["VaultTable"].name


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(handler)


@pytest.fixture
def tokens() -> TokenService:
    return tokens_of(config.load(TokenSettings))


def import_card(merchant: Merchant, **changes: Any) -> str:
    return str(merchant.send("POST", "/cde-import", json_body={**CARD, **changes}).json["id"])


def events_of(token_id: str) -> list[str]:
    """The announcements of a token, oldest first."""
    return [each["type"]["S"] for each in sorted(_announced(token_id), key=lambda item: item["created_at"]["S"])]


def _announced(token_id: str) -> list[dict[str, Any]]:
    return [item for item in items(aws.dynamodb(), TABLE, "OUTBOX#") if item["subject"]["S"] == token_id]


def test_of_many_deletes_one_succeeds_and_is_announced_once(merchant: Merchant) -> None:
    token_id = import_card(merchant)
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: merchant.send("DELETE", f"/tokens/{token_id}").status, range(24)))
    assert sorted(statuses) == [204] + [404] * 23
    assert events_of(token_id) == ["token.created", "token.deleted"]
    assert merchant.send("GET", "/tokens").json["total_items"] == 0


def test_of_two_changes_to_one_version_one_is_refused(merchant: Merchant, tokens: TokenService) -> None:
    before = tokens.find(merchant.account_id, import_card(merchant))
    tokens.change(before, replace(before, network_token_status="pending"))
    with pytest.raises(TokenChanged):
        tokens.change(before, replace(before, network_token_status="failed"))
    listed = merchant.send("GET", "/tokens?network_token_status=pending").json
    assert [each["id"] for each in listed["data"]] == [before.id]
    assert merchant.send("GET", "/tokens?network_token_status=not_available").json["total_items"] == 0


def test_a_change_after_a_delete_finds_nothing(merchant: Merchant, tokens: TokenService) -> None:
    before = tokens.find(merchant.account_id, import_card(merchant))
    merchant.send("DELETE", f"/tokens/{before.id}")
    with pytest.raises(TokenNotFound):
        tokens.change(before, replace(before, network_token_status="active"))


def test_a_deleted_token_keeps_neither_card_nor_code_nor_name(merchant: Merchant, tokens: TokenService) -> None:
    token = tokens.find(merchant.account_id, import_card(merchant))
    assert tokens.reveal(token) == CARD["account_number"]
    assert tokens.reveal_security_code(token) == CARD["security_code"]
    merchant.send("DELETE", f"/tokens/{token.id}")
    item = aws.dynamodb().get_item(
        TableName=TABLE, Key={"pk": {"S": f"TOKEN#{merchant.account_id}#{token.id}"}, "sk": {"S": "#"}}
    )["Item"]
    assert item["cardholder_name"] == {"S": "ANONYMIZED"}
    assert not {"card", "expiry_month", "expiry_year", "fingerprint"} & set(item)
    assert tokens.reveal_security_code(token) is None
    with pytest.raises(TokenNotFound):
        tokens.reveal(token)


def test_a_security_code_is_gone_after_an_hour_or_its_use(
    merchant: Merchant, tokens: TokenService, held_clock: Any
) -> None:
    one, two = (tokens.find(merchant.account_id, import_card(merchant)) for _ in range(2))
    tokens.use_up_security_code(one)
    assert tokens.reveal_security_code(one) is None
    held_clock.advance(minutes=59)
    assert tokens.reveal_security_code(two) == "123"
    held_clock.advance(minutes=2)
    assert tokens.reveal_security_code(two) is None


def test_what_is_announced_is_the_public_form(merchant: Merchant) -> None:
    token = merchant.send("POST", "/cde-import", json_body=CARD).json
    (record,) = _announced(token["id"])
    assert json.loads(record["payload"]["S"]) == {"token": token}
    assert CARD["account_number"] not in repr(record)
