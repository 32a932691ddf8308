"""Dunning through the door and the clock: begun, led through its levels, suspended, ended by what becomes of the
invoice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from payments.access.handler import handler as access
from payments.dunning.public import dunning_of
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.dunning import DUNNING_FLOW
from payments.resources.transactions import TRANSACTION_INVOICE
from payments.units import UnitOfWork, new_entity
from tests.payments.shops import Shop, new_shop, table
from tests.support.faults import deaths
from tests.support.session import HeldClock
from tollgate import aws

CASES = "/payment/dunning-cases"


@pytest.fixture
def own_shop() -> Shop:
    return new_shop()


def invoice(shop: Shop, state: str = "OPEN") -> Entity:
    """An invoice of a space, not paid."""
    values = {
        "state": state, "amount": Decimal("80.00"), "outstandingAmount": Decimal("80.00"), "linkedTransaction": 5,
        "dueOn": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip
    objects = Objects(table())
    made = new_entity(TRANSACTION_INVOICE, shop.scope, values, {"currency": "EUR"})
    transaction = objects.begin()
    objects.insert(transaction, made)
    transaction.commit()
    return made


def become(shop: Shop, number: int, state: str) -> None:
    objects = Objects(table())
    unit = UnitOfWork(objects, shop.merchant.tenant, shop.scope)
    unit.replace(objects.read(TRANSACTION_INVOICE, shop.scope, number), {"state": state})
    unit.commit()


def begin(shop: Shop) -> tuple[int, dict[str, Any]]:
    """An invoice and its case."""
    number = invoice(shop).id
    assert shop.call("POST", f"{CASES}/invoice/{number}").status == 204
    (case,) = shop.get(f"{CASES}/search?query=initialInvoice:{number}")["data"]
    return number, case


def tick() -> int:
    """What the clock does."""
    return sum(step() for step in dunning_of(Objects(table())).due())


def state(shop: Shop, case: dict[str, Any]) -> dict[str, Any]:
    return dict(shop.get(f"{CASES}/{case['id']}"))


def test_a_case_and_the_flow_that_comes_with_it(own_shop: Shop) -> None:
    number, case = begin(own_shop)
    assert (case["state"], case["initialInvoice"], case["linkedTransaction"]) == ("RUNNING", {"id": number}, 5)
    flow = own_shop.get(f"/payment/dunning-flows/{case['flow']['id']}?expand=type")
    assert (flow["state"], flow["type"]["name"]) == ("ACTIVE", {"en-US": "Reminders"})
    levels = own_shop.get(f"/payment/dunning-flows/levels/search?query=flow:{flow['id']}")["data"]
    assert [each["period"] for each in levels] == ["P10D"] * 3
    assert begin(own_shop)[1]["flow"]["id"] == flow["id"]
    assert len(own_shop.get("/payment/dunning-flows")["data"]) == 1
    assert own_shop.refused("POST", f"{CASES}/invoice/{number}")[:2] == (422, "value_taken")


def test_of_two_beginnings_one_makes_the_case(own_shop: Shop) -> None:
    number = invoice(own_shop).id
    with ThreadPoolExecutor(3) as executor:
        answers = list(executor.map(lambda _: own_shop.call("POST", f"{CASES}/invoice/{number}").status, range(3)))
    assert sorted(answers) == [204, 422, 422]
    assert len(own_shop.get("/payment/dunning-flows")["data"]) == 1


@pytest.mark.parametrize("settled", ["PAID", "CANCELED", "DERECOGNIZED", "NOT_APPLICABLE"])
def test_nothing_to_remind_of(own_shop: Shop, settled: str) -> None:
    assert own_shop.refused("POST", f"{CASES}/invoice/{invoice(own_shop, settled).id}")[:2] == (422, "state_invalid")
    assert own_shop.refused("POST", f"{CASES}/invoice/17")[0] == 404


@pytest.mark.parametrize(
    ("becomes", "ends", "moment"),
    [
        ("PAID", "SUCCEEDED", "succeededOn"),
        ("DERECOGNIZED", "DERECOGNIZED", "derecognizedOn"),
        ("CANCELED", "CANCELED", "canceledOn"),
    ],
)
def test_ends_with_the_invoice(own_shop: Shop, held_clock: HeldClock, becomes: str, ends: str, moment: str) -> None:
    number, case = begin(own_shop)
    tick()
    assert state(own_shop, case)["state"] == "RUNNING"
    become(own_shop, number, becomes)
    held_clock.advance(days=1, seconds=1)
    tick()
    found = state(own_shop, case)
    assert (found["state"], moment in found) == (ends, True)
    held_clock.advance(days=400)
    tick()
    assert state(own_shop, case) == found


def test_fails_behind_the_last_level_and_is_handed_on(own_shop: Shop, held_clock: HeldClock) -> None:
    collector = own_shop.merchant.call(access, "GET", "/debt-collection/collectors").json["data"][0]["id"]
    configured = own_shop.merchant.call(access, "POST", "/debt-collection/configurations", {"collector": collector})
    assert configured.status == 201, configured.body
    _, case = begin(own_shop)
    for day in range(30):
        assert state(own_shop, case)["state"] == "RUNNING", day
        held_clock.advance(days=1, seconds=1)
        tick()
    found = state(own_shop, case)
    assert (found["state"], "failedOn" in found) == ("FAILED", True)
    (debt,) = own_shop.merchant.call(access, "GET", "/debt-collection/cases").json["data"]
    assert debt.items() >= {"amount": 80, "currency": "EUR", "sourceEntityId": case["id"], "state": "REVIEWING"}.items()


def test_suspended_and_gone_on(own_shop: Shop, held_clock: HeldClock) -> None:
    _, case = begin(own_shop)
    path = f"{CASES}/{case['id']}/suspend"
    assert own_shop.refused("POST", f"{path}?plannedEndDate=2020-01-01T00:00:00Z")[0] == 422
    assert own_shop.refused("POST", f"{path}?plannedEndDate=soon")[0] == 400
    until = held_clock.at.replace(microsecond=0).isoformat().replace("+00:00", "Z").replace(
        str(held_clock.at.year), str(held_clock.at.year + 1), 1
    )  # fmt: skip
    assert own_shop.call("POST", f"{path}?plannedEndDate={until}").status == 204
    assert own_shop.refused("POST", path)[:2] == (422, "state_invalid")
    held_clock.advance(days=200)
    tick()
    assert state(own_shop, case)["state"] == "SUSPENDED"
    held_clock.advance(days=170)
    tick()
    assert state(own_shop, case)["state"] == "RUNNING"


def test_a_suspended_case_ends_with_its_invoice(own_shop: Shop, held_clock: HeldClock) -> None:
    number, case = begin(own_shop)
    assert own_shop.call("POST", f"{CASES}/{case['id']}/suspend").status == 204
    become(own_shop, number, "PAID")
    held_clock.advance(days=2)
    tick()
    assert state(own_shop, case)["state"] == "SUCCEEDED"


def test_a_flow_without_levels_reminds_of_nothing(own_shop: Shop) -> None:
    unit = UnitOfWork(Objects(table()), own_shop.merchant.tenant, own_shop.scope)
    unit.insert(DUNNING_FLOW, {"name": "mine", "state": "ACTIVE"})
    unit.commit()
    assert own_shop.refused("POST", f"{CASES}/invoice/{invoice(own_shop).id}")[:2] == (422, "state_invalid")


def test_a_death_at_any_moment_loses_no_case(own_shop: Shop, held_clock: HeldClock) -> None:
    """Whatever was written, what is due is done at the next run, once."""
    cases = [begin(own_shop)[1] for _ in range(2)]
    held_clock.advance(days=10, seconds=1)
    for death in deaths(aws.dynamodb(), tick):
        assert {state(own_shop, case)["state"] for case in cases} == {"RUNNING"}, death
    for _ in range(21):
        held_clock.advance(days=1, seconds=1)
        tick()
    assert {state(own_shop, case)["state"] for case in cases} == {"FAILED"}


def test_a_stranger_sees_nothing(own_shop: Shop, shop: Shop) -> None:
    _, case = begin(own_shop)
    assert shop.refused("GET", f"{CASES}/{case['id']}")[0] == 404
    assert shop.refused("POST", f"{CASES}/{case['id']}/suspend")[0] == 404
