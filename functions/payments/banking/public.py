"""The operations of bank accounts and bookings, for the door that serves them, and the way in for bookings.

The reference only reads bookings: they come from banks. In a sandbox, where there are none, `POST …/simulate` books
what a bank would report.
"""

from __future__ import annotations

from typing import Final

from payments.banking.service import KINDS as BOOKED
from payments.banking.service import Banking
from payments.bodies import read_body
from payments.engine import parameters, shapes
from payments.engine.fields import CurrencyCode, DecimalNumber, Field, Link, Moment, OneOf, Shape, Text
from payments.engine.routes import Engine, route
from payments.resources.bank_transactions import (
    BANK_ACCOUNT,
    BANK_TRANSACTION,
    CURRENCY_BANK_ACCOUNT,
    KINDS,
)
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route

__all__ = ["Banking", "routes"]

_BOOKING: Final = Shape(
    "BankTransactionSimulation",
    (
        Field("type", OneOf(tuple(BOOKED))),
        Field("externalId", Text(100, least=1)),
        Field("currency", CurrencyCode()),
        Field("amount", DecimalNumber()),
        Field("completion", Link("TransactionCompletion"), description="For a charge"),
        Field("refund", Link("Refund"), description="For a refund, and for one that came back"),
        Field("sourceBankTransaction", Link("BankTransaction"), description="For a transfer between own accounts"),
        Field("externalAccountIdentifier", Text(100)),
        Field("externalAccountType", Text(100)),
        Field("externalBankName", Text(100)),
        Field("paymentDate", Moment()),
        Field("reference", Text(100)),
        Field("state", OneOf.of("UPCOMING SETTLED")),
        Field("valueDate", Moment()),
    ),
    ("type", "externalId", "currency", "amount"),
)


def routes(engine: Engine, *, is_sandbox: bool) -> tuple[Route, ...]:
    """All operations, on the engine of the function that serves them."""
    reading = [
        made
        for each in (*KINDS, BANK_ACCOUNT, CURRENCY_BANK_ACCOUNT, BANK_TRANSACTION)
        for made in engine.routes_of(engine.service(each))
    ]
    return (*((_simulation(engine),) if is_sandbox else ()), *reading)


def _simulation(engine: Engine) -> Route:
    banking = Banking(engine.objects)

    def simulate_bank_transaction(request: Request) -> Answer:
        tree = engine.expand(request, BANK_TRANSACTION)
        booking = banking.book(engine.context(request), read_body(_BOOKING, request.json()))
        return engine.reply(request, booking, tree, 201)

    return route(
        "POST", "/payment/bank-transactions/simulate", simulate_bank_transaction, "Book what a bank would report",
        permission="bankAccount.update", tag="Sandbox", query=parameters.READ, status=201, body=shapes.body(_BOOKING),
        answer=shapes.answer(BANK_TRANSACTION),
        description="In a sandbox only. The same external id with the same content is the same booking.",
    )  # fmt: skip
