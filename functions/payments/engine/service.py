"""The use cases that every resource has: create, read, list, search, update, delete, each one at a time or in bulk.

A group adds what is its own by `Hooks`, which see the open transaction: further conditions, puts, announcements. Order
of checks on a change: object (404), body types (400), version (409), body rules (422), and what the commit refuses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from payments.engine import catalogue, documents
from payments.engine.declarations import DELETED, Parent, Resource, fields_within
from payments.engine.errors import AlreadyThere, ObjectNotFound, VersionConflict
from payments.engine.faults import Faults
from payments.engine.fields import Field, Link, Many, Shape, stamp
from payments.engine.models import Context, Entity, Page, Values
from payments.engine.repository import IdTaken, Objects, child_scope, key, partition
from payments.engine.search import Asked, SearchIndex, TableSearch, read
from tollgate import clock, ids
from tollgate.errors import Contended, Invalid
from tollgate.store.transaction import Transaction

ATTEMPTS: Final = 8


@dataclass
class Change:
    """A change under way. Hooks may set `values` (properties) and `attributes`, and add to `transaction`.

    `before` is the object as read (None on creation), `given` what the body said, None for null. `id` and `scope` are
    the object's; `parent` is what it lies below.
    """

    context: Context
    resource: Resource
    objects: Objects
    transaction: Transaction
    scope: str
    id: int
    given: Mapping[str, Any]
    values: Values
    before: Entity | None = None
    parent: Entity | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    condition: str | None = None
    condition_values: dict[str, Any] = field(default_factory=dict)
    refusal: Any = None


class Hooks:
    """What a group does beyond the engine at each change of its resource. Nothing, unless overridden. A hook may run
    more than once for one request, since a change that lost against another writer begins again."""

    def creating(self, change: Change) -> None:
        """Before a new object is written."""

    def updating(self, change: Change) -> None:
        """Before the next version of an object is written."""

    def deleting(self, change: Change) -> None:
        """Before an object is deleted."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a creation came to: `replayed` when the external id had made the object before."""

    entity: Entity
    replayed: bool = False


class ResourceService:
    """The use cases of one resource."""

    def __init__(
        self, resource: Resource, objects: Objects, hooks: Hooks | None = None, search: SearchIndex | None = None
    ) -> None:
        self.resource = resource
        self.objects = objects
        self._hooks = hooks or Hooks()
        self._search = search or TableSearch(objects)

    @property
    def creating(self) -> Shape:
        """The body that makes an object."""
        return _required(self.resource.create)

    @property
    def updating(self) -> Shape:
        """The body that changes one."""
        return _required(self.resource.update)

    # ------------------------------------------------------------------ reading

    def parent_of(self, context: Context, path: Mapping[str, int | None]) -> Entity | None:
        """The object that the path names as parent.

        Raises:
            ObjectNotFound: it is not there.
        """
        parent = self.resource.parent
        if parent is None:
            return None
        resource, number = _parent_resource(parent), path.get(parent.parameter)
        if number is None:
            raise ObjectNotFound
        return self.objects.read(resource, context.place.scope_of(resource), number)

    def scope(self, context: Context, parent: Entity | None = None) -> str:
        return child_scope(parent) if parent is not None else context.place.scope_of(self.resource)

    def read(self, context: Context, object_id: int, parent: Entity | None = None) -> Entity:
        """Raises:
        ObjectNotFound: no such object in the caller's scope.
        """
        return self.objects.read(self.resource, self.scope(context, parent), object_id)

    def page(self, context: Context, asked: Mapping[str, Any], parent: Entity | None = None) -> Page:
        """A page of the list; `asked` are the parameters of `parameters.LIST`."""
        scope = self.scope(context, parent)
        return self.objects.page(
            self.resource, scope, asked["limit"], asked["after"], asked["before"], bool(asked["order"])
        )

    def search(self, context: Context, asked: Mapping[str, Any], parent: Entity | None = None) -> Page:
        """A page of a search; `asked` are the parameters of `parameters.SEARCH`."""
        predicate, keys = read(
            self.resource, asked["query"], asked["order"], lambda each: context.can(each.permission_to("read"))
        )
        scope = self.scope(context, parent)
        found = Asked(self.resource, scope, context.place, predicate, keys, asked["offset"], asked["limit"])
        return self._search.find(found)

    # ------------------------------------------------------------------ changing

    def create(self, context: Context, body: Any, parent: Entity | None = None) -> Made:
        """A new object; the earlier one where its external id was used with the same content."""
        given = _read(self.creating, body)
        for _ in range(ATTEMPTS):
            try:
                return Made(self.insert(context, given, parent))
            except AlreadyThere as earlier:
                return Made(self.read(context, earlier.id, parent), replayed=True)
            except IdTaken:
                continue
        raise Contended

    def insert(self, context: Context, given: Mapping[str, Any], parent: Entity | None = None) -> Entity:
        """A new object of members that have been read. One attempt.

        Raises:
            IdTaken, AlreadyThere: see `create`.
        """
        change = self.new_change(context, given, parent)
        self._hold_links(change, self.creating)
        self._hooks.creating(change)
        entity = self.new_entity(change)
        self.objects.insert(change.transaction, entity, digest(given))
        change.transaction.commit()
        return entity

    def new_change(self, context: Context, given: Mapping[str, Any], parent: Entity | None = None) -> Change:
        """The beginning of a creation: an id, an open transaction, the members given."""
        values = {name: each for name, each in given.items() if each is not None and self.resource.has(name)}
        number = ids.new_number(clock.now())
        change = Change(
            context, self.resource, self.objects, self.objects.begin(), self.scope(context, parent), number, given,
            values, parent=parent,
        )  # fmt: skip
        if parent is not None and self.resource.parent is not None:
            values[self.resource.parent.field] = {"id": parent.id}
            change.transaction.check(
                self.objects.table, partition(parent.resource, parent.scope), key(parent.id), "attribute_exists(pk)",
                refusal=lambda _: ObjectNotFound(),
            )  # fmt: skip
        return change

    def new_entity(self, change: Change, version: int = 1) -> Entity:
        """The new object of a change, with the properties that the engine sets."""
        resource, own = self.resource, {"id": change.id}
        made: Values = dict(own)
        if resource.has("version"):
            made["version"] = version
        if resource.has("createdOn"):
            made["createdOn"] = stamp(ids.moment_of_number(change.id))
        if resource.has("linkedSpaceId"):
            made["linkedSpaceId"] = change.context.place.space_id
        made.update({name: each for name, each in change.values.items() if each is not None})
        return Entity(resource, change.scope, change.id, version, made, change.attributes)

    def update(self, context: Context, before: Entity, body: Any, parent: Entity | None = None) -> Entity:
        """The next version of an object that was read, with the members that the body gives."""
        given = _read_update(self.resource, before, body)
        values = {name: each for name, each in given.items() if name != "version"}
        change = self.change_of(context, before, given, parent)
        change.values = values
        self._hold_links(change, self.updating)
        self._hooks.updating(change)
        return self.commit(change)

    def change_of(
        self, context: Context, before: Entity, given: Mapping[str, Any] | None = None, parent: Entity | None = None
    ) -> Change:
        """The beginning of a change of an object that was read, for an operation of a group's own."""
        return Change(
            context, self.resource, self.objects, self.objects.begin(), before.scope, before.id, given or {}, {},
            before=before, parent=parent,
        )  # fmt: skip

    def commit(self, change: Change) -> Entity:
        """Write the next version of a change's object with everything else in its transaction.

        Raises:
            VersionConflict: another writer was first; what `change.refusal` says where `change.condition` failed.
        """
        if change.before is None:
            raise ValueError("there is nothing to change")
        after = change.before.changed(change.values, change.attributes)
        self.objects.replace(
            change.transaction, change.before, after,
            condition=change.condition, values=change.condition_values, refusal=change.refusal,
        )  # fmt: skip
        change.transaction.commit()
        return after

    def delete(self, context: Context, object_id: int, parent: Entity | None = None) -> None:
        """Delete an object for good, or mark it so, as the resource has it."""
        for _ in range(ATTEMPTS):
            before = self.read(context, object_id, parent)
            change = self.change_of(context, before, parent=parent)
            try:
                if self.resource.delete == "hard":
                    self._hooks.deleting(change)
                    self.objects.remove(change.transaction, before)
                    change.transaction.commit()
                elif before.state != DELETED:
                    change.values["state"] = DELETED
                    self._hooks.deleting(change)
                    self.commit(change)
            except VersionConflict:
                continue
            return
        raise Contended

    def _hold_links(self, change: Change, shape: Shape) -> None:
        """Require the objects that the body links to. The parent is held already, and has to be the path's."""
        parent = self.resource.parent
        held: set[tuple[str, int]] = set()
        for path, link, object_id in _links_within(shape.fields, change.given, ""):
            if parent is not None and path == parent.field:
                if change.parent is not None and object_id != change.parent.id:
                    raise Invalid.at(path, "must be the object of the path")
                continue
            target = catalogue.find(link.target)
            if target is not None and target.parent is None and (target.kind, object_id) not in held:
                held.add((target.kind, object_id))
                self.objects.require(change.transaction, target, change.context.place, object_id, path)


def digest(given: Mapping[str, Any]) -> str:
    """What tells whether two bodies have the same content, whatever the order of their members."""
    return hashlib.sha256(documents.encode(_sorted(given)).encode()).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def _read(shape: Shape, body: Any) -> dict[str, Any]:
    faults = Faults()
    given = shape.read(body, "", faults)
    faults.raise_types()
    faults.raise_rules()
    return given


def _read_update(resource: Resource, before: Entity, body: Any) -> dict[str, Any]:
    """The members of an updating body.

    Raises:
        BadBody, VersionConflict, Invalid: in this order.
    """
    faults = Faults()
    given = _required(resource.update).read(body, "", faults, partial=True)
    faults.raise_types()
    if resource.has("version") and given.get("version") != before.version:
        missing = given.get("version") is None
        raise VersionConflict("The version of the object to change is required" if missing else None)
    for name in resource.create.required if resource.create else ():
        if name in given and given[name] is None:
            faults.broken_rule(name, "must not be cleared")
    faults.raise_rules()
    return given


def _links_within(fields: tuple[Field, ...], given: Mapping[str, Any], path: str) -> Iterator[tuple[str, Link, int]]:
    for each in fields:
        value = given.get(each.name)
        if value is None:
            continue
        here = f"{path}.{each.name}" if path else each.name
        many = isinstance(each.type, Many)
        inner = each.type.of if isinstance(each.type, Many) else each.type
        for n, element in enumerate(value if many else [value]):
            at = f"{here}[{n}]" if many else here
            if isinstance(inner, Link) and inner.checked:
                yield at, inner, element["id"]
            elif fields_within(inner):
                yield from _links_within(fields_within(inner), element, at)


def _required(shape: Shape | None) -> Shape:
    if shape is None:
        raise LookupError("the resource has no such operation")
    return shape


def _parent_resource(parent: Parent) -> Resource:
    found = catalogue.find(parent.resource)
    if found is None:
        raise LookupError(f"{parent.resource} is not declared")
    return found
