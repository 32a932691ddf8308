"""Payment terminals and what they add up at the end of a day (fact file 2.16).

Configurations and locations have no operations of their own; terminals can name versions of them that are there.
"""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import ID, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import (
    CurrencyCode,
    DecimalNumber,
    Embedded,
    Field,
    Link,
    Long,
    Many,
    MapOf,
    Moment,
    OneOf,
    Shape,
    Text,
    int32,
    pick,
)

_AMOUNT: Final = DecimalNumber()

_TERMINAL: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE,
    Field("state", OneOf.of("CREATE PREPARING ACTIVE INACTIVE DECOMMISSIONING DECOMMISSIONED")),
    Field("name", Text(100)),
    Field("externalId", Text(100, least=1)),
    Field("identifier", Text(100, least=1, pattern="[A-Za-z0-9._-]+"), description="By which a till names it"),
    Field("type", Link("PaymentTerminalType")),
    Field("configurationVersion", Link("PaymentTerminalConfigurationVersion")),
    Field("locationVersion", Link("PaymentTerminalLocationVersion")),
    Field("defaultCurrency", CurrencyCode()),
    Field("deviceName", Text(100)),
    Field("deviceSerialNumber", Text(100)),
    Field("activatedOn", Moment()),
    Field("deactivatedOn", Moment()),
    Field("decommissionedOn", Moment()),
)  # fmt: skip

PAYMENT_TERMINAL: Final = Resource(
    name="PaymentTerminal",
    path="/payment/terminals",
    tag="PaymentTerminals",
    fields=_TERMINAL,
    create=Shape(
        "PaymentTerminalCreate",
        pick(_TERMINAL, "configurationVersion externalId identifier locationVersion name type"), ("externalId", "type"),
    ),
    update=Shape("PaymentTerminalUpdate", pick(_TERMINAL, "name version"), ("version",)),
    indexed=("identifier", "externalId", "deviceSerialNumber", "state"),
    unique=("externalId", "identifier"),
)  # fmt: skip

_SUM: Final = Shape(
    "PaymentTerminalTransactionSum",
    (
        ID, VERSION,
        Field("brand", Text(100)),
        Field("product", Text(100)),
        Field("transactionCurrency", CurrencyCode()),
        Field("transactionAmount", _AMOUNT),
        Field("transactionCount", int32(0)),
        Field("transactionTipAmount", _AMOUNT),
        Field("dccTransactionAmount", _AMOUNT),
        Field("dccTransactionCount", int32(0)),
        Field("dccTipAmount", _AMOUNT),
    ),
)  # fmt: skip
_DCC_SUM: Final = Shape(
    "PaymentTerminalDccTransactionSum",
    (
        ID, VERSION,
        Field("brand", Text(100)),
        Field("dccAmount", _AMOUNT),
        Field("dccCurrency", CurrencyCode()),
        Field("transactionAmount", _AMOUNT),
        Field("transactionCount", int32(0)),
        Field("transactionCurrency", CurrencyCode()),
    ),
)  # fmt: skip

TRANSACTION_SUMMARY: Final = Resource(
    name="PaymentTerminalTransactionSummary",
    path="/payment/terminals/transaction-summaries",
    tag="PaymentTerminalTransactionSummaries",
    permission="paymentTerminal",
    fields=(
        ID, VERSION, SPACE_ID,
        Field("paymentTerminal", Long(1)),
        Field("reference", Long(1), description="Counts the terminal's summaries"),
        Field("startedOn", Moment()),
        Field("endedOn", Moment()),
        Field("numberOfTransactions", int32(0)),
        Field("balanceAmountPerCurrency", MapOf(_AMOUNT)),
        Field("transactionSums", Many(Embedded(_SUM)), expandable=True),
        Field("dccTransactionSums", Many(Embedded(_DCC_SUM)), expandable=True),
        Field("receipt", Text(20_000)),
    ),
    indexed=("paymentTerminal",),
)  # fmt: skip

_VERSION_STATE: Final = OneOf.of("PENDING SCHEDULING ACTIVE DELETING DELETED")

CONFIGURATION_VERSION: Final = Resource(
    name="PaymentTerminalConfigurationVersion",
    path="/payment/terminal-configurations/versions",
    permission="paymentTerminal",
    fields=(
        ID,
        VERSION,
        SPACE_ID,
        PURGE_DATE,
        Field("state", _VERSION_STATE),
        Field("defaultCurrency", CurrencyCode()),
    ),
    listable=False,
    searchable=False,
)
LOCATION_VERSION: Final = Resource(
    name="PaymentTerminalLocationVersion",
    path="/payment/terminal-locations/versions",
    permission="paymentTerminal",
    fields=(ID, VERSION, SPACE_ID, PURGE_DATE, Field("state", _VERSION_STATE)),
    listable=False,
    searchable=False,
)

catalogue.declare(PAYMENT_TERMINAL, TRANSACTION_SUMMARY, CONFIGURATION_VERSION, LOCATION_VERSION)
