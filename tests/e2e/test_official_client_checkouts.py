"""The published Python client where a buyer takes part: 3-D Secure in a browser, and charge flows."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from wallee import (
    ChargeAttemptsService,
    ChargeFlowLevelsService,
    ChargeFlowsLevelPaymentLinksService,
    ChargeFlowsService,
    LineItemCreate,
    LineItemType,
    TokenizedCardDataCreate,
    TokenizedCardRequest,
    TransactionCreate,
    TransactionsService,
)

from tests.e2e.stack import Stack
from tests.e2e.test_official_client import Shop

DONE = "https://shop.example/done"
CART = [LineItemCreate(unique_id="1", name="Shirt", type=LineItemType.PRODUCT, quantity=1, amount_including_tax=80)]


class Browser:
    """Follows links and sends forms off."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def open(self, url: str, **form: str) -> Any:
        parts = urlsplit(url)
        headers = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode() if form else None
        return self._stack.send("POST" if form else "GET", f"{parts.path}?{parts.query}", headers=headers, body=body)

    def sent_to(self, url: str, **form: str) -> str:
        answer = self.open(url, **form)
        assert answer.status == 303, answer.body
        return str(answer.headers["location"])


def test_a_card_with_a_challenge(stack: Stack) -> None:
    shop, browser = Shop(stack, "demo"), Browser(stack)
    transactions, space = shop.use(TransactionsService), shop.space_id
    made = transactions.post_payment_transactions(
        space, TransactionCreate(currency="EUR", line_items=CART, success_url=DONE)
    )
    card = TokenizedCardDataCreate(primary_account_number="4111111111111111", expiry_date="2040-12")
    url = transactions.post_payment_transactions_id_process_card_details_threed(
        made.id, space, TokenizedCardRequest(card_data=card)
    )
    assert transactions.get_payment_transactions_id(made.id, space).state == "PROCESSING"
    assert b"<script>" in browser.open(url).body
    challenge = browser.sent_to(url, color_depth="24", screen_height="900", screen_width="1440", time_zone_offset="0")
    page = browser.open(challenge, challenge_code="123456").body.decode()
    (action,), (cres,) = re.findall(r'action="([^"]*)"', page), re.findall(r'name="cres" value="([^"]*)"', page)
    assert browser.sent_to(browser.sent_to(action, cres=cres)) == DONE
    assert transactions.get_payment_transactions_id(made.id, space).state == "FULFILL"
    (attempt,) = (
        shop.use(ChargeAttemptsService)
        .get_payment_charge_attempts_search(space, query=f"linkedTransaction:{made.id}", expand=["labels"])
        .data
    )
    assert [each.content_as_string for each in attempt.labels][-3:] == ["FULLY_AUTHENTICATED", "05", "true"]


def test_a_charge_flow(stack: Stack) -> None:
    shop = Shop(stack, "demo")
    transactions, levels, space = shop.use(TransactionsService), shop.use(ChargeFlowLevelsService), shop.space_id
    (flow,) = shop.use(ChargeFlowsService).get_payment_charge_flows(space).data
    body = TransactionCreate(currency="EUR", line_items=CART, customer_email_address="jane@example.com")
    made = transactions.post_payment_transactions(space, body)
    assert transactions.post_payment_transactions_id_charge_flow_apply(made.id, space).state == "PROCESSING"
    found = levels.get_payment_charge_flows_levels_search(
        space, query=f"linkedTransaction:{made.id}", order="id", expand=["configuration.flow"]
    ).data
    assert [each.state for each in found] == ["FAILED", "PENDING"]
    assert found[1].configuration.flow.id == flow.id
    transactions.post_payment_transactions_id_charge_flow_update_recipient(
        made.id, space=space, type=1478100000002, recipient="joe@example.com"
    )
    levels.post_payment_charge_flows_levels_id_send_message(found[1].id, space)
    (link,) = (
        shop.use(ChargeFlowsLevelPaymentLinksService)
        .get_payment_charge_flows_levels_payment_links_search(space, query=f"chargeFlowLevel:{found[1].id}")
        .data
    )
    assert link.payment_link == transactions.get_payment_transactions_id_charge_flow_payment_page_url(made.id, space)
    assert Browser(stack).open(link.payment_link).status == 200
    assert transactions.post_payment_transactions_id_charge_flow_cancel(made.id, space).state == "FAILED"
