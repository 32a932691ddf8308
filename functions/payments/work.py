"""What the clock has to come back to: payments whose outcome nobody knows yet, authorisations that run out.

Access pattern (`pk`, `sk`): what is due, oldest first  `PAYMENT-WORK#<queue>#<shard>`, `<due, 12 digits>#<kind>#<id>`

A row is written in the transaction that makes it necessary and removed in the one that settles it, so that neither can
be without the other. It names the object; what there is to do follows from the object as it is then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from payments.engine.repository import Objects
from tollgate.store.transaction import Transaction

SHARDS: Final = 8
ASK_AFTER_SECONDS: Final = 60
"""How long after sending an operation its outcome is asked for: longer than any attempt can still be running."""
LONGEST_PAUSE_SECONDS: Final = 3600
"""How long at most between two questions about an outcome that is still open."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to come back to, in seconds since 1970."""

    queue: str
    kind: str
    due: int
    tenant: str
    scope: str
    object_id: int

    @property
    def key(self) -> tuple[str, str]:
        return partition(self.queue, self.object_id % SHARDS), f"{self.due:012d}#{self.kind}#{self.object_id:016d}"


def partition(queue: str, shard: int) -> str:
    return f"PAYMENT-WORK#{queue}#{shard}"


def put(transaction: Transaction, objects: Objects, work: Work) -> None:
    pk, sk = work.key
    transaction.put(objects.table, {"pk": pk, "sk": sk, "tenant": work.tenant, "scope": work.scope})


def drop(transaction: Transaction, objects: Objects, work: Work) -> None:
    transaction.delete(objects.table, *work.key)


def from_item(queue: str, item: Mapping[str, Any]) -> Work:
    due, kind, number = item["sk"].split("#")
    return Work(queue, kind, int(due), item["tenant"], item["scope"], int(number))


def next_due(epoch: int, asked: int) -> int:
    """When to ask again what has been asked `asked` times: ever later, so that what stays open keeps nothing waiting
    that could be settled."""
    return epoch + min(ASK_AFTER_SECONDS << min(asked, 10), LONGEST_PAUSE_SECONDS)


def highest(epoch: int) -> str:
    """The last key of what is due at a moment."""
    return f"{epoch:012d}$"
