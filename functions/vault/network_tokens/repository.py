"""Work at the provider and the record of payment data in the vault table.

Access patterns (`pk`, `sk`):
    work, by when it is due (rows of `vault.tokenisation`)   `NETWORK-TOKEN-WORK#<shard>`,     `<due>#<id>`
    payment data that a token's owner was given              `PAYMENT-DATA#<account>#<token>`, `<created_at>#<id>`

A record of payment data says who was given a cryptogram for what, never the cryptogram.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction
from vault import tokenisation
from vault.network_tokens.models import PaymentDataView
from vault.tokenisation import Work

RECORD_SECONDS: Final = 400 * 24 * 3600
MOST_COUNTED_PER_SHARD: Final = 1000


class WorkTaken(Exception):
    """Somebody else has begun or ended this work."""


class WorkRepository:
    """Rows of work. Each step replaces the row, so one of many wins."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, pk: str, sk: str) -> Work | None:
        item = self._table.get(pk, sk)
        return tokenisation.from_row(item) if item else None

    def due(self, limit: int) -> Iterator[Work]:
        """Work whose time has come, up to `limit` of each shard, the oldest first."""
        for shard in range(tokenisation.WORK_SHARDS):
            yield from map(tokenisation.from_row, self._table.query(_shard(shard), high=_now(), limit=limit))

    def count_due(self) -> int:
        """How much is due; of each shard no more than a thousand are counted."""
        return sum(
            len(self._table.query(_shard(shard), high=_now(), limit=MOST_COUNTED_PER_SHARD, project=("sk",)))
            for shard in range(tokenisation.WORK_SHARDS)
        )

    def replace(self, before: Work, after: Work) -> Work:
        """Put `after` in the place of `before`.

        Raises:
            WorkTaken: `before` is not there any more.
        """
        transaction = Transaction(self._table.client)
        transaction.delete(self._table, *before.key, condition="attribute_exists(pk)", refusal=_taken)
        transaction.put(self._table, after.row())
        transaction.commit()
        return after

    def finish(self, work: Work) -> None:
        self._table.delete(*work.key)


class PaymentDataRepository:
    """What was given out."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def record(self, transaction: Transaction, account_id: str, answer: PaymentDataView) -> None:
        created_at = clock.iso(clock.now())
        kept = {name: value for name, value in answer.items() if name != "encrypted_authentication_data"}
        transaction.put(
            self._table,
            {
                **kept,
                "pk": f"PAYMENT-DATA#{account_id}#{answer['token_id']}",
                "sk": f"{created_at}#{answer['id']}",
                "created_at": created_at,
                "expires": clock.epoch() + RECORD_SECONDS,
            },
        )


def _taken(_: Item) -> Exception:
    return WorkTaken()


def _shard(number: int) -> str:
    return f"{tokenisation.WORK_PREFIX}{number:02d}"


def _now() -> str:
    """The end of the range of everything due by now: `$` follows `#`."""
    return f"{clock.epoch():012d}$"
