"""What holds whenever products, versions, components, fees and tiers are made, changed and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from payments import amounts, states
from payments.engine.declarations import Resource
from payments.engine.errors import ObjectNotFound, StateInvalid
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.engine.service import Change, Hooks
from payments.resources.subscription_products import (
    COMPONENT_REFERENCE,
    METERED_FEE,
    PERIOD_FEE,
    PRODUCT,
    PRODUCT_VERSION,
    SETUP_FEE,
)
from payments.states import Machine
from payments.subscriptions.errors import StillInUse
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules.cycles import Cycle
from payments.subscriptions.rules.terms import localized
from payments.units import UnitOfWork
from tollgate.errors import Fault, Invalid

PRODUCT_STATES: Final[Machine] = {
    "CREATE": frozenset({"ACTIVE", "INACTIVE"}),
    "ACTIVE": frozenset({"INACTIVE", "RETIRING"}),
    "INACTIVE": frozenset({"ACTIVE", "RETIRING"}),
    "RETIRING": frozenset({"RETIRED"}),
    "RETIRED": frozenset(),
}
_LONGEST_NAME: Final = 100


class CreationHooks(Hooks):
    """Objects that are ACTIVE unless told otherwise, and change between the states that may be asked for."""

    def __init__(self, machine: Machine = states.CREATION_ENTITY) -> None:
        self._machine = machine

    def creating(self, change: Change) -> None:
        change.values.setdefault("state", "ACTIVE")

    def updating(self, change: Change) -> None:
        before, asked = before_of(change).state or "", change.values.get("state")
        if before not in ("CREATE", "ACTIVE", "INACTIVE"):
            raise StateInvalid
        if "state" in change.values and asked is None:
            raise Invalid.at("state", "must not be cleared")
        if asked is not None and asked != before and not states.may(self._machine, before, asked):
            raise StateInvalid


class ProductHooks(CreationHooks):
    """Whether a product sells stands beside it, for the condition of a subscription."""

    def __init__(self) -> None:
        super().__init__(PRODUCT_STATES)

    def creating(self, change: Change) -> None:
        super().creating(change)
        change.values["spaceId"] = change.context.place.space_id
        change.attributes["sells"] = change.values["state"] == "ACTIVE"

    def updating(self, change: Change) -> None:
        super().updating(change)
        after = change.values.get("state") or before_of(change).state
        change.attributes["sells"] = after == "ACTIVE"


class VersionHooks(Hooks):
    """Versions of a product are numbered; one can be changed while it is PENDING."""

    def __init__(self, objects: Objects, records: SubscriptionRecords) -> None:
        self._objects = objects
        self._records = records

    def creating(self, change: Change) -> None:
        change.values.pop("version", None)
        self._require_pending(change)
        product = _linked(self._objects, change, PRODUCT, "product")
        if product.state in ("RETIRING", "RETIRED"):
            raise StateInvalid
        number = self._records.next_increment(change.scope, product.id)
        change.values.update(
            state="PENDING",
            incrementNumber=number,
            reference=f"{product.values['reference']}-{number}",
            taxCalculation=change.values.get("taxCalculation", "TAX_INCLUDED"),
        )
        self._complete(change, {})
        self._records.open_edits(change.transaction, change.scope, change.id)

    def updating(self, change: Change) -> None:
        before = before_of(change)
        if before.state != "PENDING":
            raise StateInvalid
        self._require_pending(change)
        keep(change, "product")
        self._complete(change, before.values)

    def _require_pending(self, change: Change) -> None:
        if change.values.pop("state", None) not in (None, "PENDING"):
            raise Invalid.at("state", "is changed by activating and retiring the version")

    def _complete(self, change: Change, before: Mapping[str, Any]) -> None:
        """Both forms of the billing cycle from the one that was given, and currencies that agree."""
        for name, other in (("billingCycle", "billingCycleModel"), ("billingCycleModel", "billingCycle")):
            if change.values.get(name) is None and name in change.values and change.values.get(other) is None:
                change.values[other] = None
        cycle = Cycle.read(change.values)
        if cycle is not None:
            change.values.update(billingCycle=cycle.duration, billingCycleModel=cycle.model)
        after = {**before, **change.values}
        default, enabled = after.get("defaultCurrency"), after.get("enabledCurrencies")
        if default is not None and enabled is not None and default not in enabled:
            raise Invalid.at("defaultCurrency", "must be one of the enabled currencies")


class BelowVersionHooks(Hooks):
    """What lies below a product version: it follows the version's edits, and its place does not change.

    `above` is the property that links to what an object lies directly below, and that resource.
    """

    def __init__(
        self, objects: Objects, records: SubscriptionRecords, above: str, resource: Resource,
        below: tuple[tuple[Resource, str], ...] = (),
    ) -> None:  # fmt: skip
        self.objects = objects
        self.records = records
        self._above = above
        self._resource = resource
        self._below = below

    def creating(self, change: Change) -> None:
        change.values.pop("version", None)
        above = change.parent or _linked(self.objects, change, self._resource, self._above)
        version = above.id if above.resource is PRODUCT_VERSION else above.attributes["product_version"]
        change.attributes["product_version"] = version
        self.records.count_edit(change.transaction, change.scope.partition("#")[0], version)
        self.check(change)

    def updating(self, change: Change) -> None:
        before = before_of(change)
        keep(change, self._above)
        self.records.count_edit(
            change.transaction, change.scope.partition("#")[0], before.attributes["product_version"]
        )
        self.check(change)

    def deleting(self, change: Change) -> None:
        before = before_of(change)
        version = before.attributes["product_version"]
        seen = self.records.edits(change.scope.partition("#")[0], version)
        for resource, field in self._below:
            if self.records.has_any(resource, change.scope, field, before.id):
                raise StillInUse("objects below it")
        self.records.count_edit(change.transaction, change.scope.partition("#")[0], version, seen=seen.count)

    def check(self, change: Change) -> None:
        """What else has to hold of the object."""


class ComponentHooks(BelowVersionHooks):
    """Components, each with a reference that is the same in other versions."""

    def creating(self, change: Change) -> None:
        super().creating(change)
        if change.values.get("reference") is None:
            unit = UnitOfWork(change.objects, change.context.tenant, change.scope, change.transaction)
            name = localized(change.values.get("name"), "en-US")[:_LONGEST_NAME]
            made = unit.insert(COMPONENT_REFERENCE, {"name": name or None, "state": "ACTIVE"})
            change.values["reference"] = {"id": made.id}

    def check(self, change: Change) -> None:
        after = {**(change.before.values if change.before else {}), **change.values}
        least, most, step = (after.get(name) for name in ("minimalQuantity", "maximalQuantity", "quantityStep"))
        if least is not None and most is not None and least > most:
            raise Invalid.at("maximalQuantity", "must not be less than the minimal quantity")
        if step is not None and step <= 0:
            raise Invalid.at("quantityStep", "must be above zero")
        if "reference" in change.values and change.before is not None and after.get("reference") is None:
            raise Invalid.at("reference", "must not be cleared")


class FeeHooks(BelowVersionHooks):
    """Fees, whose type follows from their resource and whose amounts are amounts of money."""

    def creating(self, change: Change) -> None:
        super().creating(change)
        change.values["type"] = FEE_TYPES[change.resource]
        if change.resource is METERED_FEE:
            change.values.setdefault("tierPricing", "CHEAPEST_TIER_PRICING")

    def check(self, change: Change) -> None:
        faults: list[Fault] = []
        for name in ("setupFee", "onUpgradeCreditedAmount", "onDowngradeCreditedAmount", "periodFee", "fee"):
            faults += _amount_faults(change.values.get(name) or (), name, money=name != "fee")
        if faults:
            raise Invalid(faults)


FEE_TYPES: Final = {SETUP_FEE: "SETUP_FEE", PERIOD_FEE: "PERIOD_FEE", METERED_FEE: "METERED_FEE"}


class TierHooks(FeeHooks):
    """Tiers, which lie below a metered fee by their path."""

    def creating(self, change: Change) -> None:
        BelowVersionHooks.creating(self, change)
        change.values.setdefault("startRange", 0)


# ---------------------------------------------------------------------- parts


def before_of(change: Change) -> Entity:
    """The object that is changed."""
    if change.before is None:
        raise LookupError("there is nothing to change")
    return change.before


def keep(change: Change, name: str) -> None:
    """A link that was set when the object was made may be repeated and nothing else.

    Raises:
        Invalid: at the property.
    """
    if name in change.values and change.values[name] != before_of(change).values.get(name):
        raise Invalid.at(name, "cannot be changed")


def _linked(objects: Objects, change: Change, resource: Resource, name: str) -> Entity:
    """The object that the body links to.

    Raises:
        Invalid: at `name`, none is given or it is not there.
    """
    link = change.values.get(name)
    if link is None:
        raise Invalid.at(name, "must be given")
    try:
        return objects.read(resource, change.scope, link["id"])
    except ObjectNotFound:
        raise Invalid.at(name, "names an object that is not there") from None


def _amount_faults(prices: Iterable[Mapping[str, Any]], name: str, *, money: bool) -> list[Fault]:
    """Every currency once; amounts that are charged as they are have the places of their currency."""
    faults: list[Fault] = []
    seen: set[str] = set()
    for n, each in enumerate(prices):
        if each["currency"] in seen:
            faults.append(Fault(f"{name}[{n}].currency", "must be given once"))
        seen.add(each["currency"])
        if money:
            try:
                amounts.units(each["amount"], each["currency"], f"{name}[{n}].amount")
            except Invalid as broken:
                faults += broken.faults
    return faults
