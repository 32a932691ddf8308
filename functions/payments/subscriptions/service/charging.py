"""Carrying out charges: what they are for is written into the ledger, then a transaction is made, paid, and settled.

A charge goes on step by step, each step one write under the charge's version, each to be repeated without harm: entries
have external ids of their charge, only a transaction that the charge names is ever paid, and entries change after what
decides on them. A row of work stands as long as a step is missing. A payment whose outcome nobody knows is
the transactions' to find out; the charge waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final, TypeVar

from payments.engine.errors import AlreadyThere, StateInvalid, VersionConflict
from payments.engine.fields import now
from payments.engine.models import Entity, Values
from payments.engine.repository import IdTaken, Objects
from payments.resources.configurations import PAYMENT_METHOD_CONFIGURATION
from payments.resources.subscription_products import PRODUCT, PRODUCT_VERSION
from payments.resources.subscriptions import (
    CHARGE,
    LEDGER_ENTRY,
    PERIOD_BILL,
    SUBSCRIBER,
    SUBSCRIPTION,
    SUBSCRIPTION_VERSION,
)
from payments.subscriptions.models import CHARGE as CHARGE_WORK
from payments.subscriptions.models import QUEUE, RESERVED, Actor, Chosen, Draft, Offer, moment
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules import entries, terms
from payments.subscriptions.rules.cycles import period_of
from payments.subscriptions.service.effects import Effects
from payments.subscriptions.service.paying import Paying, outcome_of
from payments.units import ATTEMPTS, UnitOfWork, repeated
from payments.work import ASK_AFTER_SECONDS
from tollgate import clock
from tollgate.errors import Contended, Invalid

AT_ONCE: Final = 12
"""Entries that are written together, each with its rows."""
MOST_OPEN: Final = 200
"""Open entries that one charge takes; the next one takes the others."""


T = TypeVar("T")


def _parts(found: Iterable[T]) -> Iterator[list[T]]:
    """What is written together."""
    remaining = iter(found)
    while part := list(islice(remaining, AT_ONCE)):
        yield part


@dataclass(frozen=True, slots=True)
class _Sold:
    """A period and what was chosen for it."""

    bill: Entity
    chosen: list[Chosen]

    @property
    def version(self) -> int:
        return self.bill.link("subscriptionVersion") or 0

    @property
    def number(self) -> int:
        return int(self.bill.attributes["number"])


class Charging:
    """Carries out charges."""

    def __init__(self, objects: Objects, paying: Paying) -> None:
        self._objects = objects
        self._records = SubscriptionRecords(objects)
        self._paying = paying
        self._effects = Effects(objects)

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
            charge = self._compose(actor, charge)
        values: Values = {"discardedOn": now(), "discardedBy": actor.user_id}
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        return self._effects.settle(unit, charge, values, "DISCARDED", None)

    # ------------------------------------------------------------------ steps

    def _step(self, actor: Actor, charge: Entity) -> Entity | None:
        """The charge after its next step; None where it waits for something."""
        if charge.state == "SCHEDULED":
            if int(charge.attributes["due"]) > clock.epoch() or self._is_held_up(charge):
                return None
            return self._begin(actor, charge) if charge.attributes["composed"] else self._compose(actor, charge)
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

    # ------------------------------------------------------------------ into the ledger

    def _compose(self, actor: Actor, charge: Entity) -> Entity:
        """Write what the charge is for into the ledger, and take what stands open there."""
        subscription = self._objects.read(SUBSCRIPTION, actor.scope, charge.attributes["subscription"])
        for drafts in _parts(self._drafts(charge, subscription)):
            self._write(actor, charge, drafts)
        wanted = self._records.open_entries(actor.scope, subscription.id, MOST_OPEN)
        currency = str(charge.attributes["currency"])
        for part in _parts(each for each in wanted if each.attributes["currency"] == currency):
            self._take(actor, charge, part)
        found = self._records.entries_of(actor.scope, charge.id)
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        closed = charge.attributes.get("closes")
        if closed is not None:
            bill = self._objects.read(PERIOD_BILL, actor.scope, int(closed))
            if bill.state == "PENDING":
                unit.replace(bill, {}, states=("BILLED",))
        owed = entries.total(found, currency)
        if owed < 0:
            found.append(self._carry(unit, charge, owed, found[-1].values["subscriptionVersion"]))
        kept = {"composed": True, "amount": max(owed, 0)}
        after = unit.replace(charge, {"ledgerEntries": [{"id": each.id} for each in found]}, kept)
        unit.commit()
        return after

    def _carry(self, unit: UnitOfWork, charge: Entity, owed: int, version: int) -> Entity:
        """What is owed to the subscriber is carried forward: balanced here, by the entry that is answered, and open for
        the next charge."""
        currency = str(charge.attributes["currency"])

        def values(name: str, minor: int, state: str) -> Values:
            made = entries.values("Credit carried forward", minor, Decimal(1), (), currency)
            named = {"externalId": f"{RESERVED}{charge.id}/{name}", "subscriptionVersion": version, "state": state}
            return {**made, **named}

        subscription = int(charge.attributes["subscription"])
        kept = {"subscription": subscription, "currency": currency}
        forward = unit.insert(LEDGER_ENTRY, values("carried-to", owed, "OPEN"), kept)
        self._records.add_open(unit.transaction, unit.scope, subscription, forward.id)
        return self._insert(unit, charge, values("carried-from", -owed, "SCHEDULED"))

    def _drafts(self, charge: Entity, subscription: Entity) -> Iterator[tuple[int, Draft]]:
        """What an automatic charge is for, with the subscription version that it is owed under; always the same."""
        language = str(subscription.values.get("language") or "en-US")
        currency = str(charge.attributes["currency"])
        behind, ahead, former = self._sold(charge)
        if behind is not None:
            closed = behind.bill
            usage = self._records.usage(closed)
            for each in terms.metered_entries(behind.chosen, usage, behind.number, currency, language):
                yield behind.version, each
            if closed.attributes.get("credit"):
                used, period = moment(closed.values["effectivePeriodEndDate"]), period_of(closed)
                for each in terms.credit_entries(behind.chosen, period, used, behind.number, currency, language):
                    yield behind.version, each
        if ahead is not None:
            if former is not None:
                for each in terms.setup_entries(ahead.chosen, former, currency, language):
                    yield ahead.version, each
            for each in terms.period_entries(ahead.chosen, period_of(ahead.bill), ahead.number, currency, language):
                yield ahead.version, each

    def _sold(self, charge: Entity) -> tuple[_Sold | None, _Sold | None, list[Chosen] | None]:
        """The period behind, the period ahead, and what was chosen before where that changes or begins (nothing)."""
        kept = charge.attributes
        numbers = [kept.get("closes"), kept.get("opens")]
        bills = self._objects.find_many((PERIOD_BILL, charge.scope, int(each)) for each in numbers if each is not None)
        found = [bills[PERIOD_BILL.kind, int(each)] if each is not None else None for each in numbers]
        wanted = {each.link("subscriptionVersion") or 0 for each in found if each is not None}
        if kept.get("changes") is not None:
            wanted.add(int(kept["changes"]))
        chosen = {each: self._chosen(charge.scope, each) for each in wanted}
        behind, ahead = (_Sold(each, chosen[each.link("subscriptionVersion") or 0]) if each else None for each in found)
        former = chosen[int(kept["changes"])] if kept.get("changes") is not None else [] if kept.get("starts") else None
        return behind, ahead, former

    def _chosen(self, scope: str, version_id: int) -> list[Chosen]:
        version = self._objects.read(SUBSCRIPTION_VERSION, scope, version_id)
        product_version = self._objects.read(PRODUCT_VERSION, scope, version.link("productVersion") or 0)
        return terms.chosen_of(Offer.of(product_version), version.values.get("componentConfigurations") or ())

    def _write(self, actor: Actor, charge: Entity, drafts: list[tuple[int, Draft]]) -> None:
        """Entries of a charge, unless they were written before."""
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        self._records.hold_version(unit.transaction, charge)
        currency = str(charge.attributes["currency"])
        for version, draft in drafts:
            values = {
                **entries.of_draft(draft, currency), "state": "SCHEDULED", "subscriptionVersion": version,
                "externalId": f"{RESERVED}{charge.id}/{draft.key}",
            }  # fmt: skip
            self._insert(unit, charge, values)
        try:
            unit.commit()
        except AlreadyThere:
            return  # an earlier run wrote them, all of them together

    def _insert(self, unit: UnitOfWork, charge: Entity, values: Values) -> Entity:
        attributes = {
            "subscription": charge.attributes["subscription"], "charge": charge.id,
            "currency": charge.attributes["currency"],
        }  # fmt: skip
        made = unit.insert(LEDGER_ENTRY, values, attributes)
        self._records.add_taken(unit.transaction, unit.scope, charge.id, made.id)
        return made

    def _take(self, actor: Actor, charge: Entity, found: list[Entity]) -> None:
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        self._records.hold_version(unit.transaction, charge)
        for entry in found:
            unit.replace(entry, {}, {"charge": charge.id}, ("SCHEDULED",))
            self._records.take(unit.transaction, unit.scope, entry.attributes["subscription"], charge.id, entry.id)
        unit.commit()

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
        for part in _parts(waiting):
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
