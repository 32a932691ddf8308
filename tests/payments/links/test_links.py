"""Payment links: what merchants make, and what becomes of it when buyers come."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from payments.links.rules import is_allowed
from payments.payment_page.handler import handler as page
from tests.payments.shops import SHIPPING, SHIRT, Shop, new_shop
from tests.support.http import Response, send
from tests.support.session import HeldClock
from tollgate.clock import now

ADDRESS = {
    "givenName": "Jane", "familyName": "Doe", "street": "Bahnhofstrasse 1", "postcode": "8001", "city": "Zürich",
    "country": "ch",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop() -> Shop:
    return new_shop()


def make(shop: Shop, **members: Any) -> dict[str, Any]:
    body = {
        "externalId": str(uuid.uuid4()), "protectionMode": "NO_PROTECTION", "name": "Boots", "currency": "EUR",
        "lineItems": [SHIRT, SHIPPING], **members,
    }  # fmt: skip
    made = shop.call("POST", "/payment/links", {name: each for name, each in body.items() if each is not None})
    assert made.status == 201, made.body
    return dict(made.json)


def target(link: dict[str, Any], **asked: str) -> str:
    parts = urlsplit(link["url"])
    query = "&".join(each for each in (parts.query, urlencode(asked)) if each)
    return parts.path + (f"?{query}" if query else "")


def look(link: dict[str, Any], **asked: str) -> Response:
    return send(page, "GET", target(link, **asked), headers={"accept": "text/html"})


def begin(link: dict[str, Any], typed: dict[str, str] | None = None, **asked: str) -> Response:
    headers = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}
    return send(page, "POST", target(link, **asked), headers=headers, body=urlencode(typed or {"go": "on"}))


def transaction_of(shop: Shop, answer: Response) -> dict[str, Any]:
    assert answer.status == 303, answer.body
    return dict(shop.get(f"/payment/transactions/{urlsplit(answer.headers['location']).path.rpartition('/')[2]}"))


class TestMaking:
    def test_life(self, shop: Shop) -> None:
        made = make(shop)
        assert (made["state"], made["version"], made["linkedSpaceId"]) == ("ACTIVE", 1, shop.merchant.space_id)
        assert made["lineItems"][0]["unitPriceIncludingTax"] == 40
        assert made["url"].endswith(f"/s/{shop.merchant.space_id}/payment/link/{made['id']}")
        path = f"/payment/links/{made['id']}"
        assert shop.get(path) == made
        changed = shop.call("PATCH", path, {"version": 1, "name": "Shoes", "currency": "CHF"}).json
        assert (changed["name"], changed["currency"], changed["url"]) == ("Shoes", "CHF", made["url"])
        assert shop.get("/payment/links/search?query=state:ACTIVE%20name:Shoes")["data"] == [changed]
        assert shop.call("DELETE", path).status == 204
        assert shop.get(path)["state"] == "DELETED"
        assert shop.refused("PATCH", path, {"version": 3}) == (422, "state_invalid", [])
        assert look(made).status == 404

    def test_the_same_external_id_is_the_same_link(self, shop: Shop) -> None:
        first = make(shop, externalId="one")
        assert make(shop, externalId="one") == first
        body = {"externalId": "one", "protectionMode": "ACCESS_KEY"}
        assert shop.refused("POST", "/payment/links", body) == (409, "external_id_reused", [])

    @pytest.mark.parametrize(
        ("members", "status", "member"),
        [
            ({"protectionMode": None}, 400, "protectionMode"),
            ({"protectionMode": "PASSWORD"}, 422, "protectionMode"),
            ({"name": "n" * 101}, 422, "name"),
            ({"state": "DELETED"}, 422, "state"),
            ({"currency": "XXQ"}, 422, "currency"),
            ({"maximalNumberOfTransactions": 0}, 422, "maximalNumberOfTransactions"),
            ({"allowedRedirectionDomains": []}, 422, "allowedRedirectionDomains"),
            ({"allowedRedirectionDomains": ["*.shop.example", "not a name"]}, 422, "allowedRedirectionDomains[1]"),
            ({"availableFrom": "2027-01-02", "availableUntil": "2027-01-01"}, 422, "availableFrom"),
            ({"availableFrom": "2027-01-02T00:00:00Z", "availableUntil": "2027-01-01T00:00:00Z"}, 422,
             "availableUntil"),
            ({"allowedPaymentMethodConfigurations": [5]}, 422, "allowedPaymentMethodConfigurations[0]"),
            ({"lineItems": [{**SHIRT, "amountIncludingTax": Decimal("1.001")}]}, 422,
             "lineItems[0].amountIncludingTax"),
        ],
    )  # fmt: skip
    def test_refusals(self, shop: Shop, members: dict[str, Any], status: int, member: str) -> None:
        body = {"externalId": str(uuid.uuid4()), "protectionMode": "NO_PROTECTION", "currency": "EUR", **members}
        answer = shop.call("POST", "/payment/links", body)
        assert (answer.status, member in answer.json["errors"]) == (status, True), answer.body


class TestOpening:
    def test_a_buyer_comes_to_the_payment_page_of_a_new_transaction(self, shop: Shop) -> None:
        link = make(shop, language="de-CH", allowedRedirectionDomains=["shop.example"])
        shown = look(link)
        assert (shown.status, "Boots" in str(shown.body), "<form" in str(shown.body)) == (200, True, True)
        before = len(shop.get("/payment/transactions?limit=100")["data"])
        opened = begin(link, successUrl="https://shop.example/thanks", merchantReference="o-1")
        made = transaction_of(shop, opened)
        assert (made["state"], made["currency"], made["authorizationAmount"]) == ("PENDING", "EUR", 100)
        assert (made["successUrl"], made["merchantReference"]) == ("https://shop.example/thanks", "o-1")
        assert made["language"] == "de-CH"
        assert send(page, "GET", opened.headers["location"], headers={"accept": "text/html"}).status == 200
        assert len(shop.get("/payment/transactions?limit=100")["data"]) == before + 1

    def test_looking_makes_nothing(self, shop: Shop) -> None:
        link = make(shop, maximalNumberOfTransactions=1)
        assert [look(link).status for _ in range(3)] == [200] * 3
        assert begin(link).status == 303

    def test_the_key_is_needed_where_there_is_one(self, shop: Shop) -> None:
        link = make(shop, protectionMode="ACCESS_KEY")
        assert look(link).status == 200
        bare = {"url": link["url"].partition("?")[0]}
        assert [look(bare).status, begin(bare).status, look(bare, accessKey="wrong").status] == [404] * 3
        assert begin(link).status == 303

    def test_only_while_it_is_available(self, shop: Shop, held_clock: HeldClock) -> None:
        begins = now().replace(microsecond=0)
        held_clock.at = begins
        link = make(
            shop, availableFrom=begins.isoformat(),
            availableUntil=begins.replace(year=begins.year + 1).isoformat(),
        )  # fmt: skip
        assert look(link).status == 200
        held_clock.advance(seconds=-1)
        assert (look(link).status, begin(link).status) == (409, 409)
        held_clock.at = begins.replace(year=begins.year + 1)
        assert look(link).status == 409

    def test_no_more_transactions_than_it_may_make_whoever_comes_at_once(self, shop: Shop) -> None:
        link = make(shop, maximalNumberOfTransactions=2)
        with ThreadPoolExecutor(5) as pool:
            answers = sorted(pool.map(lambda _: begin(link).status, range(5)))
        assert answers == [303, 303, 409, 409, 409]
        assert look(link).status == 409

    def test_what_could_not_be_made_uses_nothing_up(self, shop: Shop) -> None:
        link = make(shop, maximalNumberOfTransactions=1, currency=None)
        assert begin(link).status == 422
        assert begin(link, currency="EUR", merchantReference="ü").status == 422
        assert begin(link, currency="EUR").status == 303

    def test_what_the_link_leaves_open_the_address_says(self, shop: Shop) -> None:
        link = make(shop, currency=None, lineItems=None)
        assert begin(link, amount="12.50").status == 422
        for amount in ("", "0", "-1", "1e3", "NaN", "1.234"):
            assert begin(link, amount=amount, currency="CHF").status == 422
        made = transaction_of(shop, begin(link, amount="12.50", currency="CHF"))
        assert (made["currency"], made["authorizationAmount"]) == ("CHF", 12.5)
        assert [each["name"] for each in made["lineItems"]] == ["Boots"]

    def test_what_the_link_says_the_address_does_not_change(self, shop: Shop) -> None:
        made = transaction_of(shop, begin(make(shop), amount="0.01", currency="CHF"))
        assert (made["currency"], made["authorizationAmount"]) == ("EUR", 100)

    def test_addresses_are_asked_for(self, shop: Shop) -> None:
        link = make(shop, billingAddressHandlingMode="REQUIRED_ON_PAYMENT_PAGE")
        typed = {f"billingAddress.{name}": value for name, value in ADDRESS.items()}
        missing = begin(link, {**typed, "billingAddress.city": " "})
        assert missing.status == 422
        assert "Bahnhofstrasse 1" in str(missing.body)
        made = transaction_of(shop, begin(link, typed))
        assert (made["billingAddress"]["city"], made["billingAddress"]["country"]) == ("Zürich", "CH")

    def test_addresses_come_with_the_address(self, shop: Shop) -> None:
        link = make(shop, shippingAddressHandlingMode="REQUIRED_IN_URL")
        assert begin(link).status == 422
        asked = {f"shippingAddress.{name}": value for name, value in ADDRESS.items()}
        assert transaction_of(shop, begin(link, **asked))["shippingAddress"]["familyName"] == "Doe"

    def test_only_allowed_methods(self, shop: Shop) -> None:
        method = shop.get("/payment/method-configurations")["data"][1]["id"]
        made = transaction_of(shop, begin(make(shop, allowedPaymentMethodConfigurations=[method])))
        assert made["allowedPaymentMethodConfigurations"] == [method]

    def test_redirection_outside_the_domains_is_refused(self, shop: Shop) -> None:
        link = make(shop, allowedRedirectionDomains=["*.shop.example"])
        assert begin(link, successUrl="https://evil.example/").status == 422
        assert begin(make(shop), failedUrl="https://shop.example/").status == 422
        assert begin(link, successUrl="https://www.shop.example/").status == 303

    def test_links_that_there_are_not(self, shop: Shop) -> None:
        link, other = make(shop, state="INACTIVE"), new_shop()
        foreign = {"url": make(shop)["url"].replace(str(shop.merchant.space_id), str(other.merchant.space_id))}
        for each in (link, foreign, {"url": "https://x/s/1/payment/link/2"}, {"url": "https://x/s/a/payment/link/b"}):
            assert (look(each).status, begin(each).status) == (404, 404)


@pytest.mark.parametrize(
    ("url", "domains", "allowed"),
    [
        ("https://shop.example/a?b", ["shop.example"], True),
        ("https://SHOP.example./", ["shop.example"], True),
        ("https://www.shop.example/", ["shop.example"], False),
        ("https://www.shop.example/", ["*.shop.example"], True),
        ("https://shop.example/", ["*.shop.example"], False),
        ("https://evilshop.example/", ["*.shop.example", "shop.example"], False),
        ("https://shop.example.evil.example/", ["shop.example"], False),
        ("https://shop.example@evil.example/", ["shop.example"], False),
        ("https://evil.example/#shop.example", ["shop.example"], False),
        ("https://anything.example/", ["ALL"], True),
        ("https://anything.example/", ["ALL", "NONE"], False),
        ("javascript:alert(1)", ["ALL"], False),
        ("https:///nowhere", ["ALL"], False),
        ("https://[broken/", ["ALL"], False),
        ("https://shop.example/", [], False),
    ],
)
def test_redirection_domains(url: str, domains: list[str], allowed: bool) -> None:
    assert is_allowed(url, domains) is allowed
