"""What the directory server of a sandbox remembers of a transaction: never the account number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that came by: its ids and where its 3-D Secure server takes results."""

    id: str
    server_transaction_id: str
    server_url: str
