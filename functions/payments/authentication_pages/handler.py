"""The door of the pages that take a buyer's browser to the issuer and back: opened with what the merchant was answered,
come back to from the challenge. No credential beside the address's own token.

Pages decide nothing: what is paid follows from what the issuer told the card zone. A page may be opened again, in
another window, at the same time; the payment is made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from html import escape
from typing import Final

from payments.pages import HTML, Pages, browser_of, go_to, read_form
from payments.payers import Requestor
from payments.resources.access import SPACE
from payments.transactions.public import (
    Acting,
    Credentials,
    CredentialsInvalid,
    PayingSettings,
    Standing,
    Transactions,
    page_url,
    way_on,
)
from tollgate import config
from tollgate.auth.directory import ACTIVE
from tollgate.dialects.payments import PAYMENTS, directory_of, keyring_of
from tollgate.errors import Failure
from tollgate.http.app import App
from tollgate.http.message import Answer, Request, query_pairs
from tollgate.http.origin import base_url
from tollgate.http.route import Endpoint, Route
from tollgate.log import Journal


@dataclass(frozen=True)
class PageSettings(PayingSettings):
    """`PAYERS_FUNCTION` has payers authenticated."""

    payers_function: str


_settings = config.load(PageSettings)
_directory = directory_of(_settings)
_credentials = Credentials(keyring_of(_settings), _directory)
_transactions = Transactions.of(
    _settings.payments_table, _settings.acquiring_function, _settings.payers_function
)  # fmt: skip
_pages = Pages(_settings.is_sandbox)

WAIT_SECONDS: Final = 2
_COUNTRY: Final = "CH"
"""Of a space that has no address."""
_ANYONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Visit:
    """A buyer at the pages of one payment."""

    acting: Acting
    space_id: int
    number: int
    token: str
    base: str

    def url(self, page: str) -> str:
        return page_url(self.base, self.space_id, self.number, self.token, page)


def open_authentication(request: Request) -> Answer:
    """What is known of the browser goes to the issuer: the page sends it off by itself."""
    visit = _visit(request)
    standing = _transactions.authenticating.go_on(visit.acting, visit.number)
    if not standing.waits_to_open:
        return _further(visit, standing)
    text = "<p>Your bank is asked whether it wants to see you.</p>"
    return _pages.form("One moment", text, "Continue", by_itself=True)


def begin_authentication(request: Request) -> Answer:
    """Ask the issuer, and send the browser to its challenge or on to the payment."""
    visit = _visit(request)
    browser = browser_of(request, read_form(request))
    standing = _transactions.authenticating.ask(
        visit.acting, visit.number, _requestor(visit), browser,
        return_url=visit.url("authenticated"), base_url=visit.base,
    )  # fmt: skip
    request.notes["outcome"] = str(standing.transaction.state)
    return go_to(standing.target_url or visit.url("authenticated"))


def end_authentication(request: Request) -> Answer:
    """Go on with the payment, as the issuer has decided, and send the browser back to the merchant."""
    visit = _visit(request)
    standing = _transactions.authenticating.go_on(visit.acting, visit.number)
    request.notes["outcome"] = str(standing.transaction.state)
    if standing.waits_to_open:
        return go_to(visit.url("authenticate"))
    return _further(visit, standing)


def _further(visit: Visit, standing: Standing) -> Answer:
    """To the challenge, back to the merchant, or to wait here for who has not decided yet."""
    if standing.target_url is not None:
        return go_to(standing.target_url)
    if not standing.is_open:
        return go_to(way_on(standing.transaction, visit.url("pay")))
    text = "<p>Your payment is being processed. This page goes on by itself.</p>"
    return _pages.show("One moment", text, again_after=WAIT_SECONDS)


def _visit(request: Request) -> Visit:
    """Who is here, by the address alone.

    Raises:
        CredentialsInvalid: the token is not of this transaction, is past its time, or the space is closed.
    """
    token = next((value for name, value in query_pairs(request.raw_query) if name == "securityToken"), "")
    named, path = _credentials.read(token), request.parameters
    if (path["space"], path["id"]) != (str(named.space_id), str(named.transaction_id)):
        raise CredentialsInvalid
    space = _directory.space(named.space_id)
    if space is None or space.state != ACTIVE or not _directory.is_open(space.path):
        raise CredentialsInvalid
    acting = Acting(named.tenant, f"S{named.space_id}")
    return Visit(
        acting, named.space_id, named.transaction_id, token, base_url(_settings.base_url, request.event)
    )  # fmt: skip


def _requestor(visit: Visit) -> Requestor:
    """The space as who asks."""
    known = _directory.space(visit.space_id)
    root = known.path[0] if known else 0
    space = _transactions.objects.find(SPACE, f"A{root}", visit.space_id)
    values = space.values if space else {}
    country = (values.get("postalAddress") or {}).get("country") or _COUNTRY
    return Requestor(f"S{visit.space_id}", str(values.get("name") or f"Space {visit.space_id}"), visit.base, country)


def _readable(endpoint: Endpoint) -> Callable[[Request], Answer]:
    """An endpoint whose failures are pages for who asks for pages; all others get the family's error body."""

    @wraps(endpoint)
    def answer(request: Request) -> Answer:
        try:
            return endpoint(request)
        except Failure as failure:
            if "text/html" not in (request.header("accept") or ""):
                raise
            request.notes["failure"] = type(failure).__name__
            text = f'<p role="alert">{escape(failure.message)}.</p>'
            return _pages.show("This page cannot be shown", text, status=PAYMENTS.kind_of(failure).status)

    return answer


_PATH: Final = "/s/{space}/payment/transaction"
_PAGE: Final = HTML.partition(";")[0]
ROUTES: Final = (
    Route(
        "GET", f"{_PATH}/authenticate/{{id}}", _readable(open_authentication), "Open an authentication", _ANYONE,
        answer=str, media_type=_PAGE, failures=(404,), tag="Payment pages",
        description="For the buyer's browser, with the security token of the address.",
    ),
    Route(
        "POST", f"{_PATH}/authenticate/{{id}}", _readable(begin_authentication), "Begin an authentication", _ANYONE,
        answer=str, media_type=_PAGE, status=303, failures=(400, 404, 413, 422), tag="Payment pages",
        description="The form of the page, which the browser sends off with what it knows of itself.",
    ),
    Route(
        "GET", f"{_PATH}/authenticated/{{id}}", _readable(end_authentication), "Come back from an authentication",
        _ANYONE, answer=str, media_type=_PAGE, failures=(404,), tag="Payment pages",
        description="Goes on with the payment and sends the browser back to the merchant.",
    ),
)  # fmt: skip

handler = App(PAYMENTS, ROUTES, journal=Journal("authentication-pages", _settings.log_level))
