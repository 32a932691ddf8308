"""Carrying out charges: what they are for is written into the ledger, then a transaction is made, paid, and settled.

A charge goes on step by step, each step one write under the charge's version, each to be repeated without harm: only a
transaction that the charge names is ever paid, and entries change after what decides on them. A row of work stands as
long as a step is missing. A payment whose outcome nobody knows is the transactions' to find out; the charge waits.
"""

from __future__ import annotations

from payments.engine.errors import StateInvalid, VersionConflict
from payments.engine.fields import now
from payments.engine.models import Entity, Values
from payments.engine.repository import IdTaken, Objects
from payments.resources.configurations import PAYMENT_METHOD_CONFIGURATION
from payments.resources.subscription_products import PRODUCT, PRODUCT_VERSION
from payments.resources.subscriptions import CHARGE, SUBSCRIBER, SUBSCRIPTION
from payments.subscriptions.models import CHARGE as CHARGE_WORK
from payments.subscriptions.models import QUEUE, Actor
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules import entries
from payments.subscriptions.service.composing import Composing, portions
from payments.subscriptions.service.effects import Effects
from payments.subscriptions.service.paying import Paying, outcome_of
from payments.units import ATTEMPTS, UnitOfWork, repeated
from payments.work import ASK_AFTER_SECONDS
from tollgate import clock
from tollgate.errors import Contended, Invalid


class Charging:
    """Carries out charges."""

    def __init__(self, objects: Objects, paying: Paying) -> None:
        self._objects = objects
        self._records = SubscriptionRecords(objects)
        self._paying = paying
        self._effects = Effects(objects)
        self._composing = Composing(objects)

    def advance(self, actor: Actor, charge_id: int) -> Entity:
        """Take a charge as far as it goes now; answers what it is then.

        Raises:
            ObjectNotFound: there is no such charge.
        """
        charge, lost = self._objects.read(CHARGE, actor.scope, charge_id), 0
        while True:
            try:
                after = self._step(actor, charge)
            except (VersionConflict, IdTaken):
                lost += 1
                if lost == ATTEMPTS:
                    raise Contended from None
                charge = self._objects.read(CHARGE, actor.scope, charge_id)
                continue
            if after is None or after.version == charge.version:
                return charge
            charge = after

    def is_finished(self, charge: Entity) -> bool:
        """Whether nothing is left to do for a charge after `advance`."""
        return charge.state in ("SUCCESSFUL", "FAILED", "DISCARDED")

    def discard(self, actor: Actor, charge_id: int) -> Entity:
        """Give a charge up before it is carried out; what it was for is open again. One that was stays so.

        Raises:
            StateInvalid: it is carried out already.
        """
        discarded = repeated(lambda: self._discard(actor, charge_id))
        self._finish(actor, discarded)
        return discarded

    def _discard(self, actor: Actor, charge_id: int) -> Entity:
        charge = self._objects.read(CHARGE, actor.scope, charge_id)
        if charge.state == "DISCARDED":
            return charge
        if charge.state != "SCHEDULED":
            raise StateInvalid
        if not charge.attributes["composed"] and charge.values["type"] == "AUTOMATIC":
            charge = self._composing.compose(actor, charge)
        values: Values = {"discardedOn": now(), "discardedBy": actor.user_id}
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        return self._effects.settle(unit, charge, values, "DISCARDED", None)

    # ------------------------------------------------------------------ steps

    def _step(self, actor: Actor, charge: Entity) -> Entity | None:
        """The charge after its next step; None where it waits for something."""
        if charge.state == "SCHEDULED":
            if int(charge.attributes["due"]) > clock.epoch() or self._is_held_up(charge):
                return None
            return (
                self._begin(actor, charge) if charge.attributes["composed"] else self._composing.compose(actor, charge)
            )
        if charge.state == "PROCESSING":
            return self._look(actor, charge)
        self._finish(actor, charge)
        return charge

    def _is_held_up(self, charge: Entity) -> bool:
        """A suspended subscription is not charged, but for what its merchant asks for."""
        if charge.values["type"] == "MANUAL":
            return False
        subscription = self._objects.read(SUBSCRIPTION, charge.scope, charge.attributes["subscription"])
        return subscription.state == "SUSPENDED"

    # ------------------------------------------------------------------ paying

    def _begin(self, actor: Actor, charge: Entity) -> Entity:
        """Make the transaction, and the charge PROCESSING with it; SUCCESSFUL without one where nothing is owed."""
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        subscription = self._objects.read(SUBSCRIPTION, actor.scope, charge.attributes["subscription"])
        if not charge.attributes["amount"]:
            return self._effects.settle(unit, charge, {"succeedOn": now()}, "SUCCESSFUL", None)
        if not is_present(charge) and not self._paying.can_charge(actor, subscription.link("token")):
            return self._effects.settle(unit, charge, {"failedOn": now()}, "FAILED", None)
        try:
            number = self._paying.create(actor, subscription, self._transaction(actor, charge, subscription))
        except Invalid:  # such as a payment method that is not there any more
            return self._effects.settle(unit, charge, {"failedOn": now()}, "FAILED", None)
        due = clock.epoch() + ASK_AFTER_SECONDS
        after = unit.replace(charge, {"transaction": {"id": number}}, {"due": due}, ("PROCESSING",))
        unit.no_longer(QUEUE, CHARGE_WORK, int(charge.attributes["due"]), charge.id)
        unit.later(QUEUE, CHARGE_WORK, due, charge.id)
        unit.commit()
        return after

    def _transaction(self, actor: Actor, charge: Entity, subscription: Entity) -> Values:
        """The body of the transaction that charges what the charge is for."""
        subscriber = self._objects.read(SUBSCRIBER, actor.scope, subscription.link("subscriber") or 0)
        present = is_present(charge)
        made: Values = {
            "currency": charge.attributes["currency"],
            "lineItems": entries.lines(self._records.entries_of(actor.scope, charge.id)),
            "language": subscription.values.get("language"),
            "merchantReference": charge.values.get("reference") or f"subscription-{subscription.id}",
            "customerEmailAddress": subscriber.values.get("emailAddress"),
            "billingAddress": subscriber.values.get("billingAddress"),
            "shippingAddress": subscriber.values.get("shippingAddress"),
            "customerId": subscriber.values.get("reference"),
            "allowedPaymentMethodConfigurations": self._allowed(subscription, subscriber),
            "customersPresence": "VIRTUAL_PRESENT" if present else "NOT_PRESENT",
            "completionBehavior": "COMPLETE_IMMEDIATELY",
            "chargeRetryEnabled": present,
            **self._on_file(actor, subscription, present=present),
            "successUrl": charge.values.get("successUrl"),
            "failedUrl": charge.values.get("failedUrl"),
        }
        return {name: each for name, each in made.items() if each is not None}

    def _on_file(self, actor: Actor, subscription: Entity, *, present: bool) -> Values:
        """The token that is charged; or, where the subscriber pays, what becomes of the card."""
        token = subscription.values.get("token")
        if not present:
            return {"token": token}
        if self._paying.can_charge(actor, subscription.link("token")):
            return {"token": token, "tokenizationMode": "FORCE_UPDATE"}
        return {"tokenizationMode": "FORCE_CREATION"}

    def _allowed(self, subscription: Entity, subscriber: Entity) -> list[int] | None:
        """The payment methods of the product, with the subscriber's additions and without what is closed to it; None
        for all.

        Raises:
            Invalid: nothing is left.
        """
        version = self._objects.read(
            PRODUCT_VERSION, subscription.scope, subscription.link("currentProductVersion") or 0
        )
        product = self._objects.read(PRODUCT, subscription.scope, version.link("product") or 0)
        allowed = list(product.values.get("allowedPaymentMethodConfigurations") or ())
        closed = subscriber.values.get("disallowedPaymentMethodConfigurations") or ()
        if allowed:
            allowed += subscriber.values.get("additionalAllowedPaymentMethodConfigurations") or ()
        elif not closed:
            return None
        else:
            every = self._objects.walk(PAYMENT_METHOD_CONFIGURATION, subscription.scope, 0, 10**16 - 1, False)
            allowed = [each.id for each in every if each.state == "ACTIVE"]
        left = [each for each in dict.fromkeys(allowed) if each not in closed]
        if not left:
            raise Invalid.at("allowedPaymentMethodConfigurations", "leave no way to pay")
        return left

    def _look(self, actor: Actor, charge: Entity) -> Entity | None:
        """What has become of the transaction; one that nobody tried to pay is paid with the token."""
        number = charge.link("transaction") or 0
        transaction = self._paying.read(actor, number)
        if outcome_of(transaction) == "unpaid" and not is_present(charge):
            try:
                self._paying.charge(actor, number)
            except Invalid:
                return None  # it cannot be paid now, and fails by itself when its time is over
            transaction = self._paying.read(actor, number)
        outcome, unit = outcome_of(transaction), UnitOfWork(self._objects, actor.tenant, actor.scope)
        if outcome == "paid":
            return self._effects.settle(unit, charge, {"succeedOn": now()}, "SUCCESSFUL", transaction)
        if outcome == "failed":
            return self._effects.settle(unit, charge, {"failedOn": now()}, "FAILED", transaction)
        return None

    # ------------------------------------------------------------------ afterwards

    def _finish(self, actor: Actor, charge: Entity) -> None:
        """Give the entries their last state: paid, or open again."""
        waiting = [each for each in self._records.entries_of(actor.scope, charge.id) if each.state == "SCHEDULED"]
        for part in portions(waiting):
            unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
            for entry in part:
                if charge.state == "SUCCESSFUL":
                    unit.replace(entry, {}, states=("PAID",))
                    continue
                unit.replace(entry, {}, {"charge": None}, ("OPEN",))
                subscription = entry.attributes["subscription"]
                self._records.release(unit.transaction, unit.scope, subscription, charge.id, entry.id)
            unit.commit()


def is_present(charge: Entity) -> bool:
    """Whether the subscriber is to pay, on the payment page, instead of being charged."""
    return bool(charge.attributes.get("present"))
