"""The operations on what comes of a payment: line item versions, invoices, delivery indications; and the export."""

from __future__ import annotations

from typing import Any, Final

from payments import comments
from payments.bodies import read_body
from payments.engine import parameters, shapes
from payments.engine.faults import Faults
from payments.engine.fields import Url
from payments.engine.routes import Engine, object_id, route
from payments.resources.transactions import (
    DELIVERY_INDICATION,
    INVOICE_REPLACEMENT,
    TRANSACTION_COMMENT,
    TRANSACTION_INVOICE,
    TRANSACTION_INVOICE_COMMENT,
)
from payments.transactions.errors import NoWay
from payments.transactions.models import OUTSTANDING, Acting
from payments.transactions.public import Transactions
from payments.transactions.public.delegating import TEXT, text_answer
from payments.transactions.public.paying import TAG
from payments.transactions.service import deliveries
from payments.transactions.service.access import Credentials, page_url
from payments.transactions.service.export import COLUMNS, DEFAULT_LINES, MOST_LINES, MOST_OFFSET, lines
from payments.transactions.service.versions import LineItemVersions
from payments.units import space_of
from tollgate.dialects.payments import accepts
from tollgate.errors import Invalid
from tollgate.http.message import Answer, Request
from tollgate.http.origin import base_url
from tollgate.http.query import Parameter, whole_number
from tollgate.http.route import Endpoint, Route

CSV: Final = "text/csv"
EXPORT: Final = (
    Parameter(
        "fields", str, {"type": "array", "items": {"type": "string", "enum": list(COLUMNS)}},
        "The columns; all without it", (), {"style": "form", "explode": False},
    ),
    Parameter(
        "limit", whole_number(1, MOST_LINES),
        {"type": "integer", "minimum": 1, "maximum": MOST_LINES, "default": DEFAULT_LINES},
        "The most lines to return", DEFAULT_LINES,
    ),
    Parameter(
        "offset", whole_number(0, 999_999_999), {"type": "integer", "minimum": 0, "maximum": MOST_OFFSET, "default": 0},
        "How many transactions to leave out at the beginning", 0,
    ),
    Parameter("order", str, {"type": "string"}, "Fields separated by spaces, each with :ASC or :DESC", ""),
    Parameter("query", str, {"type": "string"}, "The search, such as `state:FULFILL currency:EUR`", ""),
)  # fmt: skip


_LONGEST_URL: Final = 2000


def _url(text: str) -> str:
    faults = Faults()
    Url(_LONGEST_URL).read(text, "", faults)
    try:
        faults.raise_rules()
    except Invalid:
        raise ValueError("must be an absolute http or https address of 9 to 2000 characters") from None
    return text


_URL_SCHEMA: Final = {"type": "string", "format": "uri", "minLength": 9, "maxLength": _LONGEST_URL}
PAYMENT_URLS: Final = (
    Parameter("successUrl", _url, _URL_SCHEMA, "Where the buyer goes on after a payment"),
    Parameter("failureUrl", _url, _URL_SCHEMA, "Where the buyer goes on when the payment has failed"),
)


class Following:
    """Endpoints of what comes of a payment."""

    def __init__(self, engine: Engine, transactions: Transactions, credentials: Credentials, own_url: str) -> None:
        self._engine = engine
        self._transactions = transactions
        self._credentials = credentials
        self._own_url = own_url

    def export(self, request: Request) -> Answer:
        """Transactions as CSV; as a JSON text for a client that takes nothing else."""
        asked = parameters.read(request.raw_query, EXPORT, MOST_OFFSET)
        text = "".join(lines(self._transactions.drafts, self._engine.context(request), asked))
        if accepts(request, CSV):
            named = {"content-disposition": 'attachment; filename="transactions.csv"'}
            return Answer(200, text.encode("utf-8", "replace"), named, CSV)
        return Answer(200, text)

    def replaceable(self, request: Request) -> Answer:
        """Whether an invoice can be replaced."""
        context = self._engine.context(request)
        invoice = self._engine.service(TRANSACTION_INVOICE).read(context, object_id(request))
        return Answer(200, invoice.state in OUTSTANDING)

    def replace(self, request: Request) -> Answer:
        """Another invoice in this one's place."""
        context, number = self._engine.context(request), object_id(request)
        self._engine.service(TRANSACTION_INVOICE).read(context, number)
        tree = self._engine.expand(request, TRANSACTION_INVOICE)
        given = read_body(INVOICE_REPLACEMENT, request.json())
        return self._engine.reply(request, self._transactions.invoices.replace(Acting.of(context), number, given), tree)

    def pay_at_once(self, request: Request) -> Answer:
        """The page on which the buyer pays an invoice at once."""
        context, number = self._engine.context(request), object_id(request)
        asked = parameters.read(request.raw_query, PAYMENT_URLS)
        acting, transactions = Acting.of(context), self._transactions
        ways = [each for each in transactions.routing.routes(acting.scope) if each.connector.takes_cards]
        if not ways:
            raise NoWay
        further = {"successUrl": asked["successUrl"], "failedUrl": asked["failureUrl"]}
        methods = list(dict.fromkeys(each.method_configuration_id for each in ways))
        made = transactions.invoices.payment(acting, number, methods, further)
        space = space_of(made.scope)
        credentials = self._credentials.make(acting.tenant, space, made.id)
        return text_answer(request, page_url(base_url(self._own_url, request.event), space, made.id, credentials))

    def routes(self) -> tuple[Route, ...]:
        engine = self._engine
        return (
            route(
                "GET", "/payment/transactions/export", self.export, "Export transactions as CSV",
                permission="transaction.export", tag=TAG, query=EXPORT, media_type=CSV,
            ),
            *engine.routes_of(LineItemVersions(engine.objects)),
            *engine.routes_of(engine.service(TRANSACTION_INVOICE)),
            *self._invoice_routes(),
            *comments.routes(engine, TRANSACTION_INVOICE_COMMENT),
            *comments.routes(engine, TRANSACTION_COMMENT),
            *engine.routes_of(engine.service(DELIVERY_INDICATION)),
            *(self._marking(suitable=suitable) for suitable in (False, True)),
        )  # fmt: skip

    def _invoice_routes(self) -> tuple[Route, ...]:
        path, invoices = f"{TRANSACTION_INVOICE.path}/{{id}}", self._transactions.invoices
        own: dict[str, Any] = {
            "tag": TRANSACTION_INVOICE.tag, "query": parameters.READ, "answer": shapes.answer(TRANSACTION_INVOICE),
        }  # fmt: skip
        return (
            route(
                "GET", f"{path}/check-replacement-possible", self.replaceable,
                "Check whether an invoice can be replaced",
                permission="transactionInvoice.read", tag=TRANSACTION_INVOICE.tag, answer={"type": "boolean"},
            ),
            route(
                "POST", f"{path}/instant-payment-url", self.pay_at_once, "Create an instant payment URL of an invoice",
                permission="transactionInvoice.update", tag=TRANSACTION_INVOICE.tag, query=PAYMENT_URLS,
                answer={"type": "string"}, media_type=TEXT,
                description="The page of a transaction of its own; when that is paid, so is the invoice.",
            ),
            route(
                "POST", f"{path}/replace", self.replace, "Replace an invoice", permission="transactionInvoice.update",
                body=shapes.body(INVOICE_REPLACEMENT), **own,
            ),
            route(
                "POST", f"{path}/mark-paid", self._changing(invoices.mark_paid), "Mark an invoice as paid",
                permission="transactionInvoice.markPaid", **own,
            ),
            route(
                "POST", f"{path}/derecognize", self._changing(invoices.derecognize), "Derecognize an invoice",
                permission="transactionInvoice.update", **own,
            ),
        )  # fmt: skip

    def _changing(self, change: Any) -> Endpoint:
        def endpoint(request: Request) -> Answer:
            context, number = self._engine.context(request), object_id(request)
            tree = self._engine.expand(request, TRANSACTION_INVOICE)
            return self._engine.reply(request, change(Acting.of(context), number), tree)

        return endpoint

    def _marking(self, *, suitable: bool) -> Route:
        word = "suitable" if suitable else "not-suitable"

        def endpoint(request: Request) -> Answer:
            context, number = self._engine.context(request), object_id(request)
            tree = self._engine.expand(request, DELIVERY_INDICATION)
            after = deliveries.decide(self._engine.objects, Acting.of(context), number, suitable=suitable)
            return self._engine.reply(request, after, tree)

        return route(
            "POST", f"{DELIVERY_INDICATION.path}/{{id}}/mark-{word}", endpoint,
            f"Mark a delivery indication as {word.replace('-', ' ')}", permission="deliveryIndication.mark",
            tag=DELIVERY_INDICATION.tag, query=parameters.READ, answer=shapes.answer(DELIVERY_INDICATION),
        )  # fmt: skip
