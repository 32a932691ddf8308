"""What a charge is for, written into the ledger: what a period owes, what it gives back, and what stood open.

Entries have external ids of their charge, so that whatever is written a second time is there already. What they come to
follows from what does not change any more: closed periods, what was consumed in them, offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final, TypeVar

from payments.engine.errors import AlreadyThere
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.resources.subscription_products import PRODUCT_VERSION
from payments.resources.subscriptions import LEDGER_ENTRY, PERIOD_BILL, SUBSCRIPTION, SUBSCRIPTION_VERSION
from payments.subscriptions.models import RESERVED, Actor, Chosen, Draft, Offer, moment
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules import entries, terms
from payments.subscriptions.rules.cycles import period_of
from payments.units import UnitOfWork

AT_ONCE: Final = 12
"""Entries that are written together, each with its rows."""
MOST_OPEN: Final = 200
"""Open entries that one charge takes; the next one takes the others."""

T = TypeVar("T")


def portions(found: Iterable[T]) -> Iterator[list[T]]:
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


class Composing:
    """Writes what charges are for."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._records = SubscriptionRecords(objects)

    def compose(self, actor: Actor, charge: Entity) -> Entity:
        """Write what the charge is for into the ledger, and take what stands open there."""
        subscription = self._objects.read(SUBSCRIPTION, actor.scope, charge.attributes["subscription"])
        for drafts in portions(self._drafts(charge, subscription)):
            self._write(actor, charge, drafts)
        wanted = self._records.open_entries(actor.scope, subscription.id, MOST_OPEN)
        currency = str(charge.attributes["currency"])
        for part in portions(each for each in wanted if each.attributes["currency"] == currency):
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
