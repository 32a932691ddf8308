"""What lies beside the engine's objects: who listens to what, which identity is the space's, public keys, notes.

Access patterns (`pk`, `sk`; S = `S<space>`):
    active listeners of a kind of objects   `S#webhookListener#active#<entity>`,  `<id, 16 digits>`
    the space's identity                    `S#webhookIdentity#default`,          `#`
    a public key, for good                  `WEBHOOK-KEY#<key id>`,               `#`
    notes to hand on                        see `payments.announcements`

Rows of listeners change in the transaction that changes the listener. A public key stays when another takes its place,
since messages that were signed before are checked after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from payments import announcements
from payments.announcements import Change
from payments.engine.models import Entity
from payments.engine.repository import key, partition
from payments.resources.webhooks import WEBHOOK_IDENTITY, WEBHOOK_LISTENER
from payments.webhooks.errors import AlreadyTold
from payments.webhooks.models import Listening
from tollgate import ids
from tollgate.store.table import Table
from tollgate.store.transaction import MAX_OPERATIONS, Transaction

MOST_LISTENERS: Final = 50
"""Active listeners of a space to one kind of objects: a change is handed on to all of them in one transaction."""

MOST_PER_SHARD: Final = 100


class WebhookRecords:
    """Records of webhooks in the family's table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    # ------------------------------------------------------------------ who listens

    def listening(self, scope: str, entity: int) -> list[Listening]:
        """Who listens to a kind of objects of a space now."""
        rows = self._table.query(_active(scope, entity), limit=MAX_OPERATIONS - 1)
        return [
            Listening(int(row["sk"]), frozenset(row["states"]), row["every_change"], row["is_signed"]) for row in rows
        ]

    def is_full(self, scope: str, entity: int) -> bool:
        """Whether no further listener may be added."""
        return len(self._table.query(_active(scope, entity), limit=MOST_LISTENERS, project=("sk",))) == MOST_LISTENERS

    def listen(self, transaction: Transaction, scope: str, listener_id: int, values: dict[str, Any]) -> None:
        """The listener is active, as these properties say."""
        transaction.put(
            self._table,
            {
                "pk": _active(scope, values["entity"]),
                "sk": key(listener_id),
                "states": list(values.get("entityStates") or ()),
                "every_change": bool(values.get("notifyEveryChange")),
                "is_signed": bool(values.get("enablePayloadSignatureAndState")),
            },
        )

    def fall_silent(self, transaction: Transaction, scope: str, listener_id: int, entity: int) -> None:
        transaction.delete(self._table, _active(scope, entity), key(listener_id))

    # ------------------------------------------------------------------ identities and keys

    def default_identity(self, scope: str) -> int | None:
        row = self._table.get(f"{partition(WEBHOOK_IDENTITY, scope)}#default", "#")
        return int(row["id"]) if row else None

    def point_default(self, transaction: Transaction, identity: Entity, refused: Exception) -> None:
        """Make an identity the space's, unless there is one."""
        transaction.put(
            self._table, {"pk": f"{partition(WEBHOOK_IDENTITY, identity.scope)}#default", "sk": "#", "id": identity.id},
            condition="attribute_not_exists(pk)", refusal=lambda _: refused,
        )  # fmt: skip

    def put_key(self, transaction: Transaction, key_id: str, public_key: str) -> None:
        transaction.put(self._table, {"pk": f"WEBHOOK-KEY#{key_id}", "sk": "#", "public_key": public_key})

    def find_key(self, key_id: str) -> str | None:
        row = self._table.get(f"WEBHOOK-KEY#{key_id}", "#")
        return str(row["public_key"]) if row else None

    # ------------------------------------------------------------------ notes

    @property
    def table(self) -> Table:
        return self._table

    def take(self, transaction: Transaction, change: Change) -> None:
        """Remove a note in the transaction that hands it on; of any number of workers one succeeds."""
        transaction.delete(
            self._table, *change.key, condition="attribute_exists(pk)", refusal=lambda _: AlreadyTold()
        )  # fmt: skip

    def drop(self, changes: list[Change]) -> None:
        """Remove notes that nobody wants to hear of."""
        for first in range(0, len(changes), MAX_OPERATIONS):
            transaction = self.begin()
            for each in changes[first : first + MAX_OPERATIONS]:
                transaction.delete(self._table, *each.key)
            transaction.commit()

    def left_over(self, before: int) -> Iterator[tuple[list[Change], bool]]:
        """Per shard, the oldest notes with numbers below `before`, and whether there are more."""
        for shard in range(announcements.SHARDS):
            pk = f"{announcements.PREFIX}{shard:02d}"
            rows = self._table.query(pk, high=key(max(before, 0)), limit=MOST_PER_SHARD)
            yield [announcements.from_item(row) for row in rows], len(rows) == MOST_PER_SHARD


def number_before(seconds: int, now: Any) -> int:
    """The number that notes older than some seconds have not reached."""
    from datetime import timedelta

    return ids.number_at(now - timedelta(seconds=seconds))


def _active(scope: str, entity: int) -> str:
    return f"{partition(WEBHOOK_LISTENER, scope)}#active#{entity}"
