"""The transactions that charge subscriptions, through the public part of transactions.

A transaction is created first and paid only after its charge names it, so of transactions that a death or a race leaves
behind none is ever paid: nobody knows them, and they fail when their time is over. One is paid with the subscription's
token, or by the subscriber on the payment page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from payments.engine.models import Context, Entity, Place
from payments.engine.repository import Objects
from payments.resources.tokens import TOKEN
from payments.subscriptions.models import Actor
from payments.transactions.public import Acting, Transactions
from payments.units import space_of

Outcome = Literal["waiting", "paid", "failed", "unpaid"]
"""`unpaid` is a transaction that nobody has tried to pay yet."""

_PAID: Final = frozenset({"FULFILL"})
_FAILED: Final = frozenset({"FAILED", "VOIDED", "DECLINE"})
_UNPAID: Final = frozenset({"CREATE", "PENDING", "CONFIRMED"})


class Paying:
    """What charging needs of transactions."""

    def __init__(self, objects: Objects, transactions: Transactions) -> None:
        self._objects = objects
        self._transactions = transactions

    def create(self, actor: Actor, subscription: Entity, values: Mapping[str, Any]) -> int:
        """A new transaction on behalf of whoever made the subscription; answers its id.

        Raises:
            Invalid: the space has not (any more) what it names.
        """
        creator = int(subscription.attributes["created_by"])
        context = Context(Place(0, space_of(actor.scope)), creator, actor.tenant)
        return self._transactions.create(context, values).entity.id

    def can_charge(self, actor: Actor, token: int | None) -> bool:
        """Whether a token can be charged without its owner."""
        found = self._objects.find(TOKEN, actor.scope, token) if token is not None else None
        return found is not None and found.state == "ACTIVE" and found.attributes.get("active_version") is not None

    def charge(self, actor: Actor, transaction: int) -> None:
        """Have a transaction paid with its token. What came of it, `read` tells.

        Raises:
            Invalid: nothing was charged: somebody else pays it already, or its token is of no use any more.
        """
        self._transactions.charge_with_token(Acting(actor.tenant, actor.scope), transaction)

    def read(self, actor: Actor, transaction: int) -> Entity:
        """The transaction as it is now."""
        return self._transactions.read(Acting(actor.tenant, actor.scope), transaction)


def outcome_of(transaction: Entity) -> Outcome:
    """What has become of a transaction."""
    if transaction.state in _PAID:
        return "paid"
    if transaction.state in _FAILED:
        return "failed"
    return "unpaid" if transaction.state in _UNPAID else "waiting"
