"""Bookings: what a bank would report, and what it stands for, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from payments.banking import public as banking
from payments.engine.routes import Engine
from payments.gateway.handler import ROUTES
from tests.payments.shops import Shop, new_shop, table
from tests.support.faults import deaths
from tollgate import aws, ids

BASE = "/payment/bank-transactions"


def booking(kind: str = "EXTERNAL_TRANSFER", **members: Any) -> dict[str, Any]:
    own = {"type": kind, "externalId": ids.new_uuid(), "currency": "EUR", "amount": Decimal("10.50")}
    return {**own, **members}


def book(shop: Shop, body: dict[str, Any]) -> dict[str, Any]:
    answer = shop.call("POST", f"{BASE}/simulate", body)
    assert answer.status == 201, answer.body
    return dict(answer.json)


def one(shop: Shop, path: str) -> dict[str, Any]:
    (found,) = shop.get(path)["data"]
    return dict(found)


def test_a_transfer_from_outside() -> None:
    shop = new_shop()
    made = book(shop, booking(externalBankName="Bank", externalAccountIdentifier="CH93", reference="r-1"))
    assert made.items() >= {
        "flowDirection": "OUTFLOW", "postingAmount": 10.5, "valueAmount": 10.5, "state": "SETTLED", "reference": "r-1",
        "totalAdjustmentAmountIncludingTax": 0,
    }.items()  # fmt: skip
    meaning = one(shop, f"{BASE}/external-transfers")
    assert (meaning["bankTransaction"], meaning["externalBankName"]) == ({"id": made["id"]}, "Bank")
    account = one(shop, "/payment/currency-bank-accounts?expand=bankAccount")
    assert made["currencyBankAccount"] == {"id": account["id"]}
    assert (account["currency"], account["bankAccount"]["state"]) == ("EUR", "ACTIVE")
    assert one(shop, "/payment/bank-accounts/search?query=state:ACTIVE")["id"] == account["bankAccount"]["id"]
    assert shop.get(f"{BASE}/{made['id']}") == made
    expanded = shop.get(f"{BASE}/external-transfers/{meaning['id']}?expand=bankTransaction.currencyBankAccount")
    assert expanded["bankTransaction"]["currencyBankAccount"]["currency"] == "EUR"


def test_between_own_accounts(shop: Shop) -> None:
    source = book(shop, booking())
    target = book(shop, booking("INTERNAL_TRANSFER", sourceBankTransaction=source["id"]))
    found = one(shop, f"{BASE}/internal-transfers/search?query=targetBankTransaction:{target['id']}")
    assert (found["sourceBankTransaction"]["id"], target["flowDirection"]) == (source["id"], "INFLOW")


def test_a_charge_and_a_refund_that_arrive(shop: Shop) -> None:
    number = shop.paid()["id"]
    completion = one(shop, f"/payment/transactions/completions/search?query=linkedTransaction:{number}")
    made = book(shop, booking("CHARGE", completion=completion["id"], amount=100))
    charge = one(shop, f"{BASE}/charges/search?query=bankTransaction:{made['id']}&expand=transaction")
    assert (charge["transaction"]["id"], charge["transaction"]["state"]) == (number, "FULFILL")
    assert (charge["completion"]["id"], charge["transactionCurrencyAmount"]) == (completion["id"], 100)
    refund = shop.call(
        "POST", "/payment/refunds",
        {"externalId": "r", "type": "MERCHANT_INITIATED_ONLINE", "transaction": number, "amount": 40},
    ).json  # fmt: skip
    out = book(shop, booking("REFUND", refund=refund["id"], amount=40))
    back = book(shop, booking("REFUND_RECOVERY", refund=refund["id"], amount=40))
    assert [each["flowDirection"] for each in (out, back)] == ["OUTFLOW", "INFLOW"]
    assert one(shop, f"{BASE}/refunds/search?query=refund:{refund['id']}")["linkedTransaction"] == number
    recovery = one(shop, f"{BASE}/refund-recoveries/search?query=refund:{refund['id']}")
    assert recovery["lineItems"]


def test_the_same_booking_is_booked_once(shop: Shop) -> None:
    body = booking()
    with ThreadPoolExecutor(4) as executor:
        made = list(executor.map(lambda _: book(shop, body)["id"], range(4)))
    assert len(set(made)) == 1
    refused = shop.refused("POST", f"{BASE}/simulate", {**body, "amount": 11})
    assert refused[:2] == (409, "external_id_reused")
    assert len(shop.get(f"{BASE}/external-transfers/search?query=bankTransaction:{made[0]}")["data"]) == 1


def test_a_death_leaves_a_booking_whole_or_none() -> None:
    shop, body = new_shop(), booking(currency="CHF")
    for death in deaths(aws.dynamodb(), lambda: book(shop, body)):
        bookings = shop.get(BASE)["data"]
        meanings = shop.get(f"{BASE}/external-transfers")["data"]
        assert len(bookings) == len(meanings) <= 1, death
        accounts = shop.get("/payment/currency-bank-accounts")["data"]
        assert len(accounts) == len(shop.get("/payment/bank-accounts")["data"]) <= 1, death
    assert len(shop.get(BASE)["data"]) == 1


@pytest.mark.parametrize(
    ("members", "status", "errors"),
    [
        ({"type": "OTHER"}, 422, ["type"]),
        ({"amount": 0}, 422, ["amount"]),
        ({"amount": Decimal("1.001")}, 422, ["amount"]),
        ({"amount": -1}, 422, ["amount"]),
        ({"currency": "XXQ"}, 422, ["currency"]),
        ({"externalId": None}, 400, ["externalId"]),
        ({"type": "CHARGE"}, 422, ["completion"]),
        ({"type": "CHARGE", "completion": 17}, 422, ["completion"]),
        ({"type": "REFUND", "refund": 17}, 422, ["refund"]),
        ({"type": "INTERNAL_TRANSFER", "sourceBankTransaction": 17}, 422, ["sourceBankTransaction"]),
    ],
)
def test_refused(shop: Shop, members: dict[str, Any], status: int, errors: list[str]) -> None:
    refused = shop.refused("POST", f"{BASE}/simulate", booking(**members))
    assert (refused[0], refused[2]) == (status, errors)


def test_no_more_than_was_completed(shop: Shop) -> None:
    number = shop.paid()["id"]
    completion = one(shop, f"/payment/transactions/completions/search?query=linkedTransaction:{number}")
    body = booking("CHARGE", completion=completion["id"], amount=Decimal("100.01"))
    assert shop.refused("POST", f"{BASE}/simulate", body)[2] == ["amount"]


def test_simulated_in_a_sandbox_only() -> None:
    from payments.engine.repository import Objects

    path = "/api/v2.0/payment/bank-transactions/simulate"
    assert path in {each.path for each in ROUTES}
    engine = Engine(Objects(table()))
    assert path not in {each.path for each in banking.routes(engine, is_sandbox=False)}
