"""The door of the hosted payment page: what a buyer's browser asks for. No credential beside the address's own token.

A payment is a form that is sent here; the answer sends the browser back to the page, which says how it stands or goes
on to where the merchant wants. Failures are pages for who asks for pages, and the family's error body for all others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from payments.back_office.public import note_platform
from payments.card_entry import CardEntry
from payments.engine.models import Entity
from payments.links.public import ADDRESSES, ASKED, LinkNotFound
from payments.payment_page import rules
from payments.payment_page.errors import PageNotFound
from payments.payment_page.models import CardSession
from payments.payment_page.service import PaymentPage
from payments.transactions.public import Acting, Credentials, PayingSettings, Transactions, page_url
from tollgate import aws, config
from tollgate.dialects.payments import PAYMENTS, directory_of, keyring_of
from tollgate.errors import Failure, Invalid, Malformed, NotFound, UnsupportedMedia
from tollgate.http.app import App
from tollgate.http.message import Answer, Request, query_pairs
from tollgate.http.origin import base_url
from tollgate.http.query import Parameter
from tollgate.http.route import Endpoint, Route
from tollgate.log import Journal


@dataclass(frozen=True)
class PageSettings(PayingSettings):
    """`CARD_ENTRY_FUNCTION` is the card zone's door that cards come in by."""

    card_entry_function: str


_settings = config.load(PageSettings)
_directory, _keyring = directory_of(_settings), keyring_of(_settings)
_transactions = Transactions.of(_settings.payments_table, _settings.acquiring_function)
_page = PaymentPage(
    _transactions,
    Credentials(_keyring, _directory),
    _directory,
    _keyring,
    CardEntry(aws.lambda_(), _settings.card_entry_function),
)

_FILES: Final = Path(__file__).parent / "files"
_STYLE: Final = (_FILES / "payment-page.css").read_text("utf-8")
_SCRIPT: Final = (_FILES / "payment-page.js").read_bytes()
_CHECKOUT: Final = (_FILES / "checkout.js").read_text("utf-8")
_PLACE: Final = "/* page */"
_ANYONE: Final[frozenset[str]] = frozenset()
_HTML: Final = "text/html; charset=utf-8"
_JAVASCRIPT: Final = "text/javascript; charset=utf-8"
_FORM: Final = "application/x-www-form-urlencoded"
_EMBEDDED: Final = ("form", "page")
_INTEGRATIONS: Final = {"page": "IFRAME", "form": "LIGHTBOX"}
_SYSTEM: Final = re.compile(r"\(([^()]{1,100})\)")
"""The first remark of a user agent, which names the system (RFC 9110, 10.1.5)."""
_PATH: Final = "/s/{space}/payment/transaction"
_HIDDEN: Final = {
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
}


def show(request: Request) -> Answer:
    """What there is to pay and how, or how it went."""
    asked = dict(query_pairs(request.raw_query))
    acting, transaction = _open(request, asked.get("securityToken", ""))
    embedded = asked["embedded"] if asked.get("embedded") in _EMBEDDED else None
    checkout = _page.show(acting, transaction, only=_number(asked.get("method")))
    if checkout.next_url and checkout.stage != "choose" and embedded is None:
        return Answer(303, headers={**_HIDDEN, "location": checkout.next_url})
    page = rules.document(checkout, asked["securityToken"], _STYLE, embedded)
    return Answer(200, page.encode(), _headers(embedded is not None), _HTML)


def pay(request: Request) -> Answer:
    """The form of a method; what came of it is the page's to say."""
    form = _form(request)
    security_token = form.get("securityToken", "")
    acting, transaction = _open(request, security_token)
    _note_platform(request, acting, transaction, form)
    try:
        _pay(request, acting, transaction, form)
    except (Invalid, NotFound) as refused:  # it was paid meanwhile, the card is gone, the method was switched off
        request.notes["failure"] = type(refused).__name__
    way_back = {name: form[name] for name in ("embedded",) if form.get(name) in _EMBEDDED}
    if way_back and form.get("only"):
        way_back["method"] = form["only"]
    query = urlencode({"securityToken": security_token, **way_back})
    return Answer(303, headers={**_HIDDEN, "location": f"{request.path}?{query}"})


def open_session(request: Request) -> Answer:
    """A session for one card, for the page's script."""
    acting, transaction = _open(request, _form(request).get("securityToken", ""))
    made = _page.open_session(acting, transaction)
    return Answer(200, {"session_id": made.session_id, "proof": made.proof}, _HIDDEN)


def show_link(request: Request) -> Answer:
    """What a payment link is for. Nothing is made yet, so that whoever only looks uses nothing up."""
    page, _ = _page.open_link(_space(request), _link(request), dict(query_pairs(request.raw_query)), None)
    return Answer(200, rules.opening(page, _STYLE).encode(), _headers(is_framed=False), _HTML)


def open_link(request: Request) -> Answer:
    """A new transaction, and on to its payment page."""
    asked = dict(query_pairs(request.raw_query))
    form = _form(request) if request.raw_body() else {}
    page, url = _page.open_link(_space(request), _link(request), asked, form)
    if url is None:
        return Answer(422, rules.opening(page, _STYLE).encode(), _headers(is_framed=False), _HTML)
    return Answer(303, headers={**_HIDDEN, "location": url})


def read_checkout(request: Request) -> Answer:
    """The script with which a merchant's page frames the payment page."""
    security_token = dict(query_pairs(request.raw_query)).get("securityToken", "")
    _, transaction = _open(request, security_token)
    url = page_url(base_url(_settings.base_url, request.event), _space(request), transaction.id, security_token)
    content = _CHECKOUT.replace(_PLACE, url)
    return Answer(200, content.encode(), {"cross-origin-resource-policy": "cross-origin"}, _JAVASCRIPT)


def read_script(request: Request) -> Answer:
    """The page's own script."""
    return Answer(200, _SCRIPT, {"cache-control": "public, max-age=300"}, _JAVASCRIPT)


# ------------------------------------------------------------------ parts


def _pay(request: Request, acting: Acting, transaction: Entity, form: dict[str, str]) -> None:
    method = _number(form.get("method"))
    if method is None:
        raise Malformed("The form names no method")
    if form.get("session_id"):
        session = CardSession(form["session_id"], form.get("proof", ""))
        base, security_token = base_url(_settings.base_url, request.event), form.get("securityToken", "")
        step_up_url = page_url(base, _space(request), transaction.id, security_token, "authenticate")
        _page.pay_by_card(acting, transaction, method, session, step_up_url)
    else:
        _page.pay_otherwise(acting, transaction, method)


def _note_platform(request: Request, acting: Acting, transaction: Entity, form: dict[str, str]) -> None:
    """What the buyer pays on, as far as the browser says so."""
    system = _SYSTEM.search(request.header("user-agent") or "")
    given = {
        "integrationType": _INTEGRATIONS.get(form.get("embedded", ""), "PAYMENT_PAGE"),
        "osVersion": system[1] if system else "",
        "platformType": "WEB",
    }
    note_platform(_transactions.objects, acting.tenant, acting.scope, transaction.id, given)


def _open(request: Request, security_token: str) -> tuple[Acting, Entity]:
    transaction_id = _number(request.parameters["id"])
    if transaction_id is None:
        raise PageNotFound
    acting, transaction = _page.open(_space(request), transaction_id, security_token)
    request.notes["account_id"] = acting.tenant
    return acting, transaction


def _space(request: Request) -> int:
    number = _number(request.parameters["space"])
    if number is None:
        raise PageNotFound
    return number


def _link(request: Request) -> int:
    number = _number(request.parameters["id"])
    if number is None:
        raise LinkNotFound
    return number


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 16 else None


def _form(request: Request) -> dict[str, str]:
    if (request.header("content-type") or "").partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedMedia(f"The content type must be {_FORM}")
    try:
        return dict(parse_qsl(request.raw_body().decode("ascii"), keep_blank_values=True, max_num_fields=20))
    except (UnicodeError, ValueError):
        raise Malformed("The form could not be read") from None


def _headers(is_framed: bool) -> dict[str, str]:
    """Pages of any origin may frame the page only in the form that is made for it; a form may lead on to anywhere,
    since the merchant's own address follows the payment."""
    plain = " http:" if _settings.is_sandbox else ""
    framed_by = f"https:{plain}" if is_framed else "'none'"
    policy = [
        "default-src 'none'",
        f"style-src {rules.digest(_STYLE.encode())}",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        f"form-action 'self' https:{plain}",
        "base-uri 'none'",
        f"frame-ancestors {framed_by}",
    ]
    return {**_HIDDEN, "content-security-policy": "; ".join(policy)}


def _readable(endpoint: Endpoint) -> Endpoint:
    @wraps(endpoint)
    def answer(request: Request) -> Answer:
        try:
            return endpoint(request)
        except Failure as failure:
            if "text/html" not in (request.header("accept") or ""):
                raise
            request.notes["failure"] = type(failure).__name__
            page = rules.failure(failure.message, _STYLE)
            return Answer(PAYMENTS.kind_of(failure).status, page.encode(), _headers(is_framed=True), _HTML)

    return answer


_TAG: Final = "PaymentPage"
_TEXT: Final = {"type": "string"}
_TOKEN: Final = Parameter("securityToken", str, _TEXT, "As the address has it; good for a day")
_ON_PAGE: Final = (
    _TOKEN,
    Parameter("method", str, {"type": "integer", "format": "int64"}, "Show this method configuration alone"),
    Parameter(
        "embedded", str, {"type": "string", "enum": list(_EMBEDDED)}, "For a frame: where the button is that pays"
    ),
)
_ON_LINK: Final = tuple(
    Parameter(name, str, _TEXT, what)
    for name, what in (
        ("accessKey", "The link's key, where it has one"),
        ("currency", "Where the link has none"),
        ("amount", "Where the link has no line items"),
        ("successUrl", "Within the link's domains"),
        ("failedUrl", "Within the link's domains"),
        ("language", "Of the page and the transaction"),
        ("merchantReference", "Of the transaction"),
        ("customerId", "Of the transaction"),
        ("customerEmailAddress", "Of the transaction"),
    )
)


def _form_of(title: str, *names: str) -> dict[str, Any]:
    return {"title": title, "type": "object", "properties": dict.fromkeys(names, _TEXT)}


ROUTES = (
    Route(
        "GET", f"{_PATH}/pay/{{id}}", _readable(show), "The payment page of a transaction", _ANYONE, answer=str,
        media_type="text/html", failures=(404,), tag=_TAG, operation="show_payment_page", query=_ON_PAGE,
        description="For the buyer's browser; `payment-page-url` of the transaction gives the address.",
    ),
    Route(
        "POST", f"{_PATH}/pay/{{id}}", _readable(pay), "Pay on the payment page", _ANYONE, status=303,
        failures=(400, 403, 404, 415), tag=_TAG, operation="pay_on_payment_page", body_media_type=_FORM,
        body=_form_of("PaymentForm", "securityToken", "method", "embedded", "only", "session_id", "proof"),
        description="The page's own form. The answer leads back to the page.",
    ),
    Route(
        "POST", f"{_PATH}/session/{{id}}", open_session, "Open a card session for the payment page", _ANYONE,
        failures=(400, 404, 415, 422), tag=_TAG, operation="open_payment_page_session", body_media_type=_FORM,
        body=_form_of("CardSessionForm", "securityToken"), answer=_form_of("CardSession", "session_id", "proof"),
    ),
    Route(
        "GET", f"{_PATH}/checkout/{{id}}", read_checkout, "The script that frames the payment page", _ANYONE,
        answer=str, media_type="text/javascript", failures=(404,), tag=_TAG, operation="read_checkout_script",
        query=(_TOKEN,),
    ),
    Route(
        "GET", "/s/{space}/payment/link/{id}", _readable(show_link), "The page of a payment link", _ANYONE, answer=str,
        media_type="text/html", failures=(404, 409), tag=_TAG, operation="show_payment_link", query=_ON_LINK,
        description="`url` of a payment link gives the address.",
    ),
    Route(
        "POST", "/s/{space}/payment/link/{id}", _readable(open_link), "Begin a payment by a link", _ANYONE, status=303,
        failures=(400, 404, 409, 415, 422), tag=_TAG, operation="open_payment_link", body_media_type=_FORM,
        body=_form_of("LinkForm", *(f"{name}.{each}" for name in ADDRESSES for each in ASKED)), body_required=False,
        query=_ON_LINK,
        description="The page's own form. Makes a transaction and leads to its payment page.",
    ),
    Route(
        "GET", "/s/assets/payment-page.js", read_script, "The payment page's own script", _ANYONE, answer=str,
        media_type="text/javascript", tag=_TAG, operation="read_payment_page_script",
    ),
)  # fmt: skip

handler = App(PAYMENTS, ROUTES, journal=Journal("payment-page", _settings.log_level))
