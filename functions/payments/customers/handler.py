"""The HTTP door of customers: routes and composition, nothing else."""

from __future__ import annotations

from payments.engine.repository import Objects
from payments.engine.routes import Engine
from payments.resources.customers import CUSTOMER
from tollgate import aws, config
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import PAYMENTS, Authenticator
from tollgate.http.app import App
from tollgate.log import Journal
from tollgate.store.table import Table

_settings = config.load(PaymentsSettings)
_engine = Engine(Objects(Table(_settings.payments_table, aws.dynamodb())))
_customers = _engine.service(CUSTOMER)

ROUTES = _engine.routes_of(_customers)

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("customers", _settings.log_level),
)
