"""The operations of web apps, for the doors that serve them: installing beside accounts and users, since it hands out
keys; processors and what is told of payments beside payments, since it ends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from payments.bodies import read_body
from payments.engine import parameters, shapes
from payments.engine.declarations import Resource
from payments.engine.expansion import Expander
from payments.engine.fields import Embedded, Field, Shape, Text
from payments.engine.models import Context, Entity
from payments.engine.routes import Engine, object_id, route
from payments.refunds.public import Refunding
from payments.resources.access import SPACE
from payments.resources.web_apps import (
    CHARGE_ATTEMPT_UPDATE,
    COMPLETION_UPDATE,
    PAYMENT_APP_CONNECTOR,
    PAYMENT_APP_PROCESSOR,
    REFUND_UPDATE,
    VOID_UPDATE,
)
from payments.transactions.public import Transactions
from payments.web_apps.models import CODE_SECONDS
from payments.web_apps.repository import WebAppRepository
from payments.web_apps.service.installing import Installing, Keys
from payments.web_apps.service.processing import RESOURCES, Processors, Telling
from tollgate.http.message import Answer, Request
from tollgate.http.route import Endpoint, Route

__all__ = ["Keys", "payment_routes", "routes"]

_TAG: Final = "WebApps"
_PAYMENT_TAG: Final = "PaymentWebApps"
_CODE: Final = Shape("WebAppActivationCode", (Field("code", Text()), Field("expiresIn", Text())))
_CONFIRMED: Final = Shape(
    "WebAppConfirmationResponse",
    (
        Field("access_token", Text(), description="A further key of the app's user, shown this once"),
        Field("scope", Text()),
        Field("space", Embedded(SPACE.shape)),
        Field("state", Text()),
        Field("token_type", Text()),
    ),
)
_KEY_TYPE: Final = "HS256"
_BODIES: Final = {
    "charge-attempts": CHARGE_ATTEMPT_UPDATE,
    "completions": COMPLETION_UPDATE,
    "refunds": REFUND_UPDATE,
    "voids": VOID_UPDATE,
}


def routes(engine: Engine, keys: Keys) -> tuple[Route, ...]:
    """Installing."""
    installing = Installing(engine.objects, WebAppRepository(engine.objects), keys)

    def create_activation_code(request: Request) -> Answer:
        return Answer(201, {"code": installing.new_code(engine.context(request)), "expiresIn": f"PT{CODE_SECONDS}S"})

    def confirm_web_app(request: Request) -> Answer:
        tree, context = engine.expand(request, SPACE), engine.context(request)
        space, key = installing.confirm(context, request.parameters["code"])
        shown = Expander(engine.objects, context).answer(space, tree)
        body = {"access_token": key, "scope": f"space:{space.id}", "space": shown, "state": "INSTALLED"}
        return Answer(200, {**body, "token_type": _KEY_TYPE})

    def is_web_app_installed(request: Request) -> Answer:
        return Answer(200, installing.is_installed(engine.context(request)))

    def uninstall_web_app(request: Request) -> Answer:
        installing.uninstall(engine.context(request))
        return Answer(204)

    return (
        route(
            "POST", "/web-apps/activation-codes", create_activation_code, "Get an activation code for a web app",
            permission="webApp.install", tag=_TAG, status=201, answer=shapes.shaped(_CODE),
            description="Whoever confirms it within the hour is installed in the space; once.",
        ),
        route(
            "POST", "/web-apps/confirm/{code}", confirm_web_app, "Confirm the installation of the calling app",
            permission="webApp.manage", scope="", tag=_TAG, query=parameters.READ, answer=shapes.shaped(_CONFIRMED),
        ),
        route(
            "GET", "/web-apps/installed", is_web_app_installed, "Whether the calling app is installed in the space",
            permission="webApp.read", tag=_TAG, answer={"type": "boolean"},
        ),
        route(
            "POST", "/web-apps/uninstall", uninstall_web_app, "Uninstall the calling app from the space",
            permission="webApp.manage", tag=_TAG, status=204,
            description="Its processors and connectors are deleted with it, and the key that it was given ends.",
        ),
    )  # fmt: skip


def payment_routes(engine: Engine, transactions: Transactions, refunding: Refunding) -> tuple[Route, ...]:
    """Processors, connectors, and what is told of payments."""
    processors = Processors(engine.objects, WebAppRepository(engine.objects))
    telling = Telling(processors, transactions, refunding)
    return (
        *_processor_routes(engine, processors),
        *_connector_routes(engine, processors),
        *(_tell(engine, telling, name) for name in RESOURCES),
    )


def _processor_routes(engine: Engine, processors: Processors) -> tuple[Route, ...]:
    resource, item = PAYMENT_APP_PROCESSOR, "/payment/web-apps/processors/{externalId}"

    def create(request: Request) -> Answer:
        context, tree = engine.context(request), engine.expand(request, resource)
        processors.installation(context)
        return engine.reply(request, processors.create(context, _given(resource.create, request)), tree, 201)

    def add_connector(request: Request) -> Answer:
        context, tree = engine.context(request), engine.expand(request, PAYMENT_APP_CONNECTOR)
        above = request.parameters["externalId"]
        processors.processor(context, above)
        made = processors.add_connector(context, above, _given(PAYMENT_APP_CONNECTOR.create, request))
        return engine.reply(request, made, tree, 201)

    def activate(request: Request) -> Answer:
        context, tree = engine.context(request), engine.expand(request, resource)
        return engine.reply(request, processors.activate(context, request.parameters["externalId"]), tree)

    return (
        _route("POST", "/payment/web-apps/processors", create, "Bring a processor in", resource, "create", status=201),
        _route(
            "PATCH", item, _update(engine, processors, resource, processors.processor, "externalId"),
            "Change a processor", resource, "update",
        ),
        _deletion(item, engine, processors.delete_processor, "externalId", "Delete a processor and its connectors"),
        _route("POST", f"{item}/activate-for-production", activate, "Let a processor take real payments", resource),
        _route(
            "POST", f"{item}/connectors", add_connector, "Bring a connector in", PAYMENT_APP_CONNECTOR, "create",
            status=201,
        ),
    )  # fmt: skip


def _connector_routes(engine: Engine, processors: Processors) -> tuple[Route, ...]:
    resource, item, name = (
        PAYMENT_APP_CONNECTOR,
        "/payment/web-apps/connectors/{connectorExternalId}",
        "connectorExternalId",
    )
    return (
        _route(
            "PATCH", item, _update(engine, processors, resource, processors.connector, name), "Change a connector",
            resource, "update",
        ),
        _deletion(item, engine, processors.delete_connector, name, "Delete a connector"),
    )  # fmt: skip


def _update(
    engine: Engine, processors: Processors, resource: Resource, find: Callable[[Context, str], Entity], name: str
) -> Endpoint:
    def endpoint(request: Request) -> Answer:
        context = engine.context(request)
        before, tree = find(context, request.parameters[name]), engine.expand(request, resource)
        return engine.reply(request, processors.update(context, before, _given(resource.update, request)), tree)

    return endpoint


def _deletion(
    path: str, engine: Engine, delete: Callable[[Context, str], None], name: str, summary: str
) -> Route:  # fmt: skip
    def endpoint(request: Request) -> Answer:
        delete(engine.context(request), request.parameters[name])
        return Answer(204)

    return route(
        "DELETE", path, endpoint, summary, permission="webApp.manage", tag=_PAYMENT_TAG, status=204,
        description="It stays readable where payments were made with it.",
    )  # fmt: skip


def _tell(engine: Engine, telling: Telling, name: str) -> Route:
    resource, shape = RESOURCES[name], _BODIES[name]

    def endpoint(request: Request) -> Answer:
        context = engine.context(request)
        found, transaction = telling.find(context, resource, object_id(request))
        tree = engine.expand(request, resource)
        return engine.reply(request, telling.tell(context, found, transaction, _given(shape, request)), tree)

    return route(
        "PATCH", f"/payment/web-apps/{name}/{{id}}", endpoint, f"Say what became of one of the {name}",
        permission="webApp.manage", tag=_PAYMENT_TAG, query=parameters.READ, body=shapes.body(shape),
        answer=shapes.answer(resource),
        description="Only for what is under way and was made with a processor of the calling app.",
    )  # fmt: skip


def _route(
    method: str, path: str, endpoint: Endpoint, summary: str, resource: Resource, verb: str = "", **further: Any
) -> Route:
    shape = {"create": resource.create, "update": resource.update}.get(verb)
    return route(
        method, path, endpoint, summary, permission="webApp.manage", tag=_PAYMENT_TAG, query=parameters.READ,
        body=shapes.body(shape) if shape else None, answer=shapes.answer(resource), **further,
    )  # fmt: skip


def _given(shape: Shape | None, request: Request) -> dict[str, Any]:
    if shape is None:
        raise LookupError("the resource has no such operation")
    return read_body(shape, request.json())
