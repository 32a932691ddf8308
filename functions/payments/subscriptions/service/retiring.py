"""Products and versions that retire: nobody subscribes to them any more, and who has is moved on or terminated.

The request writes the retirement and comes back by the clock, which goes through the subscriptions, a bounded number at
a time, and looks again until the last one has gone. One that cannot be moved to the target is terminated instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from payments.engine.errors import StateInvalid
from payments.engine.fields import now
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.resources.subscription_products import (
    PRODUCT,
    PRODUCT_RETIREMENT,
    PRODUCT_VERSION,
    PRODUCT_VERSION_RETIREMENT,
    RETIRE_PRODUCT,
    RETIRE_PRODUCT_VERSION,
)
from payments.resources.subscriptions import SUBSCRIPTION, SUBSCRIPTION_VERSION
from payments.subscriptions.errors import NotOffered
from payments.subscriptions.models import ENDED, QUEUE, RETIREMENT, VERSION_RETIREMENT, Actor
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.service import bodies
from payments.subscriptions.service.lifecycle import Lifecycle
from payments.units import UnitOfWork, repeated
from tollgate import clock
from tollgate.errors import Invalid

MOST_AT_ONCE: Final = 50
_BATCH: Final = 100

Progress = int
DONE: Final = 0
WAITS: Final = 1
MORE: Final = 2
"""Nobody is left; those who are left go by themselves, when their time has come; there is more to do at once."""

LOOK_AGAIN_SECONDS: Final = {WAITS: 3600, MORE: 30}


class Retiring:
    """Retires products and versions."""

    def __init__(self, objects: Objects, lifecycle: Lifecycle) -> None:
        self._objects = objects
        self._records = SubscriptionRecords(objects)
        self._lifecycle = lifecycle

    # ------------------------------------------------------------------ beginning

    def retire_product(self, actor: Actor, product_id: int, body: Any) -> Entity:
        """Retire a product with all of its versions; answers the retirement, the same one if repeated."""
        self._objects.read(PRODUCT, actor.scope, product_id)
        given = bodies.read(RETIRE_PRODUCT, body)
        return repeated(lambda: self._retire_product(actor, product_id, given))

    def _retire_product(self, actor: Actor, product_id: int, given: Values) -> Entity:
        product = self._objects.read(PRODUCT, actor.scope, product_id)
        if product.state in ("RETIRING", "RETIRED"):
            return self._records.linked(PRODUCT_RETIREMENT, actor.scope, "product", product_id)[0]
        self._require_target(actor, given, product_id)
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        made = unit.insert(PRODUCT_RETIREMENT, {**_terms(given), "product": {"id": product_id}})
        unit.replace(product, {}, {"sells": False}, ("RETIRING",))
        offered = self._records.offered(actor.scope, product_id)
        if offered is not None:
            self._records.offer(unit.transaction, actor.scope, product_id, offered, None)
        unit.later(QUEUE, RETIREMENT, clock.epoch(), made.id)
        unit.commit()
        return made

    def retire_version(self, actor: Actor, version_id: int, body: Any) -> Entity:
        """Retire a version of a product; answers the retirement, the same one if repeated.

        Raises:
            StateInvalid: it never was active.
        """
        self._objects.read(PRODUCT_VERSION, actor.scope, version_id)
        given = bodies.read(RETIRE_PRODUCT_VERSION, body)
        return repeated(lambda: self._retire_version(actor, version_id, given))

    def _retire_version(self, actor: Actor, version_id: int, given: Values) -> Entity:
        version = self._objects.read(PRODUCT_VERSION, actor.scope, version_id)
        if version.state in ("RETIRING", "RETIRED"):
            found = self._records.linked(PRODUCT_VERSION_RETIREMENT, actor.scope, "productVersion", version_id)
            if found:
                return found[0]
        if version.state not in ("ACTIVE", "OBSOLETE"):
            raise StateInvalid
        product = version.link("product") or 0
        self._require_target(actor, given, product if version.state == "ACTIVE" else None)
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        made = unit.insert(PRODUCT_VERSION_RETIREMENT, {**_terms(given), "productVersion": {"id": version_id}})
        self._begin(unit, version)
        if self._records.offered(actor.scope, product) == version_id:
            self._records.offer(unit.transaction, actor.scope, product, version_id, None)
        unit.later(QUEUE, VERSION_RETIREMENT, clock.epoch(), made.id)
        unit.commit()
        return made

    def _begin(self, unit: UnitOfWork, version: Entity) -> Entity:
        return unit.replace(version, {"retiringStartedOn": now()}, states=("RETIRING",))

    def _require_target(self, actor: Actor, given: Values, retires: int | None) -> None:
        """The target, if there is one, is another product that can be subscribed to."""
        target = given.get("targetProduct")
        if target is None:
            return
        product = self._objects.find(PRODUCT, actor.scope, target["id"])
        offered = self._records.offered(actor.scope, target["id"])
        if product is None or product.state != "ACTIVE" or offered is None or product.id == retires:
            raise NotOffered("targetProduct", "must be another product that is active and has an active version")

    # ------------------------------------------------------------------ going on

    def go_on(self, actor: Actor, kind: str, retirement_id: int) -> Progress:
        """Move on some of those who are left."""
        if kind == RETIREMENT:
            retirement = self._objects.read(PRODUCT_RETIREMENT, actor.scope, retirement_id)
            return self._product(actor, retirement)
        retirement = self._objects.read(PRODUCT_VERSION_RETIREMENT, actor.scope, retirement_id)
        return self._version(actor, retirement, retirement.link("productVersion") or 0)

    def _product(self, actor: Actor, retirement: Entity) -> Progress:
        product_id = retirement.link("product") or 0
        progress = DONE
        for version in self._records.linked(PRODUCT_VERSION, actor.scope, "product", product_id):
            if version.state != "RETIRED":
                progress = max(progress, self._version(actor, retirement, version.id))
        if progress == DONE:
            repeated(lambda: self._end(actor, PRODUCT, product_id, {}))
        return progress

    def _version(self, actor: Actor, retirement: Entity, version_id: int) -> Progress:
        repeated(lambda: self._begin_due(actor, version_id))
        acted = waiting = 0
        for subscription in self._subscribed(actor, version_id):
            if not may_move(subscription):
                waiting += 1
                continue
            if acted == MOST_AT_ONCE:
                return MORE
            acted += 1
            waiting += not self._move_on(actor, retirement, subscription)
        if waiting:
            return WAITS
        repeated(lambda: self._end(actor, PRODUCT_VERSION, version_id, {"retiringFinishedOn": now()}))
        return DONE

    def _subscribed(self, actor: Actor, version_id: int) -> Iterator[Entity]:
        """The subscriptions of a product version that have not ended."""
        numbers = self._records.ids(SUBSCRIPTION, actor.scope, "currentProductVersion", version_id)
        while batch := list(islice(numbers, _BATCH)):
            found = self._objects.find_many((SUBSCRIPTION, actor.scope, each) for each in batch)
            yield from (each for each in found.values() if each.state not in ENDED)

    def _begin_due(self, actor: Actor, version_id: int) -> None:
        version = self._objects.read(PRODUCT_VERSION, actor.scope, version_id)
        if version.state in ("PENDING", "ACTIVE", "OBSOLETE"):
            unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
            self._begin(unit, version)
            unit.commit()

    def _end(self, actor: Actor, resource: Any, number: int, values: Values) -> None:
        entity = self._objects.read(resource, actor.scope, number)
        if entity.state == "RETIRING":
            unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
            unit.replace(entity, values, states=("RETIRED",))
            unit.commit()

    def _move_on(self, actor: Actor, retirement: Entity, subscription: Entity) -> bool:
        """Move one subscription on, or terminate it; answers whether it has gone at once."""
        respect = bool(retirement.values.get("respectTerminationPeriods"))
        target = retirement.values.get("targetProduct")
        if subscription.state == "PENDING":
            repeated(lambda: self._fail(actor, subscription.id))
            return True
        if target is not None and subscription.state == "ACTIVE":
            with contextlib.suppress(Invalid):  # nothing of the target fits what was chosen
                self._lifecycle.change(actor, subscription.id, {"product": target}, respect=respect, retires=True)
                return not respect
        with contextlib.suppress(StateInvalid):
            self._lifecycle.terminate(actor, subscription.id, respect=respect)
        return self._objects.read(SUBSCRIPTION, actor.scope, subscription.id).state in ENDED

    def _fail(self, actor: Actor, subscription_id: int) -> None:
        """What never began cannot begin any more."""
        subscription = self._objects.read(SUBSCRIPTION, actor.scope, subscription_id)
        if subscription.state != "PENDING":
            return
        number = int(subscription.attributes["current"])
        version = self._objects.read(SUBSCRIPTION_VERSION, actor.scope, number)
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        unit.replace(version, {"failedOn": now()}, states=("FAILED",))
        unit.replace(subscription, {}, states=("FAILED",))
        unit.commit()


def may_move(subscription: Entity) -> bool:
    """Whether a subscription is to be moved on: it neither begins just now, nor ends or changes already."""
    if subscription.state == "ACTIVE":
        return subscription.attributes.get("pending") is None
    return subscription.state in ("PENDING", "SUSPENDED")


def _terms(given: Values) -> Values:
    return {
        "respectTerminationPeriods": bool(given.get("respectTerminationPeriods")),
        "targetProduct": given.get("targetProduct"),
    }
