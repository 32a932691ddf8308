"""How a space takes payments: methods as buyers see them, processors as contracts, connectors that join the two
(fact file 2.16, "Payment configuration")."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import ID, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import LOCALIZED, Field, Flag, Link, Long, Many, OneOf, Shape, Text, int32, pick

STATE: Final = Field("state", OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED"))
NAME: Final = Field("name", Text(100))

_METHOD: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, NAME, STATE,
    Field("dataCollectionType", OneOf.of("ONSITE OFFSITE")),
    Field("description", LOCALIZED),
    Field("imageResourcePath", Text(500)),
    Field("oneClickPaymentMode", OneOf.of("DISABLED ALLOW FORCE")),
    Field("paymentMethod", Link("PaymentMethod")),
    Field("resolvedDescription", LOCALIZED),
    Field("resolvedImageUrl", Text(500)),
    Field("resolvedTitle", LOCALIZED),
    Field("sortOrder", int32()),
    Field("spaceId", Long(1)),
    Field("title", LOCALIZED),
)  # fmt: skip
_METHOD_BODY: Final = "description imageResourcePath name oneClickPaymentMode sortOrder title"

PAYMENT_METHOD_CONFIGURATION: Final = Resource(
    name="PaymentMethodConfiguration",
    path="/payment/method-configurations",
    tag="PaymentMethodConfigurations",
    fields=_METHOD,
    create=Shape(
        "PaymentMethodConfigurationCreate", pick(_METHOD, f"{_METHOD_BODY} dataCollectionType paymentMethod state"),
        ("dataCollectionType", "paymentMethod", "state"),
    ),
    update=Shape("PaymentMethodConfigurationUpdate", pick(_METHOD, f"{_METHOD_BODY} version"), ("version",)),
    indexed=("state",),
    delete="soft",
)  # fmt: skip

_PROCESSOR: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, NAME, STATE,
    Field("applicationManaged", Flag()),
    Field("contractId", Long(1)),
    Field("processor", Link("PaymentProcessor")),
)  # fmt: skip

PAYMENT_PROCESSOR_CONFIGURATION: Final = Resource(
    name="PaymentProcessorConfiguration",
    path="/payment/processor-configurations",
    tag="PaymentProcessorConfigurations",
    fields=_PROCESSOR,
    create=Shape("PaymentProcessorConfigurationCreate", pick(_PROCESSOR, "name processor state"), ("processor",)),
    update=Shape("PaymentProcessorConfigurationActive", pick(_PROCESSOR, "name state version"), ("version",)),
    indexed=("state",),
    delete="soft",
)

_CONNECTOR: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, NAME, STATE,
    Field("applicableForTransactionProcessing", Flag()),
    Field("conditions", Many(Link("Condition"), most=50), hidden=True),
    Field("connector", Link("PaymentConnector")),
    Field("enabledSalesChannels", Many(Link("SalesChannel"), most=50)),
    Field("enabledSpaceViews", Many(Long(1), most=100)),
    Field("imagePath", Text(500)),
    Field("paymentMethodConfiguration", Link("PaymentMethodConfiguration")),
    Field("priority", int32()),
    Field("processorConfiguration", Link("PaymentProcessorConfiguration")),
)  # fmt: skip
_CONNECTOR_BODY: Final = "conditions enabledSalesChannels enabledSpaceViews name priority"

PAYMENT_CONNECTOR_CONFIGURATION: Final = Resource(
    name="PaymentConnectorConfiguration",
    path="/payment/connector-configurations",
    tag="PaymentConnectorConfigurations",
    fields=_CONNECTOR,
    create=Shape(
        "PaymentConnectorConfigurationCreate",
        pick(_CONNECTOR, f"{_CONNECTOR_BODY} connector paymentMethodConfiguration processorConfiguration state"),
        ("connector", "paymentMethodConfiguration", "processorConfiguration", "state"),
    ),
    update=Shape("PaymentConnectorConfigurationUpdate", pick(_CONNECTOR, f"{_CONNECTOR_BODY} version"), ("version",)),
    indexed=("paymentMethodConfiguration", "processorConfiguration", "state"),
    delete="soft",
)  # fmt: skip

CONDITION: Final = Resource(
    name="Condition",
    path="/payment/conditions",
    fields=(ID, VERSION, SPACE_ID, PURGE_DATE, NAME, STATE, Field("conditionType", Link("ConditionType"))),
    permission="paymentConnectorConfiguration",
    listable=False,
    searchable=False,
)
"""Seen inside connector configurations alone; there is no operation of its own."""

catalogue.declare(
    PAYMENT_METHOD_CONFIGURATION, PAYMENT_PROCESSOR_CONFIGURATION, PAYMENT_CONNECTOR_CONFIGURATION, CONDITION
)
