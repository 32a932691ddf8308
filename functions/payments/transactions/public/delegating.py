"""What may be asked of one transaction: its ways, its credentials, and what who holds those may do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters, StateInvalid
from payments.engine.expansion import Tree
from payments.engine.models import Context, Entity, Page
from payments.engine.routes import Engine, object_id, route
from payments.resources.configurations import PAYMENT_METHOD_CONFIGURATION
from payments.resources.tokens import TOKEN_VERSION
from payments.resources.transactions import TRANSACTION, TRANSACTION_LINE_ITEM_VERSION
from payments.transactions.errors import CredentialsInvalid
from payments.transactions.models import Acting
from payments.transactions.public import Transactions
from payments.transactions.public.paying import TAG
from payments.transactions.service import oneclick
from payments.transactions.service.access import Credentials, page_url, way_on
from payments.transactions.service.drafts import steps_to_processing
from tollgate.dialects.payments import accepts
from tollgate.http.message import Answer, Request
from tollgate.http.origin import base_url
from tollgate.http.query import Parameter
from tollgate.http.route import Route

TEXT: Final = "text/plain"
_MODES: Final = (
    "PAYMENT_PAGE", "IFRAME", "LIGHTBOX", "MOBILE_WEB_VIEW", "MOBILE_SDK", "TERMINAL", "PAYMENT_LINK", "CHARGE_FLOW",
    "DIRECT_CARD_PROCESSING",
)  # fmt: skip


def _mode(text: str) -> str:
    if text.upper() not in _MODES:
        raise ValueError(f"must be one of {', '.join(_MODES)}")
    return text.upper()


MODE: Final = Parameter(
    "integrationMode", _mode, {"type": "string", "enum": list(_MODES)}, "How the buyer is going to pay"
)
_BOOLEAN: Final = {"type": "boolean"}
_STRING: Final = {"type": "string"}


def text_answer(request: Request, text: str) -> Answer:
    """A bare text, or as JSON for a client that takes nothing else."""
    if accepts(request, TEXT):
        return Answer(200, text.encode(), content_type=TEXT)
    return Answer(200, text)


class Delegating:
    """Endpoints around one transaction."""

    def __init__(self, engine: Engine, transactions: Transactions, credentials: Credentials, own_url: str) -> None:
        self._engine = engine
        self._transactions = transactions
        self._credentials = credentials
        self._own_url = own_url

    # ------------------------------------------------------------------ by its number

    def credentials(self, request: Request) -> Answer:
        """Leave to act on this one transaction, for a day."""
        context, transaction = self._by_number(request)
        return text_answer(request, self._credentials.make(context.tenant, self._space(context), transaction.id))

    def methods(self, request: Request) -> Answer:
        """The methods that the transaction can be paid with."""
        return self._methods(request, *self._by_number(request))

    def may_make_token(self, request: Request) -> Answer:
        """Whether the card of the payment could be put on file."""
        _, transaction = self._by_number(request)
        return Answer(
            200, transaction.attributes.get("card") is not None and transaction.state not in ("PROCESSING", "FAILED")
        )

    def latest_lines(self, request: Request) -> Answer:
        """The line item version in force."""
        context, transaction = self._by_number(request)
        number = transaction.attributes.get("line_item_version")
        tree = self._engine.expand(request, TRANSACTION_LINE_ITEM_VERSION)
        if number is None:
            raise StateInvalid(message="The transaction has no line items yet")
        version = self._transactions.objects.read(TRANSACTION_LINE_ITEM_VERSION, Acting.of(context).scope, number)
        return self._engine.reply(request, version, tree)

    # ------------------------------------------------------------------ by its credentials

    def read(self, request: Request) -> Answer:
        """The transaction that the credentials are for."""
        _, transaction = self._by_credentials(request)
        return self._engine.reply(request, transaction, self._engine.expand(request, TRANSACTION))

    def methods_by_credentials(self, request: Request) -> Answer:
        """The methods that the transaction can be paid with."""
        return self._methods(request, *self._by_credentials(request))

    def one_click_tokens(self, request: Request) -> Answer:
        """What the buyer has on file, for a click."""
        context, transaction = self._by_credentials(request)
        tree = self._engine.expand(request, TOKEN_VERSION)
        found = oneclick.versions(self._transactions.objects, Acting.of(context), transaction)
        return self._listed(request, found, tree)

    def forget_one_click_token(self, request: Request) -> Answer:
        """Take something off file."""
        context, transaction = self._by_credentials(request)
        oneclick.remove(self._transactions.objects, Acting.of(context), transaction, object_id(request))
        return Answer(204)

    def pay_with_one_click_token(self, request: Request) -> Answer:
        """Pay with something on file; the answer is where to send the buyer."""
        context, transaction = self._by_credentials(request)
        acting = Acting.of(context)
        steps_to_processing(transaction)
        version = oneclick.version(self._transactions.objects, acting, transaction, object_id(request))
        charging = self._transactions.charging
        intent = charging.intent_of_token(acting, transaction, version.link("token"))
        present = replace(intent, charge_type="SYNCHRONOUS", merchant_initiated=False)
        after = charging.pay(acting, transaction.id, present).transaction
        return text_answer(request, self._way_on(request, context, after))

    # ------------------------------------------------------------------ parts

    def _by_number(self, request: Request) -> tuple[Context, Entity]:
        context = self._engine.context(request)
        return context, self._transactions.drafts.read(context, object_id(request))

    def _by_credentials(self, request: Request) -> tuple[Context, Entity]:
        """The transaction that the credentials name, if they are good and of the space of the request."""
        context = self._engine.context(request)
        named = self._credentials.read(request.parameters.get("credentials", ""))
        if named.space_id != context.place.space_id:
            raise CredentialsInvalid
        return context, self._transactions.drafts.read(context, named.transaction_id)

    def _methods(self, request: Request, context: Context, transaction: Entity) -> Answer:
        asked = parameters.read(request.raw_query, (MODE, parameters.EXPAND))
        if asked["integrationMode"] is None:
            raise BadParameters.at("integrationMode", "is required")
        tree = self._engine.expand(request, PAYMENT_METHOD_CONFIGURATION)
        acting, objects = Acting.of(context), self._transactions.objects
        only_cards = asked["integrationMode"] == "DIRECT_CARD_PROCESSING"
        ways = self._transactions.charging.ways(acting, transaction)
        numbers = list(
            dict.fromkeys(each.method_configuration_id for each in ways if each.connector.takes_cards or not only_cards)
        )
        found = objects.find_many((PAYMENT_METHOD_CONFIGURATION, acting.scope, number) for number in numbers)
        return self._listed(request, [found[PAYMENT_METHOD_CONFIGURATION.kind, number] for number in numbers], tree)

    def _listed(self, request: Request, found: list[Entity], tree: Tree) -> Answer:
        return self._engine.page(request, Page(found, has_more=False), tree, {"limit": max(len(found), 1)})

    def _way_on(self, request: Request, context: Context, transaction: Entity) -> str:
        """Where the buyer goes after a payment: to the merchant's addresses, or to the page that tells how it went."""
        space = self._space(context)
        made = self._credentials.make(context.tenant, space, transaction.id)
        return way_on(transaction, page_url(base_url(self._own_url, request.event), space, transaction.id, made))

    def _space(self, context: Context) -> int:
        if context.place.space_id is None:
            raise RuntimeError("the operation has no space")
        return context.place.space_id

    def routes(self) -> tuple[Route, ...]:
        """The routes; those by credentials first."""
        delegated, one = "/payment/transactions/by-credentials/{credentials}", "/payment/transactions/{id}"
        methods: dict[str, Any] = {
            "permission": "transaction.read", "tag": TAG, "query": (MODE, parameters.EXPAND),
            "answer": shapes.listed(PAYMENT_METHOD_CONFIGURATION),
        }  # fmt: skip
        read: dict[str, Any] = {"permission": "transaction.read", "tag": TAG, "query": parameters.READ}
        return (
            route(
                "GET", delegated, self.read, "Retrieve the transaction of credentials", **read,
                answer=shapes.answer(TRANSACTION),
            ),
            route(
                "GET", f"{delegated}/payment-method-configurations", self.methods_by_credentials,
                "List the payment methods for the transaction of credentials", **methods,
            ),
            route(
                "GET", f"{delegated}/one-click-tokens", self.one_click_tokens, "List one-click tokens", **read,
                answer=shapes.listed(TOKEN_VERSION),
            ),
            route(
                "DELETE", f"{delegated}/one-click-tokens/{{id}}", self.forget_one_click_token,
                "Delete a one-click token", permission="transaction.update", tag=TAG, status=204,
            ),
            route(
                "POST", f"{delegated}/one-click-tokens/{{id}}/process", self.pay_with_one_click_token,
                "Process a transaction with a one-click token", permission="transaction.process", tag=TAG,
                answer=_STRING, media_type=TEXT, description="Answers where the buyer goes on.",
            ),
            route(
                "GET", f"{one}/credentials", self.credentials, "Create credentials for a transaction",
                permission="transaction.delegate", tag=TAG, answer=_STRING, media_type=TEXT,
                description="Good for a day and for this transaction alone.",
            ),
            route(
                "GET", f"{one}/payment-method-configurations", self.methods,
                "List the payment methods for a transaction", **methods,
            ),
            route(
                "GET", f"{one}/check-token-creation-possible", self.may_make_token,
                "Check whether a token can be created from a transaction", permission="transaction.read", tag=TAG,
                answer=_BOOLEAN,
            ),
            route(
                "GET", f"{one}/latest-line-item-version", self.latest_lines,
                "Retrieve the latest line item version of a transaction", **read,
                answer=shapes.answer(TRANSACTION_LINE_ITEM_VERSION),
            ),
        )  # fmt: skip
