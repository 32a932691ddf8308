"""A unit of work: objects of several kinds that change together, with what is to be announced and to be done later.

Everything goes into one transaction; every object that is replaced is held to the version that was read, so a decision
made on what was read holds when it is written or is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from payments import announcements, work
from payments.engine.declarations import Resource
from payments.engine.errors import VersionConflict
from payments.engine.fields import stamp
from payments.engine.models import Entity
from payments.engine.repository import IdTaken, Objects
from payments.work import Work
from tollgate import clock, ids
from tollgate.errors import Contended
from tollgate.store.transaction import Transaction

ATTEMPTS: Final = 12
_FIRST_PAUSE_MILLISECONDS: Final = 10
_LONGEST_PAUSE_MILLISECONDS: Final = 320

T = TypeVar("T")


class UnitOfWork:
    """Objects of one scope (a space) that change together, for one tenant."""

    def __init__(self, objects: Objects, tenant: str, scope: str, transaction: Transaction | None = None) -> None:
        self.objects = objects
        self.tenant = tenant
        self.scope = scope
        self.transaction = objects.begin() if transaction is None else transaction

    def insert(
        self,
        resource: Resource,
        values: Mapping[str, Any],
        attributes: Mapping[str, Any] | None = None,
        *,
        digest: str = "",
        number: int | None = None,
        version: int = 1,
    ) -> Entity:
        """A new object with the properties that all have; announced with its state."""
        made = new_entity(resource, self.scope, values, attributes, number=number, version=version)
        self.objects.insert(self.transaction, made, digest)
        self.announce(made)
        return made

    def replace(
        self, before: Entity, values: Mapping[str, Any], attributes: Mapping[str, Any] | None = None,
        states: tuple[str, ...] = (),
    ) -> Entity:  # fmt: skip
        """The next version of an object; `states` are those it passes, each announced. The last one is its state."""
        changed = dict(values)
        if states:
            changed["state"] = states[-1]
        after = before.changed(changed, attributes)
        self.objects.replace(self.transaction, before, after)
        for state in states:
            announcements.announce(self.transaction, self.objects, self.tenant, after, state)
        if not states:
            announcements.announce(self.transaction, self.objects, self.tenant, after, transition=False)
        return after

    def announce(self, entity: Entity) -> None:
        announcements.announce(self.transaction, self.objects, self.tenant, entity)

    def later(self, queue: str, kind: str, due: int, object_id: int) -> None:
        """Come back to an object."""
        work.put(self.transaction, self.objects, self._work(queue, kind, due, object_id))

    def no_longer(self, queue: str, kind: str, due: int, object_id: int) -> None:
        """Do not come back to it."""
        work.drop(self.transaction, self.objects, self._work(queue, kind, due, object_id))

    def commit(self) -> None:
        """Raises:
        VersionConflict: another writer changed one of the objects first.
        """
        self.transaction.commit()

    def _work(self, queue: str, kind: str, due: int, object_id: int) -> Work:
        return Work(queue, kind, due, self.tenant, self.scope, object_id)


def new_entity(
    resource: Resource,
    scope: str,
    values: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    *,
    number: int | None = None,
    version: int = 1,
) -> Entity:
    """A new object, not yet written."""
    number = number or ids.new_number(clock.now())
    own: dict[str, Any] = {"id": number}
    if resource.has("version"):
        own["version"] = version
    if resource.has("createdOn"):
        own["createdOn"] = stamp(ids.moment_of_number(number))
    if resource.has("linkedSpaceId"):
        own["linkedSpaceId"] = space_of(scope)
    given = {name: each for name, each in values.items() if each is not None}
    return Entity(resource, scope, number, version, {**own, **given}, dict(attributes or {}))


def space_of(scope: str) -> int:
    """The space of a scope `S<id>`."""
    return int(scope.partition("#")[0][1:])


def attempts() -> Iterator[None]:
    """One turn for each attempt to be first, behind pauses that grow, so that of many at once each comes through."""
    pause = _FIRST_PAUSE_MILLISECONDS
    for n in range(ATTEMPTS):
        if n:
            clock.pause(ids.uniform(0, pause) / 1000)
            pause = min(2 * pause, _LONGEST_PAUSE_MILLISECONDS)
        yield


def repeated(attempt: Callable[[], T]) -> T:
    """What an attempt comes to, made again as long as other writers were first.

    Raises:
        Contended: too often.
    """
    for _ in attempts():
        try:
            return attempt()
        except (VersionConflict, IdTaken):
            continue
    raise Contended
