"""The operations of reference data, for the door that serves them. Every application user may read it.

There is no function of its own: the paths are many and each would cost the template two resources, so they lie behind
the doors that take everything under the family's base paths, or under `/payment`, that no other function has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from payments.engine import expansion, parameters, shapes
from payments.engine.declarations import Resource
from payments.engine.models import Entity, Page
from payments.engine.routes import Engine, route
from payments.reference_data import service
from payments.resources.reference_data import BY_ID, COUNTRY, COUNTRY_STATE, CURRENCY, LANGUAGE
from tollgate.http.message import Answer, Request
from tollgate.http.route import Endpoint, Route

_WITHOUT_IDS = frozenset({"list", "read"})


def _listed(engine: Engine, resource: Resource, find: Callable[[Request], Sequence[Entity]]) -> Endpoint:
    """Answers a short list as a whole."""

    def endpoint(request: Request) -> Answer:
        found = find(request)
        asked = {**parameters.read(request.raw_query, parameters.READ), "limit": len(found)}
        tree = expansion.parse(asked["expand"], resource)
        return engine.page(request, Page(list(found), has_more=False), tree, asked)

    return endpoint


def _named(engine: Engine, resource: Resource, parameter: str) -> Endpoint:
    """Answers the object that a code in the path names."""

    def endpoint(request: Request) -> Answer:
        entity = service.by_code(resource, request.parameters[parameter])
        return engine.reply(request, entity, engine.expand(request, resource))

    return endpoint


def _whole(engine: Engine, resource: Resource, path: str, title: str) -> Route:
    return route(
        "GET", path, _listed(engine, resource, lambda _: service.everything(resource)), f"List all {title}",
        permission="", scope="", tag=resource.tag, query=parameters.READ, answer=shapes.listed(resource),
        description="The whole list, which is short.",
    )  # fmt: skip


def _item(engine: Engine, resource: Resource, path: str, title: str) -> Route:
    parameter = path[path.index("{") + 1 : -1]
    return route(
        "GET", path, _named(engine, resource, parameter), f"Retrieve a {title}", permission="", scope="",
        tag=resource.tag, query=parameters.READ, answer=shapes.answer(resource),
    )  # fmt: skip


def payment_routes(engine: Engine) -> tuple[Route, ...]:
    """The operations under `/payment`, on the engine of the function that serves them."""
    return tuple(made for each in BY_ID if _is_payment(each) for made in engine.routes_of(engine.service(each)))


def routes(engine: Engine) -> tuple[Route, ...]:
    """All other operations of reference data, on the engine of the function that serves them."""
    searches = (
        made for each in (COUNTRY, CURRENCY, LANGUAGE)
        for made in engine.routes_of(engine.service(each), without=_WITHOUT_IDS)
    )  # fmt: skip
    of_country = _listed(engine, COUNTRY_STATE, lambda request: service.states_of(request.parameters["countryCode"]))
    return (
        _whole(engine, COUNTRY, "/countries", "countries"),
        _whole(engine, COUNTRY_STATE, "/countries/states", "states"),
        _whole(engine, CURRENCY, "/currencies", "currencies"),
        _whole(engine, LANGUAGE, "/languages", "languages"),
        *searches,
        _item(engine, COUNTRY_STATE, "/countries/states/{id}", "state"),
        route(
            "GET", "/countries/{countryCode}/states", of_country, "List the states of a country", permission="",
            scope="", tag="Countries", query=parameters.READ, answer=shapes.listed(COUNTRY_STATE),
        ),
        _item(engine, COUNTRY, "/countries/{code}", "country"),
        _item(engine, CURRENCY, "/currencies/{code}", "currency"),
        _item(engine, LANGUAGE, "/languages/{code}", "language"),
        *(made for each in BY_ID if not _is_payment(each) for made in engine.routes_of(engine.service(each))),
    )  # fmt: skip


def _is_payment(resource: Resource) -> bool:
    return resource.path.startswith("/payment/")
