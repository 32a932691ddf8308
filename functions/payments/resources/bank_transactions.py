"""Money as banks see it: accounts, what is booked on them, and what a booking stands for (a charge, a refund).

All of it arises by itself, so there are no bodies (fact file 2.14, "BankTransactions" and the like).
"""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import (
    CREATED_ON,
    ID,
    LANGUAGE,
    PURGE_DATE,
    SPACE_ID,
    SPACE_VIEW,
    VERSION,
    Resource,
)
from payments.engine.fields import CurrencyCode, Embedded, Field, Link, Long, Many, Moment, OneOf, Shape, Text
from payments.resources.line_items import AMOUNT, LINE_ITEMS, TAX

ENVIRONMENT: Final = OneOf.of("PRODUCTION TEST")
_BOOKING: Final = Field("bankTransaction", Link("BankTransaction"))
_OF_TRANSACTION: Final = Field("linkedTransaction", Long(1))

BANK_ACCOUNT: Final = Resource(
    name="BankAccount",
    path="/payment/bank-accounts",
    tag="BankAccounts",
    permission="bankAccount",
    fields=(
        ID, VERSION, SPACE_ID, PURGE_DATE,
        Field("identifier", Text(100)),
        Field("description", Text(100)),
        Field("state", OneOf.of("CREATE ACTIVE DELETING DELETED")),
        Field("type", Long(1)),
    ),
    indexed=("state",),
    unique=("identifier",),
)  # fmt: skip

CURRENCY_BANK_ACCOUNT: Final = Resource(
    name="CurrencyBankAccount",
    path="/payment/currency-bank-accounts",
    tag="CurrencyBankAccounts",
    permission="bankAccount",
    fields=(
        ID, VERSION, SPACE_ID,
        Field("bankAccount", Link("BankAccount")),
        Field("currency", CurrencyCode()),
        Field("environment", ENVIRONMENT),
    ),
    indexed=("bankAccount", "currency"),
    unique=("currency",),
)  # fmt: skip

_ADJUSTMENT: Final = Shape(
    "PaymentAdjustment",
    (
        Field("amountExcludingTax", AMOUNT),
        Field("amountIncludingTax", AMOUNT),
        Field("rateInPercentage", AMOUNT),
        Field("tax", Embedded(TAX)),
        Field("type", Long(1)),
    ),
)

BANK_TRANSACTION: Final = Resource(
    name="BankTransaction",
    path="/payment/bank-transactions",
    tag="BankTransactions",
    permission="bankTransaction",
    fields=(
        ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE,
        Field("adjustments", Many(Embedded(_ADJUSTMENT), most=50)),
        Field("createdBy", Long(1)),
        Field("currencyBankAccount", Link("CurrencyBankAccount")),
        Field("externalId", Text(100, least=1)),
        Field("flowDirection", OneOf.of("INFLOW OUTFLOW")),
        Field("paymentDate", Moment()),
        Field("postingAmount", AMOUNT),
        Field("reference", Text(100)),
        Field("source", Long(1)),
        Field("state", OneOf.of("UPCOMING SETTLED")),
        Field("totalAdjustmentAmountIncludingTax", AMOUNT),
        Field("type", Long(1)),
        Field("valueAmount", AMOUNT),
        Field("valueDate", Moment()),
    ),
    indexed=("currencyBankAccount", "reference", "state"),
    unique=("externalId",),
)  # fmt: skip

CHARGE_BANK_TRANSACTION: Final = Resource(
    name="ChargeBankTransaction",
    path="/payment/bank-transactions/charges",
    tag="ChargeBankTransactions",
    permission="bankTransaction",
    fields=(
        ID, VERSION, SPACE_ID, LANGUAGE, SPACE_VIEW, _BOOKING, _OF_TRANSACTION,
        Field("completion", Link("TransactionCompletion")),
        Field("transaction", Link("Transaction")),
        Field("transactionCurrencyAmount", AMOUNT),
        Field("transactionCurrencyValueAmount", AMOUNT),
    ),
    indexed=("bankTransaction", "transaction", "completion"),
)  # fmt: skip

_OF_REFUND: Final = (
    ID, VERSION, SPACE_ID, LANGUAGE, SPACE_VIEW, _BOOKING, _OF_TRANSACTION,
    Field("refund", Link("Refund")),
    Field("refundCurrencyAmount", AMOUNT),
    Field("refundCurrencyValueAmount", AMOUNT),
)  # fmt: skip

REFUND_BANK_TRANSACTION: Final = Resource(
    name="RefundBankTransaction",
    path="/payment/bank-transactions/refunds",
    tag="RefundBankTransactions",
    permission="bankTransaction",
    fields=_OF_REFUND,
    indexed=("bankTransaction", "refund"),
)

REFUND_RECOVERY_BANK_TRANSACTION: Final = Resource(
    name="RefundRecoveryBankTransaction",
    path="/payment/bank-transactions/refund-recoveries",
    tag="RefundRecoveryBankTransactions",
    permission="bankTransaction",
    fields=(*_OF_REFUND, Field("lineItems", LINE_ITEMS, expandable=True)),
    indexed=("bankTransaction", "refund"),
)

EXTERNAL_TRANSFER_BANK_TRANSACTION: Final = Resource(
    name="ExternalTransferBankTransaction",
    path="/payment/bank-transactions/external-transfers",
    tag="ExternalTransferBankTransactions",
    permission="bankTransaction",
    fields=(
        ID, VERSION, SPACE_ID, _BOOKING,
        Field("externalAccountIdentifier", Text(100)),
        Field("externalAccountType", Text(100)),
        Field("externalBankName", Text(100)),
    ),
    indexed=("bankTransaction",),
)  # fmt: skip

INTERNAL_TRANSFER_BANK_TRANSACTION: Final = Resource(
    name="InternalTransferBankTransaction",
    path="/payment/bank-transactions/internal-transfers",
    tag="InternalTransferBankTransactions",
    permission="bankTransaction",
    fields=(
        ID, VERSION, SPACE_ID,
        Field("sourceBankTransaction", Link("BankTransaction")),
        Field("targetBankTransaction", Link("BankTransaction")),
    ),
    indexed=("sourceBankTransaction", "targetBankTransaction"),
)  # fmt: skip

KINDS: Final = (
    CHARGE_BANK_TRANSACTION, REFUND_BANK_TRANSACTION, REFUND_RECOVERY_BANK_TRANSACTION,
    EXTERNAL_TRANSFER_BANK_TRANSACTION, INTERNAL_TRANSFER_BANK_TRANSACTION,
)  # fmt: skip
"""What a booking stands for. Their paths lie below that of bookings."""

catalogue.declare(BANK_ACCOUNT, CURRENCY_BANK_ACCOUNT, BANK_TRANSACTION, *KINDS)
