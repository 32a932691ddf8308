"""Line items, taxes, completions and refunds: exact to the minor unit, whatever the currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments import amounts, line_items
from payments.line_items import LineItemsInvalid


def line(unique_id: str = "a", amount: str = "10.00", **changes: Any) -> dict[str, Any]:
    return {
        "uniqueId": unique_id, "name": "Thing", "type": "PRODUCT", "quantity": Decimal(1),
        "amountIncludingTax": Decimal(amount), **changes,
    }  # fmt: skip


def paths(refused: pytest.ExceptionInfo[LineItemsInvalid]) -> list[str]:
    return [fault.path for fault in refused.value.faults]


class TestDerivedMembers:
    def test_of_one_rate(self) -> None:
        (made,) = line_items.expanded(
            [line(amount="108.00", quantity=Decimal(4), taxes=[{"title": "VAT", "rate": Decimal(8)}])], "CHF"
        )
        assert made["amountExcludingTax"] == Decimal("100.00")
        assert made["taxAmount"] == Decimal("8.00")
        assert made["aggregatedTaxRate"] == Decimal(8)
        assert (made["unitPriceIncludingTax"], made["unitPriceExcludingTax"]) == (Decimal(27), Decimal(25))
        assert made["taxAmountPerUnit"] == Decimal(2)

    def test_of_several_rates_net_and_tax_add_up(self) -> None:
        taxes = [{"title": "VAT", "rate": Decimal("7.7")}, {"title": "City", "rate": Decimal("0.8")}]
        (made,) = line_items.expanded([line(amount="29.95", taxes=taxes)], "EUR")
        assert made["aggregatedTaxRate"] == Decimal("8.5")
        assert made["amountExcludingTax"] == Decimal("27.60")
        assert made["amountExcludingTax"] + made["taxAmount"] == Decimal("29.95")

    def test_unit_prices_have_eight_places(self) -> None:
        (made,) = line_items.expanded([line(amount="10.00", quantity=Decimal(3))], "EUR")
        assert made["unitPriceIncludingTax"] == Decimal("3.33333333")

    def test_of_a_discount_inside_a_line(self) -> None:
        (made,) = line_items.expanded([line(amount="90.00", discountIncludingTax=Decimal("10.00"))], "EUR")
        assert made["undiscountedAmountIncludingTax"] == Decimal("100.00")

    @pytest.mark.parametrize(("currency", "amount", "net"), [("JPY", "1080", "982"), ("BHD", "1.080", "0.982")])
    def test_are_rounded_to_the_currency(self, currency: str, amount: str, net: str) -> None:
        (made,) = line_items.expanded([line(amount=amount, taxes=[{"title": "Tax", "rate": Decimal(10)}])], currency)
        assert made["amountExcludingTax"] == Decimal(net)


class TestRefusals:
    @pytest.mark.parametrize(
        ("currency", "amount"), [("JPY", "1.5"), ("CHF", "1.005"), ("BHD", "1.0005"), ("EUR", "NaN"), ("EUR", "1E+30")]
    )
    def test_places_and_size_of_an_amount(self, currency: str, amount: str) -> None:
        with pytest.raises(LineItemsInvalid) as refused:
            line_items.expanded([line(amount=amount)], currency)
        assert paths(refused) == ["$.lineItems[0].amountIncludingTax"]

    def test_places_that_are_nought_are_no_places(self) -> None:
        (made,) = line_items.expanded([line(amount="5.000")], "JPY")
        assert made["amountIncludingTax"] == Decimal(5)

    @pytest.mark.parametrize(
        ("lines", "path"),
        [
            ([], "$.lineItems"),
            ([line("a", "10"), line("d", "-11", type="DISCOUNT")], "$.lineItems"),
            ([line("a", "-1")], "$.lineItems[0].amountIncludingTax"),
            ([line("a", "1", type="DISCOUNT")], "$.lineItems[0].amountIncludingTax"),
            ([line("a"), line("a")], "$.lineItems[1].uniqueId"),
            ([line(quantity=Decimal(0))], "$.lineItems[0].quantity"),
            ([line(quantity=Decimal(-1))], "$.lineItems[0].quantity"),
            ([line(taxes=[{"title": "VAT", "rate": Decimal("100.01")}])], "$.lineItems[0].taxes[0].rate"),
            ([line(taxes=[{"title": "VAT", "rate": Decimal(-1)}])], "$.lineItems[0].taxes[0].rate"),
            ([line(discountIncludingTax=Decimal(-1))], "$.lineItems[0].discountIncludingTax"),
        ],
    )
    def test_name_their_place(self, lines: list[dict[str, Any]], path: str) -> None:
        with pytest.raises(LineItemsInvalid) as refused:
            line_items.expanded(lines, "EUR")
        assert paths(refused) == [path]

    def test_allow_a_rate_of_a_hundred_and_a_total_of_nothing(self) -> None:
        made = line_items.expanded(
            [line("a", "10", taxes=[{"title": "VAT", "rate": Decimal(100)}]), line("d", "-10", type="DISCOUNT")], "EUR"
        )
        assert line_items.total(made, "EUR") == 0
        assert made[0]["taxAmount"] == Decimal("5.00")


class TestCompletion:
    lines = line_items.expanded([line("a", "30.00", quantity=Decimal(3)), line("b", "5.00")], "EUR")

    def test_of_everything(self) -> None:
        split = line_items.completed(self.lines, None, "EUR")
        assert (split.taken, split.remaining) == (self.lines, [])

    def test_of_a_part(self) -> None:
        split = line_items.completed(
            self.lines, [{"uniqueId": "a", "quantity": Decimal(1), "amount": Decimal("10.00")}], "EUR"
        )
        assert line_items.total(split.taken, "EUR") == 1000
        assert [(each["uniqueId"], each["quantity"]) for each in split.remaining] == [("a", 2), ("b", 1)]
        assert line_items.total(split.remaining, "EUR") == 2500

    @pytest.mark.parametrize(
        ("wanted", "path"),
        [
            ({"uniqueId": "x", "quantity": Decimal(1), "amount": Decimal(1)}, "$.lineItems[0].uniqueId"),
            ({"uniqueId": "a", "quantity": Decimal(1), "amount": Decimal("30.01")}, "$.lineItems[0].amount"),
            ({"uniqueId": "a", "quantity": Decimal(1), "amount": Decimal("-1")}, "$.lineItems[0].amount"),
            ({"uniqueId": "a", "quantity": Decimal(4), "amount": Decimal(1)}, "$.lineItems[0].quantity"),
            ({"uniqueId": "a", "quantity": Decimal(0), "amount": Decimal(1)}, "$.lineItems[0].quantity"),
        ],
    )
    def test_of_more_than_there_is(self, wanted: dict[str, Any], path: str) -> None:
        with pytest.raises(LineItemsInvalid) as refused:
            line_items.completed(self.lines, [wanted], "EUR")
        assert paths(refused) == [path]

    def test_of_a_line_named_twice(self) -> None:
        part = {"uniqueId": "a", "quantity": Decimal(1), "amount": Decimal(20)}
        with pytest.raises(LineItemsInvalid):
            line_items.completed(self.lines, [part, part], "EUR")


class TestRefund:
    lines = line_items.expanded(
        [line("a", "30.00", quantity=Decimal(3)), line("b", "5.00"), line("d", "-3.50", type="DISCOUNT")], "EUR"
    )

    def test_by_pieces_and_price(self) -> None:
        reduction = {"lineItemUniqueId": "a", "quantityReduction": Decimal(1), "unitPriceReduction": Decimal("2.50")}
        split = line_items.reduced(self.lines, [reduction], 1500, "EUR")
        assert line_items.total(split.taken, "EUR") == 1500
        assert line_items.total(split.remaining, "EUR") == 1650

    def test_by_an_amount_spreads_it(self) -> None:
        split = line_items.reduced(self.lines, None, 700, "EUR")
        assert [(each["uniqueId"], each["amountIncludingTax"]) for each in split.taken] == [
            ("a", Decimal("6.00")), ("b", Decimal("1.00")),
        ]  # fmt: skip

    def test_of_everything(self) -> None:
        split = line_items.reduced(self.lines, None, None, "EUR")
        assert (line_items.total(split.taken, "EUR"), split.remaining) == (3150, [])

    def test_that_disagrees_with_its_amount(self) -> None:
        reduction = {"lineItemUniqueId": "b", "quantityReduction": Decimal(1), "unitPriceReduction": Decimal(0)}
        with pytest.raises(LineItemsInvalid) as refused:
            line_items.reduced(self.lines, [reduction], 400, "EUR")
        assert paths(refused) == ["$.amount"]

    @pytest.mark.parametrize(
        ("unique_id", "pieces", "price", "path"),
        [
            ("x", "1", "0", "$.reductions[0].lineItemUniqueId"),
            ("d", "1", "0", "$.reductions[0].lineItemUniqueId"),
            ("a", "4", "0", "$.reductions[0].quantityReduction"),
            ("a", "-1", "0", "$.reductions[0].quantityReduction"),
            ("a", "0", "-1", "$.reductions[0].unitPriceReduction"),
            ("a", "1", "10.01", "$.reductions[0]"),
            ("a", "0", "0", "$.reductions"),
        ],
    )
    def test_of_what_is_not_there(self, unique_id: str, pieces: str, price: str, path: str) -> None:
        reduction = {
            "lineItemUniqueId": unique_id, "quantityReduction": Decimal(pieces), "unitPriceReduction": Decimal(price)
        }  # fmt: skip
        with pytest.raises(LineItemsInvalid) as refused:
            line_items.reduced(self.lines, [reduction], None, "EUR")
        assert paths(refused) == [path]

    def test_of_more_than_is_left(self) -> None:
        for wanted in (0, -1, 3151):
            with pytest.raises(LineItemsInvalid):
                line_items.reduced(self.lines, None, wanted, "EUR")


MONEY = st.integers(min_value=0, max_value=10**9)


@given(st.lists(MONEY, min_size=1, max_size=8), st.data())
def test_any_two_refunds_take_off_what_they_say(parts: list[int], data: st.DataObject) -> None:
    lines = line_items.expanded(
        [line(str(n), str(amounts.amount(each, "EUR")), quantity=Decimal(n + 1)) for n, each in enumerate(parts)], "EUR"
    )
    left = sum(parts)
    for _ in range(2):
        if left == 0:
            return
        wanted = data.draw(st.integers(min_value=1, max_value=left))
        split = line_items.reduced(lines, None, wanted, "EUR")
        assert line_items.total(split.taken, "EUR") == wanted
        assert line_items.total(split.remaining, "EUR") == left - wanted
        lines, left = split.remaining, left - wanted


@given(MONEY, st.lists(st.decimals(min_value=0, max_value=100, places=2), max_size=3), st.sampled_from(["EUR", "JPY"]))
def test_net_and_tax_always_add_up(gross: int, rates: list[Decimal], currency: str) -> None:
    taxes = [{"title": "Tax", "rate": rate} for rate in rates]
    given_line = line(amount=str(amounts.amount(gross, currency)), taxes=taxes)
    (made,) = line_items.expanded([given_line], currency)
    assert made["amountExcludingTax"] + made["taxAmount"] == made["amountIncludingTax"]
    assert 0 <= made["taxAmount"] <= made["amountIncludingTax"]


class TestRestored:
    """What a refund that failed puts back."""

    LINES = line_items.expanded(
        [
            {"uniqueId": "a", "name": "A", "type": "PRODUCT", "quantity": 4, "amountIncludingTax": 40},
            {"uniqueId": "b", "name": "B", "type": "PRODUCT", "quantity": 1, "amountIncludingTax": 10},
        ],
        "EUR",
    )

    @pytest.mark.parametrize(
        ("reductions", "wanted"),
        [
            ([{"lineItemUniqueId": "a", "quantityReduction": 1, "unitPriceReduction": 0}], None),
            ([{"lineItemUniqueId": "a", "quantityReduction": 0, "unitPriceReduction": 1}], None),
            ([{"lineItemUniqueId": "a", "quantityReduction": 4, "unitPriceReduction": 0}], None),
            (None, 1234), (None, 5000), (None, None),
        ],
    )  # fmt: skip
    def test_is_what_was_there_before(self, reductions: Any, wanted: int | None) -> None:
        split = line_items.reduced(self.LINES, reductions, wanted, "EUR")
        assert line_items.restored(split.remaining, self.LINES, split.remaining, "EUR") == self.LINES

    def test_leaves_what_others_took_since(self) -> None:
        one = [{"lineItemUniqueId": "a", "quantityReduction": 1, "unitPriceReduction": 0}]
        first = line_items.reduced(self.LINES, one, None, "EUR")
        second = line_items.reduced(first.remaining, one, None, "EUR")
        left = line_items.restored(second.remaining, self.LINES, first.remaining, "EUR")
        assert [(each["uniqueId"], each["quantity"], each["amountIncludingTax"]) for each in left] == [
            ("a", 3, Decimal(30)), ("b", 1, Decimal(10)),
        ]  # fmt: skip
        everything = line_items.reduced(first.remaining, None, None, "EUR")
        left = line_items.restored(everything.remaining, self.LINES, first.remaining, "EUR")
        assert [(each["uniqueId"], each["quantity"], each["amountIncludingTax"]) for each in left] == [
            ("a", 1, Decimal(10))
        ]
