"""Processors and connectors that a web app brings into a space, and what it may say of payments made with them
(fact file 2.16, "Web apps"). The details' properties are our own reading: the published models leave them untyped."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, SPACE_ID, VERSION, Resource
from payments.engine.fields import Embedded, Field, Flag, Link, Long, Moment, OneOf, Shape, Text, Url, int32, pick

_EXTERNAL_ID: Final = Field("externalId", Text(40, least=1, ascii=True))
_NAME: Final = Field("name", Text(100))
_PERMISSION: Final = "webApp"
_STATE: Final = Field("state", OneOf.of("ACTIVE DELETED"))
_UPDATED: Final = Field("updatedOn", Moment())
_ENDPOINT: Final = Url(2000)
_DURATION: Final = Text(20, pattern=r"P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?")
_DAYS: Final = int32(1, 365)
_MINUTES: Final = int32(1, 43_200)

COMPLETION_CONFIGURATION: Final = Shape(
    "PaymentAppCompletionConfiguration",
    (
        Field("completionEndpoint", _ENDPOINT),
        Field("completionTimeoutInMinutes", _MINUTES),
        Field("maximalCompletionDelayInDays", _DAYS),
        Field("multipleCompletionsSupported", Flag()),
        Field("voidEndpoint", _ENDPOINT),
    ),
)
REFUND_CONFIGURATION: Final = Shape(
    "PaymentAppRefundConfiguration",
    (
        Field("multipleRefundsSupported", Flag()),
        Field("refundEndpoint", _ENDPOINT),
        Field("refundTimeoutInMinutes", _MINUTES),
    ),
)

_PROCESSOR: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, _EXTERNAL_ID, _NAME, _STATE, _UPDATED,
    Field("configuredEnvironment", OneOf.of("PRODUCTION TEST")),
    Field("documentationUrl", _ENDPOINT),
    Field("installationId", Long(1)),
    Field("processorConfiguration", Link("PaymentProcessorConfiguration")),
    Field("productionModeUrl", _ENDPOINT),
    Field("svgIcon", Text(10_000)),
    Field("usableInProduction", Flag()),
    Field("usableInProductionSince", Moment()),
)  # fmt: skip
_PROCESSOR_DETAILS: Final = "documentationUrl name productionModeUrl svgIcon"

PAYMENT_APP_PROCESSOR: Final = Resource(
    name="PaymentAppProcessor",
    path="/payment/web-apps/processors",
    tag="PaymentWebApps",
    permission=_PERMISSION,
    fields=_PROCESSOR,
    create=Shape(
        "PaymentAppProcessorDetailsCreate", pick(_PROCESSOR, f"externalId {_PROCESSOR_DETAILS}"), ("externalId",)
    ),
    update=Shape("PaymentAppProcessorDetails", pick(_PROCESSOR, _PROCESSOR_DETAILS)),
    indexed=("installationId", "state"),
    unique=("externalId",),
    listable=False,
    searchable=False,
)

_CONNECTOR: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, _EXTERNAL_ID, _NAME, _STATE, _UPDATED,
    Field("authorizationTimeout", _DURATION),
    Field("completionConfiguration", Embedded(COMPLETION_CONFIGURATION)),
    Field("connectorConfiguration", Link("PaymentConnectorConfiguration")),
    Field("paymentPageEndpoint", _ENDPOINT),
    Field("processor", Link("PaymentAppProcessor")),
    Field("refundConfiguration", Embedded(REFUND_CONFIGURATION)),
)  # fmt: skip
_CONNECTOR_DETAILS: Final = "authorizationTimeout completionConfiguration name paymentPageEndpoint refundConfiguration"

PAYMENT_APP_CONNECTOR: Final = Resource(
    name="PaymentAppConnector",
    path="/payment/web-apps/connectors",
    tag="PaymentWebApps",
    permission=_PERMISSION,
    fields=_CONNECTOR,
    create=Shape(
        "PaymentAppConnectorDetailsCreate", pick(_CONNECTOR, f"externalId {_CONNECTOR_DETAILS}"), ("externalId",)
    ),
    update=Shape("PaymentAppConnectorDetails", pick(_CONNECTOR, _CONNECTOR_DETAILS)),
    indexed=("processor", "connectorConfiguration", "state"),
    unique=("externalId",),
    listable=False,
    searchable=False,
)

_UPDATE: Final = (
    Field("failureReason", Long(1)),
    Field("reference", Text(100, ascii=True)),
    Field("targetState", OneOf.of("SUCCESSFUL FAILED")),
)
CHARGE_ATTEMPT_UPDATE: Final = Shape(
    "PaymentAppChargeAttemptUpdate", (*_UPDATE, Field("endUserFailureMessage", Text(2000))), ("targetState",)
)
COMPLETION_UPDATE: Final = Shape("PaymentAppCompletionUpdate", _UPDATE, ("targetState",))
REFUND_UPDATE: Final = Shape("PaymentAppRefundUpdate", _UPDATE, ("targetState",))
VOID_UPDATE: Final = Shape("PaymentAppVoidUpdate", _UPDATE, ("targetState",))

catalogue.declare(PAYMENT_APP_PROCESSOR, PAYMENT_APP_CONNECTOR)
