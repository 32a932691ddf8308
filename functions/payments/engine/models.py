"""Objects and where they lie: what the engine's parts hand to one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from payments.engine.declarations import Resource

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Whose objects a request acts on: the account, the space where the operation has one, and the account that all of
    the tenant's lie below."""

    account_id: int
    space_id: int | None = None
    root_id: int = 0

    def scope_of(self, resource: Resource) -> str:
        """The scope part of the resource's keys."""
        if resource.scope == "global":
            return "G"
        if resource.scope == "tenant":
            return f"A{self.root_id}"
        if resource.scope == "account":
            return f"A{self.account_id}"
        if self.space_id is None:
            raise RuntimeError("the operation has no space")
        return f"S{self.space_id}"


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, and for whom. `tenant` is the account of the platform, for events; `can` tells permissions of the
    family's tree (`customer.read`). `language` and `base` go into answers."""

    place: Place
    user_id: int
    tenant: str
    can: Callable[[str], bool] = lambda _: True
    base: str = "/api/v2.0"


@dataclass(frozen=True, slots=True)
class Entity:
    """One object: all of its properties in stored form, `id` and `version` included, and the attributes beside the
    document that conditions need (remaining amounts in minor units and the like)."""

    resource: Resource
    scope: str
    id: int
    version: int
    values: Values
    attributes: Mapping[str, Any] = field(default_factory=dict)
    more: int | None = field(default=None, compare=False)
    """How many further rows the object's text takes; None until it was read or written."""

    @property
    def state(self) -> str | None:
        found = self.values.get("state")
        return str(found) if found is not None else None

    def link(self, name: str) -> int | None:
        """The id behind a link property."""
        found = self.values.get(name)
        return int(found["id"]) if found else None

    def changed(self, values: Values, attributes: Mapping[str, Any] | None = None) -> Entity:
        """The next version, with these properties set (None clears) and these attributes beside the others."""
        merged = {name: each for name, each in {**self.values, **values}.items() if each is not None}
        version = self.version + 1
        if self.resource.has("version"):
            merged["version"] = version
        beside = {**self.attributes, **attributes} if attributes else self.attributes
        return replace(self, version=version, values=merged, attributes=beside, more=None)


@dataclass(frozen=True, slots=True)
class Page:
    """Objects of one page, and whether there are more in the direction of paging."""

    entities: list[Entity]
    has_more: bool
