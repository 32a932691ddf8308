"""The largest cart, through its life: what is authorised can be completed and paid back, however much it says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from payments import line_items
from payments.line_items import LineItemsInvalid
from payments.transactions.service.drafts import require_room
from tests.payments.shops import Shop
from tollgate import ids

PATH = "/payment/transactions"
LINES: list[dict[str, Any]] = [
    {"uniqueId": f"line-{n:04d}-{'x' * 90}", "name": f"Item {n} {'n' * 60}", "type": "PRODUCT", "quantity": 3,
     "amountIncludingTax": 3, "taxes": [{"rate": "8.1", "title": "VAT"}], "sku": f"sku-{n}"}
    for n in range(1000)
]  # fmt: skip


def test_a_thousand_lines(shop: Shop) -> None:
    number = shop.authorised(lineItems=LINES)["id"]
    parts = [{"uniqueId": each["uniqueId"], "quantity": 1, "amount": 1} for each in LINES]
    body: dict[str, Any] = {"externalId": "large", "lineItems": parts, "lastCompletion": True}
    done = shop.post(f"{PATH}/{number}/complete-partially-online", body)
    assert (done["state"], done["amount"], len(done["lineItems"])) == ("SUCCESSFUL", 1000, 1000)
    kind = "MERCHANT_INITIATED_ONLINE"
    reductions = [{"lineItemUniqueId": LINES[7]["uniqueId"], "quantityReduction": 1, "unitPriceReduction": 0}]
    body = {"externalId": "large", "transaction": number, "type": kind, "reductions": reductions}
    refund = shop.call("POST", "/payment/refunds", body)
    assert (refund.status, refund.json["amount"]) == (201, 1)
    assert shop.get(f"{PATH}/{number}")["refundedAmount"] == 1


def test_a_cart_that_could_not_be_completed_is_refused_at_once() -> None:
    attributes = {str(n): {"label": ids.new_secret(300), "value": ids.new_secret(300)} for n in range(40)}
    lines = [{**each, "attributes": attributes} for each in LINES[:3]]
    kept = line_items.expanded(lines, "EUR")
    require_room(kept)
    own = [{**each, "attributes": {"a": {"label": "l", "value": ids.new_secret(380)}}} for each in LINES]
    with pytest.raises(LineItemsInvalid):
        require_room(line_items.expanded(own, "EUR"))


def test_parts_are_small_and_come_back_as_they_were() -> None:
    lines = line_items.expanded(LINES[:20], "EUR")
    some = [line_items.with_amount(each, 150, Decimal("1.5"), "EUR") for each in lines[3:9:2]]
    stored = line_items.as_parts(lines, some, "EUR")
    assert stored[0] == [3, 150, Decimal("1.5")]
    assert line_items.parts_from(lines, stored, "EUR") == some
