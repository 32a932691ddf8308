"""Refunds through the door: by amount, by line, in whole; never more than was completed, whatever happens meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from payments.connectors import INVOICE_METHOD
from tests.payments.shops import Shop, lines_of, settle
from tests.support.session import HeldClock
from tollgate import ids

PATH = "/payment/refunds"
ONLINE = "MERCHANT_INITIATED_ONLINE"
OFFLINE = "MERCHANT_INITIATED_OFFLINE"


def body(number: int | None, **members: Any) -> dict[str, Any]:
    return {"externalId": ids.new_uuid(), "type": ONLINE, "transaction": number, **members}


def refund(shop: Shop, number: int, **members: Any) -> dict[str, Any]:
    answer = shop.call("POST", PATH, body(number, **members))
    assert answer.status == 201, answer.body
    return dict(answer.json)


def reduction(name: str, quantity: int | str, price: int | str = 0) -> dict[str, Any]:
    return {"lineItemUniqueId": name, "quantityReduction": quantity, "unitPriceReduction": price}


def refunded(shop: Shop, number: int) -> Any:
    return shop.get(f"/payment/transactions/{number}")["refundedAmount"]


@pytest.mark.parametrize("kind", [ONLINE, OFFLINE, "CUSTOMER_INITIATED_MANUAL"])
def test_an_amount(shop: Shop, kind: str) -> None:
    number = shop.paid()["id"]
    made = refund(shop, number, amount=Decimal("10.10"), type=kind, merchantReference="r-1", metaData={"a": "b"})
    assert (made["state"], made["amount"], made["type"]) == ("SUCCESSFUL", 10.1, kind)
    assert (made["transaction"], made["createdBy"]) == ({"id": number}, shop.merchant.user_id)
    assert refunded(shop, number) == 10.1
    whole = shop.get(f"{PATH}/{made['id']}?expand=transaction,metaData,reducedLineItems,baseLineItems")
    assert (whole["transaction"]["state"], whole["metaData"]) == ("FULFILL", {"a": "b"})
    assert sum(Decimal(str(each["amountIncludingTax"])) for each in whole["reducedLineItems"]) == Decimal("89.90")
    found = shop.get(f"{PATH}/search?query=transaction:{number}%20state:SUCCESSFUL")["data"]
    assert [each["id"] for each in found] == [made["id"]]


def test_lines(shop: Shop) -> None:
    number = shop.paid()["id"]
    first = refund(shop, number, reductions=[reduction("shirt", 1)], amount=40)
    assert [(each["uniqueId"], each["quantity"]) for each in first["lineItems"]] == [("shirt", 1)]
    second = refund(shop, number, reductions=[reduction("shirt", 0, 5), reduction("shipping", 1)])
    assert second["amount"] == 25
    rest = refund(shop, number)
    assert rest["amount"] == 35
    assert refunded(shop, number) == 100
    assert shop.refused("POST", PATH, body(number))[0] == 422


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"amount": 101}, "amount"),
        ({"amount": "100.01"}, "amount"),
        ({"amount": "0.001"}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"reductions": [reduction("hat", 1)]}, "reductions[0].lineItemUniqueId"),
        ({"reductions": [reduction("shirt", 3)]}, "reductions[0].quantityReduction"),
        ({"reductions": [reduction("shirt", -1)]}, "reductions[0].quantityReduction"),
        ({"reductions": [reduction("shirt", 0, 41)]}, "reductions[0]"),
        ({"reductions": [reduction("shirt", 1), reduction("shirt", 1)]}, "reductions[1].lineItemUniqueId"),
        ({"reductions": [reduction("shirt", 1)], "amount": 41}, "amount"),
        ({"reductions": [reduction("shirt", 0)]}, "reductions"),
        ({"transaction": 17}, "transaction"),
        ({"transaction": None}, "transaction"),
        ({"completion": 17}, "completion"),
        ({"type": "CUSTOMER_INITIATED_AUTOMATIC"}, "type"),
        ({"type": "GIFT"}, "type"),
        ({"externalId": ""}, "externalId"),
    ],
)
def test_refunds_that_are_refused(shop: Shop, members: dict[str, Any], error: str) -> None:
    number = shop.paid()["id"]
    status, _, errors = shop.refused("POST", PATH, {**body(number), **members})
    assert (status, errors) == (422, [error])
    assert refunded(shop, number) == 0


def test_discounts_count(shop: Shop) -> None:
    """What a discount took off cannot be paid back, and a discount itself cannot be refunded."""
    from tests.payments.shops import SHIRT

    discount = {"uniqueId": "off", "name": "Off", "type": "DISCOUNT", "quantity": 1, "amountIncludingTax": -30}
    number = shop.paid(lineItems=[SHIRT, discount])["id"]
    assert shop.refused("POST", PATH, body(number, reductions=[reduction("off", 1)]))[2] == [
        "reductions[0].lineItemUniqueId"
    ]
    assert shop.refused("POST", PATH, body(number, reductions=[reduction("shirt", 2)]))[0] == 422
    assert refund(shop, number, reductions=[reduction("shirt", 1)])["amount"] == 40
    assert refund(shop, number)["amount"] == 10
    assert refunded(shop, number) == 50


def test_nothing_was_completed_yet(shop: Shop) -> None:
    for number in (shop.create()["id"], shop.authorised()["id"]):
        assert shop.refused("POST", PATH, body(number))[:2] == (422, "state_invalid")


def test_only_what_was_completed(shop: Shop) -> None:
    number = shop.authorised()["id"]
    made = shop.post(
        f"/payment/transactions/{number}/complete-partially-online",
        {"externalId": f"{number}", "lineItems": [{"uniqueId": "shirt", "quantity": 1, "amount": 40}],
         "lastCompletion": True},
    )  # fmt: skip
    assert shop.refused("POST", PATH, body(number, amount=41))[2] == ["amount"]
    assert refund(shop, number, transaction=None, completion=made["id"])["amount"] == 40


def test_a_completion_is_not_paid_back_twice(shop: Shop) -> None:
    number = shop.authorised(lineItems=lines_of("300"))["id"]
    target = f"/payment/transactions/{number}/complete-partially-online"
    parts = [
        shop.post(target, {"externalId": f"{number}-{n}", "lineItems": [{"uniqueId": "shipping", "quantity": 1,
                                                                         "amount": amount}]})["id"]
        for n, amount in enumerate((100, 200))
    ]  # fmt: skip
    assert refund(shop, number, completion=parts[0], amount=60)["amount"] == 60
    assert shop.refused("POST", PATH, body(number, completion=parts[0], amount=41))[2] == ["completion"]
    failed = refund(shop, number, completion=parts[1], amount="160.01")
    assert failed["state"] == "FAILED"
    assert refund(shop, number, completion=parts[0])["amount"] == 40
    assert shop.refused("POST", PATH, body(number, completion=parts[0]))[0] == 422
    assert refund(shop, number, completion=parts[1])["amount"] == 200
    assert refunded(shop, number) == 300


def test_the_same_external_id_again(shop: Shop) -> None:
    number = shop.paid()["id"]
    same = body(number, amount=10)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: shop.call("POST", PATH, same), range(4)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert refunded(shop, number) == 10
    assert shop.call("POST", PATH, same).headers["x-replayed"] == "true"
    assert shop.refused("POST", PATH, {**same, "amount": 11})[:2] == (409, "external_id_reused")


def test_refunds_at_one_moment_never_exceed_the_total(shop: Shop) -> None:
    number = shop.paid()["id"]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: shop.call("POST", PATH, body(number, amount=30)), range(12)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [422] * 9
    assert {answer.json["state"] for answer in answers if answer.status == 201} == {"SUCCESSFUL"}
    assert refunded(shop, number) == 90
    assert refund(shop, number)["amount"] == 10


def test_a_refund_that_fails_puts_its_lines_back(shop: Shop) -> None:
    number = shop.paid(lineItems=lines_of("200"))["id"]
    failed = refund(shop, number, amount="160.01")
    assert (failed["state"], failed["failureReason"]["id"]) == ("FAILED", 1460954915014)
    assert refunded(shop, number) == 0
    assert refund(shop, number)["amount"] == 200


@pytest.mark.parametrize(("amount", "expected"), [("160.02", 160.02), ("160.03", 160.03), ("160.04", 0)])
def test_outcomes_that_are_open(shop: Shop, held_clock: HeldClock, amount: str, expected: float) -> None:
    """Pending, unanswered, lost on the way: the money is taken as spoken for until it is known."""
    number = shop.paid(lineItems=lines_of("300"))["id"]
    made = refund(shop, number, amount=amount)
    assert (made["state"], refunded(shop, number)) == ("PENDING", 0)
    assert shop.refused("POST", PATH, body(number, amount=140))[2] == ["amount"]
    held_clock.advance(days=1)
    settle()
    settle()
    assert shop.get(f"{PATH}/{made['id']}")["state"] == ("SUCCESSFUL" if expected else "FAILED")
    assert refunded(shop, number) == expected


@pytest.mark.parametrize("word", ["succeeded", "failed"])
def test_somebody_decides_where_no_card_was_charged(shop: Shop, word: str) -> None:
    methods = shop.get("/payment/method-configurations?limit=100")["data"]
    (method,) = [each["id"] for each in methods if each["paymentMethod"]["id"] == INVOICE_METHOD]
    number = shop.create(allowedPaymentMethodConfigurations=[method])["id"]
    shop.post(f"/payment/transactions/{number}/process-without-interaction")
    made = refund(shop, number, amount=40)
    assert made["state"] == "MANUAL_CHECK"
    after = shop.post(f"{PATH}/{made['id']}/mark-{word}")
    assert after["state"] == {"succeeded": "SUCCESSFUL", "failed": "FAILED"}[word]
    assert refunded(shop, number) == (40 if word == "succeeded" else 0)
    assert shop.refused("POST", f"{PATH}/{made['id']}/mark-{word}")[:2] == (422, "state_invalid")
    assert refund(shop, number, type=OFFLINE)["amount"] == (60 if word == "succeeded" else 100)


def test_a_stranger_sees_nothing(shop: Shop) -> None:
    from tests.payments.shops import new_shop

    number = shop.paid()["id"]
    made = refund(shop, number, amount=10)
    other = new_shop()
    assert other.refused("GET", f"{PATH}/{made['id']}")[0] == 404
    assert other.refused("POST", f"{PATH}/{made['id']}/mark-failed")[0] == 404
    assert other.refused("POST", PATH, body(number))[2] == ["transaction"]
    assert other.refused("GET", f"{PATH}/{made['id']}/comments")[0] == 404


def test_comments(shop: Shop) -> None:
    made = refund(shop, shop.paid()["id"], amount=10)
    path = f"{PATH}/{made['id']}/comments"
    answer = shop.call("POST", path, {"refund": made["id"], "content": "Came back worn"})
    assert answer.status == 201
    comment = f"{path}/{answer.json['id']}"
    assert (answer.json["createdBy"], answer.json["pinned"]) == (shop.merchant.user_id, False)
    assert shop.call("POST", f"{comment}/pin").status == shop.call("POST", f"{comment}/pin").status == 204
    assert shop.get(f"{path}/search?query=pinned:true")["data"][0]["id"] == answer.json["id"]
    edited = shop.call("PATCH", comment, {"version": 2, "content": "Came back torn"}).json
    assert (edited["content"], edited["editedBy"]) == ("Came back torn", shop.merchant.user_id)
    assert shop.call("POST", f"{comment}/unpin").status == 204
    assert [shop.call("DELETE", comment).status for _ in range(2)] == [204, 404]
