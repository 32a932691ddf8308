"""Leave to act on one transaction, what it reaches and what it does not; and what is on file for a click."""

from __future__ import annotations

from typing import Any

import pytest

from payments.connectors import CARD_METHOD, INVOICE_METHOD
from tests.payments.shops import DECLINED, Shop, new_shop
from tests.support.session import HeldClock

PATH = "/payment/transactions"


def credentials(shop: Shop, number: int) -> str:
    answer = shop.call("GET", f"{PATH}/{number}/credentials", headers={"accept": "text/plain"})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain")
    return answer.body.decode()


def test_they_name_and_reach_one_transaction(shop: Shop) -> None:
    number = shop.create()["id"]
    made = credentials(shop, number)
    assert made.startswith(f"{shop.merchant.space_id}-{number}-")
    assert shop.get(f"{PATH}/by-credentials/{made}") == shop.get(f"{PATH}/{number}")
    assert shop.call("GET", f"{PATH}/{number}/credentials").json.startswith(f"{shop.merchant.space_id}-")


def test_made_up_changed_foreign_and_late_ones(shop: Shop, held_clock: HeldClock) -> None:
    first, second = (shop.create()["id"] for _ in range(2))
    made = credentials(shop, first)
    other = new_shop()
    bent = [
        made.replace(str(first), str(second)), made[:-1] + ("0" if made[-1] != "0" else "1"), made + "0", "x",
        f"17-{first}-9999999999-{'0' * 64}", made.replace(str(shop.merchant.space_id), str(other.merchant.space_id), 1),
    ]  # fmt: skip
    for each in bent:
        assert shop.refused("GET", f"{PATH}/by-credentials/{each}")[0] == 404, each
    assert other.refused("GET", f"{PATH}/by-credentials/{made}")[0] == 404
    held_clock.advance(hours=24, seconds=1)
    assert shop.refused("GET", f"{PATH}/by-credentials/{made}")[0] == 404


def test_methods(shop: Shop) -> None:
    number = shop.create()["id"]
    for path in (f"{PATH}/{number}", f"{PATH}/by-credentials/{credentials(shop, number)}"):
        target = f"{path}/payment-method-configurations"
        found = shop.get(f"{target}?integrationMode=payment_page&expand=paymentMethod")["data"]
        assert [each["paymentMethod"]["id"] for each in found] == [CARD_METHOD, INVOICE_METHOD]
        found = shop.get(f"{target}?integrationMode=DIRECT_CARD_PROCESSING")["data"]
        assert [each["paymentMethod"]["id"] for each in found] == [CARD_METHOD]
        assert shop.refused("GET", target)[::2] == (400, ["integrationMode"])
        assert shop.refused("GET", f"{target}?integrationMode=fax")[::2] == (400, ["integrationMode"])
    (invoice,) = [each["id"] for each in shop.get("/payment/method-configurations")["data"] if each["sortOrder"] == 2]
    only = shop.create(allowedPaymentMethodConfigurations=[invoice])["id"]
    target = f"{PATH}/{only}/payment-method-configurations?integrationMode=LIGHTBOX"
    assert [each["id"] for each in shop.get(target)["data"]] == [invoice]
    from tests.payments.shops import card

    assert shop.refused("POST", f"{PATH}/{only}/process-card-details", card())[:2] == (422, "no_connector")


@pytest.mark.parametrize("mode", ["FULFILL", "VOIDED", "PENDING", "FAILED"])
def test_whether_a_token_can_be_made(shop: Shop, mode: str) -> None:
    made: dict[str, Any] = {
        "FULFILL": shop.paid, "PENDING": shop.create, "FAILED": lambda: shop.paid(DECLINED, chargeRetryEnabled=False),
        "VOIDED": shop.authorised,
    }[mode]()  # fmt: skip
    if mode == "VOIDED":
        shop.post(f"{PATH}/{made['id']}/void-online")
    assert shop.state(made["id"]) == mode
    assert shop.get(f"{PATH}/{made['id']}/check-token-creation-possible") is (mode in {"FULFILL", "VOIDED"})


class TestOneClick:
    def on_file(self, shop: Shop, customer: str) -> int:
        mode = "FORCE_CREATION_WITH_ONE_CLICK_PAYMENT"
        return int(shop.paid(customerId=customer, tokenizationMode=mode)["token"]["id"])

    def test_what_a_customer_has_on_file(self, shop: Shop) -> None:
        token = self.on_file(shop, "Jane")
        shop.paid(customerId="Jane", tokenizationMode="FORCE_CREATION")
        number = shop.create(customerId="Jane", successUrl="https://shop.example/thanks")["id"]
        path = f"{PATH}/by-credentials/{credentials(shop, number)}/one-click-tokens"
        (version,) = shop.get(f"{path}?expand=token")["data"]
        assert version["token"]["id"] == token
        answer = shop.call("POST", f"{path}/{version['id']}/process", headers={"accept": "text/plain"})
        assert answer.body == b"https://shop.example/thanks"
        assert shop.state(number) == "FULFILL"
        assert shop.refused("POST", f"{path}/{version['id']}/process")[:2] == (422, "state_invalid")

    def test_nothing_of_others(self, shop: Shop) -> None:
        token = self.on_file(shop, "Ada")
        for members in ({}, {"customerId": "Grace"}, {"customerId": "ada"}):
            number = shop.create(**members)["id"]
            path = f"{PATH}/by-credentials/{credentials(shop, number)}/one-click-tokens"
            assert shop.get(path)["data"] == []
            for method, target in (("DELETE", f"{path}/{token}"), ("POST", f"{path}/{token}/process")):
                assert shop.refused(method, target)[0] == 404
            assert shop.state(number) == "PENDING"

    def test_taken_off_file(self, shop: Shop) -> None:
        token = self.on_file(shop, "Tim")
        number = shop.create(customerId="Tim", token=token)["id"]
        path = f"{PATH}/by-credentials/{credentials(shop, number)}/one-click-tokens"
        (version,) = shop.get(path)["data"]
        assert [shop.call("DELETE", f"{path}/{version['id']}").status for _ in range(2)] == [204, 404]
        assert shop.get(path)["data"] == []
        assert shop.get(f"/payment/token-versions/{version['id']}")["state"] == "OBSOLETE"
        assert shop.refused("POST", f"{PATH}/{number}/process-with-token")[:2] == (422, "token_invalid")

    def test_where_the_buyer_goes_after_a_failure(self, shop: Shop) -> None:
        from tests.payments.shops import lines_of

        self.on_file(shop, "Eve")
        number = shop.create(customerId="Eve", lineItems=lines_of("160.01"))["id"]
        path = f"{PATH}/by-credentials/{credentials(shop, number)}/one-click-tokens"
        (version,) = shop.get(path)["data"]
        url = shop.call("POST", f"{path}/{version['id']}/process").json
        assert f"/s/{shop.merchant.space_id}/" in url
        assert f"/{number}?securityToken={shop.merchant.space_id}-{number}-" in url
        assert shop.state(number) == "PROCESSING"
