"""The hosted page through its door, as a buyer's browser asks for it; the card form's part is played by a script."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from payments.payment_page import handler as door
from payments.payment_page.handler import handler
from tests.payments.shops import DECLINED, PAN, SHIRT, Shop, new_shop
from tests.support.http import Response, send
from tests.support.session import HeldClock
from tests.vault.card_entry.test_worker import enter_card

SUCCESS, FAILURE = "https://shop.example/thanks?order=1", "https://shop.example/sorry"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def shop() -> Shop:
    return new_shop()


class Browser:
    """A buyer at a transaction's page."""

    def __init__(self, shop: Shop, transaction: dict[str, Any]) -> None:
        self.shop = shop
        self.number = transaction["id"]
        self.url = text_at(shop, f"/payment/transactions/{self.number}/payment-page-url")
        self.target = urlsplit(self.url).path + "?" + urlsplit(self.url).query
        self.security_token = dict(parse_qsl(urlsplit(self.url).query))["securityToken"]

    def get(self, target: str | None = None, accept: str = "text/html") -> Response:
        return send(handler, "GET", target or self.target, headers={"accept": accept})

    def post(self, path: str, **fields: str) -> Response:
        headers = {"accept": "text/html", "content-type": FORM}
        return send(handler, "POST", path, headers=headers, body=urlencode(fields))

    def forms(self, page: Response) -> list[dict[str, str]]:
        """The hidden fields of each method's form."""
        forms = re.findall(r"<form.*?</form>", text_of(page), re.S)
        inputs = [re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form) for form in forms]
        return [{name: unescape(value) for name, value in each} for each in inputs]

    def session(self) -> dict[str, str]:
        path = f"/s/{self.shop.merchant.space_id}/payment/transaction/session/{self.number}"
        answer = self.post(path, securityToken=self.security_token)
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def pay_by_card(self, pan: str = PAN, session: dict[str, str] | None = None, **fields: str) -> Response:
        made = session or self.session()
        if session is None:
            enter_card(made["session_id"], pan)
        form = self.forms(self.get())[0]
        return self.post(urlsplit(self.url).path, **{**form, **made, **fields})

    def state(self) -> str:
        return str(self.shop.get(f"/payment/transactions/{self.number}")["state"])


def text_at(shop: Shop, path: str) -> str:
    """A bare text that an operation answers."""
    answer = shop.call("GET", path, headers={"accept": "text/plain"})
    assert answer.status == 200, answer.body
    return text_of(answer)


def text_of(answer: Response) -> str:
    return answer.body.decode() if isinstance(answer.body, bytes) else str(answer.body)


@pytest.fixture
def browser(shop: Shop) -> Browser:
    return Browser(shop, shop.create(successUrl=SUCCESS, failedUrl=FAILURE, language="de-CH"))


class TestPaying:
    def test_by_card(self, browser: Browser) -> None:
        page = browser.get()
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        shown = text_of(page)
        assert '<html lang="de">' in shown
        assert "EUR 100.00" in shown
        assert "2 × Shirt" in shown
        card, invoice = browser.forms(page)
        assert {"session_id", "proof"} <= card.keys()
        assert "session_id" not in invoice
        paid = browser.pay_by_card()
        assert paid.status == 303
        assert paid.headers["location"].startswith(urlsplit(browser.url).path + "?securityToken=")
        done = browser.get(paid.headers["location"])
        assert (done.status, done.headers["location"]) == (303, SUCCESS)
        assert browser.state() == "FULFILL"

    def test_by_invoice(self, browser: Browser) -> None:
        form = browser.forms(browser.get())[1]
        assert browser.post(urlsplit(browser.url).path, **form).status == 303
        assert browser.get().headers["location"] == SUCCESS
        assert browser.state() in {"COMPLETED", "FULFILL"}

    def test_a_declined_card_is_explained_and_another_one_pays(self, browser: Browser) -> None:
        browser.pay_by_card(DECLINED)
        again = browser.get()
        assert again.status == 200
        assert 'role="alert"' in text_of(again)
        assert browser.state() == "PROCESSING"
        browser.pay_by_card()
        assert browser.get().headers["location"] == SUCCESS
        tried = browser.shop.get(f"/payment/charge-attempts/search?query=charge.transaction:{browser.number}&order=id")
        assert [each["state"] for each in tried["data"]] == ["FAILED", "SUCCESSFUL"]

    def test_without_another_try_the_buyer_goes_to_where_failures_go(self, shop: Shop) -> None:
        browser = Browser(shop, shop.create(failedUrl=FAILURE, chargeRetryEnabled=False))
        browser.pay_by_card(DECLINED)
        assert (browser.get().headers["location"], browser.state()) == (FAILURE, "FAILED")

    def test_without_addresses_the_page_itself_says_how_it_went(self, shop: Shop) -> None:
        browser = Browser(shop, shop.create())
        browser.pay_by_card()
        done = browser.get()
        assert done.status == 200
        assert 'data-stage="paid"' in text_of(done)
        assert browser.forms(done) == []

    def test_twice_at_once_is_once(self, browser: Browser) -> None:
        session = browser.session()
        enter_card(session["session_id"])
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: browser.pay_by_card(session=session).status, range(3)))
        assert answers == [303] * 3
        tried = browser.shop.get(f"/payment/charge-attempts/search?query=charge.transaction:{browser.number}")
        assert [each["state"] for each in tried["data"]] == ["SUCCESSFUL"]

    def test_only_allowed_methods_are_shown(self, shop: Shop) -> None:
        configured = shop.get("/payment/method-configurations")["data"]
        only = configured[1]["id"]
        browser = Browser(shop, shop.create(allowedPaymentMethodConfigurations=[only]))
        assert [form["method"] for form in browser.forms(browser.get())] == [str(only)]
        other = {**browser.forms(browser.get())[0], "method": str(configured[0]["id"])}
        assert browser.post(urlsplit(browser.url).path, **other).status == 303
        assert browser.state() == "PENDING"

    def test_what_has_to_be_confirmed_first_cannot_be_paid(self, shop: Shop) -> None:
        browser = Browser(shop, shop.create(autoConfirmationEnabled=False))
        assert browser.forms(browser.get()) == []


class TestClosedDoors:
    def test_tokens_that_are_not_good(self, browser: Browser, shop: Shop, held_clock: HeldClock) -> None:
        other = Browser(shop, shop.create())
        token = browser.security_token
        path = urlsplit(browser.url).path
        targets = [
            f"{path}?securityToken={other.security_token}", f"{path}?securityToken={token[:-1]}0", path,
            f"{path}?securityToken={token.replace(str(browser.number), str(other.number))}",
            f"{path.replace(str(shop.merchant.space_id), '17')}?securityToken={token}",
            f"{path}x?securityToken={token}",
        ]  # fmt: skip
        for target in targets:
            if target == browser.target:
                continue
            answer = browser.get(target)
            assert answer.status == 404
            assert "not valid any more" in text_of(answer)
            assert browser.get(target, accept="application/json").json["code"] == "not_found"
        held_clock.advance(hours=25)
        assert browser.get().status == 404

    def test_a_key_that_is_not_remembered_any_more_is_read_again(self, browser: Browser) -> None:
        session = browser.session()
        door._keyring._clear.clear()
        enter_card(session["session_id"])
        browser.pay_by_card(session=session)
        assert browser.state() == "FULFILL"

    def test_a_card_entered_for_another_payment(self, browser: Browser, shop: Shop) -> None:
        other = Browser(shop, shop.create())
        session = other.session()
        enter_card(session["session_id"])
        assert browser.pay_by_card(session=session).status == 403
        forged = {**browser.session(), "session_id": session["session_id"]}
        assert browser.pay_by_card(session=forged).status == 403
        assert browser.state() == "PENDING"

    def test_without_a_card_nothing_is_charged(self, browser: Browser) -> None:
        assert browser.pay_by_card(session=browser.session()).status == 303
        assert browser.state() == "PENDING"

    def test_what_is_paid_takes_no_further_card(self, browser: Browser) -> None:
        browser.pay_by_card()
        path = f"/s/{browser.shop.merchant.space_id}/payment/transaction/session/{browser.number}"
        assert browser.post(path, securityToken=browser.security_token).status == 422

    @pytest.mark.parametrize(("content_type", "body", "status"), [("application/json", "{}", 415), (FORM, "é", 400)])
    def test_bad_bodies(self, browser: Browser, content_type: str, body: str, status: int) -> None:
        path = f"/s/{browser.shop.merchant.space_id}/payment/transaction/session/{browser.number}"
        answer = send(handler, "POST", path, headers={"content-type": content_type}, body=body)
        assert answer.status == status

    def test_markup_in_names_stays_text(self, shop: Shop) -> None:
        browser = Browser(shop, shop.create(lineItems=[{**SHIRT, "name": "<script>alert(1)</script>"}]))
        shown = text_of(browser.get())
        assert "<script>alert" not in shown
        assert "&lt;script&gt;" in shown

    def test_the_policy_lets_run_and_frame_only_what_is_ours(self, browser: Browser) -> None:
        policy = browser.get().headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        framed = browser.get(f"{browser.target}&embedded=form").headers["content-security-policy"]
        assert "frame-ancestors https:" in framed
        assert browser.get().headers["referrer-policy"] == "no-referrer"


class TestScripts:
    @pytest.mark.parametrize("kind", ["iframe", "lightbox"])
    def test_the_framing_script_names_this_page_alone(self, browser: Browser, kind: str) -> None:
        url = text_at(browser.shop, f"/payment/transactions/{browser.number}/{kind}-javascript-url")
        assert f"/s/{browser.shop.merchant.space_id}/" in url
        assert str(browser.number) in url
        script = browser.get(urlsplit(url).path + "?" + urlsplit(url).query, accept="*/*")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        (page,) = re.findall(r'new URL\("([^"]+)"\)', text_of(script))
        assert browser.get(urlsplit(page).path + "?" + urlsplit(page).query).status == 200

    def test_a_framed_page_shows_one_method_and_stays_framed(self, browser: Browser) -> None:
        method = browser.forms(browser.get())[0]["method"]
        framed = f"{browser.target}&embedded=page&method={method}"
        (form,) = browser.forms(browser.get(framed))
        session = browser.session()
        enter_card(session["session_id"])
        paid = browser.post(urlsplit(browser.url).path, **{**form, **session})
        assert "embedded=page" in paid.headers["location"]
        done = browser.get(paid.headers["location"])
        assert done.status == 200
        assert f'data-next="{SUCCESS}"' in unescape(text_of(done))

    def test_the_address_for_an_app(self, browser: Browser) -> None:
        credentials = text_at(browser.shop, f"/payment/transactions/{browser.number}/credentials")
        url = text_at(browser.shop, f"/payment/transactions/by-credentials/{credentials}/mobile-sdk-url")
        assert f"/s/{browser.shop.merchant.space_id}" in url
        assert "securityToken=" in url
        assert browser.get(urlsplit(url).path + "?" + urlsplit(url).query).status == 200

    def test_the_page_s_own_script(self, browser: Browser) -> None:
        assert browser.get("/s/assets/payment-page.js", accept="*/*").headers["cache-control"] == "public, max-age=300"
