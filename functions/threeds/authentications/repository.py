"""Authentications in DynamoDB: keys, items, conditions.

Access patterns (`pk`, `sk`):
    an authentication by id                       `AUTHENTICATION#<account>#<id>`,      `#`
    an authentication by its session              `SESSION#<session>`,                  `#`
    an account's authentications, counted         see `tollgate.store.listing`, name `authentications`, facet: type
    what the clock settles, by when               `AUTHENTICATIONS-DUE#<shard>`,        `<due>#<account>#<id>`
    the series that an authentication began       `SERIES#<account>#<id>`,              `#`
    a request whose answer waits for another      `IDEM#<account>#<digest>`,            `ATTEMPT`

A row in a list carries the public form as one JSON text, which a page hands on as it is. Every method that writes adds
to a transaction that the service commits.
"""

from __future__ import annotations

import hmac
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from threeds.authentications.errors import AuthenticationChanged
from threeds.authentications.models import Authentication, AuthenticationType, Series, view
from tollgate import clock
from tollgate.errors import IdempotencyMismatch, StillRunning
from tollgate.http.message import encode
from tollgate.store.idempotency import RETENTION_SECONDS, AlreadyAnswered, Claim, Once
from tollgate.store.items import Item
from tollgate.store.listing import Listing, Page, Selection, Slot
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

DUE_SHARDS = 8
MOST_DUE_COUNTED = 1000

FACETS: dict[AuthenticationType, str] = {
    "COF_PAYMENT": "co",
    "INITIAL_RECURRING": "ir",
    "INITIAL_INSTALLMENT": "ii",
    "SUBSEQUENT_RECURRING": "sr",
    "SUBSEQUENT_INSTALLMENT": "si",
}
_MEMBERS = tuple(field.name for field in fields(Authentication))
_ATTEMPT = "ATTEMPT"


@dataclass(frozen=True, slots=True)
class Due:
    """An entry of the order in which the clock settles: its key, and the authentication it stands for."""

    pk: str
    sk: str
    account_id: str
    authentication_id: str


class AuthenticationRepository:
    """Authentications of all accounts; every method takes the account, but for those that take a session's id, which is
    a secret between us, the cardholder's browser and the issuer."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._listing = Listing(table, "authentications")

    @property
    def table(self) -> Table:
        return self._table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def allocate(self, account_id: str) -> Slot:
        return self._listing.allocate(account_id)[0]

    # ------------------------------------------------------------------ reading

    def find(self, account_id: str, authentication_id: str) -> Authentication | None:
        item = self._table.get(_pk(account_id, authentication_id), "#")
        return _from_item(item) if item else None

    def find_by_session(self, session_id: str) -> Authentication | None:
        row = self._table.get(f"SESSION#{session_id}", "#")
        return self.find(row["account_id"], row["id"]) if row else None

    def find_series(self, account_id: str, original_id: str) -> Series | None:
        item = self._table.get(_series_pk(account_id, original_id), "#")
        if item is None:
            return None
        return Series(
            account_id, original_id, item["version"], item["authorised"], item["last_on"], item.get("pending")
        )

    def page(self, account_id: str, selection: Selection) -> Page:
        """A page of public forms, as JSON texts."""
        return self._listing.page(account_id, selection, ("view",))

    def due(self, until: str) -> Iterator[Due]:
        """Authentications of all accounts that are due by `until`, the oldest of each shard first."""
        for shard in range(DUE_SHARDS):
            for row in self._table.scan_partition(_due_pk(shard), high=f"{until}$", project=("pk", "sk")):
                _, account_id, authentication_id = str(row["sk"]).split("#")
                yield Due(row["pk"], row["sk"], account_id, authentication_id)

    def count_due(self, until: str) -> int:
        """How many are due; of each shard no more than a thousand are counted."""
        return sum(
            len(self._table.query(_due_pk(shard), high=f"{until}$", limit=MOST_DUE_COUNTED, project=("sk",)))
            for shard in range(DUE_SHARDS)
        )

    # ------------------------------------------------------------------ writing

    def insert(self, transaction: Transaction, slot: Slot, record: Authentication) -> None:
        """A new authentication, listed, to be found by its session, and in the order of what is due."""
        transaction.put(
            self._table, _to_item(record),
            condition="attribute_not_exists(pk)", refusal=lambda _: AuthenticationChanged(),
        )  # fmt: skip
        transaction.put(
            self._table,
            {"pk": f"SESSION#{record.session_id}", "sk": "#", "account_id": record.account_id, "id": record.id},
            condition="attribute_not_exists(pk)",
        )
        self._put_due(transaction, record)
        self._listing.add(transaction, record.account_id, [(slot, FACETS[record.type], _row(record))])

    def replace(self, transaction: Transaction, before: Authentication, after: Authentication) -> None:
        """Move an authentication that still is as `before`. Refused with AuthenticationChanged."""
        transaction.put(
            self._table,
            _to_item(after),
            condition="version = :before",
            values={":before": before.version},
            refusal=lambda _: AuthenticationChanged(),
        )
        if before.due is not None and before.due != after.due:
            transaction.delete(self._table, *_due_key(before))
        if before.due != after.due:
            self._put_due(transaction, after)
        facet = FACETS[after.type]
        self._listing.move(transaction, after.account_id, after.sequence, _row(after), facet, facet)

    def forget_due(self, due: Due) -> None:
        """Drop an entry whose authentication is settled or due at another time."""
        self._table.delete(due.pk, due.sk)

    def _put_due(self, transaction: Transaction, record: Authentication) -> None:
        if record.due is not None:
            pk, sk = _due_key(record)
            transaction.put(self._table, {"pk": pk, "sk": sk})

    # ------------------------------------------------------------------ series

    def open_series(self, transaction: Transaction, original: Authentication) -> None:
        """What a completed initial authentication permits to follow; it is itself the first authorisation."""
        transaction.put(
            self._table,
            {
                "pk": _series_pk(original.account_id, original.id),
                "sk": "#",
                "version": 1,
                "authorised": 1,
                "last_on": original.purchase_date[:8],
            },
            condition="attribute_not_exists(pk)",
            refusal=lambda _: AuthenticationChanged(),
        )

    def take_turn(self, transaction: Transaction, series: Series, record: Authentication) -> None:
        """Make a subsequent authentication the series' next; refused with AuthenticationChanged when the series is not
        as it was read."""
        transaction.update(
            self._table,
            _series_pk(series.account_id, series.original_id),
            "#",
            "SET authorised = authorised + :one, previous_on = last_on, last_on = :today, #pending = :id,"
            " #version = #version + :one",
            condition="#version = :before",
            names={"#pending": "pending", "#version": "version"},
            values={":one": 1, ":today": record.purchase_date[:8], ":id": record.id, ":before": series.version},
            refusal=lambda _: AuthenticationChanged(),
        )

    def end_turn(self, transaction: Transaction, record: Authentication) -> None:
        """A subsequent authentication is finished: it counts if it completed, else the series stands as before it."""
        undo = " SET last_on = previous_on, authorised = authorised - :one, #version = #version + :one"
        keep = " SET #version = #version + :one"
        transaction.update(
            self._table,
            _series_pk(record.account_id, str(record.original_authentication)),
            "#",
            f"REMOVE #pending{keep if record.status == 'COMPLETED' else undo}",
            condition="#pending = :id",
            names={"#pending": "pending", "#version": "version"},
            values={":one": 1, ":id": record.id},
            refusal=lambda _: AuthenticationChanged(),
        )


@dataclass(frozen=True)
class Attempt(Claim):
    """The claim of a request whose answer waits for the directory server's.

    The key is taken with a row of its own in the transaction that records the authentication as sent. Until there is an
    answer, the same request is told that the first one is still running. Where the process ended in between, the answer
    is what the clock or the issuer made of the authentication.
    """

    def find(self) -> bytes | None:
        """The answer that this request already got, if any.

        Raises:
            IdempotencyMismatch: the key was used with another request.
            StillRunning: the first request with this key has no answer yet.
        """
        answer = super().find()
        if answer is not None:
            return answer
        row = self.table.get(self._pk(), _ATTEMPT)
        if row is None or row["expires"] <= clock.epoch():
            return None
        self._require_same(row)
        return self._made_up_for(row)

    def begin(self, transaction: Transaction, record: Authentication) -> None:
        """Take the key for this authentication."""
        transaction.put(
            self.table,
            {
                "pk": self._pk(),
                "sk": _ATTEMPT,
                "request": self._request_digest(),
                "id": record.id,
                "expires": clock.epoch() + RETENTION_SECONDS,
            },
            condition="attribute_not_exists(pk) OR expires <= :now",
            values={":now": clock.epoch()},
            refusal=self._refused,
        )

    def _refused(self, row: Item) -> Exception:
        try:
            self._require_same(row)
        except IdempotencyMismatch as mismatch:
            return mismatch
        return StillRunning()

    def _require_same(self, row: Item) -> None:
        if not hmac.compare_digest(str(row["request"]), self._request_digest()):
            raise IdempotencyMismatch

    def _made_up_for(self, row: Item) -> bytes:
        """The answer of an attempt that ended without one, from now on the same for all."""
        item = self.table.get(_pk(self.owner, row["id"]), "#")
        if item is None or item["step"] == "sent":
            raise StillRunning
        body = encode(view(_from_item(item)))
        transaction = Transaction(self.table.client)
        self.remember(transaction, body)
        try:
            transaction.commit()
        except AlreadyAnswered as earlier:
            return earlier.body
        return body


def begin_attempt(once: Once, transaction: Transaction, record: Authentication) -> None:
    """Take the request's key, if it has one."""
    if isinstance(once, Attempt):
        once.begin(transaction, record)


def public_forms(page: Page) -> list[str]:
    """The authentications of a page, as JSON texts."""
    return [str(row["view"]) for row in page.rows]


def _pk(account_id: str, authentication_id: str) -> str:
    return f"AUTHENTICATION#{account_id}#{authentication_id}"


def _series_pk(account_id: str, original_id: str) -> str:
    return f"SERIES#{account_id}#{original_id}"


def _due_pk(shard: int) -> str:
    return f"AUTHENTICATIONS-DUE#{shard}"


def _due_key(record: Authentication) -> tuple[str, str]:
    shard = zlib.crc32(record.id.encode()) % DUE_SHARDS
    return _due_pk(shard), f"{record.due}#{record.account_id}#{record.id}"


def _row(record: Authentication) -> dict[str, Any]:
    text = json.dumps(view(record), separators=(",", ":"), ensure_ascii=False)
    return {"view": text, "created_at": record.created_at}


def _to_item(record: Authentication) -> Item:
    item = {name: getattr(record, name) for name in _MEMBERS}
    return {**item, "pk": _pk(record.account_id, record.id), "sk": "#"}


def _from_item(item: Item) -> Authentication:
    values = {name: item.get(name) for name in _MEMBERS}
    return Authentication(**{**values, "failures": tuple(item.get("failures", ()))})  # type: ignore[arg-type]
