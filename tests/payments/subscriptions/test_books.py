"""Whatever merchants do with a subscription, its books add up: what was settled is what was paid."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.subscriptions import CHARGE, LEDGER_ENTRY, PERIOD_BILL
from payments.resources.transactions import TRANSACTION
from tests.payments.shops import table
from tests.payments.subscriptions.sales import Offer, Sales, bill, new_sales
from tests.support.session import HeldClock
from tollgate import ids

STEPS = 24


class Walk:
    """A merchant who does this and that."""

    def __init__(self, sales: Sales, offers: list[Offer], number: int, clock: HeldClock, seed: int) -> None:
        self.sales = sales
        self.clock = clock
        self.offers = offers
        self.number = number
        self.random = random.Random(seed)

    def step(self) -> None:
        act = self.random.choice(
            [self.use, self.use, self.entry, self.change, self.suspend, self.reactivate, self.charge, self.later]
        )
        act()

    def try_(self, method: str, path: str, body: object = None) -> None:
        """What is refused is refused in good order."""
        answer = self.sales.call(method, path, body)
        assert answer.status in (200, 201, 204, 422), (path, answer.body)

    def use(self) -> None:
        metric = self.random.choice(self.offers).metric
        units = Decimal(self.random.randint(1, 4000)) / 100
        body = {"externalId": ids.new_uuid(), "consumedUnits": units, "metric": metric, "subscription": self.number}
        self.try_("POST", "/metric-usage-reports", body)

    def entry(self) -> None:
        version = self.sales.found("/versions", f"subscription:{self.number}")[-1]["id"]
        amount = Decimal(self.random.randint(-9000, 5000)) / 100
        body = {"externalId": ids.new_uuid(), "amountIncludingTax": amount, "quantity": 1, "title": "Something"}
        self.try_("POST", "/ledger-entries", {**body, "subscriptionVersion": version})

    def change(self) -> None:
        offer = self.random.choice(self.offers)
        wanted = [{"productComponentReferenceId": offer.reference, "quantity": self.random.randint(1, 3)}]
        later = self.random.random() < Decimal("0.3")
        body = {"product": offer.product, "componentConfigurations": wanted, "respectTerminationPeriod": later}
        self.try_("POST", f"/{self.number}/apply-changes", body)

    def suspend(self) -> None:
        self.try_("POST", f"/{self.number}/suspend")

    def reactivate(self) -> None:
        self.try_("POST", f"/{self.number}/reactivate")

    def charge(self) -> None:
        body = {"externalId": ids.new_uuid(), "processingType": "SYNCHRONOUS", "subscription": self.number}
        self.try_("POST", "/charges", body)

    def later(self) -> None:
        self.clock.advance(days=self.random.randint(1, 45), seconds=self.random.randint(0, 9999))
        bill()


@pytest.mark.parametrize("seed", [7])
def test_books_add_up(held_clock: HeldClock, seed: int) -> None:
    sales = new_sales()
    offers = [sales.offer(), sales.offer(setup="7", period="45.55", component={"componentChangeWeight": 3})]
    walk = Walk(sales, offers, sales.active(offers[0]), held_clock, seed)

    for _ in range(STEPS):
        walk.step()
    walk.reactivate()
    walk.try_("POST", f"/{walk.number}/terminate?respectTerminationPeriod=false")
    held_clock.advance(minutes=5)
    bill()
    assert sales.state(walk.number) == "TERMINATED"
    check_books(sales)


def check_books(sales: Sales) -> None:
    def everything(resource: object) -> list[Entity]:
        return list(Objects(table()).walk(resource, sales.shop.scope, 0, 10**16 - 1, False))  # type: ignore[arg-type]

    entries = {each.id: each for each in everything(LEDGER_ENTRY)}
    paid = sum(Decimal(each.values["amountIncludingTax"]) for each in entries.values() if each.state == "PAID")
    payments = {each.id: each for each in everything(TRANSACTION) if each.values.get("merchantReference")}
    assert paid == sum(Decimal(each.values["completedAmount"]) for each in payments.values())
    charges = everything(CHARGE)
    assert {each.state for each in charges} == {"SUCCESSFUL"}
    listed = [link["id"] for each in charges for link in each.values["ledgerEntries"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {each.id for each in entries.values() if each.state == "PAID"}
    for each in charges:
        own = sum(Decimal(entries[link["id"]].values["amountIncludingTax"]) for link in each.values["ledgerEntries"])
        assert own == (payments[each.link("transaction") or 0].values["completedAmount"] if own else 0)
    assert {each.state for each in everything(PERIOD_BILL)} == {"BILLED"}
