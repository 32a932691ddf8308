"""What a settled charge means for its subscription, in the write that settles it; suspensions and their ends.

The first charge activates the subscription or fails it. A later one that fails suspends it, for as long as its product
says. The last one ends it, whatever became of the money.
"""

from __future__ import annotations

from typing import Any

from payments.engine.fields import now, stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.resources.subscription_products import PRODUCT, PRODUCT_VERSION
from payments.resources.subscriptions import PERIOD_BILL, SUBSCRIPTION, SUBSCRIPTION_VERSION
from payments.resources.subscriptions import SUSPENSION as SUSPENSION_RESOURCE
from payments.subscriptions.models import (
    FINAL,
    INITIAL,
    MANUAL,
    PERIOD,
    PERIODIC,
    QUEUE,
    RUNNING,
    SUSPENSION,
    epoch_of,
    moment,
)
from payments.subscriptions.rules.cycles import add_duration
from payments.units import UnitOfWork
from tollgate import clock

FAILED_CHARGE = "FAILED_CHARGE"


class Effects:
    """Settles charges."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def settle(
        self, unit: UnitOfWork, charge: Entity, values: Values, state: str, transaction: Entity | None
    ) -> Entity:
        """Give a charge its last state, with everything that follows from it. Its row of work stays, for its entries.

        Raises:
            VersionConflict: another writer changed the charge or the subscription first.
        """
        after = unit.replace(charge, values, states=(state,))
        subscription = self._objects.read(SUBSCRIPTION, charge.scope, charge.attributes["subscription"])
        purpose = charge.attributes["purpose"]
        if purpose == INITIAL and subscription.state == "INITIALIZING":
            self._begin(unit, subscription, state == "SUCCESSFUL", transaction)
        elif purpose == FINAL and subscription.state == "TERMINATING":
            self._end(unit, subscription)
        elif purpose == PERIODIC:
            self._end_former_version(unit, charge)
            if state == "FAILED" and subscription.state in RUNNING:
                self._suspend_for(unit, subscription, charge)
        elif purpose == MANUAL and transaction is not None and after.state == "SUCCESSFUL":
            self._pay_off(unit, subscription, transaction)
        unit.commit()
        return after

    def _pay_off(self, unit: UnitOfWork, subscription: Entity, transaction: Entity) -> None:
        """A suspended subscription whose debts were paid goes on; a card that they were paid with is charged from now
        on."""
        token = transaction.values.get("token")
        values: Values = {"token": token} if token and token != subscription.values.get("token") else {}
        if subscription.state == "SUSPENDED":
            suspension = self.running_suspension(subscription)
            if suspension.values["reason"] == FAILED_CHARGE:
                self.resume(unit, subscription, suspension, values)
                return
        if values:
            unit.replace(subscription, values)

    def _begin(self, unit: UnitOfWork, subscription: Entity, paid: bool, transaction: Entity | None) -> None:
        version = self._objects.read(SUBSCRIPTION_VERSION, unit.scope, int(subscription.attributes["current"]))
        if paid:
            values: Values = {"activatedOn": now()}
            unit.replace(version, values, states=("ACTIVE",))
            token = transaction.values.get("token") if transaction else None
            unit.replace(subscription, {**values, **({"token": token} if token else {})}, states=("ACTIVE",))
            unit.later(QUEUE, PERIOD, int(subscription.attributes["due"]), subscription.id)
            return
        unit.replace(version, {"failedOn": now()}, states=("FAILED",))
        bill = self._objects.read(PERIOD_BILL, unit.scope, int(subscription.attributes["bill"]))
        unit.replace(bill, {"effectivePeriodEndDate": now()}, {"closed": True}, ("BILLED",))
        unit.replace(subscription, {}, {"bill": None, "due": None}, ("FAILED",))

    def _end(self, unit: UnitOfWork, subscription: Entity) -> None:
        version = self._objects.read(SUBSCRIPTION_VERSION, unit.scope, int(subscription.attributes["current"]))
        values: Values = {"terminatedOn": now()}
        unit.replace(version, values, states=("TERMINATED",))
        unit.replace(subscription, values, states=("TERMINATED",))

    def _end_former_version(self, unit: UnitOfWork, charge: Entity) -> None:
        number = charge.attributes.get("changes")
        if number is None:
            return
        version = self._objects.read(SUBSCRIPTION_VERSION, unit.scope, int(number))
        if version.state == "TERMINATING":
            unit.replace(version, {"terminatedOn": now()}, states=("TERMINATED",))

    # ------------------------------------------------------------------ suspensions

    def running_suspension(self, subscription: Entity) -> Entity:
        """The suspension of a subscription that is SUSPENDED."""
        return self._objects.read(
            SUSPENSION_RESOURCE, subscription.scope, int(subscription.attributes["suspension"])
        )  # fmt: skip

    def suspend(self, unit: UnitOfWork, subscription: Entity, values: dict[str, Any]) -> Entity:
        """Suspend a subscription that runs; answers the suspension."""
        planned = values.get("plannedEndDate")
        due = epoch_of(moment(planned)) if planned else None
        made = unit.insert(
            SUSPENSION_RESOURCE,
            {
                "state": "RUNNING",
                "subscription": {"id": subscription.id},
                "language": subscription.values.get("language"),
                **values,
            },
            {"due": due},
        )
        if due is not None:
            unit.later(QUEUE, SUSPENSION, due, made.id)
        if subscription.attributes.get("due") is not None:
            unit.no_longer(QUEUE, PERIOD, int(subscription.attributes["due"]), subscription.id)
        unit.replace(subscription, {}, {"suspension": made.id}, ("SUSPENDED",))
        return made

    def end_suspension(self, unit: UnitOfWork, suspension: Entity) -> None:
        unit.replace(suspension, {"effectiveEndDate": now()}, states=("ENDED",))
        if suspension.attributes.get("due") is not None:
            unit.no_longer(QUEUE, SUSPENSION, int(suspension.attributes["due"]), suspension.id)

    def resume(
        self, unit: UnitOfWork, subscription: Entity, suspension: Entity, values: Values | None = None
    ) -> Entity:
        """A suspended subscription goes on as it was. What of a suspension lies behind the end of the period that ran
        is not charged: the next period begins now."""
        self.end_suspension(unit, suspension)
        if subscription.attributes.get("due") is not None:
            unit.later(QUEUE, PERIOD, int(subscription.attributes["due"]), subscription.id)
        state = "TERMINATION_SCHEDULED" if subscription.values.get("terminationScheduledOn") else "ACTIVE"
        return unit.replace(subscription, values or {}, {"suspension": None, "resumed": now()}, (state,))

    def _suspend_for(self, unit: UnitOfWork, subscription: Entity, charge: Entity) -> None:
        """Suspend for a charge that failed, until the product says that it is over."""
        version = self._objects.read(PRODUCT_VERSION, unit.scope, subscription.link("currentProductVersion") or 0)
        product = self._objects.read(PRODUCT, unit.scope, version.link("product") or 0)
        period = product.values.get("failedPaymentSuspensionPeriod")
        values: dict[str, Any] = {"reason": FAILED_CHARGE, "endAction": "TERMINATE"}
        bill = charge.attributes.get("opens") or charge.attributes.get("closes")
        if bill is not None:
            values["periodBill"] = int(bill)
        if period:
            values["plannedEndDate"] = stamp(add_duration(clock.now(), period))
        self.suspend(unit, subscription, values)
