"""What backends are still to be asked or told, by when it is due, and what came of telling them.

Access patterns (`pk`, `sk`):
    work by when it is due                        `BACKEND-WORK#<shard>`,                          `<due>#<id>`
    what became of notifications of a decision    `BACKEND-NOTIFICATIONS#<account>#<decision>`,    `<subject>#<backend>`

Every attempt begins by putting another row, due later, in the place of the one found: so of any number of messages one
begins an attempt, it is written down before the backend hears anything, and after a crash the row falls due.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from risk.integrations.errors import WorkTaken
from risk.integrations.models import NotificationView, Work
from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

SHARDS: Final = 8
MOST_COUNTED_PER_SHARD: Final = 1000
OUTCOME_SECONDS: Final = 400 * 24 * 3600


class WorkRepository:
    """Rows of work of all accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def put(self, transaction: Transaction, work: Work) -> None:
        transaction.put(self._table, _to_item(work))

    def find(self, pk: str, sk: str) -> Work | None:
        item = self._table.get(pk, sk)
        return _from_item(item) if item else None

    def due(self, limit: int) -> Iterator[Work]:
        """Work whose time has come, up to `limit` of each shard, the oldest first."""
        for shard in range(SHARDS):
            yield from map(_from_item, self._table.query(_partition(shard), high=_now(), limit=limit))

    def count_due(self) -> int:
        """How much is due; of each shard no more than a thousand are counted."""
        return sum(
            len(self._table.query(_partition(shard), high=_now(), limit=MOST_COUNTED_PER_SHARD, project=("sk",)))
            for shard in range(SHARDS)
        )

    def begin_attempt(self, work: Work, pause_seconds: int) -> Work:
        """Take the work: a row with one more attempt, due after the pause, is put in its place.

        Raises:
            WorkTaken: somebody else has taken or ended it.
        """
        due = max(clock.epoch() + pause_seconds, work.due + 1)  # another row always has another key
        after = replace(work, due=due, attempts=work.attempts + 1)
        transaction = self.begin()
        self.finish(transaction, work)
        self.put(transaction, after)
        transaction.commit()
        return after

    def finish(self, transaction: Transaction, work: Work) -> None:
        """Raises (at commit) WorkTaken, when the row is not there any more."""
        transaction.delete(self._table, *key_of(work), condition="attribute_exists(pk)", refusal=lambda _: WorkTaken())

    def note_begun(self, transaction: Transaction, work: Work) -> None:
        """Raises (at commit) WorkTaken, when this backend was told of the subject before."""
        transaction.put(
            self._table,
            _outcome(work, {"backend": work.details["backend"], "status": "pending", "error": None}),
            condition="attribute_not_exists(pk)",
            refusal=lambda _: WorkTaken(),
        )

    def note_outcome(self, transaction: Transaction, work: Work, outcome: NotificationView) -> None:
        transaction.put(self._table, _outcome(work, outcome))

    def outcomes(self, account_id: str, decision_id: str, subject: str) -> dict[str, NotificationView]:
        """What became of telling backends about one subject, by backend."""
        pk = f"BACKEND-NOTIFICATIONS#{account_id}#{decision_id}"
        found: dict[str, NotificationView] = {}
        for item in self._table.query(pk, prefix=f"{subject}#"):
            backend = str(item["sk"]).partition("#")[2]
            found[backend] = {"backend": backend, "status": item["delivery"], "error": item.get("error")}
        return found


def key_of(work: Work) -> tuple[str, str]:
    return _partition(zlib.crc32(work.id.encode()) % SHARDS), f"{work.due:012d}#{work.id}"


def _partition(shard: int) -> str:
    return f"BACKEND-WORK#{shard:02d}"


def _now() -> str:
    """The end of the range of everything due by now: `$` follows `#`."""
    return f"{clock.epoch():012d}$"


def _outcome(work: Work, outcome: NotificationView) -> Item:
    return {
        "pk": f"BACKEND-NOTIFICATIONS#{work.account_id}#{work.decision_id}",
        "sk": f"{work.details['subject']}#{outcome['backend']}",
        "action": work.details["action"],
        "delivery": outcome["status"],
        "error": outcome["error"],
        "at": clock.iso(clock.now()),
        "expires": clock.epoch() + OUTCOME_SECONDS,
    }


def _to_item(work: Work) -> Item:
    pk, sk = key_of(work)
    return {
        "pk": pk, "sk": sk, "id": work.id, "account_id": work.account_id, "decision_id": work.decision_id,
        "kind": work.kind, "due": work.due, "attempts": work.attempts,
        "details": json.dumps(work.details, separators=(",", ":"), ensure_ascii=False),
    }  # fmt: skip


def _from_item(item: Item) -> Work:
    members: dict[str, Any] = {name: item[name] for name in ("id", "account_id", "decision_id", "kind")}
    return Work(**members, due=int(item["due"]), attempts=int(item["attempts"]), details=json.loads(item["details"]))
