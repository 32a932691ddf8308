"""Outbox records in the tables of those who announce: read, put in order, removed with the transaction that owns them.

It must not change a record; whoever wrote it and the consumer that removes it are the only two who touch it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from control.notifications.errors import AlreadyTaken
from control.notifications.models import Reference
from tollgate import events
from tollgate.events import Event
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

EARLIER_READ = 200
"""How far back in its shard the earlier records of an object are looked for."""


class Outbox:
    """The outboxes of several tables, by table name."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables

    def knows(self, table: str) -> bool:
        return table in self._tables

    def read(self, references: Sequence[Reference]) -> dict[Reference, Item]:
        """The records that are still there, unread."""
        found: dict[Reference, Item] = {}
        for name, table in self._tables.items():
            keys = [(each.pk, each.sk) for each in references if each.table == name]
            for item in table.batch_get(list(dict.fromkeys(keys))):
                found[Reference(name, item["pk"], item["sk"])] = item
        return found

    def earlier(self, reference: Reference, event: Event) -> dict[Reference, Item]:
        """Records of the same object that were announced before this one and not taken yet."""
        rows = self._tables[reference.table].query(reference.pk, high=reference.sk, limit=EARLIER_READ, descending=True)
        same = (row for row in rows if (row.get("account_id"), row.get("subject")) == (event.account_id, event.subject))
        return {Reference(reference.table, row["pk"], row["sk"]): row for row in same if row["sk"] != reference.sk}

    def remove(self, transaction: Transaction, reference: Reference) -> None:
        """Take the record; of any number of workers one succeeds, the others are refused with AlreadyTaken."""
        transaction.delete(
            self._tables[reference.table], reference.pk, reference.sk,
            condition="attribute_exists(pk)", refusal=lambda _: AlreadyTaken(),
        )  # fmt: skip


def event_of(item: Item) -> Event | None:
    """The event of a record; None for one that cannot be understood."""
    try:
        event = events.from_item(item)
    except (KeyError, TypeError, ValueError):
        return None
    texts: tuple[object, ...] = (event.id, event.account_id, event.type, event.subject, event.created_at)
    payload: object = event.payload
    return event if all(isinstance(text, str) and text for text in texts) and isinstance(payload, dict) else None
