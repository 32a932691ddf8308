"""Products and everything below them, and activation: what a version comes to then.

A product version and what lies below it can be changed as long as the version is PENDING. Activation freezes it as an
offer, makes the former one OBSOLETE, and from then on new subscriptions get it.
"""

from __future__ import annotations

from typing import Final

from payments.engine import documents
from payments.engine.declarations import Resource
from payments.engine.errors import StateInvalid
from payments.engine.fields import now
from payments.engine.models import Entity
from payments.engine.repository import Objects, child_scope
from payments.engine.service import ResourceService
from payments.resources.subscription_products import (
    COMPONENT,
    COMPONENT_GROUP,
    COMPONENT_REFERENCE,
    METERED_FEE,
    METRIC,
    PRODUCT,
    PRODUCT_VERSION,
    TIER,
)
from payments.subscriptions.errors import ProductIncomplete
from payments.subscriptions.models import Actor
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules import offers
from payments.subscriptions.service.product_hooks import (
    FEE_TYPES,
    BelowVersionHooks,
    ComponentHooks,
    CreationHooks,
    FeeHooks,
    ProductHooks,
    TierHooks,
    VersionHooks,
)
from payments.units import UnitOfWork, repeated
from tollgate.errors import Fault

_LONGEST_OFFER: Final = 300_000


class Products:
    """Products, their versions, and what lies below these."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.records = records = SubscriptionRecords(objects)
        self.products = ResourceService(PRODUCT, objects, ProductHooks())
        self.versions = ResourceService(PRODUCT_VERSION, objects, VersionHooks(objects, records))
        self.metrics = ResourceService(METRIC, objects, CreationHooks())
        self.groups = ResourceService(
            COMPONENT_GROUP, objects,
            BelowVersionHooks(objects, records, "productVersion", PRODUCT_VERSION, ((COMPONENT, "componentGroup"),)),
        )  # fmt: skip
        fees = tuple((each, "component") for each in FEE_TYPES)
        self.components = ResourceService(
            COMPONENT, objects, ComponentHooks(objects, records, "componentGroup", COMPONENT_GROUP, fees)
        )
        self.fees = tuple(
            ResourceService(each, objects, FeeHooks(objects, records, "component", COMPONENT)) for each in FEE_TYPES
        )
        self.tiers = ResourceService(TIER, objects, TierHooks(objects, records, "meteredFee", METERED_FEE))

    # ------------------------------------------------------------------ activation

    def activate(self, actor: Actor, version_id: int) -> Entity:
        """Offer a version instead of the one before; one that is offered stays so.

        Raises:
            StateInvalid: it is past that, or its product retires.
            ProductIncomplete: it lacks something, with everything that it lacks.
        """
        return repeated(lambda: self._activate(actor, version_id))

    def _activate(self, actor: Actor, version_id: int) -> Entity:
        before = self._objects.read(PRODUCT_VERSION, actor.scope, version_id)
        if before.state == "ACTIVE":
            return before
        product = self._objects.read(PRODUCT, actor.scope, before.link("product") or 0)
        if before.state != "PENDING" or product.state in ("RETIRING", "RETIRED"):
            raise StateInvalid
        edits = self.records.edits(actor.scope, version_id)
        offer = self._offer(actor, before)
        former = self.records.offered(actor.scope, product.id)
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        after = unit.replace(before, {"activatedOn": now()}, {"offer": offer}, ("ACTIVE",))
        if former is not None:
            obsolete = self._objects.read(PRODUCT_VERSION, actor.scope, former)
            unit.replace(obsolete, {"obsoletedOn": now()}, states=("OBSOLETE",))
        self.records.close_edits(unit.transaction, actor.scope, version_id, edits.count)
        self.records.offer(unit.transaction, actor.scope, product.id, former, version_id)
        self.records.hold_version(unit.transaction, product)
        unit.commit()
        return after

    def _offer(self, actor: Actor, version: Entity) -> str:
        """Everything below the version as one text."""
        found: list[offers.Below] = []
        for group in self._below(actor, COMPONENT_GROUP, "productVersion", version.id):
            components = self._below(actor, COMPONENT, "componentGroup", group.id)
            found.append(offers.Below(group, [self._component(actor, each) for each in components]))
        faults = offers.faults(version, found)
        if faults:
            raise ProductIncomplete(faults)
        text = documents.encode(offers.offer(version, found))
        if len(text.encode()) > _LONGEST_OFFER:
            raise ProductIncomplete([Fault("$", "must not have so many components and fees")])
        return text

    def _component(self, actor: Actor, component: Entity) -> offers.BelowComponent:
        reference = self._objects.read(COMPONENT_REFERENCE, actor.scope, component.link("reference") or 0)
        setup, period, metered = (self._below(actor, each, "component", component.id) for each in FEE_TYPES)
        return offers.BelowComponent(
            component, reference, setup, period, [(fee, self._tiers(fee)) for fee in metered]
        )  # fmt: skip

    def _tiers(self, fee: Entity) -> list[Entity]:
        return list(self._objects.walk(TIER, child_scope(fee), 0, 10**16 - 1, False))

    def _below(self, actor: Actor, resource: Resource, field: str, number: int) -> list[Entity]:
        return self.records.linked(resource, actor.scope, field, number)
