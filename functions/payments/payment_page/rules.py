"""The page as HTML: one plain style, everything escaped, works on a phone and with a screen reader. Pure.

Methods are `details` elements of one name, so that one is open at a time without any script; the script is needed for
the card form alone, which encrypts.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from payments.payment_page.models import Checkout, LinkPage, Method

_TEXTS: Final = {
    "en": {
        "title": "Payment", "total": "Total", "pay": "Pay {amount}", "paid": "Your payment was successful.",
        "failed": "The payment was not made.", "wait": "Your payment is being processed. This page goes on by itself.",
        "continue": "Continue", "none": "There is no way to pay this at the moment.",
        "problem": "The card form could not be loaded. Try again.",
        "noscript": "To pay by card, allow scripts on this page.", "again": "The payment did not work:",
        "billingAddress": "Billing address", "shippingAddress": "Shipping address", "givenName": "Given name",
        "familyName": "Family name", "street": "Street", "postcode": "Postcode", "city": "City",
        "country": "Country (two letters)", "emailAddress": "E-mail address (optional)",
        "check": "Check what you have typed:",
    },
    "de": {
        "title": "Zahlung", "total": "Total", "pay": "{amount} bezahlen", "paid": "Ihre Zahlung war erfolgreich.",
        "failed": "Die Zahlung ist nicht erfolgt.",
        "wait": "Ihre Zahlung wird verarbeitet. Diese Seite geht von selbst weiter.", "continue": "Weiter",
        "none": "Zurzeit gibt es keine Möglichkeit, dies zu bezahlen.",
        "problem": "Das Kartenformular konnte nicht geladen werden. Versuchen Sie es noch einmal.",
        "noscript": "Um mit Karte zu bezahlen, erlauben Sie Skripte auf dieser Seite.",
        "again": "Die Zahlung hat nicht geklappt:", "billingAddress": "Rechnungsadresse",
        "shippingAddress": "Lieferadresse", "givenName": "Vorname", "familyName": "Nachname",
        "street": "Strasse", "postcode": "Postleitzahl", "city": "Ort", "country": "Land (zwei Buchstaben)",
        "emailAddress": "E-Mail-Adresse (freiwillig)", "check": "Prüfen Sie Ihre Angaben:",
    },
}  # fmt: skip


def document(checkout: Checkout, security_token: str, style: str, embedded: str | None) -> str:
    """The whole page. `embedded` is None, `form` (the card form has its button) or `page` (the framing page has)."""
    language = checkout.language[:2] if checkout.language[:2] in _TEXTS else "en"
    texts = _TEXTS[language]
    attributes = {
        "data-stage": checkout.stage,
        "data-locale": language,
        "data-submit": "page" if embedded == "page" else "form",
        "data-problem": texts["problem"],
        "data-session-url": f"/s/{checkout.space_id}/payment/transaction/session/{checkout.transaction_id}",
        **({"data-next": checkout.next_url} if checkout.next_url and checkout.stage != "choose" else {}),
    }
    shown = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    body = _body(checkout, texts, security_token, embedded)
    frame = ' class="embedded"' if embedded else ""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(texts['title'])}</title><style>{style}</style></head>"
        f"<body{frame}><main{shown}>{body}</main>"
        '<script src="/sdk/tollgate.js"></script><script src="/s/assets/payment-page.js"></script></body></html>'
    )


def opening(page: LinkPage, style: str) -> str:
    """The page of a link: what it is for, the addresses that it asks for, and the button that begins the payment."""
    language = page.language[:2] if page.language[:2] in _TEXTS else "en"
    texts = _TEXTS[language]
    problem = f'<p class="problem" role="alert">{escape(texts["check"])} {escape(page.problem)}</p>'
    groups = "".join(_address(name, page, texts) for name in page.addresses)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{style}</style></head>"
        f"<body><main><h1>{escape(page.title)}</h1>{problem if page.problem else ''}"
        f'<form method="post">{groups}<button>{escape(texts["continue"])}</button></form></main></body></html>'
    )


def _address(name: str, page: LinkPage, texts: dict[str, str]) -> str:
    fields = ""
    for each in page.asked:
        member = f"{name}.{each}"
        value, needed = escape(page.typed.get(member, "")), "" if each == "emailAddress" else " required"
        fields += f'<label>{escape(texts[each])}<input name="{member}" value="{value}"{needed}></label>'
    return f"<fieldset><legend>{escape(texts[name])}</legend>{fields}</fieldset>"


def failure(message: str, style: str) -> str:
    """A page that says why there is none."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Payment</title><style>{style}</style></head>"
        f'<body><main><h1>Payment</h1><p class="problem" role="alert">{escape(message)}.</p></main></body></html>'
    )


def digest(content: bytes) -> str:
    """A source of a content security policy that permits exactly this content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


def _body(checkout: Checkout, texts: dict[str, str], security_token: str, embedded: str | None) -> str:
    cart = "" if embedded else _cart(checkout, texts)
    status = '<p id="status" class="problem" role="alert" hidden></p>'
    if checkout.stage != "choose":
        on = (
            f'<p><a class="button" target="_top" href="{escape(checkout.next_url)}">{escape(texts["continue"])}</a></p>'
            if checkout.next_url
            else ""
        )
        return f'{cart}<p role="status">{escape(texts[checkout.stage])}</p>{status}{on}'
    problem = ""
    if checkout.message:
        problem = f'<p class="problem" role="alert">{escape(texts["again"])} {escape(checkout.message)}</p>'
    methods = "".join(
        _method(each, checkout, texts, security_token, embedded, is_first=n == 0)
        for n, each in enumerate(checkout.methods)
    )
    nothing = f'<p role="alert">{escape(texts["none"])}</p>'
    return f"{cart}{problem}{status}{methods or nothing}"


def _cart(checkout: Checkout, texts: dict[str, str]) -> str:
    lines = "".join(
        f"<li><span>{escape(each.quantity)} × {escape(each.name)}</span><span>{escape(each.amount)}</span></li>"
        for each in checkout.lines
    )
    return (
        f'<h1>{escape(texts["title"])}</h1><ul class="cart">{lines}</ul>'
        f'<p class="total"><span>{escape(texts["total"])}</span><span>{escape(checkout.amount)}</span></p>'
    )


def _method(
    method: Method, checkout: Checkout, texts: dict[str, str], security_token: str, embedded: str | None, *,
    is_first: bool,
) -> str:  # fmt: skip
    fields = {"securityToken": security_token, "method": str(method.id)}
    if embedded:
        fields |= {"embedded": embedded, "only": str(method.id) if len(checkout.methods) == 1 else ""}
    if method.takes_card:
        fields |= {"session_id": "", "proof": ""}
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items())
    label = texts["pay"].format(amount=checkout.amount)
    button = "" if method.takes_card or embedded == "page" else f"<button>{escape(label)}</button>"
    card = f"<div data-card></div><noscript>{escape(texts['noscript'])}</noscript>" if method.takes_card else ""
    return (
        f'<details name="method" data-label="{escape(label)}"{" open" if is_first else ""}>'
        f"<summary>{escape(method.title)}</summary>{card}"
        f'<form method="post">{hidden}{button}</form></details>'
    )
