"""The operations that complete and void what was authorised."""

from __future__ import annotations

from typing import Any

from payments.bodies import read_body
from payments.engine import parameters, shapes
from payments.engine.routes import Engine, object_id, route
from payments.resources.transactions import COMPLETION_DETAILS, TRANSACTION_COMPLETION, TRANSACTION_VOID
from payments.transactions.models import Acting
from payments.transactions.public import Transactions
from payments.transactions.public.paying import TAG
from tollgate.http.message import Answer, Request
from tollgate.http.route import Endpoint, Route


class Completion:
    """Endpoints of completions and voids."""

    def __init__(self, engine: Engine, transactions: Transactions) -> None:
        self._engine = engine
        self._transactions = transactions

    def routes(self) -> tuple[Route, ...]:
        services = (self._engine.service(each) for each in (TRANSACTION_COMPLETION, TRANSACTION_VOID))
        return (
            *(made for service in services for made in self._engine.routes_of(service)),
            *(made for mode in ("online", "offline") for made in self._of(mode)),
        )

    def _of(self, mode: str) -> tuple[Route, ...]:
        path = "/payment/transactions/{id}"
        completion: dict[str, Any] = {
            "permission": "transactionCompletion.create", "tag": TAG, "query": parameters.READ,
            "answer": shapes.answer(TRANSACTION_COMPLETION),
        }  # fmt: skip
        void = {**completion, "permission": "transactionVoid.create", "answer": shapes.answer(TRANSACTION_VOID)}
        where = {
            "online": "The processor is told.",
            "offline": "Nothing is sent to the processor: the merchant says what happened.",
        }[mode]
        return (
            route(
                "POST", f"{path}/complete-{mode}", self._complete(mode), f"Complete a transaction {mode}",
                description=f"{where} A completed transaction answers its completion again.", **completion,
            ),
            route(
                "POST", f"{path}/complete-partially-{mode}", self._complete_partially(mode),
                f"Complete a part of a transaction {mode}", body=shapes.body(COMPLETION_DETAILS),
                description=f"{where} Without line items all that remain are completed.", **completion,
            ),
            route(
                "POST", f"{path}/void-{mode}", self._void(mode), f"Void a transaction {mode}", description=where, **void
            ),
        )  # fmt: skip

    def _complete(self, mode: str) -> Endpoint:
        def endpoint(request: Request) -> Answer:
            acting, number = self._beginning(request)
            tree = self._engine.expand(request, TRANSACTION_COMPLETION)
            made = self._transactions.completing.complete(acting, number, mode.upper())
            return self._engine.reply(request, made, tree)

        return endpoint

    def _complete_partially(self, mode: str) -> Endpoint:
        def endpoint(request: Request) -> Answer:
            acting, number = self._beginning(request)
            self._transactions.read(acting, number)
            tree = self._engine.expand(request, TRANSACTION_COMPLETION)
            given = read_body(COMPLETION_DETAILS, request.json())
            made = self._transactions.completing.complete(acting, number, mode.upper(), given)
            return self._engine.reply(request, made, tree)

        return endpoint

    def _void(self, mode: str) -> Endpoint:
        def endpoint(request: Request) -> Answer:
            acting, number = self._beginning(request)
            tree = self._engine.expand(request, TRANSACTION_VOID)
            return self._engine.reply(request, self._transactions.completing.void(acting, number, mode.upper()), tree)

        return endpoint

    def _beginning(self, request: Request) -> tuple[Acting, int]:
        return Acting.of(self._engine.context(request)), object_id(request)
