"""Integrations in DynamoDB.

Access patterns (`pk`, `sk`):
    an integration, by how rules name it; all of an account   `INTEGRATIONS#<account>`,      `<slug>`
    the slug of an id                                         `INTEGRATION#<account>#<id>`,  `#`

An account has few, so a list reads them all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from risk.integrations.errors import IntegrationNotFound, Overtaken, SlugTaken
from risk.integrations.models import Backend, Integration
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

_MEMBERS = tuple(each.name for each in fields(Integration) if each.name != "backends")


class IntegrationRepository:
    """Integrations of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def by_slug(self, account_id: str, slug: str) -> Integration | None:
        item = self._table.get(_partition(account_id), slug)
        return _from_item(item) if item else None

    def find(self, account_id: str, integration_id: str) -> Integration | None:
        pointer = self._table.get(*_pointer(account_id, integration_id))
        return self.by_slug(account_id, pointer["slug"]) if pointer else None

    def all(self, account_id: str) -> list[Integration]:
        """In the order of their insertion."""
        found = [_from_item(item) for item in self._table.query(_partition(account_id))]
        return sorted(found, key=lambda each: (each.inserted_at, each.id))

    def insert(self, transaction: Transaction, integration: Integration) -> None:
        """Raises (at commit) SlugTaken."""
        transaction.put(
            self._table, _to_item(integration), condition="attribute_not_exists(pk)", refusal=lambda _: SlugTaken()
        )
        pk, sk = _pointer(integration.account_id, integration.id)
        transaction.put(self._table, {"pk": pk, "sk": sk, "slug": integration.slug})

    def replace(self, transaction: Transaction, before: Integration, after: Integration) -> None:
        """Raises (at commit) Overtaken, or IntegrationNotFound: it is not as `before` any more."""
        transaction.put(
            self._table, _to_item(after),
            condition="id = :id AND revision = :revision", values={":id": before.id, ":revision": before.revision},
            refusal=_changed,
        )  # fmt: skip

    def delete(self, transaction: Transaction, integration: Integration) -> None:
        transaction.delete(
            self._table, _partition(integration.account_id), integration.slug,
            condition="id = :id AND revision = :revision",
            values={":id": integration.id, ":revision": integration.revision}, refusal=_changed,
        )  # fmt: skip
        transaction.delete(self._table, *_pointer(integration.account_id, integration.id))

    def note_discovery(self, integration: Integration, backends: Iterable[Backend] | None, look_after: int) -> None:
        """Keep what was found (None: nothing could be found out), unless the integration was changed meanwhile."""
        found = "" if backends is None else ", backends = :backends"
        values: dict[str, Any] = {":after": look_after, ":revision": integration.revision}
        if backends is not None:
            values[":backends"] = _pack(backends)
        try:
            self._table.update(
                _partition(integration.account_id), integration.slug, f"SET discover_after = :after{found}",
                values=values, condition="revision = :revision",
            )  # fmt: skip
        except ConditionFailed:
            return


def _changed(item: Item) -> Exception:
    return Overtaken() if item else IntegrationNotFound()


def _partition(account_id: str) -> str:
    return f"INTEGRATIONS#{account_id}"


def _pointer(account_id: str, integration_id: str) -> tuple[str, str]:
    return f"INTEGRATION#{account_id}#{integration_id}", "#"


def _pack(backends: Iterable[Backend]) -> str:
    return json.dumps([asdict(each) for each in backends], separators=(",", ":"))


def _to_item(integration: Integration) -> Item:
    item = {name: getattr(integration, name) for name in _MEMBERS}
    if integration.backends is not None:
        item["backends"] = _pack(integration.backends)
    return {"pk": _partition(integration.account_id), "sk": integration.slug, **item}


def _from_item(item: Item) -> Integration:
    members = {name: item[name] for name in _MEMBERS if name in item}
    packed = json.loads(item["backends"]) if item.get("backends") else None
    backends = None if packed is None else tuple(_backend(each) for each in packed)
    return Integration(**members, backends=backends)


def _backend(members: dict[str, Any]) -> Backend:
    lists = {name: tuple(members[name]) for name in ("actions", "required_fields")}
    return Backend(**{**members, **lists})
