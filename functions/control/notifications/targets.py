"""Where a recipient's notifications go: an account's own endpoint, or one that a family subscribed for an account.

A *recipient* is an account, by its id, or a subscription (`<account>/<name>`). To the machinery both are the same: each
has numbers, lanes, health and a log of its own, so that one slow webhook holds up no other. The owner of a subscription
changes it in its own transaction. It must not know what is subscribed to.

Access pattern (`pk`, `sk`): where a subscription's notifications go  `TARGET#<account>/<name>`, `#`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from control.notifications.models import stamp
from control.provisioning.public import NotificationTarget, NotificationTargets
from tollgate import clock
from tollgate.auth import records
from tollgate.crypto.keyring import Keyring
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

ANY_SUCCESS: Final = range(200, 300)
NOWHERE: Final = NotificationTarget(url=None, url_set_at=None, keys=(), accepts=ANY_SUCCESS)
_BETWEEN: Final = "/"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A recipient that is not an account. `name` is unique within the account."""

    account_id: str
    name: str

    @property
    def recipient(self) -> str:
        return f"{self.account_id}{_BETWEEN}{self.name}"


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

    def target(self, recipient: str) -> NotificationTarget:
        """As it is now; nowhere for one that is gone."""
        item = self._table.get(f"TARGET#{recipient}", "#")
        if item is None:
            return NOWHERE
        key = self._keyring.open(records.PLATFORM, _context(recipient), item["hmac_key"])
        return NotificationTarget(item["url"], item["url_set_at"], (key,), ANY_SUCCESS)


class Targets:
    """The targets of all recipients."""

    def __init__(self, accounts: NotificationTargets, subscriptions: Subscriptions) -> None:
        self._accounts = accounts
        self._subscriptions = subscriptions

    def require(self, recipient: str) -> NotificationTarget:
        """The target of a recipient as it is now.

        Raises:
            AccountNotFound: no account has this id.
        """
        of = self._subscriptions.target if _BETWEEN in recipient else self._accounts.require
        return of(recipient)


def _context(recipient: str) -> dict[str, str]:
    return {"subscription": recipient, "field": "hmac_key"}
