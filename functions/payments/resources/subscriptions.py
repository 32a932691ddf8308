"""Who subscribes, and what comes of it: subscribers, subscriptions and their versions, periods, ledger entries, charges
(fact file 2.16, "Subscriptions"). What can be subscribed to is in `subscription_products`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, LANGUAGE, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import (
    METADATA,
    CurrencyCode,
    DecimalNumber,
    Email,
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
    Url,
    pick,
)
from payments.resources.addresses import ADDRESS
from payments.resources.line_items import TAX, TAX_CREATE
from payments.resources.subscription_products import (
    BILLING_CYCLE_MODEL,
    CREATION_STATES,
    SETTABLE_STATES,
    SKU,
)

_STAMPS: Final = (ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE)
_EXTERNAL_ID: Final = Field("externalId", Text(100, least=1))
_REFERENCE: Final = Field("reference", Text(100, ascii=True))
_SET_STATE: Final = Field("state", SETTABLE_STATES)
_METADATA: Final = Field("metaData", METADATA, hidden=True)
_OF_SUBSCRIPTION: Final = Field("subscription", Link("Subscription"))

# ---------------------------------------------------------------------- who takes part

_SUBSCRIBER: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, LANGUAGE, _EXTERNAL_ID, _METADATA, _REFERENCE,
    Field("additionalAllowedPaymentMethodConfigurations", Many(Long(1), most=100)),
    Field("billingAddress", Embedded(ADDRESS)),
    Field("description", Text(200)),
    Field("disallowedPaymentMethodConfigurations", Many(Long(1), most=100)),
    Field("emailAddress", Email(254)),
    Field("shippingAddress", Embedded(ADDRESS)),
    Field("state", CREATION_STATES),
)  # fmt: skip
_SUBSCRIBER_BODY: Final = (
    "additionalAllowedPaymentMethodConfigurations billingAddress description disallowedPaymentMethodConfigurations "
    "emailAddress language metaData reference shippingAddress"
)
SUBSCRIBER: Final = Resource(
    name="Subscriber",
    path="/subscriptions/subscribers",
    tag="Subscribers",
    fields=_SUBSCRIBER,
    create=Shape(
        "SubscriberCreate", (*pick(_SUBSCRIBER, f"{_SUBSCRIBER_BODY} externalId"), _SET_STATE), ("externalId",)
    ),
    update=Shape(
        "SubscriberUpdate", (*pick(_SUBSCRIBER, f"{_SUBSCRIBER_BODY} version"), _SET_STATE), ("version",)
    ),
    indexed=("reference", "state"),
    unique=("externalId", "emailAddress"),
    delete="soft",
)  # fmt: skip

_AFFILIATE: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, LANGUAGE, _EXTERNAL_ID, _METADATA,
    Field("name", Text(255, least=3)),
    Field("reference", Text(100, least=3)),
    Field("state", CREATION_STATES),
)  # fmt: skip
AFFILIATE: Final = Resource(
    name="SubscriptionAffiliate",
    path="/subscriptions/affiliates",
    tag="SubscriptionAffiliates",
    fields=_AFFILIATE,
    create=Shape(
        "SubscriptionAffiliateCreate",
        (*pick(_AFFILIATE, "externalId language metaData name reference"), _SET_STATE),
        ("externalId", "reference"),
    ),
    update=Shape(
        "SubscriptionAffiliateUpdate", (*pick(_AFFILIATE, "language metaData name version"), _SET_STATE), ("version",)
    ),
    indexed=("reference", "state"),
    unique=("externalId",),
    delete="soft",
)

# ---------------------------------------------------------------------- subscriptions and their versions

_SUBSCRIPTION: Final = (
    *_STAMPS, LANGUAGE, _REFERENCE,
    Field("activatedOn", Moment()),
    Field("affiliate", Link("SubscriptionAffiliate")),
    Field("currentProductVersion", Link("SubscriptionProductVersion")),
    Field("description", Text(200)),
    Field("initializedOn", Moment()),
    Field("plannedTerminationDate", Moment()),
    Field("state", OneOf.of("PENDING INITIALIZING FAILED ACTIVE SUSPENDED TERMINATION_SCHEDULED TERMINATING "
                            "TERMINATED")),
    Field("subscriber", Link("Subscriber")),
    Field("terminatedBy", Long(1)),
    Field("terminatedOn", Moment()),
    Field("terminatingOn", Moment()),
    Field("terminationScheduledOn", Moment()),
    Field("token", Link("Token")),
)  # fmt: skip
SUBSCRIPTION: Final = Resource(
    name="Subscription",
    path="/subscriptions",
    tag="Subscriptions",
    fields=_SUBSCRIPTION,
    indexed=("subscriber", "reference", "token", "affiliate", "currentProductVersion", "state"),
)

_QUANTITY: Final = DecimalNumber(least=Decimal(0))
CONFIGURATION: Final = Shape(
    "SubscriptionComponentConfiguration",
    (ID, VERSION, SPACE_ID, Field("component", Long(1)), Field("quantity", _QUANTITY)),
)
REFERENCE_CONFIGURATION: Final = Shape(
    "SubscriptionComponentReferenceConfiguration",
    (Field("productComponentReferenceId", Long(1)), Field("quantity", _QUANTITY)),
    ("productComponentReferenceId",),
)
_WANTED: Final = (
    Field("componentConfigurations", Many(Embedded(REFERENCE_CONFIGURATION), most=50)),
    Field("currency", CurrencyCode()),
    Field("product", Link("SubscriptionProduct")),
)
SUBSCRIPTION_PENDING: Final = Shape(
    "SubscriptionPending",
    pick(_SUBSCRIPTION, "affiliate description plannedTerminationDate reference subscriber token version"),
)
SUBSCRIPTION_CREATE: Final = Shape(
    "SubscriptionCreateRequest", (*_WANTED, Field("subscription", Embedded(SUBSCRIPTION_PENDING)))
)
SUBSCRIPTION_CHANGES: Final = Shape(
    "SubscriptionUpdateRequest", (*_WANTED, Field("respectTerminationPeriod", Flag()))
)  # fmt: skip
SUBSCRIPTION_UPDATE: Final = Shape(
    "SubscriptionUpdate", (*_WANTED, *pick(_SUBSCRIPTION, "affiliate description plannedTerminationDate version"))
)
SUBSCRIBER_PRESENT: Final = Shape(
    "SubscriptionInitializeSubscriberPresentRequest",
    (Field("failureUrl", Url(500)), Field("successUrl", Url(500))),
)

SUBSCRIPTION_VERSION: Final = Resource(
    name="SubscriptionVersion",
    path="/subscriptions/versions",
    tag="SubscriptionVersions",
    permission="subscription",
    fields=(
        *_STAMPS, LANGUAGE, _OF_SUBSCRIPTION,
        Field("activatedOn", Moment()),
        Field("billingCurrency", CurrencyCode()),
        Field("billingCycleModel", Embedded(BILLING_CYCLE_MODEL)),
        Field("componentConfigurations", Many(Embedded(CONFIGURATION))),
        Field("expectedLastPeriodEnd", Moment()),
        Field("failedOn", Moment()),
        Field("plannedTerminationDate", Moment()),
        Field("productVersion", Link("SubscriptionProductVersion")),
        Field("state", OneOf.of("PENDING INITIALIZING FAILED ACTIVE TERMINATING TERMINATED")),
        Field("terminatedOn", Moment()),
        Field("terminatingOn", Moment()),
        Field("terminationIssuedOn", Moment()),
    ),
    indexed=("subscription", "productVersion", "state"),
)  # fmt: skip

PERIOD_BILL: Final = Resource(
    name="SubscriptionPeriodBill",
    path="/subscriptions/period-bills",
    tag="SubscriptionPeriodBills",
    permission="subscription",
    fields=(
        *_STAMPS, LANGUAGE,
        Field("effectivePeriodEndDate", Moment()),
        Field("periodStartDate", Moment()),
        Field("plannedPeriodEndDate", Moment()),
        Field("state", OneOf.of("PENDING BILLED")),
        Field("subscriptionVersion", Link("SubscriptionVersion")),
    ),
    indexed=("subscriptionVersion", "state"),
)  # fmt: skip

_ACTION: Final = Field("endAction", OneOf.of("TERMINATE REACTIVATE"))
_NOTE: Final = Field("note", Text(300))
_PLANNED_END: Final = Field("plannedEndDate", Moment())

SUSPENSION: Final = Resource(
    name="SubscriptionSuspension",
    path="/subscriptions/suspensions",
    tag="SubscriptionSuspensions",
    fields=(
        *_STAMPS, LANGUAGE, _OF_SUBSCRIPTION, _ACTION, _NOTE, _PLANNED_END,
        Field("effectiveEndDate", Moment()),
        Field("periodBill", Long(1)),
        Field("reason", OneOf.of("FAILED_CHARGE SUBSCRIBER_INITIATED_REFUND MANUAL")),
        Field("state", OneOf.of("RUNNING ENDED")),
    ),
    indexed=("subscription", "state"),
)  # fmt: skip
SUSPEND: Final = Shape("SuspensionCreationRequest", (_ACTION, _NOTE, _PLANNED_END))

# ---------------------------------------------------------------------- what is owed, and what is charged

_ENTRY: Final = (
    *_STAMPS, _EXTERNAL_ID,
    Field("aggregatedTaxRate", DecimalNumber()),
    Field("amountExcludingTax", DecimalNumber()),
    Field("amountIncludingTax", DecimalNumber()),
    Field("componentReferenceName", Text(100)),
    Field("componentReferenceSku", SKU),
    Field("createdBy", Long(1)),
    Field("discountIncludingTax", DecimalNumber()),
    Field("feeType", OneOf.of("METERED_FEE SETUP_FEE PERIOD_FEE")),
    Field("proRataCalculated", Flag()),
    Field("quantity", DecimalNumber()),
    Field("state", OneOf.of("OPEN SCHEDULED PAID")),
    Field("subscriptionMetricId", Long(1)),
    Field("subscriptionVersion", Long(1)),
    Field("taxAmount", DecimalNumber()),
    Field("taxes", Many(Embedded(TAX))),
    Field("title", Text(150, least=1)),
)  # fmt: skip
LEDGER_ENTRY: Final = Resource(
    name="SubscriptionLedgerEntry",
    path="/subscriptions/ledger-entries",
    tag="SubscriptionLedgerEntries",
    fields=_ENTRY,
    create=Shape(
        "SubscriptionLedgerEntryCreate",
        (
            *pick(
                _ENTRY,
                "amountIncludingTax componentReferenceName externalId quantity subscriptionMetricId "
                "subscriptionVersion title",
            ),
            Field("taxes", Many(Embedded(TAX_CREATE), most=50)),
        ),
        ("amountIncludingTax", "externalId", "quantity", "subscriptionVersion", "title"),
    ),
    indexed=("subscriptionVersion", "state"),
    unique=("externalId",),
)

_CHARGE: Final = (
    *_STAMPS, LANGUAGE, _EXTERNAL_ID, _REFERENCE, _OF_SUBSCRIPTION,
    Field("discardedBy", Long(1)),
    Field("discardedOn", Moment()),
    Field("failedOn", Moment()),
    Field("failedUrl", Url(500)),
    Field("ledgerEntries", Many(Link("SubscriptionLedgerEntry")), hidden=True),
    Field("plannedExecutionDate", Moment()),
    Field("processingType", OneOf.of("SYNCHRONOUS CHARGE_FLOW")),
    Field("state", OneOf.of("SCHEDULED DISCARDED PROCESSING SUCCESSFUL FAILED")),
    Field("succeedOn", Moment()),
    Field("successUrl", Url(500)),
    Field("transaction", Link("Transaction")),
    Field("type", OneOf.of("MANUAL AUTOMATIC")),
)  # fmt: skip
CHARGE: Final = Resource(
    name="SubscriptionCharge",
    path="/subscriptions/charges",
    tag="SubscriptionCharges",
    fields=_CHARGE,
    create=Shape(
        "SubscriptionChargeCreate",
        pick(_CHARGE, "externalId failedUrl plannedExecutionDate processingType reference subscription successUrl"),
        ("externalId", "processingType", "subscription"),
    ),
    indexed=("subscription", "transaction", "reference", "state"),
    unique=("externalId",),
)

_REPORT: Final = (
    *_STAMPS, _EXTERNAL_ID,
    Field("consumedUnits", DecimalNumber(least=Decimal(0))),
    Field("createdByUserId", Long(1)),
    Field("description", Text(100)),
    Field("metric", Long(1)),
    Field("subscription", Long(1)),
)  # fmt: skip
USAGE_REPORT: Final = Resource(
    name="SubscriptionMetricUsageReport",
    path="/subscriptions/metric-usage-reports",
    tag="SubscriptionMetricUsageReports",
    permission="subscriptionMetric",
    fields=_REPORT,
    create=Shape(
        "SubscriptionMetricUsageReportCreate",
        pick(_REPORT, "consumedUnits description externalId metric subscription"),
        ("consumedUnits", "externalId", "metric", "subscription"),
    ),
    indexed=("subscription", "metric"),
    unique=("externalId",),
)

catalogue.declare(
    SUBSCRIBER, AFFILIATE, SUBSCRIPTION, SUBSCRIPTION_VERSION, PERIOD_BILL, SUSPENSION, LEDGER_ENTRY, CHARGE,
    USAGE_REPORT,
)  # fmt: skip
