"""The receipts of a transaction at a terminal, for the door that serves transactions."""

from __future__ import annotations

from typing import Any, Final

from payments.engine import parameters
from payments.engine.errors import BadParameters
from payments.engine.routes import Engine, object_id, route
from payments.terminals import rules
from payments.terminals.repository import TerminalRecords
from payments.terminals.service.balancing import Balancing
from payments.transactions.public import Acting, Transactions
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, whole_number
from tollgate.http.route import Route

FORMATS: Final = ("PDF", "TXT")


def _format(text: str) -> str:
    if text.upper() not in FORMATS:
        raise ValueError(f"must be one of {', '.join(FORMATS)}")
    return text.upper()


FORMAT: Final = Parameter("format", _format, {"type": "string", "enum": list(FORMATS)}, "How to render it")
WIDTH: Final = Parameter(
    "width", whole_number(*rules.WIDTHS), {"type": "integer", "minimum": rules.WIDTHS[0], "maximum": rules.WIDTHS[1]},
    "Columns of a text, millimetres of a PDF's paper"
)  # fmt: skip
RENDERED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "data": {"type": "string", "format": "byte"},
        "mimeType": {"type": "string"},
        "printed": {"type": "boolean"},
        "receiptType": {"type": "object", "properties": {"id": {"type": "integer", "format": "int64"}}},
    },
}
_LIST: Final = {
    "title": "RenderedTerminalReceiptListResponse",
    "type": "object",
    "properties": {
        "data": {"type": "array", "items": RENDERED},
        "hasMore": {"type": "boolean"},
        "limit": {"type": "integer", "format": "int32"},
    },
}


def asked_format(request: Request) -> tuple[str, int]:
    """The format and width of a request.

    Raises:
        BadParameters: one of them is missing or none that there is.
    """
    asked = parameters.read(request.raw_query, (FORMAT, WIDTH))
    for name in ("format", "width"):
        if asked[name] is None:
            raise BadParameters.at(name, "is required")
    return asked["format"], asked["width"]


def routes(engine: Engine, transactions: Transactions) -> tuple[Route, ...]:
    """The receipts of a transaction."""
    balancing = Balancing(engine.objects, TerminalRecords(engine.objects))

    def receipts(request: Request) -> Answer:
        """What the terminal prints of a transaction; nothing of one that was not at a terminal."""
        acting = Acting.of(engine.context(request))
        transaction = transactions.read(acting, object_id(request))
        form, width = asked_format(request)
        found = balancing.receipts(acting, transaction, form, width)
        return Answer(200, {"data": found, "hasMore": False, "limit": max(len(found), 1)})

    return (
        route(
            "GET", "/payment/transactions/{id}/terminal-receipts", receipts,
            "Retrieve a transaction's terminal receipts",
            permission="transaction.read", tag="Transactions", query=(FORMAT, WIDTH), answer=_LIST,
        ),
    )  # fmt: skip
