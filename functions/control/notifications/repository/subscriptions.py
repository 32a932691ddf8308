"""Subscriptions: endpoints beside an account's own, kept by a family for its accounts.

The owner of a subscription changes it in its own transaction. It must not know what is subscribed to.

Access pattern (`pk`, `sk`): where a subscription's notifications go  `TARGET#<account>/<name>`, `#`
"""

from __future__ import annotations

from dataclasses import dataclass

from control.notifications.models import stamp
from tollgate import clock
from tollgate.auth import records
from tollgate.crypto.keyring import Keyring
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
    """Where a subscription's notifications go, since when (UTC to the microsecond), and what signs them."""

    url: str
    url_set_at: str
    key: bytes


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

    def remove(self, transaction: Transaction, subscription: Subscription) -> None:
        """From now on nothing is sent; what is still pending is noted as not sent."""
        transaction.delete(self._table, f"TARGET#{subscription.recipient}", "#")

    def find(self, recipient: str) -> Subscribed | None:
        """As it is now; None for one that is gone."""
        item = self._table.get(f"TARGET#{recipient}", "#")
        if item is None:
            return None
        key = self._keyring.open(records.PLATFORM, _context(recipient), item["hmac_key"])
        return Subscribed(item["url"], item["url_set_at"], key)


def _context(recipient: str) -> dict[str, str]:
    return {"subscription": recipient, "field": "hmac_key"}
