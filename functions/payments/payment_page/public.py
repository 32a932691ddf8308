"""The operations that tell where a transaction's page is, for the door that serves transactions."""

from __future__ import annotations

from typing import Any, Final

from payments.engine.routes import Engine, object_id, route
from payments.transactions.public import Acting, Credentials, CredentialsInvalid, PayingSettings, Transactions, page_url
from tollgate.dialects.payments import accepts, directory_of, keyring_of
from tollgate.http.message import Answer, Request
from tollgate.http.origin import base_url
from tollgate.http.route import Endpoint, Route

TEXT: Final = "text/plain"
_STRING: Final = {"type": "string"}
_TAG: Final = "Transactions"
_PAGE: Final = "pay"
_SCRIPT: Final = "checkout"


class _Addresses:
    """Endpoints that answer an address for a buyer's browser, good for as long as credentials are."""

    def __init__(self, engine: Engine, transactions: Transactions, credentials: Credentials, own_url: str) -> None:
        self._engine = engine
        self._transactions = transactions
        self._credentials = credentials
        self._own_url = own_url

    def of(self, page: str) -> Endpoint:
        """The address of a transaction's page or script."""

        def endpoint(request: Request) -> Answer:
            context = self._engine.context(request)
            transaction = self._transactions.read(Acting.of(context), object_id(request))
            space = int(Acting.of(context).scope[1:])
            credentials = self._credentials.make(context.tenant, space, transaction.id)
            return _text(
                request, page_url(base_url(self._own_url, request.event), space, transaction.id, credentials, page)
            )

        return endpoint

    def delegated(self, request: Request) -> Answer:
        """The page's address for who holds credentials."""
        context = self._engine.context(request)
        text = request.parameters.get("credentials", "")
        named = self._credentials.read(text)
        if named.space_id != context.place.space_id:
            raise CredentialsInvalid
        self._transactions.read(Acting.of(context), named.transaction_id)
        url = page_url(base_url(self._own_url, request.event), named.space_id, named.transaction_id, text)
        return _text(request, url)


def routes(engine: Engine, transactions: Transactions, settings: PayingSettings) -> tuple[Route, ...]:
    """The addresses of a transaction's page, and of the scripts that frame it."""
    credentials = Credentials(keyring_of(settings), directory_of(settings))
    addresses = _Addresses(engine, transactions, credentials, settings.base_url)
    one = "/payment/transactions/{id}"
    own: dict[str, Any] = {
        "permission": "transaction.read", "tag": _TAG, "answer": _STRING, "media_type": TEXT,
    }  # fmt: skip
    return (
        route(
            "GET", "/payment/transactions/by-credentials/{credentials}/mobile-sdk-url", addresses.delegated,
            "Retrieve the payment page's address for a mobile app", **own,
        ),
        route(
            "GET", f"{one}/payment-page-url", addresses.of(_PAGE), "Retrieve the address of the payment page", **own,
            description="Where to send the buyer; good for a day.",
        ),
        route(
            "GET", f"{one}/iframe-javascript-url", addresses.of(_SCRIPT),
            "Retrieve the address of the script that frames the payment page", **own,
            description="The script defines `IframeCheckoutHandler`.",
        ),
        route(
            "GET", f"{one}/lightbox-javascript-url", addresses.of(_SCRIPT),
            "Retrieve the address of the script that shows the payment page in a box", **own,
            description="The script defines `LightboxCheckoutHandler`.",
        ),
    )  # fmt: skip


def _text(request: Request, text: str) -> Answer:
    if accepts(request, TEXT):
        return Answer(200, text.encode(), content_type=TEXT)
    return Answer(200, text)
