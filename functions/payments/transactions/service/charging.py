"""Taking the payment: an attempt is written down as under way, sent once, and settled by what comes back.

Two writes: the first makes the transaction PROCESSING with a charge, an attempt and a row of work for the clock; the
second, with the acquirer's answer, settles all of them together with what follows (a completion, an invoice, a token).
Where no answer comes, the row of work remains, and the clock asks (`service.settling`). A buyer who may try again finds
the transaction PROCESSING without an attempt under way, until its time is over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from payments import failure_reasons
from payments.acquiring import Acquiring, CardGone, Outcome
from payments.configurations.public import Route, Routing
from payments.connectors import CONNECTORS, PRODUCTION, TEST
from payments.engine.errors import StateInvalid, VersionConflict
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.failure_reasons import FailureReason
from payments.resources.tokens import TOKEN, TOKEN_VERSION
from payments.resources.transactions import CHARGE as CHARGE_RESOURCE
from payments.resources.transactions import CHARGE_ATTEMPT, TRANSACTION
from payments.transactions.errors import NoToken, NoWay
from payments.transactions.models import (
    AUTHORISATION_ENDS,
    CARD_QUEUE,
    CHARGE,
    OF_ATTEMPT,
    QUEUE,
    Acting,
    CardFacts,
    currency_of,
    is_under_way,
)
from payments.transactions.service import fulfilment, levels, tokens
from payments.transactions.service.drafts import confirmation, end_group, steps_to_processing
from payments.units import UnitOfWork, attempts, repeated
from payments.work import ASK_AFTER_SECONDS
from tollgate import clock, ids
from tollgate.errors import Failure, UpstreamTimeout

BUYER_SECONDS = 1800
"""How long a buyer has to come. The vault keeps a card's security code for an hour, and a challenge takes its time."""
_FORCED: Final = {"FORCE_TEST_ENVIRONMENT": TEST, "FORCE_PRODUCTION_ENVIRONMENT": PRODUCTION}
TOKENISING = frozenset({"FORCE_UPDATE", "FORCE_CREATION", "FORCE_CREATION_WITH_ONE_CLICK_PAYMENT"})


@dataclass(frozen=True, slots=True)
class Intent:
    """How a transaction is to be paid: the way, the card, and who takes part."""

    route: Route
    card: CardFacts | None = None
    charge_type: str = "SYNCHRONOUS"
    presence: str | None = None
    authentication: Mapping[str, Any] | None = None
    merchant_initiated: bool = False
    token_version: int | None = None
    tokenise: bool = False
    redirection_url: str | None = None
    """Where the buyer has to go first, who has until `waits_until` (seconds since 1970) to do so."""
    waits_until: int | None = None
    step_up_url: str | None = None
    """Where the buyer can go if the card's issuer wants to see him first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A payment, under way or ended: the three objects as they are."""

    transaction: Entity
    charge: Entity
    attempt: Entity


class Charging:
    """Pays transactions."""

    def __init__(self, objects: Objects, acquiring: Acquiring, routing: Routing) -> None:
        self._objects = objects
        self._acquiring = acquiring
        self._routing = routing

    # ------------------------------------------------------------------ ways

    def way(self, acting: Acting, transaction: Entity, method: int | None, *, cards: bool | None = True) -> Route:
        """The way of a payment, among the method configurations that the transaction allows.

        Raises:
            NoWay: there is none.
        """
        allowed = transaction.values.get("allowedPaymentMethodConfigurations") or ()
        route = self._routing.find(
            acting.scope, method=method, allowed=allowed, cards=cards, space_view=transaction.values.get("spaceViewId"),
            environment=_environment(transaction),
        )  # fmt: skip
        if route is None:
            raise NoWay
        return route

    def ways(self, acting: Acting, transaction: Entity) -> list[Route]:
        """Every way that the transaction could go, the preferred ones first."""
        allowed = transaction.values.get("allowedPaymentMethodConfigurations") or ()
        found = self._routing.routes(acting.scope, transaction.values.get("spaceViewId"), _environment(transaction))
        return [each for each in found if not allowed or each.method_configuration_id in allowed]

    def keep_card(
        self, acting: Acting, transaction: Entity, card: Mapping[str, Any], *, lasting: bool | None = None
    ) -> CardFacts:
        """Hand a card to the vault: for good where the transaction makes a token of it."""
        forced = transaction.values.get("tokenizationMode") in TOKENISING
        return CardFacts.of(self._acquiring.keep(acting.tenant, card, lasting=forced if lasting is None else lasting))

    def intent_of_card(self, transaction: Entity, route: Route, card: CardFacts, **further: Any) -> Intent:
        """How a transaction is paid with a card; a token is made of it where the transaction says so."""
        tokenises = transaction.values.get("tokenizationMode") in TOKENISING
        return Intent(route, card, tokenise=tokenises, **further)

    def intent_of_token(self, acting: Acting, transaction: Entity, token_id: int | None = None) -> Intent:
        """How a transaction is paid with its token, or with another one.

        Raises:
            NoToken: there is none, it is not active, or it has no version that can be charged.
        """
        number = token_id or transaction.link("token")
        token = self._objects.find(TOKEN, acting.scope, number) if number else None
        if token is None or token.state != "ACTIVE":
            raise NoToken
        version_id = token.attributes.get("active_version")
        version = self._objects.find(TOKEN_VERSION, acting.scope, version_id) if version_id else None
        card = CardFacts.read(version.attributes.get("card")) if version else None
        if version is None or version.state != "ACTIVE" or card is None:
            raise NoToken("The token has no active version yet")
        configuration = version.link("paymentConnectorConfiguration")
        route = self._routing.find(acting.scope, configuration=configuration, environment=_environment(transaction))
        route = route or self.way(acting, transaction, None)
        return Intent(route, card, "TOKEN", merchant_initiated=True, token_version=version.id)

    def intent_without_buyer(self, acting: Acting, transaction: Entity) -> Intent:
        """How a transaction is paid without anybody's doing: with its token, or on an invoice.

        Raises:
            NoToken, NoWay: it is not.
        """
        if transaction.link("token") is not None:
            return self.intent_of_token(acting, transaction)
        return Intent(self.way(acting, transaction, None, cards=False), charge_type="SYNCHRONOUS")

    def intent_under_way(self, transaction: Entity, authentication: Mapping[str, Any] | None) -> Intent:
        """How the payment under way of a transaction is made, once its buyer is authenticated."""
        kept = transaction.attributes
        configuration = transaction.link("paymentConnectorConfiguration") or 0
        route = Route(configuration, kept["method"], CONNECTORS[kept["connector"]], kept.get("processor", 0))
        return Intent(route, CardFacts.read(kept["card"]), authentication=authentication)

    # ------------------------------------------------------------------ paying

    def pay(self, acting: Acting, transaction_id: int, intent: Intent) -> Attempt:
        """Begin and carry out.

        Raises:
            StateInvalid: the transaction does not wait for a payment.
        """
        attempt = self.begin(acting, transaction_id, intent)
        return self.carry_out(acting, attempt, intent)

    def pay_with_new_card(self, acting: Acting, transaction: Entity, intent: Intent) -> Attempt:
        """As `pay`, with a card that was handed to the vault for this payment alone."""
        with self.discarding(acting, intent):
            attempt = self.begin(acting, transaction.id, intent, transaction)
        return self.carry_out(acting, attempt, intent)

    @contextlib.contextmanager
    def discarding(self, acting: Acting, intent: Intent) -> Iterator[None]:
        """Have a card forgotten that was kept for good, where the payment does not even begin (another one has)."""
        try:
            yield
        except Failure:
            if intent.tokenise and intent.card is not None:
                with contextlib.suppress(UpstreamTimeout):
                    self._acquiring.forget(acting.tenant, intent.card.token_id)
            raise

    def begin(
        self, acting: Acting, transaction_id: int, intent: Intent, known: Entity | None = None, **attributes: Any
    ) -> Attempt:
        """Write down that a payment is under way; of several that begin at once one does. `known` is the transaction as
        it was read a moment ago, which saves reading it again."""
        held = [] if known is None else [known]

        def attempt() -> Attempt:
            before = held.pop() if held else self._objects.read(TRANSACTION, acting.scope, transaction_id)
            return self._begin(acting, before, intent, attributes)

        return repeated(attempt)

    def carry_out(self, acting: Acting, attempt: Attempt, intent: Intent) -> Attempt:
        """Send what was written down, once, and settle it; without an answer it stays under way."""
        transaction = attempt.transaction
        if intent.card is None:
            return self.settle(acting, attempt, Outcome("approved", f"invoice-{transaction.id}"))
        try:
            outcome = self._acquiring.authorise(
                acting.tenant, str(intent.route.connector.acquirer), intent.card.token_id,
                transaction.attributes["reference"], amount=transaction.attributes["authorised"],
                currency=currency_of(transaction), capture=fulfilment.completes_at_once(transaction),
                authentication=intent.authentication, merchant_initiated=intent.merchant_initiated,
                credential=str(intent.route.processor_configuration_id),
            )  # fmt: skip
        except UpstreamTimeout:
            return attempt
        except CardGone:
            return self.fail(acting, attempt, failure_reasons.CARD_GONE)
        return self.settle(acting, attempt, outcome)

    def settle(self, acting: Acting, attempt: Attempt, outcome: Outcome) -> Attempt:
        """Make of a payment under way what the acquirer made of it. What is pending there stays so here."""
        if outcome.status == "pending":
            return attempt
        if outcome.status == "declined" and _wants_buyer(attempt, outcome):
            return self._ended(acting, attempt, lambda under_way: self._step_up(acting, under_way))
        if outcome.status == "declined":
            return self.fail(acting, attempt, failure_reasons.reason(outcome.reason), outcome.processor_reference)
        return self._ended(acting, attempt, lambda under_way: self._succeed(acting, under_way, outcome))

    def give_up(self, acting: Acting, attempt: Attempt, reason: FailureReason) -> Attempt:
        """End a payment that was not sent, if it still is as it was read.

        Raises:
            VersionConflict: it is not.
        """
        return self._fail(acting, attempt, reason, None)

    def fail(
        self, acting: Acting, attempt: Attempt, reason: FailureReason, processor_reference: str | None = None
    ) -> Attempt:
        """End a payment under way without success, and with it the transaction unless the buyer may try again."""
        return self._ended(
            acting, attempt, lambda under_way: self._fail(acting, under_way, reason, processor_reference)
        )  # fmt: skip

    # ------------------------------------------------------------------ reading

    def find(self, acting: Acting, transaction: Entity) -> Attempt:
        """The payment under way of a transaction.

        Raises:
            StateInvalid: there is none.
        """
        if not is_under_way(transaction):
            raise StateInvalid
        return self._read(acting, transaction, transaction.attributes["charge"], transaction.attributes["attempt"])

    def _read(self, acting: Acting, transaction: Entity, charge: int, attempt: int) -> Attempt:
        found = self._objects.find_many(
            [(CHARGE_RESOURCE, acting.scope, charge), (CHARGE_ATTEMPT, acting.scope, attempt)]
        )
        return Attempt(transaction, found[CHARGE_RESOURCE.kind, charge], found[CHARGE_ATTEMPT.kind, attempt])

    # ------------------------------------------------------------------ parts

    def _ended(self, acting: Acting, attempt: Attempt, end: Callable[[Attempt], Attempt]) -> Attempt:
        """What has become of an attempt; where another writer ended it first, as that one left it."""
        for _ in attempts():
            try:
                return end(attempt)
            except VersionConflict:
                transaction = self._objects.read(TRANSACTION, acting.scope, attempt.transaction.id)
                attempt = self._read(acting, transaction, attempt.charge.id, attempt.attempt.id)
                if attempt.attempt.state != "PROCESSING":
                    return attempt
        return attempt  # the clock will settle it

    def _begin(self, acting: Acting, before: Entity, intent: Intent, attributes: Mapping[str, Any]) -> Attempt:
        steps, number = steps_to_processing(before), before.id
        now, due = clock.now(), clock.epoch() + ASK_AFTER_SECONDS
        unit = self._unit(acting)
        configuration = {"id": intent.route.configuration_id}
        charge = unit.insert(
            CHARGE_RESOURCE,
            {**_inherited(before), "state": "PENDING", "transaction": {"id": number}, "type": intent.charge_type},
        )
        attempt = unit.insert(
            CHARGE_ATTEMPT,
            {
                **_inherited(before), "state": "PROCESSING", "charge": {"id": charge.id}, "linkedTransaction": number,
                "connectorConfiguration": configuration, "environment": intent.route.connector.environment,
                "completionBehavior": before.values.get("completionBehavior"),
                "customersPresence": intent.presence or before.values.get("customersPresence"),
                "initializingTokenVersion": intent.tokenise, "labels": _labels(intent.card),
                "tokenVersion": {"id": intent.token_version} if intent.token_version else None,
                "redirectionUrl": intent.redirection_url,
                "timeoutOn": _stamped(intent.waits_until),
            },
        )  # fmt: skip
        values: Values = {
            **(confirmation(acting.user_id) if before.state == "PENDING" else {}),
            "processingOn": before.values.get("processingOn") or stamp(now),
            "paymentConnectorConfiguration": configuration,
            "authorizationEnvironment": intent.route.connector.environment,
        }  # fmt: skip
        kept = {
            "charge": charge.id, "attempt": attempt.id, "reference": ids.new_uuid(), "due": due, "asked": 0,
            "connector": intent.route.connector.id, "method": intent.route.method_configuration_id,
            "processor": intent.route.processor_configuration_id,
            "card": intent.card.stored() if intent.card else None,
            "tokenise": intent.tokenise, "step_up": intent.step_up_url, **attributes,
        }  # fmt: skip
        transaction = unit.replace(before, values, kept, steps)
        levels.begun(unit, self._objects, before, charge)
        unit.no_longer(QUEUE, AUTHORISATION_ENDS, before.attributes["ends"], number)
        unit.later(QUEUE, CHARGE, kept["due"], number)
        unit.commit()
        return Attempt(transaction, charge, attempt)

    def _step_up(self, acting: Acting, under_way: Attempt) -> Attempt:
        """Have a payment that the issuer wants to see the buyer for wait for him, to be sent anew after that."""
        before, url = under_way.transaction, under_way.transaction.attributes.get("step_up")
        if url is None:
            return under_way
        until, unit = clock.epoch() + BUYER_SECONDS, self._unit(acting)
        waits = {"redirectionUrl": url, "timeoutOn": _stamped(until)}
        attempt = unit.replace(under_way.attempt, waits)
        kept = {
            "waits_for_buyer": True, "authentication": None, "step_up": None, "reference": ids.new_uuid(),
            "due": until, "asked": 0,
        }  # fmt: skip
        transaction = unit.replace(before, {}, kept)
        unit.no_longer(QUEUE, CHARGE, before.attributes["due"], before.id)
        unit.later(QUEUE, CHARGE, until, before.id)
        unit.commit()
        return replace(under_way, transaction=transaction, attempt=attempt)

    def _succeed(self, acting: Acting, under_way: Attempt, outcome: Outcome) -> Attempt:
        now, transaction = stamp(clock.now()), under_way.transaction
        unit = self._unit(acting)
        charge = unit.replace(under_way.charge, {}, states=("SUCCESSFUL",))
        token = tokens.keep(unit, self._objects, transaction)
        attempt = unit.replace(
            under_way.attempt,
            {"succeededOn": now, **({"tokenVersion": {"id": token.version.id}} if token else {})},
            {"processor_reference": outcome.processor_reference},
            ("SUCCESSFUL",),
        )
        self._end_work(unit, transaction)
        levels.succeeded(unit, self._objects, transaction)
        values: Values = {"authorizedOn": now, "userFailureMessage": None}
        if token is not None:
            values["token"] = {"id": token.token.id}
        after = fulfilment.authorised(unit, acting, transaction, values, review=outcome.review)
        unit.commit()
        return replace(under_way, transaction=after, charge=charge, attempt=attempt)

    def _fail(
        self, acting: Acting, under_way: Attempt, reason: FailureReason, processor_reference: str | None
    ) -> Attempt:
        transaction, unit = under_way.transaction, self._unit(acting)
        told: Values = {"failureReason": {"id": reason.id}, "userFailureMessage": reason.message}
        failed: Values = {**told, "failedOn": stamp(clock.now())}
        charge = unit.replace(under_way.charge, told, states=("FAILED",))
        beside = {"processor_reference": processor_reference}
        if transaction.attributes.get("tokenise") and transaction.attributes.get("card"):
            beside["card"] = transaction.attributes["card"]  # was kept for good, to no purpose
            unit.later(CARD_QUEUE, OF_ATTEMPT, clock.epoch(), under_way.attempt.id)
        tried = unit.replace(under_way.attempt, failed, beside, ("FAILED",))
        self._end_work(unit, transaction)
        ended: dict[str, Any] = {
            "charge": None,
            "attempt": None,
            "card": None,
            "waits_for_buyer": None,
            "authentication": None,
        }
        again = _may_try_again(transaction, charge)
        if levels.is_under_flow(transaction):
            ended.update(levels.failed(unit, self._objects, transaction, reason, may_try_again=again))
            after = unit.replace(transaction, {"userFailureMessage": reason.message}, ended)
        elif again:
            after = unit.replace(transaction, {"userFailureMessage": reason.message}, ended)
            unit.later(QUEUE, AUTHORISATION_ENDS, transaction.attributes["ends"], transaction.id)
        else:
            after = unit.replace(transaction, failed, ended, ("FAILED",))
            end_group(unit, after, "FAILED")
        unit.commit()
        return Attempt(after, charge, tried)

    def _end_work(self, unit: UnitOfWork, transaction: Entity) -> None:
        unit.no_longer(QUEUE, CHARGE, transaction.attributes["due"], transaction.id)

    def _unit(self, acting: Acting) -> UnitOfWork:
        return UnitOfWork(self._objects, acting.tenant, acting.scope)


def _wants_buyer(attempt: Attempt, outcome: Outcome) -> bool:
    """Whether the issuer declined only because it has not seen the buyer, who can be sent there."""
    return outcome.reason == "authentication_required" and bool(attempt.transaction.attributes.get("step_up"))


def _environment(transaction: Entity) -> str | None:
    """The environment that the merchant insists on for a transaction."""
    return _FORCED.get(transaction.values.get("environmentSelectionStrategy", ""))


def _may_try_again(transaction: Entity, charge: Entity) -> bool:
    """Whether a buyer who is there may pay in another way: the merchant allows it, and there is time."""
    is_there = charge.values.get("type") in ("SYNCHRONOUS", "ASYNCHRONOUS")
    return is_there and bool(transaction.values.get("chargeRetryEnabled")) and transaction.attributes["ends"] > (
        clock.epoch()
    )  # fmt: skip


def _stamped(epoch: int | None) -> str | None:
    return None if epoch is None else stamp(datetime.fromtimestamp(epoch, UTC))


def _inherited(transaction: Entity) -> Values:
    return {
        name: transaction.values[name]
        for name in ("language", "spaceViewId", "timeZone")
        if transaction.values.get(name) is not None
    }


def _labels(card: CardFacts | None) -> list[dict[str, Any]] | None:
    """What is shown of a card: never its number."""
    if card is None:
        return None
    return [
        {"descriptor": {"id": number}, "content": content, "contentAsString": content}
        for number, content in (
            (1457546096001, card.masked),
            (1457546096002, card.scheme),
            (1457546096003, f"{card.expiry_month:02d}/{card.expiry_year}"),
        )
    ]
