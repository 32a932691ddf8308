"""Token authentication data beside the cardholder's, where the token has an active network token."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tests.support.tables import items
from tests.threeds import browser, conftest
from tests.threeds.conftest import PAYMENT, Shop
from tests.threeds.network import Network
from tollgate import aws
from tollgate.errors import UpstreamTimeout
from tollgate.store import items as store_items
from vault import tokenisation
from vault.network_tokens import worker
from vault.network_tokens.clients.simulator import Simulator

SUSPENDED_LATER = "4000000000000119"


def provision(shop: Shop) -> None:
    """Do what waits at the token service provider for this account."""
    rows = [
        store_items.load(row)
        for row in items(aws.dynamodb(), worker._settings.vault_table, tokenisation.WORK_PREFIX)
        if row["account_id"]["S"] == shop.caller.account_id
    ]
    for row in rows:
        body = json.dumps({"pk": row["pk"], "sk": row["sk"]})
        assert worker.handler({"Records": [{"messageId": "1", "body": body}]}, object()) == {"batchItemFailures": []}


def opened(data: str, encryption_key: str) -> dict[str, Any]:
    key = OctKey.import_key(json.loads(base64.urlsafe_b64decode(encryption_key + "=" * (-len(encryption_key) % 4))))
    plain = jwe.decrypt_compact(data, key, algorithms=["dir", "A256GCM"]).plaintext
    assert plain is not None
    return dict(json.loads(plain))


@pytest.fixture
def merchant(shop: Shop) -> dict[str, Any]:
    return shop.merchant(legal_name="Second")


@pytest.mark.parametrize("account_number", [conftest.FRICTIONLESS, conftest.CHALLENGE])
def test_is_sealed_for_the_merchant(shop: Shop, merchant: dict[str, Any], account_number: str) -> None:
    token_id = shop.token(account_number)
    provision(shop)
    made = shop.ask(**PAYMENT, token_id=token_id, merchant_id=merchant["id"]).json
    if made["action_requirement"]:
        browser.post(made["action_requirement"]["target_url"], {"challenge_code": "123456"})
        made = shop.read(made)
    data = made["authentication_result"]["encrypted_token_data"]
    assert data.startswith("eyJhbGc")
    inside = opened(data, merchant["encryption_key"])
    assert len(base64.b64decode(inside["cryptogram"])) == 20
    assert inside["network_token"] != account_number
    known = (inside["amount"], inside["currency_code"], inside["reference"], inside["token_id"], inside["merchant_id"])
    assert known == (4200, "EUR", made["id"], token_id, merchant["id"])
    other = shop.merchant(legal_name="Third")
    with pytest.raises(JoseError):
        opened(data, other["encryption_key"])


def test_is_null_while_there_is_no_active_network_token(shop: Shop) -> None:
    made = shop.pay(conftest.FRICTIONLESS)
    assert (made["status"], made["authentication_result"]["encrypted_token_data"]) == ("COMPLETED", None)


def test_is_null_of_what_failed(shop: Shop) -> None:
    token_id = shop.token(conftest.REFUSED)
    provision(shop)
    made = shop.ask(**PAYMENT, token_id=token_id).json
    assert made["authentication_result"]["encrypted_token_data"] is None


def test_is_null_where_the_provider_ended_the_network_token(shop: Shop) -> None:
    token_id = shop.token(SUSPENDED_LATER)
    provision(shop)
    made = shop.ask(**PAYMENT, token_id=token_id).json
    assert (made["status"], made["authentication_result"]["encrypted_token_data"]) == ("COMPLETED", None)
    from vault.tokens.handler import handler as tokens

    token = shop.caller.at(tokens).send("GET", f"/tokens/{token_id}").json
    assert token["network_token_status"] == "inactive"


def test_does_not_keep_the_cardholders_result_waiting(
    shop: Shop, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_id = shop.token(conftest.FRICTIONLESS)
    provision(shop)

    def too_late(self: Simulator, request: object) -> str:
        raise UpstreamTimeout

    monkeypatch.setattr(Simulator, "cryptogram", too_late)
    made = shop.ask(**PAYMENT, token_id=token_id).json
    assert (made["status"], made["authentication_result"]["encrypted_token_data"]) == ("COMPLETED", None)
