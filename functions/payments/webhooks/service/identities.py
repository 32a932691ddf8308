"""Identities of spaces, and the keys that they sign with.

The private key goes to the notifications, sealed; the public one stays readable for good, also when another takes its
place.
"""

from __future__ import annotations

from control.notifications.public import Subscription, Subscriptions
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.resources.webhooks import WEBHOOK_IDENTITY
from payments.units import UnitOfWork, repeated
from payments.webhooks.errors import KeyNotFound
from payments.webhooks.repository import WebhookRecords
from tollgate import ids
from tollgate.crypto.signatures import new_signing_key
from tollgate.store.transaction import Transaction


class _AlreadyThere(Exception):
    """Another request made the space's identity first."""


class Identities:
    """Identities of spaces, and the keys that they sign with."""

    def __init__(self, objects: Objects, records: WebhookRecords, subscriptions: Subscriptions) -> None:
        self._objects = objects
        self._records = records
        self._subscriptions = subscriptions

    def require_default(self, context: Context) -> int:
        """The space's identity, made with its first key when it is first needed."""
        scope = context.place.scope_of(WEBHOOK_IDENTITY)
        found = self._records.default_identity(scope)
        if found is not None:
            return found
        unit = UnitOfWork(self._objects, context.tenant, scope)
        made = unit.insert(WEBHOOK_IDENTITY, {"name": "Default", "state": "ACTIVE"})
        self._records.point_default(unit.transaction, made, _AlreadyThere())
        self._put_key(unit.transaction, context, made.id)
        try:
            unit.commit()
        except _AlreadyThere:
            return self.require_default(context)
        return made.id

    def rotate(self, context: Context, identity_id: int) -> Entity:
        """A new key from the next attempt on; the public key of the former stays."""

        def attempt() -> Entity:
            scope = context.place.scope_of(WEBHOOK_IDENTITY)
            unit = UnitOfWork(self._objects, context.tenant, scope)
            after = unit.replace(self._objects.read(WEBHOOK_IDENTITY, scope, identity_id), {})
            self._put_key(unit.transaction, context, identity_id)
            unit.commit()
            return after

        return repeated(attempt)

    def public_key(self, key_id: str) -> str:
        """Raises:
        KeyNotFound: no key has this id.
        """
        found = self._records.find_key(key_id) if ids.is_uuid(key_id) else None
        if found is None:
            raise KeyNotFound
        return found

    def _put_key(self, transaction: Transaction, context: Context, identity_id: int) -> None:
        key, public = new_signing_key(ids.new_uuid())
        self._subscriptions.put_signer(transaction, signer_of(context, identity_id), key)
        self._records.put_key(transaction, key.id, public)


def signer_of(context: Context, identity_id: int) -> Subscription:
    """What an identity is to the notifications."""
    return Subscription(context.tenant, f"{context.place.scope_of(WEBHOOK_IDENTITY)}-identity-{identity_id}")
