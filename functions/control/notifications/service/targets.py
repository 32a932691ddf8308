"""Where a recipient's notifications go: an account's own endpoint, or one that a family subscribed for an account.

A *recipient* is an account, by its id, or a subscription (`<account>/<name>`). To the machinery both are the same: each
has numbers, lanes, health and a log of its own, so that one slow webhook holds up no other.
"""

from __future__ import annotations

from typing import Final

from control.notifications.repository.subscriptions import BETWEEN, Subscriptions
from control.provisioning.public import NotificationTarget, NotificationTargets

ANY_SUCCESS: Final = range(200, 300)
NOWHERE: Final = NotificationTarget(url=None, url_set_at=None, keys=(), accepts=ANY_SUCCESS)


class Targets:
    """The targets of all recipients."""

    def __init__(self, accounts: NotificationTargets, subscriptions: Subscriptions) -> None:
        self._accounts = accounts
        self._subscriptions = subscriptions

    def require(self, recipient: str) -> NotificationTarget:
        """The target of a recipient as it is now; nowhere for a subscription that is gone.

        Raises:
            AccountNotFound: no account has this id.
        """
        if BETWEEN not in recipient:
            return self._accounts.require(recipient)
        found = self._subscriptions.find(recipient)
        if found is None:
            return NOWHERE
        sign = found.signing.header if found.signing else None
        return NotificationTarget(found.url, found.url_set_at, (found.key,) if found.key else (), ANY_SUCCESS, sign)
