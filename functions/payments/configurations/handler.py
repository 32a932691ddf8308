"""The HTTP door of payment method, processor and connector configurations: routes and composition, nothing else."""

from __future__ import annotations

from payments.configurations.service import ConfigurationHooks, ConnectorHooks, MethodHooks, link_contract
from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters
from payments.engine.repository import Objects
from payments.engine.routes import Engine, object_id, route
from payments.resources.configurations import (
    PAYMENT_CONNECTOR_CONFIGURATION,
    PAYMENT_METHOD_CONFIGURATION,
    PAYMENT_PROCESSOR_CONFIGURATION,
)
from tollgate import aws, config
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import PAYMENTS, Authenticator
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, whole_number
from tollgate.log import Journal
from tollgate.store.table import Table

_settings = config.load(PaymentsSettings)
_engine = Engine(Objects(Table(_settings.payments_table, aws.dynamodb())))
_methods = _engine.service(PAYMENT_METHOD_CONFIGURATION, MethodHooks())
_processors = _engine.service(PAYMENT_PROCESSOR_CONFIGURATION, ConfigurationHooks())
_connectors = _engine.service(PAYMENT_CONNECTOR_CONFIGURATION, ConnectorHooks())

_CONTRACT = Parameter(
    "contractId", whole_number(1, 999_999_999), {"type": "integer", "format": "int64", "minimum": 1},
    "The contract that the configuration is billed under",
)  # fmt: skip


def link_processor_contract(request: Request) -> Answer:
    """Note the contract of a processor configuration."""
    context = _engine.context(request)
    before = _processors.read(context, object_id(request))
    asked = parameters.read(request.raw_query, (_CONTRACT, parameters.EXPAND))
    if asked["contractId"] is None:
        raise BadParameters.at("contractId", "is required")
    tree = _engine.expand(request, PAYMENT_PROCESSOR_CONFIGURATION)
    after = link_contract(_processors, _processors.change_of(context, before), asked["contractId"])
    return _engine.reply(request, after, tree)


ROUTES = (
    *_engine.routes_of(_methods),
    *_engine.routes_of(_processors),
    *_engine.routes_of(_connectors),
    route(
        "POST", "/payment/processor-configurations/{id}/link-contract", link_processor_contract,
        "Link a contract to a payment processor configuration", permission="paymentProcessorConfiguration.update",
        tag="PaymentProcessorConfigurations", query=(_CONTRACT, parameters.EXPAND),
        answer=shapes.answer(PAYMENT_PROCESSOR_CONFIGURATION),
    ),
)  # fmt: skip

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("payment-configurations", _settings.log_level),
)
