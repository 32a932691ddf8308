"""What customers do beyond the engine: remember e-mail addresses, one default address, pins, merging, going as a whole.

A merged customer's missing properties come from the other, which is gone afterwards; its addresses and comments move
first, in steps that each leave everything whole, so that a repeated request goes on where one ended.
"""

from __future__ import annotations

from typing import Any, Final

from payments.customers.errors import SameCustomer
from payments.customers.repository import CustomerRecords
from payments.engine.errors import ObjectNotFound, VersionConflict
from payments.engine.fields import now
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects, partition
from payments.engine.service import ATTEMPTS, Change, Hooks, ResourceService
from payments.resources.customers import CUSTOMER, CUSTOMER_ADDRESS, CUSTOMER_COMMENT
from tollgate.errors import Contended

MOST_EMAILS: Final = 100
MOST_METADATA: Final = 25
_MERGED: Final = ("customerId", "emailAddress", "givenName", "familyName", "language", "preferredCurrency")


class CustomerHooks(Hooks):
    """Keeps every e-mail address that a customer had."""

    def __init__(self, records: CustomerRecords) -> None:
        self._records = records

    def creating(self, change: Change) -> None:
        self._remember(change)

    def updating(self, change: Change) -> None:
        self._remember(change)

    def _remember(self, change: Change) -> None:
        email = change.values.get("emailAddress")
        if email is not None and (change.before is None or change.before.values.get("emailAddress") != email):
            child = f"{partition(CUSTOMER, change.scope)}={change.id}"
            self._records.remember_email(change.transaction, child, email, now())


class AddressHooks(Hooks):
    """A new address is not the default one; the default one that goes leaves none."""

    def __init__(self, records: CustomerRecords) -> None:
        self._records = records

    def creating(self, change: Change) -> None:
        change.values["defaultAddress"] = False

    def deleting(self, change: Change) -> None:
        if change.before is not None and change.before.values.get("defaultAddress"):
            self._records.drop_default(change.transaction, change.scope, change.id)


class CommentHooks(Hooks):
    """Who wrote a comment, and who changed it when."""

    def creating(self, change: Change) -> None:
        change.values.update(createdBy=change.context.user_id, pinned=False)

    def updating(self, change: Change) -> None:
        change.values.update(editedBy=change.context.user_id, editedOn=now())


class CustomerService:
    """Customers and what lies below them."""

    def __init__(self, objects: Objects) -> None:
        self._records = CustomerRecords(objects)
        self.customers = _Customers(objects, self._records)
        self.addresses = ResourceService(CUSTOMER_ADDRESS, objects, AddressHooks(self._records))
        self.comments = ResourceService(CUSTOMER_COMMENT, objects, CommentHooks())

    def emails(self, context: Context, customer_id: int) -> list[dict[str, Any]]:
        """The addresses that a customer was ever known under.

        Raises:
            ObjectNotFound: there is no such customer.
        """
        return self._records.emails(self.customers.read(context, customer_id), MOST_EMAILS)

    def merge(self, context: Context, customer_id: int, other_id: int) -> Entity:
        """Make two customers one; answers what has become of the first.

        Raises:
            ObjectNotFound: one of them is not there.
            SameCustomer: they are one already.
        """
        for _ in range(ATTEMPTS):
            target, other = self.customers.read(context, customer_id), self.customers.read(context, other_id)
            if target.id == other.id:
                raise SameCustomer
            try:
                return self._merged(context, target, other)
            except (VersionConflict, ObjectNotFound):  # something changed below our hands: look again
                continue
        raise Contended

    def _merged(self, context: Context, target: Entity, other: Entity) -> Entity:
        self._records.move_all(other, target)
        change = self.customers.change_of(context, target)
        change.values.update(_taken_over(target, other))
        self.customers.objects.remove(change.transaction, other)
        merged = self.customers.commit(change)
        self._records.move_all(other, merged)  # what came while the other still was there
        self._records.remove_all(other)
        return merged

    def make_default(self, context: Context, customer_id: int, address_id: int) -> None:
        """Make an address the customer's default one, and no other."""
        for _ in range(ATTEMPTS):
            customer = self.customers.read(context, customer_id)
            address = self.addresses.read(context, address_id, customer)
            if address.values.get("defaultAddress"):
                return
            try:
                self._move_default(context, customer, address)
            except VersionConflict:
                continue
            return
        raise Contended

    def _move_default(self, context: Context, customer: Entity, address: Entity) -> None:
        former = self._records.default_address(customer)
        if former == address.id:  # another request made it so since the address was read
            raise VersionConflict
        change = self.addresses.change_of(context, address, parent=customer)
        change.values["defaultAddress"] = True
        self._records.point_default(change.transaction, customer, former, address.id)
        before = self.addresses.objects.find(CUSTOMER_ADDRESS, address.scope, former) if former else None
        if before is not None:
            self.addresses.objects.replace(change.transaction, before, before.changed({"defaultAddress": False}))
        self.addresses.commit(change)

    def pin(self, context: Context, customer_id: int, comment_id: int, *, pinned: bool) -> None:
        """Pin a comment to the top, or take it off."""
        for _ in range(ATTEMPTS):
            customer = self.customers.read(context, customer_id)
            comment = self.comments.read(context, comment_id, customer)
            if bool(comment.values.get("pinned")) == pinned:
                return
            change = self.comments.change_of(context, comment, parent=customer)
            change.values["pinned"] = pinned
            try:
                self.comments.commit(change)
            except VersionConflict:
                continue
            return
        raise Contended


class _Customers(ResourceService):
    """Customers, which go with everything that lies below them."""

    def __init__(self, objects: Objects, records: CustomerRecords) -> None:
        super().__init__(CUSTOMER, objects, CustomerHooks(records))
        self._records = records

    def delete(self, context: Context, object_id: int, parent: Entity | None = None) -> None:
        customer = self.read(context, object_id, parent)
        self._empty(customer)
        super().delete(context, object_id, parent)
        self._empty(customer)  # nothing can come any more, and what came meanwhile goes too

    def _empty(self, customer: Entity) -> None:
        for _ in range(ATTEMPTS):
            try:
                return self._records.remove_all(customer)
            except (VersionConflict, ObjectNotFound):  # a child changed since it was read
                continue
        raise Contended


def _taken_over(target: Entity, other: Entity) -> dict[str, Any]:
    """What the first lacks and the other has."""
    values = {
        name: other.values[name] for name in _MERGED if target.values.get(name) is None and other.values.get(name)
    }
    metadata = {**(other.values.get("metaData") or {}), **(target.values.get("metaData") or {})}
    own = target.values.get("metaData") or {}
    for name in sorted(metadata.keys() - own.keys()):
        if len(metadata) <= MOST_METADATA:
            break
        del metadata[name]
    return {**values, "metaData": metadata} if metadata else values
