"""Security codes, in a table that has no backup and no stream: they live at most 60 minutes and are gone after use.

Access patterns (`pk`, `sk`):
    a security code           `CODE#<account>#<token>`, `#`
    codes by when they end    `CODES-DUE#<shard>`,      `<expires>#<account>#<token>`
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice

from tollgate import clock
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault.tokens.models import Token
from vault.tokens.repository.rows import (
    DUE_SHARDS,
    KEY,
    Due,
    codes_due,
    due_from,
    epoch_key,
    shard_of,
    until_the_end_of,
)

SECURITY_CODE_SECONDS = 3600
CODES_PER_REMOVAL = 40


class SecurityCodeRepository:
    """Security codes of all accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def withdraw(self, transaction: Transaction, token: Token) -> None:
        """Remove the code, if there is one, together with what else the transaction does."""
        transaction.delete(self._table, code_key(token.account_id, token.id), "#")

    def due(self) -> Iterator[list[Due]]:
        """Security codes of all accounts whose time has come, in batches for `remove`."""
        until = until_the_end_of(epoch_key(clock.epoch()))
        for shard in range(DUE_SHARDS):
            rows = self._table.scan_partition(codes_due(shard), high=until, project=KEY)
            while batch := [due_from(row) for row in islice(rows, CODES_PER_REMOVAL)]:
                yield batch

    def sealed(self, token: Token) -> bytes | None:
        """The sealed security code, while there is one that nobody has taken."""
        item = self._table.get(code_key(token.account_id, token.id), "#")
        return item["code"] if item and item["expires"] > clock.epoch() and "taken" not in item else None

    def take(self, token: Token) -> bytes | None:
        """The sealed security code for one user alone: until it is given back nobody else gets it."""
        try:
            item = self._table.update(
                code_key(token.account_id, token.id), "#", "SET taken = :yes",
                values={":yes": True, ":now": clock.epoch()},
                condition="expires > :now AND attribute_not_exists(taken)",
            )  # fmt: skip
        except ConditionFailed:
            return None
        return bytes(item["code"])

    def give_back(self, token: Token) -> None:
        """Let others have the code again; one that is gone meanwhile stays gone."""
        with contextlib.suppress(ConditionFailed):
            self._table.update(
                code_key(token.account_id, token.id), "#", "REMOVE taken", condition="attribute_exists(taken)"
            )

    def forget(self, token: Token) -> None:
        self._table.delete(code_key(token.account_id, token.id), "#")

    def remove(self, codes: Sequence[Due]) -> None:
        """Remove security codes and their entries; those that are gone already do not matter."""
        transaction = Transaction(self._table.client)
        for due in codes:
            transaction.delete(self._table, code_key(due.account_id, due.token_id), "#")
            transaction.delete(self._table, due.pk, due.sk)
        transaction.commit()

    def insert(self, transaction: Transaction, token: Token, sealed: bytes) -> None:
        """The security code, sealed, for at most 60 minutes.

        The table's own expiry may come days late, so the code also stands in the order that the sweep follows.
        """
        expires = clock.epoch() + SECURITY_CODE_SECONDS
        transaction.put(
            self._table,
            {"pk": code_key(token.account_id, token.id), "sk": "#", "code": sealed, "expires": expires},
        )
        transaction.put(
            self._table,
            {
                "pk": codes_due(shard_of(token.account_id)),
                "sk": f"{epoch_key(expires)}#{token.account_id}#{token.id}",
                "expires": expires,
            },
        )


def code_key(account_id: str, token_id: str) -> str:
    return f"CODE#{account_id}#{token_id}"
