"""What can be subscribed to: products, their versions, components and fees, and what is measured (fact file 2.16,
"Products, fees, metrics").

Bodies that the published interface has for creating and changing alike carry `version` in both; on creation its value
means nothing. Component references and tax classes have no operations of their own there, and so none here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, PURGE_DATE, SPACE_ID, VERSION, Parent, Resource
from payments.engine.fields import (
    LOCALIZED,
    CurrencyCode,
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
    int32,
    pick,
)

CREATION_STATES: Final = OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED")
SETTABLE_STATES: Final = OneOf.of("CREATE ACTIVE INACTIVE")
"""What a request may ask for; deleting is an operation of its own."""

SKU: Final = Text(100, pattern="[0-9A-Za-z_-]+")
DURATION: Final = Text(
    30,
    pattern=r"P(?=[0-9T])([0-9]{1,3}Y)?([0-9]{1,3}M)?([0-9]{1,3}W)?([0-9]{1,4}D)?(T(?=[0-9])([0-9]{1,4}H)?([0-9]{1,4}M)?)?",
)
"""A duration of ISO 8601, to the minute."""

_QUANTITY: Final = DecimalNumber(least=Decimal(0))
_NAME: Final = Field("name", LOCALIZED)
_DESCRIPTION: Final = Field("description", LOCALIZED)
_SORT_ORDER: Final = Field("sortOrder", int32())
_PRODUCT: Final = "subscriptionProduct"

_AMOUNT: Final = (Field("amount", DecimalNumber(least=Decimal(0))), Field("currency", CurrencyCode()))
AMOUNT: Final = Shape("PersistableCurrencyAmount", _AMOUNT)
AMOUNT_UPDATE: Final = Shape("PersistableCurrencyAmountUpdate", _AMOUNT, ("amount", "currency"))


def _amounts(name: str) -> tuple[Field, Field]:
    """An amount for each currency, as answered and as sent."""
    return Field(name, Many(Embedded(AMOUNT), most=200)), Field(name, Many(Embedded(AMOUNT_UPDATE), most=200, least=1))


_REFERENCE: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE,
    Field("name", Text(100)),
    Field("sku", SKU),
    Field("state", OneOf.of("CREATE ACTIVE DELETING DELETED")),
)  # fmt: skip
COMPONENT_REFERENCE: Final = Resource(
    name="SubscriptionProductComponentReference",
    path="/subscriptions/products/component-references",
    fields=_REFERENCE,
    permission=_PRODUCT,
    listable=False,
    searchable=False,
)

TAX_CLASS: Final = Resource(
    name="TaxClass",
    path="/tax-classes",
    fields=(ID, VERSION, SPACE_ID, PURGE_DATE, Field("name", Text(100)), Field("state", CREATION_STATES)),
    permission=_PRODUCT,
    listable=False,
    searchable=False,
)

# ---------------------------------------------------------------------- products and their versions

_OF_PRODUCT: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE,
    Field("allowedPaymentMethodConfigurations", Many(Long(1), most=100)),
    Field("failedPaymentSuspensionPeriod", DURATION),
    Field("name", Text(100)),
    Field("productLocked", Flag()),
    Field("reference", Text(100, ascii=True)),
    _SORT_ORDER,
    Field("spaceId", Long(1)),
    Field("state", OneOf.of("CREATE ACTIVE INACTIVE RETIRING RETIRED")),
)  # fmt: skip
_PRODUCT_BODY: Final = "allowedPaymentMethodConfigurations failedPaymentSuspensionPeriod name productLocked sortOrder"
_SET_STATE: Final = Field("state", SETTABLE_STATES)

PRODUCT: Final = Resource(
    name="SubscriptionProduct",
    path="/subscriptions/products",
    tag="SubscriptionProducts",
    fields=_OF_PRODUCT,
    create=Shape(
        "SubscriptionProductCreate", (*pick(_OF_PRODUCT, f"{_PRODUCT_BODY} reference"), _SET_STATE), ("reference",)
    ),
    update=Shape("SubscriptionProductActive", (*pick(_OF_PRODUCT, _PRODUCT_BODY), _SET_STATE, VERSION), ("version",)),
    indexed=("reference", "state"),
)

BILLING_CYCLE_MODEL: Final = Shape(
    "BillingCycleModel",
    (
        Field("billingCycleType", OneOf.of("DAILY WEEKLY MONTHLY YEARLY")),
        Field("customization", OneOf.of("DEFAULT SPECIFIC")),
        Field("dayOfMonth", int32(1, 31)),
        Field("month", OneOf.of("JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER "
                                "DECEMBER")),
        Field("numberOfPeriods", int32(1, 30)),
        Field("weeklyDay", OneOf.of("MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY")),
    ),
    ("billingCycleType", "numberOfPeriods"),
)  # fmt: skip

_OF_VERSION: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, _NAME,
    Field("activatedOn", Moment()),
    Field("billingCycle", Text(4, pattern="P[1-9][0-9]?[DWMY]"), description="The cycle as a duration, such as P1M"),
    Field("billingCycleModel", Embedded(BILLING_CYCLE_MODEL),
          description="The cycle with the day on which it begins; either this or `billingCycle` is sent"),
    Field("comment", Text(4000)),
    Field("defaultCurrency", CurrencyCode()),
    Field("enabledCurrencies", Many(CurrencyCode(), most=200)),
    Field("incrementNumber", int32(1)),
    Field("minimalNumberOfPeriods", int32(0, 1200)),
    Field("numberOfNoticePeriods", int32(0, 1200)),
    Field("obsoletedOn", Moment()),
    Field("product", Link("SubscriptionProduct")),
    Field("reference", Text(125)),
    Field("retiringFinishedOn", Moment()),
    Field("retiringStartedOn", Moment()),
    Field("state", OneOf.of("PENDING ACTIVE OBSOLETE RETIRING RETIRED")),
    Field("taxCalculation", OneOf.of("TAX_INCLUDED TAX_NOT_INCLUDED")),
)  # fmt: skip
_VERSION_PENDING: Final = Shape(
    "SubscriptionProductVersionPending",
    pick(
        _OF_VERSION,
        "billingCycle billingCycleModel comment defaultCurrency enabledCurrencies minimalNumberOfPeriods name "
        "numberOfNoticePeriods product state taxCalculation version",
    ),
    ("version",),
)

PRODUCT_VERSION: Final = Resource(
    name="SubscriptionProductVersion",
    path="/subscriptions/products/versions",
    tag="SubscriptionProductVersions",
    permission=_PRODUCT,
    fields=_OF_VERSION,
    create=_VERSION_PENDING,
    update=_VERSION_PENDING,
    indexed=("product", "state"),
)

_RETIREMENT: Final = (ID, VERSION, CREATED_ON, SPACE_ID)
_RESPECT: Final = Field("respectTerminationPeriods", Flag())
_TARGET: Final = Field("targetProduct", Link("SubscriptionProduct"))

PRODUCT_RETIREMENT: Final = Resource(
    name="SubscriptionProductRetirement",
    path="/subscriptions/products/retirements",
    tag="SubscriptionProductRetirements",
    permission=_PRODUCT,
    fields=(*_RETIREMENT, Field("product", Link("SubscriptionProduct")), _RESPECT, _TARGET),
    indexed=("product",),
)
PRODUCT_VERSION_RETIREMENT: Final = Resource(
    name="SubscriptionProductVersionRetirement",
    path="/subscriptions/products/versions/retirements",
    tag="SubscriptionProductVersionRetirements",
    permission=_PRODUCT,
    fields=(*_RETIREMENT, Field("productVersion", Link("SubscriptionProductVersion")), _RESPECT, _TARGET),
    indexed=("productVersion",),
)
RETIRE_PRODUCT: Final = Shape("SubscriptionProductRetirementRequest", (_RESPECT, _TARGET))
RETIRE_PRODUCT_VERSION: Final = Shape("SubscriptionProductVersionRetirementRequest", (_RESPECT, _TARGET))

# ---------------------------------------------------------------------- components

_GROUP: Final = (
    ID, VERSION, SPACE_ID, _NAME, _SORT_ORDER,
    Field("optional", Flag()),
    Field("productVersion", Link("SubscriptionProductVersion")),
)  # fmt: skip
_GROUP_UPDATE: Final = Shape(
    "SubscriptionProductComponentGroupUpdate", pick(_GROUP, "name optional productVersion sortOrder version"),
    ("version",),
)  # fmt: skip
COMPONENT_GROUP: Final = Resource(
    name="SubscriptionProductComponentGroup",
    path="/subscriptions/products/component-groups",
    tag="SubscriptionProductComponentGroups",
    permission=_PRODUCT,
    fields=_GROUP,
    create=_GROUP_UPDATE,
    update=_GROUP_UPDATE,
    indexed=("productVersion",),
    delete="hard",
)

_COMPONENT: Final = (
    ID, VERSION, SPACE_ID, _NAME, _DESCRIPTION, _SORT_ORDER,
    Field("componentChangeWeight", int32()),
    Field("componentGroup", Link("SubscriptionProductComponentGroup")),
    Field("defaultComponent", Flag()),
    Field("maximalQuantity", _QUANTITY),
    Field("minimalQuantity", _QUANTITY),
    Field("quantityStep", _QUANTITY),
    Field("reference", Link("SubscriptionProductComponentReference"),
          description="What is the same component in other versions; a new one is made where none is given"),
    Field("taxClass", Link("TaxClass")),
)  # fmt: skip
_COMPONENT_UPDATE: Final = Shape(
    "SubscriptionProductComponentUpdate",
    pick(
        _COMPONENT,
        "componentChangeWeight componentGroup defaultComponent description maximalQuantity minimalQuantity name "
        "quantityStep reference sortOrder taxClass version",
    ),
    ("version",),
)
COMPONENT: Final = Resource(
    name="SubscriptionProductComponent",
    path="/subscriptions/products/components",
    tag="SubscriptionProductComponents",
    permission=_PRODUCT,
    fields=_COMPONENT,
    create=_COMPONENT_UPDATE,
    update=_COMPONENT_UPDATE,
    indexed=("componentGroup", "reference"),
    delete="hard",
)

# ---------------------------------------------------------------------- fees

_FEE: Final = (
    ID, VERSION, SPACE_ID, _NAME, _DESCRIPTION,
    Field("component", Link("SubscriptionProductComponent")),
    Field("type", OneOf.of("METERED_FEE SETUP_FEE PERIOD_FEE")),
)  # fmt: skip
_FEE_BODY: Final = "component description name version"
_TRIAL: Final = Field("numberOfFreeTrialPeriods", int32(0, 1200))

_SETUP, _SETUP_SENT = zip(
    *(_amounts(name) for name in ("onDowngradeCreditedAmount", "onUpgradeCreditedAmount", "setupFee")), strict=True
)
_SETUP_UPDATE: Final = Shape("ProductSetupFeeUpdate", (*pick(_FEE, _FEE_BODY), *_SETUP_SENT), ("version",))
SETUP_FEE: Final = Resource(
    name="ProductSetupFee",
    path="/subscriptions/products/setup-fees",
    tag="SubscriptionProductSetupFees",
    permission=_PRODUCT,
    fields=(*_FEE, *_SETUP),
    create=_SETUP_UPDATE,
    update=_SETUP_UPDATE,
    indexed=("component",),
    delete="hard",
)

_PERIOD_FEE, _PERIOD_FEE_SENT = _amounts("periodFee")
_TITLE: Final = Field("ledgerEntryTitle", LOCALIZED)
_PERIOD_UPDATE: Final = Shape(
    "ProductPeriodFeeUpdate", (*pick(_FEE, _FEE_BODY), _TITLE, _TRIAL, _PERIOD_FEE_SENT), ("version",)
)
PERIOD_FEE: Final = Resource(
    name="ProductPeriodFee",
    path="/subscriptions/products/period-fees",
    tag="SubscriptionProductPeriodFees",
    permission=_PRODUCT,
    fields=(*_FEE, _TITLE, _TRIAL, _PERIOD_FEE),
    create=_PERIOD_UPDATE,
    update=_PERIOD_UPDATE,
    indexed=("component",),
    delete="hard",
)

_METERED: Final = (
    Field("metric", Link("SubscriptionMetric")),
    _TRIAL,
    Field("tierPricing", OneOf.of("CHEAPEST_TIER_PRICING INCREMENTAL_DISCOUNT_PRICING")),
)
_METERED_UPDATE: Final = Shape("ProductMeteredFeeUpdate", (*pick(_FEE, _FEE_BODY), *_METERED), ("version",))
METERED_FEE: Final = Resource(
    name="ProductMeteredFee",
    path="/subscriptions/products/metered-fees",
    tag="SubscriptionProductMeteredFees",
    permission=_PRODUCT,
    fields=(*_FEE, *_METERED),
    create=_METERED_UPDATE,
    update=_METERED_UPDATE,
    indexed=("component", "metric"),
    delete="hard",
)

_TIER_FEE, _TIER_FEE_SENT = _amounts("fee")
_TIER: Final = (
    ID, VERSION,
    Field("meteredFee", Link("ProductMeteredFee")),
    Field("startRange", _QUANTITY, description="The first quantity of the tier"),
)  # fmt: skip
_TIER_UPDATE: Final = Shape(
    "ProductMeteredTierFeeUpdate", (*pick(_TIER, "meteredFee startRange version"), _TIER_FEE_SENT), ("version",)
)
TIER: Final = Resource(
    name="ProductMeteredTierFee",
    path="/subscriptions/products/metered-fees/{feeId}/tiers",
    tag="SubscriptionProductMeteredFeeTiers",
    permission=_PRODUCT,
    fields=(*_TIER, _TIER_FEE),
    create=_TIER_UPDATE,
    update=_TIER_UPDATE,
    delete="hard",
    parent=Parent("feeId", "ProductMeteredFee", "meteredFee"),
)

# ---------------------------------------------------------------------- metrics

_METRIC: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, _NAME, _DESCRIPTION,
    Field("state", CREATION_STATES),
    Field("type", Link("SubscriptionMetricType")),
)  # fmt: skip
METRIC: Final = Resource(
    name="SubscriptionMetric",
    path="/subscriptions/metrics",
    tag="SubscriptionMetrics",
    fields=_METRIC,
    create=Shape("SubscriptionMetricCreate", pick(_METRIC, "description name type"), ("name", "type")),
    update=Shape("SubscriptionMetricActive", pick(_METRIC, "description name version"), ("version",)),
    indexed=("state",),
    delete="soft",
)

catalogue.declare(
    PRODUCT, PRODUCT_VERSION, PRODUCT_RETIREMENT, PRODUCT_VERSION_RETIREMENT, COMPONENT_GROUP, COMPONENT,
    COMPONENT_REFERENCE, TAX_CLASS, SETUP_FEE, PERIOD_FEE, METERED_FEE, TIER, METRIC,
)  # fmt: skip
