"""The clock and inboxes in the sandbox table.

Access patterns (`pk`, `sk`):
    what an inbox received, oldest first    `INBOX#<name>`,     `<received_at>#<id>`
    how it answers for the time being       `BEHAVIOUR#<name>`, `#`
"""

from __future__ import annotations

import json
from typing import Any

from control.sandbox.models import Behaviour, Received
from tollgate import clock, ids, sandbox_clock
from tollgate.store.table import ConditionFailed, Table

KEPT_SECONDS = 7 * 24 * 3600


class ClockRepository:
    """The offset of the one clock (layout: `tollgate.sandbox_clock`)."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def offset(self) -> int:
        item = self._table.get(*sandbox_clock.KEY)
        return int(item["offset_seconds"]) if item else 0

    def advance(self, seconds: int) -> None:
        sandbox_clock.advance(self._table, seconds)


class InboxRepository:
    """Received requests and behaviours, by inbox name."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, name: str, received: Received) -> None:
        self._table.put(
            {
                "pk": f"INBOX#{name}",
                "sk": f"{received['received_at']}#{ids.new_uuid()}",
                "request": json.dumps(received),
                "expires": clock.epoch() + KEPT_SECONDS,
            }
        )

    def all(self, name: str) -> list[Received]:
        return [json.loads(row["request"]) for row in self._table.query(f"INBOX#{name}")]

    def clear(self, name: str) -> None:
        """Forget the requests and the behaviour."""
        for row in self._table.query(f"INBOX#{name}", project=("pk", "sk")):
            self._table.delete(row["pk"], row["sk"])
        self._table.delete(f"BEHAVIOUR#{name}", "#")

    def behave(self, name: str, behaviour: Behaviour) -> None:
        self._table.put({"pk": f"BEHAVIOUR#{name}", "sk": "#", **behaviour.model_dump()})

    def next_behaviour(self, name: str) -> dict[str, Any] | None:
        """Use up one turn of the behaviour; None once there is none left."""
        try:
            return self._table.update(
                f"BEHAVIOUR#{name}", "#", "SET times = times - :one",
                values={":one": 1, ":zero": 0}, condition="times > :zero",
            )  # fmt: skip
        except ConditionFailed:
            return None
