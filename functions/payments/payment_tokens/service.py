"""What tokens do beyond the engine: their states, their active version, a transaction that gives them a new one.

A token that is deleted takes its card along: its version is obsolete in the same write, and the vault forgets the card.
"""

from __future__ import annotations

from typing import Final

from payments import announcements
from payments.engine.errors import ObjectNotFound, StateInvalid
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.engine.service import Change, Hooks, ResourceService
from payments.resources.tokens import TOKEN, TOKEN_VERSION
from payments.transactions.public import Acting, Transactions, retire
from payments.units import UnitOfWork
from tollgate.errors import Invalid

_BEGINNINGS: Final = ("CREATE", "ACTIVE", "INACTIVE")


class TokenHooks(Hooks):
    """States, announcements, and the end of the card."""

    def creating(self, change: Change) -> None:
        if change.values.setdefault("state", "ACTIVE") not in _BEGINNINGS:
            raise Invalid.at("state", f"must be one of {', '.join(_BEGINNINGS)}")
        change.values.setdefault("enabledForOneClickPayment", False)
        shown = Entity(change.resource, change.scope, change.id, 1, change.values)
        announcements.announce(change.transaction, change.objects, change.context.tenant, shown)

    def updating(self, change: Change) -> None:
        if change.before is not None and change.before.state == "DELETED":
            raise StateInvalid

    def deleting(self, change: Change) -> None:
        if change.before is None:
            raise LookupError("there is nothing to delete")
        unit = UnitOfWork(change.objects, change.context.tenant, change.scope, change.transaction)
        announcements.announce(change.transaction, change.objects, change.context.tenant, change.before, "DELETED")
        active = change.before.attributes.get("active_version")
        version = change.objects.find(TOKEN_VERSION, change.scope, active) if active else None
        if version is not None and version.state == "ACTIVE":
            retire(unit, version)
        change.attributes["active_version"] = None


class TokenService:
    """Tokens and what is asked of them."""

    def __init__(self, objects: Objects, transactions: Transactions) -> None:
        self._objects = objects
        self._transactions = transactions
        self.tokens = ResourceService(TOKEN, objects, TokenHooks())

    def active_version(self, context: Context, number: int) -> Entity:
        """Raises:
        ObjectNotFound: there is no such token, or it has no version yet (any more).
        """
        active = self.tokens.read(context, number).attributes.get("active_version")
        if active is None:
            raise ObjectNotFound("The token has no active version")
        return self._objects.read(TOKEN_VERSION, f"S{context.place.space_id}", active)

    def begin_update(self, context: Context, number: int) -> Entity:
        """A transaction whose payment gives the token a new version; its cart is still empty.

        Raises:
            ObjectNotFound, StateInvalid: there is no such token, or it is not active.
        """
        token = self.tokens.read(context, number)
        if token.state != "ACTIVE":
            raise StateInvalid
        return self._transactions.begin_for_token(Acting.of(context), token)
