"""Lifecycle events in DynamoDB (rows: `risk.records`). What an event does to its decision is written by decisions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from risk import records
from risk.events.errors import AlreadyKnown
from risk.events.models import LifecycleEvent
from tollgate.http.message import encode
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction


class EventRepository:
    """Events of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def find(self, account_id: str, event_id: str) -> LifecycleEvent | None:
        item = self._table.get(*records.event_key(account_id, event_id))
        return _from_item(account_id, event_id, item) if item else None

    def insert(self, transaction: Transaction, event: LifecycleEvent) -> None:
        """Store an event.

        Raises (at commit):
            AlreadyKnown: it was stored before.
        """
        pk, sk = records.event_key(event.account_id, event.id)
        item: dict[str, Any] = {
            "pk": pk,
            "sk": sk,
            "type": event.type,
            "decision_id": event.decision_id,
            "occurred_at": event.occurred_at,
            "processed_at": event.processed_at,
            "data": encode(event.data).decode(),
        }
        transaction.put(
            self._table, item, condition="attribute_not_exists(pk)", refusal=lambda _: AlreadyKnown()
        )  # fmt: skip

    def note_told(self, event: LifecycleEvent, notifications: Sequence[Mapping[str, Any]]) -> None:
        """What became of telling the backends."""
        self._table.update(
            *records.event_key(event.account_id, event.id), "SET notifications = :told",
            values={":told": encode(notifications).decode()}, condition="attribute_exists(pk)",
        )  # fmt: skip


def _from_item(account_id: str, event_id: str, item: Item) -> LifecycleEvent:
    told = item.get("notifications")
    return LifecycleEvent(
        event_id, account_id, item["type"], item["decision_id"], item["occurred_at"], item["processed_at"],
        json.loads(item["data"]), json.loads(told) if told is not None else None,
    )  # fmt: skip
