"""What an address may say and what a link's transaction is made of. Pure.

The address of a link takes `currency` and `amount` where the link has none, `successUrl` and `failedUrl` within the
link's domains, `language`, `merchantReference`, `customerId`, `customerEmailAddress`, and the members of addresses as
`billingAddress.city`, where the link's modes have them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import urlsplit

from tollgate.errors import Fault, Invalid

IN_URL: Final = "REQUIRED_IN_URL"
ON_PAGE: Final = "REQUIRED_ON_PAYMENT_PAGE"
ADDRESSES: Final = ("billingAddress", "shippingAddress")
ASKED: Final = ("givenName", "familyName", "street", "postcode", "city", "country", "emailAddress")
"""Members of an address that the page asks for; the last one may be left out."""

_PLAIN: Final = ("language", "merchantReference", "customerId", "customerEmailAddress")
_LINE: Final = (
    "uniqueId", "name", "type", "quantity", "amountIncludingTax", "discountIncludingTax", "sku", "shippingRequired",
    "taxes", "attributes",
)  # fmt: skip


def is_allowed(url: str, domains: Sequence[str]) -> bool:
    """Whether an address lies within the domains: names alone, names below one (`*.`), all or none."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or parts.password is not None:
        return False
    if "NONE" in domains:
        return False
    return any(_covers(each.lower(), host) for each in domains)


def _covers(domain: str, host: str) -> bool:
    if domain == "all":
        return True
    return host.endswith(domain[1:]) if domain.startswith("*.") else host == domain


def required(link: Mapping[str, Any], mode: str) -> list[str]:
    """The addresses for which the link has this mode."""
    return [each for each in ADDRESSES if link.get(f"{each}HandlingMode") == mode]


def transaction_body(link: Mapping[str, Any], asked: Mapping[str, str], form: Mapping[str, str]) -> dict[str, Any]:
    """The body of the transaction that a link opens, of what its address says and what the buyer typed.

    Raises:
        Invalid: with every fault.
    """
    faults: list[Fault] = []
    body: dict[str, Any] = {name: asked[name] for name in _PLAIN if asked.get(name)}
    body.setdefault("language", link.get("language"))
    body["currency"] = link.get("currency") or asked.get("currency")
    if not body["currency"]:
        faults.append(Fault("currency", "is required"))
    body["lineItems"] = _lines(link, asked, faults)
    for name in ("successUrl", "failedUrl"):
        if asked.get(name):
            body[name] = asked[name]
            if not is_allowed(asked[name], link.get("allowedRedirectionDomains") or ()):
                faults.append(Fault(name, "is not within the domains that the link allows"))
    for name in ADDRESSES:
        mode = link.get(f"{name}HandlingMode")
        source = {IN_URL: asked, ON_PAGE: form}.get(str(mode))
        if source is not None:
            body[name] = _address(name, source, faults)
    methods = link.get("allowedPaymentMethodConfigurations")
    if methods:
        body["allowedPaymentMethodConfigurations"] = [each["id"] for each in methods]
    body["spaceViewId"] = link.get("appliedSpaceView")
    if faults:
        raise Invalid(faults)
    return {name: each for name, each in body.items() if each is not None}


def _lines(link: Mapping[str, Any], asked: Mapping[str, str], faults: list[Fault]) -> list[dict[str, Any]]:
    if link.get("lineItems"):
        return [{name: each[name] for name in _LINE if name in each} for each in link["lineItems"]]
    try:
        amount = Decimal(asked.get("amount", ""))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0 or not asked.get("amount", "").replace(".", "", 1).isdigit():
        faults.append(Fault("amount", "must be an amount above zero"))
    name = (link.get("name") or "Payment")[:150]
    return [{"uniqueId": "payment", "name": name, "type": "PRODUCT", "quantity": 1, "amountIncludingTax": amount}]


def _address(name: str, source: Mapping[str, str], faults: list[Fault]) -> dict[str, str]:
    given = {each: source.get(f"{name}.{each}", "").strip() for each in ASKED}
    given["country"] = given["country"].upper()
    faults += [Fault(f"{name}.{each}", "is required") for each in ASKED[:-1] if not given[each]]
    return {each: value for each, value in given.items() if value}
