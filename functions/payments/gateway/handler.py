"""The HTTP door of everything under `/payment` that no other function has: composition, nothing else.

One function for all of it, since what is paid, completed and refunded is one set of books, and since every further path
costs the template two resources.
"""

from __future__ import annotations

from payments.back_office import public as back_office
from payments.banking import public as banking
from payments.charge_flows.public import routes as charge_flows
from payments.configurations.public import routes as configurations
from payments.documents import public as documents
from payments.dunning import public as dunning
from payments.engine.models import Context
from payments.engine.routes import Engine
from payments.links import public as links
from payments.payment_page import public as payment_page
from payments.payment_tokens import public as payment_tokens
from payments.reference_data import public as reference_data
from payments.refunds.public import refunding_of
from payments.refunds.public import routes as refunds
from payments.tasks import DELIVERY_DECISION, REFUND_APPROVAL
from payments.terminals import public as terminals
from payments.transactions.public import Acting, PayingSettings, Transactions
from payments.transactions.public import routes as transactions
from payments.web_apps import public as web_apps
from tollgate import config
from tollgate.dialects.payments import PAYMENTS, Authenticator
from tollgate.http.app import App
from tollgate.log import Journal

_settings = config.load(PayingSettings)
_transactions = Transactions.of(_settings.payments_table, _settings.acquiring_function)
_engine = Engine(_transactions.objects)


def _decide_refund(context: Context, number: int, positive: bool) -> None:
    refunding_of(_transactions).decide(Acting.of(context), number, succeeded=positive)


def _decide_delivery(context: Context, number: int, positive: bool) -> None:
    _transactions.decide_delivery(Acting.of(context), number, suitable=positive)


_deciders = {REFUND_APPROVAL: _decide_refund, DELIVERY_DECISION: _decide_delivery}

ROUTES = (
    *payment_page.routes(_engine, _transactions, _settings),
    *links.routes(_engine, _settings.base_url),
    *terminals.routes(_engine, _transactions),
    *charge_flows(_engine, _transactions, _settings),
    *transactions.routes(_engine, _transactions, _settings),
    *refunds.routes(_engine, refunding_of(_transactions)),
    *payment_tokens.routes(_engine, _transactions),
    *configurations.routes(_engine, _transactions.acquiring),
    *reference_data.payment_routes(_engine),
    *banking.routes(_engine, is_sandbox=_settings.is_sandbox),
    *documents.routes(_engine),
    *dunning.routes(_engine),
    *back_office.payment_routes(_engine),
    *back_office.task_routes(_engine, _deciders),
    *web_apps.payment_routes(_engine, _transactions, refunding_of(_transactions)),
)

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("payments-gateway", _settings.log_level),
)
