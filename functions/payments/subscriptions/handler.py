"""The HTTP door of subscriptions: routes and composition, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from payments.engine import expansion, parameters, shapes
from payments.engine.declarations import Resource
from payments.engine.errors import BadParameters
from payments.engine.fields import moment_of
from payments.engine.models import Entity
from payments.engine.routes import Engine, object_id, route
from payments.resources.subscription_products import (
    PRODUCT_RETIREMENT,
    PRODUCT_VERSION,
    PRODUCT_VERSION_RETIREMENT,
    RETIRE_PRODUCT,
    RETIRE_PRODUCT_VERSION,
)
from payments.resources.subscriptions import (
    CHARGE,
    PERIOD_BILL,
    SUBSCRIBER_PRESENT,
    SUBSCRIPTION,
    SUBSCRIPTION_CHANGES,
    SUBSCRIPTION_CREATE,
    SUBSCRIPTION_UPDATE,
    SUBSCRIPTION_VERSION,
    SUSPEND,
    SUSPENSION,
)
from payments.resources.transactions import TRANSACTION_INVOICE
from payments.subscriptions.models import Actor
from payments.subscriptions.service import Subscriptions
from payments.transactions.public import PayingSettings
from tollgate import config
from tollgate.dialects.payments import PAYMENTS, Authenticator
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter
from tollgate.http.route import Endpoint
from tollgate.log import Journal

_settings = config.load(PayingSettings)
_use_cases = Subscriptions.of(_settings.payments_table, _settings.acquiring_function)
_engine = Engine(_use_cases.objects)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _moment(text: str) -> datetime:
    found = moment_of(text)
    if found is None:
        raise ValueError("must be a date-time of ISO 8601")
    return found


_FLAG = {"type": "boolean"}
RESPECT = Parameter(
    "respectTerminationPeriod", _flag, _FLAG, "Whether the notice and the minimal periods are respected (required)"
)  # fmt: skip
CURRENT_DATE = Parameter(
    "currentDate", _moment, {"type": "string", "format": "date-time"}, "When the period ends (required)"
)  # fmt: skip
CREATE_NEXT = Parameter("createNextPeriod", _flag, _FLAG, "Whether the next period begins then (required)")


def _asked(request: Request, *required: Parameter) -> list[Any]:
    """The values of required parameters.

    Raises:
        BadParameters: one is missing or cannot be read.
    """
    asked = parameters.read(request.raw_query, required)
    for parameter in required:
        if asked[parameter.name] is None:
            raise BadParameters.at(parameter.name, "must be given")
    return [asked[parameter.name] for parameter in required]


def _actor(request: Request) -> Actor:
    context = _engine.context(request)
    return Actor(context.tenant, context.place.scope_of(SUBSCRIPTION), context.user_id)


def _body(request: Request) -> Any:
    """The body of an operation that can do without one."""
    return request.json() if request.raw_body() else None


Act = Callable[[Actor, int, Request], Entity]


def _acting(on: Resource, answers: Resource, act: Act) -> Endpoint:
    """Does something to an object and answers another one: the object is looked up first."""

    def endpoint(request: Request) -> Answer:
        actor, number = _actor(request), object_id(request)
        _use_cases.objects.read(on, actor.scope, number)
        tree = _engine.expand(request, answers)
        return _engine.reply(request, act(actor, number, request), tree)

    return endpoint


def create_subscription(request: Request) -> Answer:
    """A subscription and its first version."""
    tree = _engine.expand(request, SUBSCRIPTION_VERSION)
    made = _use_cases.subscribing.create(_actor(request), _engine.context(request), request.json())
    return _engine.reply(request, made, tree, 201)


def reactivate(request: Request) -> Answer:
    """A suspended subscription goes on."""
    _use_cases.lifecycle.reactivate(_actor(request), object_id(request))
    return Answer(204)


def terminate(request: Request) -> Answer:
    """A subscription ends."""
    actor, number = _actor(request), object_id(request)
    _use_cases.objects.read(SUBSCRIPTION, actor.scope, number)
    (respect,) = _asked(request, RESPECT)
    _use_cases.lifecycle.terminate(actor, number, respect=respect)
    return Answer(204)


def invoices(request: Request) -> Answer:
    """The invoices of a subscription."""
    context, number = _engine.context(request), object_id(request)
    _use_cases.objects.read(SUBSCRIPTION, context.place.scope_of(SUBSCRIPTION), number)
    asked = parameters.read(request.raw_query, parameters.SEARCH)
    tree = expansion.parse(asked["expand"], TRANSACTION_INVOICE)
    return _engine.page(request, _use_cases.invoices.search(context, number, asked), tree, asked)


def create_charge(request: Request) -> Answer:
    """A charge of what is open, carried out at once unless it is planned for later."""
    tree = _engine.expand(request, CHARGE)
    made = _use_cases.ledger.charges.create(_engine.context(request), request.json())
    charge = made.entity if made.replayed else _use_cases.charging.advance(_actor(request), made.entity.id)
    return _engine.reply(request, charge, tree, 201, replayed=made.replayed)


def _close(actor: Actor, number: int, request: Request) -> Entity:
    at, opens = _asked(request, CURRENT_DATE, CREATE_NEXT)
    return _use_cases.lifecycle.close(actor, number, at, opens=opens)


def _upgrade(actor: Actor, number: int, request: Request) -> Entity:
    (respect,) = _asked(request, RESPECT)
    return _use_cases.lifecycle.upgrade(actor, number, respect=respect)


def _route(method: str, path: str, endpoint: Endpoint, summary: str, answers: Resource | None, **further: Any) -> Any:
    given = {"query": parameters.READ, **further}
    if answers is not None:
        given["answer"] = shapes.answer(answers)
    return route(method, f"/subscriptions{path}", endpoint, summary, **given)


_PRODUCTS, _OWN = _use_cases.products, _use_cases.ledger
_MANAGES_PRODUCTS = {"permission": "subscriptionProduct.manage"}
_MANAGES = {"permission": "subscription.manage", "tag": "Subscriptions"}
_UPDATES = {"permission": "subscription.update", "tag": "Subscriptions"}

PRODUCT_ROUTES = (
    *_engine.routes_of(_engine.service(PRODUCT_VERSION_RETIREMENT)),
    *_engine.routes_of(_PRODUCTS.versions),
    _route(
        "POST", "/products/versions/{id}/activate",
        _acting(PRODUCT_VERSION, PRODUCT_VERSION, lambda actor, number, _: _PRODUCTS.activate(actor, number)),
        "Activate a product version", PRODUCT_VERSION, tag="SubscriptionProductVersions", **_MANAGES_PRODUCTS,
        description="New subscriptions get it from now on. It can be changed no more.",
    ),
    _route(
        "POST", "/products/versions/{id}/retire",
        _acting(PRODUCT_VERSION, PRODUCT_VERSION_RETIREMENT, lambda actor, number, request:
                _use_cases.retiring.retire_version(actor, number, _body(request))),
        "Retire a product version", PRODUCT_VERSION_RETIREMENT, tag="SubscriptionProductVersions",
        body=shapes.body(RETIRE_PRODUCT_VERSION), **_MANAGES_PRODUCTS,
        description="Its subscriptions move on to the target product, or end where there is none.",
    ),
    *_engine.routes_of(_engine.service(PRODUCT_RETIREMENT)),
    *_engine.routes_of(_PRODUCTS.groups),
    *_engine.routes_of(_PRODUCTS.components),
    *_engine.routes_of(_PRODUCTS.tiers),
    *(made for each in _PRODUCTS.fees for made in _engine.routes_of(each)),
    *_engine.routes_of(_PRODUCTS.products),
    _route(
        "POST", "/products/{id}/retire",
        _acting(_PRODUCTS.products.resource, PRODUCT_RETIREMENT, lambda actor, number, request:
                _use_cases.retiring.retire_product(actor, number, _body(request))),
        "Retire a product", PRODUCT_RETIREMENT, tag="SubscriptionProducts", body=shapes.body(RETIRE_PRODUCT),
        **_MANAGES_PRODUCTS, description="All of its versions retire with it.",
    ),
)  # fmt: skip

ROUTES = (
    *PRODUCT_ROUTES,
    *_engine.routes_of(_PRODUCTS.metrics),
    *_engine.routes_of(_OWN.subscribers),
    *_engine.routes_of(_OWN.affiliates),
    *_engine.routes_of(_OWN.reports),
    *_engine.routes_of(_OWN.entries),
    *_engine.routes_of(_OWN.charges, without=frozenset({"create"})),
    _route(
        "POST", "/charges", create_charge, "Create a charge", CHARGE, status=201,
        permission="subscriptionCharge.create", tag="SubscriptionCharges", body=shapes.body(_OWN.charges.creating),
        description="Takes the ledger entries that are open when it is carried out. With CHARGE_FLOW the subscriber "
        "pays its transaction on the payment page.",
    ),
    _route(
        "POST", "/charges/{id}/discard",
        _acting(CHARGE, CHARGE, lambda actor, number, _: _use_cases.charging.discard(actor, number)),
        "Discard a charge", CHARGE, permission="subscriptionCharge.discard", tag="SubscriptionCharges",
        description="Before it is carried out. Its ledger entries are open again.",
    ),
    *_engine.routes_of(_engine.service(PERIOD_BILL)),
    _route(
        "POST", "/period-bills/{id}/close", _acting(PERIOD_BILL, PERIOD_BILL, _close), "Close a period bill",
        PERIOD_BILL, permission="subscription.manage", tag="SubscriptionPeriodBills",
        query=(CURRENT_DATE, CREATE_NEXT, *parameters.READ),
        description="Ends the period at this moment and gives back what of its fees was not used.",
    ),
    *_engine.routes_of(_engine.service(SUSPENSION)),
    *_engine.routes_of(_engine.service(SUBSCRIPTION_VERSION)),
    *_engine.routes_of(_engine.service(SUBSCRIPTION)),
    _route(
        "POST", "", create_subscription, "Create a subscription", SUBSCRIPTION_VERSION, status=201,
        permission="subscription.create", tag="Subscriptions", body=shapes.body(SUBSCRIPTION_CREATE),
    ),
    _route(
        "PATCH", "/{id}",
        _acting(SUBSCRIPTION, SUBSCRIPTION, lambda actor, number, request:
                _use_cases.subscribing.update(actor, number, request.json())),
        "Update a subscription", SUBSCRIPTION, body=shapes.body(SUBSCRIPTION_UPDATE), **_UPDATES,
        description="What it is of can be changed while it is pending. The version is checked where it is given. POST "
        "means the same.",
    ),
    _route(
        "POST", "/{id}/apply-changes",
        _acting(SUBSCRIPTION, SUBSCRIPTION_VERSION, lambda actor, number, request:
                _use_cases.lifecycle.apply_changes(actor, number, _body(request))),
        "Apply changes to a subscription", SUBSCRIPTION_VERSION, body=shapes.body(SUBSCRIPTION_CHANGES), **_MANAGES,
        description="At once, giving back what of the present period was not used, or when the terms allow it.",
    ),
    _route(
        "POST", "/{id}/upgrade-product", _acting(SUBSCRIPTION, SUBSCRIPTION_VERSION, _upgrade),
        "Upgrade a subscription to the present version of its product", SUBSCRIPTION_VERSION,
        **{**_MANAGES, "query": (RESPECT, *parameters.READ)},
    ),
    _route(
        "POST", "/{id}/initialize",
        _acting(SUBSCRIPTION, CHARGE, lambda actor, number, _: _use_cases.subscribing.initialize(actor, number)),
        "Initialize a subscription", CHARGE, **_MANAGES, description="Charges the subscription's token.",
    ),
    _route(
        "POST", "/{id}/initialize-subscriber-present",
        _acting(SUBSCRIPTION, CHARGE, lambda actor, number, request:
                _use_cases.subscribing.initialize_present(actor, number, _body(request))),
        "Initialize a subscription with the subscriber present", CHARGE, body=shapes.body(SUBSCRIBER_PRESENT),
        **_MANAGES, description="The subscriber pays the charge's transaction on the payment page.",
    ),
    _route(
        "POST", "/{id}/suspend",
        _acting(SUBSCRIPTION, SUSPENSION, lambda actor, number, request:
                _use_cases.lifecycle.suspend(actor, number, _body(request))),
        "Suspend a subscription", SUSPENSION, permission="subscriptionSuspension.create", tag="Subscriptions",
        body=shapes.body(SUSPEND), description="It is not charged as long as it is suspended.",
    ),
    _route(
        "POST", "/{id}/reactivate", reactivate, "Reactivate a subscription", None, status=204,
        permission="subscriptionSuspension.terminate", tag="Subscriptions", query=(),
    ),
    _route(
        "POST", "/{id}/terminate", terminate, "Terminate a subscription", None, status=204,
        **{**_MANAGES, "query": (RESPECT,)},
    ),
    route(
        "GET", "/subscriptions/{id}/invoices", invoices, "Search the invoices of a subscription",
        permission="transactionInvoice.read", tag="Subscriptions", query=parameters.SEARCH,
        answer=shapes.searched(TRANSACTION_INVOICE), failures=(400, 401, 403, 404, 406, 415, 416, 422, 429),
    ),
)  # fmt: skip

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("subscriptions", _settings.log_level),
)
