"""Whatever is done to a transaction, in whatever order: its books add up, and agree with the acquirer's."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from payments import line_items
from payments.engine.repository import Objects
from payments.refunds.service import refundable_lines
from payments.resources.refunds import REFUND
from payments.resources.transactions import TRANSACTION_COMPLETION, TRANSACTION_INVOICE
from payments.transactions.models import DONE, operation_reference, remaining_lines
from tests.payments.shops import Shop, settle, table
from tests.payments.transactions.test_deaths import acquirer_says
from tests.support.session import HeldClock

PATH = "/payment/transactions"
ENDINGS = ("0.01", "0.02", "0.03", "0.04", "0.05")
"""Added to 160: captures and refunds that are rejected, pending, unanswered, lost, pending and then rejected."""


def cart(chance: random.Random) -> list[dict[str, Any]]:
    """A few lines, one of them a discount now and then."""
    lines = [
        {"uniqueId": f"l{n}", "name": "Thing", "type": "PRODUCT", "quantity": chance.randint(1, 4),
         "amountIncludingTax": Decimal(chance.randint(10_000, 30_000)) / 100,
         "taxes": [{"rate": Decimal("8.1"), "title": "VAT"}]}
        for n in range(chance.randint(1, 3))
    ]  # fmt: skip
    if chance.random() < 0.3:
        off = Decimal(chance.randint(1, 5_000)) / -100
        lines.append({"uniqueId": "off", "name": "Off", "type": "DISCOUNT", "quantity": 1, "amountIncludingTax": off})
    return lines


def amount_of(chance: random.Random, most: Decimal) -> Decimal:
    """Some amount up to a bound, now and then one that the acquirer does not simply approve."""
    special = Decimal(160) + Decimal(chance.choice(ENDINGS))
    if special <= most and chance.random() < 0.5:
        return special
    return Decimal(chance.randint(1, max(int(most * 100), 1))) / 100


def step(shop: Shop, number: int, chance: random.Random) -> tuple[str, str, Any]:
    """Something that a merchant may do, sensible or not."""
    transaction = shop.stored(number)
    key = f"{number}-{chance.randint(0, 10**9)}"
    kind = chance.choice(["part", "part", "complete", "void", "refund", "refund", "refund", "lines"])
    mode = chance.choice(["online", "online", "online", "offline"])
    left = [each for each in remaining_lines(transaction) if each["type"] == "PRODUCT"] or [None]
    line = chance.choice(left)
    if kind == "part" and line is not None:
        wanted = {"uniqueId": line["uniqueId"], "quantity": line["quantity"]}
        wanted["amount"] = amount_of(chance, line["amountIncludingTax"])
        body = {"externalId": key, "lineItems": [wanted], "lastCompletion": chance.random() < 0.2}
        return "POST", f"{PATH}/{number}/complete-partially-{mode}", body
    if kind == "complete":
        return "POST", f"{PATH}/{number}/complete-{mode}", None
    if kind == "void" and chance.random() < 0.3:
        return "POST", f"{PATH}/{number}/void-{mode}", None
    refund: dict[str, Any] = {"externalId": key, "transaction": number, "type": f"MERCHANT_INITIATED_{mode.upper()}"}
    if kind == "lines" and line is not None:
        pieces = chance.randint(0, int(line["quantity"]))
        part = {"lineItemUniqueId": line["uniqueId"], "quantityReduction": pieces, "unitPriceReduction": pieces == 0}
        refund["reductions"] = [{**part, "unitPriceReduction": int(pieces == 0)}]
    else:
        refund["amount"] = amount_of(chance, Decimal(300))
    return "POST", "/payment/refunds", refund


def objects_of(shop: Shop, resource: Any, field: str, number: int) -> list[Any]:
    objects = Objects(table())
    found = objects.ids(resource, shop.scope, (field, str(number)), 0, 10**16 - 1, False)
    return [objects.read(resource, shop.scope, each) for each in found]


def total(found: list[Any], *states: str) -> Decimal:
    return sum((each.values["amount"] for each in found if each.state in states), Decimal(0))


def check(shop: Shop, number: int) -> None:
    """What is never exceeded is not, and every sum is that of its parts."""
    transaction = shop.stored(number)
    completions = objects_of(shop, TRANSACTION_COMPLETION, "linkedTransaction", number)
    refunds = objects_of(shop, REFUND, "transaction", number)
    kept, values = transaction.attributes, transaction.values
    assert 0 <= kept["refunded"] <= kept["completed"] <= kept["authorised"]
    assert total(completions, "SUCCESSFUL") == values["completedAmount"] == Decimal(kept["completed"]) / 100
    assert total(refunds, "SUCCESSFUL") == values["refundedAmount"]
    assert total(refunds, "SUCCESSFUL", "PENDING") == Decimal(kept["refunded"]) / 100
    invoices = objects_of(shop, TRANSACTION_INVOICE, "linkedTransaction", number)
    assert total(invoices, "PAID", "NOT_APPLICABLE") == values["completedAmount"]
    if transaction.state in DONE:
        assert line_items.total(refundable_lines(transaction), "EUR") == kept["completed"] - kept["refunded"]
    else:
        rest = line_items.total(remaining_lines(transaction), "EUR")
        assert rest == kept["authorised"] - kept["completed"]
        assert refunds == []


@pytest.mark.parametrize("seed", range(5))
def test_books_add_up(shop: Shop, held_clock: HeldClock, seed: int) -> None:
    chance = random.Random(seed)
    number = int(shop.authorised(lineItems=cart(chance))["id"])
    for _ in range(16):
        answer = shop.call(*step(shop, number, chance))
        assert answer.status in {200, 201, 422}, answer.body
        check(shop, number)
        if chance.random() < 0.15:
            held_clock.advance(minutes=chance.choice([1, 10, 200]))
            settle()
            check(shop, number)
    for _ in range(2):
        held_clock.advance(hours=3)
        settle()
    check(shop, number)
    transaction = shop.stored(number)
    for resource, kind, field in (
        (TRANSACTION_COMPLETION, "capture", "linkedTransaction"), (REFUND, "refund", "transaction"),
    ):  # fmt: skip
        for each in objects_of(shop, resource, field, number):
            assert each.state in {"SUCCESSFUL", "FAILED"}
            online = "ONLINE" in (each.values.get("mode") or each.values.get("type", ""))
            said = acquirer_says(shop, transaction, operation_reference(transaction, kind, each.id))
            assert (said == "approved") == (each.state == "SUCCESSFUL" and online)
