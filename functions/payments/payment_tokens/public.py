"""The operations of tokens and their versions, on the engine of the function that serves them."""

from __future__ import annotations

from payments.engine import parameters, shapes
from payments.engine.routes import Engine, object_id, route
from payments.payment_tokens.service import TokenService
from payments.resources.tokens import TOKEN, TOKEN_VERSION
from payments.resources.transactions import TRANSACTION
from payments.transactions.public import Transactions
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route


def routes(engine: Engine, transactions: Transactions) -> tuple[Route, ...]:
    """All operations of tokens and token versions."""
    service = TokenService(engine.objects, transactions)

    def active_version(request: Request) -> Answer:
        """The version that payments with the token use."""
        version = service.active_version(engine.context(request), object_id(request))
        return engine.reply(request, version, engine.expand(request, TOKEN_VERSION))

    def begin_update(request: Request) -> Answer:
        """A transaction to put new payment details on file."""
        context, number = engine.context(request), object_id(request)
        service.tokens.read(context, number)
        tree = engine.expand(request, TRANSACTION)
        return engine.reply(request, service.begin_update(context, number), tree)

    path = f"{TOKEN.path}/{{id}}"
    return (
        *engine.routes_of(service.tokens),
        route(
            "GET", f"{path}/active-version", active_version, "Retrieve the active version of a token",
            permission="tokenVersion.read", tag=TOKEN.tag, query=parameters.READ, answer=shapes.answer(TOKEN_VERSION),
        ),
        route(
            "POST", f"{path}/create-transaction-for-token-update", begin_update,
            "Create a transaction that updates a token", permission="token.process", tag=TOKEN.tag,
            query=parameters.READ, answer=shapes.answer(TRANSACTION),
            description="Give it line items and a currency, and have it paid: the token gets the new payment details.",
        ),
        *engine.routes_of(engine.service(TOKEN_VERSION)),
    )  # fmt: skip
