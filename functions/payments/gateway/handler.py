"""The HTTP door of everything under `/payment` that no other function has: composition, nothing else.

One function for all of it, since what is paid, completed and refunded is one set of books, and since every further path
costs the template two resources.
"""

from __future__ import annotations

from payments.configurations.public import routes as configurations
from payments.engine.repository import Objects
from payments.engine.routes import Engine
from payments.reference_data import public as reference_data
from tollgate import aws, config
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import PAYMENTS, Authenticator
from tollgate.http.app import App
from tollgate.log import Journal
from tollgate.store.table import Table

_settings = config.load(PaymentsSettings)
_engine = Engine(Objects(Table(_settings.payments_table, aws.dynamodb())))

ROUTES = (
    *configurations.routes(_engine),
    *reference_data.payment_routes(_engine),
)

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("payments-gateway", _settings.log_level),
)
