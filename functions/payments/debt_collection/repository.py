"""What debt collection looks up beside single objects: a space's collector, a case's documents, and what is due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from payments import work
from payments.engine.models import Entity
from payments.engine.repository import Objects, child_scope
from payments.resources.debt_collection import DEBT_COLLECTION_CASE_DOCUMENT, DEBT_COLLECTOR_CONFIGURATION
from payments.work import SHARDS, Work
from tollgate import clock

_LARGEST_ID: Final = 10**16 - 1
MOST_DOCUMENTS: Final = 30
_MOST_CONFIGURATIONS: Final = 100


class CollectionRepository:
    """Collectors, documents and due cases."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._table = objects.table

    def first_configuration(self, scope: str) -> Entity | None:
        """The active collector of a space that comes first."""
        every = self._objects.walk(DEBT_COLLECTOR_CONFIGURATION, scope, 0, _LARGEST_ID, False, _MOST_CONFIGURATIONS)
        active = [each for each in every if each.state == "ACTIVE"]
        return min(active, key=lambda each: (each.values.get("priority", 0), each.id), default=None)

    def documents(self, case: Entity) -> list[Entity]:
        scope = child_scope(case)
        return list(
            self._objects.walk(DEBT_COLLECTION_CASE_DOCUMENT, scope, 0, _LARGEST_ID, False)
        )  # fmt: skip

    def due(self, queue: str, most_per_shard: int) -> Iterator[Work]:
        """What is due now, the oldest of each shard first."""
        high = work.highest(clock.epoch())
        for shard in range(SHARDS):
            for item in self._table.query(work.partition(queue, shard), high=high, limit=most_per_shard):
                yield work.from_item(queue, item)

    def forget(self, row: Work) -> None:
        """Take away a row that nothing is left to do for."""
        self._table.delete(*row.key)
