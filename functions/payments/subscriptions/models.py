"""What a subscription is made of beside its objects: the offer of a product version, what was chosen of it, what is
owed, who acts.

An offer is what an active product version comes to, frozen with its activation, so that everything it costs is known
from one object. Periods, charges and the subscription keep the numbers of one another as attributes beside their
documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from payments.engine import documents
from payments.engine.fields import moment_of
from payments.engine.models import Entity

QUEUE: Final = "subscriptions"

PERIOD: Final = "period"
CHARGE: Final = "charge"
SUSPENSION: Final = "suspension"
RETIREMENT: Final = "retirement"
VERSION_RETIREMENT: Final = "version-retirement"
"""Kinds of work: a period ends, a charge goes on, a suspension ends, a product or one of its versions retires."""

RESERVED: Final = "auto/"
"""External ids that begin so are ours: one for each period and for each of its entries."""

INITIAL: Final = "initial"
PERIODIC: Final = "period"
FINAL: Final = "final"
MANUAL: Final = "manual"
"""What a charge is for: the beginning, a period, the end, or a merchant's wish."""

RUNNING: Final = ("ACTIVE", "TERMINATION_SCHEDULED")
ENDED: Final = ("FAILED", "TERMINATED")


@dataclass(frozen=True, slots=True)
class Actor:
    """On whose behalf something is done: the tenant, the space's scope, the user (None for the clock)."""

    tenant: str
    scope: str
    user_id: int | None = None


Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Component:
    """A component of an offer. `fees` holds its setup, period and metered fees as the resources have them, each with
    its id, amounts by currency, tiers."""

    values: Json

    @property
    def id(self) -> int:
        return int(self.values["id"])

    @property
    def reference(self) -> int:
        return int(self.values["reference"])

    @property
    def weight(self) -> int:
        return int(self.values.get("weight") or 0)

    @property
    def is_default(self) -> bool:
        return bool(self.values.get("default"))

    def limit(self, name: str) -> Decimal | None:
        found = self.values.get(name)
        return None if found is None else Decimal(found)

    def fees(self, kind: str) -> list[Json]:
        return list(self.values["fees"].get(kind, ()))


@dataclass(frozen=True, slots=True)
class Group:
    """A choice among components."""

    optional: bool
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a product version comes to."""

    currencies: tuple[str, ...]
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, product_version: Entity) -> Offer:
        stored = documents.decode(product_version.attributes["offer"])
        groups = [Group(each["optional"], tuple(map(Component, each["components"]))) for each in stored["groups"]]
        return cls(tuple(stored["currencies"]), tuple(groups))

    @property
    def components(self) -> dict[int, Component]:
        """By id."""
        return {each.id: each for group in self.groups for each in group.components}


@dataclass(frozen=True, slots=True)
class Chosen:
    """So many of a component."""

    component: Component
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Draft:
    """A ledger entry to be: `key` is what it is known by within its charge, `amount` minor units."""

    key: str
    title: str
    amount: int
    quantity: Decimal
    fee_type: str
    component: Component
    pro_rata: bool = False
    metric: int | None = None


def moment(stored: str) -> datetime:
    """A stored moment."""
    found = moment_of(stored)
    if found is None:
        raise ValueError("not a stored moment")
    return found


def epoch_of(at: datetime) -> int:
    """Whole seconds since 1970, rounded up: nothing is due before its moment."""
    return -int(-at.astimezone(UTC).timestamp() // 1)
