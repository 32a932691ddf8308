"""The HTTP door of customers: routes and composition, nothing else."""

from __future__ import annotations

from payments.customers.service import MOST_EMAILS, CustomerService
from payments.engine import parameters, shapes
from payments.engine.repository import Objects
from payments.engine.routes import Engine, object_id, route
from payments.resources.customers import CUSTOMER, EMAIL_ADDRESS
from tollgate import aws, config
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import PAYMENTS, Authenticator
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.log import Journal
from tollgate.store.table import Table

_settings = config.load(PaymentsSettings)
_engine = Engine(Objects(Table(_settings.payments_table, aws.dynamodb())))
_service = CustomerService(_engine.objects)


def email_addresses(request: Request) -> Answer:
    """The e-mail addresses a customer was ever known under."""
    found = _service.emails(_engine.context(request), object_id(request))
    return Answer(200, {"data": found, "hasMore": False, "limit": MOST_EMAILS})


def merge(request: Request) -> Answer:
    """Two customers become one."""
    tree = _engine.expand(request, CUSTOMER)
    merged = _service.merge(_engine.context(request), object_id(request), object_id(request, "other"))
    return _engine.reply(request, merged, tree)


def make_default(request: Request) -> Answer:
    """An address becomes the customer's default one."""
    _service.make_default(_engine.context(request), object_id(request, "customerId"), object_id(request))
    return Answer(204)


def pin(request: Request) -> Answer:
    """A comment is pinned to the top."""
    _service.pin(_engine.context(request), object_id(request, "customerId"), object_id(request), pinned=True)
    return Answer(204)


def unpin(request: Request) -> Answer:
    """A comment is taken off the top."""
    _service.pin(_engine.context(request), object_id(request, "customerId"), object_id(request), pinned=False)
    return Answer(204)


_TAG = "Customers"
_COMMENTS = "/customers/{customerId}/comments/{id}"
_EMAILS = shapes.Schema(
    lambda: {
        "title": "CustomerEmailAddressListResponse",
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": EMAIL_ADDRESS.schema()},
            "hasMore": {"type": "boolean"},
            "limit": {"type": "integer", "format": "int32"},
        },
    }
)

ROUTES = (
    *_engine.routes_of(_service.customers),
    route(
        "GET", "/customers/{id}/email-addresses", email_addresses, "List a customer's e-mail addresses",
        permission="customer.read", tag=_TAG, query=parameters.READ, answer=_EMAILS,
        description="All addresses that the customer was ever known under, the first one first; at most 100.",
    ),
    route(
        "POST", "/customers/{id}/merge/{other}", merge, "Merge two customers", permission="customer.merge", tag=_TAG,
        query=parameters.READ, answer=shapes.answer(CUSTOMER),
        description="Addresses, comments, e-mail addresses and missing properties come from `other`, which is deleted.",
    ),
    *_engine.routes_of(_service.addresses),
    route(
        "POST", "/customers/{customerId}/addresses/{id}/default", make_default, "Make an address the default one",
        permission="customerAddress.update", tag=_TAG, status=204,
    ),
    *_engine.routes_of(_service.comments),
    route(
        "POST", f"{_COMMENTS}/pin", pin, "Pin a comment to the top", permission="customerComment.update", tag=_TAG,
        status=204,
    ),
    route(
        "POST", f"{_COMMENTS}/unpin", unpin, "Take a comment off the top", permission="customerComment.update",
        tag=_TAG, status=204,
    ),
)  # fmt: skip

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("customers", _settings.log_level),
)
