"""The operations of debt collection, for the door that serves them, its duty, for the clock, and the way in for what
dunning came to nothing with."""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal
from typing import Any, Final

from payments.debt_collection.repository import MOST_DOCUMENTS, CollectionRepository
from payments.debt_collection.service import CaseHooks, Collection, ConfigurationHooks
from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters
from payments.engine.fields import decimal_of
from payments.engine.models import Context, Entity, Page
from payments.engine.repository import Objects
from payments.engine.routes import Engine, object_id, route
from payments.resources.debt_collection import (
    DEBT_COLLECTION_CASE,
    DEBT_COLLECTION_CASE_DOCUMENT,
    DEBT_COLLECTION_RECEIPT,
    DEBT_COLLECTOR_CONFIGURATION,
)
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter
from tollgate.http.route import Endpoint, Route

__all__ = ["DebtCollection", "routes"]

_TAG: Final = "DebtCollectionCases"
_ITEM: Final = "/debt-collection/cases/{id}"
_LONGEST_NAME: Final = 100
_MOST_CONTENT: Final = 200_000
_LONGEST_EXTERNAL_ID: Final = 100
_MOST_DIGITS: Final = 15


class DebtCollection(Collection):
    """Cases of spaces, over a function's table."""

    @classmethod
    def of(cls, objects: Objects) -> DebtCollection:
        return cls(objects, CollectionRepository(objects))


def _name(text: str) -> str:
    if not 1 <= len(text) <= _LONGEST_NAME or "/" in text or "\\" in text:
        raise ValueError(f"must be a file's name of 1 to {_LONGEST_NAME} characters, without a path")
    return text


def _content(text: str) -> str:
    try:
        decoded = base64.b64decode(text.replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    if not 1 <= len(decoded) <= _MOST_CONTENT:
        raise ValueError(f"must have 1 to {_MOST_CONTENT} bytes")
    return base64.b64encode(decoded).decode()


def _collected(text: str) -> Decimal:
    number = decimal_of(text)
    if number is None or number <= 0 or number.adjusted() >= _MOST_DIGITS:
        raise ValueError("must be an amount above zero")
    return number


def _external_id(text: str) -> str:
    if not 1 <= len(text) <= _LONGEST_EXTERNAL_ID or not text.isascii() or not text.isprintable():
        raise ValueError(f"must have 1 to {_LONGEST_EXTERNAL_ID} printable ASCII characters")
    return text


_DOCUMENT: Final = (
    Parameter("fileName", _name, {"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME}, "The file's name"),
    Parameter("content", _content, {"type": "string", "format": "byte"}, "The file, in base64"),
    parameters.EXPAND,
)
_RECEIPT: Final = (
    Parameter("collectedAmount", _collected, {"type": "number"}, "What was collected, in the currency of the case"),
    Parameter(
        "externalId", _external_id, {"type": "string", "minLength": 1, "maxLength": _LONGEST_EXTERNAL_ID},
        "The same one again is the same receipt",
    ),
    parameters.EXPAND,
)  # fmt: skip


def routes(engine: Engine) -> tuple[Route, ...]:
    """All operations, on the engine of the function that serves them."""
    collection = DebtCollection.of(engine.objects)

    def require(request: Request) -> Context:
        """Raises ObjectNotFound where there is no such case."""
        context = engine.context(request)
        engine.objects.read(DEBT_COLLECTION_CASE, context.place.scope_of(DEBT_COLLECTION_CASE), object_id(request))
        return context

    def list_documents(request: Request) -> Answer:
        context = require(request)
        asked = {**parameters.read(request.raw_query, parameters.READ), "limit": MOST_DOCUMENTS}
        tree = engine.expand(request, DEBT_COLLECTION_CASE_DOCUMENT)
        found = collection.documents(context, object_id(request))
        return engine.page(request, Page(found, has_more=False), tree, asked)

    def attach_document(request: Request) -> Answer:
        context, given = require(request), _required(request, _DOCUMENT)
        tree = engine.expand(request, DEBT_COLLECTION_CASE_DOCUMENT)
        made = collection.attach(context, object_id(request), given["fileName"], given["content"])
        return engine.reply(request, made, tree)

    def add_receipt(request: Request) -> Answer:
        context, given = require(request), _required(request, _RECEIPT)
        tree = engine.expand(request, DEBT_COLLECTION_RECEIPT)
        made = collection.add_receipt(context, object_id(request), given["collectedAmount"], given["externalId"])
        return engine.reply(request, made, tree)

    def step(act: Any) -> Endpoint:
        def endpoint(request: Request) -> Answer:
            context, tree = require(request), engine.expand(request, DEBT_COLLECTION_CASE)
            after: Entity = act(context, object_id(request))
            return engine.reply(request, after, tree)

        return endpoint

    steps = [
        route(
            "POST", f"{_ITEM}/{verb}", step(act), summary, permission="debtCollection.manage", tag=_TAG,
            query=parameters.READ, answer=shapes.answer(DEBT_COLLECTION_CASE),
        )
        for verb, act, summary in (
            ("close", collection.close, "Close a case"),
            ("mark-prepared", collection.mark_prepared, "Mark a case as prepared"),
            ("mark-reviewed", collection.mark_reviewed, "Mark a case as reviewed"),
        )
    ]  # fmt: skip
    return (
        *engine.routes_of(engine.service(DEBT_COLLECTOR_CONFIGURATION, ConfigurationHooks())),
        *engine.routes_of(engine.service(DEBT_COLLECTION_CASE, CaseHooks())),
        *steps,
        route(
            "GET", f"{_ITEM}/documents", list_documents, "List a case's documents", permission="debtCollection.read",
            tag=_TAG, query=parameters.READ, answer=shapes.listed(DEBT_COLLECTION_CASE_DOCUMENT),
        ),
        route(
            "POST", f"{_ITEM}/documents", attach_document, "Attach a document", permission="debtCollection.manage",
            tag=_TAG, query=_DOCUMENT, answer=shapes.answer(DEBT_COLLECTION_CASE_DOCUMENT),
        ),
        route(
            "POST", f"{_ITEM}/payment-receipts", add_receipt, "Add what was collected",
            permission="debtCollection.manage", tag=_TAG, query=_RECEIPT,
            answer=shapes.answer(DEBT_COLLECTION_RECEIPT),
            description="A case whose amount is covered is closed.",
        ),
    )  # fmt: skip


def _required(request: Request, wanted: tuple[Parameter, ...]) -> dict[str, Any]:
    asked = parameters.read(request.raw_query, wanted)
    for each in wanted:
        if asked[each.name] is None:
            raise BadParameters.at(each.name, "is required")
    return asked
