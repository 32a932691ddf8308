"""Idempotency answers that commit with the effect they answer for.

Access pattern (`pk`, `sk`): answer of a key  `IDEM#<account>#<digest of method, path and key>`, `#`

The record is one more write in the transaction that changes the state, under the condition that none is there. So of
any number of simultaneous requests with one key exactly one has an effect and all get its answer, and no crash can
leave an effect without its record or a record without its effect. There is no "in progress" to expire.

The key itself, the path and the body are kept only as keyed digests, and the answer is sealed: nothing that a caller
sent, a PAN least of all, and no secret that we answered can be read from the table.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from tollgate import clock
from tollgate.crypto.keyring import Keyring
from tollgate.errors import IdempotencyMismatch
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

RETENTION_SECONDS = 48 * 3600
"""How long an answer is replayed: twice the day that clients are promised."""


class AlreadyAnswered(Exception):
    """The request was served before; `body` is the answer it got, byte for byte."""

    def __init__(self, body: bytes) -> None:
        super().__init__("already answered")
        self.body = body


class Once:
    """One request's claim to be served once. `NOT_CLAIMED` stands in for a request without a key."""

    def remember(self, transaction: Transaction, body: bytes) -> None:
        """Make `body` the answer of this request for as long as answers are kept."""


NOT_CLAIMED = Once()


@dataclass(frozen=True)
class Claim(Once):
    """A request that carries an idempotency key.

    `owner` is the account, `operation` the method and path, `key` what the caller chose, `body` the request as sent.
    """

    table: Table
    keyring: Keyring
    owner: str
    operation: str
    key: str
    request: bytes

    def find(self) -> bytes | None:
        """The answer that this request already got, if any.

        Raises:
            IdempotencyMismatch: the key was used with another request.
        """
        item = self.table.get(self._pk(), "#")
        return self._answer(item) if item and item["expires"] > clock.epoch() else None

    def remember(self, transaction: Transaction, body: bytes) -> None:
        transaction.put(
            self.table,
            {
                "pk": self._pk(),
                "sk": "#",
                "request": self._request_digest(),
                "answer": self.keyring.seal(self.owner, self._context(), body),
                "expires": clock.epoch() + RETENTION_SECONDS,
            },
            condition="attribute_not_exists(pk) OR expires <= :now",
            values={":now": clock.epoch()},
            refusal=lambda item: AlreadyAnswered(self._answer(item)),
        )

    def _answer(self, item: Item) -> bytes:
        if not hmac.compare_digest(str(item["request"]), self._request_digest()):
            raise IdempotencyMismatch
        return self.keyring.open(self.owner, self._context(), item["answer"])

    def _pk(self) -> str:
        name = self.keyring.digest(self.owner, "idempotency-key", f"{self.operation}\n{self.key}".encode())
        return f"IDEM#{self.owner}#{name[:40]}"

    def _request_digest(self) -> str:
        return self.keyring.digest(self.owner, "idempotency-request", self.request)

    def _context(self) -> dict[str, str]:
        return {"record": "idempotency", "operation": self.operation}
