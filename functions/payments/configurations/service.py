"""What configurations ask beyond the engine, and which connector a payment goes through.

A connector configuration joins a method and a processor that fit its connector; otherwise payments would be routed to
where they cannot go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from payments import announcements
from payments.connectors import (
    CARD_CONNECTOR,
    CARD_METHOD,
    CONNECTORS,
    INVOICE_CONNECTOR,
    INVOICE_METHOD,
    TEST_PROCESSOR,
    Connector,
    connected_acquirer,
)
from payments.engine.declarations import Resource
from payments.engine.errors import StateInvalid
from payments.engine.models import Entity
from payments.engine.repository import Objects, index_value
from payments.engine.service import Change, Hooks, ResourceService
from payments.resources.charge_flows import CHARGE_FLOW, CHARGE_FLOW_LEVEL_CONFIGURATION, DEMONSTRATION_LEVELS
from payments.resources.configurations import (
    PAYMENT_CONNECTOR_CONFIGURATION,
    PAYMENT_METHOD_CONFIGURATION,
    PAYMENT_PROCESSOR_CONFIGURATION,
)
from payments.units import UnitOfWork
from tollgate.errors import Fault, Invalid
from tollgate.store.transaction import Transaction

CACHE_SECONDS: Final = 5
MOST_CONNECTORS: Final = 200
MOST_SPACES: Final = 1000
_BEGINNINGS: Final = ("CREATE", "ACTIVE", "INACTIVE")


class ConfigurationHooks(Hooks):
    """What every configuration has in common: a state to begin with, and announcements."""

    def creating(self, change: Change) -> None:
        state = change.values.setdefault("state", "ACTIVE")
        if state not in _BEGINNINGS:
            raise Invalid.at("state", f"must be one of {', '.join(_BEGINNINGS)}")
        _announce(change, state)

    def updating(self, change: Change) -> None:
        before = change.before.state if change.before else None
        state = change.values.get("state", before)
        if before == "DELETED":
            raise StateInvalid
        if state not in _BEGINNINGS:
            raise Invalid.at("state", f"must be one of {', '.join(_BEGINNINGS)}")
        if state != before:
            _announce(change, state)

    def deleting(self, change: Change) -> None:
        _announce(change, "DELETED")


class MethodHooks(ConfigurationHooks):
    """Of payment method configurations: what buyers see, where nothing else is said."""

    def creating(self, change: Change) -> None:
        super().creating(change)
        change.values["spaceId"] = change.context.place.space_id
        change.values.setdefault("oneClickPaymentMode", "ALLOW")
        change.values.setdefault("sortOrder", 0)
        _resolve(change.values, change.values)

    def updating(self, change: Change) -> None:
        super().updating(change)
        before = change.before.values if change.before else {}
        _resolve(change.values, {**before, **change.values})


class ConnectorHooks(ConfigurationHooks):
    """Of payment connector configurations: the parts must fit."""

    def creating(self, change: Change) -> None:
        super().creating(change)
        change.values.setdefault("priority", 0)
        connector = CONNECTORS.get(change.values["connector"]["id"])
        if connector is None:
            raise Invalid.at("connector", "is not available in this deployment")
        _check_fit(change, connector)
        change.values["applicableForTransactionProcessing"] = change.values["state"] == "ACTIVE"

    def deleting(self, change: Change) -> None:
        super().deleting(change)
        change.values["applicableForTransactionProcessing"] = False


def _check_fit(change: Change, connector: Connector) -> None:
    scope, faults = change.scope, []
    method = change.objects.find(PAYMENT_METHOD_CONFIGURATION, scope, change.values["paymentMethodConfiguration"]["id"])
    processor = change.objects.find(
        PAYMENT_PROCESSOR_CONFIGURATION, scope, change.values["processorConfiguration"]["id"]
    )
    if method is not None and method.link("paymentMethod") != connector.method:
        faults.append(Fault("paymentMethodConfiguration", "must be of the connector's payment method"))
    if processor is not None and processor.link("processor") != connector.processor:
        faults.append(Fault("processorConfiguration", "must be of the connector's processor"))
    if faults:
        raise Invalid(faults)


def _resolve(values: dict[str, Any], now: dict[str, Any]) -> None:
    """What buyers see: the configured texts, or else the name."""
    fallback = {"en-US": now.get("name") or "Payment"}
    values["resolvedTitle"] = now.get("title") or fallback
    values["resolvedDescription"] = now.get("description") or {}
    if now.get("imageResourcePath"):
        values["resolvedImageUrl"] = now["imageResourcePath"]


def _announce(change: Change, state: str) -> None:
    shown = change.before or Entity(change.resource, change.scope, change.id, 1, {})
    announcements.announce(change.transaction, change.objects, change.context.tenant, shown, state)


def link_contract(service: ResourceService, change: Change, contract_id: int) -> Entity:
    """Note the contract that a processor configuration is billed under."""
    change.values["contractId"] = contract_id
    return service.commit(change)


def acquirer_of(configuration: Entity) -> str:
    """The acquirer behind a processor configuration.

    Raises:
        StateInvalid: its processor asks nobody for a key, or it was deleted.
    """
    acquirer = connected_acquirer(configuration.link("processor"))
    if acquirer is None or configuration.state == "DELETED":
        raise StateInvalid
    return acquirer


# ------------------------------------------------------------------ routing


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a payment: the connector, its configuration, the method's and the processor's."""

    configuration_id: int
    method_configuration_id: int
    connector: Connector
    processor_configuration_id: int = 0


_Configured = tuple[list[Entity], frozenset[tuple[str, int]]]
"""Connector configurations in order of preference, and which of the parts that they join are active."""


class Routing:
    """Finds the way of a payment. What is configured is remembered for seconds, so that payments do not pay for it."""

    def __init__(self, objects: Objects, *, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._objects = objects
        self._monotonic = monotonic
        self._known: dict[str, tuple[int, _Configured]] = {}

    def routes(self, scope: str, space_view: int | None = None, environment: str | None = None) -> list[Route]:
        """Every way that is open now, the preferred ones first: of the connectors that are for this space view, those
        whose method and processor are active as well; of one environment where that is asked for."""
        connectors, active = self._configurations(scope)
        found = [
            _route(each) for each in connectors
            if each.state == "ACTIVE" and _is_for(each, space_view) and _parts(each) <= active
        ]  # fmt: skip
        return [each for each in found if environment in (None, each.connector.environment)]

    def find(
        self, scope: str, *, method: int | None = None, allowed: Sequence[int] = (), cards: bool | None = None,
        configuration: int | None = None, space_view: int | None = None, environment: str | None = None,
    ) -> Route | None:  # fmt: skip
        """The best way that fits: for a method configuration, among those allowed, with or without cards. Nobody is
        turned away by what is remembered: where nothing fits, it is looked up."""

        def fits(each: Route) -> bool:
            return (
                method in (None, each.method_configuration_id)
                and configuration in (None, each.configuration_id)
                and (not allowed or each.method_configuration_id in allowed)
                and cards in (None, each.connector.takes_cards)
            )

        started = self._monotonic()
        found = next(filter(fits, self.routes(scope, space_view, environment)), None)
        known = self._known.get(scope)
        if found is None and known is not None and known[0] < started:
            self._known.pop(scope, None)
            found = next(filter(fits, self.routes(scope, space_view, environment)), None)
        return found

    def _configurations(self, scope: str) -> _Configured:
        now = self._monotonic()
        known = self._known.get(scope)
        if known is not None and now - known[0] < CACHE_SECONDS * 10**9:
            return known[1]
        found = self._read(scope)
        if len(self._known) > MOST_SPACES:
            self._known.clear()
        self._known[scope] = (now, found)
        return found

    def _read(self, scope: str) -> _Configured:
        resource, term = PAYMENT_CONNECTOR_CONFIGURATION, ("state", index_value("ACTIVE"))
        numbers = self._objects.ids(resource, scope, term, 0, 10**16 - 1, False, MOST_CONNECTORS)
        connectors = self._objects.find_many([(resource, scope, number) for number in numbers]).values()
        known = [each for each in connectors if each.link("connector") in CONNECTORS]
        known.sort(key=lambda each: (each.values.get("priority", 0), each.id))
        wanted = {(resource, scope, number) for each in known for resource, number in _linked(each)}
        parts = self._objects.find_many(wanted).values()
        return known, frozenset((each.resource.kind, each.id) for each in parts if each.state == "ACTIVE")


def _linked(configuration: Entity) -> list[tuple[Resource, int]]:
    """The method and the processor that a connector joins."""
    return [
        (PAYMENT_METHOD_CONFIGURATION, configuration.values["paymentMethodConfiguration"]["id"]),
        (PAYMENT_PROCESSOR_CONFIGURATION, configuration.values["processorConfiguration"]["id"]),
    ]


def _parts(configuration: Entity) -> set[tuple[str, int]]:
    return {(resource.kind, number) for resource, number in _linked(configuration)}


def _is_for(configuration: Entity, space_view: int | None) -> bool:
    views = configuration.values.get("enabledSpaceViews")
    return not views or space_view in views


def _route(configuration: Entity) -> Route:
    values = configuration.values
    connector = CONNECTORS[values["connector"]["id"]]
    return Route(
        configuration.id, values["paymentMethodConfiguration"]["id"], connector, values["processorConfiguration"]["id"]
    )


# ------------------------------------------------------------------ a new space


def add_demonstration(objects: Objects, transaction: Transaction, tenant: str, space_id: int) -> int:
    """What a new space of a sandbox begins with: cards and invoices at the test processor. Answers the number of the
    card's method configuration."""
    unit = UnitOfWork(objects, tenant, f"S{space_id}", transaction)
    active = {"state": "ACTIVE"}
    processor = unit.insert(
        PAYMENT_PROCESSOR_CONFIGURATION, {**active, "name": "Test Processor", "processor": {"id": TEST_PROCESSOR}}
    )
    made = []
    for priority, (name, method, connector) in enumerate(
        (("Card", CARD_METHOD, CARD_CONNECTOR), ("Invoice", INVOICE_METHOD, INVOICE_CONNECTOR)), 1
    ):
        values: dict[str, Any] = {
            **active, "name": name, "paymentMethod": {"id": method}, "spaceId": space_id, "sortOrder": priority,
            "dataCollectionType": "ONSITE" if method == CARD_METHOD else "OFFSITE", "oneClickPaymentMode": "ALLOW",
        }  # fmt: skip
        _resolve(values, values)
        made.append(unit.insert(PAYMENT_METHOD_CONFIGURATION, values))
        unit.insert(
            PAYMENT_CONNECTOR_CONFIGURATION,
            {
                **active, "name": f"Test {name}", "connector": {"id": connector}, "priority": priority,
                "paymentMethodConfiguration": {"id": made[-1].id}, "processorConfiguration": {"id": processor.id},
                "applicableForTransactionProcessing": True,
            },
        )  # fmt: skip
    _add_flow(unit)
    return made[0].id


def _add_flow(unit: UnitOfWork) -> None:
    """A charge flow: the token if there is one, then two messages with a link."""
    flow = unit.insert(CHARGE_FLOW, {"state": "ACTIVE", "name": "Token, then payment links", "priority": 1})
    for priority, (name, kind, period) in enumerate(DEMONSTRATION_LEVELS, 1):
        unit.insert(
            CHARGE_FLOW_LEVEL_CONFIGURATION,
            {"state": "ACTIVE", "name": name, "type": kind, "period": period, "priority": priority,
             "flow": {"id": flow.id}},
        )  # fmt: skip
