"""Having debts collected by others: configurations of collectors, cases, their documents and what was collected
(fact file 2.16, "Debt collection")."""

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
    SPACE_VIEW,
    VERSION,
    Parent,
    Resource,
)
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
from payments.resources.addresses import ADDRESS
from payments.resources.line_items import AMOUNT, LINE_ITEMS, LINE_ITEMS_CREATE
from payments.resources.tokens import LABELS

_PERMISSION: Final = "debtCollection"
_EXTERNAL_ID: Final = Text(100, least=1, ascii=True)
_CREATION_STATE: Final = OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED")

DEBT_COLLECTION_CASE_SOURCE: Final = Resource(
    name="DebtCollectionCaseSource",
    path="/-/debt_collection_case_sources",
    scope="global",
    data="debt_collection_case_sources",
    fields=(ID, Field("name", LOCALIZED), Field("description", LOCALIZED), Field("forcedPreparingState", Flag())),
    listable=False,
    searchable=False,
)

_CONFIGURATION: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE,
    Field("collector", Link("DebtCollector")),
    Field("conditions", Many(Link("DebtCollectorCondition"), most=50), hidden=True),
    Field("enabledSpaceViews", Many(Long(1), most=100)),
    Field("name", Text(100)),
    Field("priority", int32()),
    Field("skipReviewEnabled", Flag()),
    Field("state", _CREATION_STATE),
)  # fmt: skip
_CONFIGURATION_BODY: Final = "conditions enabledSpaceViews name priority skipReviewEnabled state"

DEBT_COLLECTOR_CONFIGURATION: Final = Resource(
    name="DebtCollectorConfiguration",
    path="/debt-collection/configurations",
    tag="DebtCollectorConfigurations",
    permission=_PERMISSION,
    fields=_CONFIGURATION,
    create=Shape(
        "DebtCollectorConfigurationCreate", pick(_CONFIGURATION, f"{_CONFIGURATION_BODY} collector"), ("collector",)
    ),
    update=Shape(
        "DebtCollectorConfigurationUpdate", pick(_CONFIGURATION, f"{_CONFIGURATION_BODY} version"), ("version",)
    ),
    indexed=("collector", "state"),
    delete="soft",
)

DEBT_COLLECTOR_CONDITION: Final = Resource(
    name="DebtCollectorCondition",
    path="/-/debt-collection/conditions",
    permission=_PERMISSION,
    fields=(ID, VERSION, SPACE_ID, PURGE_DATE, Field("name", Text(100)), Field("state", _CREATION_STATE)),
    listable=False,
    searchable=False,
)
"""Seen inside configurations alone; there is no operation of its own."""

_CASE: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, LANGUAGE, SPACE_VIEW, LABELS,
    Field("amount", AMOUNT),
    Field("billingAddress", Embedded(ADDRESS)),
    Field("closedOn", Moment()),
    Field("collectorConfiguration", Link("DebtCollectorConfiguration")),
    Field("contractDate", Moment()),
    Field("creator", Long(1)),
    Field("currency", CurrencyCode()),
    Field("dueDate", Moment()),
    Field("environment", OneOf.of("PRODUCTION TEST")),
    Field("externalId", _EXTERNAL_ID),
    Field("failedOn", Moment()),
    Field("failureReason", Link("FailureReason")),
    Field("lineItems", LINE_ITEMS, expandable=True),
    Field("nextAttemptOn", Moment()),
    Field("processingStartedOn", Moment()),
    Field("processingTimeoutOn", Moment()),
    Field("reference", Text(100, least=1)),
    Field("reviewStartedOn", Moment()),
    Field("reviewedOn", Moment()),
    Field("reviewer", Long(1)),
    Field("source", Link("DebtCollectionCaseSource")),
    Field("sourceEntityId", Long(1)),
    Field("state", OneOf.of("CREATE PREPARING REVIEWING PENDING PROCESSING CLOSED FAILED")),
)  # fmt: skip
_CASE_BODY: Final = "billingAddress contractDate currency dueDate environment language spaceViewId"
_LINES: Final = Field("lineItems", LINE_ITEMS_CREATE)

DEBT_COLLECTION_CASE: Final = Resource(
    name="DebtCollectionCase",
    path="/debt-collection/cases",
    tag="DebtCollectionCases",
    permission=_PERMISSION,
    fields=_CASE,
    create=Shape(
        "DebtCollectionCaseCreate",
        (*pick(_CASE, f"{_CASE_BODY} collectorConfiguration externalId reference"), _LINES),
        ("externalId", "reference"),
    ),
    update=Shape("DebtCollectionCaseUpdate", (*pick(_CASE, f"{_CASE_BODY} version"), _LINES), ("version",)),
    indexed=("reference", "collectorConfiguration", "state"),
    unique=("externalId",),
    delete="hard",
)

DEBT_COLLECTION_CASE_DOCUMENT: Final = Resource(
    name="DebtCollectionCaseDocument",
    path="/debt-collection/cases/{id}/documents",
    tag="DebtCollectionCases",
    permission=_PERMISSION,
    parent=Parent("id", "DebtCollectionCase", "debtCollectionCase"),
    fields=(
        ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, LABELS,
        Field("debtCollectionCase", Long(1)),
        Field("fileName", Text(100, least=1)),
        Field("mimeType", Text(100)),
        Field("uniqueId", Text(500)),
        Field("content", Text(), secret=True),
    ),
)  # fmt: skip

DEBT_COLLECTION_RECEIPT: Final = Resource(
    name="DebtCollectionReceipt",
    path="/debt-collection/cases/{id}/payment-receipts",
    tag="DebtCollectionCases",
    permission=_PERMISSION,
    parent=Parent("id", "DebtCollectionCase", "debtCollectionCase"),
    fields=(
        ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE,
        Field("amount", DecimalNumber(least=Decimal(0))),
        Field("createdBy", Long(1)),
        Field("debtCollectionCase", Long(1)),
        Field("externalId", _EXTERNAL_ID),
        Field("source", Long(1)),
    ),
    unique=("externalId",),
)  # fmt: skip

catalogue.declare(
    DEBT_COLLECTION_CASE_SOURCE, DEBT_COLLECTOR_CONFIGURATION, DEBT_COLLECTOR_CONDITION, DEBT_COLLECTION_CASE,
    DEBT_COLLECTION_CASE_DOCUMENT, DEBT_COLLECTION_RECEIPT,
)  # fmt: skip
