"""A subscription that runs: suspended and taken up again, changed to another version, terminated, its period closed by
hand. Each of these, repeated, changes nothing more.

What is changed or terminated respects the product's terms if that is asked for: the notice periods and the minimal
number of periods, both counted in whole periods. Otherwise it happens at once: a change gives back what of the fees of
the period was not used, a termination does not, since there is no charge to take it off.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from payments.engine.errors import StateInvalid
from payments.engine.fields import now, stamp
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.subscriptions import (
    PERIOD_BILL,
    SUBSCRIPTION,
    SUBSCRIPTION_CHANGES,
    SUBSCRIPTION_VERSION,
    SUSPEND,
)
from payments.subscriptions.models import RUNNING, Actor, epoch_of, moment
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules import terms
from payments.subscriptions.rules.cycles import cycle_of, periods_later
from payments.subscriptions.service import bodies
from payments.subscriptions.service.charging import Charging
from payments.subscriptions.service.effects import Effects
from payments.subscriptions.service.periods import Periods, Running, Turn, move_row
from payments.subscriptions.service.subscribing import Choice, Subscribing
from payments.units import UnitOfWork, repeated
from tollgate import clock
from tollgate.errors import Invalid


class Lifecycle:
    """What happens to subscriptions that run."""

    def __init__(self, objects: Objects, periods: Periods, charging: Charging, subscribing: Subscribing) -> None:
        self._objects = objects
        self._periods = periods
        self._charging = charging
        self._subscribing = subscribing
        self._effects = Effects(objects)
        self._records = SubscriptionRecords(objects)

    # ------------------------------------------------------------------ suspensions

    def suspend(self, actor: Actor, subscription_id: int, body: Any) -> Entity:
        """Suspend; answers the suspension. One that is suspended stays as it is.

        Raises:
            StateInvalid: it does not run.
        """
        return repeated(lambda: self._suspend(actor, subscription_id, body))

    def _suspend(self, actor: Actor, subscription_id: int, body: Any) -> Entity:
        subscription = self._objects.read(SUBSCRIPTION, actor.scope, subscription_id)
        given = bodies.read(SUSPEND, body)
        bodies.require_future(given, "plannedEndDate")
        if subscription.state == "SUSPENDED":
            return self._effects.running_suspension(subscription)
        if subscription.state not in RUNNING:
            raise StateInvalid
        values = {"endAction": "REACTIVATE", **{name: each for name, each in given.items() if each is not None}}
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        made = self._effects.suspend(unit, subscription, {**values, "reason": "MANUAL"})
        unit.commit()
        return made

    def reactivate(self, actor: Actor, subscription_id: int) -> None:
        """Take a suspended subscription up again; one that runs goes on running.

        Raises:
            StateInvalid: it neither is suspended nor runs.
        """
        repeated(lambda: self._reactivate(actor, subscription_id))

    def _reactivate(self, actor: Actor, subscription_id: int) -> None:
        subscription = self._objects.read(SUBSCRIPTION, actor.scope, subscription_id)
        if subscription.state in RUNNING:
            return
        if subscription.state != "SUSPENDED":
            raise StateInvalid
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        self._effects.resume(unit, subscription, self._effects.running_suspension(subscription))
        unit.commit()

    # ------------------------------------------------------------------ termination

    def terminate(self, actor: Actor, subscription_id: int, *, respect: bool) -> None:
        """End a subscription, at once or when its terms allow it. A suspended one ends at once.

        Raises:
            StateInvalid: it never began.
        """
        for charge in repeated(lambda: self._terminate(actor, subscription_id, respect)):
            self._charging.advance(actor, charge)

    def _terminate(self, actor: Actor, subscription_id: int, respect: bool) -> list[int]:
        running = self._periods.load(actor, subscription_id)
        subscription = running.subscription
        if subscription.state in ("TERMINATING", "TERMINATED"):
            return []
        if subscription.state not in (*RUNNING, "SUSPENDED"):
            raise StateInvalid
        end = self.earliest_end(running) if respect and subscription.state in RUNNING else None
        if end is None:
            return self._end_now(actor, running)
        if subscription.state == "ACTIVE":
            self._schedule_end(actor, running, end)
        return []

    def _end_now(self, actor: Actor, running: Running) -> list[int]:
        end = min(clock.now(), running.planned_end or clock.now())
        return self._periods.turn(actor, running, Turn(end, ends=True, ended_by=actor.user_id))

    def _schedule_end(self, actor: Actor, running: Running, end: datetime) -> None:
        planned = running.planned_termination
        end = min(end, planned) if planned else end
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        issued = {"plannedTerminationDate": stamp(end)}
        unit.replace(running.version, {**issued, "terminationIssuedOn": now(), "expectedLastPeriodEnd": stamp(end)})
        due = epoch_of(min(end, running.planned_end or end))
        move_row(unit, running.subscription, due)
        values = {**issued, "terminationScheduledOn": now(), "terminatedBy": actor.user_id}
        unit.replace(running.subscription, values, {"due": due}, ("TERMINATION_SCHEDULED",))
        unit.commit()

    def earliest_end(self, running: Running) -> datetime | None:
        """When the terms of the product allow the present version to end; None at once, as no period runs."""
        if running.planned_end is None:
            return None
        product_version = self._periods.product_version(running.version)
        further = terms.periods_to_go(
            int(running.subscription.attributes["periods"]),
            int(product_version.values.get("minimalNumberOfPeriods") or 0),
            int(product_version.values.get("numberOfNoticePeriods") or 0),
        )
        kept = running.subscription.attributes
        return periods_later(
            cycle_of(running.version), moment(kept["anchor"]), running.planned_end, kept["zone"], further
        )  # fmt: skip

    # ------------------------------------------------------------------ changes

    def apply_changes(self, actor: Actor, subscription_id: int, body: Any) -> Entity:
        """Change a subscription to another product, currency or other components; answers its new version, which takes
        effect at once or when the terms of the present one allow it. One that waits already is changed.

        Raises:
            StateInvalid: the subscription does not run, or ends.
        """
        self._objects.read(SUBSCRIPTION, actor.scope, subscription_id)
        given = bodies.read(SUBSCRIPTION_CHANGES, body)
        return self.change(actor, subscription_id, given, respect=bool(given.get("respectTerminationPeriod")))

    def upgrade(self, actor: Actor, subscription_id: int, *, respect: bool) -> Entity:
        """Change a subscription to the version that its product offers now; answers the present version where it is
        that already."""
        running = self._periods.load(actor, subscription_id)
        product = self._periods.product_version(running.version).link("product") or 0
        offered = self._records.offered(actor.scope, product)
        if running.subscription.state == "ACTIVE" and offered == running.version.link("productVersion"):
            return running.version
        return self.change(actor, subscription_id, {}, respect=respect, newest=True)

    def change(
        self, actor: Actor, subscription_id: int, given: dict[str, Any], *, respect: bool, newest: bool = False,
        retires: bool = False,
    ) -> Entity:  # fmt: skip
        """See `apply_changes`; `given` are the members of its body. What retires is changed
        even if it is locked, and to the newest version."""

        def choose(running: Running) -> Choice:
            return self._subscribing.choose(actor, given, running, newest=newest or retires, retires=retires)

        version, charges = repeated(lambda: self._change(actor, subscription_id, choose, respect))
        for charge in charges:
            self._charging.advance(actor, charge)
        return self._objects.read(SUBSCRIPTION_VERSION, actor.scope, version)

    def _change(
        self, actor: Actor, subscription_id: int, choose: Callable[[Running], Choice], respect: bool
    ) -> tuple[int, list[int]]:
        running = self._periods.load(actor, subscription_id)
        if running.subscription.state != "ACTIVE":
            raise StateInvalid
        choice = choose(running)
        starts = self.earliest_end(running) if respect else None
        planned = self._planned(running)
        to = self._to_come(actor, running, choice, planned)
        if starts is not None:
            self._plan(actor, running, to, planned, starts)
            return to.id, []
        turn = Turn(clock.now(), credit=True, to=to, planned=planned)
        return to.id, self._periods.turn(actor, running, turn)

    def _planned(self, running: Running) -> Entity | None:
        """The version that was to come."""
        number = running.subscription.attributes.get("pending")
        return self._objects.read(SUBSCRIPTION_VERSION, running.subscription.scope, int(number)) if number else None

    def _to_come(self, actor: Actor, running: Running, choice: Choice, planned: Entity | None) -> Entity:
        """The version that a choice makes, in place of one that was to come."""
        if planned is not None:
            return planned.changed(self._subscribing.chosen(actor.scope, choice))
        language = str(running.subscription.values.get("language") or "en-US")
        return self._subscribing.new_version(actor, running.subscription.id, choice, language)

    def _plan(self, actor: Actor, running: Running, to: Entity, planned: Entity | None, starts: datetime) -> None:
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        kept = {"starts": stamp(starts)}
        if planned is not None:
            unit.replace(planned, to.values, kept)
        else:
            unit.insert(SUBSCRIPTION_VERSION, to.values, kept, number=to.id)
        unit.replace(running.subscription, {}, {"pending": to.id})
        unit.commit()

    # ------------------------------------------------------------------ periods

    def close(self, actor: Actor, bill_id: int, at: datetime, *, opens: bool) -> Entity:
        """End a period at a moment that lies within it; what of its fees was not used is given back. One that has ended
        stays so.

        Raises:
            StateInvalid: its subscription does not run.
            Invalid: the moment is not within the period, or lies in the future.
        """
        for charge in repeated(lambda: self._close(actor, bill_id, at, opens)):
            self._charging.advance(actor, charge)
        return self._objects.read(PERIOD_BILL, actor.scope, bill_id)

    def _close(self, actor: Actor, bill_id: int, at: datetime, opens: bool) -> list[int]:
        bill = self._objects.read(PERIOD_BILL, actor.scope, bill_id)
        if bill.attributes["closed"]:
            return []
        running = self._periods.load(actor, int(bill.attributes["subscription"]))
        if running.bill is None or running.bill.id != bill_id or running.subscription.state not in RUNNING:
            raise StateInvalid
        planned = running.planned_end or at
        if not moment(bill.values["periodStartDate"]) <= at <= min(clock.now(), planned):
            raise Invalid.at("currentDate", "must lie within the period and not in the future")
        return self._periods.turn(actor, running, Turn(at, credit=at < planned, opens=opens))

    def turn_due(self, actor: Actor, running: Running) -> list[int]:
        """End a period whose time is over, as the clock has it; answers the charges that follow."""
        end, planned = running.planned_end, running.planned_termination
        if end is None:
            return []
        effective = min(end, planned) if planned else end
        planned_version = self._planned(running)
        starts = planned_version.attributes.get("starts") if planned_version else None
        to = planned_version if starts is not None and moment(starts) <= effective else None
        turn = Turn(effective, to=to, planned=to, ends=planned is not None and planned <= effective)
        return self._periods.turn(actor, running, turn)
