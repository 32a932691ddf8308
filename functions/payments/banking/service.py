"""Bookings: how money that a bank reports, or that a sandbox pretends, gets into a space.

`Banking.book` is the one way in. A booking and what it stands for are one write; the same external id again is the same
booking. A space has one account per currency, made when money of that currency first moves. Nothing here moves money.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from payments import amounts
from payments.engine.declarations import Resource
from payments.engine.errors import AlreadyThere, StateInvalid, ValueTaken, VersionConflict
from payments.engine.fields import now
from payments.engine.models import Context, Entity, Values
from payments.engine.repository import Objects
from payments.engine.service import digest
from payments.resources.bank_transactions import (
    BANK_ACCOUNT,
    BANK_TRANSACTION,
    CHARGE_BANK_TRANSACTION,
    CURRENCY_BANK_ACCOUNT,
    EXTERNAL_TRANSFER_BANK_TRANSACTION,
    INTERNAL_TRANSFER_BANK_TRANSACTION,
    REFUND_BANK_TRANSACTION,
    REFUND_RECOVERY_BANK_TRANSACTION,
)
from payments.resources.refunds import REFUND
from payments.resources.transactions import TRANSACTION_COMPLETION
from payments.units import UnitOfWork, repeated
from tollgate.errors import Invalid

KINDS: Final[Mapping[str, Resource]] = {
    "CHARGE": CHARGE_BANK_TRANSACTION,
    "REFUND": REFUND_BANK_TRANSACTION,
    "REFUND_RECOVERY": REFUND_RECOVERY_BANK_TRANSACTION,
    "EXTERNAL_TRANSFER": EXTERNAL_TRANSFER_BANK_TRANSACTION,
    "INTERNAL_TRANSFER": INTERNAL_TRANSFER_BANK_TRANSACTION,
}
_OUTFLOWS: Final = frozenset({"REFUND", "EXTERNAL_TRANSFER"})
_ACCOUNT_TYPE: Final = 1484900000001
_SOURCE: Final = 1484900000101
_TYPES: Final = {kind: 1484900000201 + n for n, kind in enumerate(KINDS)}
"""Numbers of types and sources, which the reference names and does not list."""


class Banking:
    """Bookings of spaces."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def book(self, context: Context, given: Mapping[str, Any]) -> Entity:
        """A booking and what it stands for; the earlier one where its external id was used with the same content.

        Raises:
            Invalid: it names an object that is not there, or is more than that object.
            StateInvalid: the charge or refund that it stands for has not come to pass.
            ExternalIdReused: the external id was used with other content.
        """
        return repeated(lambda: self._book(context, given))

    def _book(self, context: Context, given: Mapping[str, Any]) -> Entity:
        unit = UnitOfWork(self._objects, context.tenant, f"S{context.place.space_id}")
        kind, currency = given["type"], given["currency"]
        minor = amounts.units(given["amount"], currency, "amount")
        if minor <= 0:
            raise Invalid.at("amount", "must be above zero")
        values = self._values(context, unit, given, amounts.amount(minor, currency))
        booking = unit.insert(BANK_TRANSACTION, values, digest=digest(given))
        unit.insert(KINDS[kind], self._meaning(unit, given, booking, minor))
        try:
            unit.commit()
        except AlreadyThere as earlier:
            return self._objects.read(BANK_TRANSACTION, unit.scope, earlier.id)
        return booking

    def _values(self, context: Context, unit: UnitOfWork, given: Mapping[str, Any], amount: Decimal) -> Values:
        kind, moment = given["type"], now()
        return {
            "createdBy": context.user_id,
            "currencyBankAccount": {"id": self._account(unit, given["currency"])},
            "externalId": given["externalId"],
            "flowDirection": "OUTFLOW" if kind in _OUTFLOWS else "INFLOW",
            "paymentDate": given.get("paymentDate") or moment,
            "postingAmount": amount,
            "reference": given.get("reference"),
            "source": _SOURCE,
            "state": given.get("state") or "SETTLED",
            "totalAdjustmentAmountIncludingTax": amount - amount,
            "type": _TYPES[kind],
            "valueAmount": amount,
            "valueDate": given.get("valueDate") or moment,
        }

    def _account(self, unit: UnitOfWork, currency: str) -> int:
        """The space's account of a currency; with it, if need be, the account at a bank that it is part of."""
        found = self._objects.by_unique(CURRENCY_BANK_ACCOUNT, unit.scope, "currency", currency)
        if found is not None:
            return found.id
        made = UnitOfWork(unit.objects, unit.tenant, unit.scope)
        identifier = f"SANDBOX-{unit.scope[1:]}"
        bank = self._objects.by_unique(BANK_ACCOUNT, unit.scope, "identifier", identifier)
        if bank is None:
            values = {"identifier": identifier, "description": "Sandbox", "state": "ACTIVE", "type": _ACCOUNT_TYPE}
            bank = made.insert(BANK_ACCOUNT, values)
        account = made.insert(
            CURRENCY_BANK_ACCOUNT, {"bankAccount": {"id": bank.id}, "currency": currency, "environment": "TEST"}
        )
        try:
            made.commit()
        except ValueTaken:  # somebody else has just made it
            raise VersionConflict from None
        return account.id

    def _meaning(self, unit: UnitOfWork, given: Mapping[str, Any], booking: Entity, minor: int) -> Values:
        """What stands for the booking beside it, by its kind."""
        kind, own = given["type"], {"bankTransaction": {"id": booking.id}}
        if kind == "EXTERNAL_TRANSFER":
            names = ("externalAccountIdentifier", "externalAccountType", "externalBankName")
            return {**own, **{name: given.get(name) for name in names}}
        if kind == "INTERNAL_TRANSFER":
            return {
                "sourceBankTransaction": {"id": self._other_end(unit, given)},
                "targetBankTransaction": {"id": booking.id},
            }
        amount = booking.values["postingAmount"]
        if kind == "CHARGE":
            completion = self._stands_for(unit, TRANSACTION_COMPLETION, given, "completion", minor)
            transaction = completion.values["linkedTransaction"]
            return {
                **own, "completion": {"id": completion.id}, "transaction": {"id": transaction},
                "linkedTransaction": transaction, "language": completion.values.get("language"),
                "transactionCurrencyAmount": amount, "transactionCurrencyValueAmount": amount,
            }  # fmt: skip
        refund = self._stands_for(unit, REFUND, given, "refund", minor)
        transaction_id = refund.values["transaction"]["id"]
        return {
            **own, "refund": {"id": refund.id}, "linkedTransaction": transaction_id,
            "refundCurrencyAmount": amount, "refundCurrencyValueAmount": amount,
            **({"lineItems": refund.values.get("lineItems")} if kind == "REFUND_RECOVERY" else {}),
        }  # fmt: skip

    def _stands_for(
        self, unit: UnitOfWork, resource: Resource, given: Mapping[str, Any], name: str, minor: int
    ) -> Entity:
        """The successful completion or refund that a booking is for."""
        number = given.get(name)
        found = self._objects.find(resource, unit.scope, number["id"]) if number else None
        if found is None:
            raise Invalid.at(name, "names an object that is not there")
        if found.state != "SUCCESSFUL":
            raise StateInvalid
        if minor > amounts.units(found.values["amount"], given["currency"], "amount"):
            raise Invalid.at("amount", "must not be more than the amount of the object that is named")
        return found

    def _other_end(self, unit: UnitOfWork, given: Mapping[str, Any]) -> int:
        number = given.get("sourceBankTransaction")
        found = self._objects.find(BANK_TRANSACTION, unit.scope, number["id"]) if number else None
        if found is None:
            raise Invalid.at("sourceBankTransaction", "names an object that is not there")
        return found.id
