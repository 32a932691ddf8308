"""A space that is paid through Stripe, from its configuration to a refund, through the doors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from payments import failure_reasons
from payments.connectors import CARD_METHOD, STRIPE_CARD_CONNECTOR, STRIPE_PROCESSOR, TEST_PROCESSOR
from payments.work import ASK_AFTER_SECONDS
from tests.payments.shops import Shop, new_shop, settle
from tests.vault.acquiring import stripe_peer
from tests.vault.acquiring.stripe_peer import KEY, StripePeer
from tollgate import config
from vault.acquiring import worker

PROCESSORS = "/payment/processor-configurations"
CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
PAN, DECLINED = "4242424242424242", "4000000000000341"


@pytest.fixture(scope="module")
def peer() -> Iterator[StripePeer]:
    """Stripe, and a card zone that knows where it is."""
    with stripe_peer.running() as running, pytest.MonkeyPatch.context() as patch:
        settings = replace(
            config.load(worker.AcquiringSettings), stripe_api_base=running.base,
            sandbox_allow_targets=(running.base.removeprefix("http://"),),
        )  # fmt: skip
        patch.setattr(worker, "_service", worker.compose(settings))
        yield running


def configured(shop: Shop) -> int:
    """A shop that takes cards through Stripe before anything else; answers its processor configuration."""
    processor = shop.post(PROCESSORS, {"processor": STRIPE_PROCESSOR, "name": "Stripe", "state": "ACTIVE"})["id"]
    method = shop.post(
        "/payment/method-configurations",
        {"paymentMethod": CARD_METHOD, "dataCollectionType": "ONSITE", "state": "ACTIVE", "name": "Cards"},
    )["id"]
    shop.post(
        "/payment/connector-configurations",
        {
            "connector": STRIPE_CARD_CONNECTOR, "paymentMethodConfiguration": method, "name": "Stripe cards",
            "processorConfiguration": processor, "state": "ACTIVE", "priority": 0,
        },
    )  # fmt: skip
    return int(processor)


@pytest.fixture(scope="module")
def shop(peer: StripePeer) -> Shop:
    """One that is connected."""
    made = new_shop()
    number = configured(made)
    answer = made.call("POST", f"{PROCESSORS}/{number}/connect", {"secretKey": KEY})
    assert (answer.status, answer.body) == (204, b"")
    return made


def test_a_payment_is_made_completed_and_paid_back(shop: Shop, peer: StripePeer) -> None:
    paid = shop.authorised()
    assert paid["state"] == "AUTHORIZED"
    completion = shop.post(f"/payment/transactions/{paid['id']}/complete-online")
    assert completion["state"] == "SUCCESSFUL"
    refund = shop.post(
        "/payment/refunds",
        {"transaction": paid["id"], "externalId": "r1", "type": "MERCHANT_INITIATED_ONLINE", "amount": Decimal(40)},
    )
    assert refund["state"] == "SUCCESSFUL"
    payment = peer.read(f"/v1/payment_intents/{completion['processorReference']}?expand[]=latest_charge")
    assert (payment["status"], payment["amount"], payment["currency"]) == ("succeeded", 10000, "eur")
    assert payment["latest_charge"]["amount_refunded"] == 4000


@pytest.mark.parametrize(("version", "sent"), [("V1", "1.0.2"), ("V2", "2.2.0")])
def test_an_authentication_goes_along(shop: Shop, peer: StripePeer, version: str, sent: str) -> None:
    proof = {
        "authenticationResponse": "FULLY_AUTHENTICATED", "version": version, "electronicCommerceIndicator": "05",
        "authenticationValue": "AAECAwQFBgcICQoLDA0ODw==", "authenticationIdentifier": "a-transaction",
    }  # fmt: skip
    peer.forget()
    shop.process(shop.create()["id"], PAN, cardholderAuthentication=proof)
    (form,) = peer.forms("/v1/payment_intents")
    prefix = "payment_method_options[card][three_d_secure]"
    assert (form[f"{prefix}[version]"], form[f"{prefix}[transaction_id]"]) == (sent, "a-transaction")


def test_a_declined_one_says_why(shop: Shop) -> None:
    assert shop.paid(DECLINED)["userFailureMessage"] == failure_reasons.DO_NOT_HONOR.message


def test_nothing_is_paid_before_the_processor_is_connected(peer: StripePeer) -> None:
    shop = new_shop()
    number = configured(shop)
    rejected = failure_reasons.reason("rejected").message
    assert shop.paid(PAN)["userFailureMessage"] == rejected
    shop.post(f"{PROCESSORS}/{number}/connect", {"secretKey": KEY})
    assert shop.paid(PAN)["state"] == "FULFILL"
    shop.post(f"{PROCESSORS}/{number}/disconnect")
    assert shop.paid(PAN)["userFailureMessage"] == rejected


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"secretKey": 7}, 400), ({"secretKey": "sk_live_1"}, 422), ({"secretKey": "rk_test_1"}, 422)],
)
def test_a_key_is_refused_without_being_repeated(shop: Shop, body: dict[str, Any], status: int) -> None:
    number = shop.post(PROCESSORS, {"processor": STRIPE_PROCESSOR, "name": "Other"})["id"]
    answer = shop.call("POST", f"{PROCESSORS}/{number}/connect", body)
    assert (answer.status, list(answer.json["errors"])) == (status, ["secretKey"])
    assert b"sk_live" not in answer.body


def test_a_key_is_not_kept_while_stripe_is_out_of_reach(shop: Shop, peer: StripePeer) -> None:
    number = shop.post(PROCESSORS, {"processor": STRIPE_PROCESSOR, "name": "Other"})["id"]
    peer.plot("GET", "/v1/payment_intents", "lost")
    assert shop.call("POST", f"{PROCESSORS}/{number}/connect", {"secretKey": KEY}).status == 503


@pytest.mark.parametrize(("course", "message"), [("deaf", None), ("lost", "never_received")])
def test_a_payment_without_an_answer_is_settled_and_made_once(
    shop: Shop, peer: StripePeer, held_clock: Any, course: Any, message: str | None
) -> None:
    peer.forget()
    peer.plot("POST", CONFIRM, course)
    paid = shop.paid(PAN)
    assert paid["state"] == "PROCESSING"
    held_clock.advance(seconds=ASK_AFTER_SECONDS + 1)
    settle()
    found = shop.get(f"/payment/transactions/{paid['id']}")
    if message is None:
        assert found["state"] == "FULFILL"
    else:
        assert found["userFailureMessage"] == failure_reasons.reason(message).message
    assert peer.count(CONFIRM) == 1


@pytest.mark.parametrize("action", ["connect", "disconnect"])
def test_a_processor_without_keys_takes_none(shop: Shop, action: str) -> None:
    number = shop.post(PROCESSORS, {"processor": TEST_PROCESSOR, "name": "Test"})["id"]
    assert shop.call("POST", f"{PROCESSORS}/{number}/{action}", {"secretKey": KEY}).status == 422
    assert shop.call("POST", f"{PROCESSORS}/1/{action}", {"secretKey": KEY}).status == 404


def test_a_key_is_shown_to_nobody(shop: Shop) -> None:
    found = shop.call("GET", PROCESSORS).body
    assert KEY.encode() not in found
    assert b"Stripe" in found
