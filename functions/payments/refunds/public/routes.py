"""The operations of refunds and of the comments on them, on the engine of the function that serves them."""

from __future__ import annotations

from payments import comments
from payments.bodies import read_body
from payments.engine import parameters, shapes
from payments.engine.routes import Engine, object_id, route
from payments.refunds.service import Refunding
from payments.resources.refunds import REFUND, REFUND_COMMENT
from payments.transactions.public import Acting
from tollgate.http.message import Answer, Request
from tollgate.http.route import Endpoint, Route

_WITHOUT = frozenset({"create"})


def routes(engine: Engine, refunding: Refunding) -> tuple[Route, ...]:
    """All operations of refunds."""
    service = engine.service(REFUND)

    def create_refund(request: Request) -> Answer:
        """Pay back."""
        context = engine.context(request)
        tree = engine.expand(request, REFUND)
        given = read_body(service.creating, request.json())
        refund, replayed = refunding.create(Acting.of(context), given)
        return engine.reply(request, refund, tree, 201, replayed=replayed)

    def decide(*, succeeded: bool) -> Endpoint:
        def endpoint(request: Request) -> Answer:
            context = engine.context(request)
            tree = engine.expand(request, REFUND)
            after = refunding.decide(Acting.of(context), object_id(request), succeeded=succeeded)
            return engine.reply(request, after, tree)

        return endpoint

    answer = shapes.answer(REFUND)
    return (
        *engine.routes_of(service, without=_WITHOUT),
        route(
            "POST", REFUND.path, create_refund, "Create a refund", permission="refund.create", tag=REFUND.tag,
            query=parameters.READ, status=201, body=shapes.body(service.creating), answer=answer,
            description="By reductions of line items, by an amount, or without either of everything that is left.",
        ),
        *(
            route(
                "POST", f"{REFUND.path}/{{id}}/mark-{word}", decide(succeeded=word == "succeeded"),
                f"Mark a refund as {word}", permission="refund.decide", tag=REFUND.tag, query=parameters.READ,
                answer=answer, description="For refunds that wait for a decision (MANUAL_CHECK).",
            )
            for word in ("failed", "succeeded")
        ),
        *comments.routes(engine, REFUND_COMMENT),
    )  # fmt: skip
