"""What dunning looks up beside single objects: the flow of a space, its levels, and what is due (`payments.work`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from payments import work
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.dunning import DUNNING_FLOW, DUNNING_FLOW_LEVEL
from payments.work import SHARDS, Work
from tollgate import clock

_LARGEST_ID: Final = 10**16 - 1
_MOST: Final = 100


class DunningRepository:
    """Flows, levels and due cases."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._table = objects.table

    def first_flow(self, scope: str) -> Entity | None:
        """The active flow that comes first."""
        flows = self._objects.walk(DUNNING_FLOW, scope, 0, _LARGEST_ID, False, _MOST)
        active = [each for each in flows if each.state == "ACTIVE"]
        return min(active, key=lambda each: (each.values.get("priority", 0), each.id), default=None)

    def levels(self, scope: str, flow: int) -> list[Entity]:
        """The active levels of a flow, in order."""
        every = self._objects.walk(DUNNING_FLOW_LEVEL, scope, 0, _LARGEST_ID, False, _MOST)
        own = [each for each in every if each.link("flow") == flow and each.state == "ACTIVE"]
        return sorted(own, key=lambda each: (each.values.get("priority", 0), each.id))

    def due(self, queue: str, most_per_shard: int) -> Iterator[Work]:
        """What is due now, the oldest of each shard first."""
        high = work.highest(clock.epoch())
        for shard in range(SHARDS):
            for item in self._table.query(work.partition(queue, shard), high=high, limit=most_per_shard):
                yield work.from_item(queue, item)

    def forget(self, row: Work) -> None:
        """Take away a row that nothing is left to do for."""
        self._table.delete(*row.key)
