"""The operation that has a card paid with its buyer authenticated first."""

from __future__ import annotations

from payments.bodies import read_body
from payments.engine import shapes
from payments.engine.models import Context, Entity
from payments.engine.routes import Engine, object_id, route
from payments.resources.transactions import TOKENIZED_CARD_REQUEST
from payments.transactions.models import Acting
from payments.transactions.public import Transactions
from payments.transactions.public.delegating import TEXT, text_answer
from payments.transactions.public.paying import TAG
from payments.transactions.rules import card_of, is_merchant_initiated
from payments.transactions.service.access import Credentials, page_url, way_on
from payments.transactions.service.drafts import steps_to_processing
from tollgate.http.message import Answer, Request
from tollgate.http.origin import base_url
from tollgate.http.route import Route


class AuthenticatedPaying:
    """Endpoint of card payments with 3-D Secure."""

    def __init__(self, engine: Engine, transactions: Transactions, credentials: Credentials, own_url: str) -> None:
        self._engine = engine
        self._transactions = transactions
        self._credentials = credentials
        self._own_url = own_url

    def process(self, request: Request) -> Answer:
        """The card goes from the body to the vault, the answer is where to send its owner's browser. A payment that the
        buyer takes no part in is made at once."""
        context = self._engine.context(request)
        before = self._transactions.drafts.read(context, object_id(request))
        given = read_body(TOKENIZED_CARD_REQUEST, request.json())
        steps_to_processing(before)
        acting, charging, sent = Acting.of(context), self._transactions.charging, given["cardData"]
        way = charging.way(acting, before, given.get("paymentMethodConfiguration"))
        card = charging.keep_card(acting, before, card_of(sent))
        if is_merchant_initiated(sent) or before.values.get("customersPresence") == "NOT_PRESENT":
            intent = charging.intent_of_card(before, way, card, merchant_initiated=is_merchant_initiated(sent))
            after = charging.pay_with_new_card(acting, before, intent).transaction
            return text_answer(request, way_on(after, self._page(request, context, before, "pay")))
        url = self._page(request, context, before, "authenticate")
        intent = charging.intent_of_card(before, way, card)
        with charging.discarding(acting, intent):
            self._transactions.authenticating.begin(acting, before.id, intent, url)
        return text_answer(request, url)

    def routes(self) -> tuple[Route, ...]:
        return (
            route(
                "POST", "/payment/transactions/{id}/process-card-details-threed", self.process,
                "Process a transaction with card details and 3-D Secure", permission="transaction.process", tag=TAG,
                body=shapes.body(TOKENIZED_CARD_REQUEST), answer={"type": "string"}, media_type=TEXT,
                description="Answers where the buyer's browser has to go. The transaction is PROCESSING until the "
                "buyer was there, and fails when nobody comes within half an hour.",
            ),
        )  # fmt: skip

    def _page(self, request: Request, context: Context, transaction: Entity, page: str) -> str:
        space = context.place.space_id or 0
        made = self._credentials.make(context.tenant, space, transaction.id)
        return page_url(base_url(self._own_url, request.event), space, transaction.id, made, page)
