"""Installing a web app into a space. A web app is an application user of the tenant.

Somebody of the space gets an activation code and hands it to the app (as the parameter of a redirect, usually); the app
confirms it and is installed. With it comes a further key of the app's user, shown once, which ends when the app is
uninstalled. What the app may do is a matter of its user's roles, as with any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from payments.engine.fields import now
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.resources.access import SPACE
from payments.resources.configurations import PAYMENT_CONNECTOR_CONFIGURATION, PAYMENT_PROCESSOR_CONFIGURATION
from payments.units import UnitOfWork, repeated
from payments.web_apps.errors import CodeUnknown, NotInstalled
from payments.web_apps.models import Code, Installation
from payments.web_apps.repository import WebAppRepository
from tollgate import clock, ids

_CONFIGURATIONS: Final = {
    "connectorConfiguration": PAYMENT_CONNECTOR_CONFIGURATION,
    "processorConfiguration": PAYMENT_PROCESSOR_CONFIGURATION,
}


class Keys(Protocol):
    """The keys of application users."""

    def issue(self, context: Context, user: int) -> tuple[int, str]:
        """A further key of a user: its number and, once, the key."""

    def deactivate(self, context: Context, user: int, key: int) -> None:
        """End a key."""


class Installing:
    """Codes and installations."""

    def __init__(self, objects: Objects, repository: WebAppRepository, keys: Keys) -> None:
        self._objects = objects
        self._repository = repository
        self._keys = keys

    def new_code(self, context: Context) -> str:
        """A code with which one app can be installed in the space, within the hour."""
        code = ids.new_secret()
        space = context.place.space_id
        if space is None:
            raise RuntimeError("the operation has no space")
        self._repository.keep_code(code, Code(context.tenant, context.place.root_id, space))
        return code

    def confirm(self, context: Context, code: str) -> tuple[Entity, str]:
        """Install the calling app; answers the space and a key.

        Raises:
            CodeUnknown: also where the code is another tenant's.
        """
        found = self._repository.code(code)
        space = self._objects.find(SPACE, f"A{found.root}", found.space)
        if found.tenant != context.tenant or space is None:
            raise CodeUnknown
        before = self._repository.installation(found.space, context.user_id)
        installation = before or Installation(ids.new_number(clock.now()), found.space, context.user_id)
        self._repository.install(code, installation)
        if before is not None and before.key:
            self._keys.deactivate(context, context.user_id, before.key)
        key, secret = self._keys.issue(context, context.user_id)
        self._repository.keep_key(replace(installation, key=key), key)
        return space, secret

    def is_installed(self, context: Context) -> bool:
        return self._find(context) is not None

    def uninstall(self, context: Context) -> None:
        """Remove the calling app, with what it brought in.

        Raises:
            NotInstalled.
        """
        installation = self._find(context)
        if installation is None:
            raise NotInstalled
        scope = f"S{installation.space}"
        for processor in self._repository.processors(scope, installation.id):
            delete_processor(self._objects, self._repository, context.tenant, processor)
        if installation.key:
            self._keys.deactivate(context, installation.user, installation.key)
        self._repository.uninstall(installation)

    def _find(self, context: Context) -> Installation | None:
        return self._repository.installation(context.place.space_id or 0, context.user_id)


def delete_processor(objects: Objects, repository: WebAppRepository, tenant: str, processor: Entity) -> None:
    """Mark a processor and its connectors as deleted; twice is once."""
    for connector in repository.connectors(processor.scope, processor.id):
        mark_deleted(objects, tenant, connector)
    mark_deleted(objects, tenant, processor)


def mark_deleted(objects: Objects, tenant: str, entity: Entity) -> None:
    """Mark an object of an app and the configuration that stands for it as deleted."""

    def attempt() -> None:
        before = objects.read(entity.resource, entity.scope, entity.id)
        if before.state == "DELETED":
            return
        unit = UnitOfWork(objects, tenant, entity.scope)
        unit.replace(before, {"state": "DELETED", "updatedOn": now()})
        _delete_configuration(unit, objects, before)
        unit.commit()

    repeated(attempt)


def _delete_configuration(unit: UnitOfWork, objects: Objects, entity: Entity) -> None:
    for name, resource in _CONFIGURATIONS.items():
        number = entity.link(name)
        found = objects.find(resource, entity.scope, number) if number else None
        if found is not None and found.state != "DELETED":
            unit.replace(found, {}, states=("DELETED",))
