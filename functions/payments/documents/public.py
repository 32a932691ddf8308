"""The operations that hand out documents, for the door that serves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from payments.documents.models import Rendered
from payments.documents.service import Documents
from payments.engine import shapes
from payments.engine.fields import Field, Long, Shape, Text
from payments.engine.models import Context
from payments.engine.routes import Engine, object_id, route
from tollgate.http.message import Answer, Request
from tollgate.http.route import Endpoint, Route

_RENDERED: Final = Shape(
    "RenderedDocument",
    (
        Field("data", Text(), description="The document, in base64"),
        Field("documentTemplateType", Long(1)),
        Field("mimeType", Text()),
        Field("title", Text()),
    ),
)


def routes(engine: Engine) -> tuple[Route, ...]:
    """All of them. They stand before what `{id}` would take their last word for."""
    documents = Documents(engine.objects)

    def handed_out(render: Callable[[Context, int], Rendered]) -> Endpoint:
        def endpoint(request: Request) -> Answer:
            return Answer(200, render(engine.context(request), object_id(request)).shown())

        return endpoint

    return tuple(
        route(
            "GET", path, handed_out(render), summary, permission=permission, tag=tag, answer=shapes.shaped(_RENDERED)
        )
        for path, render, summary, permission, tag in (
            (
                "/payment/transactions/{id}/invoice-document", documents.invoice_of, "A transaction's invoice as PDF",
                "transaction.read", "Transactions",
            ),
            (
                "/payment/transactions/{id}/packing-slip-document", documents.packing_slip,
                "A transaction's packing slip as PDF", "transaction.read", "Transactions",
            ),
            (
                "/payment/transactions/invoices/{id}/document", documents.invoice, "An invoice as PDF",
                "transactionInvoice.read", "TransactionInvoices",
            ),
            ("/payment/refunds/{id}/document", documents.credit_note, "A refund as PDF", "refund.read", "Refunds"),
        )
    )  # fmt: skip
