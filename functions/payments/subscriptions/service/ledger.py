"""What merchants write themselves: usage reports, ledger entries, charges, subscribers, affiliates.

Each report and entry is written once per external id; one that is repeated with the same content is answered with what
it made before, even when it could not be made any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from payments import amounts
from payments.engine.errors import AlreadyThere, ExternalIdReused, ObjectNotFound, StateInvalid, VersionConflict
from payments.engine.fields import moment_of, now
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.service import Change, Hooks, ResourceService, digest
from payments.resources.subscription_products import METRIC
from payments.resources.subscriptions import (
    AFFILIATE,
    CHARGE,
    LEDGER_ENTRY,
    PERIOD_BILL,
    SUBSCRIBER,
    SUBSCRIPTION,
    SUBSCRIPTION_VERSION,
    USAGE_REPORT,
)
from payments.subscriptions.errors import NothingRunning, NoTokenToCharge, ReservedExternalId
from payments.subscriptions.models import CHARGE as CHARGE_WORK
from payments.subscriptions.models import ENDED, MANUAL, QUEUE, RESERVED, epoch_of
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules import entries
from payments.subscriptions.service.product_hooks import CreationHooks
from payments.units import UnitOfWork, repeated
from tollgate import clock
from tollgate.errors import Invalid


class Once(ResourceService):
    """The engine's use cases of what is made once per external id, whatever has become of what it was made for."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._records = SubscriptionRecords(self.objects)

    def insert(self, context: Context, given: Mapping[str, Any], parent: Entity | None = None) -> Entity:
        if given["externalId"].startswith(RESERVED):
            raise ReservedExternalId
        claim = self._records.claim(self.resource, self.scope(context, parent), given["externalId"])
        if claim is not None:
            raise AlreadyThere(claim.id) if claim.digest == digest(given) else ExternalIdReused
        return repeated(lambda: super(Once, self).insert(context, given, parent))


class SubscriberHooks(CreationHooks):
    """A subscriber that is deleted keeps no e-mail address, so that another one may have it."""

    def deleting(self, change: Change) -> None:
        change.values["emailAddress"] = None


class UsageHooks(Hooks):
    """Usage counts for the period that runs when it is reported."""

    def __init__(self, objects: Objects, records: SubscriptionRecords) -> None:
        self._objects = objects
        self._records = records

    def creating(self, change: Change) -> None:
        subscription = _named(self._objects, change, SUBSCRIPTION, "subscription")
        metric = _named(self._objects, change, METRIC, "metric")
        if metric.state != "ACTIVE":
            raise Invalid.at("metric", "must be the id of an active metric")
        number = subscription.attributes.get("bill")
        bill = self._objects.find(PERIOD_BILL, change.scope, int(number)) if number is not None else None
        if bill is None:
            raise NothingRunning
        if bill.attributes["closed"]:
            raise VersionConflict
        units = Decimal(change.values["consumedUnits"])
        self._records.count_usage(change.transaction, bill, metric.id, units)
        change.values["createdByUserId"] = change.context.user_id


class EntryHooks(Hooks):
    """An entry of a merchant's is open until the next charge takes it."""

    def __init__(self, objects: Objects, records: SubscriptionRecords) -> None:
        self._objects = objects
        self._records = records

    def creating(self, change: Change) -> None:
        version = _named(self._objects, change, SUBSCRIPTION_VERSION, "subscriptionVersion")
        if version.state in ENDED:
            raise StateInvalid
        if change.values.get("subscriptionMetricId") is not None:
            _named(self._objects, change, METRIC, "subscriptionMetricId")
        quantity, currency = Decimal(change.values["quantity"]), str(version.values["billingCurrency"])
        if quantity <= 0:
            raise Invalid.at("quantity", "must be above zero")
        minor = amounts.units(change.values["amountIncludingTax"], currency, "amountIncludingTax", signed=True)
        taxes = change.values.get("taxes") or ()
        change.values.update(
            entries.values(change.values["title"], minor, quantity, taxes, currency),
            state="OPEN",
            createdBy=change.context.user_id,
            proRataCalculated=False,
        )
        subscription = version.link("subscription") or 0
        change.attributes.update(subscription=subscription, currency=currency)
        self._records.add_open(change.transaction, change.scope, subscription, change.id)


class ChargeHooks(Hooks):
    """A charge of a merchant's takes what is open, now or when it is planned for."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def creating(self, change: Change) -> None:
        subscription = _named(self._objects, change, SUBSCRIPTION, "subscription")
        if subscription.state in ("PENDING", "INITIALIZING", "FAILED"):
            raise StateInvalid
        present = change.values["processingType"] == "CHARGE_FLOW"
        if not present and subscription.link("token") is None:
            raise NoTokenToCharge
        version = self._objects.read(SUBSCRIPTION_VERSION, change.scope, int(subscription.attributes["current"]))
        planned = moment_of(change.values.get("plannedExecutionDate") or now()) or clock.now()
        due = epoch_of(planned) if planned > clock.now() else clock.epoch()
        change.values.update(
            state="SCHEDULED",
            type="MANUAL",
            language=subscription.values.get("language"),
            plannedExecutionDate=change.values.get("plannedExecutionDate") or now(),
        )
        change.attributes.update(
            purpose=MANUAL, subscription=subscription.id, composed=False, due=due, present=present,
            currency=version.values["billingCurrency"],
        )  # fmt: skip
        unit = UnitOfWork(change.objects, change.context.tenant, change.scope, change.transaction)
        unit.later(QUEUE, CHARGE_WORK, due, change.id)


class Ledger:
    """What merchants write themselves."""

    def __init__(self, objects: Objects) -> None:
        records = SubscriptionRecords(objects)
        self.subscribers = ResourceService(SUBSCRIBER, objects, SubscriberHooks())
        self.affiliates = ResourceService(AFFILIATE, objects, CreationHooks())
        self.reports = Once(USAGE_REPORT, objects, UsageHooks(objects, records))
        self.entries = Once(LEDGER_ENTRY, objects, EntryHooks(objects, records))
        self.charges = Once(CHARGE, objects, ChargeHooks(objects))


def _named(objects: Objects, change: Change, resource: Any, name: str) -> Entity:
    """The object that a member of the body names.

    Raises:
        Invalid: at that member, it is not there.
    """
    value = change.values[name]
    number = value["id"] if isinstance(value, dict) else value
    try:
        return objects.read(resource, change.scope, number)
    except ObjectNotFound:
        raise Invalid.at(name, "names an object that is not there") from None
