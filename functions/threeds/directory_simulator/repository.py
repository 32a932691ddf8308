"""Transactions in the sandbox table.

Access pattern (`pk`, `sk`): a transaction by its id   `3DS-DIRECTORY#<dsTransID>`, `#`
"""

from __future__ import annotations

from threeds.directory_simulator.models import Transaction
from tollgate import clock
from tollgate.store.table import Table

RETENTION_SECONDS = 30 * 24 * 3600


class TransactionRepository:
    """What came by, for as long as its result may come."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, transaction: Transaction) -> None:
        self._table.put(
            {
                "pk": _pk(transaction.id),
                "sk": "#",
                "server_transaction_id": transaction.server_transaction_id,
                "server_url": transaction.server_url,
                "expires": clock.epoch() + RETENTION_SECONDS,
            }
        )

    def find(self, transaction_id: str) -> Transaction | None:
        item = self._table.get(_pk(transaction_id), "#")
        return Transaction(transaction_id, item["server_transaction_id"], item["server_url"]) if item else None


def _pk(transaction_id: str) -> str:
    return f"3DS-DIRECTORY#{transaction_id}"
