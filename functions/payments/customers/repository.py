"""What lies below a customer beside the engine's objects, and moving or removing all of it.

Access patterns (`pk`, `sk`; C = the customer's child scope, `S<space>#customer=<id>`):
    e-mail addresses a customer was ever known under   `C#emailAddress`,    `<folded address>`
    which address is the default one                   `C#defaultAddress`,  `#`

Children are moved and removed in transactions of bounded number and size, each of which leaves everything whole, so
that a repetition goes on where one ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from payments.engine import documents
from payments.engine.declarations import Resource
from payments.engine.errors import ObjectNotFound, VersionConflict
from payments.engine.models import Entity
from payments.engine.repository import Objects, child_scope, key, partition
from payments.resources.customers import CUSTOMER_ADDRESS, CUSTOMER_COMMENT
from tollgate.store.items import Item
from tollgate.store.transaction import Transaction

CHILDREN: Final[tuple[Resource, ...]] = (CUSTOMER_ADDRESS, CUSTOMER_COMMENT)
_MOST_AT_ONCE: Final = 40
_MOST_BYTES: Final = 1_500_000
_LARGEST_ID: Final = 10**16 - 1


class CustomerRecords:
    """Records of customers in the family's table."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._table = objects.table

    # ------------------------------------------------------------------ e-mail addresses

    def remember_email(self, transaction: Transaction, child: str, email: str, since: str) -> None:
        """Keep an address as one of the customer's; one that is known keeps its date."""
        transaction.update(
            self._table, f"{child}#emailAddress", email.casefold(),
            "SET emailAddress = if_not_exists(emailAddress, :email), createdOn = if_not_exists(createdOn, :since)",
            values={":email": email, ":since": since},
        )  # fmt: skip

    def emails(self, customer: Entity, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` addresses, the first known first."""
        rows = self._table.query(f"{child_scope(customer)}#emailAddress")
        found = [{"emailAddress": row["emailAddress"], "createdOn": row["createdOn"]} for row in rows]
        return sorted(found, key=lambda each: (each["createdOn"], each["emailAddress"]))[:limit]

    # ------------------------------------------------------------------ the default address

    def default_address(self, customer: Entity) -> int | None:
        row = self._table.get(f"{child_scope(customer)}#defaultAddress", "#")
        return int(row["id"]) if row else None

    def point_default(self, transaction: Transaction, customer: Entity, before: int | None, after: int) -> None:
        """Make another address the default one, where it still is `before`."""
        transaction.put(
            self._table, {"pk": f"{child_scope(customer)}#defaultAddress", "sk": "#", "id": after},
            condition="attribute_not_exists(pk)" if before is None else "id = :before",
            values=None if before is None else {":before": before}, refusal=lambda _: VersionConflict(),
        )  # fmt: skip

    def drop_default(self, transaction: Transaction, child: str, address_id: int) -> None:
        """Forget that this address is the default one."""
        transaction.delete(
            self._table, f"{child}#defaultAddress", "#",
            condition="attribute_not_exists(pk) OR id = :id", values={":id": address_id},
            refusal=lambda _: VersionConflict(),
        )  # fmt: skip

    # ------------------------------------------------------------------ all that lies below

    def move_all(self, source: Entity, target: Entity) -> None:
        """Put every address and comment of one customer below another, and its e-mail addresses."""
        for resource in CHILDREN:
            for batch in self._batches(resource, source):
                transaction = self._objects.begin()
                self._hold(transaction, target)
                for entity in batch:
                    self._move(transaction, entity, target)
                transaction.commit()
        for rows in self._rows_in_batches(f"{child_scope(source)}#emailAddress"):
            transaction = self._objects.begin()
            for row in rows:
                self.remember_email(transaction, child_scope(target), row["emailAddress"], row["createdOn"])
                transaction.delete(self._table, row["pk"], row["sk"])
            transaction.commit()

    def remove_all(self, customer: Entity) -> None:
        """Delete every address, comment and further record of a customer."""
        for resource in CHILDREN:
            for batch in self._batches(resource, customer):
                transaction = self._objects.begin()
                for entity in batch:
                    self._objects.remove(transaction, entity)
                transaction.commit()
        child = child_scope(customer)
        for rows in self._rows_in_batches(f"{child}#emailAddress"):
            transaction = self._objects.begin()
            for row in rows:
                transaction.delete(self._table, row["pk"], row["sk"])
            transaction.commit()
        self._table.delete(f"{child}#defaultAddress", "#")

    def _move(self, transaction: Transaction, entity: Entity, target: Entity) -> None:
        values = {**entity.values, "customer": {"id": target.id}}
        if entity.values.get("defaultAddress"):
            values["defaultAddress"] = False
        self._objects.remove(transaction, entity)
        self._objects.insert(transaction, replace(entity, scope=child_scope(target), values=values))

    def _hold(self, transaction: Transaction, customer: Entity) -> None:
        transaction.check(
            self._table, partition(customer.resource, customer.scope), key(customer.id), "attribute_exists(pk)",
            refusal=lambda _: ObjectNotFound(),
        )  # fmt: skip

    def _batches(self, resource: Resource, customer: Entity) -> Iterator[list[Entity]]:
        """The children that are there, some at a time; each batch is read anew, as the one before may be gone."""
        after = 0
        while True:
            found = list(
                self._objects.walk(resource, child_scope(customer), after, _LARGEST_ID, False, _MOST_AT_ONCE)
            )  # fmt: skip
            if not found:
                return
            batch = _within_bytes(found)
            yield batch
            after = batch[-1].id + 1

    def _rows_in_batches(self, pk: str) -> Iterator[list[Item]]:
        while rows := self._table.query(pk, limit=_MOST_AT_ONCE):
            yield rows


def _within_bytes(entities: list[Entity]) -> list[Entity]:
    """As many of the first as fit into a transaction, and at least one."""
    taken: list[Entity] = []
    size = 0
    for entity in entities:
        size += len(documents.encode(entity.values).encode())
        if taken and size > _MOST_BYTES:
            break
        taken.append(entity)
    return taken
