"""Stripe as an acquirer: the port's rules, and its own, against a Stripe that other people wrote (localstripe)."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.vault.acquiring import stripe_peer
from tests.vault.acquiring.conformance import Conformance
from tests.vault.acquiring.stripe_peer import KEY, SILENT, StripePeer
from tollgate import aws, config
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.egress import Egress
from tollgate.errors import Failure, UpstreamTimeout
from tollgate.store.table import Table
from vault.acquirer_stripe import rules
from vault.acquirer_stripe.clients.payments import StripePayments
from vault.acquirer_stripe.errors import AmountUnsupported
from vault.acquirer_stripe.models import SETTLED_SECONDS
from vault.acquirer_stripe.public import StripeConnector
from vault.acquirers import Authentication, CardOnFile, NotConnected, Operation, OperationUnknown, Outcome
from vault.acquiring import worker

METHODS = "/v1/payment_methods"
INTENTS = "/v1/payment_intents"
CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
CAPTURE = r"/v1/payment_intents/pi_\w+/capture"
CANCEL = r"/v1/payment_intents/pi_\w+/cancel"
REFUNDS = "/v1/refunds"
CHARGED, DECLINED, ASKING = "4242424242424242", "4000000000000341", "4000000000003220"
PATHS = {"capture": CAPTURE, "void": CANCEL, "refund": REFUNDS}
SEVERAL = {
    "id": "ch_1", "amount": 10000, "payment_method_details": {"card": {"multicapture": {"status": "available"}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[StripePeer]:
    with stripe_peer.running() as peer:
        yield peer


@pytest.fixture
def peer(running: StripePeer) -> StripePeer:
    """The peer, with nothing seen and nothing going wrong."""
    running.forget()
    return running


def connector(base: str, *, is_sandbox: bool = True) -> StripeConnector:
    table = Table(DEPLOYMENT.tables["VaultTable"].name, aws.dynamodb())
    keyring = Keyring(table, Kms(aws.kms(), "alias/cards"), "cards")
    return StripeConnector(table, keyring, Egress({base.removeprefix("http://")}), base, is_sandbox=is_sandbox)


@pytest.fixture
def acquirer(peer: StripePeer) -> StripeConnector:
    return connector(peer.base)


@pytest.fixture
def account_id(acquirer: StripeConnector, peer: StripePeer) -> str:
    """An account that is connected."""
    account = str(uuid.uuid4())
    acquirer.connect(account, "shop", KEY)
    peer.forget()
    return account


def asked(account_id: str, **changes: Any) -> Operation:
    made = Operation(account_id, "authorise", str(uuid.uuid4()), 10000, "EUR", credential="shop")
    return replace(made, **changes)


def card(number: str = CHARGED, **changes: Any) -> CardOnFile:
    return replace(CardOnFile(number, 12, 2040, "Jane Doe", "737"), **changes)


def authorised(acquirer: StripeConnector, account_id: str, **changes: Any) -> Operation:
    made = asked(account_id, **changes)
    assert acquirer.authorise(made, card()).status == "approved"
    return made


def later(first: Operation, kind: Any, amount: int = 10000, **changes: Any) -> Operation:
    made = replace(
        first, kind=kind, reference=str(uuid.uuid4()), amount=amount, parent=first.reference, credential=None
    )
    return replace(made, **changes)


def payment_of(peer: StripePeer, outcome: Outcome) -> Any:
    return peer.read(f"{INTENTS}/{outcome.processor_reference}?expand[]=latest_charge")


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


class TestSilence:
    @pytest.mark.parametrize("path", [METHODS, INTENTS])
    @pytest.mark.parametrize("course", ["lost", "deaf"])
    def test_before_the_confirmation_charges_nothing(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, path: str, course: Any
    ) -> None:
        peer.plot("POST", path, course)
        made = asked(account_id)
        outcome = acquirer.authorise(made, card())
        assert outcome.reason == "never_received"
        assert acquirer.ask(account_id, made.reference) == outcome
        assert acquirer.authorise(made, card()) == outcome
        assert peer.count(CONFIRM) == 0

    @pytest.mark.parametrize(
        ("number", "capture", "reason"),
        [
            (CHARGED, False, None), (CHARGED, True, None), (DECLINED, False, "do_not_honor"),
            (ASKING, False, "authentication_required"),
        ],
    )  # fmt: skip
    def test_after_the_confirmation_is_looked_into(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, number: str, capture: Any, reason: Any
    ) -> None:
        made = asked(account_id, capture=capture)
        peer.plot("POST", CONFIRM, "deaf")
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card(number))
        outcome = acquirer.ask(account_id, made.reference)
        assert (outcome.status, outcome.reason) == ("declined" if reason else "approved", reason)
        assert acquirer.ask(account_id, made.reference) == acquirer.authorise(made, card(number)) == outcome
        assert peer.count(CONFIRM) == 1
        refund = acquirer.carry_out(later(made, "refund", 1))
        assert (refund.status == "approved") == (capture and not reason)

    @pytest.mark.parametrize("course", ["lost", "answer"])
    def test_a_confirmation_that_never_arrived_never_will(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, course: Any
    ) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, course, 500)
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card())
        with pytest.raises(OperationUnknown):
            acquirer.ask(account_id, made.reference)
        with pytest.raises(OperationUnknown):
            acquirer.ask(account_id, made.reference)
        assert acquirer.authorise(made, card()).reason == "never_received"
        assert peer.count(CONFIRM) == 1
        (intent,) = [each for each in peer.read(f"{INTENTS}?limit=100")["data"] if is_of(each, made)]
        assert intent["status"] == "canceled"

    @pytest.mark.parametrize("path", [f"{INTENTS}/pi_\\w+", CANCEL])
    def test_of_who_is_asked_leaves_it_open(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, path: str
    ) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, "lost")
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card())
        peer.plot("POST" if path == CANCEL else "GET", path, "lost")
        with pytest.raises(UpstreamTimeout):
            acquirer.ask(account_id, made.reference)
        with pytest.raises(OperationUnknown):
            acquirer.ask(account_id, made.reference)

    @pytest.mark.parametrize(("kind", "path"), [("capture", CAPTURE), ("void", CANCEL), ("refund", REFUNDS)])
    def test_after_what_follows_is_looked_into(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, kind: str, path: str
    ) -> None:
        first = authorised(acquirer, account_id, capture=kind == "refund")
        if kind == "refund":  # another one, that must not be taken for it
            acquirer.carry_out(later(first, "refund", 1000))
            peer.forget()
        operation = later(first, kind, 3000)
        peer.plot("POST", path, "deaf")
        with pytest.raises(UpstreamTimeout):
            acquirer.carry_out(operation)
        outcome = acquirer.ask(account_id, operation.reference)
        assert outcome.status == "approved"
        assert acquirer.carry_out(operation) == outcome
        assert peer.count(path) == 1
        assert (acquirer.carry_out(later(first, "refund", 3000)).status == "approved") == (kind != "void")

    @pytest.mark.parametrize(("kind", "path"), [("capture", CAPTURE), ("void", CANCEL), ("refund", REFUNDS)])
    def test_what_follows_and_never_arrived(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, kind: str, path: str, held_clock: Any
    ) -> None:
        first = authorised(acquirer, account_id, capture=kind == "refund")
        operation = later(first, kind, 3000)
        peer.plot("POST", path, "lost")
        with pytest.raises(UpstreamTimeout):
            acquirer.carry_out(operation)
        with pytest.raises(UpstreamTimeout):  # it may be on its way
            acquirer.ask(account_id, operation.reference)
        held_clock.advance(seconds=SETTLED_SECONDS)
        with pytest.raises(OperationUnknown):
            acquirer.ask(account_id, operation.reference)
        assert acquirer.carry_out(operation).reason == "never_received"
        assert peer.count(path) == 1
        assert acquirer.carry_out(later(first, kind, 3000)).status == "approved"

    def test_a_payment_in_process_is_decided_later(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, "changed", status="processing")
        assert acquirer.authorise(made, card()).status == "pending"
        assert acquirer.ask(account_id, made.reference).status == "approved"

    def test_what_was_never_asked_for_is_not_carried_out_after_saying_so(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        made = asked(account_id)
        with pytest.raises(OperationUnknown):
            acquirer.ask(account_id, made.reference)
        assert acquirer.authorise(made, card()).reason == "never_received"
        assert peer.seen == []

    def test_finds_a_refund_behind_a_page_of_others(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from vault.acquirer_stripe.clients import payments

        monkeypatch.setattr(payments, "_PAGE", 1)
        first = authorised(acquirer, account_id, capture=True)
        operation = later(first, "refund", 100)
        peer.plot("POST", REFUNDS, "deaf")
        with pytest.raises(UpstreamTimeout):
            acquirer.carry_out(operation)
        for _ in range(2):
            acquirer.carry_out(later(first, "refund", 100))
        assert acquirer.ask(account_id, operation.reference).status == "approved"


class TestAskingTooSoon:
    """Somebody asks while an authorisation is on its way: what is said then holds."""

    @pytest.mark.parametrize(("step", "reason"), [("keep_card", "never_received"), ("confirm", "rejected")])
    def test_ends_it(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, monkeypatch: pytest.MonkeyPatch,
        step: str, reason: str,
    ) -> None:  # fmt: skip
        made, genuine = asked(account_id), getattr(StripePayments, step)

        def ask_first(*arguments: Any, **options: Any) -> Any:
            with pytest.raises(OperationUnknown):
                acquirer.ask(account_id, made.reference)
            return genuine(*arguments, **options)

        monkeypatch.setattr(StripePayments, step, ask_first)
        assert acquirer.authorise(made, card()).reason == reason
        states = [each["status"] for each in peer.read(f"{INTENTS}?limit=100")["data"] if is_of(each, made)]
        assert states == (["canceled"] if step == "confirm" else ["requires_confirmation"])
        assert acquirer.ask(account_id, made.reference).status == "declined"

    def test_takes_what_happened_for_what_happened(
        self, acquirer: StripeConnector, account_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = authorised(acquirer, account_id)
        operation, genuine = later(first, "capture"), StripePayments.capture

        def ask_after(*arguments: Any, **options: Any) -> Any:
            found = genuine(*arguments, **options)
            assert acquirer.ask(account_id, operation.reference).status == "approved"
            return found

        monkeypatch.setattr(StripePayments, "capture", ask_after)
        assert acquirer.carry_out(operation).status == "approved"
        assert acquirer.carry_out(later(first, "capture", 1)).reason == "amount_exceeded"


def is_of(intent: Any, operation: Operation) -> bool:
    return bool(intent["metadata"].get("tollgate_reference") == operation.reference)


class TestDeath:
    """Killed before or after each write, a payment is settled by asking, and is made once or not at all."""

    def test_of_an_authorisation(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        made: list[Operation] = []

        def attempt() -> None:
            made.append(asked(account_id))
            acquirer.authorise(made[-1], card())

        count = 0
        for _ in deaths(aws.dynamodb(), attempt):
            count += 1
            status = told(acquirer, made[-1])
            states = [each["status"] for each in peer.read(f"{INTENTS}?limit=100")["data"] if is_of(each, made[-1])]
            assert status == ("approved" if "requires_capture" in states else "never")
            assert len(states) <= 1
            assert acquirer.authorise(made[-1], card()).status == ("approved" if status == "approved" else "declined")
        assert count >= 6

    @pytest.mark.parametrize("kind", ["capture", "refund"])
    def test_of_what_follows(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, kind: str, held_clock: Any
    ) -> None:
        made: list[Operation] = []
        first: list[Operation] = []

        def prepare() -> None:
            first.append(authorised(acquirer, account_id, capture=kind == "refund"))

        def attempt() -> None:
            made.append(later(first[-1], kind, 3000))
            acquirer.carry_out(made[-1])

        prepare()
        for _ in deaths(aws.dynamodb(), attempt):
            held_clock.advance(seconds=SETTLED_SECONDS + 1)
            status = told(acquirer, made[-1])
            payment = payment_of(peer, acquirer.ask(account_id, first[-1].reference))
            # what is not captured is paid back there, so that both leave their trace in the same place
            paid_back = payment["latest_charge"]["amount_refunded"]
            assert paid_back == ({"capture": 7000, "refund": 3000}[kind] if status == "approved" else 0)
            prepare()


def told(acquirer: StripeConnector, operation: Operation) -> str:
    try:
        return acquirer.ask(operation.account_id, operation.reference).status
    except OperationUnknown:
        return "never"


class TestMerchants:
    @pytest.mark.parametrize(
        "key", ["", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "pk_test_4eC39", "sk_test_", "sk_test_a\r\nb", "sk_test_é"]
    )
    def test_are_not_connected_by_a_key_of_another_kind(
        self, peer: StripePeer, acquirer: StripeConnector, key: str
    ) -> None:
        with pytest.raises(NotConnected):
            acquirer.connect(str(uuid.uuid4()), "shop", key)
        assert peer.seen == []

    def test_are_connected_by_a_live_key_outside_a_sandbox_alone(self, peer: StripePeer) -> None:
        with pytest.raises(NotConnected):
            connector(peer.base, is_sandbox=False).connect("someone", "shop", KEY)
        connector(peer.base, is_sandbox=False).connect("someone", "shop", KEY.replace("test", "live"))

    def test_are_not_connected_by_a_key_that_stripe_refuses(self, acquirer: StripeConnector) -> None:
        account = str(uuid.uuid4())
        with pytest.raises(NotConnected):  # localstripe knows no restricted keys
            acquirer.connect(account, "shop", "rk_test_4eC39HqLyjWDarjtT1zdp7dc")
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account), card())

    def test_are_not_connected_while_stripe_is_out_of_reach(self, peer: StripePeer, acquirer: StripeConnector) -> None:
        account = str(uuid.uuid4())
        peer.plot("GET", INTENTS, "lost")
        with pytest.raises(UpstreamTimeout):
            acquirer.connect(account, "shop", KEY)
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account), card())

    @pytest.mark.parametrize("credential", [None, "another"])
    def test_need_the_credential_that_is_named(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str, credential: str | None
    ) -> None:
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account_id, credential=credential), card())
        assert peer.seen == []

    def test_go_on_with_the_credential_that_they_began_with(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        acquirer.connect(account_id, "second", "sk_test_second")
        first = authorised(acquirer, account_id, credential="second")
        peer.forget()
        acquirer.carry_out(later(first, "capture"))
        assert {each.headers["authorization"] for each in peer.seen} == {"Bearer sk_test_second"}

    def test_that_disconnect_leave_open_what_is_open(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, "deaf")
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card())
        acquirer.disconnect(account_id, "shop")
        with pytest.raises(UpstreamTimeout):
            acquirer.ask(account_id, made.reference)
        with pytest.raises(NotConnected):
            acquirer.authorise(asked(account_id), card())
        acquirer.connect(account_id, "shop", KEY)
        assert acquirer.ask(account_id, made.reference).status == "approved"


class TestDoor:
    @pytest.fixture
    def door(self, peer: StripePeer, monkeypatch: pytest.MonkeyPatch) -> Any:
        settings = replace(
            config.load(worker.AcquiringSettings), stripe_api_base=peer.base,
            sandbox_allow_targets=(peer.base.removeprefix("http://"),),
        )  # fmt: skip
        monkeypatch.setattr(worker, "_service", worker.compose(settings))

        def invoke(action: str, account_id: str, **members: Any) -> dict[str, Any]:
            members = {"connector": "stripe", **members}
            return worker.handler({"action": action, "account_id": account_id, **members}, object())

        return invoke

    @pytest.fixture
    def tenant(self, provision: Any) -> str:
        return str(provision("create_account", name="test")["id"])

    def test_connects_and_charges(self, door: Any, tenant: str) -> None:
        assert door("connect", tenant, credential="7", secret=KEY) == {}
        token = door("keep", tenant, card=CARD)["token_id"]
        members = {"reference": str(uuid.uuid4()), "amount": 100, "currency": "EUR"}
        assert door("authorise", tenant, token_id=token, credential="7", **members)["status"] == "approved"
        rest = {**members, "reference": "two", "parent": members["reference"], "final": True}
        assert door("capture", tenant, **rest)["status"] == "approved"
        assert door("disconnect", tenant, credential="7") == {}
        assert "NotConnected" in door("refund", tenant, **{**rest, "reference": "three"})["failure"]

    @pytest.mark.parametrize(("name", "secret"), [("stripe", "sk_live_1"), ("test", KEY), ("none", KEY)])
    def test_says_what_cannot_be_connected(self, door: Any, tenant: str, name: str, secret: str) -> None:
        assert "Invalid" in door("connect", tenant, connector=name, credential="7", secret=secret)["failure"]

    def test_leaves_secrets_nowhere(
        self, door: Any, tenant: str, peer: StripePeer, capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        caplog.set_level(logging.DEBUG)
        door("connect", tenant, credential="7", secret=KEY)
        answers = []
        for plot in (None, "lost", "deaf", "answer"):
            if plot:
                error = {"type": "card_error", "code": "card_declined", "message": f"{PAN} {KEY} 8731"}
                peer.plot("POST", CONFIRM, plot, 402, error=error)  # type: ignore[arg-type]
            token = door("keep", tenant, card=CARD)["token_id"]
            members = {"reference": str(uuid.uuid4()), "amount": 100, "currency": "EUR", "credential": "7"}
            proof = {"eci": "05", "value": CAVV, "ds_transaction_id": str(uuid.uuid4())}
            answers.append(door("authorise", tenant, token_id=token, authentication=proof, **members))
            answers.append(door("ask", tenant, reference=members["reference"]))
        texts = [str(answers), "".join(capfd.readouterr()), caplog.text, dump_of_tables()]
        for secret in (PAN, KEY, CAVV):
            assert not any(secret in text for text in texts)
        sent_to = {each.path for each in peer.seen if PAN in str(each.form)}
        assert sent_to == {METHODS}


PAN, CAVV = "4242424242424242", "jJ81HADVRtXfCBATEp01CJUAAAA="
CARD = {"account_number": PAN, "expiry_month": 12, "expiry_year": 2040, "security_code": "873"}


def dump_of_tables() -> str:
    """Every item of every table, bytes included."""
    found = []
    for table in DEPLOYMENT.tables.values():
        for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table.name):
            found += [str(item) for item in page["Items"]]
    return "\n".join(found)


class TestGuard:
    @pytest.mark.parametrize("base", ["http://127.0.0.1:1", "https://10.0.0.1", "https://169.254.169.254", "ftp://x"])
    def test_an_address_that_may_not_be_called(self, acquirer: StripeConnector, account_id: str, base: str) -> None:
        table = Table(DEPLOYMENT.tables["VaultTable"].name, aws.dynamodb())
        keyring = Keyring(table, Kms(aws.kms(), "alias/cards"), "cards")
        elsewhere = StripeConnector(table, keyring, Egress(), base, is_sandbox=True)
        assert elsewhere.authorise(asked(account_id), card()).reason == "never_received"
        with pytest.raises(Failure):
            elsewhere.connect(account_id, "shop", KEY)

    def test_a_redirect_is_not_followed(self, peer: StripePeer, acquirer: StripeConnector, account_id: str) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, "answer", 307, location="http://169.254.169.254/")
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card())
        assert peer.count(CONFIRM) == 1
