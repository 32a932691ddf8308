"""Documents of a space's payments: looked up, composed, printed. Nothing is stored: the same objects give the same
document, and changed ones another."""

from __future__ import annotations

from typing import Final

from payments.documents.errors import NoInvoice, StateInvalid
from payments.documents.models import Content, Rendered
from payments.documents.rules import contents, printing
from payments.engine.models import Context, Entity
from payments.engine.repository import Objects
from payments.resources.access import SPACE
from payments.resources.refunds import REFUND
from payments.resources.transactions import TRANSACTION, TRANSACTION_INVOICE

_LARGEST_ID: Final = 10**16 - 1
_SENT_IN: Final = ("AUTHORIZED", "COMPLETED", "FULFILL", "DECLINE")


class Documents:
    """Documents of spaces."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def invoice(self, context: Context, number: int) -> Rendered:
        """An invoice. Raises ObjectNotFound."""
        scope = context.place.scope_of(TRANSACTION_INVOICE)
        return self._invoice(context, self._objects.read(TRANSACTION_INVOICE, scope, number))

    def invoice_of(self, context: Context, transaction: int) -> Rendered:
        """The latest invoice of a transaction. Raises ObjectNotFound, NoInvoice."""
        found = self._transaction(context, transaction)
        term = ("linkedTransaction", str(found.id))
        latest = self._objects.ids(TRANSACTION_INVOICE, found.scope, term, 0, _LARGEST_ID, True, 1)
        number = next(iter(latest), None)
        if number is None:
            raise NoInvoice
        return self.invoice(context, number)

    def packing_slip(self, context: Context, transaction: int) -> Rendered:
        """What goes into a parcel. Raises ObjectNotFound, StateInvalid: nothing is sent (yet)."""
        found = self._transaction(context, transaction)
        if found.state not in _SENT_IN:
            raise StateInvalid("The transaction is not authorized")
        content = contents.packing_slip(found.values, found.values["lineItems"], self._sender(context))
        return _rendered(contents.PACKING_SLIP, content)

    def credit_note(self, context: Context, refund: int) -> Rendered:
        """What is paid back. Raises ObjectNotFound."""
        found = self._objects.read(REFUND, context.place.scope_of(REFUND), refund)
        transaction = self._transaction(context, found.link("transaction") or 0)
        content = contents.credit_note(found.values, transaction.values, self._sender(context))
        return _rendered(contents.CREDIT_NOTE, content)

    def _invoice(self, context: Context, invoice: Entity) -> Rendered:
        transaction = self._transaction(context, invoice.values["linkedTransaction"])
        content = contents.invoice(invoice.values, transaction.values, self._sender(context))
        return _rendered(contents.INVOICE, content)

    def _transaction(self, context: Context, number: int) -> Entity:
        return self._objects.read(TRANSACTION, context.place.scope_of(TRANSACTION), number)

    def _sender(self, context: Context) -> tuple[str, ...]:
        """The space: its name and its postal address."""
        space = self._objects.find(SPACE, context.place.scope_of(SPACE), context.place.space_id or 0)
        if space is None:
            return ()
        return (str(space.values["name"]), *contents.address(space.values.get("postalAddress")))


def _rendered(kind: int, content: Content) -> Rendered:
    return Rendered(kind, content.title, printing.printed(content))
