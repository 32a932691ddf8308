"""Periods: opened, closed, and followed by the next one, each time together with the charge that this leads to.

One write closes a period, opens the next one, moves the subscription on and schedules the charge, under the version of
the subscription that was read; so of two writers one does it, and a period is charged once. What the charge comes to is
computed later, from what does not change any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payments.engine.errors import AlreadyThere, VersionConflict
from payments.engine.fields import now, stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.resources.subscription_products import PRODUCT_VERSION
from payments.resources.subscriptions import CHARGE as CHARGE_RESOURCE
from payments.resources.subscriptions import PERIOD_BILL, SUBSCRIPTION, SUBSCRIPTION_VERSION
from payments.subscriptions.models import (
    CHARGE,
    FINAL,
    INITIAL,
    PERIOD,
    PERIODIC,
    QUEUE,
    RESERVED,
    Actor,
    epoch_of,
    moment,
)
from payments.subscriptions.rules.cycles import cycle_of, period_from
from payments.subscriptions.service.effects import Effects
from payments.units import UnitOfWork
from tollgate import clock


@dataclass(frozen=True, slots=True)
class Running:
    """A subscription with its present version, and the bill of the period that runs, if one does."""

    subscription: Entity
    version: Entity
    bill: Entity | None

    @property
    def planned_end(self) -> datetime | None:
        return moment(self.bill.values["plannedPeriodEndDate"]) if self.bill else None

    @property
    def planned_termination(self) -> datetime | None:
        text = self.subscription.values.get("plannedTerminationDate")
        return moment(text) if text else None


@dataclass(frozen=True, slots=True)
class Turn:
    """How a period ends: when, whether what was not used is given back, and what follows: another version, nothing for
    now (`opens` false), or nothing ever (`ends`). `to` is the other version as it will be, `planned` as it stands
    written; None where it is written with the turn."""

    effective: datetime
    credit: bool = False
    to: Entity | None = None
    planned: Entity | None = None
    opens: bool = True
    ends: bool = False
    ended_by: int | None = None


class Periods:
    """Opens and closes periods."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._effects = Effects(objects)

    def load(self, actor: Actor, subscription_id: int) -> Running:
        """Raises:
        ObjectNotFound: there is no such subscription.
        """
        subscription = self._objects.read(SUBSCRIPTION, actor.scope, subscription_id)
        wanted = [(SUBSCRIPTION_VERSION, actor.scope, int(subscription.attributes["current"]))]
        bill = subscription.attributes.get("bill")
        if bill is not None:
            wanted.append((PERIOD_BILL, actor.scope, int(bill)))
        found = {kind: each for (kind, _), each in self._objects.find_many(wanted).items()}
        return Running(subscription, found[SUBSCRIPTION_VERSION.kind], found.get(PERIOD_BILL.kind))

    def product_version(self, version: Entity) -> Entity:
        """The product version that a subscription version is of."""
        return self._objects.read(PRODUCT_VERSION, version.scope, version.link("productVersion") or 0)

    # ------------------------------------------------------------------ the first period

    def begin(self, unit: UnitOfWork, running: Running, urls: Mapping[str, Any] | None) -> Entity:
        """Open the first period and schedule the charge that activates the subscription; answers that charge. With
        `urls`, the subscriber is present and pays on the payment page."""
        subscription, version = running.subscription, running.version
        start = clock.now()
        bill = self._open(unit, running, version, start, start, 1)
        charge = self.schedule(
            unit, subscription, version, INITIAL, f"start/{subscription.id}",
            {"opens": bill.id, "starts": True, "present": urls is not None}, urls,
        )  # fmt: skip
        unit.replace(version, {}, states=("INITIALIZING",))
        unit.replace(
            subscription, {"initializedOn": now()},
            {"bill": bill.id, "due": _due(bill), "periods": 1, "anchor": stamp(start), "initial": charge.id},
            ("INITIALIZING",),
        )  # fmt: skip
        return charge

    # ------------------------------------------------------------------ from one to the next

    def turn(self, actor: Actor, running: Running, turn: Turn) -> list[int]:
        """End the present period and go on as said; answers the charges that follow. A suspension ends with an end.

        Raises:
            VersionConflict: another writer was first.
        """
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        subscription, version = running.subscription, running.version
        attributes: dict[str, Any] = {"bill": None, "due": None, "resumed": None}
        closed = self._close(unit, running, turn)
        after, opened = turn.to or version, None
        if turn.opens and not turn.ends:
            opened, kept = self._next(unit, running, after, turn)
            attributes.update(kept)
        if subscription.state == "SUSPENDED":  # which ends here
            self._effects.end_suspension(unit, self._effects.running_suspension(subscription))
            attributes["suspension"] = None
        else:
            move_row(unit, subscription, attributes["due"])
        values, states = self._move_on(unit, running, turn, attributes)
        charges = self._charges(unit, running, after, turn, closed, opened)
        unit.replace(subscription, values, attributes, states)
        self.commit(unit)
        return [each.id for each in charges]

    def commit(self, unit: UnitOfWork) -> None:
        """Write a charge with what it follows from.

        Raises:
            VersionConflict: another writer was first; that it wrote the charge too says the same.
        """
        try:
            unit.commit()
        except AlreadyThere:
            raise VersionConflict from None

    def _close(self, unit: UnitOfWork, running: Running, turn: Turn) -> Entity | None:
        if running.bill is None:
            return None
        start = moment(running.bill.values["periodStartDate"])
        return unit.replace(
            running.bill, {"effectivePeriodEndDate": stamp(max(turn.effective, start))},
            {"closed": True, "credit": turn.credit},
        )  # fmt: skip

    def _next(self, unit: UnitOfWork, running: Running, version: Entity, turn: Turn) -> tuple[Entity, dict[str, Any]]:
        """The bill of the next period, and what the subscription keeps of it."""
        kept = running.subscription.attributes
        resumed = moment(kept["resumed"]) if kept.get("resumed") else turn.effective
        start = max(turn.effective, resumed)
        is_even = turn.to is None and start == running.planned_end
        anchor = moment(kept["anchor"]) if is_even else start
        number = int(kept.get("periods") or 0) + 1
        bill = self._open(unit, running, version, anchor, start, number)
        return bill, {"bill": bill.id, "due": _due(bill), "periods": number, "anchor": stamp(anchor)}

    def _open(
        self, unit: UnitOfWork, running: Running, version: Entity, anchor: datetime, start: datetime, number: int
    ) -> Entity:
        period = period_from(cycle_of(version), anchor, start, running.subscription.attributes["zone"])
        if running.planned_termination is not None and running.planned_termination > start:
            period = period.until(running.planned_termination)
        return unit.insert(
            PERIOD_BILL,
            {
                "state": "PENDING",
                "language": version.values.get("language"),
                "periodStartDate": stamp(period.start),
                "plannedPeriodEndDate": stamp(period.end),
                "subscriptionVersion": {"id": version.id},
            },
            {
                "closed": False, "number": number, "subscription": running.subscription.id,
                "cycle_start": stamp(period.cycle_start), "cycle_end": stamp(period.cycle_end),
            },
        )  # fmt: skip

    def _move_on(
        self, unit: UnitOfWork, running: Running, turn: Turn, attributes: dict[str, Any]
    ) -> tuple[Values, tuple[str, ...]]:
        """The versions and what the subscription says, after the turn."""
        ended: Values = {"terminatingOn": now()}
        if turn.ends:
            unit.replace(running.version, ended, states=("TERMINATING",))
            return {**ended, "terminatedBy": turn.ended_by or running.subscription.values.get("terminatedBy")}, (
                "TERMINATING",
            )
        if turn.to is None:
            return {}, ()
        unit.replace(running.version, ended, states=("TERMINATING",))
        values = {**turn.to.values, "activatedOn": now(), "state": "ACTIVE"}
        if turn.planned is None:
            unit.insert(SUBSCRIPTION_VERSION, values, turn.to.attributes, number=turn.to.id)
        else:
            unit.replace(turn.planned, values, {"starts": None}, ("INITIALIZING", "ACTIVE"))
        attributes.update(current=turn.to.id, pending=None)
        return {"currentProductVersion": turn.to.values["productVersion"]}, ()

    def _charges(
        self, unit: UnitOfWork, running: Running, after: Entity, turn: Turn, closed: Entity | None,
        opened: Entity | None,
    ) -> list[Entity]:  # fmt: skip
        """One charge for what is behind and what is ahead; two where they are in different currencies."""
        subscription, version = running.subscription, running.version
        name = f"period/{closed.id}" if closed else f"after/{subscription.id}/{subscription.version}"
        purpose = FINAL if turn.ends else PERIODIC
        behind = {"closes": closed.id} if closed else {}
        ahead = {"opens": opened.id} if opened else {}
        if turn.to is not None:
            ahead["changes"] = version.id
        if version.values["billingCurrency"] == after.values["billingCurrency"] or not (behind and ahead):
            return [self.schedule(unit, subscription, after, purpose, name, {**behind, **ahead})]
        return [
            self.schedule(unit, subscription, version, purpose, f"{name}/end", behind),
            self.schedule(unit, subscription, after, purpose, name, ahead),
        ]

    # ------------------------------------------------------------------ charges

    def schedule(  # noqa: PLR0917 -- what for, and what of it
        self, unit: UnitOfWork, subscription: Entity, version: Entity, purpose: str, name: str,
        attributes: Mapping[str, Any], given: Mapping[str, Any] | None = None,
    ) -> Entity:  # fmt: skip
        """A charge to be carried out now, under an external id that there is once."""
        due = clock.epoch()
        charge = unit.insert(
            CHARGE_RESOURCE,
            {
                "state": "SCHEDULED",
                "type": "AUTOMATIC",
                "processingType": "SYNCHRONOUS",
                "externalId": RESERVED + name,
                "language": subscription.values.get("language"),
                "plannedExecutionDate": now(),
                "reference": subscription.values.get("reference"),
                "subscription": {"id": subscription.id},
                **(given or {}),
            },
            {
                "purpose": purpose, "subscription": subscription.id, "composed": False, "due": due,
                "currency": version.values["billingCurrency"], **attributes,
            },
        )  # fmt: skip
        unit.later(QUEUE, CHARGE, due, charge.id)
        return charge


def move_row(unit: UnitOfWork, subscription: Entity, due: int | None) -> None:
    """Come back to the subscription at another moment than it says now, or not at all."""
    before = subscription.attributes.get("due")
    if before == due:
        return
    if before is not None:
        unit.no_longer(QUEUE, PERIOD, int(before), subscription.id)
    if due is not None:
        unit.later(QUEUE, PERIOD, due, subscription.id)


def _due(bill: Entity) -> int:
    """When a period ends, in seconds since 1970."""
    return epoch_of(moment(bill.values["plannedPeriodEndDate"]))
