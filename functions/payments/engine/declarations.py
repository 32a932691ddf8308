"""What a resource is: its properties, bodies, indexes and rules, as data. Routes, checks, search and documents follow.

Declarations live in `payments.resources`, one module per part of the family, and hold no behaviour; what a group does
beyond them are `Hooks` of its service. `catalogue` finds the declaration of another part by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from payments.engine.fields import Embedded, Field, LanguageCode, Link, Long, Many, Moment, Shape, TimeZone, Type, int32

Scope = Literal["space", "account", "tenant", "global"]
"""Whose an object is: `space` and `account` come from the header of that name, `tenant` (everything below the root
account) and `global` need neither."""

Deletion = Literal["hard", "soft"]
"""Gone (404 afterwards), or kept with the state DELETED."""

DELETED: Final = "DELETED"

ID: Final = Field("id", Long(1))
VERSION: Final = Field("version", int32(0))
CREATED_ON: Final = Field("createdOn", Moment())
SPACE_ID: Final = Field("linkedSpaceId", Long(1))
PURGE_DATE: Final = Field("plannedPurgeDate", Moment())
LANGUAGE: Final = Field("language", LanguageCode())
TIME_ZONE: Final = Field("timeZone", TimeZone())
SPACE_VIEW: Final = Field("spaceViewId", Long(1))
"""Properties that many models share (fact file 2.16, ‹…›). The engine fills the first four."""


@dataclass(frozen=True)
class Parent:
    """A resource whose objects lie below one object of another: `/customers/{customerId}/addresses`.

    `parameter` names the path parameter, `resource` the parent's declaration, `field` the link to it.
    """

    parameter: str
    resource: str
    field: str


@dataclass(frozen=True)
class Resource:
    """One resource of the API.

    `path` is the collection's path below the base. `create` and `update` are the bodies (the updating one with
    `version`); without them there are no such operations. `indexed` fields can be searched by equality on any amount of
    data, the most telling first; `unique` ones hold one object per scope and value. `permission` begins the names of
    its permissions (`customer` gives `customer.read`). `data` names the file of a resource that is the same for all.
    """

    name: str
    path: str
    fields: tuple[Field, ...]
    tag: str = ""
    scope: Scope = "space"
    create: Shape | None = None
    update: Shape | None = None
    indexed: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    permission: str = ""
    delete: Deletion | None = None
    bulk: bool = False
    parent: Parent | None = None
    data: str | None = None
    searchable: bool = True
    listable: bool = True

    @cached_property
    def kind(self) -> str:
        """The name in keys: `paymentMethodConfiguration`."""
        return self.name[:1].lower() + self.name[1:]

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        return {field.name: field for field in self.fields}

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Properties left out unless expanded."""
        return frozenset(field.name for field in self.fields if field.hidden)

    @cached_property
    def secret(self) -> frozenset[str]:
        """Properties never answered."""
        return frozenset(field.name for field in self.fields if field.secret)

    @cached_property
    def shape(self) -> Shape:
        """The object as answered."""
        return Shape(self.name, self.fields)

    def has(self, name: str) -> bool:
        return name in self.by_name

    def permission_to(self, verb: Literal["read", "create", "update", "delete"]) -> str:
        """The permission's name; empty for what everybody may read."""
        return "" if self.data is not None else f"{self.permission or self.kind}.{verb}"


def links_of(fields: tuple[Field, ...]) -> list[tuple[str, Link, bool]]:
    """The links among fields, as (name, link, whether it is a list of them)."""
    found: list[tuple[str, Link, bool]] = []
    for field in fields:
        inner = inner_type(field.type)
        if isinstance(inner, Link):
            found.append((field.name, inner, isinstance(field.type, Many)))
    return found


def inner_type(of: Type) -> Type:
    """The type of a value, or of the elements of a list."""
    return of.of if isinstance(of, Many) else of


def fields_within(of: Type) -> tuple[Field, ...]:
    """The properties of an embedded value, or of the elements of a list of them; none for other types."""
    inner = inner_type(of)
    return inner.shape.fields if isinstance(inner, Embedded) else ()
