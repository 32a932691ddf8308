"""Stripe as an acquirer: the port's rules, and its own, against a Stripe that other people wrote (localstripe)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.vault.acquiring.conformance import Conformance
from tests.vault.acquiring.stripe_cases import (
    ASKING,
    CANCEL,
    CAPTURE,
    CHARGED,
    CONFIRM,
    DECLINED,
    INTENTS,
    METHODS,
    PATHS,
    REFUNDS,
    SEVERAL,
    asked,
    authorised,
    card,
    connector,
    later,
    payment_of,
)
from tests.vault.acquiring.stripe_peer import KEY, SILENT, StripePeer
from vault.acquirer_stripe import rules
from vault.acquirer_stripe.errors import AmountUnsupported
from vault.acquirer_stripe.public import StripeConnector
from vault.acquirers import Authentication, Operation, OperationUnknown


class TestStripe(Conformance):
    approved, declined, silent = CHARGED, DECLINED, f"400000000000{SILENT}"

    @pytest.fixture
    def acquirer(self, peer: StripePeer) -> StripeConnector:
        return connector(peer.base)

    @pytest.fixture
    def account_id(self, acquirer: StripeConnector) -> str:  # type: ignore[override]
        account = str(uuid.uuid4())
        acquirer.connect(account, "shop", KEY)
        return account

    def operation(self, account_id: str, *arguments: Any, **changes: Any) -> Operation:
        return super().operation(account_id, *arguments, **{"credential": "shop", **changes})


class TestWhatIsSent:
    def test_an_authorisation_in_three_steps(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        made = asked(account_id, amount=1050)
        outcome = acquirer.authorise(made, card())
        first, second, third = peer.seen
        assert [each.path for each in peer.seen] == [
            METHODS, INTENTS, f"{INTENTS}/{outcome.processor_reference}/confirm"
        ]  # fmt: skip
        assert first.form == {
            "type": "card", "card[number]": CHARGED, "card[exp_month]": "12", "card[exp_year]": "2040",
            "card[cvc]": "737", "billing_details[name]": "Jane Doe",
        }  # fmt: skip
        assert second.form.pop("payment_method").startswith("pm_")
        assert second.form == {
            "amount": "1050", "currency": "eur", "payment_method_types[0]": "card", "capture_method": "manual",
            "metadata[tollgate_reference]": made.reference,
            "payment_method_options[card][request_multicapture]": "if_available",
        }  # fmt: skip
        assert third.form == {"expand[0]": "latest_charge"}
        keys = [each.headers["idempotency-key"] for each in peer.seen]
        assert len(set(keys)) == 3
        assert all(each.startswith(made.reference) for each in keys)

    def test_nothing_of_this_machine(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        authorised(acquirer, account_id)
        for each in peer.seen:
            assert not {"x-stripe-client-user-agent", "x-stripe-client-telemetry"} & each.headers.keys()
            assert each.headers["authorization"] == f"Bearer {KEY}"
            assert each.headers["stripe-version"]

    def test_a_sale(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        outcome = acquirer.authorise(asked(account_id, capture=True), card())
        (form,) = peer.forms(INTENTS)
        assert form["capture_method"] == "automatic"
        assert "payment_method_options[card][request_multicapture]" not in form
        assert payment_of(peer, outcome)["status"] == "succeeded"

    def test_the_result_of_an_authentication(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        proof = Authentication("5", "AAECAwQFBgcICQoLDA0ODw==", "f25084f0-5b16-4c0a-ae5d-b24808a95e4b", "2.3.1")
        acquirer.authorise(asked(account_id, authentication=proof), card())
        (form,) = peer.forms(INTENTS)
        prefix = "payment_method_options[card][three_d_secure]"
        sent = {name.removeprefix(prefix): value for name, value in form.items() if name.startswith(prefix)}
        assert sent == {
            "[version]": "2.3.1", "[electronic_commerce_indicator]": "05", "[ares_trans_status]": "Y",
            "[cryptogram]": "AAECAwQFBgcICQoLDA0ODw==", "[transaction_id]": "f25084f0-5b16-4c0a-ae5d-b24808a95e4b",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "proof", [None, Authentication("07", "x", "y"), Authentication("05", None, "y"), Authentication(None, "x", "y")]
    )
    def test_nothing_of_one_that_shifts_no_liability(self, proof: Authentication | None) -> None:
        assert rules.three_d_secure(proof) is None

    def test_an_attempt_at_one(self) -> None:
        found = rules.three_d_secure(Authentication("06", "x", "y"))
        assert found is not None
        assert (found["ares_trans_status"], found["version"]) == ("A", "2.2.0")

    def test_that_the_cardholder_is_not_there(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        acquirer.authorise(asked(account_id, merchant_initiated=True), card(security_code=None))
        assert "card[cvc]" not in peer.forms(METHODS)[0]
        assert peer.forms(CONFIRM)[0]["off_session"] == "true"

    def test_captures_in_parts_where_the_issuer_allows_it(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        peer.plot("POST", CONFIRM, "changed", latest_charge=SEVERAL)
        first = authorised(acquirer, account_id)
        acquirer.carry_out(later(first, "capture", 3000))
        other = replace(first, reference=str(uuid.uuid4()))
        peer.plot("POST", CONFIRM, "changed", latest_charge=SEVERAL)
        acquirer.authorise(other, card())
        acquirer.carry_out(later(other, "capture", 3000, final=True))
        assert [each.get("final_capture") for each in peer.forms(CAPTURE)] == ["false", None]

    def test_one_capture_where_not(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        first = authorised(acquirer, account_id)
        acquirer.carry_out(later(first, "capture", 3000))
        (form,) = peer.forms(CAPTURE)
        assert form["amount_to_capture"] == "3000"
        assert "final_capture" not in form

    def test_nothing_that_the_books_rule_out(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        first, sale = authorised(acquirer, account_id), authorised(acquirer, account_id, capture=True)
        peer.forget()
        for operation, reason in (
            (later(first, "refund"), "not_captured"), (later(sale, "capture", 1), "amount_exceeded"),
            (later(sale, "void"), "not_voidable"), (later(first, "capture", 10001), "amount_exceeded"),
        ):  # fmt: skip
            assert acquirer.carry_out(operation).reason == reason
        assert peer.seen == []

    def test_nothing_for_what_was_never_authorised(self, acquirer: StripeConnector, account_id: str) -> None:
        with pytest.raises(OperationUnknown):
            acquirer.carry_out(later(asked(account_id), "capture"))


class TestRefusals:
    @pytest.mark.parametrize(
        ("decline_code", "code", "reason"),
        [
            ("insufficient_funds", "card_declined", "insufficient_funds"), (None, "expired_card", "expired_card"),
            ("expired_card", "expired_card", "expired_card"), ("generic_decline", "card_declined", "do_not_honor"),
            ("authentication_required", "authentication_required", "authentication_required"),
            ("stolen_card", "card_declined", "do_not_honor"), (None, "processing_error", "never_received"),
            (None, None, "do_not_honor"),
        ],
    )  # fmt: skip
    def test_of_the_issuer(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, decline_code: str | None,
        code: str | None, reason: str,
    ) -> None:  # fmt: skip
        error = {"type": "card_error", "code": code, "decline_code": decline_code, "message": CHARGED}
        peer.plot("POST", CONFIRM, "answer", 402, error={name: each for name, each in error.items() if each})
        outcome = acquirer.authorise(asked(account_id), card())
        assert (outcome.status, outcome.reason) == ("declined", reason)
        assert outcome.processor_reference.startswith("pi_")

    def test_of_a_card_that_stripe_does_not_take(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        peer.plot("POST", METHODS, "answer", 402, error={"type": "card_error", "code": "expired_card"})
        assert acquirer.authorise(asked(account_id), card()).reason == "expired_card"
        assert peer.count(INTENTS) == 0

    def test_for_want_of_an_authentication(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        outcome = acquirer.authorise(asked(account_id), card(ASKING))
        assert outcome.reason == "authentication_required"
        assert payment_of(peer, outcome)["status"] == "canceled"

    def test_for_want_of_one_even_if_it_cannot_be_canceled(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        peer.plot("POST", CANCEL, "lost")
        assert acquirer.authorise(asked(account_id), card(ASKING)).reason == "authentication_required"

    @pytest.mark.parametrize(
        ("path", "status", "reason"),
        [
            (METHODS, 429, "never_received"), (INTENTS, 429, "never_received"), (CONFIRM, 429, "never_received"),
            (METHODS, 401, "rejected"), (INTENTS, 403, "rejected"), (CONFIRM, 401, "rejected"),
            (METHODS, 400, "rejected"), (INTENTS, 400, "rejected"), (METHODS, 500, "never_received"),
            (INTENTS, 503, "never_received"),
        ],
    )  # fmt: skip
    def test_of_stripe_before_anything_was_charged(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, path: str, status: int, reason: str
    ) -> None:
        peer.plot("POST", path, "answer", status, error={"type": "x", "code": "parameter_unknown"})
        made = asked(account_id)
        outcome = acquirer.authorise(made, card())
        assert (outcome.status, outcome.reason) == ("declined", reason)
        assert acquirer.ask(account_id, made.reference) == outcome

    @pytest.mark.parametrize(
        ("kind", "code", "reason"),
        [
            ("capture", "amount_too_large", "amount_exceeded"),
            ("capture", "charge_expired_for_capture", "amount_exceeded"),
            ("capture", "parameter_unknown", "rejected"),
            ("void", "payment_intent_unexpected_state", "not_voidable"),
        ],
    )
    def test_of_what_follows(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, kind: str, code: str, reason: str
    ) -> None:
        first = authorised(acquirer, account_id)
        peer.plot("POST", PATHS[kind], "answer", 400, error={"type": "invalid_request_error", "code": code})
        assert acquirer.carry_out(later(first, kind)).reason == reason

    @pytest.mark.parametrize(("status", "expected"), [("pending", "pending"), ("failed", "declined")])
    def test_of_a_refund(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, status: str, expected: str
    ) -> None:
        refund = later(authorised(acquirer, account_id, capture=True), "refund", 4000)
        peer.plot("POST", REFUNDS, "changed", status=status)
        assert acquirer.carry_out(refund).status == expected
        asked_later = acquirer.ask(account_id, refund.reference).status
        assert asked_later == ("approved" if status == "pending" else "declined")


class TestAmounts:
    @pytest.mark.parametrize(
        ("amount", "currency", "sent"),
        [
            (1050, "EUR", 1050), (100, "JPY", 100), (5, "ISK", 500), (700, "UGX", 70000), (1230, "KWD", 1230),
            (300, "MGA", 3), (1045, "HUF", 1045), (1050, "TWD", 1050), (99_999_999, "USD", 99_999_999),
        ],
    )  # fmt: skip
    def test_are_stated_as_stripe_does(self, amount: int, currency: str, sent: int) -> None:
        assert rules.to_stripe(amount, currency) == sent

    @pytest.mark.parametrize(
        ("amount", "currency"),
        [(1234, "KWD"), (301, "MGA"), (100_000_000, "USD"), (1_000_000, "ISK"), (1000, "IQD"), (10000, "UYW")],
    )
    def test_are_refused_that_it_does_not_take(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, amount: int, currency: str
    ) -> None:
        with pytest.raises(AmountUnsupported):
            acquirer.authorise(asked(account_id, amount=amount, currency=currency), card())
        assert peer.seen == []

    def test_reach_it_for_every_operation(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        first = authorised(acquirer, account_id, amount=50, currency="ISK")
        acquirer.carry_out(later(first, "capture", 30))
        acquirer.carry_out(later(first, "refund", 20))
        sent = [peer.forms(INTENTS)[0]["amount"], peer.forms(CAPTURE)[0]["amount_to_capture"]]
        assert [*sent, peer.forms(REFUNDS)[0]["amount"]] == ["5000", "3000", "2000"]
