"""Stripe as an acquirer: what is sent in which order, and how an unknown outcome is settled without a second charge.

Only who wrote an operation down sends it, once. An authorisation goes in three steps, of which the last alone moves
money: the card, a payment that is not confirmed, its confirmation. The payment's id is in the books before it is
confirmed, so whoever asks later looks at that very payment; if it is not confirmed then, it is canceled, after which
it cannot be any more. Captures and refunds leave our reference at Stripe in the same call, and are looked for by it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from tollgate import clock
from tollgate.errors import UpstreamTimeout
from vault.acquirer_stripe import rules
from vault.acquirer_stripe.clients.payments import StripePayments, mark_of
from vault.acquirer_stripe.errors import Declined, KeyRefused, NobodyKnows, NothingDone
from vault.acquirer_stripe.models import SETTLED_SECONDS, TOTAL_SECONDS, Booked, Payment
from vault.acquirer_stripe.repository import Decided, StripeBooks
from vault.acquirers import CardOnFile, Kind, NotConnected, Operation, OperationUnknown, Outcome, ReferenceReused

_LOOKS_PER_SECOND: Final = 10
_NEVER: Final = Outcome("declined", "", "never_received")
_AUTHORISED: Final = ("requires_capture", "succeeded")
_UNCONFIRMED: Final = ("requires_confirmation", "requires_payment_method")

Opener = Callable[[str], StripePayments]
"""Makes the client of a secret key, for one operation."""


class StripeAcquirer:
    """Fulfils `Connectable`."""

    def __init__(self, books: StripeBooks, opener: Opener, *, is_sandbox: bool) -> None:
        self._books = books
        self._open = opener
        self._is_sandbox = is_sandbox

    # ------------------------------------------------------------------ keys

    def connect(self, account_id: str, credential: str, secret: str) -> None:
        if not rules.is_key(secret, is_sandbox=self._is_sandbox):
            raise NotConnected
        try:
            self._open(secret).check()
        except KeyRefused:
            raise NotConnected from None
        except NothingDone:
            raise UpstreamTimeout from None
        self._books.keep_key(account_id, credential, secret)

    def disconnect(self, account_id: str, credential: str) -> None:
        self._books.forget_key(account_id, credential)

    def _payments(self, account_id: str, credential: str | None) -> StripePayments:
        key = self._books.key(account_id, credential) if credential else None
        if key is None:
            raise NotConnected
        return self._open(key)

    # ------------------------------------------------------------------ operations

    def authorise(self, operation: Operation, card: CardOnFile) -> Outcome:
        amount = rules.to_stripe(operation.amount, operation.currency)
        try:
            payments = self._payments(operation.account_id, operation.credential)
        except NotConnected:
            return self._earlier(operation)
        there = self._books.begin(operation, str(operation.credential), "begun")
        if there is not None:
            return self._repeated(operation, there)
        booked = self._booked(operation)
        try:
            token = payments.keep_card(operation.reference, card)
            intent = payments.prepare(
                operation.reference, token, amount, operation.currency,
                capture=operation.capture, three_d_secure=rules.three_d_secure(operation.authentication),
            )  # fmt: skip
            self._books.send(operation.account_id, operation.reference, intent)
        except (NothingDone, NobodyKnows, Decided):
            return self._books.decide(booked, _NEVER)  # no payment was confirmed, nor will it be
        except (Declined, KeyRefused) as refused:
            return self._books.decide(booked, _declined(refused, "authorise"))
        try:
            payment = payments.confirm(operation.reference, intent, merchant_initiated=operation.merchant_initiated)
        except NobodyKnows:
            raise UpstreamTimeout from None
        except (Declined, KeyRefused, NothingDone) as refused:
            return self._books.decide(booked, _declined(refused, "authorise", intent))
        return self._authorised(booked, payment, payments, captured=operation.amount if operation.capture else 0)

    def carry_out(self, operation: Operation) -> Outcome:
        parent = self._books.find(operation.account_id, str(operation.parent))
        if parent is None or parent.kind != "authorise":
            raise OperationUnknown
        if operation.kind != "void":
            rules.to_stripe(operation.amount, operation.currency)
        try:
            payments = self._payments(operation.account_id, parent.credential)
        except NotConnected:
            return self._earlier(operation)
        there = self._books.begin(operation, parent.credential, "sent", parent.intent)
        if there is not None:
            return self._repeated(operation, there)
        booked = self._booked(operation)
        if not _has_room(operation, parent):
            return self._books.decide(booked, Outcome("declined", "", rules.no_room(operation.kind)))
        try:
            return self._send(operation, booked, parent, payments)
        except NobodyKnows:
            raise UpstreamTimeout from None
        except (Declined, KeyRefused, NothingDone) as refused:
            return self._books.decide(booked, _declined(refused, operation.kind, str(parent.intent)))

    def ask(self, account_id: str, reference: str) -> Outcome:
        booked = self._books.find(account_id, reference)
        if booked is None:
            self._settle_never(lambda: self._books.rule_out(account_id, reference))
            raise OperationUnknown
        if booked.outcome is not None:
            return booked.outcome
        if booked.stage == "never":
            raise OperationUnknown
        if booked.stage == "begun":
            self._settle_never(lambda: self._books.give_up(account_id, reference, "begun"))
            raise OperationUnknown
        try:
            return self._ask(booked, self._payments(account_id, booked.credential))
        except (NotConnected, KeyRefused, NothingDone, NobodyKnows, Declined):
            raise UpstreamTimeout from None

    # ------------------------------------------------------------------ sending

    def _send(self, operation: Operation, booked: Booked, parent: Booked, payments: StripePayments) -> Outcome:
        reference, intent = operation.reference, str(parent.intent)
        if operation.kind == "void":
            payments.cancel(reference, intent)
            return self._books.decide(booked, Outcome("approved", intent))
        amount = rules.to_stripe(operation.amount, operation.currency)
        if operation.kind == "refund":
            repayment = payments.refund(reference, intent, amount)
            return self._repaid(booked, repayment.id, repayment.status)
        leaves_a_rest = parent.captured + operation.amount < parent.amount
        final = operation.final or not parent.several or not leaves_a_rest
        payments.capture(reference, intent, amount, final=final)
        return self._books.decide(booked, Outcome("approved", intent), captured=operation.amount)

    def _earlier(self, operation: Operation) -> Outcome:
        """The outcome of an operation that was begun while its merchant was connected.

        Raises:
            NotConnected: there is none.
        """
        there = self._books.find(operation.account_id, operation.reference)
        if there is None:
            raise NotConnected
        return self._repeated(operation, there)

    def _repeated(self, operation: Operation, there: Booked) -> Outcome:
        """The outcome of the first operation of this reference, which may be under way this moment."""
        if there.stage == "never":
            return _NEVER
        if (there.kind, there.amount, there.currency, there.parent) != (
            operation.kind, operation.amount, operation.currency, operation.parent
        ):  # fmt: skip
            raise ReferenceReused
        for _ in range(TOTAL_SECONDS * _LOOKS_PER_SECOND):
            if there.outcome is not None or clock.epoch() - there.begun_at > TOTAL_SECONDS:
                break
            clock.pause(1 / _LOOKS_PER_SECOND)
            there = self._books.find(operation.account_id, operation.reference) or there
        try:
            return there.outcome or self.ask(operation.account_id, operation.reference)
        except OperationUnknown:
            return _NEVER

    def _booked(self, operation: Operation) -> Booked:
        return Booked(
            operation.account_id, operation.reference, operation.kind, operation.amount, operation.currency,
            operation.parent, operation.credential or "", "begun", clock.epoch(),
        )  # fmt: skip

    # ------------------------------------------------------------------ what became of it

    def _authorised(self, booked: Booked, payment: Payment, payments: StripePayments, *, captured: int) -> Outcome:
        """Write down what a payment's state says of its authorisation."""
        if payment.status in _AUTHORISED:
            outcome = Outcome("approved", payment.id)
            return self._books.decide(booked, outcome, captured=captured, several=payment.several)
        if payment.status == "processing":
            return Outcome("pending", payment.id)
        if payment.status == "requires_action":  # an authentication of Stripe's own, for which nobody is there
            with contextlib.suppress(Declined, KeyRefused, NothingDone, NobodyKnows):
                payments.cancel(f"{booked.reference}/give-up", payment.id)
            return self._books.decide(booked, Outcome("declined", payment.id, "authentication_required"))
        if payment.status != "requires_payment_method":
            raise UpstreamTimeout  # a state that Stripe did not have when this was written tells nothing
        reason = rules.decline_reason(*_words(payment))
        return self._books.decide(booked, Outcome("declined", payment.id, reason))

    def _repaid(self, booked: Booked, payment: str, status: str) -> Outcome:
        if status == "succeeded":
            return self._books.decide(booked, Outcome("approved", payment))
        if status in ("failed", "canceled"):
            return self._books.decide(booked, Outcome("declined", payment, "rejected"))
        return Outcome("pending", payment)

    def _ask(self, booked: Booked, payments: StripePayments) -> Outcome:
        intent = str(booked.intent)
        if booked.kind == "refund":
            repayment = payments.find_refund(intent, booked.reference)
            return self._repaid(booked, repayment.id, repayment.status) if repayment else self._absent(booked)
        payment = payments.read(intent)
        if booked.kind == "authorise":
            return self._ask_authorisation(booked, payment, payments)
        if booked.kind == "void" and payment.status == "canceled":
            return self._books.decide(booked, Outcome("approved", intent))
        if booked.kind == "capture" and mark_of(booked.reference) in payment.marks:
            return self._books.decide(booked, Outcome("approved", intent), captured=booked.amount)
        return self._absent(booked)

    def _ask_authorisation(self, booked: Booked, payment: Payment, payments: StripePayments) -> Outcome:
        if payment.status in _UNCONFIRMED and payment.refusal is None:
            payment = payments.cancel(f"{booked.reference}/give-up", payment.id)
        if payment.status == "canceled":
            self._settle_never(lambda: self._books.give_up(booked.account_id, booked.reference, "sent"))
            raise OperationUnknown
        captured = booked.amount if payment.status == "succeeded" else 0
        return self._authorised(booked, payment, payments, captured=captured)

    def _absent(self, booked: Booked) -> Outcome:
        """Stripe has no trace of an operation. It may be on its way for a while; then it never arrived."""
        if clock.epoch() - booked.begun_at < SETTLED_SECONDS:
            raise UpstreamTimeout
        self._settle_never(lambda: self._books.give_up(booked.account_id, booked.reference, "sent"))
        raise OperationUnknown

    @staticmethod
    def _settle_never(write: Callable[[], None]) -> None:
        try:
            write()
        except Decided:
            raise UpstreamTimeout from None  # somebody was faster; the next one who asks is told


def _has_room(operation: Operation, parent: Booked) -> bool:
    """Whether an authorisation allows an operation, as far as the books tell; the rest is Stripe's to judge."""
    if parent.outcome is None or parent.outcome.status != "approved":
        return False
    if operation.kind == "capture":
        return parent.captured + operation.amount <= parent.amount
    return parent.captured > 0 if operation.kind == "refund" else parent.captured == 0


def _declined(refused: Exception, kind: Kind, payment: str = "") -> Outcome:
    if isinstance(refused, NothingDone):
        return Outcome("declined", payment, "never_received")
    if not isinstance(refused, Declined):
        return Outcome("declined", payment, "rejected")
    if refused.card:
        return Outcome("declined", payment, rules.decline_reason(refused.decline_code, refused.code))
    return Outcome("declined", payment, rules.refusal_reason(kind, refused.code))


def _words(payment: Payment) -> tuple[str | None, str | None]:
    return (payment.refusal.decline_code, payment.refusal.code) if payment.refusal else (None, None)
