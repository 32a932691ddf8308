"""The operations of method, processor and connector configurations, on the engine of the function that serves them."""

from __future__ import annotations

from typing import Final

from payments.acquiring import Acquiring
from payments.bodies import read_body
from payments.configurations.service import (
    ConfigurationHooks,
    ConnectorHooks,
    MethodHooks,
    acquirer_of,
    link_contract,
)
from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters
from payments.engine.fields import Field, Shape, Text
from payments.engine.routes import Engine, object_id, route
from payments.resources.configurations import (
    PAYMENT_CONNECTOR_CONFIGURATION,
    PAYMENT_METHOD_CONFIGURATION,
    PAYMENT_PROCESSOR_CONFIGURATION,
)
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, whole_number
from tollgate.http.route import Route

_CONTRACT = Parameter(
    "contractId", whole_number(1, 999_999_999), {"type": "integer", "format": "int64", "minimum": 1},
    "The contract that the configuration is billed under",
)  # fmt: skip


_KEY: Final = Shape("PaymentProcessorKeyRequest", (Field("secretKey", Text(255)),), ("secretKey",))


def routes(engine: Engine, acquiring: Acquiring) -> tuple[Route, ...]:
    """All operations of configurations."""
    processors = engine.service(PAYMENT_PROCESSOR_CONFIGURATION, ConfigurationHooks())

    def link_processor_contract(request: Request) -> Answer:
        """Note the contract of a processor configuration."""
        context = engine.context(request)
        before = processors.read(context, object_id(request))
        asked = parameters.read(request.raw_query, (_CONTRACT, parameters.EXPAND))
        if asked["contractId"] is None:
            raise BadParameters.at("contractId", "is required")
        tree = engine.expand(request, PAYMENT_PROCESSOR_CONFIGURATION)
        after = link_contract(processors, processors.change_of(context, before), asked["contractId"])
        return engine.reply(request, after, tree)

    def connect_processor(request: Request) -> Answer:
        """Hand the merchant's key on to where payments are sent from; it is kept there alone, and never shown."""
        context = engine.context(request)
        before = processors.read(context, object_id(request))
        acquirer = acquirer_of(before)
        given = read_body(_KEY, request.json())
        acquiring.connect(context.tenant, acquirer, str(before.id), given["secretKey"])
        return Answer(204)

    def disconnect_processor(request: Request) -> Answer:
        """Have the merchant's key forgotten."""
        context = engine.context(request)
        before = processors.read(context, object_id(request))
        acquiring.disconnect(context.tenant, acquirer_of(before), str(before.id))
        return Answer(204)

    return (
        *engine.routes_of(engine.service(PAYMENT_METHOD_CONFIGURATION, MethodHooks())),
        *engine.routes_of(processors),
        *engine.routes_of(engine.service(PAYMENT_CONNECTOR_CONFIGURATION, ConnectorHooks())),
        route(
            "POST", "/payment/processor-configurations/{id}/link-contract", link_processor_contract,
            "Link a contract to a payment processor configuration", permission="paymentProcessorConfiguration.update",
            tag="PaymentProcessorConfigurations", query=(_CONTRACT, parameters.EXPAND),
            answer=shapes.answer(PAYMENT_PROCESSOR_CONFIGURATION),
        ),
        route(
            "POST", "/payment/processor-configurations/{id}/connect", connect_processor,
            "Hand over the secret key of a payment processor configuration",
            permission="paymentProcessorConfiguration.update", tag="PaymentProcessorConfigurations",
            body=shapes.body(_KEY), status=204,
            description="For processors that know the merchant by a key. The key is tried, sealed and never shown; "
            "handing over another one replaces it.",
        ),
        route(
            "POST", "/payment/processor-configurations/{id}/disconnect", disconnect_processor,
            "Forget the secret key of a payment processor configuration",
            permission="paymentProcessorConfiguration.update", tag="PaymentProcessorConfigurations", status=204,
            description="Nothing can be charged, completed or refunded through it until another key is handed over.",
        ),
    )  # fmt: skip
