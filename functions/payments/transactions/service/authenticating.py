"""Payments whose buyer is authenticated first, with 3-D Secure: opened, asked, authorised by what the issuer says.

The attempt begins as one that waits for its buyer: nothing was sent. The buyer's browser opens it, which names an
authentication and asks for it; what comes of that decides, whether the browser comes back or the clock looks. A result
counts for the payment that it was asked for. One that was refused ends the attempt; where nobody could be asked, the
acquirer is told that nobody was, and decides. Only who turns a waiting attempt into a sent one may send it, so a buyer
who comes back twice, or as the clock looks, pays once. The proof itself is handed on and not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from payments import failure_reasons
from payments.engine.errors import VersionConflict
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.payers import AuthenticationUnknown, PayerAuthentication, Payment, Requestor, Result
from payments.resources.transactions import TRANSACTION
from payments.transactions.models import CHARGE, QUEUE, Acting, currency_of, is_under_way
from payments.transactions.service.charging import BUYER_SECONDS, Attempt, Charging, Intent
from payments.units import UnitOfWork, repeated
from payments.work import ASK_AFTER_SECONDS
from tollgate import clock, ids
from tollgate.errors import UpstreamTimeout

_BROWSER: Final[Mapping[str, str]] = {
    "accept_header": "acceptHeader",
    "language": "acceptLanguageHeader",
    "ip": "internetProtocolAddress",
    "user_agent": "userAgentHeader",
    "color_depth": "screenColorDepth",
    "screen_height": "screenHeight",
    "screen_width": "screenWidth",
}
"""What a question says of the browser → what the transaction keeps of it."""
_RESULT, _INDICATOR, _LIABILITY = 1457546096010, 1457546096013, 1457546096014


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a payment stands: the transaction, and where the buyer's browser has to go on to, if anywhere. `was_lost`
    says that a question was noted and never arrived."""

    transaction: Entity
    target_url: str | None = None
    was_lost: bool = False

    @property
    def waits_to_open(self) -> bool:
        """Whether the buyer has to ask, for the first time or again."""
        return waits(self.transaction) and (self.was_lost or not self.transaction.attributes.get("authentication"))

    @property
    def is_open(self) -> bool:
        """Whether nobody knows yet how it ends."""
        return is_under_way(self.transaction)


class Authenticating:
    """Payments with an authentication first."""

    def __init__(self, objects: Objects, charging: Charging, payers: PayerAuthentication) -> None:
        self._objects = objects
        self._charging = charging
        self._payers = payers

    # ------------------------------------------------------------------ the merchant

    def begin(self, acting: Acting, number: int, intent: Intent, url: str) -> Attempt:
        """Have a payment wait for its buyer, who has to open `url`.

        Raises:
            StateInvalid: the transaction does not wait for a payment.
        """
        until = clock.epoch() + BUYER_SECONDS
        waiting = replace(intent, redirection_url=url, waits_until=until)
        return self._charging.begin(acting, number, waiting, waits_for_buyer=True, authentication=None, due=until)

    # ------------------------------------------------------------------ the buyer

    def ask(
        self, acting: Acting, number: int, requestor: Requestor, browser: Mapping[str, Any], *,
        return_url: str, base_url: str,
    ) -> Standing:  # fmt: skip
        """Ask the issuer, once however often the buyer opens the page."""
        transaction = repeated(lambda: self._note_question(acting, number, browser))
        if not waits(transaction):
            return Standing(transaction)
        try:
            result = self._payers.authenticate(
                acting.tenant, transaction.attributes["authentication"], payment_of(transaction), requestor, browser,
                return_url=return_url, base_url=base_url,
            )  # fmt: skip
        except AuthenticationUnknown:
            return Standing(self._give_up(acting, transaction, failure_reasons.CARD_GONE))
        except UpstreamTimeout:
            return Standing(transaction)
        return Standing(transaction, result.target_url)

    def go_on(self, acting: Acting, number: int) -> Standing:
        """Go on as far as it is known what the issuer said: to the buyer's challenge, or with the payment."""
        transaction = self._objects.read(TRANSACTION, acting.scope, number)
        if not waits(transaction) or not transaction.attributes.get("authentication"):
            return Standing(transaction)
        try:
            result = self._read(acting, transaction)
        except AuthenticationUnknown:
            return Standing(transaction, was_lost=True)
        except UpstreamTimeout:
            return Standing(transaction)
        if result.is_open:
            return Standing(transaction, result.target_url)
        return Standing(self._conclude(acting, transaction, result))

    # ------------------------------------------------------------------ the clock

    def overdue(self, acting: Acting, transaction: Entity) -> bool:
        """Settle a payment whose buyer is not here; False while the issuer has not decided.

        Raises:
            VersionConflict: the buyer is here after all.
        """
        result: Result | None = None
        if transaction.attributes.get("authentication"):
            try:
                result = self._read(acting, transaction)
            except AuthenticationUnknown:
                result = None
            except UpstreamTimeout:
                return False
        if result is not None and result.is_open:
            return False
        if result is not None:
            self._conclude(acting, transaction, result)
        else:
            self._charging.give_up(acting, self._charging.find(acting, transaction), failure_reasons.TIMED_OUT)
        return True

    # ------------------------------------------------------------------ parts

    def _note_question(self, acting: Acting, number: int, browser: Mapping[str, Any]) -> Entity:
        """Name the authentication that is going to be asked for, and what is known of the browser."""
        before = self._objects.read(TRANSACTION, acting.scope, number)
        if not waits(before) or before.attributes.get("authentication"):
            return before
        due = clock.epoch() + ASK_AFTER_SECONDS
        unit = UnitOfWork(self._objects, acting.tenant, acting.scope)
        known: Values = {own: str(browser[name]) for name, own in _BROWSER.items() if browser.get(name) is not None}
        after = unit.replace(
            before, {**known, "javaEnabled": browser.get("java_enabled")},
            {"authentication": ids.new_uuid(), "due": due, "asked": 0},
        )  # fmt: skip
        _come_back(unit, before, due)
        unit.commit()
        return after

    def _conclude(self, acting: Acting, transaction: Entity, result: Result) -> Entity:
        """The transaction after what the issuer decided."""
        if result.is_refused or result.payment != payment_of(transaction):
            return self._give_up(acting, transaction, failure_reasons.NOT_AUTHENTICATED)
        under_way = self._charging.find(acting, transaction)
        try:
            sent = self._note_result(acting, under_way, result)
        except VersionConflict:  # somebody else goes on with it
            return self._objects.read(TRANSACTION, acting.scope, transaction.id)
        intent = self._charging.intent_under_way(sent.transaction, result.for_acquirer())
        return self._charging.carry_out(acting, sent, intent).transaction

    def _note_result(self, acting: Acting, under_way: Attempt, result: Result) -> Attempt:
        """Turn a waiting attempt into one that is sent.

        Raises:
            VersionConflict: another one did, or it has ended.
        """
        before, due = under_way.transaction, clock.epoch() + ASK_AFTER_SECONDS
        unit = UnitOfWork(self._objects, acting.tenant, acting.scope)
        labels = [*under_way.attempt.values.get("labels", ()), *_labels(result)]
        attempt = unit.replace(under_way.attempt, {"labels": labels}, {"liability_shift": result.is_proven})
        transaction = unit.replace(before, {}, {"waits_for_buyer": None, "due": due, "asked": 0})
        _come_back(unit, before, due)
        unit.commit()
        return Attempt(transaction, under_way.charge, attempt)

    def _give_up(self, acting: Acting, transaction: Entity, reason: failure_reasons.FailureReason) -> Entity:
        try:
            under_way = self._charging.find(acting, transaction)
            return self._charging.give_up(acting, under_way, reason).transaction
        except VersionConflict:
            return self._objects.read(TRANSACTION, acting.scope, transaction.id)

    def _read(self, acting: Acting, transaction: Entity) -> Result:
        return self._payers.read(
            acting.tenant, transaction.attributes["authentication"], payment_of(transaction).reference
        )


def waits(transaction: Entity) -> bool:
    """Whether a payment is under way that waits for its buyer."""
    return is_under_way(transaction) and bool(transaction.attributes.get("waits_for_buyer"))


def payment_of(transaction: Entity) -> Payment:
    """What the payment under way is authenticated for."""
    kept = transaction.attributes
    return Payment(
        f"{transaction.scope}/{transaction.id}/{kept['attempt']}", kept["card"]["token_id"], int(kept["authorised"]),
        currency_of(transaction),
    )  # fmt: skip


def _come_back(unit: UnitOfWork, transaction: Entity, due: int) -> None:
    """Have the clock look at another time than noted."""
    if transaction.attributes["due"] != due:
        unit.no_longer(QUEUE, CHARGE, transaction.attributes["due"], transaction.id)
        unit.later(QUEUE, CHARGE, due, transaction.id)


def _labels(result: Result) -> list[dict[str, Any]]:
    """What is told of an authentication: how it ended, the indicator, and who is liable. Never the proof."""
    told = (
        (_RESULT, {"Y": "FULLY_AUTHENTICATED", "A": "ATTEMPTED"}.get(result.transaction_status or "", "UNAVAILABLE")),
        (_INDICATOR, result.eci),
        (_LIABILITY, "true" if result.is_proven else "false"),
    )
    return [
        {"descriptor": {"id": number}, "content": content, "contentAsString": content}
        for number, content in told if content is not None
    ]  # fmt: skip
