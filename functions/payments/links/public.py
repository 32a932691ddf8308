"""The operations of payment links for the door that serves them, and opening one for the page that buyers see."""

from __future__ import annotations

from payments.engine import parameters, shapes
from payments.engine.routes import Engine, route
from payments.links.errors import LinkClosed, LinkNotFound
from payments.links.rules import ADDRESSES, ASKED, ON_PAGE, required
from payments.links.service import LinkHooks, LinkOpening
from payments.resources.links import PAYMENT_LINK
from tollgate.http.message import Answer, Request
from tollgate.http.origin import base_url
from tollgate.http.route import Route

__all__ = ["ADDRESSES", "ASKED", "ON_PAGE", "LinkClosed", "LinkNotFound", "LinkOpening", "required", "routes"]


def routes(engine: Engine, own_url: str) -> tuple[Route, ...]:
    """Payment links of a space."""
    service = engine.service(PAYMENT_LINK, LinkHooks())

    def create(request: Request) -> Answer:
        """A new link; its address is where this request came to."""
        context = engine.context(request)
        tree = engine.expand(request, PAYMENT_LINK)
        making = engine.service(PAYMENT_LINK, LinkHooks(base_url(own_url, request.event)))
        made = making.create(context, request.json())
        return engine.reply(request, made.entity, tree, 201, replayed=made.replayed)

    return (
        *engine.routes_of(service, without=frozenset({"create"})),
        route(
            "POST", PAYMENT_LINK.path, create, "Create a payment link", permission="paymentLink.create",
            tag=PAYMENT_LINK.tag, query=parameters.READ, status=201, body=shapes.body(service.creating),
            answer=shapes.answer(PAYMENT_LINK),
            description="`url` is what buyers open; with ACCESS_KEY the key is in it.",
        ),
    )  # fmt: skip
