"""Nothing is charged twice: billing at the same time, billing that dies at each of its calls, requests in a race."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.subscriptions import CHARGE, LEDGER_ENTRY, PERIOD_BILL, SUBSCRIPTION
from payments.resources.transactions import TRANSACTION
from payments.subscriptions import worker
from payments.subscriptions.models import PERIOD, QUEUE
from payments.work import Work
from tests.payments.shops import settle, table
from tests.payments.subscriptions.sales import Offer, Sales, bill, new_sales, price
from tests.support.faults import Killed, Moment, killed_at
from tests.support.session import HeldClock
from tollgate import aws, ids

MONTHLY = Decimal("30.00")
SCHEDULE = worker._schedule


def all_of(sales: Sales, resource: object) -> list[Entity]:
    return list(Objects(table()).walk(resource, sales.shop.scope, 0, 10**16 - 1, False))  # type: ignore[arg-type]


def taken(sales: Sales, subscription: int) -> list[Decimal]:
    """What was really paid for a subscription, by all transactions that there are."""
    return [
        Decimal(str(each.values["completedAmount"]))
        for each in all_of(sales, TRANSACTION)
        if each.state == "FULFILL" and each.values.get("merchantReference") == f"subscription-{subscription}"
    ]


@pytest.fixture
def lone() -> Sales:
    """A shop with one subscription or two, for what looks at everything."""
    return new_sales()


@pytest.fixture
def plain(lone: Sales) -> Offer:
    """30.00 a month, the first one free."""
    product, version = lone.draft()
    seat = lone.component(lone.group(version))
    lone.fee("period-fees", seat["id"], periodFee=price("30"), numberOfFreeTrialPeriods=1)
    lone.post(f"/products/versions/{version}/activate")
    return Offer(product, version, 0, seat["id"], seat["reference"]["id"], 0)


def test_billing_at_the_same_time(lone: Sales, held_clock: HeldClock) -> None:
    offer = lone.offer()
    numbers = [lone.active(offer) for _ in range(3)]
    for number in numbers:
        lone.use(number, offer.metric, "2")
    held_clock.advance(days=31)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bill(), range(4)))
    held_clock.advance(minutes=5)
    bill()
    for number in numbers:
        assert taken(lone, number) == [Decimal("50.00"), Decimal("34.00")]
        assert [each["state"] for each in lone.charges(number)] == ["SUCCESSFUL"] * 2
        assert len(lone.found("/period-bills", f"subscriptionVersion.subscription.id:{number}")) == 2


def test_usage_while_the_period_ends_is_charged_once(lone: Sales, held_clock: HeldClock) -> None:
    offer = lone.offer()
    number = lone.active(offer)
    held_clock.advance(days=31)

    def report(_: int) -> int:
        body = {"externalId": ids.new_uuid(), "consumedUnits": 1, "metric": offer.metric, "subscription": number}
        return lone.call("POST", "/metric-usage-reports", body).status

    with ThreadPoolExecutor(4) as pool:
        billed = pool.submit(bill)
        statuses = list(pool.map(report, range(8)))
        billed.result()
    assert statuses == [201] * 8
    held_clock.advance(days=31)
    bill()
    units = sum(
        Decimal(str(entry["quantity"]))
        for charge in lone.charges(number)
        for entry in charge["ledgerEntries"]
        if entry["feeType"] == "METERED_FEE"
    )
    assert units == 8


def test_a_subscription_begins_once(lone: Sales) -> None:
    number = lone.subscribe(lone.offer(), token=lone.card)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: lone.call("POST", f"/{number}/initialize"), range(4)))
    assert {each.status for each in answers} <= {200, 409, 422}
    assert len({each.json["id"] for each in answers if each.status == 200}) == 1
    assert taken(lone, number) == [Decimal("50.00")]


def test_many_terminate_and_change_at_once(lone: Sales) -> None:
    offer = lone.offer()
    number = lone.active(offer)
    doubled = {"componentConfigurations": [{"productComponentReferenceId": offer.reference, "quantity": 2}]}

    def act(n: int) -> int:
        if n % 2:
            return lone.call("POST", f"/{number}/terminate?respectTerminationPeriod=false").status
        return lone.call("POST", f"/{number}/apply-changes", doubled).status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(act, range(4)))
    assert set(statuses) <= {200, 204, 409, 422}
    assert statuses[1] == statuses[3] == 204
    assert lone.state(number) == "TERMINATED"
    charges = [each.attributes["purpose"] for each in all_of(lone, CHARGE)]
    assert charges.count("final") == 1
    entries = all_of(lone, LEDGER_ENTRY)
    settled = sum(Decimal(each.values["amountIncludingTax"]) for each in entries if each.state == "PAID")
    assert settled == sum(taken(lone, number))


def months() -> Iterator[datetime]:
    for month in range(1, 240):
        yield datetime(2027 + month // 12, month % 12 + 1, 1, 0, 1, tzinfo=UTC)


def test_billing_that_dies_anywhere_charges_once(lone: Sales, plain: Offer, held_clock: HeldClock) -> None:
    held_clock.at = datetime(2027, 1, 1, tzinfo=UTC)
    number = lone.active(plain)
    calendar, passed, suspended = months(), 0, 0
    row = due_row(lone, number)

    def month() -> None:
        nonlocal passed
        held_clock.at, passed = next(calendar), passed + 1
        SCHEDULE.carry_out(row)

    for _ in deaths_that_differ(month):
        held_clock.advance(minutes=3)
        for carry_out in SCHEDULE.due():
            carry_out()
        (charge,) = Objects(table()).page(CHARGE, lone.shop.scope, 1, None, None, True).entities
        if charge.state == "PROCESSING":
            settle()
            held_clock.advance(minutes=3)
            bill()
        if Objects(table()).read(SUBSCRIPTION, lone.shop.scope, number).state == "SUSPENDED":
            suspended += 1  # died between writing a payment down and sending it
            body = {"externalId": ids.new_uuid(), "processingType": "SYNCHRONOUS", "subscription": number}
            assert lone.post("/charges", body)["state"] == "SUCCESSFUL"
        row = due_row(lone, number)
    held_clock.advance(minutes=3)
    bill()
    assert passed > 20
    assert 1 <= suspended <= 4
    assert taken(lone, number) == [MONTHLY] * passed
    bills = all_of(lone, PERIOD_BILL)
    assert [each.state for each in bills] == ["BILLED"] * passed + ["PENDING"]
    assert {each.state for each in all_of(lone, LEDGER_ENTRY)} == {"PAID"}
    assert {each.state for each in all_of(lone, CHARGE)} <= {"SUCCESSFUL", "FAILED"}
    assert list(SCHEDULE.due()) == []


def deaths_that_differ(attempt: Callable[[], None]) -> Iterator[None]:
    """Before each call, and after each that writes: after one that reads is as before the next one."""
    for call in itertools.count(1):
        moments: list[Moment] = ["before", "after"]
        for moment in moments:
            with killed_at(aws.dynamodb(), call, moment) as fuse:
                try:
                    attempt()
                except Killed:
                    pass
                else:
                    return
            yield
            if not fuse.operation.startswith("Transact"):
                break


def due_row(sales: Sales, subscription: int) -> Work:
    """The row of work by which the clock comes back to a subscription that runs."""
    found = Objects(table()).read(SUBSCRIPTION, sales.shop.scope, subscription)
    assert found.state == "ACTIVE"
    due = int(found.attributes["due"])
    return Work(QUEUE, PERIOD, due, sales.shop.merchant.tenant, sales.shop.scope, subscription)
