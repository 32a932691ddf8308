"""The operations that have a transaction confirmed and paid."""

from __future__ import annotations

from typing import Any

from payments.bodies import read_body
from payments.engine import parameters, shapes
from payments.engine.models import Entity
from payments.engine.routes import Engine, object_id, route
from payments.resources.transactions import AUTHENTICATED_CARD_REQUEST, CHARGE, TRANSACTION, TRANSACTION_PENDING
from payments.transactions.models import Acting
from payments.transactions.public import Transactions
from payments.transactions.rules import authentication_of, card_of, is_merchant_initiated
from payments.transactions.service.drafts import steps_to_processing
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route

TAG = "Transactions"


class Paying:
    """Endpoints around a payment."""

    def __init__(self, engine: Engine, transactions: Transactions) -> None:
        self._engine = engine
        self._transactions = transactions

    def confirm(self, request: Request) -> Answer:
        """The cart is final, with the changes that the body gives."""
        context, before = self._beginning(request)
        tree = self._engine.expand(request, TRANSACTION)
        after = self._transactions.confirming.update(context, before, request.json())
        return self._engine.reply(request, after, tree)

    def process_card(self, request: Request) -> Answer:
        """The card goes from the body to the vault; here its token and its masked number remain."""
        context, before = self._beginning(request)
        tree = self._engine.expand(request, TRANSACTION)
        given = read_body(AUTHENTICATED_CARD_REQUEST, request.json())
        steps_to_processing(before)
        acting, charging, sent = Acting.of(context), self._transactions.charging, given["cardData"]
        way = charging.way(acting, before, given.get("paymentMethodConfiguration"))
        intent = charging.intent_of_card(
            before, way, charging.keep_card(acting, before, card_of(sent)), authentication=authentication_of(sent),
            merchant_initiated=is_merchant_initiated(sent),
        )  # fmt: skip
        return self._engine.reply(request, charging.pay_with_new_card(acting, before, intent).transaction, tree)

    def process_token(self, request: Request) -> Answer:
        """The transaction's token is charged; the answer is the charge."""
        context, before = self._beginning(request)
        tree = self._engine.expand(request, CHARGE)
        steps_to_processing(before)
        paid = self._transactions.charge_with_token(Acting.of(context), before.id)
        return self._engine.reply(request, paid.charge, tree)

    def process_alone(self, request: Request) -> Answer:
        """What can be paid without the buyer is paid so."""
        context, before = self._beginning(request)
        tree = self._engine.expand(request, TRANSACTION)
        steps_to_processing(before)
        acting, charging = Acting.of(context), self._transactions.charging
        paid = charging.pay(acting, before.id, charging.intent_without_buyer(acting, before))
        return self._engine.reply(request, paid.transaction, tree)

    def routes(self) -> tuple[Route, ...]:
        own: dict[str, Any] = {"query": parameters.READ, "answer": shapes.answer(TRANSACTION), "tag": TAG}
        path = "/payment/transactions/{id}"
        return (
            route(
                "POST", f"{path}/confirm", self.confirm, "Confirm a transaction", permission="transaction.update",
                body=shapes.body(TRANSACTION_PENDING), **own,
            ),
            route(
                "POST", f"{path}/process-card-details", self.process_card, "Process a transaction with card details",
                permission="transaction.process", body=shapes.body(AUTHENTICATED_CARD_REQUEST), **own,
            ),
            route(
                "POST", f"{path}/process-with-token", self.process_token, "Process a transaction with its token",
                permission="transaction.process", **{**own, "answer": shapes.answer(CHARGE)},
            ),
            route(
                "POST", f"{path}/process-without-interaction", self.process_alone,
                "Process a transaction without the buyer", permission="transaction.process", **own,
            ),
        )  # fmt: skip

    def _beginning(self, request: Request) -> tuple[Any, Entity]:
        context = self._engine.context(request)
        return context, self._transactions.drafts.read(context, object_id(request))
