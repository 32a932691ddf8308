"""Customers of a space, their addresses and the comments on them (fact file 2.16, "Customers")."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, LANGUAGE, SPACE_ID, VERSION, Parent, Resource
from payments.engine.fields import (
    METADATA,
    CurrencyCode,
    Email,
    Embedded,
    Field,
    Flag,
    Link,
    Long,
    Moment,
    OneOf,
    Shape,
    Text,
    pick,
)
from payments.resources.addresses import ADDRESS

_CUSTOMER: Final = (
    ID,
    VERSION,
    CREATED_ON,
    SPACE_ID,
    LANGUAGE,
    Field("customerId", Text(100, ascii=True), description="The merchant's own reference of the customer"),
    Field("emailAddress", Email(254)),
    Field("givenName", Text(100)),
    Field("familyName", Text(100)),
    Field("preferredCurrency", CurrencyCode()),
    Field("metaData", METADATA, hidden=True),
)
_CUSTOMER_BODY: Final = "customerId emailAddress familyName givenName language metaData preferredCurrency"

CUSTOMER: Final = Resource(
    name="Customer",
    path="/customers",
    tag="Customers",
    fields=_CUSTOMER,
    create=Shape("CustomerCreate", pick(_CUSTOMER, _CUSTOMER_BODY)),
    update=Shape("CustomerActive", pick(_CUSTOMER, f"{_CUSTOMER_BODY} version"), ("version",)),
    indexed=("customerId", "emailAddress"),
    delete="hard",
    bulk=True,
)

_OF_CUSTOMER: Final = Parent("customerId", "Customer", "customer")

_ADDRESS: Final = (
    ID,
    VERSION,
    CREATED_ON,
    SPACE_ID,
    Field("customer", Link("Customer")),
    Field("address", Embedded(ADDRESS)),
    Field("addressType", OneOf.of("BILLING SHIPPING BOTH")),
    Field("defaultAddress", Flag()),
)

CUSTOMER_ADDRESS: Final = Resource(
    name="CustomerAddress",
    path="/customers/{customerId}/addresses",
    tag="Customers",
    fields=_ADDRESS,
    create=Shape("CustomerAddressCreate", pick(_ADDRESS, "address addressType customer"), ("customer",)),
    update=Shape("CustomerAddressActive", pick(_ADDRESS, "address addressType version"), ("version",)),
    delete="hard",
    parent=_OF_CUSTOMER,
)

_COMMENT: Final = (
    ID,
    VERSION,
    CREATED_ON,
    SPACE_ID,
    Field("customer", Link("Customer")),
    Field("content", Text(262_144)),
    Field("createdBy", Long(1)),
    Field("editedBy", Long(1)),
    Field("editedOn", Moment()),
    Field("pinned", Flag()),
)

CUSTOMER_COMMENT: Final = Resource(
    name="CustomerComment",
    path="/customers/{customerId}/comments",
    tag="Customers",
    fields=_COMMENT,
    create=Shape("CustomerCommentCreate", pick(_COMMENT, "content customer"), ("customer",)),
    update=Shape("CustomerCommentActive", pick(_COMMENT, "content version"), ("version",)),
    delete="hard",
    parent=_OF_CUSTOMER,
)

EMAIL_ADDRESS: Final = Shape("RestCustomerEmailAddress", (CREATED_ON, Field("emailAddress", Email(254))))
"""An address under which a customer was ever known."""

catalogue.declare(CUSTOMER, CUSTOMER_ADDRESS, CUSTOMER_COMMENT)
