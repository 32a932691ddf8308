"""Rows of transactions beside the engine's objects (layouts: `payments.work`, `payments.engine.repository`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from payments import work
from payments.engine.declarations import Resource
from payments.engine.repository import partition, unique_value
from payments.work import SHARDS, Work
from tollgate import clock
from tollgate.store.table import Table


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who has an external id, and the digest of the body that it came with."""

    id: int
    digest: str


class TransactionRepository:
    """Claims of external ids, and work that is due."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim_of(self, resource: Resource, scope: str, external_id: str) -> Claimed | None:
        row = self._table.get(
            f"{partition(resource, scope)}#unique#externalId", unique_value("externalId", external_id)
        )
        return Claimed(int(row["id"]), str(row["digest"])) if row else None

    def due(self, queue: str, most_per_shard: int) -> Iterator[Work]:
        """What is due now, the oldest of each shard first."""
        high = work.highest(clock.epoch())
        for shard in range(SHARDS):
            for item in self._table.query(work.partition(queue, shard), high=high, limit=most_per_shard):
                yield work.from_item(queue, item)

    def forget(self, row: Work) -> None:
        """Take away a row that nothing is left to do for."""
        self._table.delete(*row.key)
