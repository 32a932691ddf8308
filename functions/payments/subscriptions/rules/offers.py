"""What a product version comes to when it is activated, and what it must not lack then. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from payments.engine.models import Entity
from tollgate.errors import Fault

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BelowComponent:
    """A component with its reference and fees; metered ones with their tiers."""

    component: Entity
    reference: Entity
    setup: list[Entity] = field(default_factory=list)
    period: list[Entity] = field(default_factory=list)
    metered: list[tuple[Entity, list[Entity]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Below:
    """A component group with its components."""

    group: Entity
    components: list[BelowComponent]


def faults(version: Entity, groups: Sequence[Below]) -> list[Fault]:
    """Everything that the version lacks."""
    return [*_version_faults(version), *_group_faults(version, groups)]


def _version_faults(version: Entity) -> Iterator[Fault]:
    for name in ("billingCycle", "defaultCurrency", "enabledCurrencies", "name"):
        if not version.values.get(name):
            yield Fault(name, "must be set before the version can be activated")


def _group_faults(version: Entity, groups: Sequence[Below]) -> Iterator[Fault]:
    if not groups:
        yield Fault("componentGroups", "must not be empty")
    references: set[int] = set()
    for each in groups:
        at = f"componentGroups[{each.group.id}]"
        if not each.components:
            yield Fault(at, "must have a component")
        if sum(bool(below.component.values.get("defaultComponent")) for below in each.components) > 1:
            yield Fault(at, "must have one default component")
        for below in each.components:
            if below.reference.id in references:
                yield Fault(f"components[{below.component.id}].reference", "must be used once in a version")
            references.add(below.reference.id)
            yield from _fee_faults(version.values.get("enabledCurrencies") or (), below)


def _fee_faults(currencies: Sequence[str], below: BelowComponent) -> Iterator[Fault]:
    for fees, name, path in ((below.setup, "setupFee", "setupFees"), (below.period, "periodFee", "periodFees")):
        for fee in fees:
            yield from _currency_faults(currencies, fee, name, path)
    for fee, tiers in below.metered:
        if fee.values.get("metric") is None:
            yield Fault(f"meteredFees[{fee.id}].metric", "must be set before the version can be activated")
        if not tiers:
            yield Fault(f"meteredFees[{fee.id}]", "must have a tier")
        starts = [tier.values.get("startRange") for tier in tiers]
        if len(set(starts)) != len(starts):
            yield Fault(f"meteredFees[{fee.id}]", "must have tiers that begin at different quantities")
        for tier in tiers:
            yield from _currency_faults(currencies, tier, "fee", "tiers")


def _currency_faults(currencies: Sequence[str], fee: Entity, name: str, path: str) -> Iterator[Fault]:
    there = {each["currency"] for each in fee.values.get(name) or ()}
    if set(currencies) - there:
        yield Fault(f"{path}[{fee.id}].{name}", "must have an amount in every enabled currency")


def offer(version: Entity, groups: Sequence[Below]) -> Json:
    """The version and everything below it as one value (`models.Offer` reads it)."""
    return {
        "currencies": version.values["enabledCurrencies"],
        "groups": [
            {
                "optional": bool(each.group.values.get("optional")),
                "components": [_component(below) for below in each.components],
            }
            for each in groups
        ],
    }


def _component(below: BelowComponent) -> Json:
    values = below.component.values
    made = {
        "id": below.component.id,
        "reference": below.reference.id,
        "referenceName": below.reference.values.get("name"),
        "sku": below.reference.values.get("sku"),
        "name": values.get("name"),
        "default": values.get("defaultComponent"),
        "minimal": values.get("minimalQuantity"),
        "maximal": values.get("maximalQuantity"),
        "step": values.get("quantityStep"),
        "weight": values.get("componentChangeWeight"),
        "fees": {
            "setup": [_fee(each) for each in below.setup],
            "period": [_fee(each) for each in below.period],
            "metered": [{**_fee(each), "tiers": [_fee(tier) for tier in tiers]} for each, tiers in below.metered],
        },
    }
    return {name: each for name, each in made.items() if each is not None}


_OF_FEES = (
    "name", "ledgerEntryTitle", "numberOfFreeTrialPeriods", "setupFee", "onUpgradeCreditedAmount",
    "onDowngradeCreditedAmount", "periodFee", "tierPricing", "fee", "startRange",
)  # fmt: skip


def _fee(fee: Entity) -> Json:
    made = {name: fee.values[name] for name in _OF_FEES if fee.values.get(name) is not None}
    metric = fee.link("metric") if fee.resource.has("metric") else None
    return {"id": fee.id, **made, **({"metric": metric} if metric is not None else {})}
