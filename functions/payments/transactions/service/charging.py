"""Taking the payment: an attempt is written down as under way, sent once, and settled by what comes back.

Two writes: the first makes the transaction PROCESSING with a charge, an attempt and a row of work for the clock; the
second, with the acquirer's answer, settles all of them together with what follows (a completion, an invoice, a token).
Where no answer comes, the row of work remains, and the clock asks (`service.settling`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from payments import failure_reasons, states
from payments.acquiring import Acquiring, CardGone, Outcome
from payments.configurations.public import Route, Routing
from payments.engine.errors import StateInvalid
from payments.engine.fields import stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.failure_reasons import FailureReason
from payments.resources.tokens import TOKEN, TOKEN_VERSION
from payments.resources.transactions import CHARGE as CHARGE_RESOURCE
from payments.resources.transactions import CHARGE_ATTEMPT, TRANSACTION
from payments.transactions.errors import NoToken, NoWay
from payments.transactions.models import AUTHORISATION_ENDS, CHARGE, QUEUE, Acting, CardFacts, currency_of
from payments.transactions.service import fulfilment, tokens
from payments.transactions.service.drafts import confirmation, confirmed_states, end_group
from payments.units import UnitOfWork, repeated
from payments.work import ASK_AFTER_SECONDS
from tollgate import clock, ids
from tollgate.errors import UpstreamTimeout

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


@dataclass(frozen=True, slots=True)
class Attempt:
    """A payment under way: the three objects as they are."""

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
        route = self._routing.find(acting.scope, method=method, allowed=allowed, cards=cards)
        if route is None:
            raise NoWay
        return route

    def keep_card(
        self, acting: Acting, transaction: Entity, card: Mapping[str, Any], *, lasting: bool | None = None
    ) -> CardFacts:
        """Hand a card to the vault: for good where the transaction makes a token of it."""
        forced = transaction.values.get("tokenizationMode") in TOKENISING
        return CardFacts.of(self._acquiring.keep(acting.tenant, card, lasting=forced if lasting is None else lasting))

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
        if version is None or card is None:
            raise NoToken("The token has no active version yet")
        route = self._routing.find(acting.scope, configuration=version.link("paymentConnectorConfiguration"))
        route = route or self.way(acting, transaction, None)
        return Intent(route, card, "TOKEN", merchant_initiated=True, token_version=version.id)

    # ------------------------------------------------------------------ paying

    def pay(self, acting: Acting, transaction_id: int, intent: Intent) -> Attempt:
        """Begin and carry out.

        Raises:
            StateInvalid: the transaction does not wait for a payment.
        """
        attempt = self.begin(acting, transaction_id, intent)
        return self.carry_out(acting, attempt, intent)

    def begin(self, acting: Acting, transaction_id: int, intent: Intent, **attributes: Any) -> Attempt:
        """Write down that a payment is under way; of several that begin at once one does."""
        return repeated(lambda: self._begin(acting, transaction_id, intent, attributes))

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
        if outcome.status == "declined":
            return self.fail(acting, attempt, failure_reasons.reason(outcome.reason), outcome.processor_reference)
        return self._succeed(acting, attempt, outcome)

    def fail(
        self, acting: Acting, attempt: Attempt, reason: FailureReason, processor_reference: str | None = None
    ) -> Attempt:
        """End a payment under way without success, and with it the transaction."""
        now = stamp(clock.now())
        failed: Values = {"failedOn": now, "failureReason": {"id": reason.id}, "userFailureMessage": reason.message}
        unit = self._unit(acting)
        charge = unit.replace(
            attempt.charge, {name: failed[name] for name in ("failureReason", "userFailureMessage")}, states=("FAILED",)
        )
        tried = unit.replace(attempt.attempt, failed, {"processor_reference": processor_reference}, ("FAILED",))
        transaction = unit.replace(attempt.transaction, failed, states=("FAILED",))
        self._end_work(unit, attempt.transaction)
        end_group(unit, transaction, "FAILED")
        unit.commit()
        return Attempt(transaction, charge, tried)

    # ------------------------------------------------------------------ reading

    def find(self, acting: Acting, transaction: Entity) -> Attempt:
        """The payment under way of a transaction that is PROCESSING."""
        charge, attempt = transaction.attributes["charge"], transaction.attributes["attempt"]
        found = self._objects.find_many(
            [(CHARGE_RESOURCE, acting.scope, charge), (CHARGE_ATTEMPT, acting.scope, attempt)]
        )
        return Attempt(
            transaction, found[CHARGE_RESOURCE.kind, charge], found[CHARGE_ATTEMPT.kind, attempt]
        )  # fmt: skip

    # ------------------------------------------------------------------ parts

    def _begin(self, acting: Acting, number: int, intent: Intent, attributes: Mapping[str, Any]) -> Attempt:
        before = self._objects.read(TRANSACTION, acting.scope, number)
        steps = confirmed_states(before, "PROCESSING")
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
                "connectorConfiguration": configuration, "environment": "TEST",
                "completionBehavior": before.values.get("completionBehavior"),
                "customersPresence": intent.presence or before.values.get("customersPresence"),
                "initializingTokenVersion": intent.tokenise, "labels": _labels(intent.card),
                "tokenVersion": {"id": intent.token_version} if intent.token_version else None,
            },
        )  # fmt: skip
        values: Values = {
            **(confirmation(acting.user_id) if before.state == "PENDING" else {}),
            "processingOn": stamp(now), "paymentConnectorConfiguration": configuration,
            "authorizationEnvironment": "TEST",
        }  # fmt: skip
        kept = {
            "charge": charge.id, "attempt": attempt.id, "reference": ids.new_uuid(), "due": due,
            "connector": intent.route.connector.id, "card": intent.card.stored() if intent.card else None,
            "tokenise": intent.tokenise, **attributes,
        }  # fmt: skip
        transaction = unit.replace(before, values, kept, steps)
        unit.no_longer(QUEUE, AUTHORISATION_ENDS, before.attributes["ends"], number)
        unit.later(QUEUE, CHARGE, kept["due"], number)
        unit.commit()
        return Attempt(transaction, charge, attempt)

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
        values: Values = {"authorizedOn": now, **({"token": {"id": token.token.id}} if token else {})}
        after = fulfilment.authorised(unit, acting, transaction, values, review=outcome.review)
        unit.commit()
        return replace(under_way, transaction=after, charge=charge, attempt=attempt)

    def _end_work(self, unit: UnitOfWork, transaction: Entity) -> None:
        unit.no_longer(QUEUE, CHARGE, transaction.attributes["due"], transaction.id)

    def _unit(self, acting: Acting) -> UnitOfWork:
        return UnitOfWork(self._objects, acting.tenant, acting.scope)


def require_processing(transaction: Entity) -> None:
    if not states.may(states.TRANSACTION, str(transaction.state), "AUTHORIZED"):
        raise StateInvalid


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
