"""Payment details on file: tokens and their versions (fact file 2.16, "Tokens")."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import (
    CREATED_ON,
    ID,
    LANGUAGE,
    PURGE_DATE,
    SPACE_ID,
    TIME_ZONE,
    VERSION,
    Resource,
)
from payments.engine.fields import AnyValue, Email, Embedded, Field, Flag, Link, Many, Moment, OneOf, Shape, Text, pick
from payments.resources.addresses import ADDRESS
from payments.resources.configurations import STATE

LABELS: Final = Field("labels", Many(AnyValue()), hidden=True)

_TOKEN: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, LANGUAGE, TIME_ZONE, STATE,
    Field("customerEmailAddress", Email(150)),
    Field("customerId", Text(100)),
    Field("enabledForOneClickPayment", Flag()),
    Field("externalId", Text(100, least=1)),
    Field("tokenReference", Text(100, ascii=True)),
)  # fmt: skip
_TOKEN_BODY: Final = "customerEmailAddress customerId enabledForOneClickPayment language timeZone tokenReference"

TOKEN: Final = Resource(
    name="Token",
    path="/payment/tokens",
    tag="Tokens",
    fields=_TOKEN,
    create=Shape("TokenCreate", pick(_TOKEN, f"{_TOKEN_BODY} externalId state"), ("externalId",)),
    update=Shape("TokenUpdate", pick(_TOKEN, f"{_TOKEN_BODY} version"), ("version",)),
    indexed=("customerId", "tokenReference", "customerEmailAddress"),
    unique=("externalId",),
    delete="soft",
)

PAYMENT_INFORMATION_HASH: Final = Shape(
    "PaymentInformationHash", (Field("type", Link("PaymentInformationHashType")), Field("value", Text()))
)

_VERSION: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, LANGUAGE, LABELS,
    Field("token", Link("Token")),
    Field("state", OneOf.of("UNINITIALIZED ACTIVE OBSOLETE")),
    Field("name", Text(150)),
    Field("activatedOn", Moment()),
    Field("obsoletedOn", Moment()),
    Field("expiresOn", Moment()),
    Field("environment", OneOf.of("PRODUCTION TEST")),
    Field("billingAddress", Embedded(ADDRESS)),
    Field("shippingAddress", Embedded(ADDRESS)),
    Field("iconUrl", Text(500)),
    Field("lastRetriedOn", Moment()),
    Field("retryIn", Text(20)),
    Field("paymentConnectorConfiguration", Link("PaymentConnectorConfiguration")),
    Field("paymentInformationHashes", Many(Embedded(PAYMENT_INFORMATION_HASH)), hidden=True),
    Field("paymentMethod", Link("PaymentMethod")),
    Field("paymentMethodBrand", Link("PaymentMethodBrand")),
    Field("processorToken", Text(150)),
    Field("type", Link("TokenVersionType")),
)  # fmt: skip

TOKEN_VERSION: Final = Resource(
    name="TokenVersion",
    path="/payment/token-versions",
    tag="TokenVersions",
    fields=_VERSION,
    indexed=("token", "state"),
)

catalogue.declare(TOKEN, TOKEN_VERSION)
