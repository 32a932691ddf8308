"""Sessions in DynamoDB, all of it in the table that is neither backed up nor streamed.

Access patterns (`pk`, `sk`):
    a session by id                         `SESSION#<id>`,             `#`
    an account's private key of an hour     `SESSION-KEY#<account>`,    `<period>`
    what is to be removed, by when          `SESSIONS-DUE#<shard>`,     `<moment>#<kind>#<id>#<sort key>`

The table's own expiry may come days late, so everything also stands in the order that the sweep follows; a session
whose time is over is never answered, swept or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction
from vault.sessions.errors import ReasonCode, SessionNotFound, SessionOver
from vault.sessions.models import MOST_ATTEMPTS, Session

DUE_SHARDS = 8
PER_REMOVAL = 40
MOST_DUE_COUNTED = 1000
TTL_MARGIN_SECONDS = 3600
"""The table's own expiry is the second net, so it comes behind the first."""

_OPEN = "attribute_not_exists(token_id) AND attempts < :most AND expires_at > :now"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An account's key pair of one hour; the private part is sealed."""

    period: str
    modulus: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """An entry of the order of removal, and the key of what it stands for."""

    key: tuple[str, str]
    target: tuple[str, str]


class SessionRepository:
    """Sessions and their keys. A session is found by its id alone: the id is the credential."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    # ------------------------------------------------------------------ sessions

    def find(self, session_id: str) -> Session | None:
        """A session whose time is not over."""
        item = self._table.get(*_session_key(session_id))
        return _from_item(item) if item and item["expires_at"] > clock.epoch() else None

    def insert(self, transaction: Transaction, session: Session) -> None:
        pk, sk = _session_key(session.id)
        transaction.put(
            self._table,
            {
                "pk": pk,
                "sk": sk,
                "account_id": session.account_id,
                "expires_at": session.expires_at,
                "period": session.period,
                "modulus": session.modulus,
                "attempts": session.attempts,
                "bypass_identification": session.bypass_identification,
                "expiration_seconds": session.expiration_seconds,
                "expires": session.expires_at + TTL_MARGIN_SECONDS,
            },
            condition="attribute_not_exists(pk)",
        )
        transaction.put(self._table, _due_row(session.expires_at, (pk, sk)))

    def complete(self, transaction: Transaction, session: Session, token_id: str) -> None:
        """End the session with its token. The transaction is refused with SessionOver or SessionNotFound when the
        session is not open any more."""
        pk, sk = _session_key(session.id)
        transaction.update(
            self._table,
            pk,
            sk,
            "SET token_id = :token",
            condition=_OPEN,
            values={":token": token_id, ":most": MOST_ATTEMPTS, ":now": clock.epoch()},
            refusal=_refused,
        )

    def count_attempt(self, session: Session, reason_code: ReasonCode) -> Session:
        """Use up one attempt of an open session; answers the session as it is then.

        Raises:
            SessionOver, SessionNotFound: it is not open any more.
        """
        try:
            item = self._table.update(
                *_session_key(session.id),
                "SET reason_code = :reason ADD attempts :one",
                condition=_OPEN,
                values={":reason": reason_code, ":one": 1, ":most": MOST_ATTEMPTS, ":now": clock.epoch()},
            )
        except ConditionFailed as refused:
            raise _refused(refused.item) from None
        return _from_item(item)

    # ------------------------------------------------------------------ keys

    def find_key(self, account_id: str, period: str) -> StoredKey | None:
        item = self._table.get(*_key_key(account_id, period))
        return StoredKey(period, item["modulus"], item["sealed"]) if item else None

    def insert_key(self, account_id: str, key: StoredKey, until: int) -> bool:
        """Keep a new key until that moment; False when another writer was first."""
        pk, sk = _key_key(account_id, key.period)
        transaction = self.begin()
        transaction.put(
            self._table,
            {"pk": pk, "sk": sk, "modulus": key.modulus, "sealed": key.sealed, "expires": until + TTL_MARGIN_SECONDS},
            condition="attribute_not_exists(pk)",
            refusal=KeyTaken,
        )
        transaction.put(self._table, _due_row(until, (pk, sk)))
        try:
            transaction.commit()
        except KeyTaken:
            return False
        return True

    # ------------------------------------------------------------------ what is over

    def due(self) -> Iterator[list[Due]]:
        """Sessions and keys whose time is over, in batches for `remove`."""
        until = _until(clock.epoch())
        for shard in range(DUE_SHARDS):
            rows = self._table.scan_partition(_due_partition(shard), high=until, project=("pk", "sk"))
            while batch := [_due_from(row) for row in islice(rows, PER_REMOVAL)]:
                yield batch

    def count_due(self) -> int:
        """How many are over and still there; of each shard no more than a thousand are counted."""
        read = partial(self._table.query, high=_until(clock.epoch()), limit=MOST_DUE_COUNTED, project=("sk",))
        return sum(len(read(_due_partition(shard))) for shard in range(DUE_SHARDS))

    def remove(self, batch: Sequence[Due]) -> None:
        """Remove them with their entries; what is gone already does not matter."""
        transaction = self.begin()
        for due in batch:
            transaction.delete(self._table, *due.target)
            transaction.delete(self._table, *due.key)
        transaction.commit()


class KeyTaken(Exception):
    """Another writer made the key of this hour first."""


def _refused(item: Item) -> Exception:
    return SessionOver() if item and item["expires_at"] > clock.epoch() else SessionNotFound()


def _session_key(session_id: str) -> tuple[str, str]:
    return f"SESSION#{session_id}", "#"


def _key_key(account_id: str, period: str) -> tuple[str, str]:
    return f"SESSION-KEY#{account_id}", period


def _due_row(moment: int, target: tuple[str, str]) -> Item:
    pk, sk = target
    shard = int(pk.partition("#")[2][:2], 16) % DUE_SHARDS
    return {
        "pk": _due_partition(shard),
        "sk": f"{moment:012d}#{pk}#{sk}",
        "expires": moment + TTL_MARGIN_SECONDS,
    }


def _due_from(row: Item) -> Due:
    _, kind, owner, sort_key = str(row["sk"]).split("#", 3)
    return Due((row["pk"], row["sk"]), (f"{kind}#{owner}", sort_key))


def _due_partition(shard: int) -> str:
    return f"SESSIONS-DUE#{shard}"


def _until(moment: int) -> str:
    """The end of a range that takes in every entry of this moment: `$` follows `#`."""
    return f"{moment:012d}$"


def _from_item(item: Item) -> Session:
    return Session(
        id=str(item["pk"]).partition("#")[2],
        account_id=item["account_id"],
        expires_at=item["expires_at"],
        period=item["period"],
        modulus=item["modulus"],
        attempts=item["attempts"],
        bypass_identification=item["bypass_identification"],
        expiration_seconds=item.get("expiration_seconds"),
        token_id=item.get("token_id"),
        reason_code=item.get("reason_code"),
    )
