"""What a buyer pays on is noted by the page, once."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

import pytest

from payments.payment_page.handler import handler
from tests.payments.payment_page.test_page import FORM, Browser
from tests.payments.shops import Shop
from tests.support.http import send

PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "embedded", "system", "integration"),
    [
        (PHONE, "", "Linux; Android 14; Pixel 8", "PAYMENT_PAGE"),
        (PHONE, "page", "Linux; Android 14; Pixel 8", "IFRAME"),
        (PHONE, "form", "Linux; Android 14; Pixel 8", "LIGHTBOX"),
        ("", "other", None, "PAYMENT_PAGE"),
        ("x (" + "y" * 200 + ")", "", None, "PAYMENT_PAGE"),
    ],
)
def test_noted_with_the_first_payment(
    shop: Shop, agent: str, embedded: str, system: str | None, integration: str
) -> None:
    browser = Browser(shop, shop.create())
    fields = {**browser.forms(browser.get())[1], "embedded": embedded}
    for user_agent in (agent, "another (system)"):
        headers = {"accept": "text/html", "content-type": FORM, "user-agent": user_agent}
        send(handler, "POST", urlsplit(browser.url).path, headers=headers, body=urlencode(fields))
    found = shop.get(f"/payment/transaction/client-platforms/search?query=transaction:{browser.number}")["data"]
    assert [(each.get("osVersion"), each["integrationType"], each["platformType"]) for each in found] == [
        (system, integration, "WEB")
    ]
