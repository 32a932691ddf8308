"""Subscriptions from their first payment on: periods, usage, what is charged and when."""

from __future__ import annotations

from decimal import Decimal

from tests.payments.subscriptions.sales import Offer, Sales, bill
from tests.support.session import HeldClock


def test_a_month_goes_by(sales: Sales, offer: Offer, held_clock: HeldClock) -> None:
    number = sales.active(offer)
    subscription = sales.get(f"/{number}?expand=currentProductVersion.product")
    assert (subscription["state"], subscription["currentProductVersion"]["product"]["id"]) == ("ACTIVE", offer.product)
    assert sales.amounts(number) == [[("setup-fees", "20.00"), ("period-fees", "30.00")]]
    sales.use(number, offer.metric, "4")
    sales.use(number, offer.metric, "7.5")
    bill()
    assert len(sales.charges(number)) == 1
    held_clock.advance(days=31)
    bill()
    assert sales.amounts(number)[1] == [("metered-fees", "20.50"), ("period-fees", "30.00")]
    assert sales.paid(number) == [Decimal("50.00"), Decimal("50.50")]
