"""What comes of a payment: other carts, invoices that are paid later, decisions on delivery, comments, the export."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from payments.connectors import INVOICE_METHOD
from tests.payments.shops import DECLINED, REVIEW, SHIPPING, SHIRT, Shop, new_shop, settle
from tests.support.session import HeldClock

PATH = "/payment/transactions"
INVOICES = f"{PATH}/invoices"
VERSIONS = f"{PATH}/line-item-versions"
DELIVERIES = "/payment/delivery-indications"


def invoiced(shop: Shop) -> dict[str, Any]:
    """The invoice of a transaction that its buyer pays later."""
    methods = shop.get("/payment/method-configurations?limit=100")["data"]
    (method,) = [each["id"] for each in methods if each["paymentMethod"]["id"] == INVOICE_METHOD]
    number = shop.create(allowedPaymentMethodConfigurations=[method], merchantReference="m-1")["id"]
    shop.post(f"{PATH}/{number}/process-without-interaction")
    (found,) = shop.get(f"{INVOICES}/search?query=linkedTransaction:{number}")["data"]
    return dict(found)


class TestLineItemVersions:
    def test_the_cart_before_completion(self, shop: Shop) -> None:
        number = shop.authorised()["id"]
        first = shop.get(f"{PATH}/{number}/latest-line-item-version")
        assert (first["version"], first["amount"], first["state"]) == (1, 100, "SUCCESSFUL")
        body = {"externalId": f"v{number}", "transaction": number, "lineItems": [SHIPPING]}
        made = shop.call("POST", VERSIONS, body)
        assert (made.status, made.json["amount"], made.json["transaction"]) == (201, 20, {"id": number})
        assert shop.call("POST", VERSIONS, body).json == made.json
        assert shop.get(f"{PATH}/{number}/latest-line-item-version") == made.json
        assert shop.post(f"{PATH}/{number}/complete-online")["amount"] == 20
        now = shop.get(f"{PATH}/{number}")
        assert (now["completedAmount"], now["authorizationAmount"]) == (20, 100)
        found = shop.get(f"{VERSIONS}/search?query=linkedTransaction:{number}&order=id")["data"]
        assert [each["amount"] for each in found] == [100, 20]
        assert shop.refused("POST", VERSIONS, {**body, "externalId": "more"})[:2] == (422, "state_invalid")

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"lineItems": [SHIRT, {**SHIPPING, "amountIncludingTax": Decimal("20.01")}]}, (422, ["lineItems"])),
            ({"transaction": 17}, (422, ["transaction"])),
            ({"transaction": None}, (400, ["transaction"])),
            ({"externalId": None}, (400, ["externalId"])),
            ({"lineItems": []}, (422, ["lineItems"])),
        ],
    )
    def test_versions_that_are_refused(self, shop: Shop, members: dict[str, Any], expected: tuple[int, Any]) -> None:
        number = shop.authorised()["id"]
        body = {"externalId": f"x{number}", "transaction": number, "lineItems": [SHIPPING], **members}
        status, _, errors = shop.refused("POST", VERSIONS, body)
        assert (status, errors) == expected


class TestInvoices:
    def test_paid(self, shop: Shop) -> None:
        invoice = invoiced(shop)
        assert (invoice["state"], invoice["outstandingAmount"], invoice["amount"]) == ("OPEN", 100, 100)
        path = f"{INVOICES}/{invoice['id']}"
        assert shop.get(f"{path}/check-replacement-possible") is True
        paid = shop.post(f"{path}/mark-paid?expand=completion")
        assert (paid["state"], paid["outstandingAmount"], paid["completion"]["state"]) == ("PAID", 0, "SUCCESSFUL")
        assert shop.get(f"{path}/check-replacement-possible") is False
        for operation in ("mark-paid", "derecognize"):
            assert shop.refused("POST", f"{path}/{operation}")[:2] == (422, "state_invalid")

    def test_given_up(self, shop: Shop) -> None:
        given_up = shop.post(f"{INVOICES}/{invoiced(shop)['id']}/derecognize")
        assert (given_up["state"], given_up["derecognizedBy"]) == ("DERECOGNIZED", shop.merchant.user_id)

    def test_replaced(self, shop: Shop) -> None:
        invoice = invoiced(shop)
        path = f"{INVOICES}/{invoice['id']}/replace"
        body = {"externalId": f"r{invoice['id']}", "lineItems": [SHIRT], "merchantReference": "m-2"}
        made = shop.post(path, body)
        assert (made["state"], made["amount"], made["merchantReference"]) == ("OPEN", 80, "m-2")
        assert (made["completion"], made["dueOn"]) == (invoice["completion"], invoice["dueOn"])
        assert shop.get(f"{INVOICES}/{invoice['id']}")["state"] == "CANCELED"
        assert shop.post(path, body) == made
        assert shop.refused("POST", path, {**body, "externalId": "other"})[:2] == (422, "state_invalid")

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"lineItems": [{**SHIRT, "amountIncludingTax": 101}]}, (422, ["lineItems"])),
            ({"lineItems": [{**SHIRT, "amountIncludingTax": 0}]}, (422, ["lineItems"])),
            ({"externalId": None}, (400, ["externalId"])),
            ({"dueOn": "2020-01-01T00:00:00Z"}, (422, ["dueOn"])),
        ],
    )
    def test_replacements_that_are_refused(self, shop: Shop, members: dict[str, Any], expected: Any) -> None:
        invoice = invoiced(shop)
        body = {"externalId": f"r{invoice['id']}", "lineItems": [SHIRT], **members}
        status, _, errors = shop.refused("POST", f"{INVOICES}/{invoice['id']}/replace", body)
        assert (status, errors) == expected
        assert shop.get(f"{INVOICES}/{invoice['id']}")["state"] == "OPEN"

    @pytest.mark.parametrize("overdue", [False, True])
    def test_paid_at_once(self, shop: Shop, held_clock: HeldClock, overdue: bool) -> None:
        """A transaction of its own pays it, once, however often the address was asked for."""
        path = f"{INVOICES}/{invoiced(shop)['id']}"
        if overdue:
            held_clock.advance(days=31)
            settle()
        target = f"{path}/instant-payment-url?successUrl=https://shop.example/thanks"
        urls = [shop.call("POST", target, headers={"accept": "text/plain"}).body.decode() for _ in range(2)]
        (number,) = {int(each.partition("/pay/")[2].partition("?")[0]) for each in urls}
        made = shop.get(f"{PATH}/{number}")
        assert (made["state"], made["authorizationAmount"], made["successUrl"]) == (
            "PENDING", 100, "https://shop.example/thanks",
        )  # fmt: skip
        shop.process(number, DECLINED)
        assert shop.get(path)["outstandingAmount"] == 100
        shop.process(number)
        paid = shop.get(path)
        assert (paid["state"], paid["outstandingAmount"]) == ("PAID", 0)
        assert shop.refused("POST", target)[:2] == (422, "state_invalid")

    def test_addresses_to_go_on_to(self, shop: Shop) -> None:
        path = f"{INVOICES}/{invoiced(shop)['id']}/instant-payment-url"
        for name in ("successUrl", "failureUrl"):
            assert shop.refused("POST", f"{path}?{name}=javascript:alert(1)")[::2] == (400, [name])

    def test_overdue(self, shop: Shop, held_clock: HeldClock) -> None:
        late, paid = invoiced(shop), invoiced(shop)
        shop.post(f"{INVOICES}/{paid['id']}/mark-paid")
        held_clock.advance(days=30, seconds=1)
        settle()
        assert shop.get(f"{INVOICES}/{late['id']}")["state"] == "OVERDUE"
        assert shop.get(f"{INVOICES}/{paid['id']}")["state"] == "PAID"
        assert shop.post(f"{INVOICES}/{late['id']}/mark-paid")["state"] == "PAID"

    def test_comments(self, shop: Shop) -> None:
        invoice = invoiced(shop)["id"]
        path = f"{INVOICES}/{invoice}/comments"
        made = shop.call("POST", path, {"transactionInvoice": invoice, "content": "By post"})
        assert (made.status, made.json["pinned"]) == (201, False)
        shop.call("POST", f"{path}/{made.json['id']}/pin")
        assert shop.get(f"{path}/{made.json['id']}")["pinned"] is True


class TestDelivery:
    def indication(self, shop: Shop, number: int) -> dict[str, Any]:
        (found,) = shop.get(f"{DELIVERIES}/search?query=linkedTransaction:{number}")["data"]
        return dict(found)

    @pytest.mark.parametrize(("word", "end"), [("suitable", "FULFILL"), ("not-suitable", "DECLINE")])
    def test_after_completion(self, shop: Shop, word: str, end: str) -> None:
        number = shop.paid(REVIEW)["id"]
        waiting = self.indication(shop, number)
        assert (shop.state(number), waiting["state"]) == ("COMPLETED", "MANUAL_CHECK_REQUIRED")
        after = shop.post(f"{DELIVERIES}/{waiting['id']}/mark-{word}")
        assert (after["state"], after["manuallyDecidedBy"]) == (
            word.upper().replace("-", "_"), shop.merchant.user_id,
        )  # fmt: skip
        assert shop.state(number) == end
        assert shop.refused("POST", f"{DELIVERIES}/{waiting['id']}/mark-suitable")[:2] == (422, "state_invalid")

    @pytest.mark.parametrize(("word", "end"), [("suitable", "FULFILL"), ("not-suitable", "DECLINE")])
    def test_before_completion(self, shop: Shop, word: str, end: str) -> None:
        number = shop.authorised()["id"]
        shop.post(f"{DELIVERIES}/{self.indication(shop, number)['id']}/mark-{word}")
        assert shop.state(number) == "AUTHORIZED"
        shop.post(f"{PATH}/{number}/complete-online")
        assert shop.state(number) == end

    def test_by_itself(self, shop: Shop) -> None:
        decided = self.indication(shop, shop.paid()["id"])
        assert (decided["state"], "version" in decided) == ("SUITABLE", False)
        assert decided["automaticDecisionReason"]["id"] > 0


class TestExport:
    def test_lines(self, shop: Shop) -> None:
        numbers = [shop.create(merchantReference="ex,1")["id"], shop.paid(merchantReference="ex,1")["id"]]
        target = (
            f"{PATH}/export?query=merchantReference:%22ex,1%22&fields=id,merchantReference,state,group&order=id:DESC"
        )
        answer = shop.call("GET", target, headers={"accept": "text/csv"})
        assert (answer.status, answer.headers["content-type"]) == (200, "text/csv")
        rows = list(csv.reader(io.StringIO(answer.body.decode())))
        assert rows[0] == ["id", "merchantReference", "state", "group"]
        assert [(row[0], row[1], row[2]) for row in rows[1:]] == [
            (str(numbers[1]), "ex,1", "FULFILL"), (str(numbers[0]), "ex,1", "PENDING"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("query", "expected"),
        [("fields=lineItems", 400), ("limit=10001", 400), ("offset=100001", 416), ("query=nothing:1", 400), ("", 200)],
    )
    def test_parameters(self, shop: Shop, query: str, expected: int) -> None:
        assert shop.call("GET", f"{PATH}/export?{query}").status == expected


def test_comments(shop: Shop) -> None:
    number = shop.create()["id"]
    path = f"{PATH}/{number}/comments"
    made = shop.call("POST", path, {"transaction": number, "content": "Called"})
    assert (made.status, made.json["createdBy"]) == (201, shop.merchant.user_id)
    assert shop.refused("POST", path, {"transaction": 17, "content": "x"})[2] == ["transaction"]
    assert shop.refused("POST", path, {"transaction": number, "content": "x" * 262_145})[2] == ["content"]
    assert shop.get(path)["data"] == [made.json]
    assert new_shop().refused("GET", path)[0] == 404
