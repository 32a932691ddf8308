"""Tokens through the door: made by payments or by hand, charged without the buyer, renewed, deleted with their card."""

from __future__ import annotations

from typing import Any

import pytest

from tests.payments.shops import DECLINED, PAN, Shop, settle
from tests.support.functions import FakeLambda

PATH = "/payment/tokens"
TRANSACTIONS = "/payment/transactions"
MASTERCARD = "5555555555554444"


def token_of(shop: Shop, **members: Any) -> int:
    """A token that a payment has made."""
    paid = shop.paid(tokenizationMode="FORCE_CREATION", **members)
    return int(paid["token"]["id"])


def versions(shop: Shop, token: int) -> list[dict[str, Any]]:
    return list(shop.get(f"/payment/token-versions/search?query=token:{token}&order=id")["data"])


def forgotten(functions: FakeLambda) -> int:
    """How many times the vault was asked for anything since."""
    return functions.invoked.count("Acquiring")


def test_a_payment_makes_a_token_that_pays(shop: Shop) -> None:
    token = token_of(shop, customerId="c-1", customerEmailAddress="jane@example.com")
    made = shop.get(f"{PATH}/{token}")
    assert (made["state"], made["customerId"], made["customerEmailAddress"]) == ("ACTIVE", "c-1", "jane@example.com")
    version = shop.get(f"{PATH}/{token}/active-version?expand=labels,paymentInformationHashes")
    assert (version["state"], version["name"], version["expiresOn"]) == (
        "ACTIVE", "VISA 1111", "2041-01-01T00:00:00.000Z",
    )  # fmt: skip
    assert len(version["paymentInformationHashes"][0]["value"]) >= 32
    number = shop.create(token=token)["id"]
    charge = shop.post(f"{TRANSACTIONS}/{number}/process-with-token?expand=transaction")
    assert (charge["state"], charge["type"]) == ("SUCCESSFUL", "TOKEN")
    assert (charge["transaction"]["state"], charge["transaction"]["token"]["id"]) == ("FULFILL", token)
    alone = shop.create(token=token)["id"]
    assert shop.post(f"{TRANSACTIONS}/{alone}/process-without-interaction")["state"] == "FULFILL"


def test_tokens_by_hand(shop: Shop) -> None:
    answer = shop.call("POST", PATH, {"externalId": "t-1", "customerId": "c-2", "tokenReference": "ref"})
    assert (answer.status, answer.json["state"]) == (201, "ACTIVE")
    path = f"{PATH}/{answer.json['id']}"
    assert (
        shop.call("POST", PATH, {"externalId": "t-1", "customerId": "c-2", "tokenReference": "ref"}).json == answer.json
    )
    assert shop.refused("POST", PATH, {"externalId": "t-1"})[:2] == (409, "external_id_reused")
    assert shop.refused("POST", PATH, {"externalId": "t-2", "state": "DELETED"})[2] == ["state"]
    assert shop.refused("POST", PATH, {})[0] == 400
    changed = shop.call("PATCH", path, {"version": 1, "customerEmailAddress": "jane@example.com"}).json
    assert (changed["version"], changed["customerEmailAddress"]) == (2, "jane@example.com")
    assert shop.refused("PATCH", path, {"version": 2, "customerEmailAddress": "x" * 140 + "@example.com"})[0] == 422
    assert shop.refused("GET", f"{path}/active-version")[0] == 404
    number = shop.create(token=answer.json["id"])["id"]
    assert shop.refused("POST", f"{TRANSACTIONS}/{number}/process-with-token")[:2] == (422, "token_invalid")
    assert shop.state(number) == "PENDING"


def test_new_payment_details(shop: Shop) -> None:
    """A transaction of its own, whose payment makes the version before obsolete."""
    token = token_of(shop)
    draft = shop.post(f"{PATH}/{token}/create-transaction-for-token-update")
    assert (draft["state"], draft["token"], draft["lineItems"]) == ("PENDING", {"id": token}, [])
    path = f"{TRANSACTIONS}/{draft['id']}"
    from tests.payments.shops import card, lines_of

    assert shop.refused("POST", f"{path}/process-card-details", card(MASTERCARD))[:2] == (422, "state_invalid")
    assert shop.refused("PATCH", path, {"version": 2, "lineItems": lines_of("1")})[2] == ["currency"]
    shop.call("PATCH", path, {"version": 2, "currency": "EUR"})
    after = shop.call("PATCH", path, {"version": 3, "lineItems": lines_of("1")}).json
    assert (after["authorizationAmount"], after["version"]) == (1, 4)
    assert shop.process(draft["id"], MASTERCARD)["token"] == {"id": token}
    first, second = versions(shop, token)
    assert (first["state"], second["state"], second["name"]) == ("OBSOLETE", "ACTIVE", "Mastercard 4444")
    assert shop.get(f"{PATH}/{token}/active-version")["id"] == second["id"]


def test_a_deleted_token_takes_its_card_along(shop: Shop, functions: FakeLambda) -> None:
    token = token_of(shop)
    (version,) = versions(shop, token)
    assert [shop.call("DELETE", f"{PATH}/{token}").status for _ in range(2)] == [204, 204]
    assert shop.get(f"{PATH}/{token}")["state"] == "DELETED"
    assert shop.get(f"/payment/token-versions/{version['id']}")["state"] == "OBSOLETE"
    assert shop.refused("GET", f"{PATH}/{token}/active-version")[0] == 404
    assert shop.refused("PATCH", f"{PATH}/{token}", {"version": 2, "customerId": "x"})[:2] == (422, "state_invalid")
    assert shop.refused("POST", f"{PATH}/{token}/create-transaction-for-token-update")[:2] == (422, "state_invalid")
    number = shop.create(token=token)["id"]
    assert shop.refused("POST", f"{TRANSACTIONS}/{number}/process-with-token")[:2] == (422, "token_invalid")
    before = forgotten(functions)
    assert settle()["PaymentsSettled"] >= 1
    assert forgotten(functions) > before
    assert card_is_gone(shop, version["id"])


def card_is_gone(shop: Shop, version: int) -> bool:
    from payments.acquiring import Acquiring, CardGone
    from payments.engine.repository import Objects
    from payments.resources.tokens import TOKEN_VERSION
    from tests.payments.shops import table
    from tests.support.environment import DEPLOYMENT
    from tollgate import aws

    kept = Objects(table()).read(TOKEN_VERSION, shop.scope, version).attributes["card"]
    acquiring = Acquiring(aws.lambda_(), DEPLOYMENT.functions["Acquiring"].name)
    try:
        acquiring.describe(shop.merchant.tenant, kept["token_id"])
    except CardGone:
        return True
    return False


@pytest.mark.parametrize("retry", [True, False])
def test_a_payment_that_fails_leaves_no_card(shop: Shop, retry: bool) -> None:
    number = shop.create(tokenizationMode="FORCE_CREATION", chargeRetryEnabled=retry)["id"]
    after = shop.process(number, DECLINED)
    assert after["state"] == ("PROCESSING" if retry else "FAILED")
    assert "token" not in after
    assert settle()["PaymentsSettled"] >= 1


def test_of_twins_one_card_is_kept(shop: Shop, functions: FakeLambda) -> None:
    """The same payment sent four times at once: one is made, and the others leave no card behind."""
    from concurrent.futures import ThreadPoolExecutor

    from payments.acquiring import Acquiring, CardGone
    from tests.payments.shops import card
    from tests.support.environment import DEPLOYMENT
    from tollgate import aws

    made: list[str] = []
    keep = Acquiring.keep

    def noting(self: Acquiring, *arguments: Any, **named: Any) -> Any:
        kept = keep(self, *arguments, **named)
        made.append(kept.token_id)
        return kept

    number = shop.create(tokenizationMode="FORCE_CREATION")["id"]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as threads:
        patch.setattr(Acquiring, "keep", noting)
        target = f"{TRANSACTIONS}/{number}/process-card-details"
        answers = list(threads.map(lambda _: shop.call("POST", target, card()).status, range(4)))
    assert sorted(answers) == [200, 422, 422, 422]
    acquiring, there = Acquiring(aws.lambda_(), DEPLOYMENT.functions["Acquiring"].name), 0
    for token_id in made:
        try:
            acquiring.describe(shop.merchant.tenant, token_id)
            there += 1
        except CardGone:
            continue
    assert there == 1
    assert forgotten(functions) >= len(made)


def test_a_stranger_cannot_pay_with_it(shop: Shop) -> None:
    from tests.payments.shops import new_shop

    token, other = token_of(shop), new_shop()
    assert other.refused("GET", f"{PATH}/{token}")[0] == 404
    assert other.call("POST", TRANSACTIONS, {"currency": "EUR", "token": token, "lineItems": []}).status == 422
    assert other.refused("POST", f"{PATH}/{token}/create-transaction-for-token-update")[0] == 404


def test_no_number_anywhere(shop: Shop) -> None:
    token = token_of(shop)
    for path in (f"{PATH}/{token}", f"{PATH}/{token}/active-version?expand=labels,paymentInformationHashes"):
        assert PAN.encode() not in shop.call("GET", path).body
