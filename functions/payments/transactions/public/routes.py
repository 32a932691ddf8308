"""All operations of transactions, on the engine of the function that serves them. The order matters: what begins with a
word of its own stands before what `{id}` would take it for."""

from __future__ import annotations

from payments.engine.routes import Engine
from payments.resources.transactions import CHARGE_ATTEMPT
from payments.transactions.public import Transactions
from payments.transactions.public.completion import Completion
from payments.transactions.public.paying import Paying
from tollgate.http.route import Route


def routes(engine: Engine, transactions: Transactions) -> tuple[Route, ...]:
    """All operations of transactions and what comes of them."""
    return (
        *Completion(engine, transactions).routes(),
        *engine.routes_of(engine.service(CHARGE_ATTEMPT)),
        *Paying(engine, transactions).routes(),
        *engine.routes_of(transactions.drafts),
    )
