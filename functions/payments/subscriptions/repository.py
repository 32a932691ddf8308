"""Rows of subscriptions beside the engine's objects.

Access patterns (`pk`, `sk`; S = the space's scope):
    whether a product version can be edited, how often it was  `S#subscriptionProductVersion#edits`,      `<id>`
    the version of a product that is offered                   `S#subscriptionProduct#offered`,           `<id>`
    the number of a product's latest version                   `S#subscriptionProduct#increments`,        `<id>`
    what was consumed in a period, by metric                   `S#subscriptionUsage=<bill>`,              `<metric>`
    ledger entries that no charge has yet                      `S#subscriptionLedgerEntry#open=<subscription>`, `<id>`
    ledger entries of a charge                                 `S#subscriptionLedgerEntry#charge=<charge>`,     `<id>`
    what is due (`payments.work`)                              `PAYMENT-WORK#subscriptions#<shard>`,      `<due>#…`

Rows change in the transaction of what they follow from. Below a product version nothing changes without counting up its
edits, so that activation freezes what it has read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from payments import work
from payments.engine.declarations import Resource
from payments.engine.errors import StateInvalid, VersionConflict
from payments.engine.models import Entity
from payments.engine.repository import Objects, key, partition, unique_value
from payments.resources.subscription_products import PRODUCT, PRODUCT_VERSION
from payments.resources.subscriptions import LEDGER_ENTRY
from payments.subscriptions.errors import NothingRunning, NotOffered
from payments.subscriptions.models import QUEUE
from payments.work import SHARDS, Work
from tollgate import clock
from tollgate.store.transaction import Refusal, Transaction

UNIT_PLACES: Final = 8
"""Decimal places of units, which are counted in whole numbers of the last one."""

_LARGEST_ID: Final = 10**16 - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has an external id, and the digest of the body that it came with."""

    id: int
    digest: str


@dataclass(frozen=True, slots=True)
class Edits:
    """How often what lies below a product version was changed, and whether it still can be."""

    count: int
    is_open: bool


class SubscriptionRecords:
    """Records of subscriptions in the family's table."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._table = objects.table

    # ------------------------------------------------------------------ products

    def next_increment(self, scope: str, product: int) -> int:
        """A number for a product's next version; one that is not used leaves a gap."""
        row = self._table.update(f"{partition(PRODUCT, scope)}#increments", key(product), "ADD increments :one",
                                 values={":one": 1})  # fmt: skip
        return int(row["increments"])

    def open_edits(self, transaction: Transaction, scope: str, version: int) -> None:
        """A new product version can be edited."""
        transaction.put(self._table, {"pk": _edits(scope), "sk": key(version), "edits": 0, "editable": True})

    def edits(self, scope: str, version: int) -> Edits:
        row = self._table.get(_edits(scope), key(version)) or {}
        return Edits(int(row.get("edits", 0)), bool(row.get("editable")))

    def count_edit(self, transaction: Transaction, scope: str, version: int, *, seen: int | None = None) -> None:
        """Something below a product version changes; with `seen`, only if nothing else has since then.

        Raises (at the commit):
            StateInvalid: the version cannot be edited any more.
            VersionConflict: something else has changed.
        """
        transaction.update(
            self._table, _edits(scope), key(version), "ADD edits :one",
            condition="editable = :yes" + ("" if seen is None else " AND edits = :seen"),
            values={":one": 1, ":yes": True} | ({} if seen is None else {":seen": seen}),
            refusal=lambda row: VersionConflict() if row.get("editable") else StateInvalid(),
        )  # fmt: skip

    def close_edits(self, transaction: Transaction, scope: str, version: int, seen: int) -> None:
        """Freeze what lies below a product version, if it is what was seen."""
        transaction.update(
            self._table, _edits(scope), key(version), "SET editable = :no",
            condition="editable = :yes AND edits = :seen", values={":no": False, ":yes": True, ":seen": seen},
            refusal=lambda _: VersionConflict(),
        )  # fmt: skip

    def offered(self, scope: str, product: int) -> int | None:
        """The id of the version of a product that new subscriptions get."""
        row = self._table.get(f"{partition(PRODUCT, scope)}#offered", key(product))
        return int(row["offered"]) if row else None

    def offer(self, transaction: Transaction, scope: str, product: int, before: int | None, after: int | None) -> None:
        """Offer another version of a product, or none, where it still is `before`."""
        pk, sk = f"{partition(PRODUCT, scope)}#offered", key(product)
        condition = "attribute_not_exists(pk)" if before is None else "offered = :before"
        values = {} if before is None else {":before": before}
        if after is None:
            transaction.delete(
                self._table, pk, sk, condition=condition, values=values, refusal=lambda _: VersionConflict()
            )
            return
        transaction.put(
            self._table, {"pk": pk, "sk": sk, "offered": after}, condition=condition, values=values,
            refusal=lambda _: VersionConflict(),
        )  # fmt: skip

    def hold_offer(self, transaction: Transaction, product: Entity, version: int, path: str) -> None:
        """Hold a subscription to a product that still is active and offers this version."""

        def refused(_: object) -> Exception:
            return NotOffered(path, "must be a product that is active and has an active version")

        transaction.check(
            self._table, f"{partition(PRODUCT, product.scope)}#offered", key(product.id), "offered = :offered",
            values={":offered": version}, refusal=refused,
        )  # fmt: skip
        self.hold(transaction, product, "sells = :yes", {":yes": True}, refused)

    def hold(
        self, transaction: Transaction, entity: Entity, condition: str, values: Mapping[str, object],
        refused: Refusal,
    ) -> None:  # fmt: skip
        """Hold a transaction to a condition on an object that it does not write."""
        transaction.check(
            self._table, partition(entity.resource, entity.scope), key(entity.id), condition, values=values,
            refusal=refused,
        )  # fmt: skip

    def hold_version(self, transaction: Transaction, entity: Entity) -> None:
        """Hold a transaction to an object that is as it was read.

        Raises (at the commit):
            VersionConflict: it is not.
        """
        values = {":seen": entity.version}
        self.hold(transaction, entity, "version = :seen", values, lambda _: VersionConflict())

    def has_any(self, resource: Resource, scope: str, field: str, number: int) -> bool:
        """Whether an object of a kind has a link of this value."""
        return next(self.ids(resource, scope, field, number, limit=1), None) is not None

    def ids(
        self, resource: Resource, scope: str, field: str, number: int, *, limit: int | None = None
    ) -> Iterator[int]:
        """Ids of the objects of a kind that link to a number."""
        return self._objects.ids(resource, scope, (field, str(number)), 0, _LARGEST_ID, False, limit)

    def linked(self, resource: Resource, scope: str, field: str, number: int) -> list[Entity]:
        """The objects of a kind that link to a number, oldest first."""
        wanted = [(resource, scope, each) for each in self.ids(resource, scope, field, number)]
        found = self._objects.find_many(wanted)
        return [found[kind] for kind in sorted(found, key=lambda each: each[1])]

    def claim(self, resource: Resource, scope: str, external_id: str) -> Claim | None:
        """Who has an external id."""
        row = self._table.get(
            f"{partition(resource, scope)}#unique#externalId", unique_value("externalId", external_id)
        )
        return Claim(int(row["id"]), str(row["digest"])) if row else None

    # ------------------------------------------------------------------ usage

    def count_usage(self, transaction: Transaction, bill: Entity, metric: int, units: Decimal) -> None:
        """Add to what was consumed in a period, as long as it runs.

        Raises (at the commit):
            VersionConflict: the period has ended.
        """
        counted = {":units": int(units.scaleb(UNIT_PLACES))}
        transaction.update(self._table, _usage(bill), key(metric), "ADD units :units", values=counted)
        self.hold(transaction, bill, "closed = :no", {":no": False}, lambda item: _period_gone(bool(item)))

    def usage(self, bill: Entity) -> dict[int, Decimal]:
        """What was consumed in a period, by metric."""
        return {int(row["sk"]): Decimal(row["units"]).scaleb(-UNIT_PLACES) for row in self._table.query(_usage(bill))}

    # ------------------------------------------------------------------ ledger entries

    def add_open(self, transaction: Transaction, scope: str, subscription: int, entry: int) -> None:
        transaction.put(self._table, {"pk": _open(scope, subscription), "sk": key(entry)})

    def take(self, transaction: Transaction, scope: str, subscription: int, charge: int, entry: int) -> None:
        """An open entry becomes one of a charge."""
        transaction.delete(self._table, _open(scope, subscription), key(entry))
        self.add_taken(transaction, scope, charge, entry)

    def add_taken(self, transaction: Transaction, scope: str, charge: int, entry: int) -> None:
        transaction.put(self._table, {"pk": _taken(scope, charge), "sk": key(entry)})

    def release(self, transaction: Transaction, scope: str, subscription: int, charge: int, entry: int) -> None:
        """An entry of a charge becomes open again."""
        transaction.delete(self._table, _taken(scope, charge), key(entry))
        self.add_open(transaction, scope, subscription, entry)

    def open_entries(self, scope: str, subscription: int, most: int) -> list[Entity]:
        return self._entries(_open(scope, subscription), scope, most)

    def entries_of(self, scope: str, charge: int) -> list[Entity]:
        return self._entries(_taken(scope, charge), scope, None)

    def _entries(self, pk: str, scope: str, most: int | None) -> list[Entity]:
        rows = self._table.query(pk, limit=most)
        found = self._objects.find_many((LEDGER_ENTRY, scope, int(row["sk"])) for row in rows)
        return [found[each] for each in sorted(found, key=lambda each: each[1])]

    # ------------------------------------------------------------------ work

    def due(self, most_per_shard: int) -> Iterator[Work]:
        """What is due now, the oldest of each shard first."""
        high = work.highest(clock.epoch())
        for shard in range(SHARDS):
            for item in self._table.query(work.partition(QUEUE, shard), high=high, limit=most_per_shard):
                yield work.from_item(QUEUE, item)

    def count_due(self, most_per_shard: int) -> int:
        """How much is due, up to a bound."""
        high = work.highest(clock.epoch())
        return sum(
            len(self._table.query(work.partition(QUEUE, shard), high=high, limit=most_per_shard, project=("sk",)))
            for shard in range(SHARDS)
        )

    def forget(self, row: Work) -> None:
        """Take away a row that nothing is left to do for."""
        self._table.delete(*row.key)

    def put_off(self, row: Work, due: int) -> None:
        """Come back to a piece of work later."""
        transaction = self._objects.begin()
        work.put(transaction, self._objects, Work(row.queue, row.kind, due, row.tenant, row.scope, row.object_id))
        work.drop(transaction, self._objects, row)
        transaction.commit()


def _edits(scope: str) -> str:
    return f"{partition(PRODUCT_VERSION, scope)}#edits"


def _usage(bill: Entity) -> str:
    return f"{bill.scope}#subscriptionUsage={bill.id}"


def _open(scope: str, subscription: int) -> str:
    return f"{partition(LEDGER_ENTRY, scope)}#open={subscription}"


def _taken(scope: str, charge: int) -> str:
    return f"{partition(LEDGER_ENTRY, scope)}#charge={charge}"


def _period_gone(is_there: bool) -> Exception:
    return VersionConflict() if is_there else NothingRunning()
