"""The hosted payment page in a real browser: by itself, by a link on a phone, framed and in a box in a shop's page.

The shop asks for addresses with the vendor's own client, unmodified.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from wallee import (
    LineItemCreate,
    LineItemType,
    PaymentLinkCreate,
    PaymentLinkProtectionMode,
    PaymentLinksService,
    TransactionCreate,
    TransactionsService,
)

from tests.e2e.sdk.browser import Page
from tests.e2e.stack import Stack
from tests.e2e.test_official_client import Shop

NUMBER, DECLINED = "4242424242424242", "4000000000000002"


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack, "demo")


@pytest.fixture(scope="module")
def merchant() -> Iterator[Merchant]:
    server = Merchant(("127.0.0.1", 0), _Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Merchant(ThreadingHTTPServer):
    """A shop of another origin: `body` is its page at `/`; `/thanks` and `/sorry` are where buyers come back to."""

    daemon_threads = True
    body = ""

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server_address[1]}"


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Merchant)
        shown = {"/thanks": "<h1>Thanks</h1>", "/sorry": "<h1>Sorry</h1>"}.get(self.path, self.server.body)
        content = f"<!doctype html><html lang=en><title>Shop</title><body>{shown}</body></html>".encode()
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class calls it so
        """Nothing to say."""


class Checkout(Page):
    """A buyer at the page; the card form is in the innermost frame."""

    def __init__(self, browser: webdriver.Chrome, framed: bool = False) -> None:
        super().__init__(browser, "")
        self._framed = framed

    def visit(self, url: str) -> Checkout:
        for kind in ("performance", "browser"):
            self.browser.get_log(kind)
        self.browser.get(url)
        return self

    def ready(self) -> Checkout:
        """Wait until a card can be typed."""
        self.wait(self._has_form)
        return self

    def heading(self) -> str:
        self.browser.switch_to.default_content()
        return " ".join(each.text for each in self.browser.find_elements(By.TAG_NAME, "h1"))

    def alert(self) -> str:
        self.browser.switch_to.default_content()
        return " ".join(each.text for each in self.browser.find_elements(By.CSS_SELECTOR, "[role=alert]"))

    def complaints(self) -> list[str]:
        """Without the remark that a frame of the page's own origin could do as the page itself, which it may."""
        return [each for each in super().complaints() if "can escape its sandboxing" not in each]

    def _has_form(self) -> bool:
        try:
            return self.field("number").is_displayed()
        except Exception:
            return False

    def _enter_frame(self) -> None:
        self.browser.switch_to.default_content()
        if self._framed:
            self.browser.switch_to.frame(self.browser.find_element(By.TAG_NAME, "iframe"))
        self.browser.switch_to.frame(self.browser.find_element(By.TAG_NAME, "iframe"))


def begin(shop: Shop, merchant: Merchant, **members: Any) -> int:
    line = LineItemCreate(
        unique_id="boots", name="Boots", type=LineItemType.PRODUCT, quantity=1, amount_including_tax=129
    )
    made = shop.use(TransactionsService).post_payment_transactions(
        shop.space_id,
        TransactionCreate(
            currency="EUR", line_items=[line], success_url=f"{merchant.address}/thanks",
            failed_url=f"{merchant.address}/sorry", **members,
        ),
    )  # fmt: skip
    return int(made.id)


def state(shop: Shop, number: int) -> str:
    return str(shop.use(TransactionsService).get_payment_transactions_id(number, shop.space_id).state.value)


def test_a_declined_card_then_a_good_one(shop: Shop, merchant: Merchant, desk_browser: webdriver.Chrome) -> None:
    number = begin(shop, merchant)
    url = shop.use(TransactionsService).get_payment_transactions_id_payment_page_url(number, shop.space_id)
    assert f"/s/{shop.space_id}/" in url
    page = Checkout(desk_browser).visit(url).ready()
    page.fill(number=DECLINED).press()
    page.wait(lambda: "declined" in page.alert())
    page.ready().fill(number=NUMBER).press()
    page.wait(lambda: page.heading() == "Thanks")
    assert desk_browser.current_url == f"{merchant.address}/thanks"
    assert page.complaints() == []
    for request in page.requests():
        assert NUMBER not in json.dumps(request).replace(" ", "")
    assert state(shop, number) == "FULFILL"


def test_a_link_on_a_phone(shop: Shop, phone_browser: webdriver.Chrome) -> None:
    line = LineItemCreate(
        unique_id="boots", name="Boots", type=LineItemType.PRODUCT, quantity=1, amount_including_tax=129
    )
    made = shop.use(PaymentLinksService).post_payment_links(
        shop.space_id,
        PaymentLinkCreate(
            external_id=str(uuid.uuid4()), protection_mode=PaymentLinkProtectionMode.ACCESS_KEY, name="Boots",
            currency="EUR", line_items=[line], language="en-US",
        ),
    )  # fmt: skip
    page = Checkout(phone_browser).visit(made.url)
    assert page.heading() == "Boots"
    phone_browser.find_element(By.TAG_NAME, "button").click()
    page.ready()
    assert page.in_page("return document.documentElement.scrollWidth <= window.innerWidth")
    page.fill().press()
    page.wait(lambda: "successful" in page.in_page("return document.body.textContent"))
    assert page.complaints() == []


@pytest.mark.parametrize("kind", ["iframe", "lightbox"])
def test_in_the_shop_s_own_page(shop: Shop, merchant: Merchant, desk_browser: webdriver.Chrome, kind: str) -> None:
    number = begin(shop, merchant)
    transactions = shop.use(TransactionsService)
    ask: Callable[..., str] = getattr(transactions, f"get_payment_transactions_id_{kind}_javascript_url")
    script = ask(number, shop.space_id)
    methods = transactions.get_payment_transactions_id_payment_method_configurations(number, kind, shop.space_id)
    method = next(each.id for each in methods.data if each.name == "Card")
    start = {
        "iframe": f"""<div id=here></div><button id=pay>Pay</button><script>
          const handler = IframeCheckoutHandler({method});
          handler.setValidationCallback(({{ success }}) => {{ if (success) handler.submit(); }});
          handler.create("here");
          document.getElementById("pay").addEventListener("click", () => handler.validate());
        </script>""",
        "lightbox": f"<script>LightboxCheckoutHandler.startPayment({method})</script>",
    }[kind]
    merchant.body = f'<script src="{script}"></script>{start}'
    page = Checkout(desk_browser, framed=True).visit(f"{merchant.address}/").ready()
    page.fill()
    if kind == "iframe":
        page.in_page("document.getElementById('pay').click()")
    else:
        page.press()
    page.wait(lambda: page.heading() == "Thanks")
    assert page.complaints() == []
    assert state(shop, number) == "FULFILL"
