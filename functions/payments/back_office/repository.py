"""What the back office looks up beside single objects: due tasks, numbers of objects in a period, boarding answers.

Access pattern (`pk`, `sk`): what was said at boarding, by account   `A<account>#boarding`, `<information|plan>`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from payments import work
from payments.engine import documents
from payments.engine.declarations import Resource
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.documents import DOCUMENT_TEMPLATE
from payments.work import SHARDS, Work
from tollgate import clock

_LARGEST_ID: Final = 10**16 - 1


class TaskRepository:
    """Tasks whose time is over (`payments.work`)."""

    def __init__(self, objects: Objects) -> None:
        self._table = objects.table

    def due(self, queue: str, most_per_shard: int) -> Iterator[Work]:
        """What is due now, the oldest of each shard first."""
        high = work.highest(clock.epoch())
        for shard in range(SHARDS):
            for item in self._table.query(work.partition(queue, shard), high=high, limit=most_per_shard):
                yield work.from_item(queue, item)

    def forget(self, row: Work) -> None:
        """Take away a row that nothing is left to do for."""
        self._table.delete(*row.key)


class OfficeRepository:
    """Counts and records that are no objects."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._table = objects.table

    def count(self, resource: Resource, scope: str, low: int, high: int, most: int) -> int:
        """How many objects have ids in [low, high], up to one more than `most`."""
        return sum(1 for _ in self._objects.ids(resource, scope, None, low, high, False, most + 1))

    def first_template(self, scope: str) -> Entity | None:
        return next(self._objects.walk(DOCUMENT_TEMPLATE, scope, 0, _LARGEST_ID, False, 1), None)

    def keep_boarding(self, account: int, name: str, given: Mapping[str, Any], at: str, user: int) -> None:
        """What was said last stands."""
        self._table.put(
            {"pk": f"A{account}#boarding", "sk": name, "doc": documents.encode(given), "at": at, "user": user}
        )  # fmt: skip
