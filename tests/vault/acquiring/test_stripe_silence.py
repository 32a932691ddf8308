"""Stripe does not answer, or we do not live to hear it: nothing is charged twice, and asking settles it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.faults import deaths
from tests.vault.acquiring.stripe_cases import (
    ASKING,
    CANCEL,
    CAPTURE,
    CHARGED,
    CONFIRM,
    DECLINED,
    INTENTS,
    METHODS,
    REFUNDS,
    asked,
    authorised,
    books,
    card,
    is_of,
    later,
    payment_of,
)
from tests.vault.acquiring.stripe_peer import StripePeer
from tollgate import aws
from tollgate.errors import UpstreamTimeout
from vault.acquirer_stripe.clients.payments import StripePayments
from vault.acquirer_stripe.models import SETTLED_SECONDS
from vault.acquirer_stripe.public import StripeConnector
from vault.acquirers import Operation, OperationUnknown


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
        others = set()
        if kind == "refund":  # that must not be taken for it
            others = {acquirer.carry_out(later(first, "refund", 1000)).processor_reference for _ in range(2)}
            peer.forget()
        operation = later(first, kind, 3000)
        peer.plot("POST", path, "deaf")
        with pytest.raises(UpstreamTimeout):
            acquirer.carry_out(operation)
        outcome = acquirer.ask(account_id, operation.reference)
        assert outcome.status == "approved"
        assert outcome.processor_reference not in others
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

    def test_a_state_that_nobody_knows_is_left_open(
        self, peer: StripePeer, acquirer: StripeConnector, account_id: str
    ) -> None:
        made = asked(account_id)
        peer.plot("POST", CONFIRM, "changed", status="requires_patience")
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(made, card())
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
        others = {acquirer.carry_out(later(first, "refund", 100)).processor_reference for _ in range(2)}
        outcome = acquirer.ask(account_id, operation.reference)
        assert outcome.status == "approved"
        assert outcome.processor_reference not in others


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
        operation, genuine = later(first, "capture", 3000), StripePayments.capture

        def ask_after(*arguments: Any, **options: Any) -> Any:
            found = genuine(*arguments, **options)
            assert acquirer.ask(account_id, operation.reference).status == "approved"
            return found

        monkeypatch.setattr(StripePayments, "capture", ask_after)
        assert acquirer.carry_out(operation).status == "approved"
        kept = books().find(account_id, first.reference)
        assert kept is not None
        assert kept.captured == 3000  # counted once, by whoever decided it


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
