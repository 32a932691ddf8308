"""Payment links: addresses under which anybody, or who has the key, begins a payment (fact file 2.16)."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import ID, LANGUAGE, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import CurrencyCode, Field, Link, Long, Many, Moment, OneOf, Shape, Text, Url, int32, pick
from payments.resources.line_items import LINE_ITEMS, LINE_ITEMS_CREATE

_MODE: Final = OneOf.of("NOT_REQUIRED REQUIRED_IN_URL REQUIRED_ON_PAYMENT_PAGE")

_LINK: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, LANGUAGE,
    Field("state", OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED")),
    Field("name", Text(100)),
    Field("externalId", Text(100, least=1)),
    Field("url", Url(2000)),
    Field("protectionMode", OneOf.of("NO_PROTECTION ACCESS_KEY")),
    Field("currency", CurrencyCode(), description="Without one the address has to name it"),
    Field("lineItems", LINE_ITEMS, expandable=True),
    Field("allowedPaymentMethodConfigurations", Many(Link("PaymentMethodConfiguration"), most=50)),
    Field(
        "allowedRedirectionDomains", Many(Text(253, least=1), most=50, least=1),
        description="Where the address may send the buyer afterwards: names, *.names, ALL or NONE",
    ),
    Field("appliedSpaceView", Long(1)),
    Field("availableFrom", Moment()),
    Field("availableUntil", Moment()),
    Field("billingAddressHandlingMode", _MODE),
    Field("shippingAddressHandlingMode", _MODE),
    Field("maximalNumberOfTransactions", int32(1)),
)  # fmt: skip
_BODY: Final = (
    "allowedPaymentMethodConfigurations allowedRedirectionDomains appliedSpaceView availableFrom availableUntil "
    "billingAddressHandlingMode currency language maximalNumberOfTransactions name shippingAddressHandlingMode"
)
_SENT_LINES: Final = Field("lineItems", LINE_ITEMS_CREATE)

PAYMENT_LINK: Final = Resource(
    name="PaymentLink",
    path="/payment/links",
    tag="PaymentLinks",
    fields=_LINK,
    create=Shape(
        "PaymentLinkCreate", (*pick(_LINK, f"{_BODY} externalId protectionMode state"), _SENT_LINES),
        ("externalId", "protectionMode"),
    ),
    update=Shape("PaymentLinkUpdate", (*pick(_LINK, f"{_BODY} version"), _SENT_LINES), ("version",)),
    indexed=("externalId", "state"),
    unique=("externalId",),
    delete="soft",
)  # fmt: skip

catalogue.declare(PAYMENT_LINK)
