"""Installations and codes in DynamoDB, and the objects of web apps by what they are looked up by.

Access patterns (`pk`, `sk`):
    whether a user's app is installed in a space      `S<space>#webApp`,   `<user id>`
    what an activation code stands for                `WEB-APP-CODE`,      `<digest of the code>`
A code's row expires; it is taken away in the write that installs, so of two confirmations one succeeds.
"""

from __future__ import annotations

import hashlib
from typing import Final

from payments.engine.declarations import Resource
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.web_apps import PAYMENT_APP_CONNECTOR, PAYMENT_APP_PROCESSOR
from payments.web_apps.errors import CodeUnknown
from payments.web_apps.models import CODE_SECONDS, Code, Installation
from tollgate import clock
from tollgate.store.transaction import Transaction

_LARGEST_ID: Final = 10**16 - 1
_CODES: Final = "WEB-APP-CODE"
MOST_OF_AN_APP: Final = 100


class WebAppRepository:
    """Installations, codes and what apps brought in."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._table = objects.table

    # ------------------------------------------------------------------ codes and installations

    def keep_code(self, code: str, of: Code) -> None:
        """Note what a code stands for; the code itself is not kept."""
        row = {"pk": _CODES, "sk": _digest(code), "tenant": of.tenant, "root": of.root, "space": of.space}
        self._table.put({**row, "expires": clock.epoch() + CODE_SECONDS})

    def code(self, code: str) -> Code:
        """Raises CodeUnknown."""
        row = self._table.get(_CODES, _digest(code))
        if not row or int(row["expires"]) <= clock.epoch():
            raise CodeUnknown
        return Code(str(row["tenant"]), int(row["root"]), int(row["space"]))

    def install(self, code: str, installation: Installation) -> None:
        """Use a code up. Raises CodeUnknown: somebody else has."""
        transaction = Transaction(self._table.client)
        transaction.delete(
            self._table, _CODES, _digest(code), condition="attribute_exists(pk)", refusal=lambda _: CodeUnknown()
        )  # fmt: skip
        transaction.put(
            self._table,
            {"pk": _partition(installation.space), "sk": str(installation.user), "id": installation.id},
        )
        transaction.commit()

    def keep_key(self, installation: Installation, key: int) -> None:
        self._table.update(
            _partition(installation.space), str(installation.user), "SET #key = :key", names={"#key": "key"},
            values={":key": key}, condition="attribute_exists(pk)",
        )  # fmt: skip

    def installation(self, space: int, user: int) -> Installation | None:
        row = self._table.get(_partition(space), str(user))
        return Installation(int(row["id"]), space, user, int(row.get("key", 0))) if row else None

    def uninstall(self, installation: Installation) -> None:
        self._table.delete(_partition(installation.space), str(installation.user))

    # ------------------------------------------------------------------ what apps bring

    def processors(self, scope: str, installation: int) -> list[Entity]:
        return self._of(PAYMENT_APP_PROCESSOR, scope, "installationId", installation)

    def connectors(self, scope: str, processor: int) -> list[Entity]:
        return self._of(PAYMENT_APP_CONNECTOR, scope, "processor", processor)

    def connector_of(self, scope: str, configuration: int) -> Entity | None:
        """The app's connector behind a connector configuration."""
        return next(iter(self._of(PAYMENT_APP_CONNECTOR, scope, "connectorConfiguration", configuration)), None)

    def _of(self, resource: Resource, scope: str, name: str, value: int) -> list[Entity]:
        found = self._objects.ids(resource, scope, (name, str(value)), 0, _LARGEST_ID, False, MOST_OF_AN_APP)
        entities = self._objects.find_many((resource, scope, number) for number in list(found))
        return list(entities.values())


def _partition(space: int) -> str:
    return f"S{space}#webApp"


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
