"""The operations of method, processor and connector configurations, on the engine of the function that serves them."""

from __future__ import annotations

from payments.configurations.service import ConfigurationHooks, ConnectorHooks, MethodHooks, link_contract
from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters
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


def routes(engine: Engine) -> tuple[Route, ...]:
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
    )  # fmt: skip
