"""Refunds and the comments on them (fact file 2.16, "Completion / void / refund / invoice")."""

from __future__ import annotations

from decimal import Decimal
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
    Parent,
    Resource,
)
from payments.engine.fields import (
    METADATA,
    DecimalNumber,
    Embedded,
    Field,
    Flag,
    Link,
    Long,
    Many,
    Moment,
    OneOf,
    Shape,
    Text,
    pick,
)
from payments.resources.line_items import AMOUNT, LINE_ITEMS, REDUCTION, REDUCTION_CREATE, TAX
from payments.resources.tokens import LABELS

_REFUND: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, LANGUAGE, TIME_ZONE, LABELS,
    Field("state", OneOf.of("CREATE SCHEDULED PENDING MANUAL_CHECK FAILED SUCCESSFUL")),
    Field("type", OneOf.of("MERCHANT_INITIATED_ONLINE MERCHANT_INITIATED_OFFLINE CUSTOMER_INITIATED_AUTOMATIC "
                           "CUSTOMER_INITIATED_MANUAL")),
    Field("transaction", Link("Transaction")),
    Field("completion", Long(1)),
    Field("amount", AMOUNT),
    Field("externalId", Text(100, least=1, ascii=True)),
    Field("merchantReference", Text(100, ascii=True)),
    Field("metaData", METADATA, hidden=True),
    Field("baseLineItems", LINE_ITEMS, hidden=True),
    Field("lineItems", LINE_ITEMS, expandable=True),
    Field("reducedLineItems", LINE_ITEMS, hidden=True),
    Field("reductions", Many(Embedded(REDUCTION), most=1000)),
    Field("taxes", Many(Embedded(TAX))),
    Field("createdBy", Long(1)),
    Field("environment", OneOf.of("LIVE PREVIEW")),
    Field("failedOn", Moment()),
    Field("failureReason", Link("FailureReason")),
    Field("nextUpdateOn", Moment()),
    Field("processingOn", Moment()),
    Field("processorReference", Text(150)),
    Field("succeededOn", Moment()),
    Field("timeoutOn", Moment()),
    Field("totalAppliedFees", AMOUNT),
    Field("totalSettledAmount", AMOUNT),
    Field("updatedInvoice", Long(1)),
)  # fmt: skip

REFUND: Final = Resource(
    name="Refund",
    path="/payment/refunds",
    tag="Refunds",
    fields=_REFUND,
    create=Shape(
        "RefundCreate",
        (
            *pick(_REFUND, "completion externalId merchantReference metaData type"),
            Field("amount", DecimalNumber(least=Decimal(0))),
            Field("transaction", Long(1)),
            Field("reductions", Many(Embedded(REDUCTION_CREATE), most=1000)),
        ),
        ("externalId", "type"),
    ),
    indexed=("transaction", "merchantReference", "state"),
    unique=("externalId",),
)

_COMMENT: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID,
    Field("refund", Link("Refund")),
    Field("content", Text(262_144)),
    Field("createdBy", Long(1)),
    Field("editedBy", Long(1)),
    Field("editedOn", Moment()),
    Field("pinned", Flag()),
)  # fmt: skip

REFUND_COMMENT: Final = Resource(
    name="RefundComment",
    path="/payment/refunds/{refundId}/comments",
    tag="RefundComments",
    fields=_COMMENT,
    create=Shape("RefundCommentCreate", pick(_COMMENT, "content refund"), ("refund",)),
    update=Shape("RefundCommentActive", pick(_COMMENT, "content version"), ("version",)),
    delete="hard",
    parent=Parent("refundId", "Refund", "refund"),
)

catalogue.declare(REFUND, REFUND_COMMENT)
