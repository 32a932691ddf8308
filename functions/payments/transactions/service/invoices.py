"""Invoices that buyers pay later: paid, replaced, given up, overdue.

An invoice that is open has a row of work for the day on which it is due, which goes with its state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from payments import amounts, line_items
from payments.engine.errors import AlreadyThere, ObjectNotFound, StateInvalid, VersionConflict
from payments.engine.fields import moment_of, stamp
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.engine.service import digest
from payments.line_items import LineItemsInvalid
from payments.resources.transactions import TRANSACTION, TRANSACTION_INVOICE
from payments.transactions.models import INVOICE_DUE, INVOICE_QUEUE, OUTSTANDING, Acting, epoch_of
from payments.transactions.repository import TransactionRepository
from payments.transactions.service import fulfilment
from payments.transactions.service.drafts import begin_for_invoice
from payments.units import UnitOfWork, repeated
from payments.work import Work
from tollgate import clock
from tollgate.errors import Invalid

MOST_PER_SHARD: Final = 50
_CARRIED_OVER: Final = (
    "language", "spaceViewId", "timeZone", "linkedTransaction", "completion", "environment", "billingAddress",
    "merchantReference", "dueOn",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Invoices:
    """What is asked of invoices."""

    objects: Objects
    repository: TransactionRepository

    def mark_paid(self, acting: Acting, number: int) -> Entity:
        """Raises:
        ObjectNotFound, StateInvalid: there is none, or nothing is outstanding.
        """
        return self._end(acting, number, "PAID", {"paidOn": stamp(clock.now())})

    def derecognize(self, acting: Acting, number: int) -> Entity:
        """Give up an invoice: it will not be paid.

        Raises:
            ObjectNotFound, StateInvalid: see `mark_paid`.
        """
        values = {"derecognizedOn": stamp(clock.now()), "derecognizedBy": acting.user_id}
        return self._end(acting, number, "DERECOGNIZED", values)

    def replace(self, acting: Acting, number: int, given: Mapping[str, Any]) -> Entity:
        """Another invoice in this one's place, which is canceled; the same one for the same external id.

        Raises:
            ObjectNotFound, StateInvalid, Invalid: see `mark_paid`; the new one is not sound.
            ExternalIdReused: the external id came with other content before.
        """
        try:
            return repeated(lambda: self._replace(acting, number, given))
        except AlreadyThere as there:
            return self.objects.read(TRANSACTION_INVOICE, acting.scope, there.id)
        except StateInvalid:
            claimed = self.repository.claim_of(TRANSACTION_INVOICE, acting.scope, given["externalId"])
            if claimed is None or claimed.digest != digest({**given, "replaces": number}):
                raise
            return self.objects.read(TRANSACTION_INVOICE, acting.scope, claimed.id)

    def payment(self, acting: Acting, number: int, methods: Sequence[int], further: Values) -> Entity:
        """The transaction by which the buyer pays an outstanding invoice at once, by one of these methods. One that is
        there and has not failed serves again, so that nobody pays twice.

        Raises:
            ObjectNotFound, StateInvalid: see `mark_paid`.
        """

        def attempt() -> Entity:
            before = self._outstanding(acting, number)
            known = before.attributes.get("payment")
            earlier = self.objects.find(TRANSACTION, acting.scope, known) if known else None
            if earlier is not None and earlier.state not in ("FAILED", "VOIDED"):
                return earlier
            original = self.objects.read(TRANSACTION, acting.scope, before.values["linkedTransaction"])
            unit = self._unit(acting)
            allowed = {**further, "allowedPaymentMethodConfigurations": list(methods)}
            made = begin_for_invoice(unit, acting.user_id, before, original, allowed)
            unit.replace(before, {}, {"payment": made.id})
            unit.commit()
            return made

        return repeated(attempt)

    def due(self) -> Iterator[Callable[[], int]]:
        """Invoices that are due now, each as what makes it overdue and answers 1 if that changed something."""
        for row in self.repository.due(INVOICE_QUEUE, MOST_PER_SHARD):
            yield partial(self._overdue, row)

    # ------------------------------------------------------------------ parts

    def _end(self, acting: Acting, number: int, state: str, values: Values) -> Entity:
        def attempt() -> Entity:
            before = self._outstanding(acting, number)
            unit = self._unit(acting)
            after = fulfilment.end_invoice(unit, before, state, values)
            unit.commit()
            return after

        return repeated(attempt)

    def _replace(self, acting: Acting, number: int, given: Mapping[str, Any]) -> Entity:
        before = self._outstanding(acting, number)
        currency = before.attributes["currency"]
        lines = line_items.expanded(given["lineItems"], currency, "lineItems")
        total = line_items.total(lines, currency)
        if not 0 < total <= amounts.units(before.values["amount"], currency, "amount"):
            raise LineItemsInvalid.at("lineItems", "must come to more than zero and not to more than the invoice")
        due = moment_of(given.get("dueOn") or before.values["dueOn"])
        if due is None or due < clock.now():
            raise Invalid.at("dueOn", "must not be in the past")
        unit = self._unit(acting)
        fulfilment.end_invoice(unit, before, "CANCELED", {})
        made = unit.insert(
            TRANSACTION_INVOICE,
            {
                **{name: before.values.get(name) for name in _CARRIED_OVER},
                **{name: each for name, each in given.items() if each is not None and name != "sentToCustomer"},
                "lineItems": lines, "state": "OPEN", "amount": amounts.amount(total, currency),
                "outstandingAmount": amounts.amount(total, currency),
                "taxAmount": amounts.amount(line_items.tax_total(lines, currency), currency),
            },
            {"currency": currency, "due": epoch_of(due)},
            digest=digest({**given, "replaces": number}),
        )  # fmt: skip
        unit.later(INVOICE_QUEUE, INVOICE_DUE, epoch_of(due), made.id)
        unit.commit()
        return made

    def _overdue(self, row: Work) -> int:
        acting = Acting(row.tenant, row.scope)
        try:
            before = self.objects.read(TRANSACTION_INVOICE, row.scope, row.object_id)
            if before.state != "OPEN" or before.attributes.get("due") != row.due:
                raise StateInvalid
            unit = self._unit(acting)
            unit.no_longer(INVOICE_QUEUE, INVOICE_DUE, row.due, before.id)
            unit.replace(before, {}, states=("OVERDUE",))
            unit.commit()
        except VersionConflict:
            return 0
        except (ObjectNotFound, StateInvalid):
            self.repository.forget(row)
            return 0
        return 1

    def _outstanding(self, acting: Acting, number: int) -> Entity:
        found = self.objects.read(TRANSACTION_INVOICE, acting.scope, number)
        if found.state not in OUTSTANDING:
            raise StateInvalid
        return found

    def _unit(self, acting: Acting) -> UnitOfWork:
        return UnitOfWork(self.objects, acting.tenant, acting.scope)
