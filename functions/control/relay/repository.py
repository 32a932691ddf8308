"""Outbox records that nobody has taken over (layout: `tollgate.events`). Only their keys are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tollgate import events
from tollgate.store.table import Table

MOST_PER_SHARD = 100


class OutboxRepository:
    """The outbox of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def left_over(self, before_epoch: int) -> Iterator[tuple[list[dict[str, str]], bool]]:
        """Per shard, references to the oldest records announced before a moment, and whether there are more."""
        moment = datetime.fromtimestamp(before_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        for shard in range(events.SHARDS):
            pk = f"{events.PREFIX}{shard:02d}"
            rows = self._table.query(pk, high=moment, limit=MOST_PER_SHARD, project=("pk", "sk"))
            found = [{"table": self._table.name, "pk": str(row["pk"]), "sk": str(row["sk"])} for row in rows]
            yield found, len(found) == MOST_PER_SHARD
