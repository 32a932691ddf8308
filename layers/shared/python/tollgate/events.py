"""The outbox: what other parties must hear of, written in the transaction that makes it true.

Access pattern (`pk`, `sk`): records not yet handed on, oldest first  `OUTBOX#<shard>`, `<created_at>#<id>`
All records of a subject lie in one shard, so that a consumer finds those that came before the one it was handed.

The table's stream wakes the relay, which puts a reference on the queue named for the kind of event; the consumer
removes the record when it has made the event its own. What is left longer than minutes was lost on the way, and a sweep
announces it again. So nothing is announced that was not saved, and nothing saved goes unannounced.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate import clock, ids
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

PREFIX = "OUTBOX#"
SHARDS = 16
RETENTION_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an object of an account.

    `type` is what the consumer sees (`token.created`), `subject` the object whose events keep their order, `payload`
    the public representation, never more. `body`, where given, is the whole message as it is to be sent.
    """

    id: str
    account_id: str
    type: str
    subject: str
    created_at: str
    payload: dict[str, Any]
    body: str | None = None


def announce(
    transaction: Transaction,
    table: Table,
    *,
    account_id: str,
    event_type: str,
    subject: str,
    payload: Mapping[str, Any],
) -> Event:
    """Add the announcement of an event to the transaction that makes it happen."""
    event = Event(ids.new_uuid(), account_id, event_type, subject, clock.iso(clock.now()), dict(payload))
    put(transaction, table, event)
    return event


def put(transaction: Transaction, table: Table, event: Event) -> None:
    """Add the record of an event that is complete, for who hands on what happened before."""
    transaction.put(
        table,
        {
            "pk": f"{PREFIX}{shard_of(event.subject):02d}",
            "sk": f"{event.created_at}#{event.id}",
            "id": event.id,
            "account_id": event.account_id,
            "type": event.type,
            "subject": event.subject,
            "created_at": event.created_at,
            "payload": json.dumps(event.payload, separators=(",", ":")),
            "body": event.body,
            "expires": clock.epoch() + RETENTION_SECONDS,
        },
    )


def shard_of(subject: str) -> int:
    """The shard that all records of a subject lie in."""
    return zlib.crc32(subject.encode()) % SHARDS


def from_item(item: Item) -> Event:
    """The event of an outbox record."""
    return Event(
        id=item["id"],
        account_id=item["account_id"],
        type=item["type"],
        subject=item["subject"],
        created_at=item["created_at"],
        payload=json.loads(item["payload"]),
        body=item.get("body"),
    )
