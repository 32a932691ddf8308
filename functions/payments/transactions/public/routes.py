"""All operations of transactions, on the engine of the function that serves them. The order matters: what begins with a
word of its own stands before what `{id}` would take it for."""

from __future__ import annotations

from payments.engine.routes import Engine
from payments.resources.transactions import CHARGE_ATTEMPT
from payments.transactions.public import PayingSettings, Transactions
from payments.transactions.public.authenticated import AuthenticatedPaying
from payments.transactions.public.completion import Completion
from payments.transactions.public.delegating import Delegating
from payments.transactions.public.following import Following
from payments.transactions.public.paying import Paying
from payments.transactions.service.access import Credentials
from tollgate.dialects.payments import directory_of, keyring_of
from tollgate.http.route import Route


def routes(engine: Engine, transactions: Transactions, settings: PayingSettings) -> tuple[Route, ...]:
    """All operations of transactions and what comes of them."""
    credentials = Credentials(keyring_of(settings), directory_of(settings))
    return (
        *Completion(engine, transactions).routes(),
        *Following(engine, transactions, credentials, settings.base_url).routes(),
        *engine.routes_of(engine.service(CHARGE_ATTEMPT)),
        *Delegating(engine, transactions, credentials, settings.base_url).routes(),
        *Paying(engine, transactions).routes(),
        *AuthenticatedPaying(engine, transactions, credentials, settings.base_url).routes(),
        *engine.routes_of(transactions.drafts),
    )
