"""Subscriptions: endpoints beside an account's own, kept by a family for its accounts.

The owner of a subscription changes it in its own transaction. It must not know what is subscribed to.

Access patterns (`pk`, `sk`):
    where a subscription's notifications go     `TARGET#<account>/<name>`, `#`
    what signs notifications of subscriptions   `SIGNER#<account>/<name>`, `#`

A target has a URL and a key shared with its receiver, or a URL alone. Or it goes by *way* of another target, whose URL
is then its own, and has a *signer*: a private key that several subscriptions sign with.
"""

from __future__ import annotations

from dataclasses import dataclass

from control.notifications.models import stamp
from tollgate import clock
from tollgate.auth import records
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.signatures import SigningKey
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

BETWEEN = "/"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A recipient that is not an account. `name` is unique within the account."""

    account_id: str
    name: str

    @property
    def recipient(self) -> str:
        return f"{self.account_id}{BETWEEN}{self.name}"


@dataclass(frozen=True, slots=True, repr=False)
class Subscribed:
    """Where a subscription's notifications go, since when (UTC to the microsecond), and what signs them: a key shared
    with the receiver, a private one, or nothing."""

    url: str
    url_set_at: str
    key: bytes | None = None
    signing: SigningKey | None = None


class Subscriptions:
    """Targets of subscriptions, kept beside the notifications they are for."""

    def __init__(self, table: Table, keyring: Keyring) -> None:
        self._table = table
        self._keyring = keyring

    def insert(self, transaction: Transaction, subscription: Subscription, url: str, key: str) -> None:
        """A new one, signed for with `key`."""
        recipient = subscription.recipient
        transaction.put(
            self._table,
            {
                "pk": f"TARGET#{recipient}",
                "sk": "#",
                "url": url,
                "url_set_at": stamp(clock.now()),
                "hmac_key": self._keyring.seal(records.PLATFORM, _context(recipient), key.encode()),
            },
            condition="attribute_not_exists(pk)",
        )

    def point_at(self, transaction: Transaction, subscription: Subscription, url: str) -> None:
        """Name the URL (again), which also takes an endpoint back into service that was given up."""
        transaction.update(
            self._table, f"TARGET#{subscription.recipient}", "#", "SET #url = :url, url_set_at = :at",
            condition="attribute_exists(pk)", names={"#url": "url"}, values={":url": url, ":at": stamp(clock.now())},
        )  # fmt: skip

    def put_url(self, transaction: Transaction, subscription: Subscription, url: str) -> None:
        """A target for others to go by, new or named again; nothing is signed for it."""
        transaction.put(
            self._table,
            {"pk": f"TARGET#{subscription.recipient}", "sk": "#", "url": url, "url_set_at": stamp(clock.now())},
        )

    def put_way(
        self, transaction: Transaction, subscription: Subscription, way: Subscription, signer: Subscription | None
    ) -> None:
        """A subscription that goes by way of another one's URL, signed for by a signer or not at all."""
        transaction.put(
            self._table,
            {
                "pk": f"TARGET#{subscription.recipient}",
                "sk": "#",
                "way": way.recipient,
                "signer": signer.recipient if signer else None,
            },
        )

    def put_signer(self, transaction: Transaction, signer: Subscription, key: SigningKey) -> None:
        """What signs from now on under this name."""
        transaction.put(
            self._table,
            {
                "pk": f"SIGNER#{signer.recipient}",
                "sk": "#",
                "key_id": key.id,
                "private_key": self._keyring.seal(records.PLATFORM, _signer_context(signer.recipient), key.private),
            },
        )

    def remove(self, transaction: Transaction, subscription: Subscription) -> None:
        """From now on nothing is sent; what is still pending is noted as not sent."""
        transaction.delete(self._table, f"TARGET#{subscription.recipient}", "#")

    def find(self, recipient: str) -> Subscribed | None:
        """As it is now; None for one that is gone, or whose way is."""
        item = self._table.get(f"TARGET#{recipient}", "#")
        if item is None:
            return None
        if "way" not in item:
            sealed = item.get("hmac_key")
            key = self._keyring.open(records.PLATFORM, _context(recipient), sealed) if sealed is not None else None
            return Subscribed(item["url"], item["url_set_at"], key)
        way = self._table.get(f"TARGET#{item['way']}", "#")
        if way is None:
            return None
        signer = item.get("signer")
        return Subscribed(way["url"], way["url_set_at"], signing=self._signing(signer) if signer else None)

    def _signing(self, recipient: str) -> SigningKey:
        item = self._table.get(f"SIGNER#{recipient}", "#")
        if item is None:
            raise LookupError("a signer is missing")
        private = self._keyring.open(records.PLATFORM, _signer_context(recipient), item["private_key"])
        return SigningKey(item["key_id"], private)


def _context(recipient: str) -> dict[str, str]:
    return {"subscription": recipient, "field": "hmac_key"}


def _signer_context(recipient: str) -> dict[str, str]:
    return {"signer": recipient, "field": "private_key"}
