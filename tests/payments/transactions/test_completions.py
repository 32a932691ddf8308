"""Completions in whole, in parts, online and offline; voids; and who comes first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.payments.shops import SHIRT, Shop, lines_of

PATH = "/payment/transactions"


def partially(shop: Shop, number: int, mode: str = "online", **members: Any) -> Any:
    return shop.post(f"{PATH}/{number}/complete-partially-{mode}", members)


def part(unique_id: str, quantity: int, amount: int | str) -> dict[str, Any]:
    return {"uniqueId": unique_id, "quantity": quantity, "amount": amount}


def completions(shop: Shop, number: int) -> list[dict[str, Any]]:
    return list(shop.get(f"{PATH}/completions/search?query=linkedTransaction:{number}&order=id")["data"])


def invoices(shop: Shop, number: int) -> list[Any]:
    from payments.engine.repository import Objects
    from payments.resources.transactions import TRANSACTION_INVOICE
    from tests.payments.shops import table

    objects = Objects(table())
    found = objects.ids(TRANSACTION_INVOICE, shop.scope, ("linkedTransaction", str(number)), 0, 10**16 - 1, False)
    return [objects.read(TRANSACTION_INVOICE, shop.scope, each).values for each in found]


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_completed_in_parts(shop: Shop, mode: str) -> None:
    number = shop.authorised()["id"]
    first = partially(shop, number, mode, externalId=f"{number}-1", lineItems=[part("shirt", 1, 40)])
    assert (first["amount"], first["lastCompletion"], first["state"], first["mode"]) == (
        40, False, "SUCCESSFUL", mode.upper(),
    )  # fmt: skip
    now = shop.get(f"{PATH}/{number}")
    assert (now["state"], now["completedAmount"]) == ("AUTHORIZED", 40)
    detailed = shop.get(f"{PATH}/completions/{first['id']}?expand=remainingLineItems,baseLineItems,lineItemVersion")
    assert [(each["uniqueId"], each["amountIncludingTax"]) for each in detailed["remainingLineItems"]] == [
        ("shirt", 40), ("shipping", 20),
    ]  # fmt: skip
    assert detailed["lineItemVersion"]["amount"] == 100
    assert shop.refused("POST", f"{PATH}/{number}/void-{mode}")[:2] == (422, "state_invalid")
    rest = partially(shop, number, mode, externalId=f"{number}-2")
    assert (rest["amount"], rest["lastCompletion"]) == (60, True)
    now = shop.get(f"{PATH}/{number}")
    assert (now["state"], now["completedAmount"]) == ("FULFILL", 100)
    assert [each["amount"] for each in invoices(shop, number)] == [40, 60]


def test_the_last_completion_may_leave_a_rest(shop: Shop) -> None:
    number = shop.authorised()["id"]
    last = partially(shop, number, externalId=f"{number}", lineItems=[part("shirt", 1, 40)], lastCompletion=True)
    assert last["lastCompletion"] is True
    now = shop.get(f"{PATH}/{number}")
    assert (now["state"], now["completedAmount"]) == ("FULFILL", 40)
    assert shop.refused("POST", f"{PATH}/{number}/complete-partially-online", {"externalId": f"{number}-more"})[:2] == (
        422, "state_invalid",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([part("shirt", 3, 80)], "lineItems[0].quantity"),
        ([part("shirt", 2, "80.01")], "lineItems[0].amount"),
        ([part("shirt", 2, -1)], "lineItems[0].amount"),
        ([part("shirt", 0, 1)], "lineItems[0].quantity"),
        ([part("hat", 1, 1)], "lineItems[0].uniqueId"),
        ([part("shirt", 1, 1), part("shirt", 1, 1)], "lineItems[1].uniqueId"),
        ([part("shirt", 1, 0)], "lineItems"),
    ],
)
def test_more_than_remains(shop: Shop, lines: list[Any], error: str) -> None:
    number = shop.authorised()["id"]
    body = {"externalId": f"{number}", "lineItems": lines}
    refused = shop.refused("POST", f"{PATH}/{number}/complete-partially-online", body)
    assert (refused[0], refused[2]) == (422, [error])
    assert completions(shop, number) == []
    assert shop.post(f"{PATH}/{number}/complete-online")["amount"] == 100


def test_a_discount_is_due_with_what_it_is_for(shop: Shop) -> None:
    """Lines alone may come to more than was authorised; and where nothing is left to complete, that was the last."""
    off = {"uniqueId": "off", "name": "Off", "type": "DISCOUNT", "quantity": 1, "amountIncludingTax": -30}
    number = shop.authorised(lineItems=[SHIRT, off])["id"]
    path = f"{PATH}/{number}/complete-partially-online"
    assert shop.refused("POST", path, {"externalId": f"{number}", "lineItems": [part("shirt", 2, 51)]})[2] == [
        "lineItems"
    ]
    made = partially(shop, number, externalId=f"{number}", lineItems=[part("shirt", 1, 50)])
    assert (made["lastCompletion"], shop.state(number)) == (True, "FULFILL")


def test_the_same_external_id_again(shop: Shop) -> None:
    number = shop.authorised()["id"]
    body = {"externalId": f"{number}", "lineItems": [part("shirt", 1, 40)]}
    first = partially(shop, number, **body)
    assert partially(shop, number, **body) == first
    refused = shop.refused("POST", f"{PATH}/{number}/complete-partially-online", {"externalId": f"{number}"})
    assert refused[:2] == (409, "external_id_reused")
    assert len(completions(shop, number)) == 1


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_voids(shop: Shop, mode: str) -> None:
    number = shop.authorised()["id"]
    made = shop.post(f"{PATH}/{number}/void-{mode}?expand=transaction")
    assert (made["state"], made["mode"], made["transaction"]["state"]) == ("SUCCESSFUL", mode.upper(), "VOIDED")
    assert shop.get(f"{PATH}/voids/{made['id']}")["linkedTransaction"] == number
    for operation in (f"void-{mode}", "complete-online", "complete-offline"):
        assert shop.refused("POST", f"{PATH}/{number}/{operation}")[:2] == (422, "state_invalid")
    assert shop.get(f"{PATH}/{number}?expand=group")["group"]["state"] == "FAILED"


@pytest.mark.parametrize("operation", ["complete-online", "complete-offline", "void-online", "void-offline"])
def test_nothing_to_complete_or_void(shop: Shop, operation: str) -> None:
    number = shop.create()["id"]
    assert shop.refused("POST", f"{PATH}/{number}/{operation}")[:2] == (422, "state_invalid")
    assert shop.refused("POST", f"{PATH}/17/{operation}")[0] == 404


def test_a_capture_that_is_refused_leaves_the_authorisation(shop: Shop) -> None:
    number = shop.authorised(lineItems=lines_of("200"))["id"]
    failed = partially(shop, number, externalId=f"{number}", lineItems=[part("shipping", 1, "160.01")])
    assert (failed["state"], failed["failureReason"]["id"]) == ("FAILED", 1460954915014)
    assert shop.state(number) == "AUTHORIZED"
    assert shop.post(f"{PATH}/{number}/complete-online")["state"] == "SUCCESSFUL"
    assert shop.get(f"{PATH}/{number}")["completedAmount"] == 200


def test_invoices_are_paid_later(shop: Shop) -> None:
    """Without a card nothing is charged; the buyer gets an invoice."""
    from payments.connectors import INVOICE_METHOD

    methods = shop.get("/payment/method-configurations?limit=100")["data"]
    (method,) = [each["id"] for each in methods if each["paymentMethod"]["id"] == INVOICE_METHOD]
    number = shop.create(allowedPaymentMethodConfigurations=[method])["id"]
    assert shop.post(f"{PATH}/{number}/process-without-interaction")["state"] == "FULFILL"
    (invoice,) = invoices(shop, number)
    assert (invoice["state"], invoice["outstandingAmount"]) == ("OPEN", 100)


class TestRaces:
    """Of everything that moves the same money, one wins."""

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        barrier, answers = threading.Barrier(len(calls)), [None] * len(calls)

        def run(n: int) -> None:
            barrier.wait()
            answers[n] = calls[n]()

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_complete_or_void(self, shop: Shop) -> None:
        for _ in range(4):
            number = shop.authorised()["id"]
            completed, voided = self.together(
                lambda number=number: shop.call("POST", f"{PATH}/{number}/complete-online"),  # type: ignore[misc]
                lambda number=number: shop.call("POST", f"{PATH}/{number}/void-online"),  # type: ignore[misc]
            )
            assert sorted([completed.status, voided.status]) == [200, 422]
            winner = completed if completed.status == 200 else voided
            assert winner.json["state"] == "SUCCESSFUL"
            assert shop.state(number) == ("FULFILL" if completed.status == 200 else "VOIDED")

    def test_one_external_id_completes_once(self, shop: Shop) -> None:
        number = shop.authorised()["id"]
        body = {"externalId": f"{number}", "lineItems": [part("shirt", 1, 40)]}
        calls = [lambda: shop.call("POST", f"{PATH}/{number}/complete-partially-online", body)] * 4
        answers = self.together(*calls)
        assert {answer.status for answer in answers} == {200}
        assert len({answer.json["id"] for answer in answers}) == 1
        assert shop.get(f"{PATH}/{number}")["completedAmount"] == 40

    def test_paid_once(self, shop: Shop) -> None:
        from tests.payments.shops import card

        number = shop.create()["id"]
        calls = [lambda: shop.call("POST", f"{PATH}/{number}/process-card-details", card())] * 4
        answers = self.together(*calls)
        assert sorted(answer.status for answer in answers) == [200, 422, 422, 422]
        assert len(shop.get(f"/payment/charge-attempts/search?query=linkedTransaction:{number}")["data"]) == 1
